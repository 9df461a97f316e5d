package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"podium/bot"
)

// Setting is the setting that Open's errors are about.
const Setting = "PODIUM_DATABASE_URL"

//go:embed migrations/*.sql
var migrations embed.FS

// Options say how Open opens a database.
type Options struct {
	// Serve makes this process the one that serves from the database: it
	// holds a SQLite file for itself, and purges. Without it, others work
	// beside a process that serves.
	Serve bool
	// Create makes the SQLite file if it is not there.
	Create bool
	// Wait is how long to go on trying while a PostgreSQL server can not be
	// reached.
	Wait time.Duration
	// Questions is how long questions and votes are kept; 0 logs none.
	Questions time.Duration
	// References is how long podium's own messages are remembered.
	References time.Duration
	// Log gets what goes wrong where no caller waits; nil discards it.
	Log *slog.Logger
}

// SQL is a store in SQLite or PostgreSQL. Its methods are safe for concurrent
// use.
type SQL struct {
	read, write *sql.DB                  // of PostgreSQL, the same
	turn        atomic.Pointer[sql.Stmt] // of SQLite: Turn's query, once it is prepared
	pool        *pgxpool.Pool
	path        string // of the SQLite file; empty: PostgreSQL
	lock        *flock.Flock
	options     Options
	log         *slog.Logger
	voterKey    []byte
	behind      behind
	group       group
	stop        context.CancelFunc
	running     sync.WaitGroup
}

// Open opens the database at a PODIUM_DATABASE_URL and brings its schema up to
// date. An error that a changed setting mends is a *bot.ConfigError; none holds
// a password. Close it after use.
func Open(ctx context.Context, address string, o Options) (*SQL, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &SQL{options: o, log: o.Log}
	if err := s.open(ctx, address); err != nil {
		s.release()
		return nil, err
	}
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.behind.keep = s.pool == nil && o.Serve
	s.behind.start(s.pool != nil)
	s.running.Go(func() { s.writeBehind(background) })
	if o.Serve {
		s.running.Go(func() { s.purgeHourly(background) })
	}
	return s, nil
}

func (s *SQL) open(ctx context.Context, address string) error {
	var err error
	scheme, rest, _ := strings.Cut(address, ":")
	switch scheme {
	case "sqlite":
		err = s.openSQLite(ctx, rest)
	case "postgres", "postgresql":
		err = s.openPostgres(ctx, address)
	default:
		return errAddress
	}
	if err != nil {
		return s.explain(err)
	}
	return nil
}

var errAddress = &bot.ConfigError{Setting: Setting, Problem: "is neither sqlite:PATH nor postgres://USER:PASSWORD@HOST:PORT/NAME"}

// SQLite returns the writing connection to SQLite, of which there is only one,
// or nil on PostgreSQL.
func (s *SQL) SQLite() *sql.DB {
	if s.pool != nil {
		return nil
	}
	return s.write
}

// Postgres returns the pool of connections to PostgreSQL, or nil on SQLite.
func (s *SQL) Postgres() *pgxpool.Pool { return s.pool }

// Ping reports whether the database answers.
func (s *SQL) Ping(ctx context.Context) error {
	var one int
	return s.explain(s.read.QueryRowContext(ctx, "SELECT 1 FROM meta").Scan(&one))
}

// Close writes what is queued, for as long as ctx lasts, and closes the
// database. The error says what was lost.
func (s *SQL) Close(ctx context.Context) error {
	lost := s.behind.drain(ctx)
	s.stop()
	s.running.Wait()
	s.release()
	if lost > 0 {
		return fmt.Errorf("the database did not take the last %d entries of the question log and the message references: they are lost", lost)
	}
	return nil
}

// release lets go of all that open has taken.
func (s *SQL) release() {
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			db.Close()
		}
	}
	if s.pool != nil {
		s.pool.Close()
	}
	if s.lock != nil {
		s.lock.Close()
	}
}

// setPath takes the path out of an address.
func (s *SQL) setPath(path string) error {
	if path == "" || path == ":memory:" || strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///") {
		return &bot.ConfigError{Setting: Setting, Problem: "names no file: write sqlite:podium.db or sqlite:/var/lib/podium/podium.db"}
	}
	s.path = path
	return nil
}

func (s *SQL) openSQLite(ctx context.Context, path string) error {
	if err := s.setPath(path); err != nil {
		return err
	}
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist) && !s.options.Create:
		return &bot.ConfigError{Setting: Setting, Problem: fmt.Sprintf("there is no database at %s yet: podium serve makes it, and keeps there what it could not answer; podium chat and podium ask keep nothing", path)}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return unusable(path, err)
	case err == nil && info.IsDir():
		return unusable(path, syscall.EISDIR)
	}
	if s.options.Serve {
		if held, err := s.hold(); err != nil {
			return err
		} else if !held {
			return &bot.ConfigError{Setting: Setting, Problem: fmt.Sprintf("%s is held by another podium serve; several at once need PostgreSQL, as in postgres://podium@localhost/podium", path)}
		}
	}
	if err := makeFile(path); err != nil {
		return unusable(path, err)
	}
	var err error
	if s.write, err = sql.Open("sqlite", dsn(path, "&_txlock=immediate")); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", dsn(path, "&_pragma=query_only(1)")); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(4)
	if err := s.check(ctx); err != nil {
		return err
	}
	return s.migrate(ctx, goose.DialectSQLite3)
}

// makeFile makes the file at path if it is not there, so that nobody else may
// read it. One that root makes, as by restoring a backup, is its directory's
// owner's: podium serve runs as somebody else.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) // which follows no link
	if errors.Is(err, fs.ErrExist) {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	} else if err == nil && os.Geteuid() == 0 {
		if uid, gid, ok := owner(filepath.Dir(path)); ok {
			err = f.Chown(uid, gid)
		}
	}
	if f == nil {
		return err
	}
	return errors.Join(err, f.Close())
}

// unusable is the error that podium can not have its database at path.
func unusable(path string, err error) error {
	return &bot.ConfigError{Setting: Setting, Problem: fileProblem(path, err)}
}

// fileProblem says why podium can not write the file at path, and what helps.
func fileProblem(path string, err error) string {
	dir := filepath.Dir(path)
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	what := "can not open " + path
	switch {
	case errors.Is(err, fs.ErrNotExist):
		what = fmt.Sprintf("there is no directory %s: make it, or name a file elsewhere", dir)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		what = fmt.Sprintf("podium may not write %s: let its user (id %d) read and write that file and its directory %s, or name a file elsewhere", path, os.Getuid(), dir)
	case errors.Is(err, syscall.EISDIR):
		return fmt.Sprintf("%s is a directory: name a file in it, such as %s", path, filepath.Join(path, "podium.db"))
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Sprintf("%s is not a directory: name a file elsewhere", dir)
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return fmt.Sprintf("%s (%v)", what, err)
}

// dsn is the driver's address of the file at path.
func dsn(path, more string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)" + more
}

// hold takes the lock that only one serving process has. It lies beside the
// database, whose own locks come and go with every write.
func (s *SQL) hold() (bool, error) {
	lock := s.path + ".lock"
	if err := makeFile(lock); err != nil {
		return false, unusable(lock, err)
	}
	s.lock = flock.New(lock, flock.SetPermissions(0o600))
	held, err := s.lock.TryLock()
	if err != nil {
		return false, unusable(lock, err)
	}
	return held, nil
}

// check looks for damage: in all of a file that is small, and in a large one
// as far as it gets in a tenth of a second. What lies deeper is found when it
// is read.
func (s *SQL) check(ctx context.Context) error {
	brief, cancel := ctx, context.CancelFunc(func() {})
	if info, err := os.Stat(s.path); err == nil && info.Size() > 8<<20 {
		brief, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
	}
	defer cancel()
	var found string
	err := s.write.QueryRowContext(brief, "PRAGMA quick_check(1)").Scan(&found)
	switch {
	case brief.Err() != nil:
		return ctx.Err()
	case err == nil && found != "ok":
		return s.damaged(found)
	}
	return err
}

func postgresConfig(address string) (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(address)
	// What stands behind an @ or a # of the password would be taken for the
	// host, or for nothing, and be told.
	_, rest, _ := strings.Cut(address, "://")
	authority, _, _ := strings.Cut(rest, "/")
	if err != nil || strings.Count(authority, "@") > 1 || strings.Contains(rest, "#") {
		// The error may quote the address, and with it the password.
		return nil, &bot.ConfigError{Setting: Setting, Problem: "can not be read as postgres://USER:PASSWORD@HOST:PORT/NAME; characters such as @ / : # in the password are written %40 %2F %3A %23"}
	}
	if c.ConnConfig.ConnectTimeout == 0 {
		c.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	return c, nil
}

func (s *SQL) openPostgres(ctx context.Context, address string) error {
	c, err := postgresConfig(address)
	if err != nil {
		return err
	}
	if !strings.Contains(address, "pool_max_conns") {
		c.MaxConns = 10 // the library's default is 4 on a small machine, and reminders listen on one
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, c); err != nil {
		return err
	}
	s.write = stdlib.OpenDBFromPool(s.pool)
	s.read = s.write
	until := time.Now().Add(s.options.Wait)
	for {
		err := s.pool.Ping(ctx)
		if err == nil {
			break
		}
		explained := s.explain(err)
		if _, final := errors.AsType[*bot.ConfigError](explained); final || time.Now().After(until) {
			return explained
		}
		s.log.Warn("waiting for the database", "error", explained)
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.migrate(ctx, goose.DialectPostgres)
}

// migrate brings the schema up to date. Only one process at a time does: on
// PostgreSQL by an advisory lock, on SQLite the one that holds the file.
func (s *SQL) migrate(ctx context.Context, dialect goose.Dialect) error {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	options := []goose.ProviderOption{goose.WithTableName("podium_schema"), goose.WithDisableGlobalRegistry(true)}
	if dialect == goose.DialectPostgres {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, s.write, sub, options...)
	if err != nil {
		return err
	}
	current, newest, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > newest {
		return &bot.ConfigError{Setting: Setting, Problem: fmt.Sprintf("the database's schema %d is newer than this podium, which knows %d: run the newer podium", current, newest)}
	}
	if current < newest {
		if s.path != "" && s.lock == nil {
			held, err := s.hold()
			if err != nil {
				return err
			}
			if !held {
				return fmt.Errorf("%s has an older schema and is held by a podium serve of that version: restart that first", s.path)
			}
			defer func() { s.lock.Close(); s.lock = nil }()
		}
		if _, err := provider.Up(ctx); err != nil {
			return err
		}
	}
	return s.loadVoterKey(ctx)
}

// loadVoterKey reads the key of voters' hashes, and makes it the first time.
func (s *SQL) loadVoterKey(ctx context.Context) error {
	const read = `SELECT value FROM meta WHERE name = 'voter_key'`
	var text string
	err := s.write.QueryRowContext(ctx, read).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		key := make([]byte, 32)
		rand.Read(key)
		if _, err := s.write.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('voter_key', $1) ON CONFLICT DO NOTHING`, hex.EncodeToString(key)); err != nil {
			return err
		}
		err = s.write.QueryRowContext(ctx, read).Scan(&text)
	}
	if err != nil {
		return err
	}
	s.voterKey, err = hex.DecodeString(text)
	return err
}

// errDamaged marks a SQLite file that can not be read.
var errDamaged = errors.New("the database is damaged")

func (s *SQL) damaged(finding string) error {
	return fmt.Errorf("%s: %w (%s); stop podium and put a backup in its place: podium restore BACKUP", s.path, errDamaged, strings.Join(strings.Fields(finding), " "))
}

// explain turns a driver's error into what an operator can act on. It leaves
// alone what it does not know.
func (s *SQL) explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*bot.ConfigError](err); ok || errors.Is(err, errDamaged) {
		return err
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return s.damaged(e.Error())
		case sqlite3.SQLITE_FULL:
			return fmt.Errorf("the disk that holds %s is full: %w", s.path, e)
		case sqlite3.SQLITE_IOERR: // among other things, no room for the file of shared memory
			return fmt.Errorf("the disk that holds %s is full or fails: %w", s.path, e)
		case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
			return unusable(s.path, fs.ErrPermission)
		}
		return err
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "28P01", "28000":
			return &bot.ConfigError{Setting: Setting, Problem: "the database server refuses this user or password: " + e.Message}
		case "3D000", "42501":
			return &bot.ConfigError{Setting: Setting, Problem: "the database server says: " + e.Message}
		}
		return err
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("the database server can not be reached: the name %s is not found (%s): check %s and this machine's DNS", e.Name, e.Err, Setting)
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("the database server can not be reached: %w", e)
	}
	if e, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		// Its text has several lines.
		return fmt.Errorf("the database server can not be reached: %s", strings.Join(strings.Fields(e.Error()), " "))
	}
	return err
}
