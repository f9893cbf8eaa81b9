package node

import (
	"slices"

	"github.com/siod-io/siod/protocol"
)

// enter makes a socket a pending member of its namespace: broadcasts for it are
// held back until accept.
func (ns *Namespace) enter(s *Socket) {
	x := ns.indexOf(s.conn.session)
	x.mu.Lock()
	defer x.mu.Unlock()
	s.mu.Lock()
	s.state = socketPending
	s.mu.Unlock()
	if !s.recovered {
		s.ownRoom = true
	}
	for i := range s.joining {
		if !s.joining[i].kept {
			s.joining[i].since = x.shard.Position()
		}
	}
	s.replayTo = x.shard.Position()
	x.pending = append(x.pending, s)
}

// unpend takes a socket off the pending ones; x.mu is held.
func (x *roomIndex) unpend(s *Socket) {
	if i := slices.Index(x.pending, s); i >= 0 {
		x.pending = slices.Delete(x.pending, i, i+1)
	}
}

// abandon forgets a socket that was not let in.
func (ns *Namespace) abandon(s *Socket) {
	x := ns.indexOf(s.conn.session)
	x.mu.Lock()
	x.unpend(s)
	x.mu.Unlock()
	s.mu.Lock()
	s.finish("")
	s.rec.drop()
	ns.release()
}

// accept makes a socket a full member and tells its client: CONNECT, what a
// recovered client missed, what was held back, and then live. All of it happens
// under the index's lock, so no broadcast comes in between or is left out. A
// client that is gone by now is let in and out again, since OnConnect has
// succeeded and OnDisconnect is due.
func (ns *Namespace) accept(s *Socket, a *admission) {
	x := ns.indexOf(s.conn.session)
	x.mu.Lock()
	s.mu.Lock()
	x.unpend(s)
	gone := a.take(s)
	own := s.ownRoom // OnConnect may have left it
	x.insert(s)
	s.ownRoom = own
	s.joinPending(x)
	if gone == "" {
		s.welcome()
	}
	s.hold = nil
	s.state = socketConnected
	leaving := s.leaving
	s.mu.Unlock()
	x.mu.Unlock()
	ns.srv.stats.connects.Add(1)
	ns.tell()
	switch {
	case gone != "":
		s.end(gone)
	case leaving != stays:
		s.Disconnect(leaving == leavesWithConnection)
	}
}

// welcome sends what a client gets first; the index's lock and s.mu are held.
func (s *Socket) welcome() {
	session := s.conn.session
	session.SendFrames(parser(protocol.Frames{Text: protocol.AppendConnect(nil, s.ns.name, s.greeting())}, s.form&formMsgpack))
	s.replay()
	for _, h := range s.hold {
		session.SendLatest(h.Message, s.form, h.Volatile, h.Key)
	}
}

// greeting is the payload of the CONNECT packet.
func (s *Socket) greeting() []byte {
	if s.conn.old() {
		return nil
	}
	b := append([]byte(`{"sid":"`), s.id...)
	if s.rec != nil {
		b = append(append(b, `","pid":"`...), s.rec.pid...)
	}
	return append(b, `"}`...)
}
