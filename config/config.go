// Package config is what podium can be told: Settings, a struct for each area,
// filled by Load from flags, PODIUM_* environment variables and a settings
// file, in this order of precedence, and from defaults.
//
// Every setting is described once, in the table of table.go: its name, its
// default, whether it is a secret, and where its value goes.
package config

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// Settings are the effective settings of one run.
type Settings struct {
	Knowledge string         // path of a knowledge file; empty: the embedded announcement
	Timezone  *time.Location // of reminders, where neither asker nor channel has one
	Log       Log
	HTTP      HTTP
	Store     Store
	Slack     Slack
	Discord   Discord
	Reminders Reminders
	Limits    Limits
}

// Log says what is logged and how.
type Log struct {
	Level  slog.Level
	Format string // "text" or "json"
}

// HTTP is the server of platforms' requests and of health checks.
type HTTP struct {
	Addr string // host:port
}

// Store says where podium remembers, and for how long.
type Store struct {
	URL        Secret        // sqlite:PATH or postgres://...
	Questions  time.Duration // how long questions and votes are kept; 0: they are not logged
	References time.Duration // how long podium's own messages are remembered
}

// Slack is the Slack adapter's part.
type Slack struct {
	BotToken      Secret // xoxb-
	AppToken      Secret // xapp-, for Socket Mode
	SigningSecret Secret // for HTTP
	APIURL        string // ends in a slash
}

// Configured reports whether the owner wants Slack at all.
func (s Slack) Configured() bool {
	return s.BotToken.Set() || s.AppToken.Set() || s.SigningSecret.Set()
}

// Discord is the Discord adapter's part.
type Discord struct {
	Token         Secret            // for the gateway
	PublicKey     ed25519.PublicKey // for HTTP interactions; nil without
	ApplicationID string
	GuildID       string // register the commands in this guild alone; empty: everywhere
	APIURL        string // ends in a slash
	ShardID       int
	ShardCount    int
}

// Configured reports whether the owner wants Discord at all.
func (d Discord) Configured() bool { return d.Token.Set() || d.PublicKey != nil }

// Limits is how many questions a minute are taken; 0: any number.
type Limits struct {
	PerUser, PerChannel int
}

// Reminders is the scheduler's part.
type Reminders struct {
	Admins []string // platform user ids
}

// A Source is where Load reads from.
type Source struct {
	Environ []string       // NAME=value, as os.Environ gives it
	Flags   *pflag.FlagSet // of the command that runs; may be nil
}

// A Value is a setting in force.
type Value struct {
	Setting
	Text   string // what may be shown of it: of a secret "redacted"; empty if it is not set
	Origin string // "--http-addr", "PODIUM_HTTP_ADDR", "PODIUM_HTTP_ADDR_FILE", "podium.yaml:3" or "default"
}

// Load returns the settings in force, and warnings about variables that look
// like podium's but are not. The error, if any, holds every finding, a line
// each, and no secret.
func Load(src Source) (Settings, []string, error) {
	s, _, warnings, err := read(src)
	return s, warnings, err
}

// Values returns the settings in force in the order of Table, each with where
// it comes from, and the warnings of Load. With Load's error there are none.
func Values(src Source) ([]Value, []string, error) {
	_, values, warnings, err := read(src)
	if err != nil {
		return nil, warnings, err
	}
	return values, warnings, nil
}

func read(src Source) (Settings, []Value, []string, error) {
	var values []Value
	given, warnings, errs := fromEnviron(src.Environ)
	path, required := DefaultFile, false
	if e, ok := given["config"]; ok {
		path, required = e.text, true
	}
	if f := changed(src.Flags, "config"); f != nil {
		path, required = f.Value.String(), true
	}
	v := viper.New()
	file, err := readFile(path)
	switch {
	case err == nil:
		merge(v, file)
	case errors.Is(err, fs.ErrNotExist) && !required:
		path = ""
	default:
		errs = append(errs, err)
	}
	merge(v, given)
	var s Settings
	for _, row := range table {
		v.SetDefault(row.Key, row.Default)
		origin := "default"
		if e, ok := file[row.Key]; ok {
			origin = e.origin
		}
		if e, ok := given[row.Key]; ok {
			origin = e.origin
		}
		if f := changed(src.Flags, row.Flag()); f != nil {
			origin = "--" + f.Name
			if err := v.BindPFlag(row.Key, f); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", origin, err))
			}
		}
		text := v.GetString(row.Key)
		if row.Key == "config" {
			text = path
		}
		values = append(values, Value{row, shown(row, text), origin})
		if row.set == nil || text == "" {
			continue
		}
		problem := error(nil)
		if strings.ContainsAny(text, "\r\n\x00") {
			problem = errors.New("has more than one line")
		} else {
			problem = row.set(&s, text)
		}
		if problem != nil {
			if origin != row.Name {
				origin = row.Name + " (" + origin + ")"
			}
			errs = append(errs, fmt.Errorf("%s: %w", origin, problem))
		}
	}
	if len(errs) == 0 {
		errs = append(errs, s.check()...)
	}
	return s, values, warnings, errors.Join(errs...)
}

// shown is what may be shown of a setting's text.
func shown(row Setting, text string) string {
	if row.Secret {
		return NewSecret(text).String()
	}
	return text
}

// check looks at settings that only make sense together.
func (s Settings) check() []error {
	var errs []error
	if s.Slack.Configured() {
		if !s.Slack.BotToken.Set() {
			errs = append(errs, errors.New("PODIUM_SLACK_BOT_TOKEN: missing, and Slack can not be answered without it (it starts with xoxb-)"))
		}
		if !s.Slack.AppToken.Set() && !s.Slack.SigningSecret.Set() {
			errs = append(errs, errors.New("PODIUM_SLACK_APP_TOKEN: missing: set it for Socket Mode, or PODIUM_SLACK_SIGNING_SECRET for HTTP"))
		}
	}
	if s.Discord.ShardID >= s.Discord.ShardCount {
		errs = append(errs, fmt.Errorf("PODIUM_DISCORD_SHARD_ID: %d is not below PODIUM_DISCORD_SHARD_COUNT, which is %d", s.Discord.ShardID, s.Discord.ShardCount))
	}
	return errs
}

// An entry is a value somebody gave, and where.
type entry struct {
	text   string
	origin string // for messages: a variable's name, or file:line
}

// merge puts entries over those that v has already.
func merge(v *viper.Viper, entries map[string]entry) {
	m := make(map[string]any, len(entries))
	for key, e := range entries {
		m[key] = e.text
	}
	// A map of strings can not fail to merge.
	_ = v.MergeConfigMap(m)
}

func changed(flags *pflag.FlagSet, name string) *pflag.Flag {
	if flags == nil {
		return nil
	}
	if f := flags.Lookup(name); f != nil && f.Changed {
		return f
	}
	return nil
}

// fromEnviron returns the entries among podium's variables by key. A variable
// without a value counts as not set, as compose files pass them.
func fromEnviron(environ []string) (map[string]entry, []string, []error) {
	var warnings []string
	var errs []error
	found := make(map[string]entry)
	for _, line := range environ {
		name, text, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, prefix) || text == "" {
			continue
		}
		key := strings.ToLower(strings.TrimPrefix(name, prefix))
		row, isFile := lookup(key)
		if row == nil || name != strings.ToUpper(name) {
			near, edits := nearest(key)
			if edits > 2 {
				warnings = append(warnings, fmt.Sprintf("%s is not a setting of podium's and is ignored", name))
			} else {
				errs = append(errs, fmt.Errorf("%s: unknown setting; did you mean %s?", name, prefix+strings.ToUpper(near)))
			}
			continue
		}
		if err := add(found, row, isFile, entry{text, name}); err != nil {
			errs = append(errs, err)
		}
	}
	slices.Sort(warnings)
	return found, warnings, errs
}

// add enters e under row's key; isFile says that e names the file that holds
// the value.
func add(to map[string]entry, row *Setting, isFile bool, e entry) error {
	if old, ok := to[row.Key]; ok {
		return fmt.Errorf("%s: set a second time, see %s", e.origin, old.origin)
	}
	if isFile {
		data, err := os.ReadFile(e.text)
		if failed, ok := errors.AsType[*fs.PathError](err); ok && row.Secret && !filepath.IsAbs(e.text) {
			// What is not there may be the secret itself, given in the wrong place.
			return fmt.Errorf("%s: can not read the file that it names: %w", e.origin, failed.Err)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.origin, err)
		}
		e.text = strings.TrimRight(string(data), "\r\n")
		if e.text == "" {
			return fmt.Errorf("%s: the file is empty", e.origin)
		}
	}
	to[row.Key] = e
	return nil
}
