package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// write makes a file of the test's own and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load loads settings that are expected to be fine.
func load(t *testing.T, environ ...string) Settings {
	t.Helper()
	s, _, err := Load(Source{Environ: environ})
	if err != nil {
		t.Fatalf("Load(%q): %v", environ, err)
	}
	return s
}

func TestDefaults(t *testing.T) {
	got := load(t)
	want := Settings{
		Timezone: time.UTC,
		Log:      Log{Level: slog.LevelInfo, Format: "text"},
		HTTP:     HTTP{Addr: "127.0.0.1:8080"},
		Store:    Store{URL: NewSecret("sqlite:podium.db"), Questions: 90 * 24 * time.Hour, References: 30 * 24 * time.Hour},
		Slack:    Slack{APIURL: "https://slack.com/api/"},
		Discord:  Discord{APIURL: "https://discord.com/", ShardCount: 1},
		Limits:   Limits{PerUser: 600, PerChannel: 3000},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Load() = %+v, want %+v", got, want)
	}
	if got.Slack.Configured() || got.Discord.Configured() {
		t.Error("a platform is configured by default")
	}
}

func TestPrecedence(t *testing.T) {
	file := write(t, "podium.yaml", "timezone: Europe/Berlin\n")
	flags := func(args ...string) *pflag.FlagSet {
		f := pflag.NewFlagSet("", pflag.ContinueOnError)
		AddFlags(f, "timezone", "config")
		if err := f.Parse(args); err != nil {
			t.Fatal(err)
		}
		return f
	}
	for _, c := range []struct {
		name    string
		environ []string
		args    []string
		want    string
	}{
		{"default", nil, nil, "UTC"},
		{"file", []string{"PODIUM_CONFIG=" + file}, nil, "Europe/Berlin"},
		{"file by flag", nil, []string{"--config", file}, "Europe/Berlin"},
		{"environment over file", []string{"PODIUM_CONFIG=" + file, "PODIUM_TIMEZONE=Asia/Tokyo"}, nil, "Asia/Tokyo"},
		{"flag over environment", []string{"PODIUM_CONFIG=" + file, "PODIUM_TIMEZONE=Asia/Tokyo"}, []string{"--timezone=America/New_York"}, "America/New_York"},
		{"empty variable is not set", []string{"PODIUM_CONFIG=" + file, "PODIUM_TIMEZONE="}, nil, "Europe/Berlin"},
	} {
		s, _, err := Load(Source{Environ: c.environ, Flags: flags(c.args...)})
		if err != nil || s.Timezone.String() != c.want {
			t.Errorf("%s: time zone %v, %v, want %s", c.name, s.Timezone, err, c.want)
		}
	}
}

func TestDefaultFile(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile(DefaultFile, []byte("http_addr: 127.0.0.1:9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := load(t); s.HTTP.Addr != "127.0.0.1:9" {
		t.Errorf("with a %s the address is %s", DefaultFile, s.HTTP.Addr)
	}
}

func TestFile(t *testing.T) {
	token := write(t, "token", "xoxb-from-file\n")
	s := load(t, "PODIUM_CONFIG="+write(t, "p.yaml", `
# A comment.
slack:
  bot_token_file: `+token+`
  signing_secret: abc
discord: {application_id: 012345678901234567, token: "t"}
reminder_admins: [U1, U2]
HTTP_ADDR: 0.0.0.0:80
log_level:
`))
	if got := s.Slack.BotToken.Reveal(); got != "xoxb-from-file" {
		t.Errorf("the token from a file is %q", got)
	}
	if got := s.Discord.ApplicationID; got != "012345678901234567" {
		t.Errorf("an id is read as %q, want it as it is typed", got)
	}
	if want := []string{"U1", "U2"}; !slices.Equal(s.Reminders.Admins, want) {
		t.Errorf("admins %q, want %q", s.Reminders.Admins, want)
	}
	if s.HTTP.Addr != "0.0.0.0:80" || s.Slack.SigningSecret.Reveal() != "abc" {
		t.Errorf("settings %+v", s)
	}
}

func TestVariableFromFile(t *testing.T) {
	for _, row := range Table() {
		if row.set == nil {
			continue
		}
		value := row.Default
		if value == "" {
			value = "1"
		}
		if row.Key == "discord_public_key" {
			value = strings.Repeat("0f", 32)
		}
		var direct, byFile Settings
		direct, _, _ = Load(Source{Environ: []string{row.Name + "=" + value}})
		byFile, _, err := Load(Source{Environ: []string{row.Name + "_FILE=" + write(t, "value", value+"\r\n")}})
		if err != nil && !strings.Contains(err.Error(), "missing") {
			t.Errorf("%s_FILE: %v", row.Name, err)
		}
		if !reflect.DeepEqual(byFile, direct) {
			t.Errorf("%s_FILE gives %+v, want as %s gives: %+v", row.Name, byFile, row.Name, direct)
		}
	}
}

func TestRefused(t *testing.T) {
	const hidden = "hunter2"
	for _, c := range []struct {
		name    string
		file    string
		environ []string
		want    []string // each a line's part
	}{
		{"misspelt variable", "", []string{"PODIUM_TIMEZNOE=UTC"}, []string{"PODIUM_TIMEZNOE: unknown setting; did you mean PODIUM_TIMEZONE?"}},
		{"misspelt secret", "", []string{"PODIUM_SLACK_BOT_TOKN=" + hidden}, []string{"did you mean PODIUM_SLACK_BOT_TOKEN?"}},
		{"misspelt file variable", "", []string{"PODIUM_DISCORD_TOKEN_FIL=x"}, []string{"did you mean PODIUM_DISCORD_TOKEN_FILE?"}},
		{"lower case", "", []string{"PODIUM_timezone=UTC"}, []string{"did you mean PODIUM_TIMEZONE?"}},
		{"misspelt key", "timezone: UTC\nhtp_addr: x\n", nil, []string{`p.yaml:2: unknown setting "htp_addr"; the nearest is "http_addr"`}},
		{"misspelt in section", "slack:\n  bot_token: x\n  sining_secret: x\n", nil, []string{`p.yaml:3: unknown setting "slack.sining_secret"; the nearest is "slack.signing_secret"`}},
		{"misspelt section", "slakc: {bot_token: x}\n", nil, []string{`p.yaml:1: unknown setting "slakc.bot_token"; the nearest is "slack_bot_token"`}},
		{"far off", "colour: red\n", nil, []string{`p.yaml:1: unknown setting "colour"; the nearest is`}},
		{"all at once", "colour: red\nshape: round\n", []string{"PODIUM_TIMEZNOE=UTC"}, []string{"p.yaml:1: ", "p.yaml:2: ", "PODIUM_TIMEZNOE"}},
		{"twice in file", "slack_bot_token: a\nslack: {bot_token: b}\n", nil, []string{"p.yaml:2: set a second time, see "}},
		{"twice in environment", "", []string{"PODIUM_TIMEZONE=UTC", "PODIUM_TIMEZONE_FILE=x"}, []string{"PODIUM_TIMEZONE_FILE: set a second time, see PODIUM_TIMEZONE"}},
		{"no YAML", "a: [1,\n", nil, []string{"p.yaml: line "}},
		{"no mapping", "- a\n- b\n", nil, []string{"p.yaml:1: settings are written as name: value"}},
		{"list for a value", "timezone: [UTC]\n", nil, []string{"p.yaml:1: timezone takes one plain value"}},
		{"section for a value", "timezone: {a: b}\n", nil, []string{"p.yaml:1: timezone takes one plain value"}},
		{"file names a file", "config: x\n", nil, []string{"can not name another"}},
		{"file is not there", "", []string{"PODIUM_CONFIG=/none/p.yaml"}, []string{"settings file: open /none/p.yaml: no such file"}},
		{"value's file is not there", "", []string{"PODIUM_SLACK_BOT_TOKEN_FILE=/none"}, []string{"PODIUM_SLACK_BOT_TOKEN_FILE: open /none: no such file"}},
		{"secret in place of its file", "", []string{"PODIUM_SLACK_BOT_TOKEN_FILE=" + hidden}, []string{"PODIUM_SLACK_BOT_TOKEN_FILE: can not read the file that it names: no such file"}},
		{"secret in place of its file, in a file", "slack: {bot_token_file: " + hidden + "}", nil, []string{"p.yaml:1: can not read the file that it names: no such file"}},
		{"value's file is empty", "", []string{"PODIUM_SLACK_BOT_TOKEN_FILE=" + os.DevNull}, []string{"PODIUM_SLACK_BOT_TOKEN_FILE: the file is empty"}},
		{"two lines", "", []string{"PODIUM_SLACK_BOT_TOKEN=" + hidden + "\n" + hidden}, []string{"PODIUM_SLACK_BOT_TOKEN: has more than one line"}},
		{"address", "", []string{"PODIUM_HTTP_ADDR=8080"}, []string{`PODIUM_HTTP_ADDR: "8080" is not host:port`}},
		{"address in a file", "http_addr: 8080\n", nil, []string{`PODIUM_HTTP_ADDR (`, `p.yaml:1): "8080" is not host:port`}},
		{"port", "", []string{"PODIUM_HTTP_ADDR=:99999"}, []string{`is not host:port`}},
		{"time zone", "", []string{"PODIUM_TIMEZONE=Berlin"}, []string{`"Berlin" is not an IANA time zone`}},
		{"local time zone", "", []string{"PODIUM_TIMEZONE=Local"}, []string{`"Local" is not an IANA time zone`}},
		{"public key", "", []string{"PODIUM_DISCORD_PUBLIC_KEY=" + hidden}, []string{"PODIUM_DISCORD_PUBLIC_KEY: is not the 64 hexadecimal digits"}},
		{"public key of zeros", "", []string{"PODIUM_DISCORD_PUBLIC_KEY=" + strings.Repeat("0", 64)}, []string{"PODIUM_DISCORD_PUBLIC_KEY: is a key that everybody can sign for"}},
		{"public key of order 8", "", []string{"PODIUM_DISCORD_PUBLIC_KEY=c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"}, []string{"everybody can sign for"}},
		{"id", "", []string{"PODIUM_DISCORD_GUILD_ID=My server"}, []string{`"My server" is not a Discord id`}},
		{"shard", "", []string{"PODIUM_DISCORD_SHARD_ID=2", "PODIUM_DISCORD_SHARD_COUNT=2"}, []string{"PODIUM_DISCORD_SHARD_ID: 2 is not below"}},
		{"shards", "", []string{"PODIUM_DISCORD_SHARD_COUNT=0"}, []string{"at least 1"}},
		{"API address", "", []string{"PODIUM_SLACK_API_URL=slack.com"}, []string{"is not an address such as"}},
		{"API address of Discord", "", []string{"PODIUM_DISCORD_API_URL=discord.com"}, []string{"PODIUM_DISCORD_API_URL: is not an address such as https://discord.com/"}},
		{"API address without a host", "", []string{"PODIUM_SLACK_API_URL=https://:443/"}, []string{"is not an address such as"}},
		{"API address with an odd port", "", []string{"PODIUM_SLACK_API_URL=https://slack.com:99999/"}, []string{"is not an address such as"}},
		{"API address with a fragment", "", []string{"PODIUM_SLACK_API_URL=https://slack.com/api/#"}, []string{"is not an address such as"}},
		{"API address with a password", "", []string{"PODIUM_SLACK_API_URL=https://a:" + hidden + "@slack.com"}, []string{"is not an address such as"}},
		{"level", "", []string{"PODIUM_LOG_LEVEL=loud"}, []string{`"loud" is not one of debug, info, warn, error`}},
		{"format", "", []string{"PODIUM_LOG_FORMAT=xml"}, []string{`"xml" is neither text nor json`}},
		{"days", "", []string{"PODIUM_QUESTION_DAYS=90d"}, []string{`"90d" is not a number of days`}},
		{"no days", "", []string{"PODIUM_REFERENCE_DAYS=0"}, []string{`"0" is not a number of days`}},
		{"half of Slack", "", []string{"PODIUM_SLACK_BOT_TOKEN=xoxb-" + hidden}, []string{"PODIUM_SLACK_APP_TOKEN: missing: set it for Socket Mode, or PODIUM_SLACK_SIGNING_SECRET"}},
		{"other half of Slack", "", []string{"PODIUM_SLACK_SIGNING_SECRET=" + hidden}, []string{"PODIUM_SLACK_BOT_TOKEN: missing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			environ := c.environ
			if c.file != "" {
				environ = append(environ, "PODIUM_CONFIG="+write(t, "p.yaml", c.file))
			}
			_, _, err := Load(Source{Environ: environ})
			if err == nil {
				t.Fatalf("Load(%q) succeeded, want an error", environ)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Load = %q, want it to say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), hidden) {
				t.Errorf("Load = %q, which holds a secret", err)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	_, warnings, err := Load(Source{Environ: []string{
		"PODIUM_SERVICE_HOST=10.0.0.1", "PODIUM_PORT_8080_TCP=tcp://10.0.0.1:8080", "PODIUM=x", "PATH=/bin", "PODIUM_SERVICE_PORT=1",
	}})
	if err != nil || len(warnings) != 3 || !strings.HasPrefix(warnings[1], "PODIUM_SERVICE_HOST is not a setting") {
		t.Errorf("Load = warnings %q, %v, want three for what an orchestrator injects", warnings, err)
	}
}

// TestValues tells where each setting in force comes from, and no secret.
func TestValues(t *testing.T) {
	const hidden = "hunter2"
	file := write(t, "p.yaml", "slack:\n  bot_token: xoxb-"+hidden+"\n  app_token_file: "+write(t, "app", "xapp-"+hidden)+"\nlog_level: warn\n")
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	AddFlags(flags, "http_addr", "config")
	if err := flags.Parse([]string{"--http-addr=127.0.0.1:9", "--config", file}); err != nil {
		t.Fatal(err)
	}
	values, _, err := Values(Source{Flags: flags, Environ: []string{
		"PODIUM_DATABASE_URL=postgres://podium:" + hidden + "@db:5432/podium?password=" + hidden,
		"PODIUM_DISCORD_TOKEN_FILE=" + write(t, "discord", hidden), "PODIUM_HTTP_ADDR=127.0.0.1:8",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(values) != len(Table()) {
		t.Fatalf("%d values of %d settings", len(values), len(Table()))
	}
	want := map[string][2]string{
		"config":           {file, "--config"},
		"http_addr":        {"127.0.0.1:9", "--http-addr"},
		"slack_bot_token":  {"redacted", file + ":2"},
		"slack_app_token":  {"redacted", file + ":3"},
		"log_level":        {"warn", file + ":4"},
		"database_url":     {"postgres://db:5432/podium", "PODIUM_DATABASE_URL"},
		"discord_token":    {"redacted", "PODIUM_DISCORD_TOKEN_FILE"},
		"timezone":         {"UTC", "default"},
		"discord_guild_id": {"", "default"},
	}
	for i, v := range values {
		if v.Key != Table()[i].Key || strings.Contains(fmt.Sprint(v), hidden) {
			t.Errorf("value %d is %s: %s", i, v.Key, v.Text)
		}
		if w, ok := want[v.Key]; ok && (v.Text != w[0] || v.Origin != w[1]) {
			t.Errorf("%s is %q from %s, want %q from %s", v.Key, v.Text, v.Origin, w[0], w[1])
		}
	}
	if values, _, err := Values(Source{Environ: []string{"PODIUM_TIMEZONE=Berlin"}}); err == nil || values != nil {
		t.Errorf("Values of wrong settings = %v, %v", values, err)
	}
	t.Chdir(t.TempDir())
	if values, _, err := Values(Source{}); err != nil || values[0].Text != "" || values[0].Origin != "default" {
		t.Errorf("without a settings file its path is %v, %v", values, err)
	}
}

// TestSecret shows a secret in every way that a log, an error or a dump might.
func TestSecret(t *testing.T) {
	const hidden = "hunter2"
	type inner struct{ secret Secret }
	s := Settings{Slack: Slack{BotToken: NewSecret(hidden)}, Store: Store{URL: NewSecret("postgres://podium:" + hidden + "@db:5432/podium?password=" + hidden)}}
	var shown []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		for _, value := range []any{s, &s, s.Slack.BotToken, &s.Slack.BotToken, s.Store.URL, inner{s.Slack.BotToken}, []Secret{s.Slack.BotToken}, fmt.Errorf("x: %w", fmt.Errorf("%v", s))} {
			shown = append(shown, fmt.Sprintf(verb, value))
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "settings", s, "token", s.Slack.BotToken)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "settings", s, "token", s.Slack.BotToken)
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	shown = append(shown, log.String(), string(data))
	for _, text := range shown {
		if strings.Contains(text, hidden) || strings.Contains(text, fmt.Sprintf("%x", hidden)) || strings.Contains(text, fmt.Sprint([]byte(hidden))) {
			t.Errorf("a secret shows in %s", text)
		}
	}
	if got := s.Slack.BotToken.String(); got != "redacted" {
		t.Errorf("String = %q, want %q", got, "redacted")
	}
	if got, want := s.Store.URL.String(), "postgres://db:5432/podium"; got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
	if got := (Secret{}).String(); got != "" {
		t.Errorf("String of no secret = %q, want nothing", got)
	}
}

// TestTable keeps the table in the order and shape that documents rely on.
func TestTable(t *testing.T) {
	seen := make(map[string]bool)
	for _, row := range Table() {
		if seen[row.Key] || row.Name != prefix+strings.ToUpper(row.Key) || row.Help == "" {
			t.Errorf("the table has %+v", row)
		}
		seen[row.Key] = true
	}
	// A known name that is within two edits of another would hide typing
	// errors.
	for _, a := range Table() {
		for _, b := range Table() {
			if a.Key != b.Key && edits(a.Key, b.Key) <= 2 {
				t.Errorf("%s and %s are hard to tell apart", a.Name, b.Name)
			}
		}
	}
}

func FuzzFile(f *testing.F) {
	for _, seed := range []string{"slack: {bot_token: x}", "a: [b, {c: d}]", "&a [*a]", "? {a: b}\n: c", "slack:\n  slack:\n    slack: &x {y: *x}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "p.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		// Only that it ends: findings are for TestRefused. Files are not
		// followed, the fuzzer might name a device.
		if !strings.Contains(strings.ToLower(text), "_file") {
			_, _, _ = Load(Source{Environ: []string{"PODIUM_CONFIG=" + path}})
		}
	})
}
