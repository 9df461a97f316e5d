// Package handlers decides what podium replies: one file a kind of request,
// listed in kinds. Handlers take a bot.Message and return a bot.Reply; they
// know no platform, so a test needs none either.
//
// Everything that is no command is a question: start reading at Answer in
// ask.go.
package handlers

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"podium/bot"
	"podium/knowledge"
)

// Options is what the handlers work with. All but Knowledge may be nil: podium
// then forgets what it is told to remember.
type Options struct {
	Knowledge     *knowledge.Base
	Conversations conversations
	Questions     questions
	Votes         votes
	Reminders     reminders
	Zone          *time.Location // of reminders, where neither asker nor channel has one; nil stands for UTC
	Log           *slog.Logger
}

// conversations remembers the last question of a conversation.
type conversations interface {
	Turn(ctx context.Context, conversation string) (bot.Turn, bool, error)
	SetTurn(ctx context.Context, conversation string, t bot.Turn) error
}

// questions keeps what the owner of the knowledge file should see.
type questions interface {
	LogQuestion(ctx context.Context, q bot.Question) error
}

// votes keeps what people think of the answers.
type votes interface {
	LogVote(ctx context.Context, v bot.Vote) error
}

// Handlers is the bot.Handler of all kinds of requests.
type Handlers struct {
	base          *knowledge.Base
	conversations conversations
	questions     questions
	votes         votes
	reminders     reminders
	zone          *time.Location
	log           *slog.Logger
	kinds         []kind
	fields        map[string][]string // for Complete
}

// kind is a kind of request: the first of the list that takes a message
// replies to it.
type kind struct {
	name  string // Reply.Request
	takes func(m bot.Message, words []string) bool
	reply func(ctx context.Context, m bot.Message) (bot.Reply, error)
}

// New returns the handler of everything that people say to podium.
func New(o Options) *Handlers {
	h := &Handlers{base: o.Knowledge, conversations: o.Conversations, questions: o.Questions, votes: o.Votes, reminders: o.Reminders, zone: o.Zone, log: o.Log}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.zone == nil {
		h.zone = time.UTC
	}
	h.fields = h.completions()
	h.kinds = []kind{
		{"press", func(m bot.Message, _ []string) bool { return m.Kind == bot.Press }, h.press},
		{"help", takesHelp, h.help},
		{"topics", whole("topics"), h.topics},
		{"why", whole("why"), h.why},
		{"remind", takesRemind, h.remind},
		{"quote", h.takesQuote, h.quote},
		{"ask", func(bot.Message, []string) bool { return true }, h.ask},
	}
	return h
}

// whole takes a message that is word and nothing else: "why" is a command,
// "why does Syria come up" a question.
func whole(word string) func(bot.Message, []string) bool {
	return func(_ bot.Message, words []string) bool { return len(words) == 1 && words[0] == word }
}

// takesHelp takes the word and the bare call of podium's name, which asks what
// there is to ask.
func takesHelp(_ bot.Message, words []string) bool {
	return len(words) == 0 || len(words) == 1 && (words[0] == "help" || words[0] == "podium")
}

// commandWords are the words of text as commands are told by: lower case, and
// without podium's own name in front.
func commandWords(text string) []string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return strings.ContainsRune(" \t\r\n.,;:!?/", r)
	})
	if len(words) > 1 && words[0] == "podium" {
		words = words[1:]
	}
	return words
}

// maxText is how much of a message is read, in bytes: several times what the
// longest command or question needs.
const maxText = 8 << 10

// Handle replies to m.
func (h *Handlers) Handle(ctx context.Context, m bot.Message) (bot.Reply, error) {
	// What podium keeps, lists and shows of it may reach a terminal.
	m.Text = m.Text[:min(len(m.Text), maxText)]
	m.Text, m.User.Name, m.ChannelName = bot.Printable(m.Text), bot.Printable(m.User.Name), bot.Printable(m.ChannelName)
	words := commandWords(m.Text)
	for _, k := range h.kinds {
		if k.takes(m, words) {
			r, err := k.reply(ctx, m)
			r.Private = r.Private || m.Private && m.Action.Verb != bot.VerbShare
			r.Request = k.name
			return r, err
		}
	}
	return bot.Reply{}, errors.New("no kind of request takes the message")
}

// turn is the conversation's last question, if it is remembered. A store that
// fails costs the context, not the answer.
func (h *Handlers) turn(ctx context.Context, m bot.Message) bot.Turn {
	if h.conversations == nil {
		return bot.Turn{}
	}
	t, _, err := h.conversations.Turn(ctx, m.Conversation())
	if err != nil {
		h.log.WarnContext(ctx, "the conversation's last question could not be read", "platform", m.Platform, "error", err)
	}
	return t
}

func (h *Handlers) remember(ctx context.Context, m bot.Message, t bot.Turn) {
	if h.conversations == nil {
		return
	}
	t.At = time.Now()
	if err := h.conversations.SetTurn(ctx, m.Conversation(), t); err != nil {
		h.log.WarnContext(ctx, "the conversation's last question could not be kept", "platform", m.Platform, "error", err)
	}
}

func (h *Handlers) logQuestion(ctx context.Context, q bot.Question) {
	if h.questions == nil {
		return
	}
	q.At = time.Now()
	if err := h.questions.LogQuestion(ctx, q); err != nil {
		h.log.WarnContext(ctx, "a question could not be kept", "platform", q.Platform, "error", err)
	}
}
