package schedule

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/store"
)

// A fake is a platform in memory.
type fake struct {
	mu         sync.Mutex
	posts      []post
	told       []string
	before     func(n int, key string) error // called with the number of earlier calls; its error is Post's, and nothing is posted
	after      func(n int, key string) error // the same once the post is made
	find       func(key string) error
	repeatable time.Duration // Post knows a key again for so long
	calls      int
	changed    chan struct{} // gets a value when something has happened
}

type post struct {
	channel, key, text string
	at                 time.Time
}

func newFake() *fake { return &fake{changed: make(chan struct{}, 1)} }

func (f *fake) signal() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

func (f *fake) Post(ctx context.Context, channel, key string, r bot.Reply) (bot.MessageRef, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.signal()
	n := f.calls
	f.calls++
	if f.before != nil {
		if err := f.before(n, key); err != nil {
			return bot.MessageRef{}, err
		}
	}
	for i, p := range f.posts {
		if p.key == key && time.Since(p.at) < f.repeatable {
			return bot.MessageRef{Platform: "fake", Channel: channel, ID: fmt.Sprint(i + 1)}, nil
		}
	}
	f.posts = append(f.posts, post{channel, key, r.Text(), time.Now()})
	ref := bot.MessageRef{Platform: "fake", Channel: channel, ID: fmt.Sprint(len(f.posts))}
	if f.after != nil {
		if err := f.after(n, key); err != nil {
			return bot.MessageRef{}, err
		}
	}
	return ref, nil
}

func (f *fake) Find(ctx context.Context, channel, key string, since time.Time) (bot.MessageRef, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.find != nil {
		if err := f.find(key); err != nil {
			return bot.MessageRef{}, false, err
		}
	}
	for i, p := range f.posts {
		if p.channel == channel && p.key == key && p.at.After(since) {
			return bot.MessageRef{Platform: "fake", Channel: channel, ID: fmt.Sprint(i + 1)}, true, nil
		}
	}
	return bot.MessageRef{}, false, nil
}

func (f *fake) Repeatable() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.repeatable
}

func (f *fake) CanPost(context.Context, string) error { return nil }

func (f *fake) Tell(_ context.Context, user string, r bot.Reply) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.signal()
	f.told = append(f.told, user+": "+r.Text())
	return nil
}

func (f *fake) MaySchedule(context.Context, bot.Message, string) (bool, error) { return true, nil }
func (f *fake) Zone(context.Context, string) (string, error)                   { return "", nil }

func (f *fake) made() []post {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.posts)
}

func (f *fake) tales() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.told)
}

// composer posts a reminder's title.
type composer struct{}

func (composer) Compose(_ context.Context, r bot.Reminder, d bot.Due) (bot.Reply, error) {
	if r.Ref == "gone" {
		return bot.Reply{}, bot.ErrGone
	}
	text := r.Title
	if d.Late() {
		text += " (late)"
	}
	reply := bot.TextReply(text)
	reply.Parts[0].Ref = r.Ref
	return reply, nil
}

// onEach runs f with a store of each kind.
func onEach(t *testing.T, f func(t *testing.T, st *store.SQL)) {
	t.Run("sqlite", func(t *testing.T) {
		f(t, openStore(t, "sqlite:"+filepath.Join(t.TempDir(), "podium.db")))
	})
	t.Run("postgres", func(t *testing.T) { f(t, openStore(t, bottest.Postgres(t))) })
}

func openStore(t testing.TB, address string) *store.SQL {
	t.Helper()
	st, err := store.Open(t.Context(), address, store.Options{Serve: true, Create: true, Wait: time.Second, References: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return st
}

// A bench is Reminders on a store and a fake platform.
type testbed struct {
	*Reminders
	t    testing.TB
	fake *fake
	stop func()
}

func newTestbed(t testing.TB, st *store.SQL, limit Limit) *testbed {
	t.Helper()
	return newTestbedAt(t, st, limit, nil)
}

// newTestbedAt is newTestbed with a clock.
func newTestbedAt(t testing.TB, st *store.SQL, limit Limit, now func() time.Time) *testbed {
	t.Helper()
	r, err := New(t.Context(), Options{Store: st, Log: slog.New(slog.DiscardHandler), Limits: map[string]Limit{"fake": limit}, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	r.settle = 100 * time.Millisecond
	b := &testbed{Reminders: r, t: t, fake: newFake()}
	r.Connect("fake", b.fake, b.fake)
	return b
}

// start runs it until stop or the end of the test.
func (b *testbed) start() {
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error)
	go func() { ended <- b.Run(ctx, composer{}) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Errorf("Run: %v", err)
		}
	})
	b.t.Cleanup(b.stop)
}

// add keeps an active reminder whose next occurrence is due, without a job for
// it: the reconciler is to find it.
func (b *testbed) add(id, words string, start, due time.Time) bot.Reminder {
	b.t.Helper()
	r := bot.Reminder{ID: id, Platform: "fake", Channel: "c", Author: bot.User{ID: "ann"}, Schedule: words, Zone: "UTC",
		Start: start.UTC().Truncate(time.Second), Title: "title of " + id, State: bot.Active, Next: due.UTC().Truncate(time.Second)}
	if ok, err := b.store.AddReminder(b.t.Context(), r); err != nil || !ok {
		b.t.Fatal(ok, err)
	}
	return r
}

// eventually waits until f says so.
func (b *testbed) eventually(what string, f func() bool) {
	b.t.Helper()
	timeout := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-b.fake.changed:
		case <-tick.C:
		case <-timeout:
			b.t.Fatalf("%s: not after 30 s; posts %v, told %q", what, b.fake.made(), b.fake.tales())
		}
	}
}

// delivered waits for the final state of an occurrence.
func (b *testbed) delivered(r bot.Reminder, due time.Time, want bot.DeliveryState) bot.Delivery {
	b.t.Helper()
	var d bot.Delivery
	b.eventually(fmt.Sprintf("%s at %s is %s", r.ID, due, want), func() bool {
		var ok bool
		var err error
		if d, ok, err = b.store.Delivery(b.t.Context(), r.ID, due); err != nil {
			b.t.Fatal(err)
		}
		return ok && d.State == want
	})
	return d
}

func (b *testbed) reminder(id string) bot.Reminder {
	b.t.Helper()
	r, ok, err := b.store.Reminder(b.t.Context(), id)
	if err != nil || !ok {
		b.t.Fatalf("reminder %s: %v, %v", id, ok, err)
	}
	return r
}

const hourly = "every hour"

func TestPost(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.SQL) {
		b := newTestbed(t, st, Limit{})
		now := time.Now()
		r := b.add("aaaaa", hourly, now.Add(-time.Hour), now)
		withRef := r
		withRef.Ref = "troops"
		if ok, err := st.UpdateReminder(t.Context(), r, withRef); err != nil || !ok {
			t.Fatal(ok, err)
		}
		b.start()
		d := b.delivered(r, r.Next, bot.Posted)
		if posts := b.fake.made(); len(posts) != 1 || posts[0].key != d.Key() || posts[0].text != "title of aaaaa" || posts[0].channel != "c" {
			t.Errorf("posts %+v", posts)
		}
		if want := (bot.MessageRef{Platform: "fake", Channel: "c", ID: "1"}); d.Message != want {
			t.Errorf("message %+v, want %+v", d.Message, want)
		}
		if ref, ok, err := st.ReferenceOf(t.Context(), d.Message); err != nil || !ok || ref.Ref != "troops" {
			t.Errorf("the post's reference is %+v, %v, %v", ref, ok, err)
		}
		b.eventually("the next occurrence", func() bool {
			next := b.reminder("aaaaa").Next
			return next.After(now) && next.Before(now.Add(time.Hour+time.Minute))
		})
		if len(d.Key()) > 25 {
			t.Errorf("key %q is longer than 25 characters", d.Key())
		}
	})
}

// TestAmbiguous: the outcome of an attempt is not known, and the platform is
// asked.
func TestAmbiguous(t *testing.T) {
	lost := errors.New("connection reset")
	tests := []struct {
		name          string
		before, after error // of the first attempt, before and after it takes effect
		find          error
		want          bot.DeliveryState
		posts         int
		told          string
		repeatable    time.Duration
	}{
		{"arrived", nil, lost, nil, bot.Posted, 1, "", 0},
		{"lost", lost, nil, nil, bot.Posted, 1, "", 0},
		{"can not tell", nil, lost, bot.ErrUnknown, bot.Unknown, 1, "may or may not have been posted", 0},
		{"can not tell, lost", lost, nil, bot.ErrUnknown, bot.Unknown, 0, "may or may not have been posted", 0},
		{"may not look", nil, lost, &bot.PostError{Reason: bot.NoAccess}, bot.Unknown, 1, "does not let podium look", 0},
		{"rate limited", &bot.PostError{Reason: bot.RateLimited, After: time.Second}, nil, nil, bot.Posted, 1, "", 0},
		{"rejected", &bot.PostError{Reason: bot.Rejected, Remedy: "Shorten it."}, nil, nil, bot.Skipped, 0, "the platform refused it. Shorten it.", 0},
		{"can not tell, but repeat", nil, lost, bot.ErrUnknown, bot.Posted, 1, "", time.Minute},
		{"can not tell, lost, but repeat", lost, nil, bot.ErrUnknown, bot.Posted, 1, "", time.Minute},
	}
	onEach(t, func(t *testing.T, st *store.SQL) {
		b := newTestbed(t, st, Limit{})
		b.start()
		for i, test := range tests {
			b.fake.mu.Lock()
			b.fake.posts, b.fake.calls, b.fake.told = nil, 0, nil
			first := func(err error) func(int, string) error {
				return func(n int, _ string) error {
					if n == 0 {
						return err
					}
					return nil
				}
			}
			b.fake.before, b.fake.after = first(test.before), first(test.after)
			b.fake.find = func(string) error { return test.find }
			b.fake.repeatable = test.repeatable
			b.fake.mu.Unlock()
			now := time.Now()
			r := b.add(fmt.Sprintf("bbbb%d", i), hourly, now.Add(-time.Hour), now)
			if err := b.enqueueNext(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			b.delivered(r, r.Next, test.want)
			if posts := b.fake.made(); len(posts) != test.posts {
				t.Errorf("%s: posts %v, want %d", test.name, posts, test.posts)
			}
			if test.told != "" {
				b.eventually(test.name+": the author is told", func() bool { return len(b.fake.tales()) > 0 })
			}
			if told := b.fake.tales(); test.told == "" && len(told) > 0 || test.told != "" && (len(told) != 1 || !strings.Contains(told[0], test.told) || !strings.HasPrefix(told[0], "ann: ")) {
				t.Errorf("%s: told %q, want %q", test.name, told, test.told)
			}
			b.eventually(test.name+": the reminder goes on", func() bool {
				r := b.reminder(r.ID)
				return r.State == bot.Active && r.Next.After(now)
			})
		}
	})
}

// TestPaused: what can not be posted pauses the reminder, and its author is
// told once.
func TestPaused(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.SQL) {
		b := newTestbed(t, st, Limit{})
		b.fake.before = func(_ int, key string) error {
			return &bot.PostError{Reason: bot.NoAccess, Remedy: "Invite podium to the channel."}
		}
		b.start()
		now := time.Now()
		r := b.add("ccccc", hourly, now.Add(-time.Hour), now)
		gone := b.add("ddddd", hourly, now.Add(-time.Hour), now)
		changed := gone
		changed.Ref = "gone"
		if ok, err := b.store.UpdateReminder(t.Context(), gone, changed); err != nil || !ok {
			t.Fatal(ok, err)
		}
		for _, r := range []bot.Reminder{r, gone} {
			if err := b.enqueueNext(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			b.delivered(r, r.Next, bot.Skipped)
		}
		b.eventually("both authors are told", func() bool { return len(b.fake.tales()) == 2 })
		told := b.fake.tales()
		slices.Sort(told)
		for i, want := range []string{"Reminder ccccc (every hour: title of ccccc) is paused. Invite podium to the channel. Then: remind resume ccccc.", "no longer in the knowledge file"} {
			if !strings.Contains(told[i], want) {
				t.Errorf("told %q, want %q in it", told[i], want)
			}
		}
		if r := b.reminder("ccccc"); r.State != bot.Paused || r.Problem != "Invite podium to the channel." {
			t.Errorf("state %q, problem %q", r.State, r.Problem)
		}
		b.fake.mu.Lock()
		b.fake.before = nil
		b.fake.mu.Unlock()
		resumed, err := b.Resume(t.Context(), b.reminder("ccccc"))
		if err != nil || resumed.State != bot.Active || !resumed.Next.After(now) || resumed.Problem != "" {
			t.Errorf("resumed %+v, %v", resumed, err)
		}
	})
}

// TestMissed: podium was not running when these were due.
func TestMissed(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Minute)
	once := func(ago time.Duration) string { return now.Add(-ago).Format("2006-01-02 15:04") }
	tests := []struct {
		words   string
		ago     time.Duration // since it was due
		posts   []string      // texts
		skipped int
		state   bot.ReminderState
	}{
		{hourly, 5 * time.Minute, []string{"(late)"}, 0, bot.Active},
		{"every day at " + now.Add(-20*time.Minute).Format("15:04"), 20 * time.Minute, nil, 1, bot.Active},
		{"every day at " + now.Add(-20*time.Minute).Format("15:04"), 24*10*time.Hour + 20*time.Minute, nil, 11, bot.Active},
		{"every day at " + now.Add(-5*time.Minute).Format("15:04"), 24*10*time.Hour + 5*time.Minute, []string{"(late)"}, 10, bot.Active},
		{"every 5 minutes", 10 * 24 * time.Hour, []string{"(late)", "(late)", ""}, 2878, bot.Active},
		{once(2 * time.Hour), 2 * time.Hour, []string{"(late)"}, 0, bot.Done},
		{once(25 * time.Hour), 25 * time.Hour, nil, 1, bot.Done},
		{"every day at " + now.Add(-20*time.Minute).Format("15:04") + " 3 times", 48*time.Hour + 20*time.Minute, nil, 3, bot.Done},
	}
	onEach(t, func(t *testing.T, st *store.SQL) {
		b := newTestbed(t, st, Limit{})
		var list []bot.Reminder
		for i, test := range tests {
			due := now.Add(-test.ago)
			list = append(list, b.add(fmt.Sprintf("eeee%d", i), test.words, due.Add(-5*time.Minute), due))
		}
		b.start()
		for i, test := range tests {
			r := list[i]
			b.eventually(test.words+" goes on", func() bool {
				r := b.reminder(r.ID)
				return r.State == test.state && (r.Next.IsZero() || r.Next.After(now))
			})
			var posts []post
			for _, p := range b.fake.made() {
				if strings.HasPrefix(p.key, r.ID) {
					posts = append(posts, p)
				}
			}
			if len(posts) != len(test.posts) {
				t.Errorf("%s, %v ago: posts %v, want %d", test.words, test.ago, posts, len(test.posts))
			} else if len(posts) > 0 && !strings.HasSuffix(posts[0].text, test.posts[0]) {
				t.Errorf("%s, %v ago: posts %q, want %q", test.words, test.ago, posts[0].text, test.posts[0])
			}
			counts := make(map[bot.DeliveryState]int)
			if err := st.Deliveries(t.Context(), now.Add(-time.Hour), func(d bot.Delivery) error {
				if d.Reminder == r.ID {
					counts[d.State]++
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if counts[bot.Skipped] != test.skipped || counts[bot.Posted] != len(test.posts) || len(counts) > 2 {
				t.Errorf("%s, %v ago: deliveries %v, want %d skipped and %d posted", test.words, test.ago, counts, test.skipped, len(test.posts))
			}
		}
	})
}

// TestMigrate: reminders that were moved to another database, without River's
// jobs, are posted from there, and what was posted before is not posted again.
func TestMigrate(t *testing.T) {
	from := openStore(t, "sqlite:"+filepath.Join(t.TempDir(), "podium.db"))
	to := openStore(t, bottest.Postgres(t))
	b := newTestbed(t, from, Limit{})
	now := time.Now()
	r := b.add("ggggg", hourly, now.Add(-time.Hour), now)
	b.start()
	b.delivered(r, r.Next, bot.Posted)
	b.eventually("the next occurrence", func() bool { return b.reminder(r.ID).Next.After(now) })
	b.stop()
	// Set back to what is posted already: as if the move had been made before.
	moved := b.reminder(r.ID)
	if ok, err := from.UpdateReminder(t.Context(), moved, r); err != nil || !ok {
		t.Fatal(ok, err)
	}
	later := b.add("hhhhh", hourly, now.Add(-time.Hour), now)
	if _, err := from.CopyTo(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	after := newTestbed(t, to, Limit{})
	after.start()
	after.delivered(later, later.Next, bot.Posted)
	after.eventually("the moved reminder goes on", func() bool { return after.reminder(r.ID).Next.After(now) })
	if posts := after.fake.made(); len(posts) != 1 || posts[0].text != "title of hhhhh" {
		t.Errorf("posts from the new database %v, want that of hhhhh alone", posts)
	}
}

// TestStop: a post in hand at the end is finished; one that hangs is cut off,
// and looked up by the next process.
func TestStop(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.SQL) {
		b := newTestbed(t, st, Limit{})
		inHand := make(chan struct{})
		hang := make(chan struct{})
		b.fake.after = func(n int, _ string) error {
			if n > 0 {
				return nil
			}
			close(inHand)
			<-hang
			return context.Canceled
		}
		now := time.Now()
		r := b.add("fffff", hourly, now.Add(-time.Hour), now)
		b.start()
		<-inHand
		begin := time.Now()
		time.AfterFunc(stopWait+200*time.Millisecond, func() { close(hang) })
		b.stop()
		if took := time.Since(begin); took > 4*time.Second {
			t.Errorf("stopping took %v", took)
		}
		if d, _, err := st.Delivery(t.Context(), r.ID, r.Next); err != nil || d.State != bot.Posting {
			t.Errorf("delivery %+v, %v, want it posting", d, err)
		}
		b.start()
		b.delivered(r, r.Next, bot.Posted)
		if posts := b.fake.made(); len(posts) != 1 {
			t.Errorf("posts %v, want one", posts)
		}
	})
}

// TestDiskFull: the disk fills up while a post is made. Whether its outcome
// could still be written or not, it is posted once.
func TestDiskFull(t *testing.T) {
	st := openStore(t, "sqlite:"+filepath.Join(t.TempDir(), "podium.db"))
	limit := func(pages string) {
		// The writing connection is the only one.
		if _, err := st.SQLite().Exec("PRAGMA max_page_count = " + pages); err != nil {
			t.Error(err)
		}
	}
	b := newTestbed(t, st, Limit{})
	now := time.Now()
	r := b.add("iiiii", hourly, now.Add(-time.Hour), now.Add(6*time.Second))
	if err := b.enqueueNext(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	full := make(chan struct{})
	b.fake.after = func(n int, _ string) error {
		if n == 0 {
			limit("1") // no more than there are
			// Every page that is there is in use.
			for i := 0; ; i++ {
				junk := bot.Reminder{ID: fmt.Sprint("junk", i), Title: strings.Repeat("x", 3000), State: bot.Draft, Start: now}
				if _, err := st.AddReminder(context.Background(), junk); err != nil {
					break
				}
			}
			close(full)
		}
		return nil
	}
	b.start()
	<-full
	early := b.tryAdd(t, "jjjjj", now)
	if early == nil {
		t.Error("a reminder was kept on a full disk")
	}
	limit("1073741823")
	b.delivered(r, r.Next, bot.Posted)
	if posts := b.fake.made(); len(posts) != 1 {
		t.Errorf("posts %v, want one", posts)
	}
}

// tryAdd is the error of keeping a reminder.
func (b *testbed) tryAdd(t *testing.T, id string, due time.Time) error {
	_, err := b.store.AddReminder(t.Context(), bot.Reminder{ID: id, Platform: "fake", Title: strings.Repeat("y", 3000), State: bot.Active, Start: due, Next: due})
	return err
}

// TestDatabaseGone: the database can not be reached for a while, with a post in
// hand and others coming due.
func TestDatabaseGone(t *testing.T) {
	gate := bottest.NewGate(t, bottest.Postgres(t))
	b := newTestbed(t, openStore(t, gate.Address), Limit{})
	now := time.Now()
	inHand := make(chan struct{})
	b.fake.after = func(n int, _ string) error {
		if n == 0 {
			gate.Shut()
			close(inHand)
		}
		return nil
	}
	var list []bot.Reminder
	for i := range 5 {
		r := b.add(fmt.Sprint("kkkk", i), hourly, now.Add(-time.Hour), now.Add(time.Duration(i)*2*time.Second))
		if err := b.enqueueNext(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	b.start()
	<-inHand
	<-time.After(*goneFor)
	gate.Open()
	for _, r := range list {
		b.delivered(r, r.Next, bot.Posted)
	}
	if posts := b.fake.made(); len(posts) != len(list) {
		t.Errorf("posts %v, want %d", posts, len(list))
	}
}

// onError is a log that does something at each error.
type onError struct {
	slog.Handler
	do func()
}

func (l onError) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

func (l onError) Handle(context.Context, slog.Record) error {
	l.do()
	return nil
}

// TestDatabaseGoneAtTheStart: the database can not be reached, or does not
// answer, just when Run begins.
func TestDatabaseGoneAtTheStart(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*bottest.Gate){"shut": (*bottest.Gate).Shut, "silent": (*bottest.Gate).Hold} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gate := bottest.NewGate(t, bottest.Postgres(t))
			b := newTestbed(t, openStore(t, gate.Address), Limit{})
			now := time.Now()
			b.add("qqqqq", hourly, now.Add(-time.Hour), now)
			b.log = slog.New(onError{slog.DiscardHandler, gate.Open})
			leave(gate)
			b.start()
			b.eventually("the post", func() bool { return len(b.fake.made()) == 1 })
		})
	}
}

var goneFor = flag.Duration("database.gone", 5*time.Second, "how long TestDatabaseGone keeps the database away")

// A wall is a clock that can be set.
type wall struct{ ahead atomic.Int64 }

func (c *wall) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *wall) set(ahead time.Duration) { c.ahead.Store(int64(ahead)) }

// TestClockSetBack sets the clock back by an hour: podium's and River's, not
// the platform's. What was posted before is not posted again, and what is due
// waits for its time.
func TestClockSetBack(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.SQL) {
		clock := new(wall)
		b := newTestbedAt(t, st, Limit{}, clock.now)
		now := time.Now()
		posted := b.add("lllll", hourly, now.Add(-time.Hour), now)
		b.start()
		b.delivered(posted, posted.Next, bot.Posted)
		b.eventually("the next occurrence", func() bool { return b.reminder(posted.ID).Next.After(posted.Next) })
		next := b.reminder(posted.ID).Next
		clock.set(-time.Hour)
		waiting := b.add("mmmmm", hourly, now.Add(-3*time.Hour), now)
		due := b.add("nnnnn", hourly, now.Add(-3*time.Hour), now.Add(-time.Hour))
		// As if the jobs had been due just before.
		var many []river.InsertManyParams
		for _, r := range []bot.Reminder{posted, waiting} {
			o := occurrence{r.ID, r.Next.Unix()}
			many = append(many, params("fake", o, o.due()))
		}
		if _, err := b.insert.InsertMany(t.Context(), many); err != nil {
			t.Fatal(err)
		}
		if err := b.enqueueNext(t.Context(), due); err != nil {
			t.Fatal(err)
		}
		b.delivered(due, due.Next, bot.Posted)
		b.stop()
		if posts := b.fake.made(); len(posts) != 2 || posts[1].text != "title of nnnnn" {
			t.Errorf("posts %v, want those of lllll and nnnnn", posts)
		}
		if got := b.reminder(posted.ID).Next; !got.Equal(next) {
			t.Errorf("the next occurrence is %s, want %s", got, next)
		}
		if _, tried, err := st.Delivery(t.Context(), waiting.ID, waiting.Next); tried || err != nil {
			t.Errorf("an occurrence was tried before its time: %v", err)
		}
	})
}

// TestClockPutRight: the clock was fast by an hour and is put right while the
// outcome of an attempt is not known.
func TestClockPutRight(t *testing.T) {
	lost := errors.New("connection reset")
	onEach(t, func(t *testing.T, st *store.SQL) {
		for i, test := range []struct {
			name       string
			arrived    bool
			find       error
			repeatable time.Duration
			want       bot.DeliveryState // soon
			posts      int
		}{
			{"arrived", true, nil, 0, bot.Posted, 1},
			{"lost", false, nil, 0, bot.Posting, 0},
			{"can not tell, but repeat", true, bot.ErrUnknown, time.Minute, bot.Unknown, 1}, // nobody knows how long ago it was
		} {
			clock := new(wall)
			clock.set(time.Hour)
			b := newTestbedAt(t, st, Limit{}, clock.now)
			putRight := func(n int, _ string) error {
				if n > 0 {
					return nil
				}
				clock.set(0)
				return lost
			}
			if test.arrived {
				b.fake.after = putRight
			} else {
				b.fake.before = putRight
			}
			looked := make(chan struct{}, 100)
			b.fake.find = func(string) error { looked <- struct{}{}; return test.find }
			b.fake.repeatable = test.repeatable
			r := b.add(fmt.Sprint("ooooo", i), hourly, clock.now().Add(-time.Hour), clock.now())
			b.start()
			b.delivered(r, r.Next, test.want)
			<-looked
			if test.want == bot.Posting {
				<-looked // and has settled
				b.eventually(test.name+": it waits for its time", func() bool {
					d, _, err := st.Delivery(t.Context(), r.ID, r.Next)
					return err == nil && d.Tried.Before(r.Next)
				})
			}
			if posts := b.fake.made(); len(posts) != test.posts {
				t.Errorf("%s: posts %v, want %d", test.name, posts, test.posts)
			}
			if test.want == bot.Posting {
				b.stop() // so that its job is put off by the clock as it is
				clock.set(time.Hour)
				b.start() // its time has come again
				b.delivered(r, r.Next, bot.Posted)
				if posts := b.fake.made(); len(posts) != 1 {
					t.Errorf("%s: posts %v at its time, want 1", test.name, posts)
				}
			}
			b.stop()
		}
	})
}

// TestTurns: a full channel does not hold up the others, and no channel gets
// more than its share.
func TestTurns(t *testing.T) {
	now := time.Unix(0, 0)
	turns := newTurns(map[string]Limit{"fake": {Channel: time.Second, Platform: 100 * time.Millisecond}})
	type waiting struct {
		channel, key string
		at           time.Time
	}
	var queue []waiting
	for i := range 100 {
		queue = append(queue, waiting{"full", fmt.Sprint("full", i), now})
	}
	for i := range 20 {
		queue = append(queue, waiting{fmt.Sprint("c", i%4), fmt.Sprint("other", i), now})
	}
	posted := make(map[string][]time.Duration)
	for len(queue) > 0 {
		slices.SortStableFunc(queue, func(a, b waiting) int { return a.at.Compare(b.at) })
		next := queue[0]
		if wait := turns.take("fake", next.channel, next.key, next.at); wait > 0 {
			queue[0].at = next.at.Add(wait)
			continue
		}
		queue = queue[1:]
		posted[next.channel] = append(posted[next.channel], next.at.Sub(now))
		posted[""] = append(posted[""], next.at.Sub(now))
	}
	if last := posted["full"][99]; last < 99*time.Second || last > 105*time.Second {
		t.Errorf("the full channel's last post is at %v", last)
	}
	for i := range 4 {
		if last := posted[fmt.Sprint("c", i)][4]; last > 6*time.Second {
			t.Errorf("channel c%d waits until %v", i, last)
		}
	}
	for i, at := range posted[""][1:] {
		if at-posted[""][i] < 100*time.Millisecond {
			t.Errorf("posts %v and %v are too close", posted[""][i], at)
		}
	}
	turns.hold("fake", "c0", now.Add(time.Hour), 30*time.Second)
	if wait := turns.take("fake", "c0", "held", now.Add(time.Hour)); wait != 30*time.Second {
		t.Errorf("a held channel waits %v", wait)
	}
	turns.sweep(now.Add(2 * time.Hour))
	if len(turns.given)+len(turns.free) != 0 {
		t.Errorf("left over: %v, %v", turns.given, turns.free)
	}
}

// TestCommands: what handlers do with reminders.
func TestCommands(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.SQL) {
		b := newTestbed(t, st, Limit{})
		ctx := t.Context()
		base := bot.Reminder{Platform: "fake", Workspace: "w", Channel: "c", Label: "#general", Author: bot.User{ID: "ann", Name: "Ann"}, Zone: "Europe/Berlin", Ref: "troops", Title: "How many troops"}
		plan := func(words string) bot.Reminder {
			t.Helper()
			r, err := b.Plan(base, words)
			if err != nil {
				t.Fatal(err)
			}
			if r, err = b.Draft(ctx, r); err != nil {
				t.Fatal(err)
			}
			return r
		}
		draft := plan("every weekday at 9:00")
		if list, err := b.Reminders.Reminders(ctx, "fake", "w"); err != nil || len(list) != 0 {
			t.Errorf("a draft is listed: %v, %v", list, err)
		}
		active, err := b.Confirm(ctx, draft)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.reminder(draft.ID); got != active || got.State != bot.Active || got.Schedule != "every weekday at 09:00" || got.Zone != "Europe/Berlin" {
			t.Errorf("confirmed %+v\nkept %+v", active, got)
		}
		if _, err := b.Confirm(ctx, draft); !refused(err) {
			t.Errorf("a second confirmation: %v", err)
		}
		// An edit.
		edit := plan("every monday at 10:00")
		edit.Replaces = active.ID
		edited, err := b.Confirm(ctx, edit)
		if err != nil || edited.ID != active.ID || edited.Schedule != "every monday at 10:00" || edited.Replaces != "" {
			t.Errorf("edited %+v, %v", edited, err)
		}
		if _, ok, err := st.Reminder(ctx, edit.ID); ok || err != nil {
			t.Errorf("the draft is still there: %v", err)
		}
		// Pause, resume, delete.
		if err := b.Pause(ctx, edited); err != nil {
			t.Fatal(err)
		}
		if err := b.Pause(ctx, edited); !refused(err) {
			t.Errorf("pausing what has changed: %v", err)
		}
		if r, err := b.Resume(ctx, b.reminder(edited.ID)); err != nil || r.State != bot.Active {
			t.Errorf("resumed %+v, %v", r, err)
		}
		if zone, err := b.Zone(ctx, bot.Message{Platform: "fake", Workspace: "w"}, "c"); err != nil || zone != "Europe/Berlin" {
			t.Errorf("the channel's zone is %q, %v", zone, err)
		}
		if list, err := b.Upcoming(edited, 3); err != nil || len(list) != 3 || list[0].At.Weekday() != time.Monday {
			t.Errorf("upcoming %v, %v", list, err)
		}
		if err := b.Delete(ctx, edited.ID); err != nil {
			t.Fatal(err)
		}
		if list, err := b.Reminders.Reminders(ctx, "fake", "w"); err != nil || len(list) != 0 {
			t.Errorf("left %v, %v", list, err)
		}
		// A draft that nobody confirms.
		old := plan("every day at 9:00")
		old.Start = old.Start.Add(-2 * time.Hour)
		if _, err := b.Confirm(ctx, old); !refused(err) {
			t.Errorf("an old draft: %v", err)
		}
		if err := st.Purge(ctx, time.Now().Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := st.Reminder(ctx, old.ID); ok || err != nil {
			t.Errorf("an old draft is kept: %v", err)
		}
		// Too many.
		for range maxInChannel {
			if _, err := b.Confirm(ctx, plan("every day at 9:00")); err != nil {
				t.Fatal(err)
			}
		}
		r, err := b.Plan(base, "every day at 9:00")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Draft(ctx, r); !refused(err) {
			t.Errorf("one too many in a channel: %v", err)
		}
	})
}

func refused(err error) bool {
	var r *bot.Refusal
	return errors.As(err, &r)
}

// TestRiverRests while no job is near, and only then.
func TestRiverRests(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.SQL) {
		b := newTestbed(t, st, Limit{})
		w := &worker{reminders: b.Reminders, composer: composer{}, turns: newTurns(b.limits)}
		var work jobs
		t.Cleanup(func() { b.Reminders.stop(context.Background(), work) })
		look := func(when string, want bool) {
			t.Helper()
			var err error
			if work, err = b.wake(t.Context(), b.names(), w, work); err != nil {
				t.Fatal(err)
			}
			if (work != nil) != want {
				t.Errorf("%s River runs: %v, want %v", when, work != nil, want)
			}
		}
		look("without a job", false)
		r := b.add("r1", "every day at 12:00", time.Now().Add(-time.Hour), time.Now().Add(stopAhead+2*time.Minute))
		if err := b.enqueueNext(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		look("with a job that is far", false)
		r = b.add("r2", "every day at 12:00", time.Now().Add(-time.Hour), time.Now().Add(2*time.Second))
		if err := b.enqueueNext(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		look("with a job that is near", true)
		b.eventually("posted", func() bool { return len(b.fake.made()) == 1 })
		b.eventually("at rest", func() bool {
			var err error
			work, err = b.wake(t.Context(), b.names(), w, work)
			return err == nil && work == nil
		})
		b.add("r3", "every day at 12:00", time.Now().Add(-time.Hour), time.Now())
		b.start() // finds it by itself
		b.eventually("posted", func() bool { return len(b.fake.made()) == 2 })
	})
}

// TestNoPoster: a process that can not post on a platform sets its reminders,
// and leaves their jobs to one that can.
func TestNoPoster(t *testing.T) {
	onEach(t, func(t *testing.T, st *store.SQL) {
		b := newTestbed(t, st, Limit{})
		mute, err := New(t.Context(), Options{Store: st, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		mute.Connect("fake", nil, b.fake)
		if names := mute.names(); len(names) != 0 {
			t.Errorf("it posts on %v", names)
		}
		if e, ok := errors.AsType[*bot.PostError](mute.CanPost(t.Context(), "fake", "c")); !ok || e.Remedy == "" {
			t.Errorf("CanPost: %v, want a refusal with a remedy", e)
		}
		if may, err := mute.MaySchedule(t.Context(), bot.Message{Platform: "fake"}, "c"); err != nil || !may {
			t.Errorf("MaySchedule = %v, %v", may, err)
		}
		draft, err := mute.Plan(bot.Reminder{Platform: "fake", Workspace: "w", Channel: "c", Author: bot.User{ID: "ann"}, Zone: "UTC", Title: "t"}, "every day at 09:00")
		if err != nil {
			t.Fatal(err)
		}
		if draft, err = mute.Draft(t.Context(), draft); err != nil {
			t.Fatal(err)
		}
		if _, err := mute.Confirm(t.Context(), draft); err != nil {
			t.Errorf("Confirm: %v", err)
		}
	})
}
