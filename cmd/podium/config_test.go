package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"podium/config"
)

// TestConfig shows where settings come from, in a table and as JSON, and no
// secret of any kind.
func TestConfig(t *testing.T) {
	const hidden = "hunter2"
	t.Chdir(t.TempDir())
	file := written(t, "p.yaml", "timezone: Europe/Berlin\nslack_signing_secret: "+hidden+"\n")
	environ := []string{"PODIUM_CONFIG=" + file, "PODIUM_SLACK_BOT_TOKEN=xoxb-" + hidden, "PODIUM_DISCORD_TOKEN_FILE=" + written(t, "token", hidden),
		"PODIUM_DATABASE_URL=postgres://podium:" + hidden + "@db:5432/podium?password=" + hidden}
	want := map[string][2]string{
		"PODIUM_CONFIG":               {file, "PODIUM_CONFIG"},
		"PODIUM_TIMEZONE":             {"Europe/Berlin", file + ":1"},
		"PODIUM_SLACK_SIGNING_SECRET": {"redacted", file + ":2"},
		"PODIUM_SLACK_BOT_TOKEN":      {"redacted", "PODIUM_SLACK_BOT_TOKEN"},
		"PODIUM_DISCORD_TOKEN":        {"redacted", "PODIUM_DISCORD_TOKEN_FILE"},
		"PODIUM_DATABASE_URL":         {"postgres://db:5432/podium", "PODIUM_DATABASE_URL"},
		"PODIUM_HTTP_ADDR":            {"127.0.0.1:9", "--http-addr"},
		"PODIUM_LOG_FORMAT":           {"text", "default"},
		"PODIUM_SLACK_APP_TOKEN":      {"", "default"},
	}
	table := runHere(t, environ, "config", "--http-addr", "127.0.0.1:9")
	lines := runHere(t, environ, "config", "--http-addr", "127.0.0.1:9", "--json")
	for _, got := range []ran{table, lines} {
		if got.err != nil || got.stderr != "" || strings.Contains(got.stdout, hidden) {
			t.Errorf("podium config: %v\n%s%s", got.err, got.stderr, got.stdout)
		}
	}
	for name, w := range want {
		text := w[0]
		if text == "" {
			text = "(not set)"
		}
		if !regexp.MustCompile(`(?m)^` + name + ` +` + regexp.QuoteMeta(text) + ` +` + regexp.QuoteMeta(w[1]) + `$`).MatchString(table.stdout) {
			t.Errorf("the table does not give %s as %q from %s:\n%s", name, text, w[1], table.stdout)
		}
	}
	n := 0
	for line := range strings.Lines(lines.stdout) {
		var v struct {
			Name, Value, Origin string
			Set, Secret         bool
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		n++
		if w, ok := want[v.Name]; ok && (v.Value != w[0] || v.Origin != w[1] || v.Set != (w[0] != "")) {
			t.Errorf("podium config --json gives %s", line)
		}
	}
	if n != len(config.Table()) || strings.Count(table.stdout, "\n") != n+1 {
		t.Errorf("%d objects and %d lines for %d settings", n, strings.Count(table.stdout, "\n"), len(config.Table()))
	}
	if got := runHere(t, []string{"PODIUM_TIMEZONE=" + hidden, "PODIUM_DISCORD_PUBLIC_KEY=" + hidden}, "config"); got.code != 2 || got.stdout != "" {
		t.Errorf("podium config with wrong settings ends with %d: %v\n%s", got.code, got.err, got.stdout)
	}
}
