package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"podium/bot"
	"podium/bot/discord/discordtest"
	"podium/bot/slack/slacktest"
)

// scrape returns the values at address's /metrics by name and labels, as they
// stand there: podium_posts_total{platform="slack",state="posted"}.
func scrape(t testing.TB, address string) map[string]float64 {
	t.Helper()
	response, err := http.Get(address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("/metrics: %s, %v\n%s", response.Status, err, text)
	}
	values := make(map[string]float64)
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(strings.TrimSpace(line[i+1:]), 64)
		if err != nil {
			t.Fatalf("/metrics has the line %q", line)
		}
		values[line[:i]] = v
	}
	return values
}

// TestMetrics has one podium serve do a little of everything, on both
// platforms and by all their transports, and counts along.
func TestMetrics(t *testing.T) {
	database := sqliteFile(t)
	keep(t, database, 1, 1, "every day at 12:00", "troop_count.iraq", time.Now())
	d := newDiscord(t)
	s := newSlack(t)
	x := serveSlack(t, s, "both", database, "PODIUM_DISCORD_TOKEN="+discordtest.Token, "PODIUM_DISCORD_API_URL="+d.URL,
		fmt.Sprintf("PODIUM_DISCORD_PUBLIC_KEY=%x", []byte(d.PublicKey)))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := x.WaitMessages(ctx, 1); err != nil {
		t.Fatalf("the reminder is not posted: %v; log:\n%s", err, x.log)
	}
	if err := d.Until(ctx, func() bool { return len(d.Hellos()) > 0 }); err != nil {
		t.Fatal(err)
	}
	if err := d.Ready(ctx); err != nil {
		t.Fatal(err)
	}

	// Slack: two commands over HTTP and two over Socket Mode, of which one is
	// no question; a mention that comes twice; one whose answer is refused;
	// one whose answer has to wait; a topic's button.
	over := s.HTTP(x.address)
	for link, texts := range map[slacktest.Link][]string{
		over:       {"how many troops are in iraq", "what does this cost the taxpayer"},
		s.Socket(): {"thanks", "remind list"},
	} {
		for _, text := range texts {
			x.does(t, 1, func(ctx context.Context) error { return link.Command(ctx, slacktest.Command{Text: text}) })
		}
	}
	twice := s.Mention(mention + "how many troops are in iraq")
	x.event(t, twice)
	if err := over.Event(ctx, twice); err != nil {
		t.Fatal(err)
	}
	s.Fail("chat.postMessage", slacktest.Fault{Error: "is_archived"})
	refused := s.Mention(mention + "how many troops are in afghanistan")
	if err := over.Event(ctx, refused); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(ctx, func() bool { return s.Calls("chat.postMessage") >= 3 }); err != nil {
		t.Fatal(err)
	}
	s.Fail("chat.postMessage", slacktest.Fault{Status: 429, RetryAfter: 1})
	x.event(t, s.DM("how many troops are in iraq"))
	topics := x.command(t, "topics")
	x.press(t, topics, "How many troops")

	// Discord: a command over HTTP, one over the gateway, a mention that comes
	// twice.
	ask := func() map[string]any {
		return d.Interaction(2, discordtest.Command("ask", "question", "how many troops are in iraq"), nil)
	}
	if _, err := d.Post(x.address+"/discord/interactions", ask()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Interact(ask()); err != nil {
		t.Fatal(err)
	}
	heard := d.Message(discordMention+"what does this cost the taxpayer", nil)
	for range 2 {
		if err := d.Dispatch("MESSAGE_CREATE", heard); err != nil {
			t.Fatal(err)
		}
	}

	// Both lose their connection.
	s.Drop()
	d.CloseGateway(4000)

	want := map[string]float64{
		`podium_questions_total{intent="troop_count",outcome="answered",platform="slack"}`: 5, // with the one whose answer was refused
		`podium_questions_total{intent="cost",outcome="unanswered",platform="slack"}`:      1,
		`podium_questions_total{intent="",outcome="smalltalk",platform="slack"}`:           1,
		`podium_questions_total{intent="",outcome="failed",platform="slack"}`:              0,
		`podium_reply_seconds_count{kind="command",platform="slack"}`:                      5,
		`podium_reply_seconds_count{kind="mention",platform="slack"}`:                      1,
		`podium_reply_seconds_count{kind="direct",platform="slack"}`:                       1,
		`podium_reply_seconds_count{kind="press",platform="slack"}`:                        1,
		`podium_reply_seconds_bucket{kind="direct",platform="slack",le="0.5"}`:             0, // it had to wait for a second
		`podium_acknowledgement_seconds_count{platform="slack"}`:                           10,
		`podium_reply_failures_total{platform="slack"}`:                                    1,
		`podium_redeliveries_total{platform="slack"}`:                                      1,
		`podium_rate_limit_wait_seconds_sum{platform="slack"}`:                             1,
		`podium_rate_limit_wait_seconds_count{platform="slack"}`:                           1,
		`podium_posts_total{platform="slack",state="posted"}`:                              1,
		`podium_posts_total{platform="slack",state="unknown"}`:                             0,
		`podium_reminder_lateness_seconds_count{platform="slack"}`:                         1,
		`podium_reconnects_total{platform="slack"}`:                                        1,
		`podium_questions_in_hand{platform="slack"}`:                                       0,
		`podium_platform_up{platform="slack"}`:                                             1,

		`podium_questions_total{intent="troop_count",outcome="answered",platform="discord"}`: 2,
		`podium_questions_total{intent="cost",outcome="unanswered",platform="discord"}`:      1,
		`podium_reply_seconds_count{kind="command",platform="discord"}`:                      2,
		`podium_reply_seconds_count{kind="mention",platform="discord"}`:                      1,
		`podium_acknowledgement_seconds_count{platform="discord"}`:                           2, // the gateway's messages have none
		`podium_redeliveries_total{platform="discord"}`:                                      1,
		`podium_reconnects_total{platform="discord"}`:                                        1,
		`podium_questions_in_hand{platform="discord"}`:                                       0,
		`podium_platform_up{platform="discord"}`:                                             1,

		`podium_database_up`:                    1,
		`podium_log_lines_total{level="error"}`: 1,
		fmt.Sprintf(`podium_knowledge_info{title=%q,version=%q}`, embedded(t).Title, embedded(t).Version): 1,
	}
	// What podium counts after it has sent is there in a moment.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		got := scrape(t, x.address)
		var wrong []string
		for name, value := range want {
			if v, ok := got[name]; !ok || v != value {
				wrong = append(wrong, fmt.Sprintf("%s is %v (there: %v), want %v", name, v, ok, value))
			}
		}
		if len(wrong) == 0 {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			slices.Sort(wrong)
			t.Fatalf("%s\nlog:\n%s", strings.Join(wrong, "\n"), x.log)
		}
	}
	x.end(t)
	checkLog(t, x.log.String(), refused["event_id"].(string))
}

// checkLog looks at the log of TestMetrics: every line about a message has
// the id of its event, and none what was said or who said it.
func checkLog(t *testing.T, log, refused string) {
	answered := 0
	var ofRefused []string
	for line := range strings.Lines(log) {
		var l struct{ Msg, ID, Platform, Request, Outcome, Intent string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("the log has the line %q: %v", line, err)
		}
		switch l.Msg {
		case "answered":
			answered++
			if l.ID == "" || l.Platform == "" || l.Request == "" {
				t.Errorf("the log has the line %s, want id, platform and request in it", line)
			}
		case "reminder posted":
			if !strings.HasPrefix(l.ID, "r0000-") {
				t.Errorf("the log has the line %s, want the delivery's key as its id", line)
			}
		}
		if l.ID == refused {
			ofRefused = append(ofRefused, l.Msg)
		}
	}
	if want := []string{"Slack did not take what podium sent", "not answered"}; !slices.Equal(ofRefused, want) {
		t.Errorf("the lines of the question whose answer was refused are %q, want %q", ofRefused, want)
	}
	if answered != 11 {
		t.Errorf("%d messages were answered by the log, want 11\n%s", answered, log)
	}
	for _, word := range []string{"troops are in", "taxpayer", slacktest.Person, discordtest.Person, "interaction-token"} {
		if strings.Contains(log, word) {
			t.Errorf("the log holds %q:\n%s", word, log)
		}
	}
}

// TestLogHandler: the id of the context stands in each line, beside what the
// logger was made with, and lines are counted by level.
func TestLogHandler(t *testing.T) {
	var out bytes.Buffer
	count := make(map[slog.Level]int)
	h := &logHandler{slog.NewTextHandler(&out, nil), func(l slog.Level) { count[l]++ }}
	log := slog.New(h).With("platform", "slack")
	ctx := bot.WithID(t.Context(), "Ev1")
	log.InfoContext(ctx, "one")
	log.DebugContext(ctx, "below the level")
	log.Warn("two")
	got := regexp.MustCompile(`time=\S+ `).ReplaceAllString(out.String(), "")
	if want := "level=INFO msg=one platform=slack id=Ev1\nlevel=WARN msg=two platform=slack\n"; got != want {
		t.Errorf("the log is\n%swant\n%s", got, want)
	}
	if count[slog.LevelInfo] != 1 || count[slog.LevelWarn] != 1 || len(count) != 2 {
		t.Errorf("lines by level: %v", count)
	}
}

// TestReadyzReasons: of a platform that is not connected, and of one that has
// ended.
func TestReadyzReasons(t *testing.T) {
	s := &server{ping: func(context.Context) error { return nil }, workers: []*worker{
		{name: bot.Slack, state: func() (bot.State, error) { return bot.Connecting, errors.New("no such host") }},
		{name: bot.Discord, state: func() (bot.State, error) { return bot.Connected, nil }, err: errors.New("gone")},
		{name: "reminders"},
	}}
	w := httptest.NewRecorder()
	s.readyz(w, httptest.NewRequest("GET", "/readyz", nil))
	var got readiness
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := readiness{
		Database:  "up",
		Platforms: map[string]bot.State{bot.Slack: bot.Connecting, bot.Discord: bot.Down},
		Reasons:   map[string]string{bot.Slack: "no such host", bot.Discord: "gone"},
	}
	if w.Code != http.StatusOK || got.Database != want.Database || !maps.Equal(got.Platforms, want.Platforms) || !maps.Equal(got.Reasons, want.Reasons) {
		t.Errorf("/readyz = %d, %+v, want 200, %+v", w.Code, got, want)
	}
}

// A family is a metric as /metrics tells of it.
type family struct {
	kind   string // counter, gauge, histogram, summary
	help   string
	labels []string
}

// families are the metrics that there are, by name.
func families(t testing.TB) map[string]family {
	t.Helper()
	m := newMetrics(embedded(t))
	m.log = slog.New(slog.DiscardHandler)
	m.watch(bot.Slack, func() bool { return true })
	m.watchDatabase(func() bool { return true })
	list, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]family)
	for _, f := range list {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		all[f.GetName()] = family{strings.ToLower(f.GetType().String()), f.GetHelp(), labels}
	}
	return all
}

// metricsTable is the README's table of metrics.
func metricsTable(t testing.TB) string {
	var b strings.Builder
	all := families(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := all[name]
		if !strings.HasPrefix(name, "podium_") {
			continue
		}
		labels := make([]string, len(f.labels))
		for i, l := range f.labels {
			labels[i] = "`" + l + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, f.kind, strings.Join(labels, " "), f.help)
	}
	return b.String()
}

var (
	promString   = regexp.MustCompile(`"(\\.|[^"\\])*"`)
	promVariable = regexp.MustCompile(`\$\w+`)
	promClause   = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	promSelector = regexp.MustCompile(`(\w+)\{([^}]*)\}`)
	promMatcher  = regexp.MustCompile(`(\w+)\s*[=!]`)
	promName     = regexp.MustCompile(`[a-z]+_[a-z_]+|\bup\b`)
	promFunction = regexp.MustCompile(`[a-z_]+\s*\(`)
)

// checkQuery returns what is wrong with the metrics and labels that a query
// names, as well as the labels that what it is about may have.
func checkQuery(all map[string]family, query string) (problems []string, labels map[string]bool) {
	labels = map[string]bool{"job": true, "instance": true} // Prometheus adds them
	query = promVariable.ReplaceAllString(promString.ReplaceAllString(query, ""), "")
	find := func(name string) (family, bool) {
		if name == "up" { // Prometheus's own
			return family{}, true
		}
		if f, ok := all[name]; ok && (f.kind == "counter" || f.kind == "gauge") {
			return f, true
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			base, ok := strings.CutSuffix(name, suffix)
			f := all[base]
			if ok && (f.kind == "histogram" || f.kind == "summary" && suffix != "_bucket") {
				if suffix == "_bucket" {
					f.labels = append([]string{"le"}, f.labels...)
				}
				return f, true
			}
		}
		return family{}, false
	}
	for _, s := range promSelector.FindAllStringSubmatch(query, -1) {
		f, _ := find(s[1])
		for _, m := range promMatcher.FindAllStringSubmatch(s[2], -1) {
			if l := m[1]; l != "job" && l != "instance" && !slices.Contains(f.labels, l) {
				problems = append(problems, fmt.Sprintf("%s has no label %s", s[1], l))
			}
		}
	}
	clauses := promClause.FindAllStringSubmatch(query, -1)
	rest := promClause.ReplaceAllString(promSelector.ReplaceAllString(query, "$1"), "")
	for _, name := range promName.FindAllString(promFunction.ReplaceAllString(rest, "("), -1) {
		f, ok := find(name)
		if !ok {
			problems = append(problems, "there is no metric "+name)
		}
		for _, l := range f.labels {
			labels[l] = true
		}
	}
	for _, c := range clauses {
		for _, l := range strings.Split(c[1], ",") {
			if l = strings.TrimSpace(l); !labels[l] {
				problems = append(problems, "nothing in it has the label "+l)
			}
		}
	}
	return problems, labels
}

var labelInText = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}`)

// A query is one of the dashboard's or of the alerts', with the texts that its
// labels are shown in.
type query struct {
	where, expr string
	texts       []string
}

func alerts(t *testing.T) []query {
	t.Helper()
	text, err := os.ReadFile("../../deploy/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	played, err := os.ReadFile("../../deploy/alerts_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var list []query
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			list = append(list, query{r.Alert, r.Expr, []string{r.Annotations["summary"], r.Annotations["action"]}})
			if r.Annotations["summary"] == "" || r.Annotations["action"] == "" || r.Labels["severity"] == "" {
				t.Errorf("the alert %s lacks a summary, an action or a severity", r.Alert)
			}
			if !bytes.Contains(played, []byte(`alertname="`+r.Alert+`"`)) {
				t.Errorf("alerts_test.yaml does not see the alert %s fire", r.Alert)
			}
		}
	}
	return list
}

func dashboard(t *testing.T) []query {
	t.Helper()
	text, err := os.ReadFile("../../deploy/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
		Annotations struct {
			List []struct{ Name, Expr, TitleFormat string }
		}
		Templating struct {
			List []struct {
				Name  string
				Query any
			}
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var list []query
	for _, p := range file.Panels {
		for _, target := range p.Targets {
			list = append(list, query{p.Title, target.Expr, []string{target.LegendFormat}})
		}
	}
	for _, a := range file.Annotations.List {
		list = append(list, query{a.Name, a.Expr, []string{a.TitleFormat}})
	}
	return list
}

// TestDeploy holds the dashboard and the alerts to the metrics that there are.
func TestDeploy(t *testing.T) {
	all := families(t)
	used := make(map[string]bool)
	queries := slices.Concat(alerts(t), dashboard(t))
	if len(queries) < 30 {
		t.Fatalf("%d queries, want those of alerts and dashboard", len(queries))
	}
	for _, q := range queries {
		problems, labels := checkQuery(all, q.expr)
		for _, p := range problems {
			t.Errorf("%s: %s: %s", q.where, q.expr, p)
		}
		for _, text := range q.texts {
			for _, m := range labelInText.FindAllStringSubmatch(text, -1) {
				if !labels[m[1]] {
					t.Errorf("%s: %q shows the label %s, which nothing in %s has", q.where, text, m[1], q.expr)
				}
			}
		}
		for name := range all {
			if strings.Contains(q.expr, name) {
				used[name] = true
			}
		}
	}
	for name := range all {
		if strings.HasPrefix(name, "podium_") && !used[name] {
			t.Errorf("neither the dashboard nor an alert shows %s", name)
		}
	}
}

// TestCheckQuery: what is wrong is found.
func TestCheckQuery(t *testing.T) {
	all := families(t)
	for expr, want := range map[string]int{
		`sum by (platform) (rate(podium_questions_total{outcome="answered"}[5m]))`:         0,
		`sum by (platform, le) (rate(podium_reply_seconds_bucket[5m])) / up{job="podium"}`: 0,
		`rate(podium_rate_limit_wait_seconds_sum[5m]) > on (platform) podium_platform_up`:  0,
		`podium_question_total`:                                      1,
		`podium_reply_seconds`:                                       1, // a histogram has no such series
		`podium_redeliveries_total_count`:                            1,
		`podium_rate_limit_wait_seconds_bucket`:                      1,
		`podium_database_up{platform="slack"}`:                       1,
		`sum by (platform, kind) (podium_platform_up)`:               1,
		`go_goroutine{job="$job"}`:                                   1,
		`sum by (intents) (podium_question_total{results="answer"})`: 3,
	} {
		if problems, _ := checkQuery(all, expr); len(problems) != want {
			t.Errorf("%s has the problems %q, want %d", expr, problems, want)
		}
	}
}

// TestPromtool has Prometheus's own tool read the alerts and all queries, and
// play the alerts' test.
func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("promtool is not here, and CI wants it: ", err)
		}
		t.Skip("promtool (Debian: prometheus) is not here: the alerts are not played, and no query's syntax is checked")
	}
	check := func(dir string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	const deploy = "../../deploy"
	check(deploy, "check", "rules", "alerts.yaml")
	check(deploy, "test", "rules", "alerts_test.yaml")
	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var rules []rule
	variables := strings.NewReplacer("$__rate_interval", "5m", "$__range", "6h", "$job", "podium", "$instance", ".*")
	for i, q := range dashboard(t) {
		rules = append(rules, rule{fmt.Sprintf("dashboard:query%d", i), variables.Replace(q.expr)})
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dashboard.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	check(dir, "check", "rules", "dashboard.yaml")
}

// BenchmarkMeter is what counting costs a message, and its line of the log.
func BenchmarkMeter(b *testing.B) {
	base := embedded(b)
	msg := bot.Message{Platform: bot.Slack, Kind: bot.Command, Received: time.Now()}
	r := bot.Reply{Request: "ask", Outcome: bot.Answered, Intent: "troop_count"}
	for _, c := range []struct {
		name  string
		level slog.Level
	}{{"counted", slog.LevelWarn}, {"logged", slog.LevelDebug}} {
		b.Run(c.name, func(b *testing.B) {
			m := newMetrics(base)
			m.log = slog.New(&logHandler{slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: c.level}), m.logged})
			ctx := bot.WithID(b.Context(), "Ev1")
			b.ReportAllocs()
			for b.Loop() {
				m.InHand(bot.Slack, 1)
				m.Acknowledged(bot.Slack, time.Since(msg.Received))
				m.Replied(ctx, msg, r, nil)
				m.InHand(bot.Slack, -1)
			}
		})
	}
}
