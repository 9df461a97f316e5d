package bot

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCheckClock(t *testing.T) {
	now := time.Date(2026, 11, 26, 9, 0, 0, 500e6, time.UTC)
	for _, c := range []struct {
		ahead, took time.Duration // this machine's clock; how long the answer took
		want        Level
		says        string
	}{
		{0, 0, OK, "within 2 s"},
		{0, 30 * time.Second, OK, "within 2 s"}, // a slow answer is no wrong clock
		{2 * time.Second, 0, OK, "within 2 s"},
		{-2 * time.Second, 0, OK, "within 2 s"},
		{4 * time.Second, 0, Warn, "4s ahead of"},
		{-4 * time.Second, time.Second, Warn, "behind"},
		{55 * time.Second, 0, Warn, "ahead of"},
		{62 * time.Second, 0, Fail, "1m2s ahead of"},
		{-62 * time.Second, 0, Fail, "1m2s behind"},
		{-24 * time.Hour, 0, Fail, "24h0m0s behind"},
	} {
		header := http.Header{"Date": {now.Add(c.took / 2).UTC().Format(http.TimeFormat)}}
		got := CheckClock("clock", header, now.Add(c.ahead), now.Add(c.ahead+c.took))
		if got.Level != c.want || !strings.Contains(got.What, c.says) || (got.Remedy == "") != (c.want == OK) {
			t.Errorf("a clock that is %v ahead, an answer after %v: %+v, want %s and %q", c.ahead, c.took, got, c.want, c.says)
		}
	}
	for _, date := range []string{"", "yesterday"} {
		if got := CheckClock("clock", http.Header{"Date": {date}}, now, now); got.Level != Warn || got.Remedy == "" {
			t.Errorf("with the Date %q: %+v, want a warning", date, got)
		}
	}
}

func TestAdvice(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "slack.com"}}, "the name slack.com is not found (no such host): check this machine's DNS"},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "the connection was refused: check this machine's network"},
		{x509.UnknownAuthorityError{}, "ca-certificates"},
		{fmt.Errorf("look up the gateway: %w", errors.New("Proxy Authentication Required")), "the proxy wants a name and a password: write them into HTTPS_PROXY"},
		{errors.New("Bad Gateway"), ""},
	} {
		wrapped := &url.Error{Op: "Post", URL: "https://slack.com/hunter2", Err: c.err}
		if got := Advice(wrapped); !strings.Contains(got, c.want) || (got == "") != (c.want == "") || strings.Contains(got, "hunter2") {
			t.Errorf("Advice(%v) = %q, want %q", wrapped, got, c.want)
		}
	}
}
