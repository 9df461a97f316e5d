package discordtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf16"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Spec is Discord's own description of its API, which is not part of this
// repository: beside it, or nowhere.
const Spec = "shared/specs/discord-openapi.json"

// The paths in it of what podium sends.
const (
	messageSchema  = "#/paths/~1channels~1%7Bchannel_id%7D~1messages/post/requestBody/content/application~1json/schema"
	callbackSchema = "#/paths/~1interactions~1%7Binteraction_id%7D~1%7Binteraction_token%7D~1callback/post/requestBody/content/application~1json/schema"
	followupSchema = "#/paths/~1webhooks~1%7Bwebhook_id%7D~1%7Bwebhook_token%7D/post/requestBody/content/application~1json/schema"
	editSchema     = "#/paths/~1webhooks~1%7Bwebhook_id%7D~1%7Bwebhook_token%7D~1messages~1@original/patch/requestBody/content/application~1json/schema"
	directSchema   = "#/paths/~1users~1@me~1channels/post/requestBody/content/application~1json/schema"
	commandsSchema = "#/paths/~1applications~1%7Bapplication_id%7D~1commands/put/requestBody/content/application~1json/schema"
)

// HasSpec tells whether the specification is there. Without it bodies are
// checked by the rules of this file alone.
func HasSpec() bool { return specPath() != "" }

func specPath() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			path := filepath.Join(filepath.Dir(dir), Spec)
			if _, err := os.Stat(path); err == nil {
				return path
			}
			return ""
		}
	}
	return ""
}

var schemas = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	path := specPath()
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("file:///discord.json", doc); err != nil {
		return nil, err
	}
	all := map[string]*jsonschema.Schema{}
	for _, at := range []string{messageSchema, callbackSchema, followupSchema, editSchema, directSchema, commandsSchema} {
		if all[at], err = c.Compile("file:///discord.json" + at); err != nil {
			return nil, err
		}
	}
	return all, nil
})

func validate(at string, body []byte) error {
	all, err := schemas()
	if err != nil || all == nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return all[at].Validate(v)
}

// CheckMessage tells what is wrong with the body of a channel message.
func CheckMessage(body []byte) error {
	return errors.Join(validate(messageSchema, body), message(body))
}
func checkFollowup(body []byte) error {
	return errors.Join(validate(followupSchema, body), message(body))
}
func checkEdit(body []byte) error { return errors.Join(validate(editSchema, body), message(body)) }

// CheckCallback tells what is wrong with the first response to an interaction.
func CheckCallback(body []byte) error {
	err := validate(callbackSchema, body)
	var r struct {
		Type int             `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if e := json.Unmarshal(body, &r); e != nil {
		return e
	}
	switch r.Type {
	case 4:
		return errors.Join(err, message(r.Data))
	case 5:
		return errors.Join(err, strict(r.Data, &struct{ Flags int }{}))
	case 6:
		return err
	case 8:
		return errors.Join(err, completions(r.Data))
	}
	return errors.Join(err, fmt.Errorf("response type %d", r.Type))
}

// message checks what the specification does not: the real length of a
// content, the total of the embeds, unknown fields, equal ids, and that nobody
// can be pinged.
func message(body []byte) error {
	var m struct {
		Content         string
		Embeds          []struct{ Title, Description string }
		AllowedMentions *struct {
			Parse []string
			Users []string
			Roles []string
			Ping  bool `json:"replied_user"`
		} `json:"allowed_mentions"`
		Components []struct {
			Type       int
			Components []struct {
				Type, Style int
				ID          string `json:"custom_id"`
				Label       string
			}
		}
		Flags     int
		Reference *struct {
			Message string `json:"message_id"`
			Channel string `json:"channel_id"`
			Guild   string `json:"guild_id"`
			Fail    bool   `json:"fail_if_not_exists"`
		} `json:"message_reference"`
		Nonce   string
		Enforce bool `json:"enforce_nonce"`
	}
	err := strict(body, &m)
	fail := func(format string, args ...any) { err = errors.Join(err, fmt.Errorf(format, args...)) }
	if n := length(m.Content); n > 2000 {
		fail("content has %d characters, at most 2000", n)
	}
	total := 0
	for _, e := range m.Embeds {
		total += length(e.Title) + length(e.Description)
		if length(e.Description) > 4096 {
			fail("a description has %d characters, at most 4096", length(e.Description))
		}
	}
	if total > 6000 {
		fail("embeds have %d characters, at most 6000", total)
	}
	if m.Content == "" && len(m.Embeds) == 0 {
		fail("the message is empty")
	}
	if a := m.AllowedMentions; a == nil || a.Parse == nil || len(a.Parse)+len(a.Users)+len(a.Roles) > 0 || a.Ping {
		fail("allowed_mentions does not forbid every mention")
	}
	if len(m.Components) > 5 {
		fail("%d rows of buttons, at most 5", len(m.Components))
	}
	var ids []string
	for _, row := range m.Components {
		if n := len(row.Components); n == 0 || n > 5 {
			fail("%d buttons in a row", n)
		}
		for _, b := range row.Components {
			if n := length(b.Label); n == 0 || n > 80 {
				fail("a label of %d characters", n)
			}
			if length(b.ID) == 0 || length(b.ID) > 100 || slices.Contains(ids, b.ID) {
				fail("custom_id %q is empty, too long or there twice", b.ID)
			}
			ids = append(ids, b.ID)
		}
	}
	return err
}

func completions(body []byte) error {
	var d struct {
		Choices []struct{ Name, Value string }
	}
	if err := strict(body, &d); err != nil {
		return err
	}
	if d.Choices == nil || len(d.Choices) > 25 {
		return fmt.Errorf("%d choices", len(d.Choices))
	}
	for _, c := range d.Choices {
		if length(c.Name) < 1 || length(c.Name) > 100 || length(c.Value) > 100 {
			return fmt.Errorf("choice %q is empty or too long", c.Name)
		}
	}
	return nil
}

var commandName = regexp.MustCompile(`^[-_'\p{L}\p{N}]{1,32}$`)

func checkCommands(body []byte) error {
	err := validate(commandsSchema, body)
	fail := func(format string, args ...any) { err = errors.Join(err, fmt.Errorf(format, args...)) }
	type option struct {
		Type         int
		Name         string
		Description  string
		Required     bool
		Autocomplete bool
		Choices      []any
		Options      []option
		MaxLength    int    `json:"max_length"`
		Channels     []int  `json:"channel_types"`
		Contexts     []int  // of a command, as is Permissions
		Permissions  *int64 `json:"default_member_permissions"`
	}
	var list []option
	if e := strict(body, &list); e != nil {
		return errors.Join(err, e)
	}
	var check func(o option) int
	check = func(o option) int {
		if !commandName.MatchString(o.Name) || o.Name != strings.ToLower(o.Name) {
			fail("the name %q", o.Name)
		}
		if n := length(o.Description); n < 1 || n > 100 {
			fail("%s: a description of %d characters", o.Name, n)
		}
		if len(o.Options) > 25 || o.Autocomplete && len(o.Choices) > 0 {
			fail("%s: too many options, or choices beside autocomplete", o.Name)
		}
		n, optional := length(o.Name)+length(o.Description), false
		for _, sub := range o.Options {
			if sub.Required && optional {
				fail("%s: %s is required behind an option that is not", o.Name, sub.Name)
			}
			optional = optional || !sub.Required
			n += check(sub)
		}
		return n
	}
	names := map[string]bool{}
	for _, c := range list {
		if n := check(c); n > 8000 {
			fail("%s has %d characters, at most 8000", c.Name, n)
		}
		if names[c.Name] {
			fail("%s is there twice", c.Name)
		}
		names[c.Name] = true
	}
	return err
}

// checkDirect tells what is wrong with a request for a direct conversation.
func checkDirect(body []byte) error {
	return errors.Join(validate(directSchema, body), strict(body, &struct {
		Person string `json:"recipient_id"`
	}{}))
}

// strict decodes body, and allows no other fields than v has.
func strict(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// length is in UTF-16 units, which are never fewer than what Discord counts.
func length(s string) int { return len(utf16.Encode([]rune(s))) }
