package knowledge

import (
	"cmp"
	"slices"
	"strings"
)

// An Explanation says what decided a match.
type Explanation struct {
	Words          []string // of the question, the most telling first; at most three
	Confidence     float64
	Next           *Intent // the next best intent; nil if there is none
	NextConfidence float64
}

// Explain says what decided r. It reads the question once more, so that a match
// itself need not keep its words.
func (r Result) Explain() Explanation {
	e := Explanation{Confidence: r.Confidence}
	if r.base == nil {
		return e
	}
	m := r.base.matcher
	x := m.scratch.Get().(*scratch)
	defer m.scratch.Put(x)
	q := &x.question
	m.lexicon.read(r.Question, q)
	if len(q.words) == 0 {
		return e
	}
	if r.next != nil {
		e.Next, e.NextConfidence = r.next, min(confidence(r.nextScore), e.Confidence)
	}
	class := slices.IndexFunc(m.classes, func(c class) bool {
		return (c.kind == classTopic || c.kind == classNotSaid) && r.Intent == &m.base.Intents[c.intent]
	})
	if class < 0 {
		return e
	}
	type part struct {
		text  string
		share float32
	}
	var shares []part
	for _, c := range q.concepts {
		if c.function {
			continue
		}
		var p part
		first, last := q.words[c.first].at, q.words[c.last].at
		for i := first; i <= last; i++ {
			p.text = strings.TrimSpace(p.text + " " + string(q.text.token(int(i))))
		}
		one := &x.part
		one.head = q.head
		one.words, one.concepts = append(one.words[:0], q.words[c.first:c.last+1]...), append(one.concepts[:0], c)
		p.share = m.model.share(one, class)
		shares = append(shares, p)
	}
	slices.SortStableFunc(shares, func(a, b part) int { return cmp.Compare(b.share, a.share) })
	for _, p := range shares {
		if p.share > 0 && len(e.Words) < 3 && !slices.Contains(e.Words, p.text) {
			e.Words = append(e.Words, p.text)
		}
	}
	return e
}

// For names the entities that r's answers are for, or nothing.
func (r Result) For() string {
	var names []string
	for _, a := range r.Answers {
		if a != nil && len(a.When) > 0 {
			names = append(names, r.base.titleOf(a))
		}
	}
	return strings.Join(names, " and ")
}

// Knows reports whether word is one that the knowledge file uses.
func (b *Base) Knows(word string) bool {
	for w := range strings.FieldsSeq(word) {
		if _, ok := b.matcher.lexicon.forms[w]; !ok {
			return false
		}
	}
	return true
}
