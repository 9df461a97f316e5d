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
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bwmarrin/discordgo"

	"podium/bot"
)

const (
	maxBody = 1 << 20         // of an interaction, in bytes
	maxSkew = 5 * time.Minute // between Discord's clock and ours
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
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, http.StatusText(status), status)
		return
	}
	if !a.signed(r.Header, body, received) {
		http.Error(w, "invalid request signature", http.StatusUnauthorized)
		return
	}
	i := new(interaction)
	if !a.decode("interaction", body, i) {
		http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
		return
	}
	if i.Type == discordgo.InteractionPing {
		// Who asks is gone if it fails, and asks again.
		_ = writeJSON(w, response{Type: discordgo.InteractionResponsePong})
		return
	}
	// Discord delivers over HTTP once, and shows one response whatever
	// happens: there is nothing to remember.
	if !a.hold() {
		http.Error(w, "podium is stopping", http.StatusServiceUnavailable)
		return
	}
	defer a.letGo()
	ctx, cancel := context.WithTimeout(bot.WithID(a.work, i.ID), answerTimeout)
	answer, ok := a.respond(ctx, i, received)
	if !ok {
		http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
	} else {
		answer.sent(writeJSON(w, answer.first))
	}
	if answer.then == nil {
		cancel()
		return
	}
	a.meter.InHand(bot.Discord, 1)
	a.hands.Go(func() {
		defer a.meter.InHand(bot.Discord, -1)
		defer cancel()
		answer.then()
	})
}

// signed reports whether body is Discord's and of now. An old request, even
// if Discord once sent it, may be a replay.
func (a *Adapter) signed(h http.Header, body []byte, now time.Time) bool {
	stamp := h.Get("X-Signature-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > maxSkew {
		return false
	}
	signature, err := hex.DecodeString(h.Get("X-Signature-Ed25519"))
	if err != nil || len(signature) != ed25519.SignatureSize {
		return false
	}
	return ed25519.Verify(a.o.PublicKey, append([]byte(stamp), body...), signature)
}

func writeJSON(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, err = w.Write(b)
	return err
}

// interact takes an interaction from the gateway.
func (a *Adapter) interact(i *interaction) {
	received := time.Now()
	a.take(i.ID, func(ctx context.Context) {
		if i.Type != discordgo.InteractionApplicationCommandAutocomplete && !a.first(ctx, "interaction/"+i.ID) {
			return
		}
		answer, ok := a.respond(ctx, i, received)
		if !ok {
			return
		}
		err := a.acknowledge(ctx, i, answer.first)
		answer.sent(err)
		if err == nil && answer.then != nil {
			answer.then()
		}
	})
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

// A reaction is what follows an interaction.
type reaction struct {
	first response
	sent  func(error) // is told what became of first
	then  func()      // unless nil, sends the rest once first has been sent
}

// respond makes the first response to i: the answer if it is ready in time,
// else a deferral. ok is false for what nobody understands.
func (a *Adapter) respond(ctx context.Context, i *interaction, received time.Time) (_ reaction, ok bool) {
	if i.Type == discordgo.InteractionApplicationCommandAutocomplete {
		list := response{discordgo.InteractionApplicationCommandAutocompleteResult, choices{a.complete(ctx, i)}}
		return reaction{first: list, sent: func(error) {}}, true
	}
	acknowledged := func(err error) {
		if err == nil {
			a.meter.Acknowledged(bot.Discord, time.Since(received))
		}
	}
	m, ok := i.message(received)
	if !ok {
		a.log.DebugContext(ctx, "an interaction that is not podium's", "type", i.Type)
		first := response{Type: discordgo.InteractionResponseDeferredMessageUpdate}
		return reaction{first: first, sent: acknowledged}, i.Type == discordgo.InteractionMessageComponent
	}
	ready := make(chan bot.Reply, 1)
	go func() { ready <- a.answer(context.WithValue(ctx, interactionKey{}, i), m) }()
	timer := time.NewTimer(firstResponse - time.Since(received))
	defer timer.Stop()
	select {
	case r := <-ready:
		pages, flags := render(r), visibility(m, r)
		pages[0].Flags = flags
		answer := reaction{first: response{discordgo.InteractionResponseChannelMessageWithSource, pages[0]}}
		answer.sent = func(err error) {
			acknowledged(err)
			a.meter.Replied(ctx, m, r, err)
		}
		if len(pages) > 1 {
			answer.then = func() { a.follow(ctx, i, pages[1:], flags) }
		}
		return answer, true
	case <-timer.C:
	}
	return reaction{first: deferral(m), sent: acknowledged, then: func() {
		r := <-ready
		pages, flags := render(r), visibility(m, r)
		var err error
		if m.Kind == bot.Command {
			err = a.deliver(ctx, i, "PATCH", discordgo.EndpointWebhookMessage(i.Application, i.Token, "@original"), pages[0])
		} else {
			pages[0].Flags = flags
			err = a.deliver(ctx, i, "POST", discordgo.EndpointWebhookToken(i.Application, i.Token), pages[0])
		}
		a.meter.Replied(ctx, m, r, err)
		if err == nil {
			a.follow(ctx, i, pages[1:], flags)
		}
	}}, true
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
	if m.Action.Verb != bot.VerbShare && (m.Private || r.Private) {
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
			a.log.ErrorContext(ctx, "autocomplete panicked", "panic", p)
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
