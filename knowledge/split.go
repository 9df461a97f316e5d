package knowledge

import (
	"strings"
)

// maxParts is how many questions of one message are told apart.
const maxParts = 8

// segment is a part of a message that may be a question.
type segment struct {
	text   string
	joined bool // by "and" or the like with the one before or behind it
}

// split cuts a message into what may be several questions: behind a question
// mark, a semicolon or a line break, and before "and" or a comma that a
// question word follows. It is nil if there is nothing to cut.
func split(s string) []segment {
	if len(s) > maxQuestion {
		return nil
	}
	var out []segment
	start := 0
	joined := false
	cut := func(end, next int, conjunction bool) {
		if strings.ContainsFunc(s[start:end], isWord) {
			out = append(out, segment{strings.TrimSpace(s[start:end]), joined || conjunction})
		}
		start, joined = next, conjunction
	}
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '?' || c == ';' || c == '\n' || c == '\r':
			cut(i+1, i+1, false)
		case (c == ',' || c == ' ' || c == '&' || c == '/' || c == '+') && i > start:
			if n := conjunction(s[i:]); n > 0 {
				cut(i, i+n, true)
				i += n - 1
			}
		}
	}
	if start == 0 {
		return nil
	}
	cut(len(s), len(s), false)
	if len(out) < 2 || len(out) > maxParts {
		return nil
	}
	return out
}

// conjunction is the length of the ", and " or the like that s starts with, if
// a question word or verb follows it; else 0.
func conjunction(s string) int {
	i := 0
	for i < len(s) && strings.IndexByte(", &/+", s[i]) >= 0 {
		i++
	}
	comma := strings.ContainsAny(s[:i], ",&/+")
	joined := false
	for {
		n := wordEnd(s[i:])
		if n == 0 {
			return 0
		}
		w := strings.ToLower(s[i : i+n])
		switch {
		case w == "and" || w == "n" || w == "plus" || w == "also" || w == "then":
			joined = true
			i += n
			for i < len(s) && (s[i] == ' ' || s[i] == ',') {
				i++
			}
		case (joined || comma) && (questionWords[strings.TrimSuffix(w, "s")] || w == "why" || w == "whats" || w == "whos"), joined && openers[w]:
			return i
		default:
			return 0
		}
	}
}
