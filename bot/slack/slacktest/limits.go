package slacktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// check finds what is wrong with a message.
func (s *Server) check(m Message, blocks json.RawMessage) error {
	if err := CheckMessage(m.Text, blocks, m.Method == "chat.update"); err != nil || s.Check == nil {
		return err
	}
	return s.Check(blocks)
}

// CheckMessage finds what Slack would refuse in a message, and what would ping
// somebody. An update holds less than a new message.
func CheckMessage(text string, blocks json.RawMessage, update bool) error {
	most := 40_000
	if update {
		most = 4_000
	}
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		return errors.New("no text")
	case n > most:
		return fmt.Errorf("the text has %d characters", n)
	}
	if live := Live(text); live != "" {
		return fmt.Errorf("the text pings: %s", live)
	}
	var list []Block
	if err := json.Unmarshal(blocks, &list); err != nil {
		return err
	}
	return checkBlocks(list, 50)
}

func checkBlocks(blocks []Block, most int) error {
	if len(blocks) > most {
		return fmt.Errorf("%d blocks", len(blocks))
	}
	total, ids := 0, map[string]bool{}
	text := func(t Text, limit int) error {
		n := utf8.RuneCountInString(t.Text)
		total += n
		switch live := Live(t.Text); {
		case n == 0:
			return errors.New("an empty text")
		case n > limit:
			return fmt.Errorf("a text of %d characters: %.40q", n, t.Text)
		case t.Type == "mrkdwn" && !t.Verbatim:
			return fmt.Errorf("mentions would be looked for in %.40q", t.Text)
		case live != "":
			return fmt.Errorf("a block pings: %s", live)
		}
		return nil
	}
	for _, b := range blocks {
		switch b.Type {
		case "section":
			if b.Text == nil {
				return errors.New("a section without a text")
			}
			if err := text(*b.Text, 3000); err != nil {
				return err
			}
		case "context":
			if n := len(b.Elements); n == 0 || n > 10 {
				return fmt.Errorf("%d elements in a context", n)
			}
			for _, e := range b.Elements {
				var t string
				if err := json.Unmarshal(e.Text, &t); err != nil {
					return err
				}
				if err := text(Text{Type: e.Type, Text: t, Verbatim: e.Verbatim}, 3000); err != nil {
					return err
				}
			}
		case "actions":
			if n := len(b.Elements); n == 0 || n > 25 {
				return fmt.Errorf("%d elements in actions", n)
			}
			for _, e := range b.Elements {
				if err := text(Text{Type: "plain_text", Text: e.Label()}, 75); err != nil {
					return err
				}
				total += len(e.Value)
				if len(e.Value) > 2000 || e.ActionID == "" || len(e.ActionID) > 255 || ids[e.ActionID] {
					return fmt.Errorf("a button with the action_id %q and %d bytes of value", e.ActionID, len(e.Value))
				}
				ids[e.ActionID] = true
			}
		case "divider":
		default:
			return fmt.Errorf("a block of type %q", b.Type)
		}
	}
	if total > 13_200 {
		return fmt.Errorf("%d characters in all blocks", total)
	}
	return nil
}

// Schema returns a check of blocks by a JSON Schema, such as the one that Slack
// publishes.
func Schema(file string) (check func(blocks json.RawMessage) error, err error) {
	schema, err := jsonschema.NewCompiler().Compile(file)
	if err != nil {
		return nil, err
	}
	return func(blocks json.RawMessage) error {
		var list []any
		if err := json.Unmarshal(blocks, &list); err != nil {
			return err
		}
		for _, b := range list {
			if err := schema.Validate(b); err != nil {
				return fmt.Errorf("%v: %w", b, err)
			}
		}
		return nil
	}, nil
}

var live = regexp.MustCompile(`<[@#!][^>]*>?`)

// Live is the first stretch of text, as it goes to Slack, that would ping
// somebody or link to a channel; empty if there is none.
func Live(text string) string { return live.FindString(text) }
