package terminal

import (
	"slices"
	"strings"
	"unicode/utf8"

	"podium/bot"
)

// The colours: few, and none that carries a meaning of its own.
const (
	bold       = "\x1b[1m"
	faint      = "\x1b[2m"
	green      = "\x1b[32m"
	plainAgain = "\x1b[0m"
)

// look is how replies look to whoever reads them. The zero value is a pipe's.
type look struct {
	person bool // somebody sits there: greeting, prompt, space between replies
	colour bool
	size   func() (width, height int, err error) // nil where lines are not wrapped
}

// show is the reply as it is printed, without a line break behind it. Its
// words are those of Reply.Text.
func (l look) show(r bot.Reply) string {
	if !l.colour {
		return l.wrap(bot.Printable(r.Text()))
	}
	paint := func(code, s string) string {
		if s = bot.Printable(s); s == "" {
			return ""
		}
		return code + s + plainAgain
	}
	r.Parts = slices.Clone(r.Parts)
	for i := range r.Parts {
		p := &r.Parts[i]
		p.Answer = bot.Printable(p.Answer)
		p.Quotes = slices.Clone(p.Quotes)
		for j, q := range p.Quotes {
			p.Quotes[j] = bot.Quote{Text: paint(green, q.Text), Speaker: bot.Printable(q.Speaker), Role: bot.Printable(q.Role)}
		}
		p.Notes = slices.Clone(p.Notes)
		for j, n := range p.Notes {
			p.Notes[j] = bot.Printable(n)
		}
		p.Choices = slices.Clone(p.Choices)
		for j := range p.Choices {
			p.Choices[j].Label = paint(bold, p.Choices[j].Label)
		}
		p.Source, p.Link = paint(faint, p.Source), bot.Printable(p.Link)
	}
	return l.wrap(r.Text())
}

// wrap breaks lines between words where the terminal would break them within.
func (l look) wrap(s string) string {
	if l.size == nil {
		return s
	}
	width, _, err := l.size()
	if err != nil || width < 20 {
		return s
	}
	var b strings.Builder
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		column := 0
		for j, word := range strings.Split(line, " ") {
			n := visible(word)
			switch {
			case j == 0:
			case column+1+n >= width:
				b.WriteByte('\n')
				column = 0
			default:
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += n
		}
	}
	return b.String()
}

// visible is the number of characters of s but for the codes of colours.
func visible(s string) int {
	n := utf8.RuneCountInString(s)
	for _, code := range []string{bold, faint, green, plainAgain} {
		n -= strings.Count(s, code) * len(code)
	}
	return n
}
