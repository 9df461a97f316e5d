package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"podium/bot"
	"podium/handlers"
	"podium/knowledge"
)

// evalQuestion is a line of a question file: what is asked, and what a right
// reply holds.
type evalQuestion struct {
	ID      string     `json:"id"`
	Q       string     `json:"q"`
	Kind    string     `json:"kind"`
	Must    [][]string `json:"must"`     // the reply holds one string of each group
	MustNot []string   `json:"must_not"` // the answering sentences of a stated answer hold none, nor the reply to anything else
	Note    string     `json:"note"`
}

// The kinds of questions in a question file, in the order of the table.
var evalKinds = []string{"answerable", "negative", "unanswerable", "smalltalk", "offtopic", "injection"}

// grade is what a reply to a question of the file is worth.
type grade string

const (
	gradeRight   grade = "right"
	gradeClarify grade = "clarify" // offered both readings
	gradePassage grade = "passage" // quoted the right sentences without answering
	gradeMiss    grade = "miss"    // was silent where the text has an answer, or talked where it should not
	gradeWrong   grade = "wrong"   // misled
)

var grades = []grade{gradeRight, gradeClarify, gradePassage, gradeMiss, gradeWrong}

func newEval(p *program) *cobra.Command {
	var verbose bool
	minRight, maxWrong := 0.0, 100.0
	cmd := &cobra.Command{
		Use:   "eval QUESTIONS.jsonl...",
		Short: "Grade the matcher against question files",
		Long: `Grade the matcher against question files and print a table by kind of question.

A line of a question file is {"id","q","kind","must":[["a","b"],["c"]],"must_not":[...],"note"}: the reply
to a right answer holds at least one string of each group of must, in upper or lower case.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, share := range []float64{minRight, maxWrong} {
				if share < 0 || share > 100 || math.IsNaN(share) {
					return usagef("--min-right and --max-wrong are shares from 0 to 100, and %v is none", share)
				}
			}
			var questions []evalQuestion
			for _, path := range args {
				more, err := readQuestionFile(path)
				if err != nil {
					return err
				}
				questions = append(questions, more...)
			}
			base, err := p.knowledge(cmd)
			if err != nil {
				return err
			}
			out := bufio.NewWriter(p.stdout)
			right, wrong := evaluate(out, base, questions, verbose)
			if err := out.Flush(); err != nil {
				return err
			}
			if right < minRight || wrong > maxWrong {
				return fmt.Errorf("%.1f %% right and %.1f %% wrong; at least %.1f %% and at most %.1f %% are asked for", right, wrong, minRight, maxWrong)
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "list what is not right")
	cmd.Flags().Float64Var(&minRight, "min-right", minRight, "exit with 1 if fewer than this share are right, in %")
	cmd.Flags().Float64Var(&maxWrong, "max-wrong", maxWrong, "exit with 1 if more than this share are wrong, in %")
	return cmd
}

func readQuestionFile(path string) ([]evalQuestion, error) {
	f, err := openArgument(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readQuestions(path, f)
}

// readQuestions reads a question file; an error names the line.
func readQuestions(name string, r io.Reader) ([]evalQuestion, error) {
	var out []evalQuestion
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		n++
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		var q evalQuestion
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&q); err != nil {
			return nil, fmt.Errorf("%s:%d: not a question: %w", name, n, err)
		}
		if _, err := decoder.Token(); err != io.EOF {
			return nil, fmt.Errorf("%s:%d: something follows the question", name, n)
		}
		known := false
		for _, k := range evalKinds {
			known = known || q.Kind == k
		}
		switch {
		case !known:
			return nil, fmt.Errorf("%s:%d: the kind %q is none of %s", name, n, q.Kind, strings.Join(evalKinds, ", "))
		case q.Q == "":
			return nil, fmt.Errorf("%s:%d: the question is empty", name, n)
		}
		out = append(out, q)
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return nil, fmt.Errorf("%s:%d: the line is longer than 1 MB", name, n+1)
		}
		return nil, fmt.Errorf("%s:%d: %w", name, n+1, err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: there is no question in the file", name)
	}
	return out, nil
}

// evaluate asks all questions, prints the table and returns the shares of
// right and wrong replies in percent. An error of out's shows when it is
// flushed.
func evaluate(out *bufio.Writer, base *knowledge.Base, questions []evalQuestion, verbose bool) (right, wrong float64) {
	counts := make(map[string]map[grade]int)
	total := make(map[grade]int)
	for _, q := range questions {
		reply, result := handlers.Answer(base, q.Q)
		g := gradeReply(q, reply, result)
		if counts[q.Kind] == nil {
			counts[q.Kind] = make(map[grade]int)
		}
		counts[q.Kind][g]++
		total[g]++
		if verbose && g != gradeRight {
			intent := "-"
			if result.Intent != nil {
				intent = result.Intent.ID
			}
			fmt.Fprintf(out, "%s %s %s: %q\n\tgot %s %s %.2f %s %s\n", q.ID, q.Kind, g, q.Q, result.Outcome, intent, result.Confidence, result.Veto, result.VetoWord)
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "kind\tquestions\t")
	for _, g := range grades {
		fmt.Fprintf(w, "%s\t", g)
	}
	fmt.Fprintln(w)
	row := func(name string, counts map[grade]int) {
		n := 0
		for _, g := range grades {
			n += counts[g]
		}
		fmt.Fprintf(w, "%s\t%d\t", name, n)
		for _, g := range grades {
			fmt.Fprintf(w, "%.1f %%\t", 100*float64(counts[g])/float64(max(n, 1)))
		}
		fmt.Fprintln(w)
	}
	for _, k := range evalKinds {
		if counts[k] != nil {
			row(k, counts[k])
		}
	}
	row("all", total)
	w.Flush()
	n := float64(len(questions))
	return 100 * float64(total[gradeRight]) / n, 100 * float64(total[gradeWrong]) / n
}

// gradeReply holds a reply against its question. For the questions that have
// no answer in the text, being turned away is right; a passage or a choice of
// readings turns away those on the topic.
func gradeReply(q evalQuestion, reply bot.Reply, result knowledge.Result) grade {
	text := reply.Text()
	outcome := result.Outcome
	switch q.Kind {
	case "answerable", "negative":
		// One part of a message can mislead while another is silent.
		if holdsAny(answers(reply), q.MustNot) {
			return gradeWrong
		}
		held := holdsAll(text, q.Must)
		switch outcome {
		case knowledge.Answered:
			if held {
				return gradeRight
			}
			return gradeWrong
		case knowledge.Clarify:
			return gradeClarify
		case knowledge.Passage:
			if held {
				return gradePassage
			}
		}
		return gradeMiss
	}
	if holdsAny(text, q.MustNot) {
		return gradeWrong
	}
	switch q.Kind {
	case "smalltalk":
		switch {
		case outcome == knowledge.Smalltalk && holdsAll(text, q.Must):
			return gradeRight
		case outcome == knowledge.Answered:
			return gradeWrong
		}
		return gradeMiss
	case "unanswerable":
		switch outcome {
		case knowledge.Unanswered:
			return gradeRight
		case knowledge.Clarify:
			return gradeClarify
		case knowledge.Passage:
			return gradePassage
		case knowledge.Smalltalk:
			return gradeMiss
		}
		return gradeWrong
	case "offtopic":
		switch outcome {
		case knowledge.Unanswered:
			return gradeRight
		case knowledge.Answered:
			return gradeWrong
		}
		return gradeMiss
	}
	// An injection may be corrected from the text.
	if outcome != knowledge.Answered || result.Premise && holdsAll(text, q.Must) {
		return gradeRight
	}
	return gradeWrong
}

// answers are the answering sentences of a reply.
func answers(r bot.Reply) string {
	var out []string
	for _, p := range r.Parts {
		out = append(out, p.Answer)
	}
	return strings.Join(out, "\n")
}

func holdsAll(text string, groups [][]string) bool {
	for _, g := range groups {
		if !holdsAny(text, g) {
			return false
		}
	}
	return true
}

func holdsAny(text string, needles []string) bool {
	text = strings.ToLower(text)
	for _, n := range needles {
		if strings.Contains(text, strings.ToLower(n)) {
			return true
		}
	}
	return false
}
