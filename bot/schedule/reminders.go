package schedule

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"podium/bot"
	"podium/bot/store"
)

const (
	// Late posts: a recurring reminder's is made up to lateFor after its time,
	// a single one's up to onceLateFor.
	lateFor     = 15 * time.Minute
	onceLateFor = 24 * time.Hour

	draftFor       = time.Hour       // a draft may be confirmed for so long
	reconcileEvery = 5 * time.Minute // and at the start
	reconcileAgain = 5 * time.Second // after a failure
	// jobsAhead is how far ahead occurrences get a job. What is due later is
	// found by a later round of the reconciler, and costs River nothing: on
	// SQLite it looks through all the jobs that are to come every 5 seconds.
	jobsAhead = 2 * reconcileEvery

	// River runs from startAhead before a job is due, time enough to elect who
	// looks for what is due, until none is due within stopAhead.
	startAhead = 30 * time.Second
	stopAhead  = time.Minute
	lookEvery  = 5 * time.Second

	// How many reminders there may be.
	maxInChannel   = 100
	maxInWorkspace = 1000
)

// A Composer writes the posts.
type Composer interface {
	// Compose returns what r posts. Its error is bot.ErrGone where the
	// knowledge file no longer has it.
	Compose(ctx context.Context, r bot.Reminder, d bot.Due) (bot.Reply, error)
}

// Options are what New needs.
type Options struct {
	Store *store.SQL
	Log   *slog.Logger
	Meter bot.Meter // nil stands for bot.NoMeter
	// Beside says that another process may post from the same SQLite file:
	// what it has in hand is left alone.
	Beside bool
	// Limits are the platforms' rates; nil stands for Limits.
	Limits map[string]Limit
	// Now is the clock; nil stands for time.Now.
	Now func() time.Time
}

// Reminders keeps reminders and, while it runs, posts them. Its methods are
// safe for concurrent use.
type Reminders struct {
	store  *store.SQL
	log    *slog.Logger
	meter  bot.Meter
	now    func() time.Time
	clock  func() time.Time // now, if it is not time.Now
	limits map[string]Limit
	settle time.Duration
	beside bool
	insert jobs // can only insert

	mu        sync.Mutex
	platforms map[string]platform

	enqueueing sync.Mutex
	queued     map[occurrence]string // whose jobs are to be inserted next, and on which platform
	calls      []*enqueued           // that wait for it
	inserted   chan struct{}         // holds a token once there are new jobs
	inserting  bool                  // somebody inserts, and will take what is queued
}

// A platform is where reminders are posted.
type platform struct {
	bot.Poster
	bot.Directory
}

// New makes Reminders of a store, in which River's tables are brought up to
// date.
func New(ctx context.Context, o Options) (*Reminders, error) {
	r := &Reminders{
		store: o.Store, log: o.Log, meter: cmp.Or(o.Meter, bot.NoMeter), now: o.Now, clock: o.Now,
		limits:    o.Limits,
		settle:    settle,
		beside:    o.Beside,
		platforms: make(map[string]platform),
		inserted:  make(chan struct{}, 1),
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.now == nil {
		r.now = time.Now
	}
	if r.limits == nil {
		r.limits = Limits
	}
	if err := migrate(ctx, o.Store, r.log); err != nil {
		return nil, err
	}
	var err error
	r.insert, err = newJobs(o.Store, nil, nil, o.Now, r.log)
	return r, err
}

// Connect names who posts on a platform and who knows its people. With a nil
// poster reminders are set, and posted by another process or a later one. Call
// it before Run.
func (r *Reminders) Connect(name string, p bot.Poster, d bot.Directory) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.platforms[name] = platform{p, d}
}

func (r *Reminders) platform(name string) (platform, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.platforms[name]
	return p, ok
}

// names are the platforms that this process posts on.
func (r *Reminders) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for name, p := range r.platforms {
		if p.Poster != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Run posts what is due on the connected platforms until ctx is done. Posts in
// hand are finished before it returns, or, after stopWait, left for the next
// Run to resolve.
func (r *Reminders) Run(ctx context.Context, c Composer) error {
	names := r.names()
	if len(names) == 0 {
		<-ctx.Done()
		return nil
	}
	for {
		err := repair(ctx, r.store, r.beside, r.now())
		if err == nil {
			break
		}
		if ctx.Err() == nil {
			r.log.Error("can not put the jobs of reminders right", "error", err)
		}
		select {
		case <-time.After(reconcileAgain):
		case <-ctx.Done():
			return nil
		}
	}
	w := &worker{reminders: r, composer: c, turns: newTurns(r.limits)}
	var work jobs // nil while River rests
	defer func() { r.stop(ctx, work) }()
	reconcile, look := time.NewTimer(0), time.NewTimer(0)
	defer reconcile.Stop()
	defer look.Stop()
	for failing := false; ; {
		select {
		case <-reconcile.C:
			wait := reconcileEvery
			if err := r.reconcile(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("can not look for the reminders that are due next", "error", err)
				wait = reconcileAgain
			}
			w.turns.sweep(r.now())
			reconcile.Reset(wait)
		case <-r.inserted:
			if work == nil { // else River looks by itself
				look.Reset(0)
			}
		case <-look.C:
			var err error
			work, err = r.wake(ctx, names, w, work)
			if err != nil && !failing && ctx.Err() == nil {
				r.log.Error("can not look for the reminders that are due now", "error", err)
			}
			failing = err != nil
			look.Reset(lookEvery)
		case <-ctx.Done():
			return nil
		}
	}
}

// wake starts River where a job is near, and stops it where none is any more.
// Even idle it would wake the processor thirty times a second.
func (r *Reminders) wake(ctx context.Context, names []string, w *worker, work jobs) (jobs, error) {
	ahead := startAhead
	if work != nil {
		ahead = stopAhead
	}
	needed, err := jobsBefore(ctx, r.store, names, r.now().Add(ahead))
	switch {
	case err != nil || needed == (work != nil):
		return work, err
	case !needed:
		r.stop(ctx, work)
		return nil, nil
	}
	if work, err = newJobs(r.store, names, w, r.clock, r.log); err != nil {
		return nil, err
	}
	// River stops when it is told to, not when ctx is done: posts in hand get
	// the time to finish.
	if err := work.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, fmt.Errorf("can not start River: %w", err)
	}
	return work, nil
}

// stop stops River, if it runs.
func (r *Reminders) stop(ctx context.Context, work jobs) {
	if work == nil {
		return
	}
	soft, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
	defer cancel()
	if err := work.Stop(soft); err == nil {
		return
	}
	hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait/4)
	defer cancel()
	if err := work.StopAndCancel(hard); err != nil {
		r.log.Warn("posts were still being made at the end; their outcome is looked up at the next start")
	}
}

// stopWait is how long posts in hand may take to finish at the end.
const stopWait = 2500 * time.Millisecond

// reconcile inserts the jobs that are missing: of occurrences that are due
// soon now, or whose insertion was cut off, and of databases that were restored
// or moved without River's tables.
func (r *Reminders) reconcile(ctx context.Context) error {
	names := r.names()
	asking, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	due, err := r.store.DueReminders(asking, names, r.now().Add(jobsAhead))
	if err != nil {
		return err
	}
	open, err := r.store.OpenDeliveries(asking, names, r.now().Add(-rescueAfter))
	if err != nil {
		return err
	}
	byPlatform := make(map[occurrence]string)
	for _, d := range open {
		byPlatform[occurrence{d.Reminder, d.Due.Unix()}] = d.Message.Platform
	}
	for _, reminder := range due {
		byPlatform[occurrence{reminder.ID, reminder.Next.Unix()}] = reminder.Platform
	}
	all := slices.SortedFunc(maps.Keys(byPlatform), func(a, b occurrence) int {
		return cmp.Or(cmp.Compare(a.Due, b.Due), cmp.Compare(a.Reminder, b.Reminder))
	})
	for chunk := range slices.Chunk(all, 500) {
		if err := r.enqueue(ctx, byPlatform, chunk...); err != nil {
			return err
		}
	}
	return nil
}

// enqueue inserts the jobs of occurrences that have none. Calls at the same time
// share a transaction: each waits for the disk.
func (r *Reminders) enqueue(ctx context.Context, byPlatform map[occurrence]string, list ...occurrence) error {
	if len(list) == 0 {
		return nil
	}
	call := &enqueued{done: make(chan struct{})}
	r.enqueueing.Lock()
	if r.queued == nil {
		r.queued = make(map[occurrence]string)
	}
	for _, o := range list {
		r.queued[o] = byPlatform[o]
	}
	r.calls = append(r.calls, call)
	lead := !r.inserting
	r.inserting = true
	r.enqueueing.Unlock()
	if lead {
		r.insertQueued(context.WithoutCancel(ctx))
	}
	select {
	case <-call.done:
		return call.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// An enqueued is one call of enqueue.
type enqueued struct {
	err  error
	done chan struct{}
}

// insertQueued inserts what is queued until nothing is.
func (r *Reminders) insertQueued(ctx context.Context) {
	for {
		r.enqueueing.Lock()
		queued, calls := r.queued, r.calls
		r.queued, r.calls = nil, nil
		r.inserting = len(calls) > 0
		r.enqueueing.Unlock()
		if len(calls) == 0 {
			return
		}
		var many []river.InsertManyParams
		for o, platform := range queued {
			many = append(many, params(platform, o, r.now()))
		}
		inserting, cancel := context.WithTimeout(ctx, findTimeout)
		// Not InsertManyFast: on PostgreSQL it copies the rows in, and fails
		// where a job is there already.
		_, err := r.insert.InsertMany(inserting, many)
		cancel()
		select {
		case r.inserted <- struct{}{}:
		default:
		}
		for _, call := range calls {
			call.err = err
			close(call.done)
		}
	}
}

// enqueueNext inserts the job of a reminder's next occurrence, if that is due
// soon.
func (r *Reminders) enqueueNext(ctx context.Context, reminder bot.Reminder) error {
	if reminder.State != bot.Active || reminder.Next.IsZero() || reminder.Next.Sub(r.now()) > jobsAhead {
		return nil
	}
	o := occurrence{reminder.ID, reminder.Next.Unix()}
	return r.enqueue(ctx, map[occurrence]string{o: reminder.Platform}, o)
}

// Plan reads when in the schedule grammar and returns reminder with its
// schedule set. reminder.Zone holds where the words name no zone. What a person
// got wrong is a *bot.Refusal.
func (r *Reminders) Plan(reminder bot.Reminder, when string) (bot.Reminder, error) {
	zone, err := time.LoadLocation(reminder.Zone)
	if err != nil {
		zone = time.UTC
	}
	// To the second, so that the schedule is the same when it is read again.
	s, err := Parse(when, r.now().Truncate(time.Second), zone)
	if err != nil {
		return reminder, err
	}
	reminder.Schedule, reminder.Zone, reminder.Start = s.String(), s.Zone().String(), s.Start().UTC()
	reminder.Next = s.Next(s.Start()).UTC()
	return reminder, nil
}

// Upcoming is the next n occurrences of a reminder.
func (r *Reminders) Upcoming(reminder bot.Reminder, n int) ([]bot.Occurrence, error) {
	s, err := Reread(reminder)
	if err != nil {
		return nil, err
	}
	return s.Upcoming(r.now(), n), nil
}

// Draft keeps a reminder until its author confirms it, and returns it with its
// ID. A channel or workspace that has too many is a *bot.Refusal.
func (r *Reminders) Draft(ctx context.Context, reminder bot.Reminder) (bot.Reminder, error) {
	if err := r.room(ctx, reminder); err != nil {
		return reminder, err
	}
	reminder.State = bot.Draft
	for {
		reminder.ID = newID()
		if ok, err := r.store.AddReminder(ctx, reminder); ok || err != nil {
			return reminder, err
		}
	}
}

// room refuses a reminder that would be one too many.
func (r *Reminders) room(ctx context.Context, reminder bot.Reminder) error {
	list, err := r.store.Reminders(ctx, reminder.Platform, reminder.Workspace)
	if err != nil {
		return err
	}
	here, all := 0, 0
	for _, other := range list {
		if other.ID == reminder.Replaces {
			continue
		}
		all++
		if other.Channel == reminder.Channel {
			here++
		}
	}
	switch {
	case here >= maxInChannel:
		return &bot.Refusal{Problem: fmt.Sprintf("This channel has %d reminders, and may have no more.", here), Hints: []string{"remind list", "remind delete ID"}}
	case all >= maxInWorkspace && reminder.Workspace != "": // without one, the others are other people's
		return &bot.Refusal{Problem: fmt.Sprintf("This workspace has %d reminders, and may have no more.", all), Hints: []string{"remind list all", "remind delete ID"}}
	}
	return nil
}

// Confirm makes a draft active, or changes the reminder that it replaces, and
// returns what is active now.
func (r *Reminders) Confirm(ctx context.Context, draft bot.Reminder) (bot.Reminder, error) {
	if draft.State != bot.Draft || r.now().Sub(draft.Start) > draftFor {
		return draft, &bot.Refusal{Problem: "That is no longer open. Send the command again."}
	}
	if err := r.room(ctx, draft); err != nil {
		return draft, err
	}
	next, err := r.next(draft)
	if err != nil {
		return draft, err
	}
	active := draft
	active.State, active.Next, active.Problem = bot.Active, next, ""
	was := draft
	if draft.Replaces != "" {
		var ok bool
		if was, ok, err = r.store.Reminder(ctx, draft.Replaces); err != nil {
			return draft, err
		} else if !ok {
			return draft, &bot.Refusal{Problem: fmt.Sprintf("Reminder %s is no longer there.", draft.Replaces), Hints: []string{"remind list"}}
		}
		active.ID, active.Replaces = was.ID, ""
		if _, err := r.store.DeleteReminder(ctx, draft.ID); err != nil {
			return draft, err
		}
	}
	if err := r.update(ctx, was, active); err != nil {
		return draft, err
	}
	return active, nil
}

// next is a reminder's next occurrence from now on; none is a *bot.Refusal.
func (r *Reminders) next(reminder bot.Reminder) (time.Time, error) {
	s, err := Reread(reminder)
	if err != nil {
		return time.Time{}, err
	}
	next := s.Next(r.now())
	if next.IsZero() {
		return next, &bot.Refusal{Problem: "Its time has passed. Send the command again with another one."}
	}
	return next.UTC(), nil
}

// update replaces a reminder and sees to the job of its next occurrence.
func (r *Reminders) update(ctx context.Context, was, reminder bot.Reminder) error {
	ok, err := r.store.UpdateReminder(ctx, was, reminder)
	if err != nil {
		return err
	}
	if !ok {
		return &bot.Refusal{Problem: "That reminder has just changed. Look at it again and repeat what you want.", Hints: []string{"remind list"}}
	}
	return r.enqueueNext(ctx, reminder)
}

// Reminder returns the reminder with an ID.
func (r *Reminders) Reminder(ctx context.Context, id string) (bot.Reminder, bool, error) {
	return r.store.Reminder(ctx, id)
}

// Reminders are the active and paused reminders of a workspace, by channel.
func (r *Reminders) Reminders(ctx context.Context, platform, workspace string) ([]bot.Reminder, error) {
	return r.store.Reminders(ctx, platform, workspace)
}

// Pause keeps a reminder from posting until it is resumed.
func (r *Reminders) Pause(ctx context.Context, reminder bot.Reminder) error {
	paused := reminder
	paused.State = bot.Paused
	return r.update(ctx, reminder, paused)
}

// Resume lets a paused reminder post again from its next occurrence on, and
// returns it.
func (r *Reminders) Resume(ctx context.Context, reminder bot.Reminder) (bot.Reminder, error) {
	next, err := r.next(reminder)
	if err != nil {
		return reminder, err
	}
	active := reminder
	active.State, active.Next, active.Problem = bot.Active, next, ""
	return active, r.update(ctx, reminder, active)
}

// Delete forgets a reminder or a draft.
func (r *Reminders) Delete(ctx context.Context, id string) error {
	_, err := r.store.DeleteReminder(ctx, id)
	return err
}

// errNotConnected is the error of a platform that is not configured.
var errNotConnected = errors.New("the platform is not connected")

// CanPost is nil when podium may post in a channel, else a *bot.PostError.
func (r *Reminders) CanPost(ctx context.Context, name, channel string) error {
	p, ok := r.platform(name)
	if !ok {
		return &bot.PostError{Reason: bot.NoAccess, Remedy: "Podium is not connected to " + name + ".", Err: errNotConnected}
	}
	if p.Poster == nil {
		return &bot.PostError{Reason: bot.NoAccess, Remedy: "This podium has no token for " + name + "; one that has, and the same database, posts it.", Err: errNotConnected}
	}
	return p.CanPost(ctx, channel)
}

// MaySchedule reports whether the author of m may set reminders for channel.
func (r *Reminders) MaySchedule(ctx context.Context, m bot.Message, channel string) (bool, error) {
	p, ok := r.platform(m.Platform)
	if !ok {
		return false, nil
	}
	return p.MaySchedule(ctx, m, channel)
}

// Zone is the time zone of the author of m where the platform tells it, else
// that of the newest reminder in the channel, else empty.
func (r *Reminders) Zone(ctx context.Context, m bot.Message, channel string) (string, error) {
	if m.User.Zone != "" {
		return m.User.Zone, nil
	}
	if p, ok := r.platform(m.Platform); ok {
		// A platform that can not tell now is one that does not tell.
		if zone, err := p.Zone(ctx, m.User.ID); err == nil && zone != "" {
			return zone, nil
		}
	}
	list, err := r.store.Reminders(ctx, m.Platform, m.Workspace)
	if err != nil {
		return "", err
	}
	var newest bot.Reminder
	for _, other := range list {
		if other.Channel == channel && other.Start.After(newest.Start) {
			newest = other
		}
	}
	return newest.Zone, nil
}

// newID is five characters that are easy to read and to type: no two look
// alike, and there are no vowels to make words of.
func newID() string {
	const letters = "23456789bcdfghjkmnpqrstvwxz"
	var b [5]byte
	id := make([]byte, 0, len(b))
	for len(id) < len(b) {
		rand.Read(b[:])
		for _, c := range b {
			if n := int(c) & 31; n < len(letters) && len(id) < cap(id) {
				id = append(id, letters[n])
			}
		}
	}
	return string(id)
}
