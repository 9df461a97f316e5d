package handlers

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"podium/bot"
	"podium/knowledge"
)

// reminders keeps reminders, and knows the grammar of schedules and the
// platforms' rules. What a person got wrong is a *bot.Refusal.
type reminders interface {
	// Plan reads when and sets r's schedule; r.Zone holds where when has none.
	Plan(r bot.Reminder, when string) (bot.Reminder, error)
	// Upcoming is the next n occurrences of r.
	Upcoming(r bot.Reminder, n int) ([]bot.Occurrence, error)
	// Draft keeps r until it is confirmed, and gives it an ID.
	Draft(ctx context.Context, r bot.Reminder) (bot.Reminder, error)
	// Confirm makes a draft active, or changes the reminder that it replaces.
	Confirm(ctx context.Context, draft bot.Reminder) (bot.Reminder, error)
	Reminder(ctx context.Context, id string) (bot.Reminder, bool, error)
	// Reminders are the active and paused ones of a workspace.
	Reminders(ctx context.Context, platform, workspace string) ([]bot.Reminder, error)
	Pause(ctx context.Context, r bot.Reminder) error
	Resume(ctx context.Context, r bot.Reminder) (bot.Reminder, error)
	Delete(ctx context.Context, id string) error
	// CanPost is nil, or a *bot.PostError.
	CanPost(ctx context.Context, platform, channel string) error
	// MaySchedule reports whether m's author may set reminders for channel.
	MaySchedule(ctx context.Context, m bot.Message, channel string) (bool, error)
	// Zone is the asker's time zone, else the channel's, else empty.
	Zone(ctx context.Context, m bot.Message, channel string) (string, error)
}

const (
	remindHelp = "`remind every weekday at 09:00 about how many troops` posts that answer in this channel.\n" +
		"When: every day, weekday, monday,thursday, 2 weeks on friday, month on the 1st or on the last day; tomorrow, friday or a date; in 20 minutes, 2 hours or 3 days; countdown to 2027-05-01 every weekday. " +
		"Then a time of day, and if you like a time zone, `until 2027-01-31`, `10 times`, `skip weekends`.\n" +
		"Where: here, or `in #channel`. What: a topic, a question, or `quote` and a speaker or topic.\n" +
		"`remind list`, and with an id from it: `remind preview`, `remind edit`, `remind pause`, `remind resume`, `remind delete`."
	noReminders  = "Reminders are not available here."
	maySchedule  = "Only those who manage this channel may set its reminders: workspace admins in Slack, members with Manage Channels in Discord, and the reminder admins in podium's settings."
	dayFormat    = "Mon 2 Jan 2006 15:04"
	inYearFormat = "Mon 2 Jan 15:04"
)

// Reminds reports whether m is about reminders.
func Reminds(m bot.Message) bool {
	if m.Kind == bot.Press {
		return m.Action.Verb == bot.VerbConfirm || m.Action.Verb == bot.VerbCancel
	}
	return takesRemind(m, commandWords(m.Text))
}

// takesRemind takes whatever begins with "remind".
func takesRemind(_ bot.Message, words []string) bool {
	return len(words) > 0 && (words[0] == "remind" || words[0] == "reminder" || words[0] == "reminders")
}

// remind replies to the remind commands. They are for the asker's eyes alone.
func (h *Handlers) remind(ctx context.Context, m bot.Message) (bot.Reply, error) {
	r, err := h.remindReply(ctx, m)
	if refusal, ok := errors.AsType[*bot.Refusal](err); ok {
		r, err = refused(refusal), nil
	}
	r.Private = true
	return r, err
}

// refused is the reply to what a person can mend.
func refused(e *bot.Refusal) bot.Reply {
	p := bot.Part{Outcome: bot.Smalltalk, Answer: e.Problem}
	if len(e.Hints) > 0 {
		p.Notes = []string{"For example: " + strings.Join(e.Hints, " · ")}
	}
	return bot.Reply{Parts: []bot.Part{p}}
}

func (h *Handlers) remindReply(ctx context.Context, m bot.Message) (bot.Reply, error) {
	if h.reminders == nil {
		return bot.TextReply(noReminders), nil
	}
	words := strings.Fields(m.Text)
	for i, w := range words { // "podium remind", "/remind"
		if strings.HasPrefix(strings.ToLower(strings.TrimLeft(w, "/")), "remind") {
			words = words[i+1:]
			break
		}
	}
	verb := ""
	if len(words) > 0 {
		verb = strings.ToLower(words[0])
	}
	switch verb {
	case "", "help":
		return bot.TextReply(remindHelp), nil
	case "list":
		return h.remindList(ctx, m)
	case "preview":
		if len(words) != 2 {
			return h.previewWords(ctx, m, strings.Join(words[1:], " "))
		}
	case "edit", "pause", "resume", "delete":
	default:
		return h.remindSet(ctx, m, words)
	}
	if len(words) < 2 {
		return bot.Reply{}, &bot.Refusal{Problem: "Which reminder? Give its id, as the list shows it.", Hints: []string{"remind list", "remind " + verb + " ID"}}
	}
	r, err := h.theirs(ctx, m, strings.ToLower(words[1]))
	if err != nil {
		return bot.Reply{}, err
	}
	switch verb {
	case "preview":
		return h.preview(r)
	case "pause":
		if r.State == bot.Paused {
			return bot.TextReply("Reminder " + r.ID + " is paused already."), nil
		}
		if err := h.reminders.Pause(ctx, r); err != nil {
			return bot.Reply{}, err
		}
		return bot.TextReply("Reminder " + r.ID + " is paused. `remind resume " + r.ID + "` lets it go on."), nil
	case "resume":
		if r.State == bot.Active {
			return bot.TextReply("Reminder " + r.ID + " is not paused."), nil
		}
		if r, err = h.reminders.Resume(ctx, r); err != nil {
			return bot.Reply{}, err
		}
		return h.described(ctx, "Reminder "+r.ID+" goes on. ", r, true)
	case "delete":
		if err := h.reminders.Delete(ctx, r.ID); err != nil {
			return bot.Reply{}, err
		}
		return bot.TextReply("Reminder " + r.ID + " is deleted."), nil
	}
	return h.remindEdit(ctx, m, r, words[2:])
}

// theirs is the reminder that the author of m names, if they may change it.
func (h *Handlers) theirs(ctx context.Context, m bot.Message, id string) (bot.Reminder, error) {
	unknown := &bot.Refusal{Problem: fmt.Sprintf("There is no reminder %q here.", id), Hints: []string{"remind list"}}
	r, ok, err := h.reminders.Reminder(ctx, id)
	if err != nil {
		return r, err
	}
	if !ok || r.Platform != m.Platform || r.Workspace != m.Workspace || r.State != bot.Active && r.State != bot.Paused {
		return r, unknown
	}
	may, err := h.mayChange(ctx, m, r)
	if err != nil {
		return r, err
	}
	if !may {
		if r.Channel != m.Channel {
			return r, unknown // they need not know what others have set elsewhere
		}
		return r, &bot.Refusal{Problem: maySchedule}
	}
	return r, nil
}

// may is nil if the author of m may set reminders for channel. Why not is a
// *bot.Refusal.
func (h *Handlers) may(ctx context.Context, m bot.Message, channel string) error {
	may, err := h.reminders.MaySchedule(ctx, m, channel)
	if refused, ok := errors.AsType[*bot.PostError](err); ok && refused.Reason != bot.Rejected {
		return &bot.Refusal{Problem: refused.Remedy}
	}
	if err == nil && !may {
		return &bot.Refusal{Problem: maySchedule}
	}
	return err
}

// mayChange reports whether the author of m may change r. Of a channel that is
// gone nobody is in charge: who set the reminder may, and who may set some
// here. Of one that podium can not see any more it is who set it alone.
func (h *Handlers) mayChange(ctx context.Context, m bot.Message, r bot.Reminder) (bool, error) {
	may, err := h.reminders.MaySchedule(ctx, m, r.Channel)
	refused, ok := errors.AsType[*bot.PostError](err)
	if !ok {
		return may, err
	}
	if r.Author.ID == m.User.ID || refused.Reason != bot.ChannelGone || r.Channel == m.Channel {
		return r.Author.ID == m.User.ID, nil
	}
	return h.reminders.MaySchedule(ctx, m, m.Channel)
}

// A request is a remind command, cut into what it says.
type request struct {
	when           string
	channel, label string // empty: not said
	here           bool
	about          string
}

// A channel as platforms write it in a message: <#C024BE91L|general>, <#123>;
// or as people do: #general.
var channelWord = regexp.MustCompile(`^(?:<#([A-Za-z0-9]+)(?:\|([^>]*))?>|#(\S+))$`)

// cut reads a remind command: when, where and about what, the last of them
// last.
func cut(words []string) (request, error) {
	var q request
	var when []string
	for i := range words {
		w := strings.ToLower(words[i])
		if q.about != "" {
			break
		}
		switch {
		case w == "about":
			if q.about = strings.Join(words[i+1:], " "); q.about == "" {
				return q, &bot.Refusal{Problem: "About what? Name a topic or ask a question.", Hints: []string{"remind every weekday at 09:00 about how many troops"}}
			}
		case w == "here":
			q.here = true
		case i == 0 && (w == "me" || w == "us" || w == "set"):
		case (w == "in" || w == "to") && i+1 < len(words) && channelWord.MatchString(words[i+1]):
		case channelWord.MatchString(words[i]):
			if q.channel != "" {
				return q, &bot.Refusal{Problem: "A reminder is posted in one channel. Set a second one for the other."}
			}
			found := channelWord.FindStringSubmatch(words[i])
			q.channel, q.label = found[1], found[2]
			if found[3] != "" {
				q.channel, q.label = "#"+found[3], found[3]
			}
		default:
			when = append(when, words[i])
		}
	}
	if q.here && q.channel != "" {
		return q, &bot.Refusal{Problem: "Here or in #" + q.label + "? A reminder is posted in one channel."}
	}
	q.when = strings.Join(when, " ")
	return q, nil
}

// place sets where r is posted, and refuses who may not post there.
func (h *Handlers) place(ctx context.Context, m bot.Message, q request, r *bot.Reminder) error {
	if err := q.place(m, r); err != nil {
		return err
	}
	return h.may(ctx, m, r.Channel)
}

// place sets where r is posted: where q says, else where it was, else here.
func (q request) place(m bot.Message, r *bot.Reminder) error {
	switch {
	case q.channel != "" && q.channel != m.Channel && q.channel != "#"+m.ChannelName:
		if strings.HasPrefix(q.channel, "#") && m.Platform != bot.Terminal {
			return &bot.Refusal{Problem: "I can not tell which channel " + q.channel + " is. Choose it from the list that opens while you type its name."}
		}
		r.Channel, r.Label = q.channel, ""
		if q.label != "" {
			r.Label = "#" + q.label
		}
	case q.channel != "" || q.here || r.Channel == "":
		r.Channel, r.Label = m.Channel, ""
		if m.ChannelName != "" {
			r.Label = "#" + m.ChannelName
		}
	}
	return nil
}

// remindSet drafts a new reminder.
func (h *Handlers) remindSet(ctx context.Context, m bot.Message, words []string) (bot.Reply, error) {
	q, err := cut(words)
	if err != nil {
		return bot.Reply{}, err
	}
	r := bot.Reminder{Platform: m.Platform, Workspace: m.Workspace, Author: m.User}
	if err := h.place(ctx, m, q, &r); err != nil {
		return bot.Reply{}, err
	}
	if r, err = h.planned(ctx, m, r, q.when); err != nil {
		if refusal, ok := errors.AsType[*bot.Refusal](err); ok && q.about == "" {
			refusal.Hints = append([]string{"remind every weekday at 09:00 about how many troops"}, refusal.Hints...)
		}
		return bot.Reply{}, err
	}
	switch {
	case q.about != "":
		if r.Ref, r.Title, err = h.subject(q.about); err != nil {
			return bot.Reply{}, err
		}
	case !strings.HasPrefix(r.Schedule, "countdown"):
		return bot.Reply{}, &bot.Refusal{Problem: "About what? Name a topic or ask a question.", Hints: []string{"remind " + r.Schedule + " about how many troops"}}
	}
	return h.draft(ctx, r)
}

// planned sets the schedule of r as when says.
func (h *Handlers) planned(ctx context.Context, m bot.Message, r bot.Reminder, when string) (bot.Reminder, error) {
	if r.Zone == "" {
		zone, err := h.reminders.Zone(ctx, m, r.Channel)
		if err != nil {
			return r, err
		}
		if r.Zone = zone; r.Zone == "" {
			r.Zone = h.zone.String()
		}
	}
	return h.reminders.Plan(r, when)
}

// remindEdit drafts a change: of the schedule, of what is posted, or of both.
func (h *Handlers) remindEdit(ctx context.Context, m bot.Message, r bot.Reminder, words []string) (bot.Reply, error) {
	q, err := cut(words)
	if err != nil {
		return bot.Reply{}, err
	}
	if q.when == "" && q.about == "" && q.channel == "" && !q.here {
		return bot.Reply{}, &bot.Refusal{Problem: "What should change?", Hints: []string{"remind edit " + r.ID + " every monday at 10:00", "remind edit " + r.ID + " about how many troops"}}
	}
	changed := r
	changed.Replaces, changed.Author = r.ID, m.User
	if err := h.place(ctx, m, q, &changed); err != nil {
		return bot.Reply{}, err
	}
	when := q.when
	if when == "" {
		when = r.Schedule
	}
	if changed, err = h.planned(ctx, m, changed, when); err != nil {
		return bot.Reply{}, err
	}
	if q.about != "" {
		if changed.Ref, changed.Title, err = h.subject(q.about); err != nil {
			return bot.Reply{}, err
		}
	}
	return h.draft(ctx, changed)
}

// afterAbout is what people put behind the subject although it says when or
// where.
var afterAbout = regexp.MustCompile(`(?i)\b(until|skip weekends|[0-9]+ times|every|here)\b|#[A-Za-z0-9_-]+|\b[A-Za-z]+/[A-Za-z_]+`)

// subject is what a reminder is to post: the Ref of an answer or of quotes,
// and its title.
func (h *Handlers) subject(about string) (ref, title string, err error) {
	for i := range h.base.Intents {
		if in := &h.base.Intents[i]; in.Topic && (strings.EqualFold(in.Title, about) || in.ID == about) {
			if _, ok := h.replyRefs(in.ID); ok {
				return in.ID, in.Title, nil
			}
		}
	}
	if word, rest, _ := strings.Cut(about, " "); strings.EqualFold(word, "quote") {
		if quotes, ok := h.base.FindQuotes(rest); ok && len(quotes) > 0 {
			var refs []string
			for _, p := range quoteParts(h.base, quotes) {
				refs = append(refs, p.Ref)
			}
			return strings.Join(refs, "+"), strings.TrimSpace("Quote " + rest), nil
		}
	}
	reply, result := Answer(h.base, about)
	if result.Outcome != knowledge.Answered && afterAbout.MatchString(about) {
		return "", "", &bot.Refusal{Problem: "What the reminder is about comes last: say when and where in front of `about`.",
			Hints: []string{"remind every weekday at 09:00 until 2027-01-31 about how many troops"}}
	}
	switch result.Outcome {
	case knowledge.Answered:
		var titles []string
		for _, part := range parts(result) {
			if part.Outcome != knowledge.Answered {
				continue
			}
			for _, a := range part.Answers {
				if a != nil {
					titles = append(titles, h.base.IntentOf(a).Title)
				}
			}
		}
		return refs(reply), strings.Join(unique(titles), ", "), nil
	case knowledge.Clarify:
		e := &bot.Refusal{Problem: "That may be about two things. Say which one."}
		for _, a := range result.Answers {
			if a != nil {
				e.Hints = append(e.Hints, "about "+a.Title)
			}
		}
		return "", "", e
	}
	e := &bot.Refusal{Problem: "The announcement does not say anything about that, so there is nothing to post. `topics` lists what it covers."}
	for _, in := range result.Nearest {
		if in != nil {
			e.Hints = append(e.Hints, "about "+in.Title)
		}
	}
	return "", "", e
}

func unique(list []string) []string {
	var out []string
	seen := make(map[string]bool)
	for _, s := range list {
		if !seen[s] {
			out = append(out, s)
		}
		seen[s] = true
	}
	return out
}

// draft keeps r and asks to confirm it.
func (h *Handlers) draft(ctx context.Context, r bot.Reminder) (bot.Reply, error) {
	r, err := h.reminders.Draft(ctx, r)
	if err != nil {
		return bot.Reply{}, err
	}
	reply, err := h.described(ctx, "", r, true)
	reply.Buttons = []bot.Button{
		{Label: bot.LabelConfirm, Action: bot.Action{Verb: bot.VerbConfirm, Arg: r.ID}},
		{Label: bot.LabelCancel, Action: bot.Action{Verb: bot.VerbCancel, Arg: r.ID}},
	}
	return reply, err
}

// described is a reminder in words: what, when, where, the next dates and, if
// asked for, what keeps podium from posting it.
func (h *Handlers) described(ctx context.Context, lead string, r bot.Reminder, check bool) (bot.Reply, error) {
	list, err := h.reminders.Upcoming(r, 3)
	if err != nil {
		return bot.Reply{}, err
	}
	p := bot.Part{Outcome: bot.Smalltalk, Answer: lead + sentence(r)}
	next, times := nextDates(r, list)
	p.Notes, p.Times = []string{next}, times
	if r.Replaces != "" {
		p.Notes = append(p.Notes, "This changes reminder "+r.Replaces+".")
	}
	for _, o := range list {
		if o.Shift != "" {
			p.Notes = append(p.Notes, o.At.Format(dayFormat)+": "+o.Shift+".")
		}
	}
	if check {
		err := h.reminders.CanPost(ctx, r.Platform, r.Channel)
		if refusal, ok := errors.AsType[*bot.PostError](err); ok {
			p.Notes = append(p.Notes, strings.TrimSpace("I can not post there yet. "+refusal.Remedy))
		} else if err != nil {
			p.Notes = append(p.Notes, "I could not find out whether I may post there.")
			h.log.WarnContext(ctx, "can not tell whether podium may post", "platform", r.Platform, "error", err)
		}
	}
	return bot.Reply{Parts: []bot.Part{p}}, nil
}

// sentence is "Every weekday at 09:00, Europe/Berlin, in #general: How many
// troops."
func sentence(r bot.Reminder) string {
	when := r.Schedule
	if '0' <= when[0] && when[0] <= '9' {
		when = "once, " + when
	}
	where := "in this channel"
	if r.Label != "" {
		where = "in " + r.Label
	}
	what := r.Title
	switch {
	case what != "":
	case strings.HasPrefix(r.Schedule, "countdown"):
		what = "the number of days left"
	default: // the preview of a schedule alone
		return strings.ToUpper(when[:1]) + when[1:] + ", " + r.Zone + "."
	}
	return strings.ToUpper(when[:1]) + when[1:] + ", " + r.Zone + ", " + where + ": " + strings.TrimSuffix(what, ".") + "."
}

// nextDates is "Next: Mon 23 Nov 2026 09:00, Tue 24 Nov 09:00 (Europe/Berlin,
// UTC+1)."
func nextDates(r bot.Reminder, list []bot.Occurrence) (string, []bot.Moment) {
	if len(list) == 0 {
		return "It is not due any more.", nil
	}
	var times []bot.Moment
	var b strings.Builder
	b.WriteString("Next: ")
	same := r.Zone != "UTC"
	for i, o := range list {
		format := dayFormat
		if i > 0 {
			b.WriteString(", ")
			if o.At.Year() == list[i-1].At.Year() {
				format = inYearFormat
			}
		}
		times = append(times, bot.Moment{Words: o.At.Format(format), At: o.At})
		b.WriteString(o.At.Format(format))
		same = same && utc(o.At) == utc(list[0].At)
	}
	b.WriteString(" (" + r.Zone)
	if same {
		b.WriteString(", " + utc(list[0].At))
	}
	return b.String() + ").", times
}

// utc is the distance of t's zone from UTC: UTC+1, UTC-3:30.
func utc(t time.Time) string {
	_, sec := t.Zone()
	if sec == 0 {
		return "UTC"
	}
	sign := "+"
	if sec < 0 {
		sign, sec = "-", -sec
	}
	s := fmt.Sprintf("UTC%s%d", sign, sec/3600)
	if m := sec % 3600 / 60; m != 0 {
		s += fmt.Sprintf(":%02d", m)
	}
	return s
}

// preview lists the next five occurrences, in the reminder's zone and in UTC.
func (h *Handlers) preview(r bot.Reminder) (bot.Reply, error) {
	list, err := h.reminders.Upcoming(r, 5)
	if err != nil {
		return bot.Reply{}, err
	}
	p := bot.Part{Outcome: bot.Smalltalk, Answer: sentence(r)}
	if r.Author.Name != "" {
		p.Notes = append(p.Notes, "Set by "+r.Author.Name+".")
	}
	if r.State == bot.Paused {
		p.Notes = append(p.Notes, strings.TrimSpace("It is paused. "+r.Problem))
	}
	for i, o := range list {
		words := o.At.Format(dayFormat) + " " + utc(o.At)
		p.Times = append(p.Times, bot.Moment{Words: words, At: o.At})
		line := fmt.Sprintf("%d. %s", i+1, words)
		if utc(o.At) != "UTC" {
			line += ", " + o.At.UTC().Format(dayFormat) + " UTC"
		}
		if o.Shift != "" {
			line += ": " + o.Shift
		}
		p.Notes = append(p.Notes, line)
	}
	if len(list) == 0 {
		p.Notes = append(p.Notes, "It is not due any more.")
	}
	return bot.Reply{Parts: []bot.Part{p}}, nil
}

// previewWords previews a schedule that is not set yet.
func (h *Handlers) previewWords(ctx context.Context, m bot.Message, words string) (bot.Reply, error) {
	q, err := cut(strings.Fields(words))
	if err != nil {
		return bot.Reply{}, err
	}
	r := bot.Reminder{Platform: m.Platform, Workspace: m.Workspace}
	if err := q.place(m, &r); err != nil {
		return bot.Reply{}, err
	}
	if q.about != "" {
		if r.Ref, r.Title, err = h.subject(q.about); err != nil {
			return bot.Reply{}, err
		}
	}
	if r, err = h.planned(ctx, m, r, q.when); err != nil {
		return bot.Reply{}, err
	}
	return h.preview(r)
}

// remindList lists the reminders of this channel, and those elsewhere that the
// asker may change.
func (h *Handlers) remindList(ctx context.Context, m bot.Message) (bot.Reply, error) {
	list, err := h.reminders.Reminders(ctx, m.Platform, m.Workspace)
	if err != nil {
		return bot.Reply{}, err
	}
	p := bot.Part{Outcome: bot.Smalltalk}
	may := make(map[[2]string]bool) // by channel and author
	for _, r := range list {
		key := [2]string{r.Channel, r.Author.ID}
		shown, known := may[key]
		if r.Channel == m.Channel {
			shown = true
		} else if !known && m.Workspace != "" { // without one, other channels are other people's
			// A channel that can not be asked about now is not shown.
			shown, _ = h.mayChange(ctx, m, r)
			may[key] = shown
		}
		if !shown {
			continue
		}
		if r.Label == "" && r.Channel != m.Channel {
			r.Label = "channel " + r.Channel
		}
		line := r.ID + ": " + sentence(r)
		if r.Author.Name != "" {
			line += " Set by " + r.Author.Name + "."
		}
		switch {
		case r.State == bot.Paused && r.Problem != "":
			line += " Paused: " + r.Problem
		case r.State == bot.Paused:
			line += " Paused."
		default:
			zone, err := time.LoadLocation(r.Zone)
			if err != nil {
				zone = time.UTC
			}
			next := r.Next.In(zone).Format(dayFormat)
			p.Times = append(p.Times, bot.Moment{Words: next, At: r.Next})
			line += " Next: " + next + "."
		}
		p.Notes = append(p.Notes, line)
	}
	p.Answer = "Reminders:"
	if len(p.Notes) == 0 {
		p.Answer = "There are no reminders here. `remind every weekday at 09:00 about how many troops` sets one."
	}
	return bot.Reply{Parts: []bot.Part{p}}, nil
}

// decide replies to Confirm and Cancel.
func (h *Handlers) decide(ctx context.Context, m bot.Message) (bot.Reply, error) {
	r, err := h.decision(ctx, m)
	if refusal, ok := errors.AsType[*bot.Refusal](err); ok {
		r, err = refused(refusal), nil
	}
	r.Private = true
	return r, err
}

func (h *Handlers) decision(ctx context.Context, m bot.Message) (bot.Reply, error) {
	closed := &bot.Refusal{Problem: "That is no longer open. Send the command again."}
	if h.reminders == nil {
		return bot.Reply{}, closed
	}
	draft, ok, err := h.reminders.Reminder(ctx, m.Action.Arg)
	if err != nil {
		return bot.Reply{}, err
	}
	if !ok || draft.State != bot.Draft || draft.Platform != m.Platform || draft.Workspace != m.Workspace {
		return bot.Reply{}, closed
	}
	if draft.Author.ID != m.User.ID {
		return bot.Reply{}, &bot.Refusal{Problem: "Only who sent the command can decide that."}
	}
	if m.Action.Verb == bot.VerbCancel {
		if err := h.reminders.Delete(ctx, draft.ID); err != nil {
			return bot.Reply{}, err
		}
		return bot.TextReply("Cancelled. Nothing was changed."), nil
	}
	if err := h.may(ctx, m, draft.Channel); err != nil {
		return bot.Reply{}, err
	}
	if draft.Replaces != "" { // which may stand in another channel
		if _, err := h.theirs(ctx, m, draft.Replaces); err != nil {
			return bot.Reply{}, err
		}
	}
	r, err := h.reminders.Confirm(ctx, draft)
	if err != nil {
		return bot.Reply{}, err
	}
	return h.described(ctx, "Reminder "+r.ID+" is set. ", r, false)
}

// Compose writes the post of a reminder, from the knowledge file now in force.
// The error is bot.ErrGone where that no longer has what the reminder posts.
func (h *Handlers) Compose(_ context.Context, r bot.Reminder, d bot.Due) (bot.Reply, error) {
	var reply bot.Reply
	if !d.Countdown.IsZero() {
		reply = bot.TextReply(countdown(d))
	}
	if r.Ref != "" {
		answer, ok := h.replyRefs(r.Ref)
		if !ok {
			return bot.Reply{}, bot.ErrGone
		}
		if len(reply.Parts) > 0 {
			// One part: a second number would look like a second question.
			answer.Parts[0].Answer = reply.Parts[0].Answer + " " + answer.Parts[0].Answer
		}
		reply = answer
	}
	if d.Late() {
		last := &reply.Parts[len(reply.Parts)-1]
		due := d.At.Format(inYearFormat) + " (" + d.At.Location().String() + ")"
		last.Notes = append(last.Notes, "This was due at "+due+" and is posted late.")
		last.Times = append(last.Times, bot.Moment{Words: due, At: d.At})
	}
	return reply, nil
}

// countdown says how many days are left, on the calendar of the reminder's
// zone.
func countdown(d bot.Due) string {
	noon := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, time.UTC) }
	day := d.Countdown.Format("2 January 2006")
	switch n := int(noon(d.Countdown).Sub(noon(d.Now)) / (24 * time.Hour)); {
	case n > 1:
		return fmt.Sprintf("%d days until %s.", n, day)
	case n == 1:
		return "1 day until " + day + "."
	case n == 0:
		return "Today is " + day + "."
	default:
		return day + " has passed."
	}
}
