package store

import (
	"context"
	"maps"
	"time"
)

// shardFor is how long a process that says no more that it runs a shard is
// remembered.
const shardFor = 5 * time.Minute

// HoldShard notes that holder runs shard, and returns who else has said so in
// the last minutes, and when last.
func (s *SQL) HoldShard(ctx context.Context, shard, holder string) (others map[string]time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	shard, holder = clean(shard), clean(holder)
	now := time.Now()
	for _, w := range []write{
		{statement: `DELETE FROM shards WHERE at < $1`, args: []any{micros(now.Add(-shardFor))}},
		{statement: `INSERT INTO shards (shard, holder, at) VALUES ($1, $2, $3) ON CONFLICT (shard, holder) DO UPDATE SET at = excluded.at`,
			args: []any{shard, holder, micros(now)}},
	} {
		if _, err := s.write.ExecContext(ctx, w.statement, w.args...); err != nil {
			return nil, s.explain(err)
		}
	}
	rows, err := s.read.QueryContext(ctx, `SELECT holder, at FROM shards WHERE shard = $1 AND holder <> $2`, shard, holder)
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	others = make(map[string]time.Time)
	for rows.Next() {
		var other string
		var at int64
		if err := rows.Scan(&other, &at); err != nil {
			return nil, s.explain(err)
		}
		others[other] = moment(at)
	}
	return others, s.explain(rows.Err())
}

// ReleaseShard notes that holder no longer runs shard.
func (s *SQL) ReleaseShard(ctx context.Context, shard, holder string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := s.write.ExecContext(ctx, `DELETE FROM shards WHERE shard = $1 AND holder = $2`, clean(shard), clean(holder))
	return s.explain(err)
}

// HoldShard notes that holder runs shard, and returns who else has said so in
// the last minutes, and when last.
func (m *Memory) HoldShard(_ context.Context, shard, holder string) (others map[string]time.Time, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	shard, holder = clean(shard), clean(holder)
	now := cleanTime(time.Now())
	maps.DeleteFunc(m.shards, func(_ [2]string, at time.Time) bool { return now.Sub(at) > shardFor })
	m.shards[[2]string{shard, holder}] = now
	others = make(map[string]time.Time)
	for key, at := range m.shards {
		if key[0] == shard && key[1] != holder {
			others[key[1]] = at
		}
	}
	return others, nil
}

// ReleaseShard notes that holder no longer runs shard.
func (m *Memory) ReleaseShard(_ context.Context, shard, holder string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.shards, [2]string{clean(shard), clean(holder)})
	return nil
}
