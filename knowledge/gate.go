package knowledge

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// The gate: a knowledge file loads only if podium can say nothing with it that
// the announcement does not say.

// maxExamples bounds what the alternations of one example stand for.
const maxExamples = 64

// maxButton bounds what a platform takes as a button's value, in bytes.
const maxButton = 100

var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)

// check reads a knowledge file and holds it against the gate. The Base has no
// matcher yet; it is of use only if there are no findings.
func check(name string, text []byte, readFile func(string) ([]byte, error)) (*Base, Findings) {
	g := &gate{b: &Base{
		entities: make(map[string]int),
		intents:  make(map[string]int),
		answers:  make(map[string]*Answer),
	}, names: make(map[string]bool)}
	f := g.file(name, text)
	switch {
	case f.sourceFile.at != nil && f.sourceFile.text == "":
		g.find(f.sourceFile.at, "source.file is empty: name the file that holds the announcement's own text")
	case f.sourceFile.text != "":
		content, err := readFile(f.sourceFile.text)
		if err != nil {
			if e, ok := errors.AsType[*fs.PathError](err); ok {
				err = e.Err // the operation's name says nothing to an author
			}
			g.find(f.sourceFile.at, "cannot read the source, %s: %v", f.sourceFile.text, err)
		} else if !utf8.Valid(content) {
			g.find(f.sourceFile.at, "the source is not UTF-8 text")
		}
		f.source.text = string(content)
		if err == nil {
			f.source.at = f.sourceFile.at
		}
	}
	g.b.key = modelKey(text, []byte(f.source.text))
	sum := sha256.Sum256(append(slices.Clone(text), f.source.text...))
	g.b.Version = hex.EncodeToString(sum[:])[:12]
	g.source = newSource(f.source.text)
	if len(g.source.sentences) == 0 && f.source.at != nil {
		g.find(f.source.at, "the source is empty: it must hold the announcement's own text")
	}
	g.b.Sentences = g.source.sentences
	g.keys = nameKeys(g.source.plain)
	g.stems = make(map[string]bool)
	var stems stemmer
	for _, w := range nameWords(g.source.plain) {
		g.stems[stems.stem(w.lower())] = true
	}
	g.allEntities(f)
	g.announcement(f)
	g.quotes(f)
	g.allIntents(f)
	g.b.offTopic = g.expandAll(f.offTopic, &[]string{})
	for _, w := range f.words {
		group := words{head: w.head.text}
		for _, p := range w.phrases {
			group.phrases = append(group.phrases, p.text)
		}
		g.b.words = append(g.b.words, group)
	}
	return g.b, g.findings.sorted()
}

type gate struct {
	decoder
	b      *Base
	source *source
	keys   map[string]bool // of the source's words
	stems  map[string]bool // too
	names  map[string]bool // of the words in the entities' names and roles
}

func (g *gate) announcement(f *file) {
	g.b.Title, g.b.URL = strings.TrimSpace(f.title.text), f.url.text
	if f.title.at != nil && g.b.Title == "" {
		g.find(f.title.at, "the announcement's title is empty")
	}
	g.groundedTitle(f.title)
	if f.date.text != "" {
		date, err := time.Parse(time.DateOnly, f.date.text)
		if err != nil {
			g.find(f.date.at, "%q is no date; write it as in 2021-04-07", f.date.text)
		}
		g.b.Date = date
	}
	if f.url.text != "" && !strings.HasPrefix(f.url.text, "https://") && !strings.HasPrefix(f.url.text, "http://") {
		g.find(f.url.at, "%q is no web address; it starts with https://", f.url.text)
	}
}

func (g *gate) id(id located, what string) bool {
	if id.at != nil && !idPattern.MatchString(id.text) {
		g.find(id.at, "%q can not be the id of %s: use up to 40 letters, digits, _ and -", id.text, what)
		return false
	}
	return id.at != nil
}

func (g *gate) allEntities(f *file) {
	for _, n := range f.entities {
		if !g.id(n.id, "an entity") {
			continue
		}
		if _, ok := g.b.entities[n.id.text]; ok {
			g.find(n.id.at, "there are two entities with the id %q", n.id.text)
			continue
		}
		e := Entity{ID: n.id.text, Kind: n.kind.text, Name: n.name.text, Role: n.role.text}
		for _, a := range n.aliases {
			e.Aliases = append(e.Aliases, a.text)
			for _, w := range nameWords(a.text) {
				g.names[w.key] = true
			}
		}
		g.called(n.name, "name")
		g.called(n.role, "role")
		g.b.entities[e.ID] = len(g.b.Entities)
		g.b.Entities = append(g.b.Entities, e)
	}
}

// called notes an entity's name or role: podium says both, and answers may.
// One that the source does not hold is the author's word, and worth a look.
func (g *gate) called(s located, what string) {
	words := nameWords(s.text)
	for _, w := range words {
		g.names[w.key] = true
	}
	for _, w := range words {
		if g.keys[w.key] {
			continue
		}
		switch w.key {
		case "a", "an", "the", "of", "for":
			continue
		}
		if len(g.source.sentences) > 0 {
			g.doubt(s.at, "the %s %q is not in the source (%q is not); put what people say in aliases", what, clip(s.text), w.text)
			return
		}
	}
}

// entity reports whether there is an entity with the id, which may be empty.
func (g *gate) entity(id located) bool {
	if id.text == "" {
		return false
	}
	if _, ok := g.b.entities[id.text]; ok {
		return true
	}
	hint := "add it to `entities`"
	if near := nearest(id.text, sortedKeys(g.b.entities)); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	g.find(id.at, "there is no entity %q; %s", id.text, hint)
	return false
}

// verbatim returns the number of the sentence that text stands in.
func (g *gate) verbatim(text located, what string) int {
	if text.at == nil {
		return 0
	}
	n := g.source.find(text.text)
	if n > 0 || len(g.source.sentences) == 0 {
		return n
	}
	// How far does it agree? The place where it leaves the source helps most.
	fields := strings.Fields(plainText(text.text))
	agreed := 0
	for agreed < len(fields) && strings.Contains(g.source.plain, strings.Join(fields[:agreed+1], " ")) {
		agreed++
	}
	switch {
	case agreed == 0 || len(fields) == 1:
		g.find(text.at, "%s is not in the source word for word: %q", what, clip(text.text))
	default:
		g.find(text.at, "%s is not in the source word for word: it departs from it at %q, behind %q", what, strings.Join(fields[agreed:min(agreed+3, len(fields))], " "), clip(strings.Join(fields[max(agreed-4, 0):agreed], " ")))
	}
	return 0
}

func (g *gate) quotes(f *file) {
	seen := make(map[string]bool)
	for _, n := range f.quotes {
		if g.id(n.id, "a quote") && seen[n.id.text] {
			g.find(n.id.at, "there are two quotes with the id %q", n.id.text)
		}
		seen[n.id.text] = true
		g.entity(n.speaker)
		q := Quote{ID: n.id.text, Speaker: n.speaker.text, Text: plainText(n.text.text), Sentence: g.verbatim(n.text, "this quote")}
		for _, t := range n.topics {
			q.Topics = append(q.Topics, t.text)
		}
		g.b.Quotes = append(g.b.Quotes, q)
	}
}

func (g *gate) allIntents(f *file) {
	type owner struct {
		intent string
		at     *token.Position
	}
	owners := make(map[string]owner)
	var t text
	var contrasts []located      // beside the answers, in order
	var places []*token.Position // too
	for _, n := range f.intents {
		if !g.id(n.id, "an intent") {
			continue
		}
		if _, ok := g.b.intents[n.id.text]; ok {
			g.find(n.id.at, "there are two intents with the id %q", n.id.text)
			continue
		}
		in := Intent{ID: n.id.text, Title: strings.TrimSpace(n.title.text)}
		if n.title.at != nil && (in.Title == "" || utf8.RuneCountInString(in.Title) > 75) {
			g.find(n.title.at, "a title is a button's label: 1 to 75 characters")
		}
		g.groundedTitle(n.title)
		for _, e := range n.examples {
			for _, example := range g.expand(e) {
				t.read(example)
				key := t.String()
				if key == "" {
					g.find(e.at, "the example %q holds no words", clip(example))
					continue
				}
				if other, ok := owners[key]; ok {
					if other.intent != in.ID {
						g.find(e.at, "the example %q belongs to intent %q already (line %d); one question has one intent", clip(example), other.intent, other.at.Line)
					}
					continue
				}
				owners[key] = owner{in.ID, e.at}
				in.Examples = append(in.Examples, example)
				in.lines = append(in.lines, e.at.Line)
			}
		}
		if len(n.examples) == 0 && n.id.at != nil {
			g.find(n.id.at, "intent %q has no examples: without them nobody's question reaches it", in.ID)
		}
		index := len(g.b.Intents)
		for _, a := range n.answers {
			contrasts = append(contrasts, a.contrast)
			places = append(places, a.at)
			in.Answers = append(in.Answers, g.answer(a, in, index))
			in.Topic = in.Topic || in.Answers[len(in.Answers)-1].Status != NotSaid
		}
		if len(n.answers) == 0 && n.id.at != nil {
			g.find(n.id.at, "intent %q has no answers; if the announcement does not say, write `answers: [{status: not_said}]`", in.ID)
		}
		g.b.intents[in.ID] = index
		g.b.Intents = append(g.b.Intents, in)
	}
	i := 0
	for k := range g.b.Intents {
		in := &g.b.Intents[k]
		for j := range in.Answers {
			a := &in.Answers[j]
			if _, ok := g.b.answers[a.ID]; ok {
				g.find(places[i], "intent %q has two answers for the same entities (%s): podium could not choose", in.ID, a.ID)
			}
			g.b.answers[a.ID] = a
			i++
		}
	}
	g.contrasts(contrasts)
}

// answer checks one answer and makes it.
func (g *gate) answer(n answerNode, in Intent, index int) Answer {
	a := Answer{Intent: index, Status: Status(n.status.text), Text: strings.TrimSpace(n.text.text), Title: in.Title}
	if n.status.text == "" {
		a.Status = Stated
	}
	switch a.Status {
	case Stated, NotSet:
		if a.Text == "" {
			g.find(n.at, "this answer has no text; if the announcement does not say, write `status: not_said`")
		}
		if len(n.evidence) == 0 {
			g.find(n.at, "this answer has no evidence: quote the words of the source that it rests on")
		}
	case NotSaid:
		if len(n.evidence) > 0 {
			g.find(n.evidence[0].text.at, "a not_said answer has no evidence; is its status stated or not_set?")
		}
	default:
		g.find(n.status.at, "the status %q is none of stated, not_set, not_said", n.status.text)
	}
	if len(n.when) > 0 {
		a.When = make(map[string]string, len(n.when))
	}
	for _, w := range n.when {
		if !g.entity(w.value) {
			continue
		}
		e, _ := g.b.Entity(w.value.text)
		if e.Kind != w.key.text {
			g.find(w.key.at, "%q is a %s, not a %s", e.ID, e.Kind, w.key.text)
		}
		a.When[w.key.text] = e.ID
	}
	a.ID = answerID(in.ID, a.When)
	if over := len("unhelpful:"+a.ID+"!") - maxButton; over > 0 {
		g.find(n.at, "this answer's id, %q, is too long for a button: make the ids of the intent and of the entities %d characters shorter", a.ID, over)
	}
	g.entity(n.speaker)
	evidence := make([]string, 0, len(n.evidence))
	for _, e := range n.evidence {
		ev := Evidence{Text: plainText(e.text.text), Speaker: n.speaker.text, Sentence: g.verbatim(e.text, "this evidence")}
		switch {
		case e.speaker.at != nil: // empty: nobody speaks, it is narration
			g.entity(e.speaker)
			ev.Speaker = e.speaker.text
		case n.speaker.at == nil:
			ev.Speaker = g.quoted(ev)
		}
		a.Evidence = append(a.Evidence, ev)
		evidence = append(evidence, ev.Text)
	}
	known := nameKeys(evidence...)
	g.grounded(n.text, known, "the answer's evidence", false)
	g.grounded(n.contrary, known, "the answer's evidence", false)
	a.mixedUp = strings.TrimSuffix(strings.TrimSpace(n.contrary.text), ".")
	for _, note := range n.notes {
		g.grounded(note, g.keys, "the source", false)
		g.oneSentence(note, known)
		a.Notes = append(a.Notes, strings.TrimSpace(note.text))
	}
	return a
}

// quoted returns the speaker of the quote that the evidence is part of, if it
// is of one.
func (g *gate) quoted(e Evidence) string {
	for _, q := range g.b.Quotes {
		if e.Sentence > 0 && e.Sentence == q.Sentence && strings.Contains(q.Text, e.Text) {
			return q.Speaker
		}
	}
	return ""
}

// oneSentence finds a note whose numbers are all in the source, but not side by
// side: it may join what does not belong together.
func (g *gate) oneSentence(note located, evidence map[string]bool) {
	var numbers []nameWord
	for _, w := range nameWords(note.text) {
		if !w.number {
			continue
		}
		if !g.keys[w.key] {
			return // which is a finding already
		}
		numbers = append(numbers, w)
	}
	in := func(known map[string]bool) bool {
		return !slices.ContainsFunc(numbers, func(w nameWord) bool { return !known[w.key] })
	}
	if in(evidence) || slices.ContainsFunc(g.source.sentences, func(s string) bool { return in(nameKeys(s)) }) {
		return
	}
	texts := make([]string, len(numbers))
	for i, w := range numbers {
		texts[i] = strconv.Quote(w.text)
	}
	g.find(note.at, "no one sentence of the source holds all numbers of this note (%s); write a note for each", strings.Join(texts, ", "))
}

// contrasts links each answer with the one that people mix it up with. ids are
// in the order of the answers.
func (g *gate) contrasts(ids []located) {
	i := 0
	for k := range g.b.Intents {
		for j := range g.b.Intents[k].Answers {
			a, id := &g.b.Intents[k].Answers[j], ids[i]
			i++
			if id.text == "" {
				continue
			}
			other, ok := g.b.Answer(id.text)
			switch {
			case !ok:
				hint := "contrast names an answer as intent or intent.entity"
				if near := nearest(id.text, sortedKeys(g.b.answers)); near != "" {
					hint = fmt.Sprintf("did you mean %q?", near)
				}
				g.find(id.at, "there is no answer %q; %s", id.text, hint)
				continue
			case other == a:
				g.find(id.at, "an answer can not be its own contrast")
				continue
			case other.Status == NotSaid:
				g.find(id.at, "%q says nothing that could be mixed up with this", id.text)
				continue
			}
			a.contrast = other
			mixedUp := other.mixedUp
			if mixedUp == "" {
				mixedUp = g.b.titleOf(other) + ": " + LowerFirst(strings.TrimSuffix(other.Text, "."))
			}
			a.Contrast = "Not to be mixed up with " + mixedUp + "."
		}
	}
	for k := range g.b.Intents {
		in := &g.b.Intents[k]
		for j := range in.Answers {
			if a := &in.Answers[j]; len(in.Answers) > 1 && len(a.When) > 0 {
				a.Title = in.Title + ": " + g.b.titleOf(a)
			}
		}
	}
}

// titleOf names what a is for: its entities, or its intent's title.
func (b *Base) titleOf(a *Answer) string {
	if len(a.When) == 0 {
		return b.Intents[a.Intent].Title
	}
	var names []string
	for _, kind := range sortedKeys(a.When) {
		e, _ := b.Entity(a.When[kind])
		names = append(names, e.Name)
	}
	return strings.Join(names, ", ")
}

// groundedTitle holds a title against the whole source. A title names what
// people ask, said or not, so that what is not in the source is worth a look
// and no more.
func (g *gate) groundedTitle(title located) {
	if len(g.source.sentences) > 0 {
		before := len(g.findings)
		g.grounded(title, g.keys, "the source", true)
		g.b.doubts = append(g.b.doubts, g.findings[before:]...)
		g.findings = g.findings[:before]
	}
}

// doubt is find for what does not keep a file from loading.
func (g *gate) doubt(at *token.Position, format string, args ...any) {
	before := len(g.findings)
	g.find(at, format, args...)
	g.b.doubts = append(g.b.doubts, g.findings[before:]...)
	g.findings = g.findings[:before]
}

// grounded finds each number, date and proper name of a sentence of ours that
// is not in what it rests on, whose keys are known. Some authors write each
// word of a title with a capital.
func (g *gate) grounded(said located, known map[string]bool, what string, title bool) {
	words := nameWords(said.text)
	var stems stemmer
	for i, w := range words {
		switch {
		case known[w.key], !w.number && g.names[w.key]:
		case w.number:
			g.find(said.at, "the number %q is not in %s", w.text, what)
		case w.text == "I":
		case w.capital && !alwaysNames()[w.key] && (w.first || title) && ordinary(w.text) && !dated(words, i):
		case w.capital || dated(words, i):
			g.find(said.at, "the name %q is neither in %s nor an entity's", w.text, what)
		case !ordinary(w.text) && !g.keys[w.key] && !g.stems[stems.stem(w.lower())]:
			g.doubt(said.at, "the word %q is neither ordinary English nor in the source nor in an entity's name; use the source's words", w.text)
		}
	}
}

// alwaysNames holds the keys of the words that are names even where they start
// a sentence: of months, weekdays and countries.
var alwaysNames = sync.OnceValue(func() map[string]bool {
	m := make(map[string]bool)
	for i := range 12 {
		m[nameKey(time.Month(i+1).String())] = true
	}
	for i := range 7 {
		m[nameKey(time.Weekday(i).String())] = true
	}
	delete(m, "may") // the verb; the month has a number beside it
	for _, c := range commonUtterances().countries {
		if !strings.Contains(c, " ") {
			m[nameKey(c)] = true
		}
	}
	return m
})

// dated reports whether words[i] may be a verb, but is a month here.
func dated(words []nameWord, i int) bool {
	day := func(i int) bool {
		return i >= 0 && i < len(words) && words[i].number && words[i].text[0] <= '9'
	}
	return (words[i].key == "may" || words[i].key == "march") && (day(i-1) || day(i+1))
}

// prefixes make a new English word of one, or stand before its hyphen.
var prefixes = []string{"anti", "co", "dis", "ex", "inter", "mid", "mis", "multi", "non", "out", "over", "pre", "re", "semi", "sub", "un", "under"}

// ordinary reports whether a word is an English one.
func ordinary(text string) bool {
	word := strings.Map(fold, text)
	if strings.HasSuffix(word, "n't") {
		word = strings.TrimSuffix(word, "n't")
		if word == "wo" || word == "ca" || word == "sha" {
			return true
		}
	}
	word, _, _ = strings.Cut(word, "'")
	word = strings.ReplaceAll(word, ".", "")
	if utf8.RuneCountInString(word) < 2 || slices.Contains(prefixes, word) || unitWords[word] != "" {
		return true
	}
	english := englishWords()
	var s stemmer
	inEnglish := func(word string) bool {
		if english.tier(word) != tierNone {
			return true
		}
		stem := s.stem(word)
		if english.tier(stem) != tierNone {
			return true
		}
		if len(stem) == len(word) {
			return false
		}
		y, ok := strings.CutSuffix(stem, "i")
		return english.tier(stem+"e") != tierNone || ok && english.tier(y+"y") != tierNone
	}
	if inEnglish(word) {
		return true
	}
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(word, p); ok && len(rest) >= 4 && inEnglish(rest) {
			return true
		}
	}
	return false
}

// nameWord is a word that may be a number or a name.
type nameWord struct {
	text, key      string
	number         bool
	capital, first bool // has an upper-case letter; starts a sentence
	ends           bool // a mark behind it parts it from the next word
	unit           string
}

// lower is the word as it is looked up.
func (w nameWord) lower() string { return strings.ToLower(w.text) }

// nameKeys is the set of the keys of all words.
func nameKeys(texts ...string) map[string]bool {
	keys := make(map[string]bool)
	for _, s := range texts {
		for _, w := range nameWords(s) {
			keys[w.key] = true
		}
	}
	return keys
}

// nameWords cuts s into words. The key of a number holds its unit, if that is
// percent or a currency: "15%" and "15 percent" are the same, "15" is not.
func nameWords(s string) []nameWord {
	var words []nameWord
	first, symbol := true, ""
	for field := range strings.FieldsSeq(plainText(s)) {
		sign := negative(field)
		for _, piece := range pieces(field) {
			start, end := strings.IndexFunc(piece, isNameRune), strings.LastIndexFunc(piece, isNameRune)
			if start < 0 {
				// A "%" or "$" that stands alone.
				if u := unitOf(piece); u != "" {
					if n := len(words) - 1; n >= 0 && words[n].number && !words[n].ends && words[n].unit == "" {
						words[n].unit = u
					} else {
						symbol = u
					}
				} else if n := len(words) - 1; n >= 0 {
					words[n].ends = true
				}
				continue
			}
			_, size := utf8.DecodeRuneInString(piece[end:])
			before, word, after := piece[:start], piece[start:end+size], piece[end+size:]
			w := nameWord{first: first, unit: symbol}
			symbol = ""
			if i := strings.IndexFunc(word, isCurrency); i > 0 { // US$15
				_, size := utf8.DecodeRuneInString(word[i:])
				if r, _ := utf8.DecodeRuneInString(word[i+size:]); unicode.IsNumber(r) {
					w.unit = strings.TrimPrefix(strings.ToUpper(word[:i]), "US") + word[i:i+size]
					word = word[i+size:]
				}
			}
			w.text = strings.TrimSuffix(strings.TrimSuffix(word, "'s"), "'S")
			w.key, w.number = nameKey(w.text), isNumber(w.text)
			w.capital = strings.IndexFunc(word, unicode.IsUpper) >= 0
			if w.number {
				if strings.HasSuffix(before, ".") {
					w.text, w.key = "."+w.text, "0."+w.key
				}
				if u := unitOf(before) + unitOf(after); u != "" {
					w.unit += u
				}
				if sign {
					w.key = "-" + w.key
				}
			} else if u := unitOf(after); u != "" {
				symbol = u // US$ 15
			}
			sign = false
			mark := strings.TrimRight(after, `"')]`)
			first = strings.HasSuffix(mark, ".") && !isInitials(word) || strings.HasSuffix(mark, "?") || strings.HasSuffix(mark, "!") || strings.HasSuffix(mark, ":")
			w.ends = strings.ContainsAny(after, `,;:?!)"`) || first
			words = append(words, w)
		}
	}
	units(words)
	for i := range words {
		w := &words[i]
		switch lower := w.lower(); {
		case lower == "one":
			w.number = counts(words, i)
			if !w.number {
				w.key = "one"
			}
		case fractions[lower] != "" && !w.ends && i+1 < len(words) && words[i+1].lower() == "of":
			w.number, w.key = true, fractions[lower]
		case lower == "tens" && !w.ends && i+1 < len(words) && words[i+1].lower() == "of":
			w.number, w.key = true, lower
		}
		if !w.number {
			continue
		}
		if i > 0 && words[i-1].lower() == "minus" && !words[i-1].ends {
			w.key = "-" + w.key
		}
		if w.unit != "" {
			w.key = w.unit + w.key
			w.text = withUnit(w.text, w.unit)
		}
	}
	return words
}

// pieces cuts a field at hyphens, slashes and the like, and at commas outside
// of numbers.
func pieces(field string) []string {
	var out []string
	start := 0
	for i, r := range field {
		size := utf8.RuneLen(r)
		switch {
		case r == utf8.RuneError:
			continue
		case strings.ContainsRune("-/–—−‐‑_&;()[]{}|=<>*~…•·", r):
		case r == ',' && (i == 0 || !isDigit(field[i-1]) || i+1 >= len(field) || !isDigit(field[i+1])) && i+1 < len(field) && field[i+1] != '"' && field[i+1] != '\'':
		default:
			continue
		}
		// The mark stays with what is before it, where it may end a clause.
		if r == '-' || r == '/' || r == '–' || r == '—' || r == '−' || r == '‐' || r == '‑' {
			out = append(out, field[start:i])
		} else {
			out = append(out, field[start:i+size])
		}
		start = i + size
	}
	out = append(out, field[start:])
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

// negative reports whether a field is a number below zero.
func negative(field string) bool {
	field = strings.TrimLeft(field, `"'([`)
	for _, sign := range []string{"-", "−", "–"} {
		if rest, ok := strings.CutPrefix(field, sign); ok {
			r, _ := utf8.DecodeRuneInString(strings.TrimPrefix(rest, "."))
			return unicode.IsNumber(r) || isCurrency(r)
		}
	}
	return false
}

func isNameRune(r rune) bool { return isWord(r) || unicode.IsNumber(r) }
func isCurrency(r rune) bool { return unicode.Is(unicode.Sc, r) }

// unitOf is what marks beside a number say of it.
func unitOf(marks string) string {
	var b strings.Builder
	for _, r := range marks {
		if isCurrency(r) || strings.ContainsRune("%‰°+", r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func withUnit(text, unit string) string {
	if r, _ := utf8.DecodeLastRuneInString(unit); isCurrency(r) {
		return unit + text
	}
	return text + unit
}

// unitWords are the units that have a sign, written out.
var unitWords = map[string]string{
	"percent": "%", "pct": "%", "dollar": "$", "dollars": "$", "usd": "$", "euro": "€", "euros": "€", "eur": "€",
	"pound": "£", "pounds": "£", "gbp": "£", "yen": "¥", "cent": "¢", "cents": "¢",
}

// units gives the numbers the unit that follows them in words, and all of a
// number that takes several words the same: "2 million dollars".
func units(words []nameWord) {
	for i := range words {
		w := &words[i]
		if !w.number || w.ends && w.unit == "" {
			continue
		}
		if w.unit == "" && i+1 < len(words) {
			next := words[i+1]
			w.unit = unitWords[next.lower()]
			if next.lower() == "per" && i+2 < len(words) && words[i+2].lower() == "cent" {
				w.unit = "%"
			}
			for j := i; j > 0 && w.unit != "" && spelt(words[j]) && words[j-1].number && !words[j-1].ends && words[j-1].unit == ""; j-- {
				words[j-1].unit = w.unit
			}
		}
		if w.unit != "" && !w.ends && i+1 < len(words) && spelt(words[i+1]) && words[i+1].unit == "" && unitWords[words[i+1].lower()] == "" {
			words[i+1].unit = w.unit
		}
	}
}

// spelt reports whether w is a number in letters.
func spelt(w nameWord) bool { return w.number && strings.IndexFunc(w.text, unicode.IsNumber) < 0 }

// fractions are numbers where "of" follows.
var fractions = map[string]string{
	"third": "1/3", "thirds": "1/3", "quarter": "1/4", "quarters": "1/4", "fifth": "1/5", "fifths": "1/5", "tenth": "1/10", "tenths": "1/10",
}

// vague are the numbers that have no figure. "Thousands" is more than one
// thousand, so that neither stands for the other.
var vague = map[string]bool{
	"dozens": true, "hundreds": true, "thousands": true, "millions": true, "billions": true, "trillions": true, "trillion": true,
	"half": true, "halves": true, "twice": true, "thrice": true,
}

func isNumber(word string) bool {
	lower := strings.ToLower(word)
	_, ok := numberWords[lower]
	return ok || vague[lower] || strings.IndexFunc(word, unicode.IsNumber) >= 0
}

func set(words string) map[string]bool {
	m := make(map[string]bool)
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

var (
	onePrevious = set("a an any another each every no some that this which")
	oneNext     = set("a about after also an and another are as at because before but by can cannot could did do does during for from had has have he here if in into is it may might must never not of off on only or out over said says she should so than that the then there they to under up was we were when where which while who whom whose why will with would you")
	oneExactly  = set("exactly just least only")
	oneLasting  = set("about after every exactly for in just last lasted lasts least needs only take takes than took within")
)

// counts reports whether words[i], "one", is a number: "one desk", but not "the
// one who" or "one of them".
func counts(words []nameWord, i int) bool {
	at := func(j int) string {
		if j < 0 || j >= len(words) || words[min(i, j)].ends {
			return ""
		}
		return words[j].lower()
	}
	previous, next := at(i-1), at(i+1)
	switch {
	case oneExactly[previous] && at(i-2) != "the" && next != "of":
		return true
	case next == "", onePrevious[previous], oneNext[next]:
		return false
	case next == "hand":
		return previous != "on" && previous != "the"
	case next == "day":
		return oneLasting[previous]
	}
	return true
}

var nameMarks = strings.NewReplacer(",", "", ".", "", "'", "")

// nameKey makes "2,500" and "2500", "U.S." and "US", "Iraqi" and "Iraqis" the
// same, and numbers that are written out their figures; but neither "1.5" and
// "15" nor "1990s" and "1990".
func nameKey(word string) string {
	lower := strings.ToLower(word)
	if strings.IndexFunc(word, unicode.IsNumber) >= 0 {
		var b strings.Builder
		for i := range len(lower) {
			if lower[i] != ',' || i == 0 || !isDigit(lower[i-1]) || !thousands(lower[i+1:]) {
				b.WriteByte(lower[i])
			}
		}
		return b.String()
	}
	key := nameMarks.Replace(lower)
	if n, ok := numberWords[key]; ok {
		return fmt.Sprint(n)
	}
	if len(key) > 3 && !vague[key] {
		key = strings.TrimSuffix(key, "s")
	}
	return key
}

// expandAll expands the alternations of all texts.
func (g *gate) expandAll(texts []located, out *[]string) []string {
	for _, t := range texts {
		*out = append(*out, g.expand(t)...)
	}
	return *out
}

// expand is what the alternations of an example stand for.
func (g *gate) expand(example located) []string {
	out, err := expand(example.text)
	if err != nil {
		g.find(example.at, "%v", err)
	}
	return out
}

// expand replaces each "(a|b)" of s by a and by b, in every combination: the
// first maxExamples of them. A parenthesis without a bar is left as it is.
func expand(s string) ([]string, error) {
	open := -1
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			open = i
		case ')':
			if open < 0 || !strings.Contains(s[open:i], "|") {
				open = -1
				continue
			}
			var out []string
			for choice := range strings.SplitSeq(s[open+1:i], "|") {
				rest, err := expand(s[:open] + choice + s[i+1:])
				if err != nil {
					return nil, err
				}
				out = append(out, rest...)
				if len(out) > maxExamples {
					return out[:maxExamples], fmt.Errorf("the example %q stands for more than %d questions; split it", clip(s), maxExamples)
				}
			}
			return out, nil
		}
	}
	if strings.Contains(s, "|") {
		return []string{s}, fmt.Errorf("the example %q has a bar outside of parentheses: write (a|b)", clip(s))
	}
	return []string{strings.Join(strings.Fields(s), " ")}, nil
}

// LowerFirst lower-cases the first letter of s if its first word is an
// ordinary one, so that the sentence can follow a colon.
func LowerFirst(s string) string {
	word, _, _ := strings.Cut(s, " ")
	switch word {
	case "The", "A", "An", "There", "No", "It", "They", "Some", "Any", "All", "That", "This", "These", "In", "On", "At", "Both", "Neither", "Two", "None", "Not", "Its", "His", "Her", "Their", "He", "She", "We", "One", "Each", "Every":
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}

// clip shortens s for a message.
func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 80 {
		return string(r[:77]) + "..."
	}
	return s
}
