package bottest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"podium/bot"
)

// A fault is what an adapter may get wrong. Each breaks the adapter of this
// test, so that the check that looks for it can be seen to find it.
type fault string

const (
	sound         fault = "sound"
	noState       fault = "no state"
	publicCommand fault = "public command"
	wrongKind     fault = "wrong kind"
	wrongUser     fault = "wrong user"
	noID          fault = "no i d"
	keepsEscapes  fault = "keeps escapes"
	keepsMention  fault = "keeps mention"
	hearsItself   fault = "hears itself"
	hearsBots     fault = "hears bots"
	answersAgain  fault = "answers again"
	noAck         fault = "no ack"
	oneAtATime    fault = "one at a time"
	showsError    fault = "shows error"
	diesOfPanic   fault = "dies of panic"
	saysEmpty     fault = "says empty"
	runContext    fault = "run context"
	dropsInHand   fault = "drops in hand"
	neverStops    fault = "never stops"
	leaks         fault = "leaks"
	failsRun      fault = "fails run"
	pingsAll      fault = "pings"
	obeysControls fault = "obeys controls"
	dropsQuote    fault = "drops quote"
	swaps         fault = "swaps"
	adds          fault = "adds"
	cutsAnywhere  fault = "cuts anywhere"
	cutsSilent    fault = "cuts silent"
	publicPrivate fault = "public private"
	dropsButton   fault = "drops button"
	wrongAction   fault = "wrong action"
	pressIsPublic fault = "press is public"
	privateShare  fault = "private share"
)

// pond is an adapter and its platform in one: people speak to it through a
// channel, and its messages are plain text, encoded as Slack does.
type pond struct {
	fault fault
	Transcript
	handler bot.Handler
	ctx     context.Context
	cancel  context.CancelFunc
	ended   chan error

	mu   sync.Mutex
	sent map[string]Utterance
	seen map[string]bool
	next int
	last chan struct{} // closed when all questions so far are answered
}

const pondLimit = 3000

func startPond(f fault) starter {
	return func(t *testing.T, h bot.Handler) Harness {
		p := &pond{fault: f, handler: h, ended: make(chan error, 1), sent: map[string]Utterance{}, seen: map[string]bool{}}
		p.ctx, p.cancel = context.WithCancel(context.Background())
		go func() { p.ended <- p.Run(p.ctx) }()
		return p
	}
}

func (p *pond) Platform() string         { return "pond" }
func (p *pond) Mount(mux *http.ServeMux) {}
func (p *pond) State() (bot.State, error) {
	if p.fault == noState {
		return bot.Connecting, nil
	}
	return bot.Connected, nil
}

func (p *pond) Run(ctx context.Context) error {
	<-ctx.Done()
	if p.fault == neverStops {
		<-time.After(2 * stopWithin)
	}
	p.mu.Lock()
	last := p.last
	p.mu.Unlock()
	if p.fault != dropsInHand && last != nil {
		<-last
	}
	if p.fault == leaks {
		go func() { <-time.After(3 * stopWithin) }()
	}
	if p.fault == failsRun {
		return ctx.Err()
	}
	return nil
}

func (p *pond) Adapter() bot.Adapter { return p }
func (p *pond) Lacks(f Feature) string {
	return ""
}
func (p *pond) Cancel()     { p.cancel() }
func (p *pond) Wait() error { return <-p.ended }
func (p *pond) Close()      {}

func (p *pond) Send(u Utterance) (string, error) {
	p.mu.Lock()
	p.next++
	id := strconv.Itoa(p.next)
	p.sent[id] = u
	p.mu.Unlock()
	return id, p.deliver(id, u)
}

func (p *pond) Redeliver(id string) error { return p.deliver(id, p.sent[id]) }

func (p *pond) deliver(id string, u Utterance) error {
	text := u.Text
	if !u.Raw {
		text = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
	}
	text = strings.ReplaceAll(text, Me, "<@POND>")

	// From here on it is the adapter's side.
	if u.From == Self && p.fault != hearsItself || u.From == OtherBot && p.fault != hearsBots {
		return nil
	}
	p.mu.Lock()
	again := p.seen[id]
	p.seen[id] = true
	p.mu.Unlock()
	if again && p.fault != answersAgain {
		return nil
	}
	if p.fault != keepsMention {
		text = strings.TrimSpace(strings.ReplaceAll(text, "<@POND>", ""))
	}
	if p.fault != keepsEscapes {
		text = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(text)
	}
	m := bot.Message{
		Platform: "pond", Channel: "C" + u.Kind.String(), ID: id, User: bot.User{ID: "U1"},
		Kind: u.Kind, Private: u.Kind == bot.Command, Text: text, Received: time.Now(),
	}
	if p.fault == wrongKind {
		m.Kind = (m.Kind + 1) % bot.Press
	}
	if p.fault == noID {
		m.ID = ""
	}
	if p.fault == wrongUser {
		m.User.ID += id
	}
	p.take(m)
	return nil
}

func (p *pond) Press(on Said, b bot.Button) error {
	p.mu.Lock()
	p.next++
	id := strconv.Itoa(p.next)
	p.mu.Unlock()
	asked := on.Where.(bot.Message)
	a, ok := bot.ParseAction(b.Action.String())
	if !ok {
		return errors.New("no action of podium's")
	}
	if p.fault == wrongAction {
		a.Arg += "x"
	}
	p.take(bot.Message{
		Platform: "pond", Channel: asked.Channel, ID: id, User: asked.User,
		Kind: bot.Press, Action: a, Private: on.Private && p.fault != pressIsPublic, Received: time.Now(),
	})
	return nil
}

func (p *pond) take(m bot.Message) {
	done := make(chan struct{})
	p.mu.Lock()
	before := p.last
	p.last = done
	p.mu.Unlock()
	work := func() {
		defer func() {
			if before != nil {
				<-before
			}
			close(done)
		}()
		if p.fault == oneAtATime && before != nil {
			<-before
		}
		ctx := context.Background()
		if p.fault == runContext {
			ctx = p.ctx
		}
		r, err := bot.Answer(ctx, p.handler, m)
		if p.fault == diesOfPanic && err != nil && strings.Contains(err.Error(), "panic") {
			return
		}
		if p.fault == showsError && err != nil {
			r = bot.TextReply(err.Error())
		}
		if p.fault == dropsInHand && p.ctx.Err() != nil {
			return
		}
		p.say(m, r)
	}
	if p.fault == noAck {
		work()
	} else {
		go work()
	}
}

func (p *pond) say(m bot.Message, r bot.Reply) {
	if len(r.Parts) == 0 && p.fault != saysEmpty {
		return
	}
	private := r.Private || m.Private
	if m.Action.Verb == bot.VerbShare && p.fault != privateShare {
		private = false
	}
	if p.fault == publicPrivate && r.Private || p.fault == publicCommand && m.Kind == bot.Command {
		private = false
	}
	var buttons []bot.Button
	r.Parts = slices.Clone(r.Parts)
	for i := range r.Parts {
		part := &r.Parts[i]
		if p.fault == dropsQuote {
			part.Quotes = nil
		}
		if p.fault == swaps && part.Source != "" {
			part.Answer, part.Source = part.Source, part.Answer
		}
		buttons = append(buttons, part.Choices...)
	}
	buttons = append(buttons, r.Buttons...)
	if p.fault == dropsButton && len(buttons) > 1 {
		buttons = buttons[1:]
	}
	for i := range buttons {
		buttons[i].Label = bot.Printable(buttons[i].Label)
	}
	text := r.Text()
	if p.fault != obeysControls {
		text = bot.Printable(text)
	}
	if p.fault == adds {
		text = "Result: " + text
	}
	if len(text) > pondLimit {
		keep := text[:pondLimit]
		if p.fault != cutsAnywhere {
			keep = keep[:strings.LastIndex(keep, ".")+1]
		}
		text = keep + " (more in thread)"
		if p.fault == cutsSilent {
			text = keep
		}
	}
	body := text
	if p.fault != pingsAll {
		body = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "@everyone", "@\u200beveryone", "@here", "@\u200bhere").Replace(body)
	}
	p.Add(Said{Text: text, Private: private, Buttons: buttons, Strings: []string{body}, Body: []byte(body), Where: m})
}

func (p *pond) Live(s Said) string {
	for _, live := range []string{"<@", "<!", "<#", "@everyone", "@here"} {
		if strings.Contains(string(s.Body), live) {
			return live
		}
	}
	return ""
}

func TestSoundAdapter(t *testing.T) {
	TestAdapter(t, startPond(sound))
}

// TestFaults sees each check find the fault that it is there for.
func TestFaults(t *testing.T) {
	defer func(a, b, c time.Duration) { ackWithin, patience, stopWithin = a, b, c }(ackWithin, patience, stopWithin)
	ackWithin, patience, stopWithin = 200*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
	for _, test := range []struct {
		check string
		kind  bot.Kind
		fault fault
	}{
		{"makes a message of what was said", bot.Direct, noState},
		{"makes a message of what was said", bot.Direct, wrongKind},
		{"makes a message of what was said", bot.Direct, wrongUser},
		{"makes a message of what was said", bot.Direct, noID},
		{"makes a message of what was said", bot.Command, publicCommand},
		{"undoes the platform's escapes", bot.Direct, keepsEscapes},
		{"strips the mention", bot.Mention, keepsMention},
		{"ignores itself and other bots", bot.Mention, hearsItself},
		{"ignores itself and other bots", bot.Direct, hearsBots},
		{"answers a redelivered message once", bot.Direct, answersAgain},
		{"acknowledges although the handler blocks", bot.Direct, noAck},
		{"acknowledges a press although the handler blocks", bot.Direct, noAck},
		{"lets no question wait for another", bot.Direct, oneAtATime},
		{"says that it failed", bot.Direct, showsError},
		{"says that it failed", bot.Direct, diesOfPanic},
		{"says nothing where the reply is empty", bot.Direct, saysEmpty},
		{"says nothing where the reply to a press is empty", bot.Command, saysEmpty},
		{"stops", bot.Direct, neverStops},
		{"stops", bot.Direct, leaks},
		{"stops", bot.Direct, failsRun},
		{"stops with the question in hand answered", bot.Direct, runContext},
		{"stops with the question in hand answered", bot.Direct, dropsInHand},
		{"pings nobody", bot.Direct, pingsAll},
		{"pings nobody whom the question pinged", bot.Mention, pingsAll},
		{"shows no control characters", bot.Direct, obeysControls},
		{"says every word of the reply", bot.Direct, dropsQuote},
		{"says every word of the reply", bot.Direct, swaps},
		{"says every word of the reply", bot.Direct, adds},
		{"says every word of the reply", bot.Direct, cutsAnywhere},
		{"says every word of the reply", bot.Direct, cutsSilent},
		{"keeps a private reply private", bot.Command, publicPrivate},
		{"whispers a private reply", bot.Mention, publicPrivate},
		{"shows buttons and hands over the one pressed", bot.Direct, dropsButton},
		{"shows buttons and hands over the one pressed", bot.Direct, wrongAction},
		{"shows buttons and hands over the one pressed", bot.Command, pressIsPublic},
		{"shows its tools and shares", bot.Command, privateShare},
	} {
		t.Run(fmt.Sprintf("%s/%s", test.check, test.fault), func(t *testing.T) {
			for _, c := range checks {
				if c.name != test.check {
					continue
				}
				if err := c.run(t, startPond(test.fault), test.kind); err == nil {
					t.Error("the check found nothing")
				}
				return
			}
			t.Fatal("no such check")
		})
	}
}
