package knowledge

import (
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

	base *Base
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
	numbers   map[string]map[string]bool // by answer: the numbers and dates in it
	source    []string                   // the words of the source
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

// newMatcher makes b's matcher on a trained model, or trains it if that is nil.
func newMatcher(b *Base, model *classifier) *matcher {
	return newMatcherOf(b, model, func(int, int) bool { return true })
}

// newMatcherOf is newMatcher without the examples that keep turns down, by the
// indexes of intent and example.
func newMatcherOf(b *Base, model *classifier, keep func(intent, example int) bool) *matcher {
	m := &matcher{base: b, lexicon: newLexicon(), countries: make(map[uint64]bool), openings: make(map[uint64]Talk)}
	q := &question{}
	common := commonUtterances()

	// Everything that training will see must be known before anything is read.
	for i := range b.Entities {
		e := &b.Entities[i]
		for _, name := range names(e) {
			m.lexicon.phrase(name, "@"+e.ID, i, q)
		}
	}
	for _, group := range b.words {
		for _, phrase := range append(group.phrases, group.head) {
			m.lexicon.phrase(phrase, "="+group.head, noEntity, q)
		}
	}
	for _, s := range b.Sentences {
		m.lexicon.learn(s, q)
	}
	for _, in := range b.Intents {
		m.lexicon.learn(in.Title, q)
		for _, a := range in.Answers {
			m.lexicon.learn(a.Text, q)
		}
	}
	for _, in := range b.Intents {
		for _, e := range in.Examples {
			m.lexicon.learnExample(e, q)
		}
	}
	for _, s := range b.offTopic {
		m.lexicon.learnExample(s, q)
	}
	for _, u := range common.talk {
		m.lexicon.learnExample(u.text, q)
	}
	for _, s := range common.elsewhere {
		m.lexicon.learnExample(s, q)
	}
	m.lexicon.settle(q)

	var samples []sample
	add := func(class int, s string) {
		q := &question{}
		m.lexicon.read(s, q)
		samples = append(samples, sample{q, class, -1})
	}
	for i, in := range b.Intents {
		kind := classNotSaid
		if in.Topic {
			kind = classTopic
		}
		m.classes = append(m.classes, class{intent: i, kind: kind})
		if in.Topic {
			add(i, in.Title)
		}
		for j, e := range in.Examples {
			if keep(i, j) {
				add(i, e)
			}
		}
	}
	elsewhere := len(m.classes)
	m.classes = append(m.classes, class{intent: -1, kind: classElsewhere})
	for _, s := range b.offTopic {
		add(elsewhere, s)
	}
	for _, s := range common.elsewhere {
		add(elsewhere, s)
	}
	talks := make(map[Talk]int)
	for _, u := range common.talk {
		id, ok := talks[u.talk]
		if !ok {
			id = len(m.classes)
			talks[u.talk] = id
			m.classes = append(m.classes, class{intent: -1, kind: classTalk, talk: u.talk})
		}
		add(id, u.text)
		q := samples[len(samples)-1].question
		if len(q.words) <= maxOpening && u.talk != Help && u.talk != AboutBot {
			h := uint64(hashSeed)
			for _, w := range q.words {
				h = mix(h, w.id)
			}
			m.openings[h] = u.talk
		}
	}
	for _, c := range common.countries {
		m.countries[hashString(q.stemmer.stem(c))] = true
	}
	m.accept = acceptMargin(b)

	// One more class is all topics together: said or not.
	m.said = len(m.classes)
	for i := range samples {
		if m.classes[samples[i].class].kind == classTopic {
			samples[i].group = m.said
		}
	}
	m.model = model
	if m.model == nil || m.model.classes != len(m.classes)+1 {
		m.model = train(samples, len(m.classes)+1)
		m.model.addWords(m.lexicon.all())
	}
	m.know(samples)
	var t text
	for _, s := range b.Sentences {
		t.read(s)
		for i := range t.tokens {
			m.source = append(m.source, string(t.token(i)))
		}
	}
	m.scratch.New = func() any { return &scratch{scores: make([]float32, len(m.classes)+1)} }
	return m
}

// acceptMargin is the margin from which on a question is answered. The more
// examples the topics have, the nearer to them most questions are, and the
// stricter podium can be.
func acceptMargin(b *Base) float32 {
	const (
		few, strictFew   = 20, -0.42 // examples a topic
		many, strictMany = 150, -0.22
	)
	topics, examples := 0, 0
	for i := range b.Intents {
		if b.Intents[i].Topic {
			topics++
			examples += len(b.Intents[i].Examples)
		}
	}
	share := (float32(examples)/float32(max(topics, 1)) - few) / (many - few)
	return strictFew + float32((strictMany-strictFew)*min(max(share, 0), 1))
}

// names are all that an entity is called: name, role, aliases, and of a person
// the first and the last name.
func names(e *Entity) []string {
	out := append([]string{e.Name}, e.Aliases...)
	if e.Kind == "person" {
		if fields := strings.Fields(e.Name); len(fields) > 1 {
			out = append(out, fields[0], fields[len(fields)-1])
		}
		if e.Role != "" {
			out = append(out, e.Role)
		}
	}
	return out
}

// ofAnswer is how often an entity counts that an answer itself names.
const ofAnswer = 1000

// know collects the words and entities that each class knows, from its
// examples and from its answers.
func (m *matcher) know(samples []sample) {
	m.vocab = make([]map[uint64]bool, len(m.classes))
	m.entities = make([]map[int32]int, len(m.classes))
	for i := range m.classes {
		m.vocab[i] = make(map[uint64]bool)
		m.entities[i] = make(map[int32]int)
	}
	learn := func(class int, q *question, times int) {
		for _, w := range q.words {
			m.vocab[class][w.id] = true
		}
		for _, c := range q.concepts {
			m.vocab[class][c.id] = true
			if c.entity != noEntity {
				m.entities[class][c.entity] += times
			}
		}
	}
	m.asked = make([][asksKinds]int, len(m.classes))
	for _, s := range samples {
		learn(s.class, s.question, 1)
		m.asked[s.class][s.question.asks]++
	}
	q := &question{}
	m.numbers = make(map[string]map[string]bool)
	for i, in := range m.base.Intents {
		for _, a := range in.Answers {
			m.numbers[a.ID] = make(map[string]bool)
			count := func() {
				for _, c := range q.concepts {
					m.numbers[a.ID][q.words[c.first].stem] = true
				}
			}
			for _, s := range append([]string{a.Text}, a.Notes...) {
				m.lexicon.read(s, q)
				learn(i, q, ofAnswer)
				count()
			}
			for _, e := range a.Evidence {
				m.lexicon.read(e.Text, q)
				learn(i, q, ofAnswer)
				count()
			}
		}
	}
	known, topics := make(map[int32]int), 0
	for i, c := range m.classes {
		if c.kind == classTopic {
			topics++
			for e, n := range m.entities[i] {
				if n >= m.enough(i) {
					known[e]++
				}
			}
		}
	}
	m.central = make(map[int32]bool)
	for e, n := range known {
		m.central[e] = 10*n > 6*topics
	}
	m.telling = map[string]bool{"person": true, "place": true}
	for i := range m.base.Intents {
		for _, a := range m.base.Intents[i].Answers {
			for kind := range a.When {
				m.telling[kind] = true
			}
		}
	}
}

// Match finds out what is asked and what the announcement has to say on it.
func (b *Base) Match(question string) Result {
	return b.matcher.match(question)
}

func (m *matcher) match(s string) Result {
	x := m.scratch.Get().(*scratch)
	defer m.scratch.Put(x)
	r := m.whole(s, x)
	if segments := split(s); len(segments) > 1 {
		if parts := m.parts(segments, x); parts != nil {
			r = leastCertain(parts)
			r.Parts = parts
		}
	}
	if quotes := m.base.requestsQuote(s); len(quotes) > 0 {
		r = Result{Outcome: Answered, Quotes: quotes, Intent: r.Intent, Confidence: 1}
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
	if n > 0 && len(q.words)-n >= 2 {
		q.drop(n)
	}
	r := m.decide(q, s, x)
	if n > 0 && r.Outcome == Unanswered && len(q.words) < 8 && q.head == 0 {
		r = Result{Outcome: Smalltalk, Talk: talk, Confidence: 0.9}
	}
	return r
}

// maxOpening is how many words of smalltalk may stand before a question.
const maxOpening = 4

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
func (m *matcher) parts(segments []string, x *scratch) []Result {
	var out []Result
	before := ""
	for _, s := range segments {
		asked := s
		if before != "" {
			asked = m.inherit(s, before, x)
		}
		r := m.whole(asked, x)
		r.base, r.Question = m.base, s
		switch {
		case r.Outcome == Smalltalk:
			continue
		case r.Outcome == Unanswered && (r.Intent == nil || r.Intent.Topic || r.Confidence < 0.5):
			return nil
		}
		for _, other := range out {
			if other.Intent == r.Intent && other.Answers == r.Answers {
				return nil
			}
		}
		out = append(out, r)
		before = asked
	}
	if len(out) < 2 || !slices.ContainsFunc(out, func(r Result) bool { return r.Outcome == Answered }) {
		return nil
	}
	return out
}

// pronouns stand for what the question before named.
var pronouns = makeSet("they them their it its he him his she her there that this those these")

// inherit adds to a segment the entities that its pronouns stand for: those of
// the segment before it.
func (m *matcher) inherit(s, before string, x *scratch) string {
	m.lexicon.read(s, &x.question)
	pronoun := false
	for _, c := range x.question.concepts {
		if c.entity != noEntity {
			return s
		}
		pronoun = pronoun || pronouns[x.question.words[c.first].stem]
	}
	if !pronoun {
		return s
	}
	m.lexicon.read(before, &x.part)
	for _, c := range x.part.concepts {
		if c.entity == noEntity {
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
	r := Result{Outcome: Unanswered}
	if len(q.words) == 0 {
		return r
	}
	scores := x.scores
	m.model.score(q, &x.vector, scores)
	topic, second, other := -1, -1, -1 // the best two topics, and the best of all else
	for i, c := range m.classes {
		switch {
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
	if m.classes[other].kind == classTalk && (topic < 0 || scores[other] > scores[topic]) {
		if scores[other] > talkScore && scores[m.said] < talkSaid && m.coverage(q, other) > talkCover {
			r.Outcome, r.Talk, r.Confidence = Smalltalk, m.classes[other].talk, confidence(scores[other])
		}
		return r
	}
	m.nearest(&r, scores)
	margin := float32(math.Inf(-1))
	if topic >= 0 {
		margin = m.margin(q, scores, topic, other)
		if pings(s) {
			margin -= pingPenalty
		}
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
	if r.Veto, r.VetoWord, misattributed = m.veto(q, s, topic); r.Veto != NoVeto {
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
	if subject == nil {
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

// premise reports whether q supposes a number or a date that r's answers do
// not hold, or that the announcement knows of something else.
func (m *matcher) premise(q *question, r *Result) bool {
	for _, c := range q.concepts {
		if c.id != numberConcept && c.id != yearConcept && c.id != monthConcept && c.id != weekdayConcept {
			continue
		}
		stem := q.words[c.first].stem
		if q.asks != asksYesNo && q.asks != asksOpen && len(stem) < 4 {
			continue
		}
		held := false
		for _, a := range r.Answers {
			held = held || a != nil && m.numbers[a.ID][stem]
		}
		if !held {
			return true
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
			want, ok := answers[i].When[e.Kind]
			asked = asked || ok
			if want == e.ID {
				found = true
				if n < len(r.Answers) && !slices.Contains(r.Answers[:], &answers[i]) {
					r.Answers[n] = &answers[i]
					n++
				}
			}
		}
		if asked && !found {
			foreign = c.entity
		}
	}
	if n == 0 {
		if foreign != noEntity {
			r.Veto, r.VetoWord = VetoEntity, m.base.Entities[foreign].Name
			return false
		}
		r.Answers[0] = &answers[0]
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
			if row, found := m.model.rows[w.id]; found {
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

// veto says what in q speaks against class, however well the words fit.
// misattributed says that q gives the source's words to somebody else.
func (m *matcher) veto(q *question, s string, class int) (v Veto, word string, misattributed bool) {
	quote, held := m.quotation(s)
	if quote != "" {
		return VetoQuote, quote, false
	}
	for _, c := range q.concepts {
		if c.entity != noEntity && m.telling[m.base.Entities[c.entity].Kind] && m.entities[class][c.entity] < m.enough(class) && !m.central[c.entity] {
			// Whose words they are is for the answer to say.
			if held && m.base.Entities[c.entity].Kind == "person" {
				misattributed = q.asks == asksYesNo
				continue
			}
			return VetoEntity, m.base.Entities[c.entity].Name, false
		}
		if w := &q.words[c.first]; c.entity == noEntity && m.countries[w.id] && !m.vocab[class][w.id] {
			return VetoEntity, string(q.text.token(int(w.at))), false
		}
	}
	if words := m.counted(q, class); words != "" {
		return VetoCounted, words, false
	}
	return NoVeto, "", misattributed
}

// counted is the noun behind "how many" if class does not know it.
func (m *matcher) counted(q *question, class int) string {
	for i := 0; i+2 < len(q.words); i++ {
		if q.words[i].stem != "how" || q.words[i+1].stem != "mani" && q.words[i+1].stem != "much" {
			continue
		}
		w := &q.words[i+2]
		if !m.vocab[class][w.id] && !m.vocabConcept(q, class, int32(i+2)) {
			return string(q.text.token(int(w.at)))
		}
	}
	return ""
}

// holds reports whether the source has t's words in their order, with at most
// two others between any two: people quote from memory.
func (m *matcher) holds(t *text) bool {
	if len(t.tokens) == 0 {
		return true
	}
	words := make([]string, len(t.tokens))
	for i := range words {
		words[i] = string(t.token(i))
		if slices.Contains(m.source, words[i]) || len(words[i]) < 5 {
			continue
		}
		for _, w := range m.source {
			if distance(words[i], w, 2) < 2 {
				words[i] = w
				break
			}
		}
	}
	for start := range m.source {
		at := start
		for i := range words {
			found := false
			for skip := 0; skip <= 2 && at < len(m.source); skip++ {
				at++
				if m.source[at-1] == words[i] {
					found = true
					break
				}
				if i == 0 {
					break
				}
			}
			if !found {
				break
			}
			if i == len(words)-1 {
				return true
			}
		}
	}
	return false
}

// vocabConcept reports whether class knows what the word at i stands for.
func (m *matcher) vocabConcept(q *question, class int, i int32) bool {
	for _, c := range q.concepts {
		if c.first <= i && i <= c.last {
			return m.vocab[class][c.id]
		}
	}
	return false
}

// blanks are what stands for words left out of a quotation.
var blanks = strings.NewReplacer("...", "_", "…", "_", "[", "_", "]", "_")

// quotation looks for quotations of three words or more in s: foreign is one
// that the source does not hold, held says that it holds one. Blanks and
// ellipses may stand for anything.
func (m *matcher) quotation(s string) (foreign string, held bool) {
	s = straightQuotes.Replace(s)
	if strings.IndexByte(s, '"') < 0 && !strings.Contains(s, " '") && !strings.HasPrefix(s, "'") {
		return "", false
	}
	var t text
	for _, mark := range []string{`"`, " '"} {
		rest := s
		if mark == " '" {
			rest = " " + s
		}
		for {
			_, after, ok := strings.Cut(rest, mark)
			if !ok {
				break
			}
			end := strings.IndexByte(after, mark[len(mark)-1])
			if end < 0 {
				break
			}
			quote := after[:end]
			rest = after[end+1:]
			words, holds := 0, true
			for piece := range strings.FieldsFuncSeq(blanks.Replace(quote), func(r rune) bool { return r == '_' }) {
				t.read(piece)
				words += len(t.tokens)
				holds = holds && m.holds(&t)
			}
			switch {
			case words < 3:
			case holds:
				held = true
			default:
				return quote, held
			}
		}
	}
	return "", held
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
