package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"podium/bot"
)

func someReminder(id string, next time.Time) bot.Reminder {
	return bot.Reminder{
		ID: id, Platform: "slack", Workspace: "w", Channel: "c", Label: "#general", Author: bot.User{ID: "ann", Name: "Ann"},
		Schedule: "every day at 09:00", Zone: "Europe/Berlin", Start: cleanTime(next.Add(-time.Hour)), Ref: "troops", Title: "How many troops",
		State: bot.Active, Problem: "none", Replaces: "other", Next: cleanTime(next),
	}
}

func someDelivery(r bot.Reminder, at time.Time) bot.Delivery {
	return bot.Delivery{Reminder: r.ID, Due: r.Next, State: bot.Posting, Began: cleanTime(at), Tried: cleanTime(at),
		Message: bot.MessageRef{Platform: r.Platform, Channel: r.Channel}}
}

func TestReminders(t *testing.T) {
	onEach(t, func(t *testing.T, address string) {
		s, ctx := open(t, address, keepAll), t.Context()
		now := cleanTime(time.Now())
		r := someReminder("aaaaa", now)
		add := func(r bot.Reminder) {
			t.Helper()
			if ok, err := s.AddReminder(ctx, r); err != nil || !ok {
				t.Fatal(ok, err)
			}
		}
		add(r)
		if ok, err := s.AddReminder(ctx, r); err != nil || ok {
			t.Errorf("AddReminder of a taken ID = %v, %v, want false", ok, err)
		}
		if got, ok, err := s.Reminder(ctx, "aaaaa"); err != nil || !ok || got != r {
			t.Errorf("Reminder = %+v, %v, %v, want %+v", got, ok, err, r)
		}
		if _, ok, err := s.Reminder(ctx, "none"); err != nil || ok {
			t.Errorf("Reminder of no ID = %v, %v", ok, err)
		}
		// Lists.
		for i, state := range []bot.ReminderState{bot.Draft, bot.Active, bot.Paused, bot.Done} {
			other := someReminder(fmt.Sprint("b", i), now.Add(time.Duration(i+1)*time.Minute))
			other.State = state
			add(other)
		}
		elsewhere := someReminder("ccccc", now)
		elsewhere.Platform, elsewhere.Workspace = "discord", "v"
		add(elsewhere)
		over := someReminder("ddddd", now)
		over.Next = time.Time{}
		add(over)
		ids := func(list []bot.Reminder, err error) []string {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, r := range list {
				ids = append(ids, r.ID)
			}
			return ids
		}
		if got, want := ids(s.Reminders(ctx, "slack", "w")), []string{"ddddd", "aaaaa", "b1", "b2"}; !slices.Equal(got, want) {
			t.Errorf("Reminders = %v, want %v", got, want)
		}
		if got, want := ids(s.DueReminders(ctx, []string{"slack"}, now.Add(time.Hour))), []string{"aaaaa", "b1"}; !slices.Equal(got, want) {
			t.Errorf("DueReminders = %v, want %v", got, want)
		}
		if got, want := ids(s.DueReminders(ctx, []string{"slack", "discord"}, now.Add(time.Second))), []string{"aaaaa", "ccccc"}; !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Errorf("DueReminders of both = %v, want %v", got, want)
		}
		// Changes are made only to what is still as it was.
		changed := r
		changed.State, changed.Next, changed.Title = bot.Paused, now.Add(time.Hour), "other"
		if ok, err := s.UpdateReminder(ctx, r, changed); err != nil || !ok {
			t.Errorf("UpdateReminder = %v, %v", ok, err)
		}
		if ok, err := s.UpdateReminder(ctx, r, changed); err != nil || ok {
			t.Errorf("UpdateReminder of what has changed = %v, %v, want false", ok, err)
		}
		if got, _, err := s.Reminder(ctx, "aaaaa"); err != nil || got != changed {
			t.Errorf("changed to %+v, %v, want %+v", got, err, changed)
		}
		if ok, err := s.DeleteReminder(ctx, "ddddd"); err != nil || !ok {
			t.Errorf("DeleteReminder = %v, %v", ok, err)
		}
		if ok, err := s.DeleteReminder(ctx, "ddddd"); err != nil || ok {
			t.Errorf("a second DeleteReminder = %v, %v, want false", ok, err)
		}
		// Purged: drafts after an hour, what is over after thirty days.
		for _, step := range []struct {
			after time.Duration
			gone  string
			kept  string
		}{{2 * time.Hour, "b0", "b3"}, {31 * 24 * time.Hour, "b3", "b1"}} {
			if err := s.Purge(ctx, now.Add(step.after)); err != nil {
				t.Fatal(err)
			}
			if _, ok, err := s.Reminder(ctx, step.gone); err != nil || ok {
				t.Errorf("%v later, %s is there: %v", step.after, step.gone, err)
			}
			if _, ok, err := s.Reminder(ctx, step.kept); err != nil || !ok {
				t.Errorf("%v later, %s is gone: %v", step.after, step.kept, err)
			}
		}
	})
}

func TestDeliveries(t *testing.T) {
	onEach(t, func(t *testing.T, address string) {
		s, ctx := open(t, address, keepAll), t.Context()
		now := cleanTime(time.Now())
		r := someReminder("aaaaa", now)
		if _, err := s.AddReminder(ctx, r); err != nil {
			t.Fatal(err)
		}
		d := someDelivery(r, now)
		begin := func(d bot.Delivery, first bool, last time.Time, want bool) {
			t.Helper()
			if ok, err := s.BeginDelivery(ctx, d, first, last); err != nil || ok != want {
				t.Errorf("BeginDelivery = %v, %v, want %v", ok, err, want)
			}
		}
		begin(d, true, time.Time{}, true)
		begin(d, true, time.Time{}, false)
		// A second attempt is one replica's alone.
		again := d
		again.Tried = now.Add(time.Minute)
		begin(again, false, now, true)
		begin(again, false, now, false)
		if got, ok, err := s.Delivery(ctx, r.ID, r.Next); err != nil || !ok || got != again {
			t.Errorf("Delivery = %+v, %v, %v, want %+v", got, ok, err, again)
		}
		if list, err := s.OpenDeliveries(ctx, []string{"slack"}, now.Add(2*time.Minute)); err != nil || len(list) != 1 || list[0] != again {
			t.Errorf("OpenDeliveries = %v, %v", list, err)
		}
		if list, err := s.OpenDeliveries(ctx, []string{"slack"}, now); err != nil || len(list) != 0 {
			t.Errorf("OpenDeliveries before it = %v, %v", list, err)
		}
		if err := s.CancelDelivery(ctx, d); err != nil {
			t.Fatal(err)
		}
		begin(d, true, time.Time{}, true)
		// The outcome and what follows are kept together, and are final.
		posted := d
		posted.State, posted.Message.ID = bot.Posted, "77"
		skipped := someDelivery(r, now)
		skipped.Due, skipped.State, skipped.Reason = now.Add(time.Hour), bot.Skipped, "missed"
		next := r
		next.Next = now.Add(2 * time.Hour)
		if err := s.FinishDeliveries(ctx, []bot.Delivery{posted, skipped}, r, next); err != nil {
			t.Fatal(err)
		}
		if got, _, err := s.Reminder(ctx, r.ID); err != nil || got != next {
			t.Errorf("the reminder is %+v, %v, want %+v", got, err, next)
		}
		unknown := d
		unknown.State = bot.Unknown
		if err := s.FinishDeliveries(ctx, []bot.Delivery{unknown}, r, r); err != nil {
			t.Fatal(err)
		}
		if err := s.CancelDelivery(ctx, d); err != nil {
			t.Fatal(err)
		}
		var list []bot.Delivery
		if err := s.Deliveries(ctx, now.Add(-time.Minute), func(d bot.Delivery) error {
			list = append(list, d)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(list, func(a, b bot.Delivery) int { return a.Due.Compare(b.Due) })
		if want := []bot.Delivery{posted, skipped}; !slices.Equal(list, want) {
			t.Errorf("Deliveries = %+v, want %+v", list, want)
		}
		if got, _, err := s.Reminder(ctx, r.ID); err != nil || got != next {
			t.Errorf("an outdated outcome moved the reminder to %+v, %v", got, err)
		}
		if err := s.Purge(ctx, now.Add(deliveriesFor+time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := s.Delivery(ctx, r.ID, r.Next); err != nil || ok {
			t.Errorf("an old delivery is kept: %v", err)
		}
	})
}
