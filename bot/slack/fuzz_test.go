package slack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/slack/slacktest"
	"podium/bot/store"
)

// FuzzSocket has a Socket Mode connection send anything: frames, control frames
// or bytes that are no websocket's. Whatever it was, podium acknowledges and
// hears what is said next on that connection, if Slack has not ended it, and
// its own frames are acknowledgements that Slack takes.
func FuzzSocket(f *testing.F) {
	s := slacktest.NewServer() // for its events
	f.Cleanup(s.Close)
	var odd atomic.Pointer[error] // what Slack would not take
	check := func(err error) {
		if err != nil {
			odd.Store(&err)
		}
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if form, err := arguments(r); err == nil && form.Text != "" {
			check(slacktest.CheckMessage(form.Text, form.Blocks, strings.HasSuffix(r.URL.Path, "chat.update")))
		}
		_, _ = io.WriteString(w, `{"ok":true,"channel":"C1","ts":"1.1"}`)
	}))
	f.Cleanup(api.Close)
	var heard sync.Map // ids of messages
	memory := store.NewMemory()
	a, err := New(Options{BotToken: slacktest.BotToken, AppToken: slacktest.AppToken, APIURL: api.URL + "/api/", Seen: memory, References: memory, Log: slog.New(slog.DiscardHandler),
		Handler: bot.HandlerFunc(func(ctx context.Context, m bot.Message) (bot.Reply, error) {
			heard.Store(m.ID, true)
			return bottest.Echo(ctx, m)
		})})
	if err != nil {
		f.Fatal(err)
	}
	type script struct {
		kind  uint8
		data  []byte
		last  []byte
		id    string // of the last envelope
		acked chan bool
	}
	var play atomic.Pointer[script]
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var upgrader websocket.Upgrader
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		s := play.Load()
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			acked := false
			defer func() { s.acked <- acked }()
			for {
				_, frame, err := ws.ReadMessage()
				if err != nil {
					return
				}
				var ack struct {
					ID      string `json:"envelope_id"`
					Payload *sent  `json:"payload"`
				}
				switch err := json.Unmarshal(frame, &ack); {
				case err != nil || ack.ID == "" || len(frame) >= payloadLimit && ack.Payload != nil:
					check(fmt.Errorf("podium sent the frame %.200q", frame))
				case ack.Payload != nil:
					check(slacktest.CheckMessage(ack.Payload.Text, ack.Payload.Blocks, false))
				}
				acked = acked || ack.ID == s.id
			}
		}()
		if ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"hello","num_connections":1}`)) != nil {
			return
		}
		bottest.Send(ws, s.kind, s.data, s.last)
		if s.kind == bottest.Raw {
			return // podium may wait for the rest of a frame
		}
		<-gone
	}))
	f.Cleanup(far.Close)

	enveloped := func(t testing.TB, kind, id string, payload any) []byte {
		b, err := json.Marshal(map[string]any{"type": kind, "envelope_id": id, "payload": payload, "accepts_response_payload": true})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	command := map[string]any{"command": "/podium", "text": "<!channel> \x00\u202e how many troops", "channel_id": slacktest.General, "user_id": slacktest.Person, "trigger_id": "1", "response_url": api.URL + "/response"}
	private := slacktest.Message{Method: "ack", Type: "ephemeral", Channel: slacktest.General, TS: s.TS()}
	dm := s.DM("hello")
	for _, frame := range [][]byte{
		enveloped(f, "events_api", "1", dm), enveloped(f, "events_api", "2", s.Mention("<@"+slacktest.Bot+"> how many troops")), enveloped(f, "events_api", "3", s.Edit(dm, "another")),
		enveloped(f, "events_api", "4", s.Event(map[string]any{"type": "app_home_opened", "user": slacktest.Person, "channel": slacktest.Direct, "tab": "home"})),
		enveloped(f, "slash_commands", "5", command), enveloped(f, "slash_commands", "", command), enveloped(f, "interactive", "6", s.Pressed(private, slacktest.Person, "share:troop_count.iraq")),
		enveloped(f, "interactive", "7", s.Pressed(private, slacktest.Person, "topic:goal")), enveloped(f, "events_api", "8", []any{1}), enveloped(f, "something_new", "9", nil),
		[]byte(`{"type":"hello"}`), []byte(`{"type":"disconnect","reason":"warning"}`), []byte(`{"type":"disconnect","reason":"refresh_requested"}`), []byte(`{"type":"disconnect","reason":"link_disabled"}`),
		[]byte(`{"type":"disconnect","reason":"too_many_websockets"}`), []byte(`{"type":7,"envelope_id":"1"}`), []byte(`{"envelope_id":"1","payload":null}`), []byte("null"), []byte("[]"), []byte(""),
	} {
		f.Add(uint8(bottest.Frames), frame)
		f.Add(uint8(bottest.Frames), bytes.Join([][]byte{frame, frame}, []byte("\n")))
	}
	f.Add(uint8(bottest.Binary), []byte("{}"))
	f.Add(uint8(bottest.Ping), []byte("x"))
	f.Add(uint8(bottest.Closing), websocket.FormatCloseMessage(websocket.CloseServiceRestart, "why"))
	f.Add(uint8(bottest.Raw), []byte("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		kind %= bottest.Kinds
		heard.Clear()
		odd.Store(nil)
		event := s.DM("still there?")
		id := s.ID("last.")
		acked := make(chan bool, 1)
		play.Store(&script{kind, data, enveloped(t, "events_api", id, event), id, acked})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		ws, _, err := websocket.DefaultDialer.DialContext(ctx, "ws"+strings.TrimPrefix(far.URL, "http"), nil)
		if err != nil {
			t.Fatal(err)
		}
		ws.SetReadLimit(frameLimit)
		a.read(ctx, &connection{ws: ws}, make(chan string, 1))
		if ctx.Err() != nil {
			t.Fatal("the connection does not end")
		}
		a.hands.Wait()
		last := <-acked
		if err := odd.Load(); err != nil {
			t.Errorf("after %q: %v", data, *err)
		}
		for line := range bytes.SplitSeq(data, []byte("\n")) {
			var e envelope
			_ = json.Unmarshal(line, &e)
			if e.Type == "disconnect" && (e.Reason == linkOff || e.Reason == tooMany) {
				return
			}
		}
		if _, ok := heard.Load(event["event"].(map[string]any)["ts"]); kind != bottest.Closing && kind != bottest.Raw && (!ok || !last) {
			t.Errorf("after %q podium hears what is said: %v, and acknowledges it: %v", data, ok, last)
		}
	})
}

// sent is a message as podium sends it.
type sent struct {
	Text   string
	Blocks json.RawMessage
}

// arguments reads a message out of a request.
func arguments(r *http.Request) (m sent, err error) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		err = json.NewDecoder(r.Body).Decode(&m)
	} else {
		m = sent{r.PostFormValue("text"), json.RawMessage(r.PostFormValue("blocks"))}
	}
	m.Blocks = json.RawMessage(cmp.Or(string(m.Blocks), "[]"))
	return m, err
}

// FuzzAnswers has Slack answer everything that podium asks of it with anything.
// Each call ends, and tells no secret.
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
	a, err := New(Options{BotToken: slacktest.BotToken, AppToken: slacktest.AppToken, APIURL: far.URL + "/api/", Handler: &bottest.Recorder{},
		Seen: memory, References: memory, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	for _, body := range []string{
		"", "null", "[]", "{}", `{"ok":true}`, `{"ok":false,"error":"invalid_auth"}`, `{"ok":false,"error":"missing_scope","needed":"chat:write"}`, `{"ok":false,"error":7}`, `{"ok":true,"user":null,"channel":null,"messages":null}`,
		`{"ok":true,"user":{"id":"U1","is_admin":true,"team_id":"T1","tz":"Nowhere/At all","profile":{"fields":[]}},"channel":{"id":"C1","is_member":true},"url":"wss://slack.example","team_id":"T1","user_id":"U1"}`,
		`{"ok":true,"channel":"C1","ts":"1.1","message":{"blocks":[{"type":"rich_text","elements":[{"type":"new"}]},{"type":"actions","elements":[{}]},null],"metadata":null}}`,
		`{"ok":true,"messages":[{"ts":"1.1","metadata":{"event_type":"podium_post","event_payload":{"key":["key"]}},"blocks":[{"type":"x"}],"files":[null],"reactions":[{}]}],"has_more":true,"response_metadata":{"next_cursor":""}}`,
		`{"ok":true,"messages":[null]}`, "<html>used_url", "\xff",
	} {
		for i := range statuses {
			f.Add(uint8(i), "", []byte(body))
		}
	}
	for _, after := range []string{"1", "0", "-1", "99999999999", "9223372036854775807", "soon"} {
		f.Add(uint8(7), "Retry-After: "+after, []byte("slow down"))
	}
	f.Add(uint8(2), "Location: http://127.0.0.1:1/", []byte(""))
	f.Add(uint8(0), "Content-Encoding: gzip\nContent-Length: 100000\nDate: yesterday\nX-OAuth-Scopes: ,,\x00", []byte(`{"ok":true}`))
	m := bot.Message{Platform: bot.Slack, Workspace: slacktest.Team, Channel: slacktest.General, User: bot.User{ID: slacktest.Person}}
	f.Fuzz(func(t *testing.T, status uint8, header string, body []byte) {
		play.Store(&answer{statuses[int(status)%len(statuses)], header, body})
		// Longer than the answers take, and shorter than any wait for the next try.
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		began := time.Now()
		var all error
		call := func(what string, err error) {
			if time.Since(began) > 10*time.Second {
				t.Fatalf("%s does not end", what)
			}
			all = errors.Join(all, err)
		}
		messages := []outgoing{{text: "hello"}}
		reply := bot.TextReply("hello")
		a.workspace.Store(nil)
		_, err := a.Post(ctx, slacktest.General, "key", reply)
		call("Post", err)
		_, err = a.post(ctx, slacktest.General, "", "", messages)
		call("post", err)
		_, _, err = a.Find(ctx, slacktest.General, "key", time.Now())
		call("Find", err)
		call("CanPost", a.CanPost(ctx, slacktest.General))
		_, err = a.MaySchedule(ctx, m, slacktest.General)
		call("MaySchedule", err)
		call("Tell", a.Tell(ctx, slacktest.Person, reply))
		call("whisper", a.whisper(ctx, slacktest.General, slacktest.Person, "", messages))
		_, err = a.respond(ctx, far.URL+"/response/secret", ephemeral, "", messages)
		call("respond", err)
		a.home(ctx, slacktest.Team, slacktest.Person)
		for _, finding := range a.Check(ctx, false) {
			call("Check", errors.New(finding.What+finding.Remedy))
		}
		once, cancel := context.WithTimeout(t.Context(), 3*time.Millisecond)
		defer cancel()
		call("identify", a.identify(once))
		for _, secret := range []string{slacktest.BotToken, slacktest.AppToken, "/response/secret"} {
			if all != nil && strings.Contains(all.Error(), secret) && !strings.Contains(header+string(body), secret) {
				t.Errorf("the errors tell %q: %v", secret, all)
			}
		}
	})
}
