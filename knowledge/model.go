package knowledge

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// A trained classifier is kept, since training takes seconds: that of the
// embedded announcement is embedded too, that of a knowledge file lies in the
// user's cache directory under the hash of all that it was trained on.

// modelVersion changes with everything that changes the outcome of training,
// but for the texts that it is trained on.
const modelVersion = "2"

// modelKey is the hash of all that training depends on.
func modelKey(file, source []byte) string {
	sum := sha256.New()
	for _, part := range [][]byte{[]byte(modelVersion), []byte(commonText), []byte(englishText), file, source} {
		fmt.Fprintf(sum, "%d\n", len(part))
		sum.Write(part)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// maxModel bounds what a model may take in memory.
const maxModel = 256 << 20

// encode writes c: the key, the sizes, then the rows in their order.
func (c *classifier) encode(key string) ([]byte, error) {
	ids := make([]uint64, len(c.rows))
	for id, row := range c.rows {
		ids[row] = id
	}
	words := slices.Sorted(maps.Keys(c.words))
	wholes := make([]wholeWord, len(words))
	for i, id := range words {
		wholes[i] = c.words[id]
	}
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	io.WriteString(w, key)
	put := func(v any) { err = errors.Join(err, binary.Write(w, binary.LittleEndian, v)) }
	for _, n := range []int{c.classes, len(ids), len(c.scale), len(words)} {
		put(uint32(n))
	}
	put(c.unseen)
	put(c.bias)
	put(ids)
	put(c.idf)
	put(c.scale)
	put(words)
	for _, whole := range wholes {
		put(whole.row)
		put(whole.square)
	}
	put(c.weights)
	err = errors.Join(err, w.Close())
	return out.Bytes(), err
}

// decodeModel reads what encode wrote. It fails if the model was trained on
// anything else than key says.
func decodeModel(data []byte, key string) (*classifier, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	all, err := io.ReadAll(io.LimitReader(z, maxModel))
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(all, []byte(key)) {
		return nil, errors.New("the model was trained on something else")
	}
	r := bytes.NewReader(all[len(key):])
	var sizes [4]uint32
	if err := binary.Read(r, binary.LittleEndian, &sizes); err != nil {
		return nil, err
	}
	classes, features, rows, words := int(sizes[0]), int(sizes[1]), int(sizes[2]), int(sizes[3])
	if want := 4 + 4*classes + 12*features + 4*rows + 16*words + rows*classes; r.Len() != want {
		return nil, fmt.Errorf("the model has %d bytes, want %d", r.Len(), want)
	}
	c := &classifier{
		classes: classes,
		bias:    make([]float32, classes),
		idf:     make([]float32, features),
		scale:   make([]float32, rows),
		rows:    make(map[uint64]int32, features),
		words:   make(map[uint64]wholeWord, words),
		weights: make([]int8, rows*classes),
	}
	ids, wordIDs := make([]uint64, features), make([]uint64, words)
	wholes := make([]struct {
		Row    int32
		Square float32
	}, words)
	for _, v := range []any{&c.unseen, c.bias, ids, c.idf, c.scale, wordIDs, wholes, c.weights} {
		if err := binary.Read(r, binary.LittleEndian, v); err != nil {
			return nil, err
		}
	}
	for i, id := range ids {
		c.rows[id] = int32(i)
	}
	for i, id := range wordIDs {
		if wholes[i].Row < 0 || int(wholes[i].Row) >= rows {
			return nil, errors.New("the model is damaged")
		}
		c.words[id] = wholeWord{wholes[i].Row, wholes[i].Square}
	}
	return c, nil
}

// modelCache keeps models in the user's cache directory. Whatever fails there
// costs time, nothing else.
func modelCache(key string) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "podium", key[:32]+".model")
}

func readModel(path, key string) *classifier {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	c, err := decodeModel(data, key)
	if err != nil {
		return nil
	}
	return c
}

func writeModel(path, key string, c *classifier) {
	data, err := c.encode(key)
	if err != nil || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(path), "*.tmp")
	if err != nil {
		return
	}
	_, err = f.Write(data)
	if errors.Join(err, f.Close()) != nil || os.Rename(f.Name(), path) != nil {
		os.Remove(f.Name())
	}
}
