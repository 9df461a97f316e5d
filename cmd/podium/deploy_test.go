package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"podium/config"
)

// TestDeploySettings holds the variables that the Dockerfile, compose.yaml and
// the files in deploy set to the settings that there are.
func TestDeploySettings(t *testing.T) {
	known := make(map[string]bool)
	for _, s := range config.Table() {
		known[s.Name], known[s.Name+"_FILE"] = true, true
	}
	paths, err := filepath.Glob("../../deploy/*")
	if err != nil {
		t.Fatal(err)
	}
	variable := regexp.MustCompile(`PODIUM_[A-Z0-9_]+`)
	found := 0
	for _, path := range append(paths, "../../Dockerfile", "../../compose.yaml") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(text), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "#") {
				continue
			}
			// A comment may speak of a variable that is no setting.
			line, _, _ = strings.Cut(line, " # ")
			for _, name := range variable.FindAllString(line, -1) {
				found++
				if !known[name] {
					t.Errorf("%s:%d: %s is no setting of podium's", path, n+1, name)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d variables are found: the test does not see the files", found)
	}
}
