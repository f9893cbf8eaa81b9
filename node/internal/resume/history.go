package resume

import (
	"math"
	"slices"

	"github.com/siod-io/siod/backplane"
)

// History is what one session should have received: since when it exists, its
// rooms as intervals, and its latest direct emits. Positions that callers pass
// in never go back, except through [History.Rewind].
type History struct {
	namespace, sid string

	birth uint64           // entries up to it are none of the session's business
	high  uint64           // the session is known to have been at this position
	stale backplane.Offset // presented when the session began: not of it

	open, past []Interval
	forgotten  uint64 // memberships that ended up to here are not known any more

	own      []backplane.Position // the session's latest entries up to settled
	settled  backplane.Position   // behind the last of them there is none up to here
	clear    uint64               // nothing was lost behind here, before the node's own time
	imported bool                 // these are another node's, and not accepted yet

	k      uint64 // of the latest direct emit
	direct []Direct
	bytes  int
	gone   backplane.Offset // of the latest direct emit that is not kept any more
}

// Interval is one membership of a room: the session gets entries with Since <
// sequence <= Until (V9).
type Interval struct {
	Room  string `json:"room"`
	Since uint64 `json:"since"`
	Until uint64 `json:"until"`
}

// Open is Interval.Until of a room that the session is in.
const Open = math.MaxUint64

func (v *Interval) holds(seq uint64) bool { return v.Since < seq && seq <= v.Until }

// MaxPast bounds the past memberships of one session (V9). Beyond it the oldest
// is forgotten, and who has not received what came up to its end cannot be
// brought up to date.
const MaxPast = 256

// New returns the history of a session that has not begun. k numbers its direct
// emits and starts anywhere, best at random. stale is the offset of an earlier
// session that the client presented and may present again, as long as it got
// no event of this one; zero if it presented none.
func New(namespace, sid string, k uint64, stale backplane.Offset) *History {
	return &History{namespace: namespace, sid: sid, k: k, stale: stale}
}

// Namespace is the namespace of the session.
func (h *History) Namespace() string { return h.namespace }

// SID is the public id, which is a room of the session's own.
func (h *History) SID() string { return h.sid }

// K is the number of the latest direct emit.
func (h *History) K() uint64 { return h.k }

// High is a position that every node must have reached before it continues the
// session: events up to it may be with the client already.
func (h *History) High() uint64 { return h.high }

// Begin starts the session at a position.
func (h *History) Begin(at uint64) {
	h.birth, h.high = at, at
	h.own, h.settled, h.clear = []backplane.Position{{Seq: at}}, backplane.Position{Seq: at}, at
	h.Join(h.sid, at)
}

// Reached notes that events up to a position may have been sent to the client.
func (h *History) Reached(at uint64) { h.high = max(h.high, at) }

// Join notes that the session is in a room from a position on, and reports
// whether it was not before. Joining again changes nothing (V9).
func (h *History) Join(room string, at uint64) bool {
	if h.In(room) {
		return false
	}
	h.Reached(at)
	h.open = append(h.open, Interval{Room: room, Since: at, Until: Open})
	return true
}

// Leave notes that the session is in a room up to a position, and reports
// whether it was in it. base is that of the ring: memberships that ended there
// or before cannot matter any more.
func (h *History) Leave(room string, at, base uint64) bool {
	i := slices.IndexFunc(h.open, func(v Interval) bool { return v.Room == room })
	if i < 0 {
		return false
	}
	h.Reached(at)
	v := h.open[i]
	h.open = slices.Delete(h.open, i, i+1)
	if v.Until = at; v.Since == v.Until {
		return true // nothing happened meanwhile
	}
	// They are forgotten in order of their ends, so past is sorted by these.
	for len(h.past) > 0 && (h.past[0].Until <= base || len(h.past) >= MaxPast) {
		// Another node's ring may reach further back than this one's, so even
		// what cannot matter here is noted.
		h.forgotten = h.past[0].Until
		h.past = slices.Delete(h.past, 0, 1)
	}
	h.past = append(h.past, v)
	return true
}

// covers reports whether the history still answers for all that came after an
// offset: it is not below the floor.
func (h *History) covers(from backplane.Offset) bool {
	return h.silentTo(from.Seq) >= h.forgotten && from.Compare(h.gone) >= 0
}

// In reports whether the session is in a room now.
func (h *History) In(room string) bool {
	return slices.ContainsFunc(h.open, func(v Interval) bool { return v.Room == room })
}

// Rooms calls f for each room that the session is in, in the order of joining.
func (h *History) Rooms(f func(room string)) {
	for i := range h.open {
		f(h.open[i].Room)
	}
}

// Len is the number of rooms that the session is in.
func (h *History) Len() int { return len(h.open) }

// Gets is the predicate of V9: an entry is the session's if some target room's
// interval holds it and no excepted room's does. Without target rooms it is
// for everybody. The session's id as an exception leaves it out even if it has
// left the room of its own.
func (h *History) Gets(e *Entry) bool {
	if e.Envelope.Kind != backplane.KindEvent || e.Envelope.Namespace != h.namespace || e.Seq <= h.birth {
		return false
	}
	t := &e.Envelope.Target
	return (len(t.Rooms) == 0 || h.anyHeld(t.Rooms, e.Seq)) && !slices.Contains(t.Except, h.sid) && !h.anyHeld(t.Except, e.Seq)
}

func (h *History) anyHeld(rooms []string, seq uint64) bool {
	for _, room := range rooms {
		for _, list := range [...][]Interval{h.open, h.past} {
			for i := range list {
				if list[i].Room == room && list[i].holds(seq) {
					return true
				}
			}
		}
	}
	return false
}

// Rewind follows a log that lost the entries above a position: the session's
// memberships begin again there, past ones go, and what was emitted directly
// above it cannot be placed any more (V3).
func (h *History) Rewind(to uint64) {
	h.birth, h.high = min(h.birth, to), min(h.high, to)
	h.stale = backplane.Offset{}
	h.own, h.settled, h.clear, h.imported = []backplane.Position{{Seq: to}}, backplane.Position{Seq: to}, to, false
	h.past, h.forgotten = nil, to
	for i := range h.open {
		h.open[i].Since = to
	}
	h.rewindDirect(to)
}
