package knowledge

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func embeddedBase(t testing.TB) *Base {
	t.Helper()
	base, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return base
}

func TestMatch(t *testing.T) {
	base := embeddedBase(t)
	tests := []struct {
		question string
		outcome  Outcome
		answer   string // the first answer's id; the intent's if there is none
	}{
		{"how many troops are in iraq rn", Answered, "troop_count.iraq"},
		{"HOW MANY TROOPS IN AFGHANISTAN", Answered, "troop_count.afghanistan"},
		{"how many troops", Answered, "troop_count.iraq"},
		{"how many troops in syria", Unanswered, ""},
		{"how many contractors are in iraq", Unanswered, ""},
		{"how many troops does the UK have in Iraq", Unanswered, ""},
		{"is kirby married", Unanswered, "bio"},
		{"when's the pull-out date??", Answered, "iraq_date"},
		{"wen do teh trops leav iraq", Answered, "iraq_date"},
		{"afghanistan deadline?", Answered, "afghan_deadline"},
		{"deadline?", Clarify, "iraq_date"},
		{"when are the technical talks", Answered, "talks_date"},
		{"what does this cost the taxpayer", Unanswered, "cost"},
		{"/podium what's the weather in austin", Unanswered, ""},
		{"thanks!", Smalltalk, ""},
		{"hey podium 👋", Smalltalk, ""},
		{`who said "we will never ever leave"`, Unanswered, ""},
		{`who said "permanant, enduring mission"`, Answered, "permanence"},
		{"no", Unanswered, ""},
		{"w w", Unanswered, ""},
		{"what's 2+2", Unanswered, ""},
		{"thanks. cost?", Unanswered, "cost"},
	}
	for _, tt := range tests {
		r := base.Match(tt.question)
		got := ""
		switch {
		case r.Answers[0] != nil:
			got = r.Answers[0].ID
		case r.Intent != nil:
			got = r.Intent.ID
		}
		if r.Outcome != tt.outcome || tt.answer != "" && got != tt.answer {
			t.Errorf("Match(%q) = %s %s, want %s %s", tt.question, r.Outcome, got, tt.outcome, tt.answer)
		}
		if r.Confidence < 0 || r.Confidence > 1 {
			t.Errorf("Match(%q): the confidence is %v", tt.question, r.Confidence)
		}
	}
}

// TestMatchPassage asks for what no intent knows but a sentence holds.
func TestMatchPassage(t *testing.T) {
	base, findings := check("x.yaml", []byte(head+goodIntent), noFile)
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	base.matcher = newMatcher(base, nil)
	for question, want := range map[string]int{
		"will acme move to calder bay in march": 1,
		"who moves to calder bay":               0,
		"how do i bake bread":                   0,
	} {
		r := base.Match(question)
		if (r.Outcome == Passage) != (want > 0) || r.Sentences[0] != want {
			t.Errorf("Match(%q) = %s, sentence %d, want sentence %d", question, r.Outcome, r.Sentences[0], want)
		}
	}
}

func TestMatchPremise(t *testing.T) {
	base := embeddedBase(t)
	for question, want := range map[string]bool{
		"are there 5,000 troops in iraq?":         true,
		"are there 2,500 troops in iraq?":         false,
		"did kirby confirm they leave on june 1?": true,
		"when do they leave iraq":                 false,
	} {
		if r := base.Match(question); r.Outcome != Answered || r.Premise != want {
			t.Errorf("Match(%q) = %s, premise %t, want answered, %t", question, r.Outcome, r.Premise, want)
		}
	}
}

func TestMatchParts(t *testing.T) {
	base := embeddedBase(t)
	tests := []struct {
		question string
		want     []string // each part's answer or outcome
	}{
		{"how many troops, and who decides about levels?", []string{"troop_count.iraq", "consultation"}},
		{"how many troops are in afghanistan and when do they leave?", []string{"troop_count.afghanistan", "afghan_deadline|afghan_decision"}},
		{"who did blinken meet? what does the mission cost?", []string{"meeting", "unanswered"}},
		{"what is the size and scope of the review", nil},
		{"training and advisory tasks?", nil},
		{"how many troops are in iraq? what is the capital of france?", []string{"troop_count.iraq", "unanswered"}},
		{"who is kirby? who is kirby? how many troops are there", []string{"who_is.kirby", "troop_count.iraq"}},
		{"who met blinken; how many troops; who is price; is the mission permanent; what is the goal", []string{"meeting", "troop_count.iraq", "who_is.price", "permanence", "goal"}},
	}
	for _, tt := range tests {
		r := base.Match(tt.question)
		if len(r.Parts) != len(tt.want) {
			t.Errorf("Match(%q) has %d parts, want %d", tt.question, len(r.Parts), len(tt.want))
			continue
		}
		for i, p := range r.Parts {
			got := string(p.Outcome)
			if p.Answers[0] != nil {
				got = p.Answers[0].ID
			}
			if !strings.Contains("|"+tt.want[i]+"|", "|"+got+"|") {
				t.Errorf("Match(%q): part %d (%q) is %s, want %s", tt.question, i+1, p.Question, got, tt.want[i])
			}
		}
	}
}

func TestMatchAfter(t *testing.T) {
	base := embeddedBase(t)
	tests := []struct{ before, question, want string }{
		{"how many troops are in iraq", "and in afghanistan?", "troop_count.afghanistan"},
		{"troop numbers in afghanistan", "what about iraq", "troop_count.iraq"},
		{"who is kirby", "and price?", "who_is.price"},
		{"kirby quote on permanence", "and price?", "quote purpose"},
		{"how many troops are in iraq", "and in germany?", "unanswered"},
		{"how many troops are in iraq", "when are the technical talks", "talks_date"},
		{"how many troops are in afghanistan rn", "and in iraq?", "troop_count.iraq"},
		{"who is kirby", "quote him on permanence", "quote permanence"},
		{"who is kirby", "what is operation inherent resolve", "operation"},
		{"", "and in afghanistan?", ""},
		{"will all troops leave iraq", "and when?", "iraq_date"},
		{"will troop levels be decided", "by whom?", "unanswered"},
		{"what about isis", "how many?", "unanswered"},
		{"who is the president", "how many?", "unanswered"},
		{"who is john kirby", "when?", "unanswered"},
		{"is the mission permanent", "who?", "unanswered"},
		{"when do the troops leave iraq", "by whom?", "unanswered"},
		{"what is the mission", "how many did they say?", "unanswered"},
		{"how many troops are in iraq", "by whom", "unanswered"},
		{"how many troops are in iraq", "where?", "unanswered"},
		{"what does this cost the taxpayer", "really?", "unanswered"},
		{"when do we leave iraq", "who is he", "who_is.kirby"},
		{"how many troops are in iraq", "go on", "unanswered"},
	}
	for _, tt := range tests {
		r := base.MatchAfter(tt.question, tt.before)
		got := string(r.Outcome)
		switch {
		case len(r.Quotes) > 0:
			got = "quote " + r.Quotes[0].ID
		case r.Answers[0] != nil:
			got = r.Answers[0].ID
		}
		if tt.want != "" && got != tt.want {
			t.Errorf("MatchAfter(%q, %q) = %s, want %s", tt.question, tt.before, got, tt.want)
		}
	}
}

// TestNamesOfTheOther: a question may name what it is not about, offer a choice,
// or have the wrong name in it.
func TestNamesOfTheOther(t *testing.T) {
	base := embeddedBase(t)
	for _, tt := range []struct {
		question, want string
		premise        bool
	}{
		{"need the number for the slide, the iraq one, not the afghan one", "troop_count.iraq", false},
		{"not the iraqi figure, the number of troops in afghanistan", "troop_count.afghanistan", false},
		{"when do they leave iraq? i'm not asking about afghanistan", "iraq_date", false},
		{"who was it that called the fight important, price or kirby?", "campaign", false},
		{"who consults whom here, is it kabul or baghdad that gets consulted on troop levels", "consultation", false},
		{"my son is near kabul, by what date is everybody meant to be out of there", "afghan_deadline", false},
		{"it was ned price who said the mission was never meant to be permanent, correct?", "permanence", true},
		{"blinken is the one who runs the global review, right?", "review", true},
		{"operation inherent resolve is the one in afghanistan, isn't it?", "operation", true},
		{"can we write \"the troops are out of iraq by june\"?", "iraq_date", true},
		{"can we write \"2,500 US troops are in Iraq\"?", "troop_count.iraq", false},
		{"sorry if that's a dumb one, but why are the americans in iraq in the first place", "purpose", false},
		{"kirby's title please, thanks a lot", "who_is.kirby", false},
		{"when are they out of iraq then", "iraq_date", false},
		{"as for afghanistan, how many of our troops are there", "troop_count.afghanistan", false},
		{"when must the US be out of Iraq or Afghanistan", "afghan_deadline", false},
		{"is there a deadline for iraq but not afghanistan", "two_deadlines", false},
	} {
		got := base.Match(tt.question)
		id := ""
		if got.Answers[0] != nil {
			id = got.Answers[0].ID
		}
		if got.Outcome != Answered || id != tt.want || got.Premise != tt.premise || got.Answers[1] != nil {
			t.Errorf("Match(%q) is %s %s, premise %t; want %s, premise %t", tt.question, got.Outcome, id, got.Premise, tt.want, tt.premise)
		}
		if got.Also != nil && got.Also == got.Answers[0] {
			t.Errorf("Match(%q) has its answer for another reading too", tt.question)
		}
	}
	for _, question := range []string{"what year did the US go into Iraq", "what time does the canteen close", "what did austin say on the campaign",
		`who said "we will never leave iraq"`, `who claimed "we will never leave iraq"`, `post "troops leave iraq on june 1" in the channel`,
		"why is the US leaving Iraq and not Afghanistan", "does the afghan government get a say in how many soldiers stay"} {
		if got := base.Match(question); got.Outcome != Unanswered {
			t.Errorf("Match(%q) is %s, want unanswered", question, got.Outcome)
		}
	}
}

// TestPhrasesStayWhole: a phrase of the file may end as smalltalk does, or as
// what a question does not mean begins.
func TestPhrasesStayWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ours.yaml")
	const file = `
announcement: {title: Acme moves}
source: Acme moves from Dunmore to Calder Bay in May. Who stays behind has to say so by April.
entities:
  - {id: dunmore, kind: place, name: Dunmore}
  - {id: calder_bay, kind: place, name: Calder Bay}
words:
  stay behind: [no thanks, or not]
intents:
  - id: stay
    title: Who stays behind
    examples: [who stays behind, by when to say so, can I stay behind]
    answers: [{text: Who stays behind has to say so by April., evidence: [Who stays behind has to say so by April]}]
`
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	base, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, question := range []string{"by when do I have to say no thanks", "does Calder Bay suit me or not Dunmore"} {
		if got := base.Match(question); got.Outcome == Smalltalk {
			t.Errorf("Match(%q) is smalltalk", question)
		}
	}
}

// TestWhichCountry: an answer is about the country that the question names, or not
// about the one that it leaves out; a figure to compare with is none that it
// supposes.
func TestWhichCountry(t *testing.T) {
	base := embeddedBase(t)
	for _, tt := range []struct {
		question, want string
		premise        bool
	}{
		{"did biden give a deadline for iraq", "iraq_date", false},
		{"has the president made a decision about iraq", "iraq_date", false},
		{"has the president made a decision about afghanistan", "afghan_decision", false},
		{"besides iraq, which withdrawal is on biden's desk", "afghan_deadline", false},
		{"except for afghanistan, is there a deadline", "", false},
		{"who other than blinken met hussein", "", false},
		{"who is iraq's defense minister", "", false},
		{"are there fewer than 3,000 troops in iraq", "troop_count.iraq", false},
		{"are there 2,500 or 5,200 troops in iraq", "troop_count.iraq", false},
		{"are there 5,200 troops in iraq", "troop_count.iraq", true},
	} {
		got := base.Match(tt.question)
		id := ""
		if got.Outcome == Answered && got.Answers[0] != nil {
			id = got.Answers[0].ID
		}
		if id != tt.want || got.Premise != tt.premise {
			t.Errorf("Match(%q) is %s %q, premise %t; want %q, premise %t", tt.question, got.Outcome, id, got.Premise, tt.want, tt.premise)
		}
	}
}

// TestGreetsByName: a greeting may be to somebody.
func TestGreetsByName(t *testing.T) {
	base := embeddedBase(t)
	for question, want := range map[string]Outcome{
		"good night iraq": Smalltalk, "hello from iraq": Smalltalk, "thanks kirby": Smalltalk,
		"hi, iraq?": Answered, "hi how many troops are in iraq": Answered, "thanks, and the deadline in afghanistan": Answered,
	} {
		if got := base.Match(question).Outcome; got != want {
			t.Errorf("Match(%q) is %s, want %s", question, got, want)
		}
	}
}

// TestNothingSaid: a message without a telling word is no question on any topic,
// but for the examples of that kind.
func TestNothingSaid(t *testing.T) {
	base := embeddedBase(t)
	for question, want := range map[string]Outcome{
		"by whom": Unanswered, "who": Unanswered, "go on": Unanswered, "is that for sure": Unanswered, "who said that": Unanswered,
		"quote that": Unanswered, "exact words?": Unanswered, "what exactly did they say": Unanswered, "": Unanswered,
		"what is this about": Answered, "what's going on": Answered, "who's who": Answered,
	} {
		if got := base.Match(question).Outcome; got != want {
			t.Errorf("Match(%q) is %s, want %s", question, got, want)
		}
	}
}

func TestAsksSource(t *testing.T) {
	base := embeddedBase(t)
	for text, want := range map[string]bool{
		"who said that": true, "Says who?": true, "exact words please": true, "are you sure": true, "what exactly did he say": true, "source?": true, "really??": true,
		"who said that we leave": false, "what did price say": false, "who": false, "": false, "how many": false, "is that true of afghanistan": false,
		"how many did they say?": false, "when was it said": false, "where does it say that?": true,
	} {
		if got := base.AsksSource(text); got != want {
			t.Errorf("AsksSource(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestFindQuotes(t *testing.T) {
	base := embeddedBase(t)
	for text, want := range map[string]string{
		"kirby permanence":    "permanence",
		"price":               "purpose",
		"the joint statement": "joint_statement",
		"on permanence":       "permanence",
		"kirby":               "goal eventually permanence footprint invitation",
		"kirby bananas":       "",
		"of the year":         "",
	} {
		quotes, _ := base.FindQuotes(text)
		var ids []string
		for _, q := range quotes {
			ids = append(ids, q.ID)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("FindQuotes(%q) = %q, want %q", text, got, want)
		}
	}
}

// hostile are messages that must get some reply, soon, whatever it is.
var hostile = []string{
	"", " ", "\x00\x01\x02", "\xff\xfe broken", "👋👋👋", "؟كم عدد القوات الأمريكية في العراق", "<b>how many troops</b>", "<@U123> <!channel> how many troops",
	"¿cuántas tropas hay en irak?", "\u202ekcehc", `""" ''' """`, "((((((((", strings.Repeat("how many troops ", 3000), strings.Repeat("a", 1<<20), strings.Repeat("?", 5000),
	strings.Repeat("and when? ", 500), "{{.}} ${x} %s %n", "SELECT * FROM troops; --", "ﬀ Ⅷ ① ㏒", "i̇İıI",
}

func TestMatchHostile(t *testing.T) {
	base := embeddedBase(t)
	for _, s := range hostile {
		r := base.Match(s)
		if r.Outcome == "" {
			t.Errorf("Match(%.20q) has no outcome", s)
		}
		r.Explain()
	}
	for _, s := range hostile[:6] {
		if r := base.Match(s); r.Outcome != Unanswered && r.Outcome != Smalltalk {
			t.Errorf("Match(%q) = %s, want it turned away", s, r.Outcome)
		}
	}
}

// TestMatchIsDeterministic matches the same questions on two matchers of one
// file, in another order.
func TestMatchIsDeterministic(t *testing.T) {
	a, b := embeddedBase(t), embeddedBase(t)
	questions := testQuestions(t)
	results := make([]Result, len(questions))
	for i, q := range questions {
		results[i] = a.Match(q)
	}
	for i := len(questions) - 1; i >= 0; i-- {
		x, y := results[i], b.Match(questions[i])
		if x.Outcome != y.Outcome || x.Confidence != y.Confidence || !reflect.DeepEqual(x.Explain(), y.Explain()) {
			t.Fatalf("Match(%q) is %s %v %v at first and %s %v %v then", questions[i], x.Outcome, x.Confidence, x.Explain().Words, y.Outcome, y.Confidence, y.Explain().Words)
		}
	}
}

// TestDamagedModel flips bits of a model: none is read as if it were whole.
func TestDamagedModel(t *testing.T) {
	text, err := embedded.ReadFile("announcement.yaml")
	if err != nil {
		t.Fatal(err)
	}
	source, err := embedded.ReadFile("announcement.txt")
	if err != nil {
		t.Fatal(err)
	}
	model, err := embedded.ReadFile("announcement.model")
	if err != nil {
		t.Fatal(err)
	}
	key := modelKey(text, source)
	if _, err := decodeModel(model, key); err != nil {
		t.Fatalf("the embedded model: %v", err)
	}
	for _, at := range []int{0, 70, len(model) / 2, len(model) - 5, len(model) - 1} {
		damaged := bytes.Clone(model)
		damaged[at] ^= 0x10
		if _, err := decodeModel(damaged, key); err == nil {
			t.Errorf("a model with a flipped bit in byte %d is read", at)
		}
	}
	if _, err := decodeModel(model[:len(model)/2], key); err == nil {
		t.Error("half a model is read")
	}
}

// testQuestions are those of the question files in testdata.
func testQuestions(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/questions-*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no question files: %v", err)
	}
	var out []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var q struct{ Q string }
			if err := json.Unmarshal([]byte(line), &q); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			out = append(out, q.Q)
		}
	}
	return out
}

func TestNormalise(t *testing.T) {
	for in, want := range map[string]string{
		"What's the U.S. count?":        "whats the us count",
		"2,500 or 2500, not 25,00":      "2500 or 2500 not 25 00",
		"<@U024BE7LH> hi <!here> @dana": "hi",
		"see https://example.org/x now": "see now",
		"pull-out :tada: café Ｗｉｄｅ":     "pull out cafe wide",
		"/podium how many":              "how many",
		"hey podium, how many":          "hey how many",
		"a<b and <b>bold</b>":           "a b and bold",
		"it’s “quoted”":                 "its quoted",
		"\tmany\n\nlines\r\n":           "many lines",
	} {
		var text text
		text.read(in)
		if got := text.String(); got != want {
			t.Errorf("read(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, s := range hostile {
		f.Add(s[:min(len(s), 3000)])
	}
	f.Fuzz(func(t *testing.T, s string) {
		var text text
		text.read(s)
		for i := range text.tokens {
			token := text.token(i)
			if len(token) == 0 || !utf8.Valid(token) {
				t.Errorf("read(%q): token %d is %q", s, i, token)
			}
		}
		once := text.String()
		if strings.ContainsAny(once, "<>@\x00\x1b") {
			t.Errorf("read(%q) = %q", s, once)
		}
	})
}

func FuzzMatch(f *testing.F) {
	base := embeddedBase(f)
	for _, s := range hostile {
		f.Add(s[:min(len(s), 3000)], "how many troops are in iraq")
	}
	f.Fuzz(func(t *testing.T, s, before string) {
		r := base.MatchAfter(s, before)
		switch r.Outcome {
		case Answered:
			if r.Answers[0] == nil && len(r.Quotes) == 0 && len(r.Parts) == 0 {
				t.Errorf("MatchAfter(%q, %q) answers nothing", s, before)
			}
		case Clarify:
			if r.Answers[0] == nil || r.Answers[1] == nil {
				t.Errorf("MatchAfter(%q, %q) offers %v", s, before, r.Answers)
			}
		case Unanswered, Passage, Smalltalk:
		default:
			t.Errorf("MatchAfter(%q, %q) = %q", s, before, r.Outcome)
		}
		r.Explain()
	})
}

// BenchmarkMatch is a question to a result on the embedded file, and of all
// questions the median; its baseline, BenchmarkLookup, normalises the question
// and looks it up in a map.
func BenchmarkMatch(b *testing.B) {
	base := embeddedBase(b)
	questions := testQuestions(b)
	times := make([][]time.Duration, len(questions))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		q := i % len(questions)
		start := time.Now()
		base.Match(questions[q])
		times[q] = append(times[q], time.Since(start))
		i++
	}
	var medians []time.Duration
	for _, t := range times {
		if len(t) > 0 {
			slices.Sort(t)
			medians = append(medians, t[len(t)/2])
		}
	}
	slices.Sort(medians)
	b.ReportMetric(float64(medians[len(medians)/2].Nanoseconds()), "ns/median")
}

func BenchmarkLookup(b *testing.B) {
	questions := testQuestions(b)
	known := make(map[string]int)
	for i, q := range questions {
		var text text
		text.read(q)
		known[text.String()] = i
	}
	b.ReportAllocs()
	i := 0
	var text text
	for b.Loop() {
		text.read(questions[i%len(questions)])
		if _, ok := known[text.String()]; !ok {
			b.Fatal("a question is not known")
		}
		i++
	}
}
