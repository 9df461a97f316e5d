package bot

import (
	"context"
	"time"
)

// A Meter is told what happens, for the metrics and for the line that the log
// has of each message. Its methods return at once and are safe for concurrent
// use. cmd/podium has the one that counts; where nobody looks, NoMeter does.
type Meter interface {
	// InHand says that the questions in hand have become more, or fewer, by
	// delta.
	InHand(platform string, delta int)
	// Acknowledged says that the platform has the acknowledgement of an event,
	// so long after podium received it.
	Acknowledged(platform string, after time.Duration)
	// Replied says that the (first message of the) reply to m is with the
	// platform, or, by err, why it is not. ctx holds m's id.
	Replied(ctx context.Context, m Message, r Reply, err error)
	// TurnedAway says that a question was not taken: Overload or OverLimit.
	TurnedAway(platform, reason string)
	// Redelivered says that an event had come before, and was dropped.
	Redelivered(platform string)
	// RateLimited says that the platform has told podium to wait.
	RateLimited(platform string, wait time.Duration)
	// Reconnected says that there is a new connection in the place of one that
	// worked.
	Reconnected(platform string)
	// Delivered says what became of an occurrence: the state of d is final. ctx
	// holds the delivery's key as its id.
	Delivered(ctx context.Context, d Delivery)
}

// Why a question is turned away.
const (
	Overload  = "overload"   // as many are in hand as there may be
	OverLimit = "over_limit" // the asker, or the channel, has asked too much
)

// NoMeter counts nothing.
var NoMeter Meter = noMeter{}

type noMeter struct{}

func (noMeter) InHand(string, int)                             {}
func (noMeter) Acknowledged(string, time.Duration)             {}
func (noMeter) Replied(context.Context, Message, Reply, error) {}
func (noMeter) TurnedAway(string, string)                      {}
func (noMeter) Redelivered(string)                             {}
func (noMeter) RateLimited(string, time.Duration)              {}
func (noMeter) Reconnected(string)                             {}
func (noMeter) Delivered(context.Context, Delivery)            {}

type idKey struct{}

// WithID returns ctx with the id of the event that all work with it is for.
// Every line that is logged with the context bears it. It is the platform's
// own id, so that podium's log and the platform's can be laid side by side.
func WithID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

// ID is the id in ctx, or empty.
func ID(ctx context.Context) string {
	id, _ := ctx.Value(idKey{}).(string)
	return id
}
