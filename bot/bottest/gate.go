package bottest

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// A Gate stands before a database server and keeps everybody from it while it
// is shut.
type Gate struct {
	Address string // of the database, by way of the gate

	mu    sync.Mutex
	shut  bool
	held  chan struct{} // closed when it opens again; nil: it does not hold
	conns []net.Conn
}

// NewGate returns an open gate to the database at address (postgres://...),
// which goes when the test ends.
func NewGate(t testing.TB, address string) *Gate {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	to := u.Host
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u.Host = l.Addr().String()
	g := &Gate{Address: u.String()}
	t.Cleanup(func() {
		l.Close()
		g.Shut()
	})
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			g.pass(in, to)
		}
	}()
	return g
}

func (g *Gate) pass(in net.Conn, to string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		in.Close()
		return
	}
	out, err := net.Dial("tcp", to)
	if err != nil {
		in.Close()
		return
	}
	g.conns = append(g.conns, in, out)
	for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
		go func() {
			// It ends when the one or the other is closed.
			_, _ = io.Copy(holding{g, pair[0]}, pair[1])
			pair[0].Close()
		}()
	}
}

// holding writes once the gate does not hold.
type holding struct {
	gate *Gate
	to   io.Writer
}

func (h holding) Write(p []byte) (int, error) {
	h.gate.mu.Lock()
	held := h.gate.held
	h.gate.mu.Unlock()
	if held != nil {
		<-held
	}
	return h.to.Write(p)
}

// Hold leaves the connections up and lets nothing through them until Open, as a
// network does that swallows packets.
func (g *Gate) Hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = make(chan struct{})
}

// release lets what is held through.
func (g *Gate) release() {
	if g.held != nil {
		close(g.held)
		g.held = nil
	}
}

// Shut ends the connections and lets no others through.
func (g *Gate) Shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.release()
	g.shut = true
	for _, c := range g.conns {
		c.Close()
	}
	g.conns = nil
}

// Open lets connections through again.
func (g *Gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.release()
	g.shut = false
}
