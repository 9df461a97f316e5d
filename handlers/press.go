package handlers

import (
	"context"
	"strings"
	"time"

	"podium/bot"
)

// outdated is the reply to a button whose answer is no longer in the knowledge
// file.
const outdated = "That is no longer in the announcement as I know it. `topics` lists what it covers."

// press replies to a button. Its value came from outside and is trusted only
// as far as it names something that podium knows.
func (h *Handlers) press(ctx context.Context, m bot.Message) (bot.Reply, error) {
	arg := m.Action.Arg
	switch m.Action.Verb {
	case bot.VerbTopic:
		r, ok := h.replyRefs(arg)
		if !ok {
			return bot.TextReply(outdated), nil
		}
		title := ""
		r.Outcome = r.Parts[0].Outcome
		if a, ok := h.base.Answer(arg); ok {
			title, r.Intent = a.Title, h.base.IntentOf(a).ID
		}
		h.remember(ctx, m, bot.Turn{Context: title, Ref: lastRef(r)})
		ref := refs(r)
		if m.Private {
			r.Buttons = append(r.Buttons, bot.Button{Label: bot.LabelShare, Action: bot.Action{Verb: bot.VerbShare, Arg: ref}})
		}
		r.Buttons = append(r.Buttons,
			bot.Button{Label: bot.LabelHelpful, Action: bot.Action{Verb: bot.VerbHelpful, Arg: ref}},
			bot.Button{Label: bot.LabelUnhelpful, Action: bot.Action{Verb: bot.VerbUnhelpful, Arg: ref}})
		return r, nil
	case bot.VerbShare:
		r, ok := h.replyRefs(arg)
		if !ok {
			r = bot.TextReply(outdated)
			r.Private = true
		}
		return r, nil
	case bot.VerbWhy:
		return h.whyPressed(arg), nil
	case bot.VerbHelpful, bot.VerbUnhelpful:
		return h.vote(ctx, m)
	case bot.VerbConfirm, bot.VerbCancel:
		return h.decide(ctx, m)
	}
	r := bot.TextReply(outdated)
	r.Private = true
	return r, nil
}

// replyRefs makes a reply anew from the Refs of its parts.
func (h *Handlers) replyRefs(refs string) (bot.Reply, bool) {
	var r bot.Reply
	for ref := range strings.SplitSeq(refs, "+") {
		if ids, ok := strings.CutPrefix(ref, quoteMark); ok {
			quotes, ok := h.quotesByID(ids)
			if !ok {
				return r, false
			}
			r.Parts = append(r.Parts, quoteParts(h.base, quotes)...)
			continue
		}
		id, premise := strings.CutSuffix(ref, premiseMark)
		a, ok := h.base.Answer(id)
		if !ok {
			return r, false
		}
		r.Parts = append(r.Parts, answerPart(h.base, a, premise))
	}
	return r, len(r.Parts) > 0
}

// vote keeps a vote, and for the owner the question whose answer did not help.
func (h *Handlers) vote(ctx context.Context, m bot.Message) (bot.Reply, error) {
	helpful := m.Action.Verb == bot.VerbHelpful
	if _, ok := h.replyRefs(m.Action.Arg); !ok {
		r := bot.TextReply(outdated)
		r.Private = true
		return r, nil
	}
	if h.votes != nil {
		err := h.votes.LogVote(ctx, bot.Vote{
			Platform: m.Platform, Voter: m.User.ID, Message: m.Channel + "/" + m.ID,
			Ref: m.Action.Arg, Helpful: helpful, At: time.Now(),
		})
		if err != nil {
			return bot.Reply{}, err
		}
	}
	text := "Thank you. That is noted."
	if !helpful {
		text = "Thank you. The owner of this announcement's answers will see that it did not help."
		q := bot.Question{Outcome: bot.NotHelpful, Platform: m.Platform, Intent: intentOf(m.Action.Arg)}
		// The words of the question are known only as long as it is the last one.
		if t := h.turn(ctx, m); t.Ref != "" && (m.Action.Arg == t.Ref || strings.HasSuffix(m.Action.Arg, "+"+t.Ref)) {
			q.Text = t.Question
		}
		h.logQuestion(ctx, q)
	}
	r := bot.TextReply(text)
	r.Private = true
	return r, nil
}

// intentOf is the intent's id of the first of refs.
func intentOf(refs string) string {
	ref, _, _ := strings.Cut(refs, "+")
	id, _, _ := strings.Cut(strings.TrimSuffix(ref, premiseMark), ".")
	return id
}
