package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/store"
	"podium/config"
	"podium/handlers"
)

// listen returns a listener on a free port of this machine.
func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// withPassword returns address with another password.
func withPassword(t testing.TB, address, password string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), password)
	return u.String()
}

// office is the setting of a knowledge file that is small and loads at once.
func office(t testing.TB) string {
	t.Helper()
	path, err := filepath.Abs("testdata/office.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return "PODIUM_KNOWLEDGE=" + path
}

// startsWithin is far more than podium serve takes to get ready, however busy
// the machine, and less than the tests as a whole have.
const startsWithin = 90 * time.Second

// A process is a podium serve of its own.
type process struct {
	cmd     *exec.Cmd
	address string // of its HTTP server
	log     *bufio.Scanner
}

// startServe starts podium serve, with a platform that can not be reached, and
// waits until it is ready.
func startServe(t testing.TB, environ ...string) *process {
	t.Helper()
	environ = append([]string{"PODIUM_DISCORD_TOKEN=x", "PODIUM_DISCORD_API_URL=http://127.0.0.1:1", "PODIUM_HTTP_ADDR=127.0.0.1:0", "PODIUM_LOG_FORMAT=json", office(t)}, environ...)
	return startProcess(t, podium(t, environ, "serve"))
}

// startProcess starts cmd, which is podium serve, and waits until it is ready.
func startProcess(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() })
	late := time.AfterFunc(startsWithin, func() { p.cmd.Process.Kill() }) // which ends every wait for it below
	defer late.Stop()
	p.log = bufio.NewScanner(stderr)
	for p.log.Scan() {
		var line struct{ Msg, Address string }
		if err := json.Unmarshal(p.log.Bytes(), &line); err != nil {
			t.Fatalf("podium serve says %q", p.log.Text())
		}
		if line.Msg == "serving" {
			p.address = line.Address
			break
		}
	}
	if p.address == "" {
		t.Fatalf("podium serve ended before it served, or did not within %v", startsWithin)
	}
	for {
		response, err := http.Get("http://" + p.address + "/readyz")
		if err != nil {
			t.Fatalf("podium serve ended before it was ready, or was not within %v: %v", startsWithin, err)
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return p
		}
	}
}

// stop sends SIGTERM and checks that the process ends in time and in order.
func (p *process) stop(t testing.TB) {
	t.Helper()
	start := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for p.log.Scan() { // until it closes its end
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("podium serve after SIGTERM: %v, want exit code 0", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("podium serve took %v to stop, want at most 5 s", took)
	}
}

// TestServeProcess runs the real program: it is ready, others work beside it,
// and it ends on SIGTERM.
func TestServeProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "podium.db")
	environ := "PODIUM_DATABASE_URL=sqlite:" + path
	p := startServe(t, environ)
	response, err := http.Get("http://" + p.address + "/healthz")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("/healthz: %v, %v", response, err)
	}
	response.Body.Close()
	backup := path + ".backup"
	for _, args := range [][]string{
		{"questions"}, {"questions", "export"}, {"questions", "votes"}, {"backup", backup}, {"restore", backup},
		{"migrate", "--to", "sqlite:" + path + ".moved"},
	} {
		if got := runHere(t, []string{environ}, args...); got.err != nil {
			t.Errorf("podium %v beside podium serve: %v", args, got.err)
		}
	}
	p.stop(t)
	if _, err := os.Stat(path + "-wal"); err == nil {
		t.Error("the write-ahead log is left behind")
	}
}

// TestServeAfterKill starts on what a killed process left.
func TestServeAfterKill(t *testing.T) {
	environ := "PODIUM_DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "podium.db")
	p := startServe(t, environ)
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // it was killed
	startServe(t, environ).stop(t)
}

// A fakeAdapter is a platform that does as it is told.
type fakeAdapter struct {
	platform string
	run      func(context.Context) error // nil: until the context is done
	mount    func(*http.ServeMux)
}

func (a *fakeAdapter) Platform() string          { return a.platform }
func (a *fakeAdapter) State() (bot.State, error) { return bot.Connected, nil }
func (a *fakeAdapter) Mount(mux *http.ServeMux) {
	if a.mount != nil {
		a.mount(mux)
	}
}
func (a *fakeAdapter) Run(ctx context.Context) error {
	if a.run != nil {
		return a.run(ctx)
	}
	<-ctx.Done()
	return nil
}

// serving is a podium serve within the test's process.
type serving struct {
	address string
	stop    context.CancelFunc
	ended   chan error
}

// serveHere starts podium serve with these platforms and waits until it
// answers.
func serveHere(t *testing.T, database string, adapters ...bot.Adapter) *serving {
	t.Helper()
	l := listen(t)
	s := &serving{address: "http://" + l.Addr().String(), ended: make(chan error, 1)}
	l.Close() // the port is taken anew below
	var ctx context.Context
	ctx, s.stop = context.WithCancel(t.Context())
	p := &program{
		environ: []string{office(t), "PODIUM_DISCORD_TOKEN=x", "PODIUM_HTTP_ADDR=" + l.Addr().String(), "PODIUM_DATABASE_URL=" + database},
		stdout:  io.Discard, stderr: io.Discard,
		newAdapters: func(config.Settings, *handlers.Handlers, *store.SQL, bot.Meter, *slog.Logger) ([]bot.Adapter, error) {
			return adapters, nil
		},
	}
	go func() { s.ended <- p.run(ctx, []string{"serve"}) }()
	for {
		response, err := http.Get(s.address + "/healthz")
		if err == nil {
			response.Body.Close()
			return s
		}
		select {
		case err := <-s.ended:
			s.ended <- err
			return s
		default:
		}
	}
}

// ready returns /readyz.
func (s *serving) ready(t *testing.T) (int, readiness) {
	t.Helper()
	response, err := http.Get(s.address + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var r readiness
	if err := json.NewDecoder(response.Body).Decode(&r); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, r
}

func sqliteFile(t testing.TB) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "podium.db")
}

// TestOutage: one platform's end leaves the other alone, and /readyz says why.
func TestOutage(t *testing.T) {
	for name, fail := range map[string]func(context.Context) error{
		"error":  func(context.Context) error { return errors.New("the platform has gone mad") },
		"panic":  func(context.Context) error { panic("the platform has gone mad") },
		"return": func(context.Context) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			failed := make(chan struct{})
			s := serveHere(t, sqliteFile(t),
				&fakeAdapter{platform: bot.Slack, run: func(ctx context.Context) error {
					defer close(failed)
					return fail(ctx)
				}},
				&fakeAdapter{platform: bot.Discord})
			<-failed
			var status int
			var r readiness
			for status, r = s.ready(t); r.Platforms[bot.Slack] != bot.Down; status, r = s.ready(t) {
			}
			if status != http.StatusOK || r.Platforms[bot.Discord] != bot.Connected || r.Reasons[bot.Slack] == "" {
				t.Errorf("/readyz = %d, %+v, want 200, Discord connected and a reason for Slack", status, r)
			}
			s.stop()
			if err := <-s.ended; err != nil {
				t.Errorf("serve = %v, want nil", err)
			}
		})
	}
}

// TestFinalErrors end the program.
func TestFinalErrors(t *testing.T) {
	wrong := &bot.ConfigError{Setting: "PODIUM_SLACK_BOT_TOKEN", Problem: "Slack refuses it"}
	for _, c := range []struct {
		name     string
		adapters []bot.Adapter
		code     int
		says     string
	}{
		{"a wrong credential", []bot.Adapter{
			&fakeAdapter{platform: bot.Slack, run: func(context.Context) error { return wrong }},
			&fakeAdapter{platform: bot.Discord},
		}, 2, "PODIUM_SLACK_BOT_TOKEN: Slack refuses it"},
		{"the last platform", []bot.Adapter{
			&fakeAdapter{platform: bot.Slack, run: func(context.Context) error { return errors.New("gone") }},
		}, 1, "no platform is left: slack: gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serveHere(t, sqliteFile(t), c.adapters...)
			err := <-s.ended
			if exitCode(err) != c.code || err == nil || err.Error() != c.says {
				t.Errorf("serve = %v (%d), want %q (%d)", err, exitCode(err), c.says, c.code)
			}
		})
	}
}

// TestStopFinishes: what is in hand when the signal comes is answered, over
// HTTP and by adapters alike.
func TestStopFinishes(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	var finished bool
	s := serveHere(t, sqliteFile(t), &fakeAdapter{
		platform: bot.Slack,
		mount: func(mux *http.ServeMux) {
			mux.HandleFunc("/ask", func(w http.ResponseWriter, r *http.Request) {
				close(asked)
				<-answer
				fmt.Fprint(w, "the answer")
			})
		},
		run: func(ctx context.Context) error {
			<-ctx.Done()
			close(answer)
			finished = true
			return nil
		},
	})
	got := make(chan string)
	go func() {
		response, err := http.Get(s.address + "/ask")
		if err != nil {
			got <- err.Error()
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		got <- string(text)
	}()
	<-asked
	s.stop()
	if text := <-got; text != "the answer" {
		t.Errorf("a question in hand got %q, want the answer", text)
	}
	if err := <-s.ended; err != nil || !finished {
		t.Errorf("serve = %v, adapter finished: %v; want nil, true", err, finished)
	}
}

// TestStopBesideStuckClients: a client that has sent half a request, or none,
// holds up nobody.
func TestStopBesideStuckClients(t *testing.T) {
	p := startServe(t, "PODIUM_DATABASE_URL="+sqliteFile(t), "PODIUM_DISCORD_PUBLIC_KEY="+strings.Repeat("ab", 32))
	for _, send := range []string{
		"",
		"P",
		"POST /discord/interactions HTTP/1.1\r\nHost: x\r\n",
		"POST /discord/interactions HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\nX-Signature-Ed25519: " + strings.Repeat("ab", 64) + "\r\nX-Signature-Timestamp: 1\r\n\r\n{",
		"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{",
		"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET",
	} {
		conn, err := net.Dial("tcp", p.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, send); err != nil {
			t.Fatal(err)
		}
	}
	p.stop(t)
}

// TestStopJoins: when podium serve has ended, nothing of it runs on.
func TestStopJoins(t *testing.T) {
	for name, address := range map[string]func(testing.TB) string{"sqlite": sqliteFile, "postgres": bottest.Postgres} {
		t.Run(name, func(t *testing.T) {
			x := serveSlack(t, newSlack(t), "both", address(t), office(t))
			x.command(t, "where does the office move")
			x.event(t, x.Server.DM("what does the move cost"))
			x.end(t)
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			for stack := range strings.SplitSeq(string(stacks), "\n\n") {
				for _, of := range []string{"podium/bot/slack.", "podium/bot/store.", "podium/bot/schedule.", "podium/handlers.", "podium/cmd/podium.(*server)", "riverqueue/river"} {
					if strings.Contains(stack, of) {
						t.Errorf("after the end this runs on:\n%s", stack)
						break
					}
				}
			}
		})
	}
}

// TestStopWhileWaiting for a database server that is not there is no failure.
func TestStopWhileWaiting(t *testing.T) {
	var log strings.Builder
	waits := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	p := &program{
		environ: []string{office(t), "PODIUM_DISCORD_TOKEN=x", "PODIUM_HTTP_ADDR=127.0.0.1:0", "PODIUM_DATABASE_URL=postgres://podium:hunter2@127.0.0.1:1/podium"},
		stdout:  io.Discard, stderr: writerFunc(func(text []byte) (int, error) {
			defer close(waits)
			return log.Write(text)
		}),
	}
	ended := make(chan error)
	go func() { ended <- p.run(ctx, []string{"serve"}) }()
	<-waits
	stop()
	if err := <-ended; err != nil {
		t.Errorf("serve = %v, want nil", err)
	}
	if text := log.String(); !strings.Contains(text, "waiting for the database") || !strings.Contains(text, "connection refused") || strings.Contains(text, "hunter2") {
		t.Errorf("the log is %q, want one line that says what podium waits for", text)
	}
}

// writerFunc makes a writer of a function.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestStopGivesUp on an adapter that does not end.
func TestStopGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		release := make(chan struct{})
		s := &server{log: slog.New(slog.DiscardHandler), workers: []*worker{{
			name: bot.Slack, state: func() (bot.State, error) { return bot.Connected, nil },
			run: func(context.Context) error { <-release; return nil },
		}}}
		l := newPipes()
		ended := make(chan error)
		go func() { ended <- s.run(ctx, l, http.NewServeMux()) }()
		synctest.Wait()
		start := time.Now()
		stop()
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "still running") {
			t.Errorf("run = %v, want it to say that work was cut off", err)
		}
		if took := time.Since(start); took > grace+time.Millisecond {
			t.Errorf("run took %v to stop, want %v", took, grace)
		}
		close(release)
	})
}

// TestHTTPLimits talks to the server as a client that is slow, or that sends
// too much, or that makes it panic.
func TestHTTPLimits(t *testing.T) {
	for _, c := range []struct {
		name, send string
		within     time.Duration
		want       string // in the response; empty: the connection is closed without
	}{
		{"a header that does not end", "POST /echo HTTP/1.1\r\nHost: x\r\n", 5 * time.Second, ""},
		{"a body that does not end", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", 10 * time.Second, "i/o timeout"},
		{"an idle connection", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok", 75 * time.Second, "read 2 bytes"},
		{"a large body", "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1048577\r\n\r\n" + strings.Repeat("x", maxBody+1), time.Second, "request body too large"},
		{"a large header", "POST /echo HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", time.Second, "431"},
		{"a panic", "GET /panic HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", time.Second, "internal error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mux := http.NewServeMux()
				mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					fmt.Fprintf(w, "read %d bytes, %v", len(body), err)
				})
				mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("a secret of the request") })
				s := &server{log: slog.New(slog.DiscardHandler)}
				ctx, stop := context.WithCancel(t.Context())
				l := newPipes()
				ended := make(chan error)
				go func() { ended <- s.run(ctx, l, mux) }()
				conn := l.dial()
				start := time.Now()
				go func() { _, _ = io.WriteString(conn, c.send) }() // the server may not read it all
				text, _ := io.ReadAll(conn)
				if took := time.Since(start); took > c.within+time.Second {
					t.Errorf("the connection was held for %v, want about %v", took, c.within)
				}
				if !strings.Contains(string(text), c.want) || c.want == "" && len(text) > 0 || strings.Contains(string(text), "secret") {
					t.Errorf("the response is %.200q, want %q in it", text, c.want)
				}
				conn.Close()
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestIdleConnections opens more connections than may be, each of which is
// answered once and kept: half of them are closed at once, and the next one
// finds room.
func TestIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /healthz", (&server{}).healthz)
		s := &server{log: slog.New(slog.DiscardHandler)}
		ctx, stop := context.WithCancel(t.Context())
		l := newPipes()
		ended := make(chan error)
		go func() { ended <- s.run(ctx, l, mux) }()
		began, kept := time.Now(), 0
		for range maxConnections + 1 {
			conn := l.dial()
			if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if !response.Close {
				kept++
			}
			synctest.Wait()
			defer conn.Close()
		}
		if kept != maxConnections/2 || time.Since(began) > 0 {
			t.Errorf("of %d connections %d are kept, and the last is answered after %v", maxConnections+1, kept, time.Since(began))
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestLargeBodies keeps as many large bodies in the making as may be: another
// one is turned away, a small one is answered, whether or not its length is
// told beforehand.
func TestLargeBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux := http.NewServeMux()
		mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			fmt.Fprintf(w, "read %d bytes, %v", len(body), err)
		})
		s := &server{log: slog.New(slog.DiscardHandler)}
		ctx, stop := context.WithCancel(t.Context())
		l := newPipes()
		ended := make(chan error)
		go func() { ended <- s.run(ctx, l, mux) }()
		const head = "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
		large := fmt.Sprintf("Content-Length: %d\r\n\r\n", smallBody+1)
		var held []net.Conn
		for range maxLarge {
			conn := l.dial()
			if _, err := io.WriteString(conn, head+large); err != nil {
				t.Fatal(err)
			}
			held = append(held, conn)
		}
		synctest.Wait()
		chunk := strings.Repeat("x", smallBody+1)
		for send, want := range map[string]string{
			head + large:                         "503 Service Unavailable",
			head + "Content-Length: 2\r\n\r\nok": "read 2 bytes, <nil>",
			head + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n":                                  "read 2 bytes, <nil>",
			head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(chunk), chunk): "request body too large",
		} {
			conn := l.dial()
			go func() { _, _ = io.WriteString(conn, send) }() // the server may not read it all
			if text, _ := io.ReadAll(conn); !strings.Contains(string(text), want) {
				t.Errorf("%.90q is answered %q, want %q", send, text, want)
			}
			conn.Close()
		}
		for _, conn := range held {
			conn.Close()
		}
		synctest.Wait()
		conn := l.dial()
		go func() { _, _ = io.WriteString(conn, head+large+chunk) }()
		if text, _ := io.ReadAll(conn); !strings.Contains(string(text), fmt.Sprintf("read %d bytes, <nil>", len(chunk))) {
			t.Errorf("once there is room, a large body is answered %q", text)
		}
		conn.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestReadyzWithoutDatabase is 503 with a reason, and asks the database once a
// second.
func TestReadyzWithoutDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pings, answer := 0, error(errors.New("the database server can not be reached"))
		s := &server{ping: func(context.Context) error { pings++; return answer }}
		get := func() (int, readiness) {
			w := httptest.NewRecorder()
			s.readyz(w, httptest.NewRequest("GET", "/readyz", nil))
			var r readiness
			if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			return w.Code, r
		}
		for range 3 {
			if status, r := get(); status != http.StatusServiceUnavailable || r.Database != "down" || r.Reasons["database"] == "" {
				t.Errorf("/readyz = %d, %+v, want 503 with a reason", status, r)
			}
		}
		if pings != 1 {
			t.Errorf("three requests asked the database %d times, want 1", pings)
		}
		answer = nil
		<-time.After(2 * time.Second)
		if status, r := get(); status != http.StatusOK || r.Database != "up" {
			t.Errorf("/readyz once the database is back = %d, %+v, want 200", status, r)
		}
	})
}

// pipes is a listener within the process, for tests with a clock of their own.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// BenchmarkServe measures the real program: from its start to /readyz on an
// existing SQLite file, its memory, and its processor time at rest; with a
// small knowledge file, and with the built-in one.
func BenchmarkServe(b *testing.B) {
	for name, knowledge := range map[string]string{"small": office(b), "embedded": "PODIUM_KNOWLEDGE="} {
		environ := []string{"PODIUM_DATABASE_URL=" + sqliteFile(b), knowledge}
		startServe(b, environ...).stop(b)
		b.Run("ready/"+name, func(b *testing.B) {
			for b.Loop() {
				p := startServe(b, environ...)
				b.StopTimer()
				p.stop(b)
				b.StartTimer()
			}
		})
		b.Run("idle/"+name, func(b *testing.B) {
			const rest = 10 * time.Second
			for b.Loop() {
				p := startServe(b, environ...)
				before := ticks(b, p.cmd.Process.Pid)
				<-time.After(rest)
				used := ticks(b, p.cmd.Process.Pid) - before
				b.ReportMetric(float64(used)/rest.Seconds(), "cpu%") // a tick is a hundredth of a second
				b.ReportMetric(resident(b, p.cmd.Process.Pid), "MB")
				p.stop(b)
			}
		})
	}
}

// ticks is the processor time that a process has used, in 1/100 s.
func ticks(b *testing.B, pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skip("processor time is read from /proc: ", err)
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return user + system
}

// resident is the memory that a process holds, in MB.
func resident(b testing.TB, pid int) float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		b.Skip("memory is read from /proc: ", err)
	}
	pages, _ := strconv.Atoi(strings.Fields(string(data))[1])
	return float64(pages*os.Getpagesize()) / (1 << 20)
}
