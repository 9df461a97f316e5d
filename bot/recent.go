package bot

import (
	"crypto/sha256"
	"sync"
)

// Recent is the last few thousand keys that a process has had, by which an
// adapter knows what is delivered to it twice. The zero value is ready; it is
// safe for concurrent use.
type Recent struct {
	mu   sync.Mutex
	keys map[string]bool
	ring []string
	next int
}

// Add remembers keys and reports whether all of them are new.
func (r *Recent) Add(keys ...string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == nil {
		r.keys, r.ring = make(map[string]bool), make([]string, 4096)
	}
	fresh := true
	for _, key := range keys {
		if len(key) > sha256.Size { // short whatever ids somebody makes up
			sum := sha256.Sum256([]byte(key))
			key = string(sum[:])
		}
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
