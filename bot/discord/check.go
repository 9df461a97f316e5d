package discord

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"podium/bot"
)

var _ bot.Checker = (*Adapter)(nil)

// Flags of an application by which Discord shows that a privileged intent is
// switched on: for all servers, and for applications in few.
var privileged = []struct {
	name  string
	flags int64
}{
	{"Presence", 1<<12 | 1<<13},
	{"Server Members", 1<<14 | 1<<15},
	{"Message Content", 1<<18 | 1<<19},
}

// tokenShape is what Discord's tokens look like, although it promises none.
var tokenShape = regexp.MustCompile(`^[\w-]{20,}\.[\w-]+\.[\w-]+$`)

// Check looks at the credentials and, unless offline, asks Discord about them;
// see bot.Checker.
func (a *Adapter) Check(ctx context.Context, offline bool) []bot.Finding {
	if offline {
		return a.checkShapes()
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if a.o.Token == "" {
		// The one thing that Discord tells everybody.
		header, sent, err := a.look(ctx, discordgo.EndpointGateway, nil)
		list := []bot.Finding{{Level: bot.OK, About: "discord", What: "served over HTTP alone: without PODIUM_DISCORD_TOKEN podium answers commands that were registered before, and hears no mentions"}}
		if header == nil {
			return append(list, a.unanswered("discord", err))
		}
		return append(list, bot.CheckClock("discord clock", header, sent, time.Now()))
	}
	var self user
	header, sent, err := a.look(ctx, discordgo.EndpointUser("@me"), &self)
	answered := time.Now()
	if header == nil {
		return []bot.Finding{a.unanswered("discord", err)}
	}
	var list []bot.Finding
	if err != nil {
		list = append(list, a.unanswered("discord", err))
	} else {
		a.self.Store(&self.ID)
		list = append(list, bot.Finding{Level: bot.OK, About: "discord token", What: "Discord knows podium as " + self.Name})
		list = append(list, a.checkApplication(ctx)...)
	}
	return append(list, bot.CheckClock("discord clock", header, sent, answered))
}

// checkShapes looks at what the credentials look like. The public key's was
// seen to when the settings were loaded.
func (a *Adapter) checkShapes() []bot.Finding {
	var list []bot.Finding
	if a.o.Token != "" {
		f := bot.Finding{Level: bot.OK, About: "discord token", What: "PODIUM_DISCORD_TOKEN looks like one"}
		if !tokenShape.MatchString(strings.TrimPrefix(a.o.Token, "Bot ")) {
			f.Level, f.What = bot.Warn, "PODIUM_DISCORD_TOKEN does not look like one: Discord's are three words with dots between them"
			f.Remedy = "copy it again: the application's page Bot, Reset Token"
		}
		list = append(list, f)
	}
	if a.o.PublicKey != nil {
		list = append(list, bot.Finding{Level: bot.OK, About: "discord public key", What: fmt.Sprintf("PODIUM_DISCORD_PUBLIC_KEY looks like one: %d hexadecimal digits", 2*ed25519.PublicKeySize)})
	}
	return list
}

// checkApplication holds the settings against the token's application.
func (a *Adapter) checkApplication(ctx context.Context) []bot.Finding {
	var list []bot.Finding
	add := func(level bot.Level, about, what, remedy string) {
		list = append(list, bot.Finding{Level: level, About: "discord " + about, What: what, Remedy: remedy})
	}
	var app struct {
		ID       string `json:"id"`
		Key      string `json:"verify_key"`
		Flags    int64  `json:"flags"`
		Endpoint string `json:"interactions_endpoint_url"`
	}
	if _, _, err := a.look(ctx, discordgo.EndpointAPI+"applications/@me", &app); err != nil {
		f := a.unanswered("discord application", err)
		f.Level = bot.Warn // what podium lives by is asked for below
		list = append(list, f)
		app.ID = a.o.ApplicationID
	} else {
		if a.o.ApplicationID != "" && a.o.ApplicationID != app.ID {
			add(bot.Fail, "application", fmt.Sprintf("the token is that of the application %s, and PODIUM_DISCORD_APPLICATION_ID names %s", app.ID, a.o.ApplicationID), "take both from the same application, or leave the id away")
		}
		var on []string
		for _, p := range privileged {
			if app.Flags&p.flags != 0 {
				on = append(on, p.name)
			}
		}
		if len(on) > 0 {
			add(bot.Warn, "intents", "privileged ones are switched on that podium has no use for: "+strings.Join(on, ", "), "switch them off on the application's page Bot")
		} else {
			add(bot.OK, "intents", "no privileged one is switched on, and podium needs none", "")
		}
		if a.o.PublicKey != nil {
			if key := hex.EncodeToString(a.o.PublicKey); app.Key != "" && !strings.EqualFold(app.Key, key) {
				add(bot.Fail, "public key", "PODIUM_DISCORD_PUBLIC_KEY is not the application's", "copy the Public Key from its page General Information")
			} else {
				add(bot.OK, "public key", "it is the application's", "")
			}
		}
		switch {
		case app.Endpoint != "" && a.o.PublicKey == nil:
			add(bot.Fail, "endpoint", "Discord sends commands and buttons to the Interactions Endpoint URL, and podium waits for them at the gateway", "set PODIUM_DISCORD_PUBLIC_KEY, or clear the URL on the page General Information")
		case app.Endpoint == "" && a.o.PublicKey != nil:
			add(bot.Warn, "endpoint", "no Interactions Endpoint URL is set: commands come over the gateway", "enter https://.../discord/interactions on the page General Information, or take PODIUM_DISCORD_PUBLIC_KEY out")
		}
	}
	if app.ID != "" {
		list = append(list, a.checkCommands(ctx, app.ID))
	}
	return list
}

// checkCommands compares what is registered with what serve registers.
func (a *Adapter) checkCommands(ctx context.Context, application string) bot.Finding {
	f := bot.Finding{Level: bot.OK, About: "discord commands"}
	where := "everywhere"
	path := discordgo.EndpointApplicationGlobalCommands(application)
	if a.o.GuildID != "" {
		where = "in the server " + a.o.GuildID
		path = discordgo.EndpointApplicationGuildCommands(application, a.o.GuildID)
	}
	var have []command
	_, _, err := a.look(ctx, path, &have)
	_, status := code(err)
	switch {
	case status >= 400 && status < 500 && status != http.StatusTooManyRequests:
		f.Level, f.What = bot.Fail, fmt.Sprintf("Discord does not let podium have commands %s: %s", where, brief(err))
		f.Remedy = "compare PODIUM_DISCORD_APPLICATION_ID and PODIUM_DISCORD_GUILD_ID with the application and the server, and invite podium with the link of podium manifest discord"
	case err != nil:
		return a.unanswered(f.About, err)
	case len(have) == 0:
		f.Level, f.What = bot.Fail, "none is registered "+where
		f.Remedy = "start podium serve, which registers them; if it runs, its log says why it could not"
	case !same(have, a.commands()):
		f.Level, f.What = bot.Warn, "those registered "+where+" are not this version's"
		f.Remedy = "start podium serve, which registers its own"
	default:
		f.What = "registered " + where
	}
	return f
}

// look asks for path and decodes the answer into out, unless out is nil.
// header is nil if nothing answered; sent is when the request went out.
func (a *Adapter) look(ctx context.Context, path string, out any) (header http.Header, sent time.Time, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, sent, err
	}
	if a.session.Token != "" {
		req.Header.Set("Authorization", a.session.Token)
	}
	sent = time.Now()
	resp, err := a.session.Client.Do(req)
	if err != nil {
		return nil, sent, cause(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body) // as long as the transport lets it be
	if err == nil && resp.StatusCode != http.StatusOK {
		refused := &discordgo.RESTError{Request: req, Response: resp, ResponseBody: body}
		_ = json.Unmarshal(body, &refused.Message) // a proxy in between may have written it
		err = refused
	}
	if err == nil && out != nil {
		err = json.Unmarshal(body, out)
	}
	return resp.Header, sent, err
}

// brief is Discord's refusal without the request.
func brief(err error) string {
	e, ok := errors.AsType[*discordgo.RESTError](err)
	switch {
	case !ok:
		return err.Error()
	case e.Message != nil && e.Message.Message != "":
		return strings.Join(strings.Fields(e.Message.Message), " ")
	}
	return e.Response.Status
}

// unanswered is the finding that a look brought no answer to work with.
func (a *Adapter) unanswered(about string, err error) bot.Finding {
	f := bot.Finding{Level: bot.Fail, About: about}
	switch _, status := code(err); {
	case status == http.StatusUnauthorized:
		f.About, f.What = "discord token", "Discord refused it"
		f.Remedy = "reset it on the application's page Bot, and set the new PODIUM_DISCORD_TOKEN"
	case status == http.StatusTooManyRequests:
		f.Level, f.What, f.Remedy = bot.Warn, "Discord asks to come again later", "try again in a minute"
	case status != 0:
		f.What, f.Remedy = "what PODIUM_DISCORD_API_URL names answered "+brief(err), "try again; see discordstatus.com, and whether the address is right"
	default:
		why, remedy := bot.Unreachable(err)
		f.What, f.Remedy = fmt.Sprintf("Discord can not be reached at %s: %s", a.o.APIURL, why), remedy
	}
	return f
}
