package resume

import (
	"slices"
	"sort"

	"github.com/siod-io/siod/backplane"
)

// A session that gets nothing for longer than the ring reaches back is not lost
// for it: what matters is that nothing of what has left the ring was the
// session's, and that is known when it leaves. So before the ring is trimmed
// each history looks at what goes ([History.Settle]), and keeps of it the last
// entry that was the session's. A client that has that one has all of it.

const (
	// maxOwn bounds the own entries that go with a session to another node. The
	// ring there reaches about as far back, so one is enough but for the very
	// end.
	maxOwn = 4

	// maxSteps and maxStepsFew bound a look: entries for rooms of the session that
	// it did not get, since they excepted it. Beyond that nothing is known. The
	// few are for records, which are made more often.
	maxSteps    = 4096
	maxStepsFew = 64
)

// silentTo returns up to where nothing behind seq is the session's, as far as the
// history knows; at least seq.
func (h *History) silentTo(seq uint64) uint64 {
	i := sort.Search(len(h.own), func(i int) bool { return h.own[i].Seq > seq })
	switch {
	case i == 0:
		return seq
	case i < len(h.own):
		return max(seq, h.own[i].Seq-1)
	}
	return max(seq, h.settled.Seq)
}

// complete reports whether ring and history together know all that was the
// session's behind a position, and nothing was lost or delivered unstored there.
// Of what was before this node's time the history may know that from elsewhere.
func (h *History) complete(r *Ring, after uint64) bool {
	clear := after >= r.blind || after >= h.clear && len(h.own) > 0
	return after >= r.floor && clear && h.silentTo(after) >= r.base.Seq
}

// Settle looks at the entries up to a position, which are about to leave the
// ring.
func (h *History) Settle(r *Ring, to uint64) {
	at, ok := r.At(to)
	if !ok || h.imported {
		return
	}
	own, known := h.look(r, to, 1, maxSteps)
	switch {
	case len(own) > 0:
		h.own, h.settled = own, at
	case known && to > h.settled.Seq:
		h.own, h.settled = h.own[len(h.own)-1:], at
	}
}

// look lists the latest of the session's entries behind those that are settled,
// up to a position, and reports whether those that it does not list are known as
// well.
func (h *History) look(r *Ring, to uint64, most, steps int) (own []backplane.Position, known bool) {
	from := max(h.settled.Seq, r.base.Seq, h.forgotten, h.birth)
	known = len(h.own) > 0 && from == h.settled.Seq
	if from >= to {
		return nil, known
	}
	own, ok := r.latest(h, from, to, most, steps)
	return own, known && ok
}

// accept looks at what another node knew of a session. It counts only if this
// node has been where that one was, and finds the same entry there: what a log
// that went back had is no more. Then its memberships are of that log, too, and
// nothing up to where it was can be told.
func (h *History) accept(r *Ring) {
	if !h.imported {
		return
	}
	h.imported = false
	p, ok := r.At(h.settled.Seq)
	if ok && p.Tag == h.settled.Tag {
		return
	}
	if ok && len(h.own) > 0 {
		h.forgotten = max(h.forgotten, h.high)
	}
	h.own, h.settled = nil, backplane.Position{}
}

// at returns the position of an offset that the history knows though the ring
// does not: that of its own last entry, or of an event emitted to it alone, whose
// number nothing else has.
func (h *History) at(o backplane.Offset) (backplane.Position, bool) {
	for _, p := range h.own {
		if p.Seq == o.Seq && p.Tag != (backplane.Tag{}) {
			return p, true
		}
	}
	return o.Position, h.names(o)
}

// marks are what a history knows of its own entries, for another node: the latest
// ones, up to where there are no others, and from where on nothing was lost.
type marks struct {
	own     []backplane.Position
	settled backplane.Position
	clear   uint64
}

// marks returns them as of the position of this node.
func (h *History) marks(r *Ring, upTo backplane.Position) marks {
	if at, ok := r.At(upTo.Seq); h.imported || !ok || at != upTo || upTo.Seq < h.settled.Seq {
		return marks{}
	}
	later, known := h.look(r, upTo.Seq, maxOwn, maxStepsFew)
	own := later
	if known && len(later) < maxOwn {
		own = slices.Concat(h.own, later)
	}
	if len(own) == 0 {
		return marks{}
	}
	own = own[max(0, len(own)-maxOwn):]
	clear := r.floor
	if own[0].Seq < r.blind {
		clear = max(clear, h.clear)
	}
	return marks{own, upTo, clear}
}

// latest lists the last entries in (after, upTo] that a session gets, in order. It
// reports false if it gave up.
func (r *Ring) latest(h *History, after, upTo uint64, most, maxSteps int) (own []backplane.Position, ok bool) {
	lists := r.rooms.lists(h, after, upTo)
	for steps := 0; len(own) < most; steps++ {
		seq := uint64(0)
		for _, l := range lists {
			if len(l) > 0 {
				seq = max(seq, l[len(l)-1])
			}
		}
		if seq == 0 {
			break
		}
		for i, l := range lists {
			for len(l) > 0 && l[len(l)-1] == seq { // an event may name a room twice
				l = l[:len(l)-1]
			}
			lists[i] = l
		}
		if e := r.find(seq); h.Gets(e) {
			own = append(own, e.Position)
		} else if steps >= maxSteps {
			return nil, false
		}
	}
	slices.Reverse(own)
	return own, true
}
