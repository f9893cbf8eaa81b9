package gossip

import (
	"sync"
	"testing"
	"time"

	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/membershiptest"
)

// cluster is the members of one test, each with sockets of its own.
type cluster struct {
	mu    sync.Mutex
	nodes map[string]*Gossip
}

func (c *cluster) Join(t *testing.T, m membership.Member) membership.Membership {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	cfg := config(t, m)
	for _, g := range c.nodes {
		if g.Self().State.Present() {
			cfg.Join = append(cfg.Join, g.Addr())
		}
	}
	g, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.nodes[m.ID] = g
	return g
}

func (c *cluster) Kill(_ *testing.T, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[id].Close()
}

func (c *cluster) close() {
	var wg sync.WaitGroup
	for _, g := range c.nodes {
		wg.Go(g.Close)
	}
	wg.Wait()
}

func TestConformance(t *testing.T) {
	t.Parallel()
	f := membershiptest.Features{Kill: true, Names: true, Wait: 4 * time.Minute}
	membershiptest.Run(t, f, func(t *testing.T) membershiptest.Cluster {
		c := &cluster{nodes: make(map[string]*Gossip)}
		t.Cleanup(c.close)
		return c
	})
}
