package node_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/siod-io/siod/node"
)

// With Engine.IO 3 all sockets of a connection in one namespace have one id. A
// client that leaves while it is let in, and enters again, has one socket then,
// whichever way in ends last.
func TestReentryWithTheSameID(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/a")
	var calls atomic.Int32
	inside, held, left := make(chan struct{}), make(chan struct{}), make(chan struct{}, 8)
	ns.Use(func(context.Context, *node.Socket) error {
		if calls.Add(1) == 1 {
			close(inside)
			<-held // whether or not its client is gone
		}
		return nil
	})
	connected := make(chan *node.Socket, 8)
	ns.OnConnect(func(_ context.Context, s *node.Socket) error {
		connected <- s
		return s.Join("room")
	})
	ns.OnDisconnect(func(context.Context, *node.Socket, node.Reason) { left <- struct{}{} })
	r := srv.raw(t, "3", "")
	r.expect("40")
	r.send("40/a")
	closed(t, inside, "the first way in")
	r.send("41/a")
	r.send("40/a")
	r.expect("40/a,")
	second := wait(t, connected, "the second socket")
	close(held)
	wait(t, connected, "the first one, whose client is gone")
	wait(t, left, "its end")
	if s, ok := ns.Socket(second.ID()); !ok || s != second {
		t.Error("the socket of the client is not found")
	}
	must(t, ns.To("room").Fast().Emit(t.Context(), "once", 1))
	must(t, ns.To(second.ID()).Fast().Emit(t.Context(), "too", 1))
	r.expect(`42/a,["once",1]`)
	r.expect(`42/a,["too",1]`)
	must(t, ns.Emit(t.Context(), "all", 1))
	must(t, second.Emit(t.Context(), "end", 1))
	r.expect(`42/a,["all",1]`)
	r.expect(`42/a,["end",1]`)
	_ = r.conn.Close()
	wait(t, left, "the end of the second one")
	until(t, func() bool { return ns.Len() == 0 && len(ns.LocalRooms()) == 0 })
}
