package node

import (
	"context"
	"slices"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// end ends a connected socket, once, and reports whether it did. At once, its
// context and waiting calls end and nothing reaches it any more. Events that
// arrived before are handled, except when it is the server that ends it, and
// then OnDisconnecting and OnDisconnect run.
func (s *Socket) end(r Reason) bool {
	s.mu.Lock()
	if s.state != socketConnected {
		s.mu.Unlock()
		return false
	}
	s.finish(r)
	s.ns.withdraw(s)
	s.depart(r)
	return true
}

// depart is the end of a socket that has been taken out of its namespace.
func (s *Socket) depart(r Reason) {
	srv := s.ns.srv
	srv.stats.disconnects.Add(1)
	srv.collectors.gone(s)
	s.closeMailbox(r == transport.ReasonServerNamespace)
	t := s.ns.table()
	if len(t.disconnecting)+len(t.disconnect) == 0 {
		s.forgetRooms()
		s.ns.release()
		return
	}
	s.after(func() {
		s.farewell("OnDisconnecting", t.disconnecting)
		s.forgetRooms()
		s.farewell("OnDisconnect", t.disconnect)
		s.ns.release()
	})
}

// finish marks the socket as ended and ends what waits for it. It is called
// with s.mu and releases it.
func (s *Socket) finish(r Reason) {
	s.state, s.reason, s.hold = socketEnded, r, nil
	acks, fns := s.acks, s.doneFns
	s.acks, s.doneFns = nil, nil
	if s.done != nil {
		close(s.done)
	}
	s.mu.Unlock()
	for _, a := range acks {
		a.finish(s.conn, ackResult{err: ErrDisconnected})
	}
	for _, f := range fns {
		go f() // as context.AfterFunc promises
	}
}

func (s *Socket) farewell(what string, fs []disconnectHandler) {
	reason := s.Reason()
	for _, f := range fs {
		_ = s.ns.srv.guard(what, func() error {
			f(s.ns.srv.last, s, reason)
			return nil
		})
	}
}

// Reason is why the socket ended, "" while it has not.
func (s *Socket) Reason() Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

// Disconnect ends the socket: the client is told, and does not come back by
// itself. With closeConnection the sockets of all namespaces of the connection
// end in the same way, and the connection is closed. In a middleware or in
// OnConnect it takes effect when OnConnect has succeeded.
func (s *Socket) Disconnect(closeConnection bool) {
	if s.leaveEarly(closeConnection) {
		return
	}
	s.journalEnd(closeConnection)
	s.disconnectNow(closeConnection)
}

// endBy is Disconnect by an operation, which has been stored.
func (s *Socket) endBy(closeConnection bool) {
	if !s.leaveEarly(closeConnection) {
		s.disconnectNow(closeConnection)
	}
}

// leaveEarly notes that a socket which is on its way in is to end.
func (s *Socket) leaveEarly(closeConnection bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state >= socketConnected {
		return false
	}
	if s.leaving = max(s.leaving, leaves); closeConnection {
		s.leaving = leavesWithConnection
	}
	return true
}

// disconnectNow is Disconnect when it has been stored.
func (s *Socket) disconnectNow(closeConnection bool) {
	if closeConnection {
		s.conn.disconnect()
		return
	}
	if s.kick() {
		s.conn.rootEnded(s)
	}
}

// kick ends the socket and tells its client.
func (s *Socket) kick() bool {
	if !s.end(transport.ReasonServerNamespace) {
		return false
	}
	s.conn.kick(s)
	s.conn.session.SendFrames(parser(protocol.Frames{Text: protocol.AppendDisconnect(nil, s.ns.name)}, s.form&formMsgpack))
	return true
}

// leaving is what Disconnect asked for before the socket was connected.
type leaving uint8

const (
	stays leaving = iota
	leaves
	leavesWithConnection
)

type disconnectHandler = func(ctx context.Context, s *Socket, r Reason)

// OnDisconnecting registers a handler that runs when a socket has ended, behind
// the events that arrived before. Nothing is delivered to the socket any
// more, but Socket.Rooms still lists the rooms that it was in. For each socket
// whose OnConnect succeeded it runs once, and then OnDisconnect does. ctx ends
// when Shutdown gives up waiting.
func (ns *Namespace) OnDisconnecting(f func(ctx context.Context, s *Socket, r Reason)) {
	ns.register(func(t *handlers) { t.disconnecting = append(slices.Clip(t.disconnecting), f) })
}

// OnDisconnect registers a handler that runs after OnDisconnecting, when the
// socket is in no room any more.
func (ns *Namespace) OnDisconnect(f func(ctx context.Context, s *Socket, r Reason)) {
	ns.register(func(t *handlers) { t.disconnect = append(slices.Clip(t.disconnect), f) })
}
