// Package discord connects podium to Discord: application commands, mentions,
// replies to podium's own messages and direct messages, over the gateway and
// over HTTP interactions.
//
// Start reading at Adapter. What arrives becomes a bot.Message in
// interaction.go (commands, buttons, autocomplete) and message.go (mentions
// and direct messages); what goes out is laid out in render.go. gateway.go and
// rest.go keep to Discord's rules about connections and rate limits,
// poster.go posts reminders.
//
// The REST client and the types of what is sent are discordgo's; its gateway
// is not used, for the reasons that gateway.go gives. What arrives is decoded
// into small types of our own, because discordgo's refuse a whole message for
// one component that they do not know.
package discord

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bwmarrin/discordgo"
	jsonv2 "github.com/go-json-experiment/json"

	"podium/bot"
)

// seen remembers which messages have been answered.
type seen interface {
	// MarkSeen reports whether none of keys was marked before, and marks
	// them.
	MarkSeen(ctx context.Context, platform string, keys ...string) (first bool, err error)
}

// references remembers podium's own messages.
type references interface {
	SaveReference(ctx context.Context, r bot.Reference) error
}

// completer knows what a person may be about to type.
type completer interface {
	// Complete returns up to limit values of field ("question", "speaker" or
	// "topic") that fit what has been typed so far, the best first.
	Complete(field, typed string, limit int) []string
}

// Options are what an Adapter is made from. Token or PublicKey is required, and
// everything else without a word about its absence.
type Options struct {
	Token         string            // of the bot; empty: neither gateway nor REST
	PublicKey     ed25519.PublicKey // of the application; nil: no HTTP endpoint
	ApplicationID string            // empty: the gateway tells it
	GuildID       string            // register the commands in this guild alone; empty: everywhere
	APIURL        string            // https://discord.com/
	ShardID       int
	ShardCount    int      // 0 counts as 1
	Admins        []string // ids of users who may set reminders without Manage Channels
	Reminders     bool     // register /podium-remind
	InHand        int      // questions in hand at once; 0: bot.InHand

	Handler    bot.Handler
	Seen       seen
	References references
	Completer  completer // nil: autocomplete offers nothing
	Shards     shards    // nil: another process with the same shard goes unnoticed
	Log        *slog.Logger
	Meter      bot.Meter // nil: bot.NoMeter
}

// An Adapter is podium on Discord. It implements bot.Adapter, bot.Poster and
// bot.Directory.
type Adapter struct {
	o       Options
	log     *slog.Logger
	meter   bot.Meter
	session *discordgo.Session
	gateway *gateway // nil without a token
	state   atomic.Pointer[standing]
	shared  atomic.Pointer[error] // that another process has the same shard; may be nil

	self        atomic.Pointer[string] // podium's user id
	application atomic.Pointer[string] // the application's id
	identified  chan struct{}          // closed when application is known
	identify    sync.Once
	threads     threads

	hands     *bot.Hands // the questions in hand
	recent    bot.Recent // commands that this process has had
	apologies *bot.Hands // to those whose questions were too many
	unsigned  bot.Sparse // requests that were refused
}

const (
	// A slash answer that is ready in this time is the first response itself;
	// Discord waits 3 s for one.
	firstResponse = 1500 * time.Millisecond
	// An interaction's token lives 15 minutes.
	answerTimeout = 14 * time.Minute
	// What is in hand when podium stops has this long: serve waits 4 s.
	drain = 3500 * time.Millisecond
	// So many people at once are told that there are too many questions, if
	// that takes no longer than this; the others hear nothing.
	apologies      = 64
	apologyTimeout = 3 * time.Second
)

// New makes an adapter. It connects in Run.
func New(o Options) (*Adapter, error) {
	api, err := url.Parse(o.APIURL)
	if err != nil || api.Host == "" {
		return nil, &bot.ConfigError{Setting: "PODIUM_DISCORD_API_URL", Problem: "is not an address such as https://discord.com/"}
	}
	token := "Bot " + strings.TrimPrefix(o.Token, "Bot ")
	if o.Token == "" {
		token = ""
	}
	session, err := discordgo.New(token)
	if err != nil {
		return nil, err
	}
	meter := cmp.Or(o.Meter, bot.NoMeter)
	session.Client = &http.Client{
		Transport: newTransport(api, func(wait time.Duration) { meter.RateLimited(bot.Discord, wait) }),
		// Nothing that podium calls redirects, and token and body must not go elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	// The transport does both, within the context.
	session.ShouldRetryOnRateLimit, session.MaxRestRetries = false, 0

	a := &Adapter{o: o, log: o.Log.With("platform", bot.Discord), meter: meter, session: session, identified: make(chan struct{})}
	a.hands = bot.NewHands(context.Background(), bot.HandsOptions{
		Platform: bot.Discord, Most: cmp.Or(o.InHand, bot.InHand), Each: answerTimeout, Meter: meter, Log: a.log})
	a.apologies = bot.NewHands(context.Background(), bot.HandsOptions{
		Platform: bot.Discord, Most: apologies, Each: apologyTimeout, Meter: bot.NoMeter, Log: a.log})
	a.setState(bot.Connecting, nil)
	if o.ApplicationID != "" {
		a.know(o.ApplicationID)
	}
	if o.Token != "" {
		a.gateway = &gateway{
			token:   token,
			shard:   [2]int{o.ShardID, max(o.ShardCount, 1)},
			lookup:  func(ctx context.Context) (string, error) { return lookup(ctx, session) },
			event:   a.event,
			state:   a.setState,
			again:   func() { meter.Reconnected(bot.Discord) },
			log:     a.log,
			patient: 20 * time.Second,
			pause:   time.Second,
		}
	}
	return a, nil
}

func lookup(ctx context.Context, session *discordgo.Session) (string, error) {
	u, err := session.Gateway(discordgo.WithContext(ctx))
	if _, status := code(err); status == http.StatusUnauthorized {
		return "", errToken
	}
	if errors.Is(err, discordgo.ErrJSONUnmarshal) {
		return "", fmt.Errorf("another site answers at PODIUM_DISCORD_API_URL, or a proxy in its place: %w", err)
	}
	if err != nil {
		return "", cause(err)
	}
	return u, nil
}

// Platform is bot.Discord.
func (a *Adapter) Platform() string { return bot.Discord }

// State is the gateway's state. Without a gateway it is bot.Connected while
// Run runs.
func (a *Adapter) State() (bot.State, error) {
	s := a.state.Load()
	if shared := a.shared.Load(); s.why == nil && shared != nil {
		return s.state, *shared
	}
	return s.state, s.why
}

// A standing is a state, and why it is that one.
type standing struct {
	state bot.State
	why   error
}

func (a *Adapter) setState(s bot.State, why error) { a.state.Store(&standing{s, why}) }

// know notes the application's id.
func (a *Adapter) know(application string) {
	a.identify.Do(func() {
		a.application.Store(&application)
		close(a.identified)
	})
}

// Mount registers POST /discord/interactions if there is a public key.
func (a *Adapter) Mount(mux *http.ServeMux) {
	if a.o.PublicKey != nil {
		mux.HandleFunc("POST /discord/interactions", a.serveInteraction)
	}
}

// Run serves until ctx is done, then answers the questions in hand.
func (a *Adapter) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	part := func(run func(context.Context) error) {
		wg.Go(func() {
			if err := run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	if a.gateway != nil {
		part(a.gateway.run)
		if a.o.ShardID == 0 {
			part(a.register)
		}
		if a.o.Shards != nil {
			part(a.guardShard)
		}
	} else {
		a.setState(bot.Connected, nil)
		a.log.Info("discord is served over HTTP alone: without PODIUM_DISCORD_TOKEN podium hears no mentions and registers no commands")
	}
	<-ctx.Done()
	a.hands.Finish(drain)
	a.apologies.Finish(0)
	wg.Wait()
	a.setState(bot.Down, nil)
	a.session.Client.CloseIdleConnections()
	if e, ok := context.Cause(ctx).(*bot.ConfigError); ok {
		return e
	}
	return nil
}

// take has f answer the question with this id in a goroutine of its own, or
// sorry say that it is one too many: what comes over the gateway does not come
// again. Sorry may be nil.
func (a *Adapter) take(id string, f, sorry func(context.Context)) {
	if a.hands.Go(id, f) == bot.ErrBusy && sorry != nil {
		// Where there are too many apologies as well, silence is all that is left.
		_ = a.apologies.Go(id, sorry)
	}
}

// answer has the handler answer m, and logs what went wrong.
func (a *Adapter) answer(ctx context.Context, m bot.Message) bot.Reply {
	r, err := bot.Answer(ctx, a.o.Handler, m)
	if err != nil {
		a.log.ErrorContext(ctx, "question failed", "kind", m.Kind.String(), "request", r.Request, "intent", r.Intent, "error", err)
	}
	return r
}

// first reports whether id is new. When the store can not tell it counts as
// new: Discord delivers twice only in rare cases, and no answer at all would
// be worse. Channel messages have a nonce against that, too.
func (a *Adapter) first(ctx context.Context, id string) bool {
	first, err := a.o.Seen.MarkSeen(ctx, bot.Discord, id)
	if err != nil {
		a.log.ErrorContext(ctx, "podium can not tell whether it has answered this; it answers", "error", err)
		return true
	}
	if !first {
		a.redelivered(ctx)
	}
	return first
}

func (a *Adapter) redelivered(ctx context.Context) {
	a.meter.Redelivered(bot.Discord)
	a.log.DebugContext(ctx, "redelivered, answered once")
}

// refused logs what Discord refused, with what helps.
func (a *Adapter) refused(ctx context.Context, what string, err error) {
	err = refusal(err)
	level, attrs := slog.LevelError, []any{"error", err}
	if e, ok := err.(*bot.PostError); ok {
		attrs = append(attrs, "remedy", e.Remedy)
	}
	if c, _ := code(err); c == alreadyAcknowledged {
		level = slog.LevelWarn
	}
	a.log.Log(ctx, level, what, attrs...)
}

// event takes what the gateway dispatched.
func (a *Adapter) event(name string, data json.RawMessage) {
	switch name {
	case "READY":
		var r struct {
			User        user                `json:"user"`
			Application struct{ ID string } `json:"application"`
		}
		if a.decode(name, data, &r) {
			a.self.Store(&r.User.ID)
			if r.Application.ID != "" {
				a.know(r.Application.ID)
			}
		}
	case "MESSAGE_CREATE":
		var m incoming
		if a.decode(name, data, &m) {
			a.hear(m)
		}
	case "INTERACTION_CREATE":
		i := new(interaction)
		if a.decode(name, data, i) {
			a.interact(i)
		}
	case "GUILD_CREATE", "THREAD_CREATE", "THREAD_UPDATE", "THREAD_LIST_SYNC", "THREAD_DELETE", "GUILD_DELETE":
		var e threadEvent
		if a.decode(name, data, &e) {
			a.threads.note(name, e)
		}
	}
}

// decode is false for what is not JSON. A field of another type than podium
// expects is left empty.
func (a *Adapter) decode(name string, data []byte, out any) bool {
	// This takes a third of the time of encoding/json, whose more lenient
	// reading counts where this one fails. With Go 1.27 it is encoding/json/v2.
	if jsonv2.Unmarshal(data, out, jsonv2.MatchCaseInsensitiveNames(true)) == nil {
		return true
	}
	reflect.ValueOf(out).Elem().SetZero()
	err := json.Unmarshal(data, out)
	if err == nil {
		return true
	}
	a.log.Warn("discord sent what podium does not understand", "what", name, "error", err)
	_, ok := errors.AsType[*json.UnmarshalTypeError](err)
	return ok
}

// A user is a person, or a bot.
type user struct {
	ID         string `json:"id"`
	Name       string `json:"username"`
	GlobalName string `json:"global_name"`
	Bot        bool   `json:"bot"`
}

func (u user) message(nick string) bot.User {
	name := u.Name
	if u.GlobalName != "" {
		name = u.GlobalName
	}
	if nick != "" {
		name = nick
	}
	return bot.User{ID: u.ID, Name: name}
}
