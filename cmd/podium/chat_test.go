package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestChatInPipe has a conversation with the announcement that podium brings
// along: a follow-up question keeps its context, a number picks a choice.
func TestChatInPipe(t *testing.T) {
	in := strings.Join([]string{
		"how many troops are in iraq rn", "and in afghanistan?", "\x1b[2Jwhat does this cost the taxpayer", "thanks!", "topics", "1", "exit", "never asked",
	}, "\n")
	var out, log strings.Builder
	if err := run(t.Context(), []string{"chat"}, nil, strings.NewReader(in), &out, &log); err != nil {
		t.Fatal(err)
	}
	if log.Len() > 0 {
		t.Errorf("stderr = %q, want nothing", log.String())
	}
	replies := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n\n")
	want := []string{
		"The US has some 2,500 troops in Iraq.",
		"2,500 troops remain in Afghanistan.",
		"The announcement does not say.",
		"You're welcome.",
		"The announcement covers:\n1. ",
	}
	if len(replies) != 6 {
		t.Fatalf("%d replies, want 6: %q", len(replies), replies)
	}
	for i, begin := range want {
		if !strings.HasPrefix(replies[i], begin) {
			t.Errorf("reply %d is %q, want it to begin with %q", i+1, replies[i], begin)
		}
	}
	if got := replies[5]; !strings.Contains(got, "Announcement of 7 April 2021, sentence") {
		t.Errorf("the first topic has the reply %q, want an answer with its source", got)
	}
	if strings.ContainsAny(out.String(), "\x1b\a") || strings.Contains(out.String(), "> ") {
		t.Errorf("codes or a prompt in a pipe: %q", out.String())
	}
}

func TestChatUsage(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("announcement: {title: A}\nsource: |\n  It rains.\nintents:\n  - id: rain\n    title: Rain\n    answers: [{text: It snows 7 times., evidence: [It snows.]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"argument", []string{"chat", "hello"}, 2, "hello"},
		{"no such file", []string{"chat", "--knowledge", filepath.Join(t.TempDir(), "none.yaml")}, 2, "none.yaml"},
		{"broken gate", []string{"chat", "--knowledge", broken}, 2, "broken.yaml:7:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, log strings.Builder
			err := run(t.Context(), test.args, nil, strings.NewReader("hello\n"), &out, &log)
			if got := exitCode(err); got != test.code {
				t.Errorf("exit code %d, want %d: %v", got, test.code, err)
			}
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want it to name %q", err, test.says)
			}
			if out.Len() > 0 {
				t.Errorf("stdout = %q, want nothing", out.String())
			}
		})
	}
}

// BenchmarkChatMemory reports the memory that podium chat holds after 1,000
// questions.
func BenchmarkChatMemory(b *testing.B) {
	forms := []string{
		"how many troops are in %s", "when do they leave %s", "what did kirby say about %s", "what does %s cost", "who decides on %s, and why",
		"is the mission in %s over", "did price mention %s", "tell me about %s", "and in %s?", "what is %s",
	}
	subjects := []string{"iraq", "afghanistan", "syria", "isis", "the invitation", "the deadline", "the footprint", "the coalition", "the talks", "the review"}
	for b.Loop() {
		cmd := podium(b, nil, "chat")
		in, err := cmd.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		go func() {
			for i := range 1000 {
				fmt.Fprintf(in, forms[i%10]+" %d\n", subjects[i/10%10], i)
			}
		}()
		// A blank line begins every reply but the first.
		replies := 1
		for lines := bufio.NewScanner(out); replies < 1000 && lines.Scan(); {
			if lines.Text() == "" {
				replies++
			}
		}
		if replies != 1000 {
			b.Fatalf("%d replies, want 1000", replies)
		}
		b.ReportMetric(resident(b, cmd.Process.Pid), "MB-resident")
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
	}
}
