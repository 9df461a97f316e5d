package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"podium/bot/slack/slacktest"
)

// soakQuestions is how many questions TestSoak asks. In full:
//
//	go test ./cmd/podium -run TestSoak -v -timeout 60m -soak.questions 1000000
var soakQuestions = flag.Int("soak.questions", 20_000, "questions of the soak test")

// TestSoak asks the real program many questions, as signed slash commands over
// HTTP, each of another person, and looks at its memory: it rests at 40 MB or
// less before, and does not come to hold more than 80.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("the plain run does it: what is measured is the program as it is built")
	}
	const atRest, atMost = 40, 80 // MB
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	s := newSlack(t)
	cmd := exec.Command(binary, "serve")
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PODIUM_HTTP_ADDR=127.0.0.1:0", "PODIUM_LOG_FORMAT=json", "PODIUM_SLACK_API_URL=" + s.APIURL,
		"PODIUM_SLACK_BOT_TOKEN=" + slacktest.BotToken, "PODIUM_SLACK_SIGNING_SECRET=" + slacktest.Secret}
	p := attend(t, s, startProcess(t, cmd))
	pid := p.cmd.Process.Pid
	before := resident(t, pid)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); before > atRest && time.Now().Before(deadline); before = resident(t, pid) {
		<-tick.C
	}
	if before > atRest {
		t.Errorf("podium serve rests at %.1f MB, want at most %d", before, atRest)
	}
	t.Logf("at rest %.1f MB", before)

	var asking sync.WaitGroup
	var n atomic.Int64
	questions := soakTexts(t)
	begin, most := time.Now(), before
	var mu sync.Mutex
	for range 4 {
		asking.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for {
				i := int(n.Add(1)) - 1
				if i >= *soakQuestions {
					return
				}
				body := []byte(url.Values{
					"command": {"/podium"}, "text": {questions[i%len(questions)]}, "team_id": {"T1"},
					"user_id": {fmt.Sprintf("U%07d", i)}, "channel_id": {fmt.Sprintf("C%04d", i%5000)},
				}.Encode())
				if err := soakAsk(client, "http://"+p.address+"/slack/commands", body); err != nil {
					t.Errorf("question %d: %v", i, err)
					return
				}
				if i%(max(*soakQuestions, 10)/10) == 0 {
					mu.Lock()
					now := resident(t, pid)
					most = max(most, now)
					t.Logf("after %d questions, %v: %.1f MB", i, time.Since(begin).Round(time.Second/10), now)
					mu.Unlock()
				}
			}
		})
	}
	asking.Wait()
	after := resident(t, pid)
	t.Logf("after %d questions, %v: %.1f MB", *soakQuestions, time.Since(begin).Round(time.Second/10), after)
	if most = max(most, after); most > atMost {
		t.Errorf("podium serve came to hold %.1f MB, want at most %d", most, atMost)
	}
	if log, code := p.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d, want 0; the log ends\n%s", code, log[max(0, len(log)-2000):])
	}
}

// soakAsk asks and reads the answer.
func soakAsk(client *http.Client, address string, body []byte) error {
	req, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	slacktest.Sign(req.Header, slacktest.Secret, time.Now(), body)
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || !bytes.Contains(text, []byte(`"blocks"`))) {
		err = fmt.Errorf("%s, %.200s", res.Status, text)
	}
	return err
}

// soakTexts are the questions that the matcher is graded on.
func soakTexts(t *testing.T) (list []string) {
	paths, err := filepath.Glob("../../knowledge/testdata/questions-*.jsonl")
	if err != nil || len(paths) == 0 {
		t.Fatal("no questions: ", err)
	}
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var q struct{ Q string }
			if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
				t.Fatal(path, ": ", err)
			}
			list = append(list, q.Q)
		}
		f.Close()
	}
	return list
}
