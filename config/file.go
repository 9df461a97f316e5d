package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readFile returns the entries of a settings file by key. A section is a key's
// beginning: "slack: {bot_token: x}" and "slack_bot_token: x" are the same.
// The file is read node by node: values stay as they are typed (an id of 18
// digits is no number), and every finding has its line.
func readFile(path string) (map[string]entry, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("settings file: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	found := make(map[string]entry)
	if len(doc.Content) == 0 {
		return found, nil
	}
	f := file{path: path, found: found}
	f.section(nil, doc.Content[0])
	return found, errors.Join(f.errs...)
}

type file struct {
	path  string
	found map[string]entry
	errs  []error
}

func (f *file) fail(n *yaml.Node, format string, args ...any) {
	f.errs = append(f.errs, fmt.Errorf("%s:%d: %s", f.path, n.Line, fmt.Sprintf(format, args...)))
}

func (f *file) section(above []string, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		f.fail(n, "settings are written as name: value")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		f.pair(append(above[:len(above):len(above)], strings.ToLower(n.Content[i].Value)), n.Content[i], n.Content[i+1])
	}
}

func (f *file) pair(path []string, name, value *yaml.Node) {
	key := strings.Join(path, "_")
	row, isFile := lookup(key)
	if row == nil {
		if value.Kind == yaml.MappingNode {
			f.section(path, value)
			return
		}
		near, _ := nearest(key)
		if section := strings.Join(path[:len(path)-1], "_") + "_"; len(path) > 1 && strings.HasPrefix(near, section) {
			near = strings.Join(path[:len(path)-1], ".") + "." + strings.TrimPrefix(near, section)
		}
		f.fail(name, "unknown setting %q; the nearest is %q", strings.Join(path, "."), near)
		return
	}
	if row.Key == "config" {
		f.fail(name, "a settings file can not name another")
		return
	}
	var text string
	switch {
	case value.Kind == yaml.ScalarNode && value.Tag == "!!null":
		return
	case value.Kind == yaml.ScalarNode:
		text = value.Value
	case value.Kind == yaml.SequenceNode && row.Key == "reminder_admins":
		var ids []string
		for _, id := range value.Content {
			ids = append(ids, id.Value)
		}
		text = strings.Join(ids, ",")
	default:
		f.fail(value, "%s takes one plain value", key)
		return
	}
	if err := add(f.found, row, isFile, entry{text, fmt.Sprintf("%s:%d", f.path, name.Line)}); err != nil {
		f.errs = append(f.errs, err)
	}
}
