package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/slack/slacktest"
	"podium/bot/store"
)

// Each of these benchmarks is one measurement of the real program: run them
// with -benchtime 1x and -count for a median.

func onEachDatabase(b *testing.B, f func(b *testing.B, address func(testing.TB) string)) {
	b.Run("sqlite", func(b *testing.B) { f(b, sqliteFile) })
	b.Run("postgres", func(b *testing.B) { f(b, bottest.Postgres) })
}

// remindEnviron is that of a podium serve with the built-in announcement.
func remindEnviron(slack *slacktest.Server, address string) []string {
	return []string{"PODIUM_KNOWLEDGE=", "PODIUM_HTTP_ADDR=127.0.0.1:0", "PODIUM_DATABASE_URL=" + address,
		"PODIUM_SLACK_BOT_TOKEN=" + slacktest.BotToken, "PODIUM_SLACK_SIGNING_SECRET=" + slacktest.Secret, "PODIUM_SLACK_API_URL=" + slack.APIURL}
}

// dueAt is a reminder of Slack's.
func dueAt(id string, due time.Time) bot.Reminder {
	return bot.Reminder{ID: id, Platform: bot.Slack, Workspace: slacktest.Team, Channel: slacktest.General, Author: bot.User{ID: slacktest.Admin},
		Schedule: "every day at 12:00", Zone: "UTC", Start: time.Now().Add(-time.Hour).UTC().Truncate(time.Second),
		Ref: "troop_count.iraq", Title: "How many troops", State: bot.Active, Next: due.UTC().Truncate(time.Second)}
}

// add keeps reminders, 200 at a time.
func add(b *testing.B, address string, list ...bot.Reminder) {
	b.Helper()
	st, err := store.Open(b.Context(), address, store.Options{Create: true})
	if err != nil {
		b.Fatal(err)
	}
	var adding sync.WaitGroup
	next := make(chan bot.Reminder)
	for range 200 {
		adding.Go(func() {
			for r := range next {
				if ok, err := st.AddReminder(b.Context(), r); err != nil || !ok {
					b.Error(ok, err)
				}
			}
		})
	}
	for _, r := range list {
		next <- r
	}
	close(next)
	adding.Wait()
	if err := st.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// posted waits for n posts and returns when the last was made.
func posted(b *testing.B, slack *slacktest.Server, n int) time.Time {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	all, err := slack.WaitMessages(ctx, n)
	if err != nil {
		b.Fatalf("%d posts, want %d", len(all), n)
	}
	return all[n-1].At
}

// BenchmarkRemindersRestart measures from the start of podium serve to the post
// of what came due while none ran, after SIGTERM and after kill -9.
func BenchmarkRemindersRestart(b *testing.B) {
	onEachDatabase(b, func(b *testing.B, address func(testing.TB) string) {
		for b.Loop() {
			for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
				slack := newSlack(b)
				database := address(b)
				due := time.Now().Add(6 * time.Second)
				add(b, database, dueAt("now", time.Now()), dueAt("later", due))
				p := startServe(b, remindEnviron(slack, database)...)
				posted(b, slack, 1) // the other's job is there as well
				kill(b, p, signal)
				time.Sleep(time.Until(due.Add(time.Second)))
				begin := time.Now()
				p = startServe(b, remindEnviron(slack, database)...)
				b.ReportMetric(posted(b, slack, 2).Sub(begin).Seconds(), "s-after-"+signal.String())
				kill(b, p, syscall.SIGKILL)
			}
		}
	})
}

// BenchmarkRemindersInFlight measures from a kill -9 in the middle of a post
// until its outcome is known to the next process.
func BenchmarkRemindersInFlight(b *testing.B) {
	onEachDatabase(b, func(b *testing.B, address func(testing.TB) string) {
		for b.Loop() {
			slack := newSlack(b)
			slack.Lag = 2 * time.Second
			slack.Fail("chat.postMessage", slacktest.Fault{Delay: 2 * time.Second})
			database := address(b)
			r := dueAt("now", time.Now())
			add(b, database, r)
			p := startServe(b, remindEnviron(slack, database)...)
			if err := slack.Wait(b.Context(), func() bool { return slack.Calls("chat.postMessage") > 0 }); err != nil {
				b.Fatal(err)
			}
			kill(b, p, syscall.SIGKILL)
			begin := time.Now()
			p = startServe(b, remindEnviron(slack, database)...)
			st, err := store.Open(b.Context(), database, store.Options{})
			if err != nil {
				b.Fatal(err)
			}
			for {
				d, ok, err := st.Delivery(b.Context(), r.ID, r.Next)
				if err != nil {
					b.Fatal(err)
				}
				if ok && d.State != bot.Posting {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			b.ReportMetric(time.Since(begin).Seconds(), "s-in-flight")
			if n := len(slack.Messages()); n != 1 {
				b.Errorf("%d posts, want 1", n)
			}
			kill(b, p, syscall.SIGKILL)
			if err := st.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func kill(b *testing.B, p *process, signal os.Signal) {
	b.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		b.Fatal(err)
	}
	for p.log.Scan() { // until it closes its end
	}
	_ = p.cmd.Wait() // killed is what it is
}

// BenchmarkRemindersIdle measures podium serve at rest, with 100,000 reminders
// of which none is due.
func BenchmarkRemindersIdle(b *testing.B) {
	onEachDatabase(b, func(b *testing.B, address func(testing.TB) string) {
		for b.Loop() {
			const rest = 30 * time.Second
			slack, database := newSlack(b), address(b)
			var list []bot.Reminder
			for i := range 100_000 {
				list = append(list, dueAt(fmt.Sprintf("r%06d", i), time.Now().Add(30*24*time.Hour+time.Duration(i)*time.Second)))
			}
			add(b, database, list...)
			list = nil
			p := startServe(b, remindEnviron(slack, database)...)
			time.Sleep(10 * time.Second) // it has settled
			before := ticks(b, p.cmd.Process.Pid)
			time.Sleep(rest)
			b.ReportMetric(float64(ticks(b, p.cmd.Process.Pid)-before)/rest.Seconds(), "cpu%") // a tick is a hundredth of a second
			b.ReportMetric(resident(b, p.cmd.Process.Pid), "MB")
			p.stop(b)
		}
	})
}
