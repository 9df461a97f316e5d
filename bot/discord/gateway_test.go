package discord_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/discord/discordtest"
)

// begin starts an adapter whose gateway does not wait long, after prepare.
func begin(t *testing.T, h bot.Handler, prepare func(*harness)) *harness {
	t.Helper()
	s := prepareHarness(t, h, false)
	s.adapter.Hurry()
	if prepare != nil {
		prepare(s)
	}
	s.run()
	t.Cleanup(func() {
		s.cancel()
		<-s.ended
		s.Close()
	})
	return s
}

// fails waits for Run's error, which must be a *bot.ConfigError.
func (s *harness) fails(t *testing.T) *bot.ConfigError {
	t.Helper()
	select {
	case <-s.ended:
	case <-time.After(10 * time.Second):
		t.Fatalf("Run goes on\n%s", s.log)
	}
	e, ok := errors.AsType[*bot.ConfigError](s.err)
	if !ok {
		t.Fatalf("Run = %v, want a *bot.ConfigError", s.err)
	}
	return e
}

// asks sends a mention and waits for its answer.
func (s *harness) asks(t *testing.T, text string) bottest.Said {
	t.Helper()
	if _, err := s.Send(bottest.Utterance{Kind: bot.Mention, Text: bottest.Me + " " + text}); err != nil {
		t.Fatal(err)
	}
	return s.hears(t)
}

func (s *harness) hears(t *testing.T) bottest.Said {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	said, err := s.Next(ctx)
	if err != nil {
		t.Fatalf("podium said nothing: %v\n%s", err, s.log)
	}
	return said
}

// greeted waits for the n-th hello and returns it, once podium has seen READY
// or RESUMED.
func (s *harness) greeted(t *testing.T, n int) discordtest.Hello {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Until(ctx, func() bool { return len(s.Hellos()) >= n }); err != nil {
		t.Fatalf("podium said hello %d times, want %d\n%s", len(s.Hellos()), n, s.log)
	}
	if err := s.Ready(ctx); err != nil {
		t.Fatalf("podium has no session: %v\n%s", err, s.log)
	}
	return s.Hellos()[n-1]
}

func TestIdentify(t *testing.T) {
	s := begin(t, &bottest.Recorder{}, nil)
	h := s.greeted(t, 1)
	if h.Resume || h.Intents != 4609 || h.Shard != nil || strings.TrimPrefix(h.Token, "Bot ") != discordtest.Token {
		t.Errorf("identify = %+v, want the token, intents 4609 and no shard", h)
	}
}

func TestFatalCloseCodes(t *testing.T) {
	for code, want := range map[int]string{
		4004: "PODIUM_DISCORD_TOKEN",
		4010: "PODIUM_DISCORD_SHARD_ID",
		4011: "PODIUM_DISCORD_SHARD_COUNT",
		4012: "PODIUM_DISCORD_API_URL",
		4013: "PODIUM_DISCORD_TOKEN",
		4014: "PODIUM_DISCORD_TOKEN",
	} {
		t.Run(fmt.Sprint(code, " at first"), func(t *testing.T) {
			s := begin(t, &bottest.Recorder{}, func(s *harness) {
				s.OnHello = func(discordtest.Hello) int { return code }
			})
			if e := s.fails(t); e.Setting != want {
				t.Errorf("close code %d: Run = %v, want %s", code, e, want)
			}
		})
		t.Run(fmt.Sprint(code, " later"), func(t *testing.T) {
			s := begin(t, &bottest.Recorder{}, nil)
			s.greeted(t, 1)
			s.CloseGateway(code)
			e := s.fails(t)
			if e.Setting != want {
				t.Errorf("close code %d: Run = %v, want %s", code, e, want)
			}
			if code >= 4013 && !strings.Contains(e.Error(), "GUILD_MESSAGES") {
				t.Errorf("close code %d: %v does not name the intents", code, e)
			}
			if len(s.Hellos()) != 1 {
				t.Errorf("podium tried again after close code %d", code)
			}
		})
	}
}

func TestWrongToken(t *testing.T) {
	s := prepareHarness(t, &bottest.Recorder{}, false, func(o *options) { o.Token = "wrong" })
	s.run()
	defer s.Close()
	if e := s.fails(t); e.Setting != "PODIUM_DISCORD_TOKEN" || strings.Contains(e.Error(), "wrong") {
		t.Errorf("Run = %v, want PODIUM_DISCORD_TOKEN without the token", e)
	}
}

func TestWrongTokenAtTheLookUp(t *testing.T) {
	s := begin(t, &bottest.Recorder{}, func(s *harness) {
		s.Intercept = func(r discordtest.Request) (int, http.Header, string, bool) {
			return 401, nil, `{"message":"401: Unauthorized","code":0}`, false
		}
	})
	if e := s.fails(t); e.Setting != "PODIUM_DISCORD_TOKEN" {
		t.Errorf("Run = %v, want PODIUM_DISCORD_TOKEN", e)
	}
}

func TestReconnects(t *testing.T) {
	for _, test := range []struct {
		name   string
		happen func(*harness)
		resume bool
	}{
		{"normal closure", func(s *harness) { s.CloseGateway(1000) }, true},
		{"lost connection", func(s *harness) { s.CloseGateway(0) }, true},
		{"unknown error", func(s *harness) { s.CloseGateway(4000) }, true},
		{"rate limited", func(s *harness) { s.CloseGateway(4008) }, true},
		{"invalid sequence", func(s *harness) { s.CloseGateway(4007) }, false},
		{"session timed out", func(s *harness) { s.CloseGateway(4009) }, false},
		{"op 7", func(s *harness) { s.SendOp(7, nil) }, true},
		{"op 9, resumable", func(s *harness) { s.SendOp(9, true) }, true},
		{"op 9", func(s *harness) { s.SendOp(9, false) }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t, &bottest.Recorder{}, nil)
			s.greeted(t, 1)
			s.asks(t, "before")
			test.happen(s)
			h := s.greeted(t, 2)
			if h.Resume != test.resume {
				t.Errorf("resume = %v, want %v", h.Resume, test.resume)
			}
			if h.Resume && (h.Session == "" || h.Seq < 3) {
				t.Errorf("resumed session %q at %d, want the first one's after 3 events", h.Session, h.Seq)
			}
			if got := s.asks(t, "after").Text; !strings.Contains(got, "after") {
				t.Errorf("after it podium said %q", got)
			}
		})
	}
}

func TestReconnectsAgainAndAgain(t *testing.T) {
	s := begin(t, &bottest.Recorder{}, nil)
	for n := 1; n <= 8; n++ {
		s.greeted(t, n)
		s.CloseGateway([]int{4000, 4009, 0, 1001}[n%4])
	}
	s.greeted(t, 9)
	s.asks(t, "still there")
}

func TestSilentGateway(t *testing.T) {
	t.Run("no hello", func(t *testing.T) {
		s := begin(t, &bottest.Recorder{}, func(s *harness) { s.Heartbeat = 0 })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := s.Until(ctx, func() bool { return strings.Count(s.log.String(), "connection ended") >= 2 }); err != nil {
			t.Fatalf("podium waits for ever\n%s", s.log)
		}
		if state, _ := s.adapter.State(); state == bot.Connected {
			t.Error("State() = connected without a session")
		}
	})
	t.Run("no ready", func(t *testing.T) {
		var hellos atomic.Int32
		s := begin(t, &bottest.Recorder{}, func(s *harness) {
			s.OnHello = func(discordtest.Hello) int {
				if hellos.Add(1) == 1 {
					return -1
				}
				return 0
			}
		})
		s.greeted(t, 2)
		s.asks(t, "there you are")
	})
}

func TestDeadConnection(t *testing.T) {
	var dead atomic.Bool
	var unanswered atomic.Int32
	s := begin(t, &bottest.Recorder{}, func(s *harness) {
		s.Heartbeat = 50 * time.Millisecond
		s.OnHeartbeat = func() bool {
			if dead.Load() {
				unanswered.Add(1)
			}
			return !dead.Load()
		}
	})
	s.greeted(t, 1)
	s.asks(t, "alive")
	dead.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Until(ctx, func() bool { return len(s.Hellos()) >= 2 }); err != nil {
		t.Fatalf("podium did not notice\n%s", s.log)
	}
	dead.Store(false)
	if h := s.Hellos()[1]; !h.Resume {
		t.Error("podium began a new session, want the old one resumed")
	}
	if n := unanswered.Load(); n > 1 {
		t.Errorf("podium noticed after %d heartbeats without an answer, want one", n)
	}
}

// TestOddEvents sees that nothing that Discord may send ends the connection.
func TestOddEvents(t *testing.T) {
	s := begin(t, &bottest.Recorder{}, nil)
	s.greeted(t, 1)
	for _, e := range []struct {
		name string
		data string
	}{
		{"MESSAGE_CREATE", `{}`},
		{"MESSAGE_CREATE", `null`},
		{"MESSAGE_CREATE", `[]`},
		{"MESSAGE_CREATE", `{"id":5,"author":"x"}`},
		{"MESSAGE_CREATE", `{"id":"1","channel_id":"` + discordtest.Channel + `","guild_id":"1","author":{"id":"9"},"content":"","mentions":[]}`},
		{"INTERACTION_CREATE", `{}`},
		{"INTERACTION_CREATE", `{"type":2}`},
		{"INTERACTION_CREATE", `{"type":2,"data":[]}`},
		{"INTERACTION_CREATE", `{"type":3,"data":{"custom_id":7}}`},
		{"INTERACTION_CREATE", `{"id":"1","type":99,"data":{}}`},
		{"GUILD_CREATE", `{"threads":null}`},
		{"THREAD_DELETE", `{}`},
		{"SOMETHING_NEW", `{"a":1}`},
	} {
		if err := s.Dispatch(e.name, json.RawMessage(e.data)); err != nil {
			t.Fatal(err)
		}
	}
	s.SendFrame(-3, "what")
	if got := s.asks(t, "fine").Text; !strings.Contains(got, "fine") || len(s.Hellos()) != 1 {
		t.Errorf("podium said %q after %d hellos", got, len(s.Hellos()))
	}
}

func TestThreadsAreOneConversation(t *testing.T) {
	h := &bottest.Recorder{}
	s := begin(t, h, nil)
	s.greeted(t, 1)
	in := func(channel, person string) {
		m := s.Message("<@"+discordtest.Self+"> hello", map[string]any{
			"channel_id": channel, "author": map[string]any{"id": person, "username": "someone"},
		})
		if err := s.Dispatch("MESSAGE_CREATE", m); err != nil {
			t.Fatal(err)
		}
		s.hears(t)
	}
	in(discordtest.Thread, "1")
	in(discordtest.Thread, "2")
	in(discordtest.Channel, "1")
	in(discordtest.Channel, "2")
	m := h.Messages()
	if m[0].Conversation() != m[1].Conversation() {
		t.Error("two people in a thread have a conversation each")
	}
	if m[2].Conversation() == m[3].Conversation() {
		t.Error("two people in a channel have one conversation")
	}
}

func TestReplyToPodium(t *testing.T) {
	h := &bottest.Recorder{}
	s := begin(t, h, nil)
	s.greeted(t, 1)
	reply := func(author, content string) {
		m := s.Message(content, map[string]any{
			"type":               19,
			"referenced_message": map[string]any{"id": "77", "author": map[string]any{"id": author, "bot": true}, "components": []any{map[string]any{"type": 99}}},
		})
		if err := s.Dispatch("MESSAGE_CREATE", m); err != nil {
			t.Fatal(err)
		}
	}
	reply(discordtest.OtherBot, "not for podium")
	reply(discordtest.Self, "") // the ping was off: Discord keeps the text to itself
	reply(discordtest.Self, "and in Afghanistan?")
	s.hears(t)
	got := h.Messages()
	if len(got) != 1 || got[0].Text != "and in Afghanistan?" || got[0].Kind != bot.Mention {
		t.Errorf("the handler got %+v, want the reply to podium alone", got)
	}
}

func TestShard(t *testing.T) {
	s := prepareHarness(t, &bottest.Recorder{}, false, func(o *options) { o.ShardID, o.ShardCount = 1, 2 })
	s.run()
	defer s.Close()
	if h := s.greeted(t, 1); fmt.Sprint(h.Shard) != "[1 2]" {
		t.Errorf("shard = %v, want [1 2]", h.Shard)
	}
	s.asks(t, "hello")
	s.cancel()
	<-s.ended
	if n := len(s.Requests("GET /applications/")); n != 0 {
		t.Errorf("shard 1 looked at the commands %d times; shard 0 does that", n)
	}
}
