package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"podium/bot/discord/discordtest"
	"podium/bot/slack/slacktest"
)

// An authority signs certificates that nobody trusts but those who name its
// file.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	file string // for SSL_CERT_FILE
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tests"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{key, cert, written(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))}
}

// serve starts a TLS server with a certificate for names that ends at a time.
func (a *authority) serve(t *testing.T, h http.Handler, until time.Time, names ...string) *httptest.Server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: until.Add(-24 * time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// behind passes requests on to a server, and says under which name its
// websocket can be reached.
func behind(t *testing.T, address, websocket string) http.Handler {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p := httputil.NewSingleHostReverseProxy(u)
	p.ErrorLog = log.New(io.Discard, "", 0)
	p.ModifyResponse = func(r *http.Response) error {
		if r.StatusCode != http.StatusOK {
			return nil
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		body = bytes.ReplaceAll(body, []byte("ws://"+u.Host), []byte("wss://"+websocket))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", fmt.Sprint(len(body)))
		return nil
	}
	return p
}

// A connector is a proxy that lets those through who know the password, all of
// them to one address.
type connector struct {
	*httptest.Server
	to string

	mu    sync.Mutex
	asked []string // the hosts and ports, each once
}

func newConnector(t *testing.T, to string) *connector {
	t.Helper()
	c := &connector{to: to}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *connector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Header.Set("Authorization", r.Header.Get("Proxy-Authorization"))
	if name, password, _ := r.BasicAuth(); r.Method != http.MethodConnect || name != "podium" || password != "hunter2" {
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	c.mu.Lock()
	if !slices.Contains(c.asked, r.Host) {
		c.asked = append(c.asked, r.Host)
	}
	c.mu.Unlock()
	there, err := net.Dial("tcp", c.to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusOK)
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		there.Close()
		return
	}
	go func() {
		defer here.Close()
		_, _ = io.Copy(here, there)
	}()
	defer there.Close()
	_, _ = io.Copy(there, buffered)
}

// TestProxy has all that podium says to Slack and Discord go through a proxy,
// to servers whose certificates are signed by an authority of the house.
func TestProxy(t *testing.T) {
	slack, discord, ca := newSlack(t), newDiscord(t), newAuthority(t)
	said := make(chan discordtest.Sent, 10)
	discord.OnSent = func(m discordtest.Sent) { said <- m }
	slacks, discords := behind(t, slack.URL, "wss.slack.test"), behind(t, discord.URL, "gateway.discord.test")
	there := ca.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Host, "slack.test") {
			slacks.ServeHTTP(w, r)
			return
		}
		discords.ServeHTTP(w, r)
	}), time.Now().Add(time.Hour), "slack.test", "wss.slack.test", "discord.test", "gateway.discord.test")
	proxy := newConnector(t, there.Listener.Addr().String())
	environ := []string{"HTTPS_PROXY=http://podium:hunter2@" + proxy.Listener.Addr().String(), "SSL_CERT_FILE=" + ca.file,
		"PODIUM_SLACK_BOT_TOKEN=" + slacktest.BotToken, "PODIUM_SLACK_APP_TOKEN=" + slacktest.AppToken, "PODIUM_SLACK_API_URL=https://slack.test/api/",
		"PODIUM_DISCORD_TOKEN=" + discordtest.Token, "PODIUM_DISCORD_API_URL=https://discord.test/", "PODIUM_DATABASE_URL=" + sqliteFile(t)}
	serving := startServe(t, environ...)
	if err := slack.Wait(t.Context(), func() bool { return slack.Sockets() == 1 }); err != nil {
		t.Fatal(err)
	}
	if err := slack.Socket().Event(t.Context(), slack.DM("where does the office move")); err != nil {
		t.Fatal(err)
	}
	if all, err := slack.WaitMessages(t.Context(), 1); err != nil || !strings.Contains(all[0].Text, "Main Street") {
		t.Errorf("podium said %v in Slack, %v", all, err)
	}
	if err := discord.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := discord.Interact(discord.Interaction(2, discordtest.Command("ask", "question", "where does the office move"), nil)); err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-said:
		if !strings.Contains(m.Text(), "Main Street") {
			t.Errorf("podium said %q in Discord", m.Text())
		}
	case <-time.After(90 * time.Second):
		t.Fatal("podium said nothing in Discord")
	}
	if err := discord.Until(t.Context(), func() bool { return len(discord.Requests("PUT /applications/")) > 0 }); err != nil {
		t.Fatal(err)
	}
	doctor := podium(t, append(environ, "PODIUM_HTTP_ADDR=127.0.0.1:0", office(t)), "doctor")
	out, err := doctor.CombinedOutput()
	if err != nil || strings.Contains(string(out), "FAIL") || strings.Contains(string(out), "hunter2") {
		t.Errorf("podium doctor through a proxy: %v\n%s", err, out)
	}
	serving.stop(t)
	proxy.mu.Lock()
	defer proxy.mu.Unlock()
	slices.Sort(proxy.asked)
	if want := []string{"discord.test:443", "gateway.discord.test:443", "slack.test:443", "wss.slack.test:443"}; !slices.Equal(proxy.asked, want) {
		t.Errorf("the proxy was asked for %q, want %q", proxy.asked, want)
	}
}

// TestOutages has a platform out of reach in every way: podium serve says so in
// one line an attempt, tries again, holds no secret in its log, and ends on
// SIGTERM. doctor says the same and what to do.
func TestOutages(t *testing.T) {
	ca := newAuthority(t)
	html := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>\n<p>Please log in\n</html>\n") })
	expired := ca.serve(t, html, time.Now().Add(-time.Hour))
	portal := ca.serve(t, html, time.Now().Add(time.Hour))
	refusing := newConnector(t, "127.0.0.1:1")
	for _, c := range []struct {
		name    string
		address string // of both platforms
		environ []string
		says    string // serve, in a line that tells of another attempt
		doctor  string
	}{
		{"nobody listens", "https://127.0.0.1:1/", nil, "connection refused", "the connection was refused"},
		{"no such name", "https://" + strings.Repeat("x", 64) + ".test/", nil, "no such host", "is not found (no such host)"},
		{"expired certificate", expired.URL + "/", []string{"SSL_CERT_FILE=" + ca.file}, "certificate has expired", "its certificate has expired"},
		{"unknown authority", portal.URL + "/", []string{"SSL_CERT_FILE=" + filepath.Join(t.TempDir(), "none")}, "certificate signed by unknown authority", "SSL_CERT_FILE"},
		{"another name's certificate", strings.Replace(portal.URL, "127.0.0.1", "localhost", 1) + "/", []string{"SSL_CERT_FILE=" + ca.file}, "certificate is not valid for any names", "its certificate is not for localhost"},
		{"another site answers", portal.URL + "/", []string{"SSL_CERT_FILE=" + ca.file}, "another site answers at PODIUM_", "another site answers there"},
		{"no proxy there", "https://slack.test/", []string{"HTTPS_PROXY=http://podium:hunter2@127.0.0.1:1"}, "proxyconnect tcp: dial tcp 127.0.0.1:1: connect: connection refused", "check HTTPS_PROXY"},
		{"proxy refuses", "https://slack.test/", []string{"HTTPS_PROXY=http://podium:hunter2-but-wrong@" + refusing.Listener.Addr().String()}, "Proxy Authentication Required", "the proxy wants a name and a password"},
		{"proxy finds nothing", "https://slack.test/", []string{"HTTPS_PROXY=http://podium:hunter2@" + refusing.Listener.Addr().String()}, "Bad Gateway", "can not be reached at https://slack.test/: Bad Gateway"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			environ := append([]string{"PODIUM_SLACK_BOT_TOKEN=xoxb-hunter2", "PODIUM_SLACK_APP_TOKEN=xapp-hunter2", "PODIUM_SLACK_API_URL=" + c.address,
				"PODIUM_DISCORD_TOKEN=hunter2", "PODIUM_DISCORD_API_URL=" + c.address, "PODIUM_HTTP_ADDR=127.0.0.1:0", "PODIUM_DATABASE_URL=" + sqliteFile(t), office(t)}, c.environ...)
			serve := podium(t, environ, "serve")
			log := &watched{until: make(chan struct{})}
			said := map[string]bool{}
			log.enough = func(line string) bool {
				// A proxy's own words are all that there is, and that another site answers is plain.
				advised := strings.Contains(line, "remedy=") || slices.Contains([]string{"proxy finds nothing", "another site answers"}, c.name)
				if advised && strings.Contains(line, c.says) && strings.Contains(line, "level=WARN") && strings.Contains(line, "ing") { // connecting, trying
					said["slack"] = said["slack"] || strings.Contains(line, "platform=slack")
					said["discord"] = said["discord"] || strings.Contains(line, "platform=discord")
				}
				return len(said) == 2 && said["slack"] && said["discord"]
			}
			serve.Stderr = log
			if err := serve.Start(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-log.until:
			case <-time.After(2 * time.Minute):
				t.Errorf("podium serve does not say %q of both platforms", c.says)
			}
			if err := serve.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := serve.Wait(); err != nil {
				t.Errorf("podium serve ends with %v", err)
			}
			for line := range strings.Lines(log.text.String()) {
				if !strings.HasPrefix(line, "time=") || strings.Contains(line, "hunter2") || strings.Contains(line, "goroutine") {
					t.Errorf("podium serve says %q", line)
				}
			}
			out, err := podium(t, environ, "doctor").CombinedOutput()
			if text := string(out); err == nil || !strings.Contains(text, c.doctor) || strings.Contains(text, "hunter2") || strings.Count(text, "\nFAIL  slack") != 1 || strings.Count(text, "\nFAIL  discord") != 1 {
				t.Errorf("podium doctor: %v\n%s", err, text)
			}
		})
	}
}

// watched is a log that says when it has said enough.
type watched struct {
	text   bytes.Buffer
	enough func(line string) bool
	until  chan struct{}
	done   bool
}

func (w *watched) Write(p []byte) (int, error) {
	w.text.Write(p)
	for line := range strings.Lines(string(p)) {
		if !w.done && w.enough(line) {
			w.done = true
			close(w.until)
		}
	}
	return len(p), nil
}
