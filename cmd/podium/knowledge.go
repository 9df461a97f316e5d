package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"podium/bot"
	"podium/knowledge"
)

// knowledge loads the knowledge file that the settings name, or the built-in
// one.
func (p *program) knowledge(cmd *cobra.Command) (*knowledge.Base, error) {
	s, err := p.settings(cmd)
	if err != nil {
		return nil, err
	}
	return loadKnowledge(s.Knowledge)
}

func loadKnowledge(path string) (*knowledge.Base, error) {
	base, err := loadUnnamed(path)
	return base, namedKnowledge(err)
}

// loadUnnamed is loadKnowledge for a path that need not come from the settings.
func loadUnnamed(path string) (*knowledge.Base, error) {
	if path == "" {
		return knowledge.Embedded()
	}
	return knowledge.Load(path)
}

// namedKnowledge makes err a fault of the configuration. It names the setting
// where the file cannot be read; what the gate finds names the file and a line.
func namedKnowledge(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[knowledge.Findings](err); ok {
		return &usageError{err}
	}
	return &bot.ConfigError{Setting: "PODIUM_KNOWLEDGE", Problem: err.Error()}
}

func newKnowledge(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "knowledge",
		Short: "Print the knowledge file in force, its source included, as a template to start from",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.settings(cmd)
			if err != nil {
				return err
			}
			var text []byte
			if s.Knowledge == "" {
				text, err = knowledge.EmbeddedFile()
			} else {
				text, err = knowledge.LoadFile(s.Knowledge)
			}
			if err != nil {
				return namedKnowledge(err)
			}
			_, err = p.stdout.Write(text)
			return err
		},
	}
}

func newSchema(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print a JSON Schema of the knowledge file, for editors",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := knowledge.Schema()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(p.stdout, string(text))
			return err
		},
	}
}
