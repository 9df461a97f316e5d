package bot

import "time"

// What podium remembers. The interfaces that keep these values are declared by
// those who call them, in handlers and in the adapters; bot/store implements
// them all, in memory and in SQL:
//
//	MarkSeen(ctx, platform string, keys ...string) (first bool, err error)
//	Turn(ctx, conversation string) (Turn, bool, error)
//	SetTurn(ctx, conversation string, t Turn) error
//	LogQuestion(ctx, q Question) error
//	LogVote(ctx, v Vote) error
//	SaveReference(ctx, r Reference) error
//	ReplyTo(ctx, question MessageRef) (Reference, bool, error)
//	ReferenceOf(ctx, message MessageRef) (Reference, bool, error)

// A Turn is the last question of a conversation, kept for 15 minutes so that
// "and in Afghanistan?" and "why" have something to refer to.
type Turn struct {
	Question string    // as asked
	Context  string    // what a follow-up stands for: the question with what it left out; empty if none
	Ref      string    // the Ref of the reply's last part; empty if it answered nothing
	At       time.Time // when it was asked
}

// A Question is one that the knowledge file's owner should see: it was not
// answered, had two readings, or its answer did not help. It does not say who
// asked.
type Question struct {
	Text     string // empty where a vote came too late for podium to know it
	Outcome  string // an Outcome, or "not_helpful"
	Intent   string // the nearest intent, or empty
	Platform string
	At       time.Time
}

// NotHelpful is the outcome of a Question whose answer was voted down.
const NotHelpful = "not_helpful"

// A Vote is one person's word on one reply. A second vote of the same voter on
// the same reply replaces the first.
type Vote struct {
	Platform string
	Voter    string // the user's id; the store keeps only a keyed hash of it
	Message  string // channel and id of the message that was voted on
	Ref      string // of its answer
	Helpful  bool
	At       time.Time
}

// A Reference is one of podium's own messages, kept for 30 days: an edited
// question finds its reply by it, and a reply to podium its context.
type Reference struct {
	Message  MessageRef
	Question MessageRef // the message that it answers; empty for a reminder
	Ref      string     // of its (last) answer
	Hash     string     // of its text, to tell whether the answer has changed since
	At       time.Time
}
