package node

import (
	"slices"
	"sync"

	"github.com/siod-io/siod/backplane"
)

// RoomEvent says that a room of this server changed.
type RoomEvent struct {
	Kind   RoomEventKind
	Room   string
	Socket string // id of the socket that joined or left
}

// RoomEventKind is what happened.
type RoomEventKind uint8

// The kinds of room events: a room is created with its first member on this
// server and deleted with its last.
const (
	RoomCreated RoomEventKind = iota
	RoomJoined
	RoomLeft
	RoomDeleted
)

// OnRoom registers a handler of room events. It is called behind the change,
// in its caller's goroutine, and must not block.
func (ns *Namespace) OnRoom(f func(RoomEvent)) {
	ns.change(func(t *handlers) { t.rooms = append(slices.Clip(t.rooms), f) })
}

// roomChange is one room that a socket joined or left; edge says that its
// shard had no member before, or has none left.
type roomChange struct {
	room string
	edge bool
}

func (ns *Namespace) join(s *Socket, rooms []string) error {
	x := ns.indexOf(s.conn.session)
	x.mu.Lock()
	if x.sockets[s.id] != s {
		defer x.mu.Unlock()
		return s.joinEarly(rooms)
	}
	if most := ns.srv.cfg.MaxRooms; len(s.places)+len(rooms) > most {
		x.mu.Unlock()
		return &LimitError{Limit: "rooms of a socket", Value: len(s.places) + len(rooms), Max: most}
	}
	var changes []roomChange
	position := x.shard.Position()
	for _, r := range rooms {
		if joined, first := x.join(s, r, position); joined {
			changes = append(changes, roomChange{r, first})
		}
	}
	x.mu.Unlock()
	ns.joined(s, changes)
	return nil
}

// joinEarly notes joins of a socket that is not accepted yet; the index's lock
// is held.
func (s *Socket) joinEarly(rooms []string) error {
	s.mu.Lock()
	ended := s.state == socketEnded
	s.mu.Unlock()
	if ended {
		return ErrDisconnected
	}
	x := s.ns.indexOf(s.conn.session)
	for _, r := range rooms {
		if !s.in(r) {
			s.joining = append(s.joining, joining{name: r, since: x.shard.Position()})
		}
	}
	return nil
}

func (ns *Namespace) leave(s *Socket, rooms []string) error {
	x := ns.indexOf(s.conn.session)
	x.mu.Lock()
	if x.sockets[s.id] != s {
		defer x.mu.Unlock()
		s.joining = slices.DeleteFunc(s.joining, func(j joining) bool { return slices.Contains(rooms, j.name) })
		return nil
	}
	var changes []roomChange
	for _, r := range rooms {
		i := s.placeOf(r)
		var p place
		if i >= 0 {
			p = s.places[i]
		}
		left, last := x.leave(s, r)
		if !left {
			continue
		}
		s.rec.left(r, p.since, x.shard.Position())
		changes = append(changes, roomChange{r, last})
	}
	x.mu.Unlock()
	ns.left(s, changes)
	return nil
}

// withdraw takes an ended socket out of the namespace.
func (ns *Namespace) withdraw(s *Socket) {
	x := ns.indexOf(s.conn.session)
	x.mu.Lock()
	if x.sockets[s.id] != s {
		x.mu.Unlock()
		return
	}
	s.suspend()
	var changes []roomChange
	for len(s.places) > 0 {
		i := len(s.places) - 1
		name := s.places[i].room.name
		changes = append(changes, roomChange{name, x.leaveAt(s, i)})
	}
	x.erase(s)
	x.mu.Unlock()
	ns.left(s, changes)
	ns.release()
}

func (ns *Namespace) joined(s *Socket, changes []roomChange) {
	for _, c := range changes {
		created := c.edge && ns.interest.up(c.room)
		for _, f := range ns.handlers.Load().rooms {
			if created {
				f(RoomEvent{RoomCreated, c.room, s.id})
			}
			f(RoomEvent{RoomJoined, c.room, s.id})
		}
	}
}

func (ns *Namespace) left(s *Socket, changes []roomChange) {
	for _, c := range changes {
		deleted := c.edge && ns.interest.down(c.room)
		for _, f := range ns.handlers.Load().rooms {
			f(RoomEvent{RoomLeft, c.room, s.id})
			if deleted {
				f(RoomEvent{RoomDeleted, c.room, s.id})
			}
		}
	}
}

// interest counts, for each room, the shards that have members, and holds a
// subscription while there are any (R11). Joins and leaves of one room on two
// shards may arrive here in either order, so a count can be below zero for a
// moment.
type interest struct {
	ns    *Namespace
	mu    sync.Mutex
	rooms map[string]*roomInterest
}

type roomInterest struct {
	shards int
	sub    backplane.Subscription
}

func (in *interest) init(ns *Namespace) {
	in.ns = ns
	in.rooms = make(map[string]*roomInterest)
}

// up counts one shard more and reports whether the room is new on this server.
func (in *interest) up(room string) bool { return in.add(room, 1) && in.has(room) }

// down counts one shard less and reports whether the room is gone.
func (in *interest) down(room string) bool { return in.add(room, -1) && !in.has(room) }

func (in *interest) has(room string) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.rooms[room] != nil
}

// add changes a count and reports whether the room became occupied or vacated.
func (in *interest) add(room string, n int) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	r := in.rooms[room]
	if r == nil {
		r = &roomInterest{}
		in.rooms[room] = r
	}
	r.shards += n
	switch {
	case r.shards > 0 && r.sub == nil:
		r.sub = in.subscribe(room)
		return true
	case r.shards == 0:
		delete(in.rooms, room)
		if r.sub != nil {
			r.sub.Close()
			return true
		}
	}
	return false
}

func (in *interest) subscribe(room string) backplane.Subscription {
	at := backplane.Room(in.ns.name, room)
	if looksLikeID(room) {
		at = backplane.Socket(in.ns.name, room) // guests in another socket's room (R21)
	}
	sub, err := in.ns.srv.cfg.Backplane.Subscribe(at, in.ns.srv.receive)
	if err != nil {
		in.ns.srv.cfg.Logger.Warn("no subscription for a room: its members get no broadcasts of other nodes", "ns", in.ns.name, "err", err)
		return noSubscription{}
	}
	return sub
}

type noSubscription struct{}

func (noSubscription) Close() {}

// names lists the rooms that have members on this server.
func (in *interest) names() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	names := make([]string, 0, len(in.rooms))
	for r := range in.rooms {
		names = append(names, r)
	}
	return names
}
