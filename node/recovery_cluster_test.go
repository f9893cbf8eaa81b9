package node_test

import (
	"context"
	"errors"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/node"
)

// roaming is a client that can be sent to any server of a cluster.
type roaming struct {
	*peer
	to atomic.Pointer[string]
}

func roam(t *testing.T, home *member, namespace string) *roaming {
	t.Helper()
	r := &roaming{}
	r.goTo(home)
	c := home.dial(t, func(cfg *client.Config) {
		cfg.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, *r.to.Load())
		}
	})
	r.peer = newPeer(t, c, namespace, nil)
	must(t, r.Connect(t.Context()))
	return r
}

func (r *roaming) goTo(m *member) {
	addr := strings.TrimPrefix(m.url, "http://")
	r.to.Store(&addr)
}

var anyKey = node.NewKey[any]("anything")

func TestRecoveryOnAnotherServer(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3, recovering)
	ctx := t.Context()
	var conns []<-chan *node.Socket
	for _, m := range all {
		conns = append(conns, sockets(m.Of("/")))
	}
	r := roam(t, all[0], "/")
	first := wait(t, conns[0], "a socket")
	id := r.ID()
	nameKey.Set(first, "Ada")
	anyKey.Set(first, map[string]any{"clé": "é€"})
	must(t, errors.Join(first.SetUser("ada"), first.Join("news")))
	must(t, all[2].To("news").Emit(ctx, "a"))
	must(t, first.Emit(ctx, "b", []byte{1, 2}))
	r.sees("a", `b {"_placeholder":true,"num":0}`)
	r.lose(first)
	must(t, errors.Join(first.Emit(ctx, "c", []byte("binary")), all[1].To("news").Emit(ctx, "d")))

	// To the second server, then on to the third, and home again.
	for i, at := range []int{1, 2, 0} {
		r.goTo(all[at])
		r.back()
		s := wait(t, conns[at], "a socket")
		if !r.Recovered() || !s.Recovered() || r.ID() != id {
			t.Fatalf("move %d: recovered %v; refused %v", i, r.Recovered(), all[at].Stats().NotRecovered)
		}
		if i == 0 {
			r.sees(`c {"_placeholder":true,"num":0}`, "d")
		} else {
			r.sees("missed")
		}
		if v, _ := anyKey.Get(s); !reflect.DeepEqual(v, map[string]any{"clé": "é€"}) {
			t.Errorf("a value of any type is %v", v)
		}
		if name, _ := nameKey.Get(s); name != "Ada" || s.User() != "ada" || !slices.Contains(s.Rooms(), "news") {
			t.Errorf("move %d: name %q, user %q, rooms %q", i, name, s.User(), s.Rooms())
		}
		// Whatever reaches a socket reaches it there.
		for _, m := range all {
			must(t, errors.Join(
				m.To(id).Emit(ctx, "durable"), m.To(id).Fast().Emit(ctx, "fast"), m.To("news").Fast().Emit(ctx, "fast"),
				m.User("ada").Emit(ctx, "user"),
			))
		}
		for range 3 * 4 {
			r.seen()
		}
		for j, m := range all {
			if n := m.Of("/").Len(); (n == 1) != (j == at) {
				t.Errorf("move %d: server %d has %d sockets", i, j, n)
			}
			if rooms, err := m.Of("/").Rooms(ctx); err != nil || !slices.Equal(rooms, []string{"news", "user:ada"}) {
				t.Errorf("move %d: rooms %q: %v", i, rooms, err)
			}
		}
		r.quiet(all[at].server)
		r.lose(s)
		must(t, s.Emit(ctx, "missed"))
	}
	// The first socket is of the server where the session is now, but it was
	// handed over and came back as another one.
	if err := first.Emit(ctx, "x"); !errors.Is(err, node.ErrMoved) {
		t.Errorf("emit on a socket that moved: %v", err)
	}
}

// The phone that changed networks, over servers: the first one still believes
// in its connection.
func TestRecoveryTakenFromLivingConnection(t *testing.T) {
	t.Parallel()
	all := cluster(t, 2, recovering)
	conns := sockets(all[0].Of("/"))
	p := all[0].connect(t, "/", nil)
	s := wait(t, conns, "a socket")
	q := p.twin(all[1].server, nil)
	id := p.ID()
	must(t, q.Connect(t.Context()))
	if q.ID() != id {
		t.Fatal("not recovered")
	}
	wait(t, p.ended, "the end of the old connection")
	if err := s.Emit(t.Context(), "x"); !errors.Is(err, node.ErrMoved) {
		t.Errorf("emit: %v", err)
	}
	must(t, all[0].Emit(t.Context(), "here"))
	q.sees("here")
}

// A server that is dead, or does not answer, has taken the session with it. The
// client waits for neither longer than its way in may take.
func TestRecoveryWithoutHome(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*member, testing.TB){"killed": (*member).kill, "frozen": (*member).freeze} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := cluster(t, 3, func(cfg *node.Config) {
				recovering(cfg)
				cfg.ConnectTimeout = time.Second
			})
			conns := sockets(all[0].Of("/"))
			r := roam(t, all[0], "/")
			id := r.ID()
			r.lose(wait(t, conns, "a socket"))
			end(all[0], t)
			r.goTo(all[1])
			r.back()
			if r.Recovered() || r.ID() == id {
				t.Fatal("recovered")
			}
			must(t, all[2].Emit(t.Context(), "a"))
			r.sees("a")
			s, _ := all[1].Of("/").Socket(r.ID())
			r.lose(s)
			must(t, all[2].Emit(t.Context(), "b"))
			r.goTo(all[2])
			r.back()
			if !r.Recovered() {
				t.Fatalf("the new session is not recovered: %v", all[2].Stats().NotRecovered)
			}
			r.sees("b")
		})
	}
}

// The first home of a session may be gone when the session lives elsewhere.
func TestRecoveryAfterDeathOfFirstHome(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*member, testing.TB){"killed": (*member).kill, "frozen": (*member).freeze} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := cluster(t, 3, func(cfg *node.Config) {
				recovering(cfg)
				cfg.ConnectTimeout = time.Second
			})
			r := roam(t, all[0], "/")
			s, _ := all[0].Of("/").Socket(r.ID())
			r.lose(s)
			r.goTo(all[1])
			r.back()
			s, _ = all[1].Of("/").Socket(r.ID())
			end(all[0], t)
			r.lose(s)
			must(t, all[1].Emit(t.Context(), "a"))
			r.goTo(all[2])
			r.back()
			if !r.Recovered() {
				t.Fatalf("not recovered: %v", all[2].Stats().NotRecovered)
			}
			r.sees("a")
		})
	}
}

// A server that missed a part of the log takes a client in when it has caught up.
func TestRecoveryOnServerBehind(t *testing.T) {
	t.Parallel()
	all := cluster(t, 2, recovering)
	conns := sockets(all[0].Of("/"))
	r := roam(t, all[0], "/")
	s := wait(t, conns, "a socket")
	must(t, all[0].hub.Freeze(all[1].ID()))
	for range 100 {
		must(t, errors.Join(all[0].Emit(t.Context(), "a"), s.Emit(t.Context(), "b")))
		r.sees("a", "b")
	}
	r.lose(s)
	must(t, all[0].Emit(t.Context(), "c"))
	r.goTo(all[1])
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.back()
	}()
	until(t, func() bool { return all[1].Engine().Len() == 1 })
	must(t, all[0].hub.Thaw(all[1].ID()))
	closed(t, done, "the client")
	if !r.Recovered() {
		t.Fatalf("not recovered: %v", all[1].Stats().NotRecovered)
	}
	r.sees("c")
}

// Joins of the whole cluster reach a client that is away, wherever it was.
func TestRecoveryOperationsInCluster(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3, recovering)
	conns := sockets(all[0].Of("/"))
	r := roam(t, all[0], "/")
	s := wait(t, conns, "a socket")
	r.lose(s)
	until(t, func() bool { return all[0].Stats().SessionsWaiting == 1 })
	must(t, all[1].In(s.ID()).SocketsJoin(t.Context(), "news"))
	must(t, all[2].To("news").Emit(t.Context(), "a"))
	r.goTo(all[2])
	r.back()
	r.sees("a")
	s2, _ := all[2].Of("/").Socket(r.ID())
	r.lose(s2)
	until(t, func() bool { return all[2].Stats().SessionsWaiting == 1 })
	must(t, all[0].In("news").DisconnectSockets(t.Context(), false))
	r.goTo(all[1])
	r.back()
	if r.Recovered() {
		t.Error("recovered")
	}
}
