package handlers

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"podium/bot"
	"podium/knowledge"
)

// The fixed sentences of answers.
const (
	notSaid     = "The announcement does not say."
	notSaidThat = "The announcement does not say that. What it says: "
	whichOne    = "Which one do you mean?"
	nearWords   = "I am not sure what is asked. These are the announcement's own words near it:"
)

// ask answers a question. "Who said that?" and its like ask for the words
// behind the answer before it.
func (h *Handlers) ask(ctx context.Context, m bot.Message) (bot.Reply, error) {
	t := h.turn(ctx, m)
	again := (t.Ref != "" || before(t) != "") && h.base.AsksSource(m.Text)
	if again && t.Ref != "" {
		if r, ok := h.cite(t.Ref); ok {
			h.remember(ctx, m, t)
			addButtons(&r, knowledge.Result{Outcome: knowledge.Answered}, m.Private)
			return r, nil
		}
	}
	result := h.base.MatchAfter(m.Text, before(t))
	r := Reply(h.base, result)
	if result.Outcome != knowledge.Smalltalk {
		t = bot.Turn{Question: m.Text, Ref: lastRef(r)}
		if result.FollowUp {
			t.Context = result.Question
		}
		h.remember(ctx, m, t)
	}
	if !again { // else the question is logged already
		h.logUnanswered(ctx, m, result)
	}
	addButtons(&r, result, m.Private)
	r.Outcome = bot.Outcome(result.Outcome)
	if result.Intent != nil && result.Outcome != knowledge.Smalltalk {
		r.Intent = result.Intent.ID
	}
	return r, nil
}

// logUnanswered keeps what result leaves open for the knowledge file's owner.
func (h *Handlers) logUnanswered(ctx context.Context, m bot.Message, result knowledge.Result) {
	for _, p := range parts(result) {
		switch p.Outcome {
		case knowledge.Unanswered, knowledge.Clarify, knowledge.Passage:
			q := bot.Question{Text: m.Text, Outcome: string(p.Outcome), Platform: m.Platform}
			if p.Intent != nil {
				q.Intent = p.Intent.ID
			}
			h.logQuestion(ctx, q)
		}
	}
}

// before is the question that a follow-up to t goes on from.
func before(t bot.Turn) string {
	if t.Context != "" {
		return t.Context
	}
	return t.Question
}

// Answer is the reply to a question that stands alone, and what it rests on.
func Answer(base *knowledge.Base, question string) (bot.Reply, knowledge.Result) {
	result := base.Match(question)
	return Reply(base, result), result
}

// Reply puts a result into words.
func Reply(base *knowledge.Base, result knowledge.Result) bot.Reply {
	var r bot.Reply
	for _, p := range parts(result) {
		r.Parts = append(r.Parts, resultParts(base, p)...)
	}
	return r
}

func parts(r knowledge.Result) []knowledge.Result {
	if len(r.Parts) > 0 {
		return r.Parts
	}
	return []knowledge.Result{r}
}

// resultParts is the reply to one question: more than one part if it asks for
// two answers at once, such as those for two countries.
func resultParts(base *knowledge.Base, r knowledge.Result) []bot.Part {
	switch r.Outcome {
	case knowledge.Smalltalk:
		return []bot.Part{{Outcome: bot.Smalltalk, Answer: talk(r.Talk)}}
	case knowledge.Clarify:
		p := bot.Part{Outcome: bot.Clarify, Answer: whichOne, Numbered: true}
		for _, a := range r.Answers {
			p.Choices = append(p.Choices, answerButton(a))
		}
		return []bot.Part{p}
	case knowledge.Passage:
		p := bot.Part{Outcome: bot.Passage, Answer: nearWords, Choices: near(base, r)}
		var numbers []int
		for _, n := range r.Sentences {
			if n > 0 {
				p.Quotes = append(p.Quotes, bot.Quote{Text: base.Sentences[n-1]})
				numbers = append(numbers, n)
			}
		}
		p.Source, p.Link = source(base, numbers), base.URL
		return []bot.Part{p}
	case knowledge.Answered:
		out := quoteParts(base, r.Quotes)
		for _, a := range r.Answers {
			if a != nil {
				out = append(out, answerPart(base, a, r.Premise))
			}
		}
		if r.Also != nil && len(out) == 1 {
			out[0].Notes = append(out[0].Notes, fmt.Sprintf("If you meant %q: %s", r.Also.Title, r.Also.Text))
		}
		return out
	}
	return []bot.Part{{Outcome: bot.Unanswered, Answer: notSaid, Choices: near(base, r)}}
}

// answerPart is one answer with all that belongs to it. premise says that the
// question supposed something else.
func answerPart(base *knowledge.Base, a *knowledge.Answer, premise bool) bot.Part {
	if a.Status == knowledge.NotSaid {
		return bot.Part{Outcome: bot.Unanswered, Answer: notSaid}
	}
	p := bot.Part{Outcome: bot.Answered, Ref: a.ID, Answer: a.Text, Link: base.URL}
	var numbers []int
	for _, e := range a.Evidence {
		name, role := base.Speaker(e.Speaker)
		p.Quotes = append(p.Quotes, bot.Quote{Text: e.Text, Speaker: name, Role: role})
		if !slices.Contains(numbers, e.Sentence) {
			numbers = append(numbers, e.Sentence)
		}
	}
	p.Source = source(base, numbers)
	if premise {
		p.Ref += premiseMark
		p.Answer = notSaidThat + knowledge.LowerFirst(a.Text)
	}
	p.Notes = slices.Clone(a.Notes)
	if a.Contrast != "" {
		p.Notes = append(p.Notes, a.Contrast)
	}
	return p
}

// premiseMark at the end of a Ref says that the answer corrects its question.
const premiseMark = "!"

// source is the line that says where an answer comes from: "Announcement of 7
// April 2021, sentence 6: its title."
func source(base *knowledge.Base, sentences []int) string {
	var b strings.Builder
	if base.Date.IsZero() {
		b.WriteString("As announced")
	} else {
		b.WriteString("Announcement of " + base.Date.Format("2 January 2006"))
	}
	if len(sentences) > 0 {
		b.WriteString(", " + sentenceNumbers(sentences))
	}
	return b.String() + ": " + strings.TrimSuffix(base.Title, ".") + "."
}

// sentenceNumbers is "sentence 6" or "sentences 3, 4 and 12".
func sentenceNumbers(numbers []int) string {
	numbers = slices.Compact(slices.Sorted(slices.Values(numbers)))
	var b strings.Builder
	for i, n := range numbers {
		switch {
		case i == 0 && len(numbers) == 1:
			b.WriteString("sentence ")
		case i == 0:
			b.WriteString("sentences ")
		case i == len(numbers)-1:
			b.WriteString(" and ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}

// near are the nearest topics as buttons.
func near(base *knowledge.Base, r knowledge.Result) []bot.Button {
	var out []bot.Button
	for _, in := range r.Nearest {
		if in != nil {
			out = append(out, topicButton(in))
		}
	}
	return out
}

func topicButton(in *knowledge.Intent) bot.Button {
	return bot.Button{Label: in.Title, Action: bot.Action{Verb: bot.VerbTopic, Arg: in.ID}}
}

func answerButton(a *knowledge.Answer) bot.Button {
	return bot.Button{Label: a.Title, Action: bot.Action{Verb: bot.VerbTopic, Arg: a.ID}}
}

// lastRef is what a follow-up refers to.
func lastRef(r bot.Reply) string {
	for _, p := range slices.Backward(r.Parts) {
		if p.Ref != "" {
			return p.Ref
		}
	}
	return ""
}

// refs is the Ref of each part that has one, as buttons carry it.
func refs(r bot.Reply) string {
	var out []string
	for _, p := range r.Parts {
		if p.Ref != "" {
			out = append(out, p.Ref)
		}
	}
	return strings.Join(out, "+")
}

// addButtons adds podium's own buttons to the reply to a question.
func addButtons(r *bot.Reply, result knowledge.Result, private bool) {
	if result.Outcome == knowledge.Smalltalk {
		return
	}
	ref := refs(*r)
	add := func(label, verb, arg string) {
		a := bot.Action{Verb: verb, Arg: arg}
		if a.Len() <= bot.MaxAction {
			r.Buttons = append(r.Buttons, bot.Button{Label: label, Action: a})
		}
	}
	if ref != "" && private {
		add(bot.LabelShare, bot.VerbShare, ref)
	}
	if arg := whyArg(result); arg != "" {
		add(bot.LabelWhy, bot.VerbWhy, arg)
	}
	if ref != "" {
		add(bot.LabelHelpful, bot.VerbHelpful, ref)
		add(bot.LabelUnhelpful, bot.VerbUnhelpful, ref)
	}
}
