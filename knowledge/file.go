package knowledge

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// A Finding is one thing that is wrong with a knowledge file, or worth a look.
type Finding struct {
	File         string
	Line, Column int // from 1; 0 if the finding has no place
	Message      string
}

func (f Finding) String() string {
	if f.Line == 0 {
		return f.File + ": " + f.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
}

// Findings is the error of a knowledge file: all that is wrong with it, in the
// order of the file.
type Findings []Finding

func (f Findings) Error() string {
	lines := make([]string, len(f))
	for i, finding := range f {
		lines[i] = finding.String()
	}
	return strings.Join(lines, "\n")
}

func (f Findings) sorted() Findings {
	slices.SortStableFunc(f, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return f
}

// The knowledge file as it is written: every text keeps its place, so that
// the gate can point at it.
type (
	located struct {
		text string
		at   *token.Position
	}
	file struct {
		title, date, url   located
		source, sourceFile located
		entities           []entityNode
		words              []wordsNode
		quotes             []quoteNode
		intents            []intentNode
		offTopic           []located
	}
	entityNode struct {
		id, kind, name, role located
		aliases              []located
	}
	wordsNode struct {
		head    located
		phrases []located
	}
	quoteNode struct {
		id, speaker, text located
		topics            []located
	}
	intentNode struct {
		id, title located
		examples  []located
		answers   []answerNode
	}
	answerNode struct {
		at                                        *token.Position
		when                                      []pair
		status, text, speaker, contrast, contrary located
		evidence                                  []evidenceNode
		notes                                     []located
	}
	evidenceNode struct {
		text, speaker located
	}
	pair struct{ key, value located }
)

// A key of the knowledge file, for the decoder, its messages and the schema.
type key struct {
	name     string
	help     string
	required bool
	read     func(d *decoder, n ast.Node)
}

// decoder reads the YAML tree and collects what is wrong with it.
type decoder struct {
	name     string
	findings Findings
}

func (d *decoder) find(at *token.Position, format string, args ...any) {
	f := Finding{File: d.name, Message: fmt.Sprintf(format, args...)}
	if at != nil {
		f.Line, f.Column = at.Line, at.Column
	}
	d.findings = append(d.findings, f)
}

// file decodes text. What could be read is returned even if there are
// findings.
func (d *decoder) file(name string, text []byte) *file {
	d.name = name
	f := &file{}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if line, problem := unreadable(text); problem != "" {
		d.find(&token.Position{Line: line, Column: 1}, "%s", problem)
		return f
	}
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		at, message := (*token.Position)(nil), err.Error()
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) {
			message = syntax.Message
			if syntax.Token != nil {
				at = syntax.Token.Position
			}
		}
		d.find(at, "this is not valid YAML: %s", message)
		return f
	}
	var body ast.Node
	for _, doc := range tree.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			d.find(doc.Body.GetToken().Position, "a knowledge file is one YAML document; remove the line of three dashes")
			return f
		}
		body = doc.Body
	}
	if body == nil {
		d.find(nil, "the file is empty; start from what `podium knowledge` prints")
		return f
	}
	d.mapping(body, "the knowledge file", fileKeys(f))
	return f
}

// maxDepth is how deep a knowledge file's lists and mappings may be nested: far
// deeper than any needs, and no work for the parser.
const maxDepth = 50

// unreadable looks for what no knowledge file holds and the parser would choke
// on: bytes that are no UTF-8 text, control characters, deep nesting.
func unreadable(text []byte) (line int, problem string) {
	line = 1
	depth, dashes := 0, 0
	for i, r := range string(text) {
		switch {
		case r == '\n':
			line++
			dashes = 0
		case r == utf8.RuneError && !bytes.HasPrefix(text[i:], []byte("\ufffd")):
			return line, "this is not UTF-8 text; save the file as UTF-8"
		case control(r):
			return line, fmt.Sprintf("there is a control character (U+%04X) in this line; remove it", r)
		case r == '[' || r == '{':
			depth++
		case r == ']' || r == '}':
			depth--
		case r == '-':
			dashes++
		case r != ' ':
			dashes = 0
		}
		if depth > maxDepth || dashes > 20*maxDepth {
			return line, "lists and mappings are nested too deeply here; is a bracket not closed?"
		}
	}
	return 0, ""
}

// The keys of each mapping of the file. Their order and help make the schema.
func fileKeys(f *file) []key {
	return []key{
		{"announcement", "What is announced: shown under every reply.", true, func(d *decoder, n ast.Node) {
			d.mapping(n, "announcement", announcementKeys(f))
		}},
		{"source", "The announcement's own text, word for word, or {file: PATH} relative to this file.", true, func(d *decoder, n ast.Node) {
			if isMapping(n) {
				d.mapping(n, "source", []key{{"file", "Path of the text file, in this file's directory or below.", true, textKey(&f.sourceFile)}})
				return
			}
			f.source = d.text(n)
		}},
		{"entities", "People, organisations, places and whatever else questions name and answers depend on.", false, listKey(&f.entities, func(d *decoder, n ast.Node) (e entityNode) {
			d.mapping(n, "an entity", entityKeys(&e))
			return e
		})},
		{"words", "What people say for what the text says: {troops: [soldiers, boots on the ground]}.", false, func(d *decoder, n ast.Node) {
			for _, v := range d.pairs(n, "words") {
				f.words = append(f.words, wordsNode{d.keyText(v), d.texts(v.Value)})
			}
		}},
		{"quotes", "Who said what, word for word.", false, listKey(&f.quotes, func(d *decoder, n ast.Node) (q quoteNode) {
			d.mapping(n, "a quote", quoteKeys(&q))
			return q
		})},
		{"intents", "What people ask, in their words, and what the announcement has to say on it.", true, listKey(&f.intents, func(d *decoder, n ast.Node) (in intentNode) {
			d.mapping(n, "an intent", intentKeys(&in))
			return in
		})},
		{"off_topic", "Questions that share words with the announcement but are not about it.", false, textsKey(&f.offTopic)},
	}
}

func announcementKeys(f *file) []key {
	return []key{
		{"title", "What the announcement is called.", true, textKey(&f.title)},
		{"date", "The day it was made, as in 2021-04-07. Without it podium says \"as announced\".", false, textKey(&f.date)},
		{"url", "Where it can be read.", false, textKey(&f.url)},
	}
}

func entityKeys(e *entityNode) []key {
	return []key{
		{"id", "A short name for use in this file.", true, textKey(&e.id)},
		{"kind", "person, place, organisation or a word of your own; `when` refers to it.", true, textKey(&e.kind)},
		{"name", "The full name.", true, textKey(&e.name)},
		{"role", "A person's office: shown behind quotes and understood in questions.", false, textKey(&e.role)},
		{"aliases", "What else people call it.", false, textsKey(&e.aliases)},
	}
}

func quoteKeys(q *quoteNode) []key {
	return []key{
		{"id", "A short name for use in this file and in `quote` commands.", true, textKey(&q.id)},
		{"speaker", "The id of the entity who said it.", true, textKey(&q.speaker)},
		{"text", "The words, exactly as in the source.", true, textKey(&q.text)},
		{"topics", "What it is about, in a few words each.", false, textsKey(&q.topics)},
	}
}

func intentKeys(in *intentNode) []key {
	return []key{
		{"id", "A short name: letters, digits and underscores.", true, textKey(&in.id)},
		{"title", "The topic as people read it on a button.", true, textKey(&in.title)},
		{"examples", "Questions as people type them. (a|b) stands for either, (a|) for a or nothing.", true, textsKey(&in.examples)},
		{"answers", "What the announcement has to say; several where it depends on whom or what the question names.", true, listKey(&in.answers, func(d *decoder, n ast.Node) (a answerNode) {
			a.at = n.GetToken().Position
			d.mapping(n, "an answer", answerKeys(&a))
			return a
		})},
	}
}

func answerKeys(a *answerNode) []key {
	return []key{
		{"when", "The entities that the answer is for: {place: iraq}. The first answer is given when a question names none.", false, func(d *decoder, n ast.Node) {
			for _, v := range d.pairs(n, "when") {
				a.when = append(a.when, pair{d.keyText(v), d.text(v.Value)})
			}
		}},
		{"status", "stated (default), not_set (the text says that nothing was set or decided) or not_said (it does not say).", false, textKey(&a.status)},
		{"text", "The answer in plain sentences. It stands alone.", false, textKey(&a.text)},
		{"evidence", "The words of the source that the answer rests on, exactly as they stand there.", false, func(d *decoder, n ast.Node) {
			for _, item := range d.items(n) {
				var e evidenceNode
				if isMapping(item) {
					d.mapping(item, "evidence", []key{
						{"text", "The words, exactly as in the source.", true, textKey(&e.text)},
						{"speaker", "The id of the entity who said it.", false, textKey(&e.speaker)},
					})
				} else {
					e.text = d.text(item)
				}
				a.evidence = append(a.evidence, e)
			}
		}},
		{"speaker", "The id of the entity who said it; none for narration.", false, textKey(&a.speaker)},
		{"notes", "Adjoining facts, shown below the evidence, in the source's words.", false, textsKey(&a.notes)},
		{"contrast", "The id of the answer that people mix it up with, such as troop_count.afghanistan.", false, textKey(&a.contrast)},
		{"mixed_up", "How this answer is named where it is another's contrast: the end of \"Not to be mixed up with ...\".", false, textKey(&a.contrary)},
	}
}

// mapping reads n, whose keys are given; what names it in messages.
func (d *decoder) mapping(n ast.Node, what string, keys []key) {
	pairs := d.pairs(n, what)
	if pairs == nil {
		return
	}
	seen := make(map[string]bool)
	for _, v := range pairs {
		name := d.keyText(v)
		i := slices.IndexFunc(keys, func(k key) bool { return k.name == name.text })
		switch {
		case i < 0:
			names := make([]string, len(keys))
			for i, k := range keys {
				names[i] = k.name
			}
			hint := "its keys are " + strings.Join(names, ", ")
			if near := nearest(name.text, names); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			d.find(name.at, "%s has no key %q; %s", what, name.text, hint)
		case seen[name.text]:
			d.find(name.at, "%q is given twice", name.text)
		default:
			seen[name.text] = true
			keys[i].read(d, v.Value)
		}
	}
	for _, k := range keys {
		if k.required && !seen[k.name] {
			d.find(n.GetToken().Position, "%s needs %q: %s", what, k.name, k.help)
		}
	}
}

func isMapping(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

// pairs are the entries of a mapping, nil if n is none.
func (d *decoder) pairs(n ast.Node, what string) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	d.find(n.GetToken().Position, "%s must be a list of `key: value` lines", what)
	return nil
}

func (d *decoder) keyText(v *ast.MappingValueNode) located {
	t := v.Key.GetToken()
	return located{t.Value, t.Position}
}

// items are the entries of a list; a single text counts as a list of one.
func (d *decoder) items(n ast.Node) []ast.Node {
	switch n := n.(type) {
	case *ast.SequenceNode:
		return n.Values
	case *ast.NullNode:
		return nil
	}
	return []ast.Node{n}
}

// text is the text of a scalar.
func (d *decoder) text(n ast.Node) located {
	at := n.GetToken().Position
	switch n := n.(type) {
	case *ast.StringNode:
		d.controls(at, n.Value)
		return located{n.Value, at}
	case *ast.LiteralNode:
		return located{n.Value.Value, at}
	case *ast.NullNode:
		return located{"", at}
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return located{n.GetToken().Value, at}
	case *ast.AliasNode, *ast.AnchorNode, *ast.TagNode:
		d.find(at, "YAML's anchors, aliases and tags are not understood here; write the text out, in quotes if it starts with & * or !")
	default:
		d.find(at, "a text is expected here; put it in quotes if it holds a colon, a bracket or a brace")
	}
	return located{"", at}
}

// controls refuses the control characters that YAML's escapes can write: a
// terminal would obey them.
func (d *decoder) controls(at *token.Position, text string) {
	if i := strings.IndexFunc(text, control); i >= 0 {
		d.find(at, "there is a control character (%U) in this text; remove it", []rune(text[i:])[0])
	}
}

// control reports whether r shows as nothing, but is obeyed.
func control(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }

func (d *decoder) texts(n ast.Node) []located {
	var out []located
	for _, item := range d.items(n) {
		if t := d.text(item); t.text != "" {
			out = append(out, t)
		}
	}
	return out
}

func textKey(to *located) func(*decoder, ast.Node) {
	return func(d *decoder, n ast.Node) { *to = d.text(n) }
}

func textsKey(to *[]located) func(*decoder, ast.Node) {
	return func(d *decoder, n ast.Node) { *to = d.texts(n) }
}

func listKey[T any](to *[]T, read func(*decoder, ast.Node) T) func(*decoder, ast.Node) {
	return func(d *decoder, n ast.Node) {
		for _, item := range d.items(n) {
			*to = append(*to, read(d, item))
		}
	}
}

// inlineSource returns the knowledge file text with the line `source: {file:
// ...}` replaced by the source itself.
func inlineSource(text, source []byte) ([]byte, error) {
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, err
	}
	var d decoder
	for _, doc := range tree.Docs {
		if doc.Body == nil || !isMapping(doc.Body) {
			continue
		}
		for _, v := range d.pairs(doc.Body, "") {
			if d.keyText(v).text != "source" || !isMapping(v.Value) {
				continue
			}
			first := v.Key.GetToken().Position.Line
			last := lastLine(v.Value)
			lines := strings.SplitAfter(string(text), "\n")
			var b strings.Builder
			b.WriteString(strings.Join(lines[:first-1], ""))
			if len(source) > 0 && strings.IndexByte(" \t\r\n", source[0]) >= 0 {
				b.WriteString("source: |2\n") // the first line does not show how far the text is indented
			} else {
				b.WriteString("source: |\n")
			}
			for line := range strings.Lines(strings.TrimRight(string(source), "\n") + "\n") {
				if line != "\n" {
					b.WriteString("  ")
				}
				b.WriteString(line)
			}
			b.WriteString(strings.Join(lines[last:], ""))
			return []byte(b.String()), nil
		}
	}
	return text, nil
}

// lastLine is the last line that n stands on.
func lastLine(n ast.Node) int {
	line := 0
	ast.Walk(visitor(func(n ast.Node) { line = max(line, n.GetToken().Position.Line) }), n)
	return line
}

type visitor func(ast.Node)

func (v visitor) Visit(n ast.Node) ast.Visitor {
	v(n)
	return v
}

// nearest returns the name within two edits of s, or "".
func nearest(s string, names []string) string {
	found, least := "", 3
	for _, name := range names {
		if n := distance(s, name, 3); n < least {
			found, least = name, n
		}
	}
	return found
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
