package knowledge

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// newMatcher makes b's matcher of what was learned before, or learns it if
// that is nil or of another file.
func newMatcher(b *Base, saved *learned) *matcher {
	return newMatcherOf(b, saved, func(int, int) bool { return true })
}

// newMatcherOf is newMatcher without the examples that keep turns down, by the
// indexes of intent and example.
func newMatcherOf(b *Base, saved *learned, keep func(intent, example int) bool) *matcher {
	m := &matcher{base: b, lexicon: newLexicon(), countries: make(map[uint64]bool), openings: make(map[uint64]Talk)}
	m.classify()
	if saved == nil || saved.Model.classes != len(m.classes)+1 {
		saved = m.learn(keep)
		m.learned = saved
	}
	m.use(saved)
	m.readAnswers()
	m.weighEntities()

	q := &question{}
	for _, c := range commonUtterances().countries {
		m.countries[hashString(q.stemmer.stem(c))] = true
	}
	var t text
	for _, s := range b.Sentences {
		t.read(s)
		for i := range t.tokens {
			m.source = append(m.source, string(t.token(i)))
		}
		words := make(map[uint64]bool)
		m.lexicon.read(s, q)
		for i := range q.words {
			words[q.words[i].id] = true
		}
		m.sentences = append(m.sentences, words)
	}
	m.accept = acceptMargin(b)
	m.scratch.New = func() any { return &scratch{scores: make([]float32, len(m.classes)+1)} }
	return m
}

// classify lists the classes: the intents, all that is elsewhere, and the kinds
// of smalltalk. One more that the classifier has is all topics together: said
// or not.
func (m *matcher) classify() {
	for i, in := range m.base.Intents {
		kind := classNotSaid
		if in.Topic {
			kind = classTopic
		}
		m.classes = append(m.classes, class{intent: i, kind: kind})
	}
	m.classes = append(m.classes, class{intent: -1, kind: classElsewhere})
	for _, u := range commonUtterances().talk {
		if m.talkClass(u.talk) < 0 {
			m.classes = append(m.classes, class{intent: -1, kind: classTalk, talk: u.talk})
		}
	}
	m.said = len(m.classes)
}

// talkClass is the class of a kind of smalltalk, -1 if there is none yet.
func (m *matcher) talkClass(t Talk) int {
	return slices.IndexFunc(m.classes, func(c class) bool { return c.kind == classTalk && c.talk == t })
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

// learned is what a matcher learns from the examples: it depends on the
// knowledge file alone, and can be kept.
type learned struct {
	Model *classifier
	tables
}

// tables is what is learned beside the classifier.
type tables struct {
	Forms    []learnedForm
	IDs      []uint64  // of words and concepts
	Known    [][]int32 // by class: the words and concepts that its examples have, as indexes of IDs
	Entities [][]learnedEntity
	Asked    [][asksKinds]int
	Openings []learnedOpening
	Examples []learnedExample // by hash
}

type learnedForm struct {
	Form, Stem string
	Tier       tier
	Count      int // of the stem
}

type learnedEntity struct {
	Entity int32
	Count  int
}

// learnedExample is an example of an intent.
type learnedExample struct {
	Hash  uint64 // of its words
	Class int32
}

type learnedOpening struct {
	Hash uint64
	Talk Talk
}

// learn reads and trains on all examples that keep does not turn down.
func (m *matcher) learn(keep func(intent, example int) bool) *learned {
	m.learnWords()
	q := &question{}
	m.learnPhrases(q)
	out := &learned{}
	var samples []sample
	add := func(class int, s string) *question {
		q := &question{}
		m.lexicon.read(s, q)
		group := -1
		if m.classes[class].kind == classTopic {
			group = m.said
		}
		if kind := m.classes[class].kind; kind == classTopic || kind == classNotSaid {
			out.Examples = append(out.Examples, learnedExample{hashWords(q.words), int32(class)})
		}
		samples = append(samples, sample{q, class, group})
		return q
	}
	for i, in := range m.base.Intents {
		// The title of what is not said would only draw from what is.
		if in.Topic {
			add(i, in.Title)
		}
		for j, e := range in.Examples {
			if keep(i, j) {
				add(i, e)
			}
		}
	}
	common := commonUtterances()
	elsewhere := len(m.base.Intents)
	for _, s := range m.base.offTopic {
		add(elsewhere, s)
	}
	for _, s := range common.elsewhere {
		add(elsewhere, s)
	}
	openings := make(map[uint64]Talk)
	for _, u := range common.talk {
		q := add(m.talkClass(u.talk), u.text)
		// "What" is a complaint in itself, and no opening of a question.
		if len(q.words) <= maxOpening && u.talk != Help && u.talk != AboutBot && (u.talk != Complaint || !saysNothing(q)) {
			openings[hashWords(q.words)] = u.talk
		}
	}
	for _, h := range slices.Sorted(maps.Keys(openings)) {
		out.Openings = append(out.Openings, learnedOpening{h, openings[h]})
	}
	out.Model = train(samples, len(m.classes)+1)
	out.Model.addWords(m.lexicon.all())
	for _, form := range sortedKeys(m.lexicon.forms) {
		stem := m.lexicon.forms[form].stem
		out.Forms = append(out.Forms, learnedForm{form, stem, m.lexicon.forms[form].tier, m.lexicon.counts[stem]})
	}
	m.learnKnown(samples, out)
	out.Examples = m.unambiguous(out.Examples)
	return out
}

// learnWords makes known all words that there are: those of the file before
// those of examples, which may be misspelt.
func (m *matcher) learnWords() {
	b, q := m.base, &question{}
	for i := range b.Entities {
		for _, name := range names(&b.Entities[i]) {
			m.lexicon.learn(name, q)
		}
	}
	for _, group := range b.words {
		for _, phrase := range append(slices.Clone(group.phrases), group.head) {
			m.lexicon.learn(phrase, q)
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
	common := commonUtterances()
	for _, u := range common.talk {
		m.lexicon.learnExample(u.text, q)
	}
	for _, s := range common.elsewhere {
		m.lexicon.learnExample(s, q)
	}
	m.lexicon.settle(q)
}

// learnPhrases makes the names of entities and the groups of words stand for
// what they mean.
func (m *matcher) learnPhrases(q *question) {
	for i := range m.base.Entities {
		e := &m.base.Entities[i]
		for _, name := range names(e) {
			m.lexicon.phrase(name, "@"+e.ID, i, q)
		}
	}
	for _, group := range m.base.words {
		for _, phrase := range append(slices.Clone(group.phrases), group.head) {
			m.lexicon.phrase(phrase, "="+group.head, noEntity, q)
		}
	}
}

// unambiguous sorts examples by hash. Of those that intents share, because their
// forms differ and their words do not, the first stays: the title comes before
// the examples. What is said in one and not in the other is left to the
// classifier.
func (m *matcher) unambiguous(examples []learnedExample) []learnedExample {
	slices.SortStableFunc(examples, func(a, b learnedExample) int { return cmp.Compare(a.Hash, b.Hash) })
	out := examples[:0]
	for i := 0; i < len(examples); {
		first, mixed := examples[i], false
		for ; i < len(examples) && examples[i].Hash == first.Hash; i++ {
			mixed = mixed || m.classes[examples[i].Class].kind != m.classes[first.Class].kind
		}
		if !mixed {
			out = append(out, first)
		}
	}
	return out
}

// learnKnown collects what each class's examples know.
func (m *matcher) learnKnown(samples []sample, out *learned) {
	known := make([]map[uint64]bool, len(m.classes))
	entities := make([]map[int32]int, len(m.classes))
	for i := range m.classes {
		known[i], entities[i] = make(map[uint64]bool), make(map[int32]int)
	}
	out.Asked = make([][asksKinds]int, len(m.classes))
	for _, s := range samples {
		for _, w := range s.question.words {
			known[s.class][w.id] = true
		}
		for i, c := range s.question.concepts {
			known[s.class][c.id] = true
			// An example that offers two to choose from is about one of them.
			if _, offers := s.question.choice(i); c.entity != noEntity && !offers {
				entities[s.class][c.entity]++
			}
		}
		out.Asked[s.class][s.question.asks]++
	}
	index := make(map[uint64]int32)
	for i := range m.classes {
		var words []int32
		for _, id := range slices.Sorted(maps.Keys(known[i])) {
			if _, ok := index[id]; !ok {
				index[id] = int32(len(out.IDs))
				out.IDs = append(out.IDs, id)
			}
			words = append(words, index[id])
		}
		slices.Sort(words)
		out.Known = append(out.Known, words)
		var named []learnedEntity
		for _, e := range slices.Sorted(maps.Keys(entities[i])) {
			named = append(named, learnedEntity{e, entities[i][e]})
		}
		out.Entities = append(out.Entities, named)
	}
}

// use makes what was learned the matcher's own.
func (m *matcher) use(l *learned) {
	m.model, m.asked = l.Model, l.Asked
	m.lexicon = newLexicon()
	for _, f := range l.Forms {
		m.lexicon.restore(f)
	}
	m.learnPhrases(&question{})
	m.vocab = make([]map[uint64]bool, len(m.classes))
	m.entities = make([]map[int32]int, len(m.classes))
	for i := range m.classes {
		m.vocab[i] = make(map[uint64]bool, len(l.Known[i]))
		for _, k := range l.Known[i] {
			m.vocab[i][l.IDs[k]] = true
		}
		m.entities[i] = make(map[int32]int, len(l.Entities[i]))
		for _, e := range l.Entities[i] {
			m.entities[i][e.Entity] = e.Count
		}
	}
	for _, o := range l.Openings {
		m.openings[o.Hash] = o.Talk
	}
	m.examples = l.Examples
}

// ofAnswer is how often an entity counts that an answer itself names.
const ofAnswer = 1000

// readAnswers adds what the answers know to what their examples do.
func (m *matcher) readAnswers() {
	q := &question{}
	m.numbers, m.about = make(map[string]map[string]bool), make(map[string]map[int32]bool)
	for i, in := range m.base.Intents {
		for _, a := range in.Answers {
			m.about[a.ID] = make(map[int32]bool)
			m.lexicon.read(a.Text, q)
			for _, c := range q.concepts {
				if c.entity != noEntity {
					m.about[a.ID][c.entity] = true
				}
			}
			numbers := make(map[string]bool)
			m.numbers[a.ID] = numbers
			texts := append([]string{a.Text}, a.Notes...)
			for _, e := range a.Evidence {
				texts = append(texts, e.Text)
			}
			for _, s := range texts {
				m.lexicon.read(s, q)
				for _, w := range q.words {
					m.vocab[i][w.id] = true
				}
				for _, c := range q.concepts {
					m.vocab[i][c.id] = true
					numbers[q.words[c.first].stem] = true
					if c.entity != noEntity {
						m.entities[i][c.entity] += ofAnswer
					}
				}
			}
		}
	}
}

// weighEntities finds out which entities tell one question from another.
func (m *matcher) weighEntities() {
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
