package discord_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/discord"
	"podium/bot/discord/discordtest"
	"podium/bot/store"
)

// offline is an adapter without a network. Discord takes every message that
// keeps to its rules.
func offline(t testing.TB, h bot.Handler) (*discord.Adapter, *discordtest.Server, http.Handler) {
	t.Helper()
	server := discordtest.New() // for its key
	t.Cleanup(server.Close)
	memory := store.NewMemory()
	a, err := discord.New(discord.Options{
		Token: discordtest.Token, PublicKey: server.PublicKey, APIURL: server.URL,
		Handler: h, Seen: memory, References: memory,
		Completer: completions(func(field, typed string, limit int) []string { return []string{typed, field} }),
		Log:       slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.Offline(discordtest.Self, roundTrip(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(r.URL.Path, "/messages") {
			if err := discordtest.CheckMessage(body); err != nil {
				t.Errorf("%v\n%s", err, body)
			}
		}
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"id":"1"}`)), Request: r}, nil
	}))
	mux := http.NewServeMux()
	a.Mount(mux)
	return a, server, mux
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// signedPost delivers body over HTTP and returns the response.
func signedPost(server *discordtest.Server, h http.Handler, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/discord/interactions", strings.NewReader(string(body)))
	server.Sign(r, body, time.Now())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func FuzzInteraction(f *testing.F) {
	server := discordtest.New()
	defer server.Close()
	for _, i := range []map[string]any{
		server.Interaction(1, nil, nil),
		server.Interaction(2, discordtest.Command("ask", "question", "how many troops"), nil),
		server.Interaction(2, discordtest.Command("quote", "speaker", "kirby"), map[string]any{"member": nil}),
		server.Interaction(3, map[string]any{"custom_id": "share:troop_count.iraq"}, map[string]any{"message": map[string]any{"flags": 64}}),
		server.Interaction(4, discordtest.Command("ask", "question", "ho"), nil),
		server.Interaction(5, map[string]any{"components": []any{}}, nil),
	} {
		f.Add([]byte(body(f, i)))
	}
	for _, s := range []string{"", "null", "[]", `{"type":"2"}`, `{"type":2,"data":{"options":[{"options":[{"value":{}}]}]}}`, `{"type":3,"data":null}`} {
		f.Add([]byte(s))
	}
	a, server, h := offline(f, &bottest.Recorder{})
	f.Fuzz(func(t *testing.T, data []byte) {
		w := signedPost(server, h, data)
		a.Idle()
		switch w.Code {
		case 400:
		case 200:
			if strings.TrimSpace(w.Body.String()) == `{"type":1}` {
				return
			}
			if err := discordtest.CheckCallback(w.Body.Bytes()); err != nil {
				t.Errorf("%s\nanswered by %s\n%v", data, w.Body, err)
			}
		default:
			t.Errorf("%s: status %d", data, w.Code)
		}
	})
}

func FuzzCustomID(f *testing.F) {
	for _, s := range []string{"", "topic:goal", "share:a+b", "why:x,1,y,2", "confirm:7f3a", "nonsense", ":", "topic:", "\x00"} {
		f.Add(s)
	}
	h := &bottest.Recorder{}
	a, server, endpoint := offline(f, h)
	f.Fuzz(func(t *testing.T, id string) {
		data := body(t, server.Interaction(3, map[string]any{"custom_id": id}, nil))
		before := len(h.Messages())
		w := signedPost(server, endpoint, []byte(data))
		a.Idle()
		if w.Code != 200 {
			t.Fatalf("custom_id %q: status %d", id, w.Code)
		}
		var sent struct {
			Data struct {
				ID string `json:"custom_id"`
			} `json:"data"`
		}
		decode(t, []byte(data), &sent) // JSON mends broken UTF-8
		want, ok := bot.ParseAction(sent.Data.ID)
		got := h.Messages()[before:]
		if ok && (len(got) != 1 || got[0].Action != want) || !ok && len(got) != 0 {
			t.Errorf("custom_id %q: the handler got %+v, want %+v, %v", id, got, want, ok)
		}
	})
}

func FuzzMessage(f *testing.F) {
	for _, s := range []string{"", "<@" + discordtest.Self + ">", "<@!" + discordtest.Self + "> how many troops", "<@1> <@" + discordtest.Self + "", "@everyone", "a\nb", "\x1b[31m"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	h := &bottest.Recorder{}
	a, server, _ := offline(f, h)
	f.Fuzz(func(t *testing.T, content string, direct bool) {
		fields := map[string]any{}
		if direct {
			fields = map[string]any{"guild_id": nil, "channel_id": discordtest.Direct}
		}
		before := len(h.Messages())
		m := server.Message(content, fields)
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		a.Event("MESSAGE_CREATE", b)
		a.Idle()
		got := h.Messages()[before:]
		if meant := direct || len(m["mentions"].([]any)) > 0; meant != (len(got) == 1) {
			t.Errorf("%q: the handler got %d messages", content, len(got))
		}
		for _, m := range got {
			if strings.Contains(m.Text, "<@"+discordtest.Self+">") && !strings.Contains(content, "<@<@") {
				t.Errorf("%q: Text = %q holds the mention", content, m.Text)
			}
		}
	})
}
