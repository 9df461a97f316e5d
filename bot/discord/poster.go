package discord

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"podium/bot"
)

// needed is what podium must be allowed in a channel that it posts to.
const needed = discordgo.PermissionViewChannel | discordgo.PermissionSendMessages |
	discordgo.PermissionEmbedLinks | discordgo.PermissionReadMessageHistory

// Post posts r. Its nonce is made of key: for a few minutes Discord answers a
// second Post of the same key with the first one's message.
func (a *Adapter) Post(ctx context.Context, channel, key string, r bot.Reply) (bot.MessageRef, error) {
	r.Private = false
	var ref bot.MessageRef
	for n, page := range render(r) {
		id, err := a.post(ctx, channel, nonce(key, n), page)
		if err != nil {
			if n > 0 {
				// The first part stands: a refusal would read as nothing posted.
				a.refused(ctx, "podium could not post all of a long message", err)
				break
			}
			return bot.MessageRef{}, refusal(err)
		}
		if n == 0 {
			ref = bot.MessageRef{Platform: bot.Discord, Channel: channel, ID: id}
		}
	}
	return ref, nil
}

// Repeatable is how long Discord answers a second Post of a key with the first
// one's message; see bot.Repeater. It says "in the past few minutes".
func (a *Adapter) Repeatable() time.Duration { return 2 * time.Minute }

// Tell sends user a direct message; see bot.Teller.
func (a *Adapter) Tell(ctx context.Context, user string, r bot.Reply) error {
	c, err := a.session.UserChannelCreate(user, discordgo.WithContext(ctx))
	if err != nil {
		return refusal(err)
	}
	_, err = a.Post(ctx, c.ID, "tell-"+strconv.FormatInt(time.Now().UnixNano(), 36), r)
	return err
}

// nonce is short enough for Discord, and as good as unique to key and page.
func nonce(key string, page int) string {
	sum := sha256.Sum256([]byte(key + "\x00" + strconv.Itoa(page)))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:25])
}

// Find looks for the post among podium's messages in channel. Discord does not
// promise to show a message's nonce to those who list messages, hence the
// rule: a message with the nonce is the post; if podium has none in the
// channel since then, or each one shows another nonce, it was not posted; if
// one shows none, or podium may not read the history or there is too much of
// it, nobody can tell and the answer is bot.ErrUnknown.
func (a *Adapter) Find(ctx context.Context, channel, key string, since time.Time) (bot.MessageRef, bool, error) {
	self, err := a.selfID(ctx)
	if err != nil {
		return bot.MessageRef{}, false, err
	}
	allowed, err := a.permissions(ctx, self, channel)
	if err != nil {
		return bot.MessageRef{}, false, refusal(err)
	}
	if allowed&discordgo.PermissionReadMessageHistory == 0 {
		return bot.MessageRef{}, false, bot.ErrUnknown // Discord would show an empty channel
	}
	const page, pages = 100, 10
	want, silent, after := nonce(key, 0), false, snowflake(since)
	for range pages {
		var list []struct {
			ID     string `json:"id"`
			Author user   `json:"author"`
			Nonce  any    `json:"nonce"`
		}
		path := discordgo.EndpointChannelMessages(channel) + "?limit=" + strconv.Itoa(page) + "&after=" + after
		if err := a.request(ctx, "GET", path, nil, &list); err != nil {
			return bot.MessageRef{}, false, refusal(err)
		}
		for _, m := range list {
			if newer(m.ID, after) {
				after = m.ID
			}
			if m.Author.ID != self {
				continue
			}
			switch m.Nonce {
			case want:
				return bot.MessageRef{Platform: bot.Discord, Channel: channel, ID: m.ID}, true, nil
			case nil:
				silent = true
			}
		}
		if len(list) < page {
			if silent {
				return bot.MessageRef{}, false, bot.ErrUnknown
			}
			return bot.MessageRef{}, false, nil
		}
	}
	return bot.MessageRef{}, false, bot.ErrUnknown
}

// snowflake is the smallest id that Discord gives at t.
func snowflake(t time.Time) string {
	const epoch = 1420070400000 // the first second of 2015, in milliseconds
	return strconv.FormatInt(max(0, t.UnixMilli()-epoch)<<22, 10)
}

// newer compares two ids.
func newer(a, b string) bool { return len(a) > len(b) || len(a) == len(b) && a > b }

// Posts reports whether a can post where nobody asked: it needs the token.
// Commands over HTTP are answered without.
func (a *Adapter) Posts() bool { return a.o.Token != "" }

// CanPost tells whether podium may post in channel.
func (a *Adapter) CanPost(ctx context.Context, channel string) error {
	if _, _, allowed, ok := said(ctx, channel); ok {
		return mayPost(allowed)
	}
	self, err := a.selfID(ctx)
	if err != nil {
		return refusal(err)
	}
	allowed, err := a.permissions(ctx, self, channel)
	if err != nil {
		return refusal(err)
	}
	return mayPost(allowed)
}

func mayPost(allowed int64) error {
	var missing []string
	for _, p := range Permissions() {
		if p.Bit&needed != 0 && allowed&p.Bit == 0 {
			missing = append(missing, p.Name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &bot.PostError{
		Reason: bot.NoAccess,
		Remedy: "Allow podium " + strings.Join(missing, ", ") + " in the channel.",
		Err:    errors.New("permission missing"),
	}
}

// MaySchedule is true of whoever may manage the channel, of the configured
// admins and, in direct messages, of the person alone with podium. What
// Discord said in m's own interaction counts before a look-up.
func (a *Adapter) MaySchedule(ctx context.Context, m bot.Message, channel string) (bool, error) {
	if slices.Contains(a.o.Admins, m.User.ID) {
		return true, nil
	}
	if m.Workspace == "" {
		return channel == m.Channel, nil
	}
	if user, allowed, _, ok := said(ctx, channel); ok && user == m.User.ID {
		return manages(allowed), nil
	}
	if _, err := strconv.ParseUint(channel, 10, 64); err != nil {
		return false, &bot.PostError{Reason: bot.ChannelGone, Remedy: "Which channel? Choose it from those that Discord offers when you type #.", Err: err}
	}
	c, err := a.session.Channel(channel, discordgo.WithContext(ctx))
	if err != nil {
		return false, refusal(err)
	}
	if c.GuildID != m.Workspace {
		return false, nil
	}
	allowed, err := a.permissions(ctx, m.User.ID, channel)
	if err != nil {
		return false, refusal(err)
	}
	return manages(allowed), nil
}

func manages(allowed int64) bool {
	return allowed&(discordgo.PermissionManageChannels|discordgo.PermissionAdministrator) != 0
}

// Zone is empty: Discord does not tell.
func (a *Adapter) Zone(context.Context, string) (string, error) { return "", nil }

// permissions are those of user in channel. In a thread they are the parent
// channel's, with the right to write in threads in place of the right to
// write.
func (a *Adapter) permissions(ctx context.Context, user, channel string) (allowed int64, err error) {
	defer func() {
		if p := recover(); p != nil { // discordgo takes a null among roles for a role
			allowed, err = 0, fmt.Errorf("discord's answer about permissions: %w", bot.Panicked(p))
		}
	}()
	c, err := a.session.Channel(channel, discordgo.WithContext(ctx))
	if err != nil {
		return 0, err
	}
	switch c.Type {
	case discordgo.ChannelTypeDM:
		return discordgo.PermissionAll, nil
	case discordgo.ChannelTypeGuildCategory, discordgo.ChannelTypeGuildForum, discordgo.ChannelTypeGuildMedia, discordgo.ChannelTypeGuildDirectory:
		return 0, &bot.PostError{Reason: bot.Rejected, Remedy: "Choose a channel or a thread that holds messages.", Err: errors.New("not a channel for messages")}
	}
	thread := isThread(c.Type)
	if thread {
		channel = c.ParentID
	}
	allowed, err = a.session.UserChannelPermissions(user, channel, discordgo.WithContext(ctx))
	if thread {
		allowed &^= discordgo.PermissionSendMessages
		if allowed&discordgo.PermissionSendMessagesInThreads != 0 {
			allowed |= discordgo.PermissionSendMessages
		}
	}
	return allowed, err
}

// selfID is podium's user id: from the gateway, or asked for once.
func (a *Adapter) selfID(ctx context.Context) (string, error) {
	if id := a.self.Load(); id != nil {
		return *id, nil
	}
	u, err := a.session.User("@me", discordgo.WithContext(ctx))
	if err != nil {
		return "", refusal(err)
	}
	a.self.Store(&u.ID)
	return u.ID, nil
}
