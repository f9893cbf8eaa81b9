package memory

import (
	"maps"

	"github.com/siod-io/siod/backplane"
)

// roomWatch is one WatchRooms call. Its fields but b, namespace and h are
// guarded by the hub's lock.
type roomWatch struct {
	b         *Backplane
	namespace string
	h         func(backplane.RoomChange)

	told   map[backplane.Address]struct{} // rooms reported as occupied
	dirty  map[backplane.Address]struct{} // rooms to compare with told
	queued bool                           // report is on its way
	closed bool
}

// WatchRooms implements backplane.Occupancy.
func (b *Backplane) WatchRooms(namespace string, h func(backplane.RoomChange)) (backplane.Subscription, error) {
	w := &roomWatch{
		b:         b,
		namespace: namespace,
		h:         h,
		told:      make(map[backplane.Address]struct{}),
		dirty:     make(map[backplane.Address]struct{}),
	}
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	if b.state.Load() == dead {
		return nil, backplane.ErrClosed
	}
	b.hub.watches = append(b.hub.watches, w)
	for _, m := range b.hub.members {
		for at := range m.subs {
			w.mark(at)
		}
	}
	return w, nil
}

// Close implements backplane.Subscription.
func (w *roomWatch) Close() {
	h := w.b.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	w.closed = true
	for i, o := range h.watches {
		if o == w {
			h.watches = append(h.watches[:i:i], h.watches[i+1:]...)
			return
		}
	}
}

// roomChanged has the watches look at a room again. The caller holds mu.
func (h *Hub) roomChanged(at backplane.Address) {
	for _, w := range h.watches {
		w.mark(at)
	}
}

// roomsChanged is roomChanged for all rooms in subs.
func (h *Hub) roomsChanged(subs map[backplane.Address]*subscription) {
	if len(h.watches) == 0 {
		return
	}
	for at := range subs {
		h.roomChanged(at)
	}
}

// mark has w look at a room again. The caller holds the hub's lock.
func (w *roomWatch) mark(at backplane.Address) {
	if at.Scope != backplane.ScopeRoom || w.namespace != backplane.AnyNamespace && w.namespace != at.Namespace {
		return
	}
	w.dirty[at] = struct{}{}
	if !w.queued {
		w.queued = true
		w.b.queue.control(w.b, item{watch: w})
	}
}

// report tells what changed. It runs on the goroutine of the member's queue.
func (w *roomWatch) report() {
	for {
		change, ok := w.next()
		if !ok {
			return
		}
		w.h(change)
	}
}

// next takes a dirty room that is not as it was told.
func (w *roomWatch) next() (backplane.RoomChange, bool) {
	h := w.b.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.closed {
		return backplane.RoomChange{}, false
	}
	if w.b.state.Load() != running { // go on when it thaws
		w.b.queue.control(w.b, item{watch: w})
		return backplane.RoomChange{}, false
	}
	for at := range w.dirty {
		delete(w.dirty, at)
		_, told := w.told[at]
		occupied := h.occupied(at, w.b.group)
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
	w.queued = false
	return backplane.RoomChange{}, false
}

// occupied reports whether a member that a group reaches has members of a
// room. The caller holds mu.
func (h *Hub) occupied(at backplane.Address, group int) bool {
	for _, m := range h.members {
		if m.group == group && m.subs[at] != nil {
			return true
		}
	}
	return false
}

// recheck has all watches look at everything again, after reach changed. The
// caller holds mu.
func (h *Hub) recheck() {
	if len(h.watches) == 0 {
		return
	}
	for _, m := range h.members {
		h.roomsChanged(m.subs)
	}
	for _, w := range h.watches {
		for at := range maps.Clone(w.told) {
			w.mark(at)
		}
	}
}
