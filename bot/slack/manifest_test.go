package slack

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"podium/bot/slack/slacktest"
)

// needs is the scope that each part of Slack that podium uses asks for; "" where it is none. Calls are those that the
// fake answers, so that a call without its scope here shows as unknown.
var needs = map[string]string{
	"auth.test":             "",
	"apps.connections.open": "", // connections:write, of the app token
	"views.publish":         "",
	"chat.postMessage":      "chat:write",
	"chat.postEphemeral":    "chat:write",
	"chat.update":           "chat:write",
	"users.info":            "users:read",
	"conversations.info":    "channels:read groups:read",
	"conversations.history": "channels:history groups:history",
	"app_home_opened":       "",
	"app_mention":           "app_mentions:read",
	"message.im":            "im:history",
	"/podium":               "commands",
}

// A shape is what the tests look at of a manifest.
type shape struct {
	Features struct {
		SlashCommands []struct{ Command, URL string } `yaml:"slash_commands"`
	} `yaml:"features"`
	OAuth struct {
		Scopes struct{ Bot []string } `yaml:"scopes"`
	} `yaml:"oauth_config"`
	Settings struct {
		Events struct {
			RequestURL string   `yaml:"request_url"`
			Bot        []string `yaml:"bot_events"`
		} `yaml:"event_subscriptions"`
		Interactivity struct {
			Enabled    bool   `yaml:"is_enabled"`
			RequestURL string `yaml:"request_url"`
		} `yaml:"interactivity"`
		SocketMode bool `yaml:"socket_mode_enabled"`
	} `yaml:"settings"`
}

func manifestShape(t *testing.T, base string) (string, shape) {
	t.Helper()
	text, err := Manifest(base)
	must(t, err)
	var s shape
	must(t, yaml.Unmarshal([]byte(text), &s))
	return text, s
}

func TestManifestAsksForWhatIsUsed(t *testing.T) {
	text, s := manifestShape(t, "")
	var want []string
	for _, scopes := range needs {
		want = append(want, strings.Fields(scopes)...)
	}
	slices.Sort(want)
	want = slices.Compact(want)
	if !slices.Equal(s.OAuth.Scopes.Bot, want) {
		t.Errorf("scopes are %q, want %q", s.OAuth.Scopes.Bot, want)
	}
	if got := names(Scopes()); !slices.Equal(got, want) || !slices.Equal(slacktest.Scopes, want) {
		t.Errorf("Scopes() = %q, the fake's are %q, want %q", got, slacktest.Scopes, want)
	}
	if got := names(Events()); !slices.Equal(got, s.Settings.Events.Bot) {
		t.Errorf("Events() = %q, want %q", got, s.Settings.Events.Bot)
	}
	if want := []string{"app_home_opened", "app_mention", "message.im"}; !slices.Equal(s.Settings.Events.Bot, want) {
		t.Errorf("events are %q, want %q", s.Settings.Events.Bot, want)
	}
	for _, call := range slacktest.Methods {
		if _, known := needs[call]; !known {
			t.Errorf("which scope %s needs is not known", call)
		}
	}
	// Each scope and event has its reason behind it.
	for _, g := range slices.Concat(Scopes(), Events()) {
		if len(g.Reason) < 6 || !strings.Contains(text, "- "+g.Name+" # "+g.Reason+"\n") {
			t.Errorf("%s stands without a reason", g.Name)
		}
	}
	if !s.Settings.SocketMode || !s.Settings.Interactivity.Enabled || len(s.Features.SlashCommands) != 1 || s.Features.SlashCommands[0].Command != "/podium" {
		t.Errorf("the manifest says %+v", s)
	}
}

func names(list []Grant) []string {
	var out []string
	for _, g := range list {
		out = append(out, g.Name)
	}
	return out
}

func TestManifestOverHTTP(t *testing.T) {
	for _, base := range []string{"https://podium.example.org", "https://podium.example.org/"} {
		_, s := manifestShape(t, base)
		if s.Settings.SocketMode || s.Features.SlashCommands[0].URL != "https://podium.example.org/slack/commands" ||
			s.Settings.Events.RequestURL != "https://podium.example.org/slack/events" ||
			s.Settings.Interactivity.RequestURL != "https://podium.example.org/slack/interactions" {
			t.Errorf("the manifest for %s says %+v", base, s)
		}
	}
	for _, base := range []string{"podium.example.org", "http://podium.example.org", "https://", "https://a b", "https://example.org?x=1\n"} {
		if _, err := Manifest(base); err == nil {
			t.Errorf("Manifest(%q) gives no error", base)
		}
	}
}

func TestManifestSchema(t *testing.T) {
	const file = "../../../shared/specs/slack-manifest.schema.2.0.0.json"
	if _, err := os.Stat(file); err != nil {
		t.Skip("Slack's schema of manifests in ../shared/specs is not here")
	}
	c := jsonschema.NewCompiler()
	// Two patterns, of domains that podium's manifest does not have, look ahead, which Go's expressions can not.
	c.UseRegexpEngine(func(pattern string) (jsonschema.Regexp, error) {
		return regexp.Compile(strings.Replace(pattern, `(?![\.\-])`, "", 1))
	})
	schema, err := c.Compile(file)
	must(t, err)
	for _, base := range []string{"", "https://podium.example.org"} {
		text, err := Manifest(base)
		must(t, err)
		var v map[string]any
		must(t, yaml.Unmarshal([]byte(text), &v))
		if err := schema.Validate(plainJSON(v)); err != nil {
			t.Errorf("the manifest for %q: %v", base, err)
		}
		// A key that Slack does not know is refused.
		v["settings"].(map[string]any)["socket_mode"] = true
		if schema.Validate(plainJSON(v)) == nil {
			t.Error("the schema takes everything")
		}
	}
}

// plainJSON is v as encoding/json would have it.
func plainJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = plainJSON(v[k])
		}
	case []any:
		for i := range v {
			v[i] = plainJSON(v[i])
		}
	case uint64:
		return float64(v)
	}
	return v
}
