package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/discord/discordtest"
	"podium/bot/slack/slacktest"
	"podium/bot/store"
)

// A patient is a podium that doctor looks at.
type patient struct {
	slack   *slacktest.Server
	discord *discordtest.Server
	environ []string
}

// set gives a setting another value.
func (p *patient) set(name, value string) { p.environ = append(p.environ, name+"="+value) }

// doctor runs podium doctor, and checks that each finding is one line with its
// remedy, and that no secret shows.
func (p *patient) doctor(t *testing.T, args ...string) ran {
	t.Helper()
	// As in a real environment, the last value of a variable counts.
	last := make(map[string]string)
	for _, line := range p.environ {
		name, _, _ := strings.Cut(line, "=")
		last[name] = line
	}
	var environ []string
	for _, line := range last {
		environ = append(environ, line)
	}
	got := runHere(t, environ, append([]string{"doctor"}, args...)...)
	all := fmt.Sprint(got.stdout, got.stderr, got.err)
	for _, secret := range []string{slacktest.BotToken, slacktest.AppToken, slacktest.Secret, discordtest.Token, "hunter2", "/link", "ticket"} {
		if strings.Contains(all, secret) {
			t.Errorf("the secret %q shows in %s", secret, all)
		}
	}
	for line := range strings.Lines(got.stdout) {
		if !regexp.MustCompile(`^(ok    [^>]*|(warn|FAIL)  .+ -> \S.*)\n$`).MatchString(line) && !slices.Contains(args, "--json") {
			t.Errorf("podium doctor prints %q", line)
		}
	}
	if failed := strings.Contains("\n"+got.stdout, "\nFAIL"); !slices.Contains(args, "--json") && (failed != (got.code == 1) || !failed && got.err != nil) {
		t.Errorf("exit code %d, %v, after\n%s", got.code, got.err, got.stdout)
	}
	return got
}

// healthy returns a podium on both platforms with a reminder on each, which is
// well but for its Discord commands, which serve has yet to register.
func healthy(t *testing.T) *patient {
	t.Helper()
	p := &patient{slack: newSlack(t), discord: newDiscord(t)}
	database := sqliteFile(t)
	p.environ = []string{"PODIUM_SLACK_BOT_TOKEN=" + slacktest.BotToken, "PODIUM_SLACK_APP_TOKEN=" + slacktest.AppToken, "PODIUM_SLACK_SIGNING_SECRET=" + slacktest.Secret,
		"PODIUM_SLACK_API_URL=" + p.slack.APIURL, "PODIUM_DISCORD_TOKEN=" + discordtest.Token, "PODIUM_DISCORD_API_URL=" + p.discord.URL,
		"PODIUM_HTTP_ADDR=127.0.0.1:0", "PODIUM_DATABASE_URL=" + database, "PODIUM_DISCORD_APPLICATION_ID=" + discordtest.Application}
	remind(t, database, slacktest.General, discordtest.Channel)
	return p
}

// remind keeps an active reminder for each channel, in Slack for those whose
// id begins with a C.
func remind(t *testing.T, database string, channels ...string) {
	t.Helper()
	st, err := store.Open(t.Context(), database, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, channel := range channels {
		r := bot.Reminder{ID: strings.ToLower(channel[:4] + channel[len(channel)-1:]), Platform: bot.Discord, Channel: channel, Label: "#" + channel,
			Schedule: "every day at 09:00", Zone: "UTC", Start: now, State: bot.Active, Next: now.Add(time.Hour)}
		if channel[0] == 'C' {
			r.Platform = bot.Slack
		}
		if ok, err := st.AddReminder(t.Context(), r); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	if err := st.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestDoctorHealthy looks at a podium that runs, beside it.
func TestDoctorHealthy(t *testing.T) {
	p := healthy(t)
	if got := p.doctor(t); got.code != 1 || !strings.Contains(got.stdout, "FAIL  discord commands: none is registered everywhere -> start podium serve") || strings.Count(got.stdout, "FAIL") != 1 {
		t.Errorf("before podium serve has run: %v\n%s%s", got.err, got.stdout, got.stderr)
	}
	serving := startServe(t, p.environ...)
	if err := p.discord.Until(t.Context(), func() bool { return len(p.discord.Requests("PUT /applications/")) > 0 }); err != nil {
		t.Fatal(err)
	}
	if err := p.slack.Wait(t.Context(), func() bool { return p.slack.Sockets() == 1 }); err != nil {
		t.Fatal(err)
	}
	p.set("PODIUM_HTTP_ADDR", serving.address)
	for {
		got := p.doctor(t)
		if strings.Contains(got.stdout, "is connecting") {
			continue
		}
		for _, want := range []string{
			"ok    knowledge: the built-in announcement passes the gate: ",
			"ok    time zone: UTC, where it is ",
			"ok    http address: " + serving.address + " is held by a running podium, which is ready",
			"ok    database: sqlite:", "ok    database schema: schema ", " free for the database",
			"ok    slack bot token: ", "ok    slack app token: PODIUM_SLACK_APP_TOKEN looks like one", "ok    slack signing secret: ",
			"ok    slack token: Slack knows podium as podium in the workspace Test", "ok    slack scopes: ", "ok    slack app token: Slack would let podium connect",
			"ok    slack clock: within 2 s", "ok    slack channels: podium may post in all 1",
			"ok    discord token: Discord knows podium as podium", "ok    discord intents: no privileged one", "ok    discord commands: registered everywhere",
			"ok    discord clock: within 2 s", "ok    discord channels: podium may post in all 1",
		} {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("podium doctor does not say %q", want)
			}
		}
		if got.code != 0 || got.stderr != "" || strings.Contains(got.stdout, "warn") {
			t.Errorf("podium doctor of a podium that is well: %v\n%s%s", got.err, got.stdout, got.stderr)
		}
		break
	}
	if p.slack.Sockets() != 1 {
		t.Errorf("%d Socket Mode connections, want serve's alone", p.slack.Sockets())
	}
	serving.stop(t)

	calls := len(p.discord.Requests("")) + p.slack.Calls("auth.test")
	got := p.doctor(t, "--offline")
	if got.code != 0 || !strings.Contains(got.stdout, "ok    slack signing secret") || !strings.Contains(got.stdout, "warn  discord token: PODIUM_DISCORD_TOKEN does not look like one") ||
		!strings.Contains(got.stderr, "slack is not asked") || len(p.discord.Requests(""))+p.slack.Calls("auth.test") != calls {
		t.Errorf("podium doctor --offline: %v\n%s%s", got.err, got.stdout, got.stderr)
	}
	got = p.doctor(t, "--offline", "--json")
	for line := range strings.Lines(got.stdout) {
		var f struct{ Level, About, What, Remedy string }
		if err := json.Unmarshal([]byte(line), &f); err != nil || f.About == "" || f.What == "" || (f.Remedy == "") != (f.Level == "ok") {
			t.Errorf("podium doctor --json prints %q: %v", line, err)
		}
	}
}

// TestDoctorFinds has one thing wrong at a time.
func TestDoctorFinds(t *testing.T) {
	all := func(words ...string) []string { return words }
	noSuchName := "https://" + strings.Repeat("x", 64) + ".example/" // a label is no longer than 63
	busy := httptest.NewServer(http.NotFoundHandler())
	defer busy.Close()
	broken := written(t, "broken.yaml", misspelt)
	for _, c := range []struct {
		name string
		harm func(t *testing.T, p *patient)
		want []string // the findings that are not ok, all of them
	}{
		{"bad bot token", func(t *testing.T, p *patient) { p.set("PODIUM_SLACK_BOT_TOKEN", "xoxb-hunter2") },
			all("FAIL  slack token: Slack answered invalid_auth")},
		{"token cut off", func(t *testing.T, p *patient) { p.set("PODIUM_SLACK_BOT_TOKEN", "xoxb-...hunter2") },
			all("FAIL  slack bot token: PODIUM_SLACK_BOT_TOKEN does not look like one", "FAIL  slack token: Slack answered invalid_auth")},
		{"bad app token", func(t *testing.T, p *patient) { p.set("PODIUM_SLACK_APP_TOKEN", "xapp-hunter2") },
			all("FAIL  slack app token: Slack answered invalid_auth")},
		{"app token without its scope", func(t *testing.T, p *patient) {
			p.slack.Fail("apps.connections.open", slacktest.Fault{Error: "missing_scope"})
		}, all("FAIL  slack app token: Slack answered missing_scope")},
		{"signing secret with a blank", func(t *testing.T, p *patient) { p.set("PODIUM_SLACK_SIGNING_SECRET", "hunter2 ") },
			all("FAIL  slack signing secret: ")},
		{"signing secret of an odd shape", func(t *testing.T, p *patient) { p.set("PODIUM_SLACK_SIGNING_SECRET", "hunter2") },
			all("warn  slack signing secret: ")},
		{"missing scopes", func(t *testing.T, p *patient) {
			p.slack.Scopes = []string{"app_mentions:read", "channels:history", "channels:read", "chat:write", "groups:history", "groups:read", "im:history"}
		}, all("FAIL  slack scopes: commands is missing: ", "FAIL  slack scopes: users:read is missing: who is an admin")},
		{"needless scope", func(t *testing.T, p *patient) { p.slack.Scopes = append(p.slack.Scopes, "admin") },
			all("warn  slack scopes: the token may do more than podium needs: admin")},
		{"scopes not told", func(t *testing.T, p *patient) { p.slack.Scopes = nil }, all("warn  slack scopes: Slack does not say")},
		{"Slack's clock a bit ahead", func(t *testing.T, p *patient) { p.slack.Skew = 20 * time.Second }, all("warn  slack clock: this machine's clock is ")},
		{"clock far ahead", func(t *testing.T, p *patient) { p.slack.Skew, p.discord.Skew = -3*time.Minute, -3*time.Minute },
			all("FAIL  slack clock: this machine's clock is ", "FAIL  discord clock: this machine's clock is ")},
		{"Slack asks to wait", func(t *testing.T, p *patient) { p.slack.Fail("auth.test", slacktest.Fault{RetryAfter: 30}) },
			all("warn  slack: Slack asks to come again later")},
		{"Slack fails", func(t *testing.T, p *patient) { p.slack.Fail("auth.test", slacktest.Fault{Status: 503}) },
			all("FAIL  slack: what PODIUM_SLACK_API_URL names answered 503")},
		{"Slack refuses connections", func(t *testing.T, p *patient) { p.set("PODIUM_SLACK_API_URL", "http://127.0.0.1:1/api/") },
			all("FAIL  slack: Slack can not be reached at http://127.0.0.1:1/api/: the connection was refused")},
		{"Slack's name is not found", func(t *testing.T, p *patient) { p.set("PODIUM_SLACK_API_URL", noSuchName) },
			all("FAIL  slack: Slack can not be reached at https://xxx")},
		{"Discord refuses connections", func(t *testing.T, p *patient) { p.set("PODIUM_DISCORD_API_URL", "http://127.0.0.1:1") },
			all("FAIL  discord: Discord can not be reached at http://127.0.0.1:1/: the connection was refused")},
		{"not in a channel", func(t *testing.T, p *patient) { remind(t, p.database(), slacktest.Foreign) },
			all("FAIL  slack channels: podium may not post the reminder cforn in #CFOREIGN: no access: not_in_channel -> Podium is not a member")},
		{"channel gone", func(t *testing.T, p *patient) {
			remind(t, p.database(), slacktest.Archived, "599999999999999999")
		}, all("FAIL  slack channels: podium may not post the reminder carcd in #CARCHIVED: channel gone: is_archived", "FAIL  discord channels: podium may not post the reminder 59999 in #599999999999999999: channel gone")},
		{"no permission", func(t *testing.T, p *patient) {
			p.discord.Set("/guilds/"+discordtest.Guild, map[string]any{"id": discordtest.Guild, "owner_id": "1", "roles": []any{map[string]any{"id": discordtest.Guild, "permissions": "1024"}}})
		}, all("FAIL  discord channels: podium may not post the reminder 50001 in #500000000000000001: no access: permission missing -> Allow podium Send Messages, Embed Links, Read Message History")},
		{"bad Discord token", func(t *testing.T, p *patient) { p.set("PODIUM_DISCORD_TOKEN", "hunter2") },
			all("FAIL  discord token: Discord refused it")},
		{"application of another token", func(t *testing.T, p *patient) { p.set("PODIUM_DISCORD_APPLICATION_ID", "7") },
			all("FAIL  discord application: the token is that of the application 100000000000000001")},
		{"privileged intents", func(t *testing.T, p *patient) { p.application(map[string]any{"flags": 1<<19 | 1<<15}) },
			all("warn  discord intents: privileged ones are switched on that podium has no use for: Server Members, Message Content")},
		{"another public key", func(t *testing.T, p *patient) {
			p.set("PODIUM_DISCORD_PUBLIC_KEY", strings.Repeat("0f", 32))
			p.application(map[string]any{"interactions_endpoint_url": "https://podium.example.org/discord/interactions"})
		}, all("FAIL  discord public key: PODIUM_DISCORD_PUBLIC_KEY is not the application's")},
		{"public key without an endpoint", func(t *testing.T, p *patient) {
			p.set("PODIUM_DISCORD_PUBLIC_KEY", fmt.Sprintf("%x", []byte(p.discord.PublicKey)))
		},
			all("warn  discord endpoint: no Interactions Endpoint URL is set")},
		{"endpoint without a public key", func(t *testing.T, p *patient) {
			p.application(map[string]any{"interactions_endpoint_url": "https://podium.example.org/discord/interactions"})
		}, all("FAIL  discord endpoint: Discord sends commands and buttons to the Interactions Endpoint URL")},
		{"HTTP alone", func(t *testing.T, p *patient) {
			p.set("PODIUM_DISCORD_TOKEN", "")
			p.set("PODIUM_DISCORD_PUBLIC_KEY", fmt.Sprintf("%x", []byte(p.discord.PublicKey)))
		}, all("FAIL  discord channels: podium may not post the reminder 50001")},
		{"another server", func(t *testing.T, p *patient) {
			p.set("PODIUM_DISCORD_GUILD_ID", "7")
		}, all("FAIL  discord commands: none is registered in the server 7")},
		{"port held by another program", func(t *testing.T, p *patient) { p.set("PODIUM_HTTP_ADDR", busy.Listener.Addr().String()) },
			all("FAIL  http address: " + busy.Listener.Addr().String() + " is held by another program")},
		{"another machine's address", func(t *testing.T, p *patient) { p.set("PODIUM_HTTP_ADDR", "192.0.2.1:8080") },
			all("FAIL  http address: 192.0.2.1 is no address of this machine")},
		{"damaged database", func(t *testing.T, p *patient) {
			if err := os.WriteFile(strings.TrimPrefix(p.database(), "sqlite:"), []byte(strings.Repeat("damage ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, all("FAIL  database: ")},
		{"no directory for the database", func(t *testing.T, p *patient) {
			p.set("PODIUM_DATABASE_URL", "sqlite:"+filepath.Join(t.TempDir(), "none", "p.db"))
		},
			all("FAIL  database: there is no directory ")},
		{"database server away", func(t *testing.T, p *patient) {
			p.set("PODIUM_DATABASE_URL", "postgres://podium:hunter2@127.0.0.1:1/podium")
		},
			all("FAIL  database: the database server can not be reached")},
		{"gate", func(t *testing.T, p *patient) { p.set("PODIUM_KNOWLEDGE", broken) },
			all("FAIL  knowledge: " + broken + " does not pass the gate: " + broken + ":8:22: the number \"50\"")},
		{"knowledge not there", func(t *testing.T, p *patient) { p.set("PODIUM_KNOWLEDGE", "none.yaml") }, all("FAIL  knowledge: cannot read the knowledge file")},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := healthy(t)
			p.environ = append(p.environ, office(t)) // which loads at once, and is weak
			c.harm(t, p)
			got := p.doctor(t)
			var found []string
			for line := range strings.Lines(got.stdout) {
				if !strings.HasPrefix(line, "ok ") && !strings.HasPrefix(line, "FAIL  discord commands: none is registered everywhere") &&
					!strings.HasSuffix(line, " passes the gate: 2 intents, 2 sentences; 3 warnings -> podium check tells them\n") {
					found = append(found, line)
				}
			}
			if !slices.EqualFunc(found, c.want, strings.HasPrefix) {
				t.Errorf("podium doctor finds %q, want %q", found, c.want)
			}
		})
	}
}

func (p *patient) database() string {
	for _, line := range slices.Backward(p.environ) {
		if address, ok := strings.CutPrefix(line, "PODIUM_DATABASE_URL="); ok {
			return address
		}
	}
	return ""
}

// application has Discord describe the application with other fields.
func (p *patient) application(fields map[string]any) {
	app := map[string]any{"id": discordtest.Application, "flags": 0, "verify_key": fmt.Sprintf("%x", []byte(p.discord.PublicKey))}
	for k, v := range fields {
		app[k] = v
	}
	p.discord.Set("/applications/@me", app)
}

// TestDoctorUsage ends with 2 where the settings can not be used at all.
func TestDoctorUsage(t *testing.T) {
	for _, c := range []struct{ environ, says string }{
		{"PODIUM_TIMEZONE=Berlin", "PODIUM_TIMEZONE"},
		{"PODIUM_SLACK_BOT_TOKEN=xoxb-hunter2", "PODIUM_SLACK_APP_TOKEN: missing"},
		{"PODIUM_SLACK_BOT_TOKEN=xapp-hunter2 PODIUM_SLACK_APP_TOKEN=xapp-hunter2", "PODIUM_SLACK_BOT_TOKEN: holds an app token"},
	} {
		if got := runHere(t, strings.Fields(c.environ), "doctor", "--offline"); got.code != 2 || got.stdout != "" || !strings.Contains(got.err.Error(), c.says) || strings.Contains(got.err.Error(), "hunter2") {
			t.Errorf("podium doctor with %s ends with %d, %v; want 2 and %q", c.environ, got.code, got.err, c.says)
		}
	}
}
