package knowledge

import (
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

func (t *questionText) read(s string) {
	var plain text
	plain.read(s)
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
	if before != "" {
		question = b.matcher.nameHim(question, before)
		if s, rest, ok := b.matcher.resolve(question, before); ok {
			r := b.Match(s)
			// "And price?" behind a quote of Kirby's asks for any of Price's.
			if len(r.Quotes) == 0 && len(b.requestsQuote(before)) > 0 {
				r = b.Match("quote " + rest)
			}
			r.FollowUp = true
			return r
		}
	}
	return b.Match(question)
}

// nameHim puts the person whom the question before named in the place of "he"
// or "her" in a question that names nobody.
func (m *matcher) nameHim(asked, before string) string {
	x := m.scratch.Get().(*scratch)
	defer m.scratch.Put(x)
	m.lexicon.read(before, &x.part)
	name := ""
	for _, c := range x.part.concepts {
		if c.entity != noEntity && m.base.Entities[c.entity].Kind == "person" {
			name = m.base.Entities[c.entity].Name
		}
	}
	if name == "" {
		return asked
	}
	var t questionText
	t.read(asked)
	found := false
	for i, w := range t.words {
		if w == "he" || w == "she" || w == "him" || w == "her" {
			t.words[i] = name
			found = true
		}
	}
	m.lexicon.read(asked, &x.question)
	for _, c := range x.question.concepts {
		if c.entity != noEntity && m.base.Entities[c.entity].Kind == "person" {
			found = false
		}
	}
	if !found {
		return asked
	}
	return strings.Join(t.words, " ")
}

// resolve returns the question that a follow-up stands for: the one before it
// with the entity that it names, rest, in the place of the one of that kind, or
// added.
func (m *matcher) resolve(asked, before string) (question, rest string, ok bool) {
	var t questionText
	t.read(asked)
	rest, ok = t.followUp()
	if !ok || len(t.words) > 8 {
		return "", "", false
	}
	// "What is X" stands alone; "what about X" does not.
	if len(t.words) > 1 && questionWords[t.words[0]] && openers[t.words[1]] {
		return "", "", false
	}
	x := m.scratch.Get().(*scratch)
	defer m.scratch.Put(x)
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
