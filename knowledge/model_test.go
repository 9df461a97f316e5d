package knowledge

import (
	"bytes"
	"flag"
	"os"
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
