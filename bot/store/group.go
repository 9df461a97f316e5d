package store

import (
	"context"
	"database/sql"
	"sync"
)

// A group commits together what many goroutines write at the same time to
// SQLite: every commit waits for the disk, and there is one writer. PostgreSQL
// does this by itself.
type group struct {
	mu      sync.Mutex
	waiting []*groupWrite
	busy    bool // somebody is committing, and will take those that wait
}

type groupWrite struct {
	write func(execer) error
	err   error
	done  chan struct{}
}

// grouped runs write in a transaction, alone or with others'. An error of ctx
// leaves it open whether it was.
func (s *SQL) grouped(ctx context.Context, write func(execer) error) error {
	if s.pool != nil {
		return s.explain(inTx(ctx, s.write, nil, func(tx *sql.Tx) error { return write(tx) }))
	}
	w := &groupWrite{write: write, done: make(chan struct{})}
	s.group.mu.Lock()
	s.group.waiting = append(s.group.waiting, w)
	lead := !s.group.busy
	s.group.busy = true
	s.group.mu.Unlock()
	if lead {
		s.commitGroups(context.WithoutCancel(ctx))
	}
	select {
	case <-w.done:
		return s.explain(w.err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commitGroups commits what waits until nothing does.
func (s *SQL) commitGroups(ctx context.Context) {
	for {
		s.group.mu.Lock()
		list := s.group.waiting
		s.group.waiting = nil
		s.group.busy = len(list) > 0
		s.group.mu.Unlock()
		if len(list) == 0 {
			return
		}
		s.commitGroup(ctx, list)
	}
}

func (s *SQL) commitGroup(ctx context.Context, list []*groupWrite) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := inTx(ctx, s.write, nil, func(tx *sql.Tx) error {
		for _, w := range list {
			// What fails is undone by itself; the others go on.
			if _, err := tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
				return err
			}
			if w.err = w.write(tx); w.err != nil {
				if _, err := tx.ExecContext(ctx, "ROLLBACK TO one"); err != nil {
					return err
				}
			}
			if _, err := tx.ExecContext(ctx, "RELEASE one"); err != nil {
				return err
			}
		}
		return nil
	})
	for _, w := range list {
		if err != nil {
			w.err = err
		}
		close(w.done)
	}
}
