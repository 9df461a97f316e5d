package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"podium/bot"
)

const (
	maxBehind = 10_000 // writes that wait; some minutes of a busy workspace
	maxTurns  = 2_000  // that stay in memory once written

	// Writes in one transaction: each is a round trip where a server is asked.
	batchAlone  = 2_000
	batchShared = 500

	// How long a write waits for others: a transaction of many costs hardly
	// more than one of one, and nobody waits for either; but where processes
	// share the database, a follow-up may reach another one.
	gatherAlone  = 100 * time.Millisecond
	gatherShared = 20 * time.Millisecond
)

var (
	errFull   = errors.New("the database has been away for so long that no more can be kept for it")
	errClosed = errors.New("the store is closed")
)

// A write waits to reach the database.
type write struct {
	statement string
	args      []any          // but for a turn, whose are made when it is written: the newest of its batch alone is
	turn      string         // conversation, if it sets a turn
	value     bot.Turn       // of turn
	message   bot.MessageRef // if it saves a reference
}

// behind is the queue of writes that nobody waits for. What stands in it is
// seen by reads of this process.
type behind struct {
	mu     sync.Mutex
	queue  []write
	turns  map[string]latest[bot.Turn]
	refs   map[bot.MessageRef]latest[bot.Reference]
	keep   bool // turns stay in memory once written: no other process sets them
	gather time.Duration
	most   int // writes in a batch
	closed bool
	wake   chan struct{} // holds a token while there is something to write
	hurry  chan struct{} // closed when drain begins
	empty  chan struct{} // closed once the queue is empty after drain began

	prepared map[string]*sql.Stmt // writeBehind's alone
}

// latest is a value that waits in the queue, and how many writes of it do.
type latest[T any] struct {
	value   T
	waiting int
}

// start makes an empty queue, for a database that others share or not.
func (b *behind) start(shared bool) {
	b.gather, b.most = gatherAlone, batchAlone
	if shared {
		b.gather, b.most = gatherShared, batchShared
	}
	b.turns = make(map[string]latest[bot.Turn])
	b.refs = make(map[bot.MessageRef]latest[bot.Reference])
	b.prepared = make(map[string]*sql.Stmt)
	b.wake = make(chan struct{}, 1)
	b.hurry = make(chan struct{})
	b.empty = make(chan struct{})
}

// add queues w; note, if not nil, records what reads are to see meanwhile.
func (b *behind) add(w write, note func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return errClosed
	case len(b.queue) >= maxBehind:
		return errFull
	}
	b.queue = append(b.queue, w)
	if note != nil {
		note()
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return nil
}

// batch returns the writes that stand first. They stay queued until written.
func (b *behind) batch() []write {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.queue[:min(len(b.queue), b.most)]
}

// written takes the first n writes off the queue.
func (b *behind) written(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.keep && len(b.turns) > maxTurns {
		b.forget(time.Now())
	}
	for _, w := range b.queue[:n] {
		if l, ok := b.turns[w.turn]; ok {
			if l.waiting--; l.waiting == 0 && (!b.keep || len(b.turns) > maxTurns) {
				delete(b.turns, w.turn)
			} else {
				b.turns[w.turn] = l
			}
		}
		if l, ok := b.refs[w.message]; ok {
			if l.waiting--; l.waiting == 0 {
				delete(b.refs, w.message)
			} else {
				b.refs[w.message] = l
			}
		}
	}
	if b.queue = slices.Delete(b.queue, 0, n); cap(b.queue) > 4*b.most && len(b.queue) < b.most {
		b.queue = slices.Clone(b.queue) // a long outage is over
	}
	if b.closed && len(b.queue) == 0 {
		close(b.empty)
	}
}

// forget drops the turns that are written and, at now, too old for a follow-up.
// It is called with mu held.
func (b *behind) forget(now time.Time) {
	maps.DeleteFunc(b.turns, func(_ string, l latest[bot.Turn]) bool { return l.waiting == 0 && now.Sub(l.value.At) > turnFor })
}

// drain takes no more writes, waits until the queue is written or ctx is done,
// and returns how many writes are left.
func (b *behind) drain(ctx context.Context) int {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.hurry)
		if len(b.queue) == 0 {
			close(b.empty)
		}
	}
	b.mu.Unlock()
	select {
	case <-b.empty:
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue)
}

// writeBehind writes the queue until ctx is done. While the database does not
// take it, it tries again every second; at the end, when little time is left,
// at once and then twenty times a second.
func (s *SQL) writeBehind(ctx context.Context) {
	var logged time.Time
	retry, hurry := time.Second, s.behind.hurry
	for {
		select {
		case <-s.behind.wake:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(s.behind.gather):
		case <-s.behind.hurry:
		case <-ctx.Done():
			return
		}
		for {
			batch := s.behind.batch()
			if len(batch) == 0 {
				break
			}
			err := s.writeAll(ctx, batch)
			if hopeless(err) && len(batch) > 1 {
				// One of them is not to be written at all: look for it one
				// by one.
				batch = batch[:1]
				err = s.writeAll(ctx, batch)
			}
			if err == nil || hopeless(err) {
				s.behind.written(len(batch))
			}
			if err == nil {
				continue
			}
			if time.Since(logged) >= time.Minute {
				logged = time.Now()
				s.log.Error("the database does not take what was written behind", "error", s.explain(err), "dropped", hopeless(err))
			}
			if hopeless(err) {
				continue
			}
			select {
			case <-time.After(retry):
			case <-hurry:
				retry, hurry = 50*time.Millisecond, nil
			case <-ctx.Done():
				return
			}
		}
	}
}

// writeAll writes batch in one transaction. Of the turns of one conversation
// only the newest is written.
func (s *SQL) writeAll(ctx context.Context, batch []write) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	newest := make(map[string]int)
	for i, w := range batch {
		if n, ok := newest[w.turn]; !ok || !w.value.At.Before(batch[n].value.At) {
			newest[w.turn] = i
		}
		if err := s.prepare(ctx, w.statement); err != nil {
			return err
		}
	}
	return inTx(ctx, s.write, nil, func(tx *sql.Tx) error {
		for i, w := range batch {
			if w.turn != "" && newest[w.turn] != i {
				continue
			}
			args := w.args
			if w.turn != "" {
				args = []any{keyed(s.voterKey, w.turn), w.value.Question, w.value.Context, w.value.Ref, micros(w.value.At)}
			}
			var err error
			if prepared := s.behind.prepared[w.statement]; prepared != nil {
				_, err = tx.StmtContext(ctx, prepared).ExecContext(ctx, args...)
			} else {
				_, err = tx.ExecContext(ctx, w.statement, args...)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// prepare prepares a statement of writes for all time: SQLite takes longer to
// prepare one than to run it. pgx keeps them prepared by itself.
func (s *SQL) prepare(ctx context.Context, statement string) error {
	if s.pool != nil || s.behind.prepared[statement] != nil {
		return nil
	}
	prepared, err := s.write.PrepareContext(ctx, statement)
	if err == nil {
		s.behind.prepared[statement] = prepared
	}
	return err
}

// hopeless reports whether the database refuses the values themselves, so that
// trying again is no use.
func hopeless(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(e.Code, "22") || strings.HasPrefix(e.Code, "23")
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG:
			return true
		}
	}
	return false
}

// inTx runs f in a transaction, which is committed if f succeeds.
func inTx(ctx context.Context, db *sql.DB, o *sql.TxOptions, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, o)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	return tx.Commit()
}

// ignoreDone is nil for a transaction that has ended by itself, as one does
// when its context or its connection ends.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}
