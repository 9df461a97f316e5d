package discord

import "time"

// Hurry shortens what the gateway waits for, before Run.
func (a *Adapter) Hurry() {
	a.gateway.patient, a.gateway.pause = 300*time.Millisecond, 5*time.Millisecond
}
