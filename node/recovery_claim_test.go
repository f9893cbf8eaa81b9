package node_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/protocol"
)

// twin is a second client that presents what the first one would: the same
// phone on another network, while the first connection still looks alive.
func (p *peer) twin(s *server, auth map[string]any) *peer {
	p.t.Helper()
	claim := map[string]any{}
	for k, v := range auth {
		claim[k] = v
	}
	pid, offset := p.Recovery()
	claim["pid"] = pid
	if offset != "" {
		claim["offset"] = offset
	}
	return s.peer(p.t, p.Namespace(), claim)
}

func TestRecoveryFromLivingConnection(t *testing.T) {
	t.Parallel()
	srv := start(t, recovering)
	ns := srv.Of("/")
	conns := sockets(ns)
	reasons := make(chan node.Reason, 4)
	ns.OnDisconnect(func(_ context.Context, _ *node.Socket, r node.Reason) { reasons <- r })
	p := srv.connect(t, "/", nil)
	s := wait(t, conns, "a socket")
	must(t, s.Emit(t.Context(), "a"))
	p.sees("a")
	q := p.twin(srv, nil)
	must(t, q.Connect(t.Context()))
	again := wait(t, conns, "a socket")
	if q.ID() != p.ID() && p.ID() != "" || !again.Recovered() {
		t.Fatalf("id %s, was %s; recovered %v", q.ID(), p.ID(), again.Recovered())
	}
	// The old connection is cut, and what is emitted on the old socket goes to
	// the new one.
	if r := wait(t, reasons, "OnDisconnect"); r != "forced close" {
		t.Errorf("reason %q", r)
	}
	wait(t, p.ended, "the end of the old connection")
	must(t, s.Emit(t.Context(), "b"))
	must(t, ns.Emit(t.Context(), "c"))
	q.sees("b", "c")
	if n := ns.Len(); n != 1 {
		t.Errorf("%d sockets", n)
	}
}

// Of two claims the later one wins, also if OnConnect of the first one is still
// running, and even if that takes for ever.
func TestRecoveryClaimedTwice(t *testing.T) {
	t.Parallel()
	srv := start(t, recovering)
	ns := srv.Of("/")
	var calls atomic.Int32
	started, release := make(chan *node.Socket, 1), make(chan struct{})
	ns.OnConnect(func(_ context.Context, s *node.Socket) error {
		if calls.Add(1) == 2 {
			started <- s
			<-release
		}
		return s.Join("news")
	})
	ended := make(chan *node.Socket, 4)
	ns.OnDisconnect(func(_ context.Context, s *node.Socket, _ node.Reason) { ended <- s })
	p := srv.connect(t, "/", nil)
	id := p.ID()
	must(t, ns.To("news").Emit(t.Context(), "a"))
	p.sees("a")

	second := p.twin(srv, nil)
	third := p.twin(srv, nil)
	go func() { _ = second.Connect(t.Context()) }()
	slow := wait(t, started, "the second OnConnect")
	wait(t, ended, "the first socket's end")
	must(t, errors.Join(ns.To("news").Emit(t.Context(), "b"), slow.Emit(t.Context(), "c")))
	must(t, third.Connect(t.Context()))
	if third.ID() != id {
		t.Fatalf("the third claim got %s, want %s", third.ID(), id)
	}
	third.sees("b", "c")
	close(release)
	// The loser's OnConnect succeeded, so its OnDisconnect is due.
	if s := wait(t, ended, "the second socket's end"); s != slow {
		t.Errorf("another socket ended")
	}
	until(t, func() bool { return srv.Engine().Len() == 1 })
	must(t, errors.Join(slow.Emit(t.Context(), "d"), ns.To("news").Emit(t.Context(), "e")))
	third.sees("d", "e")
	if s, ok := ns.Socket(id); !ok || !s.Connected() {
		t.Error("the third socket is not there")
	}
	if err := slow.Join("x"); !errors.Is(err, node.ErrDisconnected) {
		t.Errorf("Join on the loser: %v", err)
	}
}

// A session is continued by its own client only (R5), and a foreign claim
// changes nothing.
func TestRecoveryUsers(t *testing.T) {
	t.Parallel()
	setUser := func(_ context.Context, s *node.Socket) error {
		var auth struct {
			User string `json:"user"`
		}
		if err := s.Auth(&auth); err != nil {
			return err
		}
		if auth.User == "" {
			return nil
		}
		return s.SetUser(auth.User)
	}
	for _, c := range []struct {
		name          string
		inConnect     bool
		first, second string
		recovered     bool
	}{
		{"the same", false, "ada", "ada", true},
		{"another", false, "ada", "bob", false},
		{"nobody now", false, "ada", "", false},
		{"somebody now", false, "", "ada", false},
		{"nobody", false, "", "", true},
		{"the same in OnConnect", true, "ada", "ada", true},
		{"another in OnConnect", true, "ada", "bob", false},
		{"not said again in OnConnect", true, "ada", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := start(t, recovering)
			ns := srv.Of("/")
			if c.inConnect {
				ns.OnConnect(setUser)
			} else {
				ns.Use(setUser)
			}
			conns := make(chan *node.Socket, 4)
			ns.OnConnect(func(_ context.Context, s *node.Socket) error { conns <- s; return nil })
			p := srv.connect(t, "/", map[string]any{"user": c.first})
			first := wait(t, conns, "a socket")
			q := p.twin(srv, map[string]any{"user": c.second})
			connected := make(chan error, 1)
			go func() { connected <- q.Connect(t.Context()) }()
			second := wait(t, conns, "a socket")
			if c.inConnect && !c.recovered {
				// OnConnect was told that it recovered, so the client is sent
				// away, and gets a new session when it comes again.
				closed(t, second.Context().Done(), "the end")
				r := srv.connect(t, "/", map[string]any{"user": c.second})
				if r.ID() == first.ID() || srv.Stats().Sessions != 1 {
					t.Error("the session is continued")
				}
				return
			}
			must(t, wait(t, connected, "the client"))
			if second.Recovered() != c.recovered || q.ID() == first.ID() != c.recovered {
				t.Fatalf("recovered %v", second.Recovered())
			}
			if c.recovered {
				if c.first != "" && (second.User() != c.first || !slices.Contains(second.Rooms(), node.UserRoom(c.first))) {
					t.Errorf("user %q, rooms %q", second.User(), second.Rooms())
				}
				return
			}
			must(t, first.Emit(t.Context(), "still there"))
			p.sees("still there")
		})
	}
}

// Middleware may be skipped for who recovers, and for nobody else.
func TestRecoverySkipsMiddleware(t *testing.T) {
	t.Parallel()
	srv := start(t, func(cfg *node.Config) {
		recovering(cfg)
		cfg.Recovery.SkipMiddleware = true
	})
	ns := srv.Of("/")
	var asked atomic.Int32
	ns.Use(func(_ context.Context, s *node.Socket) error {
		if asked.Add(1) > 1 {
			return node.Refuse("no", nil)
		}
		return s.SetUser("ada")
	})
	conns := sockets(ns)
	p := srv.connect(t, "/", nil)
	s := wait(t, conns, "a socket")
	p.lose(s)
	p.back()
	if s = wait(t, conns, "a socket"); !s.Recovered() || s.User() != "ada" || asked.Load() != 1 {
		t.Fatalf("recovered %v, user %q, middleware ran %d times", s.Recovered(), s.User(), asked.Load())
	}
	pid, _ := p.Recovery()
	s.Disconnect(false)
	for _, claim := range []string{pid, "home." + pid[len(pid)-32:], "x.y", ""} {
		q := srv.peer(t, "/", map[string]any{"pid": claim})
		if err := q.Connect(t.Context()); err == nil {
			t.Fatalf("a client with pid %q came past the middleware", claim)
		}
	}
}

// OnConnect may refuse a client that recovers; then its session is over. If it
// fails because the connection broke, it is not.
func TestRecoveryRefused(t *testing.T) {
	t.Parallel()
	srv := start(t, recovering)
	ns := srv.Of("/")
	verdict := make(chan func(context.Context, *node.Socket) error, 4)
	conns := make(chan *node.Socket, 4)
	ns.OnConnect(func(ctx context.Context, s *node.Socket) error {
		select {
		case f := <-verdict:
			return f(ctx, s)
		default:
			conns <- s
			return nil
		}
	})
	p := srv.connect(t, "/", nil)
	wait(t, conns, "a socket")
	id := p.ID()

	running := make(chan struct{})
	verdict <- func(ctx context.Context, s *node.Socket) error {
		must(t, errors.Join(s.Join("kept"), s.Emit(ctx, "kept")))
		close(running)
		<-ctx.Done()
		return ctx.Err()
	}
	q := p.twin(srv, nil)
	go func() { _ = q.Connect(t.Context()) }()
	closed(t, running, "OnConnect")
	q.client.Drop()
	wait(t, p.ended, "the end of the old connection")
	p.back()
	s := wait(t, conns, "a socket")
	if !p.Recovered() || p.ID() != id || !slices.Contains(s.Rooms(), "kept") {
		t.Fatalf("recovered %v, rooms %q", p.Recovered(), s.Rooms())
	}
	p.sees("kept")

	verdict <- func(context.Context, *node.Socket) error { return node.Refuse("banned", nil) }
	r := p.twin(srv, nil)
	if err := r.Connect(t.Context()); err == nil || err.(*client.ConnectError).Message != "banned" {
		t.Fatalf("%v", err)
	}
	if err := s.Emit(t.Context(), "x"); !errors.Is(err, node.ErrDisconnected) {
		t.Errorf("emit to an ended session: %v", err)
	}
	wait(t, p.ended, "the end of the old connection")
	p.back()
	if s = wait(t, conns, "a socket"); s.Recovered() || p.ID() == id {
		t.Error("a refused session was continued")
	}
}

// The private id is nobody's business, and what an application calls the same
// is its own.
func TestRecoveryHidesClaim(t *testing.T) {
	t.Parallel()
	srv := start(t, recovering)
	auths := make(chan string, 8)
	srv.OfFunc(func(_ context.Context, name string, auth protocol.Args) (bool, error) {
		auths <- string(auth.Raw(0))
		return name == "/room", nil
	})
	pid := "home.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for given, want := range map[string]string{
		`{"pid":"` + pid + `","offset":"5.abcd","b":[1],"a":{"x":1.0}}`: `{"b":[1],"a":{"x":1.0}}`,
		`{"pid":"` + pid + `"}`:                `{}`,
		`{"a":1,"pid":"` + pid + `"}`:          `{"a":1}`,
		`{"pid":"17","offset":"left"}`:         `{"pid":"17","offset":"left"}`,
		`{"pid":17,"x":"\ud800"}`:              `{"pid":17,"x":"\ud800"}`,
		`{"recover":false,"pid":"mine","a":1}`: `{"pid":"mine","a":1}`,
		`{"recover":true}`:                     `{"recover":true}`,
		`{"a":1,"a":2,"pid":"` + pid + `"}`:    `{"a":1,"a":2}`,
	} {
		r := srv.raw(t, "4", "")
		r.send("40/room," + given)
		if got := wait(t, auths, "the function"); got != want {
			t.Errorf("%s: the application sees %s, want %s", given, got, want)
		}
	}
}

// A namespace that came and went between the two connections is another one,
// and the session does not mind.
func TestRecoveryInDynamicNamespace(t *testing.T) {
	t.Parallel()
	srv := start(t, recovering)
	d := srv.OfPattern(regexp.MustCompile(`/org/\d+`))
	conns := sockets(d.Namespace)
	p := srv.connect(t, "/org/7", nil)
	s := wait(t, conns, "a socket")
	must(t, s.Join("news"))
	p.lose(s)
	until(t, func() bool { _, ok := srv.Namespace("/org/7"); return !ok })
	must(t, srv.Of("/org/8").Emit(t.Context(), "elsewhere"))
	must(t, srv.apply("/org/7", "late"))
	p.back()
	if !p.Recovered() {
		t.Fatal("not recovered")
	}
	again := wait(t, conns, "a socket")
	must(t, again.Namespace().To("news", "late").Emit(t.Context(), "here"))
	p.sees("here")
	if !slices.Contains(again.Rooms(), "late") {
		t.Errorf("rooms %q", again.Rooms())
	}
}

// apply joins all sockets of a namespace that may not exist here to a room, as
// another server does.
func (s *server) apply(namespace, room string) error {
	return s.Of(namespace).Broadcast().SocketsJoin(context.Background(), room)
}

// An offset that is not of this log, or of no time that the session has seen, is
// not believed: the client begins anew, and gets nothing as if it had recovered.
func TestForgedOffsets(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]func(o *backplane.Offset){
		"true":           func(*backplane.Offset) {},
		"another log":    func(o *backplane.Offset) { o.Tag = backplane.Tag{'A', o.Tag[2], o.Tag[3], o.Tag[1]} },
		"the future":     func(o *backplane.Offset) { o.Seq += 1000 },
		"the far future": func(o *backplane.Offset) { o.Seq = 1 << 52 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := start(t, recovering)
			ns := srv.Of("/")
			conns := sockets(ns)
			p := srv.connect(t, "/", nil)
			wait(t, conns, "a socket")
			must(t, errors.Join(ns.Emit(t.Context(), "a"), ns.Emit(t.Context(), "b")))
			p.sees("a", "b")
			id := p.ID()
			pid, given := p.Recovery()
			o, ok := backplane.ParseOffset(given)
			if !ok {
				t.Fatalf("offset %q", given)
			}
			forge(&o)
			q := srv.peer(t, "/", map[string]any{"pid": pid, "offset": o.String()})
			must(t, q.Connect(t.Context()))
			again := wait(t, conns, "a socket")
			if want := name == "true"; again.Recovered() != want || (q.ID() == id) != want {
				t.Errorf("with %s: recovered %v, id %s, was %s", o, again.Recovered(), q.ID(), id)
			}
			must(t, ns.Emit(t.Context(), "c"))
			q.sees("c")
		})
	}
}
