package terminal

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"podium/bot"
)

// channel is the terminal's only one.
const channel = "terminal"

// posts are what podium said without being asked: reminders that were due
// while the conversation went on.
type posts struct {
	mu      sync.Mutex
	write   func(r bot.Reply) error // nil while nobody listens
	made    map[string]bool         // by key
	started time.Time
}

func (p *posts) open(out io.Writer, look look) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started, p.made = time.Now(), make(map[string]bool)
	p.write = func(r bot.Reply) error {
		_, err := io.WriteString(out, look.show(r)+"\n\n")
		return err
	}
}

func (p *posts) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write = nil
}

// Post prints r while the conversation goes on. channel is that of Messages.
func (a *Adapter) Post(_ context.Context, in, key string, r bot.Reply) (bot.MessageRef, error) {
	if err := a.CanPost(context.Background(), in); err != nil {
		return bot.MessageRef{}, err
	}
	a.posts.mu.Lock()
	defer a.posts.mu.Unlock()
	if a.posts.write == nil {
		return bot.MessageRef{}, &bot.PostError{Reason: bot.RateLimited, After: time.Minute, Err: errors.New("nobody is at the terminal")}
	}
	a.posts.made[key] = true
	return bot.MessageRef{Platform: bot.Terminal, Channel: channel, ID: key}, a.posts.write(r)
}

// Find knows what this conversation has printed, and nothing of earlier ones.
func (a *Adapter) Find(_ context.Context, _, key string, since time.Time) (bot.MessageRef, bool, error) {
	a.posts.mu.Lock()
	defer a.posts.mu.Unlock()
	if !a.posts.made[key] && since.Before(a.posts.started) {
		return bot.MessageRef{}, false, bot.ErrUnknown
	}
	return bot.MessageRef{Platform: bot.Terminal, Channel: channel, ID: key}, a.posts.made[key], nil
}

// CanPost is nil for the terminal itself.
func (a *Adapter) CanPost(_ context.Context, in string) error {
	if in != channel {
		return &bot.PostError{Reason: bot.ChannelGone, Remedy: "A terminal posts only here: leave out the channel.", Err: errors.New("not a terminal")}
	}
	return nil
}

// MaySchedule is true: who types here runs podium.
func (a *Adapter) MaySchedule(context.Context, bot.Message, string) (bool, error) { return true, nil }

// Zone is what TZ says, if that is the name of a zone.
func (a *Adapter) Zone(context.Context, string) (string, error) {
	name := getenv(a.Environ, "TZ")
	if _, err := time.LoadLocation(name); err != nil || name == "Local" {
		return "", nil
	}
	return name, nil
}
