package bottest

import (
	"fmt"
	"strings"

	"podium/bot"
)

// A NamedReply is one of the replies that every adapter lays out.
type NamedReply struct {
	Name  string
	Reply bot.Reply
}

// Replies are the golden transcripts as values, one for each kind of reply
// that handlers give. Their words reach the reader in the order of Text on
// every platform.
func Replies() []NamedReply {
	deadline := bot.Quote{
		Text:    "There was no specific date set for a full withdrawal or a target number of troops to remove by a certain deadline",
		Speaker: "John Kirby", Role: "chief Pentagon spokesman",
	}
	invitation := bot.Quote{
		Text:    "U.S. forces are in Iraq at the invitation of the Iraqi Government",
		Speaker: "Ned Price", Role: "State Department spokesman",
	}
	troops := bot.Quote{Text: "The US currently has some 2,500 troops in Iraq focused on the mission to defeat ISIS as part of Operation Inherent Resolve"}
	answer := bot.Part{
		Outcome: bot.Answered,
		Ref:     "troop_count.iraq",
		Answer:  "The US has some 2,500 troops in Iraq.",
		Quotes:  []bot.Quote{troops},
		Notes:   []string{"Not to be mixed up with Afghanistan: the 2,500 troops remaining there are a different force."},
		Source:  "Announcement of 7 April 2021, sentence 6.",
		Link:    "https://example.org/announcement?id=7&lang=en",
	}
	tools := []bot.Button{
		{Label: bot.LabelShare, Action: bot.Action{Verb: bot.VerbShare, Arg: "troop_count.iraq"}},
		{Label: bot.LabelWhy, Action: bot.Action{Verb: bot.VerbWhy, Arg: "troop_count.iraq"}},
		{Label: bot.LabelHelpful, Action: bot.Action{Verb: bot.VerbHelpful, Arg: "troop_count.iraq"}},
		{Label: bot.LabelUnhelpful, Action: bot.Action{Verb: bot.VerbUnhelpful, Arg: "troop_count.iraq"}},
	}
	return []NamedReply{
		{"answer with contrast", bot.Reply{Parts: []bot.Part{answer}, Buttons: tools}},
		{"quotes of two people", bot.Reply{Parts: []bot.Part{{
			Outcome: bot.Answered,
			Ref:     "iraq_date",
			Answer:  "No date has been set for a full withdrawal from Iraq.",
			Quotes:  []bot.Quote{deadline, invitation},
			Notes: []string{
				`The timing will be determined in "technical talks," which have not yet been scheduled.`,
				"Not to be mixed up with Afghanistan, which has a May 1 withdrawal deadline.",
			},
			Source: "Announcement of 7 April 2021, sentences 8 and 12.",
		}}, Buttons: tools}},
		{"unanswered", bot.Reply{Parts: []bot.Part{{
			Outcome: bot.Unanswered,
			Answer:  "The announcement does not say.",
			Choices: []bot.Button{
				{Label: "How many troops", Action: bot.Action{Verb: bot.VerbTopic, Arg: "troop_count"}},
				{Label: "The mission", Action: bot.Action{Verb: bot.VerbTopic, Arg: "goal"}},
				{Label: "What happens next", Action: bot.Action{Verb: bot.VerbTopic, Arg: "technical_talks"}},
			},
		}}}},
		{"clarify", bot.Reply{Parts: []bot.Part{{
			Outcome: bot.Clarify,
			Answer:  "Which one do you mean?",
			Choices: []bot.Button{
				{Label: "Withdrawal from Iraq", Action: bot.Action{Verb: bot.VerbTopic, Arg: "iraq_date"}},
				{Label: "Withdrawal from Afghanistan", Action: bot.Action{Verb: bot.VerbTopic, Arg: "afghan_deadline"}},
			},
			Numbered: true,
		}}}},
		{"forty topics", bot.Reply{Parts: []bot.Part{{
			Outcome:  bot.Smalltalk,
			Answer:   "The announcement covers:",
			Choices:  manyChoices(40),
			Numbered: true,
		}}}},
		{"two parts", bot.Reply{Parts: []bot.Part{answer, {
			Outcome: bot.Answered,
			Ref:     "consultation",
			Answer:  "Any decision on troop levels in Iraq will be made in consultation with the Iraqi government.",
			Quotes: []bot.Quote{{
				Text:    "Any decision on troop levels in Iraq will be made in consultation with the Iraqi government",
				Speaker: "John Kirby", Role: "chief Pentagon spokesman",
			}},
			Source: "Announcement of 7 April 2021, sentence 14.",
		}}, Buttons: tools}},
		{"confirm", bot.Reply{
			Parts: []bot.Part{{
				Outcome: bot.Smalltalk,
				Answer:  "Every weekday at 09:00, Europe/Berlin, in #general: How many troops.\nNext: Mon 23 Nov 2026 09:00, Tue 24 Nov 09:00, Wed 25 Nov 09:00 (Europe/Berlin, UTC+1).",
			}},
			Buttons: []bot.Button{
				{Label: bot.LabelConfirm, Action: bot.Action{Verb: bot.VerbConfirm, Arg: "7f3a"}},
				{Label: bot.LabelCancel, Action: bot.Action{Verb: bot.VerbCancel, Arg: "7f3a"}},
			},
		}},
		{"plain sentence", bot.TextReply("You're welcome. Ask me about the announcement any time; `topics` lists what it covers.")},
		{"20,000 characters", bot.Reply{Parts: []bot.Part{{
			Outcome: bot.Answered,
			Ref:     "long",
			Answer:  longAnswer(20_000),
			Quotes:  []bot.Quote{troops},
			Source:  "Announcement of 7 April 2021, sentence 6.",
		}}, Buttons: tools}},
	}
}

// manyChoices is more buttons than a platform shows; one has a label that is
// longer than a button's.
func manyChoices(n int) []bot.Button {
	choices := make([]bot.Button, n)
	for i := range choices {
		choices[i] = bot.Button{Label: fmt.Sprintf("Topic number%d", i+1), Action: bot.Action{Verb: bot.VerbTopic, Arg: fmt.Sprintf("topic_%d", i+1)}}
	}
	choices[2].Label = "What the third topic is about" + strings.Repeat(", at some length", 12)
	return choices
}

// longAnswer is n characters or a little more of sentences that can be told
// apart, in paragraphs.
func longAnswer(n int) string {
	var b strings.Builder
	for i := 1; b.Len() < n; i++ {
		if i > 1 {
			b.WriteString(map[bool]string{true: "\n", false: " "}[i%9 == 0])
		}
		fmt.Fprintf(&b, "Sentence number%d of this answer says some 2,500 words, no more and no less.", i)
	}
	return b.String()
}
