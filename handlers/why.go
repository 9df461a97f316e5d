package handlers

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"podium/bot"
	"podium/knowledge"
)

const (
	nothingToExplain = "There is no question of yours that I remember. Ask one first; I remember the last one for 15 minutes."
)

// why explains the reply to the conversation's last question.
func (h *Handlers) why(ctx context.Context, m bot.Message) (bot.Reply, error) {
	t := h.turn(ctx, m)
	var text string
	switch {
	case t.Question == "" && t.Context == "":
		text = nothingToExplain
	case t.Question == "" || strings.HasPrefix(t.Ref, quoteMark):
		text = "You asked for that by name; there was nothing to guess."
	default:
		text = strings.Join(Why(h.base.Match(before(t)), t.Question), "\n")
	}
	return bot.TextReply(text), nil
}

// Why explains a result, a line each: how the question was read, and what
// decided.
func Why(result knowledge.Result, question string) []string {
	var out []string
	all := parts(result)
	for i, p := range all {
		prefix := ""
		if len(all) > 1 {
			prefix = strconv.Itoa(i+1) + ". "
			question = p.Question
		}
		out = append(out, prefix+fmt.Sprintf("I read %q as %s.", clip(question), reading(p)))
		out = append(out, decided(p.Explain()))
		if rests := restsOn(p); rests != "" {
			out = append(out, rests)
		}
	}
	return out
}

// restsOn names the sentences that a result's answers rest on.
func restsOn(r knowledge.Result) string {
	var numbers []int
	for _, a := range r.Answers {
		if a != nil && r.Outcome == knowledge.Answered {
			for _, e := range a.Evidence {
				numbers = append(numbers, e.Sentence)
			}
		}
	}
	if len(numbers) == 0 {
		return ""
	}
	return "It rests on " + sentenceNumbers(numbers) + "."
}

// reading is what a question was read as.
func reading(r knowledge.Result) string {
	switch r.Outcome {
	case knowledge.Smalltalk:
		return "smalltalk"
	case knowledge.Clarify:
		return fmt.Sprintf("either %s or %s", r.Answers[0].Title, r.Answers[1].Title)
	case knowledge.Answered:
		s := r.Intent.Title
		if names := r.For(); names != "" {
			s += ", for " + names
		}
		return s
	}
	switch {
	case r.Intent == nil:
		return "nothing that the announcement speaks of"
	case !r.Intent.Topic:
		return r.Intent.Title + ", which the announcement does not speak of"
	case r.Veto != knowledge.NoVeto && r.VetoWord != "":
		return fmt.Sprintf("something near %s, but it %s: %s", r.Intent.Title, r.Veto, r.VetoWord)
	case r.Veto != knowledge.NoVeto:
		return fmt.Sprintf("something near %s, but it %s", r.Intent.Title, r.Veto)
	}
	return "something near " + r.Intent.Title
}

// decided is the line of the words that decided and the confidence.
func decided(e knowledge.Explanation) string {
	var b strings.Builder
	if len(e.Words) > 0 {
		b.WriteString("Deciding words: " + strings.Join(e.Words, ", ") + ". ")
	}
	fmt.Fprintf(&b, "Confidence %.2f", e.Confidence)
	if e.Next != nil {
		fmt.Fprintf(&b, "; next best: %s, %.2f", e.Next.Title, e.NextConfidence)
	}
	b.WriteString(".")
	return b.String()
}

// whyArg is an explanation short enough for a button: intent, confidence, next
// best, its confidence and the deciding words. The question itself does not
// fit; whoever presses the button sees it anyway.
func whyArg(r knowledge.Result) string {
	r = parts(r)[0]
	if r.Intent == nil {
		return ""
	}
	e := r.Explain()
	next := ""
	if e.Next != nil {
		next = e.Next.ID
	}
	var room [bot.MaxAction]byte
	arg := append(room[:0], r.Intent.ID...)
	arg = strconv.AppendFloat(append(arg, ','), 100*e.Confidence, 'f', 0, 64)
	arg = append(append(arg, ','), next...)
	arg = strconv.AppendFloat(append(arg, ','), 100*e.NextConfidence, 'f', 0, 64)
	for _, w := range e.Words {
		if len(arg)+1+len(w) > bot.MaxAction-len(bot.VerbWhy)-1 {
			break
		}
		arg = append(append(arg, ','), w...)
	}
	return string(arg)
}

// whyPressed undoes whyArg. Words that the knowledge file does not hold are
// left out: the value may be anybody's.
func (h *Handlers) whyPressed(arg string) bot.Reply {
	r := bot.TextReply(outdated)
	r.Private = true
	fields := strings.Split(arg, ",")
	if len(fields) < 4 {
		return r
	}
	in, ok := h.base.Intent(fields[0])
	if !ok {
		return r
	}
	e := knowledge.Explanation{}
	first, err1 := strconv.Atoi(fields[1])
	second, err2 := strconv.Atoi(fields[3])
	if err1 != nil || err2 != nil || first < 0 || first > 100 || second < 0 || second > 100 {
		return r
	}
	e.Confidence, e.NextConfidence = float64(first)/100, float64(second)/100
	e.Next, _ = h.base.Intent(fields[2])
	for _, w := range fields[4:] {
		if h.base.Knows(w) {
			e.Words = append(e.Words, w)
		}
	}
	r.Parts[0].Answer = fmt.Sprintf("I read the question as %s.\n%s", in.Title, decided(e))
	return r
}

// clip shortens a question for the explanation of its answer.
func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 200 {
		return string(r[:197]) + "..."
	}
	return s
}
