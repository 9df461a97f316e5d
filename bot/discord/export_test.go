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

// Connect makes one connection to the gateway at address, as if it were the
// first one of the day.
func (a *Adapter) Connect(ctx context.Context, address string) error {
	g := a.gateway
	g.forget()
	g.url, g.spent, g.pause = address, identifies{}, time.Millisecond
	_, err := g.connect(ctx)
	return err
}

// Wait has wait take the place of the clock where a request waits, and opens
// every route.
func (a *Adapter) Wait(wait func(context.Context, time.Duration) error) {
	t := a.session.Client.Transport.(*transport)
	t.wait = wait
	clear(t.until)
}

// Lookup asks for the gateway's address.
func (a *Adapter) Lookup(ctx context.Context) (string, error) { return lookup(ctx, a.session) }

// Event is what the gateway dispatches to.
func (a *Adapter) Event(name string, data []byte) { a.event(name, data) }

// GuardShard is the part of Run that looks for others with the same shard.
func (a *Adapter) GuardShard(ctx context.Context) { _ = a.guardShard(ctx) }

// ShardKey names the adapter's shard in the store.
func (a *Adapter) ShardKey() string { return a.shardKey() }

// Idle waits until no question is in hand.
func (a *Adapter) Idle() { a.hands.Wait() }
