package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/gorilla/websocket"

	"podium/bot"
)

// intents are what podium asks the gateway for: servers, the messages in their
// channels and direct messages. None is privileged: Discord leaves the text
// out of every message that neither mentions podium nor was sent to it.
const intents = discordgo.IntentsGuilds | discordgo.IntentsGuildMessages | discordgo.IntentsDirectMessages

// The gateway's operations.
const (
	opDispatch       = 0
	opHeartbeat      = 1
	opIdentify       = 2
	opResume         = 6
	opReconnect      = 7
	opInvalidSession = 9
	opHello          = 10
	opHeartbeatAck   = 11
)

// A gateway is podium's end of Discord's websocket. It takes the place of
// discordgo's, which reconnects for ever after a fatal close code, resumes a
// session that Discord has declared dead, identifies without pause when it is
// told to wait, waits for a silent server without end and notices a dead
// connection after five heartbeats only.
type gateway struct {
	token   string // with "Bot " before it, as discordgo sends it
	shard   [2]int // id and count
	lookup  func(context.Context) (string, error)
	event   func(name string, data json.RawMessage)
	state   func(s bot.State, why error)
	again   func() // told of each connection after the first
	log     *slog.Logger
	patient time.Duration // how long hello and ready may take
	pause   time.Duration // the first wait after a failure; doubles

	greeted   bool   // a connection has worked
	url       string // as looked up
	session   string // what to resume; empty for a new session
	resumeURL string
	seq       atomic.Int64
	spent     identifies
}

// run keeps a connection up until ctx is done, then returns nil. It returns an
// error, a *bot.ConfigError, only when Discord said that trying again is
// pointless.
func (g *gateway) run(ctx context.Context) error {
	failed := 0
	var why error // it is not connected
	for {
		g.state(bot.Connecting, why)
		began := time.Now()
		ready, err := g.connect(ctx)
		if ctx.Err() != nil {
			return nil
		}
		why = err
		g.state(bot.Down, why)
		if e, ok := errors.AsType[*bot.ConfigError](err); ok {
			return e
		}
		if ready && time.Since(began) > time.Minute {
			failed = 0
		}
		// A connection that worked is worth a quick new try: Discord moves
		// sessions about. One that never did is left alone for longer.
		longest := 2 * time.Minute
		if ready {
			longest = 5 * time.Second
		}
		d := min(g.pause<<min(failed, 10), longest)
		failed++
		if errors.Is(err, errReconnect) && failed <= 3 {
			d = 0
		}
		d = time.Duration(float64(d) * (0.5 + rand.Float64()/2))
		attrs := []any{"error", err, "in", d.Round(time.Millisecond)}
		if advice := bot.Advice(err); advice != "" {
			attrs = append(attrs, "remedy", advice)
		}
		g.log.Warn("discord gateway connection ended, reconnecting", attrs...)
		if sleep(ctx, d) != nil {
			return nil
		}
	}
}

// errReconnect is Discord's request to connect anew at once.
var errReconnect = errors.New("asked to reconnect")

// connect makes one connection and serves it until it ends. ready tells
// whether Discord accepted the session.
func (g *gateway) connect(ctx context.Context) (ready bool, err error) {
	if d := g.spent.wait(time.Now()); d > 0 && g.session == "" {
		g.log.Error("discord keeps ending podium's sessions; waiting, since too many new ones in a day would reset the token", "wait", d.Round(time.Second))
		if err := sleep(ctx, d); err != nil {
			return false, err
		}
	}
	address, err := g.address(ctx)
	if err != nil {
		return false, err
	}
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: g.patient}
	ws, _, err := dialer.DialContext(ctx, address, nil)
	if err != nil {
		g.url, g.resumeURL = "", "" // the address may have moved
		return false, fmt.Errorf("dial: %w", err)
	}
	c := &connection{ws: ws}
	defer ws.Close()
	defer context.AfterFunc(ctx, func() { c.close(websocket.CloseNormalClosure) })()
	ws.SetReadLimit(64 << 20) // a large server's GUILD_CREATE has megabytes

	ws.SetReadDeadline(time.Now().Add(g.patient))
	var hello struct {
		Interval int64 `json:"heartbeat_interval"` // milliseconds
	}
	f, err := c.read()
	if err != nil {
		return false, g.ended(err)
	}
	if f.Op != opHello || json.Unmarshal(f.Data, &hello) != nil || hello.Interval <= 0 {
		return false, fmt.Errorf("expected hello, got op %d", f.Op)
	}
	if err := g.greet(c); err != nil {
		return false, err
	}

	beating := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { g.beat(c, time.Duration(hello.Interval)*time.Millisecond, beating) })
	defer wg.Wait()
	defer close(beating)
	for {
		f, err := c.read()
		if err != nil {
			return ready, g.ended(err)
		}
		switch f.Op {
		case opDispatch:
			if f.Seq > 0 {
				g.seq.Store(f.Seq)
			}
			if f.Name == "READY" || f.Name == "RESUMED" {
				ws.SetReadDeadline(time.Time{}) // from here on heartbeats tell
				ready = true
				g.welcome(f)
			}
			g.event(f.Name, f.Data)
		case opHeartbeat:
			c.send(opHeartbeat, g.lastSeq())
		case opHeartbeatAck:
			c.acked.Store(true)
		case opReconnect:
			c.close(websocket.CloseServiceRestart)
			return ready, errReconnect
		case opInvalidSession:
			if string(f.Data) != "true" {
				g.forget()
			}
			c.close(websocket.CloseServiceRestart)
			// Discord wants a pause of one to five seconds.
			if err := sleep(ctx, g.pause+rand.N(4*g.pause)); err != nil {
				return ready, err
			}
			return ready, errReconnect
		}
	}
}

// address is where to connect: the session's own address if it is on the
// gateway's site, else the gateway. A session's token goes nowhere else.
func (g *gateway) address(ctx context.Context) (string, error) {
	if g.url == "" {
		u, err := g.lookup(ctx)
		if err != nil {
			return "", fmt.Errorf("look up the gateway: %w", err)
		}
		g.url = u
	}
	address := g.url
	if g.session != "" && sameSite(g.resumeURL, g.url) {
		address = g.resumeURL
	}
	return strings.TrimSuffix(address, "/") + "/?v=" + discordgo.APIVersion + "&encoding=json", nil
}

func sameSite(a, b string) bool {
	x, err := url.Parse(a)
	if err != nil {
		return false
	}
	y, err := url.Parse(b)
	if err != nil || x.Scheme != y.Scheme {
		return false
	}
	const site = ".discord.gg"
	return x.Host == y.Host || strings.HasSuffix(x.Hostname(), site) && strings.HasSuffix(y.Hostname(), site)
}

// greet resumes the session or begins a new one.
func (g *gateway) greet(c *connection) error {
	if g.session != "" {
		return c.send(opResume, map[string]any{"token": g.token, "session_id": g.session, "seq": g.seq.Load()})
	}
	g.spent.take(time.Now())
	identify := map[string]any{
		"token":      g.token,
		"intents":    intents,
		"properties": map[string]string{"os": runtime.GOOS, "browser": "podium", "device": "podium"},
	}
	if g.shard[1] > 1 {
		identify["shard"] = g.shard
	}
	return c.send(opIdentify, identify)
}

// welcome notes what READY says of the session.
func (g *gateway) welcome(f frame) {
	if f.Name == "READY" {
		var r struct {
			Session   string `json:"session_id"`
			ResumeURL string `json:"resume_gateway_url"`
		}
		if err := json.Unmarshal(f.Data, &r); err != nil {
			g.log.Error("discord sent a READY that podium does not understand", "error", err)
		}
		g.session, g.resumeURL = r.Session, r.ResumeURL
	}
	g.state(bot.Connected, nil)
	if g.greeted {
		g.again()
	}
	g.greeted = true
	g.log.Info("discord gateway connected", "event", f.Name)
}

func (g *gateway) forget() {
	g.session, g.resumeURL = "", ""
	g.seq.Store(0)
}

func (g *gateway) lastSeq() any {
	if seq := g.seq.Load(); seq > 0 {
		return seq
	}
	return nil
}

// beat keeps the connection alive and closes it when Discord has not answered
// the beat before: the next connection resumes.
func (g *gateway) beat(c *connection, every time.Duration, done <-chan struct{}) {
	c.acked.Store(true)
	timer := time.NewTimer(time.Duration(float64(every) * rand.Float64()))
	defer timer.Stop()
	for {
		select {
		case <-done:
			return
		case <-timer.C:
		}
		if !c.acked.Swap(false) {
			g.log.Warn("discord did not answer a heartbeat", "interval", every)
			c.close(closeDead)
			return
		}
		if c.send(opHeartbeat, g.lastSeq()) != nil {
			c.close(closeDead)
			return
		}
		timer.Reset(every)
	}
}

// closeDead is the code for a connection that went silent: with 1000 or 1001
// Discord would end the session.
const closeDead = 4000

// ended says what the end of a connection means for the next one, and whether
// there may be one.
func (g *gateway) ended(err error) error {
	closed, ok := errors.AsType[*websocket.CloseError](err)
	if !ok {
		return err
	}
	refuse := func(setting, format string, args ...any) error {
		return &bot.ConfigError{Setting: setting, Problem: fmt.Sprintf(format, args...) + fmt.Sprintf(" (Discord's close code %d)", closed.Code)}
	}
	switch closed.Code {
	case 4003, 4007, 4009: // not authenticated, invalid sequence, session timed out
		g.forget()
	case 4004:
		return errToken
	case 4010:
		return refuse("PODIUM_DISCORD_SHARD_ID", "Discord refused shard %d of %d; the id counts from 0 and stays below PODIUM_DISCORD_SHARD_COUNT", g.shard[0], g.shard[1])
	case 4011:
		return refuse("PODIUM_DISCORD_SHARD_COUNT", "Discord wants more shards than %d for so many servers; raise the count and run one process for each", g.shard[1])
	case 4012:
		return refuse("PODIUM_DISCORD_API_URL", "the gateway found there does not speak version %s; point the setting at Discord or update podium", discordgo.APIVersion)
	case 4013, 4014:
		return refuse("PODIUM_DISCORD_TOKEN", "Discord refused the intents GUILDS, GUILD_MESSAGES and DIRECT_MESSAGES (%d) to the token's application; look at its Bot page", intents)
	}
	return closed
}

// A frame is one message of the gateway.
type frame struct {
	Op   int             `json:"op"`
	Data json.RawMessage `json:"d"`
	Seq  int64           `json:"s"`
	Name string          `json:"t"`
}

// A connection is one websocket. Reading is connect's alone.
type connection struct {
	ws    *websocket.Conn
	write sync.Mutex
	acked atomic.Bool // the last heartbeat was answered
}

// read returns the next message. What is not JSON is passed over.
func (c *connection) read() (frame, error) {
	for {
		_, b, err := c.ws.ReadMessage()
		if err != nil {
			return frame{}, err
		}
		f := frame{Op: -1}
		if json.Unmarshal(b, &f) == nil {
			return f, nil
		}
	}
}

const writeTimeout = 10 * time.Second

func (c *connection) send(op int, data any) error {
	c.write.Lock()
	defer c.write.Unlock()
	c.ws.SetWriteDeadline(time.Now().Add(writeTimeout))
	return c.ws.WriteJSON(map[string]any{"op": op, "d": data})
}

// close says goodbye and ends the reading.
func (c *connection) close(code int) {
	c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
	c.ws.Close()
}

// identifies counts new sessions. Discord resets the token of a bot that
// begins more than 1000 in a day; this stays below 900: 30 at will and one
// every 100 seconds.
type identifies struct {
	full time.Time // when all 30 are at hand again
}

const (
	identifyEvery  = 100 * time.Second
	identifyAtWill = 30
)

// wait is how long to wait before the next one.
func (i *identifies) wait(now time.Time) time.Duration {
	if i.full.Before(now) {
		return 0
	}
	return max(0, i.full.Sub(now)-(identifyAtWill-1)*identifyEvery)
}

func (i *identifies) take(now time.Time) {
	if i.full.Before(now) {
		i.full = now
	}
	i.full = i.full.Add(identifyEvery)
}
