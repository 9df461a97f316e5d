package slack

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/slack/slacktest"
	"podium/bot/store"
)

func TestConformance(t *testing.T) {
	for _, transport := range []string{"socket", "http"} {
		t.Run(transport, func(t *testing.T) {
			bottest.TestAdapter(t, func(t *testing.T, h bot.Handler) bottest.Harness {
				return startHarness(t, h, transport)
			})
		})
	}
}

// A world is an adapter that runs, with the Slack that it runs on.
type world struct {
	*slacktest.Server
	slacktest.Link
	adapter *Adapter
	store   *store.Memory
	log     *logBook
	base    string // of the request URLs
	cancel  context.CancelFunc
	ended   chan error
	web     *httptest.Server
}

// begin starts an adapter over "socket" or "http". change, if not nil, may
// change its options and the Slack before it runs.
func begin(t testing.TB, h bot.Handler, transport string, change func(*Options, *slacktest.Server)) *world {
	t.Helper()
	w := &world{Server: slacktest.NewServer(), store: store.NewMemory(), log: &logBook{}, ended: make(chan error, 1)}
	o := Options{
		BotToken: slacktest.BotToken, APIURL: w.APIURL, Handler: h, Seen: w.store, References: w.store,
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if transport == "socket" {
		o.AppToken = slacktest.AppToken
	} else {
		o.SigningSecret = slacktest.Secret
	}
	w.Check = blockSchema(t)
	if change != nil {
		change(&o, w.Server)
	}
	var err error
	if w.adapter, err = New(o); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	w.adapter.Mount(mux)
	w.web = httptest.NewServer(mux)
	w.base = w.web.URL
	if w.Link = w.HTTP(w.base); transport == "socket" {
		w.Link = w.Socket()
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	go func() { w.ended <- w.adapter.Run(ctx) }()
	return w
}

// start is begin for a test that wants an adapter that is connected and, at
// its end, one that has stopped cleanly and sent nothing that Slack refuses.
func start(t testing.TB, h bot.Handler, transport string, change ...func(*Options, *slacktest.Server)) *world {
	t.Helper()
	w := begin(t, h, transport, func(o *Options, s *slacktest.Server) {
		for _, f := range change {
			f(o, s)
		}
	})
	w.connected(t)
	t.Cleanup(func() {
		w.cancel()
		if err := <-w.ended; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		w.close()
		if err := w.Problems(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) connected(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		state, why := w.adapter.State()
		if state == bot.Connected {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("State() = %q, %v, want %q; log:\n%s", state, why, bot.Connected, w.log)
		}
	}
}

func (w *world) close() {
	http.DefaultClient.CloseIdleConnections()
	w.web.Close()
	w.Server.Close()
}

// said waits for n messages of podium's.
func (w *world) said(t testing.TB, n int) []slacktest.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	all, err := w.WaitMessages(ctx, n)
	if err != nil {
		t.Fatalf("podium said %d messages, want %d; log:\n%s", len(all), n, w.log)
	}
	return all
}

// A logBook is a log in memory.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

type harness struct {
	bottest.Transcript
	*world
	mu   sync.Mutex
	sent map[string]map[string]any // events, by the message's timestamp
}

func startHarness(t *testing.T, h bot.Handler, transport string) bottest.Harness {
	x := &harness{sent: map[string]map[string]any{}}
	x.world = begin(t, h, transport, func(_ *Options, s *slacktest.Server) {
		s.OnMessage = func(m slacktest.Message) { x.Add(said(m)) }
	})
	x.connected(t)
	return x
}

func (x *harness) Adapter() bot.Adapter       { return x.adapter }
func (*harness) Lacks(bottest.Feature) string { return "" }
func (x *harness) Cancel()                    { x.cancel() }
func (x *harness) Wait() error                { return <-x.ended }
func (x *harness) Close()                     { x.close() }
func (x *harness) Live(s bottest.Said) string { return slacktest.Live(string(s.Body)) }

var (
	slackEscapes   = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	slackUnescapes = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">")
)

func (x *harness) Send(u bottest.Utterance) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	text := u.Text
	if !u.Raw {
		text = slackEscapes.Replace(text)
	}
	text = strings.ReplaceAll(text, bottest.Me, "<@"+slacktest.Bot+">")
	if u.Kind == bot.Command {
		return x.ID("command"), x.Command(ctx, slacktest.Command{Text: text})
	}
	e := x.Mention(text)
	if u.Kind == bot.Direct {
		e = x.DM(text)
	}
	inner := e["event"].(map[string]any)
	switch u.From {
	case bottest.Self:
		inner["user"], inner["bot_id"] = slacktest.Bot, slacktest.BotID
	case bottest.OtherBot:
		inner["user"], inner["bot_id"] = "UOTHER", "BOTHER"
	}
	id := inner["ts"].(string)
	x.mu.Lock()
	x.sent[id] = e
	x.mu.Unlock()
	return id, x.Event(ctx, e)
}

func (x *harness) Event(ctx context.Context, e map[string]any) error { return x.Link.Event(ctx, e) }

func (x *harness) Redeliver(id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	x.mu.Lock()
	e := x.sent[id]
	x.mu.Unlock()
	if err := x.Event(ctx, e); err != nil {
		return err
	}
	// Where an app reads the channel too, a mention comes as a message as well.
	inner := e["event"].(map[string]any)
	if err := x.Event(ctx, x.Server.Event(inner)); err != nil || inner["type"] != "app_mention" {
		return err
	}
	again := map[string]any{"channel_type": "channel"}
	for k, v := range inner {
		again[k] = v
	}
	again["type"] = "message"
	return x.Event(ctx, x.Server.Event(again))
}

func (x *harness) Press(on bottest.Said, b bot.Button) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return x.Link.Press(ctx, x.Pressed(on.Where.(slacktest.Message), slacktest.Person, b.Action.String()))
}

// said is a message as its reader has it.
func said(m slacktest.Message) bottest.Said {
	s := bottest.Said{Text: slackUnescapes.Replace(m.Text), Private: m.Private(), Body: m.Body, Where: m}
	for _, text := range bottest.JSONStrings(m.Body) {
		s.Strings = append(s.Strings, slackUnescapes.Replace(text))
	}
	for _, b := range m.Blocks {
		for _, e := range b.Elements {
			if e.Type != "button" {
				continue
			}
			action, ok := bot.ParseAction(e.Value)
			if !ok {
				panic(fmt.Sprintf("podium shows a button that it does not understand: %q", e.Value))
			}
			s.Buttons = append(s.Buttons, bot.Button{Label: slackUnescapes.Replace(e.Label()), Action: action})
		}
	}
	return s
}

func (l *logBook) has(text string) bool { return strings.Contains(l.String(), text) }
