package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/store"
)

// asked is a store with some questions and votes in it.
func asked(t *testing.T, address string) {
	t.Helper()
	s, err := store.Open(t.Context(), address, store.Options{Create: true, Questions: time.Hour, References: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 11, 20, 23, 30, 0, 0, time.UTC)
	if err := errors.Join(
		s.LogQuestion(t.Context(), bot.Question{Text: "what does it\x1b[31m cost,\n\"taxpayer\"?", Outcome: "unanswered", Intent: "cost", Platform: "slack", At: day}),
		s.LogQuestion(t.Context(), bot.Question{Text: "=HYPERLINK(1)", Outcome: "clarify", Platform: "discord", At: day.Add(-48 * time.Hour)}),
		s.LogVote(t.Context(), bot.Vote{Voter: "U1", Message: "C/1", Ref: "goal", Helpful: true, At: day}),
		s.LogVote(t.Context(), bot.Vote{Voter: "U2", Message: "C/1", Ref: "goal", At: day}),
		s.Close(context.WithoutCancel(t.Context())),
	); err != nil {
		t.Fatal(err)
	}
}

func TestQuestions(t *testing.T) {
	for name, address := range map[string]func(testing.TB) string{"sqlite": sqliteFile, "postgres": bottest.Postgres} {
		t.Run(name, func(t *testing.T) {
			environ := []string{"PODIUM_DATABASE_URL=" + address(t), "PODIUM_TIMEZONE=Europe/Berlin"}
			asked(t, strings.TrimPrefix(environ[0], "PODIUM_DATABASE_URL="))
			for _, c := range []struct{ args, want string }{
				{"questions", `
ASKED             PLATFORM  OUTCOME     NEAREST  QUESTION
2026-11-21 00:30  slack     unanswered  cost     what does it[31m cost, "taxpayer"?
2026-11-19 00:30  discord   clarify              =HYPERLINK(1)
`},
				{"questions --limit 1 --outcome clarify", `
ASKED             PLATFORM  OUTCOME  NEAREST  QUESTION
2026-11-19 00:30  discord   clarify           =HYPERLINK(1)
`},
				{"questions --since 2026-11-21", `
ASKED             PLATFORM  OUTCOME     NEAREST  QUESTION
2026-11-21 00:30  slack     unanswered  cost     what does it[31m cost, "taxpayer"?
`},
				{"questions export", `
{"at":"2026-11-21T00:30:00+01:00","platform":"slack","outcome":"unanswered","intent":"cost","text":"what does it\u001b[31m cost,\n\"taxpayer\"?"}
{"at":"2026-11-19T00:30:00+01:00","platform":"discord","outcome":"clarify","intent":"","text":"=HYPERLINK(1)"}
`},
				{"questions export --format csv --outcome clarify", `
at,platform,outcome,intent,text
2026-11-19T00:30:00+01:00,discord,clarify,,'=HYPERLINK(1)
`},
				{"questions votes", `
HELPFUL  NOT HELPFUL  ANSWER
1        1            goal
`},
			} {
				got := runHere(t, environ, strings.Fields(c.args)...)
				if want := strings.TrimPrefix(c.want, "\n"); got.err != nil || got.stdout != want || got.stderr != "" {
					t.Errorf("podium %s: %v, stderr %q, stdout\n%s\nwant\n%s", c.args, got.err, got.stderr, got.stdout, want)
				}
			}
			for _, args := range []string{"questions --outcome not_helpful", "questions --since 2030-01-01"} {
				if got := runHere(t, environ, strings.Fields(args)...); got.err != nil || got.stdout != "" || got.stderr != "podium: no questions\n" {
					t.Errorf("podium %s: %v, %q, %q, want no questions and exit code 0", args, got.err, got.stdout, got.stderr)
				}
			}
			if got := runHere(t, environ, "questions", "--since", "yesterday"); got.code != 2 || !strings.Contains(got.err.Error(), "7d, 12h or a date") {
				t.Errorf("podium questions --since yesterday: %v", got.err)
			}
		})
	}
}

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 3, 30, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"":           {},
		"7d":         now.AddDate(0, 0, -7),
		"0d":         now,
		"90m":        now.Add(-90 * time.Minute),
		"2026-03-01": time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := parseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("parseSince(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"d", "-1d", "-1h", "7", "2026-02-30", "last week", "1d2d"} {
		if got, err := parseSince(text, now); exitCode(err) != 2 {
			t.Errorf("parseSince(%q) = %v, %v, want wrong usage", text, got, err)
		}
	}
}

// TestMove takes a store from SQLite to PostgreSQL and back by way of a backup,
// and refuses what must not happen.
func TestMove(t *testing.T) {
	first := sqliteFile(t)
	asked(t, first)
	postgres := bottest.Postgres(t)
	backup := filepath.Join(t.TempDir(), "podium.backup")
	last := sqliteFile(t)
	at := func(address string) []string { return []string{"PODIUM_DATABASE_URL=" + address} }
	want := runHere(t, at(first), "questions", "export").stdout
	for _, c := range []struct {
		database string
		args     []string
		code     int
		says     string // on stderr or as the error
	}{
		{first, []string{"migrate", "--to", withPassword(t, postgres, "hunter2-but-wrong")}, 2, "refuses this user or password"},
		{first, []string{"migrate", "--to", "mysql://x"}, 2, "--to: "},
		{first, []string{"migrate", "--to", postgres}, 0, "entries in the new database: 5"},
		{first, []string{"migrate", "--to", postgres}, 2, "holds data already"},
		{postgres, []string{"backup", backup}, 0, "entries in " + backup + ": 5"},
		{postgres, []string{"backup", backup}, 1, "overwrites nothing"},
		{postgres, []string{"backup", "/none/backup"}, 1, "no such file or directory"},
		{last, []string{"restore", backup + ".none"}, 2, "no such file or directory"},
		{last, []string{"restore", "questions_test.go"}, 2, "no backup of podium's"},
		{last, []string{"restore", backup}, 0, "entries restored from " + backup + ": 5"},
	} {
		got := runHere(t, at(c.database), c.args...)
		text := got.stderr
		if got.err != nil {
			text += got.err.Error()
		}
		if got.code != c.code || !strings.Contains(text, c.says) || strings.Contains(text, "hunter2") || strings.Count(text, "\n") > 1 {
			t.Errorf("podium %v: exit code %d, %q; want %d, %q", c.args, got.code, text, c.code, c.says)
		}
	}
	for _, address := range []string{postgres, last} {
		if got := runHere(t, at(address), "questions", "export").stdout; got != want || want == "" {
			t.Errorf("questions after the move:\n%s\nwant\n%s", got, want)
		}
	}
}
