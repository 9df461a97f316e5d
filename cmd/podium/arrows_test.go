package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestArrows keeps who may import whom. Tests' own imports are free.
func TestArrows(t *testing.T) {
	// The packages of podium's that each package may import. A package that is
	// not listed may import none.
	allowed := map[string][]string{
		"podium/cmd/podium":   {"podium/..."},
		"podium/handlers":     {"podium/bot", "podium/knowledge"},
		"podium/bot/slack":    {"podium/bot"},
		"podium/bot/discord":  {"podium/bot"},
		"podium/bot/terminal": {"podium/bot"},
		"podium/bot/store":    {"podium/bot"},
		"podium/bot/schedule": {"podium/bot", "podium/bot/store"},
		"podium/bot/bottest":  {"podium/bot", "podium/bot/store"},
	}
	// What each of these may be imported by, and by nobody else: the platforms'
	// SDKs, the databases' drivers, the scheduler's engine, the command line.
	only := map[string][]string{
		"github.com/slack-go/slack":      {"podium/bot/slack"},
		"github.com/bwmarrin/discordgo":  {"podium/bot/discord"},
		"github.com/riverqueue/river":    {"podium/bot/schedule"},
		"github.com/teambition/rrule-go": {"podium/bot/schedule"},
		"github.com/jackc/pgx":           {"podium/bot/store", "podium/bot/schedule", "podium/bot/bottest"},
		"modernc.org/sqlite":             {"podium/bot/store", "podium/bot/schedule"},
		"database/sql":                   {"podium/bot/store", "podium/bot/schedule"},
		"github.com/spf13/cobra":         {"podium/cmd/podium"},
		"github.com/prometheus":          {"podium/cmd/podium"},
		"github.com/spf13/viper":         {"podium/config"},
		"github.com/pressly/goose":       {"podium/bot/store"},
		"testing":                        {"podium/bot/bottest"},
		"podium/bot/bottest":             {},
	}
	imports := packageImports(t)
	if len(imports) < 5 {
		t.Fatalf("go list names %d packages, want all of podium's", len(imports))
	}
	for from, list := range imports {
		for _, to := range list {
			if within(to, "podium") && !slices.ContainsFunc(allowed[from], func(p string) bool {
				return p == to || p == "podium/..."
			}) {
				t.Errorf("%s imports %s, and may not", from, to)
			}
			for what, who := range only {
				if within(to, what) && !slices.Contains(who, from) {
					t.Errorf("%s imports %s, which is for %v alone", from, to, who)
				}
			}
		}
	}
}

// within reports whether path is the package or module root, or below it.
func within(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

// packageImports returns the imports of each of podium's packages, without
// those of its tests.
func packageImports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "podium/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	imports := make(map[string][]string)
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return imports
		} else if err != nil {
			t.Fatal(err)
		}
		imports[p.ImportPath] = p.Imports
	}
}
