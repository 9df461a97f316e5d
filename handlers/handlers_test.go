package handlers

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"podium/bot"
	"podium/bot/store"
	"podium/knowledge"
)

var update = flag.Bool("update", false, "write the golden transcripts anew")

func newHandlers(t testing.TB) (*Handlers, *store.Memory) {
	t.Helper()
	base, err := knowledge.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	memory := store.NewMemory()
	return New(Options{Knowledge: base, Conversations: memory, Questions: memory, Votes: memory}), memory
}

func said(text string) bot.Message {
	return bot.Message{Platform: bot.Terminal, Channel: "c", User: bot.User{ID: "u"}, Kind: bot.Direct, Text: text}
}

func pressed(a bot.Action) bot.Message {
	m := said("")
	m.Kind, m.Action = bot.Press, a
	return m
}

// logged are the questions that memory keeps for the owner.
func logged(ctx context.Context, memory *store.Memory) (out []bot.Question, err error) {
	err = memory.Questions(ctx, store.Filter{}, func(q bot.Question) error {
		out = append(out, q)
		return nil
	})
	return out, err
}

// TestTranscripts plays each conversation of testdata: a line that starts with
// "> " is said, what follows is the reply.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			h, _ := newHandlers(t)
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for line := range strings.Lines(string(want)) {
				text, ok := strings.CutPrefix(line, "> ")
				if !ok {
					continue
				}
				text = strings.TrimSuffix(text, "\n")
				r, err := h.Handle(t.Context(), said(text))
				if err != nil {
					t.Fatalf("%q: %v", text, err)
				}
				got.WriteString("> " + text + "\n" + r.Text() + "\n\n")
			}
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got.String() != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got.String(), want)
			}
		})
	}
}

// TestCommandWords tells commands from questions that start with their word.
func TestCommandWords(t *testing.T) {
	h, _ := newHandlers(t)
	for text, want := range map[string]string{
		"help": "help", "/podium help": "help", "HELP!": "help", "help me understand the mission": "ask",
		"topics": "topics", "topics of the technical talks": "ask",
		"why": "why", "why?": "why", "why does syria even come up": "ask",
		"quote": "quote", "quote kirby permanence": "quote", "quote price": "quote", "quote of the year": "ask",
		"how many troops": "ask", "": "help", "?": "help", "podium": "help",
	} {
		m := said(text)
		words := commandWords(m.Text)
		i := slices.IndexFunc(h.kinds, func(k kind) bool { return k.takes(m, words) })
		if got := h.kinds[i].name; got != want {
			t.Errorf("%q is taken by %s, want %s", text, got, want)
		}
	}
}

func TestButtons(t *testing.T) {
	h, memory := newHandlers(t)
	ask := said("how many troops are in iraq")
	ask.Private = true
	r, err := h.Handle(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for _, b := range r.Buttons {
		labels = append(labels, b.Label)
		if a, ok := bot.ParseAction(b.Action.String()); !ok || a != b.Action {
			t.Errorf("the action %q does not survive its platform", b.Action)
		}
	}
	if want := []string{bot.LabelShare, bot.LabelWhy, bot.LabelHelpful, bot.LabelUnhelpful}; !slices.Equal(labels, want) {
		t.Fatalf("the buttons are %q, want %q", labels, want)
	}
	if !r.Private {
		t.Error("the reply to a slash command is public")
	}
	press := func(i int) bot.Reply {
		m := pressed(r.Buttons[i].Action)
		m.Private = true
		reply, err := h.Handle(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	if shared := press(0); shared.Private || shared.Text() != r.Text() {
		t.Errorf("sharing says %q (private %t), want the reply itself", shared.Text(), shared.Private)
	}
	if why := press(1); !why.Private || !strings.Contains(why.Text(), "How many troops") || !strings.Contains(why.Text(), "Deciding words: ") {
		t.Errorf("why says %q", why.Text())
	}
	press(2)
	press(3)
	questions, err := logged(t.Context(), memory)
	if err != nil || len(questions) != 1 || questions[0].Outcome != bot.NotHelpful || questions[0].Text != ask.Text || questions[0].Intent != "troop_count" {
		t.Errorf("the owner sees %+v, %v", questions, err)
	}
}

// TestForgedButtons presses buttons that podium never made.
func TestForgedButtons(t *testing.T) {
	h, _ := newHandlers(t)
	for _, a := range []bot.Action{
		{Verb: bot.VerbTopic, Arg: "nothing"}, {Verb: bot.VerbTopic, Arg: ""}, {Verb: bot.VerbShare, Arg: "quote=nothing"}, {Verb: bot.VerbShare, Arg: "troop_count.iraq+<!channel>"},
		{Verb: bot.VerbWhy, Arg: "troop_count"}, {Verb: bot.VerbWhy, Arg: "troop_count,999,goal,1"}, {Verb: bot.VerbWhy, Arg: "<!channel>,1,goal,1"},
		{Verb: bot.VerbHelpful, Arg: "@everyone"}, {Verb: "unknown", Arg: "x"},
	} {
		r, err := h.Handle(t.Context(), pressed(a))
		if err != nil || r.Text() != outdated {
			t.Errorf("%v gives %q, %v; want %q", a, r.Text(), err, outdated)
		}
	}
	r, err := h.Handle(t.Context(), pressed(bot.Action{Verb: bot.VerbWhy, Arg: "troop_count,90,goal,10,troops,<!channel>,@everyone"}))
	if err != nil || strings.Contains(r.Text(), "channel") || strings.Contains(r.Text(), "everyone") {
		t.Errorf("a forged explanation says %q, %v", r.Text(), err)
	}
}

// TestQuestionLog keeps what the owner should see, and nothing else.
func TestQuestionLog(t *testing.T) {
	h, memory := newHandlers(t)
	for _, text := range []string{"how many troops are in iraq", "what does it cost", "deadline?", "thanks", "quote kirby"} {
		if _, err := h.Handle(t.Context(), said(text)); err != nil {
			t.Fatal(err)
		}
	}
	questions, err := logged(t.Context(), memory)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, q := range questions {
		got = append(got, q.Outcome+" "+q.Text)
	}
	slices.Sort(got)
	if want := []string{"clarify deadline?", "unanswered what does it cost"}; !slices.Equal(got, want) {
		t.Errorf("the log holds %q, want %q", got, want)
	}
}

// broken is a store that always fails.
type broken struct{}

var errBroken = errors.New("the store is down")

func (broken) Turn(context.Context, string) (bot.Turn, bool, error) {
	return bot.Turn{}, false, errBroken
}
func (broken) SetTurn(context.Context, string, bot.Turn) error { return errBroken }
func (broken) LogQuestion(context.Context, bot.Question) error { return errBroken }
func (broken) LogVote(context.Context, bot.Vote) error         { return errBroken }

// TestStoreDown answers all the same.
func TestStoreDown(t *testing.T) {
	base, err := knowledge.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	h := New(Options{Knowledge: base, Conversations: broken{}, Questions: broken{}, Votes: broken{}})
	for text, want := range map[string]string{"how many troops are in iraq": "The US has some 2,500 troops in Iraq.", "what does it cost": notSaid} {
		r, err := h.Handle(t.Context(), said(text))
		if err != nil || !strings.HasPrefix(r.Text(), want) {
			t.Errorf("%q gives %q, %v; want %q", text, r.Text(), err, want)
		}
	}
}
