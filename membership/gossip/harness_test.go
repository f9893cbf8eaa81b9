package gossip

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/siod-io/siod/membership"
)

// wait bounds what must happen, on a machine that may be busy with others.
const wait = time.Minute

const secret = "a secret of the tests"

// member returns a node's description.
func member(id string) membership.Member {
	return membership.Member{ID: id, Addr: id + ":1", Version: "v1"}
}

// config returns the configuration of a node on loopback that talks fast and is
// slow to give others up, in a cluster of the test's own: ports are used again,
// and two tests must not meet.
func config(t *testing.T, m membership.Member, join ...*Gossip) Config {
	c := Config{
		Self: m, Cluster: clusterOf(t), Secrets: []string{secret}, Listen: "127.0.0.1:0",
		Probe: 100 * time.Millisecond,
		tune: func(mc *memberlist.Config) {
			mc.ProbeTimeout = 90 * time.Millisecond
			mc.SuspicionMult = 15
		},
	}
	for _, g := range join {
		c.Join = append(c.Join, g.Addr())
	}
	return c
}

// trusting returns a configuration of a node that suspects nobody in the time of
// a test. A node that joins is not told of those that are suspected.
func trusting(t *testing.T, m membership.Member, join ...*Gossip) Config {
	c := config(t, m, join...)
	pace := c.tune
	c.tune = func(mc *memberlist.Config) {
		pace(mc)
		mc.ProbeInterval = time.Hour
	}
	return c
}

func clusterOf(t *testing.T) string {
	name := t.Name()
	return name[max(0, len(name)-maxCluster):]
}

// start starts a node and ends it with the test.
func start(t *testing.T, c Config) *Gossip {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	g, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// await waits until ok is true, and looks when the view of g changes.
func await(t *testing.T, g *Gossip, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	w := g.Watch(ctx)
	for !ok() {
		if _, open := <-w; !open {
			t.Fatalf("%s sees %v, want %s", g.Self().ID, ids(g), what)
		}
	}
}

// sees waits until g sees exactly these members.
func sees(t *testing.T, g *Gossip, want ...string) {
	t.Helper()
	text := strings.Join(want, " ")
	await(t, g, text, func() bool { return ids(g) == text })
}

func ids(g *Gossip) string {
	var list []string
	for _, m := range g.Members() {
		list = append(list, m.ID)
	}
	return strings.Join(list, " ")
}

// watch begins to watch and returns when a member was reported as present.
func watch(t *testing.T, g *Gossip, id string) <-chan membership.Event {
	t.Helper()
	w := g.Watch(t.Context())
	for {
		select {
		case ev := <-w:
			if ev.Member.ID == id {
				return w
			}
		case <-time.After(wait):
			t.Fatalf("%s does not see %s", g.Self().ID, id)
		}
	}
}

// gone waits until a member is gone and returns its last state.
func gone(t *testing.T, w <-chan membership.Event, id string) membership.State {
	t.Helper()
	late := time.After(wait)
	for {
		select {
		case ev, ok := <-w:
			if !ok {
				t.Fatal("the watch ended")
			}
			if ev.Kind == membership.Gone && ev.Member.ID == id {
				return ev.Member.State
			}
		case <-late:
			t.Fatalf("%s is not gone", id)
		}
	}
}

// record keeps what is logged, for tests to wait for.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newRecord() *record { return &record{more: make(chan struct{}, 1)} }

func (r *record) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case r.more <- struct{}{}:
	default:
	}
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// await waits until a text was logged.
func (r *record) await(t *testing.T, text string) {
	t.Helper()
	late := time.After(wait)
	for !strings.Contains(r.String(), text) {
		select {
		case <-r.more:
		case <-late:
			t.Fatalf("%q was not logged:\n%s", text, r)
		}
	}
}
