package slack

import (
	"context"
	"strings"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/slack/slacktest"
)

// TestOverload fills podium's hands with questions that it can not answer yet. What comes then is refused, so that Slack
// sends it again or says that it did not work, and answered once when there is room.
func TestOverload(t *testing.T) {
	const inHand = 8
	transports(t, func(t *testing.T, transport string) {
		release := make(chan struct{})
		h := &bottest.Recorder{Reply: func(ctx context.Context, m bot.Message) (bot.Reply, error) {
			<-release
			return bottest.Echo(ctx, m)
		}}
		w := start(t, h, transport, func(o *Options, _ *slacktest.Server) { o.InHand = inHand })
		for range inHand {
			must(t, w.Link.Event(t.Context(), w.DM("slow")))
		}
		event := w.Mention("<@" + slacktest.Bot + "> one too many")
		press := w.Pressed(slacktest.Message{Channel: slacktest.General, TS: w.TS()}, slacktest.Person, "topic:goal")
		refused := func(deliver func(ctx context.Context) error) {
			t.Helper()
			within := 20 * time.Second
			if transport != "http" {
				within = 100 * time.Millisecond // for nothing to come
			}
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			err := deliver(ctx)
			if err == nil || transport == "http" && !strings.Contains(err.Error(), "503") {
				t.Errorf("a question too many is answered %v, want 503 over HTTP and no acknowledgement over a socket", err)
			}
		}
		refused(func(ctx context.Context) error { return w.Link.Event(ctx, event) })
		refused(func(ctx context.Context) error { return w.Link.Press(ctx, press) })
		command := func(ctx context.Context) error { return w.Link.Command(ctx, slacktest.Command{Text: "hello"}) }
		n := inHand
		if transport == "http" {
			refused(command)
		} else {
			must(t, command(t.Context()))
			n++
			if got := w.said(t, 1)[0]; got.Text != bot.Busy || !got.Private() || got.Method != "ack" {
				t.Errorf("a command too many is answered by %s %q, private %v", got.Method, got.Text, got.Private())
			}
		}
		close(release)
		w.said(t, n)
		must(t, w.Link.Event(t.Context(), event))
		must(t, w.Link.Press(t.Context(), press))
		must(t, w.Link.Event(t.Context(), event))
		must(t, command(t.Context()))
		w.said(t, n+3)
		if got := len(h.Messages()); got != inHand+3 {
			t.Errorf("the handler had %d messages, want %d", got, inHand+3)
		}
	})
}
