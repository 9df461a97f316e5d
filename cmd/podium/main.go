// Command podium answers questions about one announcement in Slack, Discord
// and a terminal, and posts scheduled reminders of it.
//
// This package is the only place that wires the others together: one file a
// command, listed in newRoot.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	_ "time/tzdata" // time zones without the system's help

	"github.com/spf13/cobra"

	"podium/bot"
	"podium/bot/store"
	"podium/config"
	"podium/handlers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks podium to finish; a second one ends it at once.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	if err != nil {
		// It may quote a file or a platform, and stderr be a terminal.
		fmt.Fprintln(os.Stderr, "podium:", bot.Printable(err.Error()))
	}
	os.Exit(exitCode(err))
}

// run is the whole program. Data goes to stdout, words about it to stderr; the
// error is for the caller to show, and exitCode tells the exit code it means.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) error {
	p := &program{
		environ: environ, stdin: stdin, stdout: stdout, stderr: stderr,
		newAdapters: newAdapters,
	}
	return p.run(ctx, args)
}

// exitCode is 0 when all is done, 2 for wrong usage or configuration, and 1
// when a check or anything else failed.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return 2
	}
	if _, ok := errors.AsType[*bot.ConfigError](err); ok {
		return 2
	}
	return 1
}

// A usageError says that the person at the command line got something wrong.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usagef makes an error that ends the program with exit code 2.
func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// openArgument opens a file that the command line names.
func openArgument(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &usageError{err}
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		f.Close()
		return nil, usagef("%s is a directory", path)
	}
	return f, nil
}

// A program is what all commands share.
type program struct {
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer

	// What serve runs; tests put their own in place.
	newAdapters func(config.Settings, *handlers.Handlers, *store.SQL, bot.Meter, *slog.Logger) ([]bot.Adapter, error)
}

// settings loads the settings as cmd's flags, the environment and the settings
// file have them.
func (p *program) settings(cmd *cobra.Command) (config.Settings, error) {
	s, warnings, err := config.Load(config.Source{Environ: p.environ, Flags: cmd.Flags()})
	p.warn(warnings)
	if err != nil {
		return s, &usageError{err}
	}
	return s, nil
}

func (p *program) warn(warnings []string) {
	for _, w := range warnings {
		fmt.Fprintln(p.stderr, "podium: warning:", bot.Printable(w))
	}
}

// newRoot lists the commands.
func newRoot(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:           "podium",
		Short:         "Answers questions about one announcement, in its own words",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	config.AddFlags(root.PersistentFlags(), "knowledge", "config")
	root.AddCommand(
		newAsk(p),
		newBench(p),
		newCheck(p),
		newConfig(p),
		newDoctor(p),
		newEval(p),
		newKnowledge(p),
		newManifest(p),
		newSchema(p),
		newChat(p),
		newServe(p),
		newQuestions(p),
		newBackup(p),
		newRestore(p),
		newMigrate(p),
		newHealthcheck(p),
		newVersion(p),
	)
	return root
}

func (p *program) run(ctx context.Context, args []string) error {
	root := newRoot(p)
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	// What fails before a command starts is wrong usage: an unknown command or
	// flag, a missing argument.
	started := false
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	err := root.ExecuteContext(ctx)
	if err != nil && !started {
		// cobra lists what is near in lines of their own.
		if what, near, ok := strings.Cut(err.Error(), "\n\nDid you mean this?\n"); ok {
			return usagef("%s; did you mean %s? See podium --help", what, strings.Join(strings.Fields(near), " or "))
		}
		return usagef("%w; see podium --help", err)
	}
	return err
}

func newVersion(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print podium's version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(p.stdout, "podium", version())
			return err
		},
	}
}

// release is the version that a build outside a checkout was given, as the
// Dockerfile's is: -ldflags "-X main.release=v1.2.0".
var release string

// version is the release, the module's version, or the commit that podium was
// built from.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}
