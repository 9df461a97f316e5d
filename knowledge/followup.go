package knowledge

import (
	"cmp"
	"slices"
	"strings"
)

// followUpWords lead into a follow-up: "and in Afghanistan?", "what about
// price". With nothing but entities behind them the question before goes on.
var followUpWords = map[string]bool{
	"and": true, "what": true, "how": true, "about": true, "for": true, "in": true, "of": true, "or": true, "then": true, "ok": true, "so": true, "the": true,
	"is": true, "it": true, "also": true, "same": true, "with": true, "regarding": true, "there": true, "but": true, "on": true, "from": true, "by": true, "to": true, "over": true, "now": true, "please": true, "instead": true, "at": true, "question": true, "concerning": true,
}

// questionText is a text as plain words, chat words written out.
type questionText struct {
	words []string
}

// read sets t to the words of s. plain is room to work in.
func (t *questionText) read(s string, plain *text) {
	plain.read(s)
	t.words = t.words[:0]
	for i := range plain.tokens {
		w := string(plain.token(i))
		if to, ok := chatWords[w]; ok {
			t.words = append(t.words, strings.Fields(to)...)
			continue
		}
		t.words = append(t.words, w)
	}
}

// followUp returns what is behind the words that lead into a follow-up. ok is
// false if there is nothing.
func (t *questionText) followUp() (rest string, ok bool) {
	i := 0
	for i < len(t.words) && followUpWords[t.words[i]] {
		i++
	}
	rest = strings.Join(t.words[i:], " ")
	return rest, rest != ""
}

// sourceWords ask for the words behind an answer: "who said that", "exact
// words?", "are you sure".
var sourceWords = makeSet(`said say says saying told quote quotes quoted quotation cite citation attribution speaker exact exactly verbatim
	literally wording word words source sources sentence sentences reference evidence proof prove sure certain certainly really true`)

// sourceFiller may stand beside them in a message that asks for nothing else.
var sourceFiller = makeSet(`who whom whose what which does did do is are was were it that this so he she they you i we can could would me us
	the a an in on of for by to from please and ok but be show give get see have full original actual own his her their just one`)

// AsksSource reports whether message asks for no more than the words, and
// their speaker, behind the answer before it.
func (b *Base) AsksSource(message string) bool {
	x := b.matcher.scratch.Get().(*scratch)
	defer b.matcher.scratch.Put(x)
	return asksSource(message, &x.part.text)
}

// asksSource is AsksSource; plain is room to work in. Most messages show by
// their first words that they ask for more.
func asksSource(s string, plain *text) bool {
	if len(s) > 80 {
		return false
	}
	s = strings.TrimPrefix(strings.ToLower(s), "where does it ") // ... say that
	plain.read(s)
	asks := false
	for i := range plain.tokens {
		w := plain.token(i)
		if to, ok := chatWords[string(w)]; ok {
			for w := range strings.FieldsSeq(to) {
				if !sourceWords[w] && !sourceFiller[w] {
					return false
				}
				asks = asks || sourceWords[w]
			}
			continue
		}
		if !sourceWords[string(w)] && !sourceFiller[string(w)] {
			return false
		}
		asks = asks || sourceWords[string(w)]
	}
	return asks
}

// bareQuestions are what a message may ask of the question before it without
// naming anything: "and by when?" Who and how many can not be asked so: of what,
// the question before does not tell well enough.
var bareQuestions = map[string]bool{"when": true, "by when": true, "how soon": true}

var (
	followUpLead = makeSet("and but so ok then")                              // in front of a follow-up
	askedLead    = makeSet("by since until with many much long soon exactly") // beside a question word
)

// bare returns the question that t stands for, if it is a bare one: what the
// one before it asked about, asked for its time. Only an answer that is timely
// is one to it.
func (t *questionText) bare(before string, plain *text) (question string, ok bool) {
	words := t.words
	for len(words) > 1 && followUpLead[words[0]] {
		words = words[1:]
	}
	asked := strings.Join(words, " ")
	if !bareQuestions[asked] {
		return "", false
	}
	var prev questionText
	prev.read(before, plain)
	words = prev.words
	for len(words) > 0 && (questionWords[words[0]] || followUpLead[words[0]] || askedLead[words[0]]) {
		words = words[1:]
	}
	return asked + " " + strings.Join(words, " "), len(words) > 0
}

// timely reports whether r, if it is an answer, is one that people ask for by
// when.
func (m *matcher) timely(r Result) bool {
	if r.Outcome != Answered {
		return true
	}
	class := slices.IndexFunc(m.classes, func(c class) bool { return c.intent >= 0 && r.Intent == &m.base.Intents[c.intent] })
	if class < 0 {
		return false
	}
	total := 0
	for _, n := range m.asked[class] {
		total += n
	}
	return 5*m.asked[class][asksTime] >= total
}

// MatchAfter is Match for a question in a conversation: before is the question
// that came before it, or empty. "And in Afghanistan?" is that question asked
// of Afghanistan, "really?" the same once more.
func (b *Base) MatchAfter(question, before string) Result {
	if before == "" {
		return b.Match(question)
	}
	x := b.matcher.scratch.Get().(*scratch)
	f := b.matcher.after(question, before, x)
	b.matcher.scratch.Put(x)
	r := b.Match(f.question)
	switch {
	case !f.goesOn:
		return r
	case f.bare && !b.matcher.timely(r):
		return b.Match(question)
	case f.rest != "" && len(r.Quotes) == 0 && len(b.requestsQuote(before)) > 0:
		// "And price?" behind a quote of Kirby's asks for any of Price's.
		r = b.Match("quote " + f.rest)
	}
	r.FollowUp = true
	return r
}

// A followUp is what a question stands for behind another.
type followUp struct {
	question string
	goesOn   bool   // from the question before
	rest     string // what it names in the place of what that one named
	bare     bool   // it names nothing, and asks when
}

func (m *matcher) after(asked, before string, x *scratch) followUp {
	if asksSource(asked, &x.part.text) {
		return followUp{question: before, goesOn: true}
	}
	var t questionText
	t.read(asked, &x.part.text)
	// The parts of a message lose what parts them when they are put together.
	if len(split(asked)) < 2 && m.nameHim(&t, asked, before, x) {
		asked = strings.Join(t.words, " ")
		t.read(asked, &x.part.text)
	}
	if s, ok := t.bare(before, &x.part.text); ok {
		return followUp{question: s, goesOn: true, bare: true}
	}
	if s, rest, ok := m.resolve(&t, before, x); ok {
		return followUp{question: s, goesOn: true, rest: rest}
	}
	return followUp{question: asked}
}

// nameHim puts the person whom the question before named, or else whose words
// answered it, in the place of "he" or "her" in t, which is asked, if that
// names nobody.
func (m *matcher) nameHim(t *questionText, asked, before string, x *scratch) bool {
	him := func(w string) bool { return w == "he" || w == "she" || w == "him" || w == "her" }
	if !slices.ContainsFunc(t.words, him) {
		return false
	}
	m.lexicon.read(asked, &x.question)
	if slices.ContainsFunc(x.question.concepts, m.isPerson) {
		return false
	}
	name := m.personOf(before, x)
	if name == "" {
		return false
	}
	for i, w := range t.words {
		if him(w) {
			t.words[i] = name
		}
	}
	return true
}

func (m *matcher) isPerson(c concept) bool {
	return c.entity != noEntity && m.base.Entities[c.entity].Kind == "person"
}

// personOf is the person whom question named last, or else the one speaker of
// its answer; empty if there is none.
func (m *matcher) personOf(question string, x *scratch) string {
	m.lexicon.read(question, &x.part)
	for _, c := range slices.Backward(x.part.concepts) {
		if m.isPerson(c) {
			return m.base.Entities[c.entity].Name
		}
	}
	name := ""
	for _, a := range m.match(question).Answers {
		if a == nil {
			continue
		}
		for _, e := range a.Evidence {
			speaker, _ := m.base.Speaker(e.Speaker)
			if name != "" && speaker != "" && speaker != name {
				return ""
			}
			name = cmp.Or(name, speaker)
		}
	}
	return name
}

// resolve returns the question that a follow-up, t, stands for: the one before
// it with the entity that it names, rest, in the place of the one of that kind,
// or added.
func (m *matcher) resolve(t *questionText, before string, x *scratch) (question, rest string, ok bool) {
	if len(t.words) > 8 {
		return "", "", false
	}
	rest, ok = t.followUp()
	if !ok {
		return "", "", false
	}
	// "What is X" stands alone; "what about X" does not.
	if len(t.words) > 1 && questionWords[t.words[0]] && openers[t.words[1]] {
		return "", "", false
	}
	q, prev := &x.question, &x.part
	m.lexicon.read(rest, q)
	if len(q.concepts) == 0 {
		return "", "", false
	}
	for _, c := range q.concepts {
		w := q.words[c.first]
		if c.entity == noEntity && !m.countries[w.id] && !followUpWords[string(q.text.token(int(w.at)))] {
			return "", "", false
		}
	}
	m.lexicon.read(before, prev)
	named := make(map[string]bool) // kinds that the follow-up names
	for _, c := range q.concepts {
		if c.entity != noEntity {
			named[m.base.Entities[c.entity].Kind] = true
		} else if m.countries[q.words[c.first].id] {
			named["place"] = true
		}
	}
	var out []string
	replaced := false
	next := int32(0) // the first token of the question before that is not in out yet
	for i := 0; i < len(prev.concepts); i++ {
		c := prev.concepts[i]
		if c.entity != noEntity && named[m.base.Entities[c.entity].Kind] {
			if !replaced {
				out = append(out, rest)
				replaced = true
			}
			next = prev.words[c.last].at + 1
			continue
		}
		for ; next <= prev.words[c.last].at; next++ {
			out = append(out, string(prev.text.token(int(next))))
		}
	}
	if !replaced {
		out = append(out, rest)
	}
	return strings.Join(out, " "), rest, true
}
