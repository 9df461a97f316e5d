package schedule

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"podium/bot"
)

// The bounds of the grammar.
const (
	maxText      = 300              // bytes of a schedule in words
	minInterval  = 5 * time.Minute  // between two posts of a reminder, and before the first
	maxAhead     = 10               // years until a date
	maxTimes     = 1000             // "1000 times"
	maxIntervals = 1000             // "every 1000 days"
	timeFormat   = "Mon 2 Jan 2006" // of days in refusals
)

// examples stand below a refusal: together they show every kind of schedule.
var examples = []string{"every weekday at 09:00", "every 2 weeks on friday at 16:00 until 2027-01-31", "tomorrow at 14:00 Europe/Berlin"}

// Parse reads a schedule as people write it:
//
//	every day|weekday|monday,thursday at 09:00
//	every 2 weeks on friday at 16:00, every 3 days at 9am
//	every month on the 1st|last day at 9am
//	every 30 minutes, every 2 hours
//	tomorrow at 14:00, friday 9am, 2027-03-28 02:30, 28 march at noon
//	in 20 minutes|2 hours|3 days|2 weeks
//	countdown to 2027-05-01 every weekday at 09:00
//
// each with an optional IANA zone in any case, an end ("until 2027-01-31",
// "10 times") and "skip weekends". Clauses may stand in any order; every word
// is understood or the whole is refused: the error is then a *bot.Refusal.
// zone holds where the text names none; start is now.
func Parse(text string, start time.Time, zone *time.Location) (Schedule, error) {
	if len(text) > maxText {
		return Schedule{}, refuse("That schedule is longer than %d characters.", maxText)
	}
	p := parser{words: split(text)}
	if len(p.words) == 0 {
		return Schedule{}, refuse("That says nothing about when.")
	}
	zone, err := p.takeZone(zone)
	if err != nil {
		return Schedule{}, err
	}
	p.now = start.In(zone)
	p.s = Schedule{start: p.now, zone: zone}
	for len(p.words) > 0 {
		if err := p.clause(); err != nil {
			return Schedule{}, err
		}
	}
	return p.finish()
}

// Reread makes again the Schedule of a reminder that Parse once accepted. The
// times in it may have passed by now.
func Reread(r bot.Reminder) (Schedule, error) {
	zone, err := time.LoadLocation(r.Zone)
	if err != nil {
		return Schedule{}, err
	}
	return Parse(r.Schedule, r.Start, zone)
}

type parser struct {
	words    []string // what is still to be read, in lower case
	now      time.Time
	s        Schedule
	when     string // the clause that says on which days, as written
	day      date   // of a single day
	hasClock bool
	exact    bool // the moment itself was given
}

// split cuts text into lower-case words; commas are words of their own.
func split(text string) []string {
	text = strings.ToLower(strings.ReplaceAll(text, ",", " , "))
	words := strings.Fields(text)
	if n := len(words); n > 0 {
		words[n-1] = strings.TrimRight(words[n-1], ".!")
		if words[n-1] == "" {
			words = words[:n-1]
		}
	}
	return words
}

// take removes the next words if they are these.
func (p *parser) take(words ...string) bool {
	if len(p.words) < len(words) || !slices.Equal(p.words[:len(words)], words) {
		return false
	}
	p.words = p.words[len(words):]
	return true
}

// peek is the i-th of the words still to be read, or empty.
func (p *parser) peek(i int) string {
	if i < len(p.words) {
		return p.words[i]
	}
	return ""
}

// takeZone removes the zone, wherever it stands: it decides what "tomorrow" is.
func (p *parser) takeZone(zone *time.Location) (*time.Location, error) {
	found := ""
	for i := 0; i < len(p.words); i++ {
		w := p.words[i]
		name, ok := zoneNames()[w]
		if !ok {
			if strings.Contains(w, "/") && !strings.ContainsAny(w, "0123456789") {
				return nil, unknownZone(w)
			}
			continue
		}
		if found != "" && found != name {
			return nil, refuse("A schedule has one time zone; I read both %s and %s.", found, name)
		}
		found = name
		from, to := i, i+1
		if i > 0 && p.words[i-1] == "in" {
			from--
		}
		if p.peek(to) == "time" {
			to++
		}
		p.words = slices.Delete(p.words, from, to)
		i = from - 1
	}
	if found == "" {
		return zone, nil
	}
	return time.LoadLocation(found)
}

// clause reads one clause of the schedule.
func (p *parser) clause() error {
	switch w := p.peek(0); {
	case p.take(","), w == "and" && p.when != "" && p.take("and"):
		return nil
	case p.take("every"):
		return p.every()
	case p.take("countdown", "to"), p.take("countdown"):
		if !p.s.countdown.zero() {
			return refuse("A schedule counts down to one day.")
		}
		d, err := p.date("countdown to 2027-05-01 every weekday at 09:00")
		p.s.countdown = d
		return err
	case p.take("until"), p.take("till"):
		if !p.s.until.zero() {
			return refuse("A schedule has one end.")
		}
		d, err := p.date("every day at 09:00 until 2027-01-31")
		p.s.until = d
		return err
	case p.take("skip", "weekends"), p.take("skip", "weekend"):
		p.s.skipWeekends = true
		return nil
	case p.peek(1) == "times" || p.peek(1) == "time":
		n, err := strconv.Atoi(w)
		if err != nil || n < 1 || n > maxTimes {
			return refuse("%q: say a number from 1 to %d.", w+" times", maxTimes)
		}
		if p.s.times != 0 {
			return refuse("A schedule has one number of times.")
		}
		p.words = p.words[2:]
		p.s.times = n
		return nil
	case w == "in":
		return p.in()
	case p.take("at"):
		c, ok, err := p.clock()
		if err == nil && !ok {
			err = refuse("I expected a time of day after %q%s, such as 09:00, 9am or 17:30.", "at", readInstead(p.peek(0)))
		}
		if err != nil {
			return err
		}
		return p.setClock(c)
	}
	c, ok, err := p.clock()
	if err != nil {
		return err
	}
	if ok {
		return p.setClock(c)
	}
	return p.single()
}

func (p *parser) setClock(c clock) error {
	if p.hasClock {
		return refuse("A schedule has one time of day; I read both %s and %s. Set a second reminder for the other.", p.s.clock, c)
	}
	p.s.clock, p.hasClock = c, true
	return nil
}

func (p *parser) setWhen(when string) error {
	if p.when != "" {
		return refuse("A schedule says once on which days; I read both %q and %q.", p.when, when)
	}
	p.when = when
	return nil
}

// every reads what follows "every".
func (p *parser) every() error {
	p.s.interval = 1
	if p.take("other") {
		p.s.interval = 2
	} else if n, err := strconv.Atoi(p.peek(0)); err == nil {
		if n < 1 || n > maxIntervals {
			return refuse("%q: say a number from 1 to %d.", "every "+p.peek(0), maxIntervals)
		}
		p.s.interval = n
		p.words = p.words[1:]
	}
	w := p.peek(0)
	switch {
	case p.take("minute"), p.take("minutes"):
		p.s.unit = minutes
		if time.Duration(p.s.interval)*time.Minute < minInterval {
			return refuse("Every %s is too often: the shortest interval is 5 minutes.", count(p.s.interval, "minute"))
		}
	case p.take("second"), p.take("seconds"):
		return refuse("Every %s is too often: the shortest interval is 5 minutes.", count(p.s.interval, "second"))
	case p.take("hour"), p.take("hours"):
		p.s.unit = hours
	case p.take("day"), p.take("days"):
		p.s.unit = days
	case p.s.interval == 1 && (p.take("weekday") || p.take("weekdays") || p.take("workday")):
		p.s.unit, p.s.weekdays = days, workdays
	case p.take("week"), p.take("weeks"):
		p.s.unit = weeks
		if !p.take("on") {
			return refuseLike("every "+or(plural(p.s.interval, "week"), "week")+" on friday at 16:00", "On which day of the week?")
		}
		if err := p.dayList(); err != nil {
			return err
		}
	case p.take("month"), p.take("months"):
		p.s.unit = months
		if err := p.onMonthDay(); err != nil {
			return err
		}
	case p.s.interval == 1 && isWeekday(w):
		p.s.unit = weeks
		if err := p.dayList(); err != nil {
			return err
		}
	case w == "":
		return refuse("Every what?")
	default:
		return notUnderstood(w)
	}
	return p.setWhen("every " + w)
}

// dayList reads "monday, thursday and friday".
func (p *parser) dayList() error {
	if !isWeekday(p.peek(0)) {
		return refuse("I expected a day of the week%s.", readInstead(p.peek(0)))
	}
	for isWeekday(p.peek(0)) {
		d := weekdayNames[p.peek(0)]
		if !slices.Contains(p.s.weekdays, d) {
			p.s.weekdays = append(p.s.weekdays, d)
		}
		p.words = p.words[1:]
		if isWeekday(p.peek(1)) && (p.peek(0) == "," || p.peek(0) == "and") {
			p.words = p.words[1:]
		} else if isWeekday(p.peek(2)) && p.peek(0) == "," && p.peek(1) == "and" {
			p.words = p.words[2:]
		}
	}
	slices.SortFunc(p.s.weekdays, func(a, b time.Weekday) int { return int(a+6)%7 - int(b+6)%7 })
	return nil
}

// onMonthDay reads "on the 1st" and "on the last day".
func (p *parser) onMonthDay() error {
	if !p.take("on") {
		return refuseLike("every month on the last day at 17:00", "On which day of the month?")
	}
	p.take("the")
	if p.take("last", "day") {
		p.s.monthDay = lastDay
		return nil
	}
	w := p.peek(0)
	n, ok := dayNumber(w)
	if !ok {
		return refuse("I expected a day of the month%s, such as 1st, 15th or last day.", readInstead(w))
	}
	if n < 1 || n > 31 {
		return refuse("No month has a %s.", ordinal(n))
	}
	p.words = p.words[1:]
	p.s.monthDay = n
	return nil
}

// in reads "in 20 minutes".
func (p *parser) in() error {
	n, err := strconv.Atoi(p.peek(1))
	if err != nil || n < 1 {
		if zone := p.peek(1); zone != "" && !isDigit(zone[0]) {
			return unknownZone(zone)
		}
		return refuse("I expected a length of time after %q%s, such as 20 minutes, 2 hours or 3 days.", "in", readInstead(p.peek(1)))
	}
	word := strings.TrimSuffix(p.peek(2), "s")
	var at time.Time
	// A number that overflows is far beyond maxAhead years, too.
	far := n > maxAhead*366*24*60
	switch word {
	case "second":
		return refuse("In %s is too soon: the shortest is 5 minutes.", count(n, "second"))
	case "minute", "min":
		at = p.now.Add(time.Duration(min(n, 1e7)) * time.Minute)
		if n < int(minInterval/time.Minute) {
			return refuse("In %s is too soon: the shortest is 5 minutes.", count(n, "minute"))
		}
	case "hour":
		at = p.now.Add(time.Duration(min(n, 1e6)) * time.Hour)
	case "day":
		p.day = dateOf(p.now).add(min(n, 1e5))
	case "week":
		p.day = dateOf(p.now).add(7 * min(n, 1e5))
	default:
		return refuse("I expected minutes, hours, days or weeks after %q%s.", "in "+p.peek(1), readInstead(p.peek(2)))
	}
	if far || p.tooFar(at) || p.tooFar(p.day.at(clock{})) {
		return refuse("That is more than %d years ahead.", maxAhead)
	}
	p.words = p.words[3:]
	if !at.IsZero() {
		p.s.at, p.exact = at.Round(time.Minute), true
	}
	return p.setWhen("in " + count(n, word))
}

// single reads a day that comes once: "tomorrow", "friday", "on 28 march".
func (p *parser) single() error {
	w := p.peek(0)
	if at, err := time.Parse(time.RFC3339, strings.ToUpper(w)); err == nil {
		p.words = p.words[1:]
		p.s.at, p.exact = at.In(p.s.zone).Truncate(time.Minute), true
		if p.tooFar(at) {
			return refuse("%s is more than %d years ahead.", at.Format(time.DateOnly), maxAhead)
		}
		return p.setWhen(w)
	}
	if day, clock, ok := strings.Cut(w, "t"); ok && isoDate.MatchString(day) {
		p.words = append([]string{day, clock}, p.words[1:]...)
		return nil
	}
	today := dateOf(p.now)
	switch {
	case p.take("today"):
		p.day = today
		return p.setWhen(w)
	case p.take("tomorrow"):
		p.day = today.add(1)
		return p.setWhen(w)
	}
	on := p.take("on")
	if w := p.peek(0); isWeekday(w) {
		p.words = p.words[1:]
		want := weekdayNames[w]
		p.day = today
		for p.day.weekday() != want {
			p.day = p.day.add(1)
		}
		return p.setWhen(w)
	}
	if !startsDate(p.peek(0), p.peek(1)) {
		if on {
			return refuse("I expected a day after %q%s.", "on", readInstead(p.peek(0)))
		}
		return notUnderstood(w)
	}
	d, err := p.date("2027-03-28 02:30")
	if err != nil {
		return err
	}
	p.day = d
	return p.setWhen(d.String())
}

// date reads a day of the calendar.
func (p *parser) date(example string) (date, error) {
	w := p.peek(0)
	if isoDate.MatchString(w) {
		year, _ := strconv.Atoi(w[:4])
		month, _ := strconv.Atoi(w[5:7])
		day, _ := strconv.Atoi(w[8:])
		p.words = p.words[1:]
		return p.checkDate(w, date{year, time.Month(month), day})
	}
	var d date
	var used int
	if n, ok := dayNumber(w); ok && monthNames[p.peek(1)] != 0 { // 28 march
		d, used = date{0, monthNames[p.peek(1)], n}, 2
	} else if n, ok := dayNumber(p.peek(1)); ok && monthNames[w] != 0 { // march 28
		d, used = date{0, monthNames[w], n}, 2
	} else {
		return date{}, refuseLike(example, "I expected a date%s, such as 2027-05-01.", readInstead(w))
	}
	written := strings.Join(p.words[:used], " ")
	if p.peek(used) == "," && fourDigits.MatchString(p.peek(used+1)) {
		used++
	}
	if fourDigits.MatchString(p.peek(used)) {
		d.year, _ = strconv.Atoi(p.peek(used))
		used++
	}
	p.words = p.words[used:]
	if d.year == 0 {
		// 29 February is in the next leap year.
		for d.year = p.now.Year(); d.year < p.now.Year()+9; d.year++ {
			if d.day >= 1 && dateOf(d.at(clock{})) == d && !d.before(dateOf(p.now)) {
				return d, nil
			}
		}
		d.year = 0
		return date{}, refuse("%s does not exist: %s.", capital(written), daysIn(d))
	}
	return p.checkDate(written, d)
}

// checkDate refuses days that do not exist, are over or are too far away.
func (p *parser) checkDate(written string, d date) (date, error) {
	switch {
	case d.month < 1 || d.month > 12:
		return date{}, refuse("%s does not exist: a year has 12 months.", capital(written))
	case d.day < 1 || dateOf(d.at(clock{})) != d:
		return date{}, refuse("%s does not exist: %s.", capital(written), daysIn(d))
	case d.before(dateOf(p.now)):
		return date{}, refuse("%s is in the past: today is %s in %s.", d.at(clock{}).Format(timeFormat), p.now.Format(timeFormat), p.s.zone)
	case p.tooFar(d.at(clock{})):
		return date{}, refuse("%s is more than %d years ahead.", d, maxAhead)
	}
	return d, nil
}

func (p *parser) tooFar(t time.Time) bool { return t.After(p.now.AddDate(maxAhead, 0, 0)) }

// clock reads a time of day; ok is false if none stands here.
func (p *parser) clock() (c clock, ok bool, err error) {
	w := p.peek(0)
	switch {
	case p.take("noon"):
		return clock{12, 0}, true, nil
	case p.take("midnight"):
		return clock{}, true, nil
	}
	m := clockTime.FindStringSubmatch(w)
	if m == nil || startsDate(w, p.peek(1)) {
		return clock{}, false, nil
	}
	used, half := 1, m[3]
	if next := p.peek(1); half == "" && (next == "am" || next == "pm") {
		used, half = 2, next
	}
	if half == "" && m[2] == "" {
		if len(m[1]) > 2 {
			return clock{}, false, nil
		}
		return clock{}, false, refuse("%q may be morning or evening: say %s:00, %sam or %spm.", w, m[1], m[1], m[1])
	}
	hour, _ := strconv.Atoi(m[1])
	minute, _ := strconv.Atoi(m[2])
	if minute > 59 || hour > 23 || half != "" && (hour < 1 || hour > 12) {
		return clock{}, false, refuse("%q is no time of day: say 09:00, 9am or 17:30.", strings.Join(p.words[:used], " "))
	}
	if half != "" {
		hour %= 12
		if half == "pm" {
			hour += 12
		}
	}
	p.words = p.words[used:]
	return clock{hour, minute}, true, nil
}

// finish puts the clauses together.
func (p *parser) finish() (Schedule, error) {
	s := &p.s
	if p.when == "" {
		switch {
		case !s.countdown.zero():
			return Schedule{}, refuseLike("countdown to "+s.countdown.String()+" every weekday at 09:00", "How often should it count down?")
		case p.hasClock:
			return Schedule{}, refuseLike("every weekday at "+s.clock.String(), "On which day at %s?", s.clock)
		}
		return Schedule{}, refuse("That does not say when.")
	}
	switch {
	case s.unit == minutes || s.unit == hours:
		if p.hasClock {
			return Schedule{}, refuse("%q has no time of day: it begins now. Leave out %s.", s.String(), s.clock)
		}
	case s.unit != once:
		if !p.hasClock {
			return Schedule{}, refuseLike(p.when+" at 09:00", "At what time?")
		}
	case s.times != 0 || !s.until.zero() || s.skipWeekends:
		return Schedule{}, refuse("%q comes only once: an end or \"skip weekends\" goes with \"every\".", p.when)
	case p.exact:
		if p.hasClock {
			return Schedule{}, refuse("%q has its time already: leave out %s.", p.when, s.clock)
		}
		s.wall = floating(s.at)
		if at, _ := resolve(s.wall, s.zone); !at.Equal(s.at) {
			s.wall = time.Time{}
		}
	case !p.hasClock && strings.HasPrefix(p.when, "in "): // in 3 days, at this time of day
		s.wall = p.day.at(clock{p.now.Hour(), p.now.Minute()})
	case !p.hasClock:
		return Schedule{}, refuseLike(p.when+" at 09:00", "At what time?")
	default:
		s.wall = p.day.at(s.clock)
		// "friday 9am", said on a Friday at ten.
		if at, _ := resolve(s.wall, s.zone); isWeekday(p.when) && !at.After(s.start) {
			s.wall = p.day.add(7).at(s.clock)
		}
	}
	if s.unit == once {
		s.clock = clock{}
		if !s.wall.IsZero() {
			s.at, _ = resolve(s.wall, s.zone)
		}
		if !s.at.After(s.start) {
			return Schedule{}, refuse("%s is in the past: it is %s in %s.", s.at.Format(timeFormat+" 15:04"), p.now.Format(timeFormat+" 15:04"), s.zone)
		}
	}
	if s.Next(s.start).IsZero() {
		return Schedule{}, refuse("That is never due: no such day comes before its end.")
	}
	return *s, nil
}

func refuse(format string, args ...any) error {
	return &bot.Refusal{Problem: fmt.Sprintf(format, args...), Hints: examples}
}

// refuseLike refuses with an example of what was meant before the others.
func refuseLike(example, format string, args ...any) error {
	return &bot.Refusal{Problem: fmt.Sprintf(format, args...), Hints: []string{example, examples[0], examples[1]}}
}

// notUnderstood names the word that stopped the parser.
func notUnderstood(word string) error {
	if meant := otherWords[word]; meant != "" {
		return refuseLike(meant, "I did not understand %q. Did you mean %q?", word, meant)
	}
	if word == "yesterday" {
		return refuse("Yesterday is in the past.")
	}
	if near := nearest(word, vocabulary); near != "" {
		return refuse("I did not understand %q. Did you mean %q?", word, near)
	}
	if strings.Count(word, "/") == 2 || strings.Count(word, ".") == 2 {
		return refuse("I did not understand %q. Write a date as 2027-05-01.", word)
	}
	var r *bot.Refusal
	if err := unknownZone(word); errors.As(err, &r) && strings.Contains(r.Problem, "Did you mean") {
		return err
	}
	return refuse("I did not understand %q.", word)
}

func unknownZone(word string) error {
	if near := nearestZone(word); near != "" {
		return refuse("I know no time zone %q. Did you mean %s?", word, near)
	}
	return refuse("I know no time zone %q. Zones have names such as Europe/Berlin or America/New_York.", word)
}

func readInstead(word string) string {
	if word == "" {
		return ""
	}
	return fmt.Sprintf(", not %q", word)
}

func count(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

func plural(n int, unit string) string {
	if n == 1 {
		return ""
	}
	return count(n, unit)
}

func daysIn(d date) string {
	if d.month < 1 || d.month > 12 {
		return "a year has 12 months"
	}
	if d.year == 0 {
		return fmt.Sprintf("%s has %d days", d.month, date{2028, d.month + 1, 0}.at(clock{}).Day())
	}
	return fmt.Sprintf("%s %d has %d days", d.month, d.year, date{d.year, d.month + 1, 0}.at(clock{}).Day())
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

var (
	isoDate    = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	fourDigits = regexp.MustCompile(`^\d{4}$`)
	clockTime  = regexp.MustCompile(`^(\d{1,2})(?::(\d{2}))?(am|pm)?$`)
	dayOrdinal = regexp.MustCompile(`^(\d{1,2})(?:st|nd|rd|th)?$`)
)

// dayNumber reads "1", "1st" and "31st".
func dayNumber(word string) (int, bool) {
	m := dayOrdinal.FindStringSubmatch(word)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	return n, err == nil
}

// startsDate reports whether a date begins with these two words.
func startsDate(first, second string) bool {
	if isoDate.MatchString(first) {
		return true
	}
	_, firstDay := dayNumber(first)
	_, secondDay := dayNumber(second)
	return firstDay && monthNames[second] != 0 || secondDay && monthNames[first] != 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// otherWords are what people say for what the grammar says.
var otherWords = map[string]string{
	"hourly": "every hour", "daily": "every day at 09:00", "weekdays": "every weekday at 09:00", "workdays": "every weekday at 09:00",
	"weekly": "every week on monday at 09:00", "fortnightly": "every 2 weeks on monday at 09:00", "fortnight": "every 2 weeks on monday at 09:00",
	"monthly": "every month on the 1st at 09:00", "weekend": "every saturday,sunday at 09:00", "tonight": "today at 20:00", "next": "friday at 09:00",
}

// otherZones are what people call zones that have no such name.
var otherZones = map[string]string{
	"pst": "America/Los_Angeles", "pdt": "America/Los_Angeles", "mdt": "America/Denver", "cst": "America/Chicago", "cdt": "America/Chicago",
	"edt": "America/New_York", "et": "America/New_York", "pt": "America/Los_Angeles", "bst": "Europe/London", "ist": "Asia/Kolkata",
	"cest": "Europe/Berlin", "eest": "Europe/Athens", "msk": "Europe/Moscow", "jst": "Asia/Tokyo", "sgt": "Asia/Singapore", "aest": "Australia/Sydney",
	"aedt": "Australia/Sydney", "z": "UTC",
}

var weekdayNames, monthNames, vocabulary = func() (map[string]time.Weekday, map[string]time.Month, []string) {
	weekdays := map[string]time.Weekday{"tues": time.Tuesday, "thur": time.Thursday, "thurs": time.Thursday}
	months := map[string]time.Month{"sept": time.September}
	words := []string{"about", "every", "day", "weekday", "weeks", "month", "last", "tomorrow", "today", "until", "times",
		"countdown", "weekends", "minutes", "hours", "noon", "midnight", "other"}
	for d := time.Sunday; d <= time.Saturday; d++ {
		name := strings.ToLower(d.String())
		weekdays[name], weekdays[name+"s"], weekdays[name[:3]] = d, d, d
		words = append(words, name)
	}
	for m := time.January; m <= time.December; m++ {
		name := strings.ToLower(m.String())
		months[name], months[name[:3]] = m, m
		words = append(words, name)
	}
	return weekdays, months, words
}()

func isWeekday(word string) bool {
	_, ok := weekdayNames[word]
	return ok
}

//go:embed zones.txt
var zoneList string

// zoneNames has the IANA name of every zone by its name in lower case.
var zoneNames = sync.OnceValue(func() map[string]string {
	names := make(map[string]string)
	for name := range strings.FieldsSeq(zoneList) {
		names[strings.ToLower(name)] = name
	}
	return names
})

// nearestZone is the zone that somebody who writes word may mean, or empty:
// that of the city, or one that is two typing errors away.
func nearestZone(word string) string {
	if zone := otherZones[word]; zone != "" {
		return zone
	}
	city := word[strings.LastIndex(word, "/")+1:]
	best, least := "", 3
	for name := range strings.FieldsSeq(zoneList) {
		lower := strings.ToLower(name)
		lowerCity := lower[strings.LastIndex(lower, "/")+1:]
		n := 3
		switch {
		case len(city) < 3:
		case lowerCity == city:
			n = 0
		case len(city) >= 5: // a shorter word is as near to one zone as to another
			n = min(distance(word, lower), 1+distance(city, lowerCity))
		}
		if n < least {
			best, least = name, n
		}
	}
	return best
}

// nearest is the candidate that is at most two typing errors from word, or
// empty. Short words allow one.
func nearest(word string, candidates []string) string {
	best, least := "", 3
	if len(word) < 6 {
		least = 2
	}
	for _, c := range candidates {
		if n := distance(word, c); n < least && n < len(c)-1 {
			best, least = c, n
		}
	}
	return best
}

// distance counts the letters to insert, delete or replace between a and b.
// More than a few are all the same to its callers, who pass short words.
func distance(a, b string) int {
	var room [40]int
	if d := len(a) - len(b); d > 3 || d < -3 || len(b) >= len(room) {
		return 4
	}
	row := room[:len(b)+1]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := min(row[j]+1, row[j+1]+1)
			if a[i] == b[j] {
				next = min(next, diagonal)
			} else {
				next = min(next, diagonal+1)
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
