package backplanetest

import (
	"fmt"
	"sync"

	"pgregory.net/rapid"

	"github.com/siod-io/siod/backplane"
)

var occupancyTests = []test{
	{"FirstAndLast", roomsFirstLast, hasRooms},
	{"PresentFirst", roomsPresent, hasRooms},
	{"OnlyRooms", roomsOnly, hasRooms},
	{"Closed", roomsClosed, hasRooms},
	{"Model", roomsModel, hasRooms},
	{"KilledTakesItsRooms", roomsKilled, roomsKill},
	{"CutOffTakesItsRooms", roomsCutOff, roomsCut},
	{"FrozenCatchesUp", roomsFrozen, roomsThaw},
}

// rooms collects room changes and checks that they alternate.
type rooms struct {
	s   *suite
	sub backplane.Subscription

	mu       sync.Mutex
	occupied map[string]bool // by namespace + name
	changes  int
	changed  chan struct{}
}

func (s *suite) watch(b backplane.Backplane, namespace string) *rooms {
	s.Helper()
	o, ok := backplane.AsOccupancy(b)
	if !ok {
		s.Fatal("no Occupancy")
	}
	r := &rooms{s: s, occupied: make(map[string]bool), changed: make(chan struct{})}
	sub, err := o.WatchRooms(namespace, r.handle)
	if err != nil {
		s.Fatal(err)
	}
	r.sub = sub
	return r
}

func (r *rooms) handle(c backplane.RoomChange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := c.Namespace + c.Room
	if r.occupied[name] == c.Occupied {
		r.s.Errorf("room %s: occupied %v twice in a row", name, c.Occupied)
	}
	if r.occupied[name] = c.Occupied; !c.Occupied {
		delete(r.occupied, name)
	}
	r.changes++
	close(r.changed)
	r.changed = make(chan struct{})
}

// count returns the number of changes so far.
func (r *rooms) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changes
}

// until waits until exactly the rooms named are occupied.
func (r *rooms) until(names ...string) {
	r.s.Helper()
	for {
		r.mu.Lock()
		ok := len(r.occupied) == len(names)
		for _, n := range names {
			ok = ok && r.occupied[n]
		}
		changed, have := r.changed, fmt.Sprint(r.occupied)
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-r.s.ctx.Done():
			r.s.Fatalf("occupied are %s, want %v", have, names)
		}
	}
}

func roomsFirstLast(s *suite) {
	a, b, c := s.three()
	at := []*rooms{s.watch(a, "/"), s.watch(c, backplane.AnyNamespace)}
	room := backplane.Room("/", "r")
	all := func(names ...string) {
		s.Helper()
		for _, r := range at {
			r.until(names...)
		}
	}
	all()
	first := s.subscribe(a, room)
	all("/r")
	second := s.subscribe(b, room)
	first.sub.Close()
	all("/r")
	second.sub.Close()
	all()
	third := s.subscribe(c, room)
	all("/r")
	third.sub.Close()
	all()
}

func roomsPresent(s *suite) {
	a, b := s.join("a"), s.join("b")
	s.subscribe(a, backplane.Room("/", "r"))
	s.subscribe(b, backplane.Room("/", "r"))
	s.subscribe(b, backplane.Room("/", "x"))
	s.subscribe(b, backplane.Room("/n", "y"))
	s.watch(a, "/").until("/r", "/x")
	s.watch(b, backplane.AnyNamespace).until("/r", "/x", "/ny")
}

// roomsOnly: other addresses are no rooms, and other namespaces not asked for.
func roomsOnly(s *suite) {
	a, b := s.join("a"), s.join("b")
	r := s.watch(a, "/")
	s.subscribe(b, backplane.Socket("/", "homeOfB"))
	s.subscribe(b, backplane.Namespace("/"))
	s.subscribe(b, backplane.Home("homeOf"))
	s.subscribe(b, backplane.Room("/n", "r"))
	s.subscribe(b, backplane.Room("/", "last"))
	r.until("/last")
	if n := r.count(); n != 1 {
		s.Errorf("%d changes", n)
	}
}

func roomsClosed(s *suite) {
	a, b := s.join("a"), s.join("b")
	r, other := s.watch(a, "/"), s.watch(a, "/")
	r.sub.Close()
	r.sub.Close()
	s.subscribe(b, backplane.Room("/", "r"))
	other.until("/r")
	if r.until(); r.count() != 0 {
		s.Errorf("%d changes after Close", r.count())
	}
}

// roomsModel joins and leaves at random and compares with a count.
func roomsModel(s *suite) {
	nodes := []backplane.Backplane{s.join("a"), s.join("b"), s.join("c")}
	r := s.watch(nodes[0], "/")
	rapid.Check(s.T, func(t *rapid.T) {
		subs := make(map[[2]int]*inbox)
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) [2]int {
			return [2]int{rapid.IntRange(0, 2).Draw(t, "node"), rapid.IntRange(0, 3).Draw(t, "room")}
		}), 0, 40).Draw(t, "toggles")
		for _, step := range steps {
			if in := subs[step]; in != nil {
				in.sub.Close()
				delete(subs, step)
			} else {
				subs[step] = s.subscribe(nodes[step[0]], backplane.Room("/", fmt.Sprint(step[1])))
			}
		}
		names := make(map[string]bool)
		for step := range subs {
			names["/"+fmt.Sprint(step[1])] = true
		}
		var want []string
		for n := range names {
			want = append(want, n)
		}
		r.until(want...)
		for _, in := range subs {
			in.sub.Close()
		}
		r.until()
	})
}

func roomsKilled(s *suite) {
	a, b := s.join("a"), s.join("b")
	r := s.watch(a, "/")
	s.subscribe(b, backplane.Room("/", "only b"))
	s.subscribe(b, backplane.Room("/", "both"))
	s.subscribe(a, backplane.Room("/", "both"))
	r.until("/only b", "/both")
	s.Kill(s.T, "b")
	r.until("/both")
}

func roomsCutOff(s *suite) {
	a, b := s.join("a"), s.join("b")
	atA, atB := s.watch(a, "/"), s.watch(b, "/")
	s.subscribe(a, backplane.Room("/", "a"))
	s.subscribe(b, backplane.Room("/", "b"))
	atA.until("/a", "/b")
	atB.until("/a", "/b")
	s.Partition(s.T, []string{"a"}, []string{"b"})
	atA.until("/a")
	atB.until("/b")
	s.Heal(s.T)
	atA.until("/a", "/b")
	atB.until("/a", "/b")
}

func roomsFrozen(s *suite) {
	a, b := s.join("a"), s.join("b")
	r := s.watch(a, "/")
	s.Freeze(s.T, "a")
	in := s.subscribe(b, backplane.Room("/", "r"))
	s.subscribe(b, backplane.Room("/", "x"))
	in.sub.Close()
	s.Thaw(s.T, "a")
	r.until("/x")
}
