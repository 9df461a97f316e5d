package schedule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/store"
)

// The size of the crash test. As it stands it is short; in full:
//
//	go test ./bot/schedule -run TestCrash -crash.reminders 500 -crash.kills 20 -crash.spread 2m
var (
	crashReminders = flag.Int("crash.reminders", 60, "reminders of the crash test")
	crashKills     = flag.Int("crash.kills", 4, "processes that it kills")
	crashSpread    = flag.Duration("crash.spread", 12*time.Second, "the time over which its reminders are due")
)

// childEnv holds the addresses of the database and the platform for a process
// of the crash test: the test's own binary, run again.
const childEnv = "PODIUM_CRASH_TEST"

func TestMain(m *testing.M) {
	if child := os.Getenv(childEnv); child != "" {
		if err := crashChild(child); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// crashChild posts what is due until it is terminated or killed.
func crashChild(arg string) error {
	var addresses [2]string
	if err := json.Unmarshal([]byte(arg), &addresses); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	st, err := store.Open(ctx, addresses[0], store.Options{Serve: true, Create: true, Wait: 10 * time.Second, Log: log})
	if err != nil {
		return err
	}
	r, err := New(ctx, Options{Store: st, Log: log})
	if err != nil {
		return err
	}
	remote := &remote{addresses[1]}
	r.Connect("fake", remote, newFake())
	return errors.Join(r.Run(ctx, composer{}), st.Close(context.WithoutCancel(ctx)))
}

// A remote is the crash test's platform, over HTTP.
type remote struct{ address string }

func (r *remote) call(ctx context.Context, path string, values url.Values, result any) error {
	request, err := http.NewRequestWithContext(ctx, "POST", r.address+path+"?"+values.Encode(), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return json.NewDecoder(response.Body).Decode(result)
}

func (r *remote) Post(ctx context.Context, channel, key string, reply bot.Reply) (bot.MessageRef, error) {
	var id string
	err := r.call(ctx, "/post", url.Values{"channel": {channel}, "key": {key}}, &id)
	return bot.MessageRef{Platform: "fake", Channel: channel, ID: id}, err
}

func (r *remote) Find(ctx context.Context, channel, key string, since time.Time) (bot.MessageRef, bool, error) {
	var id string
	err := r.call(ctx, "/find", url.Values{"channel": {channel}, "key": {key}}, &id)
	return bot.MessageRef{Platform: "fake", Channel: channel, ID: id}, id != "", err
}

func (r *remote) CanPost(context.Context, string) error { return nil }

// A hostile platform answers late, not at all or with an error although it has
// posted, and its look-up lags.
type hostile struct {
	mu     sync.Mutex
	posts  map[string][]time.Time // by key
	random *rand.Rand
}

const lookupLag = 2 * time.Second

func (h *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.FormValue("key")
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.URL.Path == "/find" {
		id := ""
		for _, at := range h.posts[key] {
			if time.Since(at) > lookupLag {
				id = key
			}
		}
		json.NewEncoder(w).Encode(id)
		return
	}
	switch n := h.random.IntN(100); {
	case n < 3: // not posted
		http.Error(w, "unavailable", http.StatusServiceUnavailable)
	case n < 6: // posted
		h.posts[key] = append(h.posts[key], time.Now())
		http.Error(w, "gateway timeout", http.StatusGatewayTimeout)
	default:
		h.posts[key] = append(h.posts[key], time.Now())
		h.mu.Unlock()
		select { // the caller may be killed meanwhile
		case <-time.After(time.Duration(n) * time.Millisecond):
		case <-r.Context().Done():
		}
		h.mu.Lock()
		json.NewEncoder(w).Encode(key)
	}
}

// TestCrash kills processes at any moment while they post: every occurrence is
// posted, and none twice.
func TestCrash(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	t.Run("sqlite", func(t *testing.T) {
		crash(t, "sqlite:"+filepath.Join(t.TempDir(), "podium.db"), 1)
	})
	t.Run("postgres", func(t *testing.T) { crash(t, bottest.Postgres(t), 3) })
}

func crash(t *testing.T, address string, replicas int) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	platform := &hostile{posts: make(map[string][]time.Time), random: rand.New(rand.NewPCG(seed, 0))}
	server := httptest.NewServer(platform)
	defer server.Close()
	arg, err := json.Marshal([2]string{address, server.URL})
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), address, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close(context.WithoutCancel(t.Context()))
	b := newTestbed(t, st, Limit{})
	begin := time.Now()
	due := make(map[string]time.Time)
	for i := range *crashReminders {
		at := begin.Add(3*time.Second + time.Duration(i)**crashSpread/time.Duration(*crashReminders))
		r := b.add(fmt.Sprintf("r%04d", i), "every day at 12:00", begin.Add(-time.Minute), at)
		if err := b.enqueueNext(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		due[r.ID] = r.Next
	}
	var logs [3]bytes.Buffer
	var children [3]*exec.Cmd
	start := func(i int) {
		children[i] = exec.Command(os.Args[0])
		children[i].Env = append(os.Environ(), childEnv+"="+string(arg))
		children[i].Stderr = io.Writer(&logs[i])
		if err := children[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	end := func(i int, s os.Signal) {
		children[i].Process.Signal(s)
		children[i].Wait()
	}
	for i := range replicas {
		start(i)
	}
	t.Cleanup(func() {
		for i := range replicas {
			end(i, syscall.SIGKILL)
		}
	})
	pause := (*crashSpread + 3*time.Second) / time.Duration(*crashKills)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for n := range *crashKills {
		<-timer.C
		timer.Reset(pause/2 + rand.N(pause))
		i := n % replicas
		if n%4 == 3 {
			end(i, syscall.SIGTERM)
		} else {
			end(i, syscall.SIGKILL)
		}
		start(i)
	}
	lastKill := time.Now()
	// All is resolved within the time that a stuck job may take.
	var open []string
	deadline := time.After(150 * time.Second)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for waiting := true; waiting; {
		open = open[:0]
		for id, at := range due {
			d, ok, err := st.Delivery(t.Context(), id, at)
			if err != nil {
				t.Fatal(err)
			}
			if !ok || d.State == bot.Posting {
				open = append(open, id)
			}
		}
		waiting = len(open) > 0
		select {
		case <-tick.C:
		case <-deadline:
			waiting = false
		}
	}
	t.Logf("all resolved %v after the last kill", time.Since(lastKill).Round(time.Second/10))
	counts := make(map[string]int)
	for id, at := range due {
		d, _, err := st.Delivery(t.Context(), id, at)
		if err != nil {
			t.Fatal(err)
		}
		platform.mu.Lock()
		n := len(platform.posts[bot.Delivery{Reminder: id, Due: at}.Key()])
		platform.mu.Unlock()
		switch {
		case n > 1:
			counts["doubled"]++
		case d.State == bot.Posted && n == 1:
			counts["posted"]++
		default:
			counts["lost ("+string(d.State)+", "+strconv.Itoa(n)+")"]++
		}
		if r := b.reminder(id); d.State == bot.Posted && !r.Next.After(at) {
			counts["without a next occurrence"]++
		}
	}
	t.Logf("%d reminders, %d kills, %d replicas: %v", *crashReminders, *crashKills, replicas, counts)
	if counts["posted"] != *crashReminders || len(counts) != 1 {
		t.Errorf("%v, want all posted once; seed %d, still open: %v", counts, seed, open)
		for i := range replicas {
			t.Logf("process %d:\n%s", i, logs[i].String()[max(0, logs[i].Len()-4000):])
		}
	}
}
