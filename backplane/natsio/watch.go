package natsio

import (
	"slices"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
)

// roomWatch is one WatchRooms call. Its maps are guarded by occupancy.mu.
type roomWatch struct {
	b         *Backplane
	namespace string
	h         func(backplane.RoomChange)

	told   map[backplane.Address]struct{} // rooms reported as occupied
	dirty  map[backplane.Address]struct{} // rooms to compare with told
	closed bool
}

// WatchRooms implements backplane.Occupancy. h runs on the goroutine of all
// handlers, under the same rules. A node that is silent for three beats counts
// as gone, with its rooms.
func (b *Backplane) WatchRooms(namespace string, h func(backplane.RoomChange)) (backplane.Subscription, error) {
	if b.isClosed() {
		return nil, backplane.ErrClosed
	}
	w := &roomWatch{
		b:         b,
		namespace: namespace,
		h:         h,
		told:      make(map[backplane.Address]struct{}),
		dirty:     make(map[backplane.Address]struct{}),
	}
	b.reg.mu.Lock()
	defer b.reg.mu.Unlock()
	if b.reg.closed {
		return nil, backplane.ErrClosed
	}
	o := &b.rooms
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.watches) == 0 {
		if err := o.begin(b); err != nil {
			return nil, err
		}
	}
	o.watches = append(o.watches, w)
	for at, in := range b.reg.at {
		if in.user.Load() != nil {
			w.mark(at)
		}
	}
	for at := range o.nodes {
		w.mark(at)
	}
	b.wake()
	return w, nil
}

// begin subscribes what a watching node gets, and asks all others for their
// rooms. The caller holds mu and registry.mu.
func (o *occupancy) begin(b *Backplane) error {
	for subj, take := range map[string]func(*nats.Msg){
		b.space.Occupancy(backplane.AnyNamespace): b.takeChange,
		listSubject(b.id):                         b.takeList,
	} {
		in := &interest{control: take, subject: subj}
		if err := b.reg.subscribe(b, in); err != nil {
			o.end(b)
			return err
		}
		o.subs = append(o.subs, in)
	}
	for _, id := range b.peers.ids() {
		if b.Heard(id) {
			o.ask(b, id)
		}
	}
	return nil
}

// end undoes begin. The caller holds mu and registry.mu.
func (o *occupancy) end(b *Backplane) {
	for _, in := range o.subs {
		b.reg.drop(in)
	}
	o.subs = nil
	clear(o.remote)
	clear(o.nodes)
}

// Close implements backplane.Subscription.
func (w *roomWatch) Close() {
	b, o := w.b, &w.b.rooms
	b.reg.mu.Lock()
	defer b.reg.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if w.closed {
		return
	}
	w.closed = true
	o.watches = slices.DeleteFunc(o.watches, func(v *roomWatch) bool { return v == w })
	if len(o.watches) == 0 && !b.reg.closed {
		o.end(b)
	}
}

// mark has w look at a room again. The caller holds occupancy.mu.
func (w *roomWatch) mark(at backplane.Address) {
	if at.Scope == backplane.ScopeRoom && (w.namespace == backplane.AnyNamespace || w.namespace == at.Namespace) {
		w.dirty[at] = struct{}{}
	}
}

// mark has all watches look at a room again. The caller holds mu.
func (o *occupancy) mark(b *Backplane, at backplane.Address) {
	if len(o.watches) == 0 {
		return
	}
	for _, w := range o.watches {
		w.mark(at)
	}
	b.wake()
}

// tell reports what changed. It runs on the receiver.
func (o *occupancy) tell(b *Backplane) {
	o.mu.Lock()
	watches := slices.Clone(o.watches)
	o.mu.Unlock()
	for _, w := range watches {
		for !b.isClosed() {
			change, ok := w.next()
			if !ok {
				break
			}
			w.h(change)
		}
	}
}

// next takes a dirty room that is not as it was told.
func (w *roomWatch) next() (backplane.RoomChange, bool) {
	b, o := w.b, &w.b.rooms
	b.reg.mu.RLock()
	defer b.reg.mu.RUnlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if w.closed {
		return backplane.RoomChange{}, false
	}
	for at := range w.dirty {
		delete(w.dirty, at)
		_, told := w.told[at]
		in := b.reg.at[at]
		occupied := o.nodes[at] > 0 || in != nil && in.user.Load() != nil
		if occupied == told {
			continue
		}
		if occupied {
			w.told[at] = struct{}{}
		} else {
			delete(w.told, at)
		}
		return backplane.RoomChange{Namespace: at.Namespace, Room: at.Name, Occupied: occupied}, true
	}
	return backplane.RoomChange{}, false
}
