package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"
)

// The two commands. Reminders have one of their own because Discord gives
// permissions to whole commands, not to subcommands: it is shown to those who
// may use it, and asks for a reminder field by field. /podium remind takes the
// same sentence as in Slack, and is shown to everybody.
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
		list[0].Options = append(list[0].Options, sub("remind", "Set or list reminders; for those who may manage the channel",
			text("text", "Such as: every weekday at 09:00 about how many troops; or: list", false, false)))
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
	if d.Name == remindCommand {
		return reminding(d.Options)
	}
	var sub option
	if len(d.Options) > 0 {
		sub = d.Options[0]
	}
	if sub.Name == "remind" {
		return reminding(sub.Options)
	}
	arg := make(map[string]string, len(sub.Options))
	for _, o := range sub.Options {
		arg[o.Name] = o.text()
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

// reminding is the remind command that options say: those of /podium-remind, or
// of a /podium remind of whatever shape, of ours or of another version's.
func reminding(options []option) string {
	var verb, id, when, where, about string
	if len(options) > 0 && options[0].Value == nil { // a subcommand
		verb, options = options[0].Name, options[0].Options
	}
	var rest []string
	for _, o := range options {
		v := o.text()
		switch o.Name {
		case "action":
			verb = v
		case "id", "reminder":
			id = v
		case "when", "schedule":
			when = v
		case "where", "channel":
			where = v
		case "about", "what", "topic":
			about = v
		default:
			rest = append(rest, strings.Fields(v)...)
		}
	}
	for len(rest) > 0 && slices.Contains([]string{"podium", "remind"}, strings.ToLower(strings.TrimPrefix(rest[0], "/"))) {
		rest = rest[1:] // the whole command, as it is typed elsewhere
	}
	words := []string{"remind"}
	if verb != "set" {
		words = append(words, verb)
	}
	words = append(words, id)
	switch _, err := strconv.ParseUint(where, 10, 64); {
	case err == nil:
		words = append(words, "in <#"+where+">")
	case where == "" || where == "here" || where[0] == '<':
		words = append(words, where)
	default:
		words = append(words, "#"+strings.TrimPrefix(where, "#"))
	}
	words = append(words, when)
	words = append(words, rest...)
	if about != "" {
		words = append(words, "about "+about)
	}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
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
	// Encoded, what is empty is the same as what is not there.
	a, err := json.Marshal(have)
	b, err2 := json.Marshal(want)
	return err == nil && err2 == nil && bytes.Equal(a, b)
}
