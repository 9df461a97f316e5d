package knowledge

import (
	"errors"
	"slices"
	"strings"
)

// A Plain is the matcher's classifier alone, trained on labelled texts: no
// gate, no entities, no answers. It is what benchmarks of intent recognition
// measure. It is not safe for concurrent use.
type Plain struct {
	labels    []string
	matcher   matcher
	scratch   scratch
	threshold float32
}

// Labelled is a text and the label of its intent.
type Labelled struct{ Label, Text string }

// plainFolds is how many times the threshold's calibration trains, each time
// without another share of the labels.
const plainFolds = 10

// The threshold is halfway between what the samples say, the score below which
// this share of the texts stay whose label was withheld, and what is usual:
// withheld labels are few and near to the others, so that their quantile
// scatters a good deal more from one set to the next than the score which
// turns texts of no label away.
const (
	acceptQuantile = 0.9
	usualThreshold = -0.15
)

// NewPlain trains on samples. The threshold comes from them alone: it turns
// away most of the texts whose label was withheld.
func NewPlain(samples []Labelled) (*Plain, error) {
	var labels []string
	for _, s := range samples {
		if !slices.Contains(labels, s.Label) {
			labels = append(labels, s.Label)
		}
	}
	if len(labels) < 2 {
		return nil, errors.New("training needs texts of at least two labels")
	}
	var withheld []float32
	folds := min(plainFolds, len(labels))
	for fold := range folds {
		var rest, out []Labelled
		for _, s := range samples {
			if slices.Index(labels, s.Label)%folds == fold {
				out = append(out, s)
			} else {
				rest = append(rest, s)
			}
		}
		if len(rest) == 0 {
			continue
		}
		p := trainPlain(rest)
		for _, s := range out {
			score, _ := p.best(s.Text)
			withheld = append(withheld, score)
		}
	}
	p := trainPlain(samples)
	slices.Sort(withheld)
	if len(withheld) > 0 {
		cut := withheld[min(int(acceptQuantile*float64(len(withheld))), len(withheld)-1)]
		p.threshold = (cut + usualThreshold) / 2
	}
	return p, nil
}

// trainPlain trains on samples; each label, read as words, is an example of
// its own.
func trainPlain(samples []Labelled) *Plain {
	p := &Plain{}
	p.matcher.lexicon = newLexicon()
	q := &question{}
	var titled []Labelled
	for _, s := range samples {
		if !slices.Contains(p.labels, s.Label) {
			p.labels = append(p.labels, s.Label)
			titled = append(titled, Labelled{s.Label, strings.ReplaceAll(s.Label, "_", " ")})
		}
		titled = append(titled, s)
	}
	for _, s := range titled {
		p.matcher.lexicon.learnExample(s.Text, q)
	}
	p.matcher.lexicon.settle(q)
	all := make([]sample, len(titled))
	for i, s := range titled {
		q := &question{}
		p.matcher.lexicon.read(s.Text, q)
		all[i] = sample{q, slices.Index(p.labels, s.Label), -1}
	}
	p.matcher.model = train(all, len(p.labels))
	p.matcher.model.addWords(p.matcher.lexicon.all())
	p.matcher.vocab = make([]map[uint64]bool, len(p.labels))
	for i := range p.matcher.vocab {
		p.matcher.vocab[i] = make(map[uint64]bool)
	}
	for _, s := range all {
		for _, w := range s.question.words {
			p.matcher.vocab[s.class][w.id] = true
		}
		for _, c := range s.question.concepts {
			p.matcher.vocab[s.class][c.id] = true
		}
	}
	p.scratch.scores = make([]float32, len(p.labels))
	return p
}

// plainCover is how much a text's coverage by the label's words counts beside
// the label's score.
const plainCover = 0.4

func (p *Plain) best(text string) (score float32, label int) {
	q := &p.scratch.question
	p.matcher.lexicon.read(text, q)
	p.matcher.model.score(q, &p.scratch.vector, p.scratch.scores)
	for i, s := range p.scratch.scores {
		if s > p.scratch.scores[label] {
			label = i
		}
	}
	return p.scratch.scores[label] + plainCover*float32(p.matcher.coverage(q, label)), label
}

// Classify returns the label that fits text best and how well it does; accepted
// says whether it fits well enough.
func (p *Plain) Classify(text string) (score float64, label string, accepted bool) {
	s, i := p.best(text)
	return float64(s), p.labels[i], s > p.threshold
}
