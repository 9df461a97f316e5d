package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"podium/bot/store"
	"podium/bot/terminal"
	"podium/handlers"
	"podium/knowledge"
)

func newChat(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "chat",
		Short: "Talk to podium in this terminal: no token, no server, no database",
		Long: "Chat answers questions typed in this terminal, or one a line from a pipe.\n" +
			"Without --knowledge they are about the announcement that podium brings along.",
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
	log := p.logger(s.Log)
	return terminal.New(terminal.Options{
		Handler: handlers.New(handlers.Options{
			Knowledge: base, Conversations: store.NewMemory(), Log: log,
		}),
		In:       p.stdin,
		Out:      p.stdout,
		Environ:  p.environ,
		Greeting: greeting(base),
		Log:      log,
	}).Run(cmd.Context())
}

// greeting says what podium is and what to type.
func greeting(base *knowledge.Base) string {
	return fmt.Sprintf("podium answers questions about one announcement, in its own words: %s.\n"+
		"Type a question, `topics` for what the announcement covers, `help`, or `exit`.", strings.TrimSuffix(base.Title, "."))
}
