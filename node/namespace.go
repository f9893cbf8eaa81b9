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
	srv    *Server
	name   string
	index  []*roomIndex // by shard; nil for a template
	origin *Dynamic     // that made it, or nil
	params []string     // what its name matched of a pattern, see Param

	// template is the Dynamic whose Namespace this is, nil for a real one.
	template *Dynamic

	mu       sync.Mutex               // serialises registrations
	handlers atomic.Pointer[handlers] // nil: those of origin

	users     atomic.Int64 // sockets, those on their way in or out included
	permanent bool         // it stays when it is empty; the server's lock guards it
	removed   atomic.Bool  // it did not stay

	interest   interest
	roomEvents roomEvents
}

func newNamespace(srv *Server, name string) *Namespace {
	ns := &Namespace{srv: srv, name: name}
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

// Len is the number of sockets that are connected to this server.
func (ns *Namespace) Len() int {
	n := 0
	for _, ns := range ns.real() {
		for _, x := range ns.index {
			x.mu.Lock()
			n += len(x.sockets)
			x.mu.Unlock()
		}
	}
	return n
}

// Socket returns the socket with the given id if it is connected to this
// server. It need not be in the room of its own.
func (ns *Namespace) Socket(id string) (*Socket, bool) {
	for _, ns := range ns.real() {
		for _, x := range ns.index {
			x.mu.Lock()
			s := x.sockets[id]
			x.mu.Unlock()
			if s != nil {
				return s, true
			}
		}
	}
	return nil, false
}

// Broadcast addresses all sockets of the namespace.
func (ns *Namespace) Broadcast() Broadcast { return Broadcast{ns: ns} }

// To addresses the members of the rooms, each once. A socket's id is a room.
func (ns *Namespace) To(rooms ...string) Broadcast { return Broadcast{ns: ns}.To(rooms...) }

// In is To.
func (ns *Namespace) In(rooms ...string) Broadcast { return Broadcast{ns: ns}.To(rooms...) }

// Except addresses all sockets that are in none of the rooms.
func (ns *Namespace) Except(rooms ...string) Broadcast { return Broadcast{ns: ns}.Except(rooms...) }

// User addresses the sockets of a user; see Socket.SetUser.
func (ns *Namespace) User(id string) Broadcast { return ns.To(UserRoom(id)) }

// Volatile addresses all sockets; see Broadcast.Volatile.
func (ns *Namespace) Volatile() Broadcast { return Broadcast{ns: ns}.Volatile() }

// Local addresses all sockets of this server; see Broadcast.Local.
func (ns *Namespace) Local() Broadcast { return Broadcast{ns: ns}.Local() }

// Compress addresses all sockets; see Broadcast.Compress.
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

// real lists the namespaces that hold the sockets: the namespace itself, or
// those that a template stands for.
func (ns *Namespace) real() []*Namespace {
	if ns.template != nil {
		return ns.template.Children()
	}
	return []*Namespace{ns.current()}
}

// current is the namespace of this name: ns, unless it was removed when it was
// empty and has come again since. An application may have kept it.
func (ns *Namespace) current() *Namespace {
	if ns.removed.Load() {
		if now := ns.srv.known(ns.name); now != nil {
			return now
		}
	}
	return ns
}

// indexOf is the index of a session's shard.
func (ns *Namespace) indexOf(s *transport.Session) *roomIndex { return ns.index[s.Shard().Index()] }

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

// encode makes the packet of an event after checking its name.
func (ns *Namespace) encode(event string, args []any) (protocol.Frames, error) {
	if err := ns.checkEvent(event); err != nil {
		return protocol.Frames{}, err
	}
	return protocol.EncodeEvent(ns.srv.cfg.Codec, ns.name, event, args)
}

// encodeArgs is encode for arguments that are encoded already.
func (ns *Namespace) encodeArgs(event string, args protocol.Args) (protocol.Frames, error) {
	if err := ns.checkEvent(event); err != nil {
		return protocol.Frames{}, err
	}
	return protocol.EncodeEventArgs(ns.name, event, args)
}

func (ns *Namespace) checkEvent(event string) error {
	if protocol.IsReserved(event) {
		return &reservedError{event}
	}
	return checkLimit("event name", len(event), ns.srv.cfg.Limits.MaxEvent)
}

// outgoing shows an event to the handlers of OnAnyOutgoing.
func (ns *Namespace) outgoing(event string, f protocol.Frames) {
	hs := ns.table().outgoing
	if len(hs) == 0 {
		return
	}
	_ = ns.srv.guard("OnAnyOutgoing", func() error {
		for _, h := range hs {
			(*h)(event, f)
		}
		return nil
	})
}

// queueKey is a key of Latest as the queues of connections know it, which hold
// what all namespaces send. No namespace has a comma. Envelopes hold the key as it
// is: each server makes its own of it.
func (ns *Namespace) queueKey(key string) string {
	if key == "" {
		return ""
	}
	return ns.name + "," + key
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
