package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

// journaling starts n servers on a hub that stores sessions.
func journaling(t testing.TB, n int, change func(*node.Config)) []*member {
	t.Helper()
	hub, group := memory.NewHub(memory.Config{Window: time.Minute, Sessions: time.Minute}), static.NewGroup()
	var all []*member
	for range n {
		all = append(all, add(t, hub, group, func(cfg *node.Config) {
			recovering(cfg)
			if change != nil {
				change(cfg)
			}
		}))
	}
	return all
}

// recorded waits until the first record of the socket's session was stored: a
// change behind it returns when it is stored too.
func recorded(t testing.TB, s *node.Socket) {
	t.Helper()
	until(t, func() bool { return node.Journaled(s) })
	must(t, s.Join("recorded"))
}

// A client whose server was killed goes on elsewhere: with its id, rooms, user
// and data as they were when it was killed, and all that it missed. And again.
func TestRecoveryOfKilledServer(t *testing.T) {
	t.Parallel()
	all := journaling(t, 4, nil)
	ctx := t.Context()
	var conns []<-chan *node.Socket
	for _, m := range all {
		conns = append(conns, sockets(m.Of("/")))
	}
	r := roam(t, all[0], "/")
	s := wait(t, conns[0], "a socket")
	id := r.ID()
	recorded(t, s)
	nameKey.Set(s, "Ada")
	must(t, errors.Join(s.SetUser("ada"), s.Join("news", "old"), s.Leave("old")))
	must(t, all[2].To("news").Emit(ctx, "a"))
	r.sees("a")
	for i, next := range all[1:] {
		if i == 1 {
			r.lose(s) // it was away already when its server was killed
		}
		all[i].kill(t)
		if i == 1 {
			must(t, next.To("news").Emit(ctx, fmt.Sprint("away ", i)))
		}
		r.goTo(next)
		if i != 1 {
			r.client.Drop()
			wait(t, r.ended, "the client's notice")
		}
		r.back()
		s = wait(t, conns[i+1], "a socket")
		if !r.Recovered() || !s.Recovered() || r.ID() != id {
			t.Fatalf("kill %d: recovered %v; refused %v", i, r.Recovered(), next.Stats().NotRecovered)
		}
		if i == 1 {
			r.sees(fmt.Sprint("away ", i))
		}
		rooms := s.Rooms()
		slices.Sort(rooms)
		if name, _ := nameKey.Get(s); name != "Ada" || s.User() != "ada" || !slices.Contains(rooms, "news") || slices.Contains(rooms, "old") {
			t.Errorf("kill %d: name %q, user %q, rooms %q", i, name, s.User(), rooms)
		}
		must(t, errors.Join(next.To("news").Emit(ctx, "b"), s.Emit(ctx, "c"), next.To("old").Emit(ctx, "x")))
		r.sees("b", "c")
		recorded(t, s)
	}
}

// What is in the journal of a dead server is its client's, and nobody else's.
func TestJournalKnowsItsClient(t *testing.T) {
	t.Parallel()
	all := journaling(t, 2, nil)
	for _, m := range all {
		m.Of("/").Use(func(_ context.Context, s *node.Socket) error {
			var auth struct {
				User string `json:"user"`
			}
			if err := s.Auth(&auth); err != nil {
				return err
			}
			return s.SetUser(auth.User)
		})
	}
	conns := sockets(all[0].Of("/"))
	p := all[0].connect(t, "/", map[string]any{"user": "ada"})
	recorded(t, wait(t, conns, "a socket"))
	all[0].kill(t)
	thief := p.twin(all[1].server, map[string]any{"user": "eve"})
	must(t, thief.Connect(t.Context()))
	if thief.ID() == p.ID() {
		t.Fatal("another user got the session")
	}
	owner := p.twin(all[1].server, map[string]any{"user": "ada"})
	must(t, owner.Connect(t.Context()))
	if owner.ID() != p.ID() {
		t.Fatalf("the user did not: %v", all[1].Stats().NotRecovered)
	}
	// It is here now, so nobody needs the journal any more.
	again := owner.twin(all[1].server, map[string]any{"user": "ada"})
	must(t, again.Connect(t.Context()))
	if again.ID() != p.ID() {
		t.Error("it did not recover from the living connection")
	}
}

// A session that was ended before its server was killed stays ended.
func TestJournalForgetsWhatEnded(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, all []*member, s *node.Socket, p *peer){
		"by the server": func(_ *testing.T, _ []*member, s *node.Socket, _ *peer) { s.Disconnect(false) },
		"with the connection": func(_ *testing.T, _ []*member, s *node.Socket, _ *peer) {
			s.Disconnect(true)
		},
		"by another server": func(t *testing.T, all []*member, _ *node.Socket, _ *peer) {
			must(t, all[1].Of("/").To().DisconnectSockets(t.Context(), false))
		},
		"while away": func(t *testing.T, all []*member, s *node.Socket, p *peer) {
			p.lose(s)
			must(t, all[1].Of("/").To().DisconnectSockets(t.Context(), false))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := journaling(t, 2, nil)
			conns := sockets(all[0].Of("/"))
			p := all[0].connect(t, "/", nil)
			s := wait(t, conns, "a socket")
			recorded(t, s)
			end(t, all, s, p)
			all[0].kill(t)
			q := p.twin(all[1].server, nil)
			must(t, q.Connect(t.Context()))
			if q.ID() == p.ID() {
				t.Error("it came back")
			}
		})
	}
}

// A change that cannot be stored in time is made all the same, and says so.
func TestErrNotJournaled(t *testing.T) {
	t.Parallel()
	all := journaling(t, 2, nil)
	conns := sockets(all[0].Of("/"))
	r := roam(t, all[0], "/")
	s := wait(t, conns, "a socket")
	recorded(t, s)
	all[0].hub.HoldLogs()
	if err := s.Join("late"); !errors.Is(err, node.ErrNotJournaled) {
		t.Errorf("join: %v", err)
	}
	if err := s.SetUser("ada"); !errors.Is(err, node.ErrNotJournaled) {
		t.Errorf("user: %v", err)
	}
	if err := nameKey.Set(s, "Ada"); !errors.Is(err, node.ErrNotJournaled) {
		t.Errorf("data: %v", err)
	}
	for i, srv := range all { // of the server itself, and asked by another one
		if err := srv.Of("/").To().SocketsJoin(t.Context(), fmt.Sprint("all ", i)); !errors.Is(err, node.ErrNotJournaled) {
			t.Errorf("operation by server %d: %v", i, err)
		}
	}
	if n := all[0].Stats().NotJournaled; n != 5 {
		t.Errorf("%d changes were counted", n)
	}
	if name, _ := nameKey.Get(s); !slices.Contains(s.Rooms(), "late") || s.User() != "ada" || name != "Ada" {
		t.Error("the changes were not made")
	}
	all[0].hub.ReleaseLogs()
	must(t, s.Join("more")) // behind the others
	all[0].kill(t)
	conns = sockets(all[1].Of("/"))
	r.goTo(all[1])
	r.client.Drop()
	wait(t, r.ended, "the client's notice")
	r.back()
	s = wait(t, conns, "a socket")
	if name, _ := nameKey.Get(s); !r.Recovered() || !slices.Contains(s.Rooms(), "late") || s.User() != "ada" || name != "Ada" {
		t.Errorf("recovered %v, rooms %q, user %q, name %q", r.Recovered(), s.Rooms(), s.User(), name)
	}
}

// The store may need some time to find a new leader when a server is killed that
// led it; the client is let in when it has one.
func TestRecoveryWaitsForTheStore(t *testing.T) {
	t.Parallel()
	waitsForTheStore(t, 6*time.Second, func(home *member) { home.kill(t) })
}

// So it is when the server that led the store ends in order, and hands over what
// its successor cannot write down yet: nobody else has the session then.
func TestHandoverWaitsForTheStore(t *testing.T) {
	t.Parallel()
	waitsForTheStore(t, 5*time.Second, func(*member) {})
}

// waitsForTheStore has a client go to another server while the store takes
// nothing for some time.
func waitsForTheStore(t *testing.T, held time.Duration, end func(home *member)) {
	all := journaling(t, 2, func(cfg *node.Config) { cfg.ConnectTimeout = 12 * time.Second })
	conns := sockets(all[0].Of("/"))
	r := roam(t, all[0], "/")
	recorded(t, wait(t, conns, "a socket"))
	id := r.ID()
	end(all[0])
	all[0].hub.HoldLogs()
	defer time.AfterFunc(held, all[0].hub.ReleaseLogs).Stop()
	r.goTo(all[1])
	r.client.Drop()
	wait(t, r.ended, "the client's notice")
	r.back()
	if !r.Recovered() || r.ID() != id {
		t.Errorf("recovered %v; refused %v", r.Recovered(), all[1].Stats().NotRecovered)
	}
}

// A server that was cut off comes back to sessions that went on elsewhere, and
// ends them.
func TestFencedServer(t *testing.T) {
	t.Parallel()
	all := journaling(t, 2, func(cfg *node.Config) { cfg.ConnectTimeout = 8 * time.Second })
	conns := sockets(all[0].Of("/"))
	p := all[0].connect(t, "/", nil)
	s := wait(t, conns, "a socket")
	recorded(t, s)
	all[0].hub.Partition([]string{all[1].ID()}, []string{all[0].ID()})
	q := p.twin(all[1].server, nil)
	must(t, q.Connect(t.Context()))
	if q.ID() != p.ID() {
		t.Fatalf("not recovered: %v", all[1].Stats().NotRecovered)
	}
	all[0].hub.Heal()
	wait(t, p.ended, "the end of the old connection")
	if err := s.Emit(t.Context(), "x"); !errors.Is(err, node.ErrMoved) {
		t.Errorf("emit on the old socket: %v", err)
	}
	must(t, all[1].Emit(t.Context(), "a"))
	q.sees("a")
	if n := all[0].Stats().Fenced; n != 1 {
		t.Errorf("%d sessions were fenced", n)
	}
	// Its own journal does not keep what is another server's.
	store, _ := backplane.AsSessions(all[0].bp)
	until(t, func() bool {
		for _, err := range store.Load(t.Context(), all[0].ID()) {
			must(t, err)
			return false
		}
		return true
	})
}

// What a handler does with a socket that lost its connection is not done to the
// session, which waits for its client with all its rooms: nor is it stored.
func TestChangesBehindTheEnd(t *testing.T) {
	t.Parallel()
	all := journaling(t, 2, nil)
	conns := sockets(all[0].Of("/"))
	done := make(chan struct{})
	all[0].Of("/").OnDisconnect(func(_ context.Context, s *node.Socket, _ node.Reason) {
		defer close(done)
		for range 20 { // the record of a session that waits is stored at some moment
			if err := errors.Join(s.SetUser(""), nameKey.Set(s, "nobody"), s.Leave("news")); err != nil {
				t.Error(err)
			}
		}
	})
	r := roam(t, all[0], "/")
	s := wait(t, conns, "a socket")
	recorded(t, s)
	must(t, errors.Join(s.Join("news"), nameKey.Set(s, "Ada"), s.SetUser("ada")))
	r.lose(s)
	closed(t, done, "the end of OnDisconnect")
	all[0].kill(t)
	must(t, errors.Join(all[1].To("news").Emit(t.Context(), "a"), all[1].User("ada").Durable().Emit(t.Context(), "b")))
	again := sockets(all[1].Of("/"))
	r.goTo(all[1])
	r.back()
	if !r.Recovered() {
		t.Fatalf("not recovered: %v", all[1].Stats().NotRecovered)
	}
	r.sees("a", "b")
	if name, _ := nameKey.Get(wait(t, again, "a socket")); name != "Ada" {
		t.Errorf("its name is %q", name)
	}
}

// A client that stays away for longer than the window is told so, wherever it
// comes.
func TestJournalPastTheWindow(t *testing.T) {
	t.Parallel()
	all := journaling(t, 2, func(cfg *node.Config) { cfg.Recovery.Window = time.Second })
	conns := sockets(all[0].Of("/"))
	p := all[0].connect(t, "/", nil)
	recorded(t, wait(t, conns, "a socket"))
	all[0].kill(t)
	until(t, func() bool { return node.GoneFor(all[1].Server, all[0].ID()) > time.Second })
	q := p.twin(all[1].server, nil)
	must(t, q.Connect(t.Context()))
	if q.ID() == p.ID() {
		t.Error("it came back")
	}
}

// What a server stores at its orderly end includes what was emitted to a client
// alone.
func TestJournalOfOrderlyEnd(t *testing.T) {
	t.Parallel()
	all := journaling(t, 2, nil)
	ctx := t.Context()
	conns := sockets(all[0].Of("/"))
	r := roam(t, all[0], "/")
	s := wait(t, conns, "a socket")
	recorded(t, s)
	must(t, s.Emit(ctx, "a"))
	r.sees("a")
	r.lose(s)
	must(t, errors.Join(s.Emit(ctx, "b"), all[1].Emit(ctx, "c"), s.Emit(ctx, "d")))
	must(t, all[0].Shutdown(ctx))
	must(t, all[0].bp.Close(ctx))
	all[0].group.Kill(all[0].ID())
	r.goTo(all[1])
	r.back()
	if !r.Recovered() {
		t.Fatalf("not recovered: %v", all[1].Stats().NotRecovered)
	}
	r.sees("b", "c", "d")
}

// A session that is too large to be stored is not stored as it was before.
func TestJournalOfLargeSession(t *testing.T) {
	t.Parallel()
	hub, group := memory.NewHub(memory.Config{Sessions: time.Minute, Limits: backplane.Limits{Payload: 8 << 10}}), static.NewGroup()
	home, other := add(t, hub, group, recovering), add(t, hub, group, recovering)
	conns := sockets(home.Of("/"))
	p, q := home.connect(t, "/", nil), home.connect(t, "/", nil)
	large := wait(t, conns, "a socket")
	small := wait(t, conns, "a socket")
	if large.ID() != p.ID() {
		large, small = small, large
	}
	recorded(t, large)
	recorded(t, small)
	nameKey.Set(large, strings.Repeat("x", 16<<10))
	must(t, errors.Join(large.Join("a"), home.Of("/").To().SocketsJoin(t.Context(), "b")))
	if home.Stats().NotJournaled == 0 {
		t.Error("nothing was counted")
	}
	home.kill(t)
	again := p.twin(other.server, nil)
	must(t, again.Connect(t.Context()))
	if again.ID() == p.ID() {
		t.Error("the session came back as it was before")
	}
	conns = sockets(other.Of("/"))
	again = q.twin(other.server, nil)
	must(t, again.Connect(t.Context()))
	if again.ID() != q.ID() {
		t.Fatal("the other one did not come back")
	}
	if rooms := wait(t, conns, "a socket").Rooms(); !slices.Contains(rooms, "b") {
		t.Errorf("rooms %q", rooms)
	}
}
