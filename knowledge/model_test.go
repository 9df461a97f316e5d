package knowledge

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"flag"
	"io"
	"os"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files and the embedded model anew")

// TestModelIsCurrent trains the embedded announcement's model and compares it
// with the one that is embedded: `go test ./knowledge -run Current -update`
// writes it anew.
func TestModelIsCurrent(t *testing.T) {
	if testing.Short() {
		t.Skip("training the whole model takes long under the race detector; the plain run does it")
	}
	text, err := embedded.ReadFile("announcement.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b, err := parse("announcement.yaml", text, embedded.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	got, err := newMatcher(b, nil).learned.encode(b.key)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("announcement.model", got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := embedded.ReadFile("announcement.model")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("announcement.model is out of date: run go test ./knowledge -run Current -update")
	}
}

// FuzzModel reads models that somebody may have left in the cache directory.
func FuzzModel(f *testing.F) {
	const key = "key"
	model := &classifier{classes: 2, bias: []float32{1, 2}, idf: []float32{1}, rows: newIndex([]uint64{7}), scale: []float32{1, 2},
		words: map[uint64]wholeWord{9: {row: 1, square: 1}}}
	model.addRounded([]int8{1, 2})
	model.addRounded([]int8{3, 4})
	small := &learned{
		Model:  model,
		tables: tables{IDs: []uint64{7}, Known: [][]int32{{0}}, Entities: [][]learnedEntity{{}}, Asked: make([][asksKinds]int, 1)},
	}
	good, err := small.encode(key)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := decodeModel(good, key); err != nil {
		f.Fatal(err)
	}
	// The fuzzer writes what is compressed.
	z, err := gzip.NewReader(bytes.NewReader(good[len(key)+4:]))
	if err != nil {
		f.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:len(raw)/2])
	for i := range 4 { // a count of its own that is far too large
		f.Add(slices.Concat(raw[:4*i], []byte{0xff, 0xff, 0xff, 0xff}, raw[4*i+4:]))
	}
	f.Add(slices.Concat([]byte{0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0}, raw[16:])) // a product of two that is below zero
	f.Fuzz(func(t *testing.T, raw []byte) {
		var data bytes.Buffer
		data.WriteString(key)
		data.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(raw))))
		z := gzip.NewWriter(&data)
		z.Write(raw)
		z.Close()
		if l, err := decodeModel(data.Bytes(), key); err == nil && len(l.Known)+1 != l.Model.classes {
			t.Errorf("%d classes, of which %d are known", l.Model.classes, len(l.Known))
		}
	})
}
