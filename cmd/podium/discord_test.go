package main

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/discord/discordtest"
	"podium/handlers"
)

// A discordServe is a process of podium serve, connected to a Discord.
type discordServe struct {
	*discordtest.Server
	*process
	overHTTP bool

	mu   sync.Mutex
	said []discordtest.Sent
	news chan struct{} // one for each message
}

func newDiscord(t testing.TB) *discordtest.Server {
	t.Helper()
	s := discordtest.New()
	t.Cleanup(func() {
		s.Close()
		for _, p := range s.Problems() {
			t.Errorf("podium broke a rule of Discord's: %s", p)
		}
	})
	if !discordtest.HasSpec() {
		t.Log("bodies are checked against Discord's limits alone: the specification in ../shared/specs is not here")
	}
	return s
}

// serveDiscord starts podium serve on the embedded announcement, with
// interactions over HTTP or the gateway, and waits until it is connected.
func serveDiscord(t *testing.T, s *discordtest.Server, overHTTP bool, database string) *discordServe {
	t.Helper()
	x := &discordServe{Server: s, overHTTP: overHTTP, news: make(chan struct{}, 1000)}
	s.OnSent = func(m discordtest.Sent) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.said = append(x.said, m)
		x.news <- struct{}{}
	}
	x.start(t, database)
	return x
}

// start starts the process, and waits until it is connected.
func (x *discordServe) start(t *testing.T, database string) {
	t.Helper()
	s, hellos := x.Server, len(x.Hellos())
	environ := []string{"PODIUM_DISCORD_TOKEN=" + discordtest.Token, "PODIUM_DISCORD_API_URL=" + s.URL, "PODIUM_DATABASE_URL=" + database, "PODIUM_KNOWLEDGE=", "PODIUM_LOG_LEVEL=debug"}
	if x.overHTTP {
		environ = append(environ, fmt.Sprintf("PODIUM_DISCORD_PUBLIC_KEY=%x", []byte(s.PublicKey)))
	}
	x.process = startServe(t, environ...)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Until(ctx, func() bool { return len(s.Hellos()) > hellos && len(s.Requests("GET /applications/")) > 0 }); err != nil {
		t.Fatalf("podium has not connected: %v", err)
	}
	if err := s.Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

// end stops the process and returns its log and exit code.
func (x *discordServe) end(t *testing.T) (log string, code int) {
	t.Helper()
	if err := x.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return x.ended()
}

// ended waits for the process to end.
func (x *discordServe) ended() (log string, code int) {
	var b strings.Builder
	for x.log.Scan() {
		b.WriteString(x.log.Text() + "\n")
	}
	_ = x.cmd.Wait() // the exit code tells
	return b.String(), x.cmd.ProcessState.ExitCode()
}

// next is the next message of podium's.
func (x *discordServe) next(t *testing.T) discordtest.Sent {
	t.Helper()
	select {
	case <-x.news:
	case <-time.After(20 * time.Second):
		t.Fatal("podium said nothing")
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.said[len(x.said)-1-len(x.news)]
}

func (x *discordServe) interact(t *testing.T, i map[string]any) discordtest.Sent {
	t.Helper()
	var err error
	if x.overHTTP {
		_, err = x.Post("http://"+x.address+"/discord/interactions", i)
	} else {
		_, err = x.Interact(i)
	}
	if err != nil {
		t.Fatal(err)
	}
	return x.next(t)
}

func (x *discordServe) command(t *testing.T, sub string, options ...string) discordtest.Sent {
	t.Helper()
	return x.interact(t, x.Interaction(2, discordtest.Command(sub, options...), nil))
}

// message sends a message; fields overwrite those of a mention in a channel.
func (x *discordServe) message(t *testing.T, text string, fields map[string]any) (event map[string]any, reply discordtest.Sent) {
	t.Helper()
	event = x.Message(text, fields)
	if err := x.Dispatch("MESSAGE_CREATE", event); err != nil {
		t.Fatal(err)
	}
	return event, x.next(t)
}

var inDirect = map[string]any{"channel_id": discordtest.Direct, "guild_id": nil, "member": nil}

const discordMention = "<@" + discordtest.Self + "> "

// press presses the button of m with that label.
func (x *discordServe) press(t *testing.T, m discordtest.Sent, label string) discordtest.Sent {
	t.Helper()
	for _, b := range m.Buttons() {
		if b.Label == label {
			flags := 0
			if m.Private {
				flags = 64
			}
			return x.interact(t, x.Interaction(3, map[string]any{"custom_id": b.ID, "component_type": 2},
				map[string]any{"channel_id": m.Channel, "message": map[string]any{"id": m.ID, "flags": flags}}))
		}
	}
	t.Fatalf("no button %q on %q: %v", label, m.Text(), m.Buttons())
	return discordtest.Sent{}
}

func TestDiscord(t *testing.T) {
	base := embedded(t)
	for _, transport := range []string{"gateway", "http"} {
		t.Run(transport, func(t *testing.T) {
			s := newDiscord(t)
			database := "sqlite:" + filepath.Join(t.TempDir(), "podium.db")
			x := serveDiscord(t, s, transport == "http", database)
			restart := func() { x.start(t, database) } // outlives the subtest
			t.Run("the same words everywhere", func(t *testing.T) {
				for _, question := range []string{
					"how many troops are in iraq rn", "when's the pull-out date??", "what does this cost the taxpayer", "who is john kirby",
					"how many troops, and who decides about levels?", "what do you make of <!channel> & @everyone?",
				} {
					r, _ := handlers.Answer(base, question)
					want := strings.Fields(r.Text())
					answers := map[string]discordtest.Sent{"/podium ask": x.command(t, "ask", "question", question)}
					_, answers["mention"] = x.message(t, discordMention+question, nil)
					_, answers["direct message"] = x.message(t, question, inDirect)
					for kind, m := range answers {
						if got := strings.Fields(m.Text()); !slices.Equal(got, want) {
							t.Errorf("%s %q is answered\n%s\nwant the words of\n%s", kind, question, m.Text(), r.Text())
						}
						if private := kind == "/podium ask"; m.Private != private {
							t.Errorf("the answer to a %s: private = %v, want %v", kind, m.Private, private)
						}
						if live := m.Live(); live != "" {
							t.Errorf("%s %q pings %q", kind, question, live)
						}
					}
				}
			})
			t.Run("the golden transcripts", func(t *testing.T) {
				files, err := filepath.Glob("../../handlers/testdata/*.txt")
				if err != nil || len(files) == 0 {
					t.Fatalf("no transcripts: %v", err)
				}
				for n, file := range files {
					text, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					// A conversation of its own.
					channel := fmt.Sprint(700+n) + "000000000000000"
					s.Set("/channels/"+channel, map[string]any{"id": channel, "type": 1})
					for _, exchange := range strings.Split("\n"+string(text), "\n> ")[1:] {
						question, want, _ := strings.Cut(exchange, "\n")
						_, m := x.message(t, question, map[string]any{"channel_id": channel, "guild_id": nil, "member": nil})
						if !slices.Equal(strings.Fields(m.Text()), strings.Fields(want)) {
							t.Errorf("%s: %q is answered\n%s\nwant the words of\n%s", filepath.Base(file), question, m.Text(), want)
						}
					}
				}
			})
			t.Run("the answer first", func(t *testing.T) {
				var m struct {
					Content string
					Embeds  []struct{ Description string }
				}
				if err := json.Unmarshal(x.command(t, "ask", "question", "when is the pull-out date").Body, &m); err != nil {
					t.Fatal(err)
				}
				if len(m.Embeds) != 1 || !strings.HasPrefix(m.Content, "No date has been set") || strings.Contains(m.Content, "Kirby") {
					t.Errorf("content %q, want the answer alone", m.Content)
				}
				for _, want := range []string{"There was no specific date set", "John Kirby, chief Pentagon spokesman", "Afghanistan", "sentence "} {
					if !strings.Contains(m.Embeds[0].Description, want) {
						t.Errorf("the embed lacks %q: %s", want, m.Embeds[0].Description)
					}
				}
			})
			t.Run("commands", func(t *testing.T) {
				for _, test := range []struct {
					m    discordtest.Sent
					want string
				}{
					{x.command(t, "help"), "I answer questions about one announcement"},
					{x.command(t, "topics"), "The announcement covers:"},
					{x.command(t, "quote", "speaker", "kirby", "topic", "permanence"), "permanent, enduring mission"},
					{x.command(t, "ask", "question", "how many troops are in iraq"), "2,500 troops in Iraq"},
					{x.command(t, "why"), "how many troops are in iraq"},
				} {
					if !strings.Contains(test.m.Text(), test.want) || !test.m.Private {
						t.Errorf("podium said %q, private %v, want %q in private", test.m.Text(), test.m.Private, test.want)
					}
				}
			})
			t.Run("autocomplete", func(t *testing.T) {
				data := discordtest.Command("ask", "question", "how many tr")
				data["options"].([]any)[0].(map[string]any)["options"].([]any)[0].(map[string]any)["focused"] = true
				i := s.Interaction(4, data, nil)
				start := time.Now()
				var body []byte
				var err error
				if x.overHTTP {
					body, err = x.Post("http://"+x.address+"/discord/interactions", i)
				} else {
					body, err = x.Interact(i)
				}
				if err != nil || !strings.Contains(string(body), `"value":"How many troops"`) {
					t.Errorf("completed by %s, %v", body, err)
				}
				if d := time.Since(start); d > time.Second {
					t.Errorf("completed after %v", d)
				}
			})
			t.Run("follow-up questions", func(t *testing.T) {
				_, first := x.message(t, discordMention+"how many troops are in iraq?", nil)
				_, m := x.message(t, "and in Afghanistan?", map[string]any{"type": 19,
					"referenced_message": map[string]any{"id": first.ID, "author": map[string]any{"id": discordtest.Self, "bot": true}}})
				if !strings.Contains(m.Text(), "Afghanistan") {
					t.Errorf("the reply to podium is answered %q", m.Text())
				}
				x.message(t, "how many troops are in iraq?", inDirect)
				if _, m := x.message(t, "and in Afghanistan?", inDirect); !strings.Contains(m.Text(), "Afghanistan") || m.Channel != discordtest.Direct {
					t.Errorf("the follow-up in a direct message is answered %q", m.Text())
				}
			})
			t.Run("buttons", func(t *testing.T) {
				private := x.command(t, "ask", "question", "how many troops are in iraq")
				shared := x.press(t, private, bot.LabelShare)
				if shared.Private || shared.Channel != discordtest.Channel || !strings.HasPrefix(shared.Text(), strings.SplitN(private.Text(), "\n", 2)[0]) {
					t.Errorf("shared %q in %s, private %v", shared.Text(), shared.Channel, shared.Private)
				}
				_, public := x.message(t, discordMention+"how many troops are in iraq", nil)
				for _, label := range []string{bot.LabelWhy, bot.LabelHelpful, bot.LabelUnhelpful} {
					for _, m := range []discordtest.Sent{private, public} {
						if got := x.press(t, m, label); !got.Private && label != bot.LabelWhy {
							t.Errorf("%q is answered in public: %q", label, got.Text())
						}
					}
				}
				topics := x.command(t, "topics")
				if len(topics.Buttons()) < 20 {
					t.Errorf("%d topics, want them all", len(topics.Buttons()))
				}
				for _, b := range topics.Buttons() {
					if m := x.press(t, topics, b.Label); !m.Private || strings.Contains(m.Text(), "no longer") {
						t.Errorf("the topic %q is answered %q, private %v", b.Label, m.Text(), m.Private)
					}
				}
			})
			t.Run("reminders", func(t *testing.T) {
				remind := discordtest.Command("set", "when", "every weekday at 09:00", "about", "how many troops")
				remind["name"] = "podium-remind"
				group := discordtest.Command("set", "when", "every weekday at 09:00", "about", "how many troops")
				group["options"] = []any{map[string]any{"type": 2, "name": "remind", "options": group["options"]}}
				const want = "Every weekday at 09:00, UTC, in this channel: How many troops."
				for _, data := range []map[string]any{
					remind, group,
					discordtest.Command("remind", "text", "every weekday at 09:00 about how many troops"),
					discordtest.Command("remind", "when", "every weekday at 09:00", "about", "how many troops", "where", discordtest.Channel),
				} {
					m := x.interact(t, s.Interaction(2, data, nil))
					if !m.Private || !strings.HasPrefix(m.Text(), want+"\nNext: ") || strings.Count(string(m.Body), `:F\u003e`) != 3 {
						t.Errorf("%v is answered %s, private %v, want %q, in private, with three times", data, m.Body, m.Private, want)
					}
					if set := x.press(t, m, bot.LabelConfirm); !set.Private || !strings.Contains(set.Text(), " is set. "+want) {
						t.Errorf("confirmed: %q, private %v", set.Text(), set.Private)
					}
					guest := map[string]any{"member": map[string]any{"user": map[string]any{"id": "31", "username": "guest"}, "permissions": "1024"}}
					if m := x.interact(t, s.Interaction(2, data, guest)); !m.Private || !strings.Contains(m.Text(), "members with Manage Channels") || len(m.Buttons()) != 0 {
						t.Errorf("%v by a guest is answered %q, private %v", data, m.Text(), m.Private)
					}
				}
				if m := x.command(t, "remind", "text", "list"); strings.Count(m.Text(), want) != 4 || strings.Count(string(m.Body), `:F\u003e`) != 4 {
					t.Errorf("the list is %s", m.Body)
				}
			})
			t.Run("after Discord's op 7", func(t *testing.T) {
				hellos := len(s.Hellos())
				if err := s.SendOp(7, nil); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if err := s.Until(ctx, func() bool { return len(s.Hellos()) > hellos }); err != nil || !s.Hellos()[hellos].Resume {
					t.Fatalf("podium has not resumed: %v", err)
				}
				if err := s.Ready(ctx); err != nil {
					t.Fatal(err)
				}
				if _, m := x.message(t, discordMention+"thanks", nil); !strings.HasPrefix(m.Text(), "You're welcome.") {
					t.Errorf("podium said %q", m.Text())
				}
			})
			log, code := "", 0
			t.Run("after a restart", func(t *testing.T) {
				event, old := x.message(t, discordMention+"how many troops are in iraq?", nil)
				if log, code = x.end(t); code != 0 {
					t.Errorf("podium serve ended with %d", code)
				}
				puts := len(s.Requests("PUT /applications/"))
				restart()
				if m := x.press(t, old, bot.LabelHelpful); !m.Private {
					t.Errorf("a vote on an old answer is answered %q in public", m.Text())
				}
				// A redelivery says nothing; the next question does.
				if err := s.Dispatch("MESSAGE_CREATE", event); err != nil {
					t.Fatal(err)
				}
				if _, m := x.message(t, "thanks", inDirect); !strings.HasPrefix(m.Text(), "You're welcome.") {
					t.Errorf("a redelivered question was answered again: %q", m.Text())
				}
				if len(s.Requests("PUT /applications/")) != puts {
					t.Error("the same commands were registered again")
				}
			})
			t.Run("a fatal close code", func(t *testing.T) {
				s.CloseGateway(4014)
				more, code := x.ended()
				if log += more; code != 2 || !strings.Contains(more, "PODIUM_DISCORD_TOKEN") || !strings.Contains(more, "GUILD_MESSAGES") {
					t.Errorf("podium serve ended with %d, want 2 and the setting and intents named:\n%s", code, more)
				}
			})
			got := runHere(t, []string{"PODIUM_DATABASE_URL=" + database}, "questions")
			for _, want := range []string{"what does this cost the taxpayer", "not_helpful"} {
				if !strings.Contains(got.stdout, want) {
					t.Errorf("podium questions does not show %q:\n%s", want, got.stdout)
				}
			}
			for _, secret := range []string{discordtest.Token, "interaction-token", "taxpayer"} {
				if strings.Contains(log, secret) {
					t.Errorf("the log holds %q:\n%s", secret, log)
				}
			}
		})
	}
}

// TestDiscordSameShard sees that two processes with the same shard and database
// say so, each in its log and at /readyz, and that both go on.
func TestDiscordSameShard(t *testing.T) {
	database := bottest.Postgres(t)
	s := newDiscord(t)
	first, second := serveDiscord(t, s, false, database), &discordServe{Server: s}
	second.start(t, database)
	for x, other := range map[*discordServe]*discordServe{first: second, second: first} {
		for x.log.Scan() && !strings.Contains(x.log.Text(), "two processes have the same shard") {
		}
		response, err := http.Get("http://" + x.address + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		var r readiness
		err = json.NewDecoder(response.Body).Decode(&r)
		response.Body.Close()
		want := fmt.Sprintf("shard 0 of 1 of the same token is also run by process %d on ", other.cmd.Process.Pid)
		if err != nil || r.Platforms[bot.Discord] != bot.Connected || !strings.Contains(r.Reasons[bot.Discord], want) {
			t.Errorf("/readyz = %+v, %v, want Discord connected and %q", r, err, want)
		}
	}
	for _, x := range []*discordServe{second, first} {
		if log, code := x.end(t); code != 0 {
			t.Errorf("podium serve ended with %d:\n%s", code, log)
		}
	}
}

func TestDiscordRefusesStart(t *testing.T) {
	s := newDiscord(t)
	got := runHere(t, []string{"PODIUM_DISCORD_TOKEN=a-wrong-token", "PODIUM_DISCORD_API_URL=" + s.URL, "PODIUM_HTTP_ADDR=127.0.0.1:0",
		"PODIUM_DATABASE_URL=" + sqliteFile(t), office(t)}, "serve")
	if got.code != 2 || !strings.Contains(got.err.Error(), "PODIUM_DISCORD_TOKEN") || strings.Contains(got.err.Error()+got.stderr, "a-wrong-token") {
		t.Errorf("with a wrong token, podium serve ends with %d: %v", got.code, got.err)
	}
}

func TestManifestDiscord(t *testing.T) {
	got := runHere(t, nil, "manifest", "discord", "--discord-application-id", discordtest.Application)
	if got.code != 0 {
		t.Fatal(got.err)
	}
	_, rest, _ := strings.Cut(got.stdout, "https://")
	link, err := url.Parse("https://" + strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	q := link.Query()
	if link.Host != "discord.com" || q.Get("client_id") != discordtest.Application || q.Get("scope") != "bot applications.commands" || q.Get("permissions") != "274877991936" {
		t.Errorf("the invitation is %s", link)
	}
	if got := runHere(t, nil, "manifest", "discord"); got.code != 2 || !strings.Contains(got.err.Error(), "PODIUM_DISCORD_APPLICATION_ID") {
		t.Errorf("podium manifest discord without an application: %d, %v", got.code, got.err)
	}
}

// BenchmarkDiscordInteraction measures signed questions over HTTP, through the
// whole of serve to the answer, and beside it a handler that verifies the
// signature and replies with fixed JSON, of an answer's usual length and on a
// server with the same time limits. The two take turns, 200 requests each, so
// that what else the machine does falls on both.
func BenchmarkDiscordInteraction(b *testing.B) {
	s := newDiscord(b)
	base := embedded(b)
	var requests []*http.Request
	var bodies []string
	for _, in := range base.Intents {
		if len(in.Examples) == 0 || len(requests) == 50 {
			continue
		}
		body, err := json.Marshal(s.Interaction(2, discordtest.Command("ask", "question", in.Examples[0]), nil))
		if err != nil {
			b.Fatal(err)
		}
		r, err := http.NewRequest("POST", "/discord/interactions", nil)
		if err != nil {
			b.Fatal(err)
		}
		s.Sign(r, body, time.Now())
		requests, bodies = append(requests, r), append(bodies, string(body))
	}
	if len(requests) != 50 {
		b.Fatalf("%d questions, want 50", len(requests))
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	defer client.CloseIdleConnections()
	ask := func(address string, i int) error {
		r, err := http.NewRequest("POST", "http://"+address+"/discord/interactions", strings.NewReader(bodies[i]))
		if err != nil {
			return err
		}
		r.Header = requests[i].Header
		response, err := client.Do(r)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err == nil && (response.StatusCode != http.StatusOK || !strings.HasPrefix(string(answer), `{"type":4`)) {
			err = fmt.Errorf("%s %s", response.Status, answer)
		}
		return err
	}
	const round, clients = 200, 8
	load := func(address string) time.Duration {
		start := time.Now()
		var wg sync.WaitGroup
		for c := range clients {
			wg.Go(func() {
				for n := c; n < round; n += clients {
					if err := ask(address, n%len(requests)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		return time.Since(start)
	}
	l := listen(b)
	bare := newWeb(bareInteraction(s.PublicKey), slog.New(slog.DiscardHandler))
	go bare.Serve(l)
	defer bare.Close()
	// In this process, as the bare handler is.
	free := listen(b)
	address := free.Addr().String()
	free.Close()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"serve"}, []string{fmt.Sprintf("PODIUM_DISCORD_PUBLIC_KEY=%x", []byte(s.PublicKey)),
			"PODIUM_DATABASE_URL=" + sqliteFile(b), "PODIUM_HTTP_ADDR=" + address}, strings.NewReader(""), io.Discard, io.Discard)
	}()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}()
	for response, err := http.Get("http://" + address + "/readyz"); ; response, err = http.Get("http://" + address + "/readyz") {
		if err == nil {
			response.Body.Close()
			break
		}
	}
	var fixed, answered time.Duration
	for b.Loop() {
		fixed += load(l.Addr().String())
		answered += load(address)
	}
	rate := func(d time.Duration) float64 { return float64(b.N) * round / d.Seconds() }
	b.ReportMetric(rate(fixed), "bare/s")
	b.ReportMetric(rate(answered), "podium/s")
	b.ReportMetric(rate(answered)/rate(fixed), "of-bare")
}

// bareInteraction does the least that Discord takes for an answer.
func bareInteraction(key ed25519.PublicKey) http.Handler {
	fixed := `{"type":4,"data":{"content":"` + strings.Repeat("A fixed text. ", 80) + `","flags":64}}`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		signature, _ := hex.DecodeString(r.Header.Get("X-Signature-Ed25519"))
		if err != nil || !ed25519.Verify(key, append([]byte(r.Header.Get("X-Signature-Timestamp")), body...), signature) {
			http.Error(w, "invalid request signature", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, fixed)
	})
}
