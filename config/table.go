package config

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

const prefix = "PODIUM_"

// DefaultFile is the settings file that is read, if it is there, when no other
// is named.
const DefaultFile = "podium.yaml"

// A Setting describes one setting.
type Setting struct {
	Name    string // of the environment variable
	Key     string // in a settings file, where "_" may also open a section
	Default string // empty: none
	Secret  bool
	Help    string

	set func(*Settings, string) error // nil: Load itself acts on it
}

// Flag is the name of the setting's flag, where a command has one.
func (s Setting) Flag() string { return strings.ReplaceAll(s.Key, "_", "-") }

// Table returns all settings in the order in which documents list them.
func Table() []Setting { return table }

// AddFlags gives flags to the settings with these keys. Tokens get none: a
// command line is for everybody to read.
func AddFlags(flags *pflag.FlagSet, keys ...string) {
	for _, key := range keys {
		row, _ := lookup(key)
		help := row.Help
		if row.Default != "" {
			help += " (default " + row.Default + ")"
		}
		flags.String(row.Flag(), "", help)
	}
}

var table = []Setting{
	row("config", DefaultFile, "path of a settings file; the default one need not be there", nil),
	row("knowledge", "", "path of a knowledge file; without it, the embedded announcement",
		text(func(s *Settings) *string { return &s.Knowledge })),
	secret("database_url", "sqlite:podium.db", "sqlite:PATH, or postgres://USER:PASSWORD@HOST/NAME for several replicas",
		func(s *Settings) *Secret { return &s.Store.URL }),
	row("question_days", "90", "days that unanswered questions and votes are kept; 0 logs none", days(0, func(s *Settings) *time.Duration { return &s.Store.Questions })),
	row("reference_days", "30", "days that podium remembers its own messages, for edits and replies", days(1, func(s *Settings) *time.Duration { return &s.Store.References })),
	row("http_addr", "127.0.0.1:8080", "address of the HTTP server: the platforms' requests, /healthz, /readyz and /metrics", setAddr),
	row("timezone", "UTC", "IANA time zone of reminders, where neither asker nor channel has one", setZone),
	secret("slack_bot_token", "", "xoxb-...", func(s *Settings) *Secret { return &s.Slack.BotToken }),
	secret("slack_app_token", "", "xapp-...: Socket Mode", func(s *Settings) *Secret { return &s.Slack.AppToken }),
	secret("slack_signing_secret", "", "HTTP: /slack/commands, /slack/events, /slack/interactions",
		func(s *Settings) *Secret { return &s.Slack.SigningSecret }),
	row("slack_api_url", "https://slack.com/api/", "where Slack's Web API is", address("https://slack.com/api/", func(s *Settings) *string { return &s.Slack.APIURL })),
	secret("discord_token", "", "the bot's token: gateway", func(s *Settings) *Secret { return &s.Discord.Token }),
	row("discord_public_key", "", "hex Ed25519 key; HTTP: /discord/interactions", setPublicKey),
	row("discord_application_id", "", "the application's id", snowflake(func(s *Settings) *string { return &s.Discord.ApplicationID })),
	row("discord_guild_id", "", "register the commands in this guild alone", snowflake(func(s *Settings) *string { return &s.Discord.GuildID })),
	row("discord_api_url", "https://discord.com/", "where Discord's API is", address("https://discord.com/", func(s *Settings) *string { return &s.Discord.APIURL })),
	row("discord_shard_id", "0", "this process's gateway shard, from 0", number(0, func(s *Settings) *int { return &s.Discord.ShardID })),
	row("discord_shard_count", "1", "number of gateway shards", number(1, func(s *Settings) *int { return &s.Discord.ShardCount })),
	row("reminder_admins", "", "user ids, separated by commas, who may set reminders beside the platforms' own admins", setAdmins),
	row("user_questions_per_minute", "600", "mentions, direct messages and presses taken from one user; 0: no limit", number(0, func(s *Settings) *int { return &s.Limits.PerUser })),
	row("channel_questions_per_minute", "3000", "the same, of one channel", number(0, func(s *Settings) *int { return &s.Limits.PerChannel })),
	row("log_level", "info", "debug, info, warn or error", setLevel),
	row("log_format", "text", "text or json", setFormat),
}

func row(key, value, help string, set func(*Settings, string) error) Setting {
	return Setting{Name: prefix + strings.ToUpper(key), Key: key, Default: value, Help: help, set: set}
}

func secret(key, value, help string, field func(*Settings) *Secret) Setting {
	r := row(key, value, help, func(s *Settings, t string) error {
		*field(s) = NewSecret(t)
		return nil
	})
	r.Secret = true
	return r
}

func text(field func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, t string) error {
		*field(s) = t
		return nil
	}
}

func number(least int, field func(*Settings) *int) func(*Settings, string) error {
	return func(s *Settings, t string) error {
		n, err := strconv.Atoi(t)
		if err != nil || n < least || n > 1e6 {
			return fmt.Errorf("%q is not a whole number of at least %d", t, least)
		}
		*field(s) = n
		return nil
	}
}

func days(least int, field func(*Settings) *time.Duration) func(*Settings, string) error {
	return func(s *Settings, t string) error {
		n, err := strconv.Atoi(t)
		if err != nil || n < least || n > 36500 {
			return fmt.Errorf("%q is not a number of days, from %d to 36500", t, least)
		}
		*field(s) = time.Duration(n) * 24 * time.Hour
		return nil
	}
}

func address(example string, field func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, t string) error {
		u, err := url.Parse(t)
		if err == nil && u.Port() != "" {
			_, err = strconv.ParseUint(u.Port(), 10, 16)
		}
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "" || u.User != nil || strings.ContainsAny(t, "?#") {
			return fmt.Errorf("is not an address such as %s", example)
		}
		*field(s) = strings.TrimRight(t, "/") + "/"
		return nil
	}
}

func snowflake(field func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, t string) error {
		if _, err := strconv.ParseUint(t, 10, 64); err != nil {
			return fmt.Errorf("%q is not a Discord id, which is a number", t)
		}
		*field(s) = t
		return nil
	}
}

func setAddr(s *Settings, t string) error {
	_, port, err := net.SplitHostPort(t)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%q is not host:port, as in 127.0.0.1:8080", t)
	}
	s.HTTP.Addr = t
	return nil
}

func setZone(s *Settings, t string) error {
	zone, err := time.LoadLocation(t)
	if err != nil || t == "Local" {
		return fmt.Errorf("%q is not an IANA time zone such as Europe/Berlin", t)
	}
	s.Timezone = zone
	return nil
}

func setPublicKey(s *Settings, t string) error {
	key, err := hex.DecodeString(t)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("is not the %d hexadecimal digits that Discord shows as Public Key", 2*ed25519.PublicKeySize)
	}
	if forgeable(key) {
		return errors.New("is a key that everybody can sign for, as all zeros are: copy the Public Key from the application's page General Information")
	}
	s.Discord.PublicKey = key
	return nil
}

// forgeable reports whether everybody can sign for key. There are a few, all
// zeros among them, whose multiples are eight points at most: one signature
// fits one in eight messages then, and a signature like this one fits none
// otherwise.
func forgeable(key ed25519.PublicKey) bool {
	signature := make([]byte, ed25519.SignatureSize)
	signature[0] = 1 // the neutral point, and the number 0
	for i := range 256 {
		if ed25519.Verify(key, []byte{byte(i)}, signature) {
			return true
		}
	}
	return false
}

func setAdmins(s *Settings, t string) error {
	for id := range strings.SplitSeq(t, ",") {
		if id = strings.TrimSpace(id); id != "" {
			s.Reminders.Admins = append(s.Reminders.Admins, id)
		}
	}
	return nil
}

func setLevel(s *Settings, t string) error {
	switch strings.ToLower(t) {
	case "debug", "info", "warn", "error":
		return s.Log.Level.UnmarshalText([]byte(t))
	}
	return fmt.Errorf("%q is not one of debug, info, warn, error", t)
}

func setFormat(s *Settings, t string) error {
	if t != "text" && t != "json" {
		return fmt.Errorf("%q is neither text nor json", t)
	}
	s.Log.Format = t
	return nil
}

// lookup finds the setting of a key; isFile is true of a key that ends in
// _file, which names a file with the value.
func lookup(key string) (row *Setting, isFile bool) {
	for i := range table {
		switch key {
		case table[i].Key:
			return &table[i], false
		case table[i].Key + "_file":
			return &table[i], true
		}
	}
	return nil, false
}

// nearest is the known key with the fewest edits from key.
func nearest(key string) (string, int) {
	best, least := "", 1<<30
	for _, row := range table {
		for _, known := range []string{row.Key, row.Key + "_file"} {
			if d := edits(key, known); d < least {
				best, least = known, d
			}
		}
	}
	return best, least
}

// edits counts the insertions, deletions, replacements and swaps of
// neighbouring letters between a and b.
func edits(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
