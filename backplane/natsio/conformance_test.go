package natsio_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/backplanetest"
	"github.com/siod-io/siod/backplane/natsio"
)

// TestConformance runs the suite with all members on one server.
func TestConformance(t *testing.T) {
	t.Parallel()
	backplanetest.Run(t, features, func(t *testing.T) *backplanetest.Cluster {
		return newCluster(t).suite()
	})
}

// TestConformanceMesh runs the suite with a server for each member.
func TestConformanceMesh(t *testing.T) {
	t.Parallel()
	backplanetest.Run(t, features, func(t *testing.T) *backplanetest.Cluster {
		return newMesh(t).suite()
	})
}

// TestConformanceWide runs the suite with rooms subscribed by shards.
func TestConformanceWide(t *testing.T) {
	t.Parallel()
	backplanetest.Run(t, features, func(t *testing.T) *backplanetest.Cluster {
		c := newCluster(t)
		s := c.suite()
		s.Join = func(t *testing.T, id string) backplane.Backplane {
			return c.join(t, id, func(cfg *natsio.Config) { cfg.Rooms, cfg.Linger = 1, -1 }).Backplane
		}
		return s
	})
}

var features = backplanetest.Features{Occupancy: true, Wait: wait}

// suite are the functions for backplanetest.
func (c *cluster) suite() *backplanetest.Cluster {
	return &backplanetest.Cluster{
		Join:      func(t *testing.T, id string) backplane.Backplane { return c.join(t, id).Backplane },
		Kill:      c.kill,
		Freeze:    func(_ *testing.T, id string) { c.member(id).cable.freeze(true) },
		Thaw:      func(_ *testing.T, id string) { c.member(id).cable.freeze(false) },
		Partition: c.partition,
		Heal:      c.heal,
	}
}

// kill ends a member as SIGKILL would, and tells the others as the membership
// would.
func (c *cluster) kill(t *testing.T, id string) {
	t.Helper()
	m := c.member(id)
	down := func() {
		for _, o := range c.present() {
			if o != m {
				o.NodeDown(id)
			}
		}
	}
	c.mu.Lock()
	m.gone = true
	c.mu.Unlock()
	down()               // so that whoever asks from now on knows why nobody answers
	m.cable.freeze(true) // it says nothing any more
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = m.Close(now) // the rest happens in the background
	m.cable.sever()
	for _, o := range c.present() {
		if !o.cable.isFrozen() {
			settle(o, id)
		}
	}
	down()
}

// settle returns when the server of a member noticed that another one is gone,
// and the member handled what came from it. It may run when the test is over.
func settle(m *member, gone string) {
	for {
		short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		err := m.Barrier(short, []string{gone})
		cancel()
		if p, ok := errors.AsType[*backplane.PartialError](err); !ok || len(p.Failed) > 0 {
			break // refused, or it closes as well
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	_ = m.Healthy(ctx)
}

// partition cuts off the members of all groups but the first.
func (c *cluster) partition(t *testing.T, groups ...[]string) {
	t.Helper()
	for _, g := range groups[1:] {
		if len(g) != 1 {
			t.Fatalf("cannot cut off %v together", g)
		}
		c.member(g[0]).cable.sever()
	}
	for _, g := range groups[1:] {
		far := c.member(g[0])
		for _, o := range c.present() {
			if o != far {
				until(t, func() bool { return !o.Heard(far.ID()) && !far.Heard(o.ID()) })
			}
		}
	}
}

func (c *cluster) heal(t *testing.T) {
	t.Helper()
	for _, m := range c.present() {
		m.cable.mend()
	}
	for _, m := range c.present() {
		until(t, func() bool { return m.Healthy(waiting(t)) == nil })
	}
	for _, m := range c.present() {
		c.reach(t, m)
	}
}
