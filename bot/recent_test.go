package bot

import (
	"fmt"
	"strings"
	"testing"
)

func TestRecent(t *testing.T) {
	var r Recent
	if !r.Add("a", "b") || r.Add("b", "c") || r.Add("c") {
		t.Error("Add takes what is new for old, or the other way")
	}
	for i := range 4096 {
		r.Add(fmt.Sprint(i))
	}
	if !r.Add("a") || len(r.keys) != 4096 {
		t.Errorf("%d keys are kept, want the last 4096", len(r.keys))
	}
}

// TestRecentRemembersLittle, however long the keys that somebody makes up.
func TestRecentRemembersLittle(t *testing.T) {
	var r Recent
	long := strings.Repeat("x", 1000)
	for i := range 5000 {
		if !r.Add(fmt.Sprint("press/", i, long)) {
			t.Fatalf("key %d is not new", i)
		}
	}
	if r.Add("press/4999" + long) {
		t.Error("a long key is new twice")
	}
	size := 0
	for key := range r.keys {
		size += len(key)
	}
	if size > 150_000 {
		t.Errorf("%d bytes of keys are kept", size)
	}
}
