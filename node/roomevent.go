package node

import (
	"slices"
	"sync"
)

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

// OnRoom registers a handler of room events. Events of a namespace are told one
// at a time, in the order in which they happened, in the goroutine of one of
// those who caused them; so a handler may be called a moment after the call
// that caused the event returned, and must not block. For rooms of the whole
// cluster see backplane.Occupancy.
func (ns *Namespace) OnRoom(f func(RoomEvent)) {
	ns.register(func(t *handlers) { t.rooms = append(slices.Clip(t.rooms), f) })
}

// roomEvents are events on their way to the handlers of OnRoom.
type roomEvents struct {
	mu      sync.Mutex // a leaf
	queue   []RoomEvent
	telling bool
}

// note queues events, under the lock that their order comes from.
func (ns *Namespace) note(s *Socket, room string, kinds ...RoomEventKind) {
	if len(ns.table().rooms) == 0 {
		return
	}
	ns.roomEvents.mu.Lock()
	for _, k := range kinds {
		ns.roomEvents.queue = append(ns.roomEvents.queue, RoomEvent{k, ns, room, s.id})
	}
	ns.roomEvents.mu.Unlock()
}

// tell calls the handlers of what was noted, under no lock, unless somebody is
// at it already.
func (ns *Namespace) tell() {
	fs := ns.table().rooms
	if len(fs) == 0 {
		return
	}
	q := &ns.roomEvents
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.telling {
		return
	}
	q.telling = true
	for len(q.queue) > 0 {
		queue := q.queue
		q.queue = nil
		q.mu.Unlock()
		for _, e := range queue {
			for _, f := range fs {
				_ = ns.srv.guard("OnRoom", func() error { f(e); return nil })
			}
		}
		q.mu.Lock()
	}
	q.telling = false
}
