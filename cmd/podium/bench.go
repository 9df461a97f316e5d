package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"podium/knowledge"
)

func newBench(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "bench TRAIN.tsv TEST.tsv...",
		Short: "Train the matcher on labelled lines and classify others",
		Long: `Train the matcher on lines of label TAB text, without gate and entities, and print for every line of the test
files, in order, score TAB label TAB accepted: true or false, at the threshold that the matcher set itself.`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			samples, err := readLabelledFile(args[0])
			if err != nil {
				return err
			}
			plain, err := knowledge.NewPlain(samples)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			out := bufio.NewWriter(p.stdout)
			for _, path := range args[1:] {
				tests, err := readLabelledFile(path)
				if err != nil {
					return errors.Join(err, out.Flush())
				}
				for _, t := range tests {
					score, label, accepted := plain.Classify(t.Text)
					fmt.Fprintf(out, "%.6f\t%s\t%t\n", score, label, accepted)
				}
			}
			return out.Flush()
		},
	}
}

func readLabelledFile(path string) ([]knowledge.Labelled, error) {
	f, err := openArgument(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readLabelled(path, f)
}

// readLabelled reads lines of label TAB text; an error names the line.
func readLabelled(name string, r io.Reader) ([]knowledge.Labelled, error) {
	var out []knowledge.Labelled
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	n := 1
	for ; lines.Scan(); n++ {
		label, text, ok := strings.Cut(lines.Text(), "\t")
		if !ok || label == "" {
			return nil, fmt.Errorf("%s:%d: a line is label TAB text, got %q", name, n, lines.Text())
		}
		out = append(out, knowledge.Labelled{Label: label, Text: text})
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return nil, fmt.Errorf("%s:%d: the line is longer than 1 MB", name, n)
		}
		return nil, fmt.Errorf("%s:%d: %w", name, n, err)
	}
	return out, nil
}
