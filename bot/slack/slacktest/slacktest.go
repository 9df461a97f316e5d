// Package slacktest is a Slack for tests: a Web API, response URLs and Socket
// Mode on a loopback address, and the two ways by which Slack delivers events.
//
// It is as strict as Slack where that matters: it checks tokens, refuses
// messages that are over Slack's limits or that would ping somebody, lets a
// response URL be used five times, and never delivers twice by itself.
package slacktest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// What a Server knows from the start.
const (
	BotToken = "xoxb-slacktest"
	AppToken = "xapp-slacktest"
	Secret   = "8f742231b10e8888abcd99yyyzzz85a5"
	Bot      = "UPODIUM" // podium's user
	BotID    = "BPODIUM"
	Team     = "T0001"
	Person   = "UPERSON"
	Admin    = "UADMIN"    // in Europe/Berlin
	Visitor  = "UVISITOR"  // an admin of another workspace, in a shared channel
	General  = "CGENERAL"  // podium is a member
	Foreign  = "CFOREIGN"  // podium is not
	Archived = "CARCHIVED" // podium was
	Direct   = "DPERSON"   // between Person and podium
)

// A Message is one that podium sent.
type Message struct {
	Method   string // chat.postMessage, chat.postEphemeral, chat.update, "response_url", or "ack": the answer to a delivery
	Channel  string
	User     string // of an ephemeral one
	Thread   string
	TS       string
	Text     string
	Blocks   []Block
	Type     string // response_type, of a response
	Metadata Metadata
	Form     url.Values // as sent, of the Web API
	Body     []byte     // the text and blocks as sent, in JSON
	At       time.Time
}

// Private reports whether one person alone sees the message.
func (m Message) Private() bool {
	return m.Method == "chat.postEphemeral" || (m.Method == "response_url" || m.Method == "ack") && m.Type != "in_channel"
}

// Metadata is a message's.
type Metadata struct {
	Type    string         `json:"event_type"`
	Payload map[string]any `json:"event_payload"`
}

// A Block is a Block Kit block, in as far as podium uses it.
type Block struct {
	Type     string    `json:"type"`
	Text     *Text     `json:"text"`
	Elements []Element `json:"elements"`
}

// An Element is a button of an actions block or a text of a context block.
type Element struct {
	Type     string          `json:"type"`
	ActionID string          `json:"action_id"`
	Value    string          `json:"value"`
	Text     json.RawMessage `json:"text"`
	Verbatim bool            `json:"verbatim"`
}

// Label is the text of a button.
func (e Element) Label() string {
	var t Text
	_ = json.Unmarshal(e.Text, &t)
	return t.Text
}

// Text is a text object.
type Text struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Verbatim bool   `json:"verbatim"`
}

// A Fault is what a call meets instead of its answer.
type Fault struct {
	Status     int           // with RetryAfter: 429
	RetryAfter int           // seconds
	Error      string        // an answer {"ok":false,"error":...}
	Lost       bool          // the call takes effect, its answer does not arrive
	Delay      time.Duration // before the call is looked at
}

// MostSockets is how many Socket Mode connections an app may have at a time.
const MostSockets = 10

// ErrClosed says that nothing was sent: podium does not have the connection.
var ErrClosed = errors.New("podium has no such Socket Mode connection")

// A Server is one Slack workspace with podium installed.
type Server struct {
	URL    string
	APIURL string // for PODIUM_SLACK_API_URL

	// OnMessage, if set, is called with every message of podium's.
	OnMessage func(Message)
	// Scopes are what Slack says that the bot token has; Skew is how far its
	// clock is ahead.
	Scopes []string
	Skew   time.Duration
	// Lag is how long a message takes to show in its channel's history.
	Lag time.Duration
	// Check, if set, returns what is wrong with a message's blocks or view.
	Check func(blocks json.RawMessage) error

	web    *httptest.Server
	closed chan struct{}

	mu        sync.Mutex
	messages  []Message
	views     []View
	calls     map[string]int
	faults    map[string][]Fault
	problems  []error
	responses map[string]*responseURL
	sockets   []*socket
	opened    int                             // Socket Mode connections so far
	waiting   map[string]chan json.RawMessage // acknowledgements, by envelope
	last      int64                           // number of the last id or timestamp
	changed   chan struct{}
}

// A View is an App Home that podium published.
type View struct {
	User   string
	Blocks []Block
	Body   []byte
}

type responseURL struct {
	channel, user string
	uses          int
}

type socket struct {
	ws     *websocket.Conn
	number int           // of those that podium opened
	gone   chan struct{} // closed when the connection has ended
	mu     sync.Mutex    // of writes
}

// NewServer starts a Slack.
func NewServer() *Server {
	s := &Server{
		calls:     map[string]int{},
		faults:    map[string][]Fault{},
		responses: map[string]*responseURL{},
		waiting:   map[string]chan json.RawMessage{},
		changed:   make(chan struct{}),
		closed:    make(chan struct{}),
		Scopes:    slices.Clone(Scopes),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/{method}", s.serveAPI)
	mux.HandleFunc("POST /response/{id}", s.serveResponse)
	mux.HandleFunc("GET /link", s.serveSocket)
	s.web = httptest.NewServer(mux)
	s.URL, s.APIURL = s.web.URL, s.web.URL+"/api/"
	return s
}

// Close ends the Slack and every connection to it.
func (s *Server) Close() {
	close(s.closed)
	s.mu.Lock()
	for _, c := range s.sockets {
		c.ws.Close()
	}
	s.mu.Unlock()
	s.web.CloseClientConnections()
	s.web.Close()
}

// Methods is the calls of the Web API that a Server answers: all that podium
// makes.
var Methods = []string{"auth.test", "apps.connections.open", "chat.postMessage", "chat.postEphemeral", "chat.update",
	"conversations.history", "conversations.info", "users.info", "views.publish"}

// Scopes is the scopes of podium's manifest.
var Scopes = []string{"app_mentions:read", "channels:history", "channels:read", "chat:write", "commands", "groups:history", "groups:read",
	"im:history", "users:read"}

// Fail makes the next calls of a method fail, one fault each. The methods are
// those of the Web API and "response_url".
func (s *Server) Fail(method string, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[method] = append(s.faults[method], faults...)
}

// Messages is what podium said so far.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Views is the App Homes that podium published so far.
func (s *Server) Views() []View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.views)
}

// Calls is how often a method was called.
func (s *Server) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// Problems is what Slack would not have let pass.
func (s *Server) Problems() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.problems...)
}

// Sockets is the number of open Socket Mode connections.
func (s *Server) Sockets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sockets)
}

// Wait waits until done, which is called whenever something has happened,
// reports true.
func (s *Server) Wait(ctx context.Context, done func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if done() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// WaitMessages waits until podium has said n messages and returns them all.
func (s *Server) WaitMessages(ctx context.Context, n int) ([]Message, error) {
	err := s.Wait(ctx, func() bool { return len(s.Messages()) >= n })
	return s.Messages(), err
}

// change wakes those who wait. The lock is held.
func (s *Server) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Server) number() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	return s.last
}

// TS is a new timestamp, later than those before it.
func (s *Server) TS() string {
	now := time.Now()
	return fmt.Sprintf("%d.%06d", now.Unix(), s.number())
}

// ID is a new identifier.
func (s *Server) ID(prefix string) string { return fmt.Sprintf("%s%08d", prefix, s.number()) }

// ResponseURL makes a response URL for a user in a channel.
func (s *Server) ResponseURL(channel, user string) string {
	id := s.ID("R")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.responses[id] = &responseURL{channel: channel, user: user}
	return s.URL + "/response/" + id
}

// fault counts a call and takes the next fault of its method.
func (s *Server) fault(method string) (f Fault, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[method]++
	s.change()
	if list := s.faults[method]; len(list) > 0 {
		s.faults[method] = list[1:]
		return list[0], true
	}
	return Fault{}, false
}

// met carries out a fault and reports whether the call is over.
func (s *Server) met(w http.ResponseWriter, f Fault) bool {
	select {
	case <-time.After(f.Delay):
	case <-s.closed:
	}
	switch {
	case f.RetryAfter > 0:
		w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		w.WriteHeader(cmp.Or(f.Status, http.StatusTooManyRequests))
	case f.Status != 0:
		w.WriteHeader(f.Status)
	case f.Error != "":
		refuse(w, f.Error)
	default:
		return false
	}
	return true
}

func answer(w http.ResponseWriter, v map[string]any) {
	v["ok"] = true
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, code string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(map[string]any{"ok": false, "error": code})
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	method := r.PathValue("method")
	w.Header().Set("Date", time.Now().Add(s.Skew).UTC().Format(http.TimeFormat))
	form, err := arguments(r)
	if err != nil {
		refuse(w, "invalid_form_data")
		return
	}
	f, faulty := s.fault(method)
	if faulty && s.met(w, f) {
		return
	}
	if f.Lost {
		defer func() { panic(http.ErrAbortHandler) }()
		w = httptest.NewRecorder()
	}
	token := cmp.Or(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), form.Get("token"))
	want := BotToken
	if method == "apps.connections.open" {
		want = AppToken
	}
	if token != want {
		refuse(w, "invalid_auth")
		return
	}
	if method != "apps.connections.open" {
		w.Header().Set("X-OAuth-Scopes", strings.Join(s.Scopes, ","))
	}
	if !slices.Contains(Methods, method) {
		s.problem(fmt.Errorf("podium called %s", method))
		refuse(w, "unknown_method")
		return
	}
	switch method {
	case "auth.test":
		answer(w, map[string]any{"url": s.URL, "team": "Test", "team_id": Team, "user": "podium", "user_id": Bot, "bot_id": BotID})
	case "apps.connections.open":
		answer(w, map[string]any{"url": "ws" + strings.TrimPrefix(s.URL, "http") + "/link?ticket=" + s.ID("")})
	case "chat.postMessage", "chat.postEphemeral", "chat.update":
		s.serveMessage(w, method, form)
	case "conversations.history":
		s.serveHistory(w, form)
	case "conversations.info":
		channel := form.Get("channel")
		if channel != General && channel != Foreign && channel != Archived {
			refuse(w, "channel_not_found")
			return
		}
		answer(w, map[string]any{"channel": map[string]any{"id": channel, "is_channel": true, "is_member": channel == General, "is_archived": channel == Archived}})
	case "users.info":
		user := map[string]any{"id": form.Get("user"), "team_id": Team, "tz": "America/New_York"}
		switch form.Get("user") {
		case Admin:
			user["is_admin"], user["tz"] = true, "Europe/Berlin"
		case Visitor:
			user["is_admin"], user["team_id"] = true, "T0002"
		}
		answer(w, map[string]any{"user": user})
	case "views.publish":
		s.serveView(w, form)
	}
}

// arguments is a call's arguments, from a form or from JSON.
func arguments(r *http.Request) (url.Values, error) {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		err := r.ParseForm()
		return r.PostForm, err
	}
	var fields map[string]json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&fields); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	form := url.Values{}
	for name, raw := range fields {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
		form.Set(name, text)
	}
	return form, nil
}

func (s *Server) serveMessage(w http.ResponseWriter, method string, form url.Values) {
	m := Message{Method: method, Channel: form.Get("channel"), User: form.Get("user"), Thread: form.Get("thread_ts"),
		TS: form.Get("ts"), Text: form.Get("text"), Form: form}
	switch {
	case m.Channel == Foreign:
		refuse(w, "not_in_channel")
		return
	case m.Channel == Archived:
		refuse(w, "is_archived")
		return
	case m.Channel == Person: // a user's id stands for the direct message with them
		m.Channel = Direct
	case m.Channel != General && !strings.HasPrefix(m.Channel, "D"):
		refuse(w, "channel_not_found")
		return
	}
	if meta := form.Get("metadata"); meta != "" && json.Unmarshal([]byte(meta), &m.Metadata) != nil {
		refuse(w, "invalid_metadata_format")
		return
	}
	if method != "chat.update" && (form.Get("unfurl_links") != "false" || form.Get("unfurl_media") != "false") {
		s.problem(errors.New("a message may unfurl"))
	}
	blocks := json.RawMessage(cmp.Or(form.Get("blocks"), "[]"))
	if code := s.say(&m, blocks); code != "" {
		refuse(w, code)
		return
	}
	answer(w, map[string]any{"channel": m.Channel, "ts": m.TS, "message_ts": m.TS, "text": m.Text})
}

// say checks and keeps a message. It returns the error code that Slack would
// give.
func (s *Server) say(m *Message, blocks json.RawMessage) (code string) {
	m.At = time.Now()
	m.Body, _ = json.Marshal(map[string]any{"text": m.Text, "blocks": blocks})
	if err := json.Unmarshal(blocks, &m.Blocks); err != nil {
		s.problem(fmt.Errorf("blocks: %w", err))
		return "invalid_blocks"
	}
	if err := s.check(*m, blocks); err != nil {
		s.problem(fmt.Errorf("%s: %w", m.Method, err))
		return "invalid_blocks"
	}
	if m.TS == "" {
		m.TS = s.TS()
	}
	s.mu.Lock()
	if m.Method == "chat.update" && !slices.ContainsFunc(s.messages, func(old Message) bool {
		return old.Method == "chat.postMessage" && old.Channel == m.Channel && old.TS == m.TS
	}) {
		s.mu.Unlock()
		return "message_not_found"
	}
	s.messages = append(s.messages, *m)
	s.change()
	s.mu.Unlock()
	if s.OnMessage != nil {
		s.OnMessage(*m)
	}
	return ""
}

func (s *Server) problem(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, err)
}

func (s *Server) serveHistory(w http.ResponseWriter, form url.Values) {
	var list []map[string]any
	s.mu.Lock()
	for _, m := range slices.Backward(s.messages) {
		if m.Method != "chat.postMessage" || m.Channel != form.Get("channel") || m.Thread != "" || m.TS < form.Get("oldest") || time.Since(m.At) < s.Lag {
			continue
		}
		shown := map[string]any{"type": "message", "ts": m.TS, "text": m.Text, "bot_id": BotID}
		if form.Get("include_all_metadata") == "1" || form.Get("include_all_metadata") == "true" {
			shown["metadata"] = m.Metadata
		}
		list = append(list, shown)
	}
	s.mu.Unlock()
	// Pages of two, so that readers have to turn them.
	from, _ := strconv.Atoi(form.Get("cursor"))
	to := min(from+2, len(list))
	next := ""
	if to < len(list) {
		next = strconv.Itoa(to)
	}
	answer(w, map[string]any{"messages": list[min(from, to):to], "has_more": next != "", "response_metadata": map[string]any{"next_cursor": next}})
}

func (s *Server) serveView(w http.ResponseWriter, form url.Values) {
	var view struct {
		Type   string          `json:"type"`
		Blocks json.RawMessage `json:"blocks"`
	}
	v := View{User: form.Get("user_id"), Body: []byte(form.Get("view"))}
	err := json.Unmarshal(v.Body, &view)
	if err == nil {
		err = json.Unmarshal(view.Blocks, &v.Blocks)
	}
	if err == nil && view.Type != "home" {
		err = fmt.Errorf("type %q", view.Type)
	}
	if err == nil {
		err = checkBlocks(v.Blocks, 100)
	}
	if err == nil && s.Check != nil {
		err = s.Check(view.Blocks)
	}
	if err != nil {
		s.problem(fmt.Errorf("views.publish: %w", err))
		refuse(w, "invalid_arguments")
		return
	}
	s.mu.Lock()
	s.views = append(s.views, v)
	s.change()
	s.mu.Unlock()
	answer(w, map[string]any{"view": map[string]any{"id": s.ID("V")}})
}

func (s *Server) serveResponse(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	if f, ok := s.fault("response_url"); ok && s.met(w, f) {
		return
	}
	s.mu.Lock()
	u := s.responses[r.PathValue("id")]
	status, code := http.StatusOK, ""
	switch {
	case u == nil:
		status, code = http.StatusNotFound, "expired_url"
	case u.uses == 5:
		status, code = http.StatusNotFound, "used_url"
	default:
		u.uses++
	}
	s.mu.Unlock()
	if code == "" {
		if code = s.respond("response_url", u.channel, u.user, body); code != "" {
			status = http.StatusBadRequest
		}
	}
	w.WriteHeader(status)
	io.WriteString(w, cmp.Or(code, "ok"))
}

// respond takes a message as response URLs and acknowledgements have it.
func (s *Server) respond(method, channel, user string, body []byte) (code string) {
	var in struct {
		Type   string          `json:"response_type"`
		Thread string          `json:"thread_ts"`
		Text   string          `json:"text"`
		Blocks json.RawMessage `json:"blocks"`
		Links  *bool           `json:"unfurl_links"`
		Media  *bool           `json:"unfurl_media"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		s.problem(fmt.Errorf("%s: %w", method, err))
		return "invalid_payload"
	}
	if in.Links == nil || *in.Links || in.Media == nil || *in.Media {
		s.problem(errors.New("a response may unfurl"))
	}
	if len(in.Blocks) == 0 {
		in.Blocks = json.RawMessage("[]")
	}
	return s.say(&Message{Method: method, Channel: channel, User: user, Thread: in.Thread, Text: in.Text, Type: in.Type}, in.Blocks)
}

func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &socket{ws: ws, gone: make(chan struct{})}
	defer ws.Close()
	c.mu.Lock() // nothing comes before the greeting
	s.mu.Lock()
	if len(s.sockets) == MostSockets {
		s.mu.Unlock()
		_ = ws.WriteJSON(map[string]any{"type": "disconnect", "reason": "too_many_websockets"})
		return
	}
	c.number = s.opened
	s.opened++
	s.sockets = append(s.sockets, c)
	s.change()
	s.mu.Unlock()
	err = ws.WriteJSON(map[string]any{"type": "hello", "num_connections": 1, "connection_info": map[string]any{"app_id": "A0001"}})
	c.mu.Unlock()
	defer func() {
		close(c.gone)
		s.mu.Lock()
		s.sockets = slices.DeleteFunc(s.sockets, func(o *socket) bool { return o == c })
		s.change()
		s.mu.Unlock()
	}()
	for err == nil {
		var frame []byte
		if _, frame, err = ws.ReadMessage(); err != nil {
			return
		}
		var ack struct {
			ID      string          `json:"envelope_id"`
			Payload json.RawMessage `json:"payload"`
		}
		if err := json.Unmarshal(frame, &ack); err != nil || ack.ID == "" {
			s.problem(fmt.Errorf("podium sent the frame %.200q", frame))
			continue
		}
		if len(frame) >= 20<<10 {
			s.problem(errors.New("an acknowledgement of 20 KB or more"))
			ack.Payload = nil
		}
		s.mu.Lock()
		waiting := s.waiting[ack.ID]
		delete(s.waiting, ack.ID)
		s.mu.Unlock()
		if waiting != nil {
			waiting <- ack.Payload
		}
	}
}

func (c *socket) send(v any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ws.WriteJSON(v)
}

// newest stands for the number of the connection that podium opened last.
const newest = -1

// connection is an open connection, by its number.
func (s *Server) connection(n int) (*socket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := len(s.sockets) - 1
	if n != newest {
		i = slices.IndexFunc(s.sockets, func(c *socket) bool { return c.number == n })
	}
	if i < 0 {
		return nil, ErrClosed
	}
	return s.sockets[i], nil
}

// Disconnect sends a disconnect frame on the newest connection. The
// connection stays open until Drop.
func (s *Server) Disconnect(reason string) error {
	c, err := s.connection(newest)
	if err != nil {
		return err
	}
	return c.send(map[string]any{"type": "disconnect", "reason": reason, "debug_info": map[string]any{"host": "test"}})
}

// Drop closes the oldest connection.
func (s *Server) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sockets) > 0 {
		s.sockets[0].ws.Close()
	}
}

// Envelope sends an envelope on the newest connection and waits for its
// acknowledgement.
func (s *Server) Envelope(ctx context.Context, id, kind string, payload any, answers bool) (ack json.RawMessage, err error) {
	c, err := s.connection(newest)
	if err != nil {
		return nil, err
	}
	return s.envelope(ctx, c, id, kind, payload, answers)
}

func (s *Server) envelope(ctx context.Context, c *socket, id, kind string, payload any, answers bool) (ack json.RawMessage, err error) {
	acked := make(chan json.RawMessage, 1)
	s.mu.Lock()
	s.waiting[id] = acked
	s.mu.Unlock()
	if err := c.send(map[string]any{"type": kind, "envelope_id": id, "payload": payload, "accepts_response_payload": answers, "retry_attempt": 0, "retry_reason": ""}); err != nil {
		return nil, err
	}
	select {
	case ack := <-acked:
		return ack, nil
	case <-c.gone:
		return nil, fmt.Errorf("the connection ended before the envelope %s was acknowledged", id)
	case <-ctx.Done():
		return nil, fmt.Errorf("envelope %s was not acknowledged: %w", id, ctx.Err())
	}
}

// Frame sends text on the newest connection as it is.
func (s *Server) Frame(text string) error {
	c, err := s.connection(newest)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ws.WriteMessage(websocket.TextMessage, []byte(text))
}

// A Link is a way by which Slack delivers: Socket Mode or HTTP. Its methods
// return once podium has acknowledged.
type Link interface {
	Event(ctx context.Context, event map[string]any) error
	Command(ctx context.Context, c Command) error
	Press(ctx context.Context, payload map[string]any) error
}

// A Command is a slash command.
type Command struct {
	Command string // default /podium
	Text    string // as Slack encodes it
	Channel string // default General
	User    string // default Person
}

func (s *Server) command(c Command) map[string]string {
	channel, user := cmp.Or(c.Channel, General), cmp.Or(c.User, Person)
	return map[string]string{
		"token": "legacy", "api_app_id": "A0001", "team_id": Team, "team_domain": "test", "is_enterprise_install": "false",
		"channel_id": channel, "channel_name": "general", "user_id": user, "user_name": "person",
		"command": cmp.Or(c.Command, "/podium"), "text": c.Text,
		"response_url": s.ResponseURL(channel, user), "trigger_id": s.ID("trigger."),
	}
}

// Socket delivers over Socket Mode, on the newest connection.
func (s *Server) Socket() Link { return socketLink{s, newest} }

// Connection delivers over one Socket Mode connection, the n-th, counted from
// 0, that podium opened. Where that has ended the error is ErrClosed.
func (s *Server) Connection(n int) Link { return socketLink{s, n} }

type socketLink struct {
	s *Server
	n int // of the connection, or newest
}

func (l socketLink) send(ctx context.Context, kind string, payload any, answers bool) (ack json.RawMessage, err error) {
	c, err := l.s.connection(l.n)
	if err != nil {
		return nil, err
	}
	return l.s.envelope(ctx, c, l.s.ID("E"), kind, payload, answers)
}

func (l socketLink) Event(ctx context.Context, event map[string]any) error {
	_, err := l.send(ctx, "events_api", event, false)
	return err
}

func (l socketLink) Command(ctx context.Context, c Command) error {
	payload := l.s.command(c)
	ack, err := l.send(ctx, "slash_commands", payload, true)
	if err != nil || len(ack) == 0 {
		return err
	}
	if code := l.s.respond("ack", payload["channel_id"], payload["user_id"], ack); code != "" {
		return errors.New(code)
	}
	return nil
}

func (l socketLink) Press(ctx context.Context, payload map[string]any) error {
	_, err := l.send(ctx, "interactive", payload, true)
	return err
}

// HTTP delivers to the request URLs below base.
func (s *Server) HTTP(base string) Link { return httpLink{s, base} }

type httpLink struct {
	s    *Server
	base string
}

func (l httpLink) Event(ctx context.Context, event map[string]any) error {
	body, err := json.Marshal(event)
	if err != nil {
		return err
	}
	_, err = l.deliver(ctx, "/slack/events", "application/json", body)
	return err
}

func (l httpLink) Command(ctx context.Context, c Command) error {
	payload := l.s.command(c)
	form := url.Values{}
	for name, value := range payload {
		form.Set(name, value)
	}
	ack, err := l.deliver(ctx, "/slack/commands", "application/x-www-form-urlencoded", []byte(form.Encode()))
	if err != nil || len(ack) == 0 {
		return err
	}
	if code := l.s.respond("ack", payload["channel_id"], payload["user_id"], ack); code != "" {
		return errors.New(code)
	}
	return nil
}

func (l httpLink) Press(ctx context.Context, payload map[string]any) error {
	body, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	_, err = l.deliver(ctx, "/slack/interactions", "application/x-www-form-urlencoded", []byte(url.Values{"payload": {string(body)}}.Encode()))
	return err
}

func (l httpLink) deliver(ctx context.Context, path, contentType string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	Sign(req.Header, Secret, time.Now(), body)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s", path, res.Status)
	}
	return answer, err
}

// Sign signs a request as Slack does.
func Sign(h http.Header, secret string, at time.Time, body []byte) {
	ts := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "v0:%s:%s", ts, body)
	h.Set("X-Slack-Request-Timestamp", ts)
	h.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
}

// Event wraps an inner event.
func (s *Server) Event(inner map[string]any) map[string]any {
	return map[string]any{
		"token": "legacy", "team_id": Team, "api_app_id": "A0001", "type": "event_callback",
		"event_id": s.ID("Ev"), "event_time": time.Now().Unix(), "event": inner,
		"authorizations": []any{map[string]any{"team_id": Team, "user_id": Bot, "is_bot": true}},
	}
}

// Mention is a person's message in General that holds a mention of podium.
func (s *Server) Mention(text string) map[string]any {
	return s.Event(map[string]any{"type": "app_mention", "user": Person, "text": text, "ts": s.TS(), "channel": General, "event_ts": s.TS(), "team": Team})
}

// DM is a person's message to podium.
func (s *Server) DM(text string) map[string]any {
	return s.Event(map[string]any{"type": "message", "channel_type": "im", "user": Person, "text": text, "ts": s.TS(), "channel": Direct, "event_ts": s.TS(), "team": Team})
}

// Edit is the event of a direct message whose author has changed its text.
func (s *Server) Edit(dm map[string]any, text string) map[string]any {
	old := dm["event"].(map[string]any)
	at := s.TS()
	return s.Event(map[string]any{
		"type": "message", "subtype": "message_changed", "hidden": true, "channel": old["channel"], "channel_type": "im", "ts": at, "event_ts": at,
		"message":          map[string]any{"type": "message", "user": old["user"], "text": text, "ts": old["ts"], "edited": map[string]any{"user": old["user"], "ts": at}},
		"previous_message": map[string]any{"type": "message", "user": old["user"], "text": old["text"], "ts": old["ts"]},
	})
}

// Pressed is the payload of a press by user of the button with value in m.
func (s *Server) Pressed(m Message, user, value string) map[string]any {
	container := map[string]any{"type": "message", "message_ts": m.TS, "channel_id": m.Channel, "is_ephemeral": m.Private()}
	payload := map[string]any{
		"type": "block_actions", "team": map[string]any{"id": Team, "domain": "test"}, "api_app_id": "A0001", "token": "legacy",
		"user":    map[string]any{"id": user, "username": "person", "name": "person", "team_id": Team},
		"channel": map[string]any{"id": m.Channel, "name": "general"}, "container": container,
		"response_url": s.ResponseURL(m.Channel, user), "trigger_id": s.ID("trigger."),
		"actions": []any{map[string]any{"type": "button", "action_id": "podium-0", "block_id": "b", "value": value, "action_ts": s.TS(),
			"text": map[string]any{"type": "plain_text", "text": "a label"}}},
	}
	if m.Thread != "" {
		container["thread_ts"] = m.Thread
	}
	if !m.Private() {
		payload["message"] = map[string]any{"type": "message", "bot_id": BotID, "user": Bot, "ts": m.TS, "thread_ts": m.Thread, "text": m.Text}
	}
	return payload
}
