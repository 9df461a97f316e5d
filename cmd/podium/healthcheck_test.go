package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestReachable(t *testing.T) {
	for _, c := range []struct{ addr, want string }{
		{"127.0.0.1:8080", "127.0.0.1:8080"},
		{"0.0.0.0:8080", "127.0.0.1:8080"},
		{":8080", "127.0.0.1:8080"},
		{"[::]:8080", "[::1]:8080"},
		{"[::1]:8080", "[::1]:8080"},
		{"10.0.0.7:80", "10.0.0.7:80"},
		{"podium.internal:80", "podium.internal:80"},
	} {
		if got := reachable(c.addr); got != c.want {
			t.Errorf("reachable(%q) = %q, want %q", c.addr, got, c.want)
		}
	}
}

// TestHealthcheck asks a server that is well, one that is not and none.
func TestHealthcheck(t *testing.T) {
	t.Chdir(t.TempDir())
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			t.Errorf("it asks for %s", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	environ := []string{"PODIUM_HTTP_ADDR=0.0.0.0:" + port}
	if got := runHere(t, environ, "healthcheck"); got.code != 0 || got.stdout != "" {
		t.Errorf("a server that is well: exit code %d, %v, stdout %q", got.code, got.err, got.stdout)
	}
	status = http.StatusInternalServerError
	if got := runHere(t, environ, "healthcheck"); got.code != 1 || !strings.Contains(got.err.Error(), "500") {
		t.Errorf("a server that is not: exit code %d, %v", got.code, got.err)
	}
	server.Close()
	if got := runHere(t, nil, "healthcheck", "--http-addr", "127.0.0.1:"+port); got.code != 1 || !strings.Contains(got.err.Error(), "refused") {
		t.Errorf("no server: exit code %d, %v", got.code, got.err)
	}
}

func TestVersion(t *testing.T) {
	release = "v1.2.0+0123abc"
	defer func() { release = "" }()
	if got := runHere(t, nil, "version"); got.stdout != "podium v1.2.0+0123abc\n" {
		t.Errorf("podium version prints %q", got.stdout)
	}
}
