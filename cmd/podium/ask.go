package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"podium/bot"
	"podium/handlers"
	"podium/knowledge"
)

// askResult is a question and its answer as `ask --json` prints them.
type askResult struct {
	Question   string          `json:"question"`
	Outcome    string          `json:"outcome"`
	Intent     string          `json:"intent"`     // the best match, even if the question is unanswered
	Confidence float64         `json:"confidence"` // in Intent, 0 to 1
	Answer     string          `json:"answer"`     // the answering sentences alone
	Text       string          `json:"text"`       // the whole reply in plain text
	Evidence   []askedEvidence `json:"evidence"`
	Why        []string        `json:"why"`
	Parts      []askResult     `json:"parts,omitempty"` // of a message with several questions
}

// askedEvidence is what an answer rests on, word for word; Speaker is empty
// for narration.
type askedEvidence struct {
	Text    string `json:"text"`
	Speaker string `json:"speaker"`
}

func newAsk(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ask [QUESTION]",
		Short: "Answer one question, or one a line from standard input",
		RunE: func(cmd *cobra.Command, args []string) error {
			base, err := p.knowledge(cmd)
			if err != nil {
				return err
			}
			out := bufio.NewWriter(p.stdout)
			if len(args) > 0 {
				if err := p.answer(out, base, strings.Join(args, " "), asJSON); err != nil {
					return err
				}
				return out.Flush()
			}
			in := bufio.NewReader(p.stdin)
			for first := true; ; first = false {
				line, err := in.ReadString('\n')
				if line == "" && err == io.EOF {
					return out.Flush()
				}
				if err != nil && err != io.EOF {
					return errors.Join(out.Flush(), fmt.Errorf("cannot read the questions: %w", err))
				}
				if !first && !asJSON {
					fmt.Fprintln(out)
				}
				if err := p.answer(out, base, strings.TrimRight(line, "\r\n"), asJSON); err != nil {
					return err
				}
				// Whoever types a question or pipes one at a time waits for the
				// answer, even with the next question half written.
				if next, _ := in.Peek(in.Buffered()); !bytes.Contains(next, []byte("\n")) {
					if err := out.Flush(); err != nil {
						return err
					}
				}
			}
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

// answer answers one question on its own.
func (p *program) answer(w io.Writer, base *knowledge.Base, question string, asJSON bool) error {
	reply, result := handlers.Answer(base, question)
	if !asJSON {
		_, err := fmt.Fprintln(w, bot.Printable(reply.Text()))
		return err
	}
	a := newAskResult(base, result, reply)
	a.Question = question
	if len(result.Parts) > 0 {
		for _, part := range result.Parts {
			a.Parts = append(a.Parts, newAskResult(base, part, handlers.Reply(base, part)))
		}
	}
	return writeJSONLine(w, a)
}

// writeJSONLine writes v as a line of JSON. Of what a terminal would obey,
// encoding/json escapes only a part.
func writeJSONLine(w io.Writer, v any) error {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	text := line.String()
	if bot.Printable(text) != text {
		var b strings.Builder
		for _, r := range text {
			if c := string(r); bot.Printable(c) != c {
				fmt.Fprintf(&b, "\\u%04x", r)
			} else {
				b.WriteString(c)
			}
		}
		text = b.String()
	}
	_, err := io.WriteString(w, text)
	return err
}

func newAskResult(base *knowledge.Base, result knowledge.Result, reply bot.Reply) askResult {
	a := askResult{
		Question: result.Question, Outcome: string(result.Outcome), Confidence: result.Confidence,
		Answer: answers(reply), Text: reply.Text(), Evidence: []askedEvidence{}, Why: handlers.Why(result, result.Question),
	}
	if result.Intent != nil {
		a.Intent = result.Intent.ID
	}
	// A reply that is nothing but quotes names the speaker above them.
	speakers := make(map[string]string)
	for _, part := range slices.Concat(result.Parts, []knowledge.Result{result}) {
		for _, q := range part.Quotes {
			speakers[q.Text], _ = base.Speaker(q.Speaker)
		}
	}
	if len(result.Quotes) > 0 {
		a.Answer = ""
		for _, q := range result.Quotes {
			a.Answer = strings.TrimPrefix(a.Answer+"\n"+q.Text, "\n")
		}
	}
	for _, part := range reply.Parts {
		for _, q := range part.Quotes {
			a.Evidence = append(a.Evidence, askedEvidence{q.Text, cmp.Or(q.Speaker, speakers[q.Text])})
		}
	}
	return a
}
