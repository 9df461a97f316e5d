package handlers

import (
	"context"
	"strings"

	"podium/bot"
	"podium/knowledge"
)

// help says what podium is and how to ask.
func (h *Handlers) help(context.Context, bot.Message) (bot.Reply, error) {
	return bot.TextReply(h.helpText()), nil
}

func (h *Handlers) helpText() string {
	lines := []string{
		"I answer questions about one announcement, in its own words: " + strings.TrimSuffix(h.base.Title, ".") + ".",
		"Ask in your own words, or type one of these:",
		"`topics` lists what the announcement covers.",
		"`quote` and a speaker or topic gives what was said, word for word.",
		"`why` explains my last answer.",
		"`remind` posts an answer on a schedule.",
	}
	for i := range h.base.Intents {
		if in := &h.base.Intents[i]; in.Topic && len(in.Examples) > 0 {
			lines = append(lines, "For example: "+in.Examples[0])
			break
		}
	}
	return strings.Join(append(lines, "What the announcement does not say, I say that it does not say."), "\n")
}

// topics lists what the announcement covers, a button each.
func (h *Handlers) topics(context.Context, bot.Message) (bot.Reply, error) {
	p := bot.Part{Outcome: bot.Smalltalk, Answer: "The announcement covers:", Numbered: true}
	for i := range h.base.Intents {
		if in := &h.base.Intents[i]; in.Topic {
			p.Choices = append(p.Choices, topicButton(in))
		}
	}
	return bot.Reply{Parts: []bot.Part{p}}, nil
}

// talk is the reply to smalltalk.
func talk(t knowledge.Talk) string {
	switch t {
	case knowledge.Greeting:
		return "Hello. Ask me about the announcement; `topics` lists what it covers."
	case knowledge.Thanks:
		return "You're welcome. Ask me about the announcement any time; `topics` lists what it covers."
	case knowledge.Goodbye:
		return "Goodbye. Ask me about the announcement any time."
	case knowledge.Praise:
		return "Thank you. Ask me about the announcement any time; `topics` lists what it covers."
	case knowledge.Complaint:
		return "I am sorry that this did not help. I can only say what the announcement says. Other words may find it; `topics` lists what it covers."
	case knowledge.HowAreYou:
		return "All is well, thank you. Ask me about the announcement; `topics` lists what it covers."
	case knowledge.AboutBot:
		return "I am podium, a bot: a program, not a person. I answer questions about one announcement in its own words and make nothing up."
	}
	return "I answer questions about one announcement, in its own words. Ask in your own words; `topics` lists what it covers, `quote` gives what was said, `why` explains my last answer."
}
