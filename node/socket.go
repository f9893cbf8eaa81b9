package node

import (
	"context"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/node/internal/resume"
	"github.com/siod-io/siod/transport"
)

// Reason says why a socket ended; see package transport for the values.
type Reason = transport.Reason

// Socket is one client in one namespace. All methods are safe for concurrent
// use. A socket that ended stays readable; sending on it returns
// ErrDisconnected.
type Socket struct {
	ns    *Namespace
	conn  *conn
	id    string
	auth  []byte // the CONNECT payload, raw JSON; nil is an empty object
	query string // that an old client added to the namespace
	user  atomic.Pointer[string]
	form  transport.Form

	recovered bool // set on the way in
	mailbox   mailbox

	// Guarded by the room index's lock.
	places  []place
	joining []string // before accept, and behind the end for OnDisconnecting
	allAt   int
	mark    uint32
	ownRoom bool

	mu       sync.Mutex // guards the fields below
	state    socketState
	leaving  leaving
	nextDone uint32 // of doneFns
	reason   Reason
	hold     []transport.Cast // what is sent while OnConnect runs
	data     map[string]any
	acks     map[uint64]*pendingAck
	nextAck  uint64
	done     chan struct{}
	doneFns  map[uint32]func() // of Context().AfterFunc

	// Of recovery. asked and claimed are set on the way in; rec and due under both
	// locks when the socket enters, before anybody else sees it.
	asked   identity         // whom the client proved to be
	claimed backplane.Offset // what a recovered client has
	life    uint64           // of the feed, in which that was judged
	rec     *session         // nil if the client cannot recover
	due     resume.Span      // what the client is to get first
}

type socketState uint8

const (
	socketConnecting socketState = iota // middleware runs
	socketPending                       // OnConnect runs
	socketConnected
	socketEnded
)

// ID is the socket's public id, which is also the name of a room of its own.
// With clients of 1.x and 2.x it is made of the Engine.IO session's id, as
// their protocol has it.
func (s *Socket) ID() string { return s.id }

// Namespace is the namespace that the socket belongs to.
func (s *Socket) Namespace() *Namespace { return s.ns }

// Server is the server that the socket is connected to.
func (s *Socket) Server() *Server { return s.ns.srv }

// Handshake describes the request that opened the connection.
func (s *Socket) Handshake() *transport.Handshake { return s.conn.session.Handshake() }

// Auth decodes the payload with which the client connected to the namespace
// into dst, a pointer. A client that sent none has an empty object. For a
// client of 1.x or 2.x it is the query that it added to the namespace, as an
// object of strings.
func (s *Socket) Auth(dst any) error {
	return s.ns.srv.cfg.Codec.DecodeValue(s.AuthRaw(), nil, dst)
}

// AuthRaw is the payload's JSON, which must not be changed.
func (s *Socket) AuthRaw() []byte {
	if s.auth == nil {
		return []byte("{}")
	}
	return s.auth
}

// Query is the query of the handshake's URL. What a client of 1.x or 2.x added
// to the namespace, as in "/chat?token=abc", comes before it.
func (s *Socket) Query() url.Values {
	q := s.Handshake().Query()
	if s.query == "" {
		return q
	}
	own, _ := url.ParseQuery(s.query)
	for k, v := range own {
		q[k] = append(v, q[k]...)
	}
	return q
}

// Transport is "polling" or "websocket" at this moment.
func (s *Socket) Transport() string { return s.conn.session.Transport() }

// Revision is the Engine.IO revision that the client speaks, 3 or 4.
func (s *Socket) Revision() int { return int(s.conn.session.Revision()) }

// Connected reports whether the socket is connected: OnConnect succeeded, and
// it has not ended.
func (s *Socket) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == socketConnected
}

// Recovered reports whether the socket continues an earlier one: same id,
// rooms and data, and every event in between follows. It covers durable events
// always, and direct ones (Socket.Emit) as long as the server that the client
// left is alive.
func (s *Socket) Recovered() bool { return s.recovered }

// Context ends when the socket does.
func (s *Socket) Context() context.Context { return (*socketContext)(s) }

// recipient is how shard writers know the socket.
func (s *Socket) recipient() transport.Recipient {
	return transport.Recipient{Session: s.conn.session, Form: s.form}
}

// To addresses the members of the rooms except this socket.
func (s *Socket) To(rooms ...string) Broadcast { return s.Broadcast().To(rooms...) }

// In is To.
func (s *Socket) In(rooms ...string) Broadcast { return s.To(rooms...) }

// Except addresses all other sockets that are in none of the rooms.
func (s *Socket) Except(rooms ...string) Broadcast { return s.Broadcast().Except(rooms...) }

// Broadcast addresses all sockets of the namespace except this one.
func (s *Socket) Broadcast() Broadcast { return Broadcast{ns: s.ns}.Except(s.id) }

// Join puts the socket into rooms. When it returns, emits of this server reach
// it there. Rooms that it is in already are ignored. In a middleware or in
// OnConnect it takes effect if the socket is let in.
//
// Errors, in which case it joins none of them: *LimitError, ErrDisconnected. With
// ErrNotJournaled it did.
func (s *Socket) Join(rooms ...string) error {
	if err := s.ns.checkRooms(rooms); err != nil {
		return err
	}
	return s.ns.join(s, rooms)
}

// Leave takes the socket out of rooms; rooms that it is not in are ignored. It
// may leave the room of its own: then To(id) does not reach it any more.
func (s *Socket) Leave(rooms ...string) error { return s.ns.leave(s, rooms) }

// Rooms lists the rooms that the socket is in, its own included.
func (s *Socket) Rooms() []string {
	x := s.ns.indexOf(s.conn.session)
	x.mu.Lock()
	defer x.mu.Unlock()
	return s.roomNames()
}

// roomNames lists the rooms; the index's lock is held.
func (s *Socket) roomNames() []string {
	names := make([]string, 0, len(s.places)+len(s.joining)+1)
	if s.ownRoom {
		names = append(names, s.id)
	}
	for _, p := range s.places {
		names = append(names, p.room.name)
	}
	return append(names, s.joining...)
}

// SetUser says which user the socket belongs to; Server.User and Namespace.User
// address all sockets of a user, by the room UserRoom(id), which the socket
// joins. An empty id takes the socket off its user. Call it in a middleware or
// in OnConnect, where the client has proved who it is: a recovery is refused if
// the user is another one than before.
//
// Errors, in which case nothing changes: *LimitError, ErrDisconnected. With
// ErrNotJournaled it did.
func (s *Socket) SetUser(id string) error {
	var join, leave []string
	if id != "" {
		join = []string{UserRoom(id)}
		if err := s.ns.checkRooms(join); err != nil {
			return err
		}
	}
	if old := s.User(); old != "" && old != id {
		leave = []string{UserRoom(old)}
	}
	made, late := s.journaled(&change{join: join, leave: leave, user: &id})
	_, err := s.ns.changeNow(s, join, leave)
	if err == nil {
		s.user.Store(&id)
	}
	made()
	if err != nil {
		s.rewrite()
		return err
	}
	s.ns.tell()
	return late
}

// User is the user that SetUser named, or "".
func (s *Socket) User() string {
	if u := s.user.Load(); u != nil {
		return *u
	}
	return ""
}

// UserRoom is the room that a user's sockets are in. An application that names
// rooms in the same way shares them.
func UserRoom(id string) string { return "user:" + id }
