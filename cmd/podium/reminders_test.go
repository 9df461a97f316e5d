package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/slack/slacktest"
	"podium/bot/store"
)

// keep puts active reminders into the database at address, a second apart from
// due on, in so many channels. The first posts of one who found it there are
// the reconciler's.
func keep(t *testing.T, address string, n, channels int, words, ref string, due time.Time) []bot.Reminder {
	t.Helper()
	st, err := store.Open(t.Context(), address, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	var list []bot.Reminder
	for i := range n {
		r := bot.Reminder{ID: fmt.Sprintf("r%04d", i), Platform: bot.Slack, Workspace: slacktest.Team, Channel: fmt.Sprintf("D%04d", i%channels),
			Author: bot.User{ID: slacktest.Admin}, Schedule: words, Zone: "UTC", Start: due.Add(-time.Hour).UTC().Truncate(time.Second),
			Ref: ref, Title: "what it posts", State: bot.Active,
			Next: due.Add(time.Duration(i) * time.Second / 2).UTC().Truncate(time.Second)}
		if ok, err := st.AddReminder(t.Context(), r); err != nil || !ok {
			t.Fatal(ok, err)
		}
		list = append(list, r)
	}
	if err := st.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestRemindersInSlack sets a reminder as an admin does, with the buttons, and
// sees one that is due posted.
func TestRemindersInSlack(t *testing.T) {
	address := sqliteFile(t)
	due := keep(t, address, 1, 1, "every day at 12:00", "troop_count.iraq", time.Now())[0]
	x := serveSlack(t, newSlack(t), "http", address)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	all, err := x.WaitMessages(ctx, 1)
	if err != nil {
		t.Fatalf("nothing is posted: %v; log:\n%s", err, x.log)
	}
	posted := all[0]
	key, _ := posted.Metadata.Payload["key"].(string)
	if !strings.HasPrefix(shown(posted.Text), "The US has some 2,500 troops in Iraq.\n") || posted.Channel != due.Channel || key == "" {
		t.Errorf("posted %q to %s with key %q", posted.Text, posted.Channel, key)
	}
	say := func(user, text string) slacktest.Message {
		t.Helper()
		return x.does(t, 1, func(ctx context.Context) error {
			return x.Link.Command(ctx, slacktest.Command{Text: text, User: user})
		})[0]
	}
	has := func(m slacktest.Message, want string) {
		t.Helper()
		if !strings.Contains(shown(m.Text), want) {
			t.Errorf("podium says %q, want %q in it", shown(m.Text), want)
		}
		if !m.Private() {
			t.Errorf("%q is public", m.Text)
		}
	}
	has(say(slacktest.Person, "remind every weekday at 9:00 about how many troops are in iraq"), "Only those who manage this channel")
	has(say(slacktest.Admin, "remind every weekday at 9:00 in <#"+slacktest.Foreign+"|foreign> about troop numbers"), "I can not post there yet.")
	draft := say(slacktest.Admin, "remind every weekday at 9:00 about how many troops are in iraq")
	has(draft, "Every weekday at 09:00, Europe/Berlin, in #general: How many troops.\nNext: ")
	press := func(user, label string) slacktest.Message {
		t.Helper()
		return x.does(t, 1, func(ctx context.Context) error {
			return x.Link.Press(ctx, x.Pressed(draft, user, buttons(draft)[label]))
		})[0]
	}
	has(press(slacktest.Person, bot.LabelConfirm), "Only who sent the command can decide that.")
	has(press(slacktest.Admin, bot.LabelConfirm), "is set. Every weekday at 09:00")
	has(say(slacktest.Admin, "remind list"), "Every weekday at 09:00, Europe/Berlin, in #general: How many troops.")
	has(say(slacktest.Admin, "remind evry day at 9:00 about troop numbers"), `Did you mean "every"?`)
}

// TestRemindersSurviveKills kills the real program while it posts to a Slack
// that loses answers: every occurrence is posted once. The long version is
// bot/schedule's TestCrash.
func TestRemindersSurviveKills(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	for _, test := range []struct {
		name     string
		address  func(testing.TB) string
		replicas int
	}{
		{"sqlite", sqliteFile, 1},
		{"postgres", bottest.Postgres, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			const n, kills = 40, 3
			address := test.address(t)
			slack := newSlack(t)
			var faults []slacktest.Fault
			for i := range n {
				switch i % 8 {
				case 1:
					faults = append(faults, slacktest.Fault{Lost: true})
				case 4:
					faults = append(faults, slacktest.Fault{Status: 503})
				case 6:
					faults = append(faults, slacktest.Fault{Status: 429, RetryAfter: 1})
				default:
					faults = append(faults, slacktest.Fault{Delay: time.Duration(50*i) * time.Millisecond % (300 * time.Millisecond)})
				}
			}
			slack.Fail("chat.postMessage", faults...)
			words := "countdown to " + time.Now().AddDate(0, 1, 0).Format(time.DateOnly) + " every day at 12:00"
			list := keep(t, address, n, 10, words, "", time.Now().Add(4*time.Second))
			start := func() *process {
				return startServe(t, "PODIUM_DATABASE_URL="+address, "PODIUM_SLACK_BOT_TOKEN="+slacktest.BotToken,
					"PODIUM_SLACK_SIGNING_SECRET="+slacktest.Secret, "PODIUM_SLACK_API_URL="+slack.APIURL)
			}
			processes := make([]*process, test.replicas)
			for i := range processes {
				processes[i] = start()
			}
			for i := range kills {
				// At any moment between two posts and in one.
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				_, err := slack.WaitMessages(ctx, 5+10*i)
				cancel()
				if err != nil {
					t.Fatal(err)
				}
				<-time.After(rand.N(400 * time.Millisecond))
				p := processes[i%test.replicas]
				if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				// Killed is what it is.
				_ = p.cmd.Wait()
				processes[i%test.replicas] = start()
			}
			for _, p := range processes {
				go func() {
					for p.log.Scan() { // so that it never waits for its reader
					}
				}()
			}
			st, err := store.Open(t.Context(), address, store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close(context.WithoutCancel(t.Context()))
			open := len(list)
			for deadline := time.Now().Add(2 * time.Minute); open > 0 && time.Now().Before(deadline); {
				<-time.After(200 * time.Millisecond)
				open = 0
				for _, r := range list {
					d, ok, err := st.Delivery(t.Context(), r.ID, r.Next)
					if err != nil {
						t.Fatal(err)
					}
					if !ok || d.State == bot.Posting {
						open++
					}
				}
			}
			times := make(map[string]int)
			for _, m := range slack.Messages() {
				key, _ := m.Metadata.Payload["key"].(string)
				times[key]++
			}
			for _, r := range list {
				d, _, err := st.Delivery(t.Context(), r.ID, r.Next)
				if err != nil {
					t.Fatal(err)
				}
				key := bot.Delivery{Reminder: r.ID, Due: r.Next}.Key()
				if d.State != bot.Posted || times[key] != 1 {
					t.Errorf("%s is %q and was posted %d times", key, d.State, times[key])
				}
			}
			for _, p := range processes {
				if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Error(err)
				}
				if err := p.cmd.Wait(); err != nil {
					t.Errorf("podium serve after SIGTERM: %v", err)
				}
			}
		})
	}
}

// TestRemindersInChat sets a reminder in the terminal: the database is opened
// by it, and not before.
func TestRemindersInChat(t *testing.T) {
	address := sqliteFile(t)
	environ := []string{"PODIUM_DATABASE_URL=" + address}
	chat := func(lines ...string) string {
		t.Helper()
		cmd := podium(t, environ, "chat")
		cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	chat("how many troops are in iraq")
	if _, err := os.Stat(strings.TrimPrefix(address, "sqlite:")); err == nil {
		t.Error("a question opened the database")
	}
	out := chat("remind every weekday at 9:00 Europe/Berlin about how many troops", "confirm", "remind list")
	for _, want := range []string{"Every weekday at 09:00, Europe/Berlin, in this channel: How many troops.\nNext: ", "[Confirm] [Cancel]", "is set. Every weekday", "Reminders:\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("chat says\n%s\nwant %q in it", out, want)
		}
	}
	if out := chat("remind list"); !strings.Contains(out, ": Every weekday at 09:00, Europe/Berlin") {
		t.Errorf("the next chat says\n%s", out)
	}
}
