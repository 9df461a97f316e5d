package bot_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"podium/bot"
)

func TestPrintable(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"two\nlines\tand a tab", "two\nlines\tand a tab"},
		{"dos\r\nlines", "dos\nlines"},
		{"over\rwritten", "over written"},
		{"\x1b[31mred\x1b[0m", " [31mred [0m"},
		{"c1 \u009b31m", "c1  31m"},
		{"nul\x00bel\adel\x7f", "nul bel del "},
		{"evil \u202egpj.exe\u2069", "evil  gpj.exe "},
		{"broken \xff utf-8", "broken \ufffd utf-8"},
		{"العراق 👩‍👩‍👧 naïve", "العراق 👩‍👩‍👧 naïve"},
	} {
		if got := bot.Printable(test.in); got != test.want {
			t.Errorf("Printable(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

// TestPanicked: the log has the place of a panic, and its value only if the
// runtime made it.
func TestPanicked(t *testing.T) {
	var none []int
	for _, test := range []struct {
		panics     func()
		want, lack string
	}{
		{func() { _ = none[len(none)+3] }, "panic: runtime error: index out of range [3] with length 0 in podium/bot_test.TestPanicked", "runtime.go"},
		{func() { panic("who asked what") }, "panic: string in podium/bot_test.TestPanicked", "asked"},
		{func() { panic(errors.New("who asked what")) }, "panic: *errors.errorString in podium/bot_test.TestPanicked", "asked"},
		{func() { regexp.MustCompile("who asked what" + strings.Repeat("(", len(none)+1)) }, "panic: string in regexp.MustCompile", "asked"},
	} {
		_, err := bot.Answer(t.Context(), bot.HandlerFunc(func(context.Context, bot.Message) (bot.Reply, error) {
			test.panics()
			return bot.Reply{}, nil
		}), bot.Message{})
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), test.lack) {
			t.Errorf("Answer = %v, want %s ...", err, test.want)
		}
	}
}

func FuzzParseAction(f *testing.F) {
	for _, s := range []string{"", ":", "topic:goal", "share:a+b", "why:x,97,,0,word", "confirm:7f3a", "drop:tables", "TOPIC:goal", "topic:\x00", strings.Repeat("topic:", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := bot.ParseAction(s)
		if ok && (a.String() != s || len(s) > bot.MaxAction) || !ok && a != (bot.Action{}) {
			t.Errorf("ParseAction(%q) = %+v, %v", s, a, ok)
		}
	})
}
