package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"podium/bot"
)

const (
	postTimeout = 8 * time.Second
	findTimeout = 5 * time.Second
	// settle is how long after an attempt began a platform that does not show
	// the post is believed: the attempt itself may take postTimeout, and
	// look-ups lag.
	settle = postTimeout + 4*time.Second
	// maxPause is how long podium may sleep between keeping that an attempt
	// begins and beginning it. After a longer one another replica may have
	// taken over.
	maxPause = 3 * time.Second
	// giveUp is how long the outcome of an attempt is looked for.
	giveUp = 24 * time.Hour
	// shortWait is waited for in place; a longer wait frees the worker.
	shortWait = 50 * time.Millisecond
	// maxSkips is how many missed occurrences one job records.
	maxSkips = 500
)

// A worker posts occurrences. What it does, in order, for each: keep a delivery
// in state posting; post, with the delivery's key; keep the outcome and the
// next occurrence, in one transaction; insert the next occurrence's job. It may
// be killed anywhere between and is run again: it then finds the delivery and
// asks the platform.
type worker struct {
	river.WorkerDefaults[occurrence]
	reminders *Reminders
	composer  Composer
	turns     *turns
}

// Work resolves one occurrence. A nil error means that it is resolved, and that
// the job of the next one is there, if that is due soon.
func (w *worker) Work(ctx context.Context, job *river.Job[occurrence]) error {
	st := w.reminders.store
	due := job.Args.due()
	ctx = bot.WithID(ctx, bot.Delivery{Reminder: job.Args.Reminder, Due: due}.Key())
	d, tried, err := st.Delivery(ctx, job.Args.Reminder, due)
	if err != nil {
		return err
	}
	r, there, err := st.Reminder(ctx, job.Args.Reminder)
	if err != nil {
		return err
	}
	current := there && r.State == bot.Active && r.Next.Equal(due)
	switch {
	case tried && d.State == bot.Posting:
		name := d.Message.Platform
		p, ok := w.reminders.platform(name)
		if !ok {
			return river.JobSnooze(rescueAfter)
		}
		resolved, err := w.find(ctx, p, &d)
		if err != nil {
			return err
		}
		if resolved || !current {
			if !resolved {
				// It did not arrive, and is not wanted any more.
				d.State, d.Reason = bot.Skipped, "the reminder was changed"
			}
			err := w.finish(ctx, r, current, d)
			if d.State != bot.Unknown {
				return err
			}
			w.reminders.log.WarnContext(ctx, "nobody knows whether a reminder was posted; it is not posted again", "reminder", d.Reminder, "due", d.Due, "reason", d.Reason)
			if !there {
				return err
			}
			return w.report(ctx, r, err, fmt.Sprintf("may or may not have been posted at %s: %s. It is not posted again.",
				d.Due.In(zoneOf(r)).Format("2006-01-02 15:04"), d.Reason))
		}
	case !current:
		// It has been resolved, or the reminder has changed. If the next
		// occurrence's job was not inserted then, it is now.
		return w.reminders.enqueueNext(ctx, r)
	case tried:
		// Resolved, but the reminder has been set back to it by an edit.
		return w.finish(ctx, r, current)
	}
	return w.post(ctx, r, d, tried)
}

// post makes an attempt at r's next occurrence. With tried, d is an earlier one
// that is known not to have arrived.
func (w *worker) post(ctx context.Context, r bot.Reminder, d bot.Delivery, tried bool) error {
	p, ok := w.reminders.platform(r.Platform)
	if !ok {
		return river.JobSnooze(rescueAfter)
	}
	s, err := Reread(r)
	if err != nil {
		return err
	}
	now := w.reminders.now()
	if now.Before(r.Next) { // the clock was set back
		return river.JobSnooze(r.Next.Sub(now))
	}
	if !tried {
		d = bot.Delivery{Reminder: r.ID, Due: r.Next, Message: bot.MessageRef{Platform: r.Platform, Channel: r.Channel}, Began: now, Tried: now}
	}
	if late := now.Sub(r.Next); s.Once() && late > onceLateFor {
		d.State, d.Reason = bot.Skipped, "podium was not running for a day after it was due"
		return w.report(ctx, r, w.finish(ctx, r, true, d), "was not posted: "+d.Reason+".")
	} else if !s.Once() && late > lateFor {
		return w.catchUp(ctx, r, s, d, now)
	}
	countdown, _ := s.Countdown()
	reply, err := w.composer.Compose(ctx, r, bot.Due{At: r.Next.In(s.Zone()), Now: now.In(s.Zone()), Countdown: countdown})
	if errors.Is(err, bot.ErrGone) {
		d.State, d.Reason = bot.Skipped, "what it posts is no longer in the knowledge file"
		return w.pause(ctx, r, d, "What it posts is no longer in the knowledge file. Set it to another topic with remind edit "+r.ID+" or delete it.")
	} else if err != nil {
		return err
	}
	if wait := w.turns.take(r.Platform, r.Channel, d.Key(), now); wait > shortWait {
		return river.JobSnooze(wait)
	} else if wait > 0 {
		time.Sleep(wait)
		w.turns.take(r.Platform, r.Channel, d.Key(), now.Add(wait))
	}
	before := d.Tried
	begin := time.Now()
	d.State, d.Tried = bot.Posting, w.reminders.now()
	if ok, err := w.reminders.store.BeginDelivery(ctx, d, !tried, before); err != nil {
		return err
	} else if !ok { // another replica has it in hand
		return river.JobSnooze(w.reminders.settle)
	}
	if time.Since(begin) > maxPause {
		return river.JobSnooze(w.reminders.settle)
	}
	posting, cancel := context.WithTimeout(ctx, postTimeout)
	ref, err := p.Post(posting, r.Channel, d.Key(), reply)
	cancel()
	refused, _ := errors.AsType[*bot.PostError](err)
	switch {
	case err == nil:
		d.State, d.Message = bot.Posted, ref
		w.remember(ctx, ref, reply)
		return w.finish(ctx, r, true, d)
	case refused == nil:
		w.reminders.log.WarnContext(ctx, "a post's outcome is not known yet", "reminder", r.ID, "platform", r.Platform, "error", err)
		return river.JobSnooze(w.reminders.settle)
	case refused.Reason == bot.RateLimited:
		if err := w.reminders.store.CancelDelivery(ctx, d); err != nil {
			return err
		}
		wait := max(refused.After, time.Second)
		w.reminders.meter.RateLimited(r.Platform, wait)
		w.turns.hold(r.Platform, r.Channel, w.reminders.now(), wait)
		return river.JobSnooze(wait)
	case refused.Reason == bot.Rejected:
		d.State, d.Reason = bot.Skipped, refused.Error()
		w.reminders.log.WarnContext(ctx, "a post was refused", "reminder", r.ID, "platform", r.Platform, "error", refused)
		return w.report(ctx, r, w.finish(ctx, r, true, d), "was not posted: the platform refused it. "+refused.Remedy)
	default:
		d.State, d.Reason = bot.Skipped, refused.Error()
		return w.pause(ctx, r, d, refused.Remedy)
	}
}

// remember keeps what a post was about, so that a reply to it has something to
// refer to.
func (w *worker) remember(ctx context.Context, ref bot.MessageRef, reply bot.Reply) {
	for _, p := range slices.Backward(reply.Parts) {
		if p.Ref == "" {
			continue
		}
		if err := w.reminders.store.SaveReference(ctx, bot.Reference{Message: ref, Ref: p.Ref, At: w.reminders.now()}); err != nil {
			w.reminders.log.WarnContext(ctx, "podium could not remember its post", "platform", ref.Platform, "error", err)
		}
		return
	}
}

// find asks the platform whether the attempt d arrived. resolved is true if d
// is final now; without an error it is known not to have arrived otherwise.
func (w *worker) find(ctx context.Context, p platform, d *bot.Delivery) (resolved bool, err error) {
	finding, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	now := w.reminders.now()
	setBack := d.Began.After(now) || d.Tried.After(now)
	// Clocks differ: a platform may have dated the post a little earlier, or
	// much, if ours was fast and has been put right.
	since := d.Began.Add(-time.Minute)
	if setBack {
		since = now.Add(-giveUp)
	}
	ref, found, err := p.Find(finding, d.Message.Channel, d.Key(), since)
	switch {
	case found && err == nil:
		d.State, d.Message = bot.Posted, ref
		return true, nil
	case errors.Is(err, bot.ErrUnknown) && !setBack && now.Add(postTimeout).Before(d.Began.Add(repeatable(p))):
		return false, nil
	case errors.Is(err, bot.ErrUnknown):
		d.State, d.Reason = bot.Unknown, "the platform can not tell whether it arrived"
		return true, nil
	case refuses(err):
		d.State, d.Reason = bot.Unknown, "the platform does not let podium look whether it arrived"
		return true, nil
	case now.Sub(d.Began) > giveUp:
		d.State, d.Reason = bot.Unknown, "the platform could not be asked for a day whether it arrived"
		return true, nil
	case err != nil:
		return false, fmt.Errorf("looking for a post: %w", err)
	case setBack && d.Tried.After(now):
		// Nobody knows how long ago it was: count from now.
		before := d.Tried
		d.Tried = now
		if _, err := w.reminders.store.BeginDelivery(ctx, *d, false, before); err != nil {
			return false, err
		}
	}
	if wait := d.Tried.Add(w.reminders.settle).Sub(now); wait > 0 {
		return false, river.JobSnooze(wait)
	}
	return false, nil
}

// refuses reports whether a look-up is refused for good: the channel is gone, or
// podium may not read it any more.
func refuses(err error) bool {
	refusal, ok := errors.AsType[*bot.PostError](err)
	return ok && refusal.Reason != bot.RateLimited
}

// repeatable is how long after an attempt another one can not make a second
// message.
func repeatable(p platform) time.Duration {
	if r, ok := p.Poster.(bot.Repeater); ok {
		return r.Repeatable()
	}
	return 0
}

// catchUp records the occurrences that were missed and sets the reminder to
// the first that it is not too late for.
func (w *worker) catchUp(ctx context.Context, r bot.Reminder, s Schedule, d bot.Delivery, now time.Time) error {
	var skipped []bot.Delivery
	next := r.Next
	for len(skipped) < maxSkips {
		if next.IsZero() || now.Sub(next) <= lateFor {
			break
		}
		missed := bot.Delivery{Reminder: r.ID, Due: next, Message: d.Message, Began: now, Tried: now}
		if len(skipped) == 0 {
			missed = d
		}
		missed.State, missed.Reason = bot.Skipped, "podium was not running or could not post when it was due"
		skipped = append(skipped, missed)
		next = s.Next(next)
	}
	w.reminders.log.WarnContext(ctx, "missed occurrences of a reminder are skipped", "reminder", r.ID, "skipped", len(skipped), "first", r.Next)
	return w.conclude(ctx, r, w.continued(r, next), skipped...)
}

// continued is r with its next occurrence set.
func (w *worker) continued(r bot.Reminder, next time.Time) bot.Reminder {
	r.Next = next
	if next.IsZero() {
		r.State = bot.Done
	}
	return r
}

// finish keeps what became of deliveries; if they are r's current ones, r goes
// on to its next occurrence.
func (w *worker) finish(ctx context.Context, r bot.Reminder, current bool, list ...bot.Delivery) error {
	if !current {
		return w.conclude(ctx, bot.Reminder{}, bot.Reminder{}, list...)
	}
	s, err := Reread(r)
	if err != nil {
		return err
	}
	// An occurrence that has come meanwhile is not passed over: it is caught up
	// with when its job comes up, at once.
	return w.conclude(ctx, r, w.continued(r, s.Next(r.Next)), list...)
}

// pause stops a reminder that can not be posted, and tells its author once.
func (w *worker) pause(ctx context.Context, r bot.Reminder, d bot.Delivery, problem string) error {
	paused := r
	paused.State, paused.Problem = bot.Paused, problem
	if err := w.conclude(ctx, r, paused, d); err != nil {
		return err
	}
	w.reminders.log.WarnContext(ctx, "a reminder is paused", "reminder", r.ID, "platform", r.Platform, "channel", r.Channel, "reason", d.Reason)
	return w.report(ctx, r, nil, fmt.Sprintf("is paused. %s Then: remind resume %s.", problem, r.ID))
}

// conclude writes, even while podium is stopping: what has been posted must be
// known as such.
func (w *worker) conclude(ctx context.Context, was, r bot.Reminder, list ...bot.Delivery) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), findTimeout)
	defer cancel()
	if err := w.reminders.store.FinishDeliveries(ctx, list, was, r); err != nil {
		return err
	}
	for _, d := range list {
		w.reminders.meter.Delivered(bot.WithID(ctx, d.Key()), d)
	}
	return w.reminders.enqueueNext(ctx, r)
}

// report tells the author of r what has become of it, as well as the platform
// can, once err, which it returns, is nil.
func (w *worker) report(ctx context.Context, r bot.Reminder, err error, what string) error {
	p, _ := w.reminders.platform(r.Platform)
	teller, ok := p.Poster.(bot.Teller)
	if err != nil || !ok {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), findTimeout)
	defer cancel()
	text := fmt.Sprintf("Reminder %s (%s: %s) %s", r.ID, r.Schedule, or(r.Title, "a countdown"), what)
	if err := teller.Tell(ctx, r.Author.ID, bot.TextReply(text)); err != nil {
		w.reminders.log.WarnContext(ctx, "the author of a reminder could not be told", "reminder", r.ID, "error", err)
	}
	return nil
}

func zoneOf(r bot.Reminder) *time.Location {
	zone, err := time.LoadLocation(r.Zone)
	if err != nil {
		return time.UTC
	}
	return zone
}
