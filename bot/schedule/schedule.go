// Package schedule is podium's reminders: the grammar in which people say when
// (Parse), the occurrences that follow (Schedule.Next), and the workers that
// post each occurrence once (Reminders).
//
// The workers are River's, on SQLite or PostgreSQL; this package is the only
// one that imports River, and keeps River's tables. Reminders and deliveries
// themselves are in bot/store.
package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones are known on machines without a zone database, too

	"github.com/teambition/rrule-go"

	"podium/bot"
)

// A unit is what a recurring schedule counts in.
type unit int

const (
	once unit = iota
	minutes
	hours
	days
	weeks
	months
)

func (u unit) String() string {
	return [...]string{"once", "minute", "hour", "day", "week", "month"}[u]
}

// lastDay is the day of the month of "every month on the last day".
const lastDay = -1

// A Schedule says when a reminder is due. Parse makes it; its String, its Zone
// and its Start make the same Schedule again.
type Schedule struct {
	unit         unit
	interval     int            // every so many units
	weekdays     []time.Weekday // sorted from Monday; of days and weeks
	monthDay     int            // 1 to 31 or lastDay; of months
	clock        clock          // of days, weeks and months
	at           time.Time      // of once
	wall         time.Time      // of once: what the wall clock is to show, in UTC; zero where it shows that twice and at is the second
	until        date           // last day on which it may be due; zero: no end
	times        int            // how often it is due at most; 0: no end
	skipWeekends bool
	countdown    date // day that the post counts down to; zero: no countdown
	zone         *time.Location
	start        time.Time // due only after it; every 2 weeks counts from its week
}

// A clock is a time of day.
type clock struct{ hour, minute int }

func (c clock) String() string { return fmt.Sprintf("%02d:%02d", c.hour, c.minute) }

// A date is a day of the calendar in no particular zone. The zero value is no
// day.
type date struct {
	year  int
	month time.Month
	day   int
}

func dateOf(t time.Time) date {
	y, m, d := t.Date()
	return date{y, m, d}
}

// at is the day at c on a clock that is never put forward or back: UTC stands
// in for it.
func (d date) at(c clock) time.Time {
	return time.Date(d.year, d.month, d.day, c.hour, c.minute, 0, 0, time.UTC)
}

func (d date) add(days int) date  { return dateOf(d.at(clock{}).AddDate(0, 0, days)) }
func (d date) before(e date) bool { return d.at(clock{}).Before(e.at(clock{})) }
func (d date) zero() bool         { return d == date{} }
func (d date) String() string     { return fmt.Sprintf("%04d-%02d-%02d", d.year, d.month, d.day) }
func (d date) weekday() time.Weekday {
	return d.at(clock{}).Weekday()
}

// String is the schedule in the grammar's own words, without the zone.
func (s Schedule) String() string {
	var b strings.Builder
	if !s.countdown.zero() {
		b.WriteString("countdown to " + s.countdown.String() + " ")
	}
	plural := ""
	if s.interval > 1 {
		plural = fmt.Sprintf("%d %ss", s.interval, s.unit)
	}
	switch s.unit {
	case once:
		if s.wall.IsZero() {
			b.WriteString(s.at.In(s.zone).Format(time.RFC3339))
		} else {
			b.WriteString(s.wall.Format("2006-01-02 15:04"))
		}
	case minutes, hours:
		b.WriteString("every " + or(plural, s.unit.String()))
	case days:
		switch {
		case plural != "":
			b.WriteString("every " + plural)
		case slices.Equal(s.weekdays, workdays):
			b.WriteString("every weekday")
		default:
			b.WriteString("every day")
		}
	case weeks:
		b.WriteString("every ")
		if plural != "" {
			b.WriteString(plural + " on ")
		}
		for i, d := range s.weekdays {
			if i > 0 {
				b.WriteString(",")
			}
			b.WriteString(strings.ToLower(d.String()))
		}
	case months:
		b.WriteString("every " + or(plural, "month") + " on the ")
		if s.monthDay == lastDay {
			b.WriteString("last day")
		} else {
			b.WriteString(ordinal(s.monthDay))
		}
	}
	if s.unit >= days {
		b.WriteString(" at " + s.clock.String())
	}
	if !s.until.zero() {
		b.WriteString(" until " + s.until.String())
	}
	if s.times > 0 {
		fmt.Fprintf(&b, " %d times", s.times)
	}
	if s.skipWeekends {
		b.WriteString(" skip weekends")
	}
	return b.String()
}

// Zone is the schedule's time zone.
func (s Schedule) Zone() *time.Location { return s.zone }

// Start is the moment that the schedule was made.
func (s Schedule) Start() time.Time { return s.start }

// Once reports whether the schedule is due only once.
func (s Schedule) Once() bool { return s.unit == once }

// Countdown is midnight of the day that the post counts down to, in the
// schedule's zone; ok is false where it does not.
func (s Schedule) Countdown() (day time.Time, ok bool) {
	if s.countdown.zero() {
		return time.Time{}, false
	}
	c := s.countdown
	return time.Date(c.year, c.month, c.day, 0, 0, 0, 0, s.zone), true
}

// Next is the first occurrence after t, in the schedule's zone; zero if there
// is none.
func (s Schedule) Next(t time.Time) time.Time {
	if t.Before(s.start) {
		t = s.start
	}
	var next time.Time
	switch s.unit {
	case once:
		next = s.at
	case minutes, hours:
		next = s.nextInterval(t)
	default:
		next = s.nextDay(t)
	}
	if next.IsZero() || !next.After(t) {
		return time.Time{}
	}
	next = next.In(s.zone)
	for _, end := range []date{s.until, s.countdown} {
		if !end.zero() && end.before(dateOf(next)) {
			return time.Time{}
		}
	}
	return next
}

// nextInterval counts minutes and hours as they pass: no daylight saving bends
// them.
func (s Schedule) nextInterval(t time.Time) time.Time {
	step := time.Duration(s.interval) * time.Minute
	if s.unit == hours {
		step *= 60
	}
	begin := s.start.Truncate(time.Minute)
	if s.times == 0 {
		begin = begin.Add(t.Sub(begin) / step * step)
	}
	// A weekend holds at most 577 steps of five minutes.
	for n := 0; s.times == 0 || n < s.times; {
		begin = begin.Add(step)
		if s.skipWeekends && weekend(begin.In(s.zone).Weekday()) {
			continue
		}
		if begin.After(t) {
			return begin
		}
		n++
	}
	return time.Time{}
}

// nextDay lets rrule find the days on a clock without daylight saving, and
// turns each into a moment in the zone.
func (s Schedule) nextDay(t time.Time) time.Time {
	first := s.first()
	option := rrule.ROption{
		Interval: s.interval,
		Dtstart:  first.at(s.clock),
		Wkst:     rrule.MO,
		Count:    s.times,
	}
	wanted := s.weekdays
	if s.skipWeekends {
		if len(wanted) == 0 {
			wanted = workdays
		}
		wanted = slices.DeleteFunc(slices.Clone(wanted), weekend)
		if len(wanted) == 0 {
			return time.Time{}
		}
	}
	for _, d := range wanted {
		option.Byweekday = append(option.Byweekday, rruleDays[d])
	}
	switch s.unit {
	case days:
		option.Freq = rrule.DAILY
	case weeks:
		option.Freq = rrule.WEEKLY
	case months:
		option.Freq = rrule.MONTHLY
		option.Bymonthday = []int{s.monthDay}
	}
	after := floating(t.In(s.zone)).AddDate(0, 0, -1)
	if s.times == 0 {
		option.Dtstart = s.skipAhead(first, dateOf(after)).at(s.clock)
	}
	rule, err := rrule.NewRRule(option)
	if err != nil { // the fields are in rrule's bounds
		return time.Time{}
	}
	for wall := rule.After(after, false); !wall.IsZero(); wall = rule.After(wall, false) {
		if at, _ := resolve(wall, s.zone); at.After(t) {
			return at
		}
	}
	return time.Time{}
}

// first is the first day of the schedule that is not over at its start, from
// which its weeks, days and times are counted.
func (s Schedule) first() date {
	d := dateOf(s.start.In(s.zone))
	if at, _ := resolve(d.at(s.clock), s.zone); !at.After(s.start) {
		d = d.add(1)
	}
	for s.unit == weeks && !slices.Contains(s.weekdays, d.weekday()) || s.unit == months && !s.onMonthDay(d) {
		d = d.add(1)
	}
	return d
}

func (s Schedule) onMonthDay(d date) bool {
	if s.monthDay == lastDay {
		return d.add(1).day == 1
	}
	return d.day == s.monthDay
}

// skipAhead is a day in step with first and not after target, so that an old
// schedule need not be counted through from its first day.
func (s Schedule) skipAhead(first, target date) date {
	if !first.before(target) {
		return first
	}
	switch s.unit {
	case months:
		n := (target.year-first.year)*12 + int(target.month-first.month) - 1
		n -= n % s.interval
		if n <= 0 {
			return first
		}
		return dateOf(time.Date(first.year, first.month+time.Month(n), 1, 0, 0, 0, 0, time.UTC))
	default:
		step := s.interval
		if s.unit == weeks {
			step *= 7
		}
		n := int(target.at(clock{}).Sub(first.at(clock{})) / (24 * time.Hour))
		n -= n % step
		if s.unit == weeks {
			// From the Monday of the first week: all of a week's days are in step.
			first = first.add(-(int(first.weekday()) + 6) % 7)
		}
		return first.add(n)
	}
}

// Upcoming is the first n occurrences after t, each with the daylight-saving
// shift that it meets.
func (s Schedule) Upcoming(t time.Time, n int) []bot.Occurrence {
	var list []bot.Occurrence
	for range n {
		next := s.Next(t)
		if next.IsZero() {
			break
		}
		o := bot.Occurrence{At: next}
		switch {
		case s.unit >= days:
			_, o.Shift = resolve(dateOf(next).at(s.clock), s.zone)
		case !s.wall.IsZero():
			_, o.Shift = resolve(s.wall, s.zone)
		}
		if o.Shift == "" && len(list) > 0 {
			before := list[len(list)-1].At
			if from, to := offset(before), offset(next); from != to {
				o.Shift = "clocks have changed from " + from + " to " + to
			}
		}
		list = append(list, o)
		t = next
	}
	return list
}

// floating is what the clock on the wall shows at t, in UTC.
func floating(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// resolve is the moment at which the wall clock of zone shows what wall shows.
// A time that the clocks skip moves forward by what they skip; of a time that
// they show twice it is the first. Shift says so.
func resolve(wall time.Time, zone *time.Location) (at time.Time, shift string) {
	_, before := wall.AddDate(0, 0, -1).In(zone).Zone()
	_, after := wall.AddDate(0, 0, 1).In(zone).Zone()
	early := wall.Add(-time.Duration(before) * time.Second).In(zone)
	late := wall.Add(-time.Duration(after) * time.Second).In(zone)
	switch {
	case floating(early).Equal(wall):
		if before > after && floating(late).Equal(wall) {
			shift = "the first of two " + wall.Format("15:04") + ", as clocks go back"
		}
		return early, shift
	case floating(late).Equal(wall):
		return late, ""
	default:
		return early, "moved from " + wall.Format("15:04") + ", which the clocks skip"
	}
}

// offset is t's distance from UTC: "UTC+1", "UTC-3:30", "UTC".
func offset(t time.Time) string {
	_, sec := t.Zone()
	if sec == 0 {
		return "UTC"
	}
	sign := '+'
	if sec < 0 {
		sign, sec = '-', -sec
	}
	s := fmt.Sprintf("UTC%c%d", sign, sec/3600)
	if m := sec % 3600 / 60; m > 0 {
		s += fmt.Sprintf(":%02d", m)
	}
	return s
}

var workdays = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}

var rruleDays = [...]rrule.Weekday{rrule.SU, rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA}

func weekend(d time.Weekday) bool { return d == time.Saturday || d == time.Sunday }

func or(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprintf("%d%s", n, suffix)
}
