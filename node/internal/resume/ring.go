package resume

import (
	"sort"
	"time"

	"github.com/siod-io/siod/backplane"
)

// Entry is one entry of the log as the ring keeps it. It is immutable.
type Entry struct {
	backplane.Entry

	// Tail is the entry's offset as a JSON string: the last argument of the
	// event on every socket that can recover (V3).
	Tail []byte

	// Shared is for the caller, which may keep there what several replays of
	// the entry can use together.
	Shared any
}

// NewEntry returns the ring's form of a log entry.
func NewEntry(e backplane.Entry) *Entry {
	return &Entry{Entry: e, Tail: quoted(backplane.Offset{Position: e.Position})}
}

// quoted is an offset as a JSON string.
func quoted(o backplane.Offset) []byte {
	b := make([]byte, 0, backplane.MaxOffset+2)
	b = append(o.Append(append(b, '"')), '"')
	return b[:len(b):len(b)]
}

// entryOverhead is what the ring itself holds for an entry.
const entryOverhead = 160

// Size is what the entry counts for in the ring's bound.
func (e *Entry) Size() int { return e.Envelope.Size() + entryOverhead }

// Ring holds the newest entries of a log without a gap: everything in (base,
// newest] that the log has, holes of the log left out. The zero Ring is empty
// at position 0 without a tag; [Ring.Jump] gives it a place.
type Ring struct {
	entries []*Entry // in order of sequence
	base    backplane.Position
	newest  backplane.Position
	floor   uint64 // events below were lost, or delivered without being stored
	blind   uint64 // nobody here knows whether some below were: the node was not there
	bytes   int
	rooms   roomIndex
}

// Newest is the position that the ring ends with.
func (r *Ring) Newest() backplane.Position { return r.newest }

// Base is the position that the ring begins after.
func (r *Ring) Base() backplane.Position { return r.base }

// Stored is when the newest entry was stored, by the log's clock; the zero Time if
// there is none.
func (r *Ring) Stored() time.Time {
	if len(r.entries) == 0 {
		return time.Time{}
	}
	return r.entries[len(r.entries)-1].Stored
}

// Len is the number of entries, Bytes what they count for.
func (r *Ring) Len() int { return len(r.entries) }

// Bytes is the sum of the entries' sizes.
func (r *Ring) Bytes() int { return r.bytes }

// Add appends the log's next entry.
func (r *Ring) Add(e *Entry) {
	r.newest = e.Position
	r.entries = append(r.entries, e)
	r.bytes += e.Size()
	r.rooms.add(e)
	if e.Envelope.Kind == backplane.KindBreak {
		// Something was delivered before it that no log has: nobody can tell
		// who got it, so no recovery crosses this position (V10).
		r.floor = e.Seq
	}
}

// Trim drops entries stored before oldest, and the oldest ones above maxBytes.
// The newest entry stays.
func (r *Ring) Trim(oldest time.Time, maxBytes int) {
	for len(r.entries) > 1 && (r.bytes > maxBytes || r.entries[0].Stored.Before(oldest)) {
		r.shift()
	}
}

// Due returns the position up to which Trim would drop entries now.
func (r *Ring) Due(oldest time.Time, maxBytes int) uint64 {
	to, bytes := r.base.Seq, r.bytes
	for i, e := range r.entries {
		if i == len(r.entries)-1 || bytes <= maxBytes && !e.Stored.Before(oldest) {
			break
		}
		to, bytes = e.Seq, bytes-e.Size()
	}
	return to
}

// TrimTo drops entries up to a position, at most so many, and reports whether
// there are more. The newest entry stays.
func (r *Ring) TrimTo(seq uint64, most int) (more bool) {
	for ; len(r.entries) > 1 && r.entries[0].Seq <= seq; most-- {
		if most == 0 {
			return true
		}
		r.shift()
	}
	return false
}

func (r *Ring) shift() {
	e := r.entries[0]
	r.base = e.Position
	r.bytes -= e.Size()
	r.rooms.drop(e, true)
	// Appending moves what is left to a new array sooner or later, so the
	// front is not kept for ever.
	r.entries[0] = nil
	r.entries = r.entries[1:]
}

// Jump empties the ring and sets it to a position: at the start, and when
// entries up to it were gone from the log before this node got them (V2).
func (r *Ring) Jump(to backplane.Position) {
	*r = Ring{base: to, newest: to, blind: to.Seq}
}

// Backfill puts entries in front of the ring, those between base and its own
// base, which a node that is younger than the window reads from the log. It
// reports false, and does nothing, if the ring has moved on since it was at.
func (r *Ring) Backfill(at, base backplane.Position, older []*Entry) bool {
	if r.base != at || r.floor > r.newest.Seq {
		return false
	}
	newer, floor := r.entries, r.floor
	r.Jump(base)
	for _, e := range older {
		r.Add(e)
	}
	for _, e := range newer {
		r.Add(e)
	}
	r.floor = max(r.floor, floor) // something was lost since
	if len(newer) == 0 {
		r.newest = at
	}
	return true
}

// Rewind follows a log that lost its newest entries: to is the newest position
// on which log and ring agree. Offsets above it speak of entries that are no
// more, and those below cannot tell what was lost (V1, V3).
func (r *Ring) Rewind(to backplane.Position) {
	for n := len(r.entries); n > 0 && r.entries[n-1].Seq > to.Seq; n-- {
		e := r.entries[n-1]
		r.bytes -= e.Size()
		r.rooms.drop(e, false)
		r.entries[n-1] = nil
		r.entries = r.entries[:n-1]
	}
	if to.Seq < r.base.Seq {
		r.base = to
	}
	r.newest, r.floor, r.blind = to, to.Seq, min(r.blind, to.Seq)
}

// At returns the position with the given sequence, complete with its tag, if
// the ring still knows it: the base, or an entry.
func (r *Ring) At(seq uint64) (backplane.Position, bool) {
	switch seq {
	case r.newest.Seq:
		return r.newest, true
	case r.base.Seq:
		return r.base, true
	}
	if e := r.find(seq); e != nil {
		return e.Position, true
	}
	return backplane.Position{}, false
}

// Complete reports whether the ring has all that came after a position, and
// nothing was lost or delivered unstored there.
func (r *Ring) Complete(after uint64) bool {
	return after >= r.base.Seq && after >= r.floor && after >= r.blind
}

// from is the index of the first entry at or above seq.
func (r *Ring) from(seq uint64) int {
	return sort.Search(len(r.entries), func(i int) bool { return r.entries[i].Seq >= seq })
}

// find returns the entry at seq, nil if there is none.
func (r *Ring) find(seq uint64) *Entry {
	if i := r.from(seq); i < len(r.entries) && r.entries[i].Seq == seq {
		return r.entries[i]
	}
	return nil
}
