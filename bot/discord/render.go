package discord

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/bwmarrin/discordgo"

	"podium/bot"
)

// Discord's limits of one message. Lengths are in UTF-16 units, which are
// never fewer than what Discord counts.
const (
	maxContent     = 2000
	maxDescription = 4096 // all that podium puts into an embed: its total of 6000 is out of reach
	maxRows        = 5
	maxInRow       = 5
	maxLabel       = 80
	maxPages       = 10 // messages to one reply
)

const ephemeral = int(discordgo.MessageFlagsEphemeral)

// A message is the body of every message that podium sends, by whichever
// endpoint. Its fields are present even when empty, so that an edit clears
// what was there before.
type message struct {
	Content         string                      `json:"content"`
	Embeds          []embed                     `json:"embeds"`
	Components      []row                       `json:"components"`
	AllowedMentions mentions                    `json:"allowed_mentions"`
	Flags           int                         `json:"flags,omitempty"`
	Reference       *discordgo.MessageReference `json:"message_reference,omitempty"`
	Nonce           string                      `json:"nonce,omitempty"`
	EnforceNonce    bool                        `json:"enforce_nonce,omitempty"`
}

// An embed stands below the content. These types are not discordgo's, whose
// encoding takes a multiple of the time of all the rest of an answer.
type embed struct {
	Description string `json:"description"`
}

// A row holds up to five buttons.
type row struct {
	Type    discordgo.ComponentType `json:"type"`
	Buttons []button                `json:"components"`
}

type button struct {
	Type  discordgo.ComponentType `json:"type"`
	Label string                  `json:"label"`
	Style discordgo.ButtonStyle   `json:"style"`
	ID    string                  `json:"custom_id"`
}

// mentions allows none: {"parse":[]} means nobody is pinged, whatever the
// text says.
type mentions struct {
	Parse       [0]struct{} `json:"parse"`
	RepliedUser bool        `json:"replied_user"`
}

// render lays r out as messages: one, unless r is longer than a message may
// be. A message's content holds the answer, which is what notifications show
// and screen readers read first; the embed below holds what the answer rests
// on. Read one after the other they are r.Text(), each word once.
func render(r bot.Reply) []message {
	content, evidence := layout(r)
	if content == "" && evidence == "" {
		content = markdown(bot.Failure) // Discord refuses a message without words
	}
	pages := make([]message, 0, 1)
	for content != "" || evidence != "" {
		m := message{Embeds: []embed{}, Components: []row{}}
		m.Content, content = cut(content, maxContent)
		below := &content
		if content == "" {
			below = &evidence
		}
		var description string
		description, *below = cut(*below, maxDescription)
		last := len(pages) == maxPages-1
		if last && (content != "" || evidence != "") {
			const mark = " …"
			description, _ = cut(description, maxDescription-len(mark))
			description += mark
			content, evidence = "", ""
		}
		if description != "" {
			m.Embeds = append(m.Embeds, embed{description})
		}
		pages = append(pages, m)
	}
	pages[len(pages)-1].Components = rows(r)
	return pages
}

// layout is r as markdown: what stands in the plain content and what in the
// embed.
func layout(r bot.Reply) (content, evidence string) {
	if len(r.Parts) == 1 {
		p := r.Parts[0]
		if len(p.Quotes) > 0 || p.Source != "" {
			return words(p)
		}
	}
	// Several answers would be torn from what they rest on if all of that
	// stood below in one embed: each part stays in one piece.
	var parts []string
	for i, p := range r.Parts {
		text, more := words(p)
		if len(r.Parts) > 1 {
			text = strconv.Itoa(i+1) + ". " + text
		}
		if more != "" {
			text += "\n" + more
		}
		parts = append(parts, strings.Trim(text, "\n"))
	}
	return strings.Join(parts, "\n\n"), ""
}

// words are p's answer and what stands below it.
func words(p bot.Part) (answer, below string) {
	answer, times := local(markdown(p.Answer), p.Times)
	below, _ = local(rest(p), times)
	return answer, below
}

// local puts each of times in the reader's zone behind its words in text, and
// returns those from the first on whose words do not stand there.
func local(text string, times []bot.Moment) (string, []bot.Moment) {
	var b strings.Builder
	for len(times) > 0 {
		named := markdown(times[0].Words)
		before, after, ok := strings.Cut(text, named)
		if !ok {
			break
		}
		b.WriteString(before + named + " (<t:" + strconv.FormatInt(times[0].At.Unix(), 10) + ":F>)")
		text, times = after, times[1:]
	}
	return b.String() + text, times
}

// rest is the part below its answer, in the order of bot.Part's Text.
func rest(p bot.Part) string {
	var lines []string
	for _, q := range p.Quotes {
		lines = append(lines, "> "+strings.ReplaceAll(markdown(q.String()), "\n", "\n> "))
	}
	for _, n := range p.Notes {
		lines = append(lines, markdown(n))
	}
	if c := p.ChoicesText(); c != "" {
		lines = append(lines, markdown(c))
	}
	if p.Source != "" {
		source := "-# " + strings.ReplaceAll(markdown(p.Source), "\n", " ")
		if p.Link != "" {
			source += " " + link(p.Link)
		}
		lines = append(lines, source)
	}
	return strings.Join(lines, "\n")
}

// link shows a web address as one that can be followed and unfolds nothing.
func link(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '<' || r == '>' || r == '\\'
	}) {
		return markdown(s)
	}
	return "<" + s + ">"
}

// markdown makes untrusted text show as it is: nothing in it formats, mentions,
// links or unfolds.
func markdown(s string) string {
	s = bot.Printable(s)
	if !strings.ContainsAny(s, "\\*_~`|<[#-+>@:") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	start := true // of a line, white space aside
	for i, r := range s {
		switch r {
		case '\\', '*', '_', '~', '`', '|', '<', '[':
			b.WriteByte('\\')
		case '#', '-', '+', '>':
			if start {
				b.WriteByte('\\')
			}
		case '/':
			// An address is a link only if its :// is in one piece.
			if before := s[:i]; strings.HasSuffix(before, ":") || strings.HasSuffix(before, ":/") {
				b.WriteByte('\\')
			}
		}
		b.WriteRune(r)
		if r == '@' && (strings.HasPrefix(s[i+1:], "everyone") || strings.HasPrefix(s[i+1:], "here")) {
			b.WriteRune('\u200b') // allowed_mentions forbids the ping; this keeps it from looking like one
		}
		start = r == '\n' || start && unicode.IsSpace(r)
	}
	return b.String()
}

// cut splits markdown so that head is at most n UTF-16 units long: at the end
// of the last sentence that fits, unless that would leave much of the room
// empty, else between words, else between characters.
func cut(s string, n int) (head, tail string) {
	s = strings.TrimLeftFunc(s, unicode.IsSpace)
	if len(s) <= n {
		return s, "" // bytes are never fewer than units
	}
	units, sentence, word, char := 0, 0, 0, 0
	var before rune
	escaped := false // by an odd number of backslashes
	for i, r := range s {
		if unicode.IsSpace(r) {
			word = i
			if before == '\n' || r == '\n' || strings.ContainsRune(".!?", lastLetter(s[:i])) {
				sentence = i
			}
		}
		if !escaped {
			char = i
		}
		if units += utf16.RuneLen(r); units > n {
			break
		}
		escaped = r == '\\' && !escaped
		before = r
	}
	if units <= n {
		return s, ""
	}
	at := char
	if sentence > n/4 {
		at = sentence
	} else if word > 0 {
		at = word
	}
	return strings.TrimRightFunc(s[:at], unicode.IsSpace), strings.TrimLeftFunc(s[at:], unicode.IsSpace)
}

// lastLetter is the last rune of s that closes nothing.
func lastLetter(s string) rune {
	r, _ := utf8.DecodeLastRuneInString(strings.TrimRight(s, "\"')”’»"))
	return r
}

// rows lays out the buttons: the choices, then podium's own. Podium's own all
// find room; choices beyond Discord's limits are left out, they stand in the
// text too.
func rows(r bot.Reply) []row {
	seen := make(map[string]bool)
	chunk := func(all []bot.Button, room int) []row {
		list := make([]row, 0, room)
		for _, b := range all {
			id := b.Action.String()
			label := short(bot.Printable(b.Label), maxLabel)
			space := len(list) > 0 && len(list[len(list)-1].Buttons) < maxInRow
			if len(id) > bot.MaxAction || seen[id] || label == "" || !space && len(list) == room {
				continue // Discord refuses a message with two equal ids
			}
			seen[id] = true
			if !space {
				list = append(list, row{Type: discordgo.ActionsRowComponent})
			}
			last := &list[len(list)-1]
			last.Buttons = append(last.Buttons, button{discordgo.ButtonComponent, label, style(b.Action.Verb), id})
		}
		return list
	}
	var choices []bot.Button
	for _, p := range r.Parts {
		choices = append(choices, p.Choices...)
	}
	own := chunk(r.Buttons, maxRows)
	return append(chunk(choices, maxRows-len(own)), own...)
}

func style(verb string) discordgo.ButtonStyle {
	switch verb {
	case bot.VerbTopic:
		return discordgo.PrimaryButton
	case bot.VerbConfirm:
		return discordgo.SuccessButton
	case bot.VerbCancel:
		return discordgo.DangerButton
	}
	return discordgo.SecondaryButton
}

// short is s, cut to at most n UTF-16 units.
func short(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= n || utf16Len(s) <= n {
		return s
	}
	units := 0
	for i, r := range s {
		if units += utf16.RuneLen(r); units > n-1 {
			return strings.TrimSpace(s[:i]) + "…"
		}
	}
	return s
}

func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}
