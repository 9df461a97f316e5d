package knowledge

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// source is the announcement's text, ready for looking up what it says word
// for word.
type source struct {
	plain     string   // quote marks and white space normalised
	sentences []string // of plain, in order
	starts    []int    // where each sentence starts in plain
}

func newSource(text string) *source {
	s := &source{}
	var b strings.Builder
	for _, paragraph := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		for _, sentence := range sentences(plainText(paragraph)) {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			s.starts = append(s.starts, b.Len())
			s.sentences = append(s.sentences, sentence)
			b.WriteString(sentence)
		}
	}
	s.plain = b.String()
	return s
}

// find returns the number of the sentence where text starts, word for word, or
// 0 if the source does not hold it.
func (s *source) find(text string) int {
	text = plainText(text)
	if text == "" {
		return 0
	}
	for from := 0; ; {
		i := strings.Index(s.plain[from:], text)
		if i < 0 {
			return 0
		}
		i += from
		if wordEdge(s.plain, i) && wordEdge(s.plain, i+len(text)) {
			n := 0
			for n < len(s.starts) && s.starts[n] <= i {
				n++
			}
			return n
		}
		from = i + 1
	}
}

// wordEdge reports whether no word runs across position i of s.
func wordEdge(s string, i int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	after, _ := utf8.DecodeRuneInString(s[i:])
	return !isWord(before) || !isWord(after)
}

func isWord(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

var straightQuotes = strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "«", `"`, "»", `"`, "‘", "'", "’", "'", "‚", "'", "\u00a0", " ")

// plainText makes all quote marks straight and all white space one blank: the
// only liberties that verbatim text is allowed.
func plainText(s string) string {
	return strings.Join(strings.Fields(straightQuotes.Replace(s)), " ")
}

// abbreviations end in a full stop that ends no sentence.
var abbreviations = map[string]bool{
	"mr": true, "mrs": true, "ms": true, "dr": true, "prof": true, "gen": true, "lt": true, "col": true, "sgt": true, "capt": true, "maj": true, "rep": true, "sen": true, "gov": true, "st": true,
	"inc": true, "ltd": true, "co": true, "corp": true, "vs": true, "etc": true, "approx": true, "no": true, "jan": true, "feb": true, "mar": true, "apr": true, "jun": true, "jul": true, "aug": true, "sept": true, "sep": true, "oct": true, "nov": true, "dec": true,
}

// sentences cuts a paragraph at the full stops, question and exclamation marks
// that end a sentence.
func sentences(paragraph string) []string {
	var out []string
	start := 0
	for i := 0; i < len(paragraph); i++ {
		c := paragraph[i]
		if c != '.' && c != '!' && c != '?' {
			continue
		}
		end := i + 1
		for end < len(paragraph) && strings.IndexByte(`"')]`, paragraph[end]) >= 0 {
			end++
		}
		if end < len(paragraph) && paragraph[end] != ' ' {
			continue
		}
		if end+1 < len(paragraph) {
			next, _ := utf8.DecodeRuneInString(strings.TrimLeft(paragraph[end+1:], `"'([`))
			if unicode.IsLower(next) {
				continue
			}
		}
		if c == '.' && end == i+1 && end < len(paragraph) {
			word := paragraph[start:i]
			word = word[strings.LastIndexAny(word, " \"'(")+1:]
			if abbreviations[strings.ToLower(word)] || isInitials(word) {
				continue
			}
		}
		out = append(out, strings.TrimSpace(paragraph[start:end]))
		start = end
		i = end
	}
	if rest := strings.TrimSpace(paragraph[min(start, len(paragraph)):]); rest != "" {
		out = append(out, rest)
	}
	return out
}

// isInitials reports whether a word before a full stop is "U.S", "J" or the
// like.
func isInitials(word string) bool {
	for i, r := range word {
		if i%2 == 0 && !unicode.IsUpper(r) || i%2 == 1 && r != '.' {
			return false
		}
	}
	return len(word) > 0 && word != "I"
}
