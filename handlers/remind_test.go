package handlers

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/schedule"
	"podium/bot/store"
	"podium/knowledge"
)

// embedded is the embedded announcement, read once.
var embedded = sync.OnceValues(knowledge.Embedded)

// A platform of one admin, Ann, in Berlin.
type platform struct {
	canPost error
	closed  string                // a channel that nobody manages any more
	lost    map[string]bot.Reason // channels that can not be asked about
	admins  []string              // beside Ann
}

func (p *platform) Post(context.Context, string, string, bot.Reply) (bot.MessageRef, error) {
	return bot.MessageRef{}, errors.New("nothing is posted here")
}

func (p *platform) Find(context.Context, string, string, time.Time) (bot.MessageRef, bool, error) {
	return bot.MessageRef{}, false, bot.ErrUnknown
}
func (p *platform) CanPost(context.Context, string) error { return p.canPost }
func (p *platform) MaySchedule(_ context.Context, m bot.Message, channel string) (bool, error) {
	if channel == "GONE" {
		return false, &bot.PostError{Reason: bot.ChannelGone, Remedy: "The channel is gone. Choose another one."}
	}
	if reason, ok := p.lost[channel]; ok {
		return false, &bot.PostError{Reason: reason, Remedy: "The channel is gone. Choose another one."}
	}
	return (m.User.ID == "ann" || slices.Contains(p.admins, m.User.ID)) && channel != "BOARD" && channel != p.closed, nil
}
func (p *platform) Zone(context.Context, string) (string, error) { return "Europe/Berlin", nil }

// A conversation is one person's, on a platform and a database of its own.
type conversation struct {
	t        *testing.T
	h        *Handlers
	platform *platform
	now      time.Time
	last     bot.Reply
}

func newConversation(t *testing.T) *conversation {
	t.Helper()
	base, err := embedded()
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "podium.db"), store.Options{Serve: true, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	c := &conversation{t: t, platform: &platform{}, now: time.Date(2026, 11, 23, 7, 30, 0, 0, time.UTC)}
	r, err := schedule.New(t.Context(), schedule.Options{Store: st, Now: func() time.Time { return c.now }})
	if err != nil {
		t.Fatal(err)
	}
	r.Connect(bot.Slack, c.platform, c.platform)
	c.h = New(Options{Knowledge: base, Reminders: r})
	return c
}

// say is podium's reply to a message, with ids as ID.
func (c *conversation) say(user, text string) string {
	c.t.Helper()
	m := bot.Message{Platform: bot.Slack, Workspace: "w", Channel: "C1", ChannelName: "general", User: bot.User{ID: user, Name: "Ann"},
		Kind: bot.Command, Private: true, Text: text}
	if verb, ok := strings.CutPrefix(text, "press "); ok {
		m.Kind, m.Text = bot.Press, ""
		for _, b := range c.last.Buttons {
			if b.Label == verb {
				m.Action = b.Action
			}
		}
	}
	reply, err := c.h.Handle(c.t.Context(), m)
	if err != nil {
		c.t.Fatalf("%q: %v", text, err)
	}
	if !reply.Private {
		c.t.Errorf("%q: the reply is public", text)
	}
	if len(reply.Buttons) > 0 {
		c.last = reply
	}
	rest, times := reply.Text(), 0
	for _, p := range reply.Parts {
		for _, moment := range p.Times {
			var ok bool
			if _, rest, ok = strings.Cut(rest, moment.Words); !ok {
				c.t.Errorf("%q: %q is not named behind those before it in\n%s", text, moment.Words, reply.Text())
			}
			times++
		}
	}
	if strings.Contains(reply.Text(), "Next: ") && times == 0 {
		c.t.Errorf("%q: no moments for the reader's own zone in\n%s", text, reply.Text())
	}
	return reply.Text()
}

// id is the one of the only reminder that is listed.
func (c *conversation) id() string {
	c.t.Helper()
	for line := range strings.Lines(c.say("ann", "remind list")) {
		if id, _, ok := strings.Cut(line, ": Every"); ok {
			return id
		}
	}
	c.t.Fatalf("no reminder is listed: %s", c.say("ann", "remind list"))
	return ""
}

func TestRemind(t *testing.T) {
	c := newConversation(t)
	steps := []struct{ user, text, want string }{
		{"ann", "remind every weekday at 9:00 about how many troops are in iraq", "Every weekday at 09:00, Europe/Berlin, in #general: How many troops.\n" +
			"Next: Mon 23 Nov 2026 09:00, Tue 24 Nov 09:00, Wed 25 Nov 09:00 (Europe/Berlin, UTC+1).\n[Confirm] [Cancel]"},
		{"ann", "remind list", "There are no reminders here. `remind every weekday at 09:00 about how many troops` sets one."},
		{"bob", "press Confirm", "Only who sent the command can decide that."},
		{"ann", "press Confirm", "Reminder ID is set. Every weekday at 09:00, Europe/Berlin, in #general: How many troops.\n" +
			"Next: Mon 23 Nov 2026 09:00, Tue 24 Nov 09:00, Wed 25 Nov 09:00 (Europe/Berlin, UTC+1)."},
		{"ann", "press Confirm", "That is no longer open. Send the command again."},
		{"bob", "remind list", "Reminders:\nID: Every weekday at 09:00, Europe/Berlin, in #general: How many troops. Set by Ann. Next: Mon 23 Nov 2026 09:00."},
		{"ann", "remind edit ID every day at 02:30 until 2027-04-01", "Every day at 02:30 until 2027-04-01, Europe/Berlin, in #general: How many troops.\n" +
			"Next: Tue 24 Nov 2026 02:30, Wed 25 Nov 02:30, Thu 26 Nov 02:30 (Europe/Berlin, UTC+1).\nThis changes reminder ID.\n[Confirm] [Cancel]"},
		{"ann", "press Cancel", "Cancelled. Nothing was changed."},
		{"ann", "remind edit ID about quote kirby permanence", "Every weekday at 09:00, Europe/Berlin, in #general: Quote kirby permanence.\n" +
			"Next: Mon 23 Nov 2026 09:00, Tue 24 Nov 09:00, Wed 25 Nov 09:00 (Europe/Berlin, UTC+1).\nThis changes reminder ID.\n[Confirm] [Cancel]"},
		{"ann", "press Confirm", "Reminder ID is set. Every weekday at 09:00, Europe/Berlin, in #general: Quote kirby permanence.\n" +
			"Next: Mon 23 Nov 2026 09:00, Tue 24 Nov 09:00, Wed 25 Nov 09:00 (Europe/Berlin, UTC+1)."},
		{"ann", "remind pause ID", "Reminder ID is paused. `remind resume ID` lets it go on."},
		{"ann", "remind pause ID", "Reminder ID is paused already."},
		{"bob", "remind list", "Reminders:\nID: Every weekday at 09:00, Europe/Berlin, in #general: Quote kirby permanence. Set by Ann. Paused."},
		{"bob", "remind resume ID", maySchedule},
		{"ann", "remind resume ID", "Reminder ID goes on. Every weekday at 09:00, Europe/Berlin, in #general: Quote kirby permanence.\n" +
			"Next: Mon 23 Nov 2026 09:00, Tue 24 Nov 09:00, Wed 25 Nov 09:00 (Europe/Berlin, UTC+1)."},
		{"ann", "remind preview ID", "Every weekday at 09:00, Europe/Berlin, in #general: Quote kirby permanence.\nSet by Ann.\n" +
			"1. Mon 23 Nov 2026 09:00 UTC+1, Mon 23 Nov 2026 08:00 UTC\n2. Tue 24 Nov 2026 09:00 UTC+1, Tue 24 Nov 2026 08:00 UTC\n" +
			"3. Wed 25 Nov 2026 09:00 UTC+1, Wed 25 Nov 2026 08:00 UTC\n4. Thu 26 Nov 2026 09:00 UTC+1, Thu 26 Nov 2026 08:00 UTC\n" +
			"5. Fri 27 Nov 2026 09:00 UTC+1, Fri 27 Nov 2026 08:00 UTC"},
		{"ann", "remind delete ID", "Reminder ID is deleted."},
		{"ann", "remind delete ID", `There is no reminder "ID" here.` + "\nFor example: remind list"},
		{"ann", "remind delete", "Which reminder? Give its id, as the list shows it.\nFor example: remind list · remind delete ID"},

		{"ann", "remind preview every sunday at 02:30 until 2027-04-05", "Every sunday at 02:30 until 2027-04-05, Europe/Berlin.\n1. Sun 29 Nov 2026 02:30 UTC+1, Sun 29 Nov 2026 01:30 UTC\n"},
		{"ann", "remind preview every sunday at 02:30 utc", "Every sunday at 02:30, UTC.\n1. Sun 29 Nov 2026 02:30 UTC\n2. Sun 6 Dec 2026 02:30 UTC\n"},
		{"ann", "remind preview every sunday at 02:30 about troop numbers", "Every sunday at 02:30, Europe/Berlin, in #general: How many troops.\n1. "},
		{"ann", "remind in <#C2|news> tomorrow at 14:00 america/new_york about the withdrawal date", "Once, 2026-11-24 14:00, America/New_York, in #news: "},
		{"ann", "remind every friday at 9am in #general about troop numbers", "in #general: How many troops."},
		{"ann", "remind every friday at 9am in #news about troop numbers", "I can not tell which channel #news is. Choose it from the list that opens while you type its name."},
		{"ann", "remind every day at 9:00 how many troops", `I did not understand "how".` + "\nFor example: remind every weekday at 09:00 about how many troops · every weekday at 09:00 · "},
		{"ann", "remind here in 20 minutes about troop numbers", "Once, 2026-11-23 08:50, Europe/Berlin, in #general: How many troops."},
		{"ann", "remind countdown to 2026-12-24 every day at 09:00", "Countdown to 2026-12-24 every day at 09:00, Europe/Berlin, in #general: the number of days left."},
		{"ann", "remind 2027-03-28 02:30 about troop numbers", "Sun 28 Mar 2027 03:30: moved from 02:30, which the clocks skip."},

		{"bob", "remind every day at 9:00 about troop numbers", maySchedule},
		{"ann", "remind every day at 9:00 in <#BOARD> about troop numbers", maySchedule},
		{"ann", "remind every day at 9:00 in <#GONE> about troop numbers", "The channel is gone. Choose another one."},
		{"ann", "remind here every day at 9:00 in #news about troop numbers", "Here or in #news? A reminder is posted in one channel."},
		{"ann", "remind every day at 9:00", "About what? Name a topic or ask a question.\nFor example: remind every day at 09:00 about how many troops"},
		{"ann", "remind every day at 9:00 about", "About what? Name a topic or ask a question."},
		{"ann", "remind every day at 9:00 about the price of bananas", "The announcement does not say anything about that, so there is nothing to post. `topics` lists what it covers."},
		{"ann", "remind evry day at 9:00 about troop numbers", `I did not understand "evry". Did you mean "every"?` + "\nFor example: every weekday at 09:00 · "},
		{"ann", "remind every day at 9:00 Europe/Berln about troop numbers", `I know no time zone "europe/berln". Did you mean Europe/Berlin?`},
		{"ann", "remind", remindHelp},
	}
	id := ""
	for _, step := range steps {
		got := c.say(step.user, strings.ReplaceAll(step.text, "ID", id))
		if strings.Contains(got, "is set.") {
			id = c.id()
		}
		shown := got
		if id != "" {
			shown = strings.ReplaceAll(got, id, "ID")
		}
		if !strings.HasPrefix(shown, step.want) && !strings.Contains(shown, step.want) {
			t.Errorf("%s: %q =\n%s\nwant\n%s", step.user, step.text, shown, step.want)
		}
	}
}

// TestRemindWarnings: what keeps podium from posting is said before the
// reminder is set, and an old draft is closed.
func TestRemindWarnings(t *testing.T) {
	c := newConversation(t)
	c.platform.canPost = &bot.PostError{Reason: bot.NoAccess, Remedy: "Invite podium to the channel."}
	if got, want := c.say("ann", "remind every day at 9:00 about troop numbers"), "I can not post there yet. Invite podium to the channel.\n[Confirm]"; !strings.Contains(got, want) {
		t.Errorf("draft:\n%s\nwant %q in it", got, want)
	}
	c.now = c.now.Add(2 * time.Hour)
	if got, want := c.say("ann", "press Confirm"), "no longer open"; !strings.Contains(got, want) {
		t.Errorf("an old draft: %s", got)
	}
	c.platform.canPost = errors.New("timeout")
	if got, want := c.say("ann", "remind every day at 9:00 about troop numbers"), "I could not find out whether I may post there."; !strings.Contains(got, want) {
		t.Errorf("draft:\n%s\nwant %q in it", got, want)
	}
	c.say("ann", "remind in 20 minutes about troop numbers")
	c.now = c.now.Add(30 * time.Minute)
	if got, want := c.say("ann", "press Confirm"), "Its time has passed."; !strings.Contains(got, want) {
		t.Errorf("a draft whose time has passed: %s", got)
	}
	without := New(Options{Knowledge: c.h.base})
	r, err := without.Handle(t.Context(), bot.Message{Text: "remind list"})
	if err != nil || r.Text() != noReminders {
		t.Errorf("without reminders: %q, %v", r.Text(), err)
	}
}

// TestRemindLostChannel: who may set reminders here can see and delete those of
// a channel that is gone; those of one that podium no longer sees only their
// author can.
func TestRemindLostChannel(t *testing.T) {
	for reason, others := range map[bot.Reason]string{bot.ChannelGone: "is deleted.", bot.NoAccess: "There is no reminder"} {
		c := newConversation(t)
		c.say("ann", "remind every day at 9:00 in <#C2|news> about troop numbers")
		c.say("ann", "press Confirm")
		id := c.id()
		c.platform.lost = map[string]bot.Reason{"C2": reason}
		if got, want := c.say("ann", "remind every day at 9:00 in <#C2|news> about troop numbers"), "The channel is gone. Choose another one."; got != want {
			t.Errorf("%s: %q, want %q", reason, got, want)
		}
		if got, want := c.say("bob", "remind delete "+id), "There is no reminder"; !strings.HasPrefix(got, want) {
			t.Errorf("%s: bob is told %q, want %q", reason, got, want)
		}
		if got := c.say("ann", "remind list"); !strings.Contains(got, id) {
			t.Errorf("%s: the list is %q, want %s in it", reason, got, id)
		}
		c.platform.admins = []string{"cora"}
		if got := c.say("cora", "remind delete "+id); !strings.Contains(got, others) {
			t.Errorf("%s: another admin is told %q, want %q", reason, got, others)
		}
		if got, want := c.say("ann", "remind delete "+id), "Reminder "+id+" is deleted."; reason == bot.NoAccess && got != want {
			t.Errorf("%s: %q, want %q", reason, got, want)
		}
	}
}

func TestCompose(t *testing.T) {
	base, err := embedded()
	if err != nil {
		t.Fatal(err)
	}
	h := New(Options{Knowledge: base})
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	ref, _, err := h.subject("how many troops are in iraq")
	if err != nil {
		t.Fatal(err)
	}
	at := func(day, hour int) time.Time { return time.Date(2027, 3, day, hour, 0, 0, 0, berlin) }
	tests := []struct {
		name string
		r    bot.Reminder
		d    bot.Due
		want string
		err  error
	}{
		{"an answer", bot.Reminder{Ref: ref}, bot.Due{At: at(1, 9), Now: at(1, 9)}, "The US has some 2,500 troops in Iraq.\n", nil},
		{"late", bot.Reminder{Ref: ref}, bot.Due{At: at(1, 9), Now: at(1, 9).Add(10 * time.Minute)}, "This was due at Mon 1 Mar 09:00 (Europe/Berlin) and is posted late.", nil},
		{"gone", bot.Reminder{Ref: "no_such_answer"}, bot.Due{At: at(1, 9), Now: at(1, 9)}, "", bot.ErrGone},
		{"four days, over a change of clocks", bot.Reminder{}, bot.Due{At: at(26, 23), Now: at(26, 23), Countdown: at(30, 0)}, "4 days until 30 March 2027.", nil},
		{"one day", bot.Reminder{}, bot.Due{At: at(29, 0), Now: at(29, 0), Countdown: at(30, 0)}, "1 day until 30 March 2027.", nil},
		{"the day", bot.Reminder{}, bot.Due{At: at(30, 23), Now: at(30, 23), Countdown: at(30, 0)}, "Today is 30 March 2027.", nil},
		{"posted after the day", bot.Reminder{}, bot.Due{At: at(30, 23), Now: at(31, 1), Countdown: at(30, 0)}, "30 March 2027 has passed.", nil},
		{"with an answer", bot.Reminder{Ref: ref}, bot.Due{At: at(28, 9), Now: at(28, 9), Countdown: at(30, 0)}, "2 days until 30 March 2027. The US has some 2,500 troops in Iraq.\n", nil},
	}
	for _, test := range tests {
		r, err := h.Compose(t.Context(), test.r, test.d)
		if !errors.Is(err, test.err) || !strings.Contains(r.Text(), test.want) {
			t.Errorf("%s: %q, %v, want %q, %v", test.name, r.Text(), err, test.want, test.err)
		}
	}
}

// TestEditNeedsBothChannels: who may no longer manage the channel that a
// reminder is in can not confirm its move to another either.
func TestEditNeedsBothChannels(t *testing.T) {
	c := newConversation(t)
	c.say("ann", "remind every weekday at 9:00 about how many troops are in iraq")
	c.say("ann", "press Confirm")
	if got := c.say("ann", "remind edit "+c.id()+" in <#C9|elsewhere>"); !strings.Contains(got, "[Confirm]") {
		t.Fatalf("the move is answered %q", got)
	}
	c.platform.closed = "C1"
	if got, want := c.say("ann", "press Confirm"), maySchedule; got != want {
		t.Errorf("Confirm = %q, want %q", got, want)
	}
	c.platform.closed = ""
	if got := c.say("ann", "remind list"); !strings.Contains(got, "in #general") {
		t.Errorf("the reminder has moved: %q", got)
	}
}
