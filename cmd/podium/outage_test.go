package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"podium/bot/bottest"
	"podium/bot/slack/slacktest"
)

// A slackProcess is a process of podium serve that a Slack talks to over HTTP.
type slackProcess struct {
	*process
	*slacktest.Server
	slacktest.Link
	t     *testing.T
	text  strings.Builder // its log
	ended chan struct{}   // closed with the end of the log
}

func startSlackProcess(t *testing.T, s *slacktest.Server, database string) *slackProcess {
	t.Helper()
	return attend(t, s, startServe(t, "PODIUM_SLACK_BOT_TOKEN="+slacktest.BotToken, "PODIUM_SLACK_SIGNING_SECRET="+slacktest.Secret,
		"PODIUM_SLACK_API_URL="+s.APIURL, "PODIUM_DATABASE_URL="+database, "PODIUM_LOG_LEVEL=debug"))
}

// attend reads the log of a process that has started.
func attend(t *testing.T, s *slacktest.Server, started *process) *slackProcess {
	t.Helper()
	p := &slackProcess{process: started, Server: s, Link: s.HTTP("http://" + started.address), t: t, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		for p.log.Scan() {
			p.text.WriteString(p.log.Text() + "\n")
		}
	}()
	t.Cleanup(func() { p.end(syscall.SIGKILL) })
	return p
}

// end ends the process and returns its log and exit code.
func (p *slackProcess) end(s os.Signal) (log string, code int) {
	_ = p.cmd.Process.Signal(s) // it may have ended
	<-p.ended
	_ = p.cmd.Wait() // the exit code tells
	return p.text.String(), p.cmd.ProcessState.ExitCode()
}

// until waits for done, which is called whenever Slack has heard something.
func (p *slackProcess) until(what string, done func() bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 20*time.Second)
	defer cancel()
	if err := p.Server.Wait(ctx, done); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// asks asks by slash command and checks that an answer comes. It has longer than
// the three seconds of Slack's: other packages are tested at the same time.
func (p *slackProcess) asks(text string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 20*time.Second)
	defer cancel()
	before := len(p.Server.Messages())
	if err := p.Link.Command(ctx, slacktest.Command{Text: text}); err != nil {
		p.t.Fatalf("%q: %v", text, err)
	}
	if _, err := p.Server.WaitMessages(ctx, before+1); err != nil {
		p.t.Fatalf("%q was not answered: %v", text, err)
	}
}

// ready is the status of /readyz and what it says of the database.
func (p *slackProcess) ready() (int, readiness) {
	p.t.Helper()
	return (&serving{address: "http://" + p.address}).ready(p.t)
}

// TestDatabaseAway fills the disk of a SQLite file, and cuts the connections to
// a PostgreSQL server, beside the real program: it goes on answering, loses
// nothing that it is to keep, and answers nothing twice.
func TestDatabaseAway(t *testing.T) {
	t.Run("disk full", func(t *testing.T) {
		dir := t.TempDir()
		disk := smallDisk(t, dir)
		if disk.dir == "" {
			t.Skip("only root may mount a small disk: run it as root")
		}
		databaseAway(t, "sqlite:"+filepath.Join(dir, "podium.db"), disk, "is full", false)
	})
	t.Run("server gone", func(t *testing.T) {
		gate := bottest.NewGate(t, bottest.Postgres(t))
		databaseAway(t, gate.Address, gate, "database", true)
	})
}

func databaseAway(t *testing.T, database string, trouble trouble, says string, down bool) {
	p := startSlackProcess(t, newSlack(t), database)
	event := func(e map[string]any) {
		t.Helper()
		if err := p.Link.Event(t.Context(), e); err != nil {
			t.Error(err)
		}
	}
	before := p.Server.DM("where does the office move")
	event(before)
	p.until("an event was not answered", func() bool { return len(p.Server.Messages()) == 1 })

	trouble.Shut()
	want := 1
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for begin := <-tick.C; time.Since(begin) < *crashGone; want += 2 {
		<-tick.C
		p.asks(fmt.Sprintf("what does move %d cost", want))
		event(p.Server.DM("where does the office move"))
		p.until("an event was not answered", func() bool { return len(p.Server.Messages()) == want+2 })
	}
	during := p.Server.DM("where will we work")
	event(during)
	want++
	p.until("an event was not answered", func() bool { return len(p.Server.Messages()) == want })
	event(during)
	if status, r := p.ready(); down != (status == http.StatusServiceUnavailable && r.Database == "down") {
		t.Errorf("/readyz = %d, %+v; is it to say that the database is down: %v", status, r, down)
	}
	trouble.Open()

	deadline := time.Now().Add(20 * time.Second)
	for status, _ := p.ready(); status != http.StatusOK; status, _ = p.ready() {
		if time.Now().After(deadline) {
			t.Fatal("/readyz is not 200 once the database is back")
		}
	}
	event(before)
	p.asks("what does the last move cost")
	want++
	log, code := p.end(syscall.SIGTERM)
	if code != 0 || !strings.Contains(log, says) || strings.Contains(log, "goroutine ") || strings.Contains(log, "panic") {
		t.Errorf("exit code %d, want 0 and a log that says %q:\n%s", code, says, log)
	}
	if n := len(p.Server.Messages()); n != want {
		t.Errorf("%d answers, want %d: one to each question", n, want)
	}
	got := runHere(t, []string{"PODIUM_DATABASE_URL=" + database}, "questions", "export")
	kept := 0
	for line := range strings.Lines(got.stdout) {
		var q struct{ Outcome string }
		if err := json.Unmarshal([]byte(line), &q); err != nil || q.Outcome != "unanswered" {
			t.Errorf("podium questions export says %q", line)
		}
		kept++
	}
	if asked := (want-3)/2 + 1; kept != asked || got.err != nil {
		t.Errorf("%d unanswered questions are kept, %v, want %d", kept, got.err, asked)
	}
}

// TestKilledBeforeAnswer kills podium after it has noted an event and before
// Slack has its answer. What it said by then nobody knows, so it does not
// answer the event when it is delivered again.
func TestKilledBeforeAnswer(t *testing.T) {
	for name, address := range map[string]func(testing.TB) string{"sqlite": sqliteFile, "postgres": bottest.Postgres} {
		t.Run(name, func(t *testing.T) {
			s, database := newSlack(t), address(t)
			p := startSlackProcess(t, s, database)
			s.Fail("chat.postMessage", slacktest.Fault{Delay: time.Hour, Error: "fatal_error"})
			e := s.DM("where does the office move")
			if err := p.Link.Event(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			p.until("podium did not answer", func() bool { return s.Calls("chat.postMessage") == 1 })
			p.end(syscall.SIGKILL)
			p = startSlackProcess(t, s, database)
			for _, e := range []map[string]any{e, s.DM("where will we work")} {
				if err := p.Link.Event(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			p.until("podium did not answer", func() bool { return len(s.Messages()) == 1 })
			log, code := p.end(syscall.SIGTERM)
			if calls := s.Calls("chat.postMessage"); code != 0 || calls != 2 || !strings.Contains(log, "answered once") {
				t.Errorf("%d posts, exit code %d, want 2, one before the kill, and 0; log:\n%s", calls, code, log)
			}
		})
	}
}
