package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"podium/bot"
)

// patience is how long a caller waits for the database.
const patience = 5 * time.Second

// MarkSeen remembers keys, in the database before it returns, and reports
// whether all of them are new. After an error the caller does not know, and
// leaves the event unacknowledged for the platform to deliver again.
func (s *SQL) MarkSeen(ctx context.Context, platform string, keys ...string) (first bool, err error) {
	if len(keys) == 0 {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rows := make([]string, len(keys))
	for i, key := range keys {
		rows[i] = clean(key)
	}
	// In one order for all, so that two replicas with the same keys wait for
	// one another rather than for ever.
	slices.Sort(rows)
	rows = slices.Compact(rows)
	statement := markSeen
	args := []any{platform, micros(time.Now()), rows[0]}
	for i, key := range rows[1:] {
		statement += fmt.Sprintf(", ($1, $%d, $2)", i+4)
		args = append(args, key)
	}
	result, err := s.write.ExecContext(ctx, statement+" ON CONFLICT DO NOTHING", args...)
	if err != nil {
		return false, s.explain(err)
	}
	n, err := result.RowsAffected()
	return n == int64(len(rows)), s.explain(err)
}

const markSeen = `INSERT INTO seen (platform, key, at) VALUES ($1, $3, $2)`

// Turn returns the last question of a conversation, unless it is older than 15
// minutes.
func (s *SQL) Turn(ctx context.Context, conversation string) (bot.Turn, bool, error) {
	conversation = clean(conversation)
	s.behind.mu.Lock()
	waiting, found := s.behind.turns[conversation]
	s.behind.mu.Unlock()
	t := waiting.value
	if !found {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		var at int64
		err := s.readTurn(ctx, keyed(s.voterKey, conversation)).Scan(&t.Question, &t.Context, &t.Ref, &at)
		if err != nil {
			return bot.Turn{}, false, s.noRows(err)
		}
		t.At = moment(at)
	}
	if time.Since(t.At) > turnFor {
		return bot.Turn{}, false, nil
	}
	return t, true, nil
}

// readTurn runs Turn's query. Every question asks it, and in SQLite preparing
// it takes several times as long as running it; pgx keeps it prepared by
// itself.
func (s *SQL) readTurn(ctx context.Context, conversation string) *sql.Row {
	const query = `SELECT question, context, ref, at FROM turns WHERE conversation = $1`
	prepared := s.turn.Load()
	if prepared == nil && s.pool == nil {
		var err error
		if prepared, err = s.read.PrepareContext(ctx, query); err == nil && !s.turn.CompareAndSwap(nil, prepared) {
			prepared.Close()
			prepared = s.turn.Load()
		}
	}
	if prepared == nil {
		return s.read.QueryRowContext(ctx, query, conversation)
	}
	return prepared.QueryRowContext(ctx, conversation)
}

// SetTurn replaces the last question of a conversation, unless t is older. The
// name of a conversation tells who asks: the question stands beside a hash of
// it.
func (s *SQL) SetTurn(_ context.Context, conversation string, t bot.Turn) error {
	conversation, t = clean(conversation), cleanTurn(t)
	w := write{
		statement: `INSERT INTO turns (conversation, question, context, ref, at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (conversation) DO UPDATE SET question = excluded.question, context = excluded.context, ref = excluded.ref, at = excluded.at
			WHERE excluded.at >= turns.at`,
		turn:  conversation,
		value: t,
	}
	return s.behind.add(w, func() {
		l := s.behind.turns[conversation]
		l.waiting++
		if !l.value.At.After(t.At) {
			l.value = t
		}
		s.behind.turns[conversation] = l
	})
}

// LogQuestion keeps a question for the knowledge file's owner, if questions
// are logged at all.
func (s *SQL) LogQuestion(_ context.Context, q bot.Question) error {
	if s.options.Questions == 0 {
		return nil
	}
	q = cleanQuestion(q)
	return s.behind.add(write{
		statement: `INSERT INTO questions (at, platform, outcome, intent, text) VALUES ($1, $2, $3, $4, $5)`,
		args:      []any{micros(q.At), q.Platform, q.Outcome, q.Intent, q.Text},
	}, nil)
}

// LogVote keeps a vote, if questions are logged at all; a voter's second vote
// on a message replaces the first.
func (s *SQL) LogVote(_ context.Context, v bot.Vote) error {
	if s.options.Questions == 0 {
		return nil
	}
	helpful := 0
	if v.Helpful {
		helpful = 1
	}
	return s.behind.add(write{
		statement: `INSERT INTO votes (platform, message, voter, ref, helpful, at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (platform, message, voter) DO UPDATE SET ref = excluded.ref, helpful = excluded.helpful, at = excluded.at`,
		args: []any{v.Platform, clean(v.Message), voterHash(s.voterKey, v), clean(v.Ref), helpful, micros(v.At)},
	}, nil)
}

// SaveReference remembers one of podium's own messages.
func (s *SQL) SaveReference(_ context.Context, r bot.Reference) error {
	r = cleanReference(r)
	w := write{
		statement: `INSERT INTO messages (platform, channel, id, question_channel, question_id, ref, hash, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (platform, channel, id) DO UPDATE SET question_channel = excluded.question_channel, question_id = excluded.question_id,
				ref = excluded.ref, hash = excluded.hash, at = excluded.at`,
		args:    []any{r.Message.Platform, r.Message.Channel, r.Message.ID, r.Question.Channel, r.Question.ID, r.Ref, r.Hash, micros(r.At)},
		message: r.Message,
	}
	return s.behind.add(w, func() {
		s.behind.refs[r.Message] = latest[bot.Reference]{r, s.behind.refs[r.Message].waiting + 1}
	})
}

const selectMessage = `SELECT platform, channel, id, question_channel, question_id, ref, hash, at FROM messages `

// ReferenceOf finds podium's own message by where it stands.
func (s *SQL) ReferenceOf(ctx context.Context, message bot.MessageRef) (bot.Reference, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	message = cleanRef(message)
	s.behind.mu.Lock()
	waiting, found := s.behind.refs[message]
	s.behind.mu.Unlock()
	if found {
		return waiting.value, true, nil
	}
	return s.reference(s.read.QueryRowContext(ctx, selectMessage+`WHERE platform = $1 AND channel = $2 AND id = $3`,
		message.Platform, message.Channel, message.ID))
}

// ReplyTo finds podium's newest message that answers question.
func (s *SQL) ReplyTo(ctx context.Context, question bot.MessageRef) (bot.Reference, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	question = cleanRef(question)
	s.behind.mu.Lock()
	r, found := newestReply(func(yield func(bot.Reference) bool) {
		for _, l := range s.behind.refs {
			if !yield(l.value) {
				return
			}
		}
	}, question)
	s.behind.mu.Unlock()
	if found {
		return r, true, nil
	}
	return s.reference(s.read.QueryRowContext(ctx, selectMessage+`WHERE question_id = $1 AND question_channel = $2 AND platform = $3
		AND question_id <> '' ORDER BY at DESC, id DESC LIMIT 1`, question.ID, question.Channel, question.Platform))
}

func (s *SQL) reference(row *sql.Row) (bot.Reference, bool, error) {
	var r bot.Reference
	var at int64
	err := row.Scan(&r.Message.Platform, &r.Message.Channel, &r.Message.ID, &r.Question.Channel, &r.Question.ID, &r.Ref, &r.Hash, &at)
	if err != nil {
		return bot.Reference{}, false, s.noRows(err)
	}
	if r.Question.ID != "" {
		r.Question.Platform = r.Message.Platform
	}
	r.At = moment(at)
	return r, true, nil
}

// Questions calls each for the questions that f chooses, newest first, until
// each fails.
func (s *SQL) Questions(ctx context.Context, f Filter, each func(bot.Question) error) error {
	statement := `SELECT at, platform, outcome, intent, text FROM questions WHERE at >= $1`
	args := []any{micros(f.Since)}
	if f.Outcome != "" {
		statement += ` AND outcome = $2`
		args = append(args, f.Outcome)
	}
	statement += ` ORDER BY at DESC, text`
	if f.Limit > 0 {
		statement += fmt.Sprintf(" LIMIT %d", f.Limit)
	}
	rows, err := s.read.QueryContext(ctx, statement, args...)
	if err != nil {
		return s.explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		var q bot.Question
		var at int64
		if err := rows.Scan(&at, &q.Platform, &q.Outcome, &q.Intent, &q.Text); err != nil {
			return s.explain(err)
		}
		q.At = moment(at)
		if err := each(q); err != nil {
			return err
		}
	}
	return s.explain(rows.Err())
}

// Votes returns the tallies of the answers that were voted on, most votes
// first.
func (s *SQL) Votes(ctx context.Context) ([]Tally, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT ref, sum(helpful), sum(1 - helpful) FROM votes GROUP BY ref ORDER BY count(*) DESC, ref`)
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	var list []Tally
	for rows.Next() {
		var t Tally
		if err := rows.Scan(&t.Ref, &t.Helpful, &t.Unhelpful); err != nil {
			return nil, s.explain(err)
		}
		list = append(list, t)
	}
	return list, s.explain(rows.Err())
}

// Purge forgets what is older, at now, than it is to be kept. It deletes a
// little at a time, so that nobody waits for it.
func (s *SQL) Purge(ctx context.Context, now time.Time) error {
	s.behind.mu.Lock()
	s.behind.forget(now)
	s.behind.mu.Unlock()
	for _, p := range []struct {
		table, key string
		keep       time.Duration
	}{
		{"seen", "platform, key", seenFor},
		{"turns", "conversation", turnFor},
		{"questions", "at", s.options.Questions},
		{"votes", "platform, message, voter", s.options.Questions},
		{"messages", "platform, channel, id", s.options.References},
		{"deliveries", "reminder, due", deliveriesFor},
	} {
		statement := fmt.Sprintf(`DELETE FROM %[1]s WHERE (%[2]s) IN (SELECT %[2]s FROM %[1]s WHERE at < $1 ORDER BY at LIMIT 1000)`, p.table, p.key)
		for {
			result, err := s.write.ExecContext(ctx, statement, micros(now.Add(-p.keep)))
			if err != nil {
				return s.explain(err)
			}
			if n, err := result.RowsAffected(); err != nil || n == 0 {
				break
			}
		}
	}
	return s.purgeReminders(ctx, now)
}

// purgeHourly purges at once and then every hour until ctx is done.
func (s *SQL) purgeHourly(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if err := s.Purge(ctx, time.Now()); err != nil && ctx.Err() == nil {
			s.log.Error("can not purge the database", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *SQL) noRows(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return s.explain(err)
}

// micros and moment turn a time into what a column holds, and back.
func micros(t time.Time) int64      { return t.UnixMicro() }
func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
