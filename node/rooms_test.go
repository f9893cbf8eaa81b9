package node_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/siod-io/siod/node"
)

// roomModel is what rooms are: sets of names for each socket, and nothing else.
type roomModel struct {
	t     *testing.T
	srv   *server
	ns    *node.Namespace
	in    map[*peer]map[string]bool
	sock  map[*peer]*node.Socket
	event int
}

var roomNames = []string{"a", "b", "c", "d"}

func (m *roomModel) connect(rt *rapid.T) {
	if len(m.in) == 6 {
		rt.Skip("enough sockets")
	}
	p := m.srv.connect(m.t, "/", nil)
	m.in[p] = map[string]bool{p.ID(): true}
	m.sock[p], _ = m.ns.Socket(p.ID())
}

func (m *roomModel) disconnect(rt *rapid.T) {
	p := m.pick(rt)
	s := m.sock[p]
	switch rapid.IntRange(0, 2).Draw(rt, "how") {
	case 0:
		s.Disconnect(rapid.Bool().Draw(rt, "close"))
	case 1:
		_ = p.Disconnect()
	case 2:
		p.client.Drop()
	}
	until(m.t, func() bool { _, ok := m.ns.Socket(s.ID()); return !ok })
	delete(m.in, p)
	delete(m.sock, p)
	if err := s.Join("a"); err == nil {
		rt.Fatal("a dead socket joined a room")
	}
}

func (m *roomModel) join(rt *rapid.T) {
	p, rooms := m.pick(rt), m.names(rt, "join")
	must(m.t, m.sock[p].Join(rooms...))
	for _, r := range rooms {
		m.in[p][r] = true
	}
}

func (m *roomModel) leave(rt *rapid.T) {
	p, rooms := m.pick(rt), m.names(rt, "leave")
	must(m.t, m.sock[p].Leave(rooms...))
	for _, r := range rooms {
		delete(m.in[p], r)
	}
}

func (m *roomModel) joinAll(rt *rapid.T) { m.operate(rt, true) }

func (m *roomModel) leaveAll(rt *rapid.T) { m.operate(rt, false) }

func (m *roomModel) operate(rt *rapid.T, join bool) {
	b, selected := m.target(rt)
	rooms := m.names(rt, "rooms")
	if join {
		must(m.t, b.SocketsJoin(m.t.Context(), rooms...))
	} else {
		must(m.t, b.SocketsLeave(m.t.Context(), rooms...))
	}
	for _, p := range selected {
		for _, r := range rooms {
			if join {
				m.in[p][r] = true
			} else {
				delete(m.in[p], r)
			}
		}
	}
}

func (m *roomModel) emit(rt *rapid.T) {
	b, selected := m.target(rt)
	m.event++
	name := fmt.Sprint("e", m.event)
	must(m.t, b.Emit(m.t.Context(), name))
	for p, s := range m.sock {
		must(m.t, s.Emit(m.t.Context(), "end"))
		got := p.next()
		if want := slices.Contains(selected, p); want != (got == name) {
			rt.Fatalf("%v got %q, selected %t", m.in[p], got, want)
		}
		if got != "end" {
			p.expect("end")
		}
	}
}

// target draws a broadcast, and says by the model whom it selects.
func (m *roomModel) target(rt *rapid.T) (node.Broadcast, []*peer) {
	var to, except []string
	if rapid.Bool().Draw(rt, "rooms named") {
		to = m.names(rt, "to")
	}
	if rapid.Bool().Draw(rt, "exceptions named") {
		except = m.names(rt, "except")
	}
	var selected []*peer
	for p, in := range m.in {
		named := len(to) == 0 || slices.ContainsFunc(to, func(r string) bool { return in[r] })
		excepted := slices.ContainsFunc(except, func(r string) bool { return in[r] || r == p.ID() })
		if named && !excepted {
			selected = append(selected, p)
		}
	}
	return m.ns.To(to...).Except(except...), selected
}

// names draws rooms, sockets' own ones and unknown ones among them.
func (m *roomModel) names(rt *rapid.T, label string) []string {
	all := append(slices.Clone(roomNames), "nobody")
	for _, p := range m.peers() {
		all = append(all, p.ID())
	}
	return rapid.SliceOfN(rapid.SampledFrom(all), 1, 3).Draw(rt, label)
}

func (m *roomModel) peers() []*peer {
	return slices.SortedFunc(maps.Keys(m.in), func(a, b *peer) int { return strings.Compare(a.ID(), b.ID()) })
}

func (m *roomModel) pick(rt *rapid.T) *peer {
	if len(m.in) == 0 {
		rt.Skip("no socket")
	}
	return rapid.SampledFrom(m.peers()).Draw(rt, "socket")
}

// check compares what the server says with the model.
func (m *roomModel) check(rt *rapid.T) {
	if m.ns.Len() != len(m.in) {
		rt.Fatalf("%d sockets, want %d", m.ns.Len(), len(m.in))
	}
	occupied := make(map[string]bool)
	for p, in := range m.in {
		if diff := cmp.Diff(slices.Sorted(maps.Keys(in)), sorted(m.sock[p].Rooms())); diff != "" {
			rt.Fatalf("rooms of %s (-want +got)\n%s", p.ID(), diff)
		}
		for r := range in {
			if r != p.ID() {
				occupied[r] = true
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(occupied)), m.ns.LocalRooms()); diff != "" && len(occupied) > 0 {
		rt.Fatalf("rooms (-want +got)\n%s", diff)
	}
}

func TestRoomsAgainstModel(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	var mu sync.Mutex
	events := make(map[string]int) // members by room, by what OnRoom told
	srv.Of("/").OnRoom(func(e node.RoomEvent) {
		mu.Lock()
		defer mu.Unlock()
		switch e.Kind {
		case node.RoomCreated:
			if events[e.Room] != 0 {
				t.Errorf("room %s was created with %d members", e.Room, events[e.Room])
			}
		case node.RoomJoined:
			events[e.Room]++
		case node.RoomLeft:
			events[e.Room]--
		case node.RoomDeleted:
			if events[e.Room] != 0 {
				t.Errorf("room %s was deleted with %d members", e.Room, events[e.Room])
			}
			delete(events, e.Room)
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		m := &roomModel{t: t, srv: srv, ns: srv.Of("/"), in: make(map[*peer]map[string]bool), sock: make(map[*peer]*node.Socket)}
		rt.Repeat(map[string]func(*rapid.T){
			"connect": m.connect, "disconnect": m.disconnect, "join": m.join, "leave": m.leave,
			"joinAll": m.joinAll, "leaveAll": m.leaveAll, "emit": m.emit, "": m.check,
		})
		for p, s := range m.sock {
			_ = p.client.Close()
			closed(t, p.client.Done(), "the client's end")
			until(t, func() bool { _, ok := m.ns.Socket(s.ID()); return !ok })
		}
		if rooms := m.ns.LocalRooms(); len(rooms) != 0 {
			rt.Fatalf("rooms %q without members", rooms)
		}
	})
	until(t, func() bool { // the last ones may still be told
		mu.Lock()
		defer mu.Unlock()
		return len(events) == 0
	})
}

// Joins and leaves of one room on different shards may cross; what other
// servers send reaches the members all the same, and nobody is subscribed to
// what has no members.
func TestInterestAcrossShards(t *testing.T) {
	t.Parallel()
	all := cluster(t, 2, nil)
	ns := all[0].Of("/")
	var sockets []*node.Socket
	var peers []*peer
	for range 6 { // over three shards
		p := all[0].connect(t, "/", nil)
		s, _ := ns.Socket(p.ID())
		peers, sockets = append(peers, p), append(sockets, s)
	}
	ctx := t.Context()
	for round := range 30 {
		var wg sync.WaitGroup
		stays := make([]bool, len(sockets))
		for i, s := range sockets {
			stays[i] = rand.IntN(2) == 0
			wg.Go(func() {
				for range 20 {
					must(t, s.Join("room"))
					must(t, s.Leave("room"))
				}
				if stays[i] {
					must(t, s.Join("room"))
				}
			})
		}
		wg.Wait()
		name := fmt.Sprint("round ", round)
		must(t, all[1].To("room").Emit(ctx, name))
		for i, p := range peers {
			must(t, all[1].To(p.ID()).Emit(ctx, "end"))
			if stays[i] {
				p.expect(name)
			}
			p.expect("end")
		}
		if got, want := len(ns.LocalRooms()), min(1, strings.Count(fmt.Sprint(stays), "true")); got != want {
			t.Errorf("%d rooms, want %d", got, want)
		}
		must(t, ns.CloseRoom(ctx, "room"))
		if got := ns.LocalRooms(); len(got) != 0 {
			t.Errorf("rooms %q", got)
		}
	}
}

func TestRoomEvents(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	ns := srv.Of("/chat")
	var j journal
	ns.OnRoom(func(e node.RoomEvent) { j.add(e.Kind, e.Namespace.Name(), e.Room) })
	ns.OnConnect(func(_ context.Context, s *node.Socket) error { return s.Join("r") })
	a := srv.connect(t, "/chat", nil)
	b := srv.connect(t, "/chat", nil)
	s, _ := ns.Socket(a.ID())
	must(t, s.Join("r", "s"))
	must(t, s.Leave("r", "none"))
	s.Disconnect(false)
	must(t, ns.CloseRoom(t.Context(), "r"))
	wait(t, a.ended, "the end")
	b.none(srv, "end")
	j.is(t, "create-room /chat r", "join-room /chat r", "join-room /chat r", "create-room /chat s", "join-room /chat s",
		"leave-room /chat r", "leave-room /chat s", "delete-room /chat s", "leave-room /chat r", "delete-room /chat r")
}
