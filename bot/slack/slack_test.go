package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/slack/slacktest"
	"podium/bot/store"
)

// transports runs f over both transports.
func transports(t *testing.T, f func(t *testing.T, transport string)) {
	for _, transport := range []string{"socket", "http"} {
		t.Run(transport, func(t *testing.T) { f(t, transport) })
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A fixed reply with everything in it.
func reply(name string) bot.Reply {
	for _, r := range bottest.Replies() {
		if r.Name == name {
			return r.Reply
		}
	}
	panic("no reply " + name)
}

func TestMentionStaysInItsThread(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		h := &bottest.Recorder{}
		w := start(t, h, transport)
		first := w.Mention("<@" + slacktest.Bot + "> how many troops")
		must(t, w.Link.Event(t.Context(), first))
		ts := first["event"].(map[string]any)["ts"].(string)
		if got := w.said(t, 1)[0]; got.Thread != ts || got.Channel != slacktest.General || got.Private() {
			t.Errorf("the answer stands in %s, thread %q, private %v; want %s, %q, false", got.Channel, got.Thread, got.Private(), slacktest.General, ts)
		}
		second := w.Mention("<@" + slacktest.Bot + "> and in Afghanistan?")
		second["event"].(map[string]any)["thread_ts"] = ts
		must(t, w.Link.Event(t.Context(), second))
		if got := w.said(t, 2)[1]; got.Thread != ts {
			t.Errorf("the second answer stands in the thread %q, want %q", got.Thread, ts)
		}
		m := h.Messages()
		if a, b := m[0].Conversation(), m[1].Conversation(); a != b {
			t.Errorf("the conversations are %q and %q, want one", a, b)
		}
	})
}

func TestDirectMessages(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		h := &bottest.Recorder{}
		w := start(t, h, transport)
		must(t, w.Link.Event(t.Context(), w.DM("how many troops")))
		if got := w.said(t, 1)[0]; got.Thread != "" || got.Channel != slacktest.Direct {
			t.Errorf("the answer stands in %s, thread %q; want %s and no thread", got.Channel, got.Thread, slacktest.Direct)
		}
		inThread := w.DM("and in Afghanistan")
		inThread["event"].(map[string]any)["thread_ts"] = "1700000000.000001"
		must(t, w.Link.Event(t.Context(), inThread))
		if got := w.said(t, 2)[1]; got.Thread != "1700000000.000001" {
			t.Errorf("the answer stands in the thread %q, want that of the question", got.Thread)
		}
	})
}

func TestEditedQuestionEditsItsReply(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		h := &bottest.Recorder{}
		w := start(t, h, transport)
		dm := w.DM("how mny troops")
		must(t, w.Link.Event(t.Context(), dm))
		first := w.said(t, 1)[0]
		edit := w.Edit(dm, "how many troops")
		must(t, w.Link.Event(t.Context(), edit))
		must(t, w.Link.Event(t.Context(), edit)) // redelivered
		got := w.said(t, 2)[1]
		if got.Method != "chat.update" || got.TS != first.TS || got.Text != "You said: how many troops" {
			t.Errorf("%s of %s to %q, want chat.update of %s", got.Method, got.TS, got.Text, first.TS)
		}
		// What leaves the answer as it is sends nothing: Slack's own changes, such as unfurled links, a deletion, an
		// edit of something else.
		must(t, w.Link.Event(t.Context(), w.Edit(map[string]any{"event": map[string]any{
			"channel": slacktest.Direct, "user": slacktest.Person, "text": "same", "ts": dm["event"].(map[string]any)["ts"]}}, "same")))
		must(t, w.Link.Event(t.Context(), w.Edit(w.DM("never seen"), "never seen, edited")))
		deleted := w.Edit(dm, "")
		deleted["event"].(map[string]any)["subtype"] = "message_deleted"
		delete(deleted["event"].(map[string]any), "message")
		must(t, w.Link.Event(t.Context(), deleted))
		must(t, w.Link.Event(t.Context(), w.Edit(dm, "how many troops are there")))
		all := w.said(t, 3)
		if last := all[len(all)-1]; len(all) != 3 || last.Method != "chat.update" || last.Text != "You said: how many troops are there" {
			t.Errorf("podium said %d messages, the last %q", len(all), last.Text)
		}
	})
}

func TestEditWhileTheAnswerIsInHand(t *testing.T) {
	release := make(chan struct{})
	w := start(t, &bottest.Recorder{Reply: func(ctx context.Context, m bot.Message) (bot.Reply, error) {
		if m.Text == "first" {
			<-release
		}
		return bottest.Echo(ctx, m)
	}}, "http")
	dm := w.DM("first")
	must(t, w.Link.Event(t.Context(), dm))
	must(t, w.Link.Event(t.Context(), w.Edit(dm, "second")))
	close(release)
	all := w.said(t, 2)
	if all[0].Method != "chat.postMessage" || all[0].Text != "You said: first" || all[1].Method != "chat.update" || all[1].Text != "You said: second" {
		t.Errorf("podium said %q by %s, then %q by %s", all[0].Text, all[0].Method, all[1].Text, all[1].Method)
	}
}

// explosive is a log that panics at what the test says.
type explosive struct {
	slog.Handler
	at string
}

func (e explosive) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == e.at {
		panic("a bug")
	}
	return e.Handler.Handle(ctx, r)
}

func (e explosive) WithAttrs(attrs []slog.Attr) slog.Handler {
	return explosive{e.Handler.WithAttrs(attrs), e.at}
}

// TestCommandPanics: whoever sends a command on which podium panics is told so, at once, and the log too.
func TestCommandPanics(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		failing := bot.HandlerFunc(func(context.Context, bot.Message) (bot.Reply, error) { return bot.Reply{}, errors.New("no") })
		w := start(t, failing, transport, func(o *Options, _ *slacktest.Server) {
			o.Log = slog.New(explosive{o.Log.Handler(), "a question could not be answered"})
		})
		must(t, w.Link.Command(t.Context(), slacktest.Command{Text: "hello"}))
		if got := w.said(t, 1)[0]; got.Text != bot.Failure || !got.Private() {
			t.Errorf("podium says %q, private %v, want %q", got.Text, got.Private(), bot.Failure)
		}
		if log := w.log.String(); !strings.Contains(log, "podium panicked") || !strings.Contains(log, "explosive") {
			t.Errorf("the log does not say where podium panicked:\n%s", log)
		}
	})
}

// TestLateAcknowledgementPanics: that ends neither podium nor the answer.
func TestLateAcknowledgementPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logBook{}
		st := store.NewMemory()
		slow := bot.HandlerFunc(func(ctx context.Context, m bot.Message) (bot.Reply, error) {
			time.Sleep(2 * direct)
			return bottest.Echo(ctx, m)
		})
		a, err := New(Options{
			BotToken: slacktest.BotToken, SigningSecret: slacktest.Secret, Handler: slow, Seen: st, References: st, Log: slog.New(slog.NewTextHandler(log, nil)),
		})
		must(t, err)
		acks := 0
		then := a.command(t.Context(), command{Command: "/podium", Text: "hello"}, func(*outgoing) bool {
			acks++
			panic("the connection is gone")
		})
		if acks != 1 || then == nil {
			t.Errorf("acknowledged %d times, an answer to send %v; want once, and true", acks, then != nil)
		}
		if !strings.Contains(log.String(), "podium panicked") {
			t.Errorf("the panic is not logged: %s", log)
		}
	})
}

func TestIgnores(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		h := &bottest.Recorder{}
		w := start(t, h, transport)
		change := func(e map[string]any, fields ...string) map[string]any {
			inner := e["event"].(map[string]any)
			for i := 0; i < len(fields); i += 2 {
				inner[fields[i]] = fields[i+1]
			}
			return e
		}
		for _, e := range []map[string]any{
			change(w.DM("from a bot"), "bot_id", "B1"),
			change(w.DM("from an app"), "subtype", "bot_message"),
			change(w.DM("joined"), "subtype", "channel_join"),
			change(w.DM("from Slackbot"), "user", "USLACKBOT"),
			change(w.DM("from podium"), "user", slacktest.Bot),
			change(w.DM("from nobody"), "user", ""),
			change(w.Mention("in a channel"), "type", "message", "channel_type", "channel"),
			change(w.Mention("in a group"), "type", "message", "channel_type", "mpim"),
			change(w.Mention("a reaction"), "type", "reaction_added"),
			change(w.Mention("another"), "type", "reaction_added"),
			change(w.Mention("the messages tab"), "type", "app_home_opened", "tab", "messages"),
			{"type": "app_rate_limited"},
		} {
			must(t, w.Link.Event(t.Context(), e))
		}
		must(t, w.Link.Command(t.Context(), slacktest.Command{Command: "/other", Text: "hello"}))
		must(t, w.Link.Press(t.Context(), map[string]any{"type": "view_submission", "view": map[string]any{"id": "V1"}}))
		unknown := w.Pressed(slacktest.Message{Method: "chat.postMessage", Channel: slacktest.General, TS: w.TS()}, slacktest.Person, "drop:tables")
		must(t, w.Link.Press(t.Context(), unknown))
		must(t, w.Link.Event(t.Context(), w.DM("from a person")))
		w.said(t, 1)
		if got := h.Messages(); len(got) != 1 || got[0].Text != "from a person" {
			t.Errorf("the handler got %+v, want the person's message alone", got)
		}
		for _, kind := range []string{"event reaction_added", "command /other", "interaction view_submission", "action button"} {
			if n := strings.Count(w.log.String(), kind); n != 1 {
				t.Errorf("%q is logged %d times, want once", kind, n)
			}
		}
	})
}

// TestRestart plays a redelivery to another process on the same store.
func TestRestart(t *testing.T) {
	h := &bottest.Recorder{}
	w := start(t, h, "http")
	e := w.Mention("once")
	must(t, w.Link.Event(t.Context(), e))
	w.said(t, 1)
	other := begin(t, h, "http", func(o *Options, _ *slacktest.Server) { o.Seen = w.store })
	other.connected(t)
	must(t, other.Link.Event(t.Context(), e))
	must(t, other.Link.Event(t.Context(), other.Server.Event(e["event"].(map[string]any))))
	other.cancel()
	must(t, <-other.ended)
	other.close()
	if got := h.Messages(); len(got) != 1 {
		t.Errorf("the handler got %d messages, want 1", len(got))
	}
}

// TestStoreDown sees podium answer, once, without a store.
func TestStoreDown(t *testing.T) {
	h := &bottest.Recorder{}
	w := begin(t, h, "http", func(o *Options, _ *slacktest.Server) { o.Seen, o.References = noStore{}, noStore{} })
	w.connected(t)
	e := w.Mention("once")
	must(t, w.Link.Event(t.Context(), e))
	w.said(t, 1)
	must(t, w.Link.Event(t.Context(), e))
	w.cancel()
	must(t, <-w.ended)
	w.close()
	if got := h.Messages(); len(got) != 1 {
		t.Errorf("the handler got %d messages, want 1", len(got))
	}
}

type noStore struct{}

var errDown = errors.New("the database is down")

func (noStore) MarkSeen(context.Context, string, ...string) (bool, error) { return false, errDown }
func (noStore) SaveReference(context.Context, bot.Reference) error        { return errDown }
func (noStore) ReplyTo(context.Context, bot.MessageRef) (bot.Reference, bool, error) {
	return bot.Reference{}, false, errDown
}

func TestLateCommandUsesItsResponseURL(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		release := make(chan struct{})
		w := start(t, &bottest.Recorder{Reply: func(ctx context.Context, m bot.Message) (bot.Reply, error) {
			<-release
			return reply("answer with contrast"), nil
		}}, transport)
		began := time.Now()
		must(t, w.Link.Command(t.Context(), slacktest.Command{Text: "slowly"}))
		if took := time.Since(began); took > 2500*time.Millisecond {
			t.Errorf("acknowledged after %v", took)
		}
		w.Fail("response_url", slacktest.Fault{RetryAfter: 1})
		close(release)
		got := w.said(t, 1)[0]
		if got.Method != "response_url" || !got.Private() || !strings.HasPrefix(got.Text, "The US has some 2,500 troops in Iraq.") {
			t.Errorf("%s, private %v: %q", got.Method, got.Private(), got.Text)
		}
	})
}

func TestLateCommandWithoutResponseURL(t *testing.T) {
	release := make(chan struct{})
	w := start(t, &bottest.Recorder{Reply: func(ctx context.Context, m bot.Message) (bot.Reply, error) {
		<-release
		return bottest.Echo(ctx, m)
	}}, "socket")
	must(t, w.Link.Command(t.Context(), slacktest.Command{Text: "slowly"}))
	w.Fail("response_url", slacktest.Fault{Status: http.StatusNotFound})
	close(release)
	if got := w.said(t, 1)[0]; got.Method != "chat.postEphemeral" || got.User != slacktest.Person {
		t.Errorf("%s to %s, want chat.postEphemeral to the asker", got.Method, got.User)
	}
}

// TestResponseURLUsedUp sees the rest of a long answer take another way, and nothing said twice.
func TestResponseURLUsedUp(t *testing.T) {
	w := start(t, &bottest.Recorder{Reply: func(context.Context, bot.Message) (bot.Reply, error) { return reply("20,000 characters"), nil }}, "http")
	w.Fail("response_url", slacktest.Fault{}, slacktest.Fault{Status: http.StatusNotFound})
	must(t, w.Link.Command(t.Context(), slacktest.Command{Text: "at length"}))
	var got, text []string
	for _, m := range w.said(t, 3) {
		got, text = append(got, m.Method), append(text, m.Text)
	}
	if want := []string{"ack", "response_url", "chat.postEphemeral"}; !slices.Equal(got, want) {
		t.Errorf("a long answer comes by %q, want %q", got, want)
	}
	if got, want := letters(strings.Join(text, "\n")), letters(escape(reply("20,000 characters").Text())); got != want {
		t.Errorf("the messages say %d letters, want the %d of the answer", len(got), len(want))
	}
}

func TestRateLimits(t *testing.T) {
	for _, test := range []struct {
		name   string
		faults []slacktest.Fault
		want   int // messages
	}{
		{"429", []slacktest.Fault{{RetryAfter: 1}, {RetryAfter: 1}}, 1},
		{"429 without a time", []slacktest.Fault{{Status: http.StatusTooManyRequests}}, 1},
		{"ratelimited", []slacktest.Fault{{Error: "ratelimited"}}, 1},
		// It may have been posted: a second answer would be worse than none.
		{"500", []slacktest.Fault{{Status: http.StatusInternalServerError}}, 0},
		{"lost answer", []slacktest.Fault{{Lost: true}}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, &bottest.Recorder{}, "http")
			w.Fail("chat.postMessage", test.faults...)
			must(t, w.Link.Event(t.Context(), w.Mention("hello")))
			w.cancel() // waits for the question in hand
			w.ended <- <-w.ended
			if got := len(w.Messages()); got != test.want {
				t.Errorf("podium said %d messages, want %d", got, test.want)
			}
		})
	}
}

func TestErrorsNameTheRemedy(t *testing.T) {
	for code, want := range map[string]string{
		"not_in_channel":      "/invite @podium",
		"channel_not_found":   "/invite @podium",
		"is_archived":         "unarchive",
		"missing_scope":       "podium manifest slack",
		"msg_too_long":        "shorten",
		"msg_blocks_too_long": "shorten",
		"invalid_auth":        "PODIUM_SLACK_BOT_TOKEN",
	} {
		t.Run(code, func(t *testing.T) {
			w := start(t, &bottest.Recorder{}, "http")
			w.Fail("chat.postMessage", slacktest.Fault{Error: code})
			must(t, w.Link.Event(t.Context(), w.Mention("the words of the question")))
			w.cancel()
			w.ended <- <-w.ended
			log := w.log.String()
			if !strings.Contains(log, code) || !strings.Contains(log, want) {
				t.Errorf("the log does not name %s and %q:\n%s", code, want, log)
			}
			for _, secret := range []string{slacktest.BotToken, slacktest.Secret, "the words of the question"} {
				if strings.Contains(log, secret) {
					t.Errorf("the log holds %q", secret)
				}
			}
		})
	}
}

func TestPresses(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		h := &bottest.Recorder{Reply: func(ctx context.Context, m bot.Message) (bot.Reply, error) {
			r, err := bottest.Echo(ctx, m)
			r.Private = m.Private && m.Action.Verb != bot.VerbShare || m.Action.Verb == bot.VerbWhy
			return r, err
		}}
		w := start(t, h, transport)
		public := slacktest.Message{Method: "chat.postMessage", Channel: slacktest.General, TS: w.TS(), Thread: "1700000000.000009"}
		private := slacktest.Message{Method: "ack", Type: "ephemeral", Channel: slacktest.General, TS: w.TS()}
		elsewhere := private
		elsewhere.Channel = slacktest.Foreign
		dm := slacktest.Message{Method: "chat.postMessage", Channel: slacktest.Direct, TS: w.TS()}
		home := w.Pressed(slacktest.Message{Method: "chat.postMessage"}, slacktest.Person, "topic:goal")
		delete(home, "channel")
		delete(home, "response_url")
		home["container"] = map[string]any{"type": "view", "view_id": "V1"}
		for i, test := range []struct {
			name     string
			payload  map[string]any
			method   string
			channel  string
			thread   string
			private  bool
			handedAs bool // Message.Private
		}{
			{"topic, public", w.Pressed(public, slacktest.Person, "topic:goal"), "chat.postMessage", slacktest.General, public.Thread, false, false},
			{"why, public", w.Pressed(public, slacktest.Person, "why:goal"), "response_url", slacktest.General, public.Thread, true, false},
			{"topic, private", w.Pressed(private, slacktest.Person, "topic:goal"), "response_url", slacktest.General, "", true, true},
			{"share", w.Pressed(private, slacktest.Person, "share:goal"), "chat.postMessage", slacktest.General, "", false, true},
			{"share where podium is no member", w.Pressed(elsewhere, slacktest.Person, "share:goal"), "response_url", slacktest.Foreign, "", false, true},
			{"topic, direct message", w.Pressed(dm, slacktest.Person, "topic:goal"), "chat.postMessage", slacktest.Direct, "", false, false},
			{"topic, App Home", home, "chat.postMessage", slacktest.Direct, "", false, false},
		} {
			must(t, w.Link.Press(t.Context(), test.payload))
			got := w.said(t, i+1)[i]
			if got.Method != test.method || got.Channel != test.channel || got.Thread != test.thread || got.Private() != test.private {
				t.Errorf("%s: %s in %s, thread %q, private %v; want %s in %s, thread %q, private %v", test.name,
					got.Method, got.Channel, got.Thread, got.Private(), test.method, test.channel, test.thread, test.private)
			}
			if m := h.Messages()[i]; m.Private != test.handedAs || m.Kind != bot.Press || m.User.ID != slacktest.Person || m.Workspace != slacktest.Team {
				t.Errorf("%s: the handler got %+v", test.name, m)
			}
		}
		// The same press again is the same press.
		must(t, w.Link.Press(t.Context(), home))
		must(t, w.Link.Event(t.Context(), w.DM("the end")))
		if all := w.said(t, 8); !strings.Contains(all[7].Text, "the end") {
			t.Errorf("a press was answered twice: %q", all[7].Text)
		}
	})
}

func TestAppHome(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		w := start(t, &bottest.Recorder{Reply: func(_ context.Context, m bot.Message) (bot.Reply, error) {
			if m.Kind != bot.Command || !m.Private || m.User.ID != slacktest.Person {
				t.Errorf("the handler got %+v", m)
			}
			if m.Text == "help" {
				return bot.TextReply("Ask me about the announcement."), nil
			}
			p := bot.Part{Answer: "The announcement covers:", Numbered: true}
			for i := range 60 {
				p.Choices = append(p.Choices, bot.Button{Label: fmt.Sprintf("Topic %d", i), Action: bot.Action{Verb: bot.VerbTopic, Arg: fmt.Sprint("t", i)}})
			}
			return bot.Reply{Parts: []bot.Part{p}}, nil
		}}, transport)
		must(t, w.Link.Event(t.Context(), w.Server.Event(map[string]any{"type": "app_home_opened", "user": slacktest.Person, "channel": slacktest.Direct, "tab": "home"})))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		must(t, w.Wait(ctx, func() bool { return len(w.Views()) == 1 }))
		v := w.Views()[0]
		buttons := 0
		for _, b := range v.Blocks {
			if b.Type == "actions" {
				buttons += len(b.Elements)
			}
		}
		if v.User != slacktest.Person || buttons != 60 || !strings.Contains(string(v.Body), "Ask me about the announcement.") {
			t.Errorf("the App Home of %s has %d buttons: %s", v.User, buttons, v.Body)
		}
	})
}

func TestStarting(t *testing.T) {
	for _, test := range []struct {
		name      string
		transport string
		method    string
		fault     slacktest.Fault
		want      string // the setting
	}{
		{"bot token", "http", "auth.test", slacktest.Fault{Error: "invalid_auth"}, "PODIUM_SLACK_BOT_TOKEN"},
		{"revoked bot token", "socket", "auth.test", slacktest.Fault{Error: "token_revoked"}, "PODIUM_SLACK_BOT_TOKEN"},
		{"app token", "socket", "apps.connections.open", slacktest.Fault{Error: "invalid_auth"}, "PODIUM_SLACK_APP_TOKEN"},
		{"app token without its scope", "socket", "apps.connections.open", slacktest.Fault{Error: "missing_scope"}, "PODIUM_SLACK_APP_TOKEN"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := begin(t, &bottest.Recorder{}, test.transport, func(_ *Options, s *slacktest.Server) { s.Fail(test.method, test.fault) })
			defer w.close()
			defer w.cancel()
			e, ok := errors.AsType[*bot.ConfigError](<-w.ended)
			if !ok || e.Setting != test.want || !strings.Contains(e.Problem, test.fault.Error) {
				t.Errorf("Run = %v, want a *bot.ConfigError of %s", e, test.want)
			}
		})
	}
	t.Run("Slack is away", func(t *testing.T) {
		w := begin(t, &bottest.Recorder{}, "http", func(_ *Options, s *slacktest.Server) {
			s.Fail("auth.test", slacktest.Fault{Status: http.StatusServiceUnavailable})
		})
		// Commands need nothing of Slack's.
		must(t, w.Link.Command(t.Context(), slacktest.Command{Text: "hello"}))
		w.connected(t)
		w.cancel()
		must(t, <-w.ended)
		w.close()
	})
	for name, o := range map[string]Options{
		"PODIUM_SLACK_BOT_TOKEN": {AppToken: "xapp-1"},
		"PODIUM_SLACK_APP_TOKEN": {BotToken: "xoxb-1"},
		"PODIUM_SLACK_API_URL":   {BotToken: "xoxb-1", AppToken: "xapp-1", APIURL: "slack"},
	} {
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("New without a sound %s: %v", name, err)
		}
	}
}

func TestPoster(t *testing.T) {
	w := start(t, &bottest.Recorder{}, "http")
	began := time.Now()
	r := reply("answer with contrast")
	var sent []bot.MessageRef
	for i := range 5 {
		ref, err := w.adapter.Post(t.Context(), slacktest.General, fmt.Sprint("key-", i), r)
		must(t, err)
		sent = append(sent, ref)
	}
	if m := w.Messages()[0]; m.Metadata.Type != "podium_post" || m.Metadata.Payload["key"] != "key-0" || m.Thread != "" || m.Private() {
		t.Errorf("posted %+v", m)
	}
	for i, want := range sent {
		got, found, err := w.adapter.Find(t.Context(), slacktest.General, fmt.Sprint("key-", i), began)
		if err != nil || !found || got != want {
			t.Errorf("Find(key-%d) = %v, %v, %v, want %v", i, got, found, err, want)
		}
	}
	if _, found, err := w.adapter.Find(t.Context(), slacktest.General, "key-9", began); found || err != nil {
		t.Errorf("Find(key-9) = %v, %v, want false, nil", found, err)
	}
	// An answer that got lost leaves it open; the look-up closes it.
	w.Fail("chat.postMessage", slacktest.Fault{Lost: true})
	_, err := w.adapter.Post(t.Context(), slacktest.General, "lost", r)
	if _, refused := errors.AsType[*bot.PostError](err); err == nil || refused {
		t.Errorf("Post = %v, want an error that leaves it open", err)
	}
	if _, found, err := w.adapter.Find(t.Context(), slacktest.General, "lost", began); !found || err != nil {
		t.Errorf("Find(lost) = %v, %v, want true, nil", found, err)
	}
	for _, test := range []struct {
		channel string
		fault   slacktest.Fault
		want    bot.Reason
	}{
		{slacktest.Foreign, slacktest.Fault{}, bot.NoAccess},
		{slacktest.Archived, slacktest.Fault{}, bot.ChannelGone},
		{"CNEVER", slacktest.Fault{}, bot.ChannelGone},
		{slacktest.General, slacktest.Fault{Error: "missing_scope"}, bot.NoAccess},
		{slacktest.General, slacktest.Fault{Error: "restricted_action"}, bot.NoAccess},
		{slacktest.General, slacktest.Fault{Error: "msg_too_long"}, bot.Rejected},
		{slacktest.General, slacktest.Fault{RetryAfter: 7}, bot.RateLimited},
	} {
		if test.fault != (slacktest.Fault{}) {
			w.Fail("chat.postMessage", test.fault)
		}
		_, err := w.adapter.Post(t.Context(), test.channel, "k", r)
		e, ok := errors.AsType[*bot.PostError](err)
		if !ok || e.Reason != test.want || test.want == bot.RateLimited && e.After != 7*time.Second || test.want != bot.RateLimited && e.Remedy == "" {
			t.Errorf("Post to %s, %+v = %#v, want %s", test.channel, test.fault, err, test.want)
		}
	}
	for channel, want := range map[string]bot.Reason{slacktest.General: "", slacktest.Direct: "", slacktest.Foreign: bot.NoAccess, slacktest.Archived: bot.ChannelGone, "CNEVER": bot.ChannelGone} {
		var got bot.Reason
		if e, ok := errors.AsType[*bot.PostError](w.adapter.CanPost(t.Context(), channel)); ok {
			got = e.Reason
		}
		if got != want {
			t.Errorf("CanPost(%s) = %q, want %q", channel, got, want)
		}
	}
	w.Fail("conversations.history", slacktest.Fault{Error: "missing_scope"})
	if _, _, err := w.adapter.Find(t.Context(), slacktest.General, "k", began); !errors.Is(err, bot.ErrUnknown) {
		t.Errorf("Find without the right to read = %v, want bot.ErrUnknown", err)
	}
	w.Fail("conversations.history", slacktest.Fault{Status: http.StatusBadGateway})
	if _, _, err := w.adapter.Find(t.Context(), slacktest.General, "k", began); err == nil || errors.Is(err, bot.ErrUnknown) {
		t.Errorf("Find while Slack is away = %v, want another error than bot.ErrUnknown", err)
	}
}

func TestDirectory(t *testing.T) {
	w := begin(t, &bottest.Recorder{}, "http", func(o *Options, _ *slacktest.Server) { o.Admins = []string{"UBOSS"} })
	defer w.close()
	defer func() { w.cancel(); <-w.ended }()
	for user, want := range map[string]bool{slacktest.Admin: true, "UBOSS": true, slacktest.Person: false, slacktest.Visitor: false} {
		got, err := w.adapter.MaySchedule(t.Context(), bot.Message{User: bot.User{ID: user}}, slacktest.General)
		if err != nil || got != want {
			t.Errorf("MaySchedule(%s) = %v, %v, want %v", user, got, err, want)
		}
	}
	if got, err := w.adapter.Zone(t.Context(), slacktest.Admin); got != "Europe/Berlin" || err != nil {
		t.Errorf("Zone = %q, %v, want Europe/Berlin", got, err)
	}
}

// TestRealPayloads plays payloads whose values are mostly blank.
func TestRealPayloads(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/specs/slack-payloads/*.json")
	if len(files) == 0 {
		t.Skip("the payloads in ../shared/specs are not here")
	}
	transports(t, func(t *testing.T, transport string) {
		h := &bottest.Recorder{}
		w := start(t, h, transport)
		for _, file := range files {
			text, err := os.ReadFile(file)
			must(t, err)
			var payload map[string]any
			must(t, json.Unmarshal(text, &payload))
			switch name := filepath.Base(file); {
			case slices.Contains([]string{"BlockActionPayload.json", "MessageShortcutPayload.json", "ViewSubmissionPayload.json"}, name):
				err = w.Link.Press(t.Context(), payload)
			case name == "SlashCommandPayload.json" && transport == "socket":
				_, err = w.Envelope(t.Context(), w.ID("E"), "slash_commands", payload, true)
			case name == "SlashCommandPayload.json":
			default:
				err = w.Link.Event(t.Context(), payload)
			}
			if err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
		must(t, w.Link.Event(t.Context(), w.DM("are you there")))
		w.said(t, 1)
		if log := w.log.String(); strings.Contains(log, "can not read") || strings.Contains(log, "panic") {
			t.Errorf("the log:\n%s", log)
		}
	})
}

// TestReplays delivers a press of Share in channel, a press below a message that all see and a command with a long answer
// again, within the time that their signatures last, to another replica: Slack gets no second answer.
func TestReplays(t *testing.T) {
	memory := store.NewMemory()
	h := &bottest.Recorder{Reply: func(ctx context.Context, m bot.Message) (bot.Reply, error) {
		if m.Kind == bot.Command {
			return bot.TextReply(strings.Repeat("A sentence of a long answer. ", 1000)), nil
		}
		return bottest.Echo(ctx, m)
	}}
	replica := func() *world {
		w := begin(t, h, "http", func(o *Options, _ *slacktest.Server) { o.Seen = memory })
		t.Cleanup(w.close)
		t.Cleanup(func() { w.cancel(); <-w.ended })
		return w
	}
	one, other := replica(), replica()
	private := slacktest.Message{Method: "ack", Type: "ephemeral", Channel: slacktest.General, TS: one.TS()}
	public := slacktest.Message{Method: "chat.postMessage", Channel: slacktest.General, TS: one.TS()}
	for n, press := range []map[string]any{one.Pressed(private, slacktest.Person, "share:goal"), one.Pressed(public, slacktest.Person, "topic:goal")} {
		must(t, one.Link.Press(t.Context(), press))
		one.said(t, n+1)
		must(t, other.Link.Press(t.Context(), press))
	}
	command := []byte(url.Values{"command": {"/podium"}, "text": {"at length"}, "user_id": {slacktest.Person}, "channel_id": {slacktest.General}, "trigger_id": {"1.2"}}.Encode())
	for _, w := range []*world{one, other} {
		answer, mux := httptest.NewRecorder(), http.NewServeMux()
		w.adapter.Mount(mux)
		mux.ServeHTTP(answer, signedRequest("/slack/commands", command, time.Now()))
		if answer.Code != http.StatusOK || answer.Body.Len() == 0 {
			t.Errorf("the command is answered %d %q", answer.Code, answer.Body)
		}
		w.adapter.hands.Wait()
	}
	if all := one.said(t, 3); all[2].Method != "chat.postEphemeral" {
		t.Errorf("the rest of a long answer came by %s", all[2].Method)
	}
	must(t, other.Link.Event(t.Context(), other.DM("the end")))
	if all := other.said(t, 1); !strings.Contains(all[0].Text, "the end") {
		t.Errorf("the other replica said it again: %q", all[0].Text)
	}
}

// TestRemembersLittle of kinds of events, however long and however many of them somebody makes up.
func TestRemembersLittle(t *testing.T) {
	a, err := New(Options{BotToken: "xoxb-1", SigningSecret: "s", Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	long := strings.Repeat("x", 1<<20)
	for i := range 5000 {
		a.ignore(fmt.Sprint("event ", i, long))
	}
	size := 0
	for _, what := range a.odd {
		size += len(what)
	}
	if size > 100_000 {
		t.Errorf("%d bytes of kinds are kept", size)
	}
}
