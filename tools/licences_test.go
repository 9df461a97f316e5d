// Package tools_test checks what only developers' tools can check: the licences
// of what podium is made of, and the files in deploy by the types of the
// programs that read them.
package tools_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	classifier "github.com/google/licenseclassifier/v2"
	"github.com/google/licenseclassifier/v2/assets"
)

var update = flag.Bool("update", false, "write deploy/THIRD_PARTY_LICENSES anew")

const (
	licences = "../deploy/THIRD_PARTY_LICENSES"

	licencesHead = `The binary podium holds the software of others, listed here with its licences
and, below, their texts. MPL-2.0 is a weak copyleft licence: who changes a file
under it has to publish that file; podium uses them unchanged. None of the
others asks for more than that its text goes along.

Written anew by: go -C tools test -run Licences -update

`
)

// permitted are the licences that the binary may hold. A new one is added by
// somebody who has read it.
var permitted = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"}

var licenceFile = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying|copyright|notice|patents)`)

// TestLicences holds deploy/THIRD_PARTY_LICENSES to the modules that go into
// the binary, and their licences to those permitted.
func TestLicences(t *testing.T) {
	files := licenceFiles(t)
	detect, err := assets.DefaultClassifier()
	if err != nil {
		t.Fatal(err)
	}
	var list, texts strings.Builder
	holders := make(map[string][]string) // of a text
	var order []string
	for _, module := range slices.Sorted(maps.Keys(files)) {
		var names []string
		for _, path := range files[module] {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, licencesIn(detect, text)...)
			key := strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n"))
			if holders[key] == nil {
				order = append(order, key)
			}
			holders[key] = append(holders[key], module+": "+filepath.Base(path))
		}
		slices.Sort(names)
		names = slices.Compact(names)
		if len(names) == 0 {
			t.Errorf("%s: no licence is recognised in %q", module, files[module])
		}
		for _, name := range names {
			if !slices.Contains(permitted, name) {
				t.Errorf("%s is under %s, which is not among those permitted: %s", module, name, strings.Join(permitted, ", "))
			}
		}
		fmt.Fprintf(&list, "%s: %s\n", module, strings.Join(names, ", "))
	}
	for _, text := range order {
		texts.WriteString(underHeading(strings.Join(holders[text], "\n"), text))
	}
	want := licencesHead + list.String() + "SCOWL, a list of English words: its own, permissive\n" + texts.String() + wordList(t)
	if *update {
		if err := os.WriteFile(licences, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(licences); err != nil || string(got) != want {
		t.Errorf("%s is not what the binary is made of (%v): go -C tools test -run Licences -update", licences, err)
	}
}

// licencesIn are the names of the licences whose text or notice is in text.
func licencesIn(c *classifier.Classifier, text []byte) (names []string) {
	for _, m := range c.Match(text).Matches {
		if m.MatchType == "License" || m.MatchType == "Header" {
			names = append(names, m.Name)
		}
	}
	return names
}

// licenceFiles returns, for each module of the binary for Linux, the files that
// state its licences, from the directories of its packages upwards.
func licenceFiles(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Dir,Module,Standard", "./cmd/podium")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]string{"Go's standard library": {filepath.Join(strings.TrimSpace(string(root)), "LICENSE")}}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			Dir      string
			Standard bool
			Module   *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Standard || p.Module.Main {
			continue
		}
		module := p.Module.Path + " " + p.Module.Version
		for dir := p.Dir; strings.HasPrefix(dir, p.Module.Dir); dir = filepath.Dir(dir) {
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				path := filepath.Join(dir, e.Name())
				if e.Type().IsRegular() && licenceFile.MatchString(e.Name()) && filepath.Ext(path) != ".go" && !slices.Contains(files[module], path) {
					files[module] = append(files[module], path)
				}
			}
		}
		slices.Sort(files[module])
	}
	return files
}

// wordList is the licence of the list of English words, which stands at the
// list's head.
func wordList(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../knowledge/english.txt")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		line, ok := strings.CutPrefix(line, "#")
		if !ok {
			break
		}
		b.WriteString(strings.TrimPrefix(line, " "))
	}
	return underHeading("SCOWL: knowledge/english.txt", strings.TrimSpace(b.String()))
}

func underHeading(heading, text string) string {
	rule := strings.Repeat("=", 80)
	return "\n" + rule + "\n" + heading + "\n" + rule + "\n\n" + text + "\n"
}
