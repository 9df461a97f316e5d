package terminal

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"podium/bot"
	"podium/bot/bottest"
)

func TestKeys(t *testing.T) {
	for _, test := range []struct{ name, typed, want string }{
		{"text", "how many?\r", "how many?\r"},
		{"editing keys", "a\x7fb\x17\x15\x03\x04", "a\x7fb\x17\x15\x03\x04"},
		{"arrows", "\x1b[A\x1bOB\x1b[C\x1b[D", "\x1b[A\x1b[B\x1b[C\x1b[D"},
		{"home", "\x1b[H\x1bOH\x1b[1~\x1b[7~", "\x01\x01\x01\x01"},
		{"end", "\x1b[F\x1bOF\x1b[4~\x1b[8~", "\x05\x05\x05\x05"},
		{"words", "\x1b[1;5C\x1bf\x1b[1;5D\x1bb\x1b\x7f", "\x1b[1;3C\x1b[1;3C\x1b[1;3D\x1b[1;3D\x17"},
		{"unknown", "a\x1b[24~b\x1b[200~c\x1bxd\x1bOPe", "abcde"},
		{"sequence cut off by a key", "\x1b[\r\x1b\r", "\r\r"},
		{"endless sequence", "\x1b[" + strings.Repeat("1;", 100) + "Ax", "x"},
		{"tab", "a\tb", "a b"},
		{"c1 and overrides", "a\u009bb\u202ec", "a b c"},
		{"broken utf-8", "\xffa\xe2\x82b\xf0\x9f\x91\rc", "?a??b???\rc"},
		{"scripts", "العراق日本👍", "العراق日本👍"},
	} {
		for name, reader := range map[string]io.Reader{
			"at once":   strings.NewReader(test.typed),
			"in halves": iotest.HalfReader(strings.NewReader(test.typed)),
		} {
			got, err := io.ReadAll(&keys{r: reader})
			if err != nil || string(got) != test.want {
				t.Errorf("%s, %s: %q, %v, want %q", test.name, name, got, err, test.want)
			}
		}
	}
}

func TestEscapeKeyAlone(t *testing.T) {
	typed := io.MultiReader(strings.NewReader("\x1b"), strings.NewReader("hello"))
	if got, err := io.ReadAll(&keys{r: typed}); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v, want %q", got, err, "hello")
	}
}

// FuzzKeys types anything at all, in pieces: it ends, and nothing comes through
// but printable text, keys of one byte and the sequences of the table.
func FuzzKeys(f *testing.F) {
	f.Add([]byte("hello\x1b[A\x1b[1;5C\r"), 3)
	f.Add([]byte("\x1b[200~\u009b\xff\xe2\x1b"), 1)
	f.Fuzz(func(t *testing.T, typed []byte, piece int) {
		piece = max(1, piece%len(append(typed, 0)))
		var readers []io.Reader
		for rest := typed; len(rest) > 0; {
			n := min(piece, len(rest))
			readers = append(readers, bytes.NewReader(rest[:n]))
			rest = rest[n:]
		}
		got, err := io.ReadAll(&keys{r: io.MultiReader(readers...)})
		if err != nil {
			t.Fatal(err)
		}
		text := string(got)
		for _, sequence := range known {
			if strings.HasPrefix(sequence, "\x1b") {
				text = strings.ReplaceAll(text, sequence, "")
			}
		}
		if strings.Contains(text, "\x1b") || !utf8.ValidString(text) {
			t.Fatalf("%q came through as %q", typed, got)
		}
		for _, r := range text {
			if r >= 0x80 && bot.Printable(string(r)) != string(r) {
				t.Fatalf("%q came through in %q", r, got)
			}
		}
	})
}

// FuzzPipe pipes anything at all: it ends, and what is printed can be shown.
func FuzzPipe(f *testing.F) {
	f.Add("how many\r\n\n\x1b[31mred\nexit\n")
	f.Add("\xff\x00\u202e")
	f.Fuzz(func(t *testing.T, in string) {
		var out strings.Builder
		a := New(Options{Handler: bot.HandlerFunc(bottest.Echo), In: strings.NewReader(in), Out: &out})
		if err := a.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); bot.Printable(got) != got || !utf8.ValidString(got) {
			t.Fatalf("%q is answered with %q", in, got)
		}
	})
}
