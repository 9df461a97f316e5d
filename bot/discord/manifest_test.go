package discord_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"

	"podium/bot/discord"
)

// calls are the permissions that each call of podium's needs in a channel, by
// the method of discordgo's session or the address that it goes to.
var calls = map[string][]string{
	"Gateway":                           nil,
	"User":                              nil,
	"UserChannelCreate":                 nil,
	"Channel":                           {"View Channels"},
	"UserChannelPermissions":            {"View Channels"},
	"EndpointAPI":                       nil, // applications/@me
	"EndpointGateway":                   nil,
	"EndpointUser":                      nil,
	"EndpointApplicationGlobalCommands": nil,
	"EndpointApplicationGuildCommands":  nil,
	"EndpointInteractionResponse":       nil,
	"EndpointWebhookToken":              nil,
	"EndpointWebhookMessage":            nil,
	// Reading them, and sending one that has an embed and refers to another.
	"EndpointChannelMessages": {"View Channels", "Send Messages", "Send Messages in Threads", "Embed Links", "Read Message History"},
}

// TestPermissionsAreThoseOfTheCalls reads the package's source for the calls
// that it makes.
func TestPermissionsAreThoseOfTheCalls(t *testing.T) {
	var made, want, got []string
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if method, ok := call.Fun.(*ast.SelectorExpr); ok && named(method.X, "session") && !strings.HasPrefix(method.Sel.Name, "Request") {
					made = append(made, method.Sel.Name)
				}
			}
			if name, ok := n.(*ast.SelectorExpr); ok && named(name.X, "discordgo") && strings.HasPrefix(name.Sel.Name, "Endpoint") {
				made = append(made, name.Sel.Name)
			}
			return true
		})
	}
	for _, call := range made {
		permissions, known := calls[call]
		if !known {
			t.Errorf("which permissions %s needs is not known", call)
		}
		want = append(want, permissions...)
	}
	for call := range calls {
		if !slices.Contains(made, call) {
			t.Errorf("podium does not call %s", call)
		}
	}
	for _, p := range discord.Permissions() {
		got = append(got, p.Name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if want = slices.Compact(want); !slices.Equal(got, want) {
		t.Errorf("Permissions() = %q, want %q", got, want)
	}
}

// named reports whether x is name, or x.name.
func named(x ast.Expr, name string) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name == name
	case *ast.SelectorExpr:
		return x.Sel.Name == name
	}
	return false
}
