package slack

import (
	_ "embed"
	"fmt"
	"net/url"
	"strings"
)

//go:embed slack-app-manifest.yaml
var manifest string

// A Grant is a scope or an event that podium asks of Slack.
type Grant struct {
	Name   string
	Reason string
}

// Scopes are the bot token's, the least that podium works with.
func Scopes() []Grant { return granted("    bot:\n") }

// Events are those that podium subscribes to.
func Events() []Grant { return granted("    bot_events:\n") }

// granted reads the manifest's list below a heading.
func granted(heading string) []Grant {
	var list []Grant
	_, rest, _ := strings.Cut(manifest, "\n"+heading)
	for line := range strings.Lines(rest) {
		name, reason, ok := strings.Cut(strings.TrimSpace(line), " # ")
		name, item := strings.CutPrefix(name, "- ")
		if !ok || !item {
			break
		}
		list = append(list, Grant{name, reason})
	}
	return list
}

// Manifest is the app as Slack has to know it, in YAML: for Socket Mode, or,
// if base is not empty, for HTTP with the request URLs below base, an https
// address.
func Manifest(base string) (string, error) {
	if base == "" {
		return manifest, nil
	}
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q is no address that Slack can call: it has to begin with https:// and a host", base)
	}
	base = strings.TrimRight(u.String(), "/")
	text := manifest
	for _, edit := range [][2]string{
		{"    - command: /podium\n", "    - command: /podium\n      url: " + base + "/slack/commands\n"},
		{"  event_subscriptions:\n", "  event_subscriptions:\n    request_url: " + base + "/slack/events\n"},
		{"    is_enabled: true # buttons\n", "    is_enabled: true # buttons\n    request_url: " + base + "/slack/interactions\n"},
		{"socket_mode_enabled: true", "socket_mode_enabled: false"},
	} {
		text = strings.Replace(text, edit[0], edit[1], 1)
	}
	return text, nil
}
