package transport

import (
	"net/http"
	"sync/atomic"

	"github.com/siod-io/siod/internal/wsframe"
)

// stats are the engine's counters. Those of writing are kept by the shards.
type stats struct {
	opened                  [2]atomic.Uint64 // by transport
	closed                  [len(reasons)]atomic.Uint64
	refused                 [len(codeMessages)]atomic.Uint64
	refusedFull             atomic.Uint64
	violations              [32]atomic.Uint64
	upgrades                atomic.Uint64
	received, bytesReceived atomic.Uint64
	bytesSent               atomic.Uint64 // in answers to polls
	volatileDropped         atomic.Uint64
	oldestDropped           atomic.Uint64
	conflated, unsent       atomic.Uint64
	slowConsumers           atomic.Uint64
	bodiesTooLarge          atomic.Uint64
	throttled               atomic.Uint64
	panics                  atomic.Uint64
}

func (s *stats) refuse(e *RequestError) {
	switch {
	case e.Status == http.StatusServiceUnavailable && e.Code != CodeSessionUnknown: // that is one whose home cannot be asked
		s.refusedFull.Add(1)
	case e.Status == http.StatusRequestEntityTooLarge:
		s.bodiesTooLarge.Add(1)
	default:
		if e.Code >= 0 && int(e.Code) < len(s.refused) { // a handler may have codes of its own
			s.refused[e.Code].Add(1)
		}
	}
}

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
	Refused         map[Code]uint64   // requests answered with an error
	RefusedFull     uint64            // handshakes answered 503: MaxSessions, Handshakes or shutting down
	BodiesTooLarge  uint64            // POSTs above MaxPayload
	Violations      map[string]uint64 // of the WebSocket protocol, by rule
	Upgrades        uint64
	PacketsReceived uint64
	BytesReceived   uint64
	Throttled       uint64 // messages of clients held back by Config.Events
	Writes          uint64 // write(2) calls of the shards and of direct sends
	BytesSent       uint64 // in WebSocket frames and answers to polls, heartbeats included
	Delivered       uint64 // messages that were written to a session or queued for it
	VolatileDropped uint64 // volatile messages that would have had to wait
	OldestDropped   uint64 // by PolicyDropOldest
	Conflated       uint64 // replaced by a newer message of the same key
	Unsent          uint64 // queued, or one too many for the queue, when their session ended
	SlowConsumers   uint64 // sessions ended by PolicyDisconnect
	HandlerPanics   uint64
	InboxDepth      int // casts that wait in the shards
	Queued          int // messages that wait for slow and polling clients now
	QueuedBytes     int // of these, as Config.Queue counts them
}

// Stats returns the counters. It looks at each shard and each session, so it is
// for now and then.
func (e *Engine) Stats() Stats {
	c := &e.stats
	st := Stats{
		Sessions: e.Len(),
		Opened:   map[string]uint64{Polling: c.opened[0].Load(), WebSocket: c.opened[1].Load()},
		Closed:   make(map[Reason]uint64), Refused: make(map[Code]uint64), Violations: make(map[string]uint64),
		RefusedFull: c.refusedFull.Load(), BodiesTooLarge: c.bodiesTooLarge.Load(), Upgrades: c.upgrades.Load(),
		BytesSent: c.bytesSent.Load(), PacketsReceived: c.received.Load(), BytesReceived: c.bytesReceived.Load(), Throttled: c.throttled.Load(),
		VolatileDropped: c.volatileDropped.Load(), OldestDropped: c.oldestDropped.Load(), Conflated: c.conflated.Load(),
		Unsent: c.unsent.Load(), SlowConsumers: c.slowConsumers.Load(), HandlerPanics: c.panics.Load(),
	}
	for i, r := range reasons {
		st.Closed[r] = c.closed[i].Load()
	}
	for i := range c.refused {
		st.Refused[Code(i)] = c.refused[i].Load()
	}
	for i := range c.violations {
		if n := c.violations[i].Load(); n > 0 {
			st.Violations[wsframe.Violation(i).String()] = n
		}
	}
	for _, sh := range e.shards {
		st.Writes += sh.writes.Load()
		st.BytesSent += sh.sent.Load()
		st.Delivered += sh.delivered.Load()
		st.VolatileDropped += sh.droppedVolatile.Load()
		st.InboxDepth += sh.depth()
	}
	for s := range e.All() {
		messages, bytes := s.waiting()
		st.Queued += messages
		st.QueuedBytes += bytes
	}
	return st
}
