package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"podium/bot"
)

// TestWhoAskedIsNotKept looks for a person in all that is kept of a question
// and its answer.
func TestWhoAskedIsNotKept(t *testing.T) {
	onEach(t, func(t *testing.T, address string) {
		s := open(t, address, keepAll)
		const person, words = "U0PERSON", "what does it cost"
		now := time.Now()
		for _, err := range []error{
			s.SetTurn(t.Context(), "slack/C1/@"+person, bot.Turn{Question: words, At: now}),
			s.LogQuestion(t.Context(), bot.Question{Text: words, Outcome: "unanswered", Platform: bot.Slack, At: now}),
			s.LogVote(t.Context(), bot.Vote{Platform: bot.Slack, Voter: person, Message: "C1/1.2", Ref: "cost", At: now}),
			s.SaveReference(t.Context(), bot.Reference{Message: bot.MessageRef{Platform: bot.Slack, Channel: "C1", ID: "1.3"},
				Question: bot.MessageRef{Platform: bot.Slack, Channel: "C1", ID: "1.2"}, At: now}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		flush(t, s)
		all := strings.Join(dump(t, s), "\n")
		if !strings.Contains(all, words) || strings.Contains(all, person) {
			t.Errorf("the database has\n%s\nwant %q and nobody who asked it", all, words)
		}
		// A second process finds the conversation all the same.
		if turn, ok, err := open(t, address, keepAll).Turn(t.Context(), "slack/C1/@"+person); err != nil || !ok || turn.Question != words {
			t.Errorf("Turn = %+v, %v, %v", turn, ok, err)
		}
	})
}

// TestHostileText keeps and finds what would be commands if it were ever read
// as such.
func TestHostileText(t *testing.T) {
	onEach(t, func(t *testing.T, address string) {
		s := open(t, address, keepAll)
		ctx := t.Context()
		for i, text := range []string{
			"'; DROP TABLE questions; --", `"; DROP TABLE seen; --`, "$1", "?", "%s%d%n", "\\'); DELETE FROM meta; --", "E'\\047", "/* */ UNION SELECT value FROM meta",
			"' OR '1'='1", "`", "\x1b[2J", "{{.}}", "$(reboot)", strings.Repeat("'", 500), "nul\x00", "\xff\xfelatin \xe9", "half \xed\xa0\x80 of a pair",
		} {
			kept := clean(text) // what is no text to PostgreSQL is left out
			if first, err := s.MarkSeen(ctx, bot.Slack, text, text+"2"); err != nil || !first {
				t.Errorf("MarkSeen(%q) = %v, %v", text, first, err)
			}
			now := time.Now().Add(time.Duration(i) * time.Second)
			ref := bot.Reference{Message: bot.MessageRef{Platform: bot.Slack, Channel: text, ID: text}, Question: bot.MessageRef{Platform: bot.Slack, Channel: text, ID: "q" + text}, Ref: text, At: now}
			for _, err := range []error{
				s.SetTurn(ctx, text, bot.Turn{Question: text, Context: text, Ref: text, At: now}),
				s.LogQuestion(ctx, bot.Question{Text: text, Outcome: text, Intent: text, Platform: bot.Slack, At: now}),
				s.LogVote(ctx, bot.Vote{Platform: bot.Slack, Voter: text, Message: text, Ref: text, At: now}),
				s.SaveReference(ctx, ref),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			r := bot.Reminder{ID: fmt.Sprint("r", i, text), Platform: bot.Slack, Workspace: text, Channel: text, Label: text, Author: bot.User{ID: text, Name: text},
				Schedule: text, Zone: "UTC", Title: text, State: bot.Active, Start: now, Next: now}
			if ok, err := s.AddReminder(ctx, r); err != nil || !ok {
				t.Fatal(ok, err)
			}
			flush(t, s)
			if turn, ok, err := s.Turn(ctx, text); err != nil || !ok || turn.Question != kept {
				t.Errorf("Turn(%q) = %+v, %v, %v", text, turn, ok, err)
			}
			if got, ok, err := s.ReplyTo(ctx, ref.Question); err != nil || !ok || got.Ref != kept {
				t.Errorf("ReplyTo(%q) = %+v, %v, %v", text, got, ok, err)
			}
			if _, ok, err := s.Reminder(ctx, text); err != nil || ok {
				t.Errorf("Reminder(%q) = %v, %v, want none", text, ok, err)
			}
			if got, ok, err := s.Reminder(ctx, r.ID); err != nil || !ok || got.Title != kept {
				t.Errorf("Reminder(%q) = %+v, %v, %v", r.ID, got, ok, err)
			}
			d := bot.Delivery{Reminder: r.ID, Due: now, State: bot.Posting, Message: bot.MessageRef{Platform: bot.Slack, Channel: text, ID: text}, Reason: text, Began: now, Tried: now}
			if ok, err := s.BeginDelivery(ctx, d, true, time.Time{}); err != nil || !ok {
				t.Errorf("BeginDelivery(%q) = %v, %v", r.ID, ok, err)
			}
			if got, ok, err := s.Delivery(ctx, r.ID, now); err != nil || !ok || got.Reason != kept {
				t.Errorf("Delivery(%q) = %+v, %v, %v", r.ID, got, ok, err)
			}
			if list, err := s.Reminders(ctx, bot.Slack, text); err != nil || len(list) != 1 || list[0].Author.Name != kept {
				t.Errorf("Reminders(%q) = %+v, %v", text, list, err)
			}
			n := 0
			err := s.Questions(ctx, Filter{Outcome: kept}, func(q bot.Question) error {
				if n++; q.Text != kept {
					t.Errorf("the question %q is kept as %q", text, q.Text)
				}
				return nil
			})
			if err != nil || n != 1 {
				t.Errorf("%d questions of the outcome %q, %v, want 1", n, text, err)
			}
		}
	})
}

// TestHostileBackup restores a file that somebody else has made: what stands in
// it is data, and nothing has changed if it is not podium's.
func TestHostileBackup(t *testing.T) {
	for name, statement := range map[string]string{
		"column":  `ALTER TABLE votes ADD COLUMN "helpful) SELECT 1; DELETE FROM meta; --" TEXT`,
		"view":    `ALTER TABLE questions RENAME TO q; CREATE VIEW questions AS SELECT 1 AS "at) VALUES (1); DELETE FROM meta; --"`,
		"trigger": `CREATE TRIGGER evil AFTER INSERT ON podium_schema BEGIN DELETE FROM reminders; END`,
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, address string) {
				s := open(t, address, keepAll)
				if _, err := s.MarkSeen(t.Context(), bot.Slack, "Ev1"); err != nil {
					t.Fatal(err)
				}
				backup := filepath.Join(t.TempDir(), "hostile.backup")
				if _, err := s.Backup(t.Context(), backup); err != nil {
					t.Fatal(err)
				}
				db, err := sql.Open("sqlite", dsn(backup, ""))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
				db.Close()
				before := dump(t, s)
				_, _, err = Restore(context.WithoutCancel(t.Context()), address, backup, keepAll)
				if name != "trigger" && (err == nil || !strings.Contains(err.Error(), "is no column of podium's")) {
					t.Errorf("Restore = %v, want it to refuse the column", err)
				}
				if after := dump(t, s); !slices.Equal(after, before) {
					t.Errorf("the database has\n%q\nwant\n%q", after, before)
				}
			})
		})
	}
}

// FuzzRestore reads files that are no backups of podium's, or damaged ones.
func FuzzRestore(f *testing.F) {
	dir := f.TempDir()
	s, err := Open(f.Context(), "sqlite:"+filepath.Join(dir, "podium.db"), keepAll)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { closeStore(f, s) })
	good := filepath.Join(dir, "good.backup")
	if _, err := s.Backup(f.Context(), good); err != nil {
		f.Fatal(err)
	}
	text, err := os.ReadFile(good)
	if err != nil {
		f.Fatal(err)
	}
	for _, at := range []int{0, 16, 18, 24, 28, 40, 60, 100, 105, 4096, 4100, 8192} {
		f.Add(at, []byte{0xff})
	}
	f.Add(0, []byte("not a database"))
	f.Add(16, []byte{0, 1})
	f.Fuzz(func(t *testing.T, at int, over []byte) {
		// The fuzzer writes over some of a good one.
		damaged := slices.Clone(text)
		copy(damaged[min(max(at, 0), len(damaged)):], over)
		path := filepath.Join(t.TempDir(), "damaged.backup")
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if from, dispose, err := openBackup(ctx, path); err == nil {
			defer dispose()
			for _, table := range tables {
				// Damage shows here at the latest, as an error.
				if rows, err := from.read.QueryContext(ctx, "SELECT * FROM "+table); err == nil {
					for rows.Next() {
					}
					rows.Close()
				}
			}
		}
	})
}
