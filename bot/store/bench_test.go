package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"podium/bot"
)

// BenchmarkStore measures what a question costs, on a small database and on
// one with a million seen events and a hundred thousand questions, beside the
// least that a durable write can cost: one row into a table without a key. The
// steps take turns, so that a noisy disk is as noisy for each; the figures are
// medians in microseconds.
func BenchmarkStore(b *testing.B) {
	for _, database := range []string{"sqlite", "postgres"} {
		for _, rows := range []int{1_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/rows=%d", database, rows), func(b *testing.B) {
				s := open(b, databases[database](b), keepAll)
				exec := func(statement string) {
					if _, err := s.write.ExecContext(b.Context(), statement); err != nil {
						b.Fatal(err)
					}
				}
				exec("CREATE TABLE bare (platform TEXT NOT NULL, key TEXT NOT NULL, at BIGINT NOT NULL)")
				fill(b, s, rows, rows/10)
				exec("ANALYZE")
				benchmarkStore(b, s)
			})
		}
	}
}

func benchmarkStore(b *testing.B, s *SQL) {
	n := 0
	key := func() string { n++; return fmt.Sprintf("Ev%08x", uint32(n)*2654435769) } // scattered, as event ids are
	first := func(keys ...string) error {
		if first, err := s.MarkSeen(b.Context(), "slack", keys...); err != nil || !first {
			return fmt.Errorf("MarkSeen(%q) = %v, %w", keys, first, err)
		}
		return nil
	}
	steps := []struct {
		name string
		do   func() error
	}{
		{"bare", func() error {
			_, err := s.write.ExecContext(b.Context(), "INSERT INTO bare (platform, key, at) VALUES ($1, $2, $3)", "slack", key(), micros(time.Now()))
			return err
		}},
		{"seen", func() error { return first(key()) }},
		{"seen-2-keys", func() error { return first(key(), key()) }},
		{"redelivered", func() error {
			_, err := s.MarkSeen(b.Context(), "slack", "Ev00000000")
			return err
		}},
		// What an answered slash command waits for; it is written behind.
		{"set-turn", func() error { return s.SetTurn(b.Context(), "c", bot.Turn{At: time.Now()}) }},
		{"turn", func() error { _, _, err := s.Turn(b.Context(), "another"); return err }},
		{"list-50", func() error {
			return s.Questions(b.Context(), Filter{Limit: 50}, func(bot.Question) error { return nil })
		}},
	}
	took := make(map[string][]time.Duration)
	for b.Loop() {
		for _, step := range steps {
			start := time.Now()
			if err := step.do(); err != nil {
				b.Fatal(err)
			}
			took[step.name] = append(took[step.name], time.Since(start))
			if strings.HasPrefix(step.name, "set-") {
				flush(b, s) // not beside the next step
			}
		}
	}
	median := func(name string) float64 {
		list := took[name]
		slices.Sort(list)
		return float64(list[len(list)/2].Nanoseconds()) / 1000
	}
	for _, step := range steps {
		b.ReportMetric(median(step.name), step.name+"-µs")
	}
	b.ReportMetric(median("seen")/median("bare"), "seen/bare")
	b.ReportMetric(median("seen-2-keys")/median("bare"), "seen-2-keys/bare")
	b.ReportMetric(0, "ns/op") // of all steps together: nothing to go by
}
