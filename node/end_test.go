package node_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/transport"
)

// OnDisconnecting still sees the rooms, OnDisconnect does not; both come once,
// behind what arrived before, and nothing reaches the socket meanwhile.
func TestDisconnectOrder(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		end  func(p *peer, s *node.Socket)
		want node.Reason
	}{
		"client leaves":    {func(p *peer, _ *node.Socket) { _ = p.Disconnect() }, transport.ReasonClientNamespace},
		"connection drops": {func(p *peer, _ *node.Socket) { p.client.Drop() }, transport.ReasonTransportClose},
		"server ends it":   {func(_ *peer, s *node.Socket) { s.Disconnect(false) }, transport.ReasonServerNamespace},
		"server closes":    {func(_ *peer, s *node.Socket) { s.Disconnect(true) }, transport.ReasonServerNamespace},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := start(t, nil)
			ns := srv.Of("/chat")
			var j journal
			done := make(chan struct{})
			ns.OnConnect(func(_ context.Context, s *node.Socket) error {
				return s.Join("room")
			})
			ns.OnDisconnecting(func(ctx context.Context, s *node.Socket, r node.Reason) {
				count, err := ns.To("room").CountSockets(ctx)
				must(t, err)
				j.add("disconnecting", r, len(s.Rooms()), ctx.Err(), s.Join("late"), s.Emit(ctx, "late"), ns.Len(), count)
				must(t, ns.Emit(ctx, "after", "the end"))
			})
			ns.OnDisconnect(func(ctx context.Context, s *node.Socket, r node.Reason) {
				j.add("disconnect", r, len(s.Rooms()), ctx.Err(), s.Reason(), s.Connected(), s.Context().Err())
				close(done)
			})
			p := srv.connect(t, "/chat", nil)
			other := srv.connect(t, "/chat", nil)
			s, _ := ns.Socket(p.ID())
			test.end(p, s)
			closed(t, done, "OnDisconnect")
			s.Disconnect(true) // nothing happens twice
			j.is(t,
				fmt.Sprint("disconnecting ", test.want, " 2 <nil> ", node.ErrDisconnected, " ", node.ErrDisconnected, " 1 1"),
				fmt.Sprint("disconnect ", test.want, " 0 <nil> ", test.want, " false context canceled"))
			other.expect(`after "the end"`)
			if n := ns.Len(); n != 1 {
				t.Errorf("%d sockets left", n)
			}
			if _, ok := ns.Socket(s.ID()); ok {
				t.Error("the socket is still found")
			}
			if got := ns.LocalRooms(); len(got) != 1 {
				t.Errorf("rooms %q", got)
			}
		})
	}
}

// The connection's other namespaces hear of its end as of their own, so that
// the client does not come back for them.
func TestDisconnectWholeConnection(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	srv.Of("/b")
	c := srv.dial(t, func(c *client.Config) { c.NoReconnect = false })
	a, b := newPeer(t, c, "/", nil), newPeer(t, c, "/b", nil)
	must(t, a.Connect(t.Context()))
	must(t, b.Connect(t.Context()))
	s, _ := srv.Of("/").Socket(a.ID())
	s.Disconnect(true)
	for _, p := range []*peer{a, b} {
		if r := wait(t, p.ended, "the end"); r != client.ServerDisconnect {
			t.Errorf("%s: %q", p.Namespace(), r)
		}
	}
}

// What was on its way when the server ended a namespace is not held against
// the client's other namespaces.
func TestEventsInFlightAtKick(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	srv.Of("/a")
	srv.Of("/b").OnEvent("ping", func(_ context.Context, e *node.Event) error { return e.Ack() })
	r := srv.raw(t, "4", "")
	r.send("40/a,", "40/b,")
	r.expectPrefix("40/a,")
	r.expectPrefix("40/b,")
	must(t, srv.Of("/a").Broadcast().DisconnectSockets(t.Context(), false))
	r.send(`42/a,["late"]`, `42/a,3["late"]`, `43/a,1[]`, `42/b,1["ping"]`)
	r.expect("41/a,", "43/b,1[]")
	r.send("40/a,")
	r.expectPrefix(`40/a,{"sid"`)
	r.send("41/a,", `42/a,["now it is a mistake"]`)
	r.closed()
}

// A client that leaves and comes back while a handler of its first socket still
// runs gets each event once, as its second socket.
func TestReconnectBehindSlowHandler(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/chat")
	release, running := make(chan struct{}), make(chan struct{}, 1)
	ns.OnConnect(func(_ context.Context, s *node.Socket) error { return s.Join("room") })
	ns.OnDisconnect(func(context.Context, *node.Socket, node.Reason) {})
	ns.OnEvent("slow", func(context.Context, *node.Event) error {
		running <- struct{}{}
		<-release
		return nil
	})
	r := srv.raw(t, "4", "")
	r.send("40/chat,")
	r.expectPrefix("40/chat,")
	r.send(`42/chat,["slow"]`)
	wait(t, running, "the handler")
	r.send("41/chat,", "40/chat,")
	r.expectPrefix("40/chat,")
	must(t, ns.To("room").Emit(t.Context(), "one"))
	must(t, ns.Emit(t.Context(), "two"))
	close(release)
	must(t, ns.Emit(t.Context(), "three"))
	r.expect(`42/chat,["one"]`, `42/chat,["two"]`, `42/chat,["three"]`)
}

// Events that arrived before the client left are handled; those of a client
// that the server ended are not.
func TestEventsBeforeTheEnd(t *testing.T) {
	t.Parallel()
	for _, kicked := range []bool{false, true} {
		srv := start(t, nil)
		ns := srv.Of("/")
		var j journal
		release, running, done := make(chan struct{}), make(chan *node.Socket, 1), make(chan struct{})
		node.On(ns, "n", func(_ context.Context, s *node.Socket, n int) error {
			if n == 0 {
				running <- s
				<-release
			}
			j.add("event", n)
			return nil
		})
		ns.OnDisconnect(func(_ context.Context, _ *node.Socket, r node.Reason) {
			j.add(r)
			close(done)
		})
		r := srv.raw(t, "4", "")
		r.send("40")
		r.expectPrefix("40")
		r.send(`42["n",0]`, `42["n",1]`, `42["n",2]`, `42["sync"]`)
		s := wait(t, running, "the handler")
		if kicked {
			s.Disconnect(false)
			close(release)
			closed(t, done, "OnDisconnect")
			j.is(t, "event 0", "server namespace disconnect")
			continue
		}
		r.send("41")
		closed(t, s.Context().Done(), "the socket's end")
		close(release)
		closed(t, done, "OnDisconnect")
		j.is(t, "event 0", "event 1", "event 2", "client namespace disconnect")
	}
}

// Every connect whose OnConnect succeeded has one disconnect, whatever ends it
// and however often.
func TestOneDisconnectForEachConnect(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/")
	connects, disconnects := make(chan string, 100), make(chan string, 100)
	ns.OnConnect(func(_ context.Context, s *node.Socket) error {
		connects <- s.ID()
		return nil
	})
	ns.OnDisconnect(func(_ context.Context, s *node.Socket, _ node.Reason) { disconnects <- s.ID() })
	const n = 20
	var peers []*peer
	for range n {
		peers = append(peers, srv.connect(t, "/", nil))
	}
	stop := make(chan struct{})
	for i, p := range peers {
		s, ok := ns.Socket(p.ID())
		if !ok {
			t.Fatal("no socket")
		}
		for _, end := range []func(){
			func() { s.Disconnect(i%2 == 0) },
			func() { _ = p.Disconnect() },
			func() { p.client.Drop() },
			func() { _ = ns.Broadcast().DisconnectSockets(context.Background(), true) },
		} {
			srv.Go(func(context.Context) error {
				<-stop
				end()
				return nil
			})
		}
	}
	close(stop)
	seen := make(map[string]int)
	for range n {
		seen[wait(t, connects, "a connect")]++
		seen[wait(t, disconnects, "a disconnect")]++
	}
	must(t, srv.Shutdown(t.Context()))
	if len(disconnects) > 0 || len(seen) != n {
		t.Errorf("%d more disconnects than connects, %d sockets", len(disconnects), len(seen))
	}
	for id, k := range seen {
		if k != 2 {
			t.Errorf("%s: %d", id, k)
		}
	}
}

// With python-socketio 1.x the root namespace is the connection.
func TestSeedRootEndsAll(t *testing.T) {
	t.Parallel()
	for _, seed := range []bool{true, false} {
		srv := start(t, func(c *node.Config) { c.CompatSeed = seed })
		srv.Of("/b").OnEvent("ping", func(_ context.Context, e *node.Event) error { return e.Ack() })
		r := srv.raw(t, "3", "")
		r.expect("40")
		r.send("40/b")
		r.expect("40/b,")
		r.send("41")
		if seed {
			r.closed("41/b,")
			continue
		}
		r.send(`42/b,1["ping"]`)
		r.expect("43/b,1[]")
	}
}
