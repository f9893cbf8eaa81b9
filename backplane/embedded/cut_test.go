package embedded

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// relay passes connections on to an address, until it is frozen: then nothing
// moves, and nobody is told, as when a cable is pulled.
type relay struct {
	l    net.Listener
	gate sync.RWMutex // held while frozen

	mu    sync.Mutex
	to    string
	conns []net.Conn
	tasks sync.WaitGroup
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{l: l}
	r.tasks.Go(r.accept)
	t.Cleanup(func() {
		_ = l.Close()
		r.mu.Lock()
		for _, c := range r.conns {
			_ = c.Close()
		}
		r.mu.Unlock()
		r.tasks.Wait()
	})
	return r
}

func (r *relay) accept() {
	for {
		in, err := r.l.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		out, err := net.Dial("tcp", r.to)
		if err != nil {
			_ = in.Close()
			r.mu.Unlock()
			continue
		}
		r.conns = append(r.conns, in, out)
		r.mu.Unlock()
		r.tasks.Go(func() { r.pass(in, out) })
		r.tasks.Go(func() { r.pass(out, in) })
	}
}

func (r *relay) pass(from, to net.Conn) {
	defer func() { _, _ = from.Close(), to.Close() }()
	_, _ = io.Copy(to, gated{from, &r.gate})
}

// gated reads only while its gate is open.
type gated struct {
	io.Reader
	gate *sync.RWMutex
}

func (g gated) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	g.gate.RLock()
	defer g.gate.RUnlock()
	return n, err
}

// A peer that vanished without a word is noticed by pings, and when the network
// is back so are the routes.
func TestMeshCutHeals(t *testing.T) {
	t.Parallel()
	m := newMesh(nil)
	var all []*Server
	var relays []*relay
	for _, name := range []string{"a", "b"} {
		r := newRelay(t)
		cfg := m.config(t, name)
		cfg.Routes.Advertise = r.l.Addr().String()
		s := start(t, cfg)
		if s.RouteAddr() != r.l.Addr().String() {
			t.Fatalf("the others are told %s, want %s", s.RouteAddr(), r.l.Addr())
		}
		r.mu.Lock()
		r.to = s.ns.ClusterAddr().String()
		r.mu.Unlock()
		all, relays = append(all, s), append(relays, r)
	}
	a, b := all[0], all[1]
	reaches(t, a, b)
	if st := a.Stats(); st.Peers != 1 || st.StoreLeader != "" {
		t.Errorf("its figures are %+v", st)
	}

	for _, r := range relays {
		r.gate.Lock()
	}
	began := time.Now()
	eventually(t, "the cut is noticed", func() error {
		for _, s := range all {
			if n := s.ns.NumRoutes(); n > 0 {
				return fmt.Errorf("%s has %d routes", s.Name(), n)
			}
		}
		return nil
	})
	t.Logf("the cut was noticed after %v", time.Since(began))
	if a.Stats().Stale+b.Stats().Stale == 0 {
		t.Error("no connection was found stale")
	}
	for _, r := range relays {
		r.gate.Unlock()
	}
	reaches(t, a, b)
	reaches(t, b, a)
	eventually(t, "figures after the cut", func() error {
		if a.Stats().Peers != 1 || b.Stats().Peers != 1 {
			return errors.New("not one peer each")
		}
		return nil
	})
}

func TestOptions(t *testing.T) {
	t.Parallel()
	cfg := newMesh(nil).config(t, "a")
	cfg.Store, cfg.IsStore, cfg.MaxPayload = 3, true, 32<<20
	s, err := prepare(cfg.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { <-s.shutdown() }()
	o, err := s.options([]string{"10.0.0.1:6222"})
	if err != nil {
		t.Fatal(err)
	}
	c := o.Cluster
	if c.PingInterval != 2*time.Second || c.MaxPingsOut != 2 || c.PoolSize != 1 || c.Compression.Mode != "off" || !c.NoAdvertise || c.Name != "siod" {
		t.Errorf("routes: %+v", c)
	}
	if !o.JetStream || o.JetStreamMaxStore != 0 || o.StoreDir != s.dir || !o.NoSigs || o.NoLog {
		t.Errorf("JetStream %v with %d bytes of files in %s, NoSigs %v, NoLog %v", o.JetStream, o.JetStreamMaxStore, o.StoreDir, o.NoSigs, o.NoLog)
	}
	if o.MaxPayload != 32<<20 || o.MaxPending < 8*int64(o.MaxPayload) {
		t.Errorf("payloads of %d, %d waiting", o.MaxPayload, o.MaxPending)
	}
	if o.SystemAccount != "SYS" || len(o.Accounts) != 2 || len(o.Users) != 2 || o.NoAuthUser != "" {
		t.Errorf("system account %q, %d accounts, %d users, without login %q", o.SystemAccount, len(o.Accounts), len(o.Users), o.NoAuthUser)
	}
	if len(o.Routes) != 1 || o.Routes[0].Host != "10.0.0.1:6222" || o.Routes[0].User.Username() != routeUser {
		t.Errorf("routes go to %v", o.Routes)
	}
}
