package discord_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

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
		check := func([]byte) error { return nil }
		switch {
		case strings.HasSuffix(r.URL.Path, "/messages"):
			check = discordtest.CheckMessage
		case strings.HasSuffix(r.URL.Path, "/callback"):
			check = discordtest.CheckCallback
		}
		if err := check(body); err != nil {
			t.Errorf("%v\n%s", err, body)
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

// FuzzGateway connects to a gateway that sends anything: frames behind READY or
// in place of the first hello, control frames, or bytes that are no websocket's.
// Whatever it was, podium hears what is said next on that connection, if Discord
// has neither ended it nor told podium another name.
func FuzzGateway(f *testing.F) {
	const first = bottest.Kinds // frames in place of the first hello
	var heard sync.Map          // ids of messages
	a, server, _ := offline(f, bot.HandlerFunc(func(ctx context.Context, m bot.Message) (bot.Reply, error) {
		heard.Store(m.ID, true)
		return bottest.Echo(ctx, m)
	}))
	dispatch := func(t testing.TB, name string, data any) []byte {
		return []byte(body(t, map[string]any{"op": 0, "s": 1, "t": name, "d": data}))
	}
	hello := []byte(`{"op":10,"d":{"heartbeat_interval":40000}}`)
	ready := dispatch(f, "READY", map[string]any{"session_id": "s", "resume_gateway_url": server.ResumeURL,
		"user": map[string]any{"id": discordtest.Self}, "application": map[string]any{"id": discordtest.Application}})
	type script struct {
		kind uint8
		data []byte
		last []byte
	}
	var play atomic.Pointer[script]
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var upgrader websocket.Upgrader
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			for {
				if _, _, err := ws.ReadMessage(); err != nil {
					return
				}
			}
		}()
		s := play.Load()
		kind := s.kind
		if kind == first {
			kind = bottest.Frames
		} else if ws.WriteMessage(websocket.TextMessage, hello) != nil || ws.WriteMessage(websocket.TextMessage, ready) != nil {
			return
		}
		bottest.Send(ws, kind, s.data, s.last)
		if s.kind == bottest.Raw {
			return // podium may wait for the rest of a frame
		}
		<-gone
	}))
	f.Cleanup(far.Close)

	mention := "<@" + discordtest.Self + "> how many troops"
	for _, frame := range [][]byte{
		hello, ready, dispatch(f, "RESUMED", nil),
		dispatch(f, "MESSAGE_CREATE", server.Message(mention, nil)),
		dispatch(f, "MESSAGE_CREATE", server.Message(mention+" \x00\u202e", map[string]any{"guild_id": nil, "channel_id": discordtest.Direct, "referenced_message": map[string]any{"author": nil}})),
		dispatch(f, "INTERACTION_CREATE", server.Interaction(2, discordtest.Command("ask", "question", "how many troops"), nil)),
		dispatch(f, "INTERACTION_CREATE", server.Interaction(3, map[string]any{"custom_id": "share:troop_count.iraq"}, map[string]any{"message": map[string]any{"id": "1", "flags": 64}})),
		dispatch(f, "INTERACTION_CREATE", server.Interaction(4, discordtest.Command("ask", "question", "ho"), nil)),
		dispatch(f, "GUILD_CREATE", map[string]any{"id": discordtest.Guild, "threads": []any{map[string]any{"id": discordtest.Thread}}}),
		dispatch(f, "THREAD_LIST_SYNC", map[string]any{"guild_id": discordtest.Guild, "threads": []any{map[string]any{}}}), dispatch(f, "GUILD_DELETE", nil),
		[]byte(`{"op":1}`), []byte(`{"op":7}`), []byte(`{"op":9,"d":false}`), []byte(`{"op":9,"d":true}`), []byte(`{"op":11}`), []byte(`{"op":10,"d":{"heartbeat_interval":1}}`),
		[]byte(`{"op":10,"d":{"heartbeat_interval":9223372036854775807}}`), []byte(`{"op":0,"t":"MESSAGE_CREATE","d":{"author":[]}}`), []byte(`{"op":"0","s":1e99}`), []byte("null"), []byte(""),
	} {
		f.Add(uint8(bottest.Frames), frame)
		f.Add(uint8(first), frame)
		f.Add(uint8(first), slices.Concat(hello, []byte("\n"), ready, []byte("\n"), frame))
	}
	f.Add(uint8(bottest.Binary), ready)
	f.Add(uint8(bottest.Ping), []byte("x"))
	for _, code := range []int{1000, 1001, 4000, 4003, 4004, 4007, 4010, 4011, 4012, 4013, 4014, 9999} {
		f.Add(uint8(bottest.Closing), websocket.FormatCloseMessage(code, "why"))
	}
	f.Add(uint8(bottest.Raw), []byte("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		heard.Clear()
		id := server.NewID()
		kind %= first + 1
		play.Store(&script{kind, data, dispatch(t, "MESSAGE_CREATE", server.Message(mention, map[string]any{"id": id}))})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := a.Connect(ctx, "ws"+strings.TrimPrefix(far.URL, "http")); err == nil || ctx.Err() != nil {
			t.Fatalf("the connection ends with %v", err)
		}
		a.Idle()
		switch kind {
		case first, bottest.Closing, bottest.Raw:
			return
		case bottest.Frames, bottest.Binary:
			for line := range bytes.SplitSeq(data, []byte("\n")) {
				var frame struct {
					Op   any `json:"op"`
					Name any `json:"t"`
				}
				_ = json.Unmarshal(line, &frame)
				if frame.Op == 7. || frame.Op == 9. || frame.Name == "READY" {
					return
				}
			}
		}
		if _, ok := heard.Load(id); !ok {
			t.Errorf("after %q podium does not hear what is said to it", data)
		}
	})
}

// FuzzAnswers has Discord answer everything that podium asks of it with
// anything. Each call ends, waits where it is told to, and tells no secret.
func FuzzAnswers(f *testing.F) {
	statuses := []int{200, 204, 301, 400, 401, 403, 404, 429, 500, 502, 503}
	type answer struct {
		status int
		header string
		body   []byte
	}
	var play atomic.Pointer[answer]
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a := play.Load()
		for line := range strings.SplitSeq(a.header, "\n") {
			if name, value, ok := strings.Cut(line, ":"); ok {
				w.Header().Add(name, value)
			}
		}
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body) // the header may say that there is none
	}))
	f.Cleanup(far.Close)
	far.Config.ErrorLog = log.New(io.Discard, "", 0)
	memory := store.NewMemory()
	a, err := discord.New(discord.Options{Token: discordtest.Token, ApplicationID: discordtest.Application, APIURL: far.URL, Handler: &bottest.Recorder{},
		Seen: memory, References: memory, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	for _, body := range []string{
		"", "null", "[]", "{}", `{"id":"1","username":"podium","type":0,"guild_id":"` + discordtest.Guild + `","url":"wss://gateway.discord.gg","permissions":"274877991936","flags":1}`,
		`[{"id":"1","author":{"id":"200000000000000001"},"nonce":"x","components":[{"type":99}],"name":"podium","options":[{}],"default_member_permissions":"16"}]`,
		`{"code":50013,"message":"Missing Permissions","errors":{"a":1}}`, `{"code":"x","message":7}`, `{"retry_after":0.3,"global":true}`, `{"retry_after":1e300}`, `{"retry_after":1e-300}`, `{"retry_after":-1}`,
		`{"type":11,"parent_id":"1","recipients":[null],"permission_overwrites":[null,{"allow":"x"}],"roles":[null],"owner_id":1}`, "<html>", "\xff",
	} {
		for i := range statuses {
			f.Add(uint8(i), "", []byte(body))
		}
	}
	f.Add(uint8(7), "Retry-After: 1e300\nX-RateLimit-Global: true", []byte("slow down"))
	f.Add(uint8(7), "Retry-After: NaN\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset-After: Inf", []byte("{}"))
	for i := range statuses {
		f.Add(uint8(i), "X-RateLimit-Remaining: 0\nX-RateLimit-Reset-After: 3600\nX-RateLimit-Bucket: x\nX-RateLimit-Reset: x", []byte("{}"))
	}
	f.Add(uint8(2), "Location: http://127.0.0.1:1/", []byte(""))
	f.Add(uint8(0), "Content-Encoding: gzip\nContent-Length: 100000\nDate: yesterday", []byte("{}"))
	server := discordtest.New()
	f.Cleanup(server.Close)
	m := bot.Message{Platform: bot.Discord, Workspace: discordtest.Guild, Channel: discordtest.Channel, User: bot.User{ID: discordtest.Person}}
	interaction := []byte(body(f, server.Interaction(2, discordtest.Command("ask", "question", "how many troops"), nil)))
	f.Fuzz(func(t *testing.T, status uint8, header string, body []byte) {
		play.Store(&answer{statuses[int(status)%len(statuses)], header, body})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		call := func(what string, f func() error) {
			left := 5 * time.Second
			a.Wait(func(_ context.Context, d time.Duration) error {
				if d <= 0 {
					t.Errorf("%s: podium waits %v", what, d)
					return context.DeadlineExceeded
				}
				if left -= d; left < 0 {
					return context.DeadlineExceeded
				}
				return ctx.Err()
			})
			err := f()
			if ctx.Err() != nil {
				t.Fatalf("%s does not end", what)
			}
			if err != nil && strings.Contains(err.Error(), discordtest.Token) && !bytes.Contains(body, []byte(discordtest.Token)) && !strings.Contains(header, discordtest.Token) {
				t.Errorf("%s: the error %v tells the token", what, err)
			}
		}
		reply := bot.TextReply("hello")
		call("lookup", func() error { _, err := a.Lookup(ctx); return err })
		call("Post", func() error { _, err := a.Post(ctx, discordtest.Channel, "key", reply); return err })
		call("Find", func() error { _, _, err := a.Find(ctx, discordtest.Channel, "key", time.Now()); return err })
		call("CanPost", func() error { return a.CanPost(ctx, discordtest.Channel) })
		call("MaySchedule", func() error { _, err := a.MaySchedule(ctx, m, discordtest.Channel); return err })
		call("Tell", func() error { return a.Tell(ctx, discordtest.Person, reply) })
		call("Check", func() error { a.Check(ctx, false); return nil })
		call("INTERACTION_CREATE", func() error { a.Event("INTERACTION_CREATE", interaction); a.Idle(); return nil })
	})
}
