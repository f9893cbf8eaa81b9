package forward

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/siod-io/siod/transport"
)

// A node that goes lets polls of other nodes' sessions end by themselves: their
// clients go on through another node and lose nothing.
func TestShutdownWaits(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 3, nil)
	home, going, other := nodes[0], nodes[1], nodes[2]
	query := home.open("EIO=4")
	poll := going.later(t.Context(), "GET", query, "")
	eventually(t, "the poll to arrive", func() bool { return home.fwd.Stats().Served[Forwarded] == 1 })
	done := make(chan error, 1)
	go func() { done <- going.fwd.Shutdown(t.Context()) }()
	eventually(t, "the shutdown to begin", func() bool {
		going.fwd.mu.Lock()
		defer going.fwd.mu.Unlock()
		return going.fwd.closing
	})
	if a := going.do("POST", query, "4x"); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("a new request: %d %s", a.status, a.body)
	}
	if c := going.knock(nil, query); c.accept.StatusCode != 503 {
		t.Errorf("a new upgrade: %s", c.accept.Status)
	}
	other.posts(query, "4answer")
	if a := recv(t, poll, "the poll"); a.status != 200 || a.body != "4answer" {
		t.Errorf("the poll that waited: %d %s", a.status, a.body)
	}
	if err := recv(t, done, "the shutdown"); err != nil {
		t.Error(err)
	}
	other.posts(query, "4goes on")
	other.polls(query, "4goes on")
	going.sent(Closing, 2)
}

// When its time is over what is left is cut.
func TestShutdownCuts(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, nil)
	home, going := nodes[0], nodes[1]
	query := home.open("EIO=4")
	poll := going.later(t.Context(), "GET", query, "")
	eventually(t, "the poll to arrive", func() bool { return home.fwd.Stats().Served[Forwarded] == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := going.fwd.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if a := recv(t, poll, "the poll"); a.status != http.StatusBadGateway || a.body != outOfReach {
		t.Errorf("the poll that waited: %d %s", a.status, a.body)
	}
	home.ends(transport.ReasonTransportError)
	if err := going.fwd.Shutdown(t.Context()); err != nil {
		t.Errorf("again: %v", err)
	}
}

// Tunnels end with the node, one after the other if it has time for that.
func TestShutdownEndsTunnels(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, func(_ int, o *options) { o.forward.DrainTime = 300 * time.Millisecond })
	home, going := nodes[0], nodes[1]
	upgraded := func(home, at *testNode) *socket {
		c := at.upgrade(home.open("EIO=4"))
		c.text("4x") // a tunnel that ends before the upgrade does leaves a polling session
		c.expect("4x")
		return c
	}
	var sockets []*socket
	for range 3 {
		sockets = append(sockets, upgraded(home, going))
	}
	begun := time.Now()
	if err := going.fwd.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if d := time.Since(begun); d < 200*time.Millisecond {
		t.Errorf("three tunnels ended within %v", d)
	}
	for _, c := range sockets {
		c.over()
		home.ends(transport.ReasonTransportClose)
	}
	if st := going.fwd.Stats(); st.Tunnels != 0 {
		t.Errorf("%+v", st)
	}

	// And all at once if it has none.
	nodes = cluster(t, 2, func(_ int, o *options) { o.forward.DrainTime = time.Hour })
	home, going = nodes[0], nodes[1]
	c, d := upgraded(home, going), upgraded(home, going)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = going.fwd.Shutdown(ctx)
	c.over()
	d.over()
}

// A home that goes answers what other nodes have sent it, as it answers its own
// clients.
func TestHomeShutsDown(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, nil)
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	poll := other.later(t.Context(), "GET", query, "")
	eventually(t, "the poll to arrive", func() bool { return home.fwd.Stats().Served[Forwarded] == 1 })
	c := other.upgrade(home.open("EIO=4"))
	c.text("4x")
	c.expect("4x")
	done := make(chan error, 1)
	go func() { done <- home.engine.Shutdown(t.Context()) }()
	if a := recv(t, poll, "the poll"); a.status != 200 || a.body != "1" {
		t.Errorf("the poll that waited: %d %q", a.status, a.body)
	}
	c.closes(1012)
	c.over()
	if err := recv(t, done, "the shutdown"); err != nil {
		t.Error(err)
	}
}
