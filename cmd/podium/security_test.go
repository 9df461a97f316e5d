package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/discord/discordtest"
	"podium/bot/slack/slacktest"
	"podium/bot/store"
	"podium/knowledge"
)

// The tests that SECURITY.md names, as far as they need the whole program.

// TestSecurityFile holds SECURITY.md to the tests: every line of what podium
// never does names one, and each that it names is there.
func TestSecurityFile(t *testing.T) {
	text, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]bool) // handlers.TestX
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
				dir, _ := filepath.Rel("../..", filepath.Dir(path))
				there[filepath.ToSlash(dir)+"."+fn.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, rules, ok := strings.Cut(string(text), "\n## What podium never does\n")
	if !ok {
		t.Fatal("SECURITY.md has no chapter of what podium never does")
	}
	rules, _, _ = strings.Cut(rules, "\n## ")
	name := regexp.MustCompile("`([a-z/]+\\.(?:Test|Fuzz)[A-Za-z]+)`")
	n := 0
	for _, rule := range strings.Split(rules, "\n| **")[1:] {
		n++
		if want := strconv.Itoa(n); !strings.HasPrefix(rule, want+"** |") {
			t.Errorf("the rule %.40q is not number %s", rule, want)
		}
		named := name.FindAllStringSubmatch(rule, -1)
		if len(named) == 0 {
			t.Errorf("no test is named by the rule %.80q", rule)
		}
		for _, test := range named {
			if !there[test[1]] {
				t.Errorf("rule %d names %s, which is not there", n, test[1])
			}
		}
	}
	if n < 15 {
		t.Errorf("SECURITY.md has %d rules", n)
	}
}

// besieged starts podium serve with Slack over HTTP and Discord by both ways.
func besieged(t testing.TB, environ ...string) (*slackServe, *discordtest.Server) {
	t.Helper()
	d := newDiscord(t)
	x := serveSlack(t, newSlack(t), "http", sqliteFile(t), append([]string{"PODIUM_DISCORD_TOKEN=" + discordtest.Token, "PODIUM_DISCORD_API_URL=" + d.URL,
		fmt.Sprintf("PODIUM_DISCORD_PUBLIC_KEY=%x", []byte(d.PublicKey))}, environ...)...)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := d.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return x, d
}

// exchange sends bytes to podium and returns all that comes back.
func exchange(t testing.TB, address, send string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(conn, send) }() // podium may hang up first
	text, err := io.ReadAll(conn)
	if err != nil && len(text) == 0 {
		t.Errorf("%.60q: %v", send, err)
	}
	return string(text)
}

// slackHeaders are the headers of a body that Slack has signed.
func slackHeaders(body string, at time.Time) string {
	h := http.Header{}
	slacktest.Sign(h, slacktest.Secret, at, []byte(body))
	return "X-Slack-Request-Timestamp: " + h.Get("X-Slack-Request-Timestamp") + "\r\nX-Slack-Signature: " + h.Get("X-Slack-Signature") + "\r\n"
}

func discordHeaders(d *discordtest.Server, body string, at time.Time) string {
	r := httptest.NewRequest("POST", "/", nil)
	d.Sign(r, []byte(body), at)
	return "X-Signature-Timestamp: " + r.Header.Get("X-Signature-Timestamp") + "\r\nX-Signature-Ed25519: " + r.Header.Get("X-Signature-Ed25519") + "\r\n"
}

// TestStrangers sends what anybody who reaches the port can: nothing but the
// platforms' own requests is answered with anything, and nothing is said.
func TestStrangers(t *testing.T) {
	x, d := besieged(t, office(t))
	command := url.Values{"command": {"/podium"}, "text": {"where does the office move"}, "user_id": {"U1"}, "channel_id": {slacktest.General}}.Encode()
	ping := `{"id":"1","type":1,"token":"t"}`
	now := time.Now()
	post := func(path, headers, body string) string {
		return "POST " + path + " HTTP/1.1\r\nHost: podium\r\nConnection: close\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n" + headers + "\r\n" + body
	}
	get := func(method, path, headers string) string {
		return method + " " + path + " HTTP/1.1\r\nHost: podium\r\nConnection: close\r\n" + headers + "\r\n"
	}
	slackSigned, discordSigned := slackHeaders(command, now), discordHeaders(d, ping, now)
	header := func(of, name string) string {
		_, value, _ := strings.Cut(of, name+": ")
		value, _, _ = strings.Cut(value, "\r\n")
		return value
	}
	stamp, signature := header(slackSigned, "X-Slack-Request-Timestamp"), header(slackSigned, "X-Slack-Signature")
	slackWith := func(stamp, signature string) string {
		return post("/slack/commands", "X-Slack-Request-Timestamp: "+stamp+"\r\nX-Slack-Signature: "+signature+"\r\n", command)
	}
	discordWith := func(stamp, signature string) string {
		return post("/discord/interactions", "X-Signature-Timestamp: "+stamp+"\r\nX-Signature-Ed25519: "+signature+"\r\n", ping)
	}
	discordStamp, discordSignature := header(discordSigned, "X-Signature-Timestamp"), header(discordSigned, "X-Signature-Ed25519")
	const refused, wrong, none, method = "HTTP/1.1 401 ", "HTTP/1.1 400 ", "HTTP/1.1 404 ", "HTTP/1.1 405 "
	for _, c := range []struct{ name, send, want string }{
		{"the command as Slack sends it", post("/slack/commands", slackSigned, command), "HTTP/1.1 200 "},
		{"the ping as Discord sends it", post("/discord/interactions", discordSigned, ping), "HTTP/1.1 200 "},
		{"no signature", post("/slack/commands", "", command), refused},
		{"no signature, events", post("/slack/events", "", `{"type":"url_verification","challenge":"x"}`), refused},
		{"no signature, interactions", post("/slack/interactions", "", "payload={}"), refused},
		{"no signature, Discord", post("/discord/interactions", "", ping), refused},
		{"another scheme", slackWith(stamp, "sha256"+signature[2:]), refused},
		{"version 1", slackWith(stamp, "v1"+signature[2:]), refused},
		{"version in capitals", slackWith(stamp, "V0"+signature[2:]), refused},
		{"two signatures in one", slackWith(stamp, "v0=00,"+signature), refused},
		{"blank within", slackWith(stamp, "v0= "+signature[3:]), refused},
		{"cut short", slackWith(stamp, signature[:len(signature)-2]), refused},
		{"one byte more", slackWith(stamp, signature+"00"), refused},
		{"zeros", slackWith(stamp, "v0="+strings.Repeat("0", 64)), refused},
		{"time with a sign", slackWith("+"+stamp, signature), refused},
		{"time with zeros", slackWith("00"+stamp, signature), refused},
		{"time with a fraction", slackWith(stamp+".0", signature), refused},
		{"time in hexadecimal", slackWith("0x"+strconv.FormatInt(now.Unix(), 16), signature), refused},
		{"time that overflows", slackWith("9223372036854775808", signature), refused},
		{"the largest time", slackWith("9223372036854775807", signature), refused},
		{"the smallest time", slackWith("-9223372036854775808", signature), refused},
		{"the largest time, signed", post("/slack/commands", slackHeaders(command, time.Unix(1<<62, 0)), command), refused},
		{"an hour old", post("/slack/commands", slackHeaders(command, now.Add(-time.Hour)), command), refused},
		{"an hour ahead", post("/slack/commands", slackHeaders(command, now.Add(time.Hour)), command), refused},
		{"a forged header before the right one", post("/slack/commands", "X-Slack-Signature: v0="+strings.Repeat("0", 64)+"\r\n"+slackSigned, command), refused},
		{"signature in the query", post("/slack/commands?"+url.Values{"X-Slack-Signature": {signature}, "X-Slack-Request-Timestamp": {stamp}}.Encode(), "", command), refused},
		{"signature in a cookie", post("/slack/commands", "Cookie: X-Slack-Signature="+signature+"; X-Slack-Request-Timestamp="+stamp+"\r\n", command), refused},
		{"signed for another body", post("/slack/commands", slackSigned, command+"&user_id=U2"), refused},
		{"said to be forwarded", post("/slack/commands", "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: slack.com\r\nForwarded: for=127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n", command), refused},
		{"Slack's certificate check, unsigned", post("/slack/commands", "", "ssl_check=1"), refused},
		{"Discord's signature with a stamp that runs into the body", discordWith(discordStamp+"{", discordSignature), refused},
		{"Discord's, with a sign", discordWith("+"+discordStamp, discordSignature), refused},
		{"Discord's, of the smallest time", post("/discord/interactions", discordHeaders(d, ping, time.Unix(-1<<63, 0)), ping), refused},
		{"Discord's, zeros", discordWith(discordStamp, strings.Repeat("0", 128)), refused},
		{"Slack's signature for Discord", post("/discord/interactions", slackSigned, command), refused},
		{"Discord's signature for Slack", post("/slack/events", discordSigned, ping), refused},
		{"GET", get("GET", "/slack/commands?"+command, slackSigned), method},
		{"another method by header", get("GET", "/slack/commands", "X-HTTP-Method-Override: POST\r\n"+slackSigned), method},
		{"PUT", get("PUT", "/discord/interactions", ""), method},
		{"TRACE", get("TRACE", "/healthz", "Cookie: secret\r\n"), method},
		{"POST to /metrics", post("/metrics", "", ""), method},
		{"CONNECT", "CONNECT slack.com:443 HTTP/1.1\r\nHost: slack.com:443\r\nConnection: close\r\n\r\n", none},
		{"a proxy's request", get("GET", "http://slack.com/api/auth.test", ""), none},
		{"encoded slash", post("/slack%2Fcommands", slackSigned, command), none},
		{"NUL", post("/slack/commands%00", slackSigned, command), none},
		{"slash at the end", post("/slack/commands/", slackSigned, command), none},
		{"capitals", post("/Slack/Commands", slackSigned, command), none},
		{"two hosts", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", wrong},
		{"two lengths", "POST /slack/commands HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab", wrong},
		{"negative length", "POST /slack/commands HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\nConnection: close\r\n\r\n", wrong},
		{"HTTP/2 from the start", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", wrong},
		{"HTTP/0.9", "GET /healthz\r\n\r\n", wrong},
		{"a broken path", get("GET", "/%zz", ""), wrong},
		{"a broken chunk", "POST /slack/commands HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n", wrong},
		{"compressed, and signed as it is not", post("/slack/commands", "Content-Encoding: gzip\r\n"+slackHeaders("another", now), command), refused},
		{"too large", post("/slack/events", "", strings.Repeat(" ", maxBody+1)), "HTTP/1.1 413 "},
		{"too large, Discord", post("/discord/interactions", "", strings.Repeat(" ", maxBody+1)), "HTTP/1.1 413 "},
		{"a huge header", get("GET", "/healthz", "X: "+strings.Repeat("x", 64<<10)+"\r\n"), "HTTP/1.1 431 "},
	} {
		if got := exchange(t, x.address, c.send); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %.80q, want %s", c.name, got, c.want)
		}
	}
	// Behind an answered request on one connection each is still one of its own.
	pipelined := strings.Replace(post("/slack/commands", slackSigned, command), "Connection: close\r\n", "", 1) + post("/slack/commands", "", command)
	if got := exchange(t, x.address, pipelined); !strings.Contains(got, refused) || strings.Count(got, "response_type") != 1 {
		t.Errorf("an unsigned command behind a signed one: %.200q", got)
	}
	// Where the length is told in two ways, nothing behind the body is a request.
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(command), command)
	smuggled := "POST /slack/commands HTTP/1.1\r\nHost: podium\r\nContent-Length: " + strconv.Itoa(len(chunked)+200) + "\r\nTransfer-Encoding: chunked\r\n" + slackSigned + "\r\n" + chunked
	if got := exchange(t, x.address, smuggled+get("GET", "/metrics", "")); strings.Count(got, "HTTP/1.1 ") != 1 || strings.Count(got, "response_type") != 1 {
		t.Errorf("a request in another's body: %.300q", got)
	}
	// A redirect to the plain path leads nowhere else.
	for _, path := range []string{"//evil.example/../healthz", "/\\evil.example/..//healthz", "//evil.example", "/x/../slack/commands"} {
		got := exchange(t, x.address, get("GET", path, ""))
		if _, to, ok := strings.Cut(got, "Location: "); ok && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, "/\\")) {
			t.Errorf("GET %s leads to %.40q", path, to)
		}
	}
	if n := len(x.Messages()); n != 0 {
		t.Errorf("podium said %d messages to strangers: %+v", n, x.Messages())
	}
}

// TestNothingElseIsServed asks for what servers show by mistake.
func TestNothingElseIsServed(t *testing.T) {
	x, _ := besieged(t, office(t))
	for _, path := range []string{
		"/", "/index.html", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/debug/requests", "/podium.db", "/.env", "/.git/config", "/slack/", "/slack", "/discord",
		"/discord/", "/etc/passwd", "/../../etc/passwd", "/favicon.ico", "/robots.txt", "/server-status", "/config", "/questions", "/healthz/", "/metrics/", "/readyz/..%2f..%2f",
	} {
		response, err := http.Get(x.address + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != http.StatusNotFound || string(body) != "404 page not found\n" {
			t.Errorf("GET %s: %s %.60q, want 404", path, response.Status, body)
		}
	}
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": `"database":"up"`, "/metrics": "podium_build_info"} {
		response, err := http.Get(x.address + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("GET %s: %s %.60q, want %q", path, response.Status, body, want)
		}
		noSecrets(t, path, string(body))
	}
}

// secrets are what must not come out anywhere.
var secrets = []string{slacktest.BotToken, slacktest.AppToken, slacktest.Secret, discordtest.Token, "interaction-token-", "/response/"}

func noSecrets(t testing.TB, where, text string) {
	t.Helper()
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s holds %q", where, secret)
		}
	}
}

// TestForgedValues presses buttons that podium never made, and buttons that are
// somebody else's: the value is worth no more than what podium knows.
func TestForgedValues(t *testing.T) {
	x, d := besieged(t, office(t), "PODIUM_REMINDER_ADMINS="+slacktest.Admin)
	called := make(chan string, 100)
	trap := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { called <- r.URL.Path }))
	defer trap.Close()
	private := slacktest.Message{Method: "ack", Type: "ephemeral", Channel: slacktest.General, TS: x.TS()}
	base, err := knowledge.Load("testdata/office.yaml")
	if err != nil {
		t.Fatal(err)
	}
	known := base.Intents[0].ID
	for _, value := range []string{
		"share:no_such_answer", "share:", "share:+", "share:quote=", "share:quote=none", "share:" + known + "+no_such_answer", "share:../" + known, "share:<!channel>",
		"topic:<!channel>", "topic:@everyone", "why:<!here>,97,,0,@everyone", "why:" + known + ",97,,0,<!channel>,@here,zanzibar", "why:,,,", "why:" + known + ",1e9,x,-1",
		"helpful:no_such_answer", "unhelpful:<@U1>", "confirm:", "confirm:aaaaa", "confirm:'; DROP TABLE reminders; --", "cancel:*", "confirm:%00",
	} {
		got := x.does(t, 1, func(ctx context.Context) error { return x.Link.Press(ctx, x.Pressed(private, slacktest.Person, value)) })[0]
		if !got.Private() {
			t.Errorf("the forged value %q made podium say in public: %q", value, got.Text)
		}
		for _, forged := range []string{"zanzibar", "<", "@", "aaaaa", "no_such"} {
			if strings.Contains(shown(got.Text), forged) {
				t.Errorf("the forged value %q is answered %q", value, got.Text)
			}
		}
		// Discord checks its responses as it does all else.
		i := d.Interaction(3, map[string]any{"custom_id": value, "component_type": 2}, map[string]any{"message": map[string]any{"id": "1", "flags": 64}})
		body, err := d.Post(x.address+"/discord/interactions", i)
		if err != nil {
			t.Fatal(err)
		}
		var response struct {
			Type int
			Data struct{ Flags int }
		}
		if err := json.Unmarshal(body, &response); err != nil || response.Type != 6 && response.Data.Flags != 64 {
			t.Errorf("the forged custom_id %q made podium say in public: %s", value, body)
		}
	}
	// What no button can have sent is not even asked about.
	before := len(x.Messages())
	for _, value := range []string{"", "drop:tables", "share", ":", strings.Repeat("share:", 100), "SHARE:" + known, "share\x00:" + known} {
		if err := x.Link.Press(t.Context(), x.Pressed(private, slacktest.Person, value)); err != nil {
			t.Fatal(err)
		}
	}
	// The draft of an admin is the admin's to confirm, whoever knows its value.
	draft := x.does(t, 1, func(ctx context.Context) error {
		return x.Link.Command(ctx, slacktest.Command{User: slacktest.Admin, Text: "remind every weekday at 9:00 about where the office moves"})
	})[0]
	if len(x.Messages()) != before+1 {
		t.Errorf("values that no button has sent were answered: %+v", x.Messages()[before:])
	}
	confirm := buttons(draft)[bot.LabelConfirm]
	press := func(user, value string) string {
		t.Helper()
		return x.does(t, 1, func(ctx context.Context) error { return x.Link.Press(ctx, x.Pressed(draft, user, value)) })[0].Text
	}
	for _, value := range []string{confirm, buttons(draft)[bot.LabelCancel]} {
		if got := press(slacktest.Person, value); got != "Only who sent the command can decide that." {
			t.Errorf("%s by another is answered %q", value, got)
		}
	}
	i := d.Interaction(3, map[string]any{"custom_id": confirm, "component_type": 2}, nil)
	if body, err := d.Post(x.address+"/discord/interactions", i); err != nil || !strings.Contains(string(body), "no longer open") {
		t.Errorf("Slack's draft, confirmed in Discord: %s, %v", body, err)
	}
	set := press(slacktest.Admin, confirm)
	id, _, ok := strings.Cut(strings.TrimPrefix(set, "Reminder "), " is set.")
	if !ok {
		t.Fatalf("the admin's own Confirm is answered %q", set)
	}
	listed := func() string {
		return x.does(t, 1, func(ctx context.Context) error {
			return x.Link.Command(ctx, slacktest.Command{User: slacktest.Admin, Text: "remind list"})
		})[0].Text
	}
	list := listed()
	// No verb sets or changes a reminder for who may not, in whatever way it is sent.
	for _, text := range []string{
		"remind every day at 9:00 about where the office moves", "remind delete " + id, "remind pause " + id, "remind resume " + id, "remind preview " + id,
		"remind edit " + id + " every day at 10:00", "reminder delete " + id, "/remind delete " + id, "podium remind delete " + id, "REMIND DELETE " + strings.ToUpper(id),
	} {
		for _, got := range []slacktest.Message{
			x.does(t, 1, func(ctx context.Context) error { return x.Link.Command(ctx, slacktest.Command{Text: text}) })[0],
			x.event(t, x.DM(text)), x.event(t, x.Mention(mention+text)),
		} {
			if !strings.Contains(got.Text, "Only those who manage this channel") && !strings.Contains(got.Text, "There is no reminder") {
				t.Errorf("%q by a member (%s) is answered %q", text, got.Method, got.Text)
			}
		}
	}
	if after := listed(); after != list {
		t.Errorf("the reminders are now %q, want %q", after, list)
	}
	// An address in a request is called only if it is Slack's.
	slow := url.Values{"command": {"/podium"}, "text": {"topics"}, "user_id": {slacktest.Person}, "channel_id": {slacktest.General}, "response_url": {trap.URL + "/response"}}
	forged := x.Pressed(private, slacktest.Person, "topic:"+known)
	forged["response_url"] = trap.URL + "/press"
	if err := x.Link.Press(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	if _, err := http.PostForm(x.address+"/slack/commands", slow); err != nil {
		t.Fatal(err)
	}
	got := x.does(t, 1, func(ctx context.Context) error { return x.Link.Event(ctx, x.DM("thanks")) })
	x.end(t) // all is answered
	if len(called) > 0 {
		t.Errorf("podium called a made-up response_url: %s (and said %q)", <-called, got[0].Text)
	}
}

// A bypass is a text by which people try to ping, format or link.
var bypasses = []string{
	"<!channel>", "<!here|here>", "<!everyone>", "<@U0PERSON>", "<@U0PERSON|ceo>", "<!subteam^S1>", "<#CGENERAL|general>", "&lt;!channel&gt;", "&amp;lt;!channel&amp;gt;", "<<!channel>>", "<!channel",
	"@everyone", "@here", "@\u200beveryone", "\u202e@enoyreve", "@e\x00veryone", "<@200000000000000001>", "<@!200000000000000001>", "<@&300000000000000001>", "<#1>", "</podium:1>", "<id:customize>", "<t:1:R>",
	"[click](https://evil.example)", "https://evil.example", "discord.gg/evil", "**bold** __under__ ~~strike~~ ||spoiler|| `code`", "```\n@everyone\n```", "> quote\n# head\n-# small", "\\@everyone", "\\\\<@1>",
	"\x1b]0;title\x07\x1b[2J", "\u009b31m", "\xff\xfe<!channel>\x00", "{{.Secret}} ${PODIUM_SLACK_BOT_TOKEN} %s%n", "ⓔveryone @ｅveryone ＠everyone", strings.Repeat("<!channel>", 300),
}

// TestPingsNobody asks by every way with every bypass, on a knowledge file that
// is full of them too. The platforms' fakes refuse what would ping.
func TestPingsNobody(t *testing.T) {
	x, d := besieged(t, "PODIUM_KNOWLEDGE="+hostileKnowledge(t), "PODIUM_USER_QUESTIONS_PER_MINUTE=0", "PODIUM_CHANNEL_QUESTIONS_PER_MINUTE=0")
	for _, text := range bypasses {
		text = strings.ToValidUTF8(text, "\ufffd") // as both platforms send it
		for _, q := range []string{text, "where does the office move " + text, "remind every day at 9:00 in #" + text + " about " + text} {
			x.command(t, q)
			x.event(t, x.DM(q))
		}
		if m := x.command(t, "why"); strings.ContainsFunc(m.Text, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) {
			t.Errorf("why repeats control characters: %q", m.Text)
		}
		for sub, option := range map[string]string{"ask": "question", "quote": "speaker", "why": ""} {
			i := d.Interaction(2, discordtest.Command(sub, option, text), map[string]any{"member": map[string]any{
				"user": map[string]any{"id": discordtest.Person, "username": text, "global_name": text}, "nick": text, "permissions": "2147483647"}})
			body, err := d.Post(x.address+"/discord/interactions", i)
			if err != nil {
				t.Fatal(err)
			}
			var response struct{ Data json.RawMessage }
			if err := json.Unmarshal(body, &response); err != nil {
				t.Fatal(err)
			}
			if live := (discordtest.Sent{Body: response.Data}).Live(); live != "" {
				t.Errorf("%s %q pings %q", sub, text, live)
			}
		}
	}
	// What is said in the end are Problems of the fakes, which fail the test.
}

// TestLogsHoldNoWords makes podium busy, and everything that it meets fail
// now and then, with words that must not come out again in whatever it tells an
// operator: the log, /readyz and /metrics.
func TestLogsHoldNoWords(t *testing.T) {
	const words, person, label = "zanzibarquestion", "Zoe Zanzibarname", "zanzibarchannel"
	for _, level := range []string{"info", "debug"} {
		t.Run(level, func(t *testing.T) {
			x, d := besieged(t, office(t), "PODIUM_LOG_LEVEL="+level, "PODIUM_USER_QUESTIONS_PER_MINUTE=0", "PODIUM_CHANNEL_QUESTIONS_PER_MINUTE=0")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			do := func(err error) {
				t.Helper()
				if err != nil && ctx.Err() != nil {
					t.Fatal(err)
				}
			}
			faults := []slacktest.Fault{{Error: "not_in_channel"}, {Status: 500}, {Error: "invalid_blocks"}, {Lost: true}, {Error: "missing_scope"}, {Error: "is_archived"}, {Error: "channel_not_found"}}
			for _, method := range []string{"chat.postMessage", "chat.postEphemeral", "chat.update", "response_url", "views.publish", "users.info", "conversations.info"} {
				x.Fail(method, faults...)
			}
			n := 0
			d.Intercept = func(r discordtest.Request) (int, http.Header, string, bool) {
				if n++; n%3 == 0 && (strings.HasPrefix(r.Path, "/channels/") || strings.HasPrefix(r.Path, "/webhooks/")) {
					return 403, nil, `{"code":50013,"message":"Missing Permissions"}`, false
				}
				return 0, nil, "", false
			}
			private := slacktest.Message{Method: "ack", Type: "ephemeral", Channel: slacktest.General, TS: x.TS()}
			for _, text := range []string{words, "where does the office move " + words, "remind every day at 9:00 in #" + label + " about " + words, "remind list", "remind every day at 9:00 about where the office moves",
				"quote " + words, "why", words + strings.Repeat(" "+words, 1000), "topics", "\x1b[2J" + words} {
				for _, user := range []string{slacktest.Person, slacktest.Admin} {
					do(x.Link.Command(ctx, slacktest.Command{Text: text, User: user}))
					dm, mentioned := x.DM(text), x.Mention(mention+text)
					do(x.Link.Event(ctx, dm))
					do(x.Link.Event(ctx, mentioned))
					do(x.Link.Event(ctx, mentioned)) // redelivered
					do(x.Link.Event(ctx, x.Edit(dm, text+" "+words)))
				}
				i := d.Interaction(2, discordtest.Command("ask", "question", text), map[string]any{"member": map[string]any{
					"user": map[string]any{"id": discordtest.Person, "username": person}, "nick": person, "permissions": "2147483647"}, "channel": map[string]any{"id": discordtest.Channel, "type": 0, "name": label}})
				_, err := d.Post(x.address+"/discord/interactions", i)
				do(err)
				do(d.Dispatch("MESSAGE_CREATE", d.Message(discordMention+text, map[string]any{"member": map[string]any{"nick": person}})))
			}
			for _, value := range []string{"share:" + words, "topic:" + words, "why:" + words + ",1,x,1", "confirm:" + words, words} {
				p := x.Pressed(private, slacktest.Person, value)
				p["user"] = map[string]any{"id": slacktest.Person, "username": person, "name": person}
				do(x.Link.Press(ctx, p))
				do(x.Link.Press(ctx, p)) // replayed
			}
			do(x.Link.Event(ctx, x.Server.Event(map[string]any{"type": "app_home_opened", "user": slacktest.Person, "channel": slacktest.Direct, "tab": "home"})))
			// What can not be read, with the words in all the wrong places.
			for path, bodies := range map[string][]string{
				"/slack/events":         {words, `{"type":"` + words + `"`, `{"type":["` + words + `"]}`, `{"type":"event_callback","event":"` + words + `"}`, `{"event":{"text":{"` + words + `":1}}}`},
				"/slack/interactions":   {"payload=" + words, "payload=%7B%22actions%22:%22" + words + "%22%7D", words + "=%zz", "payload=" + url.QueryEscape(`{"type":"block_actions","user":"`+words+`"}`)},
				"/slack/commands":       {words + "=%zz" + words, "command=/" + "podium&text=" + words + ";" + words},
				"/discord/interactions": {words, `{"type":"` + words + `"}`, `{"type":2,"data":"` + words + `"}`, `{"type":2,"id":{"` + words + `":1}}`, `{"type":9,"data":{"name":"` + words + `"}}`},
			} {
				for _, body := range bodies {
					headers := slackHeaders(body, time.Now())
					if strings.HasPrefix(path, "/discord") {
						headers = discordHeaders(d, body, time.Now())
					}
					for _, headers := range []string{headers, ""} {
						got := exchange(t, x.address, "POST "+path+" HTTP/1.1\r\nHost: "+words+"\r\nConnection: close\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n"+headers+"\r\n"+body)
						if !strings.HasPrefix(got, "HTTP/1.1 400 ") && !strings.HasPrefix(got, "HTTP/1.1 401 ") && !strings.HasPrefix(got, "HTTP/1.1 200 ") || strings.Contains(got, words) && !strings.Contains(got, "HTTP/1.1 200") {
							t.Errorf("%s to %s is answered %.200q", body, path, got)
						}
					}
				}
			}
			told := ""
			for _, path := range []string{"/readyz", "/metrics"} {
				response, err := http.Get(x.address + path)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(response.Body)
				response.Body.Close()
				told += string(body)
			}
			x.end(t)
			told += x.log.String()
			noSecrets(t, "what podium tells", told)
			for _, line := range strings.Split(told, "\n") {
				for _, word := range []string{words, "Zanzibar", label, "hooks.slack.com"} {
					if strings.Contains(line, word) {
						t.Errorf("podium tells %q: %s", word, line)
					}
				}
			}
			for _, want := range []string{"not_in_channel", "podium can not read"} {
				if !strings.Contains(told, want) {
					t.Errorf("the log does not tell of %q:\n%s", want, told)
				}
			}
		})
	}
}

// TestHostileIDs has bytes that PostgreSQL does not take for text, and marks of
// its language, in the ids and names of all that Slack sends: podium answers as
// ever, and finds its own answer, reminder and conversation again.
func TestHostileIDs(t *testing.T) {
	x := serveSlack(t, newSlack(t), "http", bottest.Postgres(t), office(t))
	say := func(fields url.Values) string {
		t.Helper()
		for name, value := range map[string]string{"command": "/podium", "response_url": x.ResponseURL(slacktest.General, slacktest.Admin), "trigger_id": x.ID("trigger.")} {
			fields.Set(name, value)
		}
		body := fields.Encode()
		got := exchange(t, x.address, "POST /slack/commands HTTP/1.1\r\nHost: podium\r\nConnection: close\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n"+slackHeaders(body, time.Now())+"\r\n"+body)
		_, got, _ = strings.Cut(got, "\r\n\r\n")
		return got
	}
	for _, hostile := range []string{"\x00", "a\x00b", "\xff\xfe", "\xed\xa0\x80", "'; DROP TABLE seen; --", "\\'\"$1", strings.Repeat("long", 2000)} {
		dm := x.DM("where does the office move")
		dm["team_id"], dm["event_id"] = slacktest.Team+hostile, x.ID("Ev")+hostile
		inner := dm["event"].(map[string]any)
		inner["user"], inner["ts"] = slacktest.Person+hostile, x.TS()+hostile
		if m := x.event(t, dm); !strings.Contains(m.Text, "Main Street") {
			t.Errorf("beside %.20q podium says %q", hostile, m.Text)
		}
		edit := x.Edit(dm, "when does it move")
		edit["team_id"] = dm["team_id"]
		if m := x.event(t, edit); m.Method != "chat.update" || strings.Contains(m.Text, "Main Street") {
			t.Errorf("beside %.20q an edited question is answered by %s %q", hostile, m.Method, m.Text)
		}
		fields := url.Values{"team_id": {slacktest.Team + hostile}, "channel_id": {slacktest.General}, "channel_name": {"general" + hostile}, "user_id": {slacktest.Admin}, "user_name": {"admin" + hostile},
			"text": {"remind every day at 9:00 in <#" + slacktest.General + "|" + hostile + "> about where the office moves"}}
		confirm := regexp.MustCompile(`confirm:[^"]+`).FindString(say(fields))
		press := x.Pressed(slacktest.Message{Method: "ack", Type: "ephemeral", Channel: slacktest.General, TS: x.TS() + hostile}, slacktest.Admin, confirm)
		press["team"] = map[string]any{"id": slacktest.Team + hostile}
		x.does(t, 1, func(ctx context.Context) error { return x.Link.Press(ctx, press) })
		fields.Set("text", "remind list")
		// What is no text is left out where it is kept, and no id that a platform gives.
		kept := utf8.ValidString(hostile) && !strings.Contains(hostile, "\x00") && len(hostile) < 4000
		if list := say(fields); strings.Contains(list, "Every day at 09:00") != kept || strings.Contains(list, bot.Failure) {
			t.Errorf("beside %.20q the reminders are %s", hostile, list)
		}
		fields.Set("text", "remind delete "+hostile)
		if got := say(fields); strings.Contains(got, bot.Failure) || got == "" {
			t.Errorf("a reminder called %.20q is answered %s", hostile, got)
		}
		fields = url.Values{"team_id": fields["team_id"], "channel_id": {slacktest.General + hostile}, "user_id": {slacktest.Person + hostile}, "text": {"where does the office move"}}
		say(fields)
		fields.Set("text", "why")
		if got := say(fields); !strings.Contains(got, "where does the office move") {
			t.Errorf("beside %.20q podium does not know why: %s", hostile, got)
		}
	}
	x.end(t)
	for line := range strings.Lines(x.log.String()) {
		if strings.Contains(line, `"level":"ERROR"`) {
			t.Error(line)
		}
	}
}

// TestWritesNothingElse looks at every file that a podium serve leaves, and at
// who may read it.
func TestWritesNothingElse(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"db", "home", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p := startServe(t, "PODIUM_DATABASE_URL=sqlite:"+filepath.Join(dir, "db", "podium.db"), "HOME="+filepath.Join(dir, "home"), "TMPDIR="+filepath.Join(dir, "tmp"))
	expected := regexp.MustCompile(`^(db/podium\.db(-wal|-shm|\.lock)?|home/\.cache/podium/[0-9a-f]{32}\.model)$`)
	look := func() (n int) {
		for _, root := range []string{dir, p.cmd.Dir} {
			err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				n++
				name, _ := filepath.Rel(root, path)
				if info, err := d.Info(); err != nil || !expected.MatchString(filepath.ToSlash(name)) || info.Mode().Perm()&0o077 != 0 {
					t.Errorf("podium serve has written %s, %v, %v", path, info.Mode(), err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	if n := look(); n < 3 {
		t.Errorf("%d files while it serves, want the database, its lock and the model", n)
	}
	p.stop(t)
	look()
}

// TestMembersNameNoFile: what handles messages has no way to a file. Of the
// package os it uses what tells about the process alone.
func TestMembersNameNoFile(t *testing.T) {
	for _, dir := range []string{"bot", "bot/slack", "bot/discord", "handlers"} {
		files, err := filepath.Glob("../../" + dir + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s has no files: %v", dir, err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, in := range f.Imports {
				if name, _ := strconv.Unquote(in.Path.Value); slices.Contains([]string{"io/ioutil", "os/exec", "plugin", "text/template", "html/template", "database/sql"}, name) {
					t.Errorf("%s imports %s", path, name)
				}
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "os" && !slices.Contains([]string{"Hostname", "Getpid"}, s.Sel.Name) {
						t.Errorf("%s uses os.%s", path, s.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// TestTerminalEscapes keeps a question full of escape codes and prints it in
// every way that there is.
func TestTerminalEscapes(t *testing.T) {
	hostile := strings.Join(bypasses, " ") + "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07\u202egpj\r\x08\x7f"
	environ := []string{"PODIUM_DATABASE_URL=" + sqliteFile(t), office(t)}
	address := strings.TrimPrefix(environ[0], "PODIUM_DATABASE_URL=")
	st, err := store.Open(t.Context(), address, store.Options{Create: true, Questions: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	// As an older podium, or somebody else's backup, may have left it.
	if err := st.LogQuestion(t.Context(), bot.Question{Text: hostile, Outcome: "unanswered", Intent: "x", Platform: bot.Discord, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := st.LogVote(t.Context(), bot.Vote{Platform: bot.Slack, Voter: "U1", Message: "1", Ref: hostile, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("announcement: {title: \"A \\e[2J\"}\n\"\\e[31mkey\": \u202ex\nsource: {file: \"\\e[2J\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hostile = strings.ReplaceAll(hostile, "\x00", "") // no argument holds one
	for _, args := range [][]string{
		{"questions"}, {"questions", "export"}, {"questions", "export", "--format", "csv"}, {"questions", "votes"}, {"ask", hostile}, {"ask", "--json", hostile}, {"check", broken},
		{"ask", "--knowledge", broken, "x"}, {"knowledge", "--knowledge", broken}, {"questions", "--since", hostile}, {"questions", "--outcome", hostile}, {"--" + hostile}, {hostile}, {"backup", hostile},
		{"check", hostile}, {"questions", "--config", hostile},
	} {
		var stdout, stderr bytes.Buffer
		cmd := podium(t, environ, args...)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run() // what it prints counts
		for name, text := range map[string]string{"stdout": stdout.String(), "stderr": stderr.String()} {
			if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && r != '\t' && unicode.IsControl(r) }); i >= 0 {
				t.Errorf("podium %.30q prints a control character on %s: %.80q", args, name, text[max(0, i-20):])
			}
			if strings.Contains(text, "goroutine ") {
				t.Errorf("podium %.30q panics: %s", args, text)
			}
		}
		if stdout.Len()+stderr.Len() == 0 {
			t.Errorf("podium %.30q prints nothing", args)
		}
	}
}

// FuzzEndpoints sends bodies to every endpoint of a podium serve, unsigned and
// as the platforms sign them, with the real answers and everything behind them:
// no panic, no 5xx but 503, no secret, and nothing said that pings.
func FuzzEndpoints(f *testing.F) {
	x, d := besieged(f, office(f), "PODIUM_REMINDER_ADMINS=U1")
	paths := []string{"/slack/commands", "/slack/events", "/slack/interactions", "/discord/interactions", "/healthz", "/readyz", "/metrics"}
	form := func(text string) string {
		return url.Values{"command": {"/podium"}, "text": {text}, "user_id": {"U1"}, "user_name": {"<!here>"}, "channel_id": {slacktest.General}, "team_id": {slacktest.Team},
			"trigger_id": {"1"}, "response_url": {"http://127.0.0.1:1/response"}}.Encode()
	}
	in := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		return string(b)
	}
	for _, text := range append([]string{"where does the office move", "help", "why", "quote", "remind list", "remind every day at 9:00 about where the office moves", "remind edit x every day"}, bypasses...) {
		f.Add(uint8(0), form(text))
		f.Add(uint8(1), in(x.DM(text)))
		f.Add(uint8(1), in(x.Mention(mention+text)))
		f.Add(uint8(3), in(d.Interaction(2, discordtest.Command("ask", "question", text), nil)))
	}
	private := slacktest.Message{Method: "ack", Type: "ephemeral", Channel: slacktest.General, TS: x.TS()}
	for _, value := range []string{"topic:where", "share:where", "why:where,97,,0", "helpful:where", "confirm:x", "\x00"} {
		f.Add(uint8(2), "payload="+url.QueryEscape(in(x.Pressed(private, "U1", value))))
		f.Add(uint8(3), in(d.Interaction(3, map[string]any{"custom_id": value, "component_type": 2}, nil)))
	}
	deep := strings.Repeat(`{"options":[`, 5000) + strings.Repeat("]}", 5000)
	for path, bodies := range map[uint8][]string{
		0: {"", "ssl_check=1", "command=/podium&command=/other&text=a&text=b", ";&%zz=", "payload=%7B%7D", "\xff\x00"},
		1: {"", "null", "[]", `{"type":"url_verification","challenge":"x"}`, `{"type":"event_callback","type":"url_verification"}`, `{"type":"event_callback","event":{"type":"message","channel_type":"im","subtype":"message_changed","message":{}}}`, deep},
		2: {"payload=", "payload=null", "payload=%7B%7D&payload=%7B%22type%22:%22block_actions%22%7D", "payload=" + url.QueryEscape(`{"type":"block_actions","actions":[{},{"type":"button"}]}`)},
		3: {"", "null", `{"type":1}`, `{"type":2,"data":{"name":"podium","options":[{"name":"ask","value":{}}]}}`, `{"type":4,"data":{"options":[{"focused":true,"value":1e400}]}}`, `{"type":2,"data":` + deep + `}`},
		6: {"anything"},
	} {
		for _, body := range bodies {
			f.Add(path, body)
		}
	}
	post := func(t *testing.T, path, body string, sign func(h http.Header)) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), "POST", x.address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		sign(r.Header)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		noSecrets(t, path, string(text))
		return response.StatusCode, string(text)
	}
	f.Cleanup(func() {
		x.end(f)
		noSecrets(f, "the log", x.log.String())
		if i := strings.Index(x.log.String(), "panic"); i >= 0 {
			f.Errorf("podium panicked: %.500s", x.log.String()[max(0, i-200):])
		}
	})
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		path := paths[int(which)%len(paths)]
		endpoint := strings.Count(path, "/") == 2
		status, text := post(t, path, body, func(http.Header) {})
		if endpoint && (status != http.StatusUnauthorized && status != http.StatusRequestEntityTooLarge) || !endpoint && status != http.StatusMethodNotAllowed {
			t.Fatalf("unsigned, %s answers %d %q", path, status, text)
		}
		if !endpoint {
			return
		}
		status, text = post(t, path, body, func(h http.Header) {
			if path == "/discord/interactions" {
				r := &http.Request{Header: h}
				d.Sign(r, []byte(body), time.Now())
				return
			}
			slacktest.Sign(h, slacktest.Secret, time.Now(), []byte(body))
		})
		switch status {
		case 200, 400, 413, 503:
		default:
			t.Errorf("%s answers %d %q", path, status, text)
		}
		if status == 200 && path == "/discord/interactions" && strings.TrimSpace(text) != `{"type":1}` {
			if err := discordtest.CheckCallback([]byte(text)); err != nil {
				t.Errorf("Discord would not take %s: %v", text, err)
			}
		}
		if status == 200 && path == "/slack/commands" && text != "" {
			var r struct {
				Text   string          `json:"text"`
				Blocks json.RawMessage `json:"blocks"`
			}
			if err := json.Unmarshal([]byte(text), &r); err != nil {
				t.Fatal(err)
			}
			if err := slacktest.CheckMessage(r.Text, r.Blocks, false); err != nil {
				t.Error(err)
			}
		}
		if err := x.Problems(); err != nil {
			t.Error(err)
		}
		if list := d.Problems(); len(list) > 0 {
			t.Error(list)
		}
	})
}
