// Package slack connects podium to Slack: slash commands, mentions, direct
// messages, buttons and the App Home, over Socket Mode, HTTP or both.
//
// An event takes this way: http.go or socket.go verifies, unpacks and
// acknowledges it; slack.go makes a bot.Message of it, asks the handler and
// decides where the reply goes; render.go lays the reply out; api.go sends it.
// manifest.go is the app as Slack has to know it.
package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"crypto/sha256"
	"encoding/hex"

	"github.com/slack-go/slack"

	"podium/bot"
)

const (
	// direct is how long a slash command waits for its answer before it is
	// acknowledged without: Slack gives it 3 s.
	direct = time.Second
	// behind is how long the rest of a long answer stays behind its
	// acknowledgement.
	behind = 300 * time.Millisecond
	// limit is how long a question may take.
	limit = 2 * time.Minute
	// drain is how long questions in hand may take once podium is to stop.
	drain = 3500 * time.Millisecond
)

// seen remembers events across restarts and replicas.
type seen interface {
	MarkSeen(ctx context.Context, platform string, keys ...string) (first bool, err error)
}

// references remembers podium's own messages, so that an edited question finds
// its reply.
type references interface {
	SaveReference(ctx context.Context, r bot.Reference) error
	ReplyTo(ctx context.Context, question bot.MessageRef) (bot.Reference, bool, error)
}

// Options are what New needs. BotToken, Handler, Seen and References are
// required, and one of AppToken and SigningSecret.
type Options struct {
	BotToken      string   // xoxb-
	AppToken      string   // xapp-: Socket Mode
	SigningSecret string   // HTTP
	APIURL        string   // of the Web API; empty: Slack's own
	Admins        []string // user ids that may set reminders beside Slack's admins
	Handler       bot.Handler
	Seen          seen
	References    references
	Log           *slog.Logger // nil: slog.Default()
}

// An Adapter is podium's presence in Slack. It is a bot.Adapter, a bot.Poster
// and a bot.Directory.
type Adapter struct {
	handler    bot.Handler
	seen       seen
	references references
	admins     []string
	log        *slog.Logger

	api      *slack.Client
	web      *http.Client // for response URLs
	apiURL   *url.URL
	appToken string
	secret   string
	backoff  backoff // of Socket Mode

	self      atomic.Pointer[identity] // nil until Slack has told it
	connected atomic.Bool              // over Socket Mode
	down      atomic.Bool              // Socket Mode waits before it tries again

	// work counts the questions in hand; none is taken once stopping is set.
	mu       sync.Mutex
	stopping bool
	work     sync.WaitGroup
	ctx      context.Context // of the questions in hand
	cancel   context.CancelFunc

	recent recent   // events that this process has had
	held   sync.Map // channel/ts of questions in hand -> chan struct{}
	odd    sync.Map // kinds of events that were ignored and logged
}

// identity is who podium is in the workspace.
type identity struct {
	user string
	bot  string
}

// New makes the adapter. It calls nobody before Run. The error is a
// *bot.ConfigError.
func New(o Options) (*Adapter, error) {
	switch {
	case o.BotToken == "":
		return nil, &bot.ConfigError{Setting: "PODIUM_SLACK_BOT_TOKEN", Problem: "missing, and Slack can not be answered without it; it is the Bot User OAuth Token on the app's page OAuth & Permissions"}
	case strings.HasPrefix(o.BotToken, "xapp-"):
		return nil, &bot.ConfigError{Setting: "PODIUM_SLACK_BOT_TOKEN", Problem: "holds an app token; the bot token starts with xoxb-"}
	case strings.HasPrefix(o.AppToken, "xoxb-"):
		return nil, &bot.ConfigError{Setting: "PODIUM_SLACK_APP_TOKEN", Problem: "holds a bot token; the app token starts with xapp-"}
	case o.AppToken == "" && o.SigningSecret == "":
		return nil, &bot.ConfigError{Setting: "PODIUM_SLACK_APP_TOKEN", Problem: "missing: set it for Socket Mode, or PODIUM_SLACK_SIGNING_SECRET for HTTP"}
	}
	address := cmp.Or(o.APIURL, slack.APIURL)
	if !strings.HasSuffix(address, "/") {
		address += "/"
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, &bot.ConfigError{Setting: "PODIUM_SLACK_API_URL", Problem: "is no web address"}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	client := &http.Client{
		Timeout:   15 * time.Second,
		Transport: transport,
		// Nothing that podium calls redirects, and a body must not go elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	a := &Adapter{
		handler:    o.Handler,
		seen:       o.Seen,
		references: o.References,
		admins:     o.Admins,
		log:        cmp.Or(o.Log, slog.Default()).With("platform", bot.Slack),
		api: slack.New(o.BotToken, slack.OptionAppLevelToken(o.AppToken), slack.OptionAPIURL(address),
			slack.OptionHTTPClient(client)),
		web:      client,
		apiURL:   u,
		appToken: o.AppToken,
		secret:   o.SigningSecret,
		backoff:  patient,
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a, nil
}

// Platform is bot.Slack.
func (a *Adapter) Platform() string { return bot.Slack }

// State is Connected once Slack knows the token and, over Socket Mode, sends
// events.
func (a *Adapter) State() bot.State {
	switch {
	case a.down.Load():
		return bot.Down
	case a.self.Load() == nil || a.appToken != "" && !a.connected.Load():
		return bot.Connecting
	}
	return bot.Connected
}

// Run serves until ctx is done; see bot.Adapter.
func (a *Adapter) Run(ctx context.Context) error {
	defer a.cancel()
	defer a.web.CloseIdleConnections()
	ctx, cancel := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	// Slack may be out of reach; commands over HTTP are answered meanwhile.
	running.Go(func() {
		if err := a.identify(ctx); err != nil {
			cancel(err)
		}
	})
	if a.appToken != "" {
		running.Go(func() {
			if err := a.listen(ctx); err != nil {
				cancel(err)
			}
		})
	}
	<-ctx.Done()
	// Socket Mode stays open until its questions are answered: their replies
	// are acknowledgements.
	a.finish()
	running.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// identify asks Slack who podium is, until Slack answers.
func (a *Adapter) identify(ctx context.Context) error {
	for attempt := 0; ; attempt++ {
		who, err := a.api.AuthTestContext(ctx)
		if err == nil {
			a.self.Store(&identity{user: who.UserID, bot: who.BotID})
			a.log.Info("Slack knows podium", "workspace", who.Team, "user", who.User)
			return nil
		}
		if slices.Contains(refused, code(err)) {
			return &bot.ConfigError{Setting: "PODIUM_SLACK_BOT_TOKEN", Problem: fmt.Sprintf("Slack answered %s: %s", code(err), remedy(err))}
		}
		if ctx.Err() != nil {
			return nil
		}
		wait := time.Second << min(attempt, 6)
		if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
			wait = max(wait, limited.RetryAfter)
		}
		a.log.Warn("Slack can not be reached; trying again", "call", "auth.test", "error", err, "wait", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// take runs f, which answers one question, unless podium is stopping. It
// reports whether it did.
func (a *Adapter) take(f func(ctx context.Context)) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopping {
		return false
	}
	a.work.Go(func() {
		ctx, cancel := context.WithTimeout(a.ctx, limit)
		defer cancel()
		defer func() {
			if p := recover(); p != nil {
				a.log.Error("a question was lost", "error", fmt.Sprintf("panic: %v", p))
			}
		}()
		f(ctx)
	})
	return true
}

// finish takes no more questions and waits for those in hand.
func (a *Adapter) finish() {
	a.mu.Lock()
	a.stopping = true
	a.mu.Unlock()
	giveUp := time.AfterFunc(drain, a.cancel)
	defer giveUp.Stop()
	a.work.Wait()
}

// answer asks the handler.
func (a *Adapter) answer(ctx context.Context, m bot.Message) bot.Reply {
	m.Platform, m.Received = bot.Slack, time.Now()
	r, err := bot.Answer(ctx, a.handler, m)
	if err != nil {
		a.log.Error("a question could not be answered", "kind", m.Kind.String(), "error", err)
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
}

// command answers a slash command. What is ready within a second is returned
// for the acknowledgement, the rest goes to the response URL. acked must be
// called: did the acknowledgement carry the message? ok is false while podium
// is stopping.
func (a *Adapter) command(gone <-chan struct{}, c command) (now *outgoing, acked func(carried bool), ok bool) {
	acked = func(bool) {}
	if c.Command != "/podium" {
		a.ignore("command " + c.Command)
		return nil, acked, true
	}
	m := bot.Message{
		Workspace: c.Team,
		Channel:   c.Channel,
		ID:        c.Trigger,
		User:      bot.User{ID: c.User, Name: c.UserName},
		Kind:      bot.Command,
		Private:   true,
		Text:      plain(c.Text, a.me("")),
	}
	// Of what is no public channel, Slack tells a word that is not its name.
	if c.ChannelName != "directmessage" && c.ChannelName != "privategroup" && !strings.HasPrefix(c.ChannelName, "mpdm-") {
		m.ChannelName = c.ChannelName
	}
	ready, late, carried := make(chan []outgoing), make(chan struct{}), make(chan bool, 1)
	ok = a.take(func(ctx context.Context) {
		r := a.answer(ctx, m)
		messages := render(r, privateLimit, "")
		select {
		case ready <- messages:
			if len(messages) > 0 && <-carried {
				messages = messages[1:]
			}
			if len(messages) > 0 {
				// What is left must not overtake the acknowledgement.
				select {
				case <-time.After(behind):
				case <-ctx.Done():
				}
			}
		case <-late:
		}
		if len(messages) > 0 {
			a.reply(ctx, c.ResponseURL, c.Channel, c.User, "", ref(r), messages)
		}
	})
	if !ok {
		return nil, acked, false
	}
	timer := time.NewTimer(direct)
	defer timer.Stop()
	select {
	case messages := <-ready:
		if len(messages) > 0 {
			now, acked = &messages[0], func(did bool) { carried <- did }
		}
	case <-timer.C:
		close(late)
	case <-gone:
		close(late)
	}
	return now, acked, true
}

// reply shows messages to one user: by the response URL, which works in any
// channel, or, where that is missing or used up, as podium's own.
func (a *Adapter) reply(ctx context.Context, responseURL, channel, user, thread, ref string, messages []outgoing) {
	if responseURL != "" {
		err := a.respond(ctx, responseURL, ephemeral, messages)
		if err == nil {
			return
		}
		a.report("response_url", ref, err)
		if _, answered := errors.AsType[*statusError](err); !answered && a.mayCall(responseURL) == nil {
			return // it may have arrived
		}
	}
	a.report("chat.postEphemeral", ref, a.whisper(ctx, channel, user, thread, messages))
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
		return self.user
	}
	return told
}

// event takes an event into hand. It reports false while podium is stopping.
func (a *Adapter) event(e event) bool {
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
			return true
		}
		return a.take(func(ctx context.Context) { a.home(ctx, e.Team, m.User) })
	case m.Type == "message" && m.ChannelType == "im" && m.Subtype == "message_changed":
		if m.Message == nil || !m.Message.human(me) {
			return true
		}
		if m.Previous != nil && m.Previous.Text == m.Message.Text {
			return true // Slack has changed it, not its author
		}
		return a.take(func(ctx context.Context) { a.edited(ctx, e, me) })
	case m.Type == "app_mention" || m.Type == "message" && m.ChannelType == "im":
		if !m.human(me) || m.Channel == "" || m.TS == "" {
			return true
		}
		return a.take(func(ctx context.Context) { a.asked(ctx, e, me) })
	case m.Type == "message":
		return true // somebody else's conversation, or an edit in it
	}
	a.ignore("event " + m.Type)
	return true
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
		Workspace: e.Team,
		Channel:   e.Inner.Channel,
		Thread:    m.Thread,
		ID:        m.TS,
		User:      bot.User{ID: m.User},
		Kind:      bot.Direct,
		Text:      plain(m.Text, me),
	}
	if e.Inner.Type == "app_mention" && e.Inner.ChannelType != "im" {
		q.Kind = bot.Mention
		q.Thread = cmp.Or(m.Thread, m.TS)
	}
	return q
}

// asked answers a mention or a direct message.
func (a *Adapter) asked(ctx context.Context, e event, me string) {
	key := e.Inner.Channel + "/" + e.Inner.TS
	defer a.hold(ctx, key)()
	if !a.first(ctx, "event/"+e.ID, "message/"+key) {
		return
	}
	q := e.question(e.Inner.message, me)
	r := a.answer(ctx, q)
	if r.Private && q.Kind == bot.Mention {
		// In a thread that has no reply yet nobody would see it.
		a.report("chat.postEphemeral", ref(r), a.whisper(ctx, q.Channel, q.User.ID, e.Inner.Thread, render(r, privateLimit, "")))
		return
	}
	messages := render(r, publicLimit, moreInThread)
	if len(messages) == 0 {
		return
	}
	sent, err := a.post(ctx, q.Channel, q.Thread, ref(r), messages)
	if err != nil {
		a.report("chat.postMessage", ref(r), err)
		return
	}
	a.remember(ctx, sent, bot.MessageRef{Platform: bot.Slack, Channel: q.Channel, ID: q.ID}, r)
}

// edited answers a direct message anew that its author has edited, in the
// place of the first answer.
func (a *Adapter) edited(ctx context.Context, e event, me string) {
	m := *e.Inner.Message
	key := e.Inner.Channel + "/" + m.TS
	defer a.hold(ctx, key)() // the first answer may be in hand
	if !a.first(ctx, "event/"+e.ID, "edit/"+key+"/"+cmp.Or(m.Edited.TS, e.Inner.TS)) {
		return
	}
	question := bot.MessageRef{Platform: bot.Slack, Channel: e.Inner.Channel, ID: m.TS}
	old, found, err := a.references.ReplyTo(ctx, question)
	if err != nil {
		a.log.Error("the reply to an edited question could not be looked up", "error", err)
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
	if err := insist(ctx, func() error {
		_, _, _, err := a.api.UpdateMessageContext(ctx, sent.Channel, sent.ID, messages[0].options(""))
		return err
	}); err != nil {
		a.report("chat.update", ref(r), err)
		return
	}
	if len(messages) > 1 {
		if _, err := a.post(ctx, sent.Channel, cmp.Or(q.Thread, sent.ID), ref(r), messages[1:]); err != nil {
			a.report("chat.postMessage", ref(r), err)
		}
	}
	a.remember(ctx, sent, question, r)
}

func (a *Adapter) remember(ctx context.Context, sent, question bot.MessageRef, r bot.Reply) {
	err := a.references.SaveReference(ctx, bot.Reference{Message: sent, Question: question, Ref: ref(r), Hash: hash(r), At: time.Now()})
	if err != nil {
		a.log.Error("a reply could not be remembered", "error", err)
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
}

// press takes the press of a button into hand. It reports false while podium
// is stopping.
func (a *Adapter) press(p press) bool {
	if p.Type != "block_actions" {
		a.ignore("interaction " + p.Type)
		return true
	}
	for _, pressed := range p.Actions {
		action, ok := bot.ParseAction(pressed.Value)
		if !ok || pressed.Type != "button" || p.User.ID == "" {
			a.ignore("action " + pressed.Type)
			continue
		}
		id := cmp.Or(pressed.TS, p.Trigger)
		if !a.recent.add("press/" + p.User.ID + "/" + p.Container.Message + "/" + id + "/" + pressed.Value) {
			continue
		}
		if !a.take(func(ctx context.Context) { a.pressed(ctx, p, id, action) }) {
			return false
		}
	}
	return true
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
	r := a.answer(ctx, bot.Message{
		Workspace: cmp.Or(p.Team.ID, p.User.Team),
		Channel:   channel,
		Thread:    opens,
		ID:        cmp.Or(p.Container.Message, id),
		User:      bot.User{ID: p.User.ID, Name: cmp.Or(p.User.UserName, p.User.Name)},
		Kind:      bot.Press,
		Private:   p.Container.Ephemeral,
		Action:    action,
	})
	share := action.Verb == bot.VerbShare
	if !share && !atHome && (p.Container.Ephemeral || r.Private) {
		a.reply(ctx, p.ResponseURL, channel, p.User.ID, thread, ref(r), render(r, privateLimit, ""))
		return
	}
	messages := render(r, publicLimit, moreInThread)
	if len(messages) == 0 {
		return
	}
	sent, err := a.post(ctx, channel, opens, ref(r), messages)
	if c := code(err); share && p.ResponseURL != "" && (c == "not_in_channel" || c == "channel_not_found") {
		// Where podium is not a member, the person who shares lends it a voice.
		a.report("response_url", ref(r), a.respond(ctx, p.ResponseURL, inChannel, messages))
		return
	}
	if err != nil {
		a.report("chat.postMessage", ref(r), err)
		return
	}
	a.remember(ctx, sent, bot.MessageRef{}, r)
}

// home shows the App Home: how to ask, and the topics as buttons. The words
// are the handler's.
func (a *Adapter) home(ctx context.Context, team, user string) {
	view := slack.HomeTabViewRequest{Type: slack.VTHomeTab}
	for i, text := range []string{"help", "topics"} {
		r := a.answer(ctx, bot.Message{
			Workspace: team, Channel: user, ID: "home/" + user + "/" + text, User: bot.User{ID: user},
			Kind: bot.Command, Private: true, Text: text,
		})
		if i > 0 {
			view.Blocks.BlockSet = append(view.Blocks.BlockSet, slack.NewDividerBlock())
		}
		// Two messages' blocks and a line between them are below the 100 that a view may hold.
		if messages := render(r, privateLimit, ""); len(messages) > 0 {
			view.Blocks.BlockSet = append(view.Blocks.BlockSet, messages[0].blocks...)
		}
	}
	number(view.Blocks.BlockSet)
	a.report("views.publish", "", insist(ctx, func() error {
		_, err := a.api.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: user, View: view})
		return err
	}))
}

// ignore logs a kind of event that podium has no use for, once.
func (a *Adapter) ignore(what string) {
	if len(what) > 80 {
		what = what[:80]
	}
	if _, known := a.odd.LoadOrStore(what, true); !known {
		a.log.Debug("ignored", "what", what)
	}
}

// first reports whether none of keys has come before: to this process, to
// another or to one before it. Keys that end in a slash name nothing. Without
// its store podium keeps answering.
func (a *Adapter) first(ctx context.Context, keys ...string) bool {
	keys = slices.DeleteFunc(keys, func(key string) bool { return strings.HasSuffix(key, "/") })
	if !a.recent.add(keys...) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	first, err := a.seen.MarkSeen(ctx, bot.Slack, keys...)
	if err != nil {
		a.log.Error("the store did not take an event; only this process knows that it was answered", "error", err)
		return true
	}
	return first
}

// hold makes one question at a time of those about the same message.
func (a *Adapter) hold(ctx context.Context, key string) (release func()) {
	mine := make(chan struct{})
	for {
		other, held := a.held.LoadOrStore(key, mine)
		if !held {
			return func() {
				a.held.Delete(key)
				close(mine)
			}
		}
		select {
		case <-other.(chan struct{}):
		case <-ctx.Done():
			return func() {}
		}
	}
}

// recent is the last keys that a process has had. The zero value is ready.
type recent struct {
	mu   sync.Mutex
	keys map[string]bool
	ring []string
	next int
}

// add remembers keys and reports whether all of them are new.
func (r *recent) add(keys ...string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == nil {
		r.keys, r.ring = map[string]bool{}, make([]string, 4096)
	}
	fresh := true
	for _, key := range keys {
		if r.keys[key] {
			fresh = false
			continue
		}
		delete(r.keys, r.ring[r.next])
		r.ring[r.next], r.keys[key] = key, true
		r.next = (r.next + 1) % len(r.ring)
	}
	return fresh
}
