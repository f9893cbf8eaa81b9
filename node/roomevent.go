package node

import "slices"

// RoomEvent says that a room of this server changed. The rooms of a socket's
// own are left out.
type RoomEvent struct {
	Kind      RoomEventKind
	Namespace *Namespace
	Room      string
	Socket    string // id of the socket that joined or left
}

// RoomEventKind is what happened.
type RoomEventKind uint8

// The kinds of room events: a room is created with its first member on this
// server and deleted with its last.
const (
	RoomCreated RoomEventKind = iota
	RoomJoined
	RoomLeft
	RoomDeleted
)

var roomEventNames = [...]string{"create-room", "join-room", "leave-room", "delete-room"}

// String returns the name that adapters of Socket.IO give the event.
func (k RoomEventKind) String() string {
	if int(k) < len(roomEventNames) {
		return roomEventNames[k]
	}
	return "unknown"
}

// OnRoom registers a handler of room events. It is called after the change, in
// the goroutine that made it, and must not block. Changes that are made at the
// same time may be told in either order. For rooms of the whole cluster see
// backplane.Occupancy.
func (ns *Namespace) OnRoom(f func(RoomEvent)) {
	ns.register(func(t *handlers) { t.rooms = append(slices.Clip(t.rooms), f) })
}

// tell calls the handlers of room events; kind is RoomJoined or RoomLeft.
func (ns *Namespace) tell(kind RoomEventKind, s *Socket, changes []roomChange) {
	if len(changes) == 0 {
		return
	}
	fs := ns.table().rooms
	if len(fs) == 0 {
		return
	}
	_ = ns.srv.guard("OnRoom", func() error {
		for _, c := range changes {
			e := RoomEvent{Kind: kind, Namespace: ns, Room: c.room, Socket: s.id}
			for _, f := range fs {
				if c.edge && kind == RoomJoined {
					f(RoomEvent{RoomCreated, ns, c.room, s.id})
				}
				f(e)
				if c.edge && kind == RoomLeft {
					f(RoomEvent{RoomDeleted, ns, c.room, s.id})
				}
			}
		}
		return nil
	})
}
