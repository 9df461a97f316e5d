package knowledge

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDraws measures the classifier on five draws of 30 intents from CLINC150,
// 8 examples each (Larson et al. 2019), where they are at hand. right@98 is
// the share of questions that are both right and above the score that turns
// away 98 % of those out of scope; deployed is the same at the threshold that
// the classifier set itself.
func TestDraws(t *testing.T) {
	if testing.Short() {
		t.Skip("the plain run measures")
	}
	dirs, err := filepath.Glob("../../shared/bench/clinc-kb/*")
	if err != nil || len(dirs) == 0 {
		t.Skip("../shared/bench is not at hand")
	}
	var pooled, right, far float64
	for _, dir := range dirs {
		p, err := NewPlain(readLabelled(t, filepath.Join(dir, "train.tsv")))
		if err != nil {
			t.Fatal(err)
		}
		classify := func(file string) (scores []float64, correct []bool, accepted float64) {
			samples := readLabelled(t, filepath.Join(dir, file))
			for _, s := range samples {
				score, label, ok := p.Classify(s.Text)
				scores = append(scores, score)
				correct = append(correct, label == s.Label)
				if ok {
					accepted++
				}
			}
			return scores, correct, 100 * accepted / float64(len(samples))
		}
		inScope, correct, _ := classify("test.tsv")
		near, _, nearAccepted := classify("near_test.tsv")
		farScores, _, farAccepted := classify("oos_test.tsv")
		out := slices.Sorted(slices.Values(append(slices.Clone(near), farScores...)))
		cut := out[int(0.98*float64(len(out)))]
		var at98, deployed, accurate float64
		for i, score := range inScope {
			if correct[i] {
				accurate++
				if score > cut {
					at98++
				}
				if score > float64(p.threshold) {
					deployed++
				}
			}
		}
		share := 100 / float64(len(inScope))
		t.Logf("draw %s: acc %.1f, pooled right@98 %.1f; deployed: right %.1f, near turned away %.1f, far %.1f",
			filepath.Base(dir), accurate*share, at98*share, deployed*share, 100-nearAccepted, 100-farAccepted)
		n := float64(len(dirs))
		pooled += at98 * share / n
		right += deployed * share / n
		far += (100 - farAccepted) / n
	}
	got := fmt.Sprintf("pooled right@98 %.1f; deployed: right %.1f, far turned away %.1f", pooled, right, far)
	t.Log(got)
	if pooled < 50 || right < 72 || far < 97 {
		t.Errorf("%s; want at least 50, 72 and 97", got)
	}
}

func readLabelled(t *testing.T, path string) []Labelled {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []Labelled
	for lines := bufio.NewScanner(f); lines.Scan(); {
		label, text, _ := strings.Cut(lines.Text(), "\t")
		out = append(out, Labelled{label, text})
	}
	return out
}
