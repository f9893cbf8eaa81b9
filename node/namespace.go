package node

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// Namespace is a part of a server with its own sockets, rooms and handlers.
// All methods are safe for concurrent use; handlers are best registered before
// the server takes connections.
type Namespace struct {
	srv      *Server
	name     string
	parent   *Dynamic // that created it, or nil
	index    []*roomIndex
	handlers *atomic.Pointer[handlers] // shared with the parent of a dynamic one
	mu       sync.Mutex                // serialises registrations
	count    atomic.Int64              // sockets, connecting ones included

	interest interest
}

func newNamespace(srv *Server, name string) *Namespace {
	ns := &Namespace{srv: srv, name: name, handlers: new(atomic.Pointer[handlers])}
	ns.handlers.Store(&handlers{})
	for _, sh := range srv.engine.Shards() {
		ns.index = append(ns.index, newRoomIndex(ns, sh))
	}
	ns.interest.init(ns)
	return ns
}

// Name is the namespace's name, "/" for the default one.
func (ns *Namespace) Name() string { return ns.name }

// Server is the server that the namespace belongs to.
func (ns *Namespace) Server() *Server { return ns.srv }

// Len is the number of sockets on this server.
func (ns *Namespace) Len() int { return int(ns.count.Load()) }

// Socket returns the socket with the given id if it is connected to this
// server.
func (ns *Namespace) Socket(id string) (*Socket, bool) {
	for _, x := range ns.index {
		x.mu.Lock()
		s := x.sockets[id]
		x.mu.Unlock()
		if s != nil {
			return s, true
		}
	}
	return nil, false
}

// Broadcast returns the operator that addresses all sockets of the namespace.
func (ns *Namespace) Broadcast() Broadcast { return Broadcast{ns: ns} }

// To addresses the members of the rooms, each once. A socket's id is a room.
func (ns *Namespace) To(rooms ...string) Broadcast { return Broadcast{ns: ns}.To(rooms...) }

// In is To.
func (ns *Namespace) In(rooms ...string) Broadcast { return Broadcast{ns: ns}.To(rooms...) }

// Except addresses all sockets that are in none of the rooms.
func (ns *Namespace) Except(rooms ...string) Broadcast { return Broadcast{ns: ns}.Except(rooms...) }

// Volatile: see Broadcast.Volatile.
func (ns *Namespace) Volatile() Broadcast { return Broadcast{ns: ns}.Volatile() }

// Local: see Broadcast.Local.
func (ns *Namespace) Local() Broadcast { return Broadcast{ns: ns}.Local() }

// Compress: see Broadcast.Compress.
func (ns *Namespace) Compress(on bool) Broadcast { return Broadcast{ns: ns}.Compress(on) }

// Emit sends an event to all sockets of the namespace; see Broadcast.Emit.
func (ns *Namespace) Emit(ctx context.Context, event string, args ...any) error {
	return Broadcast{ns: ns}.Emit(ctx, event, args...)
}

// Send is Emit of the event "message".
func (ns *Namespace) Send(ctx context.Context, args ...any) error {
	return ns.Emit(ctx, "message", args...)
}

// CloseRoom makes every member leave the room, on all servers.
func (ns *Namespace) CloseRoom(ctx context.Context, room string) error {
	return ns.In(room).SocketsLeave(ctx, room)
}

// indexOf is the index of a session's shard.
func (ns *Namespace) indexOf(s *transport.Session) *roomIndex { return ns.index[s.Shard().Index()] }

// encode makes the packet of an event after checking its name.
func (ns *Namespace) encode(event string, args []any) (protocol.Frames, error) {
	if protocol.IsReserved(event) {
		return protocol.Frames{}, &reservedError{event}
	}
	if most := ns.srv.cfg.Limits.MaxEvent; len(event) > most {
		return protocol.Frames{}, &LimitError{Limit: "event name", Value: len(event), Max: most}
	}
	f, err := protocol.EncodeEvent(ns.srv.cfg.Codec, ns.name, event, args)
	if err == nil {
		ns.outgoing(event, f)
	}
	return f, err
}

type reservedError struct{ event string }

func (e *reservedError) Error() string { return ErrReserved.Error() + ": " + e.event }
func (e *reservedError) Unwrap() error { return ErrReserved }

func (ns *Namespace) outgoing(event string, f protocol.Frames) {
	for _, h := range ns.handlers.Load().outgoing {
		h(event, f)
	}
}

// broadcast gives a message to the matching sockets of this server.
func (ns *Namespace) broadcast(t *target, c transport.Cast) {
	for _, x := range ns.index {
		x.post(t, c)
	}
}

// waitForRoom waits until every shard takes more work.
func (ns *Namespace) waitForRoom(ctx context.Context) error {
	for _, x := range ns.index {
		if err := x.shard.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// address is where other servers hear of a broadcast to t.
func (ns *Namespace) address(t *target) backplane.Address {
	if len(t.rooms) != 1 {
		return backplane.Namespace(ns.name)
	}
	if looksLikeID(t.rooms[0]) {
		return backplane.Socket(ns.name, t.rooms[0])
	}
	return backplane.Room(ns.name, t.rooms[0])
}
