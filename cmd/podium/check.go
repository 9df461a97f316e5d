package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"podium/bot"
	"podium/knowledge"
)

func newCheck(p *program) *cobra.Command {
	var gateOnly bool
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Hold a knowledge file against the gate and look for its weak places",
		Long: `Hold a knowledge file against the gate: every finding is printed with its line and column, and podium does
not start on a file that has one. Of a file that passes, its weak places are printed: intents whose examples
are not recognised when they were not trained on, intents that get confused, sentences of the source that
nothing rests on, dates that have passed. For that the matcher is trained four times, which takes a file of
thousands of examples up to a minute; --gate leaves it out.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.settings(cmd)
			if err != nil {
				return err
			}
			path := s.Knowledge
			if len(args) > 0 {
				path = args[0]
			}
			out := bufio.NewWriter(p.stdout)
			if gateOnly {
				base, err := loadUnnamed(path)
				if err != nil {
					return checkFailed(out, err)
				}
				printPassed(out, base)
				return out.Flush()
			}
			report, err := knowledge.Lint(path, time.Now())
			if err != nil {
				return checkFailed(out, err)
			}
			printReport(out, report)
			return out.Flush()
		},
	}
	cmd.Flags().BoolVar(&gateOnly, "gate", false, "hold it against the gate only, without looking for weak places")
	return cmd
}

// checkFailed prints the gate's findings; a file that cannot be read is wrong
// usage.
func checkFailed(out *bufio.Writer, err error) error {
	findings, ok := errors.AsType[knowledge.Findings](err)
	if !ok {
		if _, ok := errors.AsType[*fs.PathError](err); ok {
			return &usageError{err}
		}
		return err
	}
	fmt.Fprintln(out, bot.Printable(findings.Error()))
	if err := out.Flush(); err != nil {
		return err
	}
	if len(findings) == 1 {
		return errors.New("the knowledge file does not pass the gate: 1 finding")
	}
	return fmt.Errorf("the knowledge file does not pass the gate: %d findings", len(findings))
}

func printPassed(out io.Writer, base *knowledge.Base) {
	fmt.Fprintf(out, "The gate is passed: %d intents, %d sentences.\n", len(base.Intents), len(base.Sentences))
}

// printReport prints what an author should know, the worst first. An error of
// out's shows when it is flushed.
func printReport(out *bufio.Writer, r *knowledge.Report) {
	printPassed(out, r.Base)
	for _, f := range r.Warnings {
		fmt.Fprintln(out, "warning:", bot.Printable(f.String()))
	}
	for _, n := range r.Uncovered {
		fmt.Fprintf(out, "Sentence %d is nobody's evidence: %s\n", n, bot.Printable(r.Base.Sentences[n-1]))
	}
	fmt.Fprintln(out, "\nHow well examples are recognised that were not trained on:")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, in := range r.Intents {
		if n := len(in.Intent.Examples); n > 0 {
			fmt.Fprintf(w, "  %s\t%d of %d\t%3.0f %%\n", in.Intent.ID, in.Right, n, 100*float64(in.Right)/float64(n))
		}
	}
	w.Flush()
	printExamples := func(examples []knowledge.Example) {
		for i, e := range examples {
			if i == 3 {
				fmt.Fprintf(out, "    ... and %d more\n", len(examples)-i)
				return
			}
			fmt.Fprintf(out, "    line %d: %s\n", e.Line, bot.Printable(e.Text))
		}
	}
	if len(r.Confusions) > 0 {
		fmt.Fprintln(out, "\nTaken for another:")
	}
	for i, c := range r.Confusions {
		if i == 15 {
			fmt.Fprintf(out, "  ... and %d more pairs\n", len(r.Confusions)-i)
			break
		}
		fmt.Fprintf(out, "  %s for %s: %d\n", c.Intent.ID, c.TakenFor.ID, len(c.Examples))
		printExamples(c.Examples)
	}
	if len(r.Rejected) > 0 {
		fmt.Fprintf(out, "\nUnderstood, but not surely enough to be answered: %d\n", len(r.Rejected))
		printExamples(r.Rejected)
	}
}
