package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
)

// A keeper is all that handlers, adapters and the command line ask of a store.
type keeper interface {
	log
	MarkSeen(ctx context.Context, platform string, keys ...string) (bool, error)
	Turn(ctx context.Context, conversation string) (bot.Turn, bool, error)
	SetTurn(ctx context.Context, conversation string, t bot.Turn) error
	LogQuestion(ctx context.Context, q bot.Question) error
	LogVote(ctx context.Context, v bot.Vote) error
	SaveReference(ctx context.Context, r bot.Reference) error
	ReplyTo(ctx context.Context, question bot.MessageRef) (bot.Reference, bool, error)
	ReferenceOf(ctx context.Context, message bot.MessageRef) (bot.Reference, bool, error)
	HoldShard(ctx context.Context, shard, holder string) (map[string]time.Time, error)
	ReleaseShard(ctx context.Context, shard, holder string) error
}

// databases are the addresses of an empty database of each kind.
var databases = map[string]func(testing.TB) string{
	"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "podium.db") },
	"postgres": bottest.Postgres,
}

// onEach runs f on an empty database of each kind.
func onEach(t *testing.T, f func(t *testing.T, address string)) {
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) { f(t, databases[name](t)) })
	}
}

var keepAll = Options{Create: true, Questions: questionsFor, References: referencesFor}

// open opens the store at address until the test ends.
func open(t testing.TB, address string, o Options) *SQL {
	t.Helper()
	s, err := Open(t.Context(), address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t testing.TB, s *SQL) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

// flush waits until all that is queued is in the database.
func flush(t testing.TB, s *SQL) {
	t.Helper()
	for len(s.behind.batch()) > 0 {
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestConformance is what every store has to do. SQL stores are looked at
// twice: while their writes are queued, and from another store on the same
// database once they are written.
func TestConformance(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		m := NewMemory()
		conform(t, m, func() keeper { return m })
	})
	onEach(t, func(t *testing.T, address string) {
		s := open(t, address, keepAll)
		conform(t, s, func() keeper { return s })
	})
	onEach(t, func(t *testing.T, address string) {
		s := open(t, address, keepAll)
		other := open(t, address, keepAll)
		conform(t, s, func() keeper {
			flush(t, s)
			return other
		})
	})
}

// conform writes to w and reads from r().
func conform(t *testing.T, w keeper, r func() keeper) {
	ctx := t.Context()
	now := time.Now().UTC().Truncate(time.Microsecond)
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	for _, step := range []struct {
		platform string
		keys     []string
		want     bool
	}{
		{"slack", []string{"Ev1"}, true},
		{"slack", []string{"Ev1"}, false},
		{"discord", []string{"Ev1"}, true},
		{"slack", []string{"Ev2", "C1/1.2"}, true},
		{"slack", []string{"Ev3", "C1/1.2"}, false}, // the same message by another event
		{"slack", []string{"Ev3"}, false},           // which is remembered all the same
		{"slack", []string{"Ev4", "Ev4"}, true},
		{"slack", []string{"b", "a"}, true},
		{"slack", []string{"a", "c"}, false},
		{"slack", []string{"nul\x00 and \xff"}, true},
		{"slack", []string{"nul\x00 and \xff"}, false},
		{"slack", nil, true},
	} {
		first, err := w.MarkSeen(ctx, step.platform, step.keys...)
		ok(err)
		if first != step.want {
			t.Errorf("MarkSeen(%q, %q) = %v, want %v", step.platform, step.keys, first, step.want)
		}
	}
	first, err := r().MarkSeen(ctx, "slack", "Ev1")
	ok(err)
	if first {
		t.Error("a second reader takes a seen event for a new one")
	}

	hold := func(s keeper, shard, holder string) map[string]time.Time {
		t.Helper()
		others, err := s.HoldShard(ctx, shard, holder)
		ok(err)
		return others
	}
	if others := hold(w, "x 0/2", "a"); len(others) != 0 {
		t.Errorf("the first holder of a shard is told of %v", others)
	}
	once := hold(r(), "x 0/2", "b")["a"]
	if d := time.Since(once); d < 0 || d > time.Minute {
		t.Errorf("the second holder of a shard hears that the first has said so at %v", once)
	}
	if len(hold(w, "x 1/2", "c")) != 0 || len(hold(w, "y 0/2", "c")) != 0 {
		t.Error("another shard has holders")
	}
	if others := hold(w, "x 0/2", "a"); len(others) != 1 || others["b"].IsZero() {
		t.Errorf("the first holder is told of %v, want b", others)
	}
	if again := hold(r(), "x 0/2", "b")["a"]; again.Before(once) {
		t.Errorf("a holder that has said so again at %v shows as of %v", once, again)
	}
	ok(w.ReleaseShard(ctx, "x 0/2", "a"))
	if others := hold(r(), "x 0/2", "b"); len(others) != 0 {
		t.Errorf("after the release: %v", others)
	}

	turn := bot.Turn{Question: "how many?", Context: "a+b", Ref: "troop_count.iraq", At: now}
	for _, c := range []struct {
		name string
		set  []bot.Turn
		want bot.Turn
		ok   bool
	}{
		{"none", nil, bot.Turn{}, false},
		{"one", []bot.Turn{turn}, turn, true},
		{"the last", []bot.Turn{{Question: "first", At: now.Add(-time.Second)}, turn}, turn, true},
		{"the last, out of order", []bot.Turn{turn, {Question: "first", At: now.Add(-time.Second)}}, turn, true},
		{"14 minutes ago", []bot.Turn{{Question: "q", At: now.Add(-14 * time.Minute)}}, bot.Turn{Question: "q", At: now.Add(-14 * time.Minute)}, true},
		{"16 minutes ago", []bot.Turn{{Question: "q", At: now.Add(-16 * time.Minute)}}, bot.Turn{}, false},
		{"odd text", []bot.Turn{{Question: "a\x00b\xffc " + strings.Repeat("ü", maxText), At: now}},
			bot.Turn{Question: "abc " + strings.Repeat("ü", (maxText-6)/2), At: now}, true},
	} {
		for _, turn := range c.set {
			ok(w.SetTurn(ctx, "slack/C1/"+c.name, turn))
		}
		got, found, err := r().Turn(ctx, "slack/C1/"+c.name)
		ok(err)
		if got != c.want || found != c.ok {
			t.Errorf("Turn after %s = %+v, %v, want %+v, %v", c.name, got, found, c.want, c.ok)
		}
	}

	message := bot.MessageRef{Platform: "slack", Channel: "C1", ID: "2.0"}
	question := bot.MessageRef{Platform: "slack", Channel: "C1", ID: "1.0"}
	reference := bot.Reference{Message: message, Question: question, Ref: "cost", Hash: "h1", At: now}
	posted := bot.Reference{Message: bot.MessageRef{Platform: "discord", Channel: "7", ID: "8"}, Ref: "mission", At: now}
	later := reference
	later.Message.ID, later.At = "3.0", now.Add(time.Second)
	ok(w.SaveReference(ctx, reference))
	ok(w.SaveReference(ctx, posted))
	for _, ref := range []bot.Reference{reference, posted} {
		got, found, err := r().ReferenceOf(ctx, ref.Message)
		ok(err)
		if got != ref || !found {
			t.Errorf("ReferenceOf(%+v) = %+v, %v, want %+v", ref.Message, got, found, ref)
		}
	}
	reply := func(want bot.Reference) {
		t.Helper()
		got, found, err := r().ReplyTo(ctx, question)
		ok(err)
		if got != want || !found {
			t.Errorf("ReplyTo = %+v, %v, want %+v", got, found, want)
		}
	}
	reply(reference)
	reference.Hash = "h2"
	ok(w.SaveReference(ctx, reference))
	reply(reference)
	ok(w.SaveReference(ctx, later))
	reply(later)
	for _, absent := range []bot.MessageRef{{}, {Platform: "discord", Channel: "C1", ID: "1.0"}, {Platform: "slack", Channel: "C2", ID: "1.0"}} {
		if got, found, err := r().ReplyTo(ctx, absent); found || err != nil {
			t.Errorf("ReplyTo(%+v) = %+v, %v, %v, want none", absent, got, found, err)
		}
		if got, found, err := r().ReferenceOf(ctx, absent); found || err != nil {
			t.Errorf("ReferenceOf(%+v) = %+v, %v, %v, want none", absent, got, found, err)
		}
	}

	asked := []bot.Question{
		{Text: "what does it cost", Outcome: "unanswered", Intent: "cost", Platform: "slack", At: now},
		{Text: "deadline?", Outcome: "clarify", Platform: "discord", At: now.Add(-time.Hour)},
		{Text: "", Outcome: bot.NotHelpful, Intent: "goal", Platform: "slack", At: now.Add(-2 * time.Hour)},
	}
	for _, q := range asked {
		ok(w.LogQuestion(ctx, q))
	}
	if s, isSQL := w.(*SQL); isSQL {
		flush(t, s) // lists are of what is written
	}
	for _, c := range []struct {
		name   string
		filter Filter
		want   []bot.Question
	}{
		{"all", Filter{}, asked},
		{"newest", Filter{Limit: 1}, asked[:1]},
		{"since", Filter{Since: now.Add(-time.Hour)}, asked[:2]},
		{"outcome", Filter{Outcome: "clarify"}, asked[1:2]},
		{"nothing", Filter{Outcome: "answered"}, nil},
	} {
		var got []bot.Question
		ok(r().Questions(ctx, c.filter, func(q bot.Question) error {
			got = append(got, q)
			return nil
		}))
		if !slices.Equal(got, c.want) {
			t.Errorf("Questions, %s: %+v, want %+v", c.name, got, c.want)
		}
	}
	stop := errors.New("enough")
	if err := r().Questions(ctx, Filter{}, func(bot.Question) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Questions with a failing reader = %v, want its error", err)
	}

	for _, v := range []bot.Vote{
		{Platform: "slack", Voter: "U1", Message: "C1/2.0", Ref: "cost", Helpful: true, At: now},
		{Platform: "slack", Voter: "U2", Message: "C1/2.0", Ref: "cost", Helpful: true, At: now},
		{Platform: "slack", Voter: "U2", Message: "C1/2.0", Ref: "cost", Helpful: false, At: now}, // thought better of it
		{Platform: "discord", Voter: "U1", Message: "7/8", Ref: "goal", Helpful: true, At: now},
	} {
		ok(w.LogVote(ctx, v))
	}
	if s, isSQL := w.(*SQL); isSQL {
		flush(t, s)
	}
	tallies, err := r().Votes(ctx)
	ok(err)
	if want := []Tally{{"cost", 1, 1}, {"goal", 1, 0}}; !slices.Equal(tallies, want) {
		t.Errorf("Votes = %+v, want %+v", tallies, want)
	}

	// What is young stays; what is old goes.
	ok(w.Purge(ctx, now.Add(6*24*time.Hour)))
	if first, err := w.MarkSeen(ctx, "slack", "Ev1"); first || err != nil {
		t.Errorf("MarkSeen after 6 days = %v, %v, want an event that was seen", first, err)
	}
	if _, found, err := r().ReferenceOf(ctx, message); !found || err != nil {
		t.Errorf("ReferenceOf after 6 days = %v, %v, want it kept", found, err)
	}
	ok(w.Purge(ctx, now.Add(8*24*time.Hour)))
	if first, err := w.MarkSeen(ctx, "slack", "Ev1"); !first || err != nil {
		t.Errorf("MarkSeen after 8 days = %v, %v, want a new event", first, err)
	}
	ok(w.Purge(ctx, now.Add(31*24*time.Hour)))
	if _, found, err := r().ReferenceOf(ctx, message); found || err != nil {
		t.Errorf("ReferenceOf after 31 days = %v, %v, want none", found, err)
	}
	if _, found, err := r().Turn(ctx, "slack/C1/one"); found || err != nil {
		t.Errorf("Turn after 31 days = %v, %v, want none", found, err)
	}
	ok(w.Purge(ctx, now.Add(91*24*time.Hour)))
	left := 0
	ok(r().Questions(ctx, Filter{}, func(bot.Question) error { left++; return nil }))
	tallies, err = r().Votes(ctx)
	ok(err)
	if left != 0 || len(tallies) != 0 {
		t.Errorf("after 91 days %d questions and %d tallies are left", left, len(tallies))
	}
}

// TestMarkSeenTogether has many ask at once whether they are the first.
func TestMarkSeenTogether(t *testing.T) {
	onEach(t, func(t *testing.T, address string) {
		stores := []*SQL{open(t, address, keepAll), open(t, address, keepAll)}
		const events = 20
		var mu sync.Mutex
		firsts := make(map[int]int)
		var running sync.WaitGroup
		for i := range 8 {
			running.Go(func() {
				for e := range events {
					// Half of them name the keys the other way round.
					keys := []string{fmt.Sprint("event", e), fmt.Sprint("message", e)}
					if i%2 == 1 {
						slices.Reverse(keys)
					}
					first, err := stores[i%2].MarkSeen(t.Context(), "slack", keys...)
					if err != nil {
						t.Error(err)
					}
					if first {
						mu.Lock()
						firsts[e]++
						mu.Unlock()
					}
				}
			})
		}
		running.Wait()
		for e := range events {
			if firsts[e] != 1 {
				t.Errorf("event %d was new to %d of its 8 deliveries, want 1", e, firsts[e])
			}
		}
	})
}

// TestVoterIsNotKept looks for who voted and asked in the whole database.
func TestVoterIsNotKept(t *testing.T) {
	onEach(t, func(t *testing.T, address string) {
		s := open(t, address, keepAll)
		if err := s.LogVote(t.Context(), bot.Vote{Platform: "slack", Voter: "U0SECRET", Message: "C/1", Ref: "r", At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		flush(t, s)
		var voter string
		if err := s.read.QueryRowContext(t.Context(), "SELECT voter FROM votes").Scan(&voter); err != nil {
			t.Fatal(err)
		}
		if len(voter) != 64 || strings.Contains(voter, "SECRET") {
			t.Errorf("the voter is kept as %q, want a hash", voter)
		}
	})
}

// TestQuestionsOff keeps no question and no vote.
func TestQuestionsOff(t *testing.T) {
	onEach(t, func(t *testing.T, address string) {
		s := open(t, address, Options{Create: true, References: referencesFor})
		if err := errors.Join(s.LogQuestion(t.Context(), bot.Question{Text: "q", At: time.Now()}), s.LogVote(t.Context(), bot.Vote{At: time.Now()})); err != nil {
			t.Fatal(err)
		}
		flush(t, s)
		var n int
		if err := s.read.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM questions) + (SELECT count(*) FROM votes)").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n != 0 {
			t.Errorf("%d rows are kept with the question log off", n)
		}
	})
}
