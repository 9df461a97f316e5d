package slack

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"podium/bot"
)

// maxBody is the largest request in bytes that podium reads.
const maxBody = 1 << 20

// Mount registers Slack's three request URLs, if there is a signing secret.
func (a *Adapter) Mount(mux *http.ServeMux) {
	if a.secret == "" {
		return
	}
	mux.HandleFunc("POST /slack/commands", a.signed(a.serveCommand))
	mux.HandleFunc("POST /slack/events", a.signed(a.serveEvent))
	mux.HandleFunc("POST /slack/interactions", a.signed(a.servePress))
}

// buffers hold requests' bodies and answers, and are used again, but for
// large ones, which would stay in memory.
var buffers = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, 4<<10)) }}

func release(b *bytes.Buffer) {
	if b.Cap() <= 64<<10 {
		b.Reset()
		buffers.Put(b)
	}
}

// signed lets through what Slack has signed within the last five minutes. serve
// must not keep body.
func (a *Adapter) signed(serve func(w http.ResponseWriter, r *http.Request, received time.Time, body []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		received := time.Now()
		read := buffers.Get().(*bytes.Buffer)
		defer release(read)
		if _, err := read.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
			status := http.StatusBadRequest
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				status = http.StatusRequestEntityTooLarge
			}
			w.WriteHeader(status)
			return
		}
		body := read.Bytes()
		v, err := slack.NewSecretsVerifier(r.Header, a.secret)
		if err == nil {
			v.Write(body)
			err = v.Ensure()
		}
		if err != nil {
			// Who looks around on the network does not sign.
			if r.Header.Get("X-Slack-Signature") != "" && a.unsigned.Due() {
				a.log.Warn("a request was refused: it is not signed with PODIUM_SLACK_SIGNING_SECRET, or more than five minutes ago",
					"remedy", "if Slack sent it, copy the Signing Secret again (Basic Information, App Credentials), and look at this machine's clock and at the proxy, which has to hand on bodies unchanged")
			}
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		serve(w, r, received, body)
	}
}

// accept tells Slack that podium has the event, or to come again.
func (a *Adapter) accept(w http.ResponseWriter, received time.Time, err error) {
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	a.meter.Acknowledged(bot.Slack, time.Since(received))
}

func (a *Adapter) serveCommand(w http.ResponseWriter, r *http.Request, received time.Time, body []byte) {
	c, check, err := parseCommand(string(body))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if check {
		return // Slack looks at the certificate
	}
	c.received = received
	hand, err := a.hands.Take(c.Trigger)
	if err != nil {
		a.accept(w, received, err)
		return
	}
	defer hand.Done()
	then := a.command(hand.Context, c, func(now *outgoing) bool {
		if now == nil {
			// The answer goes on being made here, so that the connection is not free for another request.
			w.Header().Set("Connection", "close")
			w.Header().Set("Content-Length", "0")
			http.NewResponseController(w).Flush()
			a.meter.Acknowledged(bot.Slack, time.Since(received))
			return false
		}
		answer := buffers.Get().(*bytes.Buffer)
		defer release(answer)
		answer.Write(now.appendResponse(answer.AvailableBuffer(), ephemeral, ""))
		if r.Context().Err() != nil {
			return false
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(answer.Len()))
		if _, err := w.Write(answer.Bytes()); err != nil {
			return false
		}
		a.meter.Acknowledged(bot.Slack, time.Since(received))
		return true
	})
	if then != nil {
		hand.Go(then)
	}
}

// parseCommand reads a slash command's form; check means that it is none. The
// map of url.ParseQuery would take a tenth of the time of the whole answer.
func parseCommand(form string) (c command, check bool, err error) {
	for pair := range strings.SplitSeq(form, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name, err = url.QueryUnescape(name); err != nil {
			return c, false, err
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return c, false, err
		}
		switch name {
		case "ssl_check":
			check = value == "1"
		case "command":
			c.Command = value
		case "text":
			c.Text = value
		case "team_id":
			c.Team = value
		case "channel_id":
			c.Channel = value
		case "channel_name":
			c.ChannelName = value
		case "user_id":
			c.User = value
		case "user_name":
			c.UserName = value
		case "response_url":
			c.ResponseURL = value
		case "trigger_id":
			c.Trigger = value
		}
	}
	return c, check, nil
}

func (a *Adapter) serveEvent(w http.ResponseWriter, _ *http.Request, received time.Time, body []byte) {
	e := event{received: received}
	if err := json.Unmarshal(body, &e); err != nil {
		a.log.Warn("Slack sent an event that podium can not read", "error", err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	switch e.Type {
	case "url_verification":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, e.Challenge)
	case "event_callback":
		a.accept(w, received, a.event(e))
	default:
		a.ignore("event " + e.Type)
	}
}

func (a *Adapter) servePress(w http.ResponseWriter, _ *http.Request, received time.Time, body []byte) {
	form, err := url.ParseQuery(string(body))
	p := press{received: received}
	if err == nil {
		err = json.Unmarshal([]byte(form.Get("payload")), &p)
	}
	if err != nil {
		a.log.Warn("Slack sent an interaction that podium can not read", "error", err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	a.accept(w, received, a.press(p))
}
