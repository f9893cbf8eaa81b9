package natsio_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
)

// routes cuts or mends the routes between all servers.
func (c *cluster) routes(cut bool) {
	for _, p := range c.proxies {
		p.sever(cut)
	}
}

// TestRoutesCut: when the routes between servers break, no client notices. The
// numbers do.
func TestRoutesCut(t *testing.T) {
	t.Parallel()
	c := newMesh(t)
	a, b := c.join(t, "a"), c.join(t, "b")
	room := backplane.Room("/", "r")
	in, self := newInbox(), newInbox()
	subscribe(t, b, room, in.handle)
	subscribe(t, b, backplane.Node("b"), self.handle)
	c.meet(t)
	publish(t, a, room, 1)
	in.until(t, func(got []backplane.Delivery) bool { return len(got) == 1 })

	c.routes(true)
	until(t, func() bool { return !a.Heard("b") && !b.Heard("a") })
	for i := range uint64(5) {
		publish(t, a, room, 2+i)
	}
	err := b.Barrier(waiting(t), []string{"a"})
	if p, ok := errors.AsType[*backplane.PartialError](err); !ok || len(p.Failed) != 1 || p.Failed[0] != (backplane.Failure{Node: "a", Reason: backplane.ReasonUnreachable}) {
		t.Errorf("a barrier at a node without route: %v", err)
	}
	if err := b.Healthy(waiting(t)); err != nil {
		t.Errorf("its own connections work: %v", err)
	}

	c.routes(false)
	self.until(t, func(got []backplane.Delivery) bool { _, _, unknown := tallied(got); return unknown })
	c.reach(t, a)
	publish(t, a, room, 7)
	got := in.until(t, func(got []backplane.Delivery) bool { came, _, _ := tallied(got); return came == 2 })
	if _, lost, _ := tallied(got); lost != 5 {
		t.Errorf("%d lost, want 5", lost)
	}
	if s := b.Stats(); s.Reconnects > 0 || s.Slow > 0 {
		t.Errorf("its own connections had part in it: %+v", s)
	}
}

// TestDeadServer: a node whose server died is unreachable at once for the
// others, and its own calls say why.
func TestDeadServer(t *testing.T) {
	t.Parallel()
	c := newMesh(t)
	a, b := c.join(t, "a"), c.join(t, "b")
	subscribe(t, b, backplane.Node("b"), func(backplane.Delivery) {})
	c.meet(t)
	if err := c.server[1].Shutdown(waiting(t)); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool {
		return errors.Is(b.Healthy(waiting(t)), backplane.ErrDisconnected)
	})
	env := &backplane.Envelope{Kind: backplane.KindOperation, Origin: "a"}
	until(t, func() bool { // a request may be on the route while it breaks
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		for _, err := range a.Request(ctx, backplane.Node("b"), env, nil) {
			p, ok := errors.AsType[*backplane.PartialError](err)
			return ok && len(p.Failed) == 1 && p.Failed[0].Reason == backplane.ReasonUnreachable
		}
		return false
	})
}
