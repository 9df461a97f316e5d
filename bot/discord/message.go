package discord

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"

	"podium/bot"
)

// An incoming is a message that somebody sent.
type incoming struct {
	ID         string                `json:"id"`
	Channel    string                `json:"channel_id"`
	Guild      string                `json:"guild_id"` // empty: a direct message
	Content    string                `json:"content"`
	Type       discordgo.MessageType `json:"type"`
	Author     user                  `json:"author"`
	Webhook    string                `json:"webhook_id"`
	Mentions   []user                `json:"mentions"`
	Member     struct{ Nick string } `json:"member"`
	Referenced *struct {
		ID     string `json:"id"`
		Author user   `json:"author"`
	} `json:"referenced_message"` // what it replies to
}

// hear answers m if it is meant for podium.
func (a *Adapter) hear(in incoming) {
	received := time.Now()
	self := a.self.Load()
	if self == nil || in.Author.ID == "" || in.Author.Bot || in.Author.ID == *self || in.Webhook != "" {
		return
	}
	if in.Type != discordgo.MessageTypeDefault && in.Type != discordgo.MessageTypeReply {
		return // somebody joined, pinned, boosted ...
	}
	m := bot.Message{
		Platform:  bot.Discord,
		Workspace: in.Guild,
		Channel:   in.Channel,
		ID:        in.ID,
		User:      in.Author.message(in.Member.Nick),
		Kind:      bot.Direct,
		Received:  received,
	}
	m.Text = strings.TrimSpace(strings.NewReplacer("<@"+*self+">", " ", "<@!"+*self+">", " ").Replace(in.Content))
	if in.Guild != "" {
		m.Kind = bot.Mention
		named := slices.ContainsFunc(in.Mentions, func(u user) bool { return u.ID == *self })
		// Without the privileged intent a reply to podium has its text only
		// if the person left the ping on, and then podium is named, too.
		reply := in.Referenced != nil && in.Referenced.Author.ID == *self && m.Text != ""
		if !named && !reply {
			return
		}
		if a.threads.has(in.Channel) {
			m.Thread = in.Channel
		}
	}
	a.take(m.ID, func(ctx context.Context) {
		if !a.first(ctx, m.Channel+"/"+m.ID) {
			return
		}
		a.reply(ctx, m, a.answer(ctx, m))
	}, func(ctx context.Context) { a.reply(ctx, m, bot.BusyReply()) })
}

// reply posts r, if it says anything, as replies to m.
func (a *Adapter) reply(ctx context.Context, m bot.Message, r bot.Reply) {
	if len(r.Parts) == 0 {
		return
	}
	for n, page := range render(r) {
		if n == 0 {
			page.Reference = replyTo(m)
		}
		posted, err := a.post(ctx, m.Channel, m.ID+"."+strconv.Itoa(n), page)
		if n == 0 {
			a.meter.Replied(ctx, m, r, err)
		}
		if err != nil {
			a.refused(ctx, "podium could not post its answer", err)
			return
		}
		a.remember(ctx, m, r, posted)
	}
}

func replyTo(m bot.Message) *discordgo.MessageReference {
	gone := false // the question may be deleted by then
	return &discordgo.MessageReference{MessageID: m.ID, ChannelID: m.Channel, GuildID: m.Workspace, FailIfNotExists: &gone}
}

// post sends page to a channel. The nonce, of at most 25 characters, lets
// Discord recognise it when it is sent twice within a few minutes.
func (a *Adapter) post(ctx context.Context, channel, nonce string, page message) (id string, err error) {
	page.Nonce, page.EnforceNonce = nonce, true
	var posted struct{ ID string }
	ctx = context.WithValue(ctx, repeatable{}, new(int))
	err = a.request(ctx, "POST", discordgo.EndpointChannelMessages(channel), page, &posted)
	return posted.ID, err
}

// remember keeps podium's message id, so that a reply to it finds its context.
func (a *Adapter) remember(ctx context.Context, m bot.Message, r bot.Reply, id string) {
	ref := bot.Reference{
		Message:  bot.MessageRef{Platform: bot.Discord, Channel: m.Channel, ID: id},
		Question: bot.MessageRef{Platform: bot.Discord, Channel: m.Channel, ID: m.ID},
		Hash:     hash(r),
		At:       time.Now(),
	}
	if n := len(r.Parts); n > 0 {
		ref.Ref = r.Parts[n-1].Ref
	}
	if err := a.o.References.SaveReference(ctx, ref); err != nil {
		a.log.ErrorContext(ctx, "podium could not remember its message", "message", id, "error", err)
	}
}

func hash(r bot.Reply) string {
	sum := sha256.Sum256([]byte(r.Text()))
	return hex.EncodeToString(sum[:])
}

// threads knows which channels are threads: a message does not tell.
type threads struct {
	mu    sync.Mutex
	guild map[string]string // of the thread
}

type threadEvent struct {
	ID      string                  `json:"id"`
	Guild   string                  `json:"guild_id"`
	Threads []struct{ ID string }   `json:"threads"`
	State   struct{ Archived bool } `json:"thread_metadata"`
}

func (t *threads) note(event string, e threadEvent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.guild == nil {
		t.guild = make(map[string]string)
	}
	switch event {
	case "THREAD_CREATE", "THREAD_UPDATE":
		// Nobody writes in an archived thread without an update first.
		if delete(t.guild, e.ID); !e.State.Archived {
			t.guild[e.ID] = e.Guild
		}
	case "THREAD_DELETE":
		delete(t.guild, e.ID)
	case "GUILD_CREATE":
		for _, thread := range e.Threads {
			t.guild[thread.ID] = e.ID
		}
	case "THREAD_LIST_SYNC":
		for _, thread := range e.Threads {
			t.guild[thread.ID] = e.Guild
		}
	case "GUILD_DELETE":
		for thread, guild := range t.guild {
			if guild == e.ID {
				delete(t.guild, thread)
			}
		}
	}
}

func (t *threads) has(channel string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.guild[channel]
	return ok
}
