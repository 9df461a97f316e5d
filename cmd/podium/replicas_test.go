package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/slack/slacktest"
	"podium/bot/store"
)

const replicas, kills = 3, 2

// TestReplicas has three processes on one database answer what Slack sends to
// any of them over HTTP, half of it twice, and kills two of them while questions
// are in hand and reminders are due. Slack sends an event again until it is
// acknowledged.
//
// No question is answered twice. Each is answered, unless a replica had it in
// hand when it was killed: what one has begun another does not begin again.
// Every reminder is posted once.
func TestReplicas(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	const events, reminders = 240, 12
	address := bottest.Postgres(t)
	s := newSlack(t)
	slow(s, events+reminders)
	words := "countdown to " + time.Now().AddDate(0, 1, 0).Format(time.DateOnly) + " every day at 12:00"
	list := keep(t, address, reminders, 6, words, "", time.Now().Add(4*time.Second))
	var processes [replicas]*process
	var links [replicas]slacktest.Link
	for i := range processes {
		processes[i] = startReplica(t, s, address, "PODIUM_SLACK_SIGNING_SECRET="+slacktest.Secret)
		links[i] = s.HTTP("http://" + processes[i].address)
	}
	questions := spread(t, s, processes, links, events)

	st, err := store.Open(t.Context(), address, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close(context.WithoutCancel(t.Context()))
	states := make(map[string]bot.DeliveryState)
	for deadline := time.Now().Add(2 * time.Minute); len(states) < len(list) && time.Now().Before(deadline); {
		<-time.After(100 * time.Millisecond)
		for _, r := range list {
			d, ok, err := st.Delivery(t.Context(), r.ID, r.Next)
			if err != nil {
				t.Fatal(err)
			}
			if ok && d.State != bot.Posting {
				states[d.Key()] = d.State
			}
		}
	}
	count(t, s, processes[kills], questions)
	posts := make(map[string]int)
	for _, m := range s.Messages() {
		if key, _ := m.Metadata.Payload["key"].(string); key != "" {
			posts[key]++
		}
	}
	for _, r := range list {
		key := bot.Delivery{Reminder: r.ID, Due: r.Next}.Key()
		if states[key] != bot.Posted || posts[key] != 1 {
			t.Errorf("the reminder %s is %q and was posted %d times", key, states[key], posts[key])
		}
	}
}

// TestReplicasInSocketMode is TestReplicas over Socket Mode, where Slack deals
// events to the connections of the replicas: what a connection has not
// acknowledged when it ends comes again over another. No question is answered
// twice, and each is, but for those that were in hand.
func TestReplicasInSocketMode(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	const events = 150
	address := bottest.Postgres(t)
	s := newSlack(t)
	slow(s, events)
	var processes [replicas]*process
	var links [replicas]slacktest.Link
	for i := range processes {
		processes[i] = startReplica(t, s, address, "PODIUM_SLACK_APP_TOKEN="+slacktest.AppToken)
		ctx, cancel := context.WithTimeout(t.Context(), startsWithin)
		if err := s.Wait(ctx, func() bool { return s.Sockets() == i+1 }); err != nil {
			t.Fatalf("replica %d has no connection: %v", i, err)
		}
		cancel()
		links[i] = s.Connection(i)
	}
	questions := spread(t, s, processes, links, events)
	count(t, s, processes[kills], questions)
	if n := s.Calls("apps.connections.open"); n != replicas {
		t.Errorf("%d replicas have opened %d connections", replicas, n)
	}
}

// slow makes posts take a while, so that there is something in hand at any time.
func slow(s *slacktest.Server, posts int) {
	var faults []slacktest.Fault
	for range posts {
		faults = append(faults, slacktest.Fault{Delay: rand.N(300 * time.Millisecond)})
	}
	s.Fail("chat.postMessage", faults...)
}

func startReplica(t *testing.T, s *slacktest.Server, database string, environ ...string) *process {
	t.Helper()
	p := startServe(t, append([]string{"PODIUM_DATABASE_URL=" + database, "PODIUM_DISCORD_TOKEN=", "PODIUM_SLACK_BOT_TOKEN=" + slacktest.BotToken,
		"PODIUM_SLACK_API_URL=" + s.APIURL}, environ...)...)
	go func() {
		for p.log.Scan() { // so that it never waits for its reader
		}
	}()
	return p
}

// spread has Slack send events to the replicas at random, half of them twice,
// and kills the first two meanwhile. It returns, by the question's timestamp,
// which replicas may have had it.
func spread(t *testing.T, s *slacktest.Server, processes [replicas]*process, links [replicas]slacktest.Link, events int) map[string][replicas]bool {
	t.Helper()
	questions := make(map[string][replicas]bool)
	var mu sync.Mutex
	var working sync.WaitGroup
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for n := range events {
		<-tick.C
		if n == events/3 || n == 2*events/3 {
			p := processes[n/(events/3)-1]
			if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		event := s.Mention(mention + "how many troops are in iraq")
		inner := event["event"].(map[string]any)
		inner["user"] = fmt.Sprint("U", n)
		working.Go(func() {
			var had [replicas]bool
			for left := 1 + rand.N(2); left > 0 && t.Context().Err() == nil; {
				i := rand.N(replicas)
				err := links[i].Event(t.Context(), event)
				had[i] = had[i] || !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, slacktest.ErrClosed)
				if err == nil {
					left--
				} else if i >= kills {
					t.Errorf("a replica that lives does not take an event: %v", err)
					return
				}
			}
			mu.Lock()
			defer mu.Unlock()
			questions[inner["ts"].(string)] = had
		})
	}
	working.Wait()
	for _, p := range processes[:kills] {
		_ = p.cmd.Wait() // killed is what it is
	}
	return questions
}

// count ends the last replica, which answers what it has in hand, and holds
// the answers against the questions.
func count(t *testing.T, s *slacktest.Server, last *process, questions map[string][replicas]bool) {
	t.Helper()
	if err := last.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := last.cmd.Wait(); err != nil {
		t.Errorf("podium serve after SIGTERM: %v", err)
	}
	answers := make(map[string]int)
	for _, m := range s.Messages() {
		answers[m.Thread]++
	}
	lost, survived := 0, 0
	for ts, had := range questions {
		inHand := had[0] || had[1]
		if !inHand {
			survived++
		}
		switch n := answers[ts]; {
		case n == 0 && inHand:
			lost++
		case n != 1:
			t.Errorf("the question %s was answered %d times; which replicas had it: %v", ts, n, had)
		}
	}
	t.Logf("%d questions: %d had no replica that was killed; %d were in hand when one was, and are lost", len(questions), survived, lost)
	if survived < len(questions)/5 || lost > len(questions)/3 {
		t.Errorf("of %d questions %d are lost; the test has not seen what it is to see", len(questions), lost)
	}
}
