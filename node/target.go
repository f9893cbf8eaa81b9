package node

import (
	"slices"

	"github.com/siod-io/siod/transport"
)

// target is what a broadcast selects: the sockets in any of the rooms, all if
// there are none, that are in none of the excepted. A socket's id selects its
// own room, which the socket may have left; as an exception it always leaves
// out the socket itself.
type target struct {
	rooms, except []string
}

// selects is the predicate of a target for one socket. The index's lock is
// held.
func (t *target) selects(s *Socket) bool {
	if len(t.rooms) > 0 && !slices.ContainsFunc(t.rooms, s.in) {
		return false
	}
	return !slices.ContainsFunc(t.except, func(n string) bool { return n == s.id || s.in(n) })
}

// post resolves and hands over one message to this shard's members.
func (x *roomIndex) post(t *target, c transport.Cast) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.pending {
		// An entry of the log reaches a socket with a session from the ring, when
		// it is let in.
		if (s.rec == nil || c.Position == 0) && t.selects(s) {
			s.holdBack(c)
		}
	}
	if x.resolve(t, &c) {
		x.shard.Post(c)
	} else if c.Position != 0 {
		x.shard.Advance(c.Position)
	}
}

// resolve fills c's recipients for t. It reports false if there is none.
// x.mu is held. The common targets cost no copy: everybody, one room, one
// socket, each without one socket.
func (x *roomIndex) resolve(t *target, c *transport.Cast) bool {
	var except *Socket
	if len(t.except) == 1 && x.rooms[t.except[0]] == nil {
		except = x.sockets[t.except[0]]
	}
	if except == nil && slices.ContainsFunc(t.except, x.excludes) {
		c.To = x.collect(t)
		return len(c.To) > 0
	}
	switch {
	case len(t.rooms) == 0:
		c.To = x.all.snapshot()
	case len(t.rooms) > 1:
		c.To = x.collect(t)
		return len(c.To) > 0
	default:
		r, own := x.rooms[t.rooms[0]], x.own(t.rooms[0])
		switch {
		case r != nil && own != nil: // guests in a socket's own room
			c.To = x.collect(t)
			return len(c.To) > 0
		case r != nil:
			c.To = r.snapshot()
		case own == nil || own == except:
			return false
		default:
			c.Solo = own.recipient()
			return true
		}
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

// excludes reports whether an exception concerns anybody here.
func (x *roomIndex) excludes(name string) bool {
	return x.rooms[name] != nil || x.sockets[name] != nil
}

func (x *roomIndex) collect(t *target) []transport.Recipient {
	var to []transport.Recipient
	x.each(t, func(s *Socket) { to = append(to, s.recipient()) })
	return to
}

// each calls f once for every socket that t selects, pending ones left out.
// x.mu is held.
func (x *roomIndex) each(t *target, f func(*Socket)) {
	x.nextMark()
	for _, n := range t.except {
		x.members(n, func(s *Socket) { s.mark = x.gen })
		if s := x.sockets[n]; s != nil {
			s.mark = x.gen
		}
	}
	once := func(s *Socket) {
		if s.mark != x.gen {
			s.mark = x.gen
			f(s)
		}
	}
	if len(t.rooms) == 0 {
		for _, s := range x.all.sockets {
			once(s)
		}
		return
	}
	for _, n := range t.rooms {
		x.members(n, once)
	}
}

// nextMark makes all marks old.
func (x *roomIndex) nextMark() {
	if x.gen++; x.gen != 0 {
		return
	}
	for _, s := range x.all.sockets {
		s.mark = 0
	}
	x.gen = 1
}

// members calls f for the members of a room, guests first.
func (x *roomIndex) members(name string, f func(*Socket)) {
	if r := x.rooms[name]; r != nil {
		for _, s := range r.sockets {
			f(s)
		}
	}
	if s := x.own(name); s != nil {
		f(s)
	}
}
