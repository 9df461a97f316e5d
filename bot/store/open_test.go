package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"podium/bot"
	"podium/bot/bottest"
)

// refused opens a store that must not open, and checks that the error is one
// line with all of want in it and none of the password.
func refused(t *testing.T, address string, o Options, want ...string) error {
	t.Helper()
	s, err := Open(t.Context(), address, o)
	if err == nil {
		closeStore(t, s)
		t.Fatalf("Open(%q) succeeded, want an error", address)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("Open(%q) = %q, want it to say %q", address, err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Open = %q, want one line without the password", err)
	}
	return err
}

func isConfigError(err error) bool {
	e, ok := errors.AsType[*bot.ConfigError](err)
	return ok && e.Setting == Setting
}

func TestOpenRefusesAddress(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, address, want string
		o                   Options
	}{
		{"empty", "", "neither sqlite:PATH nor", keepAll},
		{"another database", "mysql://root:hunter2@localhost/x", "neither sqlite:PATH nor", keepAll},
		{"path alone", "podium.db", "neither sqlite:PATH nor", keepAll},
		{"no path", "sqlite:", "names no file", keepAll},
		{"memory", "sqlite::memory:", "names no file", keepAll},
		{"host", "sqlite://podium.db", "names no file", keepAll},
		{"no file", "sqlite:" + filepath.Join(dir, "none.db"), "there is no database at", Options{}},
		{"no directory", "sqlite:" + filepath.Join(dir, "none", "p.db"), "there is no directory " + filepath.Join(dir, "none") + ": make it", keepAll},
		{"no directory, serving", "sqlite:" + filepath.Join(dir, "none", "p.db"), "no such file or directory", Options{Create: true, Serve: true}},
		{"file for a directory", "sqlite:" + filepath.Join(file, "p.db"), "not a directory", keepAll},
		{"directory", "sqlite:" + dir, "is a directory: name a file in it", keepAll},
		{"directory, serving", "sqlite:" + dir, "is a directory: name a file in it", Options{Create: true, Serve: true}},
		{"unwritable", "sqlite:/sys/p.db", "podium may not write /sys/p.db: let its user", keepAll}, // not even for root
		{"@ in the password", "postgres://podium:x@hunter2@localhost/x", "such as @ / : # in the password", keepAll},
		{"# in the password", "postgres://podium:1#hunter2@localhost/x", "such as @ / : # in the password", keepAll},
		{"bad port", "postgres://podium:hunter2@localhost:http/x", "can not be read as postgres://", keepAll},
		{"unescaped password", "postgres://podium:hunter2/#@localhost/x", "can not be read as postgres://", keepAll},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := refused(t, c.address, c.o, c.want); !isConfigError(err) {
				t.Errorf("Open = %v, want a *bot.ConfigError", err)
			}
		})
	}
}

// TestOpenOddPath opens files whose names mean something in an address.
func TestOpenOddPath(t *testing.T) {
	for _, name := range []string{"a b.db", "a?mode=memory.db", "a#b.db", "100%.db", "ü.db", "%41.db"} {
		path := filepath.Join(t.TempDir(), name)
		s, err := Open(t.Context(), "sqlite:"+path, keepAll)
		if err != nil {
			t.Errorf("Open(%q): %v", name, err)
			continue
		}
		closeStore(t, s)
		info, err := os.Stat(path)
		if err != nil {
			t.Errorf("after Open(%q): %v", name, err)
		} else if info.Mode().Perm() != 0o600 {
			t.Errorf("%q has mode %v, want one that is its owner's alone", name, info.Mode())
		}
	}
}

// TestPragmas looks at both of a SQLite store's connections.
func TestPragmas(t *testing.T) {
	s := open(t, databases["sqlite"](t), keepAll)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"} {
		for _, db := range []*sql.DB{s.read, s.write} {
			var got string
			if err := db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s is %q, %v, want %q", pragma, got, err, want)
			}
		}
	}
	if n := s.write.Stats().MaxOpenConnections; n != 1 {
		t.Errorf("%d connections may write, want 1", n)
	}
}

func TestOneServes(t *testing.T) {
	address := databases["sqlite"](t)
	serving := Options{Create: true, Serve: true}
	first, err := Open(t.Context(), address, serving)
	if err != nil {
		t.Fatal(err)
	}
	if err := refused(t, address, serving, "held by another podium serve", "postgres://"); !isConfigError(err) {
		t.Errorf("a second Open = %v, want a *bot.ConfigError", err)
	}
	open(t, address, Options{}) // beside it works
	closeStore(t, first)
	open(t, address, serving)
}

func TestPostgresRefuses(t *testing.T) {
	address := bottest.Postgres(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	wrong := *u
	wrong.User = url.UserPassword(u.User.Username(), "hunter2-but-wrong")
	if err := refused(t, wrong.String(), keepAll, "refuses this user or password"); !isConfigError(err) {
		t.Errorf("Open with a wrong password = %v, want a *bot.ConfigError", err)
	}
	wrong = *u
	wrong.Path = "/nosuch"
	if err := refused(t, wrong.String(), keepAll, `database "nosuch" does not exist`); !isConfigError(err) {
		t.Errorf("Open of no database = %v, want a *bot.ConfigError", err)
	}
	wrong = *u
	wrong.Host = "127.0.0.1:1"
	refused(t, wrong.String(), keepAll, "can not be reached", "connection refused")
	wrong.Host = strings.Repeat("x", 64) + ".test" // a label that is too long for a name
	refused(t, wrong.String(), keepAll, "can not be reached: the name "+wrong.Host+" is not found (no such host): check PODIUM_DATABASE_URL")
}

func TestNewerSchema(t *testing.T) {
	onEach(t, func(t *testing.T, address string) {
		s := open(t, address, keepAll)
		if _, err := s.write.ExecContext(t.Context(), "INSERT INTO podium_schema (version_id, is_applied) VALUES (99999, true)"); err != nil {
			t.Fatal(err)
		}
		if err := refused(t, address, keepAll, "schema 99999 is newer than this podium"); !isConfigError(err) {
			t.Errorf("Open = %v, want a *bot.ConfigError", err)
		}
	})
}

// TestOpenTogether has several processes bring one empty database up to date.
func TestOpenTogether(t *testing.T) {
	address := bottest.Postgres(t)
	var opening sync.WaitGroup
	for range 4 {
		opening.Go(func() {
			s, err := Open(t.Context(), address, keepAll)
			if err != nil {
				t.Error(err)
				return
			}
			closeStore(t, s)
		})
	}
	opening.Wait()
}

// TestTables keeps the list of tables that are copied equal to the schema.
func TestTables(t *testing.T) {
	s := open(t, databases["sqlite"](t), keepAll)
	rows, err := s.read.QueryContext(t.Context(), "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'podium_schema'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var found []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		found = append(found, name)
	}
	slices.Sort(found)
	if want := slices.Sorted(slices.Values(tables)); !slices.Equal(found, want) {
		t.Errorf("the schema has the tables %q, and %q are copied", found, want)
	}
}

// filled makes a SQLite database of some size and returns its path.
func filled(t testing.TB) string {
	t.Helper()
	address := databases["sqlite"](t)
	s, err := Open(t.Context(), address, keepAll)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, 2000, 500)
	closeStore(t, s)
	return strings.TrimPrefix(address, "sqlite:")
}

// fill adds rows to a database without asking the store. The statements are
// the same on both databases.
func fill(t testing.TB, s *SQL, seen, questions int) {
	t.Helper()
	for _, f := range []struct {
		n         int
		statement string
	}{
		{seen, `INSERT INTO seen (platform, key, at) SELECT 'slack', 'Ev0123456789' || n, CAST($1 AS BIGINT) + n FROM series`},
		{questions, `INSERT INTO questions (at, platform, outcome, intent, text) SELECT CAST($1 AS BIGINT) + n, 'slack', 'unanswered', 'cost', 'what does the whole operation cost the taxpayer ' || n FROM series`},
	} {
		series := fmt.Sprintf(`WITH RECURSIVE series (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < %d) `, f.n)
		if _, err := s.write.ExecContext(t.Context(), series+f.statement, micros(time.Now().Add(-time.Hour))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamagedFile(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, f *os.File, size int64)
	}{
		{"not a database", func(t *testing.T, f *os.File, size int64) { write0(t, f, strings.Repeat("hello ", 100), 0) }},
		{"header", func(t *testing.T, f *os.File, size int64) { write0(t, f, "\xff\xff\xff\xff", 16) }},
		{"middle", func(t *testing.T, f *os.File, size int64) { write0(t, f, strings.Repeat("\xaa", 8192), size/2) }},
		{"cut short", func(t *testing.T, f *os.File, size int64) {
			if err := f.Truncate(size / 3); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filled(t)
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			info, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			c.damage(t, f, info.Size())
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			err = refused(t, "sqlite:"+path, Options{Serve: true}, "is damaged", "podium restore")
			if !errors.Is(err, errDamaged) {
				t.Errorf("Open = %v, want errDamaged", err)
			}
		})
	}
}

func write0(t *testing.T, f *os.File, text string, at int64) {
	t.Helper()
	if _, err := f.WriteAt([]byte(text), at); err != nil {
		t.Fatal(err)
	}
}

// TestDiskFull: what can not be written is refused or kept until it can be.
func TestDiskFull(t *testing.T) {
	s := open(t, databases["sqlite"](t), keepAll)
	exec := func(statement string) {
		t.Helper()
		if _, err := s.write.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	exec("PRAGMA max_page_count = 1") // which SQLite takes for the present size
	var err error
	seen := 0
	for ; err == nil; seen++ {
		_, err = s.MarkSeen(t.Context(), "slack", fmt.Sprint("Ev", seen))
	}
	if !strings.Contains(err.Error(), "is full") {
		t.Fatalf("MarkSeen on a full disk = %v, want it to say so", err)
	}
	if err := s.SetTurn(t.Context(), "c", bot.Turn{Question: strings.Repeat("long ", 700), At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if _, found, err := s.Turn(t.Context(), "c"); !found || err != nil {
		t.Errorf("Turn on a full disk = %v, %v, want the one that waits", found, err)
	}
	exec("PRAGMA max_page_count = 100000")
	if first, err := s.MarkSeen(t.Context(), "slack", "Ev0"); first || err != nil {
		t.Errorf("MarkSeen of what was acknowledged = %v, %v, want it seen", first, err)
	}
	if first, err := s.MarkSeen(t.Context(), "slack", fmt.Sprint("Ev", seen-1)); !first || err != nil {
		t.Errorf("MarkSeen of what was refused = %v, %v, want it new", first, err)
	}
	flush(t, s)
	var n int
	if err := s.read.QueryRowContext(t.Context(), "SELECT count(*) FROM turns").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d turns, %v, once there is room; want 1", n, err)
	}
}

// A proxy stands between a store and its PostgreSQL server, to be cut.
type proxy struct {
	t       testing.TB
	server  string
	address string
	mu      sync.Mutex
	up      net.Listener
	conns   []net.Conn
	budget  int64 // bytes that go through before it cuts itself; 0: no end
}

// proxied returns address by way of a new proxy.
func proxied(t testing.TB, address string) (*proxy, string) {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, server: u.Host, address: "127.0.0.1:0"}
	p.connect()
	t.Cleanup(p.cut)
	u.Host = p.address
	return p, u.String()
}

func (p *proxy) connect() {
	p.t.Helper()
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.address = l.Addr().String()
	p.mu.Lock()
	p.up = l
	p.mu.Unlock()
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", p.server)
			if err != nil {
				in.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, in, out)
			p.mu.Unlock()
			go p.pipe(in, out)
			go p.pipe(out, in)
		}
	}()
}

// pipe carries what from says to to.
func (p *proxy) pipe(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		last := p.budget > 0 && p.budget <= int64(n)
		p.budget -= int64(n)
		p.mu.Unlock()
		if last {
			p.cut()
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// cutAfter cuts the connection once n more bytes have come through.
func (p *proxy) cutAfter(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.budget = n
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up.Close()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

// TestDatabaseGoneAndBack loses nothing that was acknowledged.
func TestDatabaseGoneAndBack(t *testing.T) {
	p, address := proxied(t, bottest.Postgres(t))
	s := open(t, address, keepAll)
	ctx := t.Context()
	if first, err := s.MarkSeen(ctx, "slack", "before"); !first || err != nil {
		t.Fatalf("MarkSeen = %v, %v", first, err)
	}
	p.cut()
	for range 5 { // whatever connections the pool has left
		if first, err := s.MarkSeen(ctx, "slack", "during"); first || err == nil {
			t.Fatalf("MarkSeen without a database = %v, %v, want an error", first, err)
		}
	}
	if err := s.Ping(ctx); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Ping without a database = %v, want an error without the password", err)
	}
	turn := bot.Turn{Question: "during", At: cleanTime(time.Now())}
	if err := errors.Join(s.SetTurn(ctx, "c", turn), s.LogQuestion(ctx, bot.Question{Text: "during", At: time.Now()})); err != nil {
		t.Fatal(err)
	}
	if got, _, err := s.Turn(ctx, "c"); got != turn || err != nil {
		t.Errorf("Turn without a database = %+v, %v, want what waits to be written", got, err)
	}
	p.connect()
	for s.Ping(ctx) != nil {
	}
	for _, key := range []string{"before", "during"} {
		first, err := s.MarkSeen(ctx, "slack", key)
		if want := key == "during"; first != want || err != nil {
			t.Errorf("MarkSeen(%q) = %v, %v, want %v", key, first, err, want)
		}
	}
	flush(t, s)
	n := 0
	if err := s.Questions(ctx, Filter{}, func(bot.Question) error { n++; return nil }); n != 1 || err != nil {
		t.Errorf("%d questions, %v, want the one asked meanwhile", n, err)
	}
}

// TestCloseGivesUp does not wait for a database that stays away, and says what
// is lost.
func TestCloseGivesUp(t *testing.T) {
	p, address := proxied(t, bottest.Postgres(t))
	s, err := Open(t.Context(), address, keepAll)
	if err != nil {
		t.Fatal(err)
	}
	p.cut()
	for i := range maxBehind {
		if err := s.LogQuestion(t.Context(), bot.Question{At: time.Now()}); err != nil {
			t.Fatalf("question %d: %v", i, err)
		}
	}
	if err := s.LogQuestion(t.Context(), bot.Question{}); !errors.Is(err, errFull) {
		t.Errorf("LogQuestion into a full queue = %v, want %v", err, errFull)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("Close = %v, want it to say what was lost", err)
	}
	if err := s.LogQuestion(t.Context(), bot.Question{}); !errors.Is(err, errClosed) {
		t.Errorf("LogQuestion after Close = %v, want %v", err, errClosed)
	}
}

// TestHopelessWrite drops the write that the database refuses, and no other.
func TestHopelessWrite(t *testing.T) {
	onEach(t, func(t *testing.T, address string) {
		s := open(t, address, keepAll)
		s.behind.mu.Lock() // so that all three are one batch
		for i, text := range []any{"first", nil, "third"} {
			s.behind.queue = append(s.behind.queue, write{
				statement: `INSERT INTO questions (at, platform, outcome, intent, text) VALUES ($1, '', '', '', $2)`, args: []any{i, text},
			})
		}
		s.behind.mu.Unlock()
		if err := s.SetTurn(t.Context(), "c", bot.Turn{At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		flush(t, s)
		var got []string
		if err := s.Questions(t.Context(), Filter{}, func(q bot.Question) error { got = append(got, q.Text); return nil }); err != nil {
			t.Fatal(err)
		}
		if want := []string{"third", "first"}; !slices.Equal(got, want) {
			t.Errorf("written: %q, want %q", got, want)
		}
	})
}

// TestTriesAgain every second, and complains once a minute.
func TestTriesAgain(t *testing.T) {
	closed, err := sql.Open("sqlite", dsn(filepath.Join(t.TempDir(), "podium.db"), ""))
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	synctest.Test(t, func(t *testing.T) {
		var logged strings.Builder
		s := &SQL{write: closed, log: slog.New(slog.NewTextHandler(&logged, nil))}
		s.behind.start(false)
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute-time.Second)
		defer stop()
		if err := s.SetTurn(ctx, "c", bot.Turn{At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		s.writeBehind(ctx)
		if n := strings.Count(logged.String(), "\n"); n != 10 {
			t.Errorf("in ten minutes without a database %d lines were logged, want 10", n)
		}
		if n := len(s.behind.batch()); n != 1 {
			t.Errorf("%d writes wait, want the one that could not be written", n)
		}
	})
}

// TestTurnsInMemory: once there are as many as may stay, those too old for a
// follow-up make room for the newest.
func TestTurnsInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &SQL{}
		s.behind.start(false)
		s.behind.keep = true
		ask := func(name string, n int) {
			for i := range n {
				if err := s.SetTurn(t.Context(), fmt.Sprint(name, i), bot.Turn{At: time.Now()}); err != nil {
					t.Fatal(err)
				}
			}
			s.behind.written(n)
		}
		ask("early", maxTurns)
		ask("more", 10)
		if n := len(s.behind.turns); n != maxTurns {
			t.Errorf("%d turns stay, want %d", n, maxTurns)
		}
		time.Sleep(turnFor + time.Second)
		ask("late", 10)
		if n := len(s.behind.turns); n != 10 {
			t.Errorf("%d turns stay, want the 10 of late", n)
		}
	})
}

// TestServePurges as soon as it starts.
func TestServePurges(t *testing.T) {
	onEach(t, func(t *testing.T, address string) {
		s := open(t, address, keepAll)
		if _, err := s.write.ExecContext(t.Context(), "INSERT INTO seen (platform, key, at) VALUES ('slack', 'old', 0), ('slack', 'new', $1)", micros(time.Now())); err != nil {
			t.Fatal(err)
		}
		closeStore(t, open(t, address, Options{}))
		count := func() (n int) {
			if err := s.read.QueryRowContext(t.Context(), "SELECT count(*) FROM seen").Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := count(); n != 2 {
			t.Errorf("a process beside the one that serves left %d events, want both", n)
		}
		open(t, address, Options{Serve: true, Questions: questionsFor, References: referencesFor})
		for count() != 1 {
		}
	})
}
