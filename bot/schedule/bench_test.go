package schedule

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
)

// Each of these benchmarks is one measurement: run them with -benchtime 1x and
// -count for a median.

// benchEach runs f with the address of an empty database of each kind.
func benchEach(b *testing.B, f func(b *testing.B, address string)) {
	b.Run("sqlite", func(b *testing.B) { f(b, "sqlite:"+filepath.Join(b.TempDir(), "podium.db")) })
	b.Run("postgres", func(b *testing.B) { f(b, bottest.Postgres(b)) })
}

// fill keeps n reminders in so many channels, with jobs if they are due soon: due at a time or
// each a step later than the one before.
func (b *testbed) fill(n, channels int, due time.Time, step time.Duration) {
	b.t.Helper()
	for begin := 0; begin < n; begin += 1000 {
		byPlatform := make(map[occurrence]string)
		var list []occurrence
		var group []bot.Reminder
		for i := begin; i < min(begin+1000, n); i++ {
			at := due.Add(time.Duration(i) * step).UTC().Truncate(time.Second)
			r := bot.Reminder{ID: fmt.Sprintf("r%06d", i), Platform: "fake", Channel: fmt.Sprint("c", i%channels), Schedule: "every day at 12:00",
				Zone: "UTC", Start: time.Now().Add(-time.Hour).UTC().Truncate(time.Second), Title: "a reminder", State: bot.Active, Next: at}
			group = append(group, r)
			o := occurrence{r.ID, at.Unix()}
			if time.Until(at) < jobsAhead {
				byPlatform[o] = "fake"
				list = append(list, o)
			}
		}
		var adding sync.WaitGroup
		for part := range slices.Chunk(group, 20) {
			adding.Go(func() {
				for _, r := range part {
					if ok, err := b.store.AddReminder(b.t.Context(), r); err != nil || !ok {
						b.t.Error(ok, err)
					}
				}
			})
		}
		adding.Wait()
		if err := b.enqueue(b.t.Context(), byPlatform, list...); err != nil {
			b.t.Fatal(err)
		}
	}
}

// drained waits for n posts and returns when they were made.
func (b *testbed) drained(n int, within time.Duration) []time.Time {
	b.t.Helper()
	timeout := time.After(within)
	for len(b.fake.made()) < n {
		select {
		case <-b.fake.changed:
		case <-timeout:
			b.t.Fatalf("%d of %d posts within %v", len(b.fake.made()), n, within)
		}
	}
	var at []time.Time
	for _, p := range b.fake.made() {
		at = append(at, p.at)
	}
	return at
}

// BenchmarkInsert keeps active reminders with their jobs, as confirmations do,
// 50 at a time.
func BenchmarkInsert(b *testing.B) {
	benchEach(b, func(b *testing.B, address string) {
		bed := newTestbed(b, openStore(b, address), Limit{})
		start := time.Now().UTC().Truncate(time.Second)
		var n atomic.Int64
		b.SetParallelism(25)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				i := n.Add(1)
				r := bot.Reminder{ID: fmt.Sprintf("r%06d", i), Platform: "fake", Channel: "c", Schedule: "every day at 12:00", Zone: "UTC", Start: start,
					State: bot.Active, Next: start.Add(time.Duration(60+i%300) * time.Second)}
				if ok, err := bed.store.AddReminder(b.Context(), r); err != nil || !ok {
					b.Error(ok, err)
				}
				if err := bed.enqueueNext(b.Context(), r); err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(n.Load())/b.Elapsed().Seconds(), "inserts/s")
	})
}

// BenchmarkLatency measures from due to posted, 200 reminders a tenth of a
// second apart.
func BenchmarkLatency(b *testing.B) {
	benchEach(b, func(b *testing.B, address string) {
		for b.Loop() {
			bed := newTestbed(b, openStore(b, address), Limit{})
			due := time.Now().Add(12 * time.Second)
			bed.fill(200, 50, due, 100*time.Millisecond)
			bed.start()
			bed.drained(200, time.Minute)
			bed.stop()
			var late []time.Duration
			for _, p := range bed.fake.made() {
				id, _, _ := strings.Cut(p.key, "-")
				var i int
				fmt.Sscanf(id, "r%d", &i)
				late = append(late, p.at.Sub(due.Add(time.Duration(i)*100*time.Millisecond).Truncate(time.Second)))
			}
			slices.Sort(late)
			b.ReportMetric(late[len(late)/2].Seconds(), "median-s")
			b.ReportMetric(late[len(late)*95/100].Seconds(), "p95-s")
		}
	})
}

// BenchmarkDrain posts 5,000 reminders that are due at one instant.
func BenchmarkDrain(b *testing.B) {
	benchEach(b, func(b *testing.B, address string) {
		for b.Loop() {
			bed := newTestbed(b, openStore(b, address), Limit{})
			due := time.Now().Add(40 * time.Second)
			bed.fill(5000, 500, due, 0)
			if early := time.Until(due); early < 6*time.Second {
				b.Fatalf("filled only %v before they are due", early)
			}
			bed.start()
			at := bed.drained(5000, 3*time.Minute)
			bed.stop()
			b.ReportMetric(slices.MaxFunc(at, time.Time.Compare).Sub(due.Truncate(time.Second)).Seconds(), "drain-s")
		}
	})
}

// BenchmarkLimited posts 600 reminders in 30 channels of a platform that refuses
// what is above Slack's rates: one a second and channel, 20 a second in all.
func BenchmarkLimited(b *testing.B) {
	benchEach(b, func(b *testing.B, address string) {
		for b.Loop() {
			const allowed = 20 // a second
			bed := newTestbed(b, openStore(b, address), Limits[bot.Slack])
			bed.fake.before = rates(allowed)
			due := time.Now().Add(10 * time.Second)
			bed.fill(600, 30, due, 0)
			bed.start()
			at := bed.drained(600, 3*time.Minute)
			bed.stop()
			slices.SortFunc(at, time.Time.Compare)
			rate := float64(len(at)-1) / at[len(at)-1].Sub(at[0]).Seconds()
			b.ReportMetric(rate, "posts/s")
			b.ReportMetric(100*rate/allowed, "%-of-allowed")
			b.ReportMetric(float64(bed.fake.calls-len(at)), "refused")
		}
	})
}

// rates refuses what comes faster than so often a second, but for a burst of
// one second's worth, and faster than once a second and channel, but for two.
// Of the channel it knows that fill puts reminder i into channel i%30.
func rates(all int) func(n int, key string) error {
	type bucket struct {
		level float64
		at    time.Time
	}
	buckets := make(map[int]*bucket)
	take := func(name int, rate, burst float64) bool {
		now := time.Now()
		k := buckets[name]
		if k == nil {
			k = &bucket{at: now}
			buckets[name] = k
		}
		k.level = max(0, k.level-now.Sub(k.at).Seconds()*rate)
		k.at = now
		if k.level+1 > burst {
			return false
		}
		k.level++
		return true
	}
	return func(_ int, key string) error {
		var i int
		if _, err := fmt.Sscanf(key, "r%d", &i); err != nil {
			return err
		}
		if !take(i%30, 1, 2) || !take(-1, float64(all), float64(all)) {
			return &bot.PostError{Reason: bot.RateLimited, After: time.Second}
		}
		return nil
	}
}
