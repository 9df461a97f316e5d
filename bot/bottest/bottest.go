// Package bottest holds the conformance test that every adapter passes, in the
// manner of net/http/httptest and nettest, and the small fakes that adapters'
// tests share.
//
// An adapter's test writes a Harness, which drives the adapter over its real
// transport against a fake of its platform, and hands TestAdapter a function
// that starts one:
//
//	func TestConformance(t *testing.T) {
//		bottest.TestAdapter(t, func(t *testing.T, h bot.Handler) bottest.Harness {
//			return start(t, h)
//		})
//	}
//
// What a platform does not have its harness says in Lacks; the checks that
// need it show as skipped, with the reason.
package bottest

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"podium/bot"
)

// A Harness is one running adapter on a fake of its platform. It is in use by
// one check alone. Its adapter is connected when it is handed over.
//
// A *Transcript has Next and All: harnesses embed one and let their fake Add
// to it.
type Harness interface {
	// Adapter is the adapter under test.
	Adapter() bot.Adapter

	// Lacks is empty when the platform has f, else why it does not, as in
	// "a terminal has one reader".
	Lacks(f Feature) string

	// Send delivers u as the platform does and returns when the platform has
	// its acknowledgement, or an error when that does not come. The id names
	// the message for Redeliver.
	Send(u Utterance) (id string, err error)

	// Redeliver delivers the message again, in each way in which the platform
	// may do so: the same event again, another event for the same message.
	Redeliver(id string) error

	// Press presses a button of what podium said, as the person that Send
	// speaks for, and returns when the platform has its acknowledgement.
	Press(on Said, b bot.Button) error

	// Next waits for the next message of podium's, in the order of their
	// arrival.
	Next(ctx context.Context) (Said, error)

	// All is every message of podium's so far.
	All() []Said

	// Live is the first stretch of s, anywhere in its body, that the platform
	// would turn into a ping of somebody or a link to a channel, by the
	// platform's own rules. It is empty if there is none.
	Live(s Said) string

	// Cancel ends the context of Run; Wait waits for Run and returns its
	// error. Close frees the fake and every connection to it.
	Cancel()
	Wait() error
	Close()
}

// A Feature is something that not every platform has.
type Feature string

const (
	Commands   Feature = "slash commands"
	Mentions   Feature = "mentions"
	Directs    Feature = "direct messages"
	Bots       Feature = "messages of podium itself and of other bots"
	Redelivery Feature = "redelivery"
	Acks       Feature = "acknowledgements" // and with them several questions at a time
	Buttons    Feature = "buttons"          // choices, Confirm and Cancel can be pressed
	Tools      Feature = "tool buttons"     // Share, Why and the votes can be pressed
	Whispers   Feature = "private replies to public messages"
	Markup     Feature = "markup in incoming text" // Utterance.Raw differs from typed text
)

// From is who says something.
type From int

const (
	Person From = iota
	Self        // podium: platforms send its own messages back to it
	OtherBot
)

// Me stands in an Utterance's text for the platform's mention of podium.
const Me = "@podium"

// An Utterance is something said on the platform.
type Utterance struct {
	Kind bot.Kind // Command, Mention or Direct
	From From
	// Text is what was typed, with Me for each mention of podium; a Mention
	// has one at least. The harness encodes it as the platform does.
	Text string
	// Raw leaves the encoding out: Text (but for Me) is what the platform
	// sends when a person picked mentions from its menus.
	Raw bool
}

// Said is one message of podium's.
type Said struct {
	Text    string       // plain text as a screen reader has it, without the labels of buttons
	Private bool         // seen by the asker alone, in a place that others see
	Buttons []bot.Button // in order, with the action that the platform would send back
	Strings []string     // every string of the body that a reader may see, decoded
	Body    []byte       // as sent
	Where   any          // for the harness's own use, as in Press
}

// JSONStrings is every string in a JSON text, keys left out, in the order of
// the text but for objects, whose order is that of their keys. It is nil for
// what is not JSON.
func JSONStrings(body []byte) []string {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return nil
	}
	var all []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			all = append(all, v)
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			keys := make([]string, 0, len(v))
			for k := range v {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			for _, k := range keys {
				walk(v[k])
			}
		}
	}
	walk(v)
	return all
}

// A Transcript collects what podium says. The zero value is ready.
type Transcript struct {
	mu   sync.Mutex
	said []Said
	read int
	more chan struct{} // closed by Add; nil while nobody waits
}

// Add takes down one message.
func (t *Transcript) Add(s Said) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.said = append(t.said, s)
	if t.more != nil {
		close(t.more)
		t.more = nil
	}
}

// Next waits for the first message that Next has not returned yet.
func (t *Transcript) Next(ctx context.Context) (Said, error) {
	for {
		t.mu.Lock()
		if t.read < len(t.said) {
			t.read++
			s := t.said[t.read-1]
			t.mu.Unlock()
			return s, nil
		}
		if t.more == nil {
			t.more = make(chan struct{})
		}
		more := t.more
		t.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return Said{}, ctx.Err()
		}
	}
}

// All is every message so far.
func (t *Transcript) All() []Said {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.said)
}

// A Recorder is a handler that keeps the messages it was given.
type Recorder struct {
	// Reply answers. If it is nil, every message is answered by Echo.
	Reply bot.HandlerFunc

	mu       sync.Mutex
	messages []bot.Message
}

// Handle keeps m and answers it.
func (r *Recorder) Handle(ctx context.Context, m bot.Message) (bot.Reply, error) {
	r.mu.Lock()
	r.messages = append(r.messages, m)
	r.mu.Unlock()
	if r.Reply == nil {
		return Echo(ctx, m)
	}
	return r.Reply(ctx, m)
}

// Messages is what the handler was given so far.
func (r *Recorder) Messages() []bot.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.messages)
}

// Echo answers a message with its own text, or the action that was pressed.
func Echo(_ context.Context, m bot.Message) (bot.Reply, error) {
	if m.Kind == bot.Press {
		return bot.TextReply("You pressed " + m.Action.Verb + "."), nil
	}
	return bot.TextReply("You said: " + m.Text), nil
}
