// Command load puts podium under the load of signed Slack commands over HTTP,
// beside an app of @slack/bolt that answers with a fixed text and a bare Go
// handler that checks the signature and answers with fixed JSON: the same
// requests, on one machine, in alternating rounds. From the root of the
// repository:
//
//	go run -C tools ./load
//
// It needs Linux, wrk, node and npm (Debian: apt install wrk nodejs npm) and,
// for what is not there yet, the registries of Go modules and npm. It prints
// requests a second, the 50th and 99th percentile of latency and what a request
// costs the program in processor time, as medians of the rounds, and ratios.
package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const secret = "8f742231b10e8888abcd99yyyzzz85a5"

//go:embed bolt requests.lua
var files embed.FS

var (
	rounds      = flag.Int("rounds", 5, "rounds")
	seconds     = flag.Int("seconds", 4, "seconds of load on each program in a round")
	connections = flag.Int("connections", 16, "connections")
	threads     = flag.Int("threads", 2, "threads of wrk")
	within      = flag.Duration("within", 10*time.Minute, "give up after this")
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "bare" {
		fail(bare(os.Args[2]))
		return
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *within)
	defer cancel()
	fail(run(ctx))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// bare serves the least that a signed command takes.
func bare(address string) error {
	return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !hmac.Equal([]byte(r.Header.Get("X-Slack-Signature")), []byte(sign(r.Header.Get("X-Slack-Request-Timestamp"), string(body)))) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"response_type":"ephemeral","text":"A fixed answer."}`)
	}))
}

func sign(timestamp, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	io.WriteString(mac, "v0:"+timestamp+":"+body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// bodies are 50 questions as Slack sends them, of as many people.
func bodies() []string {
	asks := []string{"how many troops are", "who is", "what is the goal of", "is there a date for", "tell me about"}
	of := []string{"iraq", "afghanistan", "john kirby", "the mission", "the withdrawal", "isis", "the talks", "lloyd austin", "the invitation", "the cost"}
	var all []string
	for _, ask := range asks {
		for _, what := range of {
			n := strconv.Itoa(len(all))
			all = append(all, url.Values{
				"token": {"legacy"}, "team_id": {"T0001"}, "team_domain": {"example"}, "channel_id": {"C2147483705"}, "channel_name": {"general"},
				"user_id": {"U21474836" + n}, "user_name": {"person" + n}, "command": {"/podium"}, "text": {ask + " " + what},
				"api_app_id": {"A123456"}, "is_enterprise_install": {"false"},
				"response_url": {"https://hooks.slack.com/commands/T0001/" + n}, "trigger_id": {"13345224609.738474920." + n},
			}.Encode())
		}
	}
	return all
}

// A target is one of the programs that are measured.
type target struct {
	name    string
	address string
	process int
	rounds  []round
}

// A round is what wrk measured; latencies are in milliseconds.
type round struct {
	Requests int
	Seconds  float64
	P50, P99 float64
	Errors   int
	cpu      time.Duration // the program's, a request
}

func (r round) rate() float64 { return float64(r.Requests) / r.Seconds }

func run(ctx context.Context) error {
	for _, tool := range []string{"wrk", "node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is missing: apt install wrk nodejs npm", tool)
		}
	}
	dir, err := os.MkdirTemp("", "podium-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, files); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "building podium, installing @slack/bolt")
	podium := filepath.Join(dir, "podium")
	if err := command(ctx, "..", "go", "build", "-o", podium, "./cmd/podium"); err != nil {
		return err
	}
	if err := command(ctx, filepath.Join(dir, "bolt"), "npm", "ci", "--no-audit", "--no-fund", "--silent"); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	all := []*target{{name: "bare handler"}, {name: "podium serve"}, {name: "@slack/bolt"}}
	for _, t := range all {
		if t.address, err = free(); err != nil {
			return err
		}
		_, port, _ := net.SplitHostPort(t.address)
		var cmd *exec.Cmd
		switch t.name {
		case "bare handler":
			cmd = exec.CommandContext(ctx, self, "bare", t.address)
		case "podium serve":
			cmd = exec.CommandContext(ctx, podium, "serve")
			// Slack itself is not needed to answer commands.
			cmd.Env = []string{"PODIUM_HTTP_ADDR=" + t.address, "PODIUM_SLACK_BOT_TOKEN=xoxb-load", "PODIUM_SLACK_SIGNING_SECRET=" + secret,
				"PODIUM_SLACK_API_URL=http://127.0.0.1:1/", "PODIUM_DATABASE_URL=sqlite:" + filepath.Join(dir, "podium.db")}
		default:
			cmd = exec.CommandContext(ctx, "node", "app.js")
			cmd.Env = append(os.Environ(), "NODE_ENV=production", "PORT="+port, "SECRET="+secret)
		}
		cmd.Dir = filepath.Join(dir, "bolt")
		var said bytes.Buffer
		cmd.Stderr = &said
		if t.name == "podium serve" {
			// A line for each answer, as operators have it; nobody reads it here.
			cmd.Stderr = nil
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		t.process = cmd.Process.Pid
		defer func() {
			cmd.Process.Kill()
			cmd.Wait()
		}()
		if err := t.ready(ctx); err != nil {
			return fmt.Errorf("%s does not answer: %w\n%s", t.name, err, &said)
		}
	}
	for _, t := range all {
		if err := t.check(); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		if _, err := t.load(ctx, dir, 2); err != nil { // warm-up
			return err
		}
	}
	for n := range *rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", n+1, *rounds)
		for i := range all {
			t := all[(i+n)%len(all)]
			r, err := t.load(ctx, dir, *seconds)
			if err != nil {
				return err
			}
			t.rounds = append(t.rounds, r)
		}
	}
	report(os.Stdout, all)
	return nil
}

func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, args[0], err)
	}
	return nil
}

// free is an address of this machine where nobody listens.
func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// ready waits until the program listens.
func (t *target) ready(ctx context.Context) error {
	for {
		c, err := net.Dial("tcp", t.address)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// check sends each question once, and one whose signature is wrong.
func (t *target) check() error {
	answers := map[string]bool{}
	for _, body := range bodies() {
		status, answer, err := t.send(body, sign)
		if err != nil {
			return err
		}
		var said struct{ Text string }
		if err := json.Unmarshal(answer, &said); status != http.StatusOK || err != nil || said.Text == "" {
			return fmt.Errorf("answered %d %.100q", status, answer)
		}
		answers[said.Text] = true
	}
	if status, _, err := t.send(bodies()[0], func(string, string) string { return "v0=" + strings.Repeat("0", 64) }); err != nil || status != http.StatusUnauthorized {
		return errors.Join(err, fmt.Errorf("a wrong signature is answered %d, want 401", status))
	}
	fmt.Fprintf(os.Stderr, "%s: %d different answers to 50 questions\n", t.name, len(answers))
	return nil
}

func (t *target) send(body string, sign func(timestamp, body string) string) (status int, answer []byte, err error) {
	r, err := http.NewRequest(http.MethodPost, "http://"+t.address+"/slack/commands", strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Slack-Request-Timestamp", now)
	r.Header.Set("X-Slack-Signature", sign(now, body))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// load has wrk send the questions, freshly signed, for so many seconds.
func (t *target) load(ctx context.Context, dir string, seconds int) (round, error) {
	var signed strings.Builder
	now := strconv.FormatInt(time.Now().Unix(), 10)
	for _, body := range bodies() {
		fmt.Fprintln(&signed, now, sign(now, body), body)
	}
	questions := filepath.Join(dir, "requests")
	if err := os.WriteFile(questions, []byte(signed.String()), 0o600); err != nil {
		return round{}, err
	}
	before, err := t.cpu()
	if err != nil {
		return round{}, err
	}
	out, err := exec.CommandContext(ctx, "wrk", "-t", strconv.Itoa(*threads), "-c", strconv.Itoa(*connections), "-d", strconv.Itoa(seconds)+"s",
		"-s", filepath.Join(dir, "requests.lua"), "http://"+t.address, "--", questions).CombinedOutput()
	if err != nil {
		return round{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	var r round
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		return r, fmt.Errorf("wrk says\n%s", out)
	}
	if r.Errors > 0 {
		return r, fmt.Errorf("%s answered %d of %d requests with an error", t.name, r.Errors, r.Requests)
	}
	after, err := t.cpu()
	r.cpu = (after - before) / time.Duration(max(r.Requests, 1))
	return r, err
}

// cpu is the processor time that the program has used.
func (t *target) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", t.process))
	if err != nil {
		return 0, err
	}
	// Behind the name, which stands in parentheses, user and system time are the 12th and 13th field, in hundredths of a second.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat is %q", t.process, stat)
	}
	user, err := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err, err2)
}

// report prints medians and ratios. Ratios are taken within each round.
func report(w io.Writer, all []*target) {
	fmt.Fprintf(w, "%-14s %12s %10s %10s %14s\n", "", "requests/s", "p50 ms", "p99 ms", "us a request")
	for _, t := range all {
		fmt.Fprintf(w, "%-14s %12.0f %10.2f %10.2f %14.1f\n", t.name,
			median(t.rounds, round.rate), median(t.rounds, func(r round) float64 { return r.P50 }), median(t.rounds, func(r round) float64 { return r.P99 }),
			median(t.rounds, func(r round) float64 { return float64(r.cpu.Nanoseconds()) / 1000 }))
	}
	bare, podium, bolt := all[0].rounds, all[1].rounds, all[2].rounds
	ratio := func(other []round, of func(round) float64) float64 {
		ratios := make([]float64, len(podium))
		for i := range podium {
			ratios[i] = of(podium[i]) / of(other[i])
		}
		return median(ratios, func(r float64) float64 { return r })
	}
	p99 := func(r round) float64 { return r.P99 }
	fmt.Fprintf(w, "\npodium to bolt:  %.1f times the requests a second (to reach: 4), %.2f times the p99 (at most 1)\n", ratio(bolt, round.rate), ratio(bolt, p99))
	fmt.Fprintf(w, "podium to bare:  %.2f times the requests a second (to reach: 0.4)\n", ratio(bare, round.rate))
}

func median[T any](list []T, of func(T) float64) float64 {
	values := make([]float64, len(list))
	for i, v := range list {
		values[i] = of(v)
	}
	slices.Sort(values)
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}
