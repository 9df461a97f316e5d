package knowledge

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
)

// The classifier is a one-versus-rest linear SVM over hashed features: words,
// pairs of words and character n-grams, weighted by how telling they are. It
// is small enough to train when a knowledge file is loaded, and its scores are
// sums that can be explained.
//
// What decides its quality in a small knowledge base: a feature that training
// never saw still counts in a question's length (its L2 norm), so that a
// question full of unknown words scores low everywhere.

const (
	hashSeed  = 14695981039346656037
	hashPrime = 1099511628211
)

// hashString is FNV-1a.
func hashString(s string) uint64 {
	h := uint64(hashSeed)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * hashPrime
	}
	return h
}

// mix makes one hash of two, in order.
func mix(a, b uint64) uint64 {
	h := (a ^ b>>29 ^ b<<35) * 0x9e3779b97f4a7c15
	return (h ^ h>>32 ^ b) * 0xff51afd7ed558ccd
}

// Weights of the kinds of features relative to words; found on the benchmark's
// draws.
const (
	weightPair  = 0.8
	weightChars = 0.25
)

const (
	saltPair  = 0x50414952
	saltChars = 0x43484152
)

// features calls emit with the hash and weight of each feature of q. The same
// feature may come twice.
func features(q *question, emit func(id uint64, weight float32)) {
	for i := range q.words {
		w := &q.words[i]
		emit(w.id, w.weight)
		if w.chars {
			charFeatures(w.stem, weightChars*w.weight, emit)
		}
	}
	prev := concept{id: 1, weight: 1}
	for i := 0; i <= len(q.concepts); i++ {
		c := concept{id: 2, weight: 1}
		if i < len(q.concepts) {
			c = q.concepts[i]
			if c.own {
				emit(c.id, c.weight)
			}
		}
		emit(mix(mix(saltPair, prev.id), c.id), weightPair*float32(math.Sqrt(float64(prev.weight*c.weight))))
		prev = c
	}
}

// charFeatures emits the 3- to 5-grams of a word with its edges marked.
func charFeatures(word string, weight float32, emit func(uint64, float32)) {
	var b [64]byte
	w := append(b[:0], '^')
	w = append(w, word[:min(len(word), 60)]...)
	w = append(w, '$')
	for i := range w {
		h := uint64(saltChars)
		for n := 0; n < 5 && i+n < len(w); n++ {
			h = (h ^ uint64(w[i+n])) * hashPrime
			if n >= 2 {
				emit(h, weight)
			}
		}
	}
}

// sample is one training example and its class.
type sample struct {
	question *question
	class    int
}

// vector is a sparse feature vector; rows index the classifier's features.
type vector struct {
	rows   []int32
	values []float32
}

// classifier holds the weights of every class for every feature that training
// saw.
type classifier struct {
	classes int
	rows    map[uint64]int32 // feature to row
	idf     []float32        // a row's weight
	weights []float32        // rows x classes
	bias    []float32
	unseen  float32 // the idf of a feature that training never saw
}

// svmCost is the penalty for a training example on the wrong side.
const (
	svmCost   = 1.0
	svmEpochs = 30
	biasValue = 0.3
)

// train fits a classifier. The result depends on nothing but the samples and
// their order.
func train(samples []sample, classes int) *classifier {
	c := &classifier{classes: classes, rows: make(map[uint64]int32)}
	var df []int32
	seen := make(map[uint64]bool)
	for _, s := range samples {
		clear(seen)
		features(s.question, func(id uint64, _ float32) {
			if seen[id] {
				return
			}
			seen[id] = true
			row, ok := c.rows[id]
			if !ok {
				row = int32(len(df))
				c.rows[id] = row
				df = append(df, 0)
			}
			df[row]++
		})
	}
	n := float64(len(samples))
	c.idf = make([]float32, len(df))
	for i, d := range df {
		c.idf[i] = float32(math.Log((n+1)/(float64(d)+1)) + 1)
	}
	c.unseen = float32(math.Log(n+1) + 1)
	vectors := make([]vector, len(samples))
	for i, s := range samples {
		vectors[i] = c.vector(s.question)
	}
	c.weights = make([]float32, len(df)*classes)
	c.bias = make([]float32, classes)
	var wait sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			w := make([]float32, len(df))
			for class := range next {
				c.bias[class] = trainClass(vectors, samples, class, w)
				for row, v := range w {
					c.weights[row*classes+class] = v
				}
			}
		})
	}
	for class := range classes {
		next <- class
	}
	close(next)
	wait.Wait()
	return c
}

// vector is the unit vector of q, without the features that training never
// saw, which count in its length all the same.
func (c *classifier) vector(q *question) vector {
	var v vector
	at := make(map[int32]int)
	var unseen float64
	features(q, func(id uint64, weight float32) {
		row, ok := c.rows[id]
		if !ok {
			x := float64(weight) * float64(c.unseen)
			unseen += x * x
			return
		}
		if _, ok := at[row]; ok {
			return
		}
		at[row] = len(v.rows)
		v.rows = append(v.rows, row)
		v.values = append(v.values, weight*c.idf[row])
	})
	norm := unseen
	for _, x := range v.values {
		norm += float64(x) * float64(x)
	}
	if norm > 0 {
		scale := float32(1 / math.Sqrt(norm))
		for i := range v.values {
			v.values[i] *= scale
		}
	}
	return v
}

// trainClass fits one class against the rest by dual coordinate descent (Hsieh
// et al. 2008, L2 loss) into w, which it clears first, and returns the bias.
// Every product is rounded before it is added: fused multiply-adds would make
// the result differ between processors.
func trainClass(vectors []vector, samples []sample, class int, w []float32) (bias float32) {
	clear(w)
	n := len(vectors)
	alpha := make([]float32, n)
	norms := make([]float32, n)
	for i, v := range vectors {
		norms[i] = biasValue * biasValue
		for _, x := range v.values {
			norms[i] += float32(x * x)
		}
	}
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	active := n
	random := rand.New(rand.NewPCG(1, uint64(class)))
	const diag = 1 / (2 * svmCost)
	for range svmEpochs {
		random.Shuffle(active, func(i, j int) { order[i], order[j] = order[j], order[i] })
		var largest float32
		for k := 0; k < active; k++ {
			i := order[k]
			v := &vectors[i]
			y := float32(-1)
			if samples[i].class == class {
				y = 1
			}
			dot := float32(bias * biasValue)
			for j, row := range v.rows {
				dot += float32(w[row] * v.values[j])
			}
			gradient := float32(y*dot) - 1 + float32(diag*alpha[i])
			if alpha[i] == 0 && gradient > 0.1 {
				// Far on its right side: it is left out from now on.
				active--
				order[k], order[active] = order[active], order[k]
				k--
				continue
			}
			if alpha[i] == 0 && gradient >= 0 {
				continue
			}
			old := alpha[i]
			alpha[i] = max(old-gradient/(norms[i]+diag), 0)
			step := float32((alpha[i] - old) * y)
			if step != 0 {
				bias += float32(step * biasValue)
				for j, row := range v.rows {
					w[row] += float32(step * v.values[j])
				}
			}
			largest = max(largest, float32(math.Abs(float64(gradient))))
		}
		if largest < 0.01 {
			if active == n {
				break
			}
			active = n
		}
	}
	return float32(bias * biasValue)
}

// score fills scores with each class's score for q, about -1 to 1.
func (c *classifier) score(q *question, scores []float32) {
	v := c.vector(q)
	copy(scores, c.bias)
	for j, row := range v.rows {
		weights := c.weights[int(row)*c.classes:][:c.classes]
		x := v.values[j]
		for k, w := range weights {
			scores[k] += float32(x * w)
		}
	}
}

// best returns the class with the highest score and the next.
func best(scores []float32) (first, second int) {
	first, second = 0, -1
	for i := 1; i < len(scores); i++ {
		switch {
		case scores[i] > scores[first]:
			first, second = i, first
		case second < 0 || scores[i] > scores[second]:
			second = i
		}
	}
	return first, second
}
