package natsio_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
	"github.com/siod-io/siod/backplane/wire"
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

// TestRoomsMissed: a node that missed a part of a list, or a change, asks again
// with the next sign of it and believes nothing until then.
func TestRoomsMissed(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a, o := c.join(t, "a"), c.outsider(t)
	asked, err := o.nc.SubscribeSync(subject.Inbox("x") + ".rooms")
	if err != nil {
		t.Fatal(err)
	}
	if err := o.nc.FlushTimeout(wait); err != nil {
		t.Fatal(err)
	}
	question := func() {
		t.Helper()
		if _, err := asked.NextMsg(wait); err != nil {
			t.Fatalf("nobody asks: %v", err)
		}
	}
	beats := uint64(0)
	beat := func(changes byte) {
		beats++
		m := wire.Message{Sender: "x", Counter: beats, Baseline: beats == 1}
		m.Data = []byte{0, changes}
		o.raw(o.space.Beat("x"), "", m.Append(nil))
	}
	chunk := func(n uint64, first, last bool, changes uint64, rooms ...string) {
		m := wire.Message{Sender: "x", Counter: changes, Baseline: first, Final: last, Replies: n}
		m.Namespace, m.Target.Rooms = "/", rooms
		o.raw(subject.Inbox("a")+".list", "", m.Append(nil))
	}
	change := func(n uint64, room string, vacated bool) {
		m := wire.Message{Sender: "x", Counter: n, Name: room, Final: vacated}
		m.Namespace = "/"
		o.raw(o.space.Occupancy("/"), "", m.Append(nil))
	}

	r, _ := a.watch(t)
	beat(5)
	question()
	chunk(1, true, false, 5, "wrong")
	chunk(3, false, true, 5) // the second is missing
	beat(5)
	question()
	change(6, "too early", false) // is in the list that comes
	chunk(1, true, false, 6, "1", "2")
	chunk(2, false, true, 6)
	until(t, func() bool { return r.count() == 2 && r.has("/1") && r.has("/2") })
	change(6, "1", true) // again
	change(7, "1", true)
	until(t, func() bool { return r.count() == 1 && r.has("/2") })
	change(9, "3", false) // 8 is missing
	question()
	chunk(1, true, true, 9, "3")
	until(t, func() bool { return r.count() == 1 && r.has("/3") })
	beat(9) // nothing is missing
	beat(10)
	question() // the end is
	chunk(1, true, true, 10)
	until(t, func() bool { return r.count() == 0 })
	if r.reports != 6 {
		t.Errorf("%d reports, want 6", r.reports)
	}
	if n, _, err := asked.Pending(); err != nil || n != 0 {
		t.Errorf("it asks once more: %d, %v", n, err)
	}
}
