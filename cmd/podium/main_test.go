package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
)

// TestMain lets the test binary be podium itself, for tests that need a process
// of their own.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_AS") == "podium" {
		main()
	}
	code := m.Run()
	if dir := builtIn.Load(); dir != nil {
		os.RemoveAll(*dir)
	}
	os.Exit(code)
}

// built is the program as go build makes it, in a directory that goes when the
// tests end.
var built = sync.OnceValues(func() (path string, err error) {
	dir, err := os.MkdirTemp("", "podium-built-")
	if err != nil {
		return "", err
	}
	builtIn.Store(&dir)
	path = filepath.Join(dir, "podium")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

var builtIn atomic.Pointer[string]

// podium returns a command that runs podium as a process with these variables
// and no others of podium's.
func podium(t testing.TB, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"RUN_AS=podium"}, environ...)
	return cmd
}

// ran is what one run of the program did.
type ran struct {
	err            error
	code           int
	stdout, stderr string
}

// runHere runs the program within the test's process.
func runHere(t testing.TB, environ []string, args ...string) ran {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), args, environ, strings.NewReader(""), &stdout, &stderr)
	return ran{err, exitCode(err), stdout.String(), stderr.String()}
}

func TestExitCodes(t *testing.T) {
	t.Chdir(t.TempDir()) // where no settings file is
	missing := filepath.Join(t.TempDir(), "none.db")
	for _, c := range []struct {
		args, environ string
		code          int
		stdout, says  string // parts
	}{
		{"", "", 0, "Available Commands:", ""},
		{"help", "", 0, "serve", ""},
		{"serve --help", "", 0, "--http-addr", ""},
		{"version", "", 0, "podium ", ""},
		{"completion bash", "", 0, "podium", ""},
		{"completion zsh", "", 0, "#compdef podium", ""},
		{"bogus", "", 2, "", `unknown command "bogus"`},
		{"version now", "", 2, "", "podium --help"},
		{"version --loud", "", 2, "", "unknown flag: --loud"},
		{"backup", "", 2, "", "accepts 1 arg(s)"},
		{"migrate", "", 2, "", "--to is missing"},
		{"eval .", "", 2, "", ". is a directory"},
		{"bench . .", "", 2, "", ". is a directory"},
		{"eval --min-right 101 .", "", 2, "", "101 is none"},
		{"eval --max-wrong NaN .", "", 2, "", "NaN is none"},
		{"restore .", "", 2, "", "no backup of podium's"},
		{"questions --limit many", "", 2, "", "invalid argument"},
		{"questions --limit -1", "", 2, "", "--limit -1"},
		{"questions --outcome maybe", "", 2, "", "unanswered, clarify, passage, not_helpful"},
		{"questions --since yesterday", "", 2, "", "there is no database"},
		{"questions export --format xml", "", 2, "", "jsonl or csv"},
		{"questions", "PODIUM_DATABASE_URL=sqlite:" + missing, 2, "", "there is no database at " + missing},
		{"questions", "PODIUM_TIMEZNOE=UTC", 2, "", "did you mean PODIUM_TIMEZONE?"},
		{"questions --config none.yaml", "", 2, "", "none.yaml"},
		{"serve", "", 2, "", "podium chat"},
		{"serve", "PODIUM_DISCORD_TOKEN=x PODIUM_HTTP_ADDR=nowhere", 2, "", "PODIUM_HTTP_ADDR"},
	} {
		got := runHere(t, strings.Fields(c.environ), strings.Fields(c.args)...)
		text := ""
		if got.err != nil {
			text = got.err.Error()
		}
		if got.code != c.code || !strings.Contains(text, c.says) || !strings.Contains(got.stdout, c.stdout) {
			t.Errorf("podium %s: exit code %d, error %q, stdout %q; want %d, %q, %q", c.args, got.code, text, got.stdout, c.code, c.says, c.stdout)
		}
		if c.code != 0 && got.stdout != "" {
			t.Errorf("podium %s: stdout holds %q, want only data there", c.args, got.stdout)
		}
	}
}

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{usagef("x"), 2},
		{&bot.ConfigError{}, 2},
		{errors.Join(errors.New("x"), &bot.ConfigError{}), 2},
		{io.EOF, 1},
		{context.Canceled, 1},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("exitCode(%v) = %d, want %d", c.err, got, c.want)
		}
	}
}

// TestWarningsOnStderr keeps words out of the data.
func TestWarningsOnStderr(t *testing.T) {
	t.Chdir(t.TempDir())
	got := runHere(t, []string{"PODIUM_SERVICE_HOST=10.0.0.1", "PODIUM_DATABASE_URL=sqlite:none.db"}, "questions")
	if !strings.Contains(got.stderr, "PODIUM_SERVICE_HOST is not a setting") || got.stdout != "" {
		t.Errorf("stderr %q, stdout %q, want a warning on stderr alone", got.stderr, got.stdout)
	}
}

// TestBadStart runs the real program with what can be wrong at its start: one
// clear line, no secret, no stack trace. TestOutages has what is wrong later.
func TestBadStart(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(in("damaged.db"), []byte(strings.Repeat("damage ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	busy := listen(t)
	serving := startServe(t, "PODIUM_DATABASE_URL=sqlite:"+in("held.db"))
	knowledge := "PODIUM_KNOWLEDGE=" + written(t, "broken.yaml", strings.Replace(misspelt, "exmaples", "examples", 1))
	settings := "PODIUM_CONFIG=" + written(t, "p.yaml", "slack: {bot_token: hunter2\n")
	slackTokens := func(bot, app string) string {
		return "PODIUM_SLACK_BOT_TOKEN=" + bot + "\nPODIUM_SLACK_APP_TOKEN=" + app
	}
	const gate = "broken.yaml:8:22: the number \"50\""
	for _, c := range []struct {
		name, variable string
		postgres       bool
		code           int
		says           string
		args           string
	}{
		{"port in use", "PODIUM_HTTP_ADDR=" + busy.Addr().String(), false, 2, "PODIUM_HTTP_ADDR: " + busy.Addr().String() + " is held by another program: stop that one, or name", "serve"},
		{"address of another machine", "PODIUM_HTTP_ADDR=192.0.2.1:8080", false, 2, "PODIUM_HTTP_ADDR: 192.0.2.1 is no address of this machine: name", "serve"},
		{"address not found", "PODIUM_HTTP_ADDR=" + strings.Repeat("x", 64) + ".test:8080", false, 2, "is not found (no such host): name", "serve"},
		{"no directory", "PODIUM_DATABASE_URL=sqlite:" + in("none/podium.db"), false, 2, "PODIUM_DATABASE_URL: there is no directory " + in("none") + ": make it", "serve"},
		{"unwritable path", "PODIUM_DATABASE_URL=sqlite:/sys/podium.db", false, 2, "PODIUM_DATABASE_URL: podium may not write /sys/podium.db.lock: let its user", "serve"}, // not even for root
		{"password with an @", "PODIUM_DATABASE_URL=postgres://podium:x@hunter2@localhost/podium", false, 2, "such as @ / : # in the password", "serve"},
		{"bot token's shape", slackTokens("hunter2", "xapp-1"), false, 2, "PODIUM_SLACK_BOT_TOKEN does not look like one: it is xoxb-", "serve"},
		{"bot token in quotes", slackTokens(`"xoxb-hunter2"`, "xapp-1"), false, 2, "PODIUM_SLACK_BOT_TOKEN does not look like one: it is xoxb-", "serve"},
		{"app token's shape", slackTokens("xoxb-1", "hunter2"), false, 2, "PODIUM_SLACK_APP_TOKEN does not look like one: it is xapp-", "serve"},
		{"public key of zeros", "PODIUM_DISCORD_PUBLIC_KEY=" + strings.Repeat("0", 64), false, 2, "PODIUM_DISCORD_PUBLIC_KEY: is a key that everybody can sign for", "serve"},
		{"unknown command", "", false, 2, `unknown command "srve" for "podium"; did you mean serve? See podium --help`, "srve"},
		{"questions after chat", "", false, 2, "podium chat and podium ask keep nothing", "questions --database-url sqlite:none.db"},
		{"malformed URL", "PODIUM_DATABASE_URL=postgres://podium:hunter2/#@localhost/podium", false, 2, "can not be read as postgres://", "serve"},
		{"damaged file", "PODIUM_DATABASE_URL=sqlite:" + in("damaged.db"), false, 1, "podium restore", "serve"},
		{"file held by another", "PODIUM_DATABASE_URL=sqlite:" + in("held.db"), false, 2, "several at once need PostgreSQL", "serve"},
		{"wrong password", "PODIUM_DATABASE_URL=", true, 2, "refuses this user or password", "serve"},
		{"unreadable file for a secret", "PODIUM_DISCORD_PUBLIC_KEY_FILE=" + in("none"), false, 2, "PODIUM_DISCORD_PUBLIC_KEY_FILE: open", "serve"},
		{"gate, serve", knowledge, false, 2, gate, "serve"},
		{"gate, ask", knowledge, false, 2, gate, "ask where does it move"},
		{"gate, chat", knowledge, false, 2, gate, "chat"},
		{"gate, check", knowledge, false, 1, "does not pass the gate: 1 finding", "check"},
		{"no knowledge, serve", "PODIUM_KNOWLEDGE=" + in("none"), false, 2, "PODIUM_KNOWLEDGE: cannot read", "serve"},
		{"no knowledge, ask", "PODIUM_KNOWLEDGE=" + in("none"), false, 2, "PODIUM_KNOWLEDGE: cannot read", "ask where does it move"},
		{"no knowledge, check", "PODIUM_KNOWLEDGE=" + in("none"), false, 2, "no such file", "check"},
		{"malformed proxy, serve", "HTTPS_PROXY=http://podium:hunter2@pro xy:1", false, 2, "HTTPS_PROXY: is not an address", "serve"},
		{"proxy of another kind", "HTTPS_PROXY=ftp://podium:hunter2@proxy:1", false, 2, "HTTPS_PROXY: is not an address", "serve"},
		{"malformed proxy, doctor", "HTTPS_PROXY=podium:hunter2@pro xy:1", false, 2, "HTTPS_PROXY: is not an address", "doctor"},
		{"API URL, serve", "PODIUM_SLACK_API_URL=https://podium:hunter2@slack.com/api/", false, 2, "PODIUM_SLACK_API_URL: is not an address", "serve"},
		{"API URL, ask", "PODIUM_SLACK_API_URL=hunter2", false, 2, "PODIUM_SLACK_API_URL: is not an address", "ask where does it move"},
		{"API URL, doctor", "PODIUM_SLACK_API_URL=hunter2", false, 2, "PODIUM_SLACK_API_URL: is not an address", "doctor"},
		{"settings file, serve", settings, false, 2, "p.yaml: line", "serve"},
		{"settings file, ask", settings, false, 2, "p.yaml: line", "ask where does it move"},
		{"settings file, check", settings, false, 2, "p.yaml: line", "check"},
		{"settings file, doctor", settings, false, 2, "p.yaml: line", "doctor"},
		{"settings file, config", settings, false, 2, "p.yaml: line", "config"},
		{"secret in place of its file", "PODIUM_SLACK_BOT_TOKEN_FILE=xoxb-hunter2", false, 2, "can not read the file that it names", "serve"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.postgres {
				c.variable += withPassword(t, bottest.Postgres(t), "hunter2-but-wrong")
			}
			var stderr bytes.Buffer
			cmd := podium(t, append([]string{"PODIUM_DISCORD_TOKEN=hunter2", "PODIUM_DISCORD_API_URL=http://127.0.0.1:1", "PODIUM_HTTP_ADDR=127.0.0.1:0", "PODIUM_DATABASE_URL=sqlite:" + in("podium.db"), office(t)}, strings.Split(c.variable, "\n")...), strings.Fields(c.args)...)
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			serves := time.AfterFunc(2*time.Minute, func() { cmd.Process.Kill() }) // which it should not
			err := cmd.Wait()
			serves.Stop()
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit code %d (%v), want %d", code, err, c.code)
			}
			text := stderr.String()
			if !strings.Contains(text, c.says) || strings.Count(text, "\n") != 1 || strings.Contains(text, "hunter2") || strings.Contains(text, "goroutine") {
				t.Errorf("stderr is %q, want one line that says %q", text, c.says)
			}
		})
	}
	serving.stop(t)
}
