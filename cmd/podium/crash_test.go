package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/discord/discordtest"
	"podium/bot/slack/slacktest"
	"podium/bot/store"
)

// The size of the crash test. As it stands it is short; in full:
//
//	go test ./cmd/podium -run TestCrash -v -timeout 30m -crash.reminders 500 -crash.kills 20 -crash.spread 4m -crash.gap 5m -crash.gone 30s
var (
	crashReminders = flag.Int("crash.reminders", 60, "reminders of the crash test")
	crashKills     = flag.Int("crash.kills", 4, "processes that it kills")
	crashSpread    = flag.Duration("crash.spread", 0, "the time over which its reminders are due")
	crashGap       = flag.Duration("crash.gap", 0, "the time between the two occurrences of a reminder: 5m, or less for first ones that are not their schedule's own")
	crashGone      = flag.Duration("crash.gone", 5*time.Second, "how long the disk is full and the database out of reach")
)

// A crashing is a podium serve that is killed now and then, and started again
// each time that it ends, as a service manager does it.
type crashing struct {
	t       *testing.T
	environ []string

	mu       sync.Mutex
	cmd      *exec.Cmd
	killed   bool // it is to end by a signal
	log      bytes.Buffer
	stopping bool
	ended    chan struct{}
}

func startCrashing(t *testing.T, environ []string) *crashing {
	t.Helper()
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	c := &crashing{t: t, environ: environ, ended: make(chan struct{})}
	dir := t.TempDir()
	go func() {
		defer close(c.ended)
		for c.run(binary, dir) {
		}
	}()
	return c
}

// run runs the program once and reports whether it is to be started again.
func (c *crashing) run(binary, dir string) bool {
	cmd := exec.Command(binary, "serve")
	cmd.Dir, cmd.Env = dir, c.environ
	stderr, err := cmd.StderrPipe()
	if err != nil {
		c.t.Error(err)
		return false
	}
	c.mu.Lock()
	if c.stopping {
		c.mu.Unlock()
		return false
	}
	if err := cmd.Start(); err != nil {
		c.mu.Unlock()
		c.t.Error(err)
		return false
	}
	c.cmd, c.killed = cmd, false
	c.mu.Unlock()
	_, _ = io.Copy(lockedWriter{c}, stderr) // until it closes its end
	_ = cmd.Wait()                          // killed is what it is
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd = nil; !c.killed {
		// It could not start, for want of a disk or a database.
		c.mu.Unlock()
		time.Sleep(200 * time.Millisecond)
		c.mu.Lock()
	}
	return !c.stopping
}

// lockedWriter appends to the log.
type lockedWriter struct{ c *crashing }

func (w lockedWriter) Write(p []byte) (int, error) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	return w.c.log.Write(p)
}

// signal sends a signal to the process, if there is one now.
func (c *crashing) signal(s os.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd != nil {
		c.killed = true
		if err := c.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			c.t.Error(err)
		}
	}
}

// stop ends it for good.
func (c *crashing) stop() {
	c.mu.Lock()
	c.stopping = true
	c.mu.Unlock()
	c.signal(syscall.SIGKILL)
	<-c.ended
}

// TestCrash kills the real program at any moment while it posts, to a Slack
// and a Discord that lose answers, whose look-ups lag by 2 s and of which
// Discord knows a post again for 3 minutes; meanwhile the disk is full or the
// database out of reach for a while. Every occurrence is posted, and none
// twice.
func TestCrash(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute or two")
	}
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		trouble := smallDisk(t, dir)
		crash(t, "sqlite:"+filepath.Join(dir, "podium.db"), "sqlite:"+filepath.Join(dir, "podium.db"), 1, trouble)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		address := bottest.Postgres(t)
		gate := bottest.NewGate(t, address)
		crash(t, address, gate.Address, 3, gate)
	})
}

// A trouble keeps podium from its database while it is shut.
type trouble interface {
	Shut()
	Open()
}

// crash tells podium the address served, and looks at what it did at address.
func crash(t *testing.T, address, served string, replicas int, trouble trouble) {
	const channels = 50
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	slack, discord := newSlack(t), newDiscord(t)
	slack.Lag, discord.Lag = 2*time.Second, 2*time.Second
	hostile(slack, discord, random)
	for i := range channels {
		discord.Set("/channels/"+discordChannel(i), map[string]any{"id": discordChannel(i), "type": 0, "guild_id": discordtest.Guild})
	}

	// When each is due: its second occurrence is on a minute and its schedule's
	// own, the first on one as well or some seconds earlier.
	begin := time.Now().Add(10 * time.Second)
	list := make([]bot.Reminder, *crashReminders)
	want := make(map[string]bot.Reminder) // by key
	var last time.Time
	st, err := store.Open(t.Context(), address, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close(context.WithoutCancel(t.Context()))
	for i := range list {
		second := begin.Add(*crashGap + *crashSpread*time.Duration(i)/time.Duration(len(list))).Truncate(time.Minute).Add(time.Minute)
		first := second.Add(-*crashGap)
		if *crashGap < 5*time.Minute {
			// Over all of the time that there is.
			first = begin.Add(first.Sub(begin) * time.Duration(i) / time.Duration(len(list)))
		}
		r := bot.Reminder{
			ID: fmt.Sprintf("r%04d", i), Author: bot.User{ID: "ann"}, Zone: "UTC", Start: second.Add(-10 * time.Minute).UTC(),
			Schedule: "countdown to " + begin.AddDate(0, 0, 30).Format(time.DateOnly) + " every 5 minutes 2 times",
			State:    bot.Active, Next: first.UTC().Truncate(time.Second),
		}
		if i%2 == 0 {
			r.Platform, r.Workspace, r.Channel = bot.Slack, slacktest.Team, fmt.Sprintf("D%04d", i/2%channels)
		} else {
			r.Platform, r.Workspace, r.Channel = bot.Discord, discordtest.Guild, discordChannel(i/2%channels)
		}
		if ok, err := st.AddReminder(t.Context(), r); err != nil || !ok {
			t.Fatal(ok, err)
		}
		list[i], last = r, second
		for _, due := range []time.Time{r.Next, second.UTC()} {
			want[bot.Delivery{Reminder: r.ID, Due: due}.Key()] = r
		}
	}
	environ := []string{
		office(t), "PODIUM_HTTP_ADDR=127.0.0.1:0", "PODIUM_DATABASE_URL=" + served,
		"PODIUM_SLACK_BOT_TOKEN=" + slacktest.BotToken, "PODIUM_SLACK_SIGNING_SECRET=" + slacktest.Secret, "PODIUM_SLACK_API_URL=" + slack.APIURL,
		"PODIUM_DISCORD_TOKEN=" + discordtest.Token, "PODIUM_DISCORD_API_URL=" + discord.URL,
	}
	processes := make([]*crashing, replicas)
	for i := range processes {
		processes[i] = startCrashing(t, environ)
		defer processes[i].stop()
	}

	// All goes on until a moment after the last is due.
	gone := time.AfterFunc(time.Until(last)/2, func() {
		trouble.Shut()
		time.AfterFunc(*crashGone, trouble.Open)
	})
	defer gone.Stop()
	messages := func() int { return len(slack.Messages()) + len(discord.Posts()) }
	for n := range *crashKills {
		pause := max(time.Second, (time.Until(last)+2*time.Second)/time.Duration(*crashKills-n))
		time.Sleep(pause/2 + time.Duration(random.Int64N(int64(pause/2))))
		// Amid posts, if some are made soon.
		before := messages()
		for soon := time.Now().Add(10 * time.Second); messages() == before && time.Now().Before(soon); {
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(time.Duration(random.Int64N(int64(300 * time.Millisecond))))
		s := syscall.SIGKILL
		if n%4 == 3 {
			s = syscall.SIGTERM
		}
		processes[n%replicas].signal(s)
	}
	lastKill := time.Now()

	// Then all is resolved within the time that a stuck job may take.
	posted := make(map[string]bot.Delivery)
	states := make(map[bot.DeliveryState]int)
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		clear(states)
		// It can not be read while the disk is full: it is read again.
		err = st.Deliveries(t.Context(), begin.Add(-time.Minute), func(d bot.Delivery) error {
			states[d.State]++
			posted[d.Key()] = d
			return nil
		})
		if err == nil && len(posted) >= len(want) && states[bot.Posting] == 0 && time.Now().After(last) {
			break
		}
	}
	t.Logf("%d reminders twice, %d kills, %d replicas: all resolved %v after the last kill", len(list), *crashKills, replicas, time.Since(lastKill).Round(time.Second/10))

	made := make(map[string]int) // posts by platform and the key or nonce
	ids := make(map[string]string)
	for _, m := range slack.Messages() {
		key, _ := m.Metadata.Payload["key"].(string)
		made[bot.Slack+" "+key]++
		ids[bot.Slack+" "+m.TS] = key
	}
	for _, m := range discord.Posts() {
		var body struct{ Nonce string }
		if err := json.Unmarshal(m.Body, &body); err != nil {
			t.Fatal(err)
		}
		made[bot.Discord+" "+body.Nonce]++
		ids[bot.Discord+" "+m.ID] = body.Nonce
	}
	counts := make(map[string]int)
	for key, r := range want {
		d := posted[key]
		id := ids[r.Platform+" "+d.Message.ID]
		switch n := made[r.Platform+" "+id]; {
		case d.State != bot.Posted:
			counts[fmt.Sprintf("lost (%s %s)", d.State, d.Reason)]++
		case r.Platform == bot.Slack && id != key || n == 0:
			counts["not there"]++
		case n > 1:
			counts["doubled"]++
		default:
			counts["posted once"]++
		}
	}
	total := 0
	for _, n := range made {
		total += n
	}
	t.Logf("%v, %d messages in all", counts, total)
	if counts["posted once"] != len(want) || total != len(want) || len(posted) != len(want) {
		t.Errorf("%v, %d deliveries, %d messages; want %d posted once and no others; seed %d", counts, len(posted), total, len(want), seed)
	}
	for _, r := range list {
		if r, ok, err := st.Reminder(t.Context(), r.ID); err != nil || !ok || r.State != bot.Done {
			t.Errorf("reminder %s is %s, %v, want it done", r.ID, r.State, err)
		}
	}
	if t.Failed() {
		for i, p := range processes {
			p.stop()
			t.Logf("process %d:\n%s", i, p.log.String()[max(0, p.log.Len()-6000):])
		}
	}
}

func discordChannel(i int) string { return strconv.Itoa(500000000000001000 + i) }

// hostile has the platforms answer late, not at all or with an error although
// they have posted.
func hostile(slack *slacktest.Server, discord *discordtest.Server, random *rand.Rand) {
	var mu sync.Mutex
	next := func() int {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(100)
	}
	var faults []slacktest.Fault
	for range 20 * *crashReminders {
		switch n := next(); {
		case n < 3:
			faults = append(faults, slacktest.Fault{Status: http.StatusServiceUnavailable})
		case n < 6:
			faults = append(faults, slacktest.Fault{Lost: true})
		case n < 8:
			faults = append(faults, slacktest.Fault{RetryAfter: 1})
		default:
			faults = append(faults, slacktest.Fault{Delay: time.Duration(n) * time.Millisecond})
		}
	}
	slack.Fail("chat.postMessage", faults...)
	discord.Intercept = func(r discordtest.Request) (status int, header http.Header, body string, keep bool) {
		if r.Method != http.MethodPost || !strings.HasSuffix(r.Path, "/messages") {
			return 0, nil, "", false
		}
		switch n := next(); {
		case n < 3:
			return http.StatusServiceUnavailable, nil, "", false
		case n < 6:
			return http.StatusGatewayTimeout, nil, "", true
		case n < 8:
			return http.StatusTooManyRequests, nil, `{"retry_after":1}`, false
		default:
			time.Sleep(time.Duration(n) * time.Millisecond)
			return 0, nil, "", false
		}
	}
}

// A disk is one of 16 MB that can be filled.
type disk struct {
	t   *testing.T
	dir string // empty: there is none
}

// smallDisk mounts one at dir, which only root may.
func smallDisk(t *testing.T, dir string) *disk {
	t.Helper()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Logf("the disk is not filled, as only root may mount one: %s", out)
		return &disk{}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v, %s", err, out)
		}
	})
	return &disk{t, dir}
}

// Shut fills the disk.
func (d *disk) Shut() {
	if d.dir == "" {
		return
	}
	f, err := os.Create(filepath.Join(d.dir, "filler"))
	if err != nil {
		d.t.Error(err)
		return
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		d.t.Error(err)
	}
}

// Open makes room.
func (d *disk) Open() {
	if d.dir == "" {
		return
	}
	if err := os.Remove(filepath.Join(d.dir, "filler")); err != nil {
		d.t.Error(err)
	}
}
