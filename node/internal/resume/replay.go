package resume

import (
	"slices"

	"github.com/siod-io/siod/backplane"
)

// Span is what a client that has everything up to an offset is due, from the
// log from there on and of direct emits up to the moment at which
// [History.Span] is asked. What is emitted directly after that moment is the
// caller's to send.
type Span struct {
	from   backplane.Offset
	direct []Direct
}

// Span returns what a client is due, from an offset that [History.Judge] allows
// or from the session's birth.
func (h *History) Span(from backplane.Offset) Span {
	return Span{from: from, direct: slices.Clone(h.due(from))}
}

// Birth is the offset of a client that got nothing yet.
func (h *History) Birth() backplane.Offset {
	return backplane.Offset{Position: backplane.Position{Seq: h.birth}}
}

// Step is one thing to send: an entry, a direct emit, or the caller's Held-th.
type Step struct {
	Entry  *Entry
	Direct *Direct
	Held   int
}

// Replay lists what the client is due, with the log up to a position, in the
// order in which it belongs on the connection: entries by sequence, and each
// direct emit after the entries up to its position.
//
// held are the positions at which the caller held something else back for the
// client, in order and since the span was made; it is merged by the same rule
// and not bounded here.
//
// Any other verdict than Resumable says why there is no such list (any more).
func (h *History) Replay(r *Ring, s Span, upTo uint64, held []uint64, l Limits) ([]Step, Verdict) {
	switch {
	case !h.complete(r, s.from.Seq):
		return nil, Trimmed
	case h.silentTo(s.from.Seq) < h.forgotten:
		return nil, Overflowed
	}
	direct := s.direct
	entries := r.selected(h, h.silentTo(s.from.Seq), upTo)
	size := 0
	for _, e := range entries {
		size += e.Envelope.Frames.Size()
	}
	for i := range direct {
		size += direct[i].Frames.Size()
	}
	if len(entries)+len(direct) > l.ReplayEvents || size > l.ReplayBytes {
		return nil, TooMuch
	}
	steps := make([]Step, 0, len(entries)+len(direct)+len(held))
	entriesTo := func(seq uint64) {
		for len(entries) > 0 && entries[0].Seq <= seq {
			steps = append(steps, Step{Entry: entries[0]})
			entries = entries[1:]
		}
	}
	for i := range direct {
		entriesTo(direct[i].At.Seq)
		steps = append(steps, Step{Direct: &direct[i]})
	}
	for i, at := range held {
		entriesTo(at)
		steps = append(steps, Step{Held: i})
	}
	entriesTo(upTo)
	return steps, Resumable
}

// due returns the direct emits after an offset; they are in the order of their
// own.
func (h *History) due(from backplane.Offset) []Direct {
	d := h.direct
	for len(d) > 0 {
		if o := d[0].Offset(); o.Compare(from) > 0 {
			break
		}
		d = d[1:]
	}
	return d
}
