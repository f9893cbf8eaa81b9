package node

import (
	"slices"
	"sync"

	"github.com/siod-io/siod/transport"
)

// roomIndex is one shard's share of a namespace: the sockets whose sessions
// that shard writes to, and their rooms (R11). A join locks one shard, and a
// broadcast is resolved here and handed to the shard's writer under the same
// lock, so that a socket gets a broadcast exactly if it was a member when the
// broadcast was made.
type roomIndex struct {
	ns    *Namespace
	shard *transport.Shard

	mu      sync.Mutex
	sockets map[string]*Socket // by id; an id is also the name of its own room
	all     room
	rooms   map[string]*room
	// pending are sockets whose OnConnect is running: they are members already,
	// but what they get must follow the CONNECT packet.
	pending []*Socket
	gen     uint32 // of Socket.mark
}

// room is a member list that can be handed out without a copy: a snapshot
// stays valid because removing from a shared list copies it first, and adding
// only writes behind the snapshot's end.
type room struct {
	name    string
	members []transport.Recipient
	sockets []*Socket // parallel to members
	shared  bool      // members was handed out
}

// place is a socket's place in a room.
type place struct {
	room *room
	at   int
}

func newRoomIndex(ns *Namespace, sh *transport.Shard) *roomIndex {
	return &roomIndex{ns: ns, shard: sh, sockets: make(map[string]*Socket), rooms: make(map[string]*room)}
}

// snapshot returns the members; the caller must not change the slice.
func (r *room) snapshot() []transport.Recipient {
	r.shared = true
	return r.members[:len(r.members):len(r.members)]
}

func (r *room) add(s *Socket) (at int) {
	r.members = append(r.members, s.recipient())
	r.sockets = append(r.sockets, s)
	return len(r.members) - 1
}

// remove takes the member at index at out and returns the socket that moved to
// its place, if any.
func (r *room) remove(at int) (moved *Socket) {
	if r.shared {
		r.members = append(make([]transport.Recipient, 0, len(r.members)+len(r.members)/4), r.members...)
		r.shared = false
	}
	last := len(r.members) - 1
	if at != last {
		r.members[at], r.sockets[at] = r.members[last], r.sockets[last]
		moved = r.sockets[at]
	}
	r.members[last], r.sockets[last] = transport.Recipient{}, nil
	r.members, r.sockets = r.members[:last], r.sockets[:last]
	if cap(r.members) > 64 && len(r.members) < cap(r.members)/4 {
		r.members = append(make([]transport.Recipient, 0, 2*len(r.members)), r.members...)
		r.sockets = append(make([]*Socket, 0, 2*len(r.sockets)), r.sockets...)
	}
	return moved
}

// insert makes a socket known. x.mu is held.
func (x *roomIndex) insert(s *Socket) {
	x.sockets[s.id] = s
	s.allAt = x.all.add(s)
	s.ownRoom = true
	x.ns.interest.addOwn(s)
}

// erase forgets a socket that has left its rooms. x.mu is held.
func (x *roomIndex) erase(s *Socket) {
	if moved := x.all.remove(s.allAt); moved != nil {
		moved.allAt = s.allAt
	}
	delete(x.sockets, s.id)
	s.ownRoom = false
	x.ns.interest.dropOwn(s)
}

// join adds a socket to a room, unless it is in it already. It reports whether
// the room is new on this server. x.mu is held.
func (x *roomIndex) join(s *Socket, name string) (created bool) {
	if name == s.id {
		s.ownRoom = true
		return false
	}
	if s.placeOf(name) >= 0 {
		return false
	}
	r := x.rooms[name]
	if r == nil {
		r = &room{name: name}
		x.rooms[name] = r
		created = x.ns.interest.add(name, s)
	} else {
		x.ns.note(s, name, RoomJoined)
	}
	s.places = append(s.places, place{room: r, at: r.add(s)})
	return created
}

// leave takes a socket out of a room, if it is in it. x.mu is held.
func (x *roomIndex) leave(s *Socket, name string) {
	if name == s.id {
		s.ownRoom = false
	} else if i := s.placeOf(name); i >= 0 {
		x.leaveAt(s, i)
	}
}

// leaveAt takes a socket out of the i-th of its places.
func (x *roomIndex) leaveAt(s *Socket, i int) {
	p := s.places[i]
	s.places[i] = s.places[len(s.places)-1]
	s.places[len(s.places)-1] = place{}
	s.places = s.places[:len(s.places)-1]
	if moved := p.room.remove(p.at); moved != nil {
		moved.places[moved.placeOf(p.room.name)].at = p.at
	}
	if len(p.room.members) > 0 {
		x.ns.note(s, p.room.name, RoomLeft)
		return
	}
	delete(x.rooms, p.room.name)
	x.ns.interest.drop(p.room.name, s)
}

// placeOf is the index in places of a room, or -1. Sockets are in few rooms;
// a scan beats a map by memory and, up to dozens, by time.
func (s *Socket) placeOf(name string) int {
	for i := range s.places {
		if s.places[i].room.name == name {
			return i
		}
	}
	return -1
}

// in reports whether a socket is in a room, its own included, or will be once
// it is accepted. The index's lock is held.
func (s *Socket) in(name string) bool {
	return name == s.id && s.ownRoom || s.placeOf(name) >= 0 ||
		slices.Contains(s.joining, name)
}
