package discord

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/bwmarrin/discordgo"

	"podium/bot"
)

const (
	maxBody   = 1 << 20         // of an interaction, in bytes
	usualBody = 8 << 10         // what is taken on credit, before there is a signature
	maxSkew   = 5 * time.Minute // between Discord's clock and ours
)

// An interaction is a command, a press of a button or a request for
// autocomplete.
type interaction struct {
	ID          string                    `json:"id"`
	Application string                    `json:"application_id"`
	Token       string                    `json:"token"`
	Type        discordgo.InteractionType `json:"type"`
	Data        interactionData           `json:"data"`
	Guild       string                    `json:"guild_id"`
	ChannelID   string                    `json:"channel_id"`
	Channel     struct {
		Type discordgo.ChannelType `json:"type"`
		Name string                `json:"name"`
	} `json:"channel"`
	Member struct {
		User        user   `json:"user"`
		Nick        string `json:"nick"`
		Permissions string `json:"permissions"`
	} `json:"member"` // in a server
	User    user `json:"user"` // in a direct message
	Message struct {
		ID    string `json:"id"`
		Flags int    `json:"flags"`
	} `json:"message"` // whose button was pressed
	AppPermissions string `json:"app_permissions"`
}

// An interactionData is what was said: by a command or autocomplete a name and
// options, by a press the button's id.
type interactionData struct {
	Name     string   `json:"name"`
	Options  []option `json:"options"`
	CustomID string   `json:"custom_id"`
}

type option struct {
	Name    string   `json:"name"`
	Value   any      `json:"value"`
	Options []option `json:"options"`
	Focused bool     `json:"focused"`
}

// text is the value as it was typed.
func (o option) text() string {
	switch v := o.Value.(type) {
	case nil:
		return ""
	case string:
		return strings.TrimSpace(v)
	default:
		return fmt.Sprint(v)
	}
}

// A response is the first answer to an interaction.
type response struct {
	Type discordgo.InteractionResponseType `json:"type"`
	Data any                               `json:"data,omitempty"`
}

type choices struct {
	Choices []choice `json:"choices"`
}

type choice struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// serveInteraction is Discord's HTTP transport. The signature comes first:
// Discord sends bad ones on purpose and removes an endpoint that takes them.
func (a *Adapter) serveInteraction(w http.ResponseWriter, r *http.Request) {
	received := time.Now()
	// What is signed is the timestamp and the body behind it.
	stamp := r.Header.Get("X-Signature-Timestamp")
	var signed bytes.Buffer
	signed.Grow(len(stamp) + int(min(max(r.ContentLength, 0), usualBody)) + bytes.MinRead)
	signed.WriteString(stamp)
	if _, err := signed.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, http.StatusText(status), status)
		return
	}
	if !fresh(stamp, received) || !a.verify(signed.Bytes(), r.Header.Get("X-Signature-Ed25519")) {
		// Who looks around on the network does not sign.
		if r.Header.Get("X-Signature-Ed25519") != "" && a.unsigned.Due() {
			a.log.Info("a request was refused: it is not signed for PODIUM_DISCORD_PUBLIC_KEY, or more than five minutes ago",
				"remedy", "none, if it is now and then: Discord tries that on purpose; if no command is answered, copy the Public Key again (General Information), and look at this machine's clock and at the proxy, which has to hand on bodies unchanged")
		}
		http.Error(w, "invalid request signature", http.StatusUnauthorized)
		return
	}
	i := new(interaction)
	if !a.decode("interaction", signed.Bytes()[len(stamp):], i) {
		http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
		return
	}
	if i.Type == discordgo.InteractionPing {
		// Who asks is gone if it fails, and asks again.
		_ = writeJSON(w, response{Type: discordgo.InteractionResponsePong})
		return
	}
	// Discord delivers over HTTP once, and shows one response whatever
	// happens: there is nothing to remember of it.
	hand, err := a.hands.Take(i.ID)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer hand.Done()
	ok := a.respond(hand.Context, i, received, func(first response, more bool) error {
		if !more {
			return writeJSON(w, first)
		}
		// The response is complete, the request is not: Discord is to wait
		// neither for its end nor, with its next one, for the connection.
		w.Header().Set("Connection", "close")
		if err := writeJSON(w, first); err != nil {
			return err
		}
		return http.NewResponseController(w).Flush()
	})
	if !ok {
		http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
	}
}

// fresh reports whether stamp is of now. An old request, even if Discord once
// signed it, may be a replay.
func fresh(stamp string, now time.Time) bool {
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	return err == nil && now.Sub(time.Unix(seconds, 0)).Abs() <= maxSkew
}

// verify reports whether Discord has signed message.
func (a *Adapter) verify(message []byte, signature string) bool {
	s, err := hex.DecodeString(signature)
	return err == nil && len(s) == ed25519.SignatureSize && ed25519.Verify(a.o.PublicKey, message, s)
}

func writeJSON(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, err = w.Write(b)
	return err
}

// interact takes an interaction from the gateway.
func (a *Adapter) interact(i *interaction) {
	received := time.Now()
	autocomplete := i.Type == discordgo.InteractionApplicationCommandAutocomplete
	var sorry func(context.Context)
	if !autocomplete {
		sorry = func(ctx context.Context) {
			page := render(bot.BusyReply())[0]
			page.Flags = ephemeral
			a.acknowledge(ctx, i, response{discordgo.InteractionResponseChannelMessageWithSource, page})
		}
	}
	a.take(i.ID, func(ctx context.Context) {
		switch {
		case autocomplete:
		case i.Type == discordgo.InteractionApplicationCommand:
			// Of a command Discord takes the first response alone, whoever
			// sends it: its answer need not wait for the store.
			if !a.recent.Add(i.ID) {
				a.redelivered(ctx)
				return
			}
		case !a.first(ctx, "interaction/"+i.ID):
			return
		}
		a.respond(ctx, i, received, func(first response, _ bool) error { return a.acknowledge(ctx, i, first) })
	}, sorry)
}

// acknowledge sends the first response over REST.
func (a *Adapter) acknowledge(ctx context.Context, i *interaction, first response) error {
	attempts := new(int)
	err := a.request(context.WithValue(ctx, repeatable{}, attempts), "POST", discordgo.EndpointInteractionResponse(i.ID, i.Token), first, nil)
	if c, _ := code(err); c == alreadyAcknowledged && *attempts > 1 {
		return nil // the first attempt had arrived
	}
	if err != nil {
		a.refused(ctx, "podium could not respond to an interaction", err)
	}
	return err
}

// respond answers i. send takes the first response, which is the answer if it
// is ready in time, else a deferral, and whether more follows. respond is
// false, and has sent nothing, if nobody understands i.
func (a *Adapter) respond(ctx context.Context, i *interaction, received time.Time, send func(first response, more bool) error) bool {
	if i.Type == discordgo.InteractionApplicationCommandAutocomplete {
		// Who types on asks again.
		_ = send(response{discordgo.InteractionApplicationCommandAutocompleteResult, choices{a.complete(ctx, i)}}, false)
		return true
	}
	acknowledge := func(first response, more bool) error {
		err := send(first, more)
		if err == nil {
			a.meter.Acknowledged(bot.Discord, time.Since(received))
		}
		return err
	}
	m, ok := i.message(received)
	if !ok {
		a.log.DebugContext(ctx, "an interaction that is not podium's", "type", i.Type)
		if i.Type != discordgo.InteractionMessageComponent {
			return false
		}
		_ = acknowledge(response{Type: discordgo.InteractionResponseDeferredMessageUpdate}, false)
		return true
	}
	deferred := make(chan error, 1)
	late := time.AfterFunc(firstResponse-time.Since(received), func() {
		err := errors.New("podium panicked")
		defer func() {
			if p := recover(); p != nil {
				a.log.ErrorContext(ctx, "podium panicked", "error", bot.Panicked(p))
			}
			deferred <- err
		}()
		err = acknowledge(deferral(m), true)
	})
	r := a.answer(context.WithValue(ctx, interactionKey{}, i), m)
	inTime := late.Stop()
	if !inTime {
		if err := <-deferred; err != nil {
			a.meter.Replied(ctx, m, r, err)
			return true
		}
	}
	if m.Kind == bot.Press && len(r.Parts) == 0 {
		// Discord shows nobody that a deferred press was not answered.
		if inTime {
			_ = acknowledge(deferral(m), false)
		}
		return true
	}
	pages, flags := render(r), visibility(m, r)
	pages[0].Flags = flags
	// Who repeats a request over HTTP has the first response, and Discord
	// nothing a second time.
	once := sync.OnceValue(func() bool { return a.first(ctx, "more/"+i.ID) })
	var err error
	switch {
	case inTime:
		err = acknowledge(response{discordgo.InteractionResponseChannelMessageWithSource, pages[0]}, len(pages) > 1)
	case !once():
		return true
	case m.Kind == bot.Command:
		pages[0].Flags = 0 // settled by the deferral
		err = a.deliver(ctx, i, "PATCH", discordgo.EndpointWebhookMessage(i.Application, i.Token, "@original"), pages[0])
	default:
		err = a.deliver(ctx, i, "POST", discordgo.EndpointWebhookToken(i.Application, i.Token), pages[0])
	}
	a.meter.Replied(ctx, m, r, err)
	if err == nil && len(pages) > 1 && once() {
		a.follow(ctx, i, pages[1:], flags)
	}
	return true
}

// deferral tells Discord to wait. Who may see a deferred answer is settled
// there and then, except after a press: its answer is a message of its own.
func deferral(m bot.Message) response {
	if m.Kind == bot.Press {
		return response{Type: discordgo.InteractionResponseDeferredMessageUpdate}
	}
	return response{discordgo.InteractionResponseDeferredChannelMessageWithSource, struct {
		Flags int `json:"flags"`
	}{ephemeral}}
}

// visibility is the flags of the reply to m.
func visibility(m bot.Message, r bot.Reply) int {
	if r.Private || m.Private && m.Action.Verb != bot.VerbShare {
		return ephemeral
	}
	return 0
}

// follow sends pages after the first response.
func (a *Adapter) follow(ctx context.Context, i *interaction, pages []message, flags int) {
	for _, page := range pages {
		page.Flags = flags
		if a.deliver(ctx, i, "POST", discordgo.EndpointWebhookToken(i.Application, i.Token), page) != nil {
			return
		}
	}
}

// deliver sends what comes after the first response to i. Discord knows the
// token only once it has worked through that response, which over HTTP is a
// moment after it was written.
func (a *Adapter) deliver(ctx context.Context, i *interaction, method, path string, page message) error {
	const unknownWebhook = 10015
	err := a.request(ctx, method, path, page, nil)
	for pause := 100 * time.Millisecond; pause < 4*time.Second; pause *= 2 {
		if c, _ := code(err); c != unknownWebhook || sleep(ctx, pause) != nil {
			break
		}
		err = a.request(ctx, method, path, page, nil)
	}
	if err != nil {
		a.refused(ctx, "podium could not deliver its answer", err)
	}
	return err
}

// message is what the person said by i; false if it is nothing of podium's.
func (i *interaction) message(received time.Time) (bot.Message, bool) {
	m := bot.Message{
		Platform:  bot.Discord,
		Workspace: i.Guild,
		Channel:   i.ChannelID,
		ID:        i.ID,
		User:      i.User.message(""),
		Received:  received,
	}
	m.ChannelName = i.Channel.Name
	if i.Guild != "" {
		m.User = i.Member.User.message(i.Member.Nick)
	}
	if isThread(i.Channel.Type) {
		m.Thread = i.ChannelID
	}
	switch i.Type {
	case discordgo.InteractionApplicationCommand:
		m.Kind, m.Private, m.Text = bot.Command, true, typed(i.Data)
		return m, true
	case discordgo.InteractionMessageComponent:
		m.Kind, m.Private = bot.Press, i.Message.Flags&ephemeral != 0
		if i.Message.ID != "" {
			m.ID = i.Message.ID // what is pressed and voted on
		}
		action, ok := bot.ParseAction(i.Data.CustomID)
		m.Action = action
		return m, ok
	}
	return m, false
}

func isThread(t discordgo.ChannelType) bool {
	return t == discordgo.ChannelTypeGuildNewsThread || t == discordgo.ChannelTypeGuildPublicThread || t == discordgo.ChannelTypeGuildPrivateThread
}

// complete answers autocomplete, a panic with nothing.
func (a *Adapter) complete(ctx context.Context, i *interaction) (list []choice) {
	list = []choice{}
	defer func() {
		if p := recover(); p != nil {
			a.log.ErrorContext(ctx, "autocomplete panicked", "error", bot.Panicked(p))
			list = []choice{}
		}
	}()
	o, ok := focused(i.Data.Options)
	if !ok || a.o.Completer == nil {
		return list
	}
	const most, longest = 25, 100
	seen := map[string]bool{}
	field := o.Name
	if field == "about" {
		field = "question" // a reminder's subject is a topic or a question
	}
	for _, v := range a.o.Completer.Complete(field, o.text(), most) {
		// A value must come back as it is: what is too long is left out.
		if v = bot.Printable(v); strings.TrimSpace(v) == "" || utf16Len(v) > longest || seen[v] || !utf8.ValidString(v) || len(list) == most {
			continue
		}
		seen[v] = true
		list = append(list, choice{Name: v, Value: v})
	}
	return list
}

func focused(options []option) (option, bool) {
	for _, o := range options {
		if o.Focused {
			return o, true
		}
		if f, ok := focused(o.Options); ok {
			return f, true
		}
	}
	return option{}, false
}

// interactionKey is the key of the *interaction in the context of its handler.
type interactionKey struct{}

// said returns what Discord says, in the interaction that ctx belongs to, of
// what its author and podium may do in channel. ok is false in other contexts,
// of other channels and in direct messages.
func said(ctx context.Context, channel string) (user string, member, app int64, ok bool) {
	i, ok := ctx.Value(interactionKey{}).(*interaction)
	if !ok || i.ChannelID != channel {
		return "", 0, 0, false
	}
	member, err := strconv.ParseInt(i.Member.Permissions, 10, 64)
	if err != nil {
		return "", 0, 0, false
	}
	app, err = strconv.ParseInt(i.AppPermissions, 10, 64)
	return i.Member.User.ID, member, app, err == nil
}
