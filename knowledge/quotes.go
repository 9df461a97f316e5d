package knowledge

import (
	"slices"
	"strings"
)

// quoteFiller are the words around a speaker and a topic in a request for a
// quote.
var quoteFiller = map[string]bool{
	"quote": true, "quotes": true, "quotation": true, "quotations": true, "exact": true, "words": true, "verbatim": true,
	"on": true, "about": true, "from": true, "by": true, "of": true, "the": true, "for": true, "me": true, "a": true, "an": true, "give": true, "get": true, "show": true,
	"please": true, "can": true, "i": true, "you": true, "have": true, "want": true, "need": true, "any": true, "s": true, "and": true, "his": true, "direct": true, "full": true, "in": true, "to": true,
}

// FindQuotes returns the quotes of the speakers and on the topics that text
// names. ok is false if there are none or if a word of text is neither.
// Without any words it returns all quotes.
func (b *Base) FindQuotes(text string) (quotes []Quote, ok bool) {
	speakers, topics, ok := b.quoteWords(text)
	if !ok {
		return nil, false
	}
	quotes = b.quotesOf(speakers, topics)
	return quotes, len(quotes) > 0
}

// sayFiller are the words around a speaker in "what exactly did Kirby say".
var sayFiller = makeSet(`what exactly did does has say says said tell told us
	can could someone somebody anyone you i we need give get show me paste post share please pls exact verbatim word for in full his own words thank thanks thx a lot advance`)

// requestsQuote returns the quotes that a request such as "kirby quote on
// permanence" asks for: it has the word quote, a speaker or a topic, and
// nothing else. "What did Kirby say" asks for all of his.
func (b *Base) requestsQuote(text string) []Quote {
	if containsFold(text, "say") || containsFold(text, "said") {
		if speakers := b.saidBy(text); speakers != nil {
			return b.quotesOf(speakers, nil)
		}
	}
	if !containsFold(text, "quot") {
		return nil
	}
	speakers, topics, ok := b.quoteWords(text)
	if !ok || len(speakers) == 0 && len(topics) == 0 {
		return nil
	}
	return b.quotesOf(speakers, topics)
}

// saidBy is the speakers in text, if it asks what they said and nothing else.
func (b *Base) saidBy(text string) (speakers []string) {
	q := &question{}
	b.matcher.lexicon.read(text, q)
	if !slices.ContainsFunc(q.words, func(w word) bool { return w.stem == "what" }) {
		return nil
	}
	for _, c := range q.concepts {
		if c.entity != noEntity {
			id := b.Entities[c.entity].ID
			if !slices.ContainsFunc(b.Quotes, func(quote Quote) bool { return quote.Speaker == id }) {
				return nil
			}
			speakers = append(speakers, id)
			continue
		}
		for _, w := range q.words[c.first : c.last+1] {
			if !sayFiller[string(q.text.token(int(w.at)))] {
				return nil
			}
		}
	}
	return speakers
}

// containsFold reports whether s holds the lower-case ASCII letters of part in
// upper or lower case.
func containsFold(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

// quoteWords reads text as speakers and words of topics, and nothing else.
func (b *Base) quoteWords(text string) (speakers []string, topics []string, ok bool) {
	q := &question{}
	b.matcher.lexicon.read(text, q)
	for _, c := range q.concepts {
		if c.entity != noEntity {
			id := b.Entities[c.entity].ID
			if slices.ContainsFunc(b.Quotes, func(quote Quote) bool { return quote.Speaker == id }) {
				speakers = append(speakers, id)
				continue
			}
		}
		for i := c.first; i <= c.last; i++ {
			w := q.words[i]
			if quoteFiller[string(q.text.token(int(w.at)))] {
				continue
			}
			if !b.isQuoteTopic(w.stem) {
				return nil, nil, false
			}
			topics = append(topics, w.stem)
		}
	}
	return speakers, topics, true
}

// isQuoteTopic reports whether a quote has stem among its id and topics.
func (b *Base) isQuoteTopic(stem string) bool {
	for i := range b.Quotes {
		if b.topicWords(i)[stem] {
			return true
		}
	}
	return false
}

// topicWords are the stems of the id and topics of quote i.
func (b *Base) topicWords(i int) map[string]bool {
	words := make(map[string]bool)
	q := &question{}
	for _, s := range append([]string{b.Quotes[i].ID}, b.Quotes[i].Topics...) {
		b.matcher.lexicon.read(s, q)
		for _, w := range q.words {
			if !quoteFiller[w.stem] {
				words[w.stem] = true
			}
		}
	}
	return words
}

// quotesOf returns the quotes of any of the speakers that share the most words
// with topics: all of them if there are no topics.
func (b *Base) quotesOf(speakers, topics []string) []Quote {
	var out []Quote
	most := 0
	for i, quote := range b.Quotes {
		if len(speakers) > 0 && !slices.Contains(speakers, quote.Speaker) {
			continue
		}
		words := b.topicWords(i)
		n := 0
		for _, t := range topics {
			if words[t] {
				n++
			}
		}
		if len(topics) > 0 && n == 0 || n < most {
			continue
		}
		if n > most {
			out, most = nil, n
		}
		out = append(out, quote)
	}
	return out
}
