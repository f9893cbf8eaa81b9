package gossip

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/siod-io/siod/membership"
)

// usual returns a configuration as users have it.
func usual(t *testing.T, id string, join ...*Gossip) Config {
	c := config(t, member(id), join...)
	c.Probe, c.tune = 0, nil
	return c
}

// Ten nodes with the pace that users get. The times are for the eye: only the
// bound of the tests is held.
func TestTenNodes(t *testing.T) {
	t.Parallel()
	const nodes = 10
	began := time.Now()
	all := []*Gossip{start(t, usual(t, "0"))}
	for i := 1; i < nodes; i++ {
		all = append(all, start(t, usual(t, strconv.Itoa(i), all[0])))
	}
	t.Logf("started one after the other: %v", time.Since(began))
	everywhere := func(what string, began time.Time, ok func(*Gossip) bool) {
		t.Helper()
		for _, g := range all {
			await(t, g, what, func() bool { return ok(g) })
		}
		t.Logf("%s: %v", what, time.Since(began))
	}
	everywhere("all see all", time.Now(), func(g *Gossip) bool { return len(g.Members()) == nodes })

	began = time.Now()
	if err := all[3].SetMeta(map[string]string{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	everywhere("a change", began, func(g *Gossip) bool { m, _ := g.Lookup("3"); return m.Meta["k"] == "v" })

	watches := make([]<-chan membership.Event, 0, nodes)
	for _, g := range all[:nodes-1] {
		watches = append(watches, watch(t, g, "9"))
	}
	began = time.Now()
	ended := make(chan error, 1)
	go func() { ended <- all[nodes-1].Leave(t.Context()) }()
	left := 0
	for _, w := range watches {
		if why := gone(t, w, "9"); why == membership.Left {
			left++
		}
	}
	t.Logf("one that left is gone: %v; %d of %d know why", time.Since(began), left, len(watches))
	if err := <-ended; err != nil {
		t.Error(err)
	}
	t.Logf("Leave returned: %v", time.Since(began))
	all = all[:nodes-1]
	if left < told { // those that were told over TCP
		t.Errorf("%d know that it left, at least %d", left, told)
	}

	began = time.Now()
	all[nodes-2].Close()
	all = all[:nodes-2]
	everywhere("one that was killed is gone", began, func(g *Gossip) bool { _, ok := g.Lookup("8"); return !ok })
}

// Many start at the same moment, by one address, and none misses another.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	const nodes = 30
	first := start(t, usual(t, "0"))
	all := make([]*Gossip, nodes)
	all[0] = first
	var wg sync.WaitGroup
	began := time.Now()
	for i := 1; i < nodes; i++ {
		wg.Go(func() {
			g, err := Start(t.Context(), usual(t, strconv.Itoa(i), first))
			if err != nil {
				t.Error(err)
				return
			}
			all[i] = g
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, g := range all {
		await(t, g, "all", func() bool { return len(g.Members()) == nodes })
	}
	t.Logf("all see all: %v", time.Since(began))
	for _, g := range all {
		wg.Go(g.Close)
	}
	wg.Wait()
}

// All of a cluster go at once.
func TestAllLeave(t *testing.T) {
	t.Parallel()
	a := start(t, config(t, member("a")))
	all := []*Gossip{a, start(t, config(t, member("b"), a)), start(t, config(t, member("c"), a))}
	sees(t, a, "a", "b", "c")
	var wg sync.WaitGroup
	for _, g := range all {
		wg.Go(func() {
			if err := g.Leave(t.Context()); err != nil {
				t.Error(err)
			}
			if s := g.Self().State; s != membership.Left {
				t.Errorf("%s sees itself as %v", g.Self().ID, s)
			}
		})
	}
	wg.Wait()
}

func TestLeaveOnceCancelled(t *testing.T) {
	t.Parallel()
	a := start(t, config(t, member("a")))
	b := start(t, config(t, member("b"), a))
	sees(t, a, "a", "b")
	w := watch(t, a, "b")
	own := b.Watch(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Leave(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for range own { // it ended at once
	}
	if err := b.Leave(ctx); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if why := gone(t, w, "b"); why != membership.Left { // told in the background
		t.Errorf("b is gone as %v", why)
	}
	if err := b.SetLeaving(); !errors.Is(err, membership.ErrLeft) {
		t.Errorf("SetLeaving: %v", err)
	}
}

// mute loses all packets from some moment on.
type mute struct {
	*sockets
	on *atomic.Bool
}

func (m mute) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if m.on.Load() {
		return time.Now(), nil
	}
	return m.sockets.WriteToAddress(b, a)
}

// Where packets get lost, Leave is heard of over TCP.
func TestLeaveWithoutPackets(t *testing.T) {
	t.Parallel()
	a := start(t, config(t, member("a")))
	c := config(t, member("b"), a)
	pace := c.tune
	var lost atomic.Bool
	c.tune = func(mc *memberlist.Config) {
		pace(mc)
		mc.Transport = mute{mc.Transport.(*sockets), &lost}
	}
	b := start(t, c)
	sees(t, a, "a", "b")
	w := watch(t, a, "b")
	lost.Store(true) // only now: who never answers is held for dead some day
	if err := b.Leave(t.Context()); err != nil {
		t.Error(err)
	}
	if why := gone(t, w, "b"); why != membership.Left {
		t.Errorf("b is gone as %v", why)
	}
}

// Leave waits for those who are just joining by this node.
func TestLeaveWaitsForExchanges(t *testing.T) {
	t.Parallel()
	log := newRecord()
	c := config(t, member("a"))
	c.Logger = log.logger()
	a := start(t, c)
	conn, err := net.Dial("tcp", a.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	log.await(t, "Stream connection") // it stays open
	began := time.Now()
	if err := a.Leave(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < farewell {
		t.Errorf("Leave took %v, want at least %v", took, farewell)
	}
}

// The last words of a member may come together with its end.
func TestLeftAtOnce(t *testing.T) {
	t.Parallel()
	a := start(t, config(t, member("a")))
	at := netip.MustParseAddrPort("127.0.0.1:1")
	x := member("x")
	apply := func(state membership.State, present bool) {
		x.State = state
		a.settle.Lock()
		defer a.settle.Unlock()
		a.apply("x", peer{encodeMember(x), at, present})
	}
	apply(membership.Alive, true)
	w := watch(t, a, "x")
	apply(membership.Left, false)
	if why := gone(t, w, "x"); why != membership.Left {
		t.Errorf("x is gone as %v", why)
	}
	apply(membership.Alive, true) // an old word of it
	if ids(a) != "a" {
		t.Errorf("x is back: %s", ids(a))
	}
}

// Close after Leave and again does nothing; a member that was closed did not
// leave.
func TestClose(t *testing.T) {
	t.Parallel()
	a := start(t, config(t, member("a")))
	a.Close()
	a.Close()
	if err := a.Leave(t.Context()); err != nil {
		t.Error(err)
	}
	if s := a.Self().State; s != membership.Dead {
		t.Errorf("it sees itself as %v", s)
	}
	if got := a.Members(); len(got) != 0 {
		t.Errorf("members %v", got)
	}
}
