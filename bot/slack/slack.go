// Package slack connects podium to Slack: slash commands, mentions, direct
// messages, buttons and the App Home, over Socket Mode, HTTP or both.
//
// An event takes this way: http.go or socket.go verifies, unpacks and
// acknowledges it; events.go makes a bot.Message of it, asks the handler and
// decides where the reply goes; render.go lays the reply out; api.go sends it.
// slack.go starts and stops all that; manifest.go is the app as Slack has to
// know it.
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
	InHand        int      // questions in hand at once; 0: bot.InHand
	Handler       bot.Handler
	Seen          seen
	References    references
	Log           *slog.Logger // nil: slog.Default()
	Meter         bot.Meter    // nil: bot.NoMeter
}

// An Adapter is podium's presence in Slack. It is a bot.Adapter, a bot.Poster
// and a bot.Directory.
type Adapter struct {
	handler    bot.Handler
	seen       seen
	references references
	admins     []string
	log        *slog.Logger
	meter      bot.Meter

	api      *slack.Client
	web      *http.Client // for response URLs
	apiURL   *url.URL
	botToken string
	appToken string
	secret   string
	backoff  backoff // of Socket Mode

	self      atomic.Pointer[string]                 // podium's user id; nil until Slack has told it
	workspace atomic.Pointer[slack.AuthTestResponse] // the workspace, likewise
	connected atomic.Bool                            // over Socket Mode
	greeted   atomic.Bool                            // over Socket Mode, once at least
	down      atomic.Bool                            // Socket Mode waits before it tries again
	trouble   atomic.Pointer[error]                  // the last that kept podium from Slack
	unsigned  bot.Sparse                             // requests that were refused

	hands  *bot.Hands // the questions in hand
	recent bot.Recent // events that this process has had
	last   sync.Map   // channel/ts -> chan struct{}, closed when the newest question about that message is answered
	oddMu  sync.Mutex
	odd    []string // kinds of events that were ignored and logged
}

var (
	_ bot.Adapter   = (*Adapter)(nil)
	_ bot.Poster    = (*Adapter)(nil)
	_ bot.Directory = (*Adapter)(nil)
)

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
		meter:      cmp.Or(o.Meter, bot.NoMeter),
		api: slack.New(o.BotToken, slack.OptionAppLevelToken(o.AppToken), slack.OptionAPIURL(address),
			slack.OptionHTTPClient(client)),
		web:      client,
		apiURL:   u,
		botToken: o.BotToken,
		appToken: o.AppToken,
		secret:   o.SigningSecret,
		backoff:  patient,
	}
	a.hands = bot.NewHands(context.Background(), bot.HandsOptions{Platform: bot.Slack, Most: cmp.Or(o.InHand, bot.InHand), Each: limit, Meter: a.meter, Log: a.log})
	return a, nil
}

// Platform is bot.Slack.
func (a *Adapter) Platform() string { return bot.Slack }

// State is Connected once Slack knows the token and, over Socket Mode, sends
// events.
func (a *Adapter) State() (bot.State, error) {
	var why error
	if trouble := a.trouble.Load(); trouble != nil {
		why = *trouble
	}
	switch {
	case a.down.Load():
		return bot.Down, why
	case a.self.Load() == nil || a.appToken != "" && !a.connected.Load():
		return bot.Connecting, why
	}
	return bot.Connected, nil
}

// Run serves until ctx is done; see bot.Adapter.
func (a *Adapter) Run(ctx context.Context) error {
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
	a.hands.Finish(drain)
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
			a.self.Store(&who.UserID)
			a.workspace.Store(who)
			a.log.Info("Slack knows podium", "workspace", who.Team, "user", who.User)
			return nil
		}
		if slices.Contains(refused, code(err)) {
			const setting = "PODIUM_SLACK_BOT_TOKEN" // named once
			return &bot.ConfigError{Setting: setting, Problem: fmt.Sprintf("Slack answered %s: %s", code(err), strings.ReplaceAll(remedy(err), setting, "the token"))}
		}
		if ctx.Err() != nil {
			return nil
		}
		wait := time.Second << min(attempt, 6)
		if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
			wait = max(wait, limited.RetryAfter)
			a.meter.RateLimited(bot.Slack, wait)
		}
		a.trouble.Store(new(fmt.Errorf("auth.test: %w", err)))
		a.log.Warn("Slack can not be reached; trying again", append(trouble(err), "call", "auth.test", "wait", wait)...)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// ignore logs a kind of event that podium has no use for, once.
func (a *Adapter) ignore(what string) {
	const longest, most = 80, 100
	a.oddMu.Lock()
	defer a.oddMu.Unlock()
	if what = what[:min(len(what), longest)]; len(a.odd) < most && !slices.Contains(a.odd, what) {
		a.odd = append(a.odd, what)
		a.log.Debug("ignored", "what", what)
	}
}

// first reports whether none of keys has come before: to this process, to
// another or to one before it. Keys that end in a slash name nothing. Without
// its store podium keeps answering.
func (a *Adapter) first(ctx context.Context, keys ...string) bool {
	keys = slices.DeleteFunc(keys, func(key string) bool { return strings.HasSuffix(key, "/") })
	if !a.recent.Add(keys...) {
		a.redelivered(ctx)
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	first, err := a.seen.MarkSeen(ctx, bot.Slack, keys...)
	if err != nil {
		a.log.ErrorContext(ctx, "the store did not take an event; only this process knows that it was answered", "error", err)
		return true
	}
	if !first {
		a.redelivered(ctx)
	}
	return first
}

func (a *Adapter) redelivered(ctx context.Context) {
	a.meter.Redelivered(bot.Slack)
	a.log.DebugContext(ctx, "redelivered, answered once")
}

// fresh reports whether key has not come before to this process: of what Slack
// does not send to another.
func (a *Adapter) fresh(ctx context.Context, key string) bool {
	if a.recent.Add(key) {
		return true
	}
	a.redelivered(ctx)
	return false
}

// inTurn has f answer a question about the message that key names, in a
// goroutine of its own, once those about the same message that came before are
// answered. The error is bot.Hands'.
func (a *Adapter) inTurn(id, key string, f func(ctx context.Context)) error {
	hand, err := a.hands.Take(id)
	if err != nil {
		return err
	}
	mine := make(chan struct{})
	before, wait := a.last.Swap(key, mine)
	hand.Go(func(ctx context.Context) {
		defer func() {
			a.last.CompareAndDelete(key, mine)
			close(mine)
		}()
		if wait {
			select {
			case <-before.(chan struct{}):
			case <-ctx.Done():
			}
		}
		f(ctx)
	})
	return nil
}
