package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"podium/bot"
)

// Reminders and deliveries are on disk before these methods return: a post
// begins only after its delivery is kept.

const (
	// draftsFor is how long a reminder waits for its author to confirm it, and
	// a reminder that is over is remembered.
	draftsFor = time.Hour
	overFor   = 30 * 24 * time.Hour
	// deliveriesFor is how long it is remembered what became of an occurrence.
	deliveriesFor = 90 * 24 * time.Hour
)

const reminderColumns = `id, platform, workspace, channel, label, author, author_name, schedule, zone, start, ref, title, state, problem, replaces, next`

func reminderArgs(r bot.Reminder) []any {
	return []any{r.ID, r.Platform, r.Workspace, r.Channel, r.Label, r.Author.ID, r.Author.Name, r.Schedule, r.Zone,
		micros(r.Start), r.Ref, r.Title, string(r.State), r.Problem, r.Replaces, next(r.Next)}
}

// next is a time that may be zero, as its column holds it.
func next(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return micros(t)
}

func scanReminder(row interface{ Scan(...any) error }) (bot.Reminder, error) {
	var r bot.Reminder
	var start, next int64
	err := row.Scan(&r.ID, &r.Platform, &r.Workspace, &r.Channel, &r.Label, &r.Author.ID, &r.Author.Name, &r.Schedule, &r.Zone,
		&start, &r.Ref, &r.Title, &r.State, &r.Problem, &r.Replaces, &next)
	r.Start = moment(start)
	if next != 0 {
		r.Next = moment(next)
	}
	return r, err
}

// AddReminder keeps a new reminder; ok is false if its ID is taken.
func (s *SQL) AddReminder(ctx context.Context, r bot.Reminder) (ok bool, err error) {
	return s.groupedChange(ctx, `INSERT INTO reminders (`+reminderColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT DO NOTHING`, reminderArgs(r)...)
}

// Reminder returns the reminder with an ID.
func (s *SQL) Reminder(ctx context.Context, id string) (bot.Reminder, bool, error) {
	r, err := scanReminder(s.read.QueryRowContext(ctx, `SELECT `+reminderColumns+` FROM reminders WHERE id = $1`, clean(id)))
	if err != nil {
		return bot.Reminder{}, false, s.noRows(err)
	}
	return r, true, nil
}

// Reminders are the active and paused reminders of a workspace, by channel and
// then by what is due first.
func (s *SQL) Reminders(ctx context.Context, platform, workspace string) ([]bot.Reminder, error) {
	return s.reminders(ctx, `WHERE platform = $1 AND workspace = $2 AND state IN ('active', 'paused') ORDER BY channel, next, id`, platform, clean(workspace))
}

// DueReminders are the active reminders of platforms with an occurrence before
// a time, what is due first before the others.
func (s *SQL) DueReminders(ctx context.Context, platforms []string, before time.Time) ([]bot.Reminder, error) {
	return s.reminders(ctx, `WHERE state = 'active' AND next > 0 AND next < $1 AND platform IN (`+quoted(platforms)+`) ORDER BY next`, micros(before))
}

func (s *SQL) reminders(ctx context.Context, where string, args ...any) ([]bot.Reminder, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+reminderColumns+` FROM reminders `+where, args...)
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	var list []bot.Reminder
	for rows.Next() {
		r, err := scanReminder(rows)
		if err != nil {
			return nil, s.explain(err)
		}
		list = append(list, r)
	}
	return list, s.explain(rows.Err())
}

// UpdateReminder replaces a reminder that still stands as was does: in was's
// state, with was's next occurrence. ok is false if it does not.
func (s *SQL) UpdateReminder(ctx context.Context, was, r bot.Reminder) (ok bool, err error) {
	return s.updateReminder(ctx, s.write, was, r)
}

func (s *SQL) updateReminder(ctx context.Context, db execer, was, r bot.Reminder) (bool, error) {
	return s.changed(ctx, db, `UPDATE reminders SET platform = $2, workspace = $3, channel = $4, label = $5, author = $6, author_name = $7,
		schedule = $8, zone = $9, start = $10, ref = $11, title = $12, state = $13, problem = $14, replaces = $15, next = $16
		WHERE id = $1 AND state = $17 AND next = $18`, append(reminderArgs(r), string(was.State), next(was.Next))...)
}

// DeleteReminder forgets a reminder; ok is false if it is not there. What
// became of its occurrences is kept.
func (s *SQL) DeleteReminder(ctx context.Context, id string) (ok bool, err error) {
	return s.changed(ctx, s.write, `DELETE FROM reminders WHERE id = $1`, id)
}

const deliveryColumns = `reminder, due, state, platform, channel, message, reason, began, at`

func deliveryArgs(d bot.Delivery) []any {
	return []any{d.Reminder, micros(d.Due), string(d.State), d.Message.Platform, d.Message.Channel, d.Message.ID, d.Reason, micros(d.Began), micros(d.Tried)}
}

const insertDelivery = `INSERT INTO deliveries (` + deliveryColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (reminder, due) `

func scanDelivery(row interface{ Scan(...any) error }) (bot.Delivery, error) {
	var d bot.Delivery
	var due, began, at int64
	err := row.Scan(&d.Reminder, &due, &d.State, &d.Message.Platform, &d.Message.Channel, &d.Message.ID, &d.Reason, &began, &at)
	d.Due, d.Began, d.Tried = moment(due), moment(began), moment(at)
	return d, err
}

// Delivery returns what is known of an occurrence.
func (s *SQL) Delivery(ctx context.Context, reminder string, due time.Time) (bot.Delivery, bool, error) {
	d, err := scanDelivery(s.read.QueryRowContext(ctx, `SELECT `+deliveryColumns+` FROM deliveries WHERE reminder = $1 AND due = $2`, clean(reminder), micros(due)))
	if err != nil {
		return bot.Delivery{}, false, s.noRows(err)
	}
	return d, true, nil
}

// Deliveries calls each for every delivery that was last tried since a time,
// until each fails.
func (s *SQL) Deliveries(ctx context.Context, since time.Time, each func(bot.Delivery) error) error {
	rows, err := s.read.QueryContext(ctx, `SELECT `+deliveryColumns+` FROM deliveries WHERE at >= $1 ORDER BY at`, micros(since))
	if err != nil {
		return s.explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		d, err := scanDelivery(rows)
		if err != nil {
			return s.explain(err)
		}
		if err := each(d); err != nil {
			return err
		}
	}
	return s.explain(rows.Err())
}

// OpenDeliveries are those of platforms that were last tried before a time and
// are still posting.
func (s *SQL) OpenDeliveries(ctx context.Context, platforms []string, before time.Time) ([]bot.Delivery, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+deliveryColumns+` FROM deliveries
		WHERE state = 'posting' AND at < $1 AND platform IN (`+quoted(platforms)+`) ORDER BY at LIMIT 1000`, micros(before))
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	var list []bot.Delivery
	for rows.Next() {
		d, err := scanDelivery(rows)
		if err != nil {
			return nil, s.explain(err)
		}
		list = append(list, d)
	}
	return list, s.explain(rows.Err())
}

// BeginDelivery keeps that an attempt to post d begins. With first, ok is false
// if there has been one before; without, if the last is not d's any more.
func (s *SQL) BeginDelivery(ctx context.Context, d bot.Delivery, first bool, lastTried time.Time) (ok bool, err error) {
	if first {
		return s.groupedChange(ctx, insertDelivery+`DO NOTHING`, deliveryArgs(d)...)
	}
	return s.groupedChange(ctx, `UPDATE deliveries SET at = $3 WHERE reminder = $1 AND due = $2 AND state = 'posting' AND at = $4`,
		d.Reminder, micros(d.Due), micros(d.Tried), micros(lastTried))
}

// CancelDelivery forgets an attempt that the platform refused: nothing was
// posted.
func (s *SQL) CancelDelivery(ctx context.Context, d bot.Delivery) error {
	_, err := s.changed(ctx, s.write, `DELETE FROM deliveries WHERE reminder = $1 AND due = $2 AND state = 'posting'`, d.Reminder, micros(d.Due))
	return err
}

// FinishDeliveries keeps, at once, what became of occurrences and how the
// reminder goes on, unless that has been changed since it was was.
func (s *SQL) FinishDeliveries(ctx context.Context, list []bot.Delivery, was, r bot.Reminder) error {
	return s.grouped(ctx, func(db execer) error {
		for _, d := range list {
			_, err := s.changed(ctx, db, insertDelivery+`DO UPDATE
				SET state = excluded.state, channel = excluded.channel, message = excluded.message, reason = excluded.reason
				WHERE deliveries.state = 'posting'`, deliveryArgs(d)...)
			if err != nil {
				return err
			}
		}
		if r.ID == "" {
			return nil
		}
		_, err := s.updateReminder(ctx, db, was, r)
		return err
	})
}

// purgeReminders forgets drafts that nobody confirmed and reminders that are
// over.
func (s *SQL) purgeReminders(ctx context.Context, now time.Time) error {
	_, err := s.changed(ctx, s.write, `DELETE FROM reminders WHERE state = 'draft' AND start < $1
		OR state = 'done' AND start < $2 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE reminder = id AND at >= $2)`,
		micros(now.Add(-draftsFor)), micros(now.Add(-overFor)))
	return err
}

type execer interface {
	ExecContext(ctx context.Context, statement string, args ...any) (sql.Result, error)
}

// changed runs a statement, with its texts clean, and reports whether it
// changed a row.
func (s *SQL) changed(ctx context.Context, db execer, statement string, args ...any) (bool, error) {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = clean(text)
		}
	}
	result, err := db.ExecContext(ctx, statement, args...)
	if err != nil {
		return false, s.explain(err)
	}
	n, err := result.RowsAffected()
	return n > 0, s.explain(err)
}

// groupedChange is changed in a transaction with others' writes.
func (s *SQL) groupedChange(ctx context.Context, statement string, args ...any) (ok bool, err error) {
	err = s.grouped(ctx, func(db execer) (err error) {
		ok, err = s.changed(ctx, db, statement, args...)
		return err
	})
	if err != nil {
		return false, err // the statement may still be running: ok is not ours yet
	}
	return ok, nil
}

// quoted makes a list in SQL of podium's own words.
func quoted(words []string) string {
	if len(words) == 0 {
		return "''"
	}
	return fmt.Sprintf("'%s'", strings.Join(words, "', '"))
}
