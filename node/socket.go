package node

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// Reason says why a socket ended; see package transport for the values.
type Reason = transport.Reason

// Socket is one client in one namespace. All methods are safe for concurrent
// use. A socket that ended stays readable; sending on it returns
// ErrDisconnected.
type Socket struct {
	ns      *Namespace
	conn    *conn
	id      string
	auth    []byte // the CONNECT payload, raw JSON; nil is an empty object
	query   string // that an old client added to the namespace
	user    atomic.Pointer[string]
	form    transport.Form
	mailbox mailbox

	// Guarded by the room index's lock.
	places  []place
	joining []joining // made before accept
	allAt   int
	mark    uint32
	ownRoom bool

	mu       sync.Mutex // guards the fields below
	state    socketState
	reason   Reason
	hold     []transport.Cast // what is sent while OnConnect runs
	data     map[string]any
	acks     map[uint64]*pendingAck
	nextAck  uint64
	done     chan struct{}
	doneFns  map[int]func() // of Context().AfterFunc
	nextDone int

	// rec is set before the socket is entered and never changes: its session,
	// nil if the client cannot recover.
	rec       *session
	recovered bool
	claimed   backplane.Offset // of a recovered socket: what its client has
	replayTo  uint64           // and up to where the log is replayed
}

type socketState uint8

const (
	socketConnecting socketState = iota // middleware runs
	socketPending                       // OnConnect runs
	socketConnected
	socketEnded
)

// holdMax bounds what waits for the end of OnConnect.
const holdMax = 1024

// ID is the socket's public id, which is also the name of a room of its own.
func (s *Socket) ID() string { return s.id }

// Namespace is the namespace that the socket belongs to.
func (s *Socket) Namespace() *Namespace { return s.ns }

// Server is the server that the socket is connected to.
func (s *Socket) Server() *Server { return s.ns.srv }

// Handshake describes the request that opened the connection.
func (s *Socket) Handshake() *transport.Handshake { return s.conn.session.Handshake() }

// Auth decodes the payload with which the client connected to the namespace
// into dst, a pointer. A client that sent none has an empty object. For a
// client of 1.x or 2.x it is the query that it added to the namespace.
func (s *Socket) Auth(dst any) error {
	return s.ns.srv.cfg.Codec.DecodeValue(s.AuthRaw(), nil, dst)
}

// AuthRaw is the payload's JSON.
func (s *Socket) AuthRaw() []byte {
	if s.auth == nil {
		return []byte("{}")
	}
	return s.auth
}

// Query is the query string that a client of 1.x or 2.x added to the
// namespace, as in "/chat?token=abc".
func (s *Socket) Query() string { return s.query }

// Transport is "polling" or "websocket" at this moment.
func (s *Socket) Transport() string { return s.conn.session.Transport() }

// Revision is the Engine.IO revision that the client speaks, 3 or 4.
func (s *Socket) Revision() int { return int(s.conn.session.Revision()) }

// Connected reports whether the socket is connected.
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

// Emit sends an event to this client. It returns at once; what the client
// cannot take yet waits in its bounded queue.
//
// Errors: ErrReserved, *LimitError, an encoding error, ErrDisconnected.
func (s *Socket) Emit(_ context.Context, event string, args ...any) error {
	f, err := s.ns.encode(event, args)
	if err != nil {
		return err
	}
	return s.sendEvent(f)
}

// EmitArgs is Emit for a relay that holds encoded arguments; their binary
// values are shared and must not be changed.
func (s *Socket) EmitArgs(_ context.Context, event string, args protocol.Args) error {
	if protocol.IsReserved(event) {
		return &reservedError{event}
	}
	f, err := protocol.EncodeEventArgs(s.ns.name, event, args)
	if err != nil {
		return err
	}
	s.ns.outgoing(event, f)
	return s.sendEvent(f)
}

// EmitVolatile is Emit for an event that may be dropped if it would have to
// wait. A drop is not an error.
func (s *Socket) EmitVolatile(_ context.Context, event string, args ...any) error {
	f, err := s.ns.encode(event, args)
	if err != nil {
		return err
	}
	s.send(transport.Cast{Message: transport.NewMessage(f, plain{}), Volatile: true})
	return nil
}

// EmitLatest is Emit of the newest value of key: while it waits for a slow
// client, a later one with the same key replaces it.
func (s *Socket) EmitLatest(_ context.Context, key, event string, args ...any) error {
	f, err := s.ns.encode(event, args)
	if err != nil {
		return err
	}
	if !s.send(transport.Cast{Message: transport.NewMessage(f, plain{}), Key: key}) {
		return ErrDisconnected
	}
	return nil
}

// Send is Emit of the event "message".
func (s *Socket) Send(ctx context.Context, args ...any) error {
	return s.Emit(ctx, "message", args...)
}

// To addresses the members of the rooms except this socket.
func (s *Socket) To(rooms ...string) Broadcast { return s.Broadcast().To(rooms...) }

// In is To.
func (s *Socket) In(rooms ...string) Broadcast { return s.To(rooms...) }

// Except addresses all other sockets that are in none of the rooms.
func (s *Socket) Except(rooms ...string) Broadcast { return s.Broadcast().Except(rooms...) }

// Broadcast addresses all sockets of the namespace except this one.
func (s *Socket) Broadcast() Broadcast { return Broadcast{ns: s.ns}.Except(s.id) }

// sendEvent sends an event without ack id, in the form that the client's
// recovery needs.
func (s *Socket) sendEvent(f protocol.Frames) error {
	if s.rec != nil {
		return s.sendRecoverable(f)
	}
	if s.form == formJSON {
		return s.sendFrames(f)
	}
	if !s.send(transport.Cast{Message: transport.NewMessage(f, plain{})}) {
		return ErrDisconnected
	}
	return nil
}

// sendFrames sends a packet that needs no other form than the parser's.
func (s *Socket) sendFrames(f protocol.Frames) error {
	if s.form != formJSON && s.form != formJSONRecovery {
		f = parser(f, s.form)
	}
	s.mu.Lock()
	switch s.state {
	case socketConnected:
		s.mu.Unlock()
		if !s.conn.session.SendFrames(f) {
			return ErrDisconnected
		}
		return nil
	case socketEnded:
		s.mu.Unlock()
		return ErrDisconnected
	}
	defer s.mu.Unlock()
	// The frames are in the client's parser already, whatever the form.
	s.hold = append(s.hold, transport.Cast{Message: transport.NewMessage(f, asIs{})})
	return nil
}

// asIs is the Former of a message that is the same in every form.
type asIs struct{}

// Form implements transport.Former.
func (asIs) Form(m *transport.Message, _ transport.Form) protocol.Frames { return m.Frames(formJSON) }

// send sends a message to this socket alone.
func (s *Socket) send(c transport.Cast) bool {
	s.mu.Lock()
	switch s.state {
	case socketConnected:
		s.mu.Unlock()
		return s.conn.session.SendLatest(c.Message, s.form, c.Volatile, c.Key)
	case socketEnded:
		s.mu.Unlock()
		return false
	}
	defer s.mu.Unlock()
	s.hold = append(s.hold, c)
	return true
}

// holdBack keeps a broadcast for a socket whose OnConnect is running. The room
// index's lock is held, so broadcasts keep their order.
func (s *Socket) holdBack(c transport.Cast) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != socketPending {
		return
	}
	if len(s.hold) >= holdMax {
		s.conn.session.Abort(transport.ReasonSlowConsumer)
		return
	}
	s.hold = append(s.hold, c)
}

// Join puts the socket into rooms. When it returns, emits of this server reach
// it there.
//
// Errors: *LimitError, ErrDisconnected.
func (s *Socket) Join(rooms ...string) error {
	cfg := &s.ns.srv.cfg
	for _, r := range rooms {
		if len(r) > cfg.MaxRoom {
			return &LimitError{Limit: "room name", Value: len(r), Max: cfg.MaxRoom}
		}
	}
	return s.ns.join(s, rooms)
}

// Leave takes the socket out of rooms; rooms that it is not in are ignored.
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
	names := make([]string, 0, len(s.places)+1)
	if s.ownRoom {
		names = append(names, s.id)
	}
	for _, p := range s.places {
		names = append(names, p.room.name)
	}
	return names
}

// SetUser says which user the socket belongs to; Server.User addresses all
// sockets of a user. Call it in a middleware or in OnConnect.
func (s *Socket) SetUser(id string) error {
	old := s.User()
	s.user.Store(&id)
	if old != "" && old != id {
		_ = s.Leave(userRoom(old))
	}
	if id == "" {
		return nil
	}
	return s.Join(userRoom(id))
}

// User is the user that SetUser named, or "".
func (s *Socket) User() string {
	if u := s.user.Load(); u != nil {
		return *u
	}
	return ""
}

// userRoom is the room that a user's sockets are in.
func userRoom(id string) string { return "user:" + id }

// Disconnect ends the socket: the client is told, and does not come back by
// itself. With closeConnection all sockets of the connection end so, and then
// the connection.
func (s *Socket) Disconnect(closeConnection bool) {
	if !closeConnection {
		s.expel()
		return
	}
	for _, other := range s.conn.sockets() {
		other.expel()
	}
	s.expel()
	s.conn.session.Close(transport.ReasonForcedClose)
}

// expel ends a socket and tells its client.
func (s *Socket) expel() {
	if !s.end(transport.ReasonServerNamespace) {
		return
	}
	_ = s.conn.session.SendFrames(parser(protocol.Frames{Text: protocol.AppendDisconnect(nil, s.ns.name)}, s.form&formMsgpack))
	s.conn.remove(s)
}
