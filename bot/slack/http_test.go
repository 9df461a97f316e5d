package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/slack/slacktest"
	"podium/bot/store"
)

// TestDocumentedSignature holds the fake to the example in Slack's documents, and with it every test that it signs for.
func TestDocumentedSignature(t *testing.T) {
	const body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	h := http.Header{}
	slacktest.Sign(h, "8f742231b10e8888abcd99yyyzzz85a5", time.Unix(1531420618, 0), []byte(body))
	if got, want := h.Get("X-Slack-Signature"), "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"; got != want {
		t.Errorf("signature = %s, want %s", got, want)
	}
}

// mounted is an adapter's endpoints without a Slack behind them.
func mounted(t testing.TB, h bot.Handler) http.Handler { return mountedWith(t, h, slog.DiscardHandler) }

func mountedWith(t testing.TB, h bot.Handler, log slog.Handler) http.Handler {
	t.Helper()
	memory := store.NewMemory()
	a, err := New(Options{BotToken: "xoxb-1", SigningSecret: slacktest.Secret, APIURL: "http://127.0.0.1:1/api/", Handler: h,
		Seen: memory, References: memory, Log: slog.New(log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.hands.Finish(0) })
	mux := http.NewServeMux()
	a.Mount(mux)
	return mux
}

func signedRequest(path string, body []byte, at time.Time) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	slacktest.Sign(r.Header, slacktest.Secret, at, body)
	return r
}

// TestRefusedIsLogged: a wrong signing secret shows in the log, and strangers
// do not fill it.
func TestRefusedIsLogged(t *testing.T) {
	var log bytes.Buffer
	mux := mountedWith(t, &bottest.Recorder{}, slog.NewTextHandler(&log, nil))
	refuse := func(change func(r *http.Request)) {
		t.Helper()
		r := signedRequest("/slack/events", []byte("the words of the question"), time.Now())
		change(r)
		w := httptest.NewRecorder()
		if mux.ServeHTTP(w, r); w.Code != 401 {
			t.Errorf("status %d, want 401", w.Code)
		}
	}
	refuse(func(r *http.Request) { r.Header.Del("X-Slack-Signature") })
	if log.Len() > 0 {
		t.Errorf("of a request that is not signed the log says %q", log.String())
	}
	for range 3 {
		refuse(func(r *http.Request) {
			slacktest.Sign(r.Header, "another", time.Now(), []byte("the words of the question"))
		})
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "PODIUM_SLACK_SIGNING_SECRET") || strings.Contains(text, "words") {
		t.Errorf("the log says %q, want one line that names the setting", text)
	}
}

func TestSignatures(t *testing.T) {
	h := &bottest.Recorder{}
	mux := mounted(t, h)
	body := []byte(url.Values{"command": {"/podium"}, "text": {"hello"}, "user_id": {"U1"}, "channel_id": {"C1"}}.Encode())
	now := time.Now()
	for _, test := range []struct {
		name   string
		change func(r *http.Request)
		want   int
	}{
		{"right", func(*http.Request) {}, 200},
		{"hardly young enough", func(r *http.Request) { slacktest.Sign(r.Header, slacktest.Secret, now.Add(-285*time.Second), body) }, 200},
		{"a second too old", func(r *http.Request) { slacktest.Sign(r.Header, slacktest.Secret, now.Add(-301*time.Second), body) }, 401},
		{"too far ahead", func(r *http.Request) { slacktest.Sign(r.Header, slacktest.Secret, now.Add(315*time.Second), body) }, 401},
		{"another secret", func(r *http.Request) { slacktest.Sign(r.Header, "another", now, body) }, 401},
		{"another body", func(r *http.Request) { slacktest.Sign(r.Header, slacktest.Secret, now, append(body, '&')) }, 401},
		{"another time", func(r *http.Request) {
			r.Header.Set("X-Slack-Request-Timestamp", strconv.FormatInt(now.Unix()+1, 10))
		}, 401},
		{"no time", func(r *http.Request) { r.Header.Del("X-Slack-Request-Timestamp") }, 401},
		{"time in words", func(r *http.Request) { r.Header.Set("X-Slack-Request-Timestamp", "now") }, 401},
		{"no signature", func(r *http.Request) { r.Header.Del("X-Slack-Signature") }, 401},
		{"not hexadecimal", func(r *http.Request) { r.Header.Set("X-Slack-Signature", "v0=zz") }, 401},
		{"another version", func(r *http.Request) {
			r.Header.Set("X-Slack-Signature", "v1"+r.Header.Get("X-Slack-Signature")[2:])
		}, 401},
		{"shortened", func(r *http.Request) { r.Header.Set("X-Slack-Signature", r.Header.Get("X-Slack-Signature")[:20]) }, 401},
		{"empty", func(r *http.Request) { r.Header.Set("X-Slack-Signature", "v0=") }, 401},
	} {
		for _, path := range []string{"/slack/commands", "/slack/events", "/slack/interactions"} {
			r := signedRequest(path, body, now)
			test.change(r)
			w := httptest.NewRecorder()
			before := len(h.Messages())
			mux.ServeHTTP(w, r)
			if test.want == 200 && path != "/slack/commands" {
				test := test.want
				if w.Code == 401 {
					t.Errorf("%s: %d, want the signature accepted (%d)", path, w.Code, test)
				}
				continue
			}
			if w.Code != test.want {
				t.Errorf("%s, %s: %d, want %d", path, test.name, w.Code, test.want)
			}
			if test.want == 401 && (w.Body.Len() > 0 || len(h.Messages()) > before) {
				t.Errorf("%s, %s: refused with %q, and the handler has %d messages", path, test.name, w.Body, len(h.Messages()))
			}
		}
	}
}

func TestBodies(t *testing.T) {
	mux := mounted(t, &bottest.Recorder{})
	challenge := []byte(`{"token":"t","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}`)
	for _, test := range []struct {
		name, path string
		body       []byte
		want       int
		answer     string
	}{
		{"challenge", "/slack/events", challenge, 200, "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"},
		{"1 MB", "/slack/events", append([]byte(`{}`), bytes.Repeat([]byte(" "), 1<<20-2)...), 200, ""},
		{"over 1 MB", "/slack/events", bytes.Repeat([]byte(" "), 1<<20+1), 413, ""},
		{"over 1 MB", "/slack/commands", bytes.Repeat([]byte("a"), 1<<20+1), 413, ""},
		{"not JSON", "/slack/events", []byte("hello"), 400, ""},
		{"no payload", "/slack/interactions", []byte("a=b"), 400, ""},
		{"not a payload", "/slack/interactions", []byte("payload=%7B"), 400, ""},
		{"not a form", "/slack/commands", []byte("%zz"), 400, ""},
		{"certificate", "/slack/commands", []byte("ssl_check=1&token=t"), 200, ""},
		{"unknown command", "/slack/commands", []byte("command=/other&text=hello"), 200, ""},
		{"unknown interaction", "/slack/interactions", []byte("payload=" + url.QueryEscape(`{"type":"shortcut"}`)), 200, ""},
		{"unknown event", "/slack/events", []byte(`{"type":"event_callback","event":{"type":"tokens_revoked"}}`), 200, ""},
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, signedRequest(test.path, test.body, time.Now()))
		if w.Code != test.want || w.Body.String() != test.answer {
			t.Errorf("%s to %s: %d %q, want %d %q", test.name, test.path, w.Code, w.Body, test.want, test.answer)
		}
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/slack/events", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d, want 405", w.Code)
	}
}

// TestParseCommand holds parseCommand to what net/url makes of the same form.
func TestParseCommand(t *testing.T) {
	odd := []string{"", "how many troops", "a+b=c&d;e", "100%", "naïve 👩‍👩‍👧 العراق", "\x00\x1b[31m", "%41", "<@U1> &amp;"}
	for _, v := range odd {
		form := url.Values{"command": {v + "1"}, "text": {v + "2"}, "team_id": {v + "3"}, "channel_id": {v + "4"}, "channel_name": {v + "5"}, "user_id": {v + "6"},
			"user_name": {v + "7"}, "response_url": {v + "8"}, "trigger_id": {v + "9"}, "token": {v}, v: {"unknown"}}
		got, check, err := parseCommand(form.Encode())
		want := command{Command: v + "1", Text: v + "2", Team: v + "3", Channel: v + "4", ChannelName: v + "5", User: v + "6", UserName: v + "7", ResponseURL: v + "8", Trigger: v + "9"}
		if got != want || check || err != nil {
			t.Errorf("parseCommand(%q) = %+v, %v, %v, want %+v", form.Encode(), got, check, err, want)
		}
	}
	for _, form := range []string{"%zz", "text=%zz", "%=1", "command=%2Fpodium&text=%"} {
		if _, _, err := parseCommand(form); err == nil {
			t.Errorf("parseCommand(%q) has no error", form)
		}
	}
	if _, check, err := parseCommand("token=t&ssl_check=1"); !check || err != nil {
		t.Errorf("a check of the certificate is read as %v, %v", check, err)
	}
}

func TestResponseURLs(t *testing.T) {
	asked := make(chan string, 10)
	trap := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	defer trap.Close()
	s := slacktest.NewServer()
	defer s.Close()
	a, err := New(Options{BotToken: "xoxb-1", SigningSecret: "s", APIURL: s.APIURL, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{
		"https://hooks.slack.com/commands/T1/2/3":       true,
		s.URL + "/response/1":                           true,
		"http://hooks.slack.com/commands/T1/2/3":        false,
		"https://hooks.slack.com.evil.example/":         false,
		"https://hooks.slack.com:444/":                  false,
		"https://user@hooks.slack.com/":                 false,
		"https://evil.example/?https://hooks.slack.com": false,
		"https:hooks.slack.com":                         false,
		"file:///etc/passwd":                            false,
		"":                                              false,
		trap.URL:                                        false,
		strings.Replace(s.URL, "http:", "https:", 1):    false,
	} {
		if got := a.mayCall(address) == nil; got != want {
			t.Errorf("mayCall(%q) = %v, want %v", address, got, want)
		}
	}
	messages := []outgoing{{text: "secret"}}
	if _, err := a.respond(t.Context(), trap.URL, ephemeral, "", messages); err == nil {
		t.Error("respond called an address that is not Slack's")
	}
	// A redirect is not followed: the body would go elsewhere.
	moved := httptest.NewServer(http.RedirectHandler(trap.URL+"/moved", http.StatusTemporaryRedirect))
	defer moved.Close()
	a.apiURL, _ = url.Parse(moved.URL)
	if _, err := a.respond(t.Context(), moved.URL, ephemeral, "", messages); err == nil {
		t.Error("respond took a redirect for an answer")
	}
	if len(asked) > 0 {
		t.Errorf("podium called %s at an address that is not Slack's", <-asked)
	}
	// The address is a secret.
	a.apiURL = &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := a.respond(ctx, "http://127.0.0.1:1/response/T1-secret", ephemeral, "", messages); err == nil || strings.Contains(err.Error(), "T1-secret") {
		t.Errorf("respond = %v, want an error without the address", err)
	}
}

func FuzzCommandForm(f *testing.F) {
	f.Add([]byte("command=%2Fpodium&text=how+many+troops&user_id=U1&channel_id=C1&response_url=https%3A%2F%2Fhooks.slack.com%2F1"))
	f.Add([]byte("command=/podium&text=%00%ff%1b[31m<!channel>"))
	f.Add([]byte("ssl_check=1"))
	f.Add([]byte(";&%zz="))
	fuzzEndpoint(f, "/slack/commands")
}

func FuzzEventJSON(f *testing.F) {
	f.Add([]byte(`{"type":"url_verification","challenge":"x"}`))
	f.Add([]byte(`{"type":"event_callback","event_id":"E1","event":{"type":"app_mention","user":"U1","text":"<@U2> hi","ts":"1.1","channel":"C1"}}`))
	f.Add([]byte(`{"type":"event_callback","event":{"type":"message","channel_type":"im","subtype":"message_changed","message":{"user":"U1","text":"a","ts":"1.1"}}}`))
	f.Add([]byte(`{"event":{"message":[]},"authorizations":[{}]}`))
	fuzzEndpoint(f, "/slack/events")
}

func FuzzInteractionPayload(f *testing.F) {
	f.Add([]byte(`payload=` + url.QueryEscape(`{"type":"block_actions","user":{"id":"U1"},"actions":[{"type":"button","value":"topic:goal"}],"container":{"is_ephemeral":true}}`)))
	f.Add([]byte(`payload=` + url.QueryEscape(`{"type":"view_submission"}`)))
	f.Add([]byte(`payload={"actions":[{}]}`))
	fuzzEndpoint(f, "/slack/interactions")
}

// fuzzEndpoint sees that no signed body makes podium panic, and that what comes back is JSON, a challenge or nothing.
// What podium sends elsewhere goes to a port where nobody listens, and is given up at once.
func fuzzEndpoint(f *testing.F, path string) {
	memory := store.NewMemory()
	a, err := New(Options{BotToken: "xoxb-1", SigningSecret: slacktest.Secret, APIURL: "http://127.0.0.1:1/api/",
		Handler: &bottest.Recorder{}, Seen: memory, References: memory, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	a.hands = bot.NewHands(done, bot.HandsOptions{Most: bot.InHand, Each: limit, Meter: bot.NoMeter, Log: a.log}) // with this context Slack is not called
	mux := http.NewServeMux()
	a.Mount(mux)
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, signedRequest(path, body, time.Now()))
		if w.Code != 200 && w.Code != 400 && w.Code != 413 {
			t.Errorf("%s answered %d", path, w.Code)
		}
		if path == "/slack/commands" && w.Body.Len() > 0 {
			var r struct {
				Text   string          `json:"text"`
				Blocks json.RawMessage `json:"blocks"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			if err := slacktest.CheckMessage(r.Text, r.Blocks, false); err != nil {
				t.Error(err)
			}
		}
	})
}

// BenchmarkCommand is a signed slash command from the socket to the answer and back, over a connection that is kept
// alive, beside a bare handler that does no more than check the signature. The answer is a fixed one: cmd/podium has the
// same with the real handlers.
func BenchmarkCommand(b *testing.B) {
	r := reply("answer with contrast")
	podium := mounted(b, bot.HandlerFunc(func(context.Context, bot.Message) (bot.Reply, error) { return r, nil }))
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		v, err := slack.NewSecretsVerifier(r.Header, slacktest.Secret)
		if err == nil {
			v.Write(body)
			err = v.Ensure()
		}
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"response_type":"ephemeral","text":"fixed"}`)
	})
	for name, h := range map[string]http.Handler{"bare": bare, "podium": podium} {
		b.Run(name, func(b *testing.B) {
			server := httptest.NewServer(h)
			defer server.Close()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				body := []byte(url.Values{"command": {"/podium"}, "text": {fmt.Sprint("question ", i%50)}, "user_id": {"U1"}, "channel_id": {"C1"}}.Encode())
				req, _ := http.NewRequest(http.MethodPost, server.URL+"/slack/commands", bytes.NewReader(body))
				slacktest.Sign(req.Header, slacktest.Secret, time.Now(), body)
				res, err := server.Client().Do(req)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != 200 {
					b.Fatal(res.Status, err)
				}
				res.Body.Close()
			}
		})
	}
}
