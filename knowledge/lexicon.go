package knowledge

import (
	"math/bits"
	"slices"
	"strings"
)

// A lexicon is what a matcher knows of words: those of its training, their
// stems, what stands for what, and who is called what.
type lexicon struct {
	forms    map[string]word         // as typed, of everything that training saw
	stems    map[string]word         // by stem
	counts   map[string]int          // how often training saw a stem
	doubtful map[string]int          // words of examples that may be typing errors, and how often they stand there
	alike    map[likeness][]spelling // by first letter and length, for putting typing errors right
	trie     map[trieKey]trieNode
	nodes    int32
}

// word is a word as typed, cut to its stem.
type word struct {
	stem     string
	id       uint64
	weight   float32
	chars    bool  // whether its spelling counts
	known    bool  // whether training saw it
	function bool  // says little about a question's subject
	tier     tier  // how common it is in English
	at       int32 // the token it came from
}

// concept is what a word or a run of words stands for: an entity, the head of
// a group of words, a number, or just the word.
type concept struct {
	id       uint64
	weight   float32
	own      bool // differs from the words it stands for
	function bool // says little about a question's subject
	entity   int32
	first    int32 // the words it stands for
	last     int32
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
	head     uint64 // what kind of answer is asked for: who, when, how many ...; 0 if that is open
	asks     asks
	stemmer  stemmer
}

func newLexicon() *lexicon {
	return &lexicon{
		forms:    make(map[string]word),
		stems:    make(map[string]word),
		counts:   make(map[string]int),
		doubtful: make(map[string]int),
		alike:    make(map[likeness][]spelling),
		trie:     make(map[trieKey]trieNode),
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

// learnExample makes the words of an example known, all but what may be typing
// errors: those that are no English words wait for settle.
func (l *lexicon) learnExample(s string, q *question) {
	q.text.read(s)
	for i := range q.text.tokens {
		token := string(q.text.token(i))
		to, ok := chatWords[token]
		if !ok {
			to = token
		}
		for w := range strings.FieldsSeq(to) {
			if _, known := l.forms[w]; known || englishWords().tier(w) != tierNone || isDigit(w[0]) {
				l.learnWord(w, &q.stemmer)
			} else {
				l.doubtful[w]++
			}
		}
	}
}

// rareForm is how often a word that is no English one must stand in the
// examples to be taken for a word all the same.
const rareForm = 3

// settle makes those of the doubtful words known that are no typing errors of
// others.
func (l *lexicon) settle(q *question) {
	for _, form := range sortedKeys(l.doubtful) {
		if l.doubtful[form] >= rareForm {
			l.learnWord(form, &q.stemmer)
		}
	}
	var words []string
	for _, form := range sortedKeys(l.doubtful) {
		if l.doubtful[form] < rareForm {
			if _, ok := l.spell(form); !ok {
				words = append(words, form)
			}
		}
	}
	for _, form := range words {
		l.learnWord(form, &q.stemmer)
	}
	clear(l.doubtful)
}

func (l *lexicon) learnWord(form string, s *stemmer) {
	w, ok := l.forms[form]
	if !ok {
		w = newWord(form, s)
		l.keep(form, w)
	}
	l.counts[w.stem]++
}

// keep makes a word known. Forms of one stem weigh the same.
func (l *lexicon) keep(form string, w word) {
	w.known = true
	if first, ok := l.stems[w.stem]; ok {
		w.tier, w.weight = first.tier, first.weight
	} else {
		l.stems[w.stem] = w
	}
	l.forms[form] = w
	if len(form) > 3 && !isDigit(form[0]) {
		k := likeness{form[0], byte(min(len(form), 255))}
		l.alike[k] = append(l.alike[k], spelling{form, letters(form)})
	}
}

// restore makes a word known that was learned before.
func (l *lexicon) restore(f learnedForm) {
	w := stemmed(f.Form, f.Stem)
	w.tier, w.weight = f.Tier, tierWeights[f.Tier]
	l.keep(f.Form, w)
	l.counts[f.Stem] = f.Count
}

func newWord(form string, s *stemmer) word {
	if isDigit(form[0]) {
		return stemmed(form, form)
	}
	return stemmed(form, s.stem(form))
}

// stemmed is the word of a form whose stem is known.
func stemmed(form, stem string) word {
	english := englishWords()
	w := word{stem: stem, id: hashString(stem), tier: english.tier(stem), chars: !isDigit(form[0]), function: functionWords[stem]}
	if w.tier == tierNone {
		w.tier = english.tier(form)
	}
	w.weight = tierWeights[w.tier]
	return w
}

// phrase makes a run of words, all of them known, stand for a concept.
func (l *lexicon) phrase(s, head string, entity int, q *question) {
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
	q.findHead()
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

// likeness is what words have in common that may be typing errors of one
// another: their first letter and their length, give or take an edit.
type likeness struct{ first, length byte }

// spelling is a form with the set of its letters.
type spelling struct {
	form    string
	letters uint32
}

// letters is the set of a word's letters. An edit changes it by two at most,
// which spares most words the counting of edits.
func letters(form string) (set uint32) {
	for i := range len(form) {
		set |= 1 << (form[i] & 31)
	}
	return set
}

// spell returns the nearest known word to one that is unknown: one edit off,
// or two from eight letters on. Of equals the one that starts alike for longer
// wins, then the one that training saw more often, then the first in the
// alphabet.
func (l *lexicon) spell(form string) (string, bool) {
	if len(form) < 4 || len(form) > 24 {
		return "", false
	}
	limit := 2
	if len(form) >= 8 {
		limit = 3
	}
	found, least, prefix, count := "", limit, 0, 0
	set := letters(form)
	try := func(candidates []spelling) {
		for i := range candidates {
			if bits.OnesCount32(set^candidates[i].letters) > 2*least {
				continue
			}
			c := candidates[i].form
			n := distance(form, c, min(limit, least+1))
			if n >= limit || n > least {
				continue
			}
			same := 0
			for same < len(c) && same < len(form) && c[same] == form[same] {
				same++
			}
			seen := l.counts[l.forms[c].stem]
			if n < least || n == least && (same > prefix || same == prefix && (seen > count || seen == count && c < found)) {
				found, least, prefix, count = c, n, same, seen
			}
		}
	}
	for _, first := range [2]byte{form[0], form[1]} {
		for length := len(form) - limit + 1; length < len(form)+limit; length++ {
			try(l.alike[likeness{first, byte(length)}])
		}
		if found != "" {
			return found, true
		}
	}
	return "", false
}

// drop leaves out the words from one up to another, unless they are the rest of
// a phrase that begins before them.
func (q *question) drop(from, to int) {
	if slices.ContainsFunc(q.concepts, func(c concept) bool { return int(c.first) < from && int(c.last) >= from }) {
		return
	}
	kept := q.concepts[:0]
	for _, c := range q.concepts {
		switch n := int32(to - from); {
		case int(c.first) >= to:
			c.first, c.last = c.first-n, c.last-n
		case int(c.first) >= from:
			continue
		}
		kept = append(kept, c)
	}
	q.concepts = kept
	q.words = append(q.words[:from], q.words[to:]...)
	q.findHead()
}

// longest is the longest phrase that words begin with, and its number of words;
// 0 if there is none.
func (l *lexicon) longest(words []word) (match trieNode, length int) {
	node := int32(0)
	for i := range words {
		n, ok := l.trie[trieKey{node, words[i].id}]
		if !ok {
			break
		}
		if n.ends {
			match, length = n, i+1
		}
		node = n.next
	}
	return match, length
}

// conceive finds the concepts of q's words: the longest phrase at each place.
func (l *lexicon) conceive(q *question) {
	q.concepts = q.concepts[:0]
	for i := 0; i < len(q.words); {
		match, length := l.longest(q.words[i:])
		w := &q.words[i]
		if length > 0 && w.stem == "the" {
			// "The State Department" ends before "State Department spokesman" does.
			if _, behind := l.longest(q.words[i+1:]); 1+behind > length {
				length = 0
			}
		}
		c := concept{id: w.id, weight: w.weight, entity: noEntity, first: int32(i), last: int32(i), function: w.function}
		switch {
		case length > 0:
			c.id, c.own, c.entity, c.weight = match.head, true, match.entity, 1.1
			c.last = int32(i + length - 1)
			c.own = c.id != w.id || length > 1
			c.function = false
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

// functionWords are the stems of words that say little about a question's
// subject.
var functionWords = makeSet(`a an the this that these those i you he she it we they me him her us them my your his its our their mine
	is are was were be been being am do does did doing done has have had having will would shall should can could may might must
	of in on at to for from by with about as into than then so and or but if not no yes there here just also too very any some
	who whom whose what which when where whi how mani much please tell know say said ani ever yet still now`)

func makeSet(words string) map[string]bool {
	m := make(map[string]bool)
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// asks is the kind of thing that a question asks for.
type asks uint8

const (
	asksOpen asks = iota // a fragment, a request, what, which, how
	asksTime
	asksPlace
	asksPerson
	asksNumber
	asksReason
	asksYesNo
	asksKinds
)

var (
	questionWords = makeSet("who whom whose what which when where whi how")
	openers       = makeSet("is are was were do doe did has have had will would can could should may might isnt arent")
	timeWords     = makeSet("time date day year month week hour moment")
	placeWords    = makeSet("citi town place locat venu build room")
	durationWords = makeSet("long soon often old late earli fast quick")
)

// findHead sets q.head by the first question word and, where it is part of the
// question, the word behind it: who, how many, what time, which country. A
// question that starts with a verb asks for yes or no.
func (q *question) findHead() {
	q.head, q.asks = 0, asksOpen
	for i := range q.words {
		stem := q.words[i].stem
		if !questionWords[stem] {
			continue
		}
		q.head = q.words[i].id
		next := ""
		if i+1 < len(q.words) {
			next = q.words[i+1].stem
		}
		switch stem {
		case "who", "whom", "whose":
			q.asks = asksPerson
		case "when":
			q.asks = asksTime
		case "where":
			q.asks = asksPlace
		case "whi":
			q.asks = asksReason
		default:
			switch {
			case next == "mani" || next == "much":
				q.asks = asksNumber
			case timeWords[next] || durationWords[next] && stem == "how":
				q.asks = asksTime
			case placeWords[next]:
				q.asks = asksPlace
			case next == "come" && stem == "how":
				q.asks = asksReason
			}
			if next != "" && (!functionWords[next] || q.asks == asksNumber) {
				q.head = mix(q.head, q.words[i+1].id)
			}
		}
		return
	}
	if len(q.words) > 1 && openers[q.words[0].stem] {
		q.head, q.asks = hashString("#yesno"), asksYesNo
	}
}

// all returns the words that training saw, in a fixed order.
func (l *lexicon) all() []word {
	out := make([]word, 0, len(l.stems))
	for _, stem := range sortedKeys(l.stems) {
		out = append(out, l.stems[stem])
	}
	return out
}
