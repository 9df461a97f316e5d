package knowledge

import (
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

// MatchAfter is Match for a question in a conversation: before is the question
// that came before it, or empty. "And in Afghanistan?" is that question asked
// of Afghanistan.
func (b *Base) MatchAfter(question, before string) Result {
	if before == "" {
		return b.Match(question)
	}
	x := b.matcher.scratch.Get().(*scratch)
	asked, rest, followUp := b.matcher.after(question, before, x)
	b.matcher.scratch.Put(x)
	r := b.Match(asked)
	if !followUp {
		return r
	}
	// "And price?" behind a quote of Kirby's asks for any of Price's.
	if len(r.Quotes) == 0 && len(b.requestsQuote(before)) > 0 {
		r = b.Match("quote " + rest)
	}
	r.FollowUp = true
	return r
}

// after returns what asked stands for behind the question before. followUp
// tells that it goes on from that question, with rest.
func (m *matcher) after(asked, before string, x *scratch) (question, rest string, followUp bool) {
	var t questionText
	t.read(asked, &x.part.text)
	if m.nameHim(&t, asked, before, x) {
		asked = strings.Join(t.words, " ")
		t.read(asked, &x.part.text)
	}
	if s, rest, ok := m.resolve(&t, before, x); ok {
		return s, rest, true
	}
	return asked, "", false
}

// nameHim puts the person whom the question before named in the place of "he"
// or "her" in t, which is asked, if that names nobody.
func (m *matcher) nameHim(t *questionText, asked, before string, x *scratch) bool {
	him := func(w string) bool { return w == "he" || w == "she" || w == "him" || w == "her" }
	if !slices.ContainsFunc(t.words, him) {
		return false
	}
	person := func(c concept) bool { return c.entity != noEntity && m.base.Entities[c.entity].Kind == "person" }
	m.lexicon.read(asked, &x.question)
	if slices.ContainsFunc(x.question.concepts, person) {
		return false
	}
	m.lexicon.read(before, &x.part)
	name := ""
	for _, c := range x.part.concepts {
		if person(c) {
			name = m.base.Entities[c.entity].Name
		}
	}
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
