package slack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"podium/bot"
)

var _ bot.Checker = (*Adapter)(nil)

// checkTimeout is how long one call of Check may take.
const checkTimeout = 15 * time.Second

// Check looks at the credentials and, unless offline, asks Slack about them;
// see bot.Checker. Slack tells a bot token nothing of the app's commands,
// events and request URLs.
func (a *Adapter) Check(ctx context.Context, offline bool) []bot.Finding {
	list := a.checkShapes()
	if offline {
		return list
	}
	ctx, cancel := context.WithTimeout(ctx, 2*checkTimeout)
	defer cancel()
	sent := time.Now()
	who, err := a.api.AuthTestContext(ctx)
	answered := time.Now()
	if who == nil {
		return append(list, a.unanswered("slack", err))
	}
	if err != nil {
		list = append(list, refusal("slack token", err))
	} else {
		list = append(list, bot.Finding{Level: bot.OK, About: "slack token", What: fmt.Sprintf("Slack knows podium as %s in the workspace %s", who.User, who.Team)})
		list = append(list, checkScopes(who.Header)...)
	}
	if a.appToken != "" {
		list = append(list, a.checkAppToken(ctx))
	}
	return append(list, bot.CheckClock("slack clock", who.Header, sent, answered))
}

// What credentials look like. Slack promises none of it of a signing secret,
// but one that has a blank, a quotation mark or a token's beginning is none.
var (
	tokenShape  = regexp.MustCompile(`^[\w-]+$`)
	secretShape = regexp.MustCompile(`^[0-9a-z]{32}$`)
	noSecret    = regexp.MustCompile(`[\s"']|^xox|^xapp-`)
)

// checkShapes looks at what the credentials look like.
func (a *Adapter) checkShapes() []bot.Finding {
	var list []bot.Finding
	shape := func(about, setting string, level bot.Level, looks, page string) {
		f := bot.Finding{Level: level, About: about, What: setting + " looks like one"}
		if level != bot.OK {
			f.What, f.Remedy = setting+" does not look like one: "+looks, "copy it again from the app's page "+page
		}
		list = append(list, f)
	}
	token := func(t, prefix string) bot.Level {
		if rest, ok := strings.CutPrefix(t, prefix); ok && tokenShape.MatchString(rest) {
			return bot.OK
		}
		return bot.Fail
	}
	shape("slack bot token", "PODIUM_SLACK_BOT_TOKEN", token(a.botToken, "xoxb-"), "it is xoxb- with letters, digits and hyphens behind it",
		"OAuth & Permissions (if that one begins with xoxe, token rotation has to be switched off)")
	if a.appToken != "" {
		shape("slack app token", "PODIUM_SLACK_APP_TOKEN", token(a.appToken, "xapp-"), "it is xapp- with letters, digits and hyphens behind it",
			"Basic Information, App-Level Tokens")
	}
	if a.secret != "" {
		level := bot.OK
		switch {
		case noSecret.MatchString(a.secret):
			level = bot.Fail
		case !secretShape.MatchString(a.secret):
			level = bot.Warn
		}
		shape("slack signing secret", "PODIUM_SLACK_SIGNING_SECRET", level, "Slack's are 32 digits and small letters",
			"Basic Information, App Credentials, Signing Secret")
	}
	return list
}

// checkScopes holds the scopes that Slack names against the manifest's.
func checkScopes(h http.Header) []bot.Finding {
	f := bot.Finding{Level: bot.OK, About: "slack scopes"}
	granted := make(map[string]bool)
	for scope := range strings.FieldsFuncSeq(strings.Join(h.Values("X-OAuth-Scopes"), ","), func(r rune) bool { return r == ',' || r == ' ' }) {
		granted[scope] = true
	}
	if len(granted) == 0 {
		f.Level, f.What, f.Remedy = bot.Warn, "Slack does not say which the token has", "compare the app's page OAuth & Permissions with podium manifest slack"
		return []bot.Finding{f}
	}
	var missing []bot.Finding
	for _, scope := range Scopes() {
		if !granted[scope.Name] {
			missing = append(missing, bot.Finding{Level: bot.Fail, About: f.About, What: fmt.Sprintf("%s is missing: %s", scope.Name, scope.Reason),
				Remedy: "update the app from podium manifest slack (App Manifest) and reinstall it"})
		}
		delete(granted, scope.Name)
	}
	if len(missing) > 0 {
		return missing
	}
	if len(granted) > 0 {
		f.Level, f.What = bot.Warn, "the token may do more than podium needs: "+strings.Join(slices.Sorted(maps.Keys(granted)), ", ")
		f.Remedy = "take these out of the app (App Manifest) and reinstall it"
		return []bot.Finding{f}
	}
	f.What = "all that podium needs and no more; whether /podium itself is set up, only the app's page Slash Commands tells: Slack does not tell a bot"
	return []bot.Finding{f}
}

// checkAppToken asks for the address of a Socket Mode connection, the only
// call that this token is for. Nothing connects to it, and it lapses.
func (a *Adapter) checkAppToken(ctx context.Context) bot.Finding {
	const about = "slack app token"
	_, _, err := a.api.StartSocketModeContext(ctx)
	switch {
	case err == nil:
		return bot.Finding{Level: bot.OK, About: about, What: "Slack would let podium connect; it was asked for an address, and nothing connected"}
	case code(err) == "":
		return a.unanswered(about, err)
	}
	f := refusal(about, err)
	f.Remedy = "make an app-level token with the scope connections:write (Basic Information, App-Level Tokens), set it as PODIUM_SLACK_APP_TOKEN, and see that the app's page Socket Mode has it switched on"
	return f
}

// refusal is the finding that Slack answered with an error.
func refusal(about string, err error) bot.Finding {
	f := bot.Finding{Level: bot.Fail, About: about, What: "Slack answered " + code(err), Remedy: remedy(err)}
	if f.Remedy == "" {
		f.Remedy = "look the error up in Slack's documents"
	}
	return f
}

// unanswered is the finding that a call brought no answer of Slack's.
func (a *Adapter) unanswered(about string, err error) bot.Finding {
	f := bot.Finding{Level: bot.Fail, About: about}
	if e, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		f.Level, f.What, f.Remedy = bot.Warn, "Slack asks to come again later", fmt.Sprintf("try again in %v", e.RetryAfter)
		return f
	}
	if e, ok := errors.AsType[slack.StatusCodeError](err); ok {
		f.What, f.Remedy = fmt.Sprintf("what PODIUM_SLACK_API_URL names answered %s", e.Status), "try again; see status.slack.com, and whether the address is right"
		return f
	}
	why, remedy := bot.Unreachable(err)
	f.What, f.Remedy = fmt.Sprintf("Slack can not be reached at %s: %s", a.apiURL, why), remedy
	return f
}
