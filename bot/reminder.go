package bot

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// A Reminder is a post that podium makes on a schedule.
type Reminder struct {
	ID        string // short and stable: what people type to name it
	Platform  string
	Workspace string
	Channel   string // where it is posted
	Label     string // the channel as people read it: "#general"; empty if not known
	Author    User   // who set it
	Schedule  string // in the schedule grammar's own words: "every weekday at 09:00"
	Zone      string // IANA time zone of the schedule
	Start     time.Time
	Ref       string        // of the answer or quote that is posted; empty: a bare countdown
	Title     string        // of what is posted, as it was when the reminder was set
	State     ReminderState // Draft until its author has confirmed it
	Problem   string        // why podium itself paused it; else empty
	Replaces  string        // of a Draft: the reminder that it changes
	Next      time.Time     // the next occurrence; zero if there is none
}

// ReminderState is where a reminder stands.
type ReminderState string

const (
	Draft  ReminderState = "draft"
	Active ReminderState = "active"
	Paused ReminderState = "paused"
	Done   ReminderState = "done" // no occurrence is left
)

// An Occurrence is one moment at which a reminder is due.
type Occurrence struct {
	At    time.Time // in the reminder's zone
	Shift string    // what daylight saving does to it, in words; empty if nothing
}

// A Delivery is what became of one occurrence.
type Delivery struct {
	Reminder string
	Due      time.Time
	State    DeliveryState
	Began    time.Time  // when the first attempt to post it began
	Tried    time.Time  // when the last one did
	Message  MessageRef // where it is posted; its ID is empty until then
	Reason   string     // of Skipped and Unknown, in words
}

// DeliveryState is how far an occurrence has come. All but Posting are final.
type DeliveryState string

const (
	Posting DeliveryState = "posting" // an attempt has begun; it may or may not have arrived
	Posted  DeliveryState = "posted"
	Skipped DeliveryState = "skipped" // by the policy on late and refused posts
	Unknown DeliveryState = "unknown" // the platform can not tell whether it arrived
)

// Key names the delivery on its platform, in at most 25 characters.
func (d Delivery) Key() string { return d.Reminder + "-" + strconv.FormatInt(d.Due.Unix(), 36) }

// A Refusal is an error that the person who asked can mend. Its text is for
// them.
type Refusal struct {
	Problem string   // what is wrong, in one sentence
	Hints   []string // what to type instead
}

func (e *Refusal) Error() string {
	return strings.Join(append([]string{e.Problem}, e.Hints...), "\n")
}

// A Due is an occurrence whose post is to be written now.
type Due struct {
	At        time.Time // when it was due, in the reminder's zone
	Now       time.Time // in the same zone
	Countdown time.Time // midnight of the day that is counted down to; zero: none
}

// Late reports whether the post comes so long after its time that it has to
// say so.
func (d Due) Late() bool { return d.Now.Sub(d.At) > 2*time.Minute }

// ErrGone says that what a reminder posts is no longer in the knowledge file.
var ErrGone = errors.New("what the reminder posts is no longer there")

// A Teller can send a person a message of their own. A Poster that is one lets
// podium tell the author of a reminder what has become of it.
type Teller interface {
	Tell(ctx context.Context, user string, r Reply) error
}

// A Repeater is a Poster on whose platform a second Post with a key does not
// make a second message, but returns the first, for as long as Repeatable
// says. Where such a platform can not tell whether a post arrived, it is posted
// again.
type Repeater interface {
	Repeatable() time.Duration
}
