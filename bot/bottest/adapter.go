package bottest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"podium/bot"
)

// Variables, so that the test of this package need not wait for them.
var (
	// ackWithin is what Slack and Discord allow from an event to its
	// acknowledgement.
	ackWithin = 3 * time.Second
	// patience is how long a check waits for what should come at once.
	patience = 10 * time.Second
	// stopWithin is what an orchestrator is promised.
	stopWithin = 5 * time.Second
)

// TestAdapter runs the conformance test on the adapter that start starts. It
// counts goroutines, so the calling test must not be parallel.
func TestAdapter(t *testing.T, start func(t *testing.T, h bot.Handler) Harness) {
	// The first start also warms up whatever the process starts once.
	s := open(t, start, &Recorder{})
	lacks := map[Feature]string{}
	for _, f := range []Feature{Commands, Mentions, Directs, Bots, Redelivery, Acks, Buttons, Tools, Whispers, Markup} {
		if why := s.Lacks(f); why != "" {
			lacks[f] = why
		}
	}
	if _, err := s.finish(); err != nil {
		t.Fatal(err)
	}
	if lacks[Commands] != "" && lacks[Mentions] != "" && lacks[Directs] != "" {
		t.Fatal("the platform lacks every way to ask")
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			for _, kind := range c.kinds {
				t.Run(kind.String(), func(t *testing.T) {
					for _, f := range append([]Feature{asking[kind]}, c.needs...) {
						if why := lacks[f]; why != "" {
							t.Skipf("no %s: %s", f, why)
						}
					}
					if err := c.run(t, start, kind); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}

var (
	asking   = map[bot.Kind]Feature{bot.Command: Commands, bot.Mention: Mentions, bot.Direct: Directs}
	anywhere = []bot.Kind{bot.Command, bot.Mention, bot.Direct}
	messages = []bot.Kind{bot.Mention, bot.Direct}
)

type starter = func(t *testing.T, h bot.Handler) Harness

// A check looks at one promise of the adapters, for one way of asking. It
// returns what is wrong, so that tests can see it find a fault.
type check struct {
	name  string
	kinds []bot.Kind
	needs []Feature
	run   func(t *testing.T, start starter, kind bot.Kind) error
}

var checks = []check{
	{"makes a message of what was said", anywhere, nil, checkMessage},
	{"undoes the platform's escapes", anywhere, nil, checkEscapes},
	{"strips the mention", []bot.Kind{bot.Mention}, nil, checkMention},
	{"ignores itself and other bots", messages, []Feature{Bots}, checkBots},
	{"answers a redelivered message once", messages, []Feature{Redelivery}, checkRedelivery},
	{"acknowledges although the handler blocks", anywhere, []Feature{Acks}, checkAck},
	{"acknowledges a press although the handler blocks", anywhere, []Feature{Acks, Buttons}, checkAckPress},
	{"lets no question wait for another", anywhere, []Feature{Acks}, checkConcurrent},
	{"says that it failed", anywhere, nil, checkFailure},
	{"says nothing where the reply is empty", messages, nil, checkSilence},
	{"says nothing where the reply to a press is empty", anywhere, []Feature{Buttons}, checkSilentPress},
	{"stops", anywhere, nil, checkStop},
	{"stops with the question in hand answered", anywhere, nil, checkStopInHand},
	{"pings nobody", anywhere, nil, checkPings},
	{"pings nobody whom the question pinged", anywhere, []Feature{Markup}, checkRawPings},
	{"shows no control characters", anywhere, nil, checkControls},
	{"says every word of the reply", anywhere, nil, checkReplies},
	{"keeps a private reply private", []bot.Kind{bot.Command}, nil, checkPrivate},
	{"whispers a private reply", []bot.Kind{bot.Mention}, []Feature{Whispers}, checkPrivate},
	{"shows buttons and hands over the one pressed", anywhere, []Feature{Buttons}, checkButtons},
	{"shows its tools and shares", anywhere, []Feature{Tools}, checkTools},
}

// A session is a harness with its handler, and the goroutines from before it.
type session struct {
	Harness
	before map[string]bool
	done   bool
}

func open(t *testing.T, start starter, h bot.Handler) *session {
	t.Helper()
	before := map[string]bool{}
	for id := range goroutines() {
		before[id] = true
	}
	s := &session{Harness: start(t, h), before: before}
	t.Cleanup(func() {
		if !s.done {
			s.Cancel()
			s.wait()
			s.Close()
		}
	})
	return s
}

// next is the next message of podium's.
func (s *session) next() (Said, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	said, err := s.Next(ctx)
	if err != nil {
		return said, fmt.Errorf("podium said nothing: %w", err)
	}
	return said, nil
}

// ask sends a person's message and waits for the reply.
func (s *session) ask(kind bot.Kind, text string) (Said, error) {
	_, said, err := s.askID(Utterance{Kind: kind, Text: text})
	return said, err
}

func (s *session) askID(u Utterance) (string, Said, error) {
	if u.Kind == bot.Mention && !strings.Contains(u.Text, Me) {
		u.Text = Me + " " + u.Text
	}
	id, err := s.Send(u)
	if err != nil {
		return "", Said{}, fmt.Errorf("sending %q: %w", clip(u.Text), err)
	}
	said, err := s.next()
	if err != nil {
		return "", Said{}, fmt.Errorf("asked %q: %w", clip(u.Text), err)
	}
	return id, said, nil
}

// wait waits for Run, but not for ever.
func (s *session) wait() error {
	ended := make(chan error, 1)
	go func() { ended <- s.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("the error of Run is %w, want nil", err)
		}
		return nil
	case <-time.After(stopWithin):
		return fmt.Errorf("still in Run %v after its context was cancelled", stopWithin)
	}
}

// finish stops the adapter and returns all that podium said.
func (s *session) finish() ([]Said, error) {
	s.done = true
	s.Cancel()
	err := s.wait()
	s.Close()
	if err == nil {
		err = s.leaked()
	}
	return s.All(), err
}

// leaked names a goroutine that the adapter or its fake has left behind.
func (s *session) leaked() error {
	http.DefaultClient.CloseIdleConnections()
	deadline := time.Now().Add(stopWithin)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		var left string
		for id, stack := range goroutines() {
			if !s.before[id] {
				left = stack
			}
		}
		if left == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("a goroutine is left after Run has returned:\n%s", left)
		}
		<-tick.C
	}
}

// goroutines is the stacks of all goroutines but those of package testing and
// the caller's, by number.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	all := map[string]string{}
	for i, stack := range strings.Split(string(buf), "\n\n") {
		id, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		if i > 0 && !strings.Contains(stack, "testing.(*T).Run(") && !strings.Contains(stack, "testing.(*M).") {
			all[id] = stack
		}
	}
	return all
}

func clip(s string) string {
	if r := []rune(s); len(r) > 200 {
		return string(r[:200]) + "..."
	}
	return s
}

// words is s in words, without punctuation and layout.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// inOrder is the first word of want that got does not hold at its turn.
func inOrder(want, got []string) (missing string, ok bool) {
	for _, w := range want {
		i := slices.Index(got, w)
		if i < 0 {
			return w, false
		}
		got = got[i+1:]
	}
	return "", true
}

func checkMessage(t *testing.T, start starter, kind bot.Kind) error {
	h := &Recorder{}
	s := open(t, start, h)
	if got, _ := s.Adapter().State(); got != bot.Connected {
		return fmt.Errorf("State() = %q, want %q", got, bot.Connected)
	}
	before := time.Now()
	said, err := s.ask(kind, "how many troops are there")
	if err != nil {
		return err
	}
	if want := words("You said: how many troops are there"); !slices.Equal(words(said.Text), want) {
		return fmt.Errorf("podium said %q, want the words %q", said.Text, want)
	}
	if kind == bot.Mention && said.Private {
		return errors.New("the reply to a mention is private, want public")
	}
	if kind == bot.Command && !said.Private {
		return errors.New("the reply to a slash command is public, want private")
	}
	m := h.Messages()[0]
	if got := strings.TrimSpace(m.Text); got != "how many troops are there" {
		return fmt.Errorf("the message has Text = %q, want what was typed", got)
	}
	if m.Platform != s.Adapter().Platform() {
		return fmt.Errorf("the message has Platform = %q, want %q", m.Platform, s.Adapter().Platform())
	}
	if m.Kind != kind {
		return fmt.Errorf("the message has Kind = %v, want %v", m.Kind, kind)
	}
	if want := kind == bot.Command; m.Private != want {
		return fmt.Errorf("the message has Private = %v of a %v, want %v", m.Private, kind, want)
	}
	if m.ID == "" || m.Channel == "" || m.User.ID == "" {
		return fmt.Errorf("ID = %q, Channel = %q, User.ID = %q, want all of them", m.ID, m.Channel, m.User.ID)
	}
	if m.Received.Before(before) || m.Received.After(time.Now()) {
		return fmt.Errorf("the message has Received = %v, want the time of arrival", m.Received)
	}
	if _, err := s.ask(kind, "and in Afghanistan"); err != nil {
		return err
	}
	second := h.Messages()[1]
	if second.ID == m.ID {
		return fmt.Errorf("two messages have the ID %q", m.ID)
	}
	if second.User.ID != m.User.ID {
		return fmt.Errorf("the same person has the User.ID %q and %q", m.User.ID, second.User.ID)
	}
	_, err = s.finish()
	return err
}

func checkEscapes(t *testing.T, start starter, kind bot.Kind) error {
	h := &Recorder{}
	s := open(t, start, h)
	for i, text := range []string{
		"AT&T < 3 > 2 & more",
		"&lt;!channel&gt; as it was typed",
		"is it *bold* _or_ ~not~ `this`?",
		"العراق, naïve and 👩‍👩‍👧",
		"2,500 or 50 %?",
	} {
		if _, err := s.ask(kind, text); err != nil {
			return err
		}
		if got := strings.TrimSpace(h.Messages()[i].Text); got != text {
			return fmt.Errorf("the message has Text = %q, want %q", got, text)
		}
	}
	_, err := s.finish()
	return err
}

func checkMention(t *testing.T, start starter, kind bot.Kind) error {
	h := &Recorder{}
	s := open(t, start, h)
	for i, test := range []struct{ said, want string }{
		{Me + " how many troops", "how many troops"},
		{"how many troops " + Me, "how many troops"},
		{"how many " + Me + " troops", "how many troops"},
		{Me + " " + Me + " how many troops", "how many troops"},
		{Me, ""},
	} {
		if _, err := s.ask(kind, test.said); err != nil {
			return err
		}
		if got := strings.Join(strings.Fields(h.Messages()[i].Text), " "); got != test.want {
			return fmt.Errorf("of %q, Text = %q, want %q", test.said, got, test.want)
		}
	}
	_, err := s.finish()
	return err
}

func checkBots(t *testing.T, start starter, kind bot.Kind) error {
	h := &Recorder{}
	s := open(t, start, h)
	for _, from := range []From{Self, OtherBot} {
		if _, err := s.Send(Utterance{Kind: kind, From: from, Text: Me + " a bot says this"}); err != nil {
			return err
		}
	}
	if _, err := s.ask(kind, "a person asks"); err != nil {
		return err
	}
	return onlyOnce(s, h, "a person asks")
}

// onlyOnce stops s and sees that its handler got these texts and each had one
// reply.
func onlyOnce(s *session, h *Recorder, texts ...string) error {
	all, err := s.finish()
	if err != nil {
		return err
	}
	var got []string
	for _, m := range h.Messages() {
		got = append(got, strings.TrimSpace(m.Text))
	}
	if !slices.Equal(got, texts) {
		return fmt.Errorf("the handler got %q, want %q", got, texts)
	}
	if len(all) != len(texts) {
		return fmt.Errorf("podium said %d messages, want %d: %+q", len(all), len(texts), saidTexts(all))
	}
	return nil
}

func saidTexts(all []Said) []string {
	var texts []string
	for _, s := range all {
		texts = append(texts, clip(s.Text))
	}
	return texts
}

func checkRedelivery(t *testing.T, start starter, kind bot.Kind) error {
	// A redelivery comes while the first is being answered, and after.
	release := make(chan struct{})
	h := &Recorder{Reply: func(ctx context.Context, m bot.Message) (bot.Reply, error) {
		<-release
		return Echo(ctx, m)
	}}
	s := open(t, start, h)
	freed := false
	free := func() {
		if !freed {
			close(release)
			freed = true
		}
	}
	t.Cleanup(free)
	id, err := s.Send(Utterance{Kind: kind, Text: withMe(kind, "how many troops")})
	if err != nil {
		return err
	}
	if err := s.Redeliver(id); err != nil {
		return fmt.Errorf("redelivered in hand: %w", err)
	}
	free()
	if _, err := s.next(); err != nil {
		return err
	}
	if err := s.Redeliver(id); err != nil {
		return fmt.Errorf("redelivered after the answer: %w", err)
	}
	if _, err := s.ask(kind, "how many troops?"); err != nil {
		return err
	}
	return onlyOnce(s, h, "how many troops", "how many troops?")
}

func withMe(kind bot.Kind, text string) string {
	if kind == bot.Mention {
		return Me + " " + text
	}
	return text
}

// blocking is a handler that waits for release when the text holds "wait", or
// when a button is pressed. The context must live as long as the handler.
func blocking(release <-chan struct{}) *Recorder {
	return &Recorder{Reply: func(ctx context.Context, m bot.Message) (bot.Reply, error) {
		if m.Kind == bot.Press || strings.Contains(m.Text, "wait") {
			<-release
		}
		if err := ctx.Err(); err != nil {
			return bot.TextReply("The handler's context was cancelled under it."), nil
		}
		r, err := Echo(ctx, m)
		r.Parts[0].Choices = []bot.Button{{Label: "The mission", Action: bot.Action{Verb: bot.VerbTopic, Arg: "goal"}}}
		return r, err
	}}
}

func checkAck(t *testing.T, start starter, kind bot.Kind) error {
	release := make(chan struct{})
	s := open(t, start, blocking(release))
	err := inTime(func() error {
		_, err := s.Send(Utterance{Kind: kind, Text: withMe(kind, "wait for it")})
		return err
	})
	if early := s.All(); err == nil && len(early) > 0 {
		err = fmt.Errorf("podium said %+q while the handler blocked", saidTexts(early))
	}
	close(release)
	if err != nil {
		return err
	}
	return awaited(s, "You said: wait for it")
}

// inTime runs send, which must return before the platform loses its patience.
func inTime(send func() error) error {
	sent := make(chan error, 1)
	go func() { sent <- send() }()
	select {
	case err := <-sent:
		return err
	case <-time.After(ackWithin):
		return fmt.Errorf("no acknowledgement within %v", ackWithin)
	}
}

// awaited sees that the next message begins with the words of want, and that
// it is the last.
func awaited(s *session, want string) error {
	said, err := s.next()
	if err != nil {
		return err
	}
	if got := words(said.Text); len(got) < len(words(want)) || !slices.Equal(got[:len(words(want))], words(want)) {
		return fmt.Errorf("podium said %q, want %q", said.Text, want)
	}
	n := len(s.All())
	all, err := s.finish()
	if err == nil && len(all) != n {
		err = fmt.Errorf("podium said more than one reply: %+q", saidTexts(all))
	}
	return err
}

func checkAckPress(t *testing.T, start starter, kind bot.Kind) error {
	release := make(chan struct{})
	s := open(t, start, blocking(release))
	said, err := s.ask(kind, "at once")
	if err == nil && len(said.Buttons) == 0 {
		err = errors.New("the choice is no button")
	}
	if err != nil {
		close(release)
		return err
	}
	err = inTime(func() error { return s.Press(said, said.Buttons[0]) })
	close(release)
	if err != nil {
		return fmt.Errorf("pressing %q: %w", said.Buttons[0].Label, err)
	}
	return awaited(s, "You pressed topic.")
}

func checkConcurrent(t *testing.T, start starter, kind bot.Kind) error {
	release := make(chan struct{})
	s := open(t, start, blocking(release))
	_, err := s.Send(Utterance{Kind: kind, Text: withMe(kind, "wait for it")})
	var said Said
	if err == nil {
		said, err = s.ask(kind, "at once")
	}
	close(release)
	if err != nil {
		return err
	}
	if !strings.Contains(said.Text, "at once") {
		return fmt.Errorf("podium said %q first, want the answer to the second question", said.Text)
	}
	return awaited(s, "You said: wait for it")
}

func checkFailure(t *testing.T, start starter, kind bot.Kind) error {
	const secret = "secret-of-the-log"
	h := &Recorder{Reply: func(ctx context.Context, m bot.Message) (bot.Reply, error) {
		switch {
		case strings.Contains(m.Text, "error"):
			return bot.TextReply("half a reply"), errors.New(secret)
		case strings.Contains(m.Text, "panic"):
			panic(secret)
		}
		return Echo(ctx, m)
	}}
	s := open(t, start, h)
	for _, text := range []string{"make an error", "make a panic", "make an error", "make a panic"} {
		said, err := s.ask(kind, text)
		if err != nil {
			return err
		}
		if !slices.Equal(words(said.Text), words(bot.Failure)) {
			return fmt.Errorf("asked to %s, podium said %q, want %q", text, said.Text, bot.Failure)
		}
		if strings.Contains(string(said.Body), secret) {
			return fmt.Errorf("asked to %s, podium showed the error: %s", text, said.Body)
		}
	}
	said, err := s.ask(kind, "are you there")
	if err != nil {
		return err
	}
	if !strings.Contains(said.Text, "are you there") {
		return fmt.Errorf("after failures podium said %q", said.Text)
	}
	_, err = s.finish()
	return err
}

func checkSilence(t *testing.T, start starter, kind bot.Kind) error {
	return silence(t, start, kind, func(s *session) (said int, err error) {
		_, err = s.Send(Utterance{Kind: kind, Text: withMe(kind, "say nothing")})
		return 0, err
	})
}

func checkSilentPress(t *testing.T, start starter, kind bot.Kind) error {
	return silence(t, start, kind, func(s *session) (said int, err error) {
		choice, err := s.ask(kind, "give me a choice")
		if err == nil && len(choice.Buttons) == 0 {
			err = errors.New("the choice is no button")
		}
		if err == nil {
			err = s.Press(choice, choice.Buttons[0])
		}
		return 1, err
	})
}

// silence does what podium answers with an empty reply, after it has said so
// many messages, and sees that the next one is the answer to the next question.
func silence(t *testing.T, start starter, kind bot.Kind, quiet func(s *session) (said int, err error)) error {
	s := open(t, start, &Recorder{Reply: func(ctx context.Context, m bot.Message) (bot.Reply, error) {
		switch {
		case m.Kind == bot.Press, strings.Contains(m.Text, "nothing"):
			return bot.Reply{}, nil
		case strings.Contains(m.Text, "choice"):
			r := bot.TextReply("Which one?")
			r.Parts[0].Choices = []bot.Button{{Label: "This one", Action: bot.Action{Verb: bot.VerbTopic, Arg: "this"}}}
			return r, nil
		}
		return Echo(ctx, m)
	}})
	n, err := quiet(s)
	if err != nil {
		return err
	}
	if _, err := s.ask(kind, "are you there"); err != nil {
		return err
	}
	all, err := s.finish()
	if err == nil && len(all) != n+1 {
		err = fmt.Errorf("podium said %d messages, want %d: %q", len(all), n+1, all[n].Text)
	}
	return err
}

func checkStop(t *testing.T, start starter, kind bot.Kind) error {
	s := open(t, start, &Recorder{})
	if _, err := s.ask(kind, "are you there"); err != nil {
		return err
	}
	_, err := s.finish()
	return err
}

func checkStopInHand(t *testing.T, start starter, kind bot.Kind) error {
	release, entered := make(chan struct{}), make(chan struct{})
	inner := blocking(release)
	h := bot.HandlerFunc(func(ctx context.Context, m bot.Message) (bot.Reply, error) {
		close(entered)
		return inner.Handle(ctx, m)
	})
	s := open(t, start, h)
	sent := make(chan error, 1)
	go func() {
		_, err := s.Send(Utterance{Kind: kind, Text: withMe(kind, "wait for it")})
		sent <- err
	}()
	select {
	case <-entered:
	case <-time.After(patience):
		close(release)
		return errors.New("the question did not reach the handler")
	}
	s.Cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Wait() }()
	select {
	case <-ended:
		close(release)
		return errors.New("there was a question in hand when Run returned")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if err := <-sent; err != nil {
		return err
	}
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("the error of Run is %w, want nil", err)
		}
	case <-time.After(stopWithin):
		return fmt.Errorf("still in Run %v after the last question was answered", stopWithin)
	}
	s.done = true
	s.Close()
	all := s.All()
	if len(all) != 1 || !strings.Contains(all[0].Text, "You said: wait for it") {
		return fmt.Errorf("podium said %+q, want the answer to the question in hand", saidTexts(all))
	}
	return s.leaked()
}

// pings are what wakes people up on one platform or another.
var pings = []string{
	"@everyone", "@here", "<!channel>", "<!here>", "<!everyone>", "<!subteam^S123>", "<@U123>", "<@123456789012345678>",
	"<@!123456789012345678>", "<@&5>", "<#C1>", "<#123456789012345678>", "&lt;!channel&gt;", "&amp;lt;!here&amp;gt;",
	"<https://example.org|@everyone>",
}

// hostile is a reply with s in each of its texts.
func hostile(s string, numbered bool) bot.Reply {
	return bot.Reply{
		Parts: []bot.Part{{
			Outcome: bot.Answered,
			Ref:     "hostile",
			Answer:  "The answer " + s + " goes on.",
			Quotes:  []bot.Quote{{Text: "the quote " + s + " goes on", Speaker: "a speaker " + s, Role: "a role " + s}, {Text: s}},
			Notes:   []string{"The note " + s + " goes on.", s},
			Choices: []bot.Button{
				{Label: "one " + s + " label", Action: bot.Action{Verb: bot.VerbTopic, Arg: "one"}},
				{Label: "two " + s + " label", Action: bot.Action{Verb: bot.VerbTopic, Arg: "two"}},
			},
			Source:   "The source " + s + " ends.",
			Numbered: numbered,
		}},
	}
}

func checkPings(t *testing.T, start starter, kind bot.Kind) error {
	return pingsNobody(t, start, kind, false)
}

func checkRawPings(t *testing.T, start starter, kind bot.Kind) error {
	return pingsNobody(t, start, kind, true)
}

func pingsNobody(t *testing.T, start starter, kind bot.Kind, raw bool) error {
	var s *session
	h := &Recorder{Reply: func(ctx context.Context, m bot.Message) (bot.Reply, error) {
		// The question comes back as the adapter handed it over.
		_, asked, _ := strings.Cut(m.Text, "about ")
		return hostile(asked, strings.Contains(m.Text, "numbered")), nil
	}}
	s = open(t, start, h)
	for _, ping := range pings {
		for _, list := range []string{"topics", "numbered"} {
			text := withMe(kind, list+" about "+ping+" please")
			_, said, err := s.askID(Utterance{Kind: kind, Text: text, Raw: raw})
			if err != nil {
				return err
			}
			if live := s.Live(said); live != "" {
				return fmt.Errorf("%q pings %q: %s", ping, live, said.Body)
			}
			want := words("The answer please goes on the quote please goes on a speaker please a role please The note please goes on The source please ends")
			if missing, ok := inOrder(want, words(said.Text)); !ok {
				return fmt.Errorf("the word %q around %q is missing from %q", missing, ping, said.Text)
			}
		}
	}
	_, err := s.finish()
	return err
}

func checkControls(t *testing.T, start starter, kind bot.Kind) error {
	h := &Recorder{Reply: func(ctx context.Context, m bot.Message) (bot.Reply, error) {
		_, asked, _ := strings.Cut(m.Text, "about ")
		bad := "\x1b[31m red \x1b[0m \x1b]0;title\a \u009b2J nul\x00 bell\a back\b\b\b del\x7f return\rover \u202eesrever\u2069 \xff\xfe"
		return hostile(bad+" "+asked, strings.Contains(m.Text, "numbered")), nil
	}}
	s := open(t, start, h)
	for _, list := range []string{"topics", "numbered"} {
		said, err := s.ask(kind, list+" about \x1b[2J\x1b[Hclear \u009b31m\a\b\x7f\u202e please")
		if err != nil {
			return err
		}
		shown := append([]string{said.Text}, said.Strings...)
		for _, b := range said.Buttons {
			shown = append(shown, b.Label)
		}
		for _, text := range shown {
			if !utf8.ValidString(text) {
				return fmt.Errorf("podium shows broken UTF-8: %q", text)
			}
			if safe := bot.Printable(text); safe != text {
				return fmt.Errorf("podium shows control characters: %q", text)
			}
		}
		want := words("The answer red please goes on the quote red please goes on The source red please ends")
		if missing, ok := inOrder(want, words(said.Text)); !ok {
			return fmt.Errorf("the word %q among control characters is missing from %q", missing, said.Text)
		}
	}
	_, err := s.finish()
	return err
}

func checkReplies(t *testing.T, start starter, kind bot.Kind) error {
	for i, r := range Replies() {
		// A value of its own, lest an adapter change the one to compare with.
		h := &Recorder{Reply: func(context.Context, bot.Message) (bot.Reply, error) { return Replies()[i].Reply, nil }}
		s := open(t, start, h)
		if _, err := s.ask(kind, "tell me"); err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
		all, err := s.finish()
		if err == nil {
			err = saysAll(r.Reply, all)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
	}
	return nil
}

// more is what ends a message that was cut.
const more = "more in thread"

// saysAll compares what podium said with the reply.
func saysAll(r bot.Reply, all []Said) error {
	var got, labels []string
	text := ""
	for _, s := range all {
		text += s.Text + "\n"
		for _, b := range s.Buttons {
			labels = append(labels, words(b.Label)...)
		}
	}
	got = words(text)
	want := words(r.Text())
	// Nothing is added but labels and the note of a cut.
	known := slices.Concat(want, labels, words(more))
	for _, w := range got {
		if !slices.Contains(known, w) {
			return fmt.Errorf("podium added the word %q: %s", w, clip(text))
		}
	}
	missing, ok := inOrder(want, got)
	if ok {
		return nil
	}
	if utf8.RuneCountInString(r.Text()) <= 2000 {
		return fmt.Errorf("podium did not say %q at its turn:\n%s\nwant:\n%s", missing, text, r.Text())
	}
	first := all[0].Text
	i := strings.LastIndex(first, more)
	if i < 0 {
		return fmt.Errorf("podium did not say %q, and the first message does not end with %q: ... %s", missing, more, clip(first[max(0, len(first)-200):]))
	}
	kept := strings.TrimRight(first[:i], " \n\t(…*_")
	if !strings.HasSuffix(kept, ".") {
		return fmt.Errorf("podium cut inside a sentence: ... %s", kept[max(0, len(kept)-100):])
	}
	if n := len(words(kept)); n < 100 || n > len(want) || !slices.Equal(words(kept), want[:n]) {
		return fmt.Errorf("what podium kept of the text is not its beginning: %s", clip(kept))
	}
	return nil
}

func checkPrivate(t *testing.T, start starter, kind bot.Kind) error {
	h := &Recorder{Reply: func(context.Context, bot.Message) (bot.Reply, error) {
		r := bot.TextReply("For your eyes alone.")
		r.Private = true
		return r, nil
	}}
	s := open(t, start, h)
	said, err := s.ask(kind, "tell me")
	if err != nil {
		return err
	}
	if !said.Private {
		return errors.New("a private reply is public")
	}
	_, err = s.finish()
	return err
}

func checkButtons(t *testing.T, start starter, kind bot.Kind) error {
	for _, name := range []string{"unanswered", "clarify", "confirm"} {
		var reply bot.Reply
		for _, r := range Replies() {
			if r.Name == name {
				reply = r.Reply
			}
		}
		buttons := slices.Concat(reply.Parts[0].Choices, reply.Buttons)
		for i, b := range buttons {
			h := &Recorder{Reply: func(ctx context.Context, m bot.Message) (bot.Reply, error) {
				if m.Kind == bot.Press {
					return Echo(ctx, m)
				}
				return reply, nil
			}}
			s := open(t, start, h)
			said, err := s.ask(kind, "tell me")
			if err != nil {
				return err
			}
			if !slices.Equal(said.Buttons, buttons) {
				return fmt.Errorf("%s: buttons are %+v, want %+v", name, said.Buttons, buttons)
			}
			if err := s.Press(said, said.Buttons[i]); err != nil {
				return fmt.Errorf("pressing %q: %w", b.Label, err)
			}
			if err := pressed(s, h, said, b); err != nil {
				return fmt.Errorf("%s: pressed %q: %w", name, b.Label, err)
			}
		}
	}
	return nil
}

// pressed sees that the press of b on said reached h, was answered once, and
// ends the session.
func pressed(s *session, h *Recorder, said Said, b bot.Button) error {
	if err := awaited(s, "You pressed "+b.Action.Verb+"."); err != nil {
		return err
	}
	got := h.Messages()
	if len(got) != 2 {
		return fmt.Errorf("the handler got %d messages, want 2", len(got))
	}
	asked, press := got[0], got[1]
	if press.Kind != bot.Press || press.Action != b.Action || press.Text != "" {
		return fmt.Errorf("the message has Kind, Action, Text = %v, %+v, %q, want %v, %+v and no text", press.Kind, press.Action, press.Text, bot.Press, b.Action)
	}
	if press.Private != said.Private {
		return fmt.Errorf("the message has Private = %v in a message whose Private is %v", press.Private, said.Private)
	}
	if press.User.ID != asked.User.ID || press.Channel != asked.Channel || press.Platform != asked.Platform {
		return fmt.Errorf("the press came from %s %s %s, want %s %s %s", press.Platform, press.Channel, press.User.ID, asked.Platform, asked.Channel, asked.User.ID)
	}
	if press.ID == "" || press.ID == asked.ID {
		return fmt.Errorf("ID = %q, want one of its own", press.ID)
	}
	return nil
}

func checkTools(t *testing.T, start starter, kind bot.Kind) error {
	reply := Replies()[0].Reply
	for _, b := range reply.Buttons {
		h := &Recorder{Reply: func(ctx context.Context, m bot.Message) (bot.Reply, error) {
			if m.Kind == bot.Press {
				r, err := Echo(ctx, m)
				r.Private = m.Action.Verb != bot.VerbShare
				return r, err
			}
			return reply, nil
		}}
		s := open(t, start, h)
		said, err := s.ask(kind, "tell me")
		if err != nil {
			return err
		}
		i := slices.IndexFunc(said.Buttons, func(has bot.Button) bool { return has.Action == b.Action })
		if i < 0 || said.Buttons[i].Label != b.Label {
			return fmt.Errorf("no button %+v among %+v", b, said.Buttons)
		}
		if err := s.Press(said, said.Buttons[i]); err != nil {
			return fmt.Errorf("pressing %q: %w", b.Label, err)
		}
		if err := pressed(s, h, said, b); err != nil {
			return fmt.Errorf("pressed %q: %w", b.Label, err)
		}
		if answer := s.All()[len(s.All())-1]; b.Action.Verb == bot.VerbShare && answer.Private {
			return errors.New("what was shared is private")
		}
	}
	return nil
}
