package discord

import (
	"context"
	"net/http"
	"time"

	"podium/bot"
)

var (
	Markdown = markdown
	Cut      = cut
)

// Render is the bodies that r becomes.
func Render(r bot.Reply) []any {
	var out []any
	for _, m := range render(r) {
		out = append(out, m)
	}
	return out
}

// Hurry shortens what the gateway waits for, before Run.
func (a *Adapter) Hurry() {
	a.gateway.patient, a.gateway.pause = 300*time.Millisecond, 5*time.Millisecond
}

// Offline has requests answered by rt, and tells podium its user id.
func (a *Adapter) Offline(self string, rt http.RoundTripper) {
	a.session.Client = &http.Client{Transport: rt}
	a.self.Store(&self)
}

// Event is what the gateway dispatches to.
func (a *Adapter) Event(name string, data []byte) { a.event(name, data) }

// GuardShard is the part of Run that looks for others with the same shard.
func (a *Adapter) GuardShard(ctx context.Context) { _ = a.guardShard(ctx) }

// ShardKey names the adapter's shard in the store.
func (a *Adapter) ShardKey() string { return a.shardKey() }

// Idle waits until no question is in hand.
func (a *Adapter) Idle() { a.hands.Wait() }
