package discord_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/discord"
	"podium/bot/discord/discordtest"
	"podium/bot/store"
)

func TestConformanceGateway(t *testing.T) {
	bottest.TestAdapter(t, func(t *testing.T, h bot.Handler) bottest.Harness { return start(t, h, false) })
}

func TestConformanceHTTP(t *testing.T) {
	bottest.TestAdapter(t, func(t *testing.T, h bot.Handler) bottest.Harness { return start(t, h, true) })
}

// A harness is an adapter on a Discord of its own.
type harness struct {
	bottest.Transcript
	*discordtest.Server
	t       *testing.T
	adapter *discord.Adapter
	cancel  context.CancelFunc
	ended   chan struct{}
	err     error
	http    *httptest.Server // of podium; nil: interactions come over the gateway
	log     *logBuffer

	mu   sync.Mutex
	said map[string]map[string]any // events by id
}

type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

type options = discord.Options

// start returns a running harness that is connected.
func start(t *testing.T, h bot.Handler, overHTTP bool, change ...func(*options)) *harness {
	t.Helper()
	s := prepareHarness(t, h, overHTTP, change...)
	s.run()
	s.connected()
	return s
}

// prepareHarness returns a harness that does not run yet.
func prepareHarness(t *testing.T, h bot.Handler, overHTTP bool, change ...func(*options)) *harness {
	t.Helper()
	s := &harness{Server: discordtest.New(), t: t, ended: make(chan struct{}), log: new(logBuffer), said: map[string]map[string]any{}}
	s.OnSent = func(m discordtest.Sent) { s.Add(said(m)) }
	memory := store.NewMemory()
	o := options{
		Token: discordtest.Token, APIURL: s.URL, Handler: h, Seen: memory, References: memory,
		Log: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if overHTTP {
		o.PublicKey = s.PublicKey
	}
	for _, f := range change {
		f(&o)
	}
	a, err := discord.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.adapter = a
	if overHTTP {
		mux := http.NewServeMux()
		a.Mount(mux)
		s.http = httptest.NewServer(mux)
	}
	return s
}

func (s *harness) run() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() {
		defer close(s.ended)
		s.err = s.adapter.Run(ctx)
	}()
}

// connected waits until podium has a session and has looked at its commands.
func (s *harness) connected() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		s.t.Fatalf("podium has not connected: %v\n%s", err, s.log)
	}
	if err := s.Until(ctx, func() bool { return len(s.Requests("PUT /applications/")) > 0 }); err != nil {
		s.t.Fatalf("podium has not registered its commands: %v\n%s", err, s.log)
	}
}

// said is what a reader makes of a message. A screen reader reads the buttons
// behind the text; of Confirm and Cancel it stands there as in Reply.Text.
func said(m discordtest.Sent) bottest.Said {
	out := bottest.Said{Text: m.Text(), Private: m.Private, Body: m.Body, Where: m, Strings: bottest.JSONStrings(m.Body)}
	for _, b := range m.Buttons() {
		action, _ := bot.ParseAction(b.ID)
		out.Buttons = append(out.Buttons, bot.Button{Label: b.Label, Action: action})
		if b.Label == bot.LabelConfirm || b.Label == bot.LabelCancel {
			out.Text += "\n[" + b.Label + "]"
		}
	}
	return out
}

func (s *harness) Live(m bottest.Said) string { return m.Where.(discordtest.Sent).Live() }

func (s *harness) Adapter() bot.Adapter { return s.adapter }

func (s *harness) Lacks(f bottest.Feature) string {
	if f == bottest.Whispers {
		return "only the reply to an interaction can be private on Discord"
	}
	return ""
}

func (s *harness) Send(u bottest.Utterance) (string, error) {
	if u.Kind == bot.Command {
		i := s.Interaction(2, discordtest.Command("ask", "question", u.Text), nil)
		return s.keep(i), s.deliver(i)
	}
	fields := map[string]any{}
	if u.Kind == bot.Direct {
		fields = map[string]any{"channel_id": discordtest.Direct, "guild_id": nil, "member": nil}
	}
	switch u.From {
	case bottest.Self:
		fields["author"] = map[string]any{"id": discordtest.Self, "username": "podium", "bot": true}
	case bottest.OtherBot:
		fields["author"] = map[string]any{"id": discordtest.OtherBot, "username": "other", "bot": true}
	}
	m := s.Message(strings.ReplaceAll(u.Text, bottest.Me, "<@"+discordtest.Self+">"), fields)
	return s.keep(m), s.Dispatch("MESSAGE_CREATE", m)
}

func (s *harness) keep(event map[string]any) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := event["id"].(string)
	s.said[id] = event
	return id
}

func (s *harness) deliver(i map[string]any) error {
	var err error
	if s.http != nil {
		_, err = s.Post(s.http.URL+"/discord/interactions", i)
	} else {
		_, err = s.Interact(i)
	}
	return err
}

func (s *harness) Redeliver(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Dispatch("MESSAGE_CREATE", s.said[id])
}

func (s *harness) Press(on bottest.Said, b bot.Button) error {
	m := on.Where.(discordtest.Sent)
	flags := 0
	if m.Private {
		flags = 64
	}
	fields := map[string]any{"channel_id": m.Channel, "message": map[string]any{"id": m.ID, "flags": flags}}
	if m.Channel == discordtest.Direct {
		fields["guild_id"], fields["member"] = nil, nil
		fields["user"] = map[string]any{"id": discordtest.Person, "username": "person"}
	}
	return s.deliver(s.Interaction(3, map[string]any{"custom_id": b.Action.String(), "component_type": 2}, fields))
}

func (s *harness) Cancel() { s.cancel() }

func (s *harness) Wait() error {
	<-s.ended
	return s.err
}

func (s *harness) Close() {
	if s.http != nil {
		s.http.Close()
	}
	s.Server.Close()
	for _, p := range s.Problems() {
		s.t.Errorf("podium broke a rule of Discord's: %s", p)
	}
}
