package discord_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"podium/bot"
	"podium/bot/bottest"
	"podium/bot/discord"
	"podium/bot/discord/discordtest"
)

func TestMarkdown(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"The US has some 2,500 troops in Iraq.", "The US has some 2,500 troops in Iraq."},
		{"follow-up: 3 > 2 + 1 #fine (really)", "follow-up: 3 > 2 + 1 #fine (really)"},
		{"*bold* _or_ ~~not~~ `code` ||spoiler||", `\*bold\* \_or\_ \~\~not\~\~ \` + "`code\\`" + ` \|\|spoiler\|\|`},
		{"# heading\n- list\n> quote\n+ list\n-# small\n  * star", "\\# heading\n\\- list\n\\> quote\n\\+ list\n\\-# small\n  \\* star"},
		{"@everyone and @here, me@example.org", "@\u200beveryone and @\u200bhere, me@example.org"},
		{"<@123> <@&5> <#7> <t:0:F> </podium:1>", `\<@123> \<@&5> \<#7> \<t:0:F> \</podium:1>`},
		{"[text](https://example.org)", `\[text](https:\/\/example.org)`},
		{`a\*b`, `a\\\*b`},
		{"and/or 1/2", "and/or 1/2"},
		{"red\x1b[31m", `red \[31m`},
	} {
		if got := discord.Markdown(test.in); got != test.want {
			t.Errorf("markdown(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		in         string
		n          int
		head, tail string
	}{
		{"short", 10, "short", ""},
		{"exactly ten", 11, "exactly ten", ""},
		{"One. Two. Three.", 12, "One. Two.", "Three."},
		{`He said "yes." Then more`, 18, `He said "yes."`, "Then more"},
		{"no sentence in here", 13, "no sentence", "in here"},
		{"onelongword", 4, "onel", "ongword"},
		{`ab\*cd`, 3, "ab", `\*cd`},
		{`ab\\cd`, 4, `ab\\`, "cd"},
		{"😀😀😀", 5, "😀😀", "😀"},
		{"first line\nsecond line", 15, "first line", "second line"},
	} {
		head, tail := discord.Cut(test.in, test.n)
		if head != test.head || tail != test.tail {
			t.Errorf("cut(%q, %d) = %q, %q, want %q, %q", test.in, test.n, head, tail, test.head, test.tail)
		}
	}
}

func body(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestLayout holds what a reader sees of an answer: the answer in the content,
// what it rests on in the embed.
func TestLayout(t *testing.T) {
	pages := discord.Render(bottest.Replies()[0].Reply)
	if len(pages) != 1 {
		t.Fatalf("%d messages, want 1", len(pages))
	}
	var m struct {
		Content string
		Embeds  []struct{ Description string }
	}
	decode(t, []byte(body(t, pages[0])), &m)
	if want := "The US has some 2,500 troops in Iraq."; m.Content != want {
		t.Errorf("content = %q, want %q", m.Content, want)
	}
	want := `> "The US currently has some 2,500 troops in Iraq focused on the mission to defeat ISIS as part of Operation Inherent Resolve"
Not to be mixed up with Afghanistan: the 2,500 troops remaining there are a different force.
-# Announcement of 7 April 2021, sentence 6. <https://example.org/announcement?id=7&lang=en>`
	if len(m.Embeds) != 1 || m.Embeds[0].Description != want {
		t.Errorf("embeds = %q, want %q", m.Embeds, want)
	}
}

// TestTimes sees that Discord shows times in the reader's own zone.
func TestTimes(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.FixedZone("", 3600))
	r := bot.TextReply("Once, Mon 23 Nov 2026 09:00.")
	r.Parts[0].Notes = []string{"Then Tue 24 Nov 09:00 (America/New_York) and Tue 24 Nov 09:00 again."}
	later := bot.Moment{Words: "Tue 24 Nov 09:00 (America/New_York)", At: at.AddDate(0, 0, 1)}
	r.Parts[0].Times = []bot.Moment{{Words: "Mon 23 Nov 2026 09:00", At: at}, later, {Words: "Tue 24 Nov 09:00", At: later.At}, {Words: "never said", At: at}}
	var m struct{ Content string }
	decode(t, []byte(body(t, discord.Render(r)[0])), &m)
	want := "Once, Mon 23 Nov 2026 09:00 (<t:1795420800:F>).\nThen Tue 24 Nov 09:00 (America/New\\_York) (<t:1795507200:F>) and Tue 24 Nov 09:00 (<t:1795507200:F>) again."
	if m.Content != want {
		t.Errorf("content = %q, want %q", m.Content, want)
	}
	if strings.Contains(r.Text(), "<t:") {
		t.Errorf("Text() = %q", r.Text())
	}
}

// TestLimits lays out what no sensible knowledge file holds.
func TestLimits(t *testing.T) {
	huge := strings.Repeat("x*", 30_000)
	words := strings.Repeat("A sentence of *words*. ", 3_000)
	var choices, tools []bot.Button
	for i := range 60 {
		choices = append(choices, bot.Button{Label: fmt.Sprint(i, strings.Repeat(" läbel😀", 30)), Action: bot.Action{Verb: bot.VerbTopic, Arg: fmt.Sprint(i / 2)}})
		tools = append(tools, bot.Button{Label: bot.LabelWhy, Action: bot.Action{Verb: bot.VerbWhy, Arg: strings.Repeat("x", i*2)}})
	}
	part := bot.Part{
		Answer: words, Quotes: []bot.Quote{{Text: huge, Speaker: huge, Role: huge}}, Notes: []string{words, huge},
		Choices: choices, Numbered: true, Source: huge, Link: "https://example.org/" + strings.Repeat("x", 5000),
	}
	for name, r := range map[string]bot.Reply{
		"everything":     {Parts: []bot.Part{part, part}, Buttons: tools},
		"one part":       {Parts: []bot.Part{part}, Buttons: tools[:3]},
		"emoji":          {Parts: []bot.Part{{Answer: strings.Repeat("😀", 1500)}}},
		"no words":       {Parts: []bot.Part{{Answer: huge}}},
		"nothing":        {},
		"an empty part":  {Parts: []bot.Part{{}}},
		"a quote alone":  {Parts: []bot.Part{{Quotes: []bot.Quote{{Text: "x"}}}}},
		"an empty label": {Parts: []bot.Part{{Answer: "x", Choices: []bot.Button{{Label: " "}, {Label: "\x00"}}}}},
	} {
		pages := discord.Render(r)
		if len(pages) > 10 {
			t.Errorf("%s: %d messages", name, len(pages))
		}
		for _, page := range pages {
			if err := discordtest.CheckMessage([]byte(body(t, page))); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestButtonsThatFit sees that podium's own buttons find room first.
func TestButtonsThatFit(t *testing.T) {
	r := bottest.Replies()[0].Reply
	for i := range 40 {
		r.Parts[0].Choices = append(r.Parts[0].Choices, bot.Button{Label: fmt.Sprint("topic ", i), Action: bot.Action{Verb: bot.VerbTopic, Arg: fmt.Sprint(i)}})
	}
	got := said(discordtest.Sent{Body: []byte(body(t, discord.Render(r)[0]))}).Buttons
	if len(got) != 24 || got[19].Label != "topic 19" || got[20].Label != bot.LabelShare || got[23].Label != bot.LabelUnhelpful {
		t.Errorf("%d buttons, want 20 topics and podium's own 4: %+v", len(got), got)
	}
}

func FuzzMarkdown(f *testing.F) {
	for _, s := range []string{"", "plain", "# a\n> b", "@everyone", "<@1>", `\`, "https://x.y", "*_~`|<[", "\xff\x1b", "-# x", " - y", "a\\\n# b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := discord.Markdown(s)
		if l := discordtest.Live(got); l != "" {
			t.Errorf("markdown(%q) = %q is live at %q", s, got, l)
		}
		for _, line := range strings.Split(got, "\n") {
			if line = strings.TrimSpace(line); line != "" && strings.ContainsRune("#->+*", rune(line[0])) {
				t.Errorf("markdown(%q) = %q formats a line", s, got)
			}
		}
		if strings.Contains(got, "://") {
			t.Errorf("markdown(%q) = %q links", s, got)
		}
		// An unescaped mark would change what shows.
		escaped := false
		for _, r := range got {
			if !escaped && strings.ContainsRune("*_~`|<[", r) {
				t.Fatalf("markdown(%q) = %q leaves %q alone", s, got, r)
			}
			escaped = r == '\\' && !escaped
		}
		if escaped {
			t.Errorf("markdown(%q) = %q escapes what comes behind it", s, got)
		}
		want := strings.ReplaceAll(bot.Printable(s), "\u200b", "")
		if shown := discordtest.Unescape(got); shown != want {
			t.Errorf("markdown(%q) shows as %q, want %q", s, shown, want)
		}
		for _, n := range []int{1, 7, 40} {
			head, tail := discord.Cut(got, n)
			if len(head) == 0 && strings.TrimFunc(got, unicode.IsSpace) != "" && n > 2 {
				t.Fatalf("cut(%q, %d) makes no headway", got, n)
			}
			if bare(head+tail) != bare(got) {
				t.Errorf("cut(%q, %d) = %q, %q loses text", got, n, head, tail)
			}
		}
	})
}

// bare is s without white space.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}
