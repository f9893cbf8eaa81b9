package resume

import "github.com/siod-io/siod/backplane"

// Claim is what a client presents.
type Claim struct {
	Offset backplane.Offset
	Given  bool // it presented an offset at all, and one of our form
}

// Verdict says whether a client can be brought up to date, and if not, why.
type Verdict uint8

const (
	// Resumable: everything that the client missed is at hand.
	Resumable Verdict = iota

	// Foreign: the offset's tag is not that of the log at this position. The
	// log was created anew, or went back and grew again.
	Foreign

	// Ahead: the session never was where the client says it is.
	Ahead

	// Ambiguous: the offset may be of this session or of the client's earlier
	// one.
	Ambiguous

	// Trimmed: entries after the offset have left the ring, or events there
	// were never stored.
	Trimmed

	// Overflowed: the session had more direct emits or changes of rooms than
	// are kept.
	Overflowed

	// TooMuch: the replay would be over its bound.
	TooMuch
)

var verdictNames = [...]string{"resumable", "foreign", "ahead", "ambiguous", "trimmed", "overflowed", "too_much"}

// String returns the snake-case name.
func (v Verdict) String() string { return verdictNames[v] }

// Verdicts is the number of verdicts.
const Verdicts = int(TooMuch) + 1

// Judge decides whether what the client presents proves that nothing is
// missing, and returns the offset to replay from (V10). The ring must have
// reached [History.High], and the session must be off its old connection.
func (h *History) Judge(r *Ring, c Claim, l Limits) (backplane.Offset, Verdict) {
	h.accept(r)
	from, v := h.from(r, c)
	switch {
	case v != Resumable:
	case !h.complete(r, from.Seq):
		v = Trimmed
	case !h.covers(from):
		v = Overflowed
	default:
		_, v = h.Replay(r, Span{from, h.due(from)}, r.newest.Seq, nil, l)
	}
	return from, v
}

// from finds out which position the claim stands for.
func (h *History) from(r *Ring, c Claim) (backplane.Offset, Verdict) {
	o := c.Offset
	birth := h.Birth()
	if !c.Given || o.Seq < h.birth || o.Seq == h.birth && !h.names(o) {
		// The client got no event of this session yet: it presents nothing, or
		// still the offset of the session before.
		return birth, Resumable
	}
	known, ok := r.At(o.Seq)
	if !ok && o.Seq < r.base.Seq {
		known, ok = h.at(o)
	}
	current := ok && known.Tag == o.Tag
	switch {
	case o == h.stale:
		// The client presented the same when this session began, so it may
		// have got nothing since; only if that is certain it means nothing.
		if o.Direct && !h.names(o) || o.Seq > h.high || ok && !current {
			return birth, Resumable
		}
		return o, Ambiguous
	case o.Seq > h.high:
		return o, Ahead
	case ok && !current:
		return o, Foreign
	case !ok:
		return o, Trimmed
	}
	if o.Direct && !h.names(o) {
		o.Direct, o.K = false, 0 // of another home or session: it says nothing
	}
	return o, Resumable
}
