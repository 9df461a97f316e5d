package slack

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"podium/bot"
)

// answer asks the handler.
func (a *Adapter) answer(ctx context.Context, m bot.Message) bot.Reply {
	r, err := bot.Answer(ctx, a.handler, m)
	if err != nil {
		a.log.ErrorContext(ctx, "a question could not be answered", "kind", m.Kind.String(), "request", r.Request, "intent", r.Intent, "error", err)
	}
	return r
}

// ref names the answer of a reply's last part.
func ref(r bot.Reply) string {
	if len(r.Parts) == 0 {
		return ""
	}
	return r.Parts[len(r.Parts)-1].Ref
}

// A command is a slash command, in a form or as JSON.
type command struct {
	Command     string `json:"command"`
	Text        string `json:"text"`
	Team        string `json:"team_id"`
	Channel     string `json:"channel_id"`
	ChannelName string `json:"channel_name"`
	User        string `json:"user_id"`
	UserName    string `json:"user_name"`
	ResponseURL string `json:"response_url"`
	Trigger     string `json:"trigger_id"`

	received time.Time
}

// channelName is empty where Slack tells a word in place of a name.
func (c command) channelName() string {
	if c.ChannelName == "directmessage" || c.ChannelName == "privategroup" || strings.HasPrefix(c.ChannelName, "mpdm-") {
		return ""
	}
	return c.ChannelName
}

// command answers a slash command. It calls ack once: with the answer if that
// is ready within a second, else, from another goroutine, with nil. What ack
// does not report as carried then, unless it is nil, sends by the response URL.
func (a *Adapter) command(ctx context.Context, c command, ack func(now *outgoing) (carried bool)) (then func(ctx context.Context)) {
	if c.Command != "/podium" {
		a.ignore("command " + c.Command)
		ack(nil)
		return nil
	}
	m := bot.Message{
		Platform:    bot.Slack,
		Workspace:   c.Team,
		Channel:     c.Channel,
		ChannelName: c.channelName(),
		ID:          c.Trigger,
		User:        bot.User{ID: c.User, Name: c.UserName},
		Kind:        bot.Command,
		Private:     true,
		Text:        plain(c.Text, a.me("")),
		Received:    c.received,
	}
	late := make(chan struct{})
	timer := time.AfterFunc(direct, func() {
		defer close(late)
		defer func() {
			if p := recover(); p != nil {
				a.log.ErrorContext(ctx, "podium panicked", "error", bot.Panicked(p))
			}
		}()
		ack(nil)
	})
	r, messages := a.rendered(ctx, m)
	inTime, carried := timer.Stop(), false
	switch {
	case !inTime:
		<-late
	case len(messages) == 0:
		ack(nil)
	default:
		if carried = ack(&messages[0]); carried {
			messages = messages[1:]
		}
	}
	if carried || len(messages) == 0 {
		a.meter.Replied(ctx, m, r, nil)
	}
	if len(messages) == 0 {
		return nil
	}
	return func(ctx context.Context) {
		if inTime {
			// What is left must not overtake the acknowledgement.
			select {
			case <-time.After(behind):
			case <-ctx.Done():
			}
		}
		// Who repeats the request has what was carried, and Slack nothing a second time.
		if !a.first(ctx, "command/"+c.Trigger) {
			return
		}
		err := a.reply(ctx, c.ResponseURL, c.Channel, c.User, "", ref(r), messages)
		if !carried {
			a.meter.Replied(ctx, m, r, err)
		}
	}
}

// rendered asks the handler and lays its answer out for one user. It always
// returns: a panic becomes the reply that says so.
func (a *Adapter) rendered(ctx context.Context, m bot.Message) (r bot.Reply, messages []outgoing) {
	defer func() {
		if p := recover(); p != nil {
			a.log.ErrorContext(ctx, "podium panicked", "error", bot.Panicked(p))
			r = bot.FailureReply()
			messages = render(r, privateLimit, "")
		}
	}()
	r = a.answer(ctx, m)
	return r, render(r, privateLimit, "")
}

// reply shows messages to one user: by the response URL, which works in any
// channel, or, where that is missing or used up, as podium's own. Its error is
// logged.
func (a *Adapter) reply(ctx context.Context, responseURL, channel, user, thread, ref string, messages []outgoing) error {
	if responseURL != "" {
		unsent, err := a.respond(ctx, responseURL, ephemeral, thread, messages)
		if err == nil {
			return nil
		}
		a.report(ctx, "response_url", ref, err)
		if _, answered := errors.AsType[*statusError](err); !answered && a.mayCall(responseURL) == nil {
			return err // it may have arrived
		}
		messages = unsent
	}
	return a.report(ctx, "chat.postEphemeral", ref, a.whisper(ctx, channel, user, thread, messages))
}

// An event is what the Events API sends, in as far as podium looks at it.
type event struct {
	Type  string `json:"type"`
	Team  string `json:"team_id"`
	ID    string `json:"event_id"`
	Inner inner  `json:"event"`

	Challenge      string `json:"challenge"`
	Authorizations []struct {
		User  string `json:"user_id"`
		IsBot bool   `json:"is_bot"`
	} `json:"authorizations"`

	received time.Time
}

type inner struct {
	message
	Type        string   `json:"type"`
	Channel     string   `json:"channel"`
	ChannelType string   `json:"channel_type"`
	Tab         string   `json:"tab"`
	Message     *message `json:"message"`          // of message_changed
	Previous    *message `json:"previous_message"` // of message_changed
}

type message struct {
	Subtype string `json:"subtype"`
	User    string `json:"user"`
	Bot     string `json:"bot_id"`
	Text    string `json:"text"`
	TS      string `json:"ts"`
	Thread  string `json:"thread_ts"`
	Edited  struct {
		TS string `json:"ts"`
	} `json:"edited"`
}

// me is podium's user id, as Slack told it or else as the event says.
func (a *Adapter) me(told string) string {
	if self := a.self.Load(); self != nil {
		return *self
	}
	return told
}

// event takes an event into hand. An error, which is bot.Hands', means that
// Slack has to send it again.
func (a *Adapter) event(e event) error {
	told := ""
	for _, auth := range e.Authorizations {
		if auth.IsBot {
			told = auth.User
		}
	}
	me := a.me(told)
	m := e.Inner
	switch {
	case m.Type == "app_home_opened":
		if m.Tab != "home" || m.User == "" {
			return nil
		}
		return a.hands.Go(e.ID, func(ctx context.Context) { a.home(ctx, e.Team, m.User) })
	case m.Type == "message" && m.ChannelType == "im" && m.Subtype == "message_changed":
		if m.Message == nil || !m.Message.human(me) {
			return nil
		}
		if m.Previous != nil && m.Previous.Text == m.Message.Text {
			return nil // Slack has changed it, not its author
		}
		// The first answer may be in hand.
		return a.inTurn(e.ID, m.Channel+"/"+m.Message.TS, func(ctx context.Context) { a.edited(ctx, e, me) })
	case m.Type == "app_mention" || m.Type == "message" && m.ChannelType == "im":
		if !m.human(me) || m.Channel == "" || m.TS == "" {
			return nil
		}
		return a.inTurn(e.ID, m.Channel+"/"+m.TS, func(ctx context.Context) { a.asked(ctx, e, me) })
	case m.Type == "message":
		return nil // somebody else's conversation, or an edit in it
	}
	a.ignore("event " + m.Type)
	return nil
}

// human reports whether a person wrote m, in a form that podium answers.
func (m message) human(me string) bool {
	if m.Bot != "" || m.User == "" || m.User == me || m.User == "USLACKBOT" {
		return false
	}
	return m.Subtype == "" || m.Subtype == "file_share" || m.Subtype == "thread_broadcast"
}

// question is the event's message as handlers see it.
func (e event) question(m message, me string) bot.Message {
	q := bot.Message{
		Platform:  bot.Slack,
		Workspace: e.Team,
		Channel:   e.Inner.Channel,
		Thread:    m.Thread,
		ID:        m.TS,
		User:      bot.User{ID: m.User},
		Kind:      bot.Direct,
		Text:      plain(m.Text, me),
		Received:  e.received,
	}
	if e.Inner.Type == "app_mention" && e.Inner.ChannelType != "im" {
		q.Kind = bot.Mention
		q.Thread = cmp.Or(m.Thread, m.TS)
	}
	return q
}

// asked answers a mention or a direct message.
func (a *Adapter) asked(ctx context.Context, e event, me string) {
	if !a.first(ctx, "event/"+e.ID, "message/"+e.Inner.Channel+"/"+e.Inner.TS) {
		return
	}
	q := e.question(e.Inner.message, me)
	r := a.answer(ctx, q)
	if r.Private && q.Kind == bot.Mention {
		// In a thread that has no reply yet nobody would see it.
		err := a.whisper(ctx, q.Channel, q.User.ID, e.Inner.Thread, render(r, privateLimit, ""))
		a.meter.Replied(ctx, q, r, a.report(ctx, "chat.postEphemeral", ref(r), err))
		return
	}
	messages := render(r, publicLimit, moreInThread)
	if len(messages) == 0 {
		return
	}
	sent, err := a.post(ctx, q.Channel, q.Thread, ref(r), messages)
	a.meter.Replied(ctx, q, r, a.report(ctx, "chat.postMessage", ref(r), err))
	if err != nil {
		return
	}
	a.remember(ctx, sent, bot.MessageRef{Platform: bot.Slack, Channel: q.Channel, ID: q.ID}, r)
}

// edited answers a direct message anew that its author has edited, in the
// place of the first answer.
func (a *Adapter) edited(ctx context.Context, e event, me string) {
	m := *e.Inner.Message
	if !a.first(ctx, "event/"+e.ID, "edit/"+e.Inner.Channel+"/"+m.TS+"/"+cmp.Or(m.Edited.TS, e.Inner.TS)) {
		return
	}
	question := bot.MessageRef{Platform: bot.Slack, Channel: e.Inner.Channel, ID: m.TS}
	old, found, err := a.references.ReplyTo(ctx, question)
	if err != nil {
		a.log.ErrorContext(ctx, "the reply to an edited question could not be looked up", "error", err)
	}
	if !found {
		return
	}
	q := e.question(m, me)
	r := a.answer(ctx, q)
	messages := render(r, publicLimit, moreInThread)
	if len(messages) == 0 || old.Hash == hash(r) {
		return
	}
	sent := old.Message
	err = a.insist(ctx, func() error {
		_, _, _, err := a.api.UpdateMessageContext(ctx, sent.Channel, sent.ID, messages[0].options(""))
		return err
	})
	a.meter.Replied(ctx, q, r, a.report(ctx, "chat.update", ref(r), err))
	if err != nil {
		return
	}
	if len(messages) > 1 {
		_, err := a.post(ctx, sent.Channel, cmp.Or(q.Thread, sent.ID), ref(r), messages[1:])
		a.report(ctx, "chat.postMessage", ref(r), err)
	}
	a.remember(ctx, sent, question, r)
}

func (a *Adapter) remember(ctx context.Context, sent, question bot.MessageRef, r bot.Reply) {
	err := a.references.SaveReference(ctx, bot.Reference{Message: sent, Question: question, Ref: ref(r), Hash: hash(r), At: time.Now()})
	if err != nil {
		a.log.ErrorContext(ctx, "a reply could not be remembered", "error", err)
	}
}

func hash(r bot.Reply) string {
	sum := sha256.Sum256([]byte(r.Text()))
	return hex.EncodeToString(sum[:8])
}

// A press is an interaction payload, in as far as podium looks at it.
type press struct {
	Type string `json:"type"`
	Team struct {
		ID string `json:"id"`
	} `json:"team"`
	User struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		UserName string `json:"username"`
		Team     string `json:"team_id"`
	} `json:"user"`
	Channel struct {
		ID string `json:"id"`
	} `json:"channel"`
	Container struct {
		Type      string `json:"type"`
		Channel   string `json:"channel_id"`
		Message   string `json:"message_ts"`
		Thread    string `json:"thread_ts"`
		Ephemeral bool   `json:"is_ephemeral"`
	} `json:"container"`
	Message struct {
		Thread string `json:"thread_ts"`
	} `json:"message"`
	Actions []struct {
		Type  string `json:"type"`
		Value string `json:"value"`
		TS    string `json:"action_ts"`
	} `json:"actions"`
	ResponseURL string `json:"response_url"`
	Trigger     string `json:"trigger_id"`

	received time.Time
}

// press takes the press of a button into hand. The error is bot.Hands'; Slack
// then marks the button as one that did not work.
func (a *Adapter) press(p press) error {
	if p.Type != "block_actions" {
		a.ignore("interaction " + p.Type)
		return nil
	}
	for _, pressed := range p.Actions {
		action, ok := bot.ParseAction(pressed.Value)
		if !ok || pressed.Type != "button" || p.User.ID == "" {
			a.ignore("action " + pressed.Type)
			continue
		}
		id := cmp.Or(pressed.TS, p.Trigger)
		err := a.hands.Go(id, func(ctx context.Context) {
			key := "press/" + p.User.ID + "/" + p.Container.Message + "/" + id + "/" + pressed.Value
			// A press that came twice would be answered twice in public, if not to the one who pressed alone: no replica and no restart forgets it.
			fresh := a.fresh
			if action.Verb == bot.VerbShare || !p.Container.Ephemeral {
				fresh = func(ctx context.Context, key string) bool { return a.first(ctx, key) }
			}
			if fresh(ctx, key) {
				a.pressed(ctx, p, id, action)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pressed answers the press of a button where it stands.
func (a *Adapter) pressed(ctx context.Context, p press, id string, action bot.Action) {
	channel := cmp.Or(p.Channel.ID, p.Container.Channel)
	direct := strings.HasPrefix(channel, "D")
	// A thread that is there already; a reply to a public message may open one.
	thread := cmp.Or(p.Container.Thread, p.Message.Thread)
	opens := thread
	if !direct && !p.Container.Ephemeral {
		opens = cmp.Or(thread, p.Container.Message)
	}
	atHome := channel == ""
	if atHome {
		// The App Home has no room for an answer; podium's messages to the user are one tab away.
		channel, direct = p.User.ID, true
	}
	m := bot.Message{
		Platform:  bot.Slack,
		Workspace: cmp.Or(p.Team.ID, p.User.Team),
		Channel:   channel,
		Thread:    opens,
		ID:        cmp.Or(p.Container.Message, id),
		User:      bot.User{ID: p.User.ID, Name: cmp.Or(p.User.UserName, p.User.Name)},
		Kind:      bot.Press,
		Private:   p.Container.Ephemeral,
		Action:    action,
		Received:  p.received,
	}
	r := a.answer(ctx, m)
	if len(r.Parts) == 0 {
		return
	}
	share := action.Verb == bot.VerbShare && !r.Private // private: there is nothing to share
	if !share && !atHome && (p.Container.Ephemeral || r.Private) {
		err := a.reply(ctx, p.ResponseURL, channel, p.User.ID, thread, ref(r), render(r, privateLimit, ""))
		a.meter.Replied(ctx, m, r, err)
		return
	}
	messages := render(r, publicLimit, moreInThread)
	if len(messages) == 0 {
		return
	}
	sent, err := a.post(ctx, channel, opens, ref(r), messages)
	if c := code(err); share && p.ResponseURL != "" && (c == "not_in_channel" || c == "channel_not_found") {
		// Where podium is not a member, the person who shares lends it a voice.
		_, err := a.respond(ctx, p.ResponseURL, inChannel, opens, messages)
		a.meter.Replied(ctx, m, r, a.report(ctx, "response_url", ref(r), err))
		return
	}
	a.meter.Replied(ctx, m, r, a.report(ctx, "chat.postMessage", ref(r), err))
	if err != nil {
		return
	}
	a.remember(ctx, sent, bot.MessageRef{}, r)
}

// home shows the App Home: how to ask, and the topics as buttons. The words
// are the handler's.
func (a *Adapter) home(ctx context.Context, team, user string) {
	var blocks []block
	for i, text := range []string{"help", "topics"} {
		r := a.answer(ctx, bot.Message{
			Platform: bot.Slack, Workspace: team, Channel: user, ID: "home/" + user + "/" + text, User: bot.User{ID: user},
			Kind: bot.Command, Private: true, Text: text, Received: time.Now(),
		})
		if i > 0 {
			blocks = append(blocks, block{kind: "divider"})
		}
		// Two messages' blocks and a line between them are below the 100 that a view may hold.
		if messages := render(r, privateLimit, ""); len(messages) > 0 {
			blocks = append(blocks, messages[0].blocks...)
		}
	}
	number(blocks)
	view := slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: sdkBlocks(blocks)}}
	a.report(ctx, "views.publish", "", a.insist(ctx, func() error {
		_, err := a.api.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: user, View: view})
		return err
	}))
}
