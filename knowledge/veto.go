package knowledge

import (
	"slices"
	"strings"
)

// The vetoes: what speaks against an answer however well the words fit, and
// what a question supposes that the announcement does not say.

// veto says what in q speaks against class, however well the words fit. sure
// says that they fit very well. misattributed says that q gives what somebody
// said or does to somebody else.
func (m *matcher) veto(q *question, s string, class int, sure bool) (v Veto, word string, misattributed bool) {
	if !m.meaningful(q, class) {
		return VetoCoverage, "", false
	}
	quote, held := m.quotation(s)
	if quote != "" && !checksClaim(q) {
		return VetoQuote, quote, false
	}
	for i, c := range q.concepts {
		if m.foreign(c, class) && !m.offered(q, i, class) {
			// Whose words they are is for the answer to say.
			if held && m.base.Entities[c.entity].Kind == "person" {
				misattributed = misattributed || openers[q.words[0].stem]
				continue
			}
			if sure && checksOne(q, c) && m.namesOther(class, c) {
				misattributed = true
				continue
			}
			return VetoEntity, m.base.Entities[c.entity].Name, false
		}
		if w := &q.words[c.first]; c.entity == noEntity && m.countries[w.id] && !m.vocab[class][w.id] {
			return VetoEntity, string(q.text.token(int(w.at))), false
		}
	}
	if name := m.excepted(q, class); name != "" {
		return VetoEntity, name, false
	}
	if words := m.counted(q, class); words != "" {
		return VetoCounted, words, false
	}
	return NoVeto, "", misattributed
}

// excepted is the name of what q leaves out although class answers with it and
// with nothing else of its kind: "except for Afghanistan, is there a deadline?"
func (m *matcher) excepted(q *question, class int) string {
	about := m.about[m.base.Intents[m.classes[class].intent].Answers[0].ID]
	for _, c := range q.concepts {
		if c.entity == noEntity || !about[c.entity] || !q.exceptedAt(int(c.first)) {
			continue
		}
		kind, others := m.base.Entities[c.entity].Kind, false
		for e := range about {
			named := slices.ContainsFunc(q.concepts, func(c concept) bool { return c.entity == e })
			others = others || !named && m.base.Entities[e].Kind == kind
		}
		if !others {
			return m.base.Entities[c.entity].Name
		}
	}
	return ""
}

// exceptedAt reports whether "except", "other than" or the like leads up to the
// word at.
func (q *question) exceptedAt(at int) bool {
	for at--; at >= 0 && linkWords[q.words[at].stem]; at-- {
	}
	if at < 0 {
		return false
	}
	switch q.words[at].stem {
	case "except", "besid", "exclud", "without", "apart", "asid":
		return true
	case "than":
		return at > 0 && q.words[at-1].stem == "other"
	case "count":
		return at > 0 && (q.words[at-1].stem == "not" || q.words[at-1].stem == "without")
	}
	return false
}

// checksOne reports whether q asks for a yes to c's being the one: "it was Price
// who said so, right?"
func checksOne(q *question, c concept) bool {
	last := len(q.words) - 1
	if checkTags[q.words[last].stem] || last > 2 && q.words[last].stem == "it" && q.words[last-1].stem == "not" && openers[q.words[last-2].stem] {
		return true
	}
	behind := q.words[c.last+1:]
	if len(behind) > 2 && (behind[0].stem == "is" || behind[0].stem == "was") && behind[1].stem == "the" && behind[2].stem == "one" {
		return true
	}
	return openers[q.words[0].stem] && len(behind) > 0 && (behind[0].stem == "who" || behind[0].stem == "that") &&
		c.first > 1 && q.words[1].stem == "it"
}

// checksClaim reports whether q wants to hear whether what it quotes may be said:
// "can we write '...'?" The answer shows whether that is so, in the words of the
// announcement. Who said it is another question, and "write '...'" none.
func checksClaim(q *question) bool {
	if first := q.words[0].stem; first == "who" || orders[first] {
		return false
	}
	return checkTags[q.words[len(q.words)-1].stem] || slices.ContainsFunc(q.words, func(w word) bool { return claimWords[w.stem] })
}

var claimWords = makeSet("write wrote headlin lede tweet caption post draft rumor rumour anyth claim")

// orders begin what podium is told to do.
var orders = makeSet("write tweet post")

// checkTags end a statement of which one wants to hear whether it is so.
var checkTags = makeSet("right correct true yes no accur ok okay")

// namesOther reports whether an answer of class names another of c's kind.
func (m *matcher) namesOther(class int, c concept) bool {
	for e, n := range m.entities[class] {
		if n >= ofAnswer && m.base.Entities[e].Kind == m.base.Entities[c.entity].Kind {
			return true
		}
	}
	return false
}

// foreign reports whether c is someone or something that class is not about.
func (m *matcher) foreign(c concept, class int) bool {
	return c.entity != noEntity && m.telling[m.base.Entities[c.entity].Kind] && m.entities[class][c.entity] < m.enough(class) && !m.central[c.entity]
}

// offered reports whether q's concept i is one of two to choose from, such as
// "Price or Kirby", and class is about the other.
func (m *matcher) offered(q *question, i, class int) bool {
	other, ok := q.choice(i)
	return ok && !m.foreign(other, class)
}

// choice is the entity that q offers beside the one of its concept i: of "in Iraq
// or in Afghanistan" the other.
func (q *question) choice(i int) (other concept, ok bool) {
	c := q.concepts[i]
	for _, other := range q.concepts {
		if other.entity == noEntity || other.entity == c.entity {
			continue
		}
		first, last := min(c.last, other.last)+1, max(c.first, other.first)
		if first < last && q.words[first].stem == "or" && !slices.ContainsFunc(q.words[first+1:last], func(w word) bool { return !linkWords[w.stem] }) {
			return other, true
		}
	}
	return concept{}, false
}

// meaningful reports whether q has a word that could be about class: one of
// its own, or no telling word at all in a question such as "what is this
// about".
func (m *matcher) meaningful(q *question, class int) bool {
	content, figures := false, false
	for _, c := range q.concepts {
		switch {
		case c.function:
		case c.id == numberConcept || c.id == yearConcept:
			figures = true
		case m.vocab[class][c.id] || m.vocab[class][q.words[c.first].id]:
			return true
		default:
			content = true
		}
	}
	return !content && !figures && q.head != 0
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
	if !isASCII(s) {
		s = straightQuotes.Replace(s)
	}
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

// compares reports whether the figure or date of q's concept i is one to compare
// with or to choose from: "fewer than 3,000", "2,500 or 5,200".
func (m *matcher) compares(q *question, r *Result, i int) bool {
	c := q.concepts[i]
	for at := c.first - 1; at >= max(0, c.first-3); at-- {
		if comparisons[q.words[at].stem] {
			return true
		}
	}
	for _, other := range q.concepts {
		first, last := min(c.last, other.last)+1, max(c.first, other.first)
		if other.id != c.id || first != last-1 || q.words[first].stem != "or" {
			continue
		}
		for _, a := range r.Answers {
			if a != nil && m.numbers[a.ID][q.words[other.first].stem] {
				return true
			}
		}
	}
	return false
}

// comparisons are the stems of words in front of a figure to compare with.
var comparisons = makeSet("fewer less more least most over under below abov than")

// premise reports whether q supposes a figure, year, month or day of the week
// that r's answers do not hold. Small numbers are left out: they count minutes
// and lines as often as what the question is about. So is a month or day that
// the announcement speaks of elsewhere: the contrast tells where it belongs.
func (m *matcher) premise(q *question, r *Result) bool {
	for i, c := range q.concepts {
		w := &q.words[c.first]
		if m.compares(q, r, i) {
			continue
		}
		switch c.id {
		case numberConcept, yearConcept:
			if len(w.stem) < 3 {
				continue
			}
		case monthConcept, weekdayConcept:
			if slices.ContainsFunc(m.sentences, func(words map[uint64]bool) bool { return words[w.id] }) {
				continue
			}
		default:
			continue
		}
		held := false
		for _, a := range r.Answers {
			held = held || a != nil && m.numbers[a.ID][w.stem]
		}
		if !held {
			return true
		}
	}
	return false
}
