package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"
)

// The two commands. Reminders have one of their own because Discord gives
// permissions to whole commands, not to subcommands.
const (
	podiumCommand = "podium"
	remindCommand = "podium-remind"
)

// A command is an application command, or an option of one. The types are
// not discordgo's, which writes permissions as a string where Discord's
// schema wants a number, and fields that an option does not have.
type command struct {
	Name        string                             `json:"name"`
	Description string                             `json:"description"`
	Options     []argument                         `json:"options"`
	Contexts    []discordgo.InteractionContextType `json:"contexts"`
	Permissions *bits                              `json:"default_member_permissions"` // nil: everybody
}

type argument struct {
	Type         discordgo.ApplicationCommandOptionType `json:"type"`
	Name         string                                 `json:"name"`
	Description  string                                 `json:"description"`
	Required     bool                                   `json:"required,omitempty"`
	Autocomplete bool                                   `json:"autocomplete,omitempty"`
	MaxLength    int                                    `json:"max_length,omitempty"`
	Channels     []discordgo.ChannelType                `json:"channel_types,omitempty"`
	Options      []argument                             `json:"options,omitempty"`
}

// bits are permissions: a number to Discord, a string from it.
type bits int64

func (b *bits) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(bytes.Trim(data, `"`), (*int64)(b))
}

// commands are what Discord should have registered.
func (a *Adapter) commands() []command {
	everywhere := []discordgo.InteractionContextType{discordgo.InteractionContextGuild, discordgo.InteractionContextBotDM}
	sub := func(name, description string, options ...argument) argument {
		return argument{Type: discordgo.ApplicationCommandOptionSubCommand, Name: name, Description: description, Options: options}
	}
	text := func(name, description string, required, complete bool) argument {
		return argument{Type: discordgo.ApplicationCommandOptionString, Name: name, Description: description, Required: required, Autocomplete: complete, MaxLength: 1000}
	}
	list := []command{{
		Name:        podiumCommand,
		Description: "Ask about the announcement",
		Contexts:    everywhere,
		Options: []argument{
			sub("ask", "Ask a question about the announcement", text("question", "Your question, or a topic from the list", true, true)),
			sub("quote", "A person's own words", text("speaker", "Who said it", true, true), text("topic", "What it is about", false, true)),
			sub("topics", "What the announcement covers"),
			sub("why", "Why podium gave its last answer"),
			sub("help", "How to ask"),
		},
	}}
	if a.o.Reminders {
		manage := bits(discordgo.PermissionManageChannels)
		id := text("id", "The reminder's id, as the list shows it", true, false)
		where := argument{
			Type: discordgo.ApplicationCommandOptionChannel, Name: "channel", Description: "Where to post; without it, here",
			Channels: []discordgo.ChannelType{
				discordgo.ChannelTypeGuildText, discordgo.ChannelTypeGuildNews,
				discordgo.ChannelTypeGuildNewsThread, discordgo.ChannelTypeGuildPublicThread, discordgo.ChannelTypeGuildPrivateThread,
			},
		}
		list = append(list, command{
			Name:        remindCommand,
			Description: "Scheduled posts about the announcement",
			Contexts:    everywhere,
			Permissions: &manage,
			Options: []argument{
				sub("set", "Set a reminder", text("when", "Such as: every weekday at 09:00", true, false),
					text("about", "A topic or a question", true, true), where),
				sub("list", "The reminders of this server"),
				sub("edit", "Change a reminder", id, text("change", "What it should be from now on", true, false)),
				sub("preview", "The next five posts of a reminder", id),
				sub("pause", "Stop a reminder for now", id),
				sub("resume", "Let a paused reminder go on", id),
				sub("delete", "Remove a reminder", id),
			},
		})
	}
	return list
}

// typed is what a person would have typed to say d.
func typed(d interactionData) string {
	var sub option
	if len(d.Options) > 0 {
		sub = d.Options[0]
	}
	arg := make(map[string]string, len(sub.Options))
	values := make([]string, 0, len(sub.Options))
	for _, o := range sub.Options {
		arg[o.Name] = o.text()
		values = append(values, o.text())
	}
	if d.Name == remindCommand || sub.Name == "remind" {
		words := []string{"remind"}
		switch {
		case arg["when"] != "" || arg["about"] != "":
			if arg["channel"] != "" {
				words = append(words, "in <#"+arg["channel"]+">")
			}
			words = append(words, arg["when"])
			if arg["about"] != "" {
				words = append(words, "about "+arg["about"])
			}
		case sub.Name == "remind":
			words = append(words, values...)
		default:
			words = append(words, sub.Name, arg["id"], arg["change"])
		}
		return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
	}
	switch sub.Name {
	case "ask":
		if q := arg["question"]; q != "" {
			return q
		}
	case "quote":
		return strings.TrimSpace("quote " + strings.TrimSpace(arg["speaker"]+" "+arg["topic"]))
	case "topics", "why":
		return sub.Name
	}
	// A command of an older or newer version, or one without its options.
	return "help"
}

// register tells Discord the commands if it has others. Only a refused token
// is an error.
func (a *Adapter) register(ctx context.Context) error {
	select {
	case <-a.identified:
	case <-ctx.Done():
		return nil
	}
	path := discordgo.EndpointApplicationGlobalCommands(*a.application.Load())
	if a.o.GuildID != "" {
		path = discordgo.EndpointApplicationGuildCommands(*a.application.Load(), a.o.GuildID)
	}
	want := a.commands()
	for pause := 5 * time.Second; ; pause = min(2*pause, 5*time.Minute) {
		var have []command
		err := a.request(ctx, http.MethodGet, path, nil, &have)
		if err == nil && same(have, want) {
			a.log.Debug("discord has the commands already")
			return nil
		}
		if err == nil {
			err = a.request(ctx, http.MethodPut, path, want, nil)
		}
		if err == nil {
			a.log.Info("commands registered with discord", "guild", a.o.GuildID)
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		switch _, status := code(err); {
		case status == http.StatusUnauthorized:
			return errToken
		case status >= 400 && status < 500:
			a.log.Error("discord refused podium's commands; people can still mention podium", "error", err,
				"remedy", "Compare PODIUM_DISCORD_APPLICATION_ID and PODIUM_DISCORD_GUILD_ID with the application and the server, and invite podium with the link of `podium manifest discord`.")
			return nil
		}
		a.log.Warn("podium could not register its commands and will try again", "error", err, "in", pause)
		if sleep(ctx, pause) != nil {
			return nil
		}
	}
}

// same compares commands in any order.
func same(have, want []command) bool {
	byName := func(a, b command) int { return strings.Compare(a.Name, b.Name) }
	have, want = slices.Clone(have), slices.Clone(want)
	slices.SortFunc(have, byName)
	slices.SortFunc(want, byName)
	if len(have) != len(want) {
		return false
	}
	for i := range have {
		slices.Sort(have[i].Contexts)
	}
	return reflect.DeepEqual(have, want)
}
