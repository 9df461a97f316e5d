package discord

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/bwmarrin/discordgo"
)

// A Permission is one that podium asks for when it is invited.
type Permission struct {
	Name   string // as Discord's settings show it
	Bit    int64
	Reason string
}

// Permissions are the least that podium works with.
func Permissions() []Permission {
	return []Permission{
		{"View Channels", discordgo.PermissionViewChannel, "to be mentioned in a channel"},
		{"Send Messages", discordgo.PermissionSendMessages, "to answer a mention and to post reminders"},
		{"Send Messages in Threads", discordgo.PermissionSendMessagesInThreads, "to do so in threads"},
		{"Embed Links", discordgo.PermissionEmbedLinks, "to show the quote, its speaker and the source below the answer"},
		{"Read Message History", discordgo.PermissionReadMessageHistory, "to reply to a question, and to look a reminder up after a failure"},
	}
}

// A Scope is one of the invitation's.
type Scope struct {
	Name   string
	Reason string
}

// Scopes are those that podium is invited with.
func Scopes() []Scope {
	return []Scope{
		{"bot", "to be mentioned, to answer and to post reminders"},
		{"applications.commands", "to offer /podium"},
	}
}

// Manifest is what an owner of the application has to know to install podium:
// the link that invites it, and why it asks for what it asks for.
func Manifest(application string) string {
	var all int64
	var list, scopes strings.Builder
	var names []string
	for _, s := range Scopes() {
		names = append(names, s.Name)
		fmt.Fprintf(&scopes, "  %-26s%s\n", s.Name, s.Reason)
	}
	for _, p := range Permissions() {
		all |= p.Bit
		fmt.Fprintf(&list, "  %-26s%s\n", p.Name, p.Reason)
	}
	link := "https://discord.com/oauth2/authorize?" + url.Values{
		"client_id":   {application},
		"permissions": {strconv.FormatInt(all, 10)},
		"scope":       {strings.Join(names, " ")},
	}.Encode()
	return fmt.Sprintf(`Invitation:
  %s

Scopes:
%s
Permissions (%d), each for a reason:
%s
Gateway intents (%d), none of them privileged:
  GUILDS                    to know which channels are threads
  GUILD_MESSAGES            to hear mentions; Discord leaves the text out of all other messages
  DIRECT_MESSAGES           to answer direct messages
`, link, &scopes, all, &list, intents)
}
