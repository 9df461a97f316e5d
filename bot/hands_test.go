package bot

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// handsMeter counts what Hands tell.
type handsMeter struct {
	Meter
	inHand, turnedAway atomic.Int32
}

func (m *handsMeter) InHand(_ string, delta int) { m.inHand.Add(int32(delta)) }
func (m *handsMeter) TurnedAway(platform, reason string) {
	if platform == Slack && reason == Overload {
		m.turnedAway.Add(1)
	}
}

func TestHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		meter := &handsMeter{Meter: NoMeter}
		h := NewHands(t.Context(), HandsOptions{Platform: Slack, Most: 2, Each: time.Minute, Meter: meter, Log: slog.New(slog.NewTextHandler(&log, nil))})
		first, err := h.Take("1")
		if err != nil {
			t.Fatal(err)
		}
		goOn := make(chan struct{})
		if err := h.Go("1", func(context.Context) { <-goOn; panic("a fault") }); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := h.Take("1"); err != ErrBusy {
				t.Errorf("Take of a third = %v, want ErrBusy", err)
			}
		}
		if n := strings.Count(log.String(), "turned away"); n != 1 {
			t.Errorf("the log tells of it %d times, want once:\n%s", n, &log)
		}
		if in, away := meter.inHand.Load(), meter.turnedAway.Load(); in != 2 || away != 3 {
			t.Errorf("the meter is told of %d in hand and %d turned away, want 2 and 3", in, away)
		}
		first.Done()
		first.Done()
		if first.Context.Err() == nil {
			t.Error("the context of a question that is done is not")
		}
		second, err := h.Take("1")
		if err != nil {
			t.Errorf("Take after Done = %v", err)
		}
		close(goOn)
		synctest.Wait()
		if !strings.Contains(log.String(), "panic: string in podium/bot.TestHands") || strings.Contains(log.String(), "a fault") {
			t.Errorf("the log has no panic:\n%s", &log)
		}
		third, err := h.Take("1")
		if err != nil {
			t.Errorf("Take after a panic = %v", err)
		}
		third.Go(func(ctx context.Context) { <-ctx.Done() })
		third.Done() // no longer this goroutine's to let go
		if _, err := h.Take("1"); err != ErrBusy {
			t.Errorf("Take while Go's function runs = %v, want ErrBusy", err)
		}
		start := time.Now()
		second.Go(func(ctx context.Context) { <-ctx.Done() })
		h.Wait()
		if took := time.Since(start); took != time.Minute {
			t.Errorf("questions that nobody answers took %v, want a minute", took)
		}
	})
}

func TestHandsFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHands(t.Context(), HandsOptions{Most: 2, Each: time.Minute, Meter: NoMeter, Log: slog.New(slog.DiscardHandler)})
		answered := false
		h.Go("1", func(ctx context.Context) {
			select {
			case <-time.After(time.Second):
				answered = true
			case <-ctx.Done():
			}
		})
		h.Go("1", func(ctx context.Context) { <-ctx.Done() })
		start := time.Now()
		done := make(chan struct{})
		go func() {
			h.Finish(3 * time.Second)
			close(done)
		}()
		synctest.Wait()
		if _, err := h.Take("1"); err != ErrStopping {
			t.Errorf("Take while stopping = %v, want ErrStopping", err)
		}
		<-done
		if took := time.Since(start); took != 3*time.Second || !answered {
			t.Errorf("Finish took %v, answered %v; want 3s, true", took, answered)
		}
		h.Finish(time.Hour) // all is done
	})
}
