package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"podium/bot/store"
	"podium/config"
)

func newBackup(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all that podium remembers to a new file",
		Long: "Write all that podium remembers at this moment to a new file, from SQLite and PostgreSQL alike.\n" +
			"Works beside podium serve. podium restore reads the file into either database.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withStore(cmd, func(ctx context.Context, _ config.Settings, st *store.SQL) error {
				n, err := st.Backup(ctx, args[0])
				if err != nil {
					return err
				}
				fmt.Fprintf(p.stderr, "podium: entries in %s: %d\n", args[0], n.Sum())
				return nil
			})
		},
	}
	config.AddFlags(cmd.Flags(), "database_url")
	return cmd
}

func newRestore(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make podium remember what a backup holds",
		Long: "Put what a backup holds in the place of all that podium remembers; only the events that it has seen since stay.\n" +
			"Works beside podium serve. A damaged SQLite file is set aside, for which podium serve has to be stopped.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.settings(cmd)
			if err != nil {
				return err
			}
			n, aside, err := store.Restore(cmd.Context(), s.Store.URL.Reveal(), args[0], store.Options{})
			if aside != "" {
				fmt.Fprintf(p.stderr, "podium: the damaged database is now %s\n", aside)
			}
			if errors.Is(err, store.ErrNoBackup) || errors.Is(err, fs.ErrNotExist) {
				return &usageError{err}
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stderr, "podium: entries restored from %s: %d\n", args[0], n.Sum())
			return nil
		},
	}
	config.AddFlags(cmd.Flags(), "database_url")
	return cmd
}

func newMigrate(p *program) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "migrate --to postgres://...",
		Short: "Move what podium remembers to another, empty database",
		Long: "Copy all that podium remembers to another, empty database, in one transaction: if it fails, nothing has changed on either side.\n" +
			"Works beside podium serve, but what is asked between the copy and the change of PODIUM_DATABASE_URL stays behind:\n" +
			"stop podium serve, migrate, set PODIUM_DATABASE_URL, start it again. PGPASSWORD keeps the password off the command line.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to == "" {
				return usagef("--to is missing: podium migrate --to postgres://USER@HOST/NAME")
			}
			return p.withStore(cmd, func(ctx context.Context, _ config.Settings, from *store.SQL) error {
				target, err := store.Open(ctx, to, store.Options{Create: true})
				if err != nil {
					return fmt.Errorf("--to: %w", err)
				}
				n, err := from.CopyTo(ctx, target)
				if err = errors.Join(err, target.Close(ctx)); err != nil {
					return fmt.Errorf("nothing was moved: %w", err)
				}
				fmt.Fprintf(p.stderr, "podium: entries in the new database: %d; now set PODIUM_DATABASE_URL to it and start podium serve\n", n.Sum())
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "address of the new database, as in PODIUM_DATABASE_URL")
	config.AddFlags(cmd.Flags(), "database_url")
	return cmd
}
