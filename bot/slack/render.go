package slack

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
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
	blocks []block
}

// A block is a block of Block Kit, in as far as podium uses it.
type block struct {
	kind     string    // section, context, actions or divider
	text     string    // of a section
	elements []element // of a context and of actions
}

// An element is a text of a context block, or a button of an actions block.
type element struct {
	text   string
	value  string // of a button: what a press of it sends
	style  string // of a button, or empty
	number int    // of a button, within its message
}

// appendJSON appends b as JSON to dst. By reflection it would take several times as long, on the way of every answer.
func (b *block) appendJSON(dst []byte) []byte {
	dst = append(append(append(dst, `{"type":"`...), b.kind...), '"')
	if b.text != "" {
		dst = appendMrkdwn(append(dst, `,"text":`...), b.text)
	}
	for i := range b.elements {
		if i == 0 {
			dst = append(dst, `,"elements":[`...)
		} else {
			dst = append(dst, ',')
		}
		if e := &b.elements[i]; b.kind == "actions" {
			dst = e.appendButton(dst)
		} else {
			dst = appendMrkdwn(dst, e.text)
		}
	}
	if len(b.elements) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func (e *element) appendButton(dst []byte) []byte {
	dst = appendString(append(dst, `{"type":"button","text":{"type":"plain_text","text":`...), e.text)
	dst = strconv.AppendInt(append(dst, `},"action_id":"podium-`...), int64(e.number), 10)
	dst = appendString(append(dst, `","value":`...), e.value)
	if e.style != "" {
		dst = appendString(append(dst, `,"style":`...), e.style)
	}
	return append(dst, '}')
}

// appendMrkdwn appends a text object that Slack takes as it stands: without verbatim it would look for mentions and
// channel names in plain words.
func appendMrkdwn(dst []byte, text string) []byte {
	return append(appendString(append(dst, `{"type":"mrkdwn","text":`...), text), `,"verbatim":true}`...)
}

func appendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // what is not UTF-8 is replaced
	return dst
}

// A sdkBlock is a block as the SDK takes it.
type sdkBlock struct{ block }

func (b *sdkBlock) BlockType() slack.MessageBlockType { return slack.MessageBlockType(b.kind) }
func (b *sdkBlock) ID() string                        { return "" }
func (b *sdkBlock) MarshalJSON() ([]byte, error)      { return b.appendJSON(nil), nil }

func sdkBlocks(blocks []block) []slack.Block {
	all := make([]slack.Block, len(blocks))
	for i, b := range blocks {
		all[i] = &sdkBlock{b}
	}
	return all
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
	count := 1
	for _, p := range r.Parts {
		count += 3 + len(p.Quotes) + len(p.Notes)
	}
	all := make([]line, 0, count)
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
	for i := range all {
		all[i] = all[i].with(bot.Printable(all[i].text))
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
	start, size, blocks := 0, 0, 0 // of the message at hand
	flush := func(end int) {
		if end > start {
			messages = append(messages, lay(all[start:end]))
			start, size, blocks = end, 0, 0
		}
	}
	for i := 0; i < len(all); i++ {
		cost, count := all[i].cost()
		// Two blocks stay free for the mark of more and for podium's own buttons.
		if size+1+cost > room || blocks+count > blockLimit-2 {
			// The start of a long text stays with what came before it, if a sentence of it fits.
			if free := room - size - 1; all[i].layout != choices && free > room/4 {
				if head, rest := cut(all[i].text, free, true); head != "" {
					all = slices.Insert(all, i, line{layout: all[i].layout}.with(head))
					i++
					all[i] = all[i].with(rest)
					cost, count = all[i].cost()
				}
			}
			flush(i)
		}
		size += 1 + cost
		blocks += count
	}
	flush(len(all))
	if len(messages) == 0 {
		return nil
	}
	for i := range messages[:len(messages)-1] {
		if more != "" {
			messages[i].text += "\n" + more
			messages[i].addContext(more)
		}
	}
	messages[len(messages)-1].addRows(r.Buttons)
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
func (l *line) cost() (size, blocks int) {
	size = len(l.escaped)
	blocks = size/(sectionLimit/2) + 1
	if l.layout == choices {
		for _, c := range l.choices {
			size += len(c.Label) + c.Action.Len()
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
	m := outgoing{blocks: make([]block, 0, len(all)+2)}
	size := 0
	for i := range all {
		size += len(all[i].escaped) + 1
	}
	var text strings.Builder
	text.Grow(size)
	for i := range all {
		l := &all[i]
		if i > 0 {
			text.WriteByte('\n')
		}
		text.WriteString(l.escaped)
		switch l.layout {
		case section:
			m.addSections(l.escaped)
		case quotation:
			quoted := ">" + strings.ReplaceAll(l.escaped, "\n", "\n>")
			if len(quoted) > sectionLimit {
				quoted = l.escaped
			}
			m.addSections(quoted)
		case choices:
			if l.readAs != "" {
				m.addContext(escape(l.readAs))
			}
			m.addRows(l.choices)
		case source:
			shown := l.escaped
			if a := anchor(l.link); a != "" {
				text := escape(strings.TrimSuffix(l.text, " "+l.link))
				if linked := "<" + a + "|" + strings.ReplaceAll(text, "\n", " ") + ">"; len(linked) <= sectionLimit {
					shown = linked
				}
			}
			for shown != "" {
				var head string
				head, shown = cutEscaped(shown)
				m.addContext(head)
			}
		}
	}
	m.text = text.String()
	return m
}

// addSections adds escaped text as section blocks.
func (m *outgoing) addSections(text string) {
	for text != "" {
		var head string
		head, text = cutEscaped(text)
		m.blocks = append(m.blocks, block{kind: "section", text: head})
	}
}

// cutEscaped takes from escaped text what a block holds.
func cutEscaped(text string) (head, rest string) {
	if len(text) <= sectionLimit {
		return text, ""
	}
	head, rest = cut(unescape(text), sectionLimit, false)
	return escape(head), escape(rest)
}

func (m *outgoing) addContext(text string) {
	m.blocks = append(m.blocks, block{kind: "context", elements: []element{{text: text}}})
}

// addRows adds buttons as actions blocks.
func (m *outgoing) addRows(buttons []bot.Button) {
	row := make([]element, 0, min(len(buttons), rowLimit))
	for _, b := range buttons {
		text := label(b.Label)
		if text == "" {
			continue
		}
		e := element{text: text, value: b.Action.String()}
		if b.Action.Verb == bot.VerbConfirm {
			e.style = "primary"
		}
		if row = append(row, e); len(row) == rowLimit {
			m.blocks, row = append(m.blocks, block{kind: "actions", elements: row}), nil
		}
	}
	if len(row) > 0 {
		m.blocks = append(m.blocks, block{kind: "actions", elements: row})
	}
}

// number gives every button a number that is its own within the message.
func number(blocks []block) {
	n := 0
	for _, b := range blocks {
		if b.kind == "actions" {
			for i := range b.elements {
				b.elements[i].number = n
				n++
			}
		}
	}
}

// label is a button's text, escaped and within the limit.
func label(s string) string {
	if strings.Contains(s, "  ") || strings.ContainsFunc(s, func(r rune) bool { return r != ' ' && unicode.IsSpace(r) }) || strings.Trim(s, " ") != s {
		s = strings.Join(strings.Fields(s), " ")
	}
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
	if !strings.ContainsAny(s, "<&") {
		return strings.TrimSpace(bot.Printable(s))
	}
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
