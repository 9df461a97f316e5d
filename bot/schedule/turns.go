package schedule

import (
	"sync"
	"time"

	"podium/bot"
)

// A Limit is how fast a platform lets podium post: at most one post in so much
// time. Zero is no limit.
type Limit struct {
	Channel  time.Duration // in one channel
	Platform time.Duration // in all of them
}

// Limits are the platforms' own, with a little to spare for answers.
var Limits = map[string]Limit{
	bot.Slack:   {Channel: time.Second, Platform: time.Second / 20},
	bot.Discord: {Channel: time.Second, Platform: time.Second / 45},
}

// turns hands out the moments at which posts may be made: channels take turns,
// so that a full one does not hold up the others.
type turns struct {
	limits map[string]Limit

	mu    sync.Mutex
	free  map[[2]string]time.Time // by platform and channel, "" for all: when the next post may be made
	given map[string]turn         // by the delivery's key
}

// A turn is a moment that has been given to a post.
type turn struct {
	at    time.Time
	final bool // the platform's limit has been asked as well as the channel's
}

func newTurns(limits map[string]Limit) *turns {
	return &turns{limits: limits, free: make(map[[2]string]time.Time), given: make(map[string]turn)}
}

// take asks for the turn of the post with key. If wait is more than zero, ask
// again after it: the turn is kept until then.
func (t *turns) take(platform, channel, key string, now time.Time) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g, ok := t.given[key]
	if !ok {
		g.at = t.next([2]string{platform, channel}, t.limits[platform].Channel, now)
	}
	if !g.at.After(now) && !g.final {
		g = turn{t.next([2]string{platform, ""}, t.limits[platform].Platform, now), true}
	}
	if wait = g.at.Sub(now); wait > 0 {
		t.given[key] = g
		return wait
	}
	delete(t.given, key)
	return 0
}

// next takes the next free moment of a channel or a platform.
func (t *turns) next(of [2]string, interval time.Duration, now time.Time) time.Time {
	at := t.free[of]
	if at.Before(now) {
		at = now
	}
	if interval > 0 {
		t.free[of] = at.Add(interval)
	}
	return at
}

// hold keeps a channel free of posts for a while: the platform has asked for it.
func (t *turns) hold(platform, channel string, now time.Time, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := [2]string{platform, channel}
	if until := now.Add(d); t.free[of].Before(until) {
		t.free[of] = until
	}
}

// sweep forgets turns that nobody came for, and channels that are free.
func (t *turns) sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, g := range t.given {
		if now.Sub(g.at) > time.Minute {
			delete(t.given, key)
		}
	}
	for of, at := range t.free {
		if at.Before(now) {
			delete(t.free, of)
		}
	}
}
