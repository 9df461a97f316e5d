package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"time"

	"podium/bot"
)

// Memory is a store that lasts as long as the process: for the terminal and
// for tests. Its methods never fail.
type Memory struct {
	mu        sync.Mutex
	key       []byte
	seen      map[[2]string]time.Time // by platform and key
	turns     map[string]bot.Turn
	questions []bot.Question
	votes     map[[3]string]bot.Vote // by platform, message and voter's hash
	byMessage map[bot.MessageRef]bot.Reference
	shards    map[[2]string]time.Time // by shard and holder
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	key := make([]byte, 32)
	rand.Read(key)
	return &Memory{
		key:       key,
		seen:      make(map[[2]string]time.Time),
		turns:     make(map[string]bot.Turn),
		votes:     make(map[[3]string]bot.Vote),
		byMessage: make(map[bot.MessageRef]bot.Reference),
		shards:    make(map[[2]string]time.Time),
	}
}

// MarkSeen remembers keys and reports whether all of them are new.
func (m *Memory) MarkSeen(_ context.Context, platform string, keys ...string) (first bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	first = true
	for _, key := range keys {
		if _, ok := m.seen[[2]string{platform, clean(key)}]; ok {
			first = false
		}
	}
	for _, key := range keys {
		m.seen[[2]string{platform, clean(key)}] = now
	}
	return first, nil
}

// Turn returns the last question of a conversation, unless it is older than 15
// minutes.
func (m *Memory) Turn(_ context.Context, conversation string) (bot.Turn, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.turns[clean(conversation)]
	if !ok || time.Since(t.At) > turnFor {
		return bot.Turn{}, false, nil
	}
	return t, true, nil
}

// SetTurn replaces the last question of a conversation, unless t is older.
func (m *Memory) SetTurn(_ context.Context, conversation string, t bot.Turn) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if conversation, t = clean(conversation), cleanTurn(t); !m.turns[conversation].At.After(t.At) {
		m.turns[conversation] = t
	}
	return nil
}

// LogQuestion keeps a question for the knowledge file's owner.
func (m *Memory) LogQuestion(_ context.Context, q bot.Question) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.questions = append(m.questions, cleanQuestion(q))
	return nil
}

// LogVote keeps a vote; a voter's second vote on a message replaces the first.
func (m *Memory) LogVote(_ context.Context, v bot.Vote) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.votes[[3]string{v.Platform, clean(v.Message), voterHash(m.key, v)}] = v
	return nil
}

// SaveReference remembers one of podium's own messages.
func (m *Memory) SaveReference(_ context.Context, r bot.Reference) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r = cleanReference(r)
	m.byMessage[r.Message] = r
	return nil
}

// ReferenceOf finds podium's own message by where it stands.
func (m *Memory) ReferenceOf(_ context.Context, message bot.MessageRef) (bot.Reference, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.byMessage[cleanRef(message)]
	return r, ok, nil
}

// ReplyTo finds podium's newest message that answers question.
func (m *Memory) ReplyTo(_ context.Context, question bot.MessageRef) (bot.Reference, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := newestReply(maps.Values(m.byMessage), cleanRef(question))
	return r, ok, nil
}

// Questions calls each for the questions that f chooses, newest first, until
// each fails.
func (m *Memory) Questions(_ context.Context, f Filter, each func(bot.Question) error) error {
	m.mu.Lock()
	list := slices.Clone(m.questions)
	m.mu.Unlock()
	slices.SortStableFunc(list, func(a, b bot.Question) int { return b.At.Compare(a.At) })
	n := 0
	for _, q := range list {
		if q.At.Before(f.Since) || (f.Outcome != "" && q.Outcome != f.Outcome) {
			continue
		}
		if n++; f.Limit > 0 && n > f.Limit {
			return nil
		}
		if err := each(q); err != nil {
			return err
		}
	}
	return nil
}

// Votes returns the tallies of the answers that were voted on, most votes
// first.
func (m *Memory) Votes(context.Context) ([]Tally, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	byRef := make(map[string]Tally)
	for _, v := range m.votes {
		t := byRef[v.Ref]
		t.Ref = v.Ref
		if v.Helpful {
			t.Helpful++
		} else {
			t.Unhelpful++
		}
		byRef[v.Ref] = t
	}
	return slices.SortedFunc(maps.Values(byRef), func(a, b Tally) int {
		return cmp.Or(cmp.Compare(b.Helpful+b.Unhelpful, a.Helpful+a.Unhelpful), cmp.Compare(a.Ref, b.Ref))
	}), nil
}

// Purge forgets what is older, at now, than it is to be kept.
func (m *Memory) Purge(_ context.Context, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := func(at time.Time, keep time.Duration) bool { return now.Sub(at) > keep }
	maps.DeleteFunc(m.seen, func(_ [2]string, at time.Time) bool { return old(at, seenFor) })
	maps.DeleteFunc(m.turns, func(_ string, t bot.Turn) bool { return old(t.At, turnFor) })
	m.questions = slices.DeleteFunc(m.questions, func(q bot.Question) bool { return old(q.At, questionsFor) })
	maps.DeleteFunc(m.votes, func(_ [3]string, v bot.Vote) bool { return old(v.At, questionsFor) })
	maps.DeleteFunc(m.byMessage, func(_ bot.MessageRef, r bot.Reference) bool { return old(r.At, referencesFor) })
	return nil
}
