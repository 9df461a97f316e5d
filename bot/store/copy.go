package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"podium/bot"
)

// tables are all of ours, each after those that its rows point to. A migration
// that adds a table adds it here, so that backups hold it.
var tables = []string{"meta", "seen", "turns", "questions", "votes", "messages", "reminders", "deliveries", "shards"}

// histories are the tables in which a restore leaves what is there and joins
// what the backup holds: forgetting would have podium do a thing twice.
var histories = []string{"seen", "deliveries"}

// Counts is how many rows of each table were copied.
type Counts map[string]int

// Sum is the number of rows of all tables.
func (c Counts) Sum() (n int) {
	for _, rows := range c {
		n += rows
	}
	return n
}

// Backup writes all that is in the database at one moment to a new SQLite file
// at path, whatever the database is. It stops nobody from writing. The file is
// there only once it is whole.
func (s *SQL) Backup(ctx context.Context, path string) (Counts, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s is there already, and a backup overwrites nothing", path)
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".podium-backup-")
	if err != nil {
		return nil, errors.New(fileProblem(path, err))
	}
	defer os.RemoveAll(dir)
	part := filepath.Join(dir, "podium.db")
	to, err := Open(ctx, "sqlite:"+part, Options{Create: true})
	if err != nil {
		return nil, err
	}
	n, err := s.CopyTo(ctx, to)
	if err == nil {
		// One file, complete without the write-ahead log beside it.
		_, err = to.write.ExecContext(ctx, "PRAGMA journal_mode = DELETE")
	}
	if err := errors.Join(err, to.Close(ctx)); err != nil {
		return nil, err
	}
	if err := os.Rename(part, path); err != nil {
		return nil, err
	}
	return n, syncDir(filepath.Dir(path))
}

// syncDir puts a directory's new names on disk.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Restore makes the database at address hold what the backup at path holds: in
// one transaction, so that a process that serves meanwhile sees the one or the
// other. Only the events seen and the reminders posted since the backup stay,
// lest they be answered or posted again. A SQLite file that is damaged is set
// aside under the returned name.
func Restore(ctx context.Context, address, path string, o Options) (n Counts, aside string, err error) {
	o.Create = true
	from, dispose, err := openBackup(ctx, path)
	if err != nil {
		return nil, "", err
	}
	defer dispose()
	to, err := Open(ctx, address, o)
	if errors.Is(err, errDamaged) {
		if aside, err = setAside(strings.TrimPrefix(address, "sqlite:")); err != nil {
			return nil, "", err
		}
		to, err = Open(ctx, address, o)
	}
	if err != nil {
		return nil, aside, err
	}
	n, err = from.copyTo(ctx, to, true)
	return n, aside, errors.Join(err, to.Close(ctx))
}

// openBackup opens a copy of the backup at path, so that bringing its schema
// up to date leaves the backup as it is.
func openBackup(ctx context.Context, path string) (from *SQL, dispose func(), err error) {
	dir, err := os.MkdirTemp("", "podium-restore-")
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	in, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: %w: it is no file", path, cmp.Or(err, ErrNoBackup))
	}
	out, err := os.OpenFile(filepath.Join(dir, "podium.db"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return nil, nil, err
	}
	if err := isBackup(ctx, out.Name()); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	from, err = Open(ctx, "sqlite:"+out.Name(), Options{})
	if errors.Is(err, errDamaged) {
		return nil, nil, fmt.Errorf("%s: the backup is damaged; take an older one", path)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s can not be read as a backup of podium's: %s", path, strings.ReplaceAll(err.Error(), out.Name(), path))
	}
	return from, func() {
		from.Close(ctx)
		os.RemoveAll(dir)
	}, nil
}

// ErrNoBackup is the error of a file that is none.
var ErrNoBackup = errors.New("this is no backup of podium's")

// isBackup looks whether the SQLite file at path, if it is one, is podium's:
// SQLite takes an empty file for an empty database, and an empty database would
// be brought up to date and restored as one.
func isBackup(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", dsn(path, ""))
	if err != nil {
		return err
	}
	defer db.Close()
	var found bool
	err = db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'podium_schema')").Scan(&found)
	if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code()&0xff == sqlite3.SQLITE_CORRUPT {
		return nil // which is said later
	} else if ok && e.Code()&0xff == sqlite3.SQLITE_NOTADB || err == nil && !found {
		return ErrNoBackup
	}
	return err
}

// setAside renames a damaged SQLite file, with the files beside it that belong
// to it, unless somebody serves from it.
func setAside(path string) (string, error) {
	s := &SQL{path: path}
	held, err := s.hold()
	if err != nil {
		return "", err
	}
	defer s.lock.Close()
	if !held {
		return "", fmt.Errorf("%s is damaged and held by a podium serve: stop that first", path)
	}
	aside := fmt.Sprintf("%s.damaged-%s", path, time.Now().UTC().Format("20060102T150405"))
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return aside, nil
}

// CopyTo copies all that is in s at one moment into to, which has to be empty.
// If it fails, to is as it was.
func (s *SQL) CopyTo(ctx context.Context, to *SQL) (Counts, error) {
	return s.copyTo(ctx, to, false)
}

// copyTo copies all rows in one transaction on either side. With replace they
// take the place of what is there, but for histories, which they join.
func (s *SQL) copyTo(ctx context.Context, to *SQL, replace bool) (Counts, error) {
	n := make(Counts)
	snapshot := &sql.TxOptions{ReadOnly: true}
	if s.pool != nil {
		snapshot.Isolation = sql.LevelRepeatableRead
	}
	err := inTx(ctx, s.read, snapshot, func(from *sql.Tx) error {
		return inTx(ctx, to.write, nil, func(tx *sql.Tx) error {
			for i := len(tables) - 1; i >= 0; i-- {
				if err := makeRoom(ctx, tx, tables[i], replace); err != nil {
					return to.explain(err)
				}
			}
			for _, table := range tables {
				rows, err := copyTable(ctx, from, tx, table)
				if err != nil {
					return fmt.Errorf("table %s: %w", table, err)
				}
				n[table] = rows
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return n, nil
}

// makeRoom empties table. Without replace it refuses a table that holds
// something; meta alone always does.
func makeRoom(ctx context.Context, tx *sql.Tx, table string, replace bool) error {
	if !replace && table != "meta" {
		var found bool
		if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM "+table+")").Scan(&found); err != nil {
			return err
		}
		if found {
			return &bot.ConfigError{Setting: "--to", Problem: "the database there holds data already (in " + table + "), and only an empty one is filled"}
		}
	}
	if slices.Contains(histories, table) {
		return nil
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM "+table)
	return err
}

// copyTable copies the rows of table, some dozens with one statement.
func copyTable(ctx context.Context, from, to *sql.Tx, table string) (n int, err error) {
	rows, err := from.QueryContext(ctx, "SELECT * FROM "+table)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	// They come from a file, and go into a statement.
	for _, c := range columns {
		if strings.Trim(c, "abcdefghijklmnopqrstuvwxyz_") != "" {
			return 0, fmt.Errorf("%q is no column of podium's", c)
		}
	}
	const most = 50
	full, err := to.PrepareContext(ctx, insertRows(table, columns, most))
	if err != nil {
		return 0, err
	}
	defer full.Close()
	args := make([]any, 0, most*len(columns))
	for rows.Next() {
		row := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return 0, err
		}
		args = append(args, row...)
		n++
		if len(args) == cap(args) {
			if _, err := full.ExecContext(ctx, args...); err != nil {
				return 0, err
			}
			args = args[:0]
		}
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	if len(args) > 0 {
		_, err = to.ExecContext(ctx, insertRows(table, columns, len(args)/len(columns)), args...)
	}
	return n, err
}

// insertRows is the statement that inserts n rows; those that are there
// already stay as they are.
func insertRows(table string, columns []string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES ", table, strings.Join(columns, ", "))
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for j := range columns {
			if j > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "$%d", i*len(columns)+j+1)
		}
		b.WriteByte(')')
	}
	b.WriteString(" ON CONFLICT DO NOTHING")
	return b.String()
}
