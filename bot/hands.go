package bot

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// InHand is how many questions an adapter has in hand at most. Answers take
// microseconds: so many pile up only when a platform or the database is slow,
// or in a flood. A question in hand takes some 15 KB, its answer included, so
// that a full adapter takes some 15 MB.
const InHand = 1024

// Busy is what a person reads whose question is one too many, where podium can
// tell them.
const Busy = "More questions reach me at once than I can take. Please ask again in a minute."

// BusyReply is the reply that says Busy.
func BusyReply() Reply {
	r := TextReply(Busy)
	r.Request = Overload
	return r
}

// Why Hands takes no question.
var (
	ErrBusy     = errors.New("as many questions are in hand as there may be")
	ErrStopping = errors.New("podium is stopping")
)

// Hands holds the questions that an adapter has in hand: no more than there
// may be, none for longer than it may take, and none any more once the adapter
// has ended.
type Hands struct {
	o      HandsOptions
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	held     int
	warned   time.Time // when the log last told of too many
	stopping bool
	work     sync.WaitGroup
}

// HandsOptions are what NewHands needs: all of it.
type HandsOptions struct {
	Platform string
	Most     int           // questions at once
	Each     time.Duration // that a question may take
	Meter    Meter
	Log      *slog.Logger
}

// NewHands returns empty Hands. The questions' contexts are ctx's.
func NewHands(ctx context.Context, o HandsOptions) *Hands {
	h := &Hands{o: o}
	h.ctx, h.cancel = context.WithCancel(ctx)
	return h
}

// A Hand is one question in hand. It belongs to one goroutine.
type Hand struct {
	// Context is done when the question has taken too long, or when podium can
	// wait for it no longer.
	Context context.Context

	hands  *Hands
	cancel context.CancelFunc
}

// Take takes the question with the platform's id into hand. The error is
// ErrBusy or ErrStopping; without one, Done must be called, or Go.
func (h *Hands) Take(id string) (*Hand, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.stopping:
		return nil, ErrStopping
	case h.held == h.o.Most:
		h.o.Meter.TurnedAway(h.o.Platform, Overload)
		if time.Since(h.warned) > time.Minute {
			h.warned = time.Now()
			h.o.Log.Warn("questions are turned away: as many are in hand as there may be", "in hand", h.held)
		}
		return nil, ErrBusy
	}
	h.held++
	h.work.Add(1)
	h.o.Meter.InHand(h.o.Platform, 1)
	ctx, cancel := context.WithTimeout(WithID(h.ctx, id), h.o.Each)
	return &Hand{Context: ctx, hands: h, cancel: cancel}, nil
}

// Done lets go of the question. After Done or Go it does nothing.
func (q *Hand) Done() {
	h := q.hands
	if h == nil {
		return
	}
	q.hands = nil
	q.cancel()
	h.mu.Lock()
	h.held--
	h.mu.Unlock()
	h.o.Meter.InHand(h.o.Platform, -1)
	h.work.Done()
}

// Go has f go on with the question in a goroutine of its own, and lets go of
// it when f returns. A panic in f goes to the log and ends f alone.
func (q *Hand) Go(f func(ctx context.Context)) {
	held := &Hand{hands: q.hands, cancel: q.cancel}
	q.hands = nil
	go func() {
		defer held.Done()
		defer func() {
			if p := recover(); p != nil {
				held.hands.o.Log.ErrorContext(q.Context, "a question was lost", "error", Panicked(p))
			}
		}()
		f(q.Context)
	}()
}

// Go takes a question into hand and has f answer it in a goroutine of its own.
// The error is Take's.
func (h *Hands) Go(id string, f func(ctx context.Context)) error {
	q, err := h.Take(id)
	if err == nil {
		q.Go(f)
	}
	return err
}

// Wait waits until no question is in hand.
func (h *Hands) Wait() { h.work.Wait() }

// Finish takes no more questions and waits for those in hand. Their contexts
// are done after drain.
func (h *Hands) Finish(drain time.Duration) {
	h.mu.Lock()
	h.stopping = true
	h.mu.Unlock()
	giveUp := time.AfterFunc(drain, h.cancel)
	defer giveUp.Stop()
	h.work.Wait()
	h.cancel()
}
