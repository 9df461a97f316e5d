package slack

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/slack/slacktest"
)

// schema is the check of blocks by Slack's own schema, or nil where that is not at hand.
var schema = sync.OnceValues(func() (func(blocks json.RawMessage) error, error) {
	const file = "../../../shared/specs/blockkit.schema.json"
	if _, err := os.Stat(file); err != nil {
		return nil, nil
	}
	return slacktest.Schema(file)
})

func blockSchema(t testing.TB) func(blocks json.RawMessage) error {
	t.Helper()
	check, err := schema()
	if err != nil {
		t.Fatal(err)
	}
	return check
}

func blocksJSON(t testing.TB, blocks []block) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(sdkBlocks(blocks))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// check sees that Slack would take messages and that they ping nobody.
func check(t testing.TB, valid func(json.RawMessage) error, messages []outgoing) {
	t.Helper()
	for i, m := range messages {
		raw := blocksJSON(t, m.blocks)
		if err := slacktest.CheckMessage(m.text, raw, len(m.text) <= publicLimit); err != nil {
			t.Errorf("message %d: %v", i, err)
		}
		if valid != nil {
			if err := valid(raw); err != nil {
				t.Errorf("message %d: %v", i, err)
			}
		}
	}
}

// huge is a reply that is long in every field.
func huge(field string, parts, choices int) bot.Reply {
	var r bot.Reply
	for i := range parts {
		p := bot.Part{
			Ref: "huge", Answer: field, Quotes: []bot.Quote{{Text: field, Speaker: field, Role: "role"}, {Text: "short"}},
			Notes: []string{field, "a note"}, Source: field, Link: "https://example.org/?q=<!channel>|x&y=1", Numbered: i%2 == 0,
		}
		for c := range choices {
			p.Choices = append(p.Choices, bot.Button{Label: fmt.Sprintf("%d %.90s", c, field), Action: bot.Action{Verb: bot.VerbTopic, Arg: strings.Repeat("a", 90)}})
		}
		r.Parts = append(r.Parts, p)
	}
	for range 30 {
		r.Buttons = append(r.Buttons, bot.Button{Label: bot.LabelWhy, Action: bot.Action{Verb: bot.VerbWhy, Arg: "x"}})
	}
	return r
}

func replies() []bottest.NamedReply {
	all := bottest.Replies()
	for name, field := range map[string]string{
		"sentences":   strings.Repeat("A sentence of some length that says nothing. ", 400),
		"one word":    strings.Repeat("word", 3000),
		"entities":    strings.Repeat("<!channel> & <@U1> ", 700),
		"line breaks": strings.Repeat("x\n", 4000),
		"Arabic":      strings.Repeat("القوات الأمريكية في العراق. ", 400),
		"emoji":       strings.Repeat("👩‍👩‍👧", 1000),
		"not UTF-8":   strings.Repeat("\xff\xfe\x00\x1b[31m ", 1000),
		"short":       "Short.",
	} {
		all = append(all, bottest.NamedReply{Name: name, Reply: huge(field, 1, 3)},
			bottest.NamedReply{Name: name + ", many parts", Reply: huge(field[:min(len(field), 2000)], 20, 1)},
			bottest.NamedReply{Name: name + ", many choices", Reply: huge(field, 1, 200)})
	}
	return append(all, bottest.NamedReply{Name: "an empty part", Reply: bot.Reply{Parts: []bot.Part{{Answer: "one"}, {}}}})
}

func TestRenderHoldsLimits(t *testing.T) {
	valid := blockSchema(t)
	if valid == nil {
		t.Log("blocks are checked against the limits alone: the schema in ../shared/specs is not here")
	}
	for _, r := range replies() {
		for _, limit := range []int{publicLimit, privateLimit} {
			t.Run(fmt.Sprint(r.Name, " ", limit), func(t *testing.T) {
				messages := render(r.Reply, limit, moreInThread)
				if len(messages) == 0 {
					t.Fatal("no message")
				}
				check(t, valid, messages)
				// Nothing is lost: the messages hold every word of the reply in order.
				var texts []string
				for i, m := range messages {
					text := m.text
					if i < len(messages)-1 {
						var cut bool
						if text, cut = strings.CutSuffix(text, "\n"+moreInThread); !cut {
							t.Errorf("message %d does not end with %q", i, moreInThread)
						}
					}
					if len(m.text) > limit {
						t.Errorf("message %d has %d bytes, want %d at most", i, len(m.text), limit)
					}
					texts = append(texts, text)
				}
				got, want := letters(strings.Join(texts, "\n")), letters(escape(r.Reply.Text()))
				if got != want {
					i := 0
					for i < min(len(got), len(want)) && got[i] == want[i] {
						i++
					}
					t.Errorf("the messages say ...%.60q where the reply says ...%.60q", got[i:], want[i:])
				}
				if len(messages) == 1 && messages[0].text != escape(r.Reply.Text()) {
					t.Errorf("the text is %q, want %q", messages[0].text, escape(r.Reply.Text()))
				}
			})
		}
	}
}

// letters leaves out what a cut may move: white space, and the dot between topics.
func letters(s string) string {
	return strings.NewReplacer(" ", "", "\n", "", "\t", "", "·", "").Replace(s)
}

func TestRenderLayout(t *testing.T) {
	m := render(bottest.Replies()[0].Reply, publicLimit, moreInThread)[0]
	got := string(blocksJSON(t, m.blocks))
	want := strings.Join(strings.Fields(`[
		{"type":"section","text":{"type":"mrkdwn","text":"The_US_has_some_2,500_troops_in_Iraq.","verbatim":true}},
		{"type":"section","text":{"type":"mrkdwn","text":"\u003e\"The_US_currently_has_some_2,500_troops_in_Iraq_focused_on_the_mission_to_defeat_ISIS_as_part_of_Operation_Inherent_Resolve\"","verbatim":true}},
		{"type":"section","text":{"type":"mrkdwn","text":"Not_to_be_mixed_up_with_Afghanistan:_the_2,500_troops_remaining_there_are_a_different_force.","verbatim":true}},
		{"type":"context","elements":[{"type":"mrkdwn","text":"\u003chttps://example.org/announcement?id=7\u0026amp;lang=en|Announcement_of_7_April_2021,_sentence_6.\u003e","verbatim":true}]},
		{"type":"actions","elements":[
			{"type":"button","text":{"type":"plain_text","text":"Share_in_channel"},"action_id":"podium-0","value":"share:troop_count.iraq"},
			{"type":"button","text":{"type":"plain_text","text":"Why_this_answer?"},"action_id":"podium-1","value":"why:troop_count.iraq"},
			{"type":"button","text":{"type":"plain_text","text":"Helpful"},"action_id":"podium-2","value":"helpful:troop_count.iraq"},
			{"type":"button","text":{"type":"plain_text","text":"Not_helpful"},"action_id":"podium-3","value":"unhelpful:troop_count.iraq"}]}
	]`), "")
	if got = strings.ReplaceAll(got, " ", "_"); got != want {
		t.Errorf("blocks are\n%s\nwant\n%s", got, want)
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		text       string
		limit      int
		sentence   bool
		head, rest string
	}{
		{"One. Two.", 100, false, "One. Two.", ""},
		{"One. Two. Three.", 11, false, "One. Two.", "Three."},
		{`He said "One." Two. Three.`, 16, false, `He said "One."`, "Two. Three."},
		{"One two three", 9, false, "One two", "three"},
		{"One two three", 9, true, "", "One two three"},
		{"1.5 is a number", 9, true, "", "1.5 is a number"},
		{"Onetwothree", 4, false, "Onet", "wothree"},
		{"a&b", 3, false, "a", "&b"},
		{"äöü", 4, false, "äö", "ü"},
		{"&&", 2, false, "&", "&"},
		{"A line\nanother one", 12, false, "A line", "another one"},
	} {
		head, rest := cut(test.text, test.limit, test.sentence)
		if head != test.head || rest != test.rest {
			t.Errorf("cut(%q, %d, %v) = %q, %q, want %q, %q", test.text, test.limit, test.sentence, head, rest, test.head, test.rest)
		}
	}
}

func TestPlain(t *testing.T) {
	for sent, want := range map[string]string{
		"<@UME> how many":                       "how many",
		"<@UME>: how many":                      "how many",
		"<@UME|podium>, how many":               "how many",
		"how many <@UME>":                       "how many",
		"how many <@UME> troops":                "how many troops",
		"<@UME>":                                "",
		"does <@U2|kirby> know":                 "does @kirby know",
		"does <@U2> know":                       "does @U2 know",
		"<@UME> remind in <#C1|general> daily":  "remind in <#C1> daily",
		"remind here":                           "remind here",
		"in <#C1|general>":                      "in #general",
		"in <#C1|>":                             "in #C1",
		"<!here> <!channel|channel>":            "@here channel",
		"<!subteam^S1|@troops>":                 "@troops",
		"<!date^1^{date}|7 April>":              "7 April",
		"see <https://a.example/?x=1&amp;y=2>":  "see https://a.example/?x=1&y=2",
		"see <https://a.example|a.example> now": "see a.example now",
		"<mailto:a@b.example|a@b.example>":      "a@b.example",
		"1 &lt; 2 &amp;&amp; 3 &gt; 2":          "1 < 2 && 3 > 2",
		"&amp;lt;!channel&amp;gt;":              "&lt;!channel&gt;",
		"an open < bracket":                     "an open < bracket",
		"two  spaces":                           "two  spaces",
		"a \x1b[31mred\x07 word":                "a  [31mred  word",
	} {
		if got := plain(sent, "UME"); got != want {
			t.Errorf("plain(%q) = %q, want %q", sent, got, want)
		}
	}
}

// TestPlainOfMuch takes the time of the message's length and not of its square, which would be minutes.
func TestPlainOfMuch(t *testing.T) {
	const n = 350_000
	for sent, want := range map[string]string{
		strings.Repeat("<a>", n): strings.Repeat("a", n),
		strings.Repeat(" ", n) + "<@UME>" + strings.Repeat(" ", n) + "REMIND" + strings.Repeat(" <#C1|x>", n/8): "REMIND" + strings.Repeat(" <#C1>", n/8),
	} {
		if got := plain(sent, "UME"); got != want {
			t.Errorf("plain(%.20q...) = %.20q..., want %.20q...", sent, got, want)
		}
	}
}

func TestAnchor(t *testing.T) {
	for link, want := range map[string]string{
		"https://example.org/a?b=1&c=2": "https://example.org/a?b=1&amp;c=2",
		"https://example.org/?q=a|b>c":  "https://example.org/?q=a%7Cb%3Ec",
		"javascript:alert(1)":           "",
		"!channel":                      "",
		"https:///path":                 "",
		"":                              "",
	} {
		if got := anchor(link); got != want {
			t.Errorf("anchor(%q) = %q, want %q", link, got, want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"", "plain", "<!channel>", "&lt;@U1&gt;", "a < b & c", "\x1b[31m", "\xff", "*bold* _it_ `code`"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := escape(s)
		if strings.ContainsAny(got, "<>") || !utf8.ValidString(got) || unescape(got) != bot.Printable(s) {
			t.Errorf("escape(%q) = %q", s, got)
		}
		if label := label(s); utf8.RuneCountInString(label) > labelLimit || strings.ContainsAny(label, "<>") {
			t.Errorf("label(%q) = %q", s, label)
		}
		plain(s, "UME")
	})
}

func FuzzRender(f *testing.F) {
	f.Add("An answer. It has two sentences.", 3, 1)
	f.Add(strings.Repeat("<!channel> & ", 900), 40, 2)
	f.Add(strings.Repeat("x\n", 3000), 0, 1)
	f.Fuzz(func(t *testing.T, field string, choices, parts int) {
		if strings.TrimSpace(bot.Printable(field)) == "" || len(field) > 5_000 {
			return
		}
		r := huge(field, 1+abs(parts)%4, abs(choices)%120)
		check(t, nil, render(r, publicLimit, moreInThread))
		check(t, nil, render(r, privateLimit, ""))
	})
}

func abs(n int) int { return max(n, -(n + 1)) }
