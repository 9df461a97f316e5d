// Package store is what podium remembers: which events it has seen, what it
// could not answer, votes, its own messages, and the last question of each
// conversation.
//
// Memory keeps it for one process's life; SQL, made by Open, keeps it in SQLite
// or PostgreSQL. Both satisfy the interfaces that handlers and adapters
// declare; bot/record.go lists their methods and the values they keep.
//
// MarkSeen is on disk before it returns: an adapter that acknowledges an event
// only after MarkSeen succeeded loses none and answers none twice. The other
// writes of SQL are written behind: they return at once, are seen by this
// process's reads from then on, and reach the database within moments.
package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"strings"
	"time"

	"podium/bot"
)

// How long things are remembered. Questions and References are the defaults of
// settings.
const (
	seenFor       = 7 * 24 * time.Hour
	turnFor       = 15 * time.Minute
	questionsFor  = 90 * 24 * time.Hour
	referencesFor = 30 * 24 * time.Hour
)

// maxText is the length in bytes that a question's text is cut to.
const maxText = 4000

// A Filter chooses questions. Empty fields choose all.
type Filter struct {
	Since   time.Time
	Outcome string
	Limit   int // at most so many, the newest
}

// A Tally is how often an answer was voted on.
type Tally struct {
	Ref                string
	Helpful, Unhelpful int
}

// A log is what both stores let the knowledge file's owner read.
type log interface {
	// Questions calls f for each question, newest first, until f fails.
	Questions(ctx context.Context, f Filter, each func(bot.Question) error) error
	// Votes are the tallies of the answers that were voted on, most votes
	// first.
	Votes(ctx context.Context) ([]Tally, error)
	// Purge forgets what is older, at now, than it is to be kept.
	Purge(ctx context.Context, now time.Time) error
}

var (
	_ log = (*Memory)(nil)
	_ log = (*SQL)(nil)
)

// voterHash is what is kept of a voter: nobody without the store's key can
// tell who it was.
func voterHash(key []byte, v bot.Vote) string {
	return keyed(key, v.Platform+"/"+v.Voter)
}

// keyed is a hash of text: nobody without the store's key can tell what it was.
func keyed(key []byte, text string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// clean makes s fit for both databases: valid UTF-8 without NUL, and no longer
// than a question needs to be.
func clean(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
}

// The clean functions make a value what both databases give back: clean texts,
// and times in UTC to the microsecond.

func cleanTime(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func cleanTurn(t bot.Turn) bot.Turn {
	return bot.Turn{Question: clean(t.Question), Context: clean(t.Context), Ref: clean(t.Ref), At: cleanTime(t.At)}
}

func cleanQuestion(q bot.Question) bot.Question {
	return bot.Question{Text: clean(q.Text), Outcome: clean(q.Outcome), Intent: clean(q.Intent), Platform: q.Platform, At: cleanTime(q.At)}
}

func cleanRef(r bot.MessageRef) bot.MessageRef {
	return bot.MessageRef{Platform: r.Platform, Channel: clean(r.Channel), ID: clean(r.ID)}
}

func cleanReference(r bot.Reference) bot.Reference {
	return bot.Reference{Message: cleanRef(r.Message), Question: cleanRef(r.Question), Ref: clean(r.Ref), Hash: clean(r.Hash), At: cleanTime(r.At)}
}

// newestReply is the newest among list that answers question.
func newestReply(list iter.Seq[bot.Reference], question bot.MessageRef) (newest bot.Reference, found bool) {
	if question.ID == "" {
		return newest, false
	}
	for r := range list {
		if r.Question != question {
			continue
		}
		if c := r.At.Compare(newest.At); !found || c > 0 || c == 0 && r.Message.ID > newest.Message.ID {
			newest, found = r, true
		}
	}
	return newest, found
}
