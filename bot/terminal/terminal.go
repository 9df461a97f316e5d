// Package terminal talks to one person over standard input and output: a
// newcomer's first five minutes, and a script's pipe.
//
// On a terminal there are a prompt, line editing, history and colours. In a
// pipe there is nothing but replies: one question a line, a blank line between
// replies.
package terminal

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"podium/bot"
)

// TooLong is the reply to a line that nobody means as a question.
const TooLong = "That is too long for one question. Please ask it in a sentence or two."

// Options say where an Adapter reads and writes.
type Options struct {
	Handler bot.Handler
	// In ends the conversation at its end. If it may block for ever it must
	// be an *os.File or an io.Closer: Run's context ends the reading.
	In      io.Reader
	Out     io.Writer
	Environ []string // TERM and NO_COLOR are looked at
	// Greeting is printed first where a person sees it: on a terminal.
	Greeting string
	Log      *slog.Logger // of handlers' errors; the default is slog.Default()
}

// New makes an Adapter.
func New(o Options) *Adapter {
	o.Log = cmp.Or(o.Log, slog.Default())
	return &Adapter{Options: o}
}

// An Adapter holds one conversation.
type Adapter struct {
	Options
	asked   int            // messages so far: their IDs
	choices [][]bot.Button // of each part of the last reply that has any
	confirm []bot.Button   // Confirm and Cancel, until one is pressed
	posts   posts
}

// Platform is bot.Terminal.
func (a *Adapter) Platform() string { return bot.Terminal }

// Mount does nothing: a terminal has no endpoints.
func (a *Adapter) Mount(*http.ServeMux) {}

// State is bot.Connected: there is nothing to connect to.
func (a *Adapter) State() (bot.State, error) { return bot.Connected, nil }

// Run answers line after line until the input ends, the person leaves (exit,
// quit, Ctrl-D, Ctrl-C) or ctx is done. An error is one of reading or writing.
func (a *Adapter) Run(ctx context.Context) error {
	in, out := a.In, a.Out
	file, isFile := in.(*os.File)
	if isFile {
		reader, err := newInterruptible(file)
		if err != nil {
			return err
		}
		defer reader.Close()
		defer context.AfterFunc(ctx, reader.Stop)()
		in = reader
	} else if c, ok := in.(io.Closer); ok {
		defer context.AfterFunc(ctx, func() { c.Close() })()
	}

	var lines lineReader = plainLines(in)
	look := look{}
	outFile, ok := out.(*os.File)
	if isFile && ok && term.IsTerminal(int(file.Fd())) && term.IsTerminal(int(outFile.Fd())) {
		look.person = true
		look.size = func() (int, int, error) { return term.GetSize(int(outFile.Fd())) }
		name := getenv(a.Environ, "TERM")
		if name == "" || name == "dumb" {
			// The terminal's own line discipline edits; no codes are sent.
			lines = prompted{lines, out}
		} else {
			look.colour = getenv(a.Environ, "NO_COLOR") == ""
			saved, err := term.MakeRaw(int(file.Fd()))
			if err != nil {
				return err
			}
			defer term.Restore(int(file.Fd()), saved)
			e := newEditor(in, out, look)
			lines, out = e, e
		}
	}
	return a.converse(ctx, lines, out, look)
}

func (a *Adapter) converse(ctx context.Context, lines lineReader, out io.Writer, look look) error {
	if look.person && a.Greeting != "" {
		if _, err := io.WriteString(out, look.wrap(a.Greeting)+"\n\n"); err != nil {
			return err
		}
	}
	a.posts.open(out, look)
	defer a.posts.close()
	for first := true; ctx.Err() == nil; {
		line, err := lines.ReadLine()
		if errors.Is(err, errTooLong) {
			line = ""
		} else if err != nil {
			if err == io.EOF || ctx.Err() != nil {
				return nil
			}
			return err
		}
		said := strings.TrimSpace(line)
		var reply bot.Reply
		switch {
		case err != nil:
			reply = bot.TextReply(TooLong)
		case said == "":
			continue
		case strings.EqualFold(said, "exit"), strings.EqualFold(said, "quit"):
			return nil
		default:
			if reply = a.answer(ctx, said); len(reply.Parts) == 0 {
				continue
			}
		}
		text := look.show(reply) + "\n"
		if look.person {
			text += "\n"
		} else if !first {
			text = "\n" + text
		}
		first = false
		if _, err := io.WriteString(out, text); err != nil {
			return err
		}
	}
	return nil
}

// answer has said answered. A reply in hand is finished although ctx is done.
func (a *Adapter) answer(ctx context.Context, said string) bot.Reply {
	a.asked++
	m := bot.Message{
		Platform: bot.Terminal,
		Channel:  channel,
		ID:       strconv.Itoa(a.asked),
		User:     bot.User{ID: "person"},
		Kind:     bot.Direct,
		Text:     said,
		Received: time.Now(),
	}
	if b, ok := a.pressed(said); ok {
		m.Kind, m.Text, m.Action = bot.Press, "", b.Action
	}
	reply, err := bot.Answer(context.WithoutCancel(ctx), a.Handler, m)
	if err != nil {
		a.Log.Error("question failed", "platform", bot.Terminal, "error", err)
	}
	a.choices = nil
	for _, p := range reply.Parts {
		if len(p.Choices) > 0 {
			a.choices = append(a.choices, p.Choices)
		}
	}
	if asks := askButtons(reply); len(asks) > 0 {
		a.confirm = asks
	}
	return reply
}

// pressed is the button that said stands for: the number of a choice where
// that is clear, a choice's label, or confirm and cancel.
func (a *Adapter) pressed(said string) (bot.Button, bool) {
	for _, b := range a.confirm {
		if strings.EqualFold(said, b.Label) {
			a.confirm = nil
			return b, true
		}
	}
	if n, err := strconv.Atoi(strings.TrimSuffix(said, ".")); err == nil && len(a.choices) == 1 && 1 <= n && n <= len(a.choices[0]) {
		return a.choices[0][n-1], true
	}
	for _, b := range slices.Concat(a.choices...) {
		if strings.EqualFold(said, b.Label) {
			return b, true
		}
	}
	return bot.Button{}, false
}

func askButtons(r bot.Reply) []bot.Button {
	var asks []bot.Button
	for _, b := range r.Buttons {
		if b.Label == bot.LabelConfirm || b.Label == bot.LabelCancel {
			asks = append(asks, b)
		}
	}
	return asks
}

// getenv is the last value of name in environ.
func getenv(environ []string, name string) string {
	value := ""
	for _, e := range environ {
		if k, v, _ := strings.Cut(e, "="); k == name {
			value = v
		}
	}
	return value
}
