package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/netutil"

	"podium/bot"
	"podium/bot/discord"
	"podium/bot/schedule"
	"podium/bot/slack"
	"podium/bot/store"
	"podium/config"
	"podium/handlers"
	"podium/knowledge"
)

const (
	// After a signal, adapters and requests in hand have this long to end, and
	// the store this long to write what is queued: 5 s in all, and something
	// to spare.
	grace      = 4 * time.Second
	storeGrace = 600 * time.Millisecond
	// A request that is still arriving then has this long to do so.
	arrival = 2 * time.Second

	maxBody = 1 << 20 // of a request, in bytes

	settle = 3 * time.Second // until the start is over, and gives back its memory

	// Most of the heap is the model, which stays: half as much again in garbage
	// is 6 MB under load, and saves a twentieth of the time of an answer.
	gcPercent = 150

	// Who sends a request shows once its body is read, so that strangers choose
	// how much memory that takes: at most so many connections with a small body
	// each, and so many with a large one.
	maxConnections = 2048
	smallBody      = 32 << 10 // bytes: several times what a platform sends but rarely
	maxLarge       = 32
)

// serveFlags are the settings that serve takes as flags, and so do those who
// look at its settings.
var serveFlags = []string{"database_url", "http_addr", "log_level", "log_format"}

func newServe(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Connect to Slack and Discord, whichever is configured",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.serve(cmd) },
	}
	config.AddFlags(cmd.Flags(), serveFlags...)
	return cmd
}

// noListener says why podium can not listen on addr, and what helps.
func noListener(addr string, err error) (why, remedy string) {
	host, port, _ := net.SplitHostPort(addr) // the settings hold no other
	const another = "name an address of this machine with a free port, as in 127.0.0.1:8081"
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Sprintf("the name %s is not found (%s)", e.Name, e.Err), another
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return addr + " is held by another program", "stop that one, or " + another
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return host + " is no address of this machine", "name one that is, or 0.0.0.0:" + port + " for all that it has"
	case errors.Is(err, syscall.EACCES):
		return "the user that podium runs as may not listen on port " + port, "name a port from 1024 on, as in " + net.JoinHostPort(host, "8080")
	}
	return err.Error(), another
}

// newHandler makes what answers on every platform.
func newHandler(s config.Settings, base *knowledge.Base, st *store.SQL, r *schedule.Reminders, log *slog.Logger) *handlers.Handlers {
	return handlers.New(handlers.Options{Knowledge: base, Conversations: st, Questions: st, Votes: st, Reminders: r, Zone: s.Timezone, Log: log})
}

// newAdapters makes the adapters of the platforms that are configured. A new
// platform is an entry here.
func newAdapters(s config.Settings, h *handlers.Handlers, st *store.SQL, meter bot.Meter, log *slog.Logger) ([]bot.Adapter, error) {
	limited := handlers.Limit(h, handlers.Limits(s.Limits), meter)
	var list []bot.Adapter
	if s.Slack.Configured() {
		a, err := slack.New(slack.Options{
			BotToken:      s.Slack.BotToken.Reveal(),
			AppToken:      s.Slack.AppToken.Reveal(),
			SigningSecret: s.Slack.SigningSecret.Reveal(),
			APIURL:        s.Slack.APIURL,
			Admins:        s.Reminders.Admins,
			Handler:       limited,
			Seen:          st,
			References:    st,
			Log:           log,
			Meter:         meter,
		})
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	if s.Discord.Configured() {
		a, err := discord.New(discord.Options{
			Token:         s.Discord.Token.Reveal(),
			PublicKey:     s.Discord.PublicKey,
			ApplicationID: s.Discord.ApplicationID,
			GuildID:       s.Discord.GuildID,
			APIURL:        s.Discord.APIURL,
			ShardID:       s.Discord.ShardID,
			ShardCount:    s.Discord.ShardCount,
			Admins:        s.Reminders.Admins,
			Reminders:     true,
			Handler:       limited,
			Seen:          st,
			References:    st,
			Completer:     h,
			Shards:        st,
			Log:           log,
			Meter:         meter,
		})
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

func (p *program) serve(cmd *cobra.Command) error {
	ctx := cmd.Context()
	s, err := p.settings(cmd)
	if err != nil {
		return err
	}
	if !s.Slack.Configured() && !s.Discord.Configured() {
		return usagef("no platform is configured: set PODIUM_SLACK_BOT_TOKEN and PODIUM_SLACK_APP_TOKEN (or PODIUM_SLACK_SIGNING_SECRET), " +
			"or PODIUM_DISCORD_TOKEN (or PODIUM_DISCORD_PUBLIC_KEY); to try podium without any: podium chat")
	}
	if err := checkProxy(); err != nil {
		return err
	}
	base, err := loadKnowledge(s.Knowledge)
	if err != nil {
		return err
	}
	m := newMetrics(base)
	m.log = p.logger(s.Log, m.logged)
	log := m.log
	listener, err := net.Listen("tcp", s.HTTP.Addr)
	if err != nil {
		why, remedy := noListener(s.HTTP.Addr, err)
		return &bot.ConfigError{Setting: "PODIUM_HTTP_ADDR", Problem: why + ": " + remedy}
	}
	defer listener.Close()
	st, err := store.Open(ctx, s.Store.URL.Reveal(), store.Options{
		Serve: true, Create: true, Wait: 30 * time.Second,
		Questions: s.Store.Questions, References: s.Store.References, Log: log,
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil // told to stop while it waited for the database
		}
		return err
	}
	err = p.serveFrom(ctx, s, base, st, listener, m)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeGrace)
	defer cancel()
	return errors.Join(err, st.Close(closing))
}

// serveFrom connects everything to an open store and runs it until ctx is done.
func (p *program) serveFrom(ctx context.Context, s config.Settings, base *knowledge.Base, st *store.SQL, listener net.Listener, m *metrics) error {
	log := m.log
	reminders, err := schedule.New(ctx, schedule.Options{Store: st, Log: log, Meter: m})
	if err != nil {
		return err
	}
	h := newHandler(s, base, st, reminders, log)
	adapters, err := p.newAdapters(s, h, st, m, log)
	if err != nil {
		return err
	}
	if err := shapes(ctx, adapters, log); err != nil {
		return err
	}
	sv := &server{ping: st.Ping, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", sv.healthz)
	mux.HandleFunc("GET /readyz", sv.readyz)
	mux.Handle("GET /metrics", m.handler())
	m.watchDatabase(func() bool { return sv.database(ctx) == nil })
	for _, a := range adapters {
		a.Mount(mux)
		w := &worker{name: a.Platform(), run: a.Run, state: a.State}
		m.watch(w.name, func() bool {
			state, _ := w.standing()
			return state == bot.Connected
		})
		sv.workers = append(sv.workers, w)
		if p, ok := a.(platform); ok {
			var poster bot.Poster = p
			if a, ok := a.(interface{ Posts() bool }); ok && !a.Posts() {
				poster = nil // its reminders are for a process that can
			}
			reminders.Connect(a.Platform(), poster, p)
		}
	}
	sv.workers = append(sv.workers, &worker{name: "reminders", run: func(ctx context.Context) error { return reminders.Run(ctx, h) }})
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	// Reading the knowledge file leaves more garbage than podium ever needs
	// again at once.
	debug.FreeOSMemory()
	settled := make(chan struct{})
	settling := time.AfterFunc(settle, func() {
		defer close(settled)
		debug.FreeOSMemory()
		if err := releaseProgram(); err != nil {
			log.Debug("can not give memory back", "error", err)
		}
	})
	defer func() {
		if !settling.Stop() {
			<-settled
		}
	}()
	log.Info("serving", "version", version(), "knowledge", base.Version, "address", listener.Addr().String(), "database", s.Store.URL)
	return sv.run(ctx, listener, mux)
}

// shapes looks at what the credentials look like, before a platform that may
// be out of reach is asked about them: an error if one can be none.
func shapes(ctx context.Context, adapters []bot.Adapter, log *slog.Logger) error {
	for _, a := range adapters {
		c, ok := a.(bot.Checker)
		if !ok {
			continue
		}
		for _, f := range c.Check(ctx, true) {
			switch f.Level {
			case bot.Fail:
				return usagef("%s; %s", f.What, f.Remedy)
			case bot.Warn:
				log.Warn(f.What, "platform", a.Platform(), "remedy", f.Remedy)
			}
		}
	}
	return nil
}

// A platform is an adapter that reminders can be posted on.
type platform interface {
	bot.Poster
	bot.Directory
}

// A worker runs until its context is done. Adapters are workers that have a
// state; reminders are one that has none.
type worker struct {
	name  string
	run   func(context.Context) error
	state func() (bot.State, error) // nil: not a platform

	mu  sync.Mutex
	err error // why it ended, if it did so by itself
}

// ended is why the worker ended by itself; nil while it runs.
func (w *worker) ended() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// standing is a platform's state, and why it is not bot.Connected.
func (w *worker) standing() (bot.State, error) {
	if err := w.ended(); err != nil {
		return bot.Down, err
	}
	return w.state()
}

// runSafely runs the worker and returns why it ended before ctx did, or nil.
func (w *worker) runSafely(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = bot.Panicked(v)
		}
		if err == nil && ctx.Err() == nil {
			err = errors.New("ended without a reason")
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.err = err
	}()
	return w.run(ctx)
}

// A server runs the HTTP server and the workers.
type server struct {
	workers   []*worker
	answering atomic.Int64 // requests in hand
	open      atomic.Int64 // connections
	ping      func(context.Context) error
	log       *slog.Logger

	mu     sync.Mutex
	pinged time.Time
	pong   error
}

// newWeb is an HTTP server that no client can hold up.
func newWeb(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       75 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// run serves until ctx is done or nothing is left to serve. The end of one
// worker is not the end of the others, unless it has found a setting wrong.
func (s *server) run(ctx context.Context, listener net.Listener, mux *http.ServeMux) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	web := newWeb(s.parting(sparing(s.recovering(s.arriving(mux)))), s.log)
	web.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.open.Add(1)
		case http.StateClosed: // nothing hijacks
			s.open.Add(-1)
		}
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := web.Serve(netutil.LimitListener(listener, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
			cancel(fmt.Errorf("HTTP server: %w", err))
		}
	})
	for _, w := range s.workers {
		running.Go(func() {
			err := w.runSafely(ctx)
			if err == nil {
				return
			}
			if _, ok := errors.AsType[*bot.ConfigError](err); ok {
				cancel(err)
				return
			}
			if ctx.Err() != nil && errors.Is(err, context.Canceled) {
				return // it was still starting when the end came
			}
			s.log.Error("a part of podium has ended; the others go on", "part", w.name, "error", err)
			if !s.anyPlatformLeft() {
				cancel(fmt.Errorf("no platform is left: %s: %w", w.name, err))
			}
		})
	}
	<-ctx.Done()
	s.log.Info("stopping")
	finishing, done := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer done()
	ended := make(chan struct{})
	go func() {
		running.Wait()
		close(ended)
	}()
	// A request that does not arrive is no question, and is not waited for.
	arrived := time.AfterFunc(arrival, func() {
		if s.answering.Load() == 0 {
			web.Close()
		}
	})
	defer arrived.Stop()
	cutOff := web.Shutdown(finishing) != nil && s.answering.Load() > 0
	web.Close()
	select {
	case <-ended:
	case <-finishing.Done():
		select {
		case <-ended:
		default:
			cutOff = true
		}
	}
	err := context.Cause(ctx)
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	if cutOff {
		err = errors.Join(err, fmt.Errorf("some work was still running %s after the signal and was cut off", grace))
	}
	return err
}

func (s *server) anyPlatformLeft() bool {
	for _, w := range s.workers {
		if w.state != nil && w.ended() == nil {
			return true
		}
	}
	return false
}

// parting ends a connection with its first answer while half of those that may
// be are open: strangers' idle ones would keep others out for as long as a
// proxy's may wait for its next request.
func (s *server) parting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.open.Load() > maxConnections/2 {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// arriving counts the requests that have arrived in full and are not answered
// yet. It reads no more than maxBody of any.
func (s *server) arriving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := &arrivingBody{ReadCloser: http.MaxBytesReader(w, r.Body, maxBody), answering: &s.answering}
		if r.ContentLength == 0 {
			body.arrive()
		}
		defer func() {
			body.arrive() // whether or not it has been read
			s.answering.Add(-1)
		}()
		r.Body = body
		next.ServeHTTP(w, r)
	})
}

// An arrivingBody says when it has arrived.
type arrivingBody struct {
	io.ReadCloser
	answering *atomic.Int64
	arrived   bool
}

func (b *arrivingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.arrive()
	}
	return n, err
}

func (b *arrivingBody) arrive() {
	if !b.arrived {
		b.arrived = true
		b.answering.Add(1)
	}
}

// sparing answers 503 to a large body while maxLarge others are being read. One
// of a length that is not told beforehand may then be small.
func sparing(next http.Handler) http.Handler {
	large := make(chan struct{}, maxLarge)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength < 0 {
			// Where a length is told as well, a proxy may have believed that: what it
			// takes for the rest of the body is no request of its own.
			w.Header().Set("Connection", "close")
		}
		if r.ContentLength < 0 || r.ContentLength > smallBody {
			select {
			case large <- struct{}{}:
				defer func() { <-large }()
			default:
				if r.ContentLength > 0 {
					w.Header().Set("Connection", "close")
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				r.Body = http.MaxBytesReader(w, r.Body, smallBody)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// recovering answers 500 where a handler panics, and keeps the stack to
// itself.
func (s *server) recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				s.log.Error("a request panicked", "path", r.URL.Path, "error", bot.Panicked(v))
				http.Error(w, "internal error", http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// healthz says that the process runs.
func (s *server) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "ok")
}

// readiness is what /readyz tells.
type readiness struct {
	Database  string               `json:"database"` // "up" or "down"
	Platforms map[string]bot.State `json:"platforms"`
	Reasons   map[string]string    `json:"reasons,omitempty"` // of what is not up, not connected or to be mended
}

// readyz is 200 while podium can answer: a platform that is down does not
// change that, the database does.
func (s *server) readyz(w http.ResponseWriter, r *http.Request) {
	ready := readiness{Database: "up", Platforms: make(map[string]bot.State), Reasons: make(map[string]string)}
	status := http.StatusOK
	if err := s.database(r.Context()); err != nil {
		status, ready.Database = http.StatusServiceUnavailable, "down"
		ready.Reasons["database"] = err.Error()
	}
	for _, w := range s.workers {
		why := w.ended()
		if w.state != nil {
			ready.Platforms[w.name], why = w.standing()
		}
		if why != nil {
			ready.Reasons[w.name] = why.Error()
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The client may be gone; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(ready)
}

// database asks the database, at most once a second however often /readyz is.
func (s *server) database(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.pinged) < time.Second {
		return s.pong
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	s.pong, s.pinged = s.ping(ctx), time.Now()
	return s.pong
}
