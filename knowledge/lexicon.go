package knowledge

import (
	"strings"
)

// A lexicon is what a matcher knows of words: those of its training, their
// stems, what stands for what, and who is called what.
type lexicon struct {
	forms   map[string]word // as typed, of everything that training saw
	stems   map[string]word // by stem
	counts  map[string]int  // how often training saw a stem
	byStart map[byte][]string
	trie    map[trieKey]trieNode
	nodes   int32
}

// word is a word as typed, cut to its stem.
type word struct {
	stem   string
	id     uint64
	weight float32
	chars  bool  // whether its spelling counts
	known  bool  // whether training saw it
	tier   tier  // how common it is in English
	at     int32 // the token it came from
}

// concept is what a word or a run of words stands for: an entity, the head of
// a group of words, a number, or just the word.
type concept struct {
	id     uint64
	weight float32
	own    bool // differs from the words it stands for
	entity int32
	first  int32 // the words it stands for
	last   int32
}

type trieKey struct {
	node int32
	stem uint64
}

// trieNode is where a phrase may end: there, head is the concept it stands for.
type trieNode struct {
	next   int32
	ends   bool
	head   uint64
	entity int32 // -1 if the phrase is no entity's
}

const noEntity = -1

// Concepts that every matcher knows.
var (
	numberConcept  = hashString("#number")
	yearConcept    = hashString("#year")
	monthConcept   = hashString("#month")
	weekdayConcept = hashString("#weekday")
)

var calendarWords = map[string]uint64{
	"january": monthConcept, "february": monthConcept, "march": monthConcept, "april": monthConcept, "june": monthConcept, "july": monthConcept,
	"august": monthConcept, "september": monthConcept, "october": monthConcept, "november": monthConcept, "december": monthConcept,
	"monday": weekdayConcept, "tuesday": weekdayConcept, "wednesday": weekdayConcept, "thursday": weekdayConcept, "friday": weekdayConcept, "saturday": weekdayConcept, "sunday": weekdayConcept,
}

// question is a text understood as far as its words go. It is filled by
// lexicon.read, and may be used again.
type question struct {
	text     text
	words    []word
	concepts []concept
	stemmer  stemmer
}

func newLexicon() *lexicon {
	return &lexicon{
		forms:   make(map[string]word),
		stems:   make(map[string]word),
		counts:  make(map[string]int),
		byStart: make(map[byte][]string),
		trie:    make(map[trieKey]trieNode),
	}
}

// weights of words by how common they are: a common word tells less.
var tierWeights = [...]float32{tierNone: 1.1, tierCommon: 0.8, tierOrdinary: 1, tierRare: 1.1}

// learn makes the words of s known.
func (l *lexicon) learn(s string, q *question) {
	q.text.read(s)
	for i := range q.text.tokens {
		token := string(q.text.token(i))
		if to, ok := chatWords[token]; ok {
			for w := range strings.FieldsSeq(to) {
				l.learnWord(w, &q.stemmer)
			}
			continue
		}
		l.learnWord(token, &q.stemmer)
	}
}

func (l *lexicon) learnWord(form string, s *stemmer) word {
	w, ok := l.forms[form]
	if !ok {
		w = newWord(form, s)
		w.known = true
		l.forms[form] = w
		l.stems[w.stem] = w
		if len(form) > 3 && !isDigit(form[0]) {
			l.byStart[form[0]] = append(l.byStart[form[0]], form)
		}
	}
	l.counts[w.stem]++
	return w
}

func newWord(form string, s *stemmer) word {
	w := word{tier: englishWords()[form], chars: true}
	if isDigit(form[0]) {
		w.stem, w.chars = form, false
	} else {
		w.stem = s.stem(form)
	}
	if w.tier == tierNone {
		w.tier = englishWords()[w.stem]
	}
	w.id = hashString(w.stem)
	w.weight = tierWeights[w.tier]
	return w
}

// phrase makes a run of words stand for a concept.
func (l *lexicon) phrase(s, head string, entity int, q *question) {
	l.learn(s, q)
	l.read(s, q)
	if len(q.words) == 0 || len(q.words) > 8 {
		return
	}
	node := int32(0)
	for i, w := range q.words {
		k := trieKey{node, w.id}
		n, ok := l.trie[k]
		if !ok {
			l.nodes++
			n = trieNode{next: l.nodes, entity: noEntity}
		}
		if i == len(q.words)-1 && (!n.ends || entity != noEntity && n.entity == noEntity) {
			n.ends, n.head, n.entity = true, hashString(head), int32(entity)
		}
		l.trie[k] = n
		node = n.next
	}
}

// read fills q with the words and concepts of s.
func (l *lexicon) read(s string, q *question) {
	q.text.read(s)
	q.words = q.words[:0]
	for i := range q.text.tokens {
		token := q.text.token(i)
		if to, ok := chatWords[string(token)]; ok {
			for to != "" {
				var first string
				first, to, _ = strings.Cut(to, " ")
				q.words = append(q.words, l.word(first, q, i))
			}
			continue
		}
		if w, ok := l.forms[string(token)]; ok {
			w.at = int32(i)
			q.words = append(q.words, w)
			continue
		}
		q.words = append(q.words, l.word(string(token), q, i))
	}
	l.conceive(q)
}

// word returns what is known of a word, its spelling put right if it is not a
// word at all.
func (l *lexicon) word(form string, q *question, at int) word {
	w, ok := l.forms[form]
	if !ok {
		w = newWord(form, &q.stemmer)
		if known, ok := l.stems[w.stem]; ok {
			w.known = true
			w.weight, w.tier = known.weight, known.tier
		} else if w.tier == tierNone && w.chars {
			if form, ok := l.spell(form); ok {
				w, ok = l.forms[form]
				if !ok {
					w = newWord(form, &q.stemmer)
				}
			}
		}
	}
	w.at = int32(at)
	return w
}

// spell returns the nearest known word to one that is unknown: one edit off,
// or two from eight letters on. Of equals the one that training saw more often
// wins, then the first in the alphabet.
func (l *lexicon) spell(form string) (string, bool) {
	if len(form) < 4 || len(form) > 24 {
		return "", false
	}
	limit := 2
	if len(form) >= 8 {
		limit = 3
	}
	found, least, count := "", limit, 0
	try := func(candidates []string) {
		for _, c := range candidates {
			n := distance(form, c, limit)
			if n >= limit {
				continue
			}
			seen := l.counts[l.forms[c].stem]
			if n < least || n == least && (seen > count || seen == count && c < found) {
				found, least, count = c, n, seen
			}
		}
	}
	try(l.byStart[form[0]])
	if found == "" && form[1] != form[0] {
		try(l.byStart[form[1]])
	}
	return found, found != ""
}

// conceive finds the concepts of q's words: the longest phrase at each place.
func (l *lexicon) conceive(q *question) {
	q.concepts = q.concepts[:0]
	for i := 0; i < len(q.words); {
		node, length := int32(0), 0
		var match trieNode
		for j := i; j < len(q.words); j++ {
			n, ok := l.trie[trieKey{node, q.words[j].id}]
			if !ok {
				break
			}
			if n.ends {
				match, length = n, j-i+1
			}
			node = n.next
		}
		w := &q.words[i]
		c := concept{id: w.id, weight: w.weight, entity: noEntity, first: int32(i), last: int32(i)}
		switch {
		case length > 0:
			c.id, c.own, c.entity, c.weight = match.head, true, match.entity, 1.1
			c.last = int32(i + length - 1)
			c.own = c.id != w.id || length > 1
		case isDigit(w.stem[0]):
			c.id, c.own, c.weight = numberConcept, true, 1
			if len(w.stem) == 4 && (w.stem[:2] == "19" || w.stem[:2] == "20") {
				c.id = yearConcept
			}
		default:
			if id, ok := calendarWords[string(q.text.token(int(w.at)))]; ok {
				c.id, c.own, c.weight = id, true, 1
			}
		}
		q.concepts = append(q.concepts, c)
		i = int(c.last) + 1
	}
}
