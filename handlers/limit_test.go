package handlers

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"podium/bot"
)

// answered is what the handler behind the limits says.
const answered = "answered"

// turnedAway counts what is over a limit.
type turnedAway struct {
	bot.Meter
	n int
}

func (m *turnedAway) TurnedAway(_, reason string) {
	if reason == bot.OverLimit {
		m.n++
	}
}

// limited is a handler behind limits.
func limited(perUser, perChannel int) (bot.Handler, *turnedAway) {
	m := &turnedAway{Meter: bot.NoMeter}
	return Limit(bot.HandlerFunc(func(context.Context, bot.Message) (bot.Reply, error) { return bot.TextReply(answered), nil }),
		Limits{PerUser: perUser, PerChannel: perChannel}, m), m
}

func TestLimitPerUser(t *testing.T) {
	const told = "You have asked more within a minute than I can take. Please ask again in "
	synctest.Test(t, func(t *testing.T) {
		h, _ := limited(120, 600)
		n := 0
		ask := func(m bot.Message) string {
			t.Helper()
			m.Platform, m.Channel = bot.Slack, fmt.Sprint("C", n%7)
			n++
			r, err := h.Handle(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			if text := r.Text(); r.Private != (text != answered && text != "") {
				t.Errorf("%q: private = %v", text, r.Private)
			}
			return r.Text()
		}
		all := []bot.Message{
			{Kind: bot.Mention, Text: "how many troops"}, {Kind: bot.Direct, Text: "remind list"},
			{Kind: bot.Press, Action: bot.Action{Verb: bot.VerbConfirm, Arg: "1"}}, {Kind: bot.Press, Action: bot.Action{Verb: bot.VerbTopic, Arg: "goal"}},
		}
		flood := func(count int, want string) {
			t.Helper()
			for i := range count {
				m := all[i%len(all)]
				m.User.ID = "U1"
				if got := ask(m); got != want {
					t.Fatalf("message %d is answered %q, want %q", i+1, got, want)
				}
			}
		}
		flood(120, answered)
		flood(1, told+"15 seconds.")
		flood(1000, "")
		for range 1000 {
			if got := ask(bot.Message{Kind: bot.Command, User: bot.User{ID: "U1"}}); got != answered {
				t.Fatalf("a slash command is answered %q, want %q", got, answered)
			}
		}
		if got := ask(bot.Message{Kind: bot.Mention, User: bot.User{ID: "U2"}}); got != answered {
			t.Errorf("somebody else is answered %q, want %q", got, answered)
		}
		time.Sleep(15*time.Second - time.Millisecond)
		flood(10, "")
		time.Sleep(time.Millisecond)
		flood(30, answered)
		flood(1, told+"15 seconds.")
		flood(10, "")
		time.Sleep(time.Minute)
		flood(120, answered)
		// Nobody who asks every half second meets the limit.
		for range 1000 {
			time.Sleep(500 * time.Millisecond)
			flood(1, answered)
		}
	})
}

func TestLimitPerChannel(t *testing.T) {
	const told = "More is asked in this channel within a minute than I can take. Please ask again in "
	synctest.Test(t, func(t *testing.T) {
		h, _ := limited(120, 600)
		ask := func(user int, channel, want string) {
			t.Helper()
			r, err := h.Handle(t.Context(), bot.Message{Platform: bot.Discord, Kind: bot.Mention, Channel: channel, User: bot.User{ID: fmt.Sprint("U", user)}})
			if err != nil || r.Text() != want {
				t.Fatalf("user %d in %s is answered %q, %v; want %q", user, channel, r.Text(), err, want)
			}
		}
		for i := range 600 {
			ask(i, "busy", answered)
		}
		ask(1, "busy", told+"15 seconds.")
		ask(1, "busy", "")
		ask(1, "quiet", answered)
		time.Sleep(14*time.Second + time.Millisecond)
		ask(2, "busy", told+"a second.") // each user is told once
		ask(2, "busy", "")
		time.Sleep(time.Second)
		for i := range 150 {
			ask(i, "busy", answered)
		}
	})
}

func TestLimitSettings(t *testing.T) {
	for _, test := range []struct {
		name                string
		perUser, perChannel int
		taken               int // of 200
		pause               time.Duration
	}{
		{"no limits", 0, 0, 200, 0},
		{"users alone", 10, 0, 10, 15 * time.Second},
		{"channels alone", 0, 20, 20, 15 * time.Second},
		{"both", 30, 20, 20, 15 * time.Second},
		{"one a minute", 1, 0, 1, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, meter := limited(test.perUser, test.perChannel)
				ask := func() string {
					r, _ := h.Handle(t.Context(), bot.Message{Kind: bot.Direct, Channel: "D1", User: bot.User{ID: "U1"}})
					return r.Text()
				}
				taken, told := 0, 0
				for range 200 {
					if got := ask(); got == answered {
						taken++
					} else if strings.HasPrefix(got, "You have asked") || strings.HasPrefix(got, "More is asked") {
						told++
					}
				}
				if taken != test.taken || told > 1 || meter.n != 200-taken {
					t.Errorf("%d of 200 are taken, want %d; told %d times; %d counted as turned away", taken, test.taken, told, meter.n)
				}
				time.Sleep(test.pause)
				if got := ask(); got != answered {
					t.Errorf("after %v the answer is %q, want %q", test.pause, got, answered)
				}
			})
		})
	}
}

// TestLimitForgets: memory is bounded, and who is heard of stays limited.
func TestLimitForgets(t *testing.T) {
	b := newBuckets(2)
	now := time.Now()
	busy := b.of("busy")
	b.take(busy, now)
	for i := range 10 * limitKeys {
		b.of(fmt.Sprint(i))
		if n := len(b.young) + len(b.old); n > 2*limitKeys {
			t.Fatalf("%d keys are kept, want at most %d", n, 2*limitKeys)
		}
		if i%(limitKeys/2) == 0 && b.of("busy") != busy {
			t.Fatal("somebody heard of lately was forgotten")
		}
	}
	for i := range 2 * limitKeys {
		b.of(fmt.Sprint("new ", i))
	}
	if b.of("busy") == busy {
		t.Error("somebody long unheard of is still there")
	}
}
