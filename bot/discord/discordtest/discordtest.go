// Package discordtest is a Discord of our own, for tests: its gateway and its
// REST API on loopback, as far as podium uses them, and its HTTP interactions.
//
// It is strict: what podium sends has to keep to Discord's rules (check.go),
// and Problems tells where it did not.
package discordtest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Who and what there is on this Discord.
const (
	Token       = "a-token"
	Application = "100000000000000001"
	Self        = "200000000000000001" // podium's user id
	Person      = "300000000000000001"
	OtherBot    = "300000000000000002"
	Guild       = "400000000000000001"
	Channel     = "500000000000000001"
	Thread      = "500000000000000002"
	Direct      = "500000000000000003"
)

// A Sent is one message of podium's that somebody can see.
type Sent struct {
	ID      string
	Channel string
	Private bool // ephemeral
	Body    []byte
	At      time.Time
}

// nonceFor is how long this Discord answers a post with the nonce of an
// earlier one with that one's message: "the past few minutes".
const nonceFor = 3 * time.Minute

// A Request is one that podium made of the REST API.
type Request struct {
	Method, Path string // the path without /api/v9
	Body         []byte
}

// A Hello is how podium began a session or resumed one.
type Hello struct {
	Resume  bool
	Token   string
	Session string
	Seq     int64
	Intents int
	Shard   []int
}

// Server is a Discord. Its exported fields are set before podium connects.
type Server struct {
	URL         string
	PublicKey   ed25519.PublicKey
	Heartbeat   time.Duration // what hello asks for
	Skew        time.Duration // how far this Discord's clock is ahead
	ResumeURL   string        // of READY
	OnSent      func(Sent)    // called for each message
	OnHello     func(Hello) (closeCode int)
	OnHeartbeat func() (answer bool)
	// Lag is how long a message takes to show in its channel's history.
	Lag time.Duration
	// Intercept may answer a request in Discord's place: with status 0 it does
	// not. With keep the request takes effect all the same, as when an answer
	// is lost on its way.
	Intercept func(r Request) (status int, header http.Header, body string, keep bool)

	private ed25519.PrivateKey
	http    *httptest.Server

	mu       sync.Mutex
	id       int64
	ws       *session
	hellos   []Hello
	requests []Request
	problems []string
	posts    []Sent
	nonces   map[string]Sent // by channel and nonce
	commands map[string]json.RawMessage
	acks     map[string]chan []byte // by interaction
	open     map[string]interaction // by token
	objects  map[string]any         // by path
	changed  chan struct{}          // closed at every change
}

type interaction struct {
	channel  string
	deferred int  // flags of a deferral
	acked    bool // the first response has come
	shown    bool // and has taken effect: nothing overtakes it
}

type session struct {
	ws    *websocket.Conn
	write sync.Mutex
	ready bool
	seq   int64
}

// New starts a Discord.
func New() *Server {
	s := &Server{
		Heartbeat: 40 * time.Second,
		nonces:    make(map[string]Sent),
		commands:  make(map[string]json.RawMessage),
		acks:      make(map[string]chan []byte),
		open:      make(map[string]interaction),
		objects:   make(map[string]any),
		changed:   make(chan struct{}),
	}
	s.PublicKey, s.private, _ = ed25519.GenerateKey(nil)
	const all = "274877991936" // what the invitation asks for
	s.Set("/users/@me", map[string]any{"id": Self, "username": "podium", "bot": true})
	s.Set("/applications/@me", map[string]any{"id": Application, "name": "podium", "flags": 0, "verify_key": hex.EncodeToString(s.PublicKey)})
	s.Set("/channels/"+Channel, map[string]any{"id": Channel, "type": 0, "guild_id": Guild})
	s.Set("/channels/"+Thread, map[string]any{"id": Thread, "type": 11, "guild_id": Guild, "parent_id": Channel})
	s.Set("/channels/"+Direct, map[string]any{"id": Direct, "type": 1})
	s.Set("/guilds/"+Guild, map[string]any{"id": Guild, "owner_id": "1", "roles": []any{
		map[string]any{"id": Guild, "permissions": all},
		map[string]any{"id": "7", "permissions": "16"},
	}})
	s.Set("/guilds/"+Guild+"/members/"+Self, map[string]any{"user": map[string]any{"id": Self}, "roles": []string{}})
	s.Set("/guilds/"+Guild+"/members/"+Person, map[string]any{"user": map[string]any{"id": Person}, "roles": []string{}})
	mux := http.NewServeMux()
	mux.HandleFunc("/gateway-socket/", s.gateway)
	mux.HandleFunc("/api/v9/", s.rest)
	s.http = httptest.NewServer(mux)
	s.URL = s.http.URL + "/"
	s.ResumeURL = s.socketURL()
	return s
}

func (s *Server) socketURL() string {
	return "ws" + strings.TrimPrefix(s.http.URL, "http") + "/gateway-socket"
}

// Close frees everything.
func (s *Server) Close() {
	s.mu.Lock()
	if s.ws != nil {
		s.ws.ws.Close()
	}
	s.mu.Unlock()
	s.http.CloseClientConnections()
	s.http.Close()
}

// Set has GET path return v.
func (s *Server) Set(path string, v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[path] = v
}

// NewID is a fresh snowflake.
func (s *Server) NewID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nextID()
}

// nextID is the snowflake of this moment. The lock is held.
func (s *Server) nextID() string {
	const epoch = 1420070400000 // the first second of 2015, in milliseconds
	s.id = max(s.id+1, (time.Now().UnixMilli()-epoch)<<22)
	return strconv.FormatInt(s.id, 10)
}

// change says that something has happened. The lock is held.
func (s *Server) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Until waits until ok, which is asked again after every change.
func (s *Server) Until(ctx context.Context, ok func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if ok() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Ready waits until podium has a session whose first frames were answered.
func (s *Server) Ready(ctx context.Context) error {
	return s.Until(ctx, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.ws != nil && s.ws.ready
	})
}

// Requests are the requests so far whose method and path begin like that.
func (s *Server) Requests(prefix string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Request
	for _, r := range s.requests {
		if strings.HasPrefix(r.Method+" "+r.Path, prefix) {
			list = append(list, r)
		}
	}
	return list
}

// Posts are podium's own messages in channels so far: all but responses to
// interactions.
func (s *Server) Posts() []Sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.posts)
}

// Hellos are the sessions begun and resumed so far.
func (s *Server) Hellos() []Hello {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.hellos)
}

// Problems are the rules of Discord's that podium has broken so far.
func (s *Server) Problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.problems)
}

func (s *Server) problem(err error, what string, body []byte) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, fmt.Sprintf("%s: %v\n%s", what, err, body))
}

// The gateway.

type frame struct {
	Op   int    `json:"op"`
	Data any    `json:"d"`
	Seq  int64  `json:"s,omitempty"`
	Name string `json:"t,omitempty"`
}

func (c *session) send(f frame) error {
	c.write.Lock()
	defer c.write.Unlock()
	return c.ws.WriteJSON(f)
}

func (s *Server) gateway(w http.ResponseWriter, r *http.Request) {
	var upgrader websocket.Upgrader
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	c := &session{ws: ws}
	s.mu.Lock()
	if s.ws != nil {
		c.seq = s.ws.seq
	}
	s.ws = c
	s.change()
	s.mu.Unlock()
	if s.Heartbeat > 0 {
		c.send(frame{Op: 10, Data: map[string]any{"heartbeat_interval": s.Heartbeat.Milliseconds()}})
	}
	for {
		var f struct {
			Op   int             `json:"op"`
			Data json.RawMessage `json:"d"`
		}
		if err := ws.ReadJSON(&f); err != nil {
			return
		}
		switch f.Op {
		case 1:
			if s.OnHeartbeat == nil || s.OnHeartbeat() {
				c.send(frame{Op: 11})
			}
		case 2, 6:
			var d struct {
				Token   string `json:"token"`
				Session string `json:"session_id"`
				Seq     int64  `json:"seq"`
				Intents int    `json:"intents"`
				Shard   []int  `json:"shard"`
			}
			json.Unmarshal(f.Data, &d)
			h := Hello{Resume: f.Op == 6, Token: d.Token, Session: d.Session, Seq: d.Seq, Intents: d.Intents, Shard: d.Shard}
			code := 0
			if s.OnHello != nil {
				code = s.OnHello(h)
			}
			if code == 0 && d.Token != "Bot "+Token && d.Token != Token {
				code = 4004
			}
			s.mu.Lock()
			s.hellos = append(s.hellos, h)
			s.change()
			s.mu.Unlock()
			switch {
			case code > 0:
				closeWith(c, code)
				return
			case code < 0: // silence
				continue
			}
			s.welcome(c, h)
		}
	}
}

func closeWith(c *session, code int) {
	c.write.Lock()
	defer c.write.Unlock()
	c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
	c.ws.Close()
}

func (s *Server) welcome(c *session, h Hello) {
	if h.Resume {
		s.dispatch(c, "RESUMED", map[string]any{})
	} else {
		s.mu.Lock()
		session := "session-" + s.nextID()
		s.mu.Unlock()
		s.dispatch(c, "READY", map[string]any{
			"v": 9, "session_id": session, "resume_gateway_url": s.ResumeURL,
			"user":        map[string]any{"id": Self, "username": "podium", "bot": true},
			"application": map[string]any{"id": Application, "flags": 0},
			"guilds":      []any{map[string]any{"id": Guild, "unavailable": true}},
		})
		s.dispatch(c, "GUILD_CREATE", map[string]any{
			"id": Guild, "name": "a server",
			"channels": []any{map[string]any{"id": Channel, "type": 0}},
			"threads":  []any{map[string]any{"id": Thread, "type": 11, "parent_id": Channel}},
		})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.ready = true
	s.change()
}

func (s *Server) dispatch(c *session, name string, data any) error {
	s.mu.Lock()
	c.seq++
	seq := c.seq
	s.mu.Unlock()
	return c.send(frame{Op: 0, Data: data, Seq: seq, Name: name})
}

func (s *Server) current() *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ws
}

// Dispatch sends an event.
func (s *Server) Dispatch(name string, data any) error { return s.dispatch(s.current(), name, data) }

// SendFrame sends a frame that is no event.
func (s *Server) SendFrame(op int, data any) error {
	return s.current().send(frame{Op: op, Data: data})
}

// SendOp sends a frame that ends the session, such as 7 (reconnect).
func (s *Server) SendOp(op int, data any) error {
	s.drop()
	return s.SendFrame(op, data)
}

// CloseGateway ends the connection with code; 0 without one.
func (s *Server) CloseGateway(code int) {
	s.drop()
	c := s.current()
	if code == 0 {
		c.ws.Close()
		return
	}
	closeWith(c, code)
}

// drop has Ready wait for the next session.
func (s *Server) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ws.ready = false
}

// Message is a MESSAGE_CREATE of the person's in Channel; fields overwrite it.
func (s *Server) Message(content string, fields map[string]any) map[string]any {
	m := map[string]any{
		"id": s.NewID(), "channel_id": Channel, "guild_id": Guild, "type": 0, "content": content,
		"author":   map[string]any{"id": Person, "username": "person", "global_name": "A Person"},
		"member":   map[string]any{"nick": nil, "roles": []string{}},
		"mentions": []any{}, "mention_everyone": false, "attachments": []any{}, "embeds": []any{}, "components": []any{},
		"timestamp": "2026-11-23T09:00:00.000000+00:00", "edited_timestamp": nil, "flags": 0, "tts": false, "pinned": false,
	}
	if strings.Contains(content, "<@"+Self+">") || strings.Contains(content, "<@!"+Self+">") {
		m["mentions"] = []any{map[string]any{"id": Self, "username": "podium", "bot": true}}
	}
	for k, v := range fields {
		if v == nil {
			delete(m, k)
			continue
		}
		m[k] = v
	}
	return m
}

// Interaction is an interaction of the person's in Channel, as Discord sends
// it; fields overwrite it.
func (s *Server) Interaction(kind int, data map[string]any, fields map[string]any) map[string]any {
	id := s.NewID()
	i := map[string]any{
		"id": id, "application_id": Application, "type": kind, "token": "interaction-token-" + id, "version": 1,
		"guild_id": Guild, "channel_id": Channel, "channel": map[string]any{"id": Channel, "type": 0}, "data": data,
		"member": map[string]any{"user": map[string]any{"id": Person, "username": "person"}, "nick": "Nick", "permissions": "2147483647", "roles": []string{}},
		"locale": "en-US", "guild_locale": "en-US", "app_permissions": "274877991936", "context": 0, "entitlements": []any{},
		"authorizing_integration_owners": map[string]any{"0": Guild},
	}
	for k, v := range fields {
		if v == nil {
			delete(i, k)
			continue
		}
		i[k] = v
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	channel, _ := i["channel_id"].(string)
	s.open[i["token"].(string)] = interaction{channel: channel}
	s.acks[i["id"].(string)] = make(chan []byte, 1)
	return i
}

// Command is the data of /podium sub with options in pairs of name and value.
func Command(sub string, options ...string) map[string]any {
	list := []any{}
	for i := 0; i+1 < len(options); i += 2 {
		list = append(list, map[string]any{"type": 3, "name": options[i], "value": options[i+1]})
	}
	return map[string]any{"id": "800000000000000001", "name": "podium", "type": 1,
		"options": []any{map[string]any{"type": 1, "name": sub, "options": list}}}
}

// ErrNoResponse is what nobody gets who answers within 3 seconds.
var ErrNoResponse = fmt.Errorf("no response to the interaction within 3 seconds")

// Interact delivers i over the gateway and returns the first response.
func (s *Server) Interact(i map[string]any) ([]byte, error) {
	s.mu.Lock()
	ack := s.acks[i["id"].(string)]
	s.mu.Unlock()
	if err := s.Dispatch("INTERACTION_CREATE", i); err != nil {
		return nil, err
	}
	timer := time.NewTimer(3 * time.Second)
	defer timer.Stop()
	select {
	case body := <-ack:
		return body, nil
	case <-timer.C:
		return nil, ErrNoResponse
	}
}

// Sign signs body as Discord does.
func (s *Server) Sign(r *http.Request, body []byte, at time.Time) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	r.Header.Set("X-Signature-Timestamp", stamp)
	r.Header.Set("X-Signature-Ed25519", hex.EncodeToString(ed25519.Sign(s.private, append([]byte(stamp), body...))))
	r.Header.Set("Content-Type", "application/json")
}

// Post delivers i over HTTP to podium's endpoint and returns the response.
func (s *Server) Post(endpoint string, i map[string]any) ([]byte, error) {
	body, err := json.Marshal(i)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "POST", endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	s.Sign(r, body, time.Now())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return b, fmt.Errorf("podium's endpoint answered %s: %s", resp.Status, b)
	}
	id, _ := i["id"].(string)
	token, _ := i["token"].(string)
	s.respond(id, token, b)
	return b, nil
}

// The REST API.

type apiError struct {
	status, code int
	message      string
}

func (s *Server) rest(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", time.Now().Add(s.Skew).UTC().Format(http.TimeFormat))
	body, _ := io.ReadAll(r.Body)
	req := Request{r.Method, strings.TrimPrefix(r.URL.Path, "/api/v9"), body}
	// Noted once it has taken effect, before the answer.
	note := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests = append(s.requests, req)
		s.change()
	}
	s.mu.Lock() // what the test has set before is seen from here on
	intercept := s.Intercept
	s.mu.Unlock()
	if intercept != nil {
		if status, header, text, keep := intercept(req); status != 0 {
			if keep {
				s.serve(req, r)
			}
			note()
			for k := range header {
				w.Header().Set(k, header.Get(k))
			}
			w.WriteHeader(status)
			io.WriteString(w, text)
			return
		}
	}
	v, e := s.serve(req, r)
	note()
	w.Header().Set("Content-Type", "application/json")
	if e != nil {
		w.WriteHeader(e.status)
		json.NewEncoder(w).Encode(map[string]any{"code": e.code, "message": e.message})
		return
	}
	if v == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	json.NewEncoder(w).Encode(v)
}

// serve does what req asks for.
func (s *Server) serve(req Request, r *http.Request) (any, *apiError) {
	parts := strings.Split(strings.Trim(req.Path, "/"), "/")
	if req.Path == "/gateway" {
		return map[string]any{"url": s.socketURL()}, nil
	}
	if parts[0] != "interactions" && parts[0] != "webhooks" && r.Header.Get("Authorization") != "Bot "+Token {
		return nil, &apiError{401, 0, "401: Unauthorized"}
	}
	switch {
	case parts[0] == "applications" && parts[len(parts)-1] == "commands":
		return s.serveCommands(req)
	case parts[0] == "interactions" && parts[len(parts)-1] == "callback" && len(parts) == 4:
		return nil, s.respond(parts[1], parts[2], req.Body)
	case parts[0] == "webhooks" && len(parts) >= 3:
		return s.serveWebhook(req, parts[2])
	case req.Path == "/users/@me/channels" && req.Method == "POST":
		s.problem(checkDirect(req.Body), "direct conversation", req.Body)
		return map[string]any{"id": Direct, "type": 1}, nil
	case parts[0] == "channels" && len(parts) == 3 && parts[2] == "messages" && req.Method == "POST":
		return s.servePost(parts[1], req)
	case parts[0] == "channels" && len(parts) == 3 && parts[2] == "messages" && req.Method == "GET":
		return s.serveHistory(parts[1], r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.objects[req.Path]; ok && req.Method == "GET" {
		return v, nil
	}
	if parts[0] == "channels" {
		return nil, &apiError{404, 10003, "Unknown Channel"}
	}
	return nil, &apiError{404, 0, "404: Not Found"}
}

func (s *Server) serveCommands(req Request) (any, *apiError) {
	if req.Method == "PUT" {
		s.problem(checkCommands(req.Body), "commands", req.Body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.Method == "PUT" {
		var list []map[string]any
		json.Unmarshal(req.Body, &list)
		for _, c := range list {
			c["id"], c["version"], c["type"], c["application_id"] = s.nextID(), s.nextID(), 1, Application
			if p, ok := c["default_member_permissions"].(float64); ok {
				c["default_member_permissions"] = strconv.Itoa(int(p)) // Discord answers with a string
			}
		}
		s.commands[req.Path], _ = json.Marshal(list)
	}
	if list, ok := s.commands[req.Path]; ok {
		return list, nil
	}
	return []any{}, nil
}

// respond takes the first response to an interaction, over either transport.
func (s *Server) respond(id, token string, body []byte) *apiError {
	s.problem(CheckCallback(body), "response", body)
	var r struct {
		Type int             `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	json.Unmarshal(body, &r)
	var d struct {
		Flags int `json:"flags"`
	}
	json.Unmarshal(r.Data, &d)
	s.mu.Lock()
	i, ok := s.open[token]
	ack := s.acks[id]
	if !ok || ack == nil {
		s.mu.Unlock()
		return &apiError{404, 10062, "Unknown interaction"}
	}
	if i.acked {
		s.mu.Unlock()
		return &apiError{400, 40060, "Interaction has already been acknowledged."}
	}
	i.acked, i.deferred = true, d.Flags
	s.open[token] = i
	message := s.nextID()
	s.change()
	s.mu.Unlock()
	if r.Type == 4 {
		s.sent(Sent{message, i.channel, d.Flags&64 != 0, r.Data, time.Now()})
	}
	s.mu.Lock()
	i.shown = true
	s.open[token] = i
	s.mu.Unlock()
	ack <- body
	return nil
}

func (s *Server) sent(m Sent) {
	if s.OnSent != nil {
		s.OnSent(m)
	}
}

func (s *Server) serveWebhook(req Request, token string) (any, *apiError) {
	s.mu.Lock()
	i, ok := s.open[token]
	id := s.nextID()
	s.mu.Unlock()
	if !ok || !i.shown {
		return nil, &apiError{404, 10015, "Unknown Webhook"}
	}
	var d struct {
		Flags int `json:"flags"`
	}
	json.Unmarshal(req.Body, &d)
	if req.Method == "PATCH" {
		d.Flags = i.deferred // settled by the first response
		s.problem(checkEdit(req.Body), "edit", req.Body)
	} else {
		s.problem(checkFollowup(req.Body), "follow-up", req.Body)
	}
	s.sent(Sent{id, i.channel, d.Flags&64 != 0, req.Body, time.Now()})
	return map[string]any{"id": id, "channel_id": i.channel}, nil
}

func (s *Server) servePost(channel string, req Request) (any, *apiError) {
	s.problem(CheckMessage(req.Body), "message", req.Body)
	var d struct {
		Nonce   string `json:"nonce"`
		Enforce bool   `json:"enforce_nonce"`
	}
	json.Unmarshal(req.Body, &d)
	s.mu.Lock()
	if _, ok := s.objects["/channels/"+channel]; !ok {
		s.mu.Unlock()
		return nil, &apiError{404, 10003, "Unknown Channel"}
	}
	m, again := s.nonces[channel+"/"+d.Nonce]
	again = again && d.Enforce && time.Since(m.At) < nonceFor
	if !again {
		m = Sent{s.nextID(), channel, false, req.Body, time.Now()}
		s.nonces[channel+"/"+d.Nonce] = m
		s.posts = append(s.posts, m)
	}
	s.mu.Unlock()
	if !again {
		s.sent(m)
	}
	return map[string]any{"id": m.ID, "channel_id": channel, "nonce": d.Nonce}, nil
}

// serveHistory lists podium's messages in a channel, as Discord does: the
// oldest after a snowflake, the newest of them first, without their nonces.
func (s *Server) serveHistory(channel string, r *http.Request) (any, *apiError) {
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.objects["/channels/"+channel+"/messages"]; ok {
		return v, nil
	}
	list := []any{}
	for _, m := range s.posts {
		id, _ := strconv.ParseInt(m.ID, 10, 64)
		if m.Channel == channel && id > after && time.Since(m.At) >= s.Lag && len(list) < limit {
			list = append(list, map[string]any{"id": m.ID, "channel_id": channel, "author": map[string]any{"id": Self, "bot": true}})
		}
	}
	slices.Reverse(list)
	return list, nil
}
