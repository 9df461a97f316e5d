package handlers

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"podium/bot"
	"podium/knowledge"
)

// quoteMark starts the Ref of quotes: quote=permanence,goal.
const quoteMark = "quote="

// takesQuote takes "quote" and "quote kirby permanence": every further word
// must be a known speaker or topic, else it is a question.
func (h *Handlers) takesQuote(m bot.Message, words []string) bool {
	if len(words) == 0 || words[0] != "quote" && words[0] != "quotes" {
		return false
	}
	_, ok := h.base.FindQuotes(strings.Join(words[1:], " "))
	return ok
}

// quote replies with what somebody said, on a topic or on everything.
func (h *Handlers) quote(ctx context.Context, m bot.Message) (bot.Reply, error) {
	quotes, _ := h.base.FindQuotes(strings.Join(commandWords(m.Text)[1:], " "))
	return h.replyQuotes(ctx, m, quotes), nil
}

func (h *Handlers) replyQuotes(ctx context.Context, m bot.Message, quotes []knowledge.Quote) bot.Reply {
	r := bot.Reply{Parts: quoteParts(h.base, quotes), Outcome: bot.Answered}
	h.remember(ctx, m, bot.Turn{Question: m.Text, Ref: lastRef(r)})
	addButtons(&r, knowledge.Result{Outcome: knowledge.Answered}, m.Private)
	return r
}

// quoteParts is a part for each speaker, in the order of the quotes.
func quoteParts(base *knowledge.Base, quotes []knowledge.Quote) []bot.Part {
	var out []bot.Part
	var speakers []string
	for _, q := range quotes {
		if !slices.Contains(speakers, q.Speaker) {
			speakers = append(speakers, q.Speaker)
		}
	}
	for _, speaker := range speakers {
		name, role := base.Speaker(speaker)
		who := "The announcement's own words"
		if speaker != "" {
			who = upperFirst(bot.Quote{Speaker: name, Role: role}.Attribution())
		}
		p := bot.Part{Outcome: bot.Answered, Answer: who + ":", Link: base.URL}
		var ids []string
		var numbers []int
		for _, q := range quotes {
			if q.Speaker != speaker {
				continue
			}
			ids = append(ids, q.ID)
			p.Quotes = append(p.Quotes, bot.Quote{Text: q.Text})
			if !slices.Contains(numbers, q.Sentence) {
				numbers = append(numbers, q.Sentence)
			}
		}
		p.Ref = quoteMark + strings.Join(ids, ",")
		p.Source = source(base, numbers)
		out = append(out, p)
	}
	return out
}

// cite is the words that an answer rests on, under those who said them. ok is
// false where ref is outdated.
func (h *Handlers) cite(ref string) (r bot.Reply, ok bool) {
	if ids, ok := strings.CutPrefix(ref, quoteMark); ok {
		quotes, ok := h.quotesByID(ids)
		return bot.Reply{Parts: quoteParts(h.base, quotes), Outcome: bot.Answered}, ok
	}
	a, ok := h.base.Answer(strings.TrimSuffix(ref, premiseMark))
	if !ok || len(a.Evidence) == 0 {
		return r, false
	}
	var quotes []knowledge.Quote
	for _, e := range a.Evidence {
		quotes = append(quotes, knowledge.Quote{Text: e.Text, Speaker: e.Speaker, Sentence: e.Sentence})
	}
	r = bot.Reply{Parts: quoteParts(h.base, quotes), Outcome: bot.Answered, Intent: h.base.IntentOf(a).ID}
	for i := range r.Parts {
		r.Parts[i].Ref = ""
	}
	r.Parts[len(r.Parts)-1].Ref = ref
	return r, true
}

// upperFirst makes a name that starts with an article fit to start a line.
func upperFirst(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}

// quotesByID returns the quotes of a Ref.
func (h *Handlers) quotesByID(ids string) ([]knowledge.Quote, bool) {
	var out []knowledge.Quote
	for id := range strings.SplitSeq(ids, ",") {
		i := slices.IndexFunc(h.base.Quotes, func(q knowledge.Quote) bool { return q.ID == id })
		if i < 0 {
			return nil, false
		}
		out = append(out, h.base.Quotes[i])
	}
	return out, true
}
