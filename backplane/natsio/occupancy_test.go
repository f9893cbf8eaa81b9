package natsio_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/siod-io/siod/backplane"
)

// rooms collects what a watch reports.
type rooms struct {
	mu       sync.Mutex
	occupied map[string]bool
	reports  int
}

func (m *member) watch(t *testing.T) (*rooms, backplane.Subscription) {
	t.Helper()
	r := &rooms{occupied: make(map[string]bool)}
	sub, err := m.WatchRooms(backplane.AnyNamespace, func(c backplane.RoomChange) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.reports++
		if r.occupied[c.Namespace+c.Room] = c.Occupied; !c.Occupied {
			delete(r.occupied, c.Namespace+c.Room)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, sub
}

func (r *rooms) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.occupied)
}

func (r *rooms) has(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.occupied[name]
}

// TestRoomsInChunks: a list of rooms is longer than what fits in one message,
// and names may be anything.
func TestRoomsInChunks(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a, b := c.join(t, "a"), c.join(t, "b")
	const n = 3*backplane.DefaultTargets + 1
	for i := range n {
		subscribe(t, b, backplane.Room("/", fmt.Sprint("\x00room ", i)), func(backplane.Delivery) {})
		subscribe(t, b, backplane.Room(fmt.Sprint("/", i%5), ""), func(backplane.Delivery) {}).Close()
	}
	subscribe(t, b, backplane.Room("/", ""), func(backplane.Delivery) {})
	r, _ := a.watch(t)
	until(t, func() bool { return r.count() == n+1 })
	last := subscribe(t, b, backplane.Room("/x", "last"), func(backplane.Delivery) {})
	until(t, func() bool { return r.count() == n+2 })
	last.Close() // lingers on the wire, and is not occupied
	until(t, func() bool { return r.count() == n+1 })
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reports != n+3 {
		t.Errorf("%d reports, want %d", r.reports, n+3)
	}
}

// TestUnwatched: who does not watch is told nothing, and a node that begins to
// watch again gets everything.
func TestUnwatched(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a, b := c.join(t, "a"), c.join(t, "b")
	base := a.Stats().Subscriptions
	first, sub := a.watch(t)
	kept := subscribe(t, b, backplane.Room("/", "1"), func(backplane.Delivery) {})
	until(t, func() bool { return first.count() == 1 })
	sub.Close()
	if s := a.Stats(); s.Subscriptions != base {
		t.Errorf("%d subscriptions, want %d", s.Subscriptions, base)
	}
	subscribe(t, b, backplane.Room("/", "2"), func(backplane.Delivery) {})
	kept.Close()
	second, _ := a.watch(t)
	until(t, func() bool { return second.count() == 1 && second.has("/2") })
	if first.count() != 1 {
		t.Error("a closed watch was told more")
	}
}

// TestRoomsOfCutRoutes: rooms of nodes behind a broken route are gone, and back
// with it.
func TestRoomsOfCutRoutes(t *testing.T) {
	t.Parallel()
	c := newMesh(t)
	a, b := c.join(t, "a"), c.join(t, "b")
	subscribe(t, a, backplane.Room("/", "here"), func(backplane.Delivery) {})
	subscribe(t, b, backplane.Room("/", "there"), func(backplane.Delivery) {})
	r, _ := a.watch(t)
	until(t, func() bool { return r.count() == 2 })
	c.routes(true)
	until(t, func() bool { return r.count() == 1 })
	subscribe(t, b, backplane.Room("/", "meanwhile"), func(backplane.Delivery) {})
	c.routes(false)
	until(t, func() bool { return r.count() == 3 })
}
