package knowledge

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
	"golang.org/x/text/unicode/norm"
)

// maxQuestion is how much of a question is read, in bytes. Nobody asks a
// question this long; what is behind it is ignored.
const maxQuestion = 2000

// span is a token's place in the normalised text.
type span struct{ start, end int32 }

// text is a question made plain: lower case, no markup, no emoji, apostrophes
// gone, cut into words and numbers. The zero value is ready for use and to be
// used again.
type text struct {
	buf    []byte
	tokens []span
}

func (t *text) token(i int) []byte { return t.buf[t.tokens[i].start:t.tokens[i].end] }

func (t *text) String() string {
	var b strings.Builder
	for i := range t.tokens {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.Write(t.token(i))
	}
	return b.String()
}

// read sets t to the tokens of s.
func (t *text) read(s string) {
	t.buf, t.tokens = t.buf[:0], t.tokens[:0]
	s = clipQuestion(s)
	if !isASCII(s) {
		s = norm.NFKC.String(strings.ToValidUTF8(s, " "))
	}
	start := -1 // of the token being read, in buf
	flush := func() {
		if start >= 0 {
			t.buf = thousandsOf(t.buf, start)
			t.tokens = append(t.tokens, span{int32(start), int32(len(t.buf))})
			start = -1
		}
	}
	for i := 0; i < len(s); {
		if n := markup(s[i:]); n > 0 {
			flush()
			i += n
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r < utf8.RuneSelf && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9'):
			if start < 0 {
				start = len(t.buf)
			}
			t.buf = append(t.buf, byte(r))
		case r >= 'A' && r <= 'Z':
			if start < 0 {
				start = len(t.buf)
			}
			t.buf = append(t.buf, byte(r)+'a'-'A')
		case r == '\'' || r == '’' || r == '‘' || r == '`':
			// what's -> whats, Iraq's -> iraqs: no break
		case (r == ',' || r == '.') && start >= 0 && isDigit(t.buf[len(t.buf)-1]) && thousands(s[i+1:]):
			// 2,500 -> 2500
		case r == '.' && start >= 0 && isDigit(t.buf[start]) && i+1 < len(s) && isDigit(s[i+1]):
			t.buf = append(t.buf, '.') // 2.5k
		case r == '.' && start >= 0 && len(t.buf)-start <= 2 && i+1 < len(s) && isLetter(s[i+1]) && (len(t.buf)-start == 1 || i >= 2 && s[i-2] == '.'):
			// U.S. -> us
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			if start < 0 {
				start = len(t.buf)
			}
			t.buf = utf8.AppendRune(t.buf, fold(r))
		default:
			flush()
		}
		i += size
	}
	flush()
	t.dropAddress()
}

// thousandsOf writes out a number such as 2.5k at the end of buf, from start
// on: 2500.
func thousandsOf(buf []byte, start int) []byte {
	n := len(buf) - 1
	if n-start > 6 || n == start || buf[n] != 'k' || !isDigit(buf[start]) {
		return buf
	}
	f, err := strconv.ParseFloat(string(buf[start:n]), 64)
	if err != nil {
		return buf
	}
	return strconv.AppendFloat(buf[:start], 1000*f, 'f', -1, 64)
}

// clipQuestion is what of s is read.
func clipQuestion(s string) string {
	if len(s) <= maxQuestion {
		return s
	}
	s = s[:maxQuestion]
	for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// dropAddress removes how podium is addressed: "/podium", "hey podium,".
func (t *text) dropAddress() {
	for i := 0; i < len(t.tokens) && i < 3; i++ {
		if string(t.token(i)) == "podium" {
			t.tokens = append(t.tokens[:i], t.tokens[i+1:]...)
			return
		}
	}
}

// fold lower-cases r and takes a Latin letter's accent off.
func fold(r rune) rune {
	r = unicode.ToLower(r)
	if r < 0x250 && r > 0x7f {
		if d := norm.NFD.PropertiesString(string(r)).Decomposition(); len(d) > 1 && d[0] < utf8.RuneSelf {
			return rune(d[0])
		}
	}
	return r
}

// markup is the length of the chat markup, HTML tag or address that s starts
// with, or 0: <@U024BE7LH>, <!channel>, <:wave:123>, <b>, @everyone, :smile:,
// https://example.org/x.
func markup(s string) int {
	switch s[0] {
	case '<':
		if len(s) > 1 && (s[1] == '/' || s[1] == '!' || s[1] == '@' || s[1] == '#' || s[1] == ':' || isLetter(s[1])) {
			if n := strings.IndexAny(s[1:], "<>") + 1; n > 0 && n < 200 && s[n] == '>' {
				return n + 1
			}
		}
	case '@':
		if n := wordEnd(s[1:]); n > 0 {
			return n + 1
		}
	case ':':
		if n := wordEnd(s[1:]); n > 1 && n+1 < len(s) && s[n+1] == ':' {
			return n + 2
		}
	case 'h', 'H':
		if len(s) > 8 && (strings.EqualFold(s[:7], "http://") || strings.EqualFold(s[:8], "https://")) {
			if n := strings.IndexAny(s, " \t\n"); n > 0 {
				return n
			}
			return len(s)
		}
	}
	return 0
}

func wordEnd(s string) int {
	n := 0
	for n < len(s) && (isLetter(s[n]) || isDigit(s[n]) || s[n] == '_' || s[n] == '-') {
		n++
	}
	return n
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// thousands reports whether s starts with exactly three digits.
func thousands(s string) bool {
	return len(s) >= 3 && isDigit(s[0]) && isDigit(s[1]) && isDigit(s[2]) && (len(s) == 3 || !isDigit(s[3]))
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// chatWords are what people type for what they mean.
var chatWords = map[string]string{
	"u": "you", "ur": "your", "r": "are", "y": "why", "n": "and", "b": "be", "k": "ok", "da": "the", "dat": "that", "dis": "this", "dem": "them",
	"pls": "please", "plz": "please", "plsss": "please", "thx": "thanks", "ty": "thanks", "tnx": "thanks", "tysm": "thanks",
	"rn": "right now", "atm": "right now", "asap": "soon", "eta": "when", "tmrw": "tomorrow", "tmr": "tomorrow", "2day": "today", "2nite": "tonight",
	"wk": "week", "wks": "weeks", "yr": "year", "yrs": "years", "mo": "month", "mos": "months", "mth": "month", "mths": "months", "min": "minute", "mins": "minutes", "hr": "hour", "hrs": "hours",
	"jan": "january", "feb": "february", "apr": "april", "jun": "june", "jul": "july", "aug": "august", "sept": "september", "oct": "october", "nov": "november", "dec": "december", "xmas": "christmas",
	"mon": "monday", "tue": "tuesday", "tues": "tuesday", "wed": "wednesday", "weds": "wednesday", "thu": "thursday", "thur": "thursday", "thurs": "thursday", "fri": "friday",
	"ppl": "people", "peeps": "people", "govt": "government", "gov": "government", "gvt": "government", "dept": "department", "dep": "department", "pm": "prime minister", "pres": "president", "prez": "president",
	"abt": "about", "bc": "because", "cuz": "because", "coz": "because", "cos": "because", "btw": "by the way", "b4": "before", "w": "with", "wo": "without", "vs": "versus", "approx": "about", "nr": "number", "num": "number", "qty": "number", "amt": "amount", "info": "information", "deets": "details", "q": "question", "msg": "message", "pic": "picture", "quot": "quote", "quots": "quotes",
	"gonna": "going to", "gunna": "going to", "wanna": "want to", "gotta": "have to", "gimme": "give me", "lemme": "let me", "dunno": "do not know", "kinda": "kind of", "outta": "out of", "lotta": "lot of", "tryna": "trying to", "innit": "is it not", "aint": "is not",
	"idk": "i do not know", "imo": "in my opinion", "tbh": "", "lol": "", "lmao": "", "omg": "", "wtf": "what", "smh": "", "fyi": "", "ngl": "", "bro": "", "bruh": "", "dude": "", "yo": "hey", "hmm": "", "hm": "", "umm": "", "um": "", "uh": "", "er": "", "erm": "", "plss": "please",
	"tldr": "summary", "tl": "summary", "dr": "", "eli5": "explain simply",
	"yall": "you all", "yous": "you", "theyre": "they are", "theyve": "they have", "theyll": "they will", "theyd": "they would", "weve": "we have", "youre": "you are", "youve": "you have", "youll": "you will", "im": "i am", "ive": "i have", "hes": "he is", "shes": "she is", "itll": "it will", "itd": "it would", "thats": "that is", "thatll": "that will", "theres": "there is", "heres": "here is", "therell": "there will",
	"hwo": "how", "mny": "many", "woh": "who", "hte": "the", "waht": "what", "wehn": "when", "whne": "when", "wehre": "where",
	"whats": "what is", "wats": "what is", "wat": "what", "wut": "what", "wht": "what", "whos": "who is", "wheres": "where is", "whens": "when is", "whys": "why is", "hows": "how is", "whatre": "what are", "whore": "who are", "howre": "how are", "wherere": "where are", "whatll": "what will", "wholl": "who will", "whatd": "what did", "whod": "who did", "whered": "where did", "howd": "how did", "whyd": "why did", "whend": "when did", "whatve": "what have", "whove": "who have",
	"dont": "do not", "doesnt": "does not", "didnt": "did not", "isnt": "is not", "arent": "are not", "wasnt": "was not", "werent": "were not", "hasnt": "has not", "havent": "have not", "hadnt": "had not", "wont": "will not", "wouldnt": "would not", "cant": "can not", "cannot": "can not", "couldnt": "could not", "shouldnt": "should not", "mustnt": "must not", "shant": "shall not", "neednt": "need not",
	"lets": "let us", "wich": "which", "wen": "when", "wher": "where", "hw": "how", "teh": "the", "tho": "though", "thru": "through", "nite": "night", "luv": "love", "cya": "see you", "gtg": "got to go", "brb": "be right back", "ttyl": "talk to you later", "np": "no problem", "hru": "how are you", "sup": "what is up", "wassup": "what is up", "whatsup": "what is up", "gm": "good morning", "gn": "good night", "g2g": "got to go",
	"uk": "united kingdom", "usa": "us", "eu": "european union", "un": "united nations",
	"secdef": "defense secretary", "sec": "secretary", "potus": "president", "vp": "vice president", "fm": "foreign minister", "dod": "defense department", "govs": "government", "spox": "spokesman", "spokesperson": "spokesman", "spokeswoman": "spokesman", "spokespeople": "spokesmen", "spokespersons": "spokesmen", "admin": "administration", "defence": "defense",
	"1st": "first", "2nd": "second", "3rd": "third",
}

// numberWords are the numbers that people write out.
var numberWords = map[string]int{
	"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
	"thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40,
	"fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "dozen": 12, "hundred": 100, "thousand": 1000, "million": 1000000, "billion": 1000000000,
}

//go:embed english.txt
var englishText string

// A tier says how common an English word is.
type tier uint8

const (
	tierNone tier = iota // not an English word that podium knows
	tierCommon
	tierOrdinary
	tierRare
)

// dictionary is a hash table of the words of english.txt, with linear probing.
// It holds no more than where they stand there: a map would take ten times the
// memory.
type dictionary struct {
	slots [1 << 16]int32 // where a word begins; 0: free
	tiers []int32        // where the words of each tier begin
}

// englishWords are the words of english.txt. It is read once, since every
// knowledge file needs the same.
var englishWords = sync.OnceValue(func() *dictionary {
	var d dictionary
	at := 0
	for line := range strings.Lines(englishText) {
		switch word := strings.TrimSuffix(line, "\n"); {
		case word == "" || word[0] == '#':
		case word[0] == '=':
			d.tiers = append(d.tiers, int32(at))
		default:
			slot := uint16(hashString(word))
			for d.slots[slot] != 0 {
				slot++
			}
			d.slots[slot] = int32(at)
		}
		at += len(line)
	}
	return &d
})

// tier is how common word is.
func (d *dictionary) tier(word string) tier {
	for slot := uint16(hashString(word)); d.slots[slot] != 0; slot++ {
		at := d.slots[slot]
		if found, ok := strings.CutPrefix(englishText[at:], word); ok && found[0] == '\n' {
			t := tierNone
			for _, begin := range d.tiers {
				if at > begin {
					t++
				}
			}
			return t
		}
	}
	return tierNone
}

// stemmer cuts English words to their stems. It is not safe for concurrent use.
type stemmer struct{ env *snowballstem.Env }

func (s *stemmer) stem(word string) string {
	if s.env == nil {
		s.env = snowballstem.NewEnv("")
	}
	s.env.SetCurrent(word)
	english.Stem(s.env)
	return s.env.Current()
}
