package schedule

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"podium/bot"
)

func location(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// TestSchedules: said at a moment in a zone, a text means a schedule, which the
// grammar writes in its own words, and its next occurrences.
func TestSchedules(t *testing.T) {
	const (
		berlin   = "Europe/Berlin"
		newYork  = "America/New_York"
		sydney   = "Australia/Sydney"
		lordHowe = "Australia/Lord_Howe"
		monday   = "2026-11-23T08:00:00Z" // in Berlin: nine o'clock
	)
	tests := []struct {
		now, zone, text string
		want            string // canonical words, and the zone if it is not the asker's
		next            string // the next occurrences; "." behind the last one of all
	}{
		// Every kind of clause.
		{monday, berlin, "every day at 09:00", "every day at 09:00", "2026-11-24T09:00:00+01:00 2026-11-25T09:00:00+01:00"},
		{monday, berlin, "every day at 9:01", "every day at 09:01", "2026-11-23T09:01:00+01:00 2026-11-24T09:01:00+01:00"},
		{monday, berlin, "Every Day At 9AM", "every day at 09:00", "2026-11-24T09:00:00+01:00"},
		{monday, berlin, "every day at 12am", "every day at 00:00", "2026-11-24T00:00:00+01:00"},
		{monday, berlin, "every day at 12 pm", "every day at 12:00", "2026-11-23T12:00:00+01:00"},
		{monday, berlin, "every day at noon", "every day at 12:00", "2026-11-23T12:00:00+01:00"},
		{monday, berlin, "every day at midnight", "every day at 00:00", "2026-11-24T00:00:00+01:00"},
		{monday, berlin, "at 17:30 every day", "every day at 17:30", "2026-11-23T17:30:00+01:00"},
		{monday, berlin, "every 3 days at 9am", "every 3 days at 09:00", "2026-11-24T09:00:00+01:00 2026-11-27T09:00:00+01:00"},
		{monday, berlin, "every weekday at 09:00", "every weekday at 09:00", "2026-11-24T09:00:00+01:00 2026-11-25T09:00:00+01:00 2026-11-26T09:00:00+01:00 2026-11-27T09:00:00+01:00 2026-11-30T09:00:00+01:00"},
		{monday, berlin, "every monday,thursday at 09:00", "every monday,thursday at 09:00", "2026-11-26T09:00:00+01:00 2026-11-30T09:00:00+01:00"},
		{monday, berlin, "every thu, mon and sunday at 10:00", "every monday,thursday,sunday at 10:00", "2026-11-23T10:00:00+01:00 2026-11-26T10:00:00+01:00 2026-11-29T10:00:00+01:00"},
		{monday, berlin, "every week on friday at 16:00", "every friday at 16:00", "2026-11-27T16:00:00+01:00 2026-12-04T16:00:00+01:00"},
		{monday, berlin, "every 2 weeks on friday at 16:00", "every 2 weeks on friday at 16:00", "2026-11-27T16:00:00+01:00 2026-12-11T16:00:00+01:00 2026-12-25T16:00:00+01:00"},
		{monday, berlin, "every other week on tuesday and friday at 16:00", "every 2 weeks on tuesday,friday at 16:00", "2026-11-24T16:00:00+01:00 2026-11-27T16:00:00+01:00 2026-12-08T16:00:00+01:00"},
		{"2026-11-28T12:00:00Z", berlin, "every 2 weeks on friday at 16:00", "every 2 weeks on friday at 16:00", "2026-12-04T16:00:00+01:00 2026-12-18T16:00:00+01:00"},
		{monday, berlin, "every month on the 1st at 9am", "every month on the 1st at 09:00", "2026-12-01T09:00:00+01:00 2027-01-01T09:00:00+01:00"},
		{monday, berlin, "every month on the last day at 9am", "every month on the last day at 09:00", "2026-11-30T09:00:00+01:00 2026-12-31T09:00:00+01:00 2027-01-31T09:00:00+01:00 2027-02-28T09:00:00+01:00"},
		{monday, berlin, "every 2 months on the 15th at 08:30", "every 2 months on the 15th at 08:30", "2026-12-15T08:30:00+01:00 2027-02-15T08:30:00+01:00"},
		{monday, berlin, "every 3 months on the 31st at 08:30", "every 3 months on the 31st at 08:30", "2026-12-31T08:30:00+01:00 2027-03-31T08:30:00+02:00 2027-12-31T08:30:00+01:00"},
		{monday, berlin, "every 2 months on the last day at 09:00 2 times", "every 2 months on the last day at 09:00 2 times", "2026-11-30T09:00:00+01:00 2027-01-31T09:00:00+01:00."},
		{monday, berlin, "every 30 minutes", "every 30 minutes", "2026-11-23T09:30:00+01:00 2026-11-23T10:00:00+01:00"},
		{monday, berlin, "every hour", "every hour", "2026-11-23T10:00:00+01:00 2026-11-23T11:00:00+01:00"},
		{monday, berlin, "tomorrow at 14:00", "2026-11-24 14:00", "2026-11-24T14:00:00+01:00."},
		{monday, berlin, "today at 9:05", "2026-11-23 09:05", "2026-11-23T09:05:00+01:00."},
		{monday, berlin, "friday 9am", "2026-11-27 09:00", "2026-11-27T09:00:00+01:00."},
		{monday, berlin, "monday 10am", "2026-11-23 10:00", "2026-11-23T10:00:00+01:00."},
		{monday, berlin, "monday 9am", "2026-11-30 09:00", "2026-11-30T09:00:00+01:00."},
		{monday, berlin, "on friday at 9 am", "2026-11-27 09:00", "2026-11-27T09:00:00+01:00."},
		{monday, berlin, "2027-06-01T14:00", "2027-06-01 14:00", "2027-06-01T14:00:00+02:00."},
		{monday, berlin, "2027-06-01T14:00:00Z", "2027-06-01 16:00", "2027-06-01T16:00:00+02:00."},
		{monday, berlin, "28 march at noon", "2027-03-28 12:00", "2027-03-28T12:00:00+02:00."},
		{monday, berlin, "march 28th, 2028 at 13:00", "2028-03-28 13:00", "2028-03-28T13:00:00+02:00."},
		{monday, berlin, "in 20 minutes", "2026-11-23 09:20", "2026-11-23T09:20:00+01:00."},
		{"2026-11-23T08:00:40Z", berlin, "in 20 minutes", "2026-11-23 09:21", "2026-11-23T09:21:00+01:00."},
		{monday, berlin, "in 2 hours", "2026-11-23 11:00", "2026-11-23T11:00:00+01:00."},
		{monday, berlin, "in 3 days", "2026-11-26 09:00", "2026-11-26T09:00:00+01:00."},
		{monday, berlin, "in 1 week at 14:00", "2026-11-30 14:00", "2026-11-30T14:00:00+01:00."},
		{monday, berlin, "countdown to 2026-11-25 every weekday at 09:00", "countdown to 2026-11-25 every weekday at 09:00", "2026-11-24T09:00:00+01:00 2026-11-25T09:00:00+01:00."},
		{monday, berlin, "countdown to 1 december tomorrow at 8am", "countdown to 2026-12-01 2026-11-24 08:00", "2026-11-24T08:00:00+01:00."},
		// Ends, weekends, zones.
		{monday, berlin, "every day at 08:00 until 2026-11-25", "every day at 08:00 until 2026-11-25", "2026-11-24T08:00:00+01:00 2026-11-25T08:00:00+01:00."},
		{monday, berlin, "every day at 08:00 2 times", "every day at 08:00 2 times", "2026-11-24T08:00:00+01:00 2026-11-25T08:00:00+01:00."},
		{monday, berlin, "10 times, until 2026-12-06, every weekday at 17:00", "every weekday at 17:00 until 2026-12-06 10 times", "2026-11-23T17:00:00+01:00 2026-11-24T17:00:00+01:00"},
		{monday, berlin, "every 2 hours 2 times", "every 2 hours 2 times", "2026-11-23T11:00:00+01:00 2026-11-23T13:00:00+01:00."},
		{"2026-11-27T20:00:00Z", berlin, "every 2 hours 3 times skip weekends", "every 2 hours 3 times skip weekends", "2026-11-27T23:00:00+01:00 2026-11-30T01:00:00+01:00 2026-11-30T03:00:00+01:00."},
		{"2026-11-27T12:00:00Z", berlin, "every day at 9am skip weekends 2 times", "every day at 09:00 2 times skip weekends", "2026-11-30T09:00:00+01:00 2026-12-01T09:00:00+01:00."},
		{monday, berlin, "every friday,saturday at 9am skip weekends", "every friday,saturday at 09:00 skip weekends", "2026-11-27T09:00:00+01:00 2026-12-04T09:00:00+01:00"},
		{monday, berlin, "every month on the 1st at 9am skip weekends", "every month on the 1st at 09:00 skip weekends", "2026-12-01T09:00:00+01:00 2027-01-01T09:00:00+01:00 2027-02-01T09:00:00+01:00 2027-03-01T09:00:00+01:00 2027-04-01T09:00:00+02:00 2027-06-01T09:00:00+02:00"},
		{monday, berlin, "every day at 09:00 america/NEW_york", "every day at 09:00 America/New_York", "2026-11-23T09:00:00-05:00 2026-11-24T09:00:00-05:00"},
		{monday, berlin, "every day at 09:00 in asia/tokyo time", "every day at 09:00 Asia/Tokyo", "2026-11-24T09:00:00+09:00"},
		{"2026-11-23T23:30:00Z", berlin, "tomorrow at 9am utc", "2026-11-24 09:00 UTC", "2026-11-24T09:00:00Z."},
		{"2026-11-23T23:30:00Z", berlin, "tomorrow at 9am", "2026-11-25 09:00", "2026-11-25T09:00:00+01:00."},
		// Month ends and 29 February.
		{"2027-01-30T12:00:00Z", berlin, "every month on the 31st at 09:00", "every month on the 31st at 09:00", "2027-01-31T09:00:00+01:00 2027-03-31T09:00:00+02:00 2027-05-31T09:00:00+02:00"},
		{"2027-01-30T12:00:00Z", berlin, "every month on the 29th at 09:00", "every month on the 29th at 09:00", "2027-03-29T09:00:00+02:00"},
		{"2028-01-30T12:00:00Z", berlin, "every month on the 29th at 09:00", "every month on the 29th at 09:00", "2028-02-29T09:00:00+01:00 2028-03-29T09:00:00+02:00"},
		{"2028-02-01T12:00:00Z", berlin, "every month on the last day at 09:00", "every month on the last day at 09:00", "2028-02-29T09:00:00+01:00 2028-03-31T09:00:00+02:00"},
		{monday, berlin, "feb 29 at 09:00", "2028-02-29 09:00", "2028-02-29T09:00:00+01:00."},
		{"2028-02-28T12:00:00Z", berlin, "tomorrow at 09:00", "2028-02-29 09:00", "2028-02-29T09:00:00+01:00."},
		// Berlin: 02:00 to 03:00 is skipped on 28 March 2027 and comes twice on 31 October.
		{monday, berlin, "2027-03-28 02:30", "2027-03-28 02:30", "2027-03-28T03:30:00+02:00."},
		{"2027-03-26T12:00:00Z", berlin, "every day at 02:30", "every day at 02:30", "2027-03-27T02:30:00+01:00 2027-03-28T03:30:00+02:00 2027-03-29T02:30:00+02:00"},
		{"2027-10-29T12:00:00Z", berlin, "every day at 02:30", "every day at 02:30", "2027-10-30T02:30:00+02:00 2027-10-31T02:30:00+02:00 2027-11-01T02:30:00+01:00"},
		{"2027-10-31T01:15:00Z", berlin, "in 20 minutes", "2027-10-31T02:35:00+01:00", "2027-10-31T02:35:00+01:00."},
		{"2027-10-31T00:15:00Z", berlin, "in 20 minutes", "2027-10-31 02:35", "2027-10-31T02:35:00+02:00."},
		{"2027-10-30T23:30:00Z", berlin, "every hour", "every hour", "2027-10-31T02:30:00+02:00 2027-10-31T02:30:00+01:00 2027-10-31T03:30:00+01:00"},
		{"2027-10-20T12:00:00Z", berlin, "every 2 weeks on monday at 09:00", "every 2 weeks on monday at 09:00", "2027-10-25T09:00:00+02:00 2027-11-08T09:00:00+01:00"},
		{"2027-03-20T12:00:00Z", berlin, "every 2 weeks on monday at 09:00", "every 2 weeks on monday at 09:00", "2027-03-22T09:00:00+01:00 2027-04-05T09:00:00+02:00 2027-04-19T09:00:00+02:00"},
		// New York: 14 March and 7 November 2027.
		{"2027-03-12T12:00:00Z", newYork, "every day at 02:15", "every day at 02:15", "2027-03-13T02:15:00-05:00 2027-03-14T03:15:00-04:00 2027-03-15T02:15:00-04:00"},
		{"2027-11-05T12:00:00Z", newYork, "every day at 01:30", "every day at 01:30", "2027-11-06T01:30:00-04:00 2027-11-07T01:30:00-04:00 2027-11-08T01:30:00-05:00"},
		{"2027-11-05T12:00:00Z", newYork, "every day at 02:00", "every day at 02:00", "2027-11-06T02:00:00-04:00 2027-11-07T02:00:00-05:00 2027-11-08T02:00:00-05:00"},
		// Sydney: 4 April and 3 October 2027.
		{"2027-04-02T12:00:00Z", sydney, "every day at 02:30", "every day at 02:30", "2027-04-03T02:30:00+11:00 2027-04-04T02:30:00+11:00 2027-04-05T02:30:00+10:00"},
		{"2027-10-01T12:00:00Z", sydney, "every day at 02:30", "every day at 02:30", "2027-10-02T02:30:00+10:00 2027-10-03T03:30:00+11:00 2027-10-04T02:30:00+11:00"},
		// Lord Howe moves by half an hour, on the same days.
		{"2027-04-02T12:00:00Z", lordHowe, "every day at 01:45", "every day at 01:45", "2027-04-03T01:45:00+11:00 2027-04-04T01:45:00+11:00 2027-04-05T01:45:00+10:30"},
		{"2027-10-01T12:00:00Z", lordHowe, "every day at 02:15", "every day at 02:15", "2027-10-02T02:15:00+10:30 2027-10-03T02:45:00+11:00 2027-10-04T02:15:00+11:00"},
	}
	if len(tests) < 60 {
		t.Fatalf("%d rows, want 60 or more", len(tests))
	}
	for _, test := range tests {
		now, err := time.Parse(time.RFC3339, test.now)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(test.text, now, location(t, test.zone))
		if err != nil {
			t.Errorf("Parse(%q) at %s: %v", test.text, test.now, err)
			continue
		}
		got := s.String()
		if name := s.Zone().String(); name != test.zone {
			got += " " + name
		}
		if got != test.want {
			t.Errorf("Parse(%q) = %q, want %q", test.text, got, test.want)
		}
		again, err := Parse(s.String(), s.Start(), s.Zone())
		if err != nil || again.String() != s.String() {
			t.Errorf("Parse(%q), its own words, = %q, %v", s, again, err)
		}
		want, ends := strings.CutSuffix(test.next, ".")
		wants := strings.Fields(want)
		for _, s := range []Schedule{s, again} {
			at := now
			for _, want := range wants {
				at = s.Next(at)
				if got := at.Format(time.RFC3339); got != want {
					t.Errorf("%q at %s: next is %s, want %s", test.text, test.now, got, want)
				}
			}
			if ends {
				if at = s.Next(at); !at.IsZero() {
					t.Errorf("%q at %s: next is %s, want none", test.text, test.now, at)
				}
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	tests := []struct {
		text string
		want string // in the problem
	}{
		{"", "nothing about when"},
		{"   ", "nothing about when"},
		{"asdf", `did not understand "asdf"`},
		{"every day at 9:00 please", `did not understand "please"`},
		{"evry day at 9:00", `Did you mean "every"`},
		{"every mondey at 9:00", `Did you mean "monday"`},
		{"every fortnight at 9:00", `"fortnight". Did you mean "every 2 weeks on monday at 09:00"?`},
		{"daily at 9:00", `"daily". Did you mean "every day at 09:00"?`},
		{"every day at 9:00 abot", `Did you mean "about"?`},
		{"yesterday at 9:00", "in the past"},
		{"foo", `did not understand "foo".`},
		{"every day at 9:00 pst", "Did you mean America/Los_Angeles?"},
		{"every day at 9.30", "such as 09:00, 9am or 17:30"},
		{"every", "Every what?"},
		{"every day", "At what time?"},
		{"every day at", "expected a time of day"},
		{"every day at 25:00", "no time of day"},
		{"every day at 13pm", "no time of day"},
		{"every day at 0am", "no time of day"},
		{"every day at 9", `"9" may be morning or evening`},
		{"every day at 9:5", `not "9:5"`},
		{"every day at 9:00 and 10:00", "one time of day"},
		{"every day every week on monday at 9:00", "once on which days"},
		{"at 9:00", "On which day"},
		{"tomorrow", "At what time?"},
		{"every week at 9:00", "On which day of the week?"},
		{"every 2 weeks on 9:00", "expected a day of the week"},
		{"every month at 9:00", "On which day of the month?"},
		{"every month on the 32nd at 9:00", "No month has a 32nd"},
		{"every month on the first monday at 9:00", "expected a day of the month"},
		{"every 4 minutes", "shortest interval is 5 minutes"},
		{"every 10 seconds", "shortest interval is 5 minutes"},
		{"in 4 minutes", "shortest is 5 minutes"},
		{"in 30 seconds", "shortest is 5 minutes"},
		{"every 0 days at 9:00", "from 1 to 1000"},
		{"every 100000 days at 9:00", "from 1 to 1000"},
		{"every 5 minutes at 9:00", "no time of day"},
		{"in soon", `no time zone "soon"`},
		{"in 5 bananas", "expected minutes, hours, days or weeks"},
		{"in 99999999 days", "more than 10 years"},
		{"in 99999999 minutes", "more than 10 years"},
		{"2099-01-01 09:00", "more than 10 years"},
		{"2026-11-23 08:00", "is in the past"},
		{"today at 9:00", "is in the past"},
		{"2025-01-01 09:00", "is in the past"},
		{"31 february at 9:00", "31 february does not exist: February has 29 days"},
		{"2027-02-31 09:00", "2027-02-31 does not exist: February 2027 has 28 days"},
		{"2027-02-29 09:00", "does not exist"},
		{"2027-13-01 09:00", "a year has 12 months"},
		{"2027-04-00 09:00", "does not exist"},
		{"0 march at 9:00", "does not exist"},
		{"01/02/2027 at 9:00", "Write a date as 2027-05-01"},
		{"1.2.2027 at 9:00", "Write a date as 2027-05-01"},
		{"every day at 9:00 until 2026-01-01", "in the past"},
		{"every day at 9:00 until christmas", "expected a date"},
		{"every saturday at 9:00 until 2026-11-24", "never due"},
		{"every saturday,sunday at 9:00 skip weekends", "never due"},
		{"every month on the 31st at 9:00 until 2026-12-30", "never due"},
		{"every day at 9:00 0 times", "from 1 to 1000"},
		{"every day at 9:00 5000 times", "from 1 to 1000"},
		{"every day at 9:00 five times", "from 1 to 1000"},
		{"tomorrow at 9:00 10 times", "comes only once"},
		{"tomorrow at 9:00 skip weekends", "comes only once"},
		{"countdown to 2027-05-01", "How often should it count down?"},
		{"countdown to may", "expected a date"},
		{"every day at 9:00 Europe/Berln", "Did you mean Europe/Berlin?"},
		{"every day at 9:00 berlin", "Did you mean Europe/Berlin?"},
		{"every day at 9:00 in new york", `no time zone "new"`},
		{"every day at 9:00 Mars/Olympus", "Zones have names such as Europe/Berlin"},
		{"every day at 9:00 Europe/Paris Europe/Berlin", "one time zone"},
		{"FREQ=DAILY;INTERVAL=1", "did not understand"},
		{"* * * * *", `did not understand "*"`},
		{"\x00\xff every day", "did not understand"},
		{strings.Repeat("every day at 9:00 ", 100), "longer than 300"},
	}
	berlin := location(t, "Europe/Berlin")
	for _, test := range tests {
		s, err := Parse(test.text, now, berlin)
		var r *bot.Refusal
		if !errors.As(err, &r) {
			t.Errorf("Parse(%q) = %q, %v, want a refusal", test.text, s, err)
			continue
		}
		if !strings.Contains(r.Problem, test.want) {
			t.Errorf("Parse(%q): %q, want %q in it", test.text, r.Problem, test.want)
		}
		if len(r.Hints) != 3 {
			t.Errorf("Parse(%q) shows %d examples, want 3", test.text, len(r.Hints))
		}
	}
	said := slices.Clone(examples)
	for _, meant := range otherWords {
		said = append(said, meant)
	}
	for word, zone := range otherZones {
		said = append(said, "every day at 09:00 "+zone)
		if _, known := zoneNames()[word]; known {
			t.Errorf("%s is a zone", word)
		}
	}
	for _, example := range said {
		if _, err := Parse(example, now, berlin); err != nil {
			t.Errorf("the example %q: %v", example, err)
		}
	}
}

// TestClock lets a day of real waiting pass: a schedule made from the clock is
// due when the clock says so.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Parse("every 2 hours", time.Now(), time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		for i := range 12 {
			time.Sleep(time.Until(s.Next(time.Now())))
			if got, want := time.Since(begin), time.Duration(i+1)*2*time.Hour; got != want {
				t.Errorf("occurrence %d after %v, want %v", i, got, want)
			}
		}
	})
}

func TestUpcoming(t *testing.T) {
	now := time.Date(2027, 3, 26, 12, 0, 0, 0, time.UTC)
	tests := []struct{ text, want string }{
		{"every day at 02:30", "|moved from 02:30, which the clocks skip|"},
		{"every day at 09:00", "|clocks have changed from UTC+1 to UTC+2|"},
		{"2027-10-31 02:30", "the first of two 02:30, as clocks go back"},
	}
	for _, test := range tests {
		s, err := Parse(test.text, now, location(t, "Europe/Berlin"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range s.Upcoming(now, 3) {
			got = append(got, o.Shift)
		}
		if got := strings.Join(got, "|"); got != test.want {
			t.Errorf("Upcoming of %q: shifts %q, want %q", test.text, got, test.want)
		}
	}
}

// TestLater: a schedule that is years old is counted in step with its first
// day, and fast.
func TestLater(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for _, text := range []string{"every day at 02:30", "every 3 days at 02:30", "every weekday at 09:00",
		"every 2 weeks on monday,friday at 01:30", "every 3 months on the 30th at 02:30", "every month on the last day at 02:30",
		"every 7 hours skip weekends", "every month on the 29th at 02:00 skip weekends"} {
		s, err := Parse(text, now, location(t, "Europe/Berlin"))
		if err != nil {
			t.Fatal(err)
		}
		at := now
		for range 3000 {
			next := s.Next(at)
			if next.IsZero() || !next.After(at) {
				t.Fatalf("%q after %s: %s", text, at, next)
			}
			// From anywhere between two occurrences the later one is next.
			between := at.Add(time.Duration(rand.Int64N(int64(next.Sub(at)))))
			if got := s.Next(between); !got.Equal(next) {
				t.Fatalf("%q: next after %s is %s, after %s it is %s", text, at, next, between, got)
			}
			at = next
			if at.Year() > 2040 {
				break
			}
		}
		// Counted through, without skipping ahead, the occurrences are the same.
		counted := s
		counted.times = maxTimes
		a, b := now, now
		for i := range maxTimes / 4 {
			a, b = s.Next(a), counted.Next(b)
			if !a.Equal(b) {
				t.Fatalf("%q: occurrence %d is %s, counted through it is %s", text, i, a, b)
			}
		}
	}
}

func TestZoneList(t *testing.T) {
	if len(zoneNames()) < 590 {
		t.Errorf("%d zones", len(zoneNames()))
	}
	for _, name := range zoneNames() {
		if _, err := time.LoadLocation(name); err != nil {
			t.Errorf("zones.txt: %v", err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"every day at 09:00", "every 2 weeks on friday at 16:00 until 2027-01-31", "every month on the last day at 9am Europe/Berlin",
		"countdown to 2027-05-01 every weekday at 09:00 skip weekends", "in 20 minutes", "2027-03-28 02:30", "28 march, 2028 at noon", "every 5 minutes 1000 times skip weekends",
		"2027-10-31t02:35:00+01:00", "every other week on mon, tue and wed at 9 pm 10 times", "tomorrow at 14:00 america/st_johns", "feb 29 9am", "in in in", "every every", "at at"} {
		f.Add(seed, int64(1795420800))
	}
	zone := location(f, "Australia/Lord_Howe")
	f.Fuzz(func(t *testing.T, text string, at int64) {
		now := time.Unix(at%4e9, 0)
		s, err := Parse(text, now, zone)
		// The best of a few: the machine has other things to do as well.
		best := time.Hour
		for n := 0; best > 5*time.Millisecond && n < 20; n++ {
			begin := time.Now()
			Parse(text, now, zone)
			best = min(best, time.Since(begin))
		}
		if best > 5*time.Millisecond {
			t.Errorf("Parse(%q) takes %v, want at most 5 ms", text, best)
		}
		if err != nil {
			var r *bot.Refusal
			if !errors.As(err, &r) {
				t.Errorf("Parse(%q): %v is no refusal", text, err)
			}
			return
		}
		again, err := Parse(s.String(), s.Start(), s.Zone())
		if err != nil || again.String() != s.String() {
			t.Fatalf("Parse(%q) = %q, which reads %q, %v", text, s, again, err)
		}
		a, b := s.Upcoming(now, 5), again.Upcoming(now, 5)
		if len(a) == 0 || len(a) != len(b) {
			t.Fatalf("%q: %d occurrences, of its own words %d", text, len(a), len(b))
		}
		before := now
		for i := range a {
			if !a[i].At.Equal(b[i].At) || !a[i].At.After(before) {
				t.Fatalf("%q: %s after %s, of its own words %s", text, a[i].At, before, b[i].At)
			}
			before = a[i].At
		}
	})
}

func BenchmarkParse(b *testing.B) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for _, text := range []string{"every 2 weeks on friday at 16:00 Europe/Berlin until 2027-01-31", "every day at 9:00 Europe/Berln",
		"every 5 minutes 1000 times skip weekends until 2030-01-01"} {
		b.Run(strings.ReplaceAll(text, " ", "_"), func(b *testing.B) {
			for b.Loop() {
				Parse(text, now, time.UTC)
			}
		})
	}
}
