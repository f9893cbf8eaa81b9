package transport

import (
	"sync/atomic"

	"github.com/siod-io/siod/internal/wsframe"
)

// stats are the engine's counters.
type stats struct {
	opened                         [2]atomic.Uint64 // by transport
	closed                         [len(reasons)]atomic.Uint64
	refused                        [6]atomic.Uint64
	violations                     [32]atomic.Uint64
	upgrades                       atomic.Uint64
	received, bytesReceived        atomic.Uint64
	volatileDropped, oldestDropped atomic.Uint64
	conflated, slowConsumers       atomic.Uint64
	tooLarge                       atomic.Uint64
}

func (s *stats) refuse(c Code) { s.refused[c].Add(1) }

func (s *stats) violation(v wsframe.Violation) {
	if int(v) < len(s.violations) {
		s.violations[v].Add(1)
	}
}

// Stats is a snapshot of an engine's counters, all since it was made.
type Stats struct {
	Sessions        int               // open now
	Opened          map[string]uint64 // by the transport of the handshake
	Closed          map[Reason]uint64
	Refused         map[Code]uint64
	Violations      map[string]uint64 // of the WebSocket protocol, by rule
	Upgrades        uint64
	PacketsReceived uint64
	BytesReceived   uint64
	Writes          uint64 // write(2) calls of the shards and direct sends
	Delivered       uint64 // messages handed to sessions by the shards
	VolatileDropped uint64 // volatile messages that would have had to wait
	OldestDropped   uint64 // by PolicyDropOldest
	Conflated       uint64 // replaced by a newer message of the same key
	SlowConsumers   uint64 // sessions ended by PolicyDisconnect
	BodiesTooLarge  uint64
	InboxDepth      int // casts that wait in the shards
}

// Stats returns the counters. It takes each shard's lock for a moment.
func (e *Engine) Stats() Stats {
	st := Stats{
		Opened: map[string]uint64{Polling: e.stats.opened[0].Load(), WebSocket: e.stats.opened[1].Load()},
		Closed: make(map[Reason]uint64), Refused: make(map[Code]uint64), Violations: make(map[string]uint64),
		Upgrades: e.stats.upgrades.Load(), PacketsReceived: e.stats.received.Load(), BytesReceived: e.stats.bytesReceived.Load(),
		VolatileDropped: e.stats.volatileDropped.Load(), OldestDropped: e.stats.oldestDropped.Load(),
		Conflated: e.stats.conflated.Load(), SlowConsumers: e.stats.slowConsumers.Load(), BodiesTooLarge: e.stats.tooLarge.Load(),
	}
	for i, r := range reasons {
		st.Closed[r] = e.stats.closed[i].Load()
	}
	for c := range e.stats.refused {
		st.Refused[Code(c)] = e.stats.refused[c].Load()
	}
	for v := range e.stats.violations {
		if n := e.stats.violations[v].Load(); n > 0 {
			st.Violations[wsframe.Violation(v).String()] = n
		}
	}
	for _, sh := range e.shards {
		st.Writes += sh.writes.Load()
		st.Delivered += sh.delivered.Load()
		st.VolatileDropped += sh.droppedVolatile.Load()
		sh.mu.Lock()
		st.InboxDepth += len(sh.inbox)
		sh.mu.Unlock()
	}
	st.Sessions = int(e.count.Load())
	return st
}
