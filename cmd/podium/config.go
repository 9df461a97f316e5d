package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"podium/bot"
	"podium/config"
)

func newConfig(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the settings in force and where each comes from, secrets redacted",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			values, warnings, err := config.Values(config.Source{Environ: p.environ, Flags: cmd.Flags()})
			p.warn(warnings)
			if err != nil {
				return &usageError{err}
			}
			if asJSON {
				return p.jsonValues(values)
			}
			w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "SETTING\tVALUE\tFROM")
			for _, v := range values {
				text := bot.Printable(v.Text)
				if text == "" {
					text = "(not set)"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", v.Name, text, bot.Printable(v.Origin))
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	config.AddFlags(cmd.Flags(), serveFlags...)
	return cmd
}

func (p *program) jsonValues(values []config.Value) error {
	encode := json.NewEncoder(p.stdout)
	encode.SetEscapeHTML(false)
	for _, v := range values {
		if err := encode.Encode(struct {
			Name   string `json:"name"`
			Value  string `json:"value"` // of a secret, what may be shown
			Set    bool   `json:"set"`
			Secret bool   `json:"secret"`
			Origin string `json:"origin"`
		}{v.Name, v.Text, v.Text != "", v.Secret, v.Origin}); err != nil {
			return err
		}
	}
	return nil
}
