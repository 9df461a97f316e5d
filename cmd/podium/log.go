package main

import (
	"context"
	"log/slog"
	"strings"

	"podium/bot"
	"podium/config"
)

// logger returns the log on stderr that the settings ask for. logged is told
// the level of each line.
func (p *program) logger(s config.Log, logged func(slog.Level)) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.Level}
	var h slog.Handler = slog.NewTextHandler(p.stderr, options)
	if s.Format == "json" {
		h = slog.NewJSONHandler(p.stderr, options)
	}
	return slog.New(&logHandler{h, logged})
}

// A logHandler gives each line the id of the message that its context is for.
type logHandler struct {
	slog.Handler
	logged func(slog.Level)
}

func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	h.logged(r.Level)
	if id := bot.ID(ctx); id != "" {
		r.AddAttrs(slog.String("id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.Handler.WithAttrs(attrs), h.logged}
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	return &logHandler{h.Handler.WithGroup(name), h.logged}
}

// levelLabel is a level as a label of metrics.
func levelLabel(l slog.Level) string { return strings.ToLower(l.String()) }
