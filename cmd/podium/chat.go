package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"podium/bot"
	"podium/bot/schedule"
	"podium/bot/store"
	"podium/bot/terminal"
	"podium/config"
	"podium/handlers"
	"podium/knowledge"
)

func newChat(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "chat",
		Short: "Talk to podium in this terminal: no token, no server",
		Long: "Chat answers questions typed in this terminal, or one a line from a pipe.\n" +
			"Without --knowledge they are about the announcement that podium brings along.\n" +
			"Only a reminder command opens the database; what falls due is posted here while chat runs.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.chat(cmd) },
	}
}

func (p *program) chat(cmd *cobra.Command) error {
	s, err := p.settings(cmd)
	if err != nil {
		return err
	}
	base, err := loadKnowledge(s.Knowledge)
	if err != nil {
		return err
	}
	debug.FreeOSMemory() // training took several times what answering takes
	log := p.logger(s.Log, func(slog.Level) {})
	h := &chatHandler{
		settings: s,
		options:  handlers.Options{Knowledge: base, Conversations: store.NewMemory(), Zone: s.Timezone, Log: log},
	}
	h.handlers = handlers.New(h.options)
	defer h.close()
	h.terminal = terminal.New(terminal.Options{
		Handler:  h,
		In:       p.stdin,
		Out:      p.stdout,
		Environ:  p.environ,
		Greeting: greeting(base),
		Log:      log,
	})
	return h.terminal.Run(cmd.Context())
}

// A chatHandler answers in the terminal. It opens the database when the first
// reminder command is given, and then posts here what falls due.
type chatHandler struct {
	settings config.Settings
	options  handlers.Options
	terminal *terminal.Adapter
	handlers *handlers.Handlers
	store    *store.SQL // nil until a reminder command is given
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// Handle replies to m. The terminal gives it one message after the other.
func (h *chatHandler) Handle(ctx context.Context, m bot.Message) (bot.Reply, error) {
	if h.store == nil && handlers.Reminds(m) {
		if err := h.open(ctx); err != nil {
			return bot.TextReply("Reminders need podium's database. " + err.Error()), nil
		}
	}
	return h.handlers.Handle(ctx, m)
}

func (h *chatHandler) open(ctx context.Context) error {
	st, err := store.Open(ctx, h.settings.Store.URL.Reveal(), store.Options{Create: true, Log: h.options.Log})
	if err != nil {
		return err
	}
	reminders, err := schedule.New(ctx, schedule.Options{Store: st, Beside: true, Log: h.options.Log})
	if err != nil {
		return errors.Join(err, st.Close(ctx))
	}
	reminders.Connect(bot.Terminal, h.terminal, h.terminal)
	h.store, h.options.Reminders = st, reminders
	h.handlers = handlers.New(h.options)
	var running context.Context
	running, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	composer := h.handlers
	h.running.Go(func() {
		if err := reminders.Run(running, composer); err != nil {
			h.options.Log.Error("reminders are not posted", "error", err)
		}
	})
	return nil
}

func (h *chatHandler) close() {
	if h.store == nil {
		return
	}
	h.stop()
	h.running.Wait()
	// Nothing is written behind in a chat that could be lost.
	_ = h.store.Close(context.Background())
}

// greeting says what podium is and what to type.
func greeting(base *knowledge.Base) string {
	return fmt.Sprintf("podium answers questions about one announcement, in its own words: %s.\n"+
		"Type a question, `topics` for what the announcement covers, `help`, or `exit`.", strings.TrimSuffix(base.Title, "."))
}
