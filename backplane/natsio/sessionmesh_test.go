package natsio_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/embedded"
	"github.com/siod-io/siod/backplane/natsio"
	"github.com/siod-io/siod/membership"
)

// path is where new connections of a node go to, and as whom: each server has
// passwords of its own.
type path struct {
	mu     sync.Mutex
	server *embedded.Server
}

// InProcessConn implements nats.InProcessConnProvider.
func (p *path) InProcessConn() (net.Conn, error) { return p.to().InProcessConn() }

func (p *path) credentials() (user, password string) { return p.to().Credentials(embedded.Node) }

func (p *path) to() *embedded.Server {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.server
}

func (p *path) reroute(server *embedded.Server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server = server
}

// newStores returns a mesh of three servers that all store.
func newStores(t *testing.T, names ...string) *cluster {
	t.Helper()
	c := newMesh(t)
	servers := make([]*embedded.Server, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		members, err := c.group.Join(membership.Member{ID: name, Name: name, Started: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		cfg := embedded.Config{
			Name: name, Store: 3, IsStore: true, Members: members,
			Routes: embedded.RouteConfig{Listen: "127.0.0.1:0"},
			Logger: slog.New(slog.DiscardHandler),
		}
		all.Go(func() {
			var err error
			if servers[i], err = embedded.Start(patient(t), cfg); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, s := range servers {
		t.Cleanup(func() {
			if err := s.Shutdown(patient(t)); err != nil {
				t.Error(err)
			}
		})
	}
	c.server = servers
	return c
}

// attach connects a member to one of the servers.
func (c *cluster) attach(t *testing.T, i int, id string, cfg natsio.SessionConfig) (*member, *path) {
	t.Helper()
	to := &path{server: c.server[i]}
	m := &member{}
	var err error
	m.Backplane, err = natsio.Connect(patient(t), natsio.Config{
		ID: id, InProcess: to, Options: []nats.Option{nats.UserInfoHandler(to.credentials)},
		ReconnectWait: 10 * time.Millisecond, Logger: slog.New(slog.DiscardHandler), Sessions: &cfg,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(patient(t)); err != nil {
			t.Error(err)
		}
	})
	return m, to
}

// TestSessionsThreeStores: while the leadership of the store moves, and when its
// server ends, acknowledged records are loaded everywhere, none goes back, and
// each claim has one winner.
func TestSessionsThreeStores(t *testing.T) {
	t.Parallel()
	c := newStores(t, "s0", "s1", "s2")
	var nodes []*member
	var paths []*path
	for i := range 3 {
		m, to := c.attach(t, i, fmt.Sprint("n", i), natsio.SessionConfig{Replicas: 3})
		nodes, paths = append(nodes, m), append(paths, to)
	}
	told := make(chan backplane.Owner, 10_000)
	if _, err := sessionsOf(t, nodes[2]).WatchOwners(patient(t), ownerChan(told)); err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(patient(t))
	defer stop()
	var stored atomic.Int64
	var work sync.WaitGroup
	work.Go(func() { // n0 changes a session all the time
		for n := int64(1); ctx.Err() == nil; n++ {
			done := make(chan struct{})
			err := sessionsOf(t, nodes[0]).Record([]backplane.SessionRecord{session("n0.1", strconv.FormatInt(n, 10))}, func(err error) {
				if err != nil {
					t.Error(err)
				}
				stored.Store(n)
				close(done)
			})
			if err != nil {
				t.Error(err)
			}
			<-done
		}
	})
	var owner backplane.Owner // the newest one
	claims := 0
	work.Go(func() { // all claim another one
		for round := uint64(0); ctx.Err() == nil; {
			current, err := sessionsOf(t, nodes[round%3]).Owner(ctx, "x.1")
			if err != nil {
				continue
			}
			var winners atomic.Int32
			var unknown atomic.Bool
			var race sync.WaitGroup
			for _, m := range nodes {
				race.Go(func() {
					short, cancel := context.WithTimeout(ctx, 15*time.Second)
					defer cancel()
					switch _, err := sessionsOf(t, m).Claim(short, current); {
					case err == nil:
						winners.Add(1)
					case errors.Is(err, backplane.ErrOutcomeUnknown):
						unknown.Store(true)
					}
				})
			}
			race.Wait()
			if n := winners.Load(); n > 1 {
				t.Errorf("%d claims of %+v succeeded", n, current)
			}
			after, err := sessionsOf(t, nodes[(round+1)%3]).Owner(ctx, "x.1")
			if err != nil {
				continue
			}
			if won := after.Generation > current.Generation; won != (winners.Load() == 1) && !unknown.Load() {
				t.Errorf("%+v followed %+v, and %d claims succeeded", after, current, winners.Load())
			}
			owner = after
			claims++
			round++
		}
	})

	nc := nodes[1]
	seen := int64(0)
	look := func() {
		t.Helper()
		for _, m := range nodes[1:] {
			least := max(stored.Load(), seen)
			got := int64(0)
			for r, err := range sessionsOf(t, m).Load(patient(t), "n0") {
				if err != nil {
					t.Logf("load: %v", err)
					got = least
					break
				}
				n, err := strconv.ParseInt(string(r.State), 10, 64)
				if err != nil {
					t.Error(err)
				}
				got = n
			}
			if got < least {
				t.Fatalf("%d is loaded at %s after %d", got, m.ID(), least)
			}
			seen = got
		}
	}
	for range 6 {
		before := stored.Load()
		eventually(t, func() bool { look(); return stored.Load() > before+10 })
		if err := natsio.StepDown(patient(t), nc.Backplane); err != nil {
			t.Log(err)
		}
	}
	leader, err := natsio.Leader(patient(t), nc.Backplane)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range c.server {
		if s.Name() != leader {
			continue
		}
		// Its own node loses its connection; it goes to the next server.
		paths[i].reroute(c.server[(i+1)%3])
		if err := s.Shutdown(patient(t)); err != nil {
			t.Error(err)
		}
	}
	before := stored.Load()
	eventually(t, func() bool { look(); return stored.Load() > before+10 })
	stop()
	work.Wait()
	look()
	if claims < 5 {
		t.Errorf("%d claims", claims)
	}
	for newest := uint64(0); newest < owner.Generation; {
		select {
		case o := <-told:
			newest = o.Generation
		case <-patient(t).Done():
			t.Fatalf("generation %d was told, and not %d", newest, owner.Generation)
		}
	}
	t.Logf("%d states stored, %d claims, %+v", stored.Load(), claims, nodes[0].SessionStats())
}

// eventually is until with patience.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	ctx := patient(t)
	for !ok() {
		if ctx.Err() != nil {
			t.Fatal("it did not happen")
		}
	}
}
