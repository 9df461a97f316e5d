package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/discord/discordtest"
	"podium/bot/slack/slacktest"
	"podium/bot/store"
)

// keep puts active Slack reminders into the database at address, half a second
// apart from due on, in so many channels. The first posts of one who found it
// there are the reconciler's.
func keep(t *testing.T, address string, n, channels int, words, ref string, due time.Time) []bot.Reminder {
	t.Helper()
	var list []bot.Reminder
	for i := range n {
		list = append(list, bot.Reminder{ID: fmt.Sprintf("r%04d", i), Platform: bot.Slack, Workspace: slacktest.Team, Channel: fmt.Sprintf("D%04d", i%channels),
			Author: bot.User{ID: slacktest.Admin}, Schedule: words, Zone: "UTC", Start: due.Add(-time.Hour).UTC().Truncate(time.Second),
			Ref: ref, Title: "what it posts", State: bot.Active,
			Next: due.Add(time.Duration(i) * time.Second / 2).UTC().Truncate(time.Second)})
	}
	keepAll(t, address, list)
	return list
}

// keepIn puts an active reminder for each channel into the database at address,
// a second apart from now on.
func keepIn(t *testing.T, address, platform, workspace, author string, channels ...string) []bot.Reminder {
	t.Helper()
	now := time.Now()
	var list []bot.Reminder
	for i, channel := range channels {
		list = append(list, bot.Reminder{ID: fmt.Sprintf("r%04d", i), Platform: platform, Workspace: workspace, Channel: channel,
			Author: bot.User{ID: author}, Schedule: "every day at 12:00", Zone: "UTC", Start: now.Add(-time.Hour).UTC().Truncate(time.Second),
			Ref: "troop_count.iraq", Title: "what it posts", State: bot.Active,
			Next: now.Add(time.Duration(i) * time.Second).UTC().Truncate(time.Second)})
	}
	keepAll(t, address, list)
	return list
}

func keepAll(t *testing.T, address string, list []bot.Reminder) {
	t.Helper()
	st, err := store.Open(t.Context(), address, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		if ok, err := st.AddReminder(t.Context(), r); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	if err := st.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// soon is a schedule that is due once, at the next minute that is not too near
// for a command to be confirmed.
func soon() string {
	return time.Now().UTC().Add(70*time.Second).Truncate(time.Minute).Format("2006-01-02 15:04") + " UTC"
}

// fate waits until it is known what became of r's next occurrence, and r goes
// on.
func fate(t *testing.T, address string, r bot.Reminder) (bot.Delivery, bot.Reminder) {
	t.Helper()
	st, err := store.Open(t.Context(), address, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close(context.WithoutCancel(t.Context()))
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		d, ok, err := st.Delivery(t.Context(), r.ID, r.Next)
		if err != nil {
			t.Fatal(err)
		}
		after, _, err := st.Reminder(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		if ok && d.State != bot.Posting && (after.State != bot.Active || !after.Next.Equal(r.Next)) {
			return d, after
		}
	}
	t.Fatalf("nobody knows what became of %s", r.ID)
	return bot.Delivery{}, bot.Reminder{}
}

// checkLost checks what became of a reminder whose post's answer was lost, and
// of one that podium may not post, whose author is told once.
func checkLost(t *testing.T, address string, lost, barred bot.Reminder, told func() []string, remedy string) {
	t.Helper()
	if d, r := fate(t, address, lost); d.State != bot.Posted || d.Message.ID == "" || r.State != bot.Active {
		t.Errorf("a post whose answer was lost is %+v, its reminder %s", d, r.State)
	}
	if d, r := fate(t, address, barred); d.State != bot.Skipped || r.State != bot.Paused || !strings.Contains(r.Problem, remedy) {
		t.Errorf("a post that is not allowed is %+v, its reminder %s: %s", d, r.State, r.Problem)
	}
	for deadline := time.Now().Add(10 * time.Second); len(told()) == 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
	}
	if got := told(); len(got) != 1 || !strings.HasPrefix(got[0], "Reminder "+barred.ID) || !strings.Contains(got[0], "is paused. ") || !strings.Contains(got[0], remedy) {
		t.Errorf("the author is told %q, want once that it is paused, and %q", got, remedy)
	}
}

// TestRemindersInSlack sets a reminder as an admin does, with the buttons, and
// sees it posted; one whose answer is lost, and one that may not be posted.
func TestRemindersInSlack(t *testing.T) {
	t.Parallel()
	address := sqliteFile(t)
	list := keepIn(t, address, bot.Slack, slacktest.Team, slacktest.Person, "D0001", slacktest.Archived)
	slack := newSlack(t)
	slack.Lag = 2 * time.Second
	slack.Fail("chat.postMessage", slacktest.Fault{Lost: true})
	x := serveSlack(t, slack, "http", address)
	say := func(user, text string) slacktest.Message {
		t.Helper()
		var at int
		x.does(t, 1, func(ctx context.Context) error {
			at = len(x.Messages())
			return x.Link.Command(ctx, slacktest.Command{Text: text, User: user})
		})
		return answer(t, x, at)
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
	when := soon()
	draft := say(slacktest.Admin, "remind "+when+" about how many troops are in iraq")
	has(draft, "Once, "+strings.TrimSuffix(when, " UTC")+", UTC, in #general: How many troops.\nNext: ")
	press := func(user, label string) slacktest.Message {
		t.Helper()
		var at int
		x.does(t, 1, func(ctx context.Context) error {
			at = len(x.Messages())
			return x.Link.Press(ctx, x.Pressed(draft, user, buttons(draft)[label]))
		})
		return answer(t, x, at)
	}
	has(press(slacktest.Person, bot.LabelConfirm), "Only who sent the command can decide that.")
	has(press(slacktest.Admin, bot.LabelConfirm), "is set. Once, ")
	has(say(slacktest.Admin, "remind list"), "in #general: How many troops.")
	has(say(slacktest.Person, "remind every weekday at 9:00 about how many troops are in iraq"), "Only those who manage this channel")
	has(say(slacktest.Admin, "remind every weekday at 9:00 in <#"+slacktest.Foreign+"|foreign> about troop numbers"), "I can not post there yet. ")
	has(say(slacktest.Admin, "remind every weekday at 9:00 about troop numbers"), "Every weekday at 09:00, Europe/Berlin, in #general: How many troops.\nNext: ")
	has(say(slacktest.Admin, "remind evry day at 9:00 about troop numbers"), `Did you mean "every"?`)

	posts := func(channel string) (list []slacktest.Message) {
		for _, m := range x.Messages() {
			if m.Method == "chat.postMessage" && m.Channel == channel {
				list = append(list, m)
			}
		}
		return list
	}
	checkLost(t, address, list[0], list[1], func() (told []string) {
		for _, m := range posts(slacktest.Direct) {
			told = append(told, shown(m.Text))
		}
		return told
	}, "unarchive it")
	if n := slack.Calls("conversations.history"); n == 0 {
		t.Error("Slack was not asked for the post whose answer was lost")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	if err := x.Wait(ctx, func() bool { return len(posts(slacktest.General)) > 0 }); err != nil {
		t.Fatalf("nothing is posted: %v; log:\n%s", err, x.log)
	}
	for _, channel := range []string{"D0001", slacktest.General} {
		all := posts(channel)
		if len(all) != 1 || !strings.HasPrefix(shown(all[0].Text), "The US has some 2,500 troops in Iraq.\n") || all[0].Metadata.Payload["key"] == "" {
			t.Errorf("posts in %s: %+v, want one with its key", channel, all)
		}
	}
}

// answer is the first private message from the n-th on.
func answer(t *testing.T, x *slackServe, n int) (m slacktest.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := x.Wait(ctx, func() bool {
		for _, m = range x.Messages()[n:] {
			if m.Private() {
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Fatalf("podium does not answer: %v; log:\n%s", err, x.log)
	}
	return m
}

// TestRemindersInDiscord is the same in Discord, with its nonces.
func TestRemindersInDiscord(t *testing.T) {
	t.Parallel()
	const barred = "500000000000000009"
	address := sqliteFile(t)
	list := keepIn(t, address, bot.Discord, discordtest.Guild, discordtest.Person, discordtest.Thread, barred)
	s := newDiscord(t)
	s.Lag = 2 * time.Second
	s.Set("/channels/"+barred, map[string]any{"id": barred, "type": 0, "guild_id": discordtest.Guild})
	var asked atomic.Bool
	s.Intercept = func(r discordtest.Request) (status int, header http.Header, body string, keep bool) {
		switch r.Method + " " + r.Path {
		case "GET /channels/" + discordtest.Thread + "/messages":
			asked.Store(true)
		case "POST /channels/" + discordtest.Thread + "/messages":
			if !asked.Load() {
				return http.StatusGatewayTimeout, nil, "", true
			}
		case "POST /channels/" + barred + "/messages":
			return http.StatusForbidden, nil, `{"code":50013,"message":"Missing Permissions"}`, false
		}
		return 0, nil, "", false
	}
	x := serveDiscord(t, s, true, address)
	go func() {
		for x.log.Scan() { // so that it never waits for its reader
		}
	}()
	remind := func(sub string, options ...string) map[string]any {
		data := discordtest.Command(sub, options...)
		data["name"] = "podium-remind"
		return data
	}
	// say is the response to an interaction; reminders are posted meanwhile.
	say := func(i map[string]any, want string) discordtest.Sent {
		t.Helper()
		body, err := x.Post("http://"+x.address+"/discord/interactions", i)
		if err != nil {
			t.Fatal(err)
		}
		var response struct{ Data json.RawMessage }
		if err := json.Unmarshal(body, &response); err != nil {
			t.Fatal(err)
		}
		m := discordtest.Sent{Body: response.Data}
		if !strings.Contains(m.Text(), want) || !strings.Contains(string(body), `"flags":64`) {
			t.Errorf("podium says %q in %s, want %q in private", m.Text(), body, want)
		}
		return m
	}
	when := soon()
	draft := say(s.Interaction(2, remind("set", "when", when, "about", "how many troops are in iraq"), nil), ": How many troops.\nNext: ")
	press := func(label string, fields map[string]any, want string) {
		t.Helper()
		for _, b := range draft.Buttons() {
			if b.Label == label {
				i := s.Interaction(3, map[string]any{"custom_id": b.ID, "component_type": 2}, fields)
				i["message"] = map[string]any{"id": "1", "flags": 64}
				say(i, want)
				return
			}
		}
		t.Errorf("no button %q: %v", label, draft.Buttons())
	}
	other := map[string]any{"member": map[string]any{"user": map[string]any{"id": "300000000000000009"}, "permissions": "2147483647"}}
	press(bot.LabelConfirm, other, "Only who sent the command can decide that.")
	press(bot.LabelConfirm, nil, "is set. Once, ")
	say(s.Interaction(2, remind("list"), nil), ": How many troops.")
	mayNot := map[string]any{"member": map[string]any{"user": map[string]any{"id": discordtest.Person}, "permissions": "2048"}}
	say(s.Interaction(2, remind("set", "when", "every day at 9:00", "about", "troop numbers"), mayNot), "Only those who manage this channel")
	say(s.Interaction(2, remind("set", "when", "every day at 9:00", "about", "troop numbers"), map[string]any{"app_permissions": "1024"}),
		"I can not post there yet. Allow podium Send Messages, Embed Links, Read Message History in the channel.")

	posts := func(channel string) (list []discordtest.Sent) {
		for _, m := range s.Posts() {
			if m.Channel == channel {
				list = append(list, m)
			}
		}
		return list
	}
	checkLost(t, address, list[0], list[1], func() (told []string) {
		for _, m := range posts(discordtest.Direct) {
			told = append(told, m.Text())
		}
		return told
	}, "Allow podium Send Messages")
	if !asked.Load() {
		t.Error("Discord was not asked for the post whose answer was lost")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	if err := s.Until(ctx, func() bool { return len(posts(discordtest.Channel)) > 0 }); err != nil {
		t.Fatalf("nothing is posted: %v", err)
	}
	for _, channel := range []string{discordtest.Thread, discordtest.Channel} {
		all := posts(channel)
		if len(all) != 1 || !strings.HasPrefix(all[0].Text(), "The US has some 2,500 troops in Iraq.\n") {
			t.Errorf("posts in %s: %v, want one", channel, all)
			continue
		}
		var body struct {
			Nonce   string
			Enforce bool `json:"enforce_nonce"`
		}
		if err := json.Unmarshal(all[0].Body, &body); err != nil || body.Nonce == "" || !body.Enforce {
			t.Errorf("posted with the nonce %q, enforced: %v, %v", body.Nonce, body.Enforce, err)
		}
		if live := all[0].Live(); live != "" {
			t.Errorf("the post pings %q", live)
		}
	}
}

// TestRemindersListed: a full channel's reminders are all listed, within the
// platforms' limits.
func TestRemindersListed(t *testing.T) {
	t.Parallel()
	const most = 100
	address := sqliteFile(t)
	var list []bot.Reminder
	for i := range 2 * most {
		r := bot.Reminder{ID: fmt.Sprintf("r%04d", i), Platform: bot.Slack, Workspace: slacktest.Team, Channel: slacktest.General, Label: "#general",
			Author: bot.User{ID: slacktest.Admin, Name: "Ann Admin"}, Schedule: "every 2 weeks on monday,wednesday,friday at 12:00", Zone: "America/New_York",
			Start: time.Now().UTC().Truncate(time.Second), Ref: "troop_count.iraq", Title: "How many troops", State: bot.Active, Next: time.Now().AddDate(0, 0, 1+i)}
		if i >= most {
			r.Platform, r.Workspace, r.Channel = bot.Discord, discordtest.Guild, discordtest.Channel
		}
		list = append(list, r)
	}
	keepAll(t, address, list)
	s, d := newSlack(t), newDiscord(t)
	var mu sync.Mutex
	var said strings.Builder
	hear := func(private bool, text string) {
		mu.Lock()
		defer mu.Unlock()
		if !private {
			t.Errorf("podium says in public %q", text)
		}
		said.WriteString(text + "\n")
	}
	s.OnMessage = func(m slacktest.Message) { hear(m.Private(), m.Text) }
	d.OnSent = func(m discordtest.Sent) { hear(m.Private, m.Text()) }
	x := serveSlack(t, s, "http", address, "PODIUM_DISCORD_TOKEN="+discordtest.Token, "PODIUM_DISCORD_API_URL="+d.URL,
		fmt.Sprintf("PODIUM_DISCORD_PUBLIC_KEY=%x", []byte(d.PublicKey)))
	if err := x.Link.Command(t.Context(), slacktest.Command{Text: "remind list", User: slacktest.Admin}); err != nil {
		t.Fatal(err)
	}
	data := discordtest.Command("list")
	data["name"] = "podium-remind"
	if _, err := d.Post(x.address+"/discord/interactions", d.Interaction(2, data, nil)); err != nil {
		t.Fatal(err)
	}
	missing := func() (list []string) {
		mu.Lock()
		defer mu.Unlock()
		for i := range 2 * most {
			if id := fmt.Sprintf("r%04d", i); !strings.Contains(said.String(), id) {
				list = append(list, id)
			}
		}
		return list
	}
	for deadline := time.Now().Add(20 * time.Second); len(missing()) > 0 && time.Now().Before(deadline); {
		<-time.After(10 * time.Millisecond)
	}
	if list := missing(); len(list) > 0 {
		t.Errorf("%d reminders are not listed: %v\nlog:\n%s", len(list), list, x.log)
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

// TestRemindersMove takes reminders and what became of their posts from SQLite
// to PostgreSQL, and from there by way of a backup to another SQLite file. What
// is due is posted from the new database, and what was posted is not posted
// again.
func TestRemindersMove(t *testing.T) {
	t.Parallel()
	first, second, third := sqliteFile(t), bottest.Postgres(t), sqliteFile(t)
	backup := filepath.Join(t.TempDir(), "podium.backup")
	now := time.Now()
	list := keepIn(t, first, bot.Slack, slacktest.Team, slacktest.Person, "D0000", "D0001", "D0002")
	st, err := store.Open(t.Context(), first, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// The first was posted just before the move.
	d := bot.Delivery{Reminder: list[0].ID, Due: list[0].Next, State: bot.Posted, Began: now, Tried: now,
		Message: bot.MessageRef{Platform: bot.Slack, Channel: "D0000", ID: "1.1"}}
	if err := st.FinishDeliveries(t.Context(), []bot.Delivery{d}, bot.Reminder{}, bot.Reminder{}); err != nil {
		t.Fatal(err)
	}
	// The last is due after the second move.
	later := list[2]
	later.Next = now.Add(time.Hour).UTC().Truncate(time.Second)
	if ok, err := st.UpdateReminder(t.Context(), list[2], later); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if err := st.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := func(address string, args ...string) string {
		t.Helper()
		got := runHere(t, []string{"PODIUM_DATABASE_URL=" + address}, args...)
		if got.err != nil {
			t.Fatalf("podium %v: %v", args, got.err)
		}
		return got.stderr
	}
	if says, want := at(first, "migrate", "--to", second), "now set PODIUM_DATABASE_URL"; !strings.Contains(says, want) {
		t.Errorf("podium migrate says %q, want %q in it", says, want)
	}
	slack := newSlack(t)
	x := serveSlack(t, slack, "http", second)
	if d, r := fate(t, second, list[1]); d.State != bot.Posted || !r.Next.After(now) {
		t.Errorf("after the move %s is %s, and due next at %s", r.ID, d.State, r.Next)
	}
	if d, r := fate(t, second, list[0]); d.Message.ID != "1.1" || !r.Next.After(now) {
		t.Errorf("what was posted before the move is %+v, and due next at %s", d, r.Next)
	}
	x.end(t)
	at(second, "backup", backup)
	at(third, "restore", backup)
	if st, err = store.Open(t.Context(), third, store.Options{}); err != nil {
		t.Fatal(err)
	}
	soon := later
	soon.Next = time.Now().UTC().Truncate(time.Second)
	if ok, err := st.UpdateReminder(t.Context(), later, soon); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if err := st.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	x = serveSlack(t, slack, "http", third)
	if d, _ := fate(t, third, soon); d.State != bot.Posted {
		t.Errorf("after the restoration %s is %s", later.ID, d.State)
	}
	x.end(t)
	var channels []string
	for _, m := range slack.Messages() {
		channels = append(channels, m.Channel)
	}
	if got := strings.Join(channels, " "); got != "D0001 D0002" {
		t.Errorf("posted in %s, want D0001 D0002", got)
	}
}
