package bot

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Outcome is what became of a question.
type Outcome string

const (
	Answered   Outcome = "answered"   // stated, or stated that nothing was set: text and verbatim evidence
	Clarify    Outcome = "clarify"    // two readings are too close: both offered
	Passage    Outcome = "passage"    // no intent fits, but these sentences are near
	Unanswered Outcome = "unanswered" // the announcement does not say
	Smalltalk  Outcome = "smalltalk"  // greeting, thanks, help
	Failed     Outcome = "failed"     // podium's own failure
)

// The labels of podium's own buttons, the same on every platform.
const (
	LabelShare     = "Share in channel"
	LabelWhy       = "Why this answer?"
	LabelHelpful   = "Helpful"
	LabelUnhelpful = "Not helpful"
	LabelConfirm   = "Confirm"
	LabelCancel    = "Cancel"
)

// Failure is what a person reads when podium itself failed.
const Failure = "Something went wrong on my side. Please ask again."

// FailureReply is the reply that says Failure.
func FailureReply() Reply {
	return Reply{Private: true, Parts: []Part{{Answer: Failure}}, Outcome: Failed}
}

// TextReply is a reply of plain sentences: no quote, no source.
func TextReply(text string) Reply {
	return Reply{Parts: []Part{{Outcome: Smalltalk, Answer: text}}}
}

// A Reply is what podium says back. It is a plain value: adapters lay it out
// and add nothing to its words. A Reply without parts is no message at all: a
// mention, a direct message or a press stays without an answer.
type Reply struct {
	Parts   []Part   // one, or one for each question of the message
	Buttons []Button // podium's own: share, why, votes, confirm, cancel
	Private bool     // for the asker's eyes alone, where the platform can; the reply to VerbShare is only if there is nothing to share

	// What became of the message, for the log and the metrics. Nobody is shown
	// it.
	Request string  // the kind of request that it was taken for: "ask", "remind"
	Outcome Outcome // of the least certain question in it; empty if it asked none
	Intent  string  // the best match's id, whatever the outcome; empty if there is none
}

// A Part answers one question. Empty fields are left out when it is shown; the
// order of the fields is the order of reading.
type Part struct {
	Outcome  Outcome
	Ref      string   // names the answer for buttons and the store; empty if there is none
	Answer   string   // stands alone
	Quotes   []Quote  // the sentences that the answer rests on, word for word
	Notes    []string // adjoining facts, then what people mix it up with
	Choices  []Button // the nearest topics, or the readings to choose from
	Source   string   // "Announcement of 7 April 2021, sentence 6: ..."
	Link     string   // the announcement's address, if it has one
	Numbered bool     // Choices are readings, shown as a numbered list

	// Times are moments that the part's text names in a zone of its own, in the
	// order of reading. Discord shows each once more behind its words, in the
	// reader's zone; Text does not hold that.
	Times []Moment
}

// A Moment is a point in time and the words that name it in a text.
type Moment struct {
	Words string
	At    time.Time
}

// A Quote is a stretch of the announcement, word for word.
type Quote struct {
	Text    string // without the enclosing quotation marks
	Speaker string // empty for narration
	Role    string
}

// Attribution is "John Kirby, chief Pentagon spokesman", or empty.
func (q Quote) Attribution() string {
	if q.Speaker == "" || q.Role == "" {
		return q.Speaker
	}
	return q.Speaker + ", " + q.Role
}

// String is the quote as a line of plain text, with its speaker behind it.
func (q Quote) String() string {
	s := `"` + q.Text + `"`
	if a := q.Attribution(); a != "" {
		s += " (" + a + ")"
	}
	return s
}

// Printable makes s safe to show: what a terminal or a reader's screen would
// obey instead of showing (control characters, the escape of ANSI sequences,
// overrides of the writing direction) becomes a space, broken UTF-8 becomes
// U+FFFD. Line breaks and tabs stay.
func Printable(s string) string {
	plain := true
	for i := range len(s) { // most is ASCII, where this takes a fraction of the time
		if c := s[i]; c < ' ' && c != '\n' && c != '\t' || c >= 0x7f {
			plain = false
			break
		}
	}
	if plain || !strings.ContainsFunc(s, unprintable) && utf8.ValidString(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return ' '
		}
		return r
	}, strings.ReplaceAll(s, "\r\n", "\n"))
}

func unprintable(r rune) bool {
	switch {
	case r == '\n', r == '\t':
		return false
	case '\u202a' <= r && r <= '\u202e', '\u2066' <= r && r <= '\u2069', r == '\u2028', r == '\u2029':
		return true
	}
	return unicode.IsControl(r)
}

// A Button is a choice that the reader can press. A terminal shows the label
// alone.
type Button struct {
	Label  string
	Action Action
}

// Text is the whole reply in plain text: what a terminal prints, what a screen
// reader reads and what the golden transcripts hold. It has no trailing line
// break. Buttons of podium's own are not part of it, but for Confirm and
// Cancel.
func (r Reply) Text() string {
	var b strings.Builder
	for i, p := range r.Parts {
		if i > 0 {
			b.WriteString("\n")
		}
		if len(r.Parts) > 1 {
			b.WriteString(strconv.Itoa(i+1) + ". ")
		}
		b.WriteString(p.Text())
	}
	var asks []string
	for _, button := range r.Buttons {
		if button.Label == LabelConfirm || button.Label == LabelCancel {
			asks = append(asks, "["+button.Label+"]")
		}
	}
	if len(asks) > 0 {
		b.WriteString("\n" + strings.Join(asks, " "))
	}
	return b.String()
}

// Text is the part in plain text, a line for each field.
func (p Part) Text() string {
	lines := make([]string, 0, 8)
	if p.Answer != "" {
		lines = append(lines, p.Answer)
	}
	for _, q := range p.Quotes {
		lines = append(lines, q.String())
	}
	lines = append(lines, p.Notes...)
	if c := p.ChoicesText(); c != "" {
		lines = append(lines, c)
	}
	if p.Source != "" {
		s := p.Source
		if p.Link != "" {
			s += " " + p.Link
		}
		lines = append(lines, s)
	}
	return strings.Join(lines, "\n")
}

// ChoicesText is the choices as plain text: a numbered line each if they are
// readings, else one line of the nearest topics.
func (p Part) ChoicesText() string {
	if len(p.Choices) == 0 {
		return ""
	}
	labels := make([]string, len(p.Choices))
	for i, c := range p.Choices {
		labels[i] = c.Label
		if p.Numbered {
			labels[i] = strconv.Itoa(i+1) + ". " + c.Label
		}
	}
	if p.Numbered {
		return strings.Join(labels, "\n")
	}
	return "Near it: " + strings.Join(labels, " · ")
}

// An Action is what a button does when it is pressed. It survives a restart:
// platforms carry it as text, and hand back text that nobody vouches for, so
// handlers check every Arg against what they know.
type Action struct {
	Verb string // one of the Verb constants
	Arg  string // depends on the verb
}

// The verbs and what their Arg holds.
const (
	VerbTopic     = "topic"     // an intent's or answer's id
	VerbShare     = "share"     // the Ref of each part, joined by "+"
	VerbWhy       = "why"       // handlers' short form of an explanation
	VerbHelpful   = "helpful"   // as VerbShare
	VerbUnhelpful = "unhelpful" // as VerbShare
	VerbConfirm   = "confirm"   // a reminder's draft
	VerbCancel    = "cancel"    // a reminder's draft
)

// MaxAction is the longest text of an Action in bytes: Discord's custom_id
// holds no more.
const MaxAction = 100

// String is the action as a platform carries it.
func (a Action) String() string { return a.Verb + ":" + a.Arg }

// Len is the length of String in bytes.
func (a Action) Len() int { return len(a.Verb) + len(":") + len(a.Arg) }

// ParseAction reads what String wrote. ok is false for anything that no button
// of podium's can have sent.
func ParseAction(s string) (a Action, ok bool) {
	if len(s) > MaxAction {
		return Action{}, false
	}
	verb, arg, found := strings.Cut(s, ":")
	if !found {
		return Action{}, false
	}
	switch verb {
	case VerbTopic, VerbShare, VerbWhy, VerbHelpful, VerbUnhelpful, VerbConfirm, VerbCancel:
		return Action{verb, arg}, true
	}
	return Action{}, false
}
