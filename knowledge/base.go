package knowledge

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
)

// A Base is one announcement with all that podium knows of it, checked and
// ready to be asked. It never changes and is safe for concurrent use.
type Base struct {
	Title     string
	Date      time.Time // zero if the file gives none
	URL       string
	Version   string   // the first 12 hex digits of the SHA-256 of file and source
	Sentences []string // of the source, in order; their numbers count from 1
	Entities  []Entity
	Quotes    []Quote
	Intents   []Intent

	entities map[string]int // id to index
	intents  map[string]int
	answers  map[string]*Answer
	words    []words
	offTopic []string
	doubts   Findings // what passes the gate and is worth a look
	key      string   // of its model
	matcher  *matcher
}

// words is a group of phrases that mean the head.
type words struct {
	head    string
	phrases []string
}

// An Entity is a person, organisation, place or whatever else questions name
// and answers depend on.
type Entity struct {
	ID      string
	Kind    string // person, place, organisation, ...: what `when` refers to
	Name    string
	Role    string // of a person
	Aliases []string
}

// A Quote is something that somebody said, word for word in the source.
type Quote struct {
	ID       string
	Speaker  string // an entity's id
	Text     string
	Topics   []string
	Sentence int
}

// An Intent is one thing that people ask, in all the ways they ask it.
type Intent struct {
	ID       string
	Title    string
	Examples []string // alternations expanded
	Answers  []Answer
	Topic    bool // listed among the topics: it has something to say

	lines []int // by example: the line of the file that it stands in
}

// Status says what the announcement has to say on an answer's question.
type Status string

const (
	Stated  Status = "stated"
	NotSet  Status = "not_set"  // it says that nothing was set, scheduled or decided
	NotSaid Status = "not_said" // it does not say
)

// An Answer is what an intent has to say, of one entity or in general.
type Answer struct {
	ID       string // the intent's, and behind a dot the entities that it is for: troop_count.iraq
	Intent   int    // index in Base.Intents
	When     map[string]string
	Status   Status
	Text     string
	Evidence []Evidence
	Notes    []string // adjoining facts, each true to the source
	Contrast string   // the line about what people mix it up with; may be empty
	Title    string   // for a choice: the intent's title, and whom the answer is for

	contrast *Answer
	mixedUp  string
}

// Evidence is a stretch of the source, word for word.
type Evidence struct {
	Text     string
	Speaker  string // an entity's id; empty for narration
	Sentence int    // number of the sentence where it starts
}

//go:embed announcement.yaml announcement.txt announcement.model
var embedded embed.FS

// Embedded returns the announcement that is built in.
func Embedded() (*Base, error) {
	text, err := embedded.ReadFile("announcement.yaml")
	if err != nil {
		return nil, err
	}
	source, err := embedded.ReadFile("announcement.txt")
	if err != nil {
		return nil, err
	}
	model, err := embedded.ReadFile("announcement.model")
	if err != nil {
		return nil, err
	}
	// Reading the model takes as long as reading the file.
	decoded := make(chan *learned, 1)
	go func() {
		// The model is current, or else its test fails; podium answers all the same.
		saved, err := decodeModel(model, modelKey(text, source))
		if err != nil {
			saved = nil
		}
		decoded <- saved
	}()
	b, err := parse("announcement.yaml", text, embedded.ReadFile)
	saved := <-decoded
	if err != nil {
		return nil, err
	}
	b.matcher = newMatcher(b, saved)
	return b, nil
}

// EmbeddedFile returns the built-in knowledge file as one text, its source
// included, to start a knowledge file of one's own from.
func EmbeddedFile() ([]byte, error) {
	text, err := embedded.ReadFile("announcement.yaml")
	if err != nil {
		return nil, err
	}
	source, err := embedded.ReadFile("announcement.txt")
	if err != nil {
		return nil, err
	}
	return inlineSource(text, source)
}

// Load reads the knowledge file at path. An error of type Findings lists all
// that is wrong with it.
func Load(path string) (*Base, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the knowledge file: %w", err)
	}
	b, err := parse(path, text, beside(path))
	if err != nil {
		return nil, err
	}
	cache := modelCache(b.key)
	if saved := readModel(cache, b.key); saved != nil {
		b.matcher = newMatcher(b, saved)
		return b, nil
	}
	b.matcher = newMatcher(b, nil)
	writeModel(cache, b.key, b.matcher.learned)
	b.matcher.learned = nil
	return b, nil
}

// LoadFile returns the knowledge file at path as one text, its source
// included.
func LoadFile(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the knowledge file: %w", err)
	}
	var d decoder
	f := d.file(path, text)
	if len(d.findings) > 0 {
		return nil, d.findings.sorted()
	}
	if f.sourceFile.text == "" {
		return text, nil
	}
	source, err := beside(path)(f.sourceFile.text)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(source) {
		return nil, fmt.Errorf("%q is not UTF-8 text", f.sourceFile.text)
	}
	return inlineSource(text, source)
}

// maxSource is the longest announcement's text, in bytes.
const maxSource = 4 << 20

// beside reads files that are named relative to the file at path. They lie in
// its directory or below: whoever writes the knowledge file decides what podium
// quotes, and may not be meant to read the rest of the machine.
func beside(path string) func(name string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if !filepath.IsLocal(name) {
			return nil, fmt.Errorf("%q is not below the knowledge file's own directory; put the text beside the knowledge file", name)
		}
		dir, err := os.OpenRoot(filepath.Dir(path))
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		// A pipe or a device would keep podium waiting.
		if info, err := dir.Stat(name); err != nil {
			return nil, err
		} else if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%q is no plain file", name)
		}
		f, err := dir.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, maxSource+1))
		switch {
		case err != nil:
			return nil, err
		case len(text) > maxSource:
			return nil, fmt.Errorf("%q is longer than %d MB", name, maxSource>>20)
		}
		if i := bytes.IndexFunc(text, control); i >= 0 {
			r, _ := utf8.DecodeRune(text[i:])
			return nil, fmt.Errorf("there is a control character (%U) in line %d of %q; remove it", r, 1+bytes.Count(text[:i], []byte("\n")), name)
		}
		return text, nil
	}
}

// parse makes a Base of a knowledge file's text, all but its matcher; name
// stands in its errors. readFile reads the file that source.file names.
func parse(name string, text []byte, readFile func(string) ([]byte, error)) (*Base, error) {
	b, findings := check(name, text, readFile)
	if len(findings) > 0 {
		return nil, findings
	}
	return b, nil
}

// Entity returns the entity with id.
func (b *Base) Entity(id string) (Entity, bool) {
	if i, ok := b.entities[id]; ok {
		return b.Entities[i], true
	}
	return Entity{}, false
}

// Intent returns the intent with id.
func (b *Base) Intent(id string) (*Intent, bool) {
	if i, ok := b.intents[id]; ok {
		return &b.Intents[i], true
	}
	return nil, false
}

// Answer returns the answer with id; an intent's id stands for its first
// answer.
func (b *Base) Answer(id string) (*Answer, bool) {
	if a, ok := b.answers[id]; ok {
		return a, true
	}
	if in, ok := b.Intent(id); ok && len(in.Answers) > 0 {
		return &in.Answers[0], true
	}
	return nil, false
}

// IntentOf returns the intent that a belongs to.
func (b *Base) IntentOf(a *Answer) *Intent { return &b.Intents[a.Intent] }

// Speaker returns the name and role of the entity with id, or nothing.
func (b *Base) Speaker(id string) (name, role string) {
	e, ok := b.Entity(id)
	if !ok {
		return "", ""
	}
	return e.Name, e.Role
}

// answerID is intent.value.value in the order of the kinds' names.
func answerID(intent string, when map[string]string) string {
	parts := []string{intent}
	for _, kind := range sortedKeys(when) {
		parts = append(parts, when[kind])
	}
	return strings.Join(parts, ".")
}
