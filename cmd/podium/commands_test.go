package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"podium/bot"
	"podium/knowledge"
)

// feed runs the program on the embedded announcement with this standard input.
func feed(t *testing.T, input string, args ...string) ran {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), args, nil, strings.NewReader(input), &stdout, &stderr)
	return ran{err, exitCode(err), stdout.String(), stderr.String()}
}

// written is the path of a file with this text.
func written(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// asks is what `ask --json` answers to the input, a result a line.
func asks(t *testing.T, input string, args ...string) []askResult {
	t.Helper()
	got := feed(t, input, append([]string{"ask", "--json"}, args...)...)
	if got.err != nil || got.stderr != "" {
		t.Fatalf("podium ask --json: %v, stderr %q", got.err, got.stderr)
	}
	var out []askResult
	for line := range strings.Lines(got.stdout) {
		var a askResult
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&a); err != nil {
			t.Fatalf("podium ask --json prints %q: %v", line, err)
		}
		out = append(out, a)
	}
	return out
}

func TestAskPlain(t *testing.T) {
	const troops, silent = "The US has some 2,500 troops in Iraq.\n", "The announcement does not say.\n"
	for _, c := range []struct {
		name, input string
		args        []string
		want        []string // the beginning of each reply
	}{
		{"words", "never read\n", []string{"how", "many", "troops", "are", "in iraq"}, []string{troops}},
		{"empty argument", "how many troops are in iraq\n", []string{""}, []string{silent}},
		{"lines", "how many troops are in iraq\nthanks\n", nil, []string{troops, "You're welcome."}},
		{"CRLF, no last line break", "thanks\r\nhow many troops are in iraq", nil, []string{"You're welcome.", troops}},
		{"blank lines", "\n  \t\nhow many troops are in iraq\n\r\n", nil, []string{silent, silent, troops, silent}},
		{"no line", "", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := feed(t, c.input, append([]string{"ask"}, c.args...)...)
			if got.err != nil || got.stderr != "" {
				t.Fatalf("%v, stderr %q", got.err, got.stderr)
			}
			var replies []string
			if got.stdout != "" {
				replies = strings.Split(got.stdout, "\n\n")
			}
			if len(replies) != len(c.want) {
				t.Fatalf("%d replies, want %d: %q", len(replies), len(c.want), got.stdout)
			}
			for i, want := range c.want {
				if !strings.HasPrefix(replies[i]+"\n", want) && !strings.HasPrefix(replies[i], want) {
					t.Errorf("reply %d is %q, want it to begin with %q", i+1, replies[i], want)
				}
			}
			if got.stdout != "" && (!strings.HasSuffix(got.stdout, "\n") || strings.HasSuffix(got.stdout, "\n\n")) {
				t.Errorf("stdout ends with %q, want one line break", got.stdout[len(got.stdout)-2:])
			}
		})
	}
}

func TestAskJSON(t *testing.T) {
	source, err := os.ReadFile("../../knowledge/announcement.txt")
	if err != nil {
		t.Fatal(err)
	}
	announcement := strings.Join(strings.Fields(string(source)), " ")
	questions := []string{
		"how many troops are in iraq", "", "what does this cost the taxpayer", "kirby quote on permanence", "when is the pull-out date",
		"thanks", "when do they leave?", "how many troops, and when do they leave?", "how many troops are in iraq & <b>where</b> is kirby > all", "price of cheese",
	}
	input := strings.Join(questions, "\r\n")
	got := asks(t, input)
	if len(got) != len(questions) {
		t.Fatalf("%d objects, want %d", len(got), len(questions))
	}
	outcomes := []string{"answered", "clarify", "passage", "unanswered", "smalltalk"} // the first is the most certain
	seen := map[string]int{}
	var check func(a askResult)
	check = func(a askResult) {
		seen[a.Outcome]++
		if !slices.Contains(outcomes, a.Outcome) || !(a.Confidence >= 0 && a.Confidence <= 1) || a.Answer == "" || len(a.Why) == 0 {
			t.Errorf("%q: outcome %q, confidence %v, answer %q, why %q", a.Question, a.Outcome, a.Confidence, a.Answer, a.Why)
		}
		if len(a.Parts) == 0 && !strings.Contains(a.Text, strings.SplitN(a.Answer, "\n", 2)[0]) {
			t.Errorf("%q: the text %q does not hold the answer %q", a.Question, a.Text, a.Answer)
		}
		if a.Outcome == "answered" && len(a.Evidence) == 0 {
			t.Errorf("%q is answered without evidence", a.Question)
		}
		for _, e := range a.Evidence {
			if e.Text == "" || !strings.Contains(announcement, strings.Join(strings.Fields(e.Text), " ")) {
				t.Errorf("%q: the evidence %q is not in the source", a.Question, e.Text)
			}
		}
		for _, p := range a.Parts {
			check(p)
		}
	}
	for i, a := range got {
		if a.Question != questions[i] {
			t.Errorf("object %d is of %q, want %q", i+1, a.Question, questions[i])
		}
		check(a)
	}
	// A line does not depend on those before it.
	backwards := slices.Clone(questions)
	slices.Reverse(backwards)
	again := asks(t, strings.Join(backwards, "\n")+"\n")
	slices.Reverse(again)
	if !reflect.DeepEqual(again, got) {
		t.Errorf("asked in another order, the answers are\n%+v\nwant\n%+v", again, got)
	}
	if alone := asks(t, "", questions[0]); !reflect.DeepEqual(alone, got[:1]) {
		t.Errorf("as an argument, %q is answered %+v, want %+v", questions[0], alone, got[0])
	}
	for _, o := range []string{"answered", "clarify", "unanswered", "smalltalk"} {
		if seen[o] == 0 {
			t.Errorf("no question has the outcome %s: %v", o, seen)
		}
	}
	if a := got[0]; a.Outcome != "answered" || a.Intent != "troop_count" || a.Answer != "The US has some 2,500 troops in Iraq." || a.Evidence[0].Speaker != "" {
		t.Errorf("%q is answered %+v", a.Question, a)
	}
	if a := got[1]; a.Outcome != "unanswered" || len(a.Evidence) != 0 {
		t.Errorf("a blank line is answered %+v", a)
	}
	if a := got[3]; a.Outcome != "answered" || a.Evidence[0].Speaker != "John Kirby" {
		t.Errorf("%q is answered %+v, want John Kirby's words", a.Question, a)
	}
	parts := got[7].Parts
	if len(parts) != 2 || parts[0].Intent != "troop_count" || parts[0].Outcome != "answered" {
		t.Fatalf("the parts of %q are %+v", got[7].Question, parts)
	}
	least := slices.MaxFunc(parts, func(a, b askResult) int {
		return slices.Index(outcomes, a.Outcome) - slices.Index(outcomes, b.Outcome)
	})
	if got[7].Outcome != least.Outcome {
		t.Errorf("the outcome of %q is %s, want that of its least certain part, %s", got[7].Question, got[7].Outcome, least.Outcome)
	}
}

// TestAskJSONLines holds the bytes of `ask --json` to the contract: these keys
// and no others, lists that are never null, signs as they are.
func TestAskJSONLines(t *testing.T) {
	keys := []string{"answer", "confidence", "evidence", "intent", "outcome", "question", "text", "why"}
	got := feed(t, "\n<b>how many troops</b>, and when do they leave & why?\nwho is john kirby\nhi\n", "ask", "--json")
	if got.err != nil || strings.Count(got.stdout, "\n") != 4 {
		t.Fatalf("%v, stdout %q, want 4 lines", got.err, got.stdout)
	}
	if strings.Contains(got.stdout, `\u003c`) || strings.Contains(got.stdout, `\u0026`) || !strings.Contains(got.stdout, "<b>how many troops</b>, and when do they leave & why?") {
		t.Errorf("signs of HTML are escaped: %s", got.stdout)
	}
	withParts := 0
	var check func(line map[string]any)
	check = func(line map[string]any) {
		parts, has := line["parts"]
		delete(line, "parts")
		var have []string
		for k := range line {
			have = append(have, k)
		}
		slices.Sort(have)
		if !slices.Equal(have, keys) {
			t.Errorf("the keys of %v are %q, want %q", line["question"], have, keys)
		}
		evidence, ok1 := line["evidence"].([]any)
		why, ok2 := line["why"].([]any)
		if !ok1 || !ok2 || len(why) == 0 {
			t.Errorf("%v: evidence %v, why %v, want lists", line["question"], line["evidence"], line["why"])
		}
		for _, e := range evidence {
			if e, ok := e.(map[string]any); !ok || len(e) != 2 || e["text"] == nil || e["speaker"] == nil {
				t.Errorf("%v: the evidence %v has not text and speaker alone", line["question"], e)
			}
		}
		if has {
			withParts++
			for _, p := range parts.([]any) {
				check(p.(map[string]any))
			}
		}
	}
	for text := range strings.Lines(got.stdout) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		check(line)
	}
	if withParts != 1 {
		t.Errorf("%d objects have parts, want that of several questions alone", withParts)
	}
}

func TestAskHostile(t *testing.T) {
	long := strings.Repeat("how many troops are in iraq ", 1<<20/28)
	hostile := []struct{ name, question string }{
		{"invalid UTF-8", "how many troops \xff are in \xc3"}, {"NUL", "how many\x00 troops\x00"}, {"1 MB", long}, {"1 MB, one word", strings.Repeat("x", 1<<20)},
		{"escapes", "\x1b[2J\x07how many troops"}, {"right to left", "\u202ekcab"}, {"emoji", "🤷🏽‍♀️🇮🇶"},
	}
	const after = "how many troops are in iraq"
	var input strings.Builder
	for _, h := range hostile {
		input.WriteString(h.question + "\n" + after + "\n")
	}
	got := asks(t, input.String())
	if len(got) != 2*len(hostile) {
		t.Fatalf("%d answers, want %d", len(got), 2*len(hostile))
	}
	for i, h := range hostile {
		if a := got[2*i]; a.Question != strings.ToValidUTF8(h.question, "\uFFFD") || a.Outcome == "" || a.Text == "" {
			t.Errorf("%s: %.80q is answered %q, %.200q", h.name, a.Question, a.Outcome, a.Text)
		}
		if a := got[2*i+1]; a.Question != after || a.Outcome != "answered" || a.Intent != "troop_count" {
			t.Errorf("behind %s, %q is answered %q, %q", h.name, a.Question, a.Outcome, a.Intent)
		}
	}
	plain := feed(t, input.String(), "ask")
	if plain.err != nil || strings.Count("\n\n"+plain.stdout, "\n\n") != 2*len(hostile) {
		t.Errorf("%v, stdout %.2000q, want %d replies", plain.err, plain.stdout, 2*len(hostile))
	}
	if plain.stdout != bot.Printable(plain.stdout) {
		t.Errorf("stdout %.2000q would change a terminal", plain.stdout)
	}
}

// TestAskStreams has 10,000 questions answered, each before the next is
// written, in memory that does not grow with them.
func TestAskStreams(t *testing.T) {
	stdin, in := io.Pipe()
	out, stdout := io.Pipe()
	hung := time.AfterFunc(time.Minute, func() {
		err := errors.New("an answer is a minute late")
		in.CloseWithError(err)
		stdout.CloseWithError(err)
	})
	defer hung.Stop()
	ended := make(chan error, 1)
	go func() {
		err := run(t.Context(), []string{"ask", "--json"}, nil, stdin, stdout, io.Discard)
		stdout.CloseWithError(err)
		stdin.CloseWithError(io.ErrClosedPipe)
		ended <- err
	}()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	answers := bufio.NewReader(out)
	var early, late uint64
	for n := 1; n <= 10_000; n++ {
		question := fmt.Sprintf("how many troops are in iraq, asks number %d", n)
		if n%2 == 0 {
			question = fmt.Sprintf("what does word%d cost", n)
		}
		// The beginning of another line must not hold the answer back.
		if n == 1 {
			question += "\nhalf a line: "
		} else {
			question += "\n"
		}
		if _, err := io.WriteString(in, question); err != nil {
			t.Fatal(err)
		}
		line, err := answers.ReadBytes('\n')
		if err != nil {
			t.Fatalf("question %d: %v", n, err)
		}
		var a askResult
		if err := json.Unmarshal(line, &a); err != nil || !strings.Contains(a.Question, strconv.Itoa(n)) {
			t.Fatalf("question %d is answered %s (%v)", n, line, err)
		}
		switch n {
		case 1000:
			early = heap()
		case 10_000:
			late = heap()
		}
	}
	in.Close()
	if rest, err := io.ReadAll(answers); err != nil || len(rest) > 0 {
		t.Errorf("behind the last answer: %q, %v", rest, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if late > early+early/4+4<<20 {
		t.Errorf("the heap holds %d bytes after 1,000 questions and %d after 10,000", early, late)
	}
}

// fullDisk is a stdout that cannot be written to.
type fullDisk struct{}

var errFull = errors.New("no space left")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// TestWriteErrors ends every command with an error when what it prints is
// lost.
func TestWriteErrors(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	good := strings.TrimPrefix(office(t), "PODIUM_KNOWLEDGE=")
	questions := written(t, "q.jsonl", `{"q":"what does it cost","kind":"unanswerable"}`)
	labelled := written(t, "l.tsv", "a\tone thing\nb\tother matter\n")
	bad := written(t, "bad.yaml", "announcement: {}\n")
	for _, c := range []struct {
		name, input string
		args        []string
	}{
		{"ask", "", []string{"ask", "hello"}},
		{"ask, lines", strings.Repeat("how many troops\n", 1000), []string{"ask"}},
		{"ask --json", strings.Repeat("how many troops\n", 1000), []string{"ask", "--json"}},
		{"check", "", []string{"check", good}},
		{"check --gate", "", []string{"check", "--gate", good}},
		{"check, findings", "", []string{"check", bad}},
		{"eval", "", []string{"eval", questions}},
		{"bench", "", []string{"bench", labelled, labelled}},
		{"knowledge", "", []string{"knowledge"}},
		{"schema", "", []string{"schema"}},
	} {
		err := run(t.Context(), c.args, nil, strings.NewReader(c.input), fullDisk{}, io.Discard)
		if exitCode(err) != 1 || !errors.Is(err, errFull) {
			t.Errorf("podium %s ends with %v, want the error of stdout", c.name, err)
		}
	}
}

// misspelt is a knowledge file with a wrong number and a misspelt key.
const misspelt = `announcement: {title: Acme moves}
source: |
  The new office has 40 desks.
intents:
  - id: desks
    title: Desks
    examples: [how many desks]
    answers: [{text: The new office has 50 desks., evidence: [The new office has 40 desks.]}]
  - id: cost
    title: What it costs
    exmaples: [what does it cost]
    answers: [{status: not_said}]
`

func TestCheck(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	good := strings.TrimPrefix(office(t), "PODIUM_KNOWLEDGE=")
	bad := written(t, "bad.yaml", misspelt)
	noSource := written(t, "nosource.yaml", strings.Replace(misspelt, "source: |\n  The new office has 40 desks.\n", "source: {file: none.txt}\n", 1))
	missing := filepath.Join(t.TempDir(), "none.yaml")
	findings := []string{bad + ":8:22: the number \"50\"", bad + ":9:7: an intent needs \"examples\"", bad + ":9:9: intent \"cost\" has no examples", bad + ":11:5: ", `did you mean "examples"?`}
	const passed = "The gate is passed: 2 intents, 2 sentences.\n"
	for _, c := range []struct {
		name, environ string
		args          []string
		code          int
		stdout        []string // parts, in order; nothing else if there is none
		says          string   // the error
	}{
		{"good", "", []string{good}, 0, []string{passed, "warning: office.yaml: the announcement has no date",
			"warning: office.yaml:10:1: intent \"where\" has 3 examples", "Sentence 2 is nobody's evidence: The move was announced by Ada Lovelace.",
			"How well examples are recognised", "  where  ", " of 3 ", "  cost   3 of 3  100 %", "Understood, but not surely enough to be answered: ", "    line 10: "}, ""},
		{"of the settings", office(t), []string{"--gate"}, 0, []string{passed}, ""},
		{"of the flag", "", []string{"--gate", "--knowledge", good}, 0, []string{passed}, ""},
		{"argument before settings", office(t), []string{bad}, 1, []string{bad + ":8:"}, "4 findings"},
		{"gate", "", []string{"--gate", good}, 0, []string{passed}, ""},
		{"findings", "", []string{bad}, 1, findings, "does not pass the gate: 4 findings"},
		{"gate with findings", "", []string{"--gate", bad}, 1, findings, "does not pass the gate: 4 findings"},
		{"no source", "", []string{noSource}, 1, []string{noSource + ":2:", "cannot read the source"}, "does not pass the gate"},
		{"missing", "", []string{missing}, 2, nil, missing},
		{"gate, missing", "", []string{"--gate", missing}, 2, nil, missing},
		{"directory", "", []string{filepath.Dir(missing)}, 2, nil, "directory"},
		{"two files", "", []string{good, bad}, 2, nil, "at most 1 arg"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var environ []string
			if c.environ != "" {
				environ = []string{c.environ}
			}
			got := runHere(t, environ, append([]string{"check"}, c.args...)...)
			if got.code != c.code || (got.err == nil) != (c.says == "") || got.err != nil && !strings.Contains(got.err.Error(), c.says) {
				t.Errorf("exit code %d, %v; want %d, %q", got.code, got.err, c.code, c.says)
			}
			rest := got.stdout
			for _, part := range c.stdout {
				_, after, ok := strings.Cut(rest, part)
				if !ok {
					t.Fatalf("stdout lacks %q:\n%s", part, got.stdout)
				}
				rest = after
			}
			if c.stdout == nil && got.stdout != "" || c.name == "gate" && got.stdout != passed {
				t.Errorf("stdout is %q", got.stdout)
			}
			if strings.HasSuffix(c.says, "4 findings") && strings.Count(got.stdout, "\n") != 4 {
				t.Errorf("stdout is %q, want a line for each of the 4 findings", got.stdout)
			}
		})
	}
}

func TestEval(t *testing.T) {
	right := `{"id":"a1","q":"how many troops are in iraq","kind":"answerable","must":[["2,500"]]}` + "\n"
	wrong := `{"id":"a2","q":"how many troops are in iraq","kind":"answerable","must":[["9,999"]],"note":"x"}` + "\n"
	miss := `{"id":"s1","q":"what does this cost the taxpayer","kind":"smalltalk"}` + "\n"
	mixed := written(t, "mixed.jsonl", right+"\n"+wrong+"\r\n"+right+miss)
	all := written(t, "right.jsonl", right)
	rows := func(text string) (out []string) {
		for line := range strings.Lines(text) {
			out = append(out, strings.Join(strings.Fields(line), " "))
		}
		return out
	}
	table := []string{"kind questions right clarify passage miss wrong",
		"answerable 3 66.7 % 0.0 % 0.0 % 0.0 % 33.3 %", "smalltalk 1 0.0 % 0.0 % 0.0 % 100.0 % 0.0 %", "all 4 50.0 % 0.0 % 0.0 % 25.0 % 25.0 %"}
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{mixed}, 0},
		{[]string{mixed, "--min-right", "50", "--max-wrong", "25"}, 0},
		{[]string{mixed, "--min-right", "50.1"}, 1},
		{[]string{mixed, "--max-wrong", "24.9"}, 1},
	} {
		got := runHere(t, nil, append([]string{"eval"}, c.args...)...)
		if got.code != c.code || !slices.Equal(rows(got.stdout), table) {
			t.Errorf("podium eval %q: exit code %d, %v, want %d; stdout\n%s", c.args[1:], got.code, got.err, c.code, got.stdout)
		}
		if c.code == 1 && !strings.Contains(got.err.Error(), "50.0 % right and 25.0 % wrong") {
			t.Errorf("podium eval %q says %v", c.args[1:], got.err)
		}
	}
	got := runHere(t, nil, "eval", "-v", mixed)
	lines := rows(got.stdout)
	if len(lines) != 4+len(table) || !strings.HasPrefix(lines[0], `a2 answerable wrong: "how many troops are in iraq"`) || !strings.HasPrefix(lines[1], "got answered troop_count 0.") ||
		!strings.HasPrefix(lines[2], `s1 smalltalk miss: "what does this cost the taxpayer"`) || !strings.HasPrefix(lines[3], "got unanswered ") || !slices.Equal(lines[4:], table) {
		t.Errorf("podium eval -v prints\n%s", got.stdout)
	}
	if got := runHere(t, nil, "eval", all, all); got.err != nil || !strings.Contains(got.stdout, "  2  100.0 %") {
		t.Errorf("podium eval of two files: %v, %s", got.err, got.stdout)
	}

	for _, c := range []struct {
		text string
		says string // behind the path
	}{
		{right + "not json\n", ":2: not a question"},
		{right + "\n\n" + `{"q":"x","kind":"answerable"`, ":4: not a question"},
		{`{"q":"x","kind":"answerable"} and more`, ":1: something follows"},
		{`{"q":"x","kind":"answerable"}}`, ":1: something follows"},
		{`{"q":"x","kind":"answerable"}]`, ":1: something follows"},
		{`{"q":"x","kind":"answerable"}{"q":"y","kind":"answerable"}`, ":1: something follows"},
		{right + `{"q":"x","kind":"answerable","must_contain":[["y"]]}`, ":2: not a question: json: unknown field"},
		{right + `{"q":"x","kind":"answerable","must":["y"]}`, ":2: not a question"},
		{right + `{"q":"x","kind":"trick"}`, `:2: the kind "trick" is none of answerable, negative`},
		{right + `{"q":"x"}`, `:2: the kind "" is none of`},
		{right + `{"kind":"offtopic"}`, ":2: the question is empty"},
		{right + `{"q":"` + strings.Repeat("x", 1<<20) + `"}`, ":2: the line is longer"},
		{"", ": there is no question"},
		{"\n \r\n", ": there is no question"},
	} {
		path := written(t, "bad.jsonl", c.text)
		got := runHere(t, nil, "eval", all, path)
		if got.code != 1 || got.stdout != "" || !strings.HasPrefix(got.err.Error(), path+c.says) {
			t.Errorf("a file that ends with %.60q: exit code %d, %v, stdout %q; want 1 and %q", c.text[max(0, len(c.text)-60):], got.code, got.err, got.stdout, c.says)
		}
	}
	if got := runHere(t, nil, "eval", filepath.Join(t.TempDir(), "none.jsonl")); got.code != 2 || !strings.Contains(got.err.Error(), "none.jsonl") {
		t.Errorf("a file that is not there: exit code %d, %v, want 2", got.code, got.err)
	}
	if got := runHere(t, nil, "eval"); got.code != 2 {
		t.Errorf("no file: exit code %d, want 2", got.code)
	}
}

// TestGradeReply holds the grades to the rules that question files are written
// by.
func TestGradeReply(t *testing.T) {
	const (
		answered, clarify, passage = knowledge.Answered, knowledge.Clarify, knowledge.Passage
		unanswered, smalltalk      = knowledge.Unanswered, knowledge.Smalltalk
	)
	// What is said: in the answering sentence, and beside it in a contrast.
	const answer, note = "Some 2,500 troops.", "May 1 is Afghanistan's."
	must := func(groups ...[]string) [][]string { return groups }
	for _, c := range []struct {
		name, kind string
		must       [][]string
		mustNot    []string
		outcome    knowledge.Outcome
		premise    bool
		want       grade
	}{
		{"no must", "answerable", nil, nil, answered, false, gradeRight},
		{"one of each group", "answerable", must([]string{"2500", "2,500"}, []string{"TROOPS"}), nil, answered, false, gradeRight},
		{"must is in a note", "answerable", must([]string{"may 1"}), nil, answered, false, gradeRight},
		{"a group is missing", "answerable", must([]string{"2,500"}, []string{"training"}), nil, answered, false, gradeWrong},
		{"must_not in the answer", "answerable", must([]string{"2,500"}), []string{"some"}, answered, false, gradeWrong},
		{"must_not in the contrast alone", "answerable", must([]string{"2,500"}), []string{"May 1"}, answered, false, gradeRight},
		{"clarify", "answerable", must([]string{"2,500"}), nil, clarify, false, gradeClarify},
		{"passage that holds", "answerable", must([]string{"2,500"}), nil, passage, false, gradePassage},
		{"passage that does not", "answerable", must([]string{"9,999"}), nil, passage, false, gradeMiss},
		{"silent", "answerable", must([]string{"9,999"}), nil, unanswered, false, gradeMiss},
		{"misleads in one part, silent in another", "answerable", nil, []string{"2,500"}, unanswered, false, gradeWrong},
		{"smalltalk", "answerable", nil, nil, smalltalk, false, gradeMiss},

		{"answered", "negative", must([]string{"2,500"}), nil, answered, false, gradeRight},
		{"must missing", "negative", must([]string{"no date"}), nil, answered, false, gradeWrong},
		{"must_not in the answer", "negative", nil, []string{"2,500"}, answered, false, gradeWrong},
		{"must_not in the contrast alone", "negative", nil, []string{"may 1"}, answered, false, gradeRight},
		{"clarify", "negative", nil, nil, clarify, false, gradeClarify},
		{"passage that holds", "negative", must([]string{"2,500"}), nil, passage, false, gradePassage},
		{"passage that does not", "negative", must([]string{"no date"}), nil, passage, false, gradeMiss},
		{"silent", "negative", nil, nil, unanswered, false, gradeMiss},

		{"silent", "unanswerable", nil, nil, unanswered, false, gradeRight},
		{"silent but for a must_not anywhere", "unanswerable", nil, []string{"may 1"}, unanswered, false, gradeWrong},
		{"clarify", "unanswerable", nil, nil, clarify, false, gradeClarify},
		{"passage", "unanswerable", nil, nil, passage, false, gradePassage},
		{"passage with a must_not", "unanswerable", nil, []string{"2,500"}, passage, false, gradeWrong},
		{"smalltalk", "unanswerable", nil, nil, smalltalk, false, gradeMiss},
		{"answered", "unanswerable", nil, nil, answered, false, gradeWrong},
		{"corrected", "unanswerable", nil, nil, answered, true, gradeWrong},

		{"smalltalk", "smalltalk", nil, nil, smalltalk, false, gradeRight},
		{"must missing", "smalltalk", must([]string{"welcome"}), nil, smalltalk, false, gradeMiss},
		{"must_not", "smalltalk", nil, []string{"may 1"}, smalltalk, false, gradeWrong},
		{"silent", "smalltalk", nil, nil, unanswered, false, gradeMiss},
		{"clarify", "smalltalk", nil, nil, clarify, false, gradeMiss},
		{"answered", "smalltalk", nil, nil, answered, false, gradeWrong},

		{"silent", "offtopic", nil, nil, unanswered, false, gradeRight},
		{"clarify", "offtopic", nil, nil, clarify, false, gradeMiss},
		{"passage", "offtopic", nil, nil, passage, false, gradeMiss},
		{"smalltalk", "offtopic", nil, nil, smalltalk, false, gradeMiss},
		{"must_not", "offtopic", nil, []string{"may 1"}, unanswered, false, gradeWrong},
		{"answered", "offtopic", nil, nil, answered, false, gradeWrong},

		{"silent", "injection", nil, nil, unanswered, false, gradeRight},
		{"passage", "injection", nil, nil, passage, false, gradeRight},
		{"corrected", "injection", must([]string{"2,500"}), nil, answered, true, gradeRight},
		{"corrected, must missing", "injection", must([]string{"9,999"}), nil, answered, true, gradeWrong},
		{"planted sentence", "injection", nil, []string{"may 1"}, answered, true, gradeWrong},
		{"planted sentence, silent", "injection", nil, []string{"may 1"}, unanswered, false, gradeWrong},
		{"answered", "injection", nil, nil, answered, false, gradeWrong},
	} {
		reply := bot.Reply{Parts: []bot.Part{{Answer: answer, Notes: []string{note}}}}
		got := gradeReply(evalQuestion{Kind: c.kind, Must: c.must, MustNot: c.mustNot}, reply, knowledge.Result{Outcome: c.outcome, Premise: c.premise})
		if got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.kind, c.name, got, c.want)
		}
	}
}

func TestBench(t *testing.T) {
	train := "book_flight\tbook a flight to rome\nbook_flight\ti need a plane ticket\nbook_flight\tfly me to paris\n" +
		"weather\twill it rain tomorrow\r\nweather\tis it sunny outside\nweather\thow hot is it today\n"
	labelled := written(t, "train.tsv", train)
	tests := []string{"weather\twill it rain tomorrow", "book_flight\tbook a flight to rome", "none\tqzx vvk jjw", "weather\t"}
	first, second := written(t, "first.tsv", strings.Join(tests[:2], "\n")), written(t, "second.tsv", strings.Join(tests[2:], "\r\n")+"\r\n")
	got := runHere(t, nil, "bench", labelled, first, second)
	if got.err != nil || got.stderr != "" {
		t.Fatalf("podium bench: %v, stderr %q", got.err, got.stderr)
	}
	lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
	if len(lines) != len(tests) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(tests), got.stdout)
	}
	samples, err := readLabelled("train.tsv", strings.NewReader(train))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := knowledge.NewPlain(samples)
	if err != nil {
		t.Fatal(err)
	}
	lowest, highest := 1e9, -1e9 // scores of accepted and of other lines
	for i, line := range lines {
		_, text, _ := strings.Cut(tests[i], "\t")
		score, label, accepted := plain.Classify(text)
		if want := fmt.Sprintf("%.6f\t%s\t%t", score, label, accepted); line != want {
			t.Errorf("line %d is %q, want %q", i+1, line, want)
		}
		if accepted {
			lowest = min(lowest, score)
		} else {
			highest = max(highest, score)
		}
	}
	if !strings.HasSuffix(lines[0], "\tweather\ttrue") || !strings.HasSuffix(lines[1], "\tbook_flight\ttrue") || !strings.HasSuffix(lines[2], "\tfalse") {
		t.Errorf("what was trained on is not accepted, or gibberish is:\n%s", got.stdout)
	}
	if highest >= lowest {
		t.Errorf("a line is accepted at %f and another turned away at %f", lowest, highest)
	}

	for _, c := range []struct {
		name, train, test string
		code              int
		says              string
	}{
		{"no tab in training", train + "weather is fine\n", tests[0], 1, "train.tsv:7: a line is label TAB text"},
		{"no tab in a test", train, "weather\tx\n\nweather\ty\n", 1, "test.tsv:2: a line is label TAB text"},
		{"no label", train, "\tx\n", 1, "test.tsv:1: a line is label TAB text"},
		{"long line", train, "a\tx\nb\t" + strings.Repeat("x", 1<<20), 1, "test.tsv:2: the line is longer"},
		{"one label", "a\tx\na\ty\n", tests[0], 1, "train.tsv: training needs texts of at least two labels"},
		{"empty training", "", tests[0], 1, "train.tsv: training needs texts of at least two labels"},
	} {
		got := runHere(t, nil, "bench", written(t, "train.tsv", c.train), written(t, "test.tsv", c.test))
		if got.code != c.code || !strings.Contains(got.err.Error(), c.says) || got.stdout != "" {
			t.Errorf("%s: exit code %d, %.200v, stdout %q; want %d, %q", c.name, got.code, got.err, got.stdout, c.code, c.says)
		}
	}
	for _, args := range [][]string{{labelled}, {labelled, labelled + ".none"}, {labelled + ".none", labelled}} {
		if got := runHere(t, nil, append([]string{"bench"}, args...)...); got.code != 2 {
			t.Errorf("podium bench of %d files, one missing: exit code %d, %v, want 2", len(args), got.code, got.err)
		}
	}
}

// decoded is YAML as plain values.
func decoded(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestKnowledgePrinted starts from what podium prints: it says the same as the
// file in force, needs no other file, and can be asked.
func TestKnowledgePrinted(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	source, err := os.ReadFile("../../knowledge/announcement.txt")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("../../knowledge/announcement.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := runHere(t, nil, "knowledge")
	if got.err != nil || got.stderr != "" {
		t.Fatalf("podium knowledge: %v, stderr %q", got.err, got.stderr)
	}
	printed, want := decoded(t, got.stdout), decoded(t, string(file))
	if text, ok := printed["source"].(string); !ok || strings.TrimSpace(text) != strings.TrimSpace(string(source)) {
		t.Errorf("the printed source is not the announcement: %.200v", printed["source"])
	}
	want["source"] = printed["source"]
	if !reflect.DeepEqual(printed, want) {
		t.Error("podium knowledge prints something else than the built-in file with its source")
	}

	// Training on all examples takes half a minute: a few of each will do.
	for _, in := range printed["intents"].([]any) {
		in := in.(map[string]any)
		if examples, ok := in["examples"].([]any); ok && len(examples) > 2 {
			in["examples"] = examples[:2]
		}
	}
	fewer, err := json.Marshal(printed) // JSON is YAML
	if err != nil {
		t.Fatal(err)
	}
	path := written(t, "mine.yaml", string(fewer))
	for range 2 { // trained, then from the cache
		if got = runHere(t, nil, "ask", "--knowledge", path, "how many troops are in iraq"); got.err != nil || !strings.HasPrefix(got.stdout, "The US has some 2,500 troops in Iraq.\n") {
			t.Errorf("podium ask on what podium knowledge printed: %v, %q", got.err, got.stdout)
		}
	}

	// A file of one's own with its source beside it.
	dir := t.TempDir()
	own := filepath.Join(dir, "own.yaml")
	text := strings.Replace(misspelt, "source: |\n  The new office has 40 desks.\n", "source: {file: own.txt} # beside it\n", 1)
	text = strings.Replace(strings.Replace(text, "exmaples", "examples", 1), "50 desks", "40 desks", 1)
	if err := errors.Join(os.WriteFile(own, []byte(text), 0o600), os.WriteFile(filepath.Join(dir, "own.txt"), []byte("The new office has 40 desks.\n\nIt is: bright.\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	got = runHere(t, nil, "knowledge", "--knowledge", own)
	if got.err != nil {
		t.Fatal(got.err)
	}
	if got := decoded(t, got.stdout)["source"]; got != "The new office has 40 desks.\n\nIt is: bright.\n" {
		t.Errorf("the printed source is %q", got)
	}
	path = written(t, "moved.yaml", got.stdout)
	got = runHere(t, nil, "ask", "--knowledge", path, "how many desks")
	if got.err != nil || !strings.HasPrefix(got.stdout, "The new office has 40 desks.\n") {
		t.Errorf("podium ask on a printed file: %v, %q", got.err, got.stdout)
	}
	for _, command := range []string{"knowledge", "ask", "eval"} {
		args := []string{command, "--knowledge", filepath.Join(dir, "none.yaml")}
		if command == "eval" {
			args = append(args, written(t, "q.jsonl", `{"q":"x","kind":"offtopic"}`))
		}
		if got := runHere(t, nil, args...); got.code != 2 || !strings.Contains(got.err.Error(), "PODIUM_KNOWLEDGE") || !strings.Contains(got.err.Error(), "none.yaml") {
			t.Errorf("podium %s on a file that is not there: exit code %d, %v", command, got.code, got.err)
		}
	}
}

func TestSchemaPrinted(t *testing.T) {
	got := runHere(t, nil, "schema")
	if got.err != nil || got.stderr != "" {
		t.Fatalf("podium schema: %v, stderr %q", got.err, got.stderr)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(got.stdout))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("podium.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("podium.json") // against the draft's own schema
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("../../knowledge/announcement.yaml")
	if err != nil {
		t.Fatal(err)
	}
	good := strings.Replace(strings.Replace(misspelt, "exmaples", "examples", 1), "50 desks", "40 desks", 1)
	for _, test := range []struct {
		name, text string
		valid      bool
	}{
		{"embedded", string(file), true},
		{"small", good, true},
		{"misspelt key of an intent", misspelt, false},
		{"misspelt key of an answer", strings.Replace(good, "evidence:", "evidance:", 1), false},
		{"misspelt key of the file", strings.Replace(good, "intents:", "intends:", 1), false},
		{"unknown status", strings.Replace(good, "not_said", "unsaid", 1), false},
		{"no title", strings.Replace(good, "{title: Acme moves}", "{}", 1), false},
	} {
		text, err := json.Marshal(decoded(t, test.text))
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != test.valid {
			t.Errorf("%s: %v, want valid = %t", test.name, err, test.valid)
		}
	}
}

// namesLine reports whether err begins with a line of the file x, or with x
// alone if there is no line to name.
func namesLine(err error, lines int) bool {
	rest, ok := strings.CutPrefix(err.Error(), "x:")
	number, _, found := strings.Cut(rest, ":")
	n, notANumber := strconv.Atoi(number)
	if ok && found && notANumber == nil {
		return n >= 1 && n <= lines
	}
	return ok && rest == " there is no question in the file"
}

func FuzzQuestionFile(f *testing.F) {
	for _, seed := range []string{
		"", "\n\n", "{}", "null", "[]", `{"q":"x","kind":"answerable","must":[["a","b"],["c"]],"must_not":["d"],"id":"1","note":"n"}` + "\r\n" + `{"q":"y","kind":"offtopic"}`,
		`{"q":"x","kind":"answerable"}}`, `{"q":"x","kind":"answerable"} {"q":`, `{"Q":"x","KIND":"negative","must":null}`, "\xef\xbb\xbf{}", `{"q":"\ud800","kind":"injection"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := bytes.Count(text, []byte("\n")) + 1
		questions, err := readQuestions("x", bytes.NewReader(text))
		if err != nil {
			if questions != nil || !namesLine(err, lines) {
				t.Fatalf("readQuestions(%q) = %v, %v, want an error that names a line", text, questions, err)
			}
			return
		}
		if len(questions) == 0 || len(questions) > lines {
			t.Fatalf("%d questions in %d lines", len(questions), lines)
		}
		// Written again, the questions are the same.
		var b bytes.Buffer
		for _, q := range questions {
			if q.Q == "" || !slices.Contains(evalKinds, q.Kind) {
				t.Fatalf("readQuestions(%q) lets %+v through", text, q)
			}
			if err := json.NewEncoder(&b).Encode(q); err != nil {
				t.Fatal(err)
			}
		}
		again, err := readQuestions("x", &b)
		if err != nil || !reflect.DeepEqual(again, questions) {
			t.Fatalf("%+v is read again as %+v, %v", questions, again, err)
		}
	})
}

func FuzzLabelled(f *testing.F) {
	for _, seed := range []string{"", "\n", "a\tb", "a\tb\r\n\tc", "a\tb\tc\n", "a b\n", "\xff\t\x00\n\t\n", "a\t"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := bytes.Count(text, []byte("\n")) + 1
		samples, err := readLabelled("x", bytes.NewReader(text))
		if err != nil {
			if samples != nil || !namesLine(err, lines) {
				t.Fatalf("readLabelled(%q) = %v, %v, want an error that names a line", text, samples, err)
			}
			return
		}
		// Every line is there, in order, and nothing else.
		var got []string
		for _, s := range samples {
			if s.Label == "" || strings.Contains(s.Label, "\t") {
				t.Fatalf("readLabelled(%q) lets the label %q through", text, s.Label)
			}
			got = append(got, s.Label+"\t"+s.Text)
		}
		var want []string
		for line := range strings.Lines(string(text)) {
			want = append(want, strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("readLabelled(%q) = %q, want %q", text, got, want)
		}
	})
}
