package discord_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/discord/discordtest"
)

// Without Run: posting needs no gateway.
func poster(t *testing.T) *harness {
	t.Helper()
	s := prepareHarness(t, &bottest.Recorder{}, false)
	t.Cleanup(s.Close)
	return s
}

// intercepts has the n-th message post and no other answered by f.
func (s *harness) intercepts(f func(n int32) (int, string, bool)) {
	var n atomic.Int32
	s.Intercept = func(r discordtest.Request) (int, http.Header, string, bool) {
		if r.Method != "POST" || !strings.HasSuffix(r.Path, "/messages") {
			return 0, nil, "", false
		}
		status, body, keep := f(n.Add(1))
		return status, nil, body, keep
	}
}

func TestPost(t *testing.T) {
	s := poster(t)
	ref, err := s.adapter.Post(t.Context(), discordtest.Channel, "reminder/7f3a/2026-11-23T09:00", bottest.Replies()[0].Reply)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.adapter.Post(t.Context(), discordtest.Channel, "reminder/7f3a/2026-11-23T09:00", bottest.Replies()[0].Reply)
	if err != nil || again != ref {
		t.Errorf("the same key again = %v, %v, want the first message %v", again, err, ref)
	}
	other, err := s.adapter.Post(t.Context(), discordtest.Channel, "reminder/7f3a/2026-11-24T09:00", bottest.Replies()[0].Reply)
	if err != nil || other == ref {
		t.Errorf("another key = %v, %v, want another message", other, err)
	}
	if got := len(s.All()); got != 2 {
		t.Errorf("%d messages posted, want 2", got)
	}
}

func TestTell(t *testing.T) {
	s := started(t, &bottest.Recorder{}, false)
	if err := s.adapter.Tell(t.Context(), discordtest.Person, bot.TextReply("Your reminder is paused.")); err != nil {
		t.Fatal(err)
	}
	if got := s.hears(t); got.Text != "Your reminder is paused." || got.Where.(discordtest.Sent).Channel != discordtest.Direct {
		t.Errorf("podium told %+v", got)
	}
	if n := len(s.Requests("POST /users/@me/channels")); n != 1 {
		t.Errorf("%d direct conversations opened, want 1", n)
	}
}

func TestPostThroughFailures(t *testing.T) {
	for _, test := range []struct {
		name     string
		answer   func(n int32) (int, string, bool)
		requests int
	}{
		{"a rate limit", func(n int32) (int, string, bool) {
			if n <= 2 {
				return 429, `{"message":"You are being rate limited.","retry_after":0.05,"global":false}`, false
			}
			return 0, "", false
		}, 3},
		{"a rate limit in a proxy's words", func(n int32) (int, string, bool) {
			if n == 1 {
				return 429, `slow down`, false
			}
			return 0, "", false
		}, 2},
		{"a 502", func(n int32) (int, string, bool) {
			if n == 1 {
				return 502, "bad gateway", false
			}
			return 0, "", false
		}, 2},
		{"an answer that got lost", func(n int32) (int, string, bool) {
			if n == 1 {
				return 500, "", true
			}
			return 0, "", false
		}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := poster(t)
			s.intercepts(test.answer)
			ref, err := s.adapter.Post(t.Context(), discordtest.Channel, "key", bot.TextReply("hello"))
			if err != nil || ref.ID == "" {
				t.Fatalf("Post = %v, %v", ref, err)
			}
			if got := len(s.All()); got != 1 {
				t.Errorf("%d messages, want 1", got)
			}
			if got := len(s.Requests("POST /channels/")); got != test.requests {
				t.Errorf("%d requests, want %d", got, test.requests)
			}
		})
	}
}

func TestPostRefused(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		reason bot.Reason
		remedy string
	}{
		{404, `{"code":10003,"message":"Unknown Channel"}`, bot.ChannelGone, "another"},
		{403, `{"code":50001,"message":"Missing Access"}`, bot.NoAccess, "View Channels"},
		{403, `{"code":50013,"message":"Missing Permissions"}`, bot.NoAccess, "Send Messages"},
		{403, `{"code":50007,"message":"Cannot send messages to this user"}`, bot.NoAccess, "direct messages"},
		{403, `not from Discord`, bot.NoAccess, "Allow"},
		{401, `{"code":0,"message":"401: Unauthorized"}`, bot.Rejected, "PODIUM_DISCORD_TOKEN"},
		{400, `{"code":50035,"message":"Invalid Form Body"}`, bot.Rejected, "log"},
	} {
		t.Run(fmt.Sprint(test.body), func(t *testing.T) {
			s := poster(t)
			s.intercepts(func(int32) (int, string, bool) { return test.status, test.body, false })
			_, err := s.adapter.Post(t.Context(), discordtest.Channel, "key", bot.TextReply("hello"))
			e, ok := errors.AsType[*bot.PostError](err)
			if !ok || e.Reason != test.reason || !strings.Contains(e.Remedy, test.remedy) {
				t.Errorf("Post = %#v, want %s with %q", err, test.reason, test.remedy)
			}
			if got := len(s.Requests("POST /channels/")); got != 1 {
				t.Errorf("%d requests, want 1: no retry mends this", got)
			}
		})
	}
}

func TestPostLeftOpen(t *testing.T) {
	s := poster(t)
	s.intercepts(func(int32) (int, string, bool) { return 503, "down", false })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := s.adapter.Post(ctx, discordtest.Channel, "key", bot.TextReply("hello"))
	if _, ok := errors.AsType[*bot.PostError](err); err == nil || ok {
		t.Errorf("Post = %v, want an error that leaves it open", err)
	}
}

// TestRedirect sees that podium follows none: neither its token nor what it
// posts goes elsewhere.
func TestRedirect(t *testing.T) {
	asked := make(chan string, 10)
	trap := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	defer trap.Close()
	s := poster(t)
	s.Intercept = func(discordtest.Request) (int, http.Header, string, bool) {
		return http.StatusTemporaryRedirect, http.Header{"Location": {trap.URL + "/moved"}}, "", false
	}
	if ref, err := s.adapter.Post(t.Context(), discordtest.Channel, "key", bot.TextReply("hello")); err == nil {
		t.Errorf("Post = %v, want an error", ref)
	}
	if len(asked) > 0 || len(s.Requests("")) != 1 {
		t.Errorf("podium called %d times elsewhere, and Discord with %v", len(asked), s.Requests(""))
	}
}

// TestRateLimitBeyondTheDeadline sees that nobody waits for what can not come
// in time.
func TestRateLimitBeyondTheDeadline(t *testing.T) {
	s := poster(t)
	s.intercepts(func(int32) (int, string, bool) { return 429, `{"retry_after":60}`, false })
	for n := range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		start := time.Now()
		_, err := s.adapter.Post(ctx, discordtest.Channel, "key", bot.TextReply("hello"))
		cancel()
		e, ok := errors.AsType[*bot.PostError](err)
		if !ok || e.Reason != bot.RateLimited || e.After < 50*time.Second || e.After > time.Minute {
			t.Errorf("Post %d = %#v, want rate limited for a minute", n, err)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("Post %d took %v", n, d)
		}
	}
	if got := len(s.Requests("POST /channels/")); got != 1 {
		t.Errorf("%d requests, want 1: the second knows of the limit", got)
	}
}

func TestFind(t *testing.T) {
	since := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	message := func(id, author string, nonce any) map[string]any {
		m := map[string]any{"id": id, "author": map[string]any{"id": author}}
		if nonce != nil {
			m["nonce"] = nonce
		}
		return m
	}
	s := poster(t)
	if _, err := s.adapter.Post(t.Context(), discordtest.Channel, "key", bot.TextReply("hello")); err != nil {
		t.Fatal(err)
	}
	var sent struct{ Nonce string }
	decode(t, s.Requests("POST /channels/")[0].Body, &sent)
	var full []any
	for i := range 100 {
		full = append(full, message(fmt.Sprint(i+1), discordtest.Person, nil))
	}
	for _, test := range []struct {
		name  string
		list  []any
		found bool
		err   error
	}{
		{"there", []any{message("9", discordtest.Person, nil), message("8", discordtest.Self, sent.Nonce), message("7", discordtest.Self, nil)}, true, nil},
		{"nothing", []any{}, false, nil},
		{"others' alone", []any{message("9", discordtest.Person, sent.Nonce)}, false, nil},
		{"another post", []any{message("9", discordtest.Self, "another")}, false, nil},
		{"one without a nonce", []any{message("9", discordtest.Self, nil)}, false, bot.ErrUnknown},
		{"too much", full, false, bot.ErrUnknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.Set("/channels/"+discordtest.Channel+"/messages", test.list)
			ref, found, err := s.adapter.Find(t.Context(), discordtest.Channel, "key", since)
			if found != test.found || !errors.Is(err, test.err) || found && ref.ID != "8" {
				t.Errorf("Find = %v, %v, %v, want %v, %v", ref, found, err, test.found, test.err)
			}
		})
	}
	t.Run("no history", func(t *testing.T) {
		s.Set("/channels/"+discordtest.Channel+"/messages", []any{})
		s.Set("/guilds/"+discordtest.Guild, map[string]any{"id": discordtest.Guild, "roles": []any{
			map[string]any{"id": discordtest.Guild, "permissions": "3072"},
		}})
		if _, _, err := s.adapter.Find(t.Context(), discordtest.Channel, "key", since); !errors.Is(err, bot.ErrUnknown) {
			t.Errorf("Find = %v, want ErrUnknown: Discord shows an empty channel", err)
		}
	})
}

func TestCanPost(t *testing.T) {
	s := poster(t)
	deny := func(bits string) map[string]any {
		return map[string]any{"id": discordtest.Channel, "type": 0, "guild_id": discordtest.Guild, "permission_overwrites": []any{
			map[string]any{"id": discordtest.Guild, "type": 0, "allow": "0", "deny": bits},
		}}
	}
	for _, test := range []struct {
		name    string
		channel string
		is      map[string]any
		reason  bot.Reason // empty: may post
		remedy  string
	}{
		{"a channel", discordtest.Channel, deny("0"), "", ""},
		{"a thread", discordtest.Thread, nil, "", ""},
		{"a direct message", discordtest.Direct, nil, "", ""},
		{"a channel out of sight", discordtest.Channel, deny("1024"), bot.NoAccess, "View Channels"},
		{"a channel without embeds", discordtest.Channel, deny("16384"), bot.NoAccess, "Embed Links"},
		{"a category", discordtest.Channel, map[string]any{"id": discordtest.Channel, "type": 4, "guild_id": discordtest.Guild}, bot.Rejected, "Choose"},
		{"no channel", "999", nil, bot.ChannelGone, "another"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.is != nil {
				s.Set("/channels/"+test.channel, test.is)
			}
			err := s.adapter.CanPost(t.Context(), test.channel)
			if test.reason == "" {
				if err != nil {
					t.Errorf("CanPost = %v, want nil", err)
				}
				return
			}
			e, ok := errors.AsType[*bot.PostError](err)
			if !ok || e.Reason != test.reason || !strings.Contains(e.Remedy, test.remedy) {
				t.Errorf("CanPost = %#v, want %s with %q", err, test.reason, test.remedy)
			}
		})
	}
}

func TestMaySchedule(t *testing.T) {
	s := prepareHarness(t, &bottest.Recorder{}, false, func(o *options) { o.Admins = []string{"admin"} })
	t.Cleanup(s.Close)
	for id, roles := range map[string][]string{"manager": {"7"}, "member": {}} {
		s.Set("/guilds/"+discordtest.Guild+"/members/"+id, map[string]any{"user": map[string]any{"id": id}, "roles": roles})
	}
	s.Set("/channels/888", map[string]any{"id": "888", "type": 0, "guild_id": "another"})
	for _, test := range []struct {
		name, user, guild, channel string
		want                       bool
	}{
		{"who manages channels", "manager", discordtest.Guild, discordtest.Channel, true},
		{"in a thread", "manager", discordtest.Guild, discordtest.Thread, true},
		{"a member", "member", discordtest.Guild, discordtest.Channel, false},
		{"a configured admin", "admin", discordtest.Guild, discordtest.Channel, true},
		{"the owner", "1", discordtest.Guild, discordtest.Channel, true},
		{"another server's channel", "manager", discordtest.Guild, "888", false},
		{"one's own direct messages", "member", "", discordtest.Direct, true},
		{"a channel from direct messages", "manager", "", discordtest.Channel, false},
	} {
		m := bot.Message{Platform: bot.Discord, Workspace: test.guild, Channel: discordtest.Channel, User: bot.User{ID: test.user}}
		if test.guild == "" {
			m.Channel = discordtest.Direct
		}
		got, err := s.adapter.MaySchedule(t.Context(), m, test.channel)
		if err != nil || got != test.want {
			t.Errorf("%s: MaySchedule = %v, %v, want %v", test.name, got, err, test.want)
		}
	}
}

// TestMayScheduleByInteraction sees that what Discord says in an interaction
// counts, without a look-up.
func TestMayScheduleByInteraction(t *testing.T) {
	both(t, func(t *testing.T, overHTTP bool) {
		var s *harness
		s = started(t, bot.HandlerFunc(func(ctx context.Context, m bot.Message) (bot.Reply, error) {
			may, err := s.adapter.MaySchedule(ctx, m, m.Channel)
			if err != nil {
				return bot.Reply{}, err
			}
			return bot.TextReply(fmt.Sprint("may schedule ", may, ", may post ", s.adapter.CanPost(ctx, m.Channel) == nil)), nil
		}), overHTTP)
		for _, test := range []struct{ member, app, want string }{
			{"16", "274877991936", "may schedule true, may post true"},
			{"8", "274877991936", "may schedule true, may post true"},
			{"3072", "3072", "may schedule false, may post false"},
		} {
			i := s.Interaction(2, discordtest.Command("remind", "text", "list"), map[string]any{
				"member":          map[string]any{"user": map[string]any{"id": discordtest.Person}, "permissions": test.member},
				"app_permissions": test.app,
			})
			if err := s.deliver(i); err != nil {
				t.Fatal(err)
			}
			if got := s.hears(t).Text; got != test.want {
				t.Errorf("member %s, app %s: %q, want %q", test.member, test.app, got, test.want)
			}
		}
		if n := len(s.Requests("GET /guilds/")); n != 0 {
			t.Errorf("%d look-ups, want none", n)
		}
	})
}
