package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"podium/bot"
	"podium/bot/store"
	"podium/config"
)

func newQuestions(p *program) *cobra.Command {
	var since, outcome string
	var limit int
	list := &cobra.Command{
		Use:   "questions",
		Short: "List what podium could not answer, newest first",
		Long: "List the questions that were not answered, that had two readings, or whose answer did not help, newest first.\n" +
			"Who asked is not kept. Works beside podium serve.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withQuestions(cmd, since, outcome, limit, p.listQuestions)
		},
	}
	flags := list.PersistentFlags()
	flags.StringVar(&since, "since", "", "only those since then: 7d, 12h or a date such as 2026-11-01")
	flags.StringVar(&outcome, "outcome", "", "only those with this outcome: unanswered, clarify, passage or not_helpful")
	list.Flags().IntVar(&limit, "limit", 50, "at most so many; 0 lists all")
	config.AddFlags(flags, "database_url")

	var format string
	export := &cobra.Command{
		Use:   "export",
		Short: "Write all of them as JSON lines or CSV",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, ok := map[string]writeQuestions{"jsonl": p.jsonQuestions, "csv": p.csvQuestions}[format]
			if !ok {
				return usagef("--format %s: write jsonl or csv", format)
			}
			return p.withQuestions(cmd, since, outcome, 0, write)
		},
	}
	export.Flags().StringVar(&format, "format", "jsonl", "jsonl or csv")

	votes := &cobra.Command{
		Use:   "votes",
		Short: "Show how often each answer was voted helpful and not helpful",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withStore(cmd, func(ctx context.Context, _ config.Settings, s *store.SQL) error {
				return p.listVotes(ctx, s)
			})
		},
	}
	list.AddCommand(export, votes)
	return list
}

// withStore runs f on the store of the settings, beside a process that may
// serve from it.
func (p *program) withStore(cmd *cobra.Command, f func(context.Context, config.Settings, *store.SQL) error) error {
	s, err := p.settings(cmd)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	st, err := store.Open(ctx, s.Store.URL.Reveal(), store.Options{})
	if err != nil {
		return err
	}
	return errors.Join(f(ctx, s, st), st.Close(ctx))
}

// A questionList hands each chosen question to the function it is given.
type questionList func(each func(bot.Question) error) error

// writeQuestions writes a list out, with times in zone.
type writeQuestions func(list questionList, zone *time.Location) error

func (p *program) withQuestions(cmd *cobra.Command, since, outcome string, limit int, write writeQuestions) error {
	filter := store.Filter{Outcome: outcome, Limit: limit}
	known := []string{string(bot.Unanswered), string(bot.Clarify), string(bot.Passage), bot.NotHelpful}
	if outcome != "" && !slices.Contains(known, outcome) {
		return usagef("--outcome %s: write one of %s", outcome, strings.Join(known, ", "))
	}
	if limit < 0 {
		return usagef("--limit %d: write a number from 0", limit)
	}
	return p.withStore(cmd, func(ctx context.Context, s config.Settings, st *store.SQL) error {
		var err error
		if filter.Since, err = parseSince(since, time.Now().In(s.Timezone)); err != nil {
			return err
		}
		return write(func(each func(bot.Question) error) error { return st.Questions(ctx, filter, each) }, s.Timezone)
	})
}

// parseSince reads a moment: "7d" or "12h" before now, or a date in now's
// zone. The empty text is the beginning of time.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, now.Location()); err == nil {
		return t, nil
	}
	if n, err := strconv.Atoi(strings.TrimSuffix(text, "d")); err == nil && strings.HasSuffix(text, "d") && n >= 0 {
		return now.AddDate(0, 0, -n), nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, usagef("--since %s: write 7d, 12h or a date such as 2026-11-01", text)
}

func (p *program) listQuestions(list questionList, zone *time.Location) error {
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	n := 0
	err := list(func(q bot.Question) error {
		if n++; n == 1 {
			fmt.Fprintln(w, "ASKED\tPLATFORM\tOUTCOME\tNEAREST\tQUESTION")
		}
		_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", q.At.In(zone).Format("2006-01-02 15:04"), q.Platform, q.Outcome, q.Intent, oneLine(q.Text))
		return err
	})
	if n == 0 && err == nil {
		fmt.Fprintln(p.stderr, "podium: no questions")
	}
	return errors.Join(err, w.Flush())
}

// oneLine makes a text that a stranger typed fit for a line of a terminal.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 120 {
		text = string(runes[:119]) + "…"
	}
	return text
}

func (p *program) jsonQuestions(list questionList, zone *time.Location) error {
	return list(func(q bot.Question) error {
		return writeJSONLine(p.stdout, struct {
			At       time.Time `json:"at"`
			Platform string    `json:"platform"`
			Outcome  string    `json:"outcome"`
			Intent   string    `json:"intent"`
			Text     string    `json:"text"`
		}{q.At.In(zone), q.Platform, q.Outcome, q.Intent, q.Text})
	})
}

func (p *program) csvQuestions(list questionList, zone *time.Location) error {
	w := csv.NewWriter(p.stdout)
	if err := w.Write([]string{"at", "platform", "outcome", "intent", "text"}); err != nil {
		return err
	}
	err := list(func(q bot.Question) error {
		text := bot.Printable(q.Text)
		// A spreadsheet would run these as a formula.
		if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
			text = "'" + text
		}
		return w.Write([]string{q.At.In(zone).Format(time.RFC3339), q.Platform, q.Outcome, q.Intent, text})
	})
	w.Flush()
	return errors.Join(err, w.Error())
}

func (p *program) listVotes(ctx context.Context, s *store.SQL) error {
	tallies, err := s.Votes(ctx)
	if err != nil {
		return err
	}
	if len(tallies) == 0 {
		fmt.Fprintln(p.stderr, "podium: no votes")
		return nil
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HELPFUL\tNOT HELPFUL\tANSWER")
	for _, t := range tallies {
		fmt.Fprintf(w, "%d\t%d\t%s\n", t.Helpful, t.Unhelpful, oneLine(t.Ref))
	}
	return w.Flush()
}
