package knowledge

import (
	"slices"
	"testing"
)

// TestRows keeps rows of weights, sparse and full, of few classes and of more
// than a byte counts, and gets them back.
func TestRows(t *testing.T) {
	for _, classes := range []int{1, 2, 99, 256, 257, 1000} {
		rows := [][]int8{make([]int8, classes), make([]int8, classes), make([]int8, classes), make([]int8, classes)}
		rows[1][classes-1] = -127
		for i := range classes {
			rows[2][i] = int8(1 + i%100)
			if i%7 == 0 {
				rows[3][i] = int8(-1 - i%100)
			}
		}
		c := &classifier{classes: classes}
		for _, row := range rows {
			c.addRounded(row)
			c.scale = append(c.scale, 1)
		}
		for i, row := range rows {
			scores := make([]float32, classes)
			addScaled(scores, c.row(int32(i)), 2)
			for k, w := range row {
				if got := c.weight(int32(i), k); got != float32(w) || scores[k] != 2*got {
					t.Fatalf("%d classes: row %d has weight %v and score %v for class %d, want %v and %v", classes, i, got, scores[k], k, w, 2*w)
				}
			}
		}
		read, err := decodeModel(encoded(t, c), "key")
		if err != nil {
			t.Fatal(err)
		}
		if m := read.Model; !slices.Equal(m.weights, c.weights) || !slices.Equal(m.ends, c.ends) {
			t.Errorf("%d classes: what is read is not what was written", classes)
		}
	}
}

// encoded is a model of c without tables.
func encoded(t *testing.T, c *classifier) []byte {
	t.Helper()
	c.bias = make([]float32, c.classes)
	n := c.classes - 1
	data, err := (&learned{Model: c, tables: tables{
		Known: make([][]int32, n), Entities: make([][]learnedEntity, n), Asked: make([][asksKinds]int, n),
	}}).encode("key")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestIndex(t *testing.T) {
	for n := range 100 {
		ids := make([]uint64, n)
		for i := range ids {
			ids[i] = mix(uint64(n), uint64(i))
		}
		x := newIndex(ids)
		for i, id := range ids {
			if row, ok := x.find(id); !ok || row != int32(i) {
				t.Errorf("of %d, find(%d) = %d, %v, want %d", n, i, row, ok, i)
			}
			if row, ok := x.find(id + 1); ok {
				t.Errorf("of %d, find of what is not there = %d", n, row)
			}
		}
		if row, ok := x.find(0); ok {
			t.Errorf("of %d, find(0) = %d", n, row)
		}
	}
}

func TestTier(t *testing.T) {
	for word, want := range map[string]tier{
		"a": tierCommon, "able": tierCommon, "zucchinis": tierRare, "expound": tierRare, "abou": tierNone, "": tierNone, "= 10": tierNone, "qqqq": tierNone,
	} {
		if got := englishWords().tier(word); got != want {
			t.Errorf("tier(%q) = %v, want %v", word, got, want)
		}
	}
}
