package terminal

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"podium/bot"
)

// A lineReader reads one line, without its end. After errTooLong the next line
// can be read.
type lineReader interface {
	ReadLine() (string, error)
}

var errTooLong = errors.New("line too long")

const (
	prompt = "> "
	// maxLine is the longest line of a pipe in bytes.
	maxLine = 64 << 10
	// maxTyped is how many characters term.Terminal takes into a line; it
	// drops what follows without a word.
	maxTyped = 4096
)

// plain reads lines as they come.
type plain struct{ r *bufio.Reader }

func plainLines(r io.Reader) plain { return plain{bufio.NewReaderSize(r, maxLine)} }

func (p plain) ReadLine() (string, error) {
	line, more, err := p.r.ReadLine()
	if err != nil {
		return "", err
	}
	s := string(line)
	if !more {
		return s, nil
	}
	for more && err == nil {
		_, more, err = p.r.ReadLine()
	}
	return "", errTooLong
}

// prompted asks for each line.
type prompted struct {
	lineReader
	out io.Writer
}

func (p prompted) ReadLine() (string, error) {
	if _, err := io.WriteString(p.out, prompt); err != nil {
		return "", err
	}
	line, err := p.lineReader.ReadLine()
	if err != nil && err != errTooLong {
		io.WriteString(p.out, "\n") // the shell's prompt begins a line of its own
	}
	return line, err
}

// An editor lets a person edit the line, and find the lines before it. What is
// written to it gets the line ends that a raw terminal needs.
type editor struct {
	*term.Terminal
	raw  io.Writer
	look look
}

func newEditor(in io.Reader, out io.Writer, look look) *editor {
	e := &editor{term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{&keys{r: in}, out}, prompt), out, look}
	if look.colour {
		e.SetPrompt(bold + prompt + plainAgain)
	}
	e.History = history{e.History}
	return e
}

func (e *editor) ReadLine() (string, error) {
	if width, height, err := e.look.size(); err == nil && width > 0 && height > 0 {
		e.SetSize(width, height)
	}
	line, err := e.Terminal.ReadLine()
	if err != nil {
		// The shell's prompt begins a line of its own. Not by Write, which
		// would print the unfinished line once more.
		io.WriteString(e.raw, "\r\n")
	}
	if err == nil && utf8.RuneCountInString(line) >= maxTyped {
		return "", errTooLong
	}
	return line, err
}

// history leaves out what nobody looks for.
type history struct{ term.History }

func (h history) Add(line string) {
	if strings.TrimSpace(line) != "" && (h.Len() == 0 || h.At(0) != line) {
		h.History.Add(line)
	}
}

// keys is what a person types, freed of all that term.Terminal would stumble
// over or send back to the screen: broken UTF-8, control characters beyond
// ASCII, escape sequences that are no key of the table.
type keys struct {
	r     io.Reader
	buf   [256]byte
	seq   []byte // an escape sequence, or a character, that is not complete
	ready []byte
}

// known are the keys that terminals send, as term.Terminal knows them.
var known = map[string]string{
	"\x1b[A": "\x1b[A", "\x1bOA": "\x1b[A", // up
	"\x1b[B": "\x1b[B", "\x1bOB": "\x1b[B", // down
	"\x1b[C": "\x1b[C", "\x1bOC": "\x1b[C", // right
	"\x1b[D": "\x1b[D", "\x1bOD": "\x1b[D", // left
	"\x1b[H": "\x01", "\x1bOH": "\x01", "\x1b[1~": "\x01", "\x1b[7~": "\x01", // home
	"\x1b[F": "\x05", "\x1bOF": "\x05", "\x1b[4~": "\x05", "\x1b[8~": "\x05", // end
	"\x1b[3~":   "\x1b[3~",                                                   // delete
	"\x1b[1;3C": "\x1b[1;3C", "\x1b[1;5C": "\x1b[1;3C", "\x1bf": "\x1b[1;3C", // word right
	"\x1b[1;3D": "\x1b[1;3D", "\x1b[1;5D": "\x1b[1;3D", "\x1bb": "\x1b[1;3D", // word left
	"\x1b\x7f": "\x17", // delete word
}

func (k *keys) Read(p []byte) (int, error) {
	for len(k.ready) == 0 {
		n, err := k.r.Read(k.buf[:])
		for _, c := range k.buf[:n] {
			k.take(c)
		}
		if n < len(k.buf) && string(k.seq) == "\x1b" {
			k.seq = k.seq[:0] // the key Esc alone
		}
		if len(k.ready) == 0 && err != nil {
			return 0, err
		}
	}
	n := copy(p, k.ready)
	k.ready = k.ready[n:]
	return n, nil
}

// take adds one byte to what is ready, or to the sequence that it belongs to.
func (k *keys) take(c byte) {
	if len(k.seq) > 0 && k.seq[0] == 0x1b {
		if c < 0x20 {
			// No sequence holds a control character: begin anew.
			k.seq = k.seq[:0]
			k.take(c)
			return
		}
		if len(k.seq) < 16 {
			k.seq = append(k.seq, c)
		}
		introducer := len(k.seq) == 2 && (c == '[' || c == 'O')
		if !introducer && (c >= 0x40 || len(k.seq) == 2) {
			k.ready = append(k.ready, known[string(k.seq)]...)
			k.seq = k.seq[:0]
		}
		return
	}
	k.seq = append(k.seq, c)
	if c == 0x1b || !utf8.FullRune(k.seq) {
		if c == 0x1b {
			k.seq = append(k.seq[:0], c)
		}
		return
	}
	r, size := utf8.DecodeRune(k.seq)
	rest := string(k.seq[size:])
	k.seq = k.seq[:0]
	switch {
	case r == utf8.RuneError:
		k.ready = append(k.ready, '?')
	case r < 0x20 && r != '\t' || r == 0x7f:
		k.ready = append(k.ready, byte(r)) // a key
	default:
		// A tab is a space between words.
		k.ready = append(k.ready, strings.ReplaceAll(bot.Printable(string(r)), "\t", " ")...)
	}
	for _, c := range []byte(rest) {
		k.take(c)
	}
}
