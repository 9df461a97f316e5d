package discord_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/discord/discordtest"
	"podium/bot/store"
)

// both runs f over each transport.
func both(t *testing.T, f func(t *testing.T, overHTTP bool)) {
	t.Run("gateway", func(t *testing.T) { f(t, false) })
	t.Run("http", func(t *testing.T) { f(t, true) })
}

// started is start with the stop in a cleanup.
func started(t *testing.T, h bot.Handler, overHTTP bool, change ...func(*options)) *harness {
	t.Helper()
	s := start(t, h, overHTTP, change...)
	t.Cleanup(func() {
		s.cancel()
		<-s.ended
		s.Close()
	})
	return s
}

// first delivers i and returns the first response.
func (s *harness) first(t *testing.T, i map[string]any) (kind int, data json.RawMessage) {
	t.Helper()
	var body []byte
	var err error
	if s.http != nil {
		body, err = s.Post(s.http.URL+"/discord/interactions", i)
	} else {
		body, err = s.Interact(i)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	var r struct {
		Type int             `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	return r.Type, r.Data
}

func TestCommandsBecomeText(t *testing.T) {
	remind := func(sub string, options ...string) map[string]any {
		d := discordtest.Command(sub, options...)
		d["name"] = "podium-remind"
		return d
	}
	group := func(sub string, options ...string) map[string]any { // /podium remind sub
		d := discordtest.Command(sub, options...)
		d["options"] = []any{map[string]any{"type": 2, "name": "remind", "options": d["options"]}}
		return d
	}
	both(t, func(t *testing.T, overHTTP bool) {
		h := &bottest.Recorder{}
		s := started(t, h, overHTTP)
		tests := []struct {
			data map[string]any
			want string
		}{
			{discordtest.Command("ask", "question", " how many troops? "), "how many troops?"},
			{discordtest.Command("ask", "question", "help"), "help"},
			{discordtest.Command("quote", "speaker", "kirby", "topic", "permanence"), "quote kirby permanence"},
			{discordtest.Command("quote", "topic", "permanence", "speaker", "kirby"), "quote kirby permanence"},
			{discordtest.Command("quote", "speaker", "kirby"), "quote kirby"},
			{discordtest.Command("topics"), "topics"},
			{discordtest.Command("why"), "why"},
			{discordtest.Command("help"), "help"},
			{discordtest.Command("remind", "text", "every day at 9 about x"), "remind every day at 9 about x"},
			{discordtest.Command("remind"), "remind"},
			{discordtest.Command("remind", "text", "/podium remind list"), "remind list"},
			{discordtest.Command("remind", "about", "how many troops", "when", "every day at 9:00", "where", "#general"), "remind #general every day at 9:00 about how many troops"},
			{discordtest.Command("remind", "when", "every day at 9:00", "where", "here", "topic", "troops"), "remind here every day at 9:00 about troops"},
			{discordtest.Command("remind", "action", "pause", "id", "7f3a"), "remind pause 7f3a"},
			{discordtest.Command("remind", "action", "edit", "reminder", "7f3a", "when", "every monday at 10:00"), "remind edit 7f3a every monday at 10:00"},
			{group("set", "when", "friday 9am", "about", "troops", "channel", discordtest.Channel), "remind in <#" + discordtest.Channel + "> friday 9am about troops"},
			{group("list"), "remind list"},
			{group("delete", "id", "7f3a"), "remind delete 7f3a"},
			{remind("set", "about", "how many troops", "when", "every weekday at 9:00"), "remind every weekday at 9:00 about how many troops"},
			{remind("set", "when", "friday 9am", "about", "troops", "channel", discordtest.Channel), "remind in <#" + discordtest.Channel + "> friday 9am about troops"},
			{remind("list"), "remind list"},
			{remind("pause", "id", "7f3a"), "remind pause 7f3a"},
			{remind("edit", "id", "7f3a", "change", "at 10:00"), "remind edit 7f3a at 10:00"},
			// What podium does not know or what misses its options.
			{discordtest.Command("ask"), "help"},
			{discordtest.Command("quote"), "quote"},
			{discordtest.Command("dance"), "help"},
			{map[string]any{"name": "podium"}, "help"},
			{map[string]any{"name": "foreign", "options": []any{map[string]any{"name": "x", "value": 3}}}, "help"},
		}
		for i, test := range tests {
			if kind, _ := s.first(t, s.Interaction(2, test.data, nil)); kind != 4 {
				t.Errorf("%v: response type %d, want 4", test.data, kind)
			}
			s.hears(t)
			m := h.Messages()[i]
			if m.Text != test.want || m.Kind != bot.Command || !m.Private || m.User != (bot.User{ID: discordtest.Person, Name: "Nick"}) || m.Workspace != discordtest.Guild {
				t.Errorf("%v: the handler got %+v, want %q", test.data, m, test.want)
			}
		}
	})
}

func TestSlowAnswer(t *testing.T) {
	both(t, func(t *testing.T, overHTTP bool) {
		release := make(chan struct{})
		h := &bottest.Recorder{Reply: func(ctx context.Context, m bot.Message) (bot.Reply, error) {
			<-release
			r := bottest.Replies()[0].Reply
			r.Private = m.Private && m.Action.Verb != bot.VerbShare || m.Action.Verb == bot.VerbHelpful
			return r, nil
		}}
		s := started(t, h, overHTTP)
		kind, data := s.first(t, s.Interaction(2, discordtest.Command("ask", "question", "x"), nil))
		if kind != 5 || string(data) != `{"flags":64}` {
			t.Errorf("first response of a slow command = %d %s, want 5, ephemeral", kind, data)
		}
		for _, press := range []struct {
			on   int
			verb string
		}{{64, bot.VerbShare}, {0, bot.VerbHelpful}} {
			kind, _ = s.first(t, s.Interaction(3, map[string]any{"custom_id": press.verb + ":x"}, map[string]any{"message": map[string]any{"id": "5", "flags": press.on}}))
			if kind != 6 {
				t.Errorf("first response of a slow press = %d, want 6", kind)
			}
		}
		close(release)
		private := map[bool]int{}
		for range 3 {
			private[s.hears(t).Private]++
		}
		if private[true] != 2 || private[false] != 1 {
			t.Errorf("private and public answers: %v, want the shared one alone public", private)
		}
	})
}

func TestVisibility(t *testing.T) {
	both(t, func(t *testing.T, overHTTP bool) {
		h := &bottest.Recorder{Reply: func(_ context.Context, m bot.Message) (bot.Reply, error) {
			r := bot.TextReply("done")
			r.Private = m.Action.Verb == bot.VerbHelpful
			return r, nil
		}}
		s := started(t, h, overHTTP)
		for _, test := range []struct {
			verb    string
			on      int
			private bool
		}{
			{bot.VerbTopic, 64, true},
			{bot.VerbTopic, 0, false},
			{bot.VerbShare, 64, false},
			{bot.VerbHelpful, 0, true},
			{bot.VerbHelpful, 64, true},
		} {
			i := s.Interaction(3, map[string]any{"custom_id": test.verb + ":x"}, map[string]any{"message": map[string]any{"id": "5", "flags": test.on}})
			if kind, _ := s.first(t, i); kind != 4 {
				t.Errorf("%s: response type %d, want 4", test.verb, kind)
			}
			if got := s.hears(t).Private; got != test.private {
				t.Errorf("%s on flags %d: private = %v, want %v", test.verb, test.on, got, test.private)
			}
		}
		for _, m := range h.Messages() {
			if m.ID != "5" {
				t.Errorf("ID of a press = %q, want the message's", m.ID)
			}
		}
	})
}

// TestOddInteractions sees that what podium does not understand is harmless.
func TestOddInteractions(t *testing.T) {
	both(t, func(t *testing.T, overHTTP bool) {
		h := &bottest.Recorder{}
		s := started(t, h, overHTTP)
		for _, custom := range []any{"foreign", "rm:-rf", "topic:" + strings.Repeat("x", 200), "", nil, 7} {
			i := s.Interaction(3, map[string]any{"custom_id": custom}, nil)
			if kind, _ := s.first(t, i); kind != 6 {
				t.Errorf("custom_id %v: response type %d, want 6", custom, kind)
			}
		}
		for _, kind := range []int{0, 5, 99} {
			i := s.Interaction(kind, map[string]any{"custom_id": "modal"}, nil)
			if s.http == nil {
				if err := s.Dispatch("INTERACTION_CREATE", i); err != nil {
					t.Fatal(err)
				}
			} else if _, err := s.Post(s.http.URL+"/discord/interactions", i); err == nil || !strings.Contains(err.Error(), "400") {
				t.Errorf("type %d: %v, want 400", kind, err)
			}
		}
		if err := s.deliver(s.Interaction(2, discordtest.Command("help"), map[string]any{"member": nil, "guild_id": nil, "channel": nil, "user": map[string]any{"id": "1"}})); err != nil {
			t.Fatal(err)
		}
		s.hears(t)
		if got := h.Messages(); len(got) != 1 || got[0].User.ID != "1" || got[0].Workspace != "" {
			t.Errorf("the handler got %+v, want the one command", got)
		}
	})
}

type completions func(field, typed string, limit int) []string

func (f completions) Complete(field, typed string, limit int) []string { return f(field, typed, limit) }

func TestAutocomplete(t *testing.T) {
	focus := func(sub, name string, value any) map[string]any {
		return map[string]any{"name": "podium", "options": []any{map[string]any{"type": 1, "name": sub, "options": []any{
			map[string]any{"type": 3, "name": "other", "value": "x"},
			map[string]any{"type": 3, "name": name, "value": value, "focused": true},
		}}}}
	}
	both(t, func(t *testing.T, overHTTP bool) {
		s := started(t, &bottest.Recorder{}, overHTTP, func(o *options) {
			o.Completer = completions(func(field, typed string, limit int) []string {
				switch typed {
				case "panic":
					panic("a bug")
				case "many":
					var all []string
					for i := range 60 {
						all = append(all, fmt.Sprint("topic ", i/2), strings.Repeat("ü", 101), "")
					}
					return all
				}
				return []string{field + "/" + typed}
			})
		})
		for _, test := range []struct {
			data map[string]any
			want []string
		}{
			{focus("ask", "question", "how many"), []string{"question/how many"}},
			{focus("quote", "speaker", ""), []string{"speaker/"}},
			{focus("quote", "topic", "perm"), []string{"topic/perm"}},
			{focus("set", "about", "troops"), []string{"question/troops"}},
			{focus("ask", "question", "panic"), nil},
			{focus("ask", "question", 5), []string{"question/5"}},
			{map[string]any{"name": "podium"}, nil},
		} {
			kind, data := s.first(t, s.Interaction(4, test.data, nil))
			var d struct {
				Choices []struct{ Name, Value string }
			}
			if err := json.Unmarshal(data, &d); err != nil || kind != 8 || d.Choices == nil {
				t.Errorf("%v: response %d %s (%v), want choices", test.data, kind, data, err)
			}
			var got []string
			for _, c := range d.Choices {
				got = append(got, c.Value)
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("%v: choices %q, want %q", test.data, got, test.want)
			}
		}
		_, data := s.first(t, s.Interaction(4, focus("ask", "question", "many"), nil))
		if n := bytes.Count(data, []byte(`"value"`)); n != 25 {
			t.Errorf("%d choices, want the 25 that Discord allows: %s", n, data)
		}
	})
}

func TestEndpointRefuses(t *testing.T) {
	h := &bottest.Recorder{}
	s := started(t, h, true)
	endpoint := s.http.URL + "/discord/interactions"
	ping := []byte(`{"id":"1","type":1,"token":"t"}`)
	post := func(body []byte, change func(*http.Request)) (int, string) {
		t.Helper()
		r, err := http.NewRequest("POST", endpoint, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		s.Sign(r, body, time.Now())
		change(r)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	for _, age := range []time.Duration{0, 285 * time.Second} {
		if status, body := post(ping, func(r *http.Request) { s.Sign(r, ping, time.Now().Add(-age)) }); status != 200 || body != `{"type":1}` {
			t.Errorf("a ping of %v ago: %d %s, want 200 and a pong", age, status, body)
		}
	}
	big := append([]byte(`{"x":"`), append(bytes.Repeat([]byte("x"), 1<<20), `"}`...)...)
	for _, test := range []struct {
		name   string
		body   []byte
		change func(*http.Request)
		want   int
	}{
		{"no signature", ping, func(r *http.Request) { r.Header.Del("X-Signature-Ed25519") }, 401},
		{"no timestamp", ping, func(r *http.Request) { r.Header.Del("X-Signature-Timestamp") }, 401},
		{"timestamp that is no number", ping, func(r *http.Request) { r.Header.Set("X-Signature-Timestamp", "now") }, 401},
		{"signature that is no hex", ping, func(r *http.Request) { r.Header.Set("X-Signature-Ed25519", "zz") }, 401},
		{"short signature", ping, func(r *http.Request) { r.Header.Set("X-Signature-Ed25519", "00") }, 401},
		{"wrong signature", ping, func(r *http.Request) { r.Header.Set("X-Signature-Ed25519", hex.EncodeToString(make([]byte, 64))) }, 401},
		{"another timestamp", ping, func(r *http.Request) {
			r.Header.Set("X-Signature-Timestamp", fmt.Sprint(time.Now().Add(2*time.Second).Unix()))
		}, 401},
		{"another body", ping, func(r *http.Request) { s.Sign(r, []byte(`{"type":1}`), time.Now()) }, 401},
		{"a second too old", ping, func(r *http.Request) { s.Sign(r, ping, time.Now().Add(-301*time.Second)) }, 401},
		{"of 1970", ping, func(r *http.Request) { s.Sign(r, ping, time.Unix(0, 0)) }, 401},
		{"too far ahead", ping, func(r *http.Request) { s.Sign(r, ping, time.Now().Add(315*time.Second)) }, 401},
		{"oversized", big, func(*http.Request) {}, 413},
		{"not JSON", []byte("hello"), func(*http.Request) {}, 400},
		{"empty", nil, func(*http.Request) {}, 400},
		{"GET", nil, func(r *http.Request) { r.Method = "GET" }, 405},
	} {
		if status, body := post(test.body, test.change); status != test.want {
			t.Errorf("%s: %d %s, want %d", test.name, status, body, test.want)
		}
	}
	if len(h.Messages()) != 0 {
		t.Error("a refused request reached the handler")
	}
	if log := fmt.Sprint(s.log); strings.Count(log, "it is not signed for PODIUM_DISCORD_PUBLIC_KEY") != 1 {
		t.Errorf("the log is\n%s\nwant it to tell once that requests were refused", log)
	}
}

// TestNoSecretsInTheLog sees that neither what people say nor a token is
// logged, whatever fails.
func TestNoSecretsInTheLog(t *testing.T) {
	both(t, func(t *testing.T, overHTTP bool) {
		h := &bottest.Recorder{Reply: func(context.Context, bot.Message) (bot.Reply, error) {
			return bot.Reply{}, errors.New("the handler's reason")
		}}
		s := prepareHarness(t, h, overHTTP)
		s.Intercept = func(r discordtest.Request) (int, http.Header, string, bool) {
			if strings.HasPrefix(r.Path, "/interactions") || strings.HasPrefix(r.Path, "/webhooks") || strings.HasSuffix(r.Path, "/messages") {
				return 400, nil, `{"code":50035,"message":"Invalid Form Body"}`, false
			}
			return 0, nil, "", false
		}
		s.run()
		s.connected()
		i := s.Interaction(2, discordtest.Command("ask", "question", "a private question"), nil)
		if overHTTP {
			if err := s.deliver(i); err != nil {
				t.Fatal(err)
			}
		} else if err := s.Dispatch("INTERACTION_CREATE", i); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Send(bottest.Utterance{Kind: bot.Mention, Text: bottest.Me + " a private question"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := s.Until(ctx, func() bool { return len(s.Requests("POST /channels/")) == 1 }); err != nil {
			t.Fatal(err)
		}
		s.cancel()
		<-s.ended
		// The fake is gone: what is still in hand fails on the network.
		s.Close()
		log := s.log.String()
		for _, secret := range []string{"private question", discordtest.Token, "interaction-token"} {
			if strings.Contains(log, secret) {
				t.Errorf("the log holds %q:\n%s", secret, log)
			}
		}
		for _, want := range []string{"the handler's reason", "Invalid Form Body"} {
			if !strings.Contains(log, want) {
				t.Errorf("the log does not hold %q:\n%s", want, log)
			}
		}
	})
}

// TestRefusedResponses sees that a refusal is logged with its remedy, and not
// tried again.
func TestRefusedResponses(t *testing.T) {
	for _, test := range []struct {
		name, request, answer, remedy string
		status                        int
	}{
		{"unknown interaction", "POST /interactions/", `{"code":10062,"message":"Unknown interaction"}`, "3 seconds", 404},
		{"already acknowledged", "POST /interactions/", `{"code":40060,"message":"Interaction has already been acknowledged."}`, "Another process", 400},
		{"missing permission", "POST /channels/", `{"code":50013,"message":"Missing Permissions"}`, "Send Messages", 403},
		{"unknown channel", "POST /channels/", `{"code":10003,"message":"Unknown Channel"}`, "gone", 404},
		{"closed direct messages", "POST /channels/", `{"code":50007,"message":"Cannot send messages to this user"}`, "/podium ask", 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := prepareHarness(t, &bottest.Recorder{}, false)
			s.Intercept = func(r discordtest.Request) (int, http.Header, string, bool) {
				if strings.HasPrefix(r.Method+" "+r.Path, test.request) {
					return test.status, nil, test.answer, false
				}
				return 0, nil, "", false
			}
			s.run()
			defer s.Close()
			s.connected()
			if err := s.Dispatch("INTERACTION_CREATE", s.Interaction(2, discordtest.Command("help"), nil)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Send(bottest.Utterance{Kind: bot.Direct, Text: "hello"}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := s.Until(ctx, func() bool {
				return len(s.Requests("POST /interactions/")) > 0 && len(s.Requests("POST /channels/")) > 0
			}); err != nil {
				t.Fatal(err)
			}
			s.cancel()
			<-s.ended
			if n := len(s.Requests(test.request)); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
			if !strings.Contains(s.log.String(), test.remedy) {
				t.Errorf("the log does not say %q:\n%s", test.remedy, s.log)
			}
		})
	}
}

// TestReplayedInteraction delivers requests again, within the time that their
// signature lasts, to the same process and to another. Discord, which shows a
// channel what follows a response, gets that once.
func TestReplayedInteraction(t *testing.T) {
	for name, slow := range map[string]bool{"long": false, "late": true} {
		t.Run(name, func(t *testing.T) {
			memory, release := store.NewMemory(), make(chan struct{})
			h := &bottest.Recorder{Reply: func(context.Context, bot.Message) (bot.Reply, error) {
				if slow {
					<-release
				}
				return bot.TextReply(strings.Repeat("A sentence of a long answer. ", 400)), nil
			}}
			s := started(t, h, true, func(o *options) { o.Seen = memory })
			other := prepareHarness(t, h, true, func(o *options) { o.Seen, o.PublicKey, o.APIURL = memory, s.PublicKey, s.URL })
			t.Cleanup(other.Close)
			list := []map[string]any{s.Interaction(3, map[string]any{"custom_id": "share:goal"}, map[string]any{"message": map[string]any{"id": "1", "flags": 64}})}
			if !slow {
				list = append(list, s.Interaction(2, discordtest.Command("ask", "question", "how many troops"), nil))
			}
			for _, i := range list {
				sent := 0
				for n, to := range []*harness{s, s, other} {
					if _, err := s.Post(to.http.URL+"/discord/interactions", i); err != nil {
						t.Fatal(err)
					}
					if slow {
						release <- struct{}{}
					}
					to.adapter.Idle()
					if all := len(s.Requests("POST /webhooks/")); n == 0 && all <= sent || n > 0 && all != sent {
						t.Errorf("delivery %d made podium send %d messages behind its response", n+1, all-sent)
					}
					sent = len(s.Requests("POST /webhooks/"))
				}
			}
		})
	}
}

// TestNothingOvertakes has a Discord that takes its time over the first
// response to a request: what follows comes behind it, in order.
func TestNothingOvertakes(t *testing.T) {
	long := bottest.Replies()[len(bottest.Replies())-1].Reply
	s := prepareHarness(t, bot.HandlerFunc(func(context.Context, bot.Message) (bot.Reply, error) { return long, nil }), true)
	note := s.OnSent
	var begun atomic.Bool
	s.OnSent = func(m discordtest.Sent) {
		if !begun.Swap(true) {
			tried := len(s.Requests("POST /webhooks/"))
			if err := s.Until(t.Context(), func() bool { return len(s.Requests("POST /webhooks/")) > tried }); err != nil {
				t.Error(err)
			}
		}
		note(m)
	}
	s.run()
	t.Cleanup(func() {
		s.cancel()
		<-s.ended
		s.Close()
	})
	s.connected()
	_, first := s.first(t, s.Interaction(2, discordtest.Command("help"), nil))
	for i := range 4 {
		if got := s.hears(t); bytes.Equal(got.Body, first) != (i == 0) {
			t.Errorf("message %d of the answer begins with %.60q", i+1, got.Text)
		}
	}
}

// TestLostAcknowledgement sees that an answer goes on although Discord's own
// answer to the first response got lost.
func TestLostAcknowledgement(t *testing.T) {
	long := bottest.Replies()[len(bottest.Replies())-1].Reply
	s := prepareHarness(t, bot.HandlerFunc(func(context.Context, bot.Message) (bot.Reply, error) { return long, nil }), false)
	failed := false
	s.Intercept = func(r discordtest.Request) (int, http.Header, string, bool) {
		if strings.HasPrefix(r.Path, "/interactions/") && !failed {
			failed = true
			return 503, nil, "", true
		}
		return 0, nil, "", false
	}
	s.run()
	defer s.Close()
	s.connected()
	if _, err := s.Interact(s.Interaction(2, discordtest.Command("help"), nil)); err != nil {
		t.Fatal(err)
	}
	text := ""
	for range 4 {
		text += s.hears(t).Text
	}
	if !strings.Contains(text, "sentence 6") {
		t.Errorf("the end of the answer is missing: ...%s", text[len(text)-200:])
	}
	s.cancel()
	<-s.ended
	if got := len(s.All()); got != 4 {
		t.Errorf("%d messages, want 4", got)
	}
}
