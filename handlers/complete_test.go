package handlers

import (
	"slices"
	"strings"
	"testing"

	"podium/bot"
	"podium/knowledge"
)

func TestComplete(t *testing.T) {
	base, err := knowledge.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	h := New(Options{Knowledge: base})
	for _, test := range []struct {
		field, typed string
		want         string // the first value
	}{
		{"speaker", "", "John Kirby"},
		{"speaker", "pri", "Ned Price"},
		{"speaker", "nobody", ""},
		{"topic", "perm", "permanence"},
		{"question", "", base.Intents[0].Title},
		{"question", " HOW   many troops", "How many troops"},
		{"question", "troops many", "How many troops"},
		{"nothing", "", ""},
	} {
		got := h.Complete(test.field, test.typed, 25)
		if len(got) > 25 || test.want == "" && len(got) > 0 || test.want != "" && (len(got) == 0 || got[0] != test.want) {
			t.Errorf("Complete(%q, %q) = %q, want %q first", test.field, test.typed, got, test.want)
		}
	}
	// What is offered is understood.
	for _, speaker := range h.Complete("speaker", "", 25) {
		r, err := h.Handle(t.Context(), bot.Message{Text: "quote " + speaker})
		if err != nil || !strings.HasPrefix(r.Text(), upperFirst(speaker)) {
			t.Errorf("quote %s is answered %q, %v", speaker, r.Text(), err)
		}
	}
	for _, topic := range h.Complete("topic", "", 1000) {
		r, err := h.Handle(t.Context(), bot.Message{Text: "quote " + topic})
		if err != nil || !slices.ContainsFunc(r.Parts, func(p bot.Part) bool { return strings.HasPrefix(p.Ref, quoteMark) }) {
			t.Errorf("quote %s is answered %q, %v", topic, r.Text(), err)
		}
	}
	for _, in := range base.Intents {
		if in.Topic {
			r, result := Answer(base, in.Title)
			if result.Outcome != knowledge.Answered && result.Outcome != knowledge.Clarify {
				t.Errorf("the topic %q, asked as a question, is %s: %q", in.Title, result.Outcome, r.Text())
			}
		}
	}
}

func BenchmarkComplete(b *testing.B) {
	base, err := knowledge.Embedded()
	if err != nil {
		b.Fatal(err)
	}
	h := New(Options{Knowledge: base})
	for b.Loop() {
		h.Complete("question", "how many troops in", 25)
	}
}
