package knowledge

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// The gate: a knowledge file loads only if podium can say nothing with it that
// the announcement does not say.

// maxExamples bounds what the alternations of one example stand for.
const maxExamples = 64

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
	if f.sourceFile.text != "" {
		content, err := readFile(f.sourceFile.text)
		if err != nil {
			g.find(f.sourceFile.at, "cannot read the source: %v", err)
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
	g.announcement(f)
	g.allEntities(f)
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
	names  map[string]bool // the words in the entities' names
}

func (g *gate) announcement(f *file) {
	g.b.Title, g.b.URL = strings.TrimSpace(f.title.text), f.url.text
	if f.title.at != nil && g.b.Title == "" {
		g.find(f.title.at, "the announcement's title is empty")
	}
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
		}
		for _, s := range append([]string{e.Name, e.Role}, e.Aliases...) {
			for _, w := range nameWords(s) {
				g.names[w.key] = true
			}
		}
		g.b.entities[e.ID] = len(g.b.Entities)
		g.b.Entities = append(g.b.Entities, e)
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
	var contrasts []located // beside the answers, in order
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
				g.find(contrasts[i].at, "intent %q has two answers for the same entities (%s): podium could not choose", in.ID, a.ID)
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
	g.entity(n.speaker)
	evidence := make([]string, 0, len(n.evidence))
	for _, e := range n.evidence {
		ev := Evidence{Text: plainText(e.text.text), Speaker: n.speaker.text, Sentence: g.verbatim(e.text, "this evidence")}
		if g.entity(e.speaker) {
			ev.Speaker = e.speaker.text
		} else {
			for _, q := range g.b.Quotes {
				if strings.Contains(q.Text, ev.Text) {
					ev.Speaker = q.Speaker
				}
			}
		}
		a.Evidence = append(a.Evidence, ev)
		evidence = append(evidence, ev.Text)
	}
	g.grounded(n.text, evidence, "the answer's evidence")
	g.grounded(n.contrary, evidence, "the answer's evidence")
	a.mixedUp = strings.TrimSuffix(strings.TrimSpace(n.contrary.text), ".")
	for _, note := range n.notes {
		g.grounded(note, []string{g.source.plain}, "the source")
		a.Notes = append(a.Notes, strings.TrimSpace(note.text))
	}
	return a
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

// grounded finds each number, date and proper name of a sentence of ours that
// is not in what it rests on.
func (g *gate) grounded(said located, on []string, what string) {
	if said.text == "" {
		return
	}
	known := make(map[string]bool)
	for _, s := range on {
		for _, w := range nameWords(s) {
			known[w.key] = true
		}
	}
	english := englishWords()
	for _, w := range nameWords(said.text) {
		switch {
		case known[w.key], !w.number && g.names[w.key]:
		case w.number:
			g.find(said.at, "the number %q is not in %s", w.text, what)
		case !w.capital, w.first && english[strings.ToLower(w.text)] != tierNone && !calendar[w.key]:
		case w.text == "I":
		default:
			g.find(said.at, "the name %q is neither in %s nor an entity's", w.text, what)
		}
	}
}

// calendar holds the words that make a date even where they start a sentence.
var calendar = func() map[string]bool {
	m := make(map[string]bool)
	for i := range 12 {
		m[nameKey(time.Month(i+1).String())] = true
	}
	for i := range 7 {
		m[nameKey(time.Weekday(i).String())] = true
	}
	delete(m, "may")
	return m
}()

// nameWord is a word that may be a number or a name.
type nameWord struct {
	text, key      string
	number         bool
	capital, first bool // has an upper-case letter; starts a sentence
}

func nameWords(s string) []nameWord {
	var out []nameWord
	first := true
	for field := range strings.FieldsFuncSeq(plainText(s), func(r rune) bool { return r == ' ' || r == '-' || r == '/' || r == '–' || r == '—' }) {
		word := strings.TrimFunc(field, func(r rune) bool { return !isWord(r) })
		if word == "" {
			continue
		}
		word = strings.TrimSuffix(word, "'s")
		w := nameWord{text: word, key: nameKey(word), first: first, capital: strings.IndexFunc(word, unicode.IsUpper) >= 0}
		lower := strings.ToLower(word)
		if _, ok := numberWords[lower]; ok && lower != "one" {
			w.number = true
		}
		if strings.IndexFunc(word, unicode.IsDigit) >= 0 {
			w.number = true
		}
		out = append(out, w)
		end := strings.TrimRight(field, `"')]`)
		first = strings.HasSuffix(end, ".") && !isInitials(strings.TrimSuffix(end, ".")) || strings.HasSuffix(end, "?") || strings.HasSuffix(end, "!") || strings.HasSuffix(end, ":")
	}
	return out
}

var nameMarks = strings.NewReplacer(",", "", ".", "", "'", "")

// nameKey makes "2,500" and "2500", "U.S." and "US", "Iraqi" and "Iraqis" the
// same, and numbers that are written out their figures.
func nameKey(word string) string {
	key := strings.ToLower(nameMarks.Replace(word))
	if n, ok := numberWords[key]; ok {
		return fmt.Sprint(n)
	}
	if len(key) > 3 {
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
