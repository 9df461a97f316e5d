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
	base      *Base
	lexicon   *lexicon
	model     *classifier
	classes   []class
	vocab     []map[uint64]bool // by class: the words and concepts that it knows
	entities  []map[int32]bool  // by class: the entities that it knows
	countries map[uint64]bool
	plain     string // the source as normalised tokens, with blanks around each
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
	scores   []float32
}

func newMatcher(b *Base) *matcher {
	m := &matcher{base: b, lexicon: newLexicon(), countries: make(map[uint64]bool)}
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
	for _, in := range b.Intents {
		m.lexicon.learn(in.Title, q)
		for _, e := range in.Examples {
			m.lexicon.learn(e, q)
		}
	}
	for _, s := range b.Sentences {
		m.lexicon.learn(s, q)
	}
	for _, s := range b.offTopic {
		m.lexicon.learn(s, q)
	}
	for _, u := range common.talk {
		m.lexicon.learn(u.text, q)
	}
	for _, s := range common.elsewhere {
		m.lexicon.learn(s, q)
	}

	var samples []sample
	add := func(class int, s string) {
		q := &question{}
		m.lexicon.read(s, q)
		samples = append(samples, sample{q, class})
	}
	for i, in := range b.Intents {
		kind := classNotSaid
		if in.Topic {
			kind = classTopic
		}
		m.classes = append(m.classes, class{intent: i, kind: kind})
		add(i, in.Title)
		for _, e := range in.Examples {
			add(i, e)
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
	}
	for _, c := range common.countries {
		m.lexicon.read(c, q)
		for _, w := range q.words {
			m.countries[w.id] = true
		}
	}
	m.model = train(samples, len(m.classes))
	m.know(samples)
	var t text
	for _, s := range b.Sentences {
		t.read(s)
		m.plain += " " + t.String()
	}
	m.plain += " "
	m.scratch.New = func() any { return &scratch{scores: make([]float32, len(m.classes))} }
	return m
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

// know collects the words and entities that each class knows, from its
// examples and from its answers.
func (m *matcher) know(samples []sample) {
	m.vocab = make([]map[uint64]bool, len(m.classes))
	m.entities = make([]map[int32]bool, len(m.classes))
	for i := range m.classes {
		m.vocab[i] = make(map[uint64]bool)
		m.entities[i] = make(map[int32]bool)
	}
	learn := func(class int, q *question) {
		for _, w := range q.words {
			m.vocab[class][w.id] = true
		}
		for _, c := range q.concepts {
			m.vocab[class][c.id] = true
			if c.entity != noEntity {
				m.entities[class][c.entity] = true
			}
		}
	}
	for _, s := range samples {
		learn(s.class, s.question)
	}
	q := &question{}
	for i, in := range m.base.Intents {
		for _, a := range in.Answers {
			for _, s := range append([]string{a.Text}, a.Notes...) {
				m.lexicon.read(s, q)
				learn(i, q)
			}
			for _, e := range a.Evidence {
				m.lexicon.read(e.Text, q)
				learn(i, q)
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
	m.lexicon.read(s, &x.question)
	r := m.decide(&x.question, s, x.scores)
	r.base, r.Question = m.base, s
	return r
}

// Thresholds of the decision.
const (
	acceptScore = -0.55 // a topic's combined score from which on it is answered
	talkScore   = -0.3
	alsoMargin  = 0.35 // a second reading this near is told beside the first
	twinMargin  = 0.25 // two contrasting answers this near are offered
)

// decide matches one question.
func (m *matcher) decide(q *question, s string, scores []float32) Result {
	r := Result{Outcome: Unanswered}
	if len(q.words) == 0 {
		return r
	}
	m.model.score(q, scores)
	first, second := best(scores)
	topic, runnerUp := -1, -1 // the best topics
	for i, c := range m.classes {
		if c.kind != classTopic {
			continue
		}
		switch {
		case topic < 0 || scores[i] > scores[topic]:
			topic, runnerUp = i, topic
		case runnerUp < 0 || scores[i] > scores[runnerUp]:
			runnerUp = i
		}
	}
	_ = second
	switch m.classes[first].kind {
	case classTalk:
		if scores[first] > talkScore {
			r.Outcome, r.Talk, r.Confidence = Smalltalk, m.classes[first].talk, confidence(scores[first])
			return r
		}
	case classNotSaid:
		r.Intent = &m.base.Intents[m.classes[first].intent]
		r.Confidence = confidence(scores[first])
		m.nearest(&r, scores)
		return r
	case classElsewhere:
		r.Veto = VetoElse
	}
	if topic < 0 {
		return r
	}
	r.Intent = &m.base.Intents[m.classes[topic].intent]
	r.Confidence = confidence(scores[topic])
	m.nearest(&r, scores)
	if r.Veto != NoVeto {
		return r
	}
	cover := m.coverage(q, topic)
	combined := scores[topic] + 0.4*float32(cover-1)
	r.Confidence = confidence(combined)
	if combined < acceptScore {
		r.Veto = VetoCoverage
		return r
	}
	if !m.choose(&r, q, topic) {
		return r
	}
	if r.Veto, r.VetoWord = m.veto(q, s, topic); r.Veto != NoVeto {
		return r
	}
	r.Outcome = Answered
	if runnerUp >= 0 && scores[topic]-scores[runnerUp] < alsoMargin {
		other := &m.base.Intents[m.classes[runnerUp].intent]
		if a := &other.Answers[0]; len(other.Answers) == 1 {
			r.Also = a
		}
	}
	return r
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

// veto says what in q speaks against class, however well the words fit.
func (m *matcher) veto(q *question, s string, class int) (Veto, string) {
	for _, c := range q.concepts {
		if c.entity != noEntity && !m.entities[class][c.entity] {
			return VetoEntity, m.base.Entities[c.entity].Name
		}
		if w := &q.words[c.first]; c.entity == noEntity && m.countries[w.id] && !m.vocab[class][w.id] {
			return VetoEntity, string(q.text.token(int(w.at)))
		}
	}
	if words := m.counted(q, class); words != "" {
		return VetoCounted, words
	}
	if quote := m.foreignQuote(s); quote != "" {
		return VetoQuote, quote
	}
	return NoVeto, ""
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

// vocabConcept reports whether class knows what the word at i stands for.
func (m *matcher) vocabConcept(q *question, class int, i int32) bool {
	for _, c := range q.concepts {
		if c.first <= i && i <= c.last {
			return m.vocab[class][c.id]
		}
	}
	return false
}

// foreignQuote returns a quotation of three words or more in s that the source
// does not hold. Blanks and ellipses may stand for anything.
func (m *matcher) foreignQuote(s string) string {
	if strings.IndexByte(s, '"') < 0 && !strings.ContainsAny(s, "“”'") {
		return ""
	}
	var t text
	s = straightQuotes.Replace(s)
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
			words := 0
			held := true
			for piece := range strings.FieldsFuncSeq(strings.NewReplacer("...", "_", "…", "_", "[", "_", "]", "_").Replace(quote), func(r rune) bool { return r == '_' }) {
				t.read(piece)
				words += len(t.tokens)
				held = held && strings.Contains(m.plain, " "+t.String()+" ")
			}
			if words >= 3 && !held {
				return quote
			}
		}
	}
	return ""
}

// nearest fills r.Nearest with the topics of the highest scores.
func (m *matcher) nearest(r *Result, scores []float32) {
	var least [3]float32
	for i, c := range m.classes {
		if c.kind != classTopic {
			continue
		}
		for k := range r.Nearest {
			if r.Nearest[k] == nil || scores[i] > least[k] {
				copy(r.Nearest[k+1:], r.Nearest[k:])
				copy(least[k+1:], least[k:])
				r.Nearest[k], least[k] = &m.base.Intents[c.intent], scores[i]
				break
			}
		}
	}
}

// confidence maps a score to 0..1.
func confidence(score float32) float64 {
	return 1 / (1 + math.Exp(-4*(float64(score)+0.5)))
}
