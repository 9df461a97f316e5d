package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"podium/bot"
	"podium/bot/bottest"
)

// dump is all that is in a store, a line a row.
func dump(t *testing.T, s *SQL) []string {
	t.Helper()
	var lines []string
	for _, table := range tables {
		rows, err := s.read.QueryContext(t.Context(), "SELECT * FROM "+table)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			row, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range row {
				into[i] = &row[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, fmt.Sprint(table, row))
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	slices.Sort(lines)
	return lines
}

// populate puts something into every table, and in one of them more rows than
// one statement copies.
func populate(t *testing.T, s *SQL) {
	t.Helper()
	fill(t, s, 700, 300)
	now := time.Now()
	ref := bot.MessageRef{Platform: "slack", Channel: "C", ID: "1"}
	if err := errors.Join(
		s.SetTurn(t.Context(), "c", bot.Turn{Question: "ünï 🙂", At: now}),
		s.LogVote(t.Context(), bot.Vote{Voter: "U", Message: "C/1", At: now}),
		s.SaveReference(t.Context(), bot.Reference{Message: ref, At: now}),
	); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	if _, err := s.HoldShard(t.Context(), "x 0/1", "a process"); err != nil {
		t.Fatal(err)
	}
	r := someReminder("aaaaa", now)
	if _, err := s.AddReminder(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if _, err := s.BeginDelivery(t.Context(), someDelivery(r, now), true, time.Time{}); err != nil {
		t.Fatal(err)
	}
}

func TestCopy(t *testing.T) {
	for _, from := range []string{"sqlite", "postgres"} {
		for _, to := range []string{"sqlite", "postgres"} {
			t.Run(from+" to "+to, func(t *testing.T) {
				source := open(t, databases[from](t), keepAll)
				target := open(t, databases[to](t), keepAll)
				populate(t, source)
				want := dump(t, source)
				n, err := source.CopyTo(t.Context(), target)
				if err != nil {
					t.Fatal(err)
				}
				if got := dump(t, target); !slices.Equal(got, want) {
					t.Errorf("the copy has %d rows, want the same %d as the original", len(got), len(want))
				}
				if want := (Counts{"meta": 1, "seen": 700, "turns": 1, "questions": 300, "votes": 1, "messages": 1, "reminders": 1, "shards": 1, "deliveries": 1}); !maps.Equal(n, want) {
					t.Errorf("CopyTo = %v, want %v", n, want)
				}
				if _, err := source.CopyTo(t.Context(), target); err == nil || !strings.Contains(err.Error(), "holds data already") {
					t.Errorf("CopyTo a store that is not empty = %v, want a refusal", err)
				}
				if got := dump(t, target); !slices.Equal(got, want) {
					t.Error("a refused copy changed its target")
				}
			})
		}
	}
}

// TestCopyFails has the source or the target fail half-way: the target stays
// empty and the source whole, and the next attempt succeeds.
func TestCopyFails(t *testing.T) {
	check := func(t *testing.T, source, target *SQL, mend func(*SQL) *SQL) {
		t.Helper()
		if _, err := source.CopyTo(t.Context(), target); err == nil {
			t.Fatal("CopyTo succeeded, want an error")
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("CopyTo = %v, which holds the password", err)
		}
		target = mend(target)
		if got := dump(t, target); len(got) != 1 { // the voters' key
			t.Errorf("after a failed copy the target has %d rows, want only its own key", len(got))
		}
		if _, err := source.CopyTo(t.Context(), target); err != nil {
			t.Errorf("a second CopyTo: %v", err)
		}
		if got, want := dump(t, target), dump(t, source); !slices.Equal(got, want) {
			t.Errorf("the second copy has %d rows, want the same %d as the original", len(got), len(want))
		}
	}
	t.Run("target gone", func(t *testing.T) {
		source := open(t, databases["sqlite"](t), keepAll)
		fill(t, source, 20_000, 10)
		address := bottest.Postgres(t)
		p, through := proxied(t, address)
		target := open(t, through, keepAll)
		// Once some of the rows have arrived.
		p.cutAfter(256 << 10)
		check(t, source, target, func(*SQL) *SQL { return open(t, address, keepAll) })
	})
	t.Run("row refused", func(t *testing.T) {
		source := open(t, databases["sqlite"](t), keepAll)
		populate(t, source)
		// PostgreSQL takes no such text, which podium does not write.
		odd := `UPDATE questions SET text = CAST(x'ff00' AS TEXT) WHERE at = (SELECT max(at) FROM questions)`
		if _, err := source.write.ExecContext(t.Context(), odd); err != nil {
			t.Fatal(err)
		}
		check(t, source, open(t, bottest.Postgres(t), keepAll), func(target *SQL) *SQL {
			if _, err := source.write.ExecContext(t.Context(), strings.Replace(odd, "CAST(x'ff00' AS TEXT)", "'plain'", 1)); err != nil {
				t.Fatal(err)
			}
			return target
		})
	})
	t.Run("source gone", func(t *testing.T) {
		address := bottest.Postgres(t)
		p, through := proxied(t, address)
		source := open(t, through, keepAll)
		fill(t, source, 20_000, 10)
		target := open(t, databases["sqlite"](t), keepAll)
		p.cutAfter(256 << 10)
		if _, err := source.CopyTo(t.Context(), target); err == nil {
			t.Fatal("CopyTo succeeded, want an error")
		}
		if got := dump(t, target); len(got) != 1 {
			t.Errorf("after a failed copy the target has %d rows, want only its own key", len(got))
		}
	})
}

// TestBackupWhileWriting restores what was there when the backup began, and
// nothing half.
func TestBackupWhileWriting(t *testing.T) {
	onEach(t, func(t *testing.T, address string) {
		s := open(t, address, Options{Serve: true, Create: true, Questions: questionsFor, References: referencesFor})
		populate(t, s)
		before := dump(t, s)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan int)
		go func() {
			n := 0
			for ; ctx.Err() == nil; n++ {
				if _, err := s.MarkSeen(t.Context(), "slack", fmt.Sprint("meanwhile", n)); err != nil {
					t.Error(err)
				}
			}
			done <- n
		}()
		path := filepath.Join(t.TempDir(), "backup.db")
		beside := open(t, address, Options{})
		if _, err := beside.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		stop()
		if n := <-done; n == 0 {
			t.Error("nothing was written meanwhile")
		}
		if _, err := beside.Backup(t.Context(), path); err == nil || !strings.Contains(err.Error(), "overwrites nothing") {
			t.Errorf("Backup onto a backup = %v, want a refusal", err)
		}
		if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
			t.Errorf("beside the backup lie %v, %v", left, err)
		}

		// Something is lost, and comes back, while the store serves.
		if _, err := s.write.ExecContext(t.Context(), "DELETE FROM questions"); err != nil {
			t.Fatal(err)
		}
		if _, aside, err := Restore(t.Context(), address, path, Options{}); err != nil || aside != "" {
			t.Fatalf("Restore = %q, %v", aside, err)
		}
		after := dump(t, s)
		for _, row := range before {
			if _, found := slices.BinarySearch(after, row); !found {
				t.Fatalf("after the restore %s is missing", row)
			}
		}
		if first, err := s.MarkSeen(t.Context(), "slack", "meanwhile0"); first || err != nil {
			t.Errorf("MarkSeen of an event since the backup = %v, %v, want it seen", first, err)
		}
	})
}

func TestRestoreRefuses(t *testing.T) {
	address := databases["sqlite"](t)
	populate(t, open(t, address, keepAll))
	dir := t.TempDir()
	for name, text := range map[string]string{
		"empty.db": "", "text.db": strings.Repeat("no database ", 1000), "short.db": "x",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Another program's database is not to be taken for an empty one of podium's.
	other, err := sql.Open("sqlite", dsn(filepath.Join(dir, "other.db"), ""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.ExecContext(t.Context(), "CREATE TABLE cats (name TEXT)"); err != nil {
		t.Fatal(err)
	}
	other.Close()
	damaged, err := os.ReadFile(filled(t))
	if err != nil {
		t.Fatal(err)
	}
	copy(damaged[len(damaged)/2:], strings.Repeat("\xaa", 8192))
	if err := os.WriteFile(filepath.Join(dir, "damaged.db"), damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"none.db": "no such file", "empty.db": ErrNoBackup.Error(), "text.db": ErrNoBackup.Error(), "short.db": ErrNoBackup.Error(),
		"other.db": ErrNoBackup.Error(), ".": ErrNoBackup.Error(), "damaged.db": "the backup is damaged",
	} {
		_, _, err := Restore(t.Context(), address, filepath.Join(dir, name), Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "podium restore") {
			t.Errorf("Restore(%s) = %v, want it to say %q", name, err, want)
		}
	}
	s := open(t, address, keepAll)
	n := 0
	if err := s.Questions(t.Context(), Filter{}, func(bot.Question) error { n++; return nil }); err != nil || n != 300 {
		t.Errorf("after refused restores there are %d questions, %v; want all 300", n, err)
	}
}

// TestRestoreDamaged puts a backup in the place of a damaged file, which is
// kept, but not while a process serves from it.
func TestRestoreDamaged(t *testing.T) {
	path := filled(t)
	s := open(t, "sqlite:"+path, keepAll)
	want := dump(t, s)
	backup := filepath.Join(t.TempDir(), "backup.db")
	if _, err := s.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	damaged := strings.Repeat("damage ", 1000)
	if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
		t.Fatal(err)
	}
	_, aside, err := Restore(t.Context(), "sqlite:"+path, backup, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(aside); err != nil || string(text) != damaged {
		t.Errorf("the damaged file is not at %q: %v", aside, err)
	}
	if got := dump(t, open(t, "sqlite:"+path, Options{})); !slices.Equal(got, want) {
		t.Errorf("the restored store has %d rows, want the same %d as before", len(got), len(want))
	}
}

// TestRestoreAsRoot: the operator restores as root what podium serve, who is
// somebody else, is to write. The directory's owner has the file, and a link in
// a stranger's directory gives nothing away.
func TestRestoreAsRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away: run it as root")
	}
	backup := filled(t)
	const nobody = 65534
	dir := t.TempDir()
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	restored, elsewhere := filepath.Join(dir, "podium.db"), filepath.Join(t.TempDir(), "elsewhere.db")
	if err := os.Symlink(elsewhere, filepath.Join(dir, "link.db")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{restored: nobody, elsewhere: 0} {
		address := path
		if path == elsewhere {
			address = filepath.Join(dir, "link.db")
		}
		if _, _, err := Restore(t.Context(), "sqlite:"+address, backup, keepAll); err != nil {
			t.Fatal(err)
		}
		if uid, _, ok := owner(path); !ok || uid != want {
			t.Errorf("%s is the user's %d, want %d", path, uid, want)
		}
		if uid, _, ok := owner(address + ".lock"); !ok || uid != nobody {
			t.Errorf("the lock of %s is the user's %d, want %d", address, uid, nobody)
		}
	}
}
