package bot_test

import (
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
