package knowledge

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// head is a knowledge file up to its intents.
const head = `announcement: {title: Acme moves, date: 2026-11-01}
source: |
  Acme will move to Calder Bay on March 3, 2027, said Ada Park, the mayor. "We are glad," Park said.

  The new office has 40 desks. No date was set for the party.
entities:
  - {id: park, kind: person, name: Ada Park, role: the mayor}
  - {id: bay, kind: place, name: Calder Bay}
`

const goodIntent = `intents:
  - id: desks
    title: Desks
    examples: [how many desks, (number|count) of desks]
    answers: [{text: The new office has 40 desks., evidence: [The new office has 40 desks.]}]
`

func noFile(string) ([]byte, error) { return nil, os.ErrNotExist }

func TestGate(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string // a part of each finding, in order; none if the file is good
	}{
		{"good", head + goodIntent, nil},
		{"not yaml", "announcement: [", []string{"not valid YAML"}},
		{"empty", "", []string{"the file is empty"}},
		{"two documents", head + goodIntent + "---\na: b\n", []string{"one YAML document"}},
		{"all missing", "words: {a: b}\n", []string{`x.yaml:1:6: the knowledge file needs "announcement"`, `needs "source"`, `needs "intents"`}},
		{"misspelt key", strings.Replace(head, "entities:", "entites:", 1) + goodIntent, []string{`did you mean "entities"?`}},
		{"unknown key", head + "colour: blue\n" + goodIntent, []string{`has no key "colour"; its keys are`}},
		{"bad date", strings.Replace(head, "2026-11-01", "1 November", 1) + goodIntent, []string{`"1 November" is no date`}},
		{"key twice", head + goodIntent + "off_topic: [a b]\noff_topic: [c d]\n", []string{"off_topic"}},
		{"evidence not in the source", head + strings.Replace(goodIntent, "evidence: [The new office has 40 desks.]", "evidence: [The new office has 40 chairs]", 1),
			[]string{`x.yaml:13:63: this evidence is not in the source word for word: it departs from it at "chairs", behind "new office has 40"`}},
		{"part of a word", head + strings.Replace(goodIntent, "evidence: [The new office has 40 desks.]", "evidence: [The new office has 40 desk]", 1), []string{"not in the source"}},
		{"number not in the evidence", head + strings.Replace(goodIntent, "text: The new office has 40 desks.", "text: The new office has fifty desks.", 1),
			[]string{`the number "fifty" is not in the answer's evidence`}},
		{"name not in the evidence", head + strings.Replace(goodIntent, "text: The new office has 40 desks.", "text: The office of Boston has 40 desks.", 1), []string{`the name "Boston"`}},
		{"month not in the evidence", head + strings.Replace(goodIntent, "text: The new office has 40 desks.", "text: In June it has 40 desks.", 1), []string{`the name "June"`}},
		{"quote changed", head + "quotes: [{id: glad, speaker: park, text: We are very glad}]\n" + goodIntent, []string{"this quote is not in the source"}},
		{"speaker unknown", head + "quotes: [{id: glad, speaker: parc, text: We are glad}]\n" + goodIntent, []string{`there is no entity "parc"; did you mean "park"?`}},
		{"no evidence", head + "intents: [{id: a, title: A, examples: [b c], answers: [{text: It moves.}]}]\n", []string{"has no evidence"}},
		{"example of two intents", head + goodIntent + "  - {id: b, title: B, examples: [How many desks?], answers: [{status: not_said}]}\n",
			[]string{`belongs to intent "desks" already (line 12)`}},
		{"contrast unknown", head + strings.Replace(goodIntent, "desks.]}]", "desks.], contrast: desk}]", 1), []string{`there is no answer "desk"; did you mean "desks"?`}},
		{"when of another kind", head + strings.Replace(goodIntent, "[{text:", "[{when: {person: bay}, text:", 1), []string{`"bay" is a place, not a person`}},
		{"status unknown", head + strings.Replace(goodIntent, "[{text:", "[{status: maybe, text:", 1), []string{`none of stated, not_set, not_said`}},
		{"same entities twice", head + "intents: [{id: a, title: A, examples: [b c], answers: [{status: not_said}, {status: not_said}]}]\n", []string{"two answers for the same entities"}},
		{"bar outside", head + strings.Replace(goodIntent, "how many desks,", "how many | desks,", 1), []string{"bar outside of parentheses"}},
		{"too many combinations", head + strings.Replace(goodIntent, "how many desks,", `"`+strings.Repeat("(a|b) ", 7)+`desks",`, 1), []string{"more than 64"}},
		{"source file missing", strings.Replace(strings.Split(head, "source:")[0]+"source: {file: nowhere.txt}\n", "\n\n", "\n", 1) + "intents: [{id: a, title: A, examples: [b c], answers: [{status: not_said}]}]\n",
			[]string{"cannot read the source"}},
		{"two answers, place", head + "intents: [{id: a, title: A, examples: [b c], answers: [{status: not_said},\n  {status: not_said}]}]\n", []string{"x.yaml:10:3: intent \"a\" has two answers"}},
		{"decimal is no whole number", rests("It rose by 15 points.", "The share rose by 1.5 points"), []string{`the number "15" is not`}},
		{"decimal", rests("It rose by 1.5 points.", "The share rose by 1.5 points"), nil},
		{"thousands", rests("There are 2500 desks and 4,500 chairs.", "There are 2,500 desks and 4500 chairs"), nil},
		{"decade", rests("It was in 1990.", "It was in the 1990s"), []string{`the number "1990" is not`}},
		{"percent", rests("It is 15%, 20 percent and 30 per cent.", "It is 15 percent, 20% and thirty percent"), nil},
		{"percent is no number of things", rests("It is 15.", "It is 15%"), []string{`the number "15" is not`}},
		{"number is no percent", rests("It is 15%.", "It is 15"), []string{`the number "15%" is not`}},
		{"currency", rests("It costs $15, 2 million dollars, €3 and £4.", "It costs 15 dollars, $2 million, 3 euros and £4"), nil},
		{"no currency", rests("It costs $15.", "It costs 15"), []string{`the number "$15" is not`}},
		{"other currency", rests("It costs €15.", "It costs $15"), []string{`the number "€15" is not`}},
		{"below zero", rests("It is 5 degrees.", "It is -5 degrees"), []string{`the number "5" is not`}},
		{"fraction sign", rests("It takes ½ of it.", "It takes 2 of it"), []string{`the number "½" is not`}},
		{"vague numbers", rests("Hundreds came, thousands went, dozens sat, twice, and half of the millions.", "A thousand came, a dozen went"),
			[]string{`"Hundreds"`, `"thousands"`, `"dozens"`, `"twice"`, `"half"`, `"millions"`}},
		{"vague numbers that are said", rests("Hundreds came twice.", "Twice, hundreds came"), nil},
		{"quarter", rests("A quarter of it is left, near the quarter.", "It is left near the quarter"), []string{`the number "quarter"`}},
		{"one", rests("They have one each, and one desk.", "No one has a desk"), []string{`the number "one"`, `the number "one"`}},
		{"one that does not count", rests("The one who came is one of them: a good one. No one left, one by one, and one day all will.", "They came"), nil},
		{"country starts a sentence", rests("Turkey came. China left. March is past. Chairs came.", "They came"), []string{`"Turkey"`, `"China"`, `"March"`}},
		{"may", rests("May they come. May 3 is near. They may come.", "They came on March 3"), []string{`the name "May"`}},
		{"lower-case month", rests("They came on may 3.", "They came on March 3"), []string{`the name "may"`}},
		{"lower-case word of the source", rests("The zorbs came.", "Each zorb came"), nil},
		{"note of two sentences", head + strings.Replace(goodIntent, "desks.]}]", `desks.], notes: ["On March 3 there are 40 desks.", "It has 40.", "March 3, 2027 it is."]}]`, 1),
			[]string{`no one sentence of the source holds all numbers of this note ("3", "40")`}},
		{"too long for a button", strings.NewReplacer("id: park", "id: "+strings.Repeat("p", 40), "id: bay", "id: "+strings.Repeat("b", 20), "id: desks", "id: "+strings.Repeat("d", 40),
			"[{text:", "[{when: {person: "+strings.Repeat("p", 40)+", place: "+strings.Repeat("b", 20)+"}, text:").Replace(head + goodIntent), []string{"13 characters shorter"}},
		{"source file empty", strings.Split(head, "source:")[0] + "source: {file: ''}\nintents: [{id: a, title: A, examples: [b c], answers: [{text: It moves., evidence: [it moves]}]}]\n",
			[]string{"source.file is empty"}},
		{"escape codes", strings.Replace(head, "title: Acme moves", `title: "Acme \e[2J moves"`, 1) + strings.Replace(goodIntent, "how many desks,", `"how many \u009b desks",`, 1),
			[]string{"control character (U+001B)", "control character (U+009B)"}},
		{"escape code as it is", head + goodIntent + "# \x1b[2J\n", []string{"control character (U+001B) in this line"}},
		{"all at once", head + "intents: [{id: a b, title: A, examples: [b c], answers: [{status: not_said}]}, {id: c, title: '', examples: [d e], answers: [{status: x}]}]\n",
			[]string{`"a b" can not be the id`, "a title is a button's label", `the status "x"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, findings := check("x.yaml", []byte(tt.text), noFile)
			if len(findings) != len(tt.want) {
				t.Fatalf("got %d findings, want %d:\n%v", len(findings), len(tt.want), findings)
			}
			for i, f := range findings {
				if !strings.Contains(f.String(), tt.want[i]) {
					t.Errorf("finding %d is %q, want it to hold %q", i, f, tt.want[i])
				}
			}
		})
	}
}

// rests is a knowledge file whose only answer rests on evidence, which is the
// whole source.
func rests(text, evidence string) string {
	return "announcement: {title: The news}\nsource: |\n  The news: " + evidence + "\nintents:\n  - {id: a, title: The news, examples: [b c], answers: [{text: \"" + text + "\", evidence: [\"" + evidence + "\"]}]}\n"
}

func TestSpeaker(t *testing.T) {
	const text = `announcement: {title: Who is glad}
source: |
  We are glad, the mayor said. "We are glad to go," Park said.
entities: [{id: park, kind: person, name: Park}, {id: mayor, kind: person, name: the mayor}]
quotes: [{id: glad, speaker: park, text: We are glad to go}]
intents:
  - id: glad
    title: Glad
    examples: [who is glad]
    answers: [{text: They are glad., evidence: [We are glad, We are glad to go, {text: glad to go, speaker: ""}, {text: to go, speaker: mayor}]}]
  - id: said
    title: Said
    examples: [who said so]
    answers: [{text: They are glad., speaker: mayor, evidence: [We are glad to go, {text: glad to go, speaker: ""}]}]
`
	b, findings := check("x.yaml", []byte(text), noFile)
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	for i, want := range [][]string{{"", "park", "", "mayor"}, {"mayor", ""}} {
		for j, e := range b.Intents[i].Answers[0].Evidence {
			if e.Speaker != want[j] {
				t.Errorf("the speaker of %q is %q, want %q", e.Text, e.Speaker, want[j])
			}
		}
	}
}

func TestInlineSource(t *testing.T) {
	for _, source := range []string{"Acme moves.\nIt does.\n", "    Acme moves.\n\n  It does.\n", "\n      Acme moves.\nIt does.\n", "\tAcme moves.\n  It does.\n", "Acme moves.\r\n\r\nIt does.\r\n"} {
		text, err := inlineSource([]byte("announcement: {title: Acme}\nsource: {file: acme.txt}\nintents: [{id: a, title: Acme, examples: [b c], answers: [{status: not_said}]}]\n"), []byte(source))
		if err != nil {
			t.Fatal(err)
		}
		b, findings := check("x.yaml", text, noFile)
		if want := newSource(source).sentences; len(findings) > 0 || !slices.Equal(b.Sentences, want) {
			t.Errorf("the source %q is read as %q, want %q (%v) from\n%s", source, b.Sentences, want, findings, text)
		}
	}
}

// TestDoubts finds what passes the gate and is worth a look.
func TestDoubts(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"lower-case name", rests("The boston office re-opened, didn't it.", "The office"), []string{`the word "boston" is neither`}},
		{"names in a title", strings.Replace(head, "Acme moves", "Acme Moves All Its 41 Desks to Boston and Turkey", 1) + strings.Replace(goodIntent, "title: Desks", "title: Fifty Ordinary Desks in June", 1),
			[]string{`"41"`, `"Boston"`, `"Turkey"`, `"Fifty"`, `"June"`}},
		{"name and role of an entity", strings.Replace(head, "Ada Park, role: the mayor", "Ada Parker, role: head of the party, aliases: [boss]", 1) + goodIntent,
			[]string{`the name "Ada Parker" is not in the source ("Parker" is not); put what people say in aliases`, `the role "head of the party" is not`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base, findings := check("x.yaml", []byte(tt.text), noFile)
			if len(findings) > 0 || len(base.doubts) != len(tt.want) {
				t.Fatalf("got %d findings and %d doubts, want 0 and %d:\n%v\n%v", len(findings), len(base.doubts), len(tt.want), findings, base.doubts)
			}
			for i, f := range base.doubts.sorted() {
				if !strings.Contains(f.String(), tt.want[i]) {
					t.Errorf("doubt %d is %q, want it to hold %q", i, f, tt.want[i])
				}
			}
		})
	}
}

func TestExpand(t *testing.T) {
	tests := []struct {
		in   string
		want []string
	}{
		{"plain", []string{"plain"}},
		{"(a|b) c", []string{"a c", "b c"}},
		{"(a|) (b|c)", []string{"a b", "a c", "b", "c"}},
		{"((a|b) x|y)", []string{"a x", "y", "b x"}},
		{"desks (all of them)", []string{"desks (all of them)"}},
		{":) how many", []string{":) how many"}},
	}
	for _, tt := range tests {
		got, err := expand(tt.in)
		slices.Sort(got)
		want := slices.Sorted(slices.Values(tt.want))
		if got = slices.Compact(got); err != nil || !slices.Equal(got, want) {
			t.Errorf("expand(%q) = %q, %v, want %q", tt.in, got, err, want)
		}
	}
}

func TestSentences(t *testing.T) {
	source := newSource("He said so. \"U.S. forces stay,\" said J. Kirby at 5 p.m. on Monday. Why? \"Yes.\" Dr. No left!\n\nA new\nparagraph")
	want := []string{"He said so.", `"U.S. forces stay," said J. Kirby at 5 p.m. on Monday.`, "Why?", `"Yes."`, "Dr. No left!", "A new paragraph"}
	if !slices.Equal(source.sentences, want) {
		t.Errorf("sentences are %q, want %q", source.sentences, want)
	}
	for text, want := range map[string]int{"forces stay,": 2, "“U.S. forces": 2, "left! A new": 5, "orces": 0, "stays": 0, "": 0} {
		if got := source.find(text); got != want {
			t.Errorf("find(%q) = %d, want %d", text, got, want)
		}
	}
}

// TestEmbeddedSource holds the embedded announcement to the one that podium
// was built for.
func TestEmbeddedSource(t *testing.T) {
	want, err := os.ReadFile("../../shared/announcement.txt")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("../shared/announcement.txt is not at hand")
	}
	got, err2 := embedded.ReadFile("announcement.txt")
	if err != nil || err2 != nil || string(got) != string(want) {
		t.Errorf("knowledge/announcement.txt differs from ../shared/announcement.txt (%v, %v)", err, err2)
	}
}

// TestEmbeddedFile loads the file that `podium knowledge` prints.
func TestEmbeddedFile(t *testing.T) {
	text, err := EmbeddedFile()
	if err != nil {
		t.Fatal(err)
	}
	inline, findings := check("template.yaml", text, noFile)
	if len(findings) > 0 {
		t.Fatalf("the printed file does not pass the gate:\n%v", findings)
	}
	base, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(inline.Sentences, base.Sentences) || len(inline.Intents) != len(base.Intents) {
		t.Errorf("the printed file has %d sentences and %d intents, want %d and %d", len(inline.Sentences), len(inline.Intents), len(base.Sentences), len(base.Intents))
	}
}

// TestEmbeddedSize holds the embedded file to the numbers of examples that
// make it understand people.
func TestEmbeddedSize(t *testing.T) {
	base, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range base.Intents {
		want := 40
		switch {
		case in.Answers[0].Status == NotSet:
			want = 100
		case in.Topic:
			want = 60
		}
		lines := slices.Compact(slices.Sorted(slices.Values(in.lines)))
		if len(lines) < want {
			t.Errorf("intent %s has %d lines of examples, want %d", in.ID, len(lines), want)
		}
	}
}

func TestSchema(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties map[string]struct{ Description string }
		Required   []string
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	if want := []string{"announcement", "source", "intents"}; !slices.Equal(schema.Required, want) {
		t.Errorf("required are %q, want %q", schema.Required, want)
	}
	for _, k := range fileKeys(&file{}) {
		if schema.Properties[k.name].Description != k.help {
			t.Errorf("the schema says %q of %s, want %q", schema.Properties[k.name].Description, k.name, k.help)
		}
	}
}

func TestLint(t *testing.T) {
	dir := t.TempDir()
	path := dir + "/acme.yaml"
	text := head + goodIntent + `  - id: move
    title: The move
    examples: [when do we move, moving day, date of the move, "when is the move?", the quote on the move]
    answers: [{text: "Acme will move on March 3, 2027.", evidence: ["Acme will move to Calder Bay on March 3, 2027"]}]
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := Lint(path, time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{2, 4}; !slices.Equal(report.Uncovered, want) {
		t.Errorf("uncovered sentences are %v, want %v", report.Uncovered, want)
	}
	var past, few int
	for _, w := range report.Warnings {
		if strings.Contains(w.Message, "3 March 2027, which is past") {
			past++
		}
		if strings.Contains(w.Message, "examples; people will ask") {
			few++
		}
	}
	if past != 1 || few != 2 {
		t.Errorf("%d warnings of past dates and %d of few examples, want 1 and 2: %v", past, few, report.Warnings)
	}
	if len(report.Intents) != 2 || report.Intents[1].Right > len(report.Base.Intents[1].Examples) {
		t.Errorf("the intents' report is %+v", report.Intents)
	}
}

// TestSourceBeside reads the source from the knowledge file's directory and
// from nowhere else, whatever the author of the file would like to quote.
func TestSourceBeside(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const said = "It rains."
	put("secret.txt", said)
	put("k/own.txt", said)
	put("k/deeper/own.txt", said)
	put("k/escape.txt", "It\nrains \x1b]0;title\x07.")
	put("k/latin.txt", "It rains \x9b2J.")
	put("k/long.txt", strings.Repeat(" ", maxSource)+said)
	for link, to := range map[string]string{"out.txt": "../secret.txt", "far.txt": filepath.Join(dir, "secret.txt"), "within.txt": "deeper/own.txt", "device.txt": "/dev/zero"} {
		if err := os.Symlink(to, filepath.Join(dir, "k", link)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"own.txt": "", "deeper/own.txt": "", "./own.txt": "", "deeper/../own.txt": "", "within.txt": "",
		"../secret.txt":                  "is not below the knowledge file's own directory",
		"deeper/../../secret.txt":        "is not below the knowledge file's own directory",
		filepath.Join(dir, "secret.txt"): "is not below the knowledge file's own directory",
		"/proc/self/environ":             "is not below the knowledge file's own directory",
		"out.txt":                        "escapes",
		"far.txt":                        "escapes",
		"device.txt":                     "escapes",
		"deeper":                         "is no plain file",
		"escape.txt":                     "control character (U+001B) in line 2",
		"latin.txt":                      "not UTF-8 text",
		"long.txt":                       "is longer than 4 MB",
		"none.txt":                       "no such file",
		"https://example.org/secret.txt": "no such file",
	} {
		path := filepath.Join(dir, "k", "k.yaml")
		put("k/k.yaml", "announcement: {title: Weather}\nsource: {file: '"+name+"'}\nintents: [{id: a, title: Weather, examples: [does it rain], answers: [{text: It rains., evidence: [It rains.]}]}]\n")
		_, err := Load(path)
		_, printed := LoadFile(path)
		for _, err := range []error{err, printed} {
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("source: {file: %s}: %v, want %q in the error", name, err, want)
			}
		}
	}
}

func FuzzKnowledgeFile(f *testing.F) {
	f.Add(head + goodIntent)
	f.Add("announcement: {title: [a]}\nsource: &x y\nintents: {a: *x}\n")
	f.Add("a: |\n  b\n- c")
	f.Add("\x00\xff: {}\n? [a]\n: b")
	f.Fuzz(func(t *testing.T, text string) {
		base, findings := check("f.yaml", []byte(text), noFile)
		if len(findings) > 0 {
			_ = findings.Error()
			return
		}
		for _, in := range base.Intents {
			for _, a := range in.Answers {
				for _, e := range a.Evidence {
					if e.Sentence < 1 || e.Sentence > len(base.Sentences) {
						t.Errorf("evidence %q is of sentence %d", e.Text, e.Sentence)
					}
				}
			}
		}
	})
}
