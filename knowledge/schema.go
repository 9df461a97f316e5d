package knowledge

import "encoding/json"

// Schema returns the JSON Schema (draft 2020-12) of the knowledge file, for
// editors that complete and check YAML as it is typed. It is made of the same
// tables of keys that the file is read by.
func Schema() ([]byte, error) {
	text := object{"type": "string"}
	texts := object{"anyOf": []any{text, object{"type": "array", "items": text}}}
	list := func(item object) object { return object{"type": "array", "items": item} }
	textMap := object{"type": "object", "additionalProperties": text}
	evidence := object{"anyOf": []any{text, mapSchema([]key{{name: "text", required: true}, {name: "speaker"}}, nil)}}
	answer := mapSchema(answerKeys(&answerNode{}), map[string]object{
		"when": textMap, "notes": texts, "evidence": {"anyOf": []any{text, list(evidence)}},
		"status": {"enum": []any{Stated, NotSet, NotSaid}},
	})
	id := object{"type": "string", "pattern": idPattern.String()}
	top := mapSchema(fileKeys(&file{}), map[string]object{
		"announcement": mapSchema(announcementKeys(&file{}), nil),
		"source":       {"anyOf": []any{text, mapSchema([]key{{name: "file", required: true}}, nil)}},
		"entities":     list(mapSchema(entityKeys(&entityNode{}), map[string]object{"id": id, "aliases": texts})),
		"words":        {"type": "object", "additionalProperties": texts},
		"quotes":       list(mapSchema(quoteKeys(&quoteNode{}), map[string]object{"id": id, "topics": texts})),
		"intents":      list(mapSchema(intentKeys(&intentNode{}), map[string]object{"id": id, "examples": texts, "answers": list(answer)})),
		"off_topic":    texts,
	})
	top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	top["title"] = "podium knowledge file"
	return json.MarshalIndent(top, "", "  ")
}

type object map[string]any

// mapSchema is the schema of a mapping: its keys are texts unless types says
// otherwise.
func mapSchema(keys []key, types map[string]object) object {
	properties, required := object{}, []string{}
	for _, k := range keys {
		t, ok := types[k.name]
		if !ok {
			// An unquoted number or date is read as text.
			t = object{"type": []string{"string", "number", "boolean"}}
		}
		p := object{}
		for name, v := range t {
			p[name] = v
		}
		if k.help != "" {
			p["description"] = k.help
		}
		properties[k.name] = p
		if k.required {
			required = append(required, k.name)
		}
	}
	return object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}
