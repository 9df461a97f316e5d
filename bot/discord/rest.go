package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"

	"podium/bot"
)

const (
	attempts       = 4                // of one request: the first and three more
	attemptTimeout = 15 * time.Second // of one of them
	maxResponse    = 8 << 20          // bytes
)

// A transport sits under discordgo's REST client. It sends what is meant for
// discord.com to the configured address, waits out rate limits and repeats
// what Discord failed to take, all within the request's context. discordgo
// does neither well: it sleeps through the context's end, retries 429 without
// a cap and of the 5xx only 502. The rate limit headers end here, so that its
// own limiter stays idle.
type transport struct {
	base *http.Transport
	api  *url.URL
	wait func(context.Context, time.Duration) error
	told func(time.Duration) // of each wait that Discord asks for

	mu    sync.Mutex
	until map[string]time.Time // by route; "" stands for all routes
}

func newTransport(api *url.URL, told func(time.Duration)) *transport {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.MaxIdleConnsPerHost = 64
	return &transport{base: base, api: api, wait: sleep, told: told, until: make(map[string]time.Time)}
}

// CloseIdleConnections is what http.Client's method of that name calls.
func (t *transport) CloseIdleConnections() { t.base.CloseIdleConnections() }

// sleep waits for d or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// repeatable marks a POST that may be sent again although the first may have
// arrived, because Discord recognises the second. Its value, an *int, counts
// the attempts.
type repeatable struct{}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	var body []byte
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return nil, err
		}
		body = b
	}
	count, again := ctx.Value(repeatable{}).(*int)
	again = again || r.Method != http.MethodPost
	route := routeOf(r)
	for n := 1; ; n++ {
		if err := t.pass(ctx, route); err != nil {
			return nil, err
		}
		if count != nil {
			*count = n
		}
		resp, err := t.send(r, body)
		var pause time.Duration
		limited := false
		switch {
		case err != nil || resp.StatusCode >= 500:
			if err == nil {
				t.note(route, resp)
			}
			if !again || n == attempts || ctx.Err() != nil {
				return resp, err
			}
			pause = time.Duration(float64(500*time.Millisecond<<(n-1)) * (0.5 + rand.Float64()/2))
		default:
			pause = t.note(route, resp)
			if resp.StatusCode != http.StatusTooManyRequests {
				return resp, nil
			}
			limited = true
		}
		if end, ok := ctx.Deadline(); ok && time.Now().Add(pause).After(end) {
			return resp, err
		}
		if limited {
			t.told(pause)
		}
		if err := t.wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// send makes one attempt and has the whole response in memory when it returns.
func (t *transport) send(r *http.Request, body []byte) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), attemptTimeout)
	defer cancel()
	req := r.Clone(ctx)
	req.URL.Scheme, req.URL.Host, req.Host = t.api.Scheme, t.api.Host, t.api.Host
	req.URL.Path = strings.TrimSuffix(t.api.Path, "/") + req.URL.Path
	req.URL.RawPath = ""
	req.Header.Set("User-Agent", "DiscordBot (podium, 1)")
	req.Body, req.ContentLength = nil, 0
	if len(body) > 0 {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return nil, err
	}
	if string(bytes.TrimSpace(b)) == "null" {
		return nil, errors.New("discord answered null") // discordgo would make a nil pointer of it, and no error
	}
	resp.Body = io.NopCloser(bytes.NewReader(b))
	return resp, nil
}

// pass waits until route is open, or fails at once when ctx ends sooner.
func (t *transport) pass(ctx context.Context, route string) error {
	for {
		t.mu.Lock()
		until := t.until[route]
		if all := t.until[""]; all.After(until) {
			until = all
		}
		t.mu.Unlock()
		d := time.Until(until)
		if d <= 0 {
			return ctx.Err()
		}
		if end, ok := ctx.Deadline(); ok && until.After(end) {
			return &bot.PostError{Reason: bot.RateLimited, After: d, Remedy: "Discord is limiting podium. Try again in a minute."}
		}
		t.told(d)
		if err := t.wait(ctx, d); err != nil {
			return err
		}
	}
}

// note learns from resp how long its route is closed, takes the rate limit
// headers out of it and returns how long a refused request has to wait.
func (t *transport) note(route string, resp *http.Response) time.Duration {
	h := resp.Header
	number := func(name string) float64 {
		f, _ := strconv.ParseFloat(h.Get(name), 64) // 0 if it is none
		return f
	}
	var after time.Duration
	if h.Get("X-RateLimit-Remaining") == "0" {
		after = seconds(number("X-RateLimit-Reset-After"))
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		b, _ := io.ReadAll(resp.Body)
		var limit struct {
			RetryAfter float64 `json:"retry_after"`
			Global     bool    `json:"global"`
		}
		if json.Unmarshal(b, &limit) != nil || limit.RetryAfter <= 0 {
			limit.RetryAfter = number("Retry-After")
		}
		after = max(seconds(limit.RetryAfter), 100*time.Millisecond) // or podium would ask again without a pause
		// discordgo reads the body, which a proxy in between may have written
		// in its own way.
		resp.Body = io.NopCloser(strings.NewReader(fmt.Sprintf(`{"retry_after":%f}`, after.Seconds())))
		if limit.Global || h.Get("X-RateLimit-Global") != "" {
			route = ""
		}
	}
	for name := range h {
		if strings.HasPrefix(name, "X-Ratelimit-") {
			h.Del(name)
		}
	}
	if after > 0 {
		now := time.Now()
		t.mu.Lock()
		defer t.mu.Unlock()
		if len(t.until) > 1000 {
			for r, until := range t.until {
				if until.Before(now) {
					delete(t.until, r)
				}
			}
		}
		t.until[route] = now.Add(after)
	}
	return after
}

// seconds is f seconds, at least none and at most an hour.
func seconds(f float64) time.Duration {
	const most = 3600
	switch {
	case f > most:
		return most * time.Second
	case f > 0:
		return time.Duration(f * float64(time.Second))
	}
	return 0 // or not a number
}

// routeOf names what Discord limits together: the method and the path up to
// the first id and the word behind it. Two real buckets may share a route,
// which makes podium wait longer, never less.
func routeOf(r *http.Request) string {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return r.Method + " " + strings.Join(parts[:min(len(parts), 5)], "/")
}

// request sends body as JSON and decodes the response into out, unless out is
// nil. Unlike discordgo's own methods it keeps no bucket of the path:
// interactions have a path each, and discordgo never forgets one.
func (a *Adapter) request(ctx context.Context, method, path string, body, out any) error {
	var b []byte
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			return err
		}
	}
	var bucket discordgo.Bucket
	bucket.Lock()
	resp, err := a.session.RequestWithLockedBucket(method, path, "application/json", b, &bucket, 0, discordgo.WithContext(ctx))
	if err != nil {
		return cause(err)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(resp, out)
}

// cause is err without the address of the request, which holds an
// interaction's token.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// code is Discord's own code for a refusal and the HTTP status; 0 where there
// is none.
func code(err error) (int, int) {
	e, ok := errors.AsType[*discordgo.RESTError](err)
	if !ok || e.Response == nil {
		return 0, 0
	}
	if e.Message == nil {
		return 0, e.Response.StatusCode
	}
	return e.Message.Code, e.Response.StatusCode
}

// errToken is what podium ends with when Discord refuses its token.
var errToken = &bot.ConfigError{Setting: "PODIUM_DISCORD_TOKEN", Problem: "Discord refused the token; copy the present one from the Bot page of the application"}

const (
	unknownInteraction  = 10062
	alreadyAcknowledged = 40060
)

// refusals are the codes that an operator meets, with what helps.
var refusals = map[int]struct {
	reason bot.Reason
	remedy string
}{
	10003:               {bot.ChannelGone, "The channel is gone. Choose another one."},
	10004:               {bot.ChannelGone, "podium is no longer in this server. Invite it again."},
	50001:               {bot.NoAccess, "Let podium see the channel: allow it View Channels there."},
	50013:               {bot.NoAccess, "Allow podium Send Messages, Embed Links and Read Message History in the channel."},
	50007:               {bot.NoAccess, "The person does not take direct messages from this server. They can use /podium ask instead."},
	50083:               {bot.NoAccess, "The thread is archived. Reopen it."},
	160002:              {bot.NoAccess, "Allow podium Read Message History in the channel: it replies to the question."},
	unknownInteraction:  {bot.Rejected, "Discord waited no longer than 3 seconds, or another process has the same token. Check the machine's load and clock."},
	alreadyAcknowledged: {bot.Rejected, "Another process answered it: run one process a shard."},
}

// refusal makes a *bot.PostError of what Discord refused for good. Anything
// else, such as a time-out or a 5xx, leaves open what became of the request
// and is returned as it is.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	err = cause(err)
	if e, ok := errors.AsType[*bot.PostError](err); ok {
		return e
	}
	if limit, ok := errors.AsType[*discordgo.RateLimitError](err); ok {
		return &bot.PostError{Reason: bot.RateLimited, After: limit.RetryAfter, Remedy: "Discord is limiting podium. Try again in a minute.",
			Err: errors.New("too many requests")}
	}
	code, status := code(err)
	if status < 400 || status >= 500 {
		return err
	}
	r, ok := refusals[code]
	switch {
	case ok:
	case status == http.StatusUnauthorized:
		r.reason, r.remedy = bot.Rejected, "Discord refused the token. Set PODIUM_DISCORD_TOKEN to the bot's present one."
	case status == http.StatusForbidden:
		r.reason, r.remedy = bot.NoAccess, refusals[50013].remedy
	default:
		r.reason, r.remedy = bot.Rejected, "Discord refused the message. The log has its reason."
	}
	return &bot.PostError{Reason: r.reason, Remedy: r.remedy, Err: err}
}
