package bot

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// A Finding is what a look at one thing has shown, for an operator.
type Finding struct {
	Level  Level
	About  string // what was looked at: "slack token"
	What   string // how it stands
	Remedy string // what to do about it; empty where all is well
}

// Level is how much a Finding matters.
type Level string

const (
	OK   Level = "ok"
	Warn Level = "warn" // podium works, and somebody should know
	Fail Level = "FAIL" // podium, or a part of it, does not work
)

// A Checker is an Adapter that can tell what is wrong with its settings and
// with its place on the platform.
type Checker interface {
	// Check looks at the settings and, unless offline, asks the platform. It
	// changes nothing there, and works beside an adapter that runs. No finding
	// holds a secret.
	Check(ctx context.Context, offline bool) []Finding
}

// Unreachable says why a call over the network brought no answer, and what
// helps. It names no address beyond a host, since addresses may hold secrets.
func Unreachable(err error) (why, remedy string) {
	if why, remedy, ok := outage(err); ok {
		return why, remedy
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return err.Error(), checkNetwork
}

// Advice is what Unreachable says, in one piece for a line of the log that has
// err itself. It is empty if that tells no more.
func Advice(err error) string {
	if why, remedy, ok := outage(err); ok {
		return why + ": " + remedy
	}
	return ""
}

const (
	checkSettings = "the address in the settings, and HTTPS_PROXY if it needs a proxy"
	checkNetwork  = "check this machine's network, " + checkSettings
)

// outage knows what keeps a call from its answer.
func outage(err error) (why, remedy string, known bool) {
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "proxyconnect" {
		return "the proxy does not answer: " + e.Err.Error(), "check HTTPS_PROXY, and that the proxy runs", true
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Sprintf("the name %s is not found (%s)", e.Name, e.Err), "check this machine's DNS and network, " + checkSettings, true
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		return "its certificate has expired or is not valid yet", "check this machine's clock; if that is right, the certificate has to be renewed over there", true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "its certificate is signed by nobody whom this machine trusts", "install the system's authorities (Debian's package ca-certificates); if a proxy opens the connections, let SSL_CERT_FILE name a file with its authority's certificate", true
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return "its certificate is not for " + e.Host, checkNetwork, true
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "the connection was refused", checkNetwork, true
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return "another site answers there, or a proxy in its place", checkNetwork, true
	}
	if strings.HasSuffix(err.Error(), http.StatusText(http.StatusProxyAuthRequired)) {
		return "the proxy wants a name and a password", "write them into HTTPS_PROXY: http://NAME:PASSWORD@proxy.example.org:3128", true
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return "no answer came in time", checkNetwork, true
	}
	return "", "", false
}

// Platforms refuse, and podium refuses of them, what was signed five minutes
// before or after; a clock that is off by a minute will be there soon.
const (
	clockWarn = 2 * time.Second
	clockFail = time.Minute
)

// CheckClock compares this machine's clock with a platform's: with the Date of
// the header of its answer to a request that was sent at one time and answered
// at another, by this machine's clock.
func CheckClock(about string, header http.Header, sent, answered time.Time) Finding {
	f := Finding{Level: OK, About: about}
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		f.Level, f.What, f.Remedy = Warn, "the answer has no Date to compare this machine's clock with", "compare it with another clock"
		return f
	}
	// The platform's clock was read between the two, and its Date leaves out
	// the fractions of a second.
	var off time.Duration // how far this machine is ahead
	switch {
	case sent.After(date.Add(time.Second)):
		off = sent.Sub(date.Add(time.Second))
	case answered.Before(date):
		off = answered.Sub(date)
	}
	where := "ahead of"
	if off < 0 {
		where = "behind"
	}
	if size := off.Abs(); size > clockWarn {
		f.Level = Warn
		if size > clockFail {
			f.Level = Fail
		}
		f.What = fmt.Sprintf("this machine's clock is %s %s the platform's; signatures are refused at five minutes", size.Round(time.Second), where)
		f.Remedy = "set the clock, and keep it right by NTP (timedatectl set-ntp true)"
		return f
	}
	f.What = "within 2 s of the platform's"
	return f
}
