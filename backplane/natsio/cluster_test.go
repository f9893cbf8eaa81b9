package natsio_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane/embedded"
	"github.com/siod-io/siod/backplane/natsio"
)

// cluster makes members for one test. Its servers start with the first one.
type cluster struct {
	t       testing.TB
	servers int

	start  sync.Once
	server []*embedded.Server

	mu      sync.Mutex
	members []*member
}

type member struct {
	*natsio.Backplane
	cable *cable
	gone  bool // killed; guarded by cluster.mu
}

func newCluster(t testing.TB, servers int) *cluster { return &cluster{t: t, servers: servers} }

// wait bounds every wait for what must happen.
const wait = 20 * time.Second

func waiting(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	t.Cleanup(cancel)
	return ctx
}

// until waits for a condition of which no event tells.
func until(t testing.TB, ok func() bool) {
	t.Helper()
	ctx := waiting(t)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it did not happen")
		}
	}
}

// boot starts the servers.
func (c *cluster) boot() {
	c.t.Helper()
	c.start.Do(func() {
		for i := range c.servers {
			s, err := embedded.Start(waiting(c.t), embedded.Config{Name: fmt.Sprint("server", i)})
			if err != nil {
				c.t.Fatal(err)
			}
			c.server = append(c.server, s)
			c.t.Cleanup(func() {
				if err := s.Shutdown(waiting(c.t)); err != nil {
					c.t.Error(err)
				}
			})
		}
	})
}

// join adds a member and returns when all reach each other.
func (c *cluster) join(t testing.TB, id string, change ...func(*natsio.Config)) *member {
	t.Helper()
	c.boot()
	c.mu.Lock()
	server := c.server[len(c.members)%len(c.server)]
	c.mu.Unlock()
	m := &member{cable: newCable(server)}
	cfg := natsio.Config{
		ID:            id,
		InProcess:     m.cable,
		Options:       server.NodeOptions(),
		Beat:          500 * time.Millisecond,
		ReconnectWait: 10 * time.Millisecond,
		Logger:        slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if m.Backplane, err = natsio.Connect(waiting(t), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.cable.freeze(false)
		if err := m.Close(waiting(t)); err != nil {
			t.Errorf("close of %s: %v", id, err)
		}
		m.cable.sever()
		m.cable.pumps.Wait()
	})
	c.mu.Lock()
	c.members = append(c.members, m)
	c.mu.Unlock()
	c.meet(t)
	return m
}

// meet returns when all members that can heard each other. A member beats
// before it asks, so who answered knows it.
func (c *cluster) meet(t testing.TB) {
	t.Helper()
	all := c.present()
	for range 2 {
		for _, m := range all {
			var others []string
			for _, o := range all {
				if o != m {
					others = append(others, o.ID())
				}
			}
			if err := m.Barrier(waiting(t), others); err != nil {
				t.Errorf("%s does not reach the others: %v", m.ID(), err)
			}
		}
	}
}

// present returns the members that were not killed and whose cable works.
func (c *cluster) present() []*member {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []*member
	for _, m := range c.members {
		if !m.gone {
			list = append(list, m)
		}
	}
	return list
}

func (c *cluster) member(id string) *member {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		if m.ID() == id {
			return m
		}
	}
	c.t.Fatalf("no member %s", id)
	return nil
}
