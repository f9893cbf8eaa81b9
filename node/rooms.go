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
//
// Lock order: index → session → shard inbox.
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
	room  *room
	at    int
	since uint64 // shard position at the join, for recovery
}

// joining is a join made before the socket was accepted.
type joining struct {
	name  string
	since uint64
	kept  bool // of a recovered session: since is final
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
}

// erase takes a socket out of everything. x.mu is held. It returns the rooms
// that it left, so that the namespace can count them down.
func (x *roomIndex) erase(s *Socket) (left []string) {
	if x.sockets[s.id] != s {
		return nil
	}
	for len(s.places) > 0 {
		left = append(left, s.places[len(s.places)-1].room.name)
		x.leaveAt(s, len(s.places)-1)
	}
	if moved := x.all.remove(s.allAt); moved != nil {
		moved.allAt = s.allAt
	}
	delete(x.sockets, s.id)
	s.ownRoom = false
	return left
}

// join adds a socket to a room, with the position since which it is a member,
// and reports whether it was not in it before, and whether the shard had no
// member before. x.mu is held.
func (x *roomIndex) join(s *Socket, name string, since uint64) (joined, first bool) {
	if name == s.id {
		joined, s.ownRoom = !s.ownRoom, true
		return joined, false
	}
	if s.placeOf(name) >= 0 {
		return false, false
	}
	r := x.rooms[name]
	if r == nil {
		r = &room{name: name}
		x.rooms[name] = r
		first = true
	}
	s.places = append(s.places, place{room: r, at: r.add(s), since: since})
	return true, first
}

// leave takes a socket out of a room, and reports whether it was in it and
// whether the shard has no member left. x.mu is held.
func (x *roomIndex) leave(s *Socket, name string) (left, last bool) {
	if name == s.id {
		left, s.ownRoom = s.ownRoom, false
		return left, false
	}
	i := s.placeOf(name)
	if i < 0 {
		return false, false
	}
	return true, x.leaveAt(s, i)
}

func (x *roomIndex) leaveAt(s *Socket, i int) (last bool) {
	p := s.places[i]
	s.places[i] = s.places[len(s.places)-1]
	s.places[len(s.places)-1] = place{}
	s.places = s.places[:len(s.places)-1]
	if moved := p.room.remove(p.at); moved != nil {
		moved.places[moved.placeOf(p.room.name)].at = p.at
	}
	if len(p.room.members) == 0 {
		delete(x.rooms, p.room.name)
		return true
	}
	return false
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
		slices.ContainsFunc(s.joining, func(j joining) bool { return j.name == name })
}

// target is what a broadcast selects.
type target struct {
	rooms, except []string
}

// selects is the predicate of a target for one socket: in any of the rooms (or
// no room is named) and in none of the excepted.
func (t *target) selects(s *Socket) bool {
	if len(t.rooms) > 0 && !anyRoom(s, t.rooms) {
		return false
	}
	return !anyRoom(s, t.except)
}

func anyRoom(s *Socket, names []string) bool {
	for _, n := range names {
		if s.in(n) {
			return true
		}
	}
	return false
}

// resolve fills c's recipients for t. It reports false if there is none.
// x.mu is held. The common targets cost no copy: everybody, one room, one
// socket, each without one socket.
func (x *roomIndex) resolve(t *target, c *transport.Cast) bool {
	var except *Socket
	if len(t.except) == 1 && x.rooms[t.except[0]] == nil {
		if e := x.sockets[t.except[0]]; e != nil && e.ownRoom {
			except = e
		}
	}
	simple := except != nil || !x.anybodyIn(t.except)
	switch {
	case simple && len(t.rooms) == 0:
		c.To = x.all.snapshot()
	case simple && len(t.rooms) == 1:
		r, own := x.rooms[t.rooms[0]], x.own(t.rooms[0])
		switch {
		case r == nil && own == nil:
			return false
		case r == nil:
			if own == except {
				return false
			}
			c.Solo = own.recipient()
			return true
		case own == nil:
			c.To = r.snapshot()
		default: // a room named as a socket, with guests
			c.To = x.collect(t)
			return len(c.To) > 0
		}
	default:
		c.To = x.collect(t)
		return len(c.To) > 0
	}
	if except != nil {
		c.Except = except.conn.session
	}
	return len(c.To) > 0
}

// own is the socket whose own room has this name.
func (x *roomIndex) own(name string) *Socket {
	if s := x.sockets[name]; s != nil && s.ownRoom {
		return s
	}
	return nil
}

func (x *roomIndex) anybodyIn(names []string) bool {
	for _, n := range names {
		if x.rooms[n] != nil || x.own(n) != nil {
			return true
		}
	}
	return false
}

// each calls f once for every socket that t selects, pending ones left out.
func (x *roomIndex) each(t *target, f func(*Socket)) {
	x.gen++
	for _, n := range t.except {
		x.mark(n, func(*Socket) {})
	}
	if len(t.rooms) == 0 {
		for _, s := range x.all.sockets {
			if s.mark != x.gen {
				f(s)
			}
		}
		return
	}
	for _, n := range t.rooms {
		x.mark(n, f)
	}
}

// mark marks the members of a room and calls f for those not marked before.
func (x *roomIndex) mark(name string, f func(*Socket)) {
	visit := func(s *Socket) {
		if s.mark != x.gen {
			s.mark = x.gen
			f(s)
		}
	}
	if r := x.rooms[name]; r != nil {
		for _, s := range r.sockets {
			visit(s)
		}
	}
	if s := x.own(name); s != nil {
		visit(s)
	}
}

func (x *roomIndex) collect(t *target) []transport.Recipient {
	var to []transport.Recipient
	x.each(t, func(s *Socket) { to = append(to, s.recipient()) })
	return to
}

// post resolves and hands over one message to this shard's members.
func (x *roomIndex) post(t *target, c transport.Cast) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.pending {
		if t.selects(s) {
			s.holdBack(c)
		}
	}
	if x.resolve(t, &c) {
		x.shard.Post(c)
	} else if c.Position != 0 {
		x.shard.Advance(c.Position)
	}
}
