package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"podium/bot"
)

// Below so many bytes of free disk an operator should know, and podium will
// soon be unable to write.
const (
	diskWarn = 1 << 30
	diskFail = 50 << 20
)

// Inspect looks at the database at a PODIUM_DATABASE_URL, changes nothing, and
// works beside a process that serves from it. It also returns the reminders
// that are active, as far as they can be read. No finding holds a password.
func Inspect(ctx context.Context, address string) ([]bot.Finding, []bot.Reminder) {
	s := &SQL{}
	defer s.release()
	var list []bot.Finding
	var err error
	scheme, rest, _ := strings.Cut(address, ":")
	switch scheme {
	case "sqlite":
		list, err = s.inspectSQLite(ctx, rest)
	case "postgres", "postgresql":
		list, err = s.inspectPostgres(ctx, address)
	default:
		err = errAddress
	}
	if err != nil {
		return append([]bot.Finding{s.trouble(err)}, list...), nil
	}
	if s.read == nil { // a file that is still to be made
		return list, nil
	}
	version, err := s.version(ctx)
	if err != nil {
		return append(list, s.trouble(err)), nil
	}
	newest, f := newestSchema(), bot.Finding{Level: bot.OK, About: "database schema"}
	switch {
	case version > newest:
		f.Level, f.What = bot.Fail, fmt.Sprintf("schema %d is newer than this podium, which knows %d", version, newest)
		f.Remedy = "run the newer podium"
	case version == 0:
		f.What = fmt.Sprintf("none yet; podium serve makes schema %d", newest)
	case version < newest:
		f.Level, f.What = bot.Warn, fmt.Sprintf("schema %d is older than this podium's %d", version, newest)
		f.Remedy = "podium backup, then start podium serve, which brings it up to date"
	default:
		f.What = fmt.Sprintf("schema %d, this podium's", version)
	}
	list = append(list, f)
	if version != newest {
		return list, nil
	}
	reminders, err := s.reminders(ctx, `WHERE state = 'active' ORDER BY next, id`)
	if err != nil {
		return append(list, s.trouble(err)), nil
	}
	return list, reminders
}

// trouble is the finding that the database can not be used.
func (s *SQL) trouble(err error) bot.Finding {
	f := bot.Finding{Level: bot.Fail, About: "database"}
	err = s.explain(err)
	if e, ok := errors.AsType[*bot.ConfigError](err); ok {
		f.What, f.Remedy = e.Problem, "mend what "+e.Setting+" names, or name another"
		return f
	}
	f.What = strings.Join(strings.Fields(err.Error()), " ")
	switch {
	case errors.Is(err, errDamaged):
		f.What, _, _ = strings.Cut(f.What, "; ")
		f.Remedy = "stop podium serve and put a backup in its place: podium restore BACKUP"
	case s.path != "":
		f.Remedy = "see to the disk and to who may write the file"
	default:
		f.Remedy = "see that the server runs and can be reached from here, and that " + Setting + " is right"
	}
	return f
}

func (s *SQL) inspectSQLite(ctx context.Context, path string) ([]bot.Finding, error) {
	if err := s.setPath(path); err != nil {
		return nil, err
	}
	list := checkDisk(filepath.Dir(path))
	what := "sqlite:" + path
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		probe, err := os.CreateTemp(filepath.Dir(path), ".podium-doctor-*")
		if err != nil {
			return nil, unusable(path, err)
		}
		probe.Close()
		return append([]bot.Finding{{Level: bot.OK, About: "database", What: what + " is not there yet; podium serve makes it"}}, list...), os.Remove(probe.Name())
	} else if err != nil {
		return nil, unusable(path, err)
	} else if info.IsDir() {
		return nil, unusable(path, syscall.EISDIR)
	}
	open := func(more string) (*sql.DB, error) {
		return sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=rw&_pragma=busy_timeout(5000)"+more)
	}
	var err error
	if s.read, err = open("&_pragma=query_only(1)"); err != nil {
		return list, err
	}
	if s.write, err = open("&_txlock=immediate"); err != nil {
		return list, err
	}
	if err := s.check(ctx); err != nil {
		return list, err
	}
	// The lock of a writer, let go without a write.
	tx, err := s.write.BeginTx(ctx, nil)
	if err == nil {
		err = tx.Rollback()
	}
	if err != nil {
		return list, err
	}
	return append([]bot.Finding{{Level: bot.OK, About: "database", What: what + " is sound and can be written"}}, list...), nil
}

// checkDisk looks at the room that is left around a file; the system may not
// tell.
func checkDisk(dir string) []bot.Finding {
	free, err := freeBytes(dir)
	if err != nil {
		return nil
	}
	f := bot.Finding{Level: bot.OK, About: "disk", What: fmt.Sprintf("%.1f GB are free for the database", float64(free)/(1<<30))}
	if free < diskWarn {
		f.Level, f.Remedy = bot.Warn, "make room"
		f.What = fmt.Sprintf("%d MB are free for the database", free>>20)
	}
	if free < diskFail {
		f.Level = bot.Fail
	}
	return []bot.Finding{f}
}

func (s *SQL) inspectPostgres(ctx context.Context, address string) ([]bot.Finding, error) {
	c, err := postgresConfig(address)
	if err != nil {
		return nil, err
	}
	c.MaxConns = 1
	if s.pool, err = pgxpool.NewWithConfig(ctx, c); err != nil {
		return nil, err
	}
	s.write = stdlib.OpenDBFromPool(s.pool)
	s.read = s.write
	var server string
	var standby, may bool
	err = s.read.QueryRowContext(ctx, `SELECT current_setting('server_version'), pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
		COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false)`).Scan(&server, &standby, &may)
	if err != nil {
		return nil, err
	}
	f := bot.Finding{Level: bot.OK, About: "database", What: fmt.Sprintf("PostgreSQL %s at %s answers and can be written", server, c.ConnConfig.Host)}
	switch {
	case standby:
		f.Level, f.What, f.Remedy = bot.Fail, "the database server takes no writes: it is a standby, or set to read only", "let "+Setting+" name the primary"
	case !may:
		f.Level, f.What = bot.Fail, fmt.Sprintf("the user %s may not make tables", c.ConnConfig.User)
		f.Remedy = fmt.Sprintf("GRANT CREATE, USAGE ON SCHEMA public TO %s", c.ConnConfig.User)
	}
	return []bot.Finding{f}, nil
}

// version is the schema's; 0 if there is none.
func (s *SQL) version(ctx context.Context) (version int64, err error) {
	there := `SELECT count(*) FROM sqlite_master WHERE name = 'podium_schema'`
	if s.pool != nil {
		there = `SELECT count(*) FROM pg_class WHERE oid = to_regclass('podium_schema')`
	}
	if err := s.read.QueryRowContext(ctx, there).Scan(&version); err != nil || version == 0 {
		return 0, err
	}
	err = s.read.QueryRowContext(ctx, `SELECT COALESCE(max(version_id), 0) FROM podium_schema WHERE is_applied`).Scan(&version)
	return version, err
}

// newestSchema is the number of the last migration.
func newestSchema() (n int64) {
	names, _ := fs.Glob(migrations, "migrations/*.sql") // the pattern is right
	for _, name := range names {
		var number int64
		if _, err := fmt.Sscanf(filepath.Base(name), "%d_", &number); err == nil {
			n = max(n, number)
		}
	}
	return n
}
