package handlers

import (
	"slices"
	"strings"
)

// perIntent is how many of an intent's examples are offered as questions.
const perIntent = 8

// Complete returns up to limit values for what a person types into a field:
// "question" (topics and known questions), "speaker" or "topic" (of quotes).
// What begins like typed comes first, then what has words that do.
func (h *Handlers) Complete(field, typed string, limit int) []string {
	typed = strings.ToLower(strings.Join(strings.Fields(typed), " "))
	var begin, within []string
	for _, v := range h.fields[field] {
		lower := strings.ToLower(v)
		switch {
		case strings.HasPrefix(lower, typed):
			begin = append(begin, v)
		case hasWords(lower, typed):
			within = append(within, v)
		}
	}
	all := append(begin, within...)
	return all[:min(len(all), limit)]
}

// hasWords reports whether each word of typed begins a word of s.
func hasWords(s, typed string) bool {
	words := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" -'\"?.,", r) })
	for word := range strings.FieldsSeq(typed) {
		if !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, word) }) {
			return false
		}
	}
	return true
}

// completions are the values that Complete chooses from, the likeliest first.
func (h *Handlers) completions() map[string][]string {
	fields := make(map[string][]string)
	add := func(field, value string) {
		if !slices.Contains(fields[field], value) {
			fields[field] = append(fields[field], value)
		}
	}
	for i := range h.base.Intents {
		if in := &h.base.Intents[i]; in.Topic {
			add("question", in.Title)
		}
	}
	for n := range perIntent {
		for i := range h.base.Intents {
			if in := &h.base.Intents[i]; in.Topic && n < len(in.Examples) {
				add("question", in.Examples[n])
			}
		}
	}
	for _, q := range h.base.Quotes {
		if name, _ := h.base.Speaker(q.Speaker); name != "" {
			add("speaker", name)
		}
		for _, t := range q.Topics {
			add("topic", t)
		}
	}
	return fields
}
