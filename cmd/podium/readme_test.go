package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"podium/bot/discord"
	"podium/bot/slack"
	"podium/config"
)

var update = flag.Bool("update", false, "write the README's transcript and tables anew")

const readme = "../../README.md"

// between splits text around what stands between two marks.
func between(t *testing.T, text, start, end string) (before, inside, after string) {
	t.Helper()
	before, rest, ok := strings.Cut(text, start)
	inside, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("the README has no part from %q to %q", start, end)
	}
	return before + start, inside, end + after
}

// TestReadme holds the README's transcript to what `podium chat` prints, and
// its tables to the settings and metrics that there are.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, transcript, after := between(t, string(text), "```text\n", "```")
	want := before + playTranscript(t, transcript) + after
	for _, table := range [][2]string{
		{"| setting | default | |\n|---|---|---|\n", settingsTable()},
		{"| metric | | labels | |\n|---|---|---|---|\n", metricsTable(t)},
		{"| scope or event | for |\n|---|---|\n", slackTable()},
		{"| permission or scope | for |\n|---|---|\n", discordTable()},
	} {
		before, _, after = between(t, want, table[0], "\n\n")
		want = before + strings.TrimSuffix(table[1], "\n") + after
	}
	if *update {
		if err := os.WriteFile(readme, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Errorf("the README's transcript or a table is out of date: go test ./cmd/podium -run Readme -update\n%s", firstDifference(string(text), want))
	}
}

// playTranscript says the transcript's "> " lines to `podium chat` and returns
// it with the replies.
func playTranscript(t *testing.T, transcript string) string {
	t.Helper()
	var said []string
	for line := range strings.Lines(transcript) {
		if text, ok := strings.CutPrefix(line, "> "); ok {
			said = append(said, strings.TrimSpace(text))
		}
	}
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), []string{"chat"}, nil, strings.NewReader(strings.Join(said, "\n")+"\n"), &stdout, &stderr); err != nil {
		t.Fatalf("podium chat: %v\n%s", err, stderr.String())
	}
	replies := strings.Split(strings.TrimSuffix(stdout.String(), "\n"), "\n\n")
	if len(replies) != len(said) {
		t.Fatalf("podium chat gave %d replies to %d messages:\n%s", len(replies), len(said), stdout.String())
	}
	var b strings.Builder
	for i, reply := range replies {
		fmt.Fprintf(&b, "> %s\n%s\n", said[i], reply)
		if i < len(replies)-1 {
			b.WriteString("\n")
		}
	}
	return b.String()
}

// settingsTable is the README's table of settings.
func settingsTable() string {
	var b strings.Builder
	for _, s := range config.Table() {
		value := ""
		if s.Default != "" {
			value = "`" + s.Default + "`"
		}
		fmt.Fprintf(&b, "| `PODIUM_%s` | %s | %s |\n", strings.ToUpper(s.Key), value, s.Help)
	}
	return b.String()
}

// slackTable is the README's table of what the Slack app may do.
func slackTable() string {
	var b strings.Builder
	for _, g := range slices.Concat(slack.Scopes(), slack.Events()) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", g.Name, g.Reason)
	}
	return b.String()
}

// discordTable is the README's table of what podium may do in a Discord server.
func discordTable() string {
	var b strings.Builder
	for _, p := range discord.Permissions() {
		fmt.Fprintf(&b, "| %s | %s |\n", p.Name, p.Reason)
	}
	for _, s := range discord.Scopes() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", s.Name, s.Reason)
	}
	return b.String()
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d is\n%s\nwant\n%s", i+1, a[i], b[i])
		}
	}
	return "one ends before the other"
}
