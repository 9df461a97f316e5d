package slack

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/slack/slacktest"
	"podium/bot/store"
)

// connect starts an adapter over Socket Mode whose waits are short.
func connect(t *testing.T, change func(*slacktest.Server, *Adapter)) (*slacktest.Server, *Adapter, *logBook) {
	t.Helper()
	s := slacktest.NewServer()
	t.Cleanup(s.Close)
	log, memory := &logBook{}, store.NewMemory()
	a, err := New(Options{
		BotToken: slacktest.BotToken, AppToken: slacktest.AppToken, APIURL: s.APIURL,
		Handler: &bottest.Recorder{}, Seen: memory, References: memory,
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.backoff = backoff{short: 20 * time.Millisecond, shortMax: 100 * time.Millisecond, long: 400 * time.Millisecond, longMax: time.Second, settled: time.Hour}
	if change != nil {
		change(s, a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		if n := s.Sockets(); n > 0 {
			wait(t, s, "the connections are closed", func() bool { return s.Sockets() == 0 })
		}
		if err := s.Problems(); err != nil {
			t.Error(err)
		}
	})
	return s, a, log
}

// wait waits for something that the fake can see.
func wait(t *testing.T, s *slacktest.Server, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.Wait(ctx, done); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func opened(s *slacktest.Server, n int) func() bool {
	return func() bool { return s.Calls("apps.connections.open") >= n && s.Sockets() >= 1 }
}

func ask(t *testing.T, s *slacktest.Server, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	n := len(s.Messages())
	if err := s.Socket().Event(ctx, s.DM(text)); err != nil {
		t.Fatal(err)
	}
	all, err := s.WaitMessages(ctx, n+1)
	if err != nil || all[n].Text != "You said: "+text {
		t.Fatalf("podium did not answer %q: %v", text, err)
	}
}

func TestRefreshOverlaps(t *testing.T) {
	for _, reason := range []string{"warning", "refresh_requested"} {
		t.Run(reason, func(t *testing.T) {
			s, _, log := connect(t, nil)
			wait(t, s, "connected", opened(s, 1))
			ask(t, s, "before")
			began := time.Now()
			if err := s.Disconnect(reason); err != nil {
				t.Fatal(err)
			}
			// The old connection works until Slack closes it.
			wait(t, s, "two connections", func() bool { return s.Sockets() == 2 })
			if took := time.Since(began); took > time.Second {
				t.Errorf("the new connection took %v", took)
			}
			ask(t, s, "between")
			s.Drop()
			wait(t, s, "one connection", func() bool { return s.Sockets() == 1 })
			ask(t, s, "after")
			if n := s.Calls("apps.connections.open"); n != 2 {
				t.Errorf("apps.connections.open was called %d times, want 2", n)
			}
			if !log.has(reason) {
				t.Errorf("the log does not say %s", reason)
			}
		})
	}
}

func TestRefusalsBackOff(t *testing.T) {
	for reason, says := range map[string]string{"link_disabled": "switch it on", "too_many_websockets": "too many Socket Mode connections"} {
		t.Run(reason, func(t *testing.T) {
			s, a, log := connect(t, nil)
			wait(t, s, "connected", opened(s, 1))
			began := time.Now()
			if err := s.Disconnect(reason); err != nil {
				t.Fatal(err)
			}
			wait(t, s, "disconnected", func() bool { return s.Sockets() == 0 })
			wait(t, s, "connected again", opened(s, 2))
			if took := time.Since(began); took < a.backoff.long {
				t.Errorf("connected again after %v, want %v at least", took, a.backoff.long)
			}
			if !log.has(says) {
				t.Errorf("the log does not say %q", says)
			}
			ask(t, s, "after")
		})
	}
}

// TestEleventhConnection: Slack lets an app have ten. Podium says what is wrong, and connects once there is room.
func TestEleventhConnection(t *testing.T) {
	var others []*websocket.Conn
	s, a, log := connect(t, func(s *slacktest.Server, _ *Adapter) {
		for range slacktest.MostSockets {
			ws, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/link", nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { ws.Close() })
			others = append(others, ws)
		}
		wait(t, s, "ten connections", func() bool { return s.Sockets() == slacktest.MostSockets })
	})
	wait(t, s, "podium tries again", func() bool { return s.Calls("apps.connections.open") > 1 })
	if state, why := a.State(); state != bot.Down || why == nil || !strings.Contains(why.Error(), "too many Socket Mode connections") {
		t.Errorf("State() = %s, %v, want it down for there are too many connections", state, why)
	}
	if !log.has("too many Socket Mode connections") {
		t.Error("the log does not say that there are too many connections")
	}
	others[0].Close()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; <-tick.C {
		if state, why := a.State(); state == bot.Connected {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("with room for it podium is %s, %v", state, why)
		}
	}
	ask(t, s, "at last")
	for _, ws := range others[1:] {
		ws.Close()
	}
}

func TestLostConnections(t *testing.T) {
	s, a, _ := connect(t, func(s *slacktest.Server, _ *Adapter) {
		s.Fail("apps.connections.open", slacktest.Fault{Status: 502}, slacktest.Fault{RetryAfter: 1}, slacktest.Fault{Error: "internal_error"})
	})
	wait(t, s, "connected after three failures", opened(s, 4))
	ask(t, s, "first")
	s.Drop()
	wait(t, s, "connected again", opened(s, 5))
	ask(t, s, "second")
	if got, _ := a.State(); got != bot.Connected {
		t.Errorf("State() = %q, want %q", got, bot.Connected)
	}
}

// TestRevoked sees a token that was good and is no longer end Run, but not as a wrong setting: the other platforms go on.
func TestRevoked(t *testing.T) {
	s := slacktest.NewServer()
	defer s.Close()
	a, err := New(Options{BotToken: slacktest.BotToken, AppToken: slacktest.AppToken, APIURL: s.APIURL, Handler: &bottest.Recorder{},
		Seen: store.NewMemory(), References: store.NewMemory(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(t.Context()) }()
	wait(t, s, "connected", opened(s, 1))
	s.Fail("apps.connections.open", slacktest.Fault{Error: "token_revoked"})
	if err := s.Disconnect("refresh_requested"); err != nil {
		t.Fatal(err)
	}
	err = <-ended
	if _, config := err.(*bot.ConfigError); err == nil || config || !strings.Contains(err.Error(), "PODIUM_SLACK_APP_TOKEN") {
		t.Errorf("Run = %v, want an error that names the setting and is no *bot.ConfigError", err)
	}
}

func TestOddFrames(t *testing.T) {
	s, _, log := connect(t, nil)
	wait(t, s, "connected", opened(s, 1))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for _, frame := range []string{"", "no JSON", "[]", `{"type":"events_api"}`, `{"type":7}`, "\xff", strings.Repeat("x", 1<<20)} {
		if err := s.Frame(frame); err != nil {
			t.Fatal(err)
		}
	}
	// An envelope whose id can be read is acknowledged, whatever else it holds; Envelope waits for that.
	for i, test := range []struct {
		kind    string
		payload any
	}{
		{"events_api", "text"}, {"events_api", map[string]any{"event": 7}}, {"events_api", nil}, {"interactive", []int{1}},
		{"interactive", map[string]any{"actions": "none"}}, {"slash_commands", 7}, {"something_new", map[string]any{}},
	} {
		if _, err := s.Envelope(ctx, fmt.Sprint("odd-", i), test.kind, test.payload, false); err != nil {
			t.Errorf("%s with %v: %v", test.kind, test.payload, err)
		}
	}
	if !log.has("an envelope that podium can not read") || !log.has("a frame that podium can not read") {
		t.Error("the log does not say what could not be read")
	}
	ask(t, s, "still there")
	if n := s.Calls("apps.connections.open"); n != 1 {
		t.Errorf("apps.connections.open was called %d times, want 1", n)
	}
}

// TestTicket: the address of a connection, which holds a ticket, stays out of the errors.
func TestTicket(t *testing.T) {
	answer := ""
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) }))
	defer far.Close()
	a, err := New(Options{BotToken: slacktest.BotToken, AppToken: slacktest.AppToken, APIURL: far.URL, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"wss://127.0.0.1:1/?ticket=a-ticket", "wss://%zz/?ticket=a-ticket", "ws://[::1/?ticket=a-ticket", "ftp://a-ticket", "ws" + strings.TrimPrefix(far.URL, "http") + "/a-ticket"} {
		answer = fmt.Sprintf(`{"ok":true,"url":%q}`, address)
		if _, err := a.dial(t.Context()); err == nil || strings.Contains(err.Error(), "a-ticket") {
			t.Errorf("dial(%s) = %v, want an error without the ticket", address, err)
		}
	}
}

// TestRepeatedEnvelope sees a command whose acknowledgement got lost answered once.
func TestRepeatedEnvelope(t *testing.T) {
	s, a, _ := connect(t, nil)
	wait(t, s, "connected", opened(s, 1))
	payload := map[string]any{"command": "/podium", "text": "once", "channel_id": slacktest.General, "user_id": slacktest.Person, "team_id": slacktest.Team,
		"response_url": s.ResponseURL(slacktest.General, slacktest.Person)}
	for range 2 {
		if _, err := s.Envelope(t.Context(), "same", "slash_commands", payload, true); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(a.handler.(*bottest.Recorder).Messages()); n != 1 {
		t.Errorf("the handler got %d messages, want 1", n)
	}
}

func TestGrow(t *testing.T) {
	for n, want := range []time.Duration{1, 2, 4, 5, 5, 5} {
		if got := grow(time.Second, 5*time.Second, n); got < want*time.Second || got > want*time.Second*5/4 {
			t.Errorf("grow(1s, 5s, %d) = %v, want %vs and up to a quarter", n, got, int(want))
		}
	}
}
