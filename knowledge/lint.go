package knowledge

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Report is what an author should know of a knowledge file that passes the
// gate: where it is weak.
type Report struct {
	Base       *Base
	Intents    []IntentReport
	Confusions []Confusion // the most frequent first
	Rejected   []Example   // understood as their own intent, but not surely enough
	Uncovered  []int       // numbers of the source's sentences that no evidence or quote is from
	Warnings   []Finding
}

// IntentReport says how well an intent's examples are recognised by a matcher
// that was trained without them.
type IntentReport struct {
	Intent *Intent
	Right  int // of len(Intent.Examples)
}

// A Confusion is an intent whose examples are taken for another.
type Confusion struct {
	Intent, TakenFor *Intent
	Examples         []Example
}

// An Example is one of an intent's, with its line in the file.
type Example struct {
	Text string
	Line int
}

// folds is how many times Lint trains: each time without another share of the
// examples. Those of one line stay together, or else alternations would tell
// what they are asked.
const folds = 4

// Lint reads the knowledge file at path, or the embedded one if path is empty,
// and looks for its weak places. An error of type Findings says that it does
// not pass the gate. It trains several times: a large file takes seconds.
func Lint(path string, now time.Time) (*Report, error) {
	var b *Base
	var err error
	if path == "" {
		var text []byte
		if text, err = embedded.ReadFile("announcement.yaml"); err == nil {
			b, err = parse("announcement.yaml", text, embedded.ReadFile)
		}
	} else {
		var text []byte
		if text, err = os.ReadFile(path); err == nil {
			b, err = parse(path, text, beside(path))
		}
	}
	if err != nil {
		return nil, err
	}
	r := &Report{Base: b, Warnings: b.Warnings(filepath.Base(cmp.Or(path, "announcement.yaml")), now)}
	r.validate()
	r.cover()
	return r, nil
}

// validate matches every example by a matcher that has not seen its line.
func (r *Report) validate() {
	b := r.Base
	r.Intents = make([]IntentReport, len(b.Intents))
	confused := make(map[[2]int][]Example)
	index := make(map[*Intent]int)
	for i := range b.Intents {
		r.Intents[i].Intent = &b.Intents[i]
		index[&b.Intents[i]] = i
	}
	for fold := range folds {
		inFold := func(i, j int) bool { return b.Intents[i].lines[j]%folds == fold }
		m := newMatcherOf(b, nil, func(i, j int) bool { return !inFold(i, j) })
		b.matcher = m // it reads requests for quotes
		for i := range b.Intents {
			in := &b.Intents[i]
			for j, text := range in.Examples {
				if !inFold(i, j) {
					continue
				}
				result := m.match(text)
				example := Example{text, in.lines[j]}
				switch {
				case in.Topic && result.Outcome == Answered && result.Intent == in, !in.Topic && result.Outcome == Unanswered:
					r.Intents[i].Right++
				case result.Intent == in:
					r.Rejected = append(r.Rejected, example)
				case result.Intent != nil:
					pair := [2]int{i, index[result.Intent]}
					confused[pair] = append(confused[pair], example)
				}
			}
		}
	}
	for pair, examples := range confused {
		r.Confusions = append(r.Confusions, Confusion{&b.Intents[pair[0]], &b.Intents[pair[1]], examples})
	}
	slices.SortFunc(r.Confusions, func(x, y Confusion) int {
		return cmp.Or(cmp.Compare(len(y.Examples), len(x.Examples)), strings.Compare(x.Intent.ID, y.Intent.ID), strings.Compare(x.TakenFor.ID, y.TakenFor.ID))
	})
	slices.SortFunc(r.Rejected, func(x, y Example) int { return cmp.Compare(x.Line, y.Line) })
}

// cover finds the sentences that nothing rests on.
func (r *Report) cover() {
	covered := make(map[int]bool)
	mark := func(text string, first int) {
		for n, rest := first, plainText(text); n > 0 && n <= len(r.Base.Sentences); n++ {
			covered[n] = true
			// Does the text run on into the next sentence?
			at := strings.Index(r.Base.Sentences[n-1], rest)
			if at >= 0 {
				return
			}
			cut := 0
			for i := range rest {
				if strings.HasSuffix(r.Base.Sentences[n-1], rest[:i]) {
					cut = i
				}
			}
			if cut == 0 {
				return
			}
			rest = strings.TrimSpace(rest[cut:])
		}
	}
	for _, q := range r.Base.Quotes {
		mark(q.Text, q.Sentence)
	}
	for _, in := range r.Base.Intents {
		for _, a := range in.Answers {
			for _, e := range a.Evidence {
				mark(e.Text, e.Sentence)
			}
		}
	}
	for n := range r.Base.Sentences {
		if !covered[n+1] {
			r.Uncovered = append(r.Uncovered, n+1)
		}
	}
}

// Fewer examples than these are hardly enough for questions that nobody
// thought of.
const (
	fewExamples, goodExamples = 20, 60
	fewNotSaid, goodNotSaid   = 10, 40 // of an intent that the announcement does not speak of
)

// Warnings are what is not wrong but deserves a look; name stands in them for
// the file.
func (b *Base) Warnings(name string, now time.Time) []Finding {
	list := []Finding(b.doubts.sorted())
	add := func(line int, format string, args ...any) {
		f := Finding{File: name, Line: line, Message: fmt.Sprintf(format, args...)}
		if line > 0 {
			f.Column = 1
		}
		list = append(list, f)
	}
	switch {
	case b.Date.After(now):
		add(0, "the announcement's date, %s, lies in the future", b.Date.Format(time.DateOnly))
	case b.Date.IsZero():
		add(0, "the announcement has no date: replies say \"as announced\"")
	}
	for _, in := range b.Intents {
		line := 0
		if len(in.lines) > 0 {
			line = in.lines[0]
		}
		few, good := fewExamples, goodExamples
		if !in.Topic {
			few, good = fewNotSaid, goodNotSaid
		}
		if len(in.Examples) < few {
			add(line, "intent %q has %d examples; people will ask it in more ways than that (%d are a start, %d make it good)", in.ID, len(in.Examples), few, good)
		}
		for _, a := range in.Answers {
			for _, day := range datesIn(a.Text, cmp.Or(b.Date, now)) {
				if day.Before(now) {
					add(line, "the answer %q speaks of %s, which is past: is it still what people should read?", a.ID, day.Format("2 January 2006"))
				}
			}
		}
	}
	return list
}

// datesIn returns the days that text names as "May 1", "1 May" or with a year.
// Without one, the first such day from announced on is meant.
func datesIn(text string, announced time.Time) []time.Time {
	var out []time.Time
	words := nameWords(text)
	for i, w := range words {
		month, err := time.Parse("January", w.text)
		if err != nil {
			continue
		}
		day, year := 0, 0
		for _, j := range []int{i + 1, i - 1, i + 2} {
			if j < 0 || j >= len(words) {
				continue
			}
			var n int
			if _, err := fmt.Sscanf(words[j].key, "%d", &n); err != nil {
				continue
			}
			switch {
			case n >= 1 && n <= 31 && day == 0 && j != i+2:
				day = n
			case n >= 1900 && n <= 2200 && year == 0:
				year = n
			}
		}
		if day == 0 {
			continue
		}
		date := time.Date(cmp.Or(year, announced.Year()), month.Month(), day, 23, 59, 59, 0, time.UTC)
		if year == 0 && date.Before(announced) {
			date = date.AddDate(1, 0, 0)
		}
		out = append(out, date)
	}
	return out
}
