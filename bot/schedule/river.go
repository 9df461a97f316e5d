package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"podium/bot/store"
)

const (
	jobTimeout  = 15 * time.Second // of one attempt at one occurrence
	rescueAfter = 30 * time.Second // a running job is taken for dead after it
	poll        = 500 * time.Millisecond
	maxWorkers  = 100
	maxAttempts = 10_000 // a database or platform may be gone for long
)

// occurrence is the job that posts one occurrence. Jobs that were overtaken,
// because the reminder has changed, do nothing when they come up.
type occurrence struct {
	Reminder string `json:"reminder"`
	Due      int64  `json:"due"` // seconds since 1970
}

func (occurrence) Kind() string { return "occurrence" }

func (o occurrence) due() time.Time { return time.Unix(o.Due, 0).UTC() }

// A jobs is a River client on either database.
type jobs interface {
	InsertMany(ctx context.Context, params []river.InsertManyParams) ([]*rivertype.JobInsertResult, error)
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	StopAndCancel(ctx context.Context) error
}

// newJobs makes a client of the store's database. Without queues it can only
// insert. A now of nil stands for River's own clock, which on PostgreSQL is the
// server's.
func newJobs(st *store.SQL, queues []string, w *worker, now func() time.Time, log *slog.Logger) (jobs, error) {
	config := &river.Config{
		// River reports at warn what podium logs itself, or mends.
		Logger:      slog.New(&quiet{log.Handler()}),
		MaxAttempts: maxAttempts,
	}
	if now != nil {
		config.Test.Time = clockOf(now)
	}
	if len(queues) > 0 {
		workers := river.NewWorkers()
		river.AddWorker(workers, w)
		config.Workers = workers
		config.Queues = make(map[string]river.QueueConfig)
		for _, q := range queues {
			config.Queues[q] = river.QueueConfig{MaxWorkers: maxWorkers}
		}
		config.JobTimeout = jobTimeout
		config.RescueStuckJobsAfter = rescueAfter
		config.RetryPolicy = retries{w.reminders.now}
		config.FetchPollInterval = poll
		config.CompletedJobRetentionPeriod = time.Hour
	}
	if db := st.SQLite(); db != nil {
		// Nothing but this process posts: there is nobody to listen to.
		config.PollOnly = true
		return client(riversqlite.New(db), config)
	}
	return client(riverpgxv5.New(st.Postgres()), config)
}

func client[T any](driver riverdriver.Driver[T], config *river.Config) (jobs, error) {
	return river.NewClient(driver, config)
}

// clockOf has River look at another clock.
type clockOf func() time.Time

func (c clockOf) Now() time.Time { return c() }

func (c clockOf) NowOrNil() *time.Time { return new(c()) }

// retries lets a failed attempt be repeated soon, and then for as long as it
// takes.
type retries struct{ now func() time.Time }

func (r retries) NextRetry(job *rivertype.JobRow) time.Time {
	return r.now().Add(min(time.Duration(len(job.Errors)+1)*time.Second, rescueAfter))
}

// uniqueStates are those of jobs that are still to come: another job for the
// same occurrence is not inserted beside them.
var uniqueStates = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
	rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

// params are those of an occurrence's job.
func params(platform string, o occurrence, now time.Time) river.InsertManyParams {
	p := river.InsertManyParams{Args: o, InsertOpts: &river.InsertOpts{
		MaxAttempts: maxAttempts,
		Queue:       platform,
		UniqueOpts:  river.UniqueOpts{ByArgs: true, ByState: uniqueStates},
	}}
	// A job with a time waits for River's scheduler, even if the time is past.
	if due := o.due(); due.After(now) {
		p.InsertOpts.ScheduledAt = due
	}
	return p
}

// migrate brings River's tables up to date.
func migrate(ctx context.Context, st *store.SQL, log *slog.Logger) error {
	if db := st.SQLite(); db != nil {
		return migrateOn(ctx, riversqlite.New(db), log)
	}
	// Replicas start together: one migrates, the others find it done.
	tx, err := st.Postgres().Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('podium river'))`); err != nil {
		return err
	}
	if err := migrateOn[pgx.Tx](ctx, riverpgxv5.New(st.Postgres()), log); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func migrateOn[T any](ctx context.Context, driver riverdriver.Driver[T], log *slog.Logger) error {
	m, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(&quiet{log.Handler()})})
	if err != nil {
		return err
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("the tables of River: %w", err)
	}
	return nil
}

// repair takes over from a process that was killed: on SQLite, unless another
// works beside this one, its lease is void and its jobs are not running. On
// PostgreSQL, River finds that out by itself, in time. Jobs whose time has come
// need not wait for River to elect who looks for them.
func repair(ctx context.Context, st *store.SQL, beside bool, now time.Time) error {
	db := st.SQLite()
	if db == nil {
		// It may take the connection and not answer; the next try is for later.
		ctx, cancel := context.WithTimeout(ctx, findTimeout)
		defer cancel()
		_, err := st.Postgres().Exec(ctx, comeDue, now)
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if !beside {
		for _, statement := range []string{
			`DELETE FROM river_leader`,
			`UPDATE river_job SET state = 'available' WHERE state = 'running'`,
		} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
	}
	if _, err := tx.ExecContext(ctx, comeDue, sqliteTime(now)); err != nil {
		return err
	}
	return tx.Commit()
}

const comeDue = `UPDATE river_job SET state = 'available' WHERE state IN ('scheduled', 'retryable') AND scheduled_at <= $1 AND kind = 'occurrence'`

// jobsBefore reports whether a job in one of queues is to be done before a time.
func jobsBefore(ctx context.Context, st *store.SQL, queues []string, before time.Time) (found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	query := `SELECT EXISTS (SELECT 1 FROM river_job WHERE queue IN ('` + strings.Join(queues, "', '") + `')
		AND (state IN ('available', 'running') OR state IN ('retryable', 'scheduled') AND scheduled_at < $1))`
	if db := st.SQLite(); db != nil {
		err = db.QueryRowContext(ctx, query, sqliteTime(before)).Scan(&found)
	} else {
		err = st.Postgres().QueryRow(ctx, query, before).Scan(&found)
	}
	return found, err
}

// sqliteTime is a time as riversqlite writes it.
func sqliteTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// quiet passes on River's errors as warnings: what they are about is tried
// again, and podium logs for itself what was given up.
type quiet struct{ slog.Handler }

func (q *quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError && q.Handler.Enabled(ctx, slog.LevelWarn)
}

func (q *quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelWarn
	return q.Handler.Handle(ctx, r)
}

func (q *quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return &quiet{q.Handler.WithAttrs(attrs)} }
func (q *quiet) WithGroup(name string) slog.Handler       { return &quiet{q.Handler.WithGroup(name)} }
