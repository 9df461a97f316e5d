package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/slack-go/slack"

	"podium/bot"
	"podium/bot/slack/slacktest"
	"podium/handlers"
	"podium/knowledge"
)

// A slackServe is podium serve within the test's process, connected to a Slack.
type slackServe struct {
	*slacktest.Server
	slacktest.Link
	address string
	log     *logLines
	stop    context.CancelFunc
	ended   chan error
}

// logLines is a log, a line at a time.
type logLines struct {
	mu    sync.Mutex
	text  bytes.Buffer
	lines chan string
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// read takes in the log until its end.
func (l *logLines) read(r io.Reader) {
	for s := bufio.NewScanner(r); s.Scan(); {
		l.mu.Lock()
		l.text.WriteString(s.Text() + "\n")
		l.mu.Unlock()
		select {
		case l.lines <- s.Text():
		default:
		}
	}
}

// newSlack returns a Slack that checks what podium sends by Slack's own schema, where that is at hand.
func newSlack(t testing.TB) *slacktest.Server {
	t.Helper()
	s := slacktest.NewServer()
	t.Cleanup(func() {
		s.Close()
		if err := s.Problems(); err != nil {
			t.Errorf("Slack would not have taken what podium sent: %v", err)
		}
	})
	const file = "../../../shared/specs/blockkit.schema.json"
	if _, err := os.Stat(file); err != nil {
		t.Log("blocks are checked against the limits alone: the schema in ../shared/specs is not here")
		return s
	}
	var err error
	if s.Check, err = slacktest.Schema(file); err != nil {
		t.Fatal(err)
	}
	return s
}

// serveSlack starts podium serve over "socket", "http" or "both", and waits until it is connected.
func serveSlack(t testing.TB, s *slacktest.Server, transport, database string, environ ...string) *slackServe {
	t.Helper()
	environ = append([]string{"PODIUM_SLACK_BOT_TOKEN=" + slacktest.BotToken, "PODIUM_SLACK_API_URL=" + s.APIURL, "PODIUM_HTTP_ADDR=127.0.0.1:0",
		"PODIUM_DATABASE_URL=" + database, "PODIUM_LOG_FORMAT=json"}, environ...)
	if transport != "http" {
		environ = append(environ, "PODIUM_SLACK_APP_TOKEN="+slacktest.AppToken)
	}
	if transport != "socket" {
		environ = append(environ, "PODIUM_SLACK_SIGNING_SECRET="+slacktest.Secret)
	}
	x := &slackServe{Server: s, log: &logLines{lines: make(chan string, 100)}, ended: make(chan error, 1)}
	var ctx context.Context
	ctx, x.stop = context.WithCancel(context.Background())
	r, w := io.Pipe()
	go x.log.read(r)
	go func() {
		err := run(ctx, []string{"serve"}, environ, strings.NewReader(""), io.Discard, w)
		w.Close()
		x.ended <- err
	}()
	t.Cleanup(func() { x.end(t) })
	late := time.After(startsWithin)
	for x.address == "" {
		select {
		case <-late:
			t.Fatalf("podium serve does not serve within %v\n%s", startsWithin, x.log)
		case text := <-x.log.lines:
			var line struct{ Msg, Address string }
			if json.Unmarshal([]byte(text), &line) == nil && line.Msg == "serving" {
				x.address = "http://" + line.Address
			}
		case err := <-x.ended:
			t.Fatalf("podium serve ended: %v\n%s", err, x.log)
		}
	}
	if x.Link = s.HTTP(x.address); transport != "http" {
		x.Link = s.Socket()
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("podium serve is not connected within %v\n%s", startsWithin, x.log)
		}
		response, err := http.Get(x.address + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode == http.StatusOK && strings.Contains(string(body), `"slack":"connected"`) {
			return x
		}
	}
}

// end stops podium serve, which has five seconds for it.
func (x *slackServe) end(t testing.TB) {
	t.Helper()
	if x.stop == nil {
		return
	}
	x.stop()
	x.stop = nil
	select {
	case err := <-x.ended:
		if err != nil {
			t.Errorf("podium serve: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("podium serve has not stopped within 5 s")
	}
}

// does carries out what makes podium say n messages more, and returns them.
func (x *slackServe) does(t testing.TB, n int, act func(ctx context.Context) error) []slacktest.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	before := len(x.Messages())
	if err := act(ctx); err != nil {
		t.Fatalf("%v; log:\n%s", err, x.log)
	}
	all, err := x.WaitMessages(ctx, before+n)
	if err != nil {
		t.Fatalf("podium said %d messages, want %d; log:\n%s", len(all)-before, n, x.log)
	}
	return all[before:]
}

func (x *slackServe) event(t testing.TB, e map[string]any) slacktest.Message {
	t.Helper()
	return x.does(t, 1, func(ctx context.Context) error { return x.Link.Event(ctx, e) })[0]
}

func (x *slackServe) command(t testing.TB, text string) slacktest.Message {
	t.Helper()
	return x.does(t, 1, func(ctx context.Context) error { return x.Link.Command(ctx, slacktest.Command{Text: text}) })[0]
}

// press presses the button of m with that label, as the person who asked.
func (x *slackServe) press(t testing.TB, m slacktest.Message, label string) slacktest.Message {
	t.Helper()
	value, ok := buttons(m)[label]
	if !ok {
		t.Fatalf("no button %q on %q; there are %v", label, m.Text, buttons(m))
	}
	return x.does(t, 1, func(ctx context.Context) error {
		return x.Link.Press(ctx, x.Pressed(m, slacktest.Person, value))
	})[0]
}

// buttons is the values of a message's buttons by their labels.
func buttons(m slacktest.Message) map[string]string {
	all := map[string]string{}
	for _, b := range m.Blocks {
		for _, e := range b.Elements {
			if e.Type == "button" {
				all[shown(e.Label())] = e.Value
			}
		}
	}
	return all
}

// shown is text as Slack shows it.
func shown(text string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(text)
}

func embedded(t testing.TB) *knowledge.Base {
	t.Helper()
	base, err := knowledge.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return base
}

const mention = "<@" + slacktest.Bot + "> "

func TestSlack(t *testing.T) {
	base := embedded(t)
	for _, transport := range []string{"socket", "http"} {
		t.Run(transport, func(t *testing.T) {
			s := newSlack(t)
			database := "sqlite:" + filepath.Join(t.TempDir(), "podium.db")
			x := serveSlack(t, s, transport, database)
			t.Run("the same words everywhere", func(t *testing.T) {
				for _, question := range []string{
					"how many troops are in iraq rn", "when's the pull-out date??", "what does this cost the taxpayer", "who is john kirby",
					"how many troops, and who decides about levels?", "what do you make of <!channel> & @everyone?",
				} {
					r, _ := handlers.Answer(base, question)
					want := r.Text()
					sent := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(question)
					for kind, m := range map[string]slacktest.Message{
						"/podium": x.command(t, sent), "mention": x.event(t, s.Mention(mention+sent)), "direct message": x.event(t, s.DM(sent)),
					} {
						if got := shown(m.Text); got != want {
							t.Errorf("%s %q is answered\n%s\nwant\n%s", kind, question, got, want)
						}
						if private := kind == "/podium"; m.Private() != private {
							t.Errorf("the answer to a %s: private = %v, want %v", kind, m.Private(), private)
						}
					}
				}
			})
			t.Run("commands", func(t *testing.T) {
				for command, want := range map[string]string{
					"help":                    "I answer questions about one announcement",
					"topics":                  "The announcement covers:",
					"quote kirby permanence":  "permanent, enduring mission",
					"how many troops in iraq": "2,500 troops in Iraq",
				} {
					if m := x.command(t, command); !strings.Contains(m.Text, want) || m.Method != "ack" {
						t.Errorf("/podium %s is answered by %s %q, want %q in the acknowledgement", command, m.Method, m.Text, want)
					}
				}
				x.command(t, "how many troops are in iraq")
				if m := x.command(t, "why"); !strings.Contains(m.Text, "how many troops are in iraq") {
					t.Errorf("/podium why is answered %q", m.Text)
				}
			})
			t.Run("follow-up questions", func(t *testing.T) {
				first := s.Mention(mention + "how many troops are in iraq?")
				ts := first["event"].(map[string]any)["ts"]
				x.event(t, first)
				second := s.Mention(mention + "and in Afghanistan?")
				second["event"].(map[string]any)["thread_ts"] = ts
				if m := x.event(t, second); !strings.Contains(m.Text, "Afghanistan") || m.Thread != ts {
					t.Errorf("the follow-up in a thread is answered %q in the thread %s, want %s", m.Text, m.Thread, ts)
				}
				x.event(t, s.DM("how many troops are in iraq?"))
				if m := x.event(t, s.DM("and in Afghanistan?")); !strings.Contains(m.Text, "Afghanistan") {
					t.Errorf("the follow-up in a direct message is answered %q", m.Text)
				}
			})
			t.Run("an edited question", func(t *testing.T) {
				dm := s.DM("how many troops are in iraq?")
				first := x.event(t, dm)
				m := x.event(t, s.Edit(dm, "how many troops are in afghanistan?"))
				if m.Method != "chat.update" || m.TS != first.TS || !strings.Contains(m.Text, "Afghanistan") {
					t.Errorf("%s of %s to %q, want chat.update of %s", m.Method, m.TS, m.Text, first.TS)
				}
			})
			t.Run("buttons", func(t *testing.T) {
				private := x.command(t, "how many troops are in iraq")
				if m := x.press(t, private, bot.LabelShare); m.Private() || m.Channel != slacktest.General || !strings.HasPrefix(m.Text, strings.SplitN(private.Text, "\n", 2)[0]) {
					t.Errorf("shared %q in %s, private %v", m.Text, m.Channel, m.Private())
				}
				for _, label := range []string{bot.LabelWhy, bot.LabelHelpful, bot.LabelUnhelpful} {
					if m := x.press(t, private, label); !m.Private() {
						t.Errorf("%q on a private answer is answered in public", label)
					}
				}
				topics := x.command(t, "topics")
				for label := range buttons(topics) {
					if m := x.press(t, topics, label); !m.Private() || m.Text == "" {
						t.Errorf("the topic %q is answered %q, private %v", label, m.Text, m.Private())
					}
				}
				public := x.event(t, s.Mention(mention+"what does this cost the taxpayer"))
				for label := range buttons(public) {
					if m := x.press(t, public, label); !m.Private() && m.Thread != public.Thread {
						t.Errorf("%q on a public answer is answered in the thread %q, want %q", label, m.Thread, public.Thread)
					}
				}
			})
			t.Run("App Home", func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if err := x.Link.Event(ctx, s.Event(map[string]any{"type": "app_home_opened", "user": slacktest.Person, "channel": slacktest.Direct, "tab": "home"})); err != nil {
					t.Fatal(err)
				}
				if err := s.Wait(ctx, func() bool { return len(s.Views()) > 0 }); err != nil {
					t.Fatal(err)
				}
				v := s.Views()[0]
				topics := buttons(x.command(t, "topics"))
				if got := buttons(slacktest.Message{Blocks: v.Blocks}); len(got) != len(topics) || len(got) == 0 {
					t.Errorf("the App Home has %d buttons, want the %d topics", len(got), len(topics))
				}
			})
			t.Run("after a restart", func(t *testing.T) {
				question := s.Mention(mention + "how many troops are in iraq?")
				old := x.event(t, question)
				dm := s.DM("how many troops are in iraq?")
				answer := x.event(t, dm)
				x.end(t)
				x = serveSlack(t, s, transport, database)
				if m := x.press(t, old, bot.LabelHelpful); !m.Private() {
					t.Errorf("a vote on an old answer is answered %q in public", m.Text)
				}
				if m := x.event(t, s.Edit(dm, "who is john kirby?")); m.TS != answer.TS {
					t.Errorf("an edit of an old question changed %s, want %s", m.TS, answer.TS)
				}
				// A redelivery says nothing; the next question does.
				if err := x.Link.Event(t.Context(), question); err != nil {
					t.Fatal(err)
				}
				if err := x.Link.Event(t.Context(), s.Event(question["event"].(map[string]any))); err != nil {
					t.Fatal(err)
				}
				before := len(s.Messages())
				if m := x.event(t, s.DM("thanks")); !strings.HasPrefix(m.Text, "You're welcome.") || len(s.Messages()) != before+1 {
					t.Errorf("a redelivered question was answered again: %q", m.Text)
				}
			})
			x.end(t)
			got := runHere(t, []string{"PODIUM_DATABASE_URL=" + database}, "questions")
			for _, want := range []string{"what does this cost the taxpayer", "not_helpful"} {
				if !strings.Contains(got.stdout, want) {
					t.Errorf("podium questions does not show %q:\n%s", want, got.stdout)
				}
			}
			for _, secret := range []string{slacktest.BotToken, slacktest.AppToken, slacktest.Secret, "/response/", "taxpayer"} {
				if strings.Contains(x.log.String(), secret) {
					t.Errorf("the log holds %q:\n%s", secret, x.log)
				}
			}
		})
	}
}

// TestSlackBothTransports sees one event that comes by both ways answered once.
func TestSlackBothTransports(t *testing.T) {
	s := newSlack(t)
	x := serveSlack(t, s, "both", "sqlite:"+filepath.Join(t.TempDir(), "podium.db"), office(t))
	e := s.Mention(mention + "where does the office move")
	m := x.event(t, e)
	if err := s.HTTP(x.address).Event(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if last := x.event(t, s.DM("thanks")); !strings.HasPrefix(last.Text, "You're welcome.") || !strings.Contains(m.Text, "Main Street") {
		t.Errorf("podium said %q, then %q", m.Text, last.Text)
	}
}

// hostileKnowledge is a knowledge file whose author writes at length, and to everybody.
func hostileKnowledge(t *testing.T) string {
	t.Helper()
	sentence := "The office <!channel> moves & grows, <@U123> says so at @here and *everywhere*. "
	source := strings.TrimSpace(strings.Repeat(sentence, 150))
	file := map[string]any{
		"announcement": map[string]any{"title": "The <!here> office", "url": "https://example.org/?a=1&b=<!channel>|x"},
		"source":       source,
		"intents": []any{
			map[string]any{"id": "where", "title": "Where <!channel> it moves & why", "examples": []string{"where does the office move", "what is the new address"},
				"answers": []any{map[string]any{"text": source, "evidence": []string{strings.TrimSpace(sentence)}}}},
			map[string]any{"id": "cost", "title": "What <@U123> costs", "examples": []string{"what does the move cost", "who pays for it"},
				"answers": []any{map[string]any{"status": "not_said"}}},
		},
	}
	text, err := json.Marshal(file) // JSON is YAML
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "hostile.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSlackHoldsLimits asks a knowledge file that is longer than Slack's messages. The fake refuses what Slack would.
func TestSlackHoldsLimits(t *testing.T) {
	s := newSlack(t)
	x := serveSlack(t, s, "http", "sqlite:"+filepath.Join(t.TempDir(), "podium.db"), "PODIUM_KNOWLEDGE="+hostileKnowledge(t))
	all := x.does(t, 4, func(ctx context.Context) error {
		return x.Link.Event(ctx, s.Mention(mention+"where does the office move"))
	})
	for i, m := range all {
		if m.Thread != all[0].Thread || m.Thread == "" {
			t.Errorf("message %d stands in the thread %q, want %q", i, m.Thread, all[0].Thread)
		}
		if i == len(all)-1 {
			break
		}
		kept, cut := strings.CutSuffix(m.Text, "\n(more in thread)")
		if !cut || !strings.HasSuffix(kept, ".") {
			t.Errorf("message %d ends with ...%s", i, m.Text[max(0, len(m.Text)-80):])
		}
	}
	private := x.does(t, 2, func(ctx context.Context) error {
		return x.Link.Command(ctx, slacktest.Command{Text: "where does the office move"})
	})
	if private[0].Method != "ack" || private[1].Method != "response_url" {
		t.Errorf("a long answer comes by %s and %s, want ack and response_url", private[0].Method, private[1].Method)
	}
	x.command(t, "topics")
	x.command(t, "what does the move cost")
}

func TestSlackRefusesStart(t *testing.T) {
	for _, test := range []struct {
		method, setting string
	}{{"auth.test", "PODIUM_SLACK_BOT_TOKEN"}, {"apps.connections.open", "PODIUM_SLACK_APP_TOKEN"}} {
		s := newSlack(t)
		s.Fail(test.method, slacktest.Fault{Error: "invalid_auth"})
		got := runHere(t, []string{"PODIUM_SLACK_BOT_TOKEN=" + slacktest.BotToken, "PODIUM_SLACK_APP_TOKEN=" + slacktest.AppToken, "PODIUM_SLACK_API_URL=" + s.APIURL,
			"PODIUM_HTTP_ADDR=127.0.0.1:0", "PODIUM_DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "podium.db"), office(t)}, "serve")
		if got.code != 2 || strings.Count(got.err.Error(), test.setting) != 1 {
			t.Errorf("with a wrong %s, podium serve ends with %d: %v", test.setting, got.code, got.err)
		}
	}
}

func TestManifestSlack(t *testing.T) {
	if got := runHere(t, nil, "manifest", "slack"); got.code != 0 || !strings.Contains(got.stdout, "socket_mode_enabled: true") {
		t.Errorf("podium manifest slack: %v\n%s", got.err, got.stdout)
	}
	if got := runHere(t, nil, "manifest", "slack", "--url", "https://podium.example.org"); got.code != 0 || !strings.Contains(got.stdout, "https://podium.example.org/slack/events") {
		t.Errorf("podium manifest slack --url: %v\n%s", got.err, got.stdout)
	}
	if got := runHere(t, nil, "manifest", "slack", "--url", "http://podium.example.org"); got.code != 2 {
		t.Errorf("podium manifest slack with an address that Slack refuses ends with %d, want 2", got.code)
	}
}

// BenchmarkSlackCommand is 50 questions in turn as signed slash commands, each from the socket through podium serve to
// the answer, beside a bare handler that checks the signature and returns fixed JSON.
func BenchmarkSlackCommand(b *testing.B) {
	s := newSlack(b)
	x := serveSlack(b, s, "http", "sqlite:"+filepath.Join(b.TempDir(), "podium.db"))
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		v, err := sdk.NewSecretsVerifier(r.Header, slacktest.Secret)
		if err == nil {
			v.Write(body)
			err = v.Ensure()
		}
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"response_type":"ephemeral","text":"fixed"}`)
	}))
	defer bare.Close()
	var bodies [][]byte
	who := []string{"how many troops are", "who is", "what is the goal of", "is there a date for", "tell me about"}
	what := []string{"iraq", "afghanistan", "john kirby", "the mission", "the withdrawal", "isis", "the talks", "lloyd austin", "the invitation", "the cost"}
	for _, a := range who {
		for _, b := range what {
			bodies = append(bodies, []byte(url.Values{"command": {"/podium"}, "text": {a + " " + b}, "team_id": {"T1"}, "user_id": {fmt.Sprint("U", len(bodies))}, "channel_id": {"C1"}}.Encode()))
		}
	}
	for _, target := range []struct{ name, address string }{{"bare", bare.URL}, {"podium", x.address}} {
		b.Run(target.name, func(b *testing.B) {
			client := &http.Client{}
			defer client.CloseIdleConnections()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				body := bodies[i%len(bodies)]
				req, _ := http.NewRequest(http.MethodPost, target.address+"/slack/commands", bytes.NewReader(body))
				slacktest.Sign(req.Header, slacktest.Secret, time.Now(), body)
				res, err := client.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, res.Body); err != nil || n == 0 || res.StatusCode != 200 {
					b.Fatal(res.Status, n, err)
				}
				res.Body.Close()
			}
		})
	}
}
