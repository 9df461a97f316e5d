package handlers

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"podium/bot"
)

// Limits is how many questions a minute podium takes from one user and in one
// channel. With 0 there is no limit.
type Limits struct {
	PerUser, PerChannel int
}

const (
	// Who has used up a limit waits this long, or until one question is left
	// where that takes longer.
	limitPause = 15 * time.Second
	// So many users and so many channels are remembered at least; of more, the
	// ones longest unheard of start anew.
	limitKeys = 10_000
)

// Limit puts limits before next. They hold for what makes podium post or call
// its platform: mentions, direct messages and presses. The answer to a slash
// command is the response to it, seen by the asker alone, and is not limited.
//
// Who is over a limit is told so, once and in private where the platform can,
// and how long to wait; until then podium stays silent. Each process counts
// for itself.
func Limit(next bot.Handler, limits Limits, meter bot.Meter) bot.Handler {
	if limits == (Limits{}) {
		return next
	}
	l := &limiter{users: newBuckets(limits.PerUser), channels: newBuckets(limits.PerChannel)}
	return bot.HandlerFunc(func(ctx context.Context, m bot.Message) (bot.Reply, error) {
		if m.Kind != bot.Command {
			if r, over := l.over(m, time.Now()); over {
				meter.TurnedAway(m.Platform, bot.OverLimit)
				return r, nil
			}
		}
		return next.Handle(ctx, m)
	})
}

type limiter struct {
	mu              sync.Mutex
	users, channels *buckets
}

// over counts m and reports whether it is over a limit; r is the reply then.
func (l *limiter) over(m bot.Message, now time.Time) (r bot.Reply, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	user := l.users.of(m.Platform + "/" + m.User.ID)
	text, until := "You have asked more within a minute than I can take.", l.users.take(user, now)
	if until.IsZero() {
		text = "More is asked in this channel within a minute than I can take."
		until = l.channels.take(l.channels.of(m.Platform+"/"+m.Channel), now)
	}
	switch {
	case until.IsZero():
		return bot.Reply{}, false
	case now.Before(user.told):
		return bot.Reply{}, true
	}
	user.told = until
	wait := "a second"
	if seconds := math.Ceil(until.Sub(now).Seconds()); seconds > 1 {
		wait = fmt.Sprintf("%.0f seconds", seconds)
	}
	r = bot.TextReply(text + " Please ask again in " + wait + ".")
	r.Private, r.Request = true, "limit"
	return r, true
}

// A bucket is what is left of the limit of one user or one channel.
type bucket struct {
	tokens *rate.Limiter
	until  time.Time // nothing is taken before
	told   time.Time // the user knows until when to wait
}

// buckets are those of all users, or of all channels. Those heard of lately
// are in young, the others in old, and are dropped when young is full.
type buckets struct {
	perMinute  int
	young, old map[string]*bucket
}

func newBuckets(perMinute int) *buckets {
	return &buckets{perMinute: perMinute, young: map[string]*bucket{}}
}

// of is the bucket of key, full if key is new.
func (b *buckets) of(key string) *bucket {
	if found := b.young[key]; found != nil {
		return found
	}
	found := b.old[key]
	if found == nil {
		found = &bucket{tokens: rate.NewLimiter(rate.Limit(b.perMinute)/60, b.perMinute)}
	}
	if len(b.young) == limitKeys {
		b.young, b.old = map[string]*bucket{}, b.young
	}
	b.young[key] = found
	return found
}

// take takes one question from one of the buckets. If it has none left, until
// is when it has again, else zero.
func (b *buckets) take(from *bucket, now time.Time) (until time.Time) {
	switch {
	case b.perMinute == 0:
		return time.Time{}
	case now.Before(from.until):
		return from.until
	case from.tokens.AllowN(now, 1):
		return time.Time{}
	}
	from.until = now.Add(max(limitPause, time.Minute/time.Duration(b.perMinute)))
	return from.until
}
