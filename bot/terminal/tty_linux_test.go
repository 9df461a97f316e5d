package terminal_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/terminal"
)

// openTTY is a pseudo-terminal of 60 columns: the side of its keyboard and
// screen, and the side of the program.
func openTTY(t *testing.T) (keyboard, program *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	keyboard = os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { keyboard.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	if err := unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 60}); err != nil {
		t.Fatal(err)
	}
	return keyboard, program
}

// screen is everything that was printed on a terminal.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func (s *screen) readFrom(f *os.File) {
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		s.mu.Lock()
		s.text.Write(buf[:n])
		s.mu.Unlock()
		select {
		case s.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// wait waits until text holds want n times.
func (s *screen) wait(t *testing.T, want string, n int) string {
	t.Helper()
	patience := time.After(10 * time.Second)
	for {
		s.mu.Lock()
		text := s.text.String()
		s.mu.Unlock()
		if strings.Count(text, want) >= n {
			return text
		}
		select {
		case <-s.more:
		case <-patience:
			t.Fatalf("the screen does not show %q %d times: %q", want, n, text)
		}
	}
}

// sit starts the adapter on a terminal. end waits for Run and returns what was
// printed.
func sit(t *testing.T, h bot.Handler, environ ...string) (s *screen, keyboard *os.File, cancel func(), end func() string) {
	t.Helper()
	keyboard, program := openTTY(t)
	before, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	a := terminal.New(terminal.Options{Handler: h, In: program, Out: program, Environ: environ, Greeting: "Good morning."})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	joined := make(chan struct{})
	go func() {
		ended <- a.Run(ctx)
		close(joined)
	}()
	t.Cleanup(func() {
		// Before the files are closed, and their numbers used again.
		cancel()
		<-joined
	})
	s = &screen{more: make(chan struct{}, 1)}
	go s.readFrom(keyboard)
	return s, keyboard, cancel, func() string {
		t.Helper()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run = %v, want nil", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("Run has not returned")
		}
		after, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		if *after != *before {
			t.Error("the terminal was not set back")
		}
		fmt.Fprint(program, "$shell")
		return s.wait(t, "$shell", 1)
	}
}

func TestTTY(t *testing.T) {
	for _, test := range []struct{ name, typed, want string }{
		{"plain", "hello\r", "You said: hello"},
		{"backspace", "helloo\x7f\r", "You said: hello"},
		{"home and end", "ell\x1b[Hh\x1b[Fo\r", "You said: hello"},
		{"other home and end", "ell\x1bOHh\x1b[4~o\r", "You said: hello"},
		{"word", "one three\x1b[1;5Dtwo \r", "You said: one two three"},
		{"history", "first\rsecond\r\x1b[A\x1b[A!\r", "You said: first!"},
		{"history leaves out blanks", "first\r\r \r\x1b[A!\r", "You said: first!"},
		{"tab", "two\twords\r", "You said: two words"},
		{"unknown keys", "\x1b[15~f\x1b[24;5~5\x1b[200~\x1bx\r", "You said: f5"},
		{"endless sequence", "\x1b[" + strings.Repeat("9", 5000) + "m" + "hello\r", "You said: hello"},
		{"broken", "a\xff\xe2z\r", "You said: a??z"},
		{"c1", "a\u009b2Jz\r", "You said: a 2Jz"},
		{"other scripts", "العراق 👍 日本\r", "You said: العراق 👍 日本"},
		{"too long", strings.Repeat("word ", 2000) + "\r", "Please ask it in a\r\nsentence or two."},
		{"lines at once", "one\rtwo\rthree\r", "You said: three"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, keyboard, _, end := sit(t, bot.HandlerFunc(bottest.Echo), "TERM=xterm", "NO_COLOR=1")
			s.wait(t, "Good morning.\r\n\r\n> ", 1)
			if _, err := keyboard.WriteString(test.typed); err != nil {
				t.Fatal(err)
			}
			s.wait(t, test.want+"\r\n\r\n> ", 1)
			keyboard.WriteString("\x04")
			text := end()
			if !strings.HasSuffix(text, "> \r\n$shell") {
				t.Errorf("the end is %q, want the shell's prompt on a line of its own", text[max(0, len(text)-40):])
			}
			for _, raw := range []string{"\a", "\x1b[15~", "\x1b[200~", "\u009b", "\x1b[24;5~"} {
				if strings.Contains(text, raw) {
					t.Errorf("the screen was sent %q: %q", raw, text)
				}
			}
		})
	}
}

func TestLeave(t *testing.T) {
	for name, typed := range map[string]string{"exit": "exit\r", "quit": "QUIT\r", "ctrl-d": "\x04", "ctrl-c": "unfinished\x03"} {
		t.Run(name, func(t *testing.T) {
			s, keyboard, _, end := sit(t, bot.HandlerFunc(bottest.Echo), "TERM=xterm")
			s.wait(t, "> ", 1)
			keyboard.WriteString(typed)
			if text := end(); !strings.HasSuffix(text, "\r\n$shell") || strings.Contains(text, "You said") {
				t.Errorf("the screen shows %q", text)
			}
		})
	}
	t.Run("context", func(t *testing.T) {
		s, _, cancel, end := sit(t, bot.HandlerFunc(bottest.Echo), "TERM=xterm")
		s.wait(t, "> ", 1)
		cancel()
		if text := end(); !strings.HasSuffix(text, "\r\n$shell") {
			t.Errorf("the screen shows %q", text)
		}
	})
}

func TestColours(t *testing.T) {
	h := bot.HandlerFunc(func(context.Context, bot.Message) (bot.Reply, error) { return bottest.Replies()[0].Reply, nil })
	for _, test := range []struct {
		environ []string
		want    bool
	}{
		{[]string{"TERM=xterm-256color"}, true},
		{[]string{"TERM=xterm-256color", "NO_COLOR="}, true},
		{[]string{"TERM=xterm-256color", "NO_COLOR=1"}, false},
		{[]string{"TERM=dumb"}, false},
		{nil, false},
	} {
		s, keyboard, _, end := sit(t, h, test.environ...)
		s.wait(t, "> ", 1)
		keyboard.WriteString("hello\r")
		s.wait(t, "sentence 6.", 1)
		s.wait(t, "> ", 2)
		keyboard.WriteString("\x04")
		text := end()
		if got := strings.Contains(text, "\x1b["); got != test.want {
			t.Errorf("with %q codes were sent: %v, want %v: %q", test.environ, got, test.want, text)
		}
	}
}

func TestWrap(t *testing.T) {
	h := bot.HandlerFunc(func(context.Context, bot.Message) (bot.Reply, error) { return bottest.Replies()[0].Reply, nil })
	for _, environ := range []string{"TERM=xterm", "TERM=dumb"} {
		s, keyboard, _, end := sit(t, h, environ, "NO_COLOR=1")
		s.wait(t, "> ", 1)
		keyboard.WriteString("hello\r")
		s.wait(t, "lang=en\r\n\r\n> ", 1)
		keyboard.WriteString("\x04")
		text := end()
		for line := range strings.Lines(strings.ReplaceAll(text, "\r\n", "\n")) {
			if len(line) > 60 {
				t.Errorf("with %s a line has %d columns of 60: %q", environ, len(line), line)
			}
		}
		if want := bottest.Replies()[0].Reply.Text(); !strings.Contains(strings.Join(strings.Fields(text), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("with %s the screen shows %q, want the words %q", environ, text, want)
		}
	}
}
