package slack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"

	"podium/bot"
)

// Socket Mode is spoken here and not by the SDK's package socketmode: that one
// drops the reason of a disconnect (and reconnects in a loop when the app's
// Socket Mode was switched off), closes the old connection before it opens the
// new one, leaves envelopes that it can not parse without an acknowledgement,
// and does not wait for its goroutines.

const (
	// Slack pings every few seconds; podium asks too, and gives up on a
	// connection that stays silent.
	pingEvery = 15 * time.Second
	silence   = 40 * time.Second
	// Slack closes a connection soon after it has announced so; the new one is
	// there by then. Podium closes the old one if Slack forgets.
	overlap = time.Minute

	writeLimit   = 10 * time.Second
	payloadLimit = 20 << 10 // Slack drops a longer acknowledgement without a word
	frameLimit   = 4 << 20
)

// A backoff says how long to wait before the next connection.
type backoff struct {
	short, shortMax time.Duration // after a failure: the first wait and the longest
	long, longMax   time.Duration // after Slack has refused podium: likewise
	settled         time.Duration // a connection that lived this long was none of a series of failures
}

var patient = backoff{short: 500 * time.Millisecond, shortMax: time.Minute, long: 15 * time.Second, longMax: 5 * time.Minute, settled: 30 * time.Second}

// Reasons why a connection is at its end, beside those that Slack gives.
const (
	refresh     = "refresh_requested"
	warning     = "warning"
	linkOff     = "link_disabled"
	tooMany     = "too_many_websockets"
	interrupted = "interrupted"
)

// listen keeps a Socket Mode connection until ctx is done and the questions
// in hand are answered. An error is final.
func (a *Adapter) listen(ctx context.Context) error {
	var open sync.WaitGroup
	defer open.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failures, refusals := 0, 0
	ever := false
	for ctx.Err() == nil {
		began := time.Now()
		reason := interrupted
		var limited time.Duration
		c, err := a.dial(ctx)
		if err == nil {
			ever = true
			ending := make(chan string, 1)
			open.Go(func() { a.read(ctx, c, ending) })
			select {
			case reason = <-ending:
			case <-ctx.Done():
				return nil // read closes the connection once all is answered
			}
		} else if ctx.Err() != nil {
			return nil
		} else if slices.Contains(refused, code(err)) || code(err) == "missing_scope" {
			if !ever {
				return &bot.ConfigError{Setting: "PODIUM_SLACK_APP_TOKEN", Problem: fmt.Sprintf(
					"Slack answered %s: make an app-level token with the scope connections:write and set it", code(err))}
			}
			return fmt.Errorf("apps.connections.open: %w: the app-level token was revoked or changed; set the new PODIUM_SLACK_APP_TOKEN", err)
		} else if e, ok := errors.AsType[*slack.RateLimitedError](err); ok {
			limited = e.RetryAfter
		}
		if time.Since(began) > a.backoff.settled {
			failures, refusals = 0, 0
		}
		var wait time.Duration
		switch reason {
		case warning, refresh:
			// At once, and while the old connection still works; but not in a
			// loop if Slack asks for that again and again.
			if failures > 0 {
				wait = grow(a.backoff.short, a.backoff.shortMax, failures-1)
			}
			failures++
			a.log.Info("Slack asks for a new connection", "reason", reason)
		case linkOff, tooMany:
			wait = grow(a.backoff.long, a.backoff.longMax, refusals)
			refusals++
			what := "Socket Mode is switched off: switch it on at the app's page Socket Mode"
			if reason == tooMany {
				what = "the app has too many Socket Mode connections: stop one of its other programs"
			}
			a.trouble.Store(new(errors.New(what)))
			a.down.Store(true)
			a.log.Error(what, "reason", reason, "wait", wait)
		default:
			wait = max(limited, grow(a.backoff.short, a.backoff.shortMax, failures))
			failures++
			a.trouble.Store(new(cmp.Or(err, errors.New("the connection was interrupted"))))
			a.down.Store(err != nil)
			a.log.Warn("the connection to Slack is interrupted; trying again", append(trouble(err), "wait", wait)...)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	return nil
}

// grow doubles first n times, up to most, and adds up to a quarter by chance.
func grow(first, most time.Duration, n int) time.Duration {
	wait := min(first<<min(n, 16), most)
	return wait + rand.N(wait/4+1)
}

// dial opens a connection.
func (a *Adapter) dial(ctx context.Context) (*connection, error) {
	_, address, err := a.api.StartSocketModeContext(ctx)
	if err != nil {
		return nil, err
	}
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: 10 * time.Second}
	ws, res, err := dialer.DialContext(ctx, address, nil)
	if err != nil {
		// The address holds a ticket.
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		if res != nil {
			return nil, fmt.Errorf("connecting over Socket Mode: %w (%s)", err, res.Status)
		}
		return nil, fmt.Errorf("connecting over Socket Mode: %w", err)
	}
	ws.SetReadLimit(frameLimit)
	return &connection{ws: ws}, nil
}

// A connection is one Socket Mode connection. Many may write to it.
type connection struct {
	ws *websocket.Conn
	mu sync.Mutex // of writes
}

func (c *connection) write(v any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ws.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return err
	}
	return c.ws.WriteJSON(v)
}

// ack acknowledges an envelope, which can not be done without its id.
func (c *connection) ack(id string, payload any) error {
	if id == "" {
		return errors.New("the envelope has no id")
	}
	return c.write(acknowledgement{ID: id, Payload: payload})
}

type acknowledgement struct {
	ID      string `json:"envelope_id"`
	Payload any    `json:"payload,omitempty"`
}

// An envelope is a frame of Slack's.
type envelope struct {
	Type    string          `json:"type"`
	ID      string          `json:"envelope_id"`
	Reason  string          `json:"reason"`
	Payload json.RawMessage `json:"payload"`
	Answers bool            `json:"accepts_response_payload"`

	received time.Time
}

// read handles a connection's frames until it ends or, with ctx, podium does.
// It tells ending why another connection is needed, once.
func (a *Adapter) read(ctx context.Context, c *connection, ending chan<- string) {
	ended := false
	end := func(reason string) {
		if !ended {
			ended = true
			a.connected.Store(false)
			ending <- reason
		}
	}
	closed := make(chan struct{})
	var keeping sync.WaitGroup
	defer keeping.Wait()
	defer close(closed)
	defer c.ws.Close()
	keeping.Go(func() { a.keep(ctx, c, closed) })
	alive := func() { c.ws.SetReadDeadline(time.Now().Add(silence)) }
	alive()
	c.ws.SetPongHandler(func(string) error { alive(); return nil })
	c.ws.SetPingHandler(func(data string) error {
		alive()
		err := c.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeLimit))
		if _, slow := errors.AsType[net.Error](err); slow {
			return nil // reading goes on; if the connection is dead, it shows there
		}
		return err
	})
	for {
		_, frame, err := c.ws.ReadMessage()
		if err != nil {
			if !ended && ctx.Err() == nil {
				a.log.Debug("Socket Mode connection closed", "error", err)
			}
			end(interrupted)
			return
		}
		alive()
		e := envelope{received: time.Now()}
		if err := json.Unmarshal(frame, &e); err != nil {
			a.log.Warn("Slack sent a frame that podium can not read", "error", err)
			// Slack repeats an envelope that is not acknowledged; its id may be legible although the rest is not.
			c.ack(e.ID, nil)
			continue
		}
		switch e.Type {
		case "hello":
			a.down.Store(false)
			a.connected.Store(true)
			if a.greeted.Swap(true) {
				a.meter.Reconnected(bot.Slack)
			}
			a.log.Info("connected to Slack", "transport", "socket mode")
		case "disconnect":
			if !ended {
				forgotten := time.AfterFunc(overlap, func() { c.ws.Close() })
				defer forgotten.Stop()
			}
			end(e.Reason)
			if e.Reason == linkOff || e.Reason == tooMany {
				return
			}
		default:
			a.envelope(c, e)
		}
	}
}

// keep pings, and closes the connection once podium has answered what it had
// in hand.
func (a *Adapter) keep(ctx context.Context, c *connection, closed <-chan struct{}) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			// A failed ping shows as silence.
			_ = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeLimit))
		case <-ctx.Done():
			a.hands.Finish(drain)
			_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
			c.ws.Close()
			return
		case <-closed:
			return
		}
	}
}

// envelope acknowledges an envelope and takes into hand what it holds. What
// podium does not take it does not acknowledge, so that Slack asks another
// replica, or again later; but a slash command that is one too many, which
// Slack does not send again, is told so.
func (a *Adapter) envelope(c *connection, e envelope) {
	var err, untaken error
	switch e.Type {
	case "events_api":
		payload := event{received: e.received}
		if err = json.Unmarshal(e.Payload, &payload); err == nil {
			untaken = a.event(payload)
		}
	case "interactive":
		payload := press{received: e.received}
		if err = json.Unmarshal(e.Payload, &payload); err == nil {
			untaken = a.press(payload)
		}
	case "slash_commands":
		payload := command{received: e.received}
		if err = json.Unmarshal(e.Payload, &payload); err == nil {
			// The command waits for its answer; other envelopes do not wait for it.
			untaken = a.hands.Go(cmp.Or(payload.Trigger, e.ID), func(ctx context.Context) { a.answerEnvelope(ctx, c, e, payload) })
			if untaken == nil {
				return
			}
		}
	default:
		a.ignore("envelope " + e.Type)
	}
	if err != nil {
		a.log.Warn("Slack sent an envelope that podium can not read", "type", e.Type, "error", err)
	}
	var answer any
	if untaken == bot.ErrBusy && e.Type == "slash_commands" && e.Answers {
		busy := outgoing{text: bot.Busy}
		answer = json.RawMessage(busy.appendResponse(nil, ephemeral, ""))
	}
	if untaken != nil && answer == nil {
		return
	}
	if err := c.ack(e.ID, answer); err != nil {
		a.log.Debug("an acknowledgement did not get through; Slack sends the event again", "error", err)
		return
	}
	a.meter.Acknowledged(bot.Slack, time.Since(e.received))
}

// answerEnvelope answers a slash command with its acknowledgement, if the
// answer is ready in time and fits.
func (a *Adapter) answerEnvelope(ctx context.Context, c *connection, e envelope, payload command) {
	if e.ID != "" && !a.fresh(ctx, "envelope/"+e.ID) {
		c.ack(e.ID, nil)
		return
	}
	then := a.command(ctx, payload, func(now *outgoing) bool {
		var answer any
		if now != nil && e.Answers {
			if body := now.appendResponse(nil, ephemeral, ""); len(body)+len(e.ID)+64 < payloadLimit {
				answer = json.RawMessage(body)
			}
		}
		err := c.ack(e.ID, answer)
		if err != nil {
			a.log.DebugContext(ctx, "an acknowledgement did not get through", "error", err)
			return false
		}
		a.meter.Acknowledged(bot.Slack, time.Since(e.received))
		return answer != nil
	})
	if then != nil {
		then(ctx)
	}
}
