// Package bot is the vocabulary that platforms and handlers share: what a
// person said (Message), what podium says back (Reply), who turns the one into
// the other (Handler), and what a platform has to offer (Adapter, Poster,
// Directory).
//
// Everything here is a plain value or a small interface. The package knows no
// platform, no database and no knowledge file; start reading at Handler.
package bot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// The platforms, as they stand in logs, metrics and the store.
const (
	Slack    = "slack"
	Discord  = "discord"
	Terminal = "terminal"
)

// Kind says how a message reached podium.
type Kind int

const (
	// Command is a slash command: the reply is private to the asker.
	Command Kind = iota
	// Mention is a message in a channel that names podium, or a reply to one
	// of podium's own: the reply is public, in the thread.
	Mention
	// Direct is a message in a conversation of podium and the asker alone.
	Direct
	// Press is a press of one of podium's buttons; Action holds its value.
	Press
)

func (k Kind) String() string {
	return [...]string{"command", "mention", "direct", "press"}[k]
}

// A Message is what one person said to podium, freed of its platform's dress:
// the mention is stripped, escapes are undone, the text is what was typed.
type Message struct {
	Platform  string // Slack, Discord or Terminal
	Workspace string // Slack team, Discord guild; empty in a Discord DM
	Channel   string
	// ChannelName is what people call the channel, without a #; empty where the
	// platform does not tell.
	ChannelName string
	Thread      string // thread the message stands in or opens; empty without one
	ID          string // the platform's id of the message or interaction
	User        User
	Kind        Kind
	Private     bool      // seen by the asker alone: a slash command, a press in a private reply
	Text        string    // the words; of a Press, empty
	Action      Action    // of a Press alone
	Received    time.Time // when the adapter had it in hand
}

// Conversation is the key of the exchange that a follow-up question continues.
// Public threads are one conversation for all who take part; everything else
// is the asker's own.
func (m Message) Conversation() string {
	if m.Kind == Mention && m.Thread != "" {
		return m.Platform + "/" + m.Channel + "/" + m.Thread
	}
	return m.Platform + "/" + m.Channel + "/@" + m.User.ID
}

// A User is who said something.
type User struct {
	ID   string
	Name string // for "set by ..." in reminders; may be empty
	Zone string // IANA time zone where the platform tells it, else empty
}

// A Handler turns a message into a reply. It must be safe for concurrent use.
// An error is podium's own failure, never the asker's: the adapter shows
// Failure in its place and logs the error.
type Handler interface {
	Handle(ctx context.Context, m Message) (Reply, error)
}

// HandlerFunc makes a Handler of a function.
type HandlerFunc func(ctx context.Context, m Message) (Reply, error)

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, m Message) (Reply, error) { return f(ctx, m) }

// Answer runs h on m and never fails: an error or a panic becomes the reply
// that says so, and the error is returned beside it for the log. Adapters call
// this instead of Handle.
func Answer(ctx context.Context, h Handler, m Message) (r Reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = FailureReply(), Panicked(p)
		}
	}()
	r, err = h.Handle(ctx, m)
	if err != nil {
		failure := FailureReply()
		failure.Request, failure.Intent = r.Request, r.Intent
		return failure, err
	}
	return r, nil
}

// Panicked is what recover returned, as the log may have it: what kind of panic,
// and where. What the runtime says of its own is kept; any other value may be a
// person's words.
func Panicked(v any) error {
	what := fmt.Sprintf("%T", v)
	if e, ok := v.(runtime.Error); ok {
		what = e.Error()
	}
	frames := make([]uintptr, 32)
	in := runtime.CallersFrames(frames[:runtime.Callers(2, frames)])
	unwinding := false
	for {
		f, more := in.Next()
		own := !strings.HasPrefix(f.Function, "runtime.")
		if own && unwinding {
			return fmt.Errorf("panic: %s in %s, %s:%d", what, f.Function, filepath.Base(f.File), f.Line)
		}
		unwinding = unwinding || !own
		if !more {
			return errors.New("panic: " + what)
		}
	}
}

// An Adapter connects one platform to a handler. cmd/podium makes it, mounts
// it and runs it.
type Adapter interface {
	// Platform is the adapter's constant, such as Slack.
	Platform() string
	// Mount registers the adapter's HTTP endpoints, if it has any.
	Mount(mux *http.ServeMux)
	// Run serves until ctx is done, then finishes the questions in hand and
	// returns nil once every goroutine of its own has ended. It outlives the
	// platform's outages by reconnecting. An error is final: a *ConfigError
	// names the setting that is wrong.
	Run(ctx context.Context) error
	// State is the connection's state, for /readyz and the metrics, and why it
	// is not Connected, as far as podium knows, or what an operator should mend
	// although it is. The reason holds no secret.
	State() (State, error)
}

// State is how an adapter stands with its platform.
type State string

const (
	Connecting State = "connecting"
	Connected  State = "connected"
	Down       State = "down"
)

// A ConfigError says that a setting is missing or was refused by its platform.
// It ends the program with exit code 2. Its text holds no secret.
type ConfigError struct {
	Setting string // the environment variable's name, PODIUM_...
	Problem string // what is wrong and what to do
}

func (e *ConfigError) Error() string { return e.Setting + ": " + e.Problem }

// A MessageRef names one message on its platform.
type MessageRef struct {
	Platform string
	Channel  string
	ID       string // Slack ts, Discord message id
}

// A Poster posts where nobody asked: reminders.
type Poster interface {
	// Post sends r to channel as a new public message. key is unique to this
	// post; the platform keeps it (Slack metadata, Discord nonce) so that Find
	// can tell later whether the post arrived. The error is a *PostError where
	// the platform gave a reason; any other error leaves it open whether the
	// message was posted.
	Post(ctx context.Context, channel, key string, r Reply) (MessageRef, error)
	// Find looks for the post with key that was sent at or after since. It
	// returns ErrUnknown when the platform can not tell (any more).
	Find(ctx context.Context, channel, key string, since time.Time) (MessageRef, bool, error)
	// CanPost is nil when podium may post in channel, else a *PostError whose
	// Remedy tells a person what to do.
	CanPost(ctx context.Context, channel string) error
}

// ErrUnknown is Find's answer when the platform can not tell.
var ErrUnknown = errors.New("the platform can not tell whether the message was posted")

// A PostError is a platform's refusal of a post: nothing was posted.
type PostError struct {
	Reason Reason
	After  time.Duration // of RateLimited: how long to wait
	Remedy string        // what a person can do, in one sentence
	Err    error
}

// Reason is why a platform refused a post.
type Reason string

const (
	ChannelGone Reason = "channel gone" // deleted, archived or never there
	NoAccess    Reason = "no access"    // not a member, permission missing
	RateLimited Reason = "rate limited"
	Rejected    Reason = "rejected" // anything else that a retry can not mend
)

func (e *PostError) Error() string {
	s := string(e.Reason)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *PostError) Unwrap() error { return e.Err }

// A Directory answers what a platform knows of people.
type Directory interface {
	// MaySchedule reports whether the author of m may set reminders for
	// channel.
	MaySchedule(ctx context.Context, m Message, channel string) (bool, error)
	// Zone is the user's IANA time zone, or "" where the platform has none.
	Zone(ctx context.Context, user string) (string, error)
}
