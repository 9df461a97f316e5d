package knowledge

import (
	"cmp"
	"math"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"slices"
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
	weightHead  = 1.0
)

const (
	saltPair  = 0x50414952
	saltChars = 0x43484152
	saltHead  = 0x48454144
)

// features calls emit with the hash and weight of each feature of q.
func features(q *question, emit func(id uint64, weight float32)) {
	for i := range q.words {
		wordFeatures(&q.words[i], emit)
	}
	conceptFeatures(q, emit)
}

// wordFeatures are the word and, unless its spelling does not count, the
// characters in it.
func wordFeatures(w *word, emit func(id uint64, weight float32)) {
	emit(w.id, w.weight)
	if w.chars {
		charFeatures(w.stem, weightChars*w.weight, emit)
	}
}

// conceptFeatures are what the words stand for, each with the one before it
// and with what the question asks for.
func conceptFeatures(q *question, emit func(id uint64, weight float32)) {
	prev := concept{id: 1, weight: 1}
	for i := 0; i <= len(q.concepts); i++ {
		c := concept{id: 2, weight: 1}
		if i < len(q.concepts) {
			c = q.concepts[i]
			if c.own {
				emit(c.id, c.weight)
			}
			if q.head != 0 && !c.function {
				emit(mix(mix(saltHead, q.head), c.id), weightHead*c.weight)
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
	group    int // a class of the classifier that is made of several others, or -1
}

func (s *sample) in(class int) bool { return s.class == class || s.group == class }

// vector is a sparse feature vector; rows index the classifier's features.
type vector struct {
	rows   []int32
	values []float32
}

func (v *vector) add(row int32, value float32) {
	v.rows = append(v.rows, row)
	v.values = append(v.values, value)
}

// classifier holds the weights of every class for every feature that training
// saw, rounded to a byte each: that is a quarter of the memory, and what is
// trained, stored and loaded is the same to the bit. Three of four are zero
// then, and left out.
type classifier struct {
	classes int
	rows    index     // feature to row
	idf     []float32 // a row's weight
	scale   []float32 // what a row's weights are multiplied by
	weights []weight  // of all rows, one row behind the other
	ends    []uint32  // by row: where its weights end, and the next row's begin
	bias    []float32
	unseen  float32 // the idf of a feature that training never saw

	// The features of a known word always come together: their weights are
	// added up once, into one more row.
	words map[uint64]wholeWord
}

// wholeWord is a word's own features in one.
type wholeWord struct {
	row    int32
	square float32 // of their length
}

// weight is a weight of a row, behind as many classes that have none.
type weight struct {
	skip  uint8
	value int8 // zero only where skip alone does not reach the next
}

// row is the weights of a row.
func (c *classifier) row(i int32) []weight {
	begin := uint32(0)
	if i > 0 {
		begin = c.ends[i-1]
	}
	return c.weights[begin:c.ends[i]]
}

// weight is what a row has to say for one class.
func (c *classifier) weight(row int32, class int) float32 {
	list := c.row(row)
	at := class // in a full row
	if len(list) < c.classes {
		next := 0
		for at = 0; at < len(list); at++ {
			if next += int(list[at].skip); next >= class {
				break
			}
			next++
		}
		if next != class || at == len(list) {
			return 0
		}
	}
	return c.scale[row] * float32(list[at].value)
}

// index finds the row of a feature. It is a hash table of the rows' numbers
// alone, from 1, with linear probing: a map would take twice the memory.
type index struct {
	ids   []uint64 // by row
	slots []int32  // a power of two of them; 0: free
}

func newIndex(ids []uint64) index {
	x := index{ids: ids, slots: make([]int32, 2<<bits.Len(uint(len(ids)*2/3)))}
	for i, id := range ids {
		slot := x.slot(id)
		for x.slots[slot] != 0 {
			slot = (slot + 1) & (len(x.slots) - 1)
		}
		x.slots[slot] = int32(i) + 1
	}
	return x
}

// slot is where the search for id starts.
func (x *index) slot(id uint64) int {
	return int(id * 0x9e3779b97f4a7c15 >> 32 & uint64(len(x.slots)-1))
}

func (x *index) find(id uint64) (row int32, ok bool) {
	for slot := x.slot(id); ; slot = (slot + 1) & (len(x.slots) - 1) {
		row := x.slots[slot] - 1
		if row < 0 || x.ids[row] == id {
			return row, row >= 0
		}
	}
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
	c := &classifier{classes: classes}
	rows := make(map[uint64]int32)
	var ids []uint64
	var df []int32
	seen := make(map[uint64]bool)
	for _, s := range samples {
		clear(seen)
		features(s.question, func(id uint64, _ float32) {
			if seen[id] {
				return
			}
			seen[id] = true
			row, ok := rows[id]
			if !ok {
				row = int32(len(df))
				rows[id] = row
				ids = append(ids, id)
				df = append(df, 0)
			}
			df[row]++
		})
	}
	c.rows = newIndex(ids)
	n := float64(len(samples))
	c.idf = make([]float32, len(df))
	for i, d := range df {
		c.idf[i] = float32(math.Log((n+1)/(float64(d)+1)) + 1)
	}
	c.unseen = float32(math.Log(n+1) + 1)
	// Training is the wait for weights: those that are asked for most lie
	// together, where the processor's cache keeps them.
	common := make([]int32, len(df)) // rows, the most frequent first
	for i := range common {
		common[i] = int32(i)
	}
	slices.SortStableFunc(common, func(a, b int32) int { return cmp.Compare(df[b], df[a]) })
	place := make([]int32, len(df)) // of a row among them
	for i, row := range common {
		place[row] = int32(i)
	}
	examples := make([]trained, len(samples))
	for i, s := range samples {
		v := c.vector(s.question)
		e := trained{sample: s, features: make([]feature, len(v.rows)), norm: biasValue * biasValue}
		for j, x := range v.values {
			e.features[j] = feature{place[v.rows[j]], x}
			e.norm += float32(x * x)
		}
		examples[i] = e
	}
	weights := make([]float32, len(df)*classes)
	c.bias = make([]float32, classes)
	var wait sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			w := make([]float32, len(df))
			for class := range next {
				c.bias[class] = trainClass(examples, class, w)
				for i, v := range w {
					weights[int(common[i])*classes+class] = v
				}
			}
		})
	}
	for class := range classes {
		next <- class
	}
	close(next)
	wait.Wait()
	for row := range df {
		c.addRow(weights[row*classes:][:classes])
	}
	return c
}

// addRow adds a row of weights, rounded.
func (c *classifier) addRow(weights []float32) {
	var largest float32
	for _, w := range weights {
		largest = max(largest, w, -w)
	}
	scale := largest / 127
	c.scale = append(c.scale, scale)
	rounded := make([]int8, len(weights))
	if scale > 0 {
		for i, w := range weights {
			rounded[i] = int8(math.RoundToEven(float64(w / scale)))
		}
	}
	c.addRounded(rounded)
}

// addRounded adds the weights of a row as they are, but for its scale. A row
// that is half full is kept whole: it is faster.
func (c *classifier) addRounded(row []int8) {
	zeros, skip := 0, 0
	for _, w := range row {
		if w == 0 {
			zeros++
		}
	}
	for _, w := range row {
		if w == 0 && 2*zeros > len(row) {
			skip++
			continue
		}
		for ; skip > 255; skip -= 256 {
			c.weights = append(c.weights, weight{skip: 255})
		}
		c.weights = append(c.weights, weight{uint8(skip), w})
		skip = 0
	}
	c.ends = append(c.ends, uint32(len(c.weights)))
}

// addWords adds a row for each of the words that training saw.
func (c *classifier) addWords(words []word) {
	c.words = make(map[uint64]wholeWord, len(words))
	sum := make([]float32, c.classes)
	for i := range words {
		if _, ok := c.words[words[i].id]; ok {
			continue
		}
		clear(sum)
		var square float32
		wordFeatures(&words[i], func(id uint64, weight float32) {
			row, ok := c.rows.find(id)
			if !ok {
				x := float32(weight * c.unseen)
				square += float32(x * x)
				return
			}
			x := float32(weight * c.idf[row])
			square += float32(x * x)
			addScaled(sum, c.row(row), x*c.scale[row])
		})
		c.words[words[i].id] = wholeWord{int32(len(c.scale)), square}
		c.addRow(sum)
	}
}

// vector is the unit vector of q, without the features that training never
// saw, which count in its length all the same.
func (c *classifier) vector(q *question) vector {
	var v vector
	var square float64
	features(q, func(id uint64, weight float32) { square += float64(c.feature(&v, id, weight)) })
	v.scale(square)
	return v
}

// feature adds a feature to v and returns the square of its weight.
func (c *classifier) feature(v *vector, id uint64, weight float32) (square float32) {
	row, ok := c.rows.find(id)
	if !ok {
		x := float32(weight * c.unseen)
		return float32(x * x)
	}
	x := float32(weight * c.idf[row])
	v.add(row, x)
	return float32(x * x)
}

// scale makes v a vector of length 1, given the square of its length.
func (v *vector) scale(square float64) {
	if square == 0 {
		return
	}
	by := float32(1 / math.Sqrt(square))
	for i := range v.values {
		v.values[i] *= by
	}
}

// A trained is an example as trainClass reads it, all that it holds side by
// side.
type trained struct {
	sample
	features []feature
	norm     float32 // the square of the length, the bias included
}

// A feature is one of an example, by its place among the weights.
type feature struct {
	place int32
	value float32
}

// trainClass fits one class against the rest by dual coordinate descent (Hsieh
// et al. 2008, L2 loss) into w, which it clears first, and returns the bias.
// Every product is rounded before it is added: fused multiply-adds would make
// the result differ between processors.
func trainClass(examples []trained, class int, w []float32) (bias float32) {
	clear(w)
	n := len(examples)
	alpha := make([]float32, n)
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
			e := &examples[i]
			y := float32(-1)
			if e.in(class) {
				y = 1
			}
			dot := float32(bias * biasValue)
			for _, f := range e.features {
				dot += float32(w[f.place] * f.value)
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
			alpha[i] = max(old-gradient/(e.norm+diag), 0)
			step := float32((alpha[i] - old) * y)
			if step != 0 {
				bias += float32(step * biasValue)
				for _, f := range e.features {
					w[f.place] += float32(step * f.value)
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

// score fills scores with each class's score for q, about -1 to 1. v is room
// to work in.
func (c *classifier) score(q *question, v *vector, scores []float32) {
	v.rows, v.values = v.rows[:0], v.values[:0]
	var square float64
	emit := func(id uint64, weight float32) { square += float64(c.feature(v, id, weight)) }
	for i := range q.words {
		if w, ok := c.words[q.words[i].id]; ok {
			v.add(w.row, 1)
			square += float64(w.square)
		} else {
			wordFeatures(&q.words[i], emit)
		}
	}
	conceptFeatures(q, emit)
	v.scale(square)
	copy(scores, c.bias)
	for j, row := range v.rows {
		addScaled(scores, c.row(row), v.values[j]*c.scale[row])
	}
}

// share is what q's features add to the score of class, before its length is
// made 1.
func (c *classifier) share(q *question, class int) (sum float32) {
	add := func(row int32, x float32) {
		sum += x * c.weight(row, class)
	}
	emit := func(id uint64, weight float32) {
		if row, ok := c.rows.find(id); ok {
			add(row, weight*c.idf[row])
		}
	}
	for i := range q.words {
		if w, ok := c.words[q.words[i].id]; ok {
			add(w.row, 1)
		} else {
			wordFeatures(&q.words[i], emit)
		}
	}
	conceptFeatures(q, emit)
	return sum
}

// addScaled adds x times row to scores; most of a match's time is spent here.
func addScaled(scores []float32, row []weight, x float32) {
	if len(row) == len(scores) {
		for len(scores) >= 4 && len(row) >= 4 {
			s, r := (*[4]float32)(scores), (*[4]weight)(row)
			s[0] += float32(x * float32(r[0].value))
			s[1] += float32(x * float32(r[1].value))
			s[2] += float32(x * float32(r[2].value))
			s[3] += float32(x * float32(r[3].value))
			scores, row = scores[4:], row[4:]
		}
	}
	class := 0
	for _, w := range row {
		class += int(w.skip)
		scores[class] += float32(x * float32(w.value))
		class++
	}
}
