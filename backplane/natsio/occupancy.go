package natsio

import (
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
	"github.com/siod-io/siod/backplane/wire"
)

// A node that watches rooms asks every other one for its rooms, once, and is
// told of each change from then on. Nodes number their changes, and beats say
// how far they got, so a watcher that missed one asks again. Nobody who is not
// asked tells anything.

// occupancy is both sides of that.
type occupancy struct {
	// mu is taken under registry.mu, and held while changes and lists are
	// published, so that they leave in the order of their numbers.
	mu sync.Mutex

	changes uint64              // of this node's own rooms
	askers  map[string]struct{} // nodes that watch

	watches []*roomWatch
	subs    []*interest               // of the watching side
	remote  map[string]*remoteRooms   // by node
	nodes   map[backplane.Address]int // how many of these have members of a room
}

// remoteRooms are the rooms of another node.
type remoteRooms struct {
	known   bool
	changes uint64 // that are in rooms
	rooms   map[backplane.Address]struct{}

	list   map[backplane.Address]struct{} // that comes in now
	chunks uint64                         // of it that came
}

func (o *occupancy) init() {
	o.askers = make(map[string]struct{})
	o.remote = make(map[string]*remoteRooms)
	o.nodes = make(map[backplane.Address]int)
}

// askSubject is where a node is asked for its rooms, and listSubject where it
// gets those of others.
func askSubject(id string) string  { return subject.Inbox(id) + ".rooms" }
func listSubject(id string) string { return subject.Inbox(id) + ".list" }

// changed notes that this node has members of a room, or has none any more. The
// caller holds registry.mu.
func (o *occupancy) changed(b *Backplane, at backplane.Address, occupied bool) {
	if at.Scope != backplane.ScopeRoom {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.changes++
	o.mark(b, at)
	if len(o.askers) == 0 {
		return
	}
	m := wire.Message{Sender: b.id, Counter: o.changes, Final: !occupied, Name: at.Name}
	m.Namespace = at.Namespace
	// One that cannot be sent is missing, and asked for.
	_ = b.live.publish(b.space.Occupancy(at.Namespace), "", m.Append(nil))
}

// count returns how many changes there were.
func (o *occupancy) count() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changes
}

// takeAsk lists this node's rooms for one that watches. It runs on the receiver.
func (b *Backplane) takeAsk(msg *nats.Msg) {
	m, ok := b.decode(msg)
	if !ok || m.From() == "" {
		return
	}
	asker := m.From()
	b.hear(asker)
	b.reg.mu.RLock()
	defer b.reg.mu.RUnlock()
	rooms := make(map[string][]string) // by namespace
	for at, in := range b.reg.at {
		if at.Scope == backplane.ScopeRoom && in.user.Load() != nil {
			rooms[at.Namespace] = append(rooms[at.Namespace], at.Name)
		}
	}
	o := &b.rooms
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.askers) < maxPeers {
		o.askers[asker] = struct{}{}
	}
	b.sendList(listSubject(asker), rooms)
}

// sendList publishes a list of rooms in chunks. The caller holds occupancy.mu.
func (b *Backplane) sendList(to string, rooms map[string][]string) {
	chunk := wire.Message{Sender: b.id, Counter: b.rooms.changes, Baseline: true}
	send := func() {
		chunk.Replies++
		_ = b.live.publish(to, "", chunk.Append(nil)) // else the asker asks again
		chunk.Baseline = false
	}
	for ns, names := range rooms {
		chunk.Namespace = ns
		for len(names) > 0 {
			n := min(len(names), b.listChunk())
			chunk.Target.Rooms, names = names[:n], names[n:]
			send()
		}
	}
	chunk.Namespace, chunk.Target.Rooms, chunk.Final = "", nil, true
	send()
}

// listChunk is the number of rooms in one message: as many as may be in any.
func (b *Backplane) listChunk() int {
	if n := b.cfg.Limits.Targets; n > 0 {
		return n
	}
	return backplane.DefaultTargets
}

// beaten compares what is known of a node's rooms with what its beat says, and
// asks for them if need be. It runs on the receiver.
func (o *occupancy) beaten(b *Backplane, id string, changes uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.watches) == 0 {
		return
	}
	if r := o.remote[id]; r == nil || !r.known || changes > r.changes {
		o.ask(b, id)
	}
}

// ask asks a node for its rooms. The caller holds mu.
func (o *occupancy) ask(b *Backplane, id string) {
	r := o.remote[id]
	if r == nil {
		r = &remoteRooms{}
		o.remote[id] = r
	}
	r.known = false // what comes before the list does not count
	m := wire.Message{Sender: b.id}
	_ = b.live.publish(askSubject(id), "", m.Append(nil)) // else the next beat has it asked again
}

// takeChange runs on the receiver.
func (b *Backplane) takeChange(msg *nats.Msg) {
	m, ok := b.decode(msg)
	if !ok {
		return
	}
	o := &b.rooms
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.remote[m.From()]
	if r == nil || !r.known || m.Counter <= r.changes {
		return
	}
	if m.Counter != r.changes+1 {
		o.ask(b, m.From())
		return
	}
	r.changes = m.Counter
	at := backplane.Room(m.Namespace, m.Name)
	if m.Final {
		o.remove(b, r, at)
	} else {
		o.add(b, r, at)
	}
}

// takeList runs on the receiver.
func (b *Backplane) takeList(msg *nats.Msg) {
	m, ok := b.decode(msg)
	if !ok {
		return
	}
	o := &b.rooms
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.remote[m.From()]
	if r == nil {
		return // it was given up meanwhile
	}
	if m.Baseline {
		r.list, r.chunks = make(map[backplane.Address]struct{}), 0
	}
	if r.list == nil {
		return
	}
	r.chunks++
	for _, name := range m.Target.Rooms {
		r.list[backplane.Room(m.Namespace, name)] = struct{}{}
	}
	if !m.Final {
		return
	}
	list := r.list
	r.list = nil
	if r.chunks != m.Replies {
		return // some are missing; the next beat has it asked again
	}
	for at := range r.rooms {
		if _, ok := list[at]; !ok {
			o.remove(b, r, at)
		}
	}
	for at := range list {
		o.add(b, r, at)
	}
	r.known, r.changes = true, m.Counter
}

// add and remove change the rooms of another node. The caller holds mu.
func (o *occupancy) add(b *Backplane, r *remoteRooms, at backplane.Address) {
	if _, ok := r.rooms[at]; ok {
		return
	}
	if r.rooms == nil {
		r.rooms = make(map[backplane.Address]struct{})
	}
	r.rooms[at] = struct{}{}
	o.nodes[at]++
	o.mark(b, at)
}

func (o *occupancy) remove(b *Backplane, r *remoteRooms, at backplane.Address) {
	if _, ok := r.rooms[at]; !ok {
		return
	}
	delete(r.rooms, at)
	if o.nodes[at]--; o.nodes[at] == 0 {
		delete(o.nodes, at)
	}
	o.mark(b, at)
}

// lost takes out the rooms of a node that is not there any more, and tells it
// nothing more.
func (o *occupancy) lost(b *Backplane, id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.askers, id)
	r := o.remote[id]
	if r == nil {
		return
	}
	delete(o.remote, id)
	for at := range r.rooms {
		o.remove(b, r, at)
	}
}

// prune takes out the nodes that are not heard any more.
func (o *occupancy) prune(b *Backplane) {
	o.mu.Lock()
	var silent []string
	for id := range o.remote {
		if !b.Heard(id) {
			silent = append(silent, id)
		}
	}
	for id := range o.askers {
		if !b.Heard(id) {
			silent = append(silent, id)
		}
	}
	o.mu.Unlock()
	for _, id := range silent {
		o.lost(b, id)
	}
}
