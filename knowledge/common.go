package knowledge

import (
	_ "embed"
	"strings"
	"sync"
)

// Talk is a kind of smalltalk.
type Talk string

const (
	Greeting  Talk = "greeting"
	Thanks    Talk = "thanks"
	Goodbye   Talk = "goodbye"
	Praise    Talk = "praise"
	Complaint Talk = "complaint"
	HowAreYou Talk = "how_are_you"
	AboutBot  Talk = "bot"
	Help      Talk = "help"
)

//go:embed common.txt
var commonText string

// utterance is something that people say to any bot.
type utterance struct {
	talk Talk
	text string
}

// common is what people type that is no question about an announcement,
// whatever it is about.
type common struct {
	talk      []utterance
	elsewhere []string // off topic, or meant to lead podium astray
	countries []string
}

// commonUtterances reads common.txt: a line "= class" starts a class, every
// other line is an example with alternations.
var commonUtterances = sync.OnceValue(func() (c common) {
	class := ""
	for line := range strings.Lines(commonText) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if name, ok := strings.CutPrefix(line, "= "); ok {
			class = name
			continue
		}
		examples, err := expand(line)
		if err != nil {
			panic("common.txt: " + err.Error())
		}
		for _, e := range examples {
			switch class {
			case "off_topic", "injection":
				c.elsewhere = append(c.elsewhere, e)
			case "countries":
				c.countries = append(c.countries, e)
			default:
				c.talk = append(c.talk, utterance{Talk(class), e})
			}
		}
	}
	return c
})
