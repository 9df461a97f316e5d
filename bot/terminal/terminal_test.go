package terminal_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/terminal"
)

// harness drives the adapter through a pipe.
type harness struct {
	bottest.Transcript
	adapter *terminal.Adapter
	in      *os.File
	sent    int
	cancel  context.CancelFunc
	ended   chan error

	mu   sync.Mutex
	last bot.Reply // what the adapter prints next
}

func TestConformance(t *testing.T) {
	bottest.TestAdapter(t, func(t *testing.T, h bot.Handler) bottest.Harness {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		p := &harness{in: w, ended: make(chan error, 1)}
		p.adapter = terminal.New(terminal.Options{
			Handler: bot.HandlerFunc(func(ctx context.Context, m bot.Message) (bot.Reply, error) {
				reply, err := h.Handle(ctx, m)
				p.mu.Lock()
				p.last = reply
				p.mu.Unlock()
				return reply, err
			}),
			In:  r,
			Out: p,
			Log: slog.New(slog.DiscardHandler),
		})
		var ctx context.Context
		ctx, p.cancel = context.WithCancel(context.Background())
		go func() {
			p.ended <- p.adapter.Run(ctx)
			r.Close()
		}()
		return p
	})
}

// Write gets one reply at a time.
func (p *harness) Write(b []byte) (int, error) {
	s := bottest.Said{Text: string(b), Strings: []string{string(b)}, Body: bytes.Clone(b)}
	p.mu.Lock()
	for _, part := range p.last.Parts {
		for _, c := range part.Choices {
			if strings.Contains(s.Text, c.Label) {
				s.Buttons = append(s.Buttons, c)
			}
		}
	}
	for _, c := range p.last.Buttons {
		if strings.Contains(s.Text, "["+c.Label+"]") {
			s.Buttons = append(s.Buttons, c)
		}
	}
	p.mu.Unlock()
	p.Add(s)
	return len(b), nil
}

func (p *harness) Adapter() bot.Adapter { return p.adapter }

func (p *harness) Lacks(f bottest.Feature) string {
	return map[bottest.Feature]string{
		bottest.Commands:   "every line is a question",
		bottest.Mentions:   "there is nobody else to mention",
		bottest.Bots:       "one person types",
		bottest.Redelivery: "a line is read once",
		bottest.Acks:       "the person waits for the reply",
		bottest.Tools:      "there is no channel to share in and no vote",
		bottest.Whispers:   "nobody else reads",
		bottest.Markup:     "a line is what was typed",
	}[f]
}

func (p *harness) Send(u bottest.Utterance) (string, error) {
	p.sent++
	_, err := io.WriteString(p.in, u.Text+"\n")
	return fmt.Sprint(p.sent), err
}

func (p *harness) Redeliver(string) error { return errors.ErrUnsupported }

// Press types the number of a choice, or the word of Confirm and Cancel.
func (p *harness) Press(on bottest.Said, b bot.Button) error {
	typed := strings.ToLower(b.Label)
	if b.Action.Verb == bot.VerbTopic {
		typed = fmt.Sprint(slices.Index(on.Buttons, b) + 1)
	}
	_, err := io.WriteString(p.in, typed+"\n")
	return err
}

// Live is the bell: nothing else of a terminal calls anybody.
func (p *harness) Live(s bottest.Said) string {
	if bytes.Contains(s.Body, []byte("\a")) {
		return "\a"
	}
	return ""
}

func (p *harness) Cancel()     { p.cancel() }
func (p *harness) Wait() error { return <-p.ended }
func (p *harness) Close()      { p.in.Close() }

// converse is what the adapter prints in a pipe for these lines.
func converse(t *testing.T, h bot.Handler, in string) string {
	t.Helper()
	var out strings.Builder
	a := terminal.New(terminal.Options{Handler: cmp.Or[bot.Handler](h, bot.HandlerFunc(bottest.Echo)), In: strings.NewReader(in), Out: &out, Greeting: "Good morning."})
	if err := a.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPipe(t *testing.T) {
	long := strings.Repeat("word ", 200_000) // 1 MB
	for _, test := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"one question", "how many\n", "You said: how many\n"},
		{"no line end", "how many", "You said: how many\n"},
		{"dos", "one\r\ntwo\r\n", "You said: one\n\nYou said: two\n"},
		{"blank lines", "\n \none\n\n\ntwo\n", "You said: one\n\nYou said: two\n"},
		{"leaving", "one\nExit\ntwo\n", "You said: one\n"},
		{"quitting", "quit\n", ""},
		{"a word of leaving in a question", "do they quit\n", "You said: do they quit\n"},
		{"confirm without a draft", "confirm\n", "You said: confirm\n"},
		{"a number without choices", "1\n", "You said: 1\n"},
		{"codes", "\x1b[31mred\x1b[0m \a!\n", "You said:  [31mred [0m  !\n"},
		{"broken", "a\xffb\n", "You said: a\ufffdb\n"},
		{"one megabyte", long + "\nnext\n", terminal.TooLong + "\n\nYou said: next\n"},
		{"one megabyte without end", long, terminal.TooLong + "\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := converse(t, nil, test.in); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestChoices(t *testing.T) {
	topic := func(label, id string) bot.Button {
		return bot.Button{Label: label, Action: bot.Action{Verb: bot.VerbTopic, Arg: id}}
	}
	h := bot.HandlerFunc(func(_ context.Context, m bot.Message) (bot.Reply, error) {
		if m.Kind == bot.Press {
			return bot.TextReply("pressed " + m.Action.String()), nil
		}
		one := bot.Part{Answer: "Which one?", Choices: []bot.Button{topic("Iraq", "iraq"), topic("Afghanistan", "afghan")}, Numbered: true}
		switch m.Text {
		case "one":
			return bot.Reply{Parts: []bot.Part{one}}, nil
		case "two":
			return bot.Reply{Parts: []bot.Part{one, {Answer: "Or?", Choices: []bot.Button{topic("Cost", "cost")}}}}, nil
		case "draft":
			return bot.Reply{Parts: []bot.Part{{Answer: "Every day."}}, Buttons: []bot.Button{
				{Label: bot.LabelConfirm, Action: bot.Action{Verb: bot.VerbConfirm, Arg: "7"}},
				{Label: bot.LabelCancel, Action: bot.Action{Verb: bot.VerbCancel, Arg: "7"}},
			}}, nil
		}
		return bot.TextReply("asked " + m.Text), nil
	})
	for _, test := range []struct{ in, want string }{
		{"one\n2", "pressed topic:afghan"},
		{"one\n1.", "pressed topic:iraq"},
		{"one\nafghanistan", "pressed topic:afghan"},
		{"one\n3", "asked 3"},
		{"one\n0", "asked 0"},
		{"one\n-1", "asked -1"},
		{"one\nelse\n1", "asked 1"},
		{"two\n1", "asked 1"}, // of which list
		{"two\ncost", "pressed topic:cost"},
		{"draft\nconfirm", "pressed confirm:7"},
		{"draft\nCANCEL", "pressed cancel:7"},
		{"draft\nelse\nconfirm", "pressed confirm:7"},
		{"draft\nconfirm\nconfirm", "asked confirm"},
	} {
		got := strings.TrimSuffix(converse(t, h, test.in), "\n")
		if got = got[strings.LastIndex(got, "\n")+1:]; got != test.want {
			t.Errorf("after %q: %q, want %q", test.in, got, test.want)
		}
	}
}

// TestStopBlockedRead ends a Run that waits for input.
func TestStopBlockedRead(t *testing.T) {
	filed, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer filed.Close()
	defer w.Close()
	piped, pw := io.Pipe()
	defer pw.Close()
	for name, in := range map[string]io.Reader{"file": filed, "closer": piped} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			asked := make(chan struct{})
			a := terminal.New(terminal.Options{In: in, Out: io.Discard, Handler: bot.HandlerFunc(func(ctx context.Context, m bot.Message) (bot.Reply, error) {
				close(asked)
				return bottest.Echo(ctx, m)
			})})
			ended := make(chan error, 1)
			go func() { ended <- a.Run(ctx) }()
			go io.WriteString(map[string]io.Writer{"file": w, "closer": pw}[name], "hello\n")
			<-asked
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run = %v, want nil", err)
			}
		})
	}
}

func TestWriteError(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	a := terminal.New(terminal.Options{In: strings.NewReader("hello\n"), Out: w, Handler: bot.HandlerFunc(bottest.Echo)})
	if err := a.Run(t.Context()); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Run = %v, want %v", err, io.ErrClosedPipe)
	}
}
