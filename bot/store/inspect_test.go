package store

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"podium/bot"
)

// findings are what Inspect says of address, a line each.
func findings(t *testing.T, address string) (string, []bot.Reminder) {
	t.Helper()
	list, reminders := Inspect(t.Context(), address)
	var b strings.Builder
	for _, f := range list {
		if strings.Contains(f.What+f.Remedy, "\n") || (f.Remedy == "") != (f.Level == bot.OK) {
			t.Errorf("the finding %+v: want one line, and a remedy where all is not well", f)
		}
		fmt.Fprintf(&b, "%s %s: %s; %s\n", f.Level, f.About, f.What, f.Remedy)
	}
	if strings.Contains(b.String(), "hunter2") {
		t.Errorf("a password shows: %s", &b)
	}
	return b.String(), reminders
}

// TestInspect looks at a database that a process serves from.
func TestInspect(t *testing.T) {
	onEach(t, func(t *testing.T, address string) {
		if got, _ := findings(t, address); strings.Contains(got, "FAIL") || !strings.Contains(got, "podium serve makes") {
			t.Errorf("of a database without tables: %s", got)
		}
		serving := keepAll
		serving.Serve = true
		s := open(t, address, serving)
		active, paused := someReminder("aaaaa", time.Now()), someReminder("bbbbb", time.Now())
		paused.State = bot.Paused
		for _, r := range []bot.Reminder{active, paused} {
			if ok, err := s.AddReminder(t.Context(), r); err != nil || !ok {
				t.Fatal(ok, err)
			}
		}
		if err := s.SetTurn(t.Context(), "c", bot.Turn{Question: "q", At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		flush(t, s)
		before := dump(t, s)
		got, reminders := findings(t, address)
		for _, want := range []string{"ok database: ", "can be written", "ok database schema: schema ", "this podium's"} {
			if !strings.Contains(got, want) {
				t.Errorf("of a database that is served from: %s\nwant %q", got, want)
			}
		}
		if len(reminders) != 1 || reminders[0].ID != "aaaaa" {
			t.Errorf("reminders = %+v, want the active one", reminders)
		}
		if after := dump(t, s); !slices.Equal(before, after) {
			t.Errorf("the database has changed from %q to %q", before, after)
		}
		for version, want := range map[int]string{99999: "FAIL database schema: schema 99999 is newer", 1: "warn database schema: schema 1 is older"} {
			if _, err := s.write.ExecContext(t.Context(), "DELETE FROM podium_schema WHERE version_id > 1"); err != nil {
				t.Fatal(err)
			}
			if version > 1 {
				if _, err := s.write.ExecContext(t.Context(), "INSERT INTO podium_schema (version_id, is_applied) VALUES ($1, true)", version); err != nil {
					t.Fatal(err)
				}
			}
			if got, reminders := findings(t, address); !strings.Contains(got, want) || reminders != nil {
				t.Errorf("of schema %d: %s\nwant %q", version, got, want)
			}
		}
	})
}

func TestInspectRefuses(t *testing.T) {
	dir := t.TempDir()
	damaged := filled(t)
	f, err := os.OpenFile(damaged, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	write0(t, f, strings.Repeat("hello ", 100), 0)
	f.Close()
	for _, c := range []struct{ name, address, want string }{
		{"no address", "hunter2", "FAIL database: is neither sqlite:PATH nor"},
		{"no path", "sqlite:", "FAIL database: names no file"},
		{"no directory", "sqlite:" + filepath.Join(dir, "none", "p.db"), "FAIL database: there is no directory "},
		{"directory", "sqlite:" + dir, "is a directory: name a file in it"},
		{"damaged", "sqlite:" + damaged, "is damaged (file is not a database (26)); stop podium serve"},
		{"unescaped password", "postgres://podium:hunter2/#@localhost/x", "FAIL database: can not be read as postgres://"},
		{"no server", "postgres://podium:hunter2@127.0.0.1:1/x", "FAIL database: the database server can not be reached"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, _ := findings(t, c.address); !strings.Contains(got, c.want) {
				t.Errorf("findings of %s: %s\nwant %q", c.address, got, c.want)
			}
		})
	}
	left, err := fs.Glob(os.DirFS(dir), "*")
	if err != nil || len(left) > 0 {
		t.Errorf("%q were left behind", left)
	}
	t.Run("postgres", func(t *testing.T) {
		address := databases["postgres"](t)
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		wrong := *u
		wrong.User = url.UserPassword(u.User.Username(), "hunter2-but-wrong")
		if got, _ := findings(t, wrong.String()); !strings.Contains(got, "FAIL database: the database server refuses this user or password") {
			t.Errorf("with a wrong password: %s", got)
		}
		q := u.Query()
		q.Set("default_transaction_read_only", "on")
		u.RawQuery = q.Encode()
		if got, _ := findings(t, u.String()); !strings.Contains(got, "FAIL database: the database server takes no writes") {
			t.Errorf("of a server that is read only: %s", got)
		}
		q.Del("default_transaction_read_only")
		q.Set("search_path", "none")
		u.RawQuery = q.Encode()
		if got, _ := findings(t, u.String()); !strings.Contains(got, "may not make tables") {
			t.Errorf("without a schema: %s", got)
		}
	})
}
