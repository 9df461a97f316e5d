package slack

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"podium/bot"
)

// Slack's limits, in characters; podium counts bytes, which are never fewer.
const (
	sectionLimit = 3000 // of a section's text, and of anything in a context block
	labelLimit   = 75
	rowLimit     = 25 // buttons of an actions block
	blockLimit   = 50 // blocks of a message

	// publicLimit keeps a message below the 4,000 that chat.update takes (chat.postMessage takes 40,000): an edited
	// question must be able to edit its reply.
	publicLimit = 3900
	// privateLimit keeps the blocks, button labels and values together below the 13,200 or so that a message may hold.
	privateLimit = 8000
)

// moreInThread ends a public message that continues in its thread.
const moreInThread = "(more in thread)"

// An outgoing message: the text is what screen readers and notifications read, the blocks what the eye sees. Both are
// escaped.
type outgoing struct {
	text   string
	blocks []slack.Block
}

// A block is a block of Block Kit, in as far as podium uses it. The SDK's own blocks take several times as long to encode.
type block struct {
	Type     string    `json:"type"`
	Text     *object   `json:"text,omitempty"`     // of a section
	Elements []element `json:"elements,omitempty"` // of actions and contexts
}

func (b *block) BlockType() slack.MessageBlockType { return slack.MessageBlockType(b.Type) }
func (b *block) ID() string                        { return "" }

// An object is a text object.
type object struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Verbatim bool   `json:"verbatim,omitempty"`
}

// mrkdwn is a text object that Slack takes as it stands: without Verbatim it would look for mentions and channel names
// in plain words.
func mrkdwn(text string) *object { return &object{Type: "mrkdwn", Text: text, Verbatim: true} }

// An element is a button of an actions block, or a text of a context block.
type element struct {
	Type     string `json:"type"`
	Text     any    `json:"text"` // *object of a button, string of a text
	Verbatim bool   `json:"verbatim,omitempty"`
	ActionID string `json:"action_id,omitempty"`
	Value    string `json:"value,omitempty"`
	Style    string `json:"style,omitempty"`
}

// A line is one field of a Reply as a line of its plain text, with the blocks' layout.
type line struct {
	layout  layout
	text    string       // plain and printable
	escaped string       // text as it is sent
	choices []bot.Button // of a choices line
	readAs  string       // of a choices line: the text above its buttons
	link    string       // of a source line
}

type layout int

const (
	section layout = iota
	quotation
	choices
	source
	unseen // said by buttons
)

// lines is r.Text() line by line: joined by line breaks they are that text.
func lines(r bot.Reply) []line {
	all := make([]line, 0, 8*len(r.Parts))
	for i, p := range r.Parts {
		first := len(all)
		if p.Answer != "" {
			all = append(all, line{text: p.Answer})
		}
		for _, q := range p.Quotes {
			all = append(all, line{layout: quotation, text: q.String()})
		}
		for _, n := range p.Notes {
			all = append(all, line{text: n})
		}
		if len(p.Choices) > 0 {
			l := line{layout: choices, text: p.ChoicesText(), choices: p.Choices}
			if before, _, ok := strings.Cut(l.text, p.Choices[0].Label); ok && !p.Numbered {
				l.readAs = strings.TrimSpace(before)
			}
			all = append(all, l)
		}
		if p.Source != "" {
			l := line{layout: source, text: p.Source, link: p.Link}
			if p.Link != "" {
				l.text += " " + p.Link
			}
			all = append(all, l)
		}
		if len(r.Parts) > 1 {
			if first == len(all) {
				all = append(all, line{})
			}
			number := strconv.Itoa(i+1) + ". "
			all[first].text = number + all[first].text
			if all[first].layout == choices {
				all[first].readAs = number + all[first].readAs
			}
		}
	}
	var asks []string
	for _, b := range r.Buttons {
		if b.Label == bot.LabelConfirm || b.Label == bot.LabelCancel {
			asks = append(asks, "["+b.Label+"]")
		}
	}
	if len(asks) > 0 {
		all = append(all, line{layout: unseen, text: strings.Join(asks, " ")})
	}
	for i, l := range all {
		all[i] = l.with(bot.Printable(l.text))
	}
	return all
}

// with is l with another text, which is printable.
func (l line) with(text string) line {
	l.text, l.escaped = text, escaper.Replace(text)
	return l
}

// render lays r out in as many messages as limit, which counts the bytes of a message's escaped text, makes of it.
// more, if not empty, ends every message but the last. Podium's own buttons stand under the last.
func render(r bot.Reply, limit int, more string) []outgoing {
	room := limit - len(more) - 1
	all := fit(lines(r), room)
	var messages []outgoing
	now := make([]line, 0, len(all))
	size, blocks := 0, 0
	flush := func() {
		if len(now) > 0 {
			messages = append(messages, lay(now))
			now, size, blocks = now[:0], 0, 0
		}
	}
	for _, l := range all {
		cost, count := l.cost()
		// Two blocks stay free for the mark of more and for podium's own buttons.
		if size+1+cost > room || blocks+count > blockLimit-2 {
			// The start of a long text stays with what came before it, if a sentence of it fits.
			if free := room - size - 1; l.layout != choices && free > room/4 {
				if head, rest := cut(l.text, free, true); head != "" {
					now = append(now, line{layout: l.layout}.with(head))
					l = l.with(rest)
					cost, count = l.cost()
				}
			}
			flush()
		}
		now = append(now, l)
		size += 1 + cost
		blocks += count
	}
	flush()
	if len(messages) == 0 {
		return nil
	}
	for i := range messages[:len(messages)-1] {
		if more != "" {
			messages[i].text += "\n" + more
			messages[i].blocks = append(messages[i].blocks, contextBlock(more))
		}
	}
	last := &messages[len(messages)-1]
	last.blocks = append(last.blocks, rows(r.Buttons)...)
	for i := range messages {
		number(messages[i].blocks)
	}
	return messages
}

// fit splits the lines that are longer than a whole message.
func fit(all []line, room int) []line {
	if !slices.ContainsFunc(all, func(l line) bool { cost, _ := l.cost(); return cost > room }) {
		return all
	}
	var fitting []line
	for _, l := range all {
		for {
			if cost, _ := l.cost(); cost <= room {
				break
			}
			if l.layout == choices {
				if len(l.choices) == 1 {
					break
				}
				// A list of readings or topics is halved between two of them.
				half := len(l.choices) / 2
				head := line{layout: choices, choices: l.choices[:half], readAs: l.readAs}
				at := strings.Index(l.text, bot.Printable(l.choices[half].Label))
				if at < 0 {
					break
				}
				at = strings.LastIndexAny(l.text[:at], "\n·") // numbers belong to the line they stand in
				if at < 0 {
					break
				}
				before, after := strings.TrimSpace(l.text[:at]), strings.TrimSpace(strings.TrimPrefix(l.text[at:], "·"))
				l = line{layout: choices, choices: l.choices[half:]}.with(after)
				fitting = append(fitting, fit([]line{head.with(before)}, room)...)
				continue
			}
			head, rest := cut(l.text, room, false)
			fitting = append(fitting, line{layout: l.layout}.with(head))
			l = l.with(rest)
		}
		fitting = append(fitting, l)
	}
	return fitting
}

// cost is the most bytes of text and the most blocks that the line takes up in a message.
func (l line) cost() (size, blocks int) {
	size = len(l.escaped)
	blocks = size/(sectionLimit/2) + 1
	if l.layout == choices {
		for _, c := range l.choices {
			size += len(c.Label) + len(c.Action.String())
		}
		blocks += len(l.choices)/rowLimit + 1
	}
	return size, blocks
}

// cut splits printable text before the escaped head exceeds limit bytes: behind a sentence, else, unless sentence is required,
// behind a word, else anywhere between two characters.
func cut(text string, limit int, sentence bool) (head, rest string) {
	size, word, stop, end := 0, 0, 0, len(text)
	for i, r := range text {
		switch size += utf8.RuneLen(r); r {
		case '&':
			size += len("&amp;") - 1
		case '<', '>':
			size += len("&lt;") - 1
		}
		if size > limit {
			end = i
			break
		}
		switch {
		case r == '\n':
			stop = i + 1
		case unicode.IsSpace(r):
			word = i + 1
			if before := strings.TrimRight(text[:i], `"'”’)]`); before != "" && strings.ContainsRune(".!?…", rune(before[len(before)-1])) {
				stop = i + 1
			}
		}
	}
	switch {
	case end == len(text):
		return text, ""
	case stop > 0:
		end = stop
	case sentence:
		return "", text
	case word > 0:
		end = word
	}
	if end == 0 { // not one character fits
		_, end = utf8.DecodeRuneInString(text)
	}
	return strings.TrimSpace(text[:end]), strings.TrimSpace(text[end:])
}

// lay makes one message of lines.
func lay(all []line) outgoing {
	m := outgoing{blocks: make([]slack.Block, 0, len(all)+2)}
	texts := make([]string, len(all))
	for i, l := range all {
		texts[i] = l.escaped
		switch l.layout {
		case section:
			m.blocks = append(m.blocks, sections(texts[i])...)
		case quotation:
			quoted := ">" + strings.ReplaceAll(texts[i], "\n", "\n>")
			if len(quoted) > sectionLimit {
				quoted = texts[i]
			}
			m.blocks = append(m.blocks, sections(quoted)...)
		case choices:
			if l.readAs != "" {
				m.blocks = append(m.blocks, contextBlock(escape(l.readAs)))
			}
			m.blocks = append(m.blocks, rows(l.choices)...)
		case source:
			shown := texts[i]
			if a := anchor(l.link); a != "" {
				text := escape(strings.TrimSuffix(l.text, " "+l.link))
				if linked := "<" + a + "|" + strings.ReplaceAll(text, "\n", " ") + ">"; len(linked) <= sectionLimit {
					shown = linked
				}
			}
			for shown != "" {
				var head string
				head, shown = cutEscaped(shown)
				m.blocks = append(m.blocks, contextBlock(head))
			}
		}
	}
	m.text = strings.Join(texts, "\n")
	return m
}

// sections is escaped text as section blocks.
func sections(text string) []slack.Block {
	var all []slack.Block
	for text != "" {
		var head string
		head, text = cutEscaped(text)
		all = append(all, &block{Type: "section", Text: mrkdwn(head)})
	}
	return all
}

// cutEscaped takes from escaped text what a block holds.
func cutEscaped(text string) (head, rest string) {
	if len(text) <= sectionLimit {
		return text, ""
	}
	head, rest = cut(unescape(text), sectionLimit, false)
	return escape(head), escape(rest)
}

func contextBlock(text string) slack.Block {
	return &block{Type: "context", Elements: []element{{Type: "mrkdwn", Text: text, Verbatim: true}}}
}

// rows is buttons as actions blocks.
func rows(buttons []bot.Button) []slack.Block {
	var all []slack.Block
	row := make([]element, 0, min(len(buttons), rowLimit))
	for _, b := range buttons {
		text := label(b.Label)
		if text == "" {
			continue
		}
		e := element{Type: "button", Text: &object{Type: "plain_text", Text: text}, Value: b.Action.String()}
		if b.Action.Verb == bot.VerbConfirm {
			e.Style = "primary"
		}
		if row = append(row, e); len(row) == rowLimit {
			all, row = append(all, &block{Type: "actions", Elements: row}), nil
		}
	}
	if len(row) > 0 {
		all = append(all, &block{Type: "actions", Elements: row})
	}
	return all
}

// number gives every button an action_id that is its own within the message.
func number(blocks []slack.Block) {
	n := 0
	for _, b := range blocks {
		for i, e := range b.(*block).Elements {
			if e.Type == "button" {
				b.(*block).Elements[i].ActionID = "podium-" + strconv.Itoa(n)
				n++
			}
		}
	}
}

// label is a button's text, escaped and within the limit.
func label(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if escaped := escape(s); len(escaped) <= labelLimit {
		return escaped
	}
	size := len("…")
	for i, r := range s {
		if size += len(escape(string(r))); size > labelLimit {
			return escape(strings.TrimSpace(s[:i])) + "…"
		}
	}
	return escape(s)
}

// anchor is a web address fit for a link, or empty.
func anchor(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return linker.Replace(u.String())
}

var (
	escaper   = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	linker    = strings.NewReplacer("<", "%3C", ">", "%3E", "|", "%7C", "&", "&amp;")
	unescaper = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">")
)

// escape makes text that Slack shows as it stands: no mention, no link and no control character comes through.
func escape(s string) string { return escaper.Replace(bot.Printable(s)) }

func unescape(s string) string { return unescaper.Replace(s) }

// plain is what a person typed, made of what Slack sent: podium's own mention is gone, links, channels and other
// mentions are the words that were shown, escapes are undone. A reminder keeps the ids of channels, as <#C123>: it may be
// set for another channel.
func plain(s, self string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "<")
		code, rest, closed := strings.Cut(after, ">")
		if !found || !closed {
			break
		}
		if before = unescape(before); b.Len() == 0 {
			before = strings.TrimLeftFunc(before, unicode.IsSpace)
		}
		b.WriteString(before)
		const command = "remind"
		keep := b.Len() >= len(command) && strings.EqualFold(b.String()[:len(command)], command)
		target, _, _ := strings.Cut(code, "|")
		switch {
		case self != "" && target == "@"+self:
			rest = strings.TrimLeft(rest, ":, ")
		case keep && strings.HasPrefix(target, "#"):
			b.WriteString("<" + target + ">")
		default:
			b.WriteString(unescape(shown(code)))
		}
		s = rest
	}
	b.WriteString(unescape(s))
	return strings.TrimSpace(bot.Printable(b.String()))
}

// shown is what Slack showed for <code>.
func shown(code string) string {
	target, text, labelled := strings.Cut(code, "|")
	if text == "" {
		labelled = false
	}
	switch {
	case strings.HasPrefix(target, "@"):
		if labelled {
			return "@" + strings.TrimPrefix(text, "@")
		}
	case strings.HasPrefix(target, "#"):
		if labelled {
			return "#" + text
		}
	case strings.HasPrefix(target, "!"):
		if labelled {
			return text
		}
		return "@" + target[1:]
	case labelled:
		return text
	}
	return target
}
