// Package resume decides whether a client that lost its connection can be
// brought up to date, and lists what it missed. It is the reasoning half of
// connection state recovery: values in, values out, without locks, time or I/O.
// Package node feeds it and acts on what it says.
//
// # The argument
//
// Three things are known, and recovery is claimed only if they fit together.
//
//   - A [Ring] holds the newest entries of the durable log without a gap: every
//     entry in (base, newest]. Each position has a tag that no other life of
//     the log shares.
//   - A [History] is what one session should have received: the times at which
//     it was in each room, as intervals of log positions, and the latest events
//     that were emitted to it alone, each numbered at its position. What it
//     cannot answer for any more lies below its floor.
//   - The client presents the offset of the last event it received. Everything
//     meant for it up to that offset reached it before, because a connection
//     keeps its order.
//
// What has left the ring need not be known: it is enough that nothing of it was
// the session's. Before the ring is trimmed each history looks at what goes, and
// keeps of it the session's own last entry ([History.Settle]).
//
// So the client missed exactly what the history selects from the ring above its
// offset, and [History.Replay] is that list. [History.Judge] refuses whenever a
// part of it may be gone: the log is not the one the offset speaks of, an entry
// left the ring, the floor was raised, events were delivered without being
// stored (a break), or it is too much. When in doubt it refuses; a refused
// client begins anew and knows it.
//
// The rules are cited by their numbers: V1 position and reset, V3 offsets, V9
// rooms as intervals, V10 the decision, V22 bounds.
//
// The package stands below package node and above backplane, whose positions
// and offsets it speaks. It has no goroutine and no lock: callers serialise.
//
//	h := resume.New("/chat", sid, k, backplane.Offset{})
//	h.Begin(ring.Newest().Seq)
//	h.Join("lobby", position)
//	…
//	from, verdict := h.Judge(ring, resume.Claim{Offset: o, Given: true}, limits)
//	if verdict == resume.Resumable {
//		steps, ok := h.Replay(ring, resume.Span{From: from, UpTo: position, K: h.K()}, nil, limits)
//		…
//	}
package resume
