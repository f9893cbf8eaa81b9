package soak

import (
	"context"
	"flag"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var clients = flag.Int("clients", 1200, "clients in all")

const (
	warmUp  = 200 // fill pools and tables before the first measure
	atATime = 24
)

func TestSoak(t *testing.T) {
	both := []*soak{
		start(t, node.Recovery{}, nil),
		start(t, node.Recovery{Enabled: true, Window: time.Second}, nil),
	}
	run(t, warmUp, gentle, both...)
	quiet(t, both...)
	before, began := measure(), time.Now()
	run(t, *clients, everything, both...)
	took := time.Since(began)
	quiet(t, both...)
	after, what := settle(before, patience)
	if what != "" {
		t.Fatalf("left over: %s\n%s", what, stacks())
	}
	t.Logf("%d clients in %v; before %v, after %v", *clients, took.Round(time.Millisecond), before, after)
	for _, s := range both {
		s.counts(t)
	}
	if n := both[1].back.Load(); n == 0 {
		t.Error("no client was recovered")
	}
}

// soak is a server and what its clients and handlers counted.
type soak struct {
	srv     *node.Server
	url     string
	entered atomic.Int64 // clients let into a namespace, as clients count
	said    atomic.Int64 // events answered, as clients count
	back    atomic.Int64 // clients that came back, and were recovered

	opened, closed atomic.Int64 // OnConnect, OnDisconnect
	handled        atomic.Int64 // of "say"
	joins, leaves  atomic.Int64 // by OnRoom
}

// start serves until the test ends. planted, if not nil, is run for each "say".
func start(t *testing.T, recovery node.Recovery, planted func(*node.Socket)) *soak {
	t.Helper()
	bp := memory.New()
	self, err := static.New(membership.Member{ID: bp.ID(), Token: membership.Token(bp.ID())})
	if err != nil {
		t.Fatal(err)
	}
	cfg := node.Config{Backplane: bp, Membership: self, Recovery: recovery}
	// A client that drops out of polling is missed by its heartbeat only, and
	// one that was put out does not fetch the end of its session.
	cfg.Transport.PingInterval, cfg.Transport.PingTimeout = 300*time.Millisecond, 3*time.Second
	cfg.Transport.PollTimeout = time.Second
	cfg.ConnectTimeout = 10 * time.Second
	srv, err := node.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &soak{srv: srv}
	s.handlers(srv.Of("/soak"), planted)
	s.handlers(srv.Of("/"), planted) // where clients of revision 3 are by themselves
	hs := httptest.NewServer(srv)
	s.url = hs.URL
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		hs.Close()
		_ = bp.Close(ctx)
	})
	return s
}

func (s *soak) handlers(ns *node.Namespace, planted func(*node.Socket)) {
	ns.OnConnect(func(_ context.Context, sock *node.Socket) error {
		s.opened.Add(1)
		return sock.Join("all")
	})
	ns.OnDisconnect(func(context.Context, *node.Socket, node.Reason) { s.closed.Add(1) })
	ns.OnRoom(func(e node.RoomEvent) {
		switch e.Kind {
		case node.RoomJoined:
			s.joins.Add(1)
		case node.RoomLeft:
			s.leaves.Add(1)
		}
	})
	node.Handle(ns, "join", func(_ context.Context, sock *node.Socket, room string) (int, error) {
		err := sock.Join(room)
		return len(sock.Rooms()), err
	})
	node.Handle(ns, "leave", func(_ context.Context, sock *node.Socket, room string) (int, error) {
		err := sock.Leave(room)
		return len(sock.Rooms()), err
	})
	node.Handle(ns, "say", func(ctx context.Context, sock *node.Socket, text string) (string, error) {
		s.handled.Add(1)
		if planted != nil {
			planted(sock)
		}
		return text, sock.To("all").Emit(ctx, "said", text)
	})
	ns.OnEvent("kick", func(_ context.Context, e *node.Event) error {
		var whole bool
		if err := e.Decode(&whole); err != nil {
			return err
		}
		e.Socket.Disconnect(whole)
		return nil
	})
}

// run sends n clients through the servers in turn, some at a time.
func run(t *testing.T, n int, mix []visit, servers ...*soak) {
	t.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range atATime {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				s, v := servers[i%len(servers)], mix[i/len(servers)%len(mix)]
				if err := s.visit(t.Context(), i, v); err != nil {
					t.Errorf("client %d, %v: %v", i, v, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}
