package node

import (
	"slices"
	"sync"

	"github.com/siod-io/siod/backplane"
)

// interest knows the rooms of a namespace that have members on this server,
// and holds a subscription for each. It counts shards, not members (R11), and
// is told of a change under the lock of the shard's index, so that a room is
// subscribed exactly while it has members: a second member of a shard cannot
// be in the room before the first one's subscription is made.
type interest struct {
	ns    *Namespace
	mu    sync.Mutex // taken after an index's
	rooms map[string]*occupied
}

type occupied struct {
	shards int
	own    int                    // sockets of this name that have moved here, see addOwn
	sub    backplane.Subscription // nil if none is needed, or none was to be had
}

func (in *interest) init(ns *Namespace) {
	in.ns = ns
	in.rooms = make(map[string]*occupied)
}

// add counts one more shard with members, of which s is the first, and reports
// whether the room is new.
func (in *interest) add(room string, s *Socket) (created bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	o := in.get(room)
	if o.shards++; o.shards > 1 {
		in.ns.note(s, room, RoomJoined)
		return false
	}
	in.ns.note(s, room, RoomCreated, RoomJoined)
	return true
}

func (in *interest) get(room string) *occupied {
	o := in.rooms[room]
	if o == nil {
		o = &occupied{sub: in.subscribe(room)}
		in.rooms[room] = o
	}
	return o
}

// drop counts one shard less, of which s was the last member.
func (in *interest) drop(room string, s *Socket) {
	in.mu.Lock()
	defer in.mu.Unlock()
	o := in.rooms[room]
	o.shards--
	in.leave(room, o)
	if o.shards > 0 {
		in.ns.note(s, room, RoomLeft)
		return
	}
	in.ns.note(s, room, RoomLeft, RoomDeleted)
}

// leave ends the subscription of a room that nobody is in.
func (in *interest) leave(room string, o *occupied) {
	if o.shards > 0 || o.own > 0 {
		return
	}
	delete(in.rooms, room)
	if o.sub != nil {
		o.sub.Close()
	}
}

// addOwn subscribes the id of a socket whose session began on another server,
// which would get the fast broadcasts to the id otherwise (V12).
func (in *interest) addOwn(s *Socket) {
	if s.rec == nil || looksLikeID(s.id) && backplane.HomeOf(s.id) == in.ns.srv.token {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.get(s.id).own++
}

// dropOwn is the inverse.
func (in *interest) dropOwn(s *Socket) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if o := in.rooms[s.id]; s.rec != nil && o != nil && o.own > 0 {
		o.own--
		in.leave(s.id, o)
	}
}

func (in *interest) subscribe(room string) backplane.Subscription {
	srv := in.ns.srv
	at := backplane.Room(in.ns.name, room)
	if looksLikeID(room) {
		if backplane.HomeOf(room) == srv.token {
			return nil // the server's own ids are subscribed all together
		}
		at = backplane.Socket(in.ns.name, room) // guests in another socket's room (R21)
	}
	sub, err := srv.cfg.Backplane.Subscribe(at, srv.receive)
	if err != nil {
		srv.stats.subscriptionsFailed.Add(1)
		srv.cfg.Logger.Warn("no subscription for a room: its members get no fast broadcasts of other nodes", "ns", clip(in.ns.name), "err", err)
		return nil
	}
	return sub
}

// names lists the rooms, sorted.
func (in *interest) names() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	names := make([]string, 0, len(in.rooms))
	for r, o := range in.rooms {
		if o.shards > 0 {
			names = append(names, r)
		}
	}
	slices.Sort(names)
	return names
}
