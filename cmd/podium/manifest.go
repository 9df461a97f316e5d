package main

import (
	"io"

	"github.com/spf13/cobra"

	"podium/bot/slack"
)

// newManifest prints what has to be told to a platform when podium is
// installed there.
func newManifest(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "manifest",
		Short: "Print what a platform has to know to install podium",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usagef("name the platform: podium manifest slack or podium manifest discord")
		},
	}
	cmd.AddCommand(newManifestSlack(p), newManifestDiscord(p))
	return cmd
}

func newManifestSlack(p *program) *cobra.Command {
	var base string
	cmd := &cobra.Command{
		Use:   "slack",
		Short: "Print the manifest of the Slack app, each scope with its reason",
		Long: "Print the manifest of the Slack app, each scope with its reason.\n" +
			"It is for Socket Mode, which needs no public address; with --url for HTTP.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := slack.Manifest(base)
			if err != nil {
				return usagef("--url: %w", err)
			}
			_, err = io.WriteString(p.stdout, text)
			return err
		},
	}
	cmd.Flags().StringVar(&base, "url", "", "https address at which Slack reaches podium, such as https://podium.example.org")
	return cmd
}
