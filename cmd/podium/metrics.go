package main

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/time/rate"

	"podium/bot"
	"podium/knowledge"
)

// metrics is what serve counts, for GET /metrics: the bot.Meter of adapters
// and reminders. It also writes the log's line of each message, as that has
// the same to tell.
//
// No label holds what people wrote or who they are: an intent is one of the
// knowledge file's, everything else is one of podium's own words.
type metrics struct {
	registry *prometheus.Registry
	base     *knowledge.Base
	log      *slog.Logger
	lines    *rate.Limiter // of the log's lines of answered messages

	questions       *prometheus.CounterVec
	inHand          *prometheus.GaugeVec
	acknowledgement *prometheus.HistogramVec
	reply           *prometheus.HistogramVec
	replyFailures   *prometheus.CounterVec
	turnedAway      *prometheus.CounterVec
	redeliveries    *prometheus.CounterVec
	rateLimits      *prometheus.SummaryVec
	reconnects      *prometheus.CounterVec
	posts           *prometheus.CounterVec
	lateness        *prometheus.HistogramVec
	logLines        *prometheus.CounterVec

	mu        sync.RWMutex
	platforms map[string]*platformMetrics
}

// platformMetrics are one platform's, found once and not for each message.
type platformMetrics struct {
	inHand          prometheus.Gauge
	acknowledgement prometheus.Observer
	reply           [4]prometheus.Observer // by bot.Kind
	replyFailures   prometheus.Counter
	redeliveries    prometheus.Counter
	rateLimits      prometheus.Observer
	reconnects      prometheus.Counter
}

// answeredLines is how many lines a second the log has of messages that were
// answered; more are of level debug. In a flood nobody reads them, and a line
// costs several times what counting does (BenchmarkMeter).
const answeredLines = 100

var (
	// Slack and Discord wait for 3 s.
	answerBuckets   = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 5, 10, 30}
	latenessBuckets = []float64{.25, .5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600}

	outcomes = []bot.Outcome{bot.Answered, bot.Clarify, bot.Passage, bot.Unanswered, bot.Smalltalk, bot.Failed}
	endings  = []bot.DeliveryState{bot.Posted, bot.Skipped, bot.Unknown}
)

// newMetrics makes metrics of podium as it answers from base. log may be set
// later, before anything is counted.
func newMetrics(base *knowledge.Base) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(), base: base, platforms: make(map[string]*platformMetrics),
		lines: rate.NewLimiter(answeredLines, answeredLines),
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		m.registry.MustRegister(v)
		return v
	}
	info := func(name, help string, labels prometheus.Labels) {
		v := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels})
		v.Set(1)
		m.registry.MustRegister(v)
	}
	m.questions = counter("podium_questions_total", "Questions by what became of them and the knowledge file's nearest intent.", "platform", "outcome", "intent")
	m.inHand = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "podium_questions_in_hand", Help: "Messages that are being replied to."}, []string{"platform"})
	m.acknowledgement = histogram("podium_acknowledgement_seconds", "From the receipt of an event to its acknowledgement; platforms wait for 3 s.", answerBuckets, "platform")
	m.reply = histogram("podium_reply_seconds", "From the receipt of a message to the reply, by the way that it came: command, mention, direct or press.", answerBuckets, "platform", "kind")
	m.replyFailures = counter("podium_reply_failures_total", "Replies that their platform did not take.", "platform")
	m.turnedAway = counter("podium_questions_turned_away_total", "Questions that were not taken: overload (as many are in hand as there may be) or over_limit (of a user or a channel).", "platform", "reason")
	m.redeliveries = counter("podium_redeliveries_total", "Events that had come before and were dropped.", "platform")
	m.rateLimits = prometheus.NewSummaryVec(prometheus.SummaryOpts{Name: "podium_rate_limit_wait_seconds", Help: "Waits that the platform's rate limits asked for."}, []string{"platform"})
	m.reconnects = counter("podium_reconnects_total", "Connections made in the place of one that had worked.", "platform")
	m.posts = counter("podium_posts_total", "Occurrences of reminders by how they ended: posted, skipped or unknown.", "platform", "state")
	m.lateness = histogram("podium_reminder_lateness_seconds", "From the time at which a reminder was due to the attempt that posted it.", latenessBuckets, "platform")
	m.logLines = counter("podium_log_lines_total", "Lines of the log by level.", "level")
	m.registry.MustRegister(m.inHand, m.rateLimits,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	info("podium_build_info", "What runs: always 1.", prometheus.Labels{"version": version(), "goversion": runtime.Version()})
	info("podium_knowledge_info", "The knowledge file in force: always 1.", prometheus.Labels{"version": base.Version, "title": base.Title})
	for _, level := range []slog.Level{slog.LevelWarn, slog.LevelError} {
		m.logLines.WithLabelValues(levelLabel(level))
	}
	return m
}

// watchDatabase adds the state of the database: up is asked at each scrape.
func (m *metrics) watchDatabase(up func() bool) {
	m.gauge("podium_database_up", "Whether the database answers.", nil, up)
}

// watch makes the metrics of an adapter: up is asked at each scrape.
func (m *metrics) watch(platform string, up func() bool) {
	m.of(platform)
	m.gauge("podium_platform_up", "Whether podium is connected to the platform.", prometheus.Labels{"platform": platform}, up)
}

// gauge adds one that is 1 while is holds, else 0.
func (m *metrics) gauge(name, help string, labels prometheus.Labels, is func() bool) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, func() float64 {
		if is() {
			return 1
		}
		return 0
	}))
}

// handler serves GET /metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(m.log.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
	})
}

// logged counts a line of the log.
func (m *metrics) logged(l slog.Level) { m.logLines.WithLabelValues(levelLabel(l)).Inc() }

// of returns a platform's metrics. What may happen to it is there from the
// start, as zero: a rate over a series that has just begun misses its first
// event.
func (m *metrics) of(platform string) *platformMetrics {
	m.mu.RLock()
	p := m.platforms[platform]
	m.mu.RUnlock()
	if p != nil {
		return p
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.platforms[platform]; p != nil {
		return p
	}
	p = &platformMetrics{
		inHand:          m.inHand.WithLabelValues(platform),
		acknowledgement: m.acknowledgement.WithLabelValues(platform),
		replyFailures:   m.replyFailures.WithLabelValues(platform),
		redeliveries:    m.redeliveries.WithLabelValues(platform),
		rateLimits:      m.rateLimits.WithLabelValues(platform),
		reconnects:      m.reconnects.WithLabelValues(platform),
	}
	for kind := range p.reply {
		p.reply[kind] = m.reply.WithLabelValues(platform, bot.Kind(kind).String())
	}
	for _, o := range outcomes {
		m.questions.WithLabelValues(platform, string(o), "")
	}
	for _, reason := range []string{bot.Overload, bot.OverLimit} {
		m.turnedAway.WithLabelValues(platform, reason)
	}
	for _, s := range endings {
		m.posts.WithLabelValues(platform, string(s))
	}
	m.lateness.WithLabelValues(platform)
	m.platforms[platform] = p
	return p
}

func (m *metrics) InHand(platform string, delta int) { m.of(platform).inHand.Add(float64(delta)) }

func (m *metrics) Acknowledged(platform string, after time.Duration) {
	m.of(platform).acknowledgement.Observe(after.Seconds())
}

func (m *metrics) Replied(ctx context.Context, msg bot.Message, r bot.Reply, err error) {
	now := time.Now()
	took := now.Sub(msg.Received)
	p := m.of(msg.Platform)
	said := "answered"
	if err == nil {
		p.reply[msg.Kind].Observe(took.Seconds())
	} else {
		p.replyFailures.Inc()
		said = "not answered"
	}
	if r.Outcome != "" {
		intent := r.Intent
		if _, known := m.base.Intent(intent); !known || r.Outcome == bot.Failed {
			intent = ""
		}
		m.questions.WithLabelValues(msg.Platform, string(r.Outcome), intent).Inc()
	}
	level := slog.LevelInfo
	if err == nil && r.Outcome != bot.Failed && !m.lines.AllowN(now, 1) {
		level = slog.LevelDebug
	}
	if m.log.Enabled(ctx, level) {
		m.log.LogAttrs(ctx, level, said, slog.String("platform", msg.Platform), slog.String("kind", msg.Kind.String()),
			slog.String("request", r.Request), slog.String("outcome", string(r.Outcome)), slog.String("intent", r.Intent),
			slog.Float64("ms", float64(took.Microseconds())/1000))
	}
}

func (m *metrics) TurnedAway(platform, reason string) {
	m.of(platform)
	m.turnedAway.WithLabelValues(platform, reason).Inc()
}

func (m *metrics) Redelivered(platform string) { m.of(platform).redeliveries.Inc() }

func (m *metrics) RateLimited(platform string, wait time.Duration) {
	m.of(platform).rateLimits.Observe(wait.Seconds())
}

func (m *metrics) Reconnected(platform string) { m.of(platform).reconnects.Inc() }

func (m *metrics) Delivered(ctx context.Context, d bot.Delivery) {
	platform := d.Message.Platform
	m.of(platform)
	m.posts.WithLabelValues(platform, string(d.State)).Inc()
	late := d.Tried.Sub(d.Due)
	if d.State == bot.Posted {
		m.lateness.WithLabelValues(platform).Observe(max(0, late.Seconds()))
	}
	attrs := []slog.Attr{slog.String("platform", platform), slog.String("reminder", d.Reminder)}
	if d.State == bot.Posted {
		attrs = append(attrs, slog.Int64("late_ms", late.Milliseconds()))
	} else {
		attrs = append(attrs, slog.String("reason", d.Reason))
	}
	m.log.LogAttrs(ctx, slog.LevelInfo, "reminder "+string(d.State), attrs...)
}
