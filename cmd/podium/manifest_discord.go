package main

import (
	"io"

	"github.com/spf13/cobra"

	"podium/bot/discord"
	"podium/config"
)

func newManifestDiscord(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "discord",
		Short: "Print the link that invites podium into a Discord server, each permission with its reason",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.settings(cmd)
			if err != nil {
				return err
			}
			if s.Discord.ApplicationID == "" {
				return usagef("PODIUM_DISCORD_APPLICATION_ID (or --discord-application-id): missing; it stands on the General Information page of the application")
			}
			_, err = io.WriteString(p.stdout, discord.Manifest(s.Discord.ApplicationID))
			return err
		},
	}
	config.AddFlags(cmd.Flags(), "discord_application_id")
	return cmd
}
