package knowledge

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"
)

// Outcome is what became of a question.
type Outcome string

const (
	Answered   Outcome = "answered"
	Clarify    Outcome = "clarify"
	Passage    Outcome = "passage"
	Unanswered Outcome = "unanswered"
	Smalltalk  Outcome = "smalltalk"
)

// A Result is what a Base makes of one question.
type Result struct {
	Question   string // what was matched: the question, or what a follow-up stands for
	FollowUp   bool   // the question was understood by the one before it
	Outcome    Outcome
	Intent     *Intent    // the best match, whatever the outcome; nil if there is none
	Confidence float64    // how sure the matcher is of Intent, 0 to 1
	Answers    [2]*Answer // answered: the answer, and a second where the question names two entities; clarify: the readings
	Also       *Answer    // answered: another reading that is nearly as good
	Quotes     []Quote    // answered: instead of an answer, the quotes that were asked for
	Premise    bool       // answered: the question supposes something that the announcement does not say
	Sentences  [2]int     // passage: the numbers of the sentences, 0 for none
	Nearest    [3]*Intent // unanswered and passage: the nearest topics
	Talk       Talk       // smalltalk: of what kind
	Veto       Veto       // unanswered: what spoke against Intent
	VetoWord   string     // the word or words of the question that did
	Parts      []Result   // of a message with several questions: a result each; the rest is of the least certain

	base      *Base
	next      *Intent // the best match but Intent; nil if there is none
	nextScore float32
}

// Veto is why a question that looked like an intent was turned away.
type Veto string

const (
	NoVeto       Veto = ""
	VetoEntity   Veto = "names someone or something that the answer is not about"
	VetoCounted  Veto = "counts something that the announcement does not count"
	VetoQuote    Veto = "quotes words that the announcement does not hold"
	VetoCoverage Veto = "asks about something that the announcement does not mention"
	VetoElse     Veto = "is about something else"
)

// A matcher finds a question's intent.
type matcher struct {
	accept    float32 // the margin from which on a topic is answered
	base      *Base
	lexicon   *lexicon
	learned   *learned // what was just learned, to be kept; else nil
	model     *classifier
	classes   []class
	said      int               // the classifier's class of everything that the announcement speaks of
	vocab     []map[uint64]bool // by class: the words and concepts that it knows
	entities  []map[int32]int   // by class: how often it names an entity; ofAnswer if an answer does
	central   map[int32]bool    // the entities that most topics name: they tell nothing
	telling   map[string]bool   // the kinds of entities that tell one question from another
	asked     [][asksKinds]int  // by class: how many examples ask for what
	countries map[uint64]bool
	openings  map[uint64]Talk            // smalltalk of a few words, by the hash of its words
	examples  []learnedExample           // of the intents, by the hash of their words
	numbers   map[string]map[string]bool // by answer: the numbers and dates in it
	about     map[string]map[int32]bool  // by answer: the entities that its text names
	source    []string                   // the words of the source
	sentences []map[uint64]bool          // by sentence: its words
	scratch   sync.Pool
}

// class is one of the classifier's classes: an intent or something common.
type class struct {
	intent int // -1 for the common ones
	kind   classKind
	talk   Talk
}

type classKind uint8

const (
	classTopic     classKind = iota // an intent with something to say
	classNotSaid                    // an intent that the announcement does not speak of
	classElsewhere                  // off topic, or an attempt to lead podium astray
	classTalk
)

// scratch is what matching one question needs, kept for the next.
type scratch struct {
	question question
	part     question
	vector   vector
	scores   []float32
}

// Match finds out what is asked and what the announcement has to say on it.
func (b *Base) Match(question string) Result {
	return b.matcher.match(question)
}

func (m *matcher) match(s string) Result {
	x := m.scratch.Get().(*scratch)
	defer m.scratch.Put(x)
	s = clipQuestion(s)
	r := m.whole(s, x)
	if segments := split(s); len(segments) > 1 {
		if parts := m.parts(segments, x); parts != nil {
			r = leastCertain(parts)
			r.Parts = parts
		}
	}
	if quotes := m.base.requestsQuote(s); len(quotes) > 0 {
		r = Result{Outcome: Answered, Quotes: quotes, Intent: r.Intent, Confidence: 1, next: r.next, nextScore: r.nextScore}
	}
	r.base, r.Question = m.base, s
	return r
}

// whole matches s as one question. Smalltalk in front of it is left out; if
// there is no question behind it, the message is smalltalk.
func (m *matcher) whole(s string, x *scratch) Result {
	q := &x.question
	m.lexicon.read(s, q)
	n, talk := m.opening(q)
	if _, example := m.example(q); example {
		n = 0
	} else {
		if n > 0 && len(q.words) > n {
			q.drop(0, n)
		}
		if n := m.closing(q); n > 0 && n < len(q.words) {
			q.drop(len(q.words)-n, len(q.words))
		}
		m.setAside(q)
	}
	greeted := len(q.concepts) > 0 && (q.concepts[0].entity != noEntity || q.words[0].stem == "from")
	if n > 0 && greeted && onlyNames(q) && !strings.HasSuffix(s, "?") { // "good night Iraq"
		return Result{Outcome: Smalltalk, Talk: talk, Confidence: exampleConfidence}
	}
	r := m.decide(q, s, x)
	notSaid := r.Intent != nil && !r.Intent.Topic && r.Confidence >= partConfidence
	if n > 0 && r.Outcome == Unanswered && !notSaid && len(q.words) < maxTalk && q.head == 0 && !asksSource(s, &x.part.text) {
		r = Result{Outcome: Smalltalk, Talk: talk, Confidence: 0.9, next: r.next, nextScore: r.nextScore}
	}
	return r
}

// setAside leaves out what q says that it does not mean: of "Iraq, not
// Afghanistan" the latter.
func (m *matcher) setAside(q *question) {
	for i := 0; i < len(q.concepts); i++ {
		c := q.concepts[i]
		if c.entity == noEntity {
			continue
		}
		from := int(c.first) - 1
		for from > 0 && (linkWords[q.words[from].stem] || meaningWords[q.words[from].stem]) {
			from--
		}
		if from < 0 || q.words[from].stem != "not" || !m.alternative(q, i) {
			continue
		}
		if from > 0 && (q.words[from-1].stem == "but" || q.words[from-1].stem == "and") {
			continue // "why leave Iraq and not Afghanistan" is about both
		}
		to := int(c.last) + 1
		if to < len(q.words) && (q.words[to].stem == "one" || q.words[to].stem == "ones") {
			to++
		}
		before := len(q.concepts)
		q.drop(from, to)
		i -= before - len(q.concepts)
	}
}

// linkWords may stand between "not", or "or", and the name that it is about.
var linkWords = makeSet("the a in for from of about on to by with")

// meaningWords may stand so too behind "not": "I'm not asking about Afghanistan".
var meaningWords = makeSet("ask mean talk look interest")

// alternative reports whether q names another entity of the kind that its
// concept i is.
func (m *matcher) alternative(q *question, i int) bool {
	at := q.concepts[i].entity
	return slices.ContainsFunc(q.concepts, func(c concept) bool {
		return c.entity != noEntity && c.entity != at && m.base.Entities[c.entity].Kind == m.base.Entities[at].Kind
	})
}

const (
	maxOpening = 4 // words of smalltalk that may stand before a question
	maxTalk    = 8 // from so many words on, what sounds like smalltalk may hold a question
)

// hashWords is the hash of words in their order.
func hashWords(words []word) uint64 {
	h := uint64(hashSeed)
	for i := range words {
		h = mix(h, words[i].id)
	}
	return h
}

// An example means what its author says, whatever the classifier makes of it.
const (
	exampleConfidence = 0.9
	exampleMargin     = 1.5 // a confidence of 0.9
)

// sureMargin is how far beyond doubt a topic must be for podium to put right what
// a question supposes of it: a confidence of 0.8.
const sureMargin = 1

// example is the class of the example that q is, word for word.
func (m *matcher) example(q *question) (class int, ok bool) {
	h := hashWords(q.words)
	i, ok := slices.BinarySearchFunc(m.examples, h, func(e learnedExample, h uint64) int { return cmp.Compare(e.Hash, h) })
	if !ok {
		return 0, false
	}
	return int(m.examples[i].Class), true
}

// opening is the number of words of smalltalk that q starts with.
func (m *matcher) opening(q *question) (n int, talk Talk) {
	h := uint64(hashSeed)
	for i := 0; i < len(q.words) && i < maxOpening; i++ {
		h = mix(h, q.words[i].id)
		if t, ok := m.openings[h]; ok {
			n, talk = i+1, t
		}
	}
	return n, talk
}

// closing is the number of words of thanks that q ends with.
func (m *matcher) closing(q *question) (n int) {
	for i := len(q.words) - 1; i >= 0 && i >= len(q.words)-maxOpening; i-- {
		if t, ok := m.openings[hashWords(q.words[i:])]; ok && t == Thanks {
			n = len(q.words) - i
		}
	}
	return n
}

// leastCertain is the part of a message that its outcome goes by.
func leastCertain(parts []Result) Result {
	order := []Outcome{Unanswered, Passage, Clarify, Answered, Smalltalk}
	least := 0
	for i, p := range parts {
		a, b := slices.Index(order, p.Outcome), slices.Index(order, parts[least].Outcome)
		if a < b || a == b && p.Confidence < parts[least].Confidence {
			least = i
		}
	}
	return parts[least]
}

// parts matches each segment of a message on its own. It is nil unless each is
// a question of its own, and no two are the same.
func (m *matcher) parts(segments []segment, x *scratch) []Result {
	var out []Result
	before := ""
	for _, segment := range segments {
		s := segment.text
		asked, bare := s, false
		if before != "" {
			if asksSource(s, &x.part.text) {
				continue // the answer before it says who said it, and in which words
			}
			var t questionText
			t.read(s, &x.part.text)
			if full, ok := t.bare(before, &x.part.text); ok {
				asked, bare = full, true
			} else {
				asked = m.inherit(s, before, x)
			}
		}
		r := m.whole(asked, x)
		r.base, r.Question = m.base, s
		switch {
		case bare && !m.timely(r), before == "" && segment.joined && onlyNames(&x.question):
			return nil
		case r.Outcome == Smalltalk, before != "" && limits(&x.question):
			continue
		case r.Outcome != Unanswered:
		case before != "" && len(x.question.words) == 1 && x.question.words[0].stem == "whi":
			// "And why?" is a question of its own, about the part before it.
		case r.Intent != nil && !r.Intent.Topic && r.Confidence >= partConfidence:
		case !segment.joined && strings.HasSuffix(s, "?") && x.question.head != 0 && len(x.question.words) >= 3:
			// A question of its own, whatever it is about.
		default:
			return nil
		}
		if slices.ContainsFunc(out, func(other Result) bool {
			return other.Intent == r.Intent && other.Answers == r.Answers && other.Outcome == r.Outcome
		}) {
			continue
		}
		out = append(out, r)
		before = asked
	}
	if len(out) < 2 || !slices.ContainsFunc(out, func(r Result) bool { return r.Outcome == Answered }) {
		return nil
	}
	return out
}

// onlyNames reports whether q names somebody or something and asks nothing: the
// start of "for Afghanistan, how many troops".
func onlyNames(q *question) bool {
	return q.head == 0 && !slices.ContainsFunc(q.concepts, func(c concept) bool { return c.entity == noEntity && !c.function })
}

// limits reports whether q only says what the question before it does not mean:
// "not asking about Afghanistan".
func limits(q *question) bool {
	return q.head == 0 && slices.ContainsFunc(q.words[:min(len(q.words), 4)], func(w word) bool { return w.stem == "not" })
}

// partConfidence is how sure podium must be that a part is what the
// announcement does not speak of, to say so beside an answer.
const partConfidence = 0.4

// Pronouns stand for what the question before named: people or anything else.
var (
	personPronouns = makeSet("he him his she her")
	thingPronouns  = makeSet("they them their it its there that this those these")
)

// inherit adds to a segment the entities that its pronouns stand for: those of
// the segment before it.
func (m *matcher) inherit(s, before string, x *scratch) string {
	m.lexicon.read(s, &x.question)
	person, thing := false, false
	for _, c := range x.question.concepts {
		if c.entity != noEntity {
			return s
		}
		stem := x.question.words[c.first].stem
		person, thing = person || personPronouns[stem], thing || thingPronouns[stem]
	}
	m.lexicon.read(before, &x.part)
	for _, c := range x.part.concepts {
		if c.entity == noEntity {
			continue
		}
		if isPerson := m.base.Entities[c.entity].Kind == "person"; isPerson && !person || !isPerson && !thing {
			continue
		}
		for at := x.part.words[c.first].at; at <= x.part.words[c.last].at; at++ {
			s += " " + string(x.part.text.token(int(at)))
		}
	}
	return s
}

// What the decision is made by; found on questions that were not seen in
// training (testdata/README.md).
const (
	talkScore  = -0.75 // from which on a message is smalltalk
	talkSaid   = 0     // above which the class of all topics speaks against smalltalk
	talkCover  = 0.5   // and which share of its words smalltalk must know
	alsoMargin = 0.35  // a second reading this near is told beside the first
	nearScore  = -0.85 // below which no topic is nearer than another

	coverWeight = 0.6
	scoreWeight = 0.3
	usualCover  = 0.9
	usualScore  = -0.2

	strangeShare   = 0.01
	strangePenalty = 0.5
	pingPenalty    = 1.5
)

// decide matches one question.
func (m *matcher) decide(q *question, s string, x *scratch) Result {
	r := m.read(q, s, x)
	if len(q.words) > 0 {
		r.next, r.nextScore = m.runnerUp(r.Intent, x.scores)
	}
	if r.Outcome == Unanswered && len(q.words) > 0 {
		m.nearest(&r, x.scores)
		// What no intent knows may still be a sentence of the announcement.
		if r.Veto == VetoCoverage || r.Veto == VetoElse && (r.Intent == nil || r.Intent.Topic) {
			if n := m.passage(q); n > 0 {
				r.Outcome, r.Sentences[0] = Passage, n
			}
		}
	}
	return r
}

// runnerUp is the intent that scores best beside best, and its score.
func (m *matcher) runnerUp(best *Intent, scores []float32) (next *Intent, score float32) {
	for i, c := range m.classes {
		if c.kind != classTopic && c.kind != classNotSaid || next != nil && scores[i] <= score {
			continue
		}
		if in := &m.base.Intents[c.intent]; in != best {
			next, score = in, scores[i]
		}
	}
	return next, score
}

// passageWords is how many telling words a question must share with a sentence
// for it to be quoted, and passageShare which share of the question they must
// be.
const (
	passageWords = 4
	passageShare = 0.8
)

// passage is the number of the sentence that holds nearly all that q asks
// about, or 0.
func (m *matcher) passage(q *question) int {
	content := 0
	for i := range q.words {
		if !q.words[i].function {
			content++
		}
	}
	if content < passageWords {
		return 0
	}
	found, most := 0, 0
	for i, words := range m.sentences {
		n := 0
		for j := range q.words {
			if w := &q.words[j]; !w.function && words[w.id] {
				n++
			}
		}
		if n > most {
			found, most = i+1, n
		}
	}
	if most < passageWords || float64(most) < passageShare*float64(content) {
		return 0
	}
	return found
}

// read is decide without the nearest topics.
func (m *matcher) read(q *question, s string, x *scratch) Result {
	r := Result{Outcome: Unanswered}
	if len(q.words) == 0 {
		return r
	}
	scores := x.scores
	m.model.score(q, &x.vector, scores)
	topic, second, talk, other := -1, -1, -1, -1 // the best two topics, the best smalltalk, and the best of all else
	for i, c := range m.classes {
		switch {
		case c.kind == classTalk:
			if talk < 0 || scores[i] > scores[talk] {
				talk = i
			}
		case c.kind != classTopic:
			if other < 0 || scores[i] > scores[other] {
				other = i
			}
		case topic < 0 || scores[i] > scores[topic]:
			topic, second = i, topic
		case second < 0 || scores[i] > scores[second]:
			second = i
		}
	}
	example, isExample := m.example(q)
	switch {
	case isExample && m.classes[example].kind == classTopic:
		topic, second = example, -1
	case isExample:
		r.Intent, r.Confidence, r.Veto = &m.base.Intents[m.classes[example].intent], max(confidence(scores[example]), exampleConfidence), VetoElse
		return r
	}
	if !isExample && scores[talk] > scores[other] && (topic < 0 || scores[talk] > scores[topic]) {
		source := m.classes[talk].talk == Thanks && asksSource(s, &x.part.text)
		if !source && scores[talk] > talkScore && scores[m.said] < talkSaid && m.coverage(q, talk) > talkCover {
			r.Outcome, r.Talk, r.Confidence = Smalltalk, m.classes[talk].talk, confidence(scores[talk])
			return r
		}
		if len(q.words) < maxTalk {
			return r
		}
	}
	if !isExample && saysNothing(q) {
		r.Veto = VetoCoverage
		return r
	}
	margin := float32(math.Inf(-1))
	if topic >= 0 {
		margin = m.margin(q, scores, topic, other)
		if pings(s) {
			margin -= pingPenalty
		}
	}
	if isExample {
		margin = max(margin, m.accept+exampleMargin)
	}
	if margin < m.accept && (topic < 0 || scores[other] > scores[topic]) {
		r.Veto = VetoElse
		if c := m.classes[other]; c.kind == classNotSaid {
			r.Intent, r.Confidence = &m.base.Intents[c.intent], confidence(scores[other])
			return r
		}
	}
	if topic < 0 {
		return r
	}
	if margin >= m.accept && !isExample {
		if other := m.contrasted(q, topic); other != topic {
			topic, second = other, -1
		}
	}
	r.Intent, r.Confidence = &m.base.Intents[m.classes[topic].intent], confidence(margin-m.accept)
	switch {
	case margin < m.accept:
		if r.Veto == NoVeto {
			r.Veto = VetoCoverage
		}
		return r
	case !m.choose(&r, q, topic):
		return r
	}
	var misattributed bool
	if !isExample {
		sure := margin >= m.accept+sureMargin
		if r.Veto, r.VetoWord, misattributed = m.veto(q, s, topic, sure); r.Veto != NoVeto {
			return r
		}
	}
	if r.Answers[0].Status == NotSaid && (r.Answers[1] == nil || r.Answers[1].Status == NotSaid) {
		r.Answers = [2]*Answer{}
		return r
	}
	r.Outcome = Answered
	if m.twins(&r, q, topic) {
		return r
	}
	r.Premise = misattributed || m.premise(q, &r)
	if second >= 0 && scores[topic]-scores[second] < alsoMargin {
		if answers := m.base.Intents[m.classes[second].intent].Answers; len(answers) == 1 {
			r.Also = &answers[0]
		}
	}
	return r
}

// contrasted is the topic that stands against topic where q names what that one's
// answer names and topic's does not: the Afghan deadline where a question that
// sounds like Iraq's names Afghanistan. Who acts is not what an answer is about.
func (m *matcher) contrasted(q *question, topic int) int {
	answer := &m.base.Intents[m.classes[topic].intent].Answers[0]
	other := answer.contrast
	if other == nil || other.Intent == m.classes[topic].intent {
		return topic
	}
	found := false
	for _, c := range q.concepts {
		if c.entity == noEntity || m.base.Entities[c.entity].Kind == "person" || !m.telling[m.base.Entities[c.entity].Kind] || q.exceptedAt(int(c.first)) {
			continue
		}
		if m.about[answer.ID][c.entity] {
			return topic
		}
		found = found || m.about[other.ID][c.entity]
	}
	if !found {
		return topic
	}
	return slices.IndexFunc(m.classes, func(c class) bool { return c.kind == classTopic && c.intent == other.Intent })
}

// emptyWords are the stems of words that say nothing about a question's
// subject, beside the function words: alone they mean what was said before.
var emptyWords = makeSet("said say told tell quot cite exact verbatim word sourc sentenc sure certain realli true prove proof go give get show more els pleas doe full continu about")

// saysNothing reports whether q has no word that could tell its subject.
func saysNothing(q *question) bool {
	for _, c := range q.concepts {
		if c.entity != noEntity {
			return false
		}
		for _, w := range q.words[c.first : c.last+1] {
			if !w.function && !emptyWords[w.stem] {
				return false
			}
		}
	}
	return true
}

// enough is how often class must name an entity to know it: more than a stray
// example does.
func (m *matcher) enough(class int) int {
	total := 0
	for _, n := range m.asked[class] {
		total += n
	}
	return max(2, total/50)
}

// pings reports whether s calls a whole channel: who does that wants something
// posted, not answered.
func pings(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '@':
			for _, w := range []string{"everyone", "here", "channel"} {
				if len(s)-i > len(w) && strings.EqualFold(s[i+1:i+1+len(w)], w) {
					return true
				}
			}
		case '<':
			if i+1 < len(s) && (s[i+1] == '!' || s[i+1] == '@' && i+2 < len(s) && s[i+2] == '&') {
				return true
			}
		}
	}
	return false
}

// margin is by how much q is a question on topic rather than on anything else:
// what the class of all topics says, how far topic is ahead of the best other
// class, and how well it fits in itself.
func (m *matcher) margin(q *question, scores []float32, topic, other int) float32 {
	cover := float32(m.coverage(q, topic))
	return scores[m.said] + (scores[topic] - scores[other]) +
		float32(coverWeight*(cover-usualCover)) + float32(scoreWeight*(scores[topic]-usualScore)) - m.strange(q, topic)
}

// twins turns r into a choice of two readings where q is a single word that
// two contrasting answers know alike, such as "deadline?".
func (m *matcher) twins(r *Result, q *question, topic int) bool {
	var subject *concept
	for i := range q.concepts {
		c := &q.concepts[i]
		if c.function {
			continue
		}
		if subject != nil || c.entity != noEntity {
			return false
		}
		subject = c
	}
	if subject == nil || m.namesWithin(q, subject) {
		return false
	}
	word := q.words[subject.first].id
	for i := range m.base.Intents {
		a := &m.base.Intents[i].Answers[0]
		if a.contrast == nil || a.contrast.Intent == i || !m.vocab[i][word] || !m.vocab[a.contrast.Intent][word] {
			continue
		}
		if i == topic || a.contrast.Intent == topic || m.rests(topic, a) && m.rests(topic, a.contrast) {
			r.Outcome, r.Answers = Clarify, [2]*Answer{a, a.contrast}
			return true
		}
	}
	return false
}

// namesWithin reports whether a word of c's is an entity in itself: "out of Iraq"
// says of which country it is.
func (m *matcher) namesWithin(q *question, c *concept) bool {
	for i := c.first; i <= c.last; i++ {
		if n, length := m.lexicon.longest(q.words[i : i+1]); length > 0 && n.entity != noEntity {
			return true
		}
	}
	return false
}

// rests reports whether a topic's answers rest on the sentence that a does.
func (m *matcher) rests(topic int, a *Answer) bool {
	for i := range m.base.Intents[topic].Answers {
		for _, e := range m.base.Intents[topic].Answers[i].Evidence {
			if len(a.Evidence) > 0 && e.Sentence == a.Evidence[0].Sentence {
				return true
			}
		}
	}
	return false
}

// choose picks the answers of class for the entities that q names. It is false
// when q names one that no answer is for.
func (m *matcher) choose(r *Result, q *question, class int) bool {
	answers := m.base.Intents[m.classes[class].intent].Answers
	n, foreign := 0, int32(noEntity)
	for _, c := range q.concepts {
		if c.entity == noEntity {
			continue
		}
		e := &m.base.Entities[c.entity]
		asked, found := false, false
		for i := range answers {
			a := &answers[i]
			want, ok := a.When[e.Kind]
			asked = asked || ok
			if want != e.ID || !m.names(q, a) {
				continue
			}
			found = true
			if n < len(r.Answers) && !slices.Contains(r.Answers[:], a) {
				r.Answers[n] = a
				n++
			}
		}
		if asked && !found {
			foreign = c.entity
		}
	}
	switch {
	case n == 0 && foreign != noEntity:
		r.Veto, r.VetoWord = VetoEntity, m.base.Entities[foreign].Name
		return false
	case n == 0:
		r.Answers[0] = &answers[0]
	}
	return true
}

// names reports whether q names all the entities that a is for.
func (m *matcher) names(q *question, a *Answer) bool {
	for kind, id := range a.When {
		if !slices.ContainsFunc(q.concepts, func(c concept) bool {
			return c.entity != noEntity && m.base.Entities[c.entity].Kind == kind && m.base.Entities[c.entity].ID == id
		}) {
			return false
		}
	}
	return true
}

// coverage is the share of q's words that class knows, weighted by how telling
// they are.
func (m *matcher) coverage(q *question, class int) float64 {
	var all, known float64
	for _, c := range q.concepts {
		ok := m.vocab[class][c.id]
		for i := c.first; i <= c.last; i++ {
			w := &q.words[i]
			weight := float64(m.model.unseen)
			if row, found := m.model.rows.find(w.id); found {
				weight = float64(m.model.idf[row])
			}
			weight *= float64(w.weight)
			all += weight
			if ok || m.vocab[class][w.id] {
				known += weight
			}
		}
	}
	if all == 0 {
		return 0
	}
	return known / all
}

// strange is the penalty for a question that asks class for a kind of thing
// that its examples never ask for: when the review ends, of an intent that
// says who leads it.
func (m *matcher) strange(q *question, class int) float32 {
	switch q.asks {
	case asksOpen, asksYesNo:
		return 0
	}
	total := 0
	for _, n := range m.asked[class] {
		total += n
	}
	share := (float64(m.asked[class][q.asks]) + 0.5) / (float64(total) + 10)
	if share < strangeShare {
		return strangePenalty
	}
	return 0
}

// nearest fills r.Nearest with the topics of the highest scores; where none
// comes near, with the first of the file, which are its author's first too.
func (m *matcher) nearest(r *Result, scores []float32) {
	var least [len(r.Nearest)]float32
	for i, c := range m.classes {
		if c.kind != classTopic {
			continue
		}
		score := max(scores[i], nearScore)
		for k := range r.Nearest {
			if r.Nearest[k] == nil || score > least[k] {
				copy(r.Nearest[k+1:], r.Nearest[k:])
				copy(least[k+1:], least[k:])
				r.Nearest[k], least[k] = &m.base.Intents[c.intent], score
				break
			}
		}
	}
}

// confidence maps a score or margin to 0..1, and 0 to a half.
func confidence(score float32) float64 {
	return 1 / (1 + math.Exp(-1.5*float64(score)))
}
