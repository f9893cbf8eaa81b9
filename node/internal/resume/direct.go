package resume

import (
	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
)

// Direct is an event that was emitted to one session alone: the K-th, and made
// when everything in the log up to At preceded it on the connection (V3).
type Direct struct {
	At     backplane.Position
	K      uint64
	Frames protocol.Frames
	Plain  bool // not worth compressing; of no concern here
}

// Offset is the event's own offset.
func (d *Direct) Offset() backplane.Offset {
	return backplane.Offset{Position: d.At, K: d.K, Direct: true}
}

// mark is the offset without its tag, as a lower bound needs none.
func (d *Direct) mark() backplane.Offset {
	return backplane.Offset{Position: backplane.Position{Seq: d.At.Seq}, K: d.K, Direct: true}
}

// Tail is the offset as a JSON string.
func (d *Direct) Tail() []byte { return quoted(d.Offset()) }

// Limits bounds what is kept and what is replayed.
type Limits struct {
	SessionEvents, SessionBytes int // direct emits kept for a session
	ReplayEvents, ReplayBytes   int // of one replay
}

// Place is the position at which a direct emit made now belongs, if its
// connection stands at the given one: never before an earlier one's.
func (h *History) Place(at uint64) uint64 { return max(at, h.high) }

// Emit keeps a direct emit at its position, which must come from
// [History.Place], gives it its number, and returns its offset as a JSON string.
func (h *History) Emit(d Direct, l Limits) (tail []byte) {
	h.Reached(d.At.Seq)
	h.k++
	d.K = h.k
	h.direct = append(h.direct, d)
	h.bytes += d.Frames.Size()
	for len(h.direct) > l.SessionEvents || h.bytes > l.SessionBytes && len(h.direct) > 0 {
		h.gone = h.direct[0].mark()
		h.bytes -= h.direct[0].Frames.Size()
		h.direct[0] = Direct{}
		h.direct = h.direct[1:]
	}
	return d.Tail()
}

// Skip notes a direct emit that cannot be kept, since its position is unknown:
// whoever may not have it cannot be brought up to date.
func (h *History) Skip(at uint64) {
	h.k++
	h.direct, h.bytes = nil, 0
	h.gone = backplane.Offset{Position: backplane.Position{Seq: at}, K: h.k, Direct: true}
}

// rewindDirect drops the direct emits above a position.
func (h *History) rewindDirect(to uint64) {
	keep := len(h.direct)
	for keep > 0 && h.direct[keep-1].At.Seq > to {
		keep--
	}
	if keep == len(h.direct) && h.gone.Seq <= to {
		return
	}
	// Some are lost, and the offsets of the rest cannot tell who has those.
	h.direct, h.bytes = nil, 0
	h.gone = backplane.Offset{Position: backplane.Position{Seq: to}, K: h.k, Direct: true}
}

// names reports whether the offset is that of a direct emit of this session,
// one that is kept or the last one that was dropped.
func (h *History) names(o backplane.Offset) bool {
	if !o.Direct {
		return false
	}
	if h.gone.Compare(o) == 0 {
		return true
	}
	for i := range h.direct {
		if h.direct[i].K == o.K && h.direct[i].At.Seq == o.Seq {
			return true
		}
	}
	return false
}
