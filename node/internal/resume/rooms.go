package resume

import (
	"slices"
	"sort"

	"github.com/siod-io/siod/backplane"
)

// roomIndex finds a ring's entries by the rooms they were emitted to, so that a
// replay costs what the client missed and not what everybody was sent.
type roomIndex map[roomKey][]uint64

// roomKey is a room of a namespace, or all of the namespace.
type roomKey struct {
	namespace, room string
	all             bool
}

// keys calls f for each list that an entry is in.
func (e *Entry) keys(f func(roomKey)) {
	if e.Envelope.Kind != backplane.KindEvent {
		return
	}
	t := &e.Envelope.Target
	if len(t.Rooms) == 0 {
		f(roomKey{namespace: e.Envelope.Namespace, all: true})
	}
	for _, room := range t.Rooms {
		f(roomKey{namespace: e.Envelope.Namespace, room: room})
	}
}

func (x *roomIndex) add(e *Entry) {
	if *x == nil {
		*x = make(roomIndex)
	}
	e.keys(func(k roomKey) { (*x)[k] = append((*x)[k], e.Seq) })
}

// drop removes the index's first or last entry. Lists are in the order of the
// log, so it stands at that end of each.
func (x roomIndex) drop(e *Entry, first bool) {
	e.keys(func(k roomKey) {
		l := x[k]
		switch {
		case len(l) <= 1:
			delete(x, k)
		case first:
			x[k] = l[1:]
		default:
			x[k] = l[:len(l)-1]
		}
	})
}

// lists are those of a session's rooms and of its namespace, cut to (after, upTo]
// and to the times at which it was there.
func (x roomIndex) lists(h *History, after, upTo uint64) [][]uint64 {
	all := [][]uint64{x.cut(roomKey{namespace: h.namespace, all: true}, after, upTo)}
	for _, rooms := range [...][]Interval{h.open, h.past} {
		for i := range rooms {
			v := &rooms[i]
			all = append(all, x.cut(roomKey{namespace: h.namespace, room: v.Room}, max(after, v.Since), min(upTo, v.Until)))
		}
	}
	return all
}

// cut is the part of a list in (after, upTo].
func (x roomIndex) cut(k roomKey, after, upTo uint64) []uint64 {
	l := x[k]
	from := sort.Search(len(l), func(i int) bool { return l[i] > after })
	to := sort.Search(len(l), func(i int) bool { return l[i] > upTo })
	return l[min(from, to):to]
}

// selected lists the entries in (after, upTo] that a session gets, in order.
func (r *Ring) selected(h *History, after, upTo uint64) []*Entry {
	seqs := slices.Concat(r.rooms.lists(h, after, upTo)...)
	slices.Sort(seqs)
	seqs = slices.Compact(seqs)
	entries := make([]*Entry, 0, len(seqs))
	for _, seq := range seqs {
		if e := r.find(seq); h.Gets(e) {
			entries = append(entries, e)
		}
	}
	return entries
}
