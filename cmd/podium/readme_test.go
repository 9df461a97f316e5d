package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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

// TestReadmeExample follows the chapter on an announcement of one's own with
// its two files.
func TestReadmeExample(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	_, source, rest := between(t, string(text), "as `ours.txt`, word for word:\n\n```\n", "```\n")
	_, file, _ := between(t, rest, "```yaml\n", "```\n")
	t.Chdir(t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for name, text := range map[string]string{"ours.txt": source, "ours.yaml": file} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := runHere(t, nil, "check", "ours.yaml"); got.code != 0 || strings.Count(got.stdout, "warning: ") != 3 || strings.Count(got.stdout, " examples; ") != 3 {
		t.Errorf("podium check ours.yaml: %v\n%s\nwant a warning of few examples for each of the 3 intents", got.err, got.stdout)
	}
	for question, want := range map[string]string{
		"how many people work in calder bay": "40 people work in Calder Bay today.",
		"headcount of the dunmore office":    "The Dunmore head office has 340 employees.",
		"when does the old office close":     "No closing date has been set.",
		"what is the rent":                   "The announcement does not say.",
		"park quote on customers":            "Ada Park, chief executive:\n\"our customers have been paying for it\"",
	} {
		if got := feed(t, question+"\n", "chat", "--knowledge", "ours.yaml"); got.err != nil || !strings.HasPrefix(got.stdout, want) {
			t.Errorf("%q is answered %q, %v; want %q", question, got.stdout, got.err, want)
		}
	}
}

// TestReadmeLinks follows the links within the README, to headings and files.
func TestReadmeLinks(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	headings := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
		plain := regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		headings[strings.ReplaceAll(plain, " ", "-")] = true
	}
	links := regexp.MustCompile(`\]\(([^)]*)\)`).FindAllStringSubmatch(string(text), -1)
	if len(links) < 20 {
		t.Errorf("%d links, want a table of contents", len(links))
	}
	for _, m := range links {
		if heading, ok := strings.CutPrefix(m[1], "#"); ok {
			if !headings[heading] {
				t.Errorf("the link %s leads to no heading", m[1])
			}
		} else if _, err := os.Stat(filepath.Join(filepath.Dir(readme), m[1])); err != nil {
			t.Errorf("the link %s: %v", m[1], err)
		}
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
