package discord_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/discord/discordtest"
)

// TestOverload fills podium's hands with questions that it can not answer yet. Over HTTP Discord is told that it does not
// work now; over the gateway, where nothing comes again, the person is.
func TestOverload(t *testing.T) {
	const inHand = 8
	both(t, func(t *testing.T, overHTTP bool) {
		asked, release := make(chan bool), make(chan struct{})
		s := started(t, &bottest.Recorder{Reply: func(ctx context.Context, m bot.Message) (bot.Reply, error) {
			asked <- true
			<-release
			return bottest.Echo(ctx, m)
		}}, overHTTP, func(o *options) { o.InHand = inHand })
		mention := func() {
			t.Helper()
			if err := s.Dispatch("MESSAGE_CREATE", s.Message("<@"+discordtest.Self+"> slow", nil)); err != nil {
				t.Fatal(err)
			}
		}
		for range inHand {
			mention()
			<-asked
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		next := func() bottest.Said {
			t.Helper()
			m, err := s.Next(ctx)
			if err != nil {
				t.Fatalf("podium says nothing: %v\n%s", err, s.log)
			}
			return m
		}
		mention()
		if m := next(); m.Text != bot.Busy {
			t.Errorf("a mention too many is answered %q, want %q", m.Text, bot.Busy)
		}
		command := s.Interaction(2, discordtest.Command("ask", "question", "hello"), nil)
		if overHTTP {
			if _, err := s.Post(s.http.URL+"/discord/interactions", command); err == nil || !strings.Contains(err.Error(), "503") {
				t.Errorf("a command too many is answered %v, want 503", err)
			}
		} else {
			kind, data := s.first(t, command)
			if m := next(); kind != 4 || m.Text != bot.Busy || !m.Private || !bytes.Contains(data, []byte(`"flags":64`)) {
				t.Errorf("a command too many is answered with type %d %s", kind, data)
			}
		}
		close(release)
		for range inHand {
			if m := next(); m.Text == bot.Busy {
				t.Fatal("a question in hand was answered with an apology")
			}
		}
		go func() { <-asked }()
		if kind, _ := s.first(t, s.Interaction(2, discordtest.Command("ask", "question", "hello"), nil)); kind != 4 {
			t.Errorf("with room again, a command is answered with type %d, want 4", kind)
		}
	})
}

// TestCommandWaitsForNoStore: Discord delivers no command again, so that its
// answer need not wait until it is noted.
func TestCommandWaitsForNoStore(t *testing.T) {
	both(t, func(t *testing.T, overHTTP bool) {
		s := started(t, &bottest.Recorder{Reply: bottest.Echo}, overHTTP, func(o *options) { o.Seen = stuck{} })
		if kind, data := s.first(t, s.Interaction(2, discordtest.Command("ask", "question", "hello"), nil)); kind != 4 {
			t.Errorf("beside a store that does not answer, a command is answered with type %d %s, want 4", kind, data)
		}
	})
}

// stuck is a store that does not answer.
type stuck struct{}

func (stuck) MarkSeen(ctx context.Context, _ string, _ ...string) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}
