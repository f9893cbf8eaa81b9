package natsio_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane/embedded"
	"github.com/siod-io/siod/backplane/natsio"
	"github.com/siod-io/siod/internal/testaddr"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
)

// cluster makes members for one test.
type cluster struct {
	t     testing.TB
	group *static.Group // of a mesh, in which each member has a server of its own

	mu      sync.Mutex
	server  []*embedded.Server
	proxies []*proxy // to the routes of these
	members []*member
}

type member struct {
	*natsio.Backplane
	cable *cable
	gone  bool // killed; guarded by cluster.mu
}

// newCluster returns a cluster with one server for all members.
func newCluster(t testing.TB) *cluster { return &cluster{t: t} }

// newMesh returns a cluster with a server for each member.
func newMesh(t testing.TB) *cluster { return &cluster{t: t, group: static.NewGroup()} }

// wait bounds every wait for what must happen.
const wait = time.Minute

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

// serverOf returns the server of the next member.
func (c *cluster) serverOf(t testing.TB, id string) *embedded.Server {
	t.Helper()
	if c.group == nil && len(c.server) > 0 {
		return c.server[0]
	}
	cfg := embedded.Config{Name: fmt.Sprint("server-", len(c.server))}
	if c.group != nil {
		members, err := c.group.Join(membership.Member{ID: id, Name: cfg.Name})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Members = members
	}
	s, err := c.startServer(t, cfg)
	for c.group != nil && errors.Is(err, syscall.EADDRINUSE) {
		s, err = c.startServer(t, cfg) // somebody took the port in between
	}
	if err != nil {
		t.Fatal(err)
	}
	c.server = append(c.server, s)
	t.Cleanup(func() {
		if err := s.Shutdown(waiting(t)); err != nil {
			t.Error(err)
		}
	})
	return s
}

// startServer starts a server, in a mesh with routes through a proxy.
func (c *cluster) startServer(t testing.TB, cfg embedded.Config) (*embedded.Server, error) {
	t.Helper()
	if c.group == nil {
		return embedded.Start(waiting(t), cfg)
	}
	listen := testaddr.Free(t)
	p := newProxy(t, listen)
	cfg.Routes = embedded.RouteConfig{Listen: listen, Advertise: p.addr()}
	s, err := embedded.Start(waiting(t), cfg)
	if err == nil {
		c.proxies = append(c.proxies, p)
	} else if strings.Contains(err.Error(), "address already in use") {
		err = syscall.EADDRINUSE
	}
	return s, err
}

// join adds a member and returns when all reach each other.
func (c *cluster) join(t testing.TB, id string, change ...func(*natsio.Config)) *member {
	t.Helper()
	server := c.serverOf(t, id)
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
	c.reach(t, m)
	c.meet(t)
	return m
}

// reach returns when the server of a member has its routes. Its first beat may
// have come too early for them.
func (c *cluster) reach(t testing.TB, m *member) {
	t.Helper()
	for _, o := range c.present() {
		if o == m {
			continue
		}
		until(t, func() bool {
			ctx := waiting(t)
			return m.Barrier(ctx, []string{o.ID()}) == nil && o.Barrier(ctx, []string{m.ID()}) == nil &&
				m.Heard(o.ID()) && o.Heard(m.ID())
		})
	}
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
