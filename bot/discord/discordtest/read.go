package discordtest

import (
	"encoding/json"
	"regexp"
	"strings"
)

// A Button is one that podium shows.
type Button struct {
	Label string
	ID    string `json:"custom_id"`
}

// body is what a reader gets of a message.
type body struct {
	Content    string
	Embeds     []struct{ Description string }
	Components []struct{ Components []Button }
	Allowed    struct {
		Parse []string
	} `json:"allowed_mentions"`
}

func (m Sent) read() body {
	var b body
	// What is not JSON is a problem, and noted as such.
	_ = json.Unmarshal(m.Body, &b)
	return b
}

// Text is the message as a screen reader has it: the content, then the embed,
// without the marks of markdown.
func (m Sent) Text() string {
	b := m.read()
	var text []string
	if b.Content != "" {
		text = append(text, plain(b.Content))
	}
	for _, e := range b.Embeds {
		text = append(text, plain(e.Description))
	}
	return strings.Join(text, "\n")
}

// Buttons are the message's buttons in order.
func (m Sent) Buttons() []Button {
	var all []Button
	for _, row := range m.read().Components {
		all = append(all, row.Components...)
	}
	return all
}

// Live is the first stretch of the message that Discord would turn into a
// mention: anything, if allowed_mentions does not forbid it.
func (m Sent) Live() string {
	b := m.read()
	if b.Allowed.Parse == nil || len(b.Allowed.Parse) > 0 {
		return "allowed_mentions"
	}
	text := b.Content
	for _, e := range b.Embeds {
		text += "\n" + e.Description
	}
	return Live(text)
}

// Live is the first stretch of markdown that Discord would turn into a
// mention: an unescaped <@, <#, <id: or </, or @everyone or @here in one piece.
func Live(markdown string) string {
	escaped := false
	for i, r := range markdown {
		rest := markdown[i:]
		if !escaped {
			for _, mark := range []string{"<@", "<#", "<id:", "</"} {
				if strings.HasPrefix(rest, mark) {
					return rest
				}
			}
		}
		if strings.HasPrefix(rest, "@everyone") || strings.HasPrefix(rest, "@here") {
			return rest
		}
		escaped = r == '\\' && !escaped
	}
	return ""
}

// inZone is a time that Discord shows in the reader's zone, as podium puts it
// behind its words.
var inZone = regexp.MustCompile(` \(<t:\d+:F>\)`)

// plain is markdown as it shows: without the marks of quotes, small print and
// links, escapes undone, and without the times in the reader's zone.
func plain(markdown string) string {
	markdown = inZone.ReplaceAllString(markdown, "")
	lines := strings.Split(markdown, "\n")
	for i, line := range lines {
		for _, mark := range []string{"> ", "-# "} {
			line = strings.TrimPrefix(line, mark)
		}
		lines[i] = line
	}
	return Unescape(strings.Join(lines, "\n"))
}

// Unescape undoes markdown's backslashes, the brackets around links and the
// breaks within @everyone.
func Unescape(markdown string) string {
	var b strings.Builder
	escaped, link := false, false
	for i, r := range markdown {
		switch {
		case r == '\\' && !escaped:
			escaped = true
			continue
		case r == '<' && !escaped && strings.HasPrefix(markdown[i+1:], "http"):
			link = true
		case r == '>' && link:
			link = false
		case r != '\u200b':
			b.WriteRune(r)
		}
		escaped = false
	}
	return b.String()
}
