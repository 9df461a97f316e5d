package knowledge

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// What a matcher learns is kept, since training takes seconds: that of the
// embedded announcement is embedded too, that of a knowledge file lies in the
// user's cache directory under the hash of all that it was trained on.

// modelVersion changes with everything that changes the outcome of training,
// but for the texts that it is trained on.
const modelVersion = "8"

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

// encode writes l behind the key: the size of what follows, then compressed
// the classifier in binary, its rows in their order, and the tables by gob.
func (l *learned) encode(key string) ([]byte, error) {
	c := l.Model
	words := slices.Sorted(maps.Keys(c.words))
	wholes := make([]savedWhole, len(words))
	for i, id := range words {
		wholes[i] = savedWhole{c.words[id].row, c.words[id].square}
	}
	var raw bytes.Buffer
	dense := make([]int8, len(c.scale)*c.classes)
	for i := range c.scale {
		class := i * c.classes
		for _, w := range c.row(int32(i)) {
			class += int(w.skip)
			dense[class] = w.value
			class++
		}
	}
	sizes := [4]uint32{uint32(c.classes), uint32(len(c.rows.ids)), uint32(len(c.scale)), uint32(len(words))}
	for _, v := range []any{sizes, c.unseen, c.bias, c.rows.ids, c.idf, c.scale, words, wholes, dense} {
		if err := binary.Write(&raw, binary.LittleEndian, v); err != nil {
			return nil, err
		}
	}
	if err := gob.NewEncoder(&raw).Encode(l.tables); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString(key)
	if err := binary.Write(&out, binary.LittleEndian, uint32(raw.Len())); err != nil {
		return nil, err
	}
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	_, err = z.Write(raw.Bytes())
	if err = errors.Join(err, z.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// savedWhole is a wholeWord as it is written.
type savedWhole struct {
	Row    int32
	Square float32
}

// decodeModel reads what encode wrote. It fails if it was learned from
// anything else than key says.
func decodeModel(data []byte, key string) (*learned, error) {
	rest, ok := bytes.CutPrefix(data, []byte(key))
	if !ok || len(rest) < 4 {
		return nil, errors.New("the model was trained on something else")
	}
	size := binary.LittleEndian.Uint32(rest)
	if size > maxModel {
		return nil, errors.New("the model is too large")
	}
	z, err := gzip.NewReader(bytes.NewReader(rest[4:]))
	if err != nil {
		return nil, err
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(z, raw); err != nil {
		return nil, err
	}
	// The check sum stands behind the last byte.
	if n, err := io.Copy(io.Discard, z); err != nil || n > 0 {
		return nil, fmt.Errorf("the model is damaged: %d bytes too many, %v", n, err)
	}
	r := bytes.NewReader(raw)
	var sizes [4]uint32
	if err := binary.Read(r, binary.LittleEndian, &sizes); err != nil {
		return nil, err
	}
	classes, features, rows, words := int(sizes[0]), int(sizes[1]), int(sizes[2]), int(sizes[3])
	// No count is larger than what holds it, so that their products are small.
	if most := r.Len(); features > rows || words > rows || classes > most || rows > most {
		return nil, errors.New("the model is damaged")
	}
	if want := 4 + 4*classes + 12*features + 4*rows + 16*words + rows*classes; r.Len() < want {
		return nil, fmt.Errorf("the model has %d bytes, want %d", r.Len(), want)
	}
	c := &classifier{
		classes: classes,
		bias:    make([]float32, classes),
		idf:     make([]float32, features),
		scale:   make([]float32, rows),
		ends:    make([]uint32, 0, rows),
		words:   make(map[uint64]wholeWord, words),
	}
	ids, wordIDs, wholes := make([]uint64, features), make([]uint64, words), make([]savedWhole, words)
	for _, v := range []any{&c.unseen, c.bias, ids, c.idf, c.scale, wordIDs, wholes} {
		if err := binary.Read(r, binary.LittleEndian, v); err != nil {
			return nil, err
		}
	}
	c.rows = newIndex(ids)
	dense := raw[len(raw)-r.Len():][:rows*classes]
	r = bytes.NewReader(raw[len(raw)-r.Len()+len(dense):])
	c.weights = make([]weight, 0, len(dense)/2)
	row := make([]int8, classes)
	for ; len(dense) > 0; dense = dense[classes:] {
		for i, w := range dense[:classes] {
			row[i] = int8(w)
		}
		c.addRounded(row)
	}
	c.weights = slices.Clone(c.weights) // in no more memory than they need
	for i, id := range wordIDs {
		if wholes[i].Row < 0 || int(wholes[i].Row) >= rows {
			return nil, errors.New("the model is damaged")
		}
		c.words[id] = wholeWord{wholes[i].Row, wholes[i].Square}
	}
	l := &learned{Model: c}
	if err := gob.NewDecoder(r).Decode(&l.tables); err != nil {
		return nil, err
	}
	if n := len(l.Known); n+1 != classes || len(l.Entities) != n || len(l.Asked) != n {
		return nil, errors.New("the model is damaged")
	}
	if slices.ContainsFunc(l.Examples, func(e learnedExample) bool { return e.Class < 0 || int(e.Class) >= classes-1 }) {
		return nil, errors.New("the model is damaged")
	}
	for _, known := range l.Known {
		for _, k := range known {
			if k < 0 || int(k) >= len(l.IDs) {
				return nil, errors.New("the model is damaged")
			}
		}
	}
	return l, nil
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

func readModel(path, key string) *learned {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	l, err := decodeModel(data, key)
	if err != nil {
		return nil
	}
	return l
}

func writeModel(path, key string, l *learned) {
	data, err := l.encode(key)
	if err != nil || path == "" || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
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
