package node

import (
	"maps"
	"slices"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// enter makes a socket a pending member of its namespace, with the session that
// it continues or begins, if it has one: broadcasts for it are held back until
// accept.
func (ns *Namespace) enter(s *Socket, ss *session) error {
	x := ns.indexOf(s.conn.session)
	x.mu.Lock()
	defer x.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ownRoom = true
	if ss != nil && !ss.enter(s, x.shard.Position()) {
		return errSuperseded
	}
	s.state = socketPending
	x.pending = append(x.pending, s)
	return nil
}

// expel takes a socket that is on its way in off the pending ones, and its
// session off it; lost says that it is for want of a connection.
func (ns *Namespace) expel(s *Socket, lost bool) {
	x := ns.indexOf(s.conn.session)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.unpend(s)
	s.suspend(x, lost)
}

// unpend takes a socket off the pending ones; x.mu is held.
func (x *roomIndex) unpend(s *Socket) {
	if i := slices.Index(x.pending, s); i >= 0 {
		x.pending = slices.Delete(x.pending, i, i+1)
	}
}

// suspend takes the session off a socket that has ended, with what it leaves
// behind; x.mu is held.
func (s *Socket) suspend(x *roomIndex, lost bool) {
	if s.rec == nil {
		return
	}
	s.mu.Lock()
	data := maps.Clone(s.data) // OnDisconnect may go on changing it
	lost = lost && s.leaving == stays
	s.mu.Unlock()
	s.rec.withdraw(s, x.shard.Position(), data, lost)
}

// abandon forgets a socket that was not let in. If that is because its
// connection broke, its session waits for another; if the application refused
// it, the session is over.
func (ns *Namespace) abandon(s *Socket) {
	ns.expel(s, recoverable(s.conn.ended()))
	s.mu.Lock()
	s.finish("")
	ns.release()
}

// accept makes a socket a full member and tells its client: CONNECT, what a
// recovered client missed, what was held back, and then live. All of it happens
// under the index's lock, so no broadcast comes in between or is left out. Of a
// client that is gone by now nothing is entered, since another socket may have its
// id already (Engine.IO 3); but OnConnect has succeeded, so OnDisconnect is due.
func (ns *Namespace) accept(s *Socket, a *admission) {
	x := ns.indexOf(s.conn.session)
	x.mu.Lock()
	s.mu.Lock()
	x.unpend(s)
	if s.rec != nil && !s.rec.carries(s) {
		s.finish(transport.ReasonForcedClose)
		x.mu.Unlock()
		a.give()
		s.conn.session.Abort(transport.ReasonForcedClose)
		ns.srv.stats.connects.Add(1)
		s.depart(transport.ReasonForcedClose)
		return
	}
	gone := a.take(s)
	if gone != "" {
		s.finish(gone)
		s.suspend(x, recoverable(gone))
		x.mu.Unlock()
		ns.srv.stats.connects.Add(1)
		ns.tell()
		s.depart(gone)
		return
	}
	own := s.ownRoom // OnConnect may have left it
	x.insert(s)
	s.ownRoom = own
	s.joinPending(x)
	// After the rooms, whose subscriptions are then made: a client that knows
	// that it is connected gets what other servers emit from there on.
	if !s.welcome(x.shard.Position()) {
		gone = transport.ReasonForcedClose
		s.conn.session.Abort(gone)
	}
	s.hold = nil
	s.state = socketConnected
	leaving := s.leaving
	ss := s.rec
	s.mu.Unlock()
	x.mu.Unlock()
	if ss != nil {
		ns.srv.journal().later(ss)
	}
	ns.srv.stats.connects.Add(1)
	ns.tell()
	switch {
	case gone != "":
		s.end(gone)
	case leaving != stays:
		s.Disconnect(leaving == leavesWithConnection)
	}
}

// welcome sends what a client gets first. It reports false if the client must
// come again, since what it missed is not at hand any more. The index's lock,
// at whose shard's position it is called, and s.mu are held.
func (s *Socket) welcome(at uint64) bool {
	session := s.conn.session
	hello := parser(protocol.Frames{Text: protocol.AppendConnect(nil, s.ns.name, s.greeting())}, s.form&formMsgpack)
	if s.rec == nil {
		session.SendFrames(hello)
		for _, h := range s.hold {
			session.SendLatest(h.Message, s.form, h.Volatile, h.Key)
		}
		return true
	}
	missed, ok := s.replay(at)
	if ok {
		session.SendReplay(append([]*transport.Message{transport.NewMessage(hello, asIs{})}, missed...), s.form)
	}
	return ok
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
