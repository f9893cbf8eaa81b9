package natsio

import "sync/atomic"

// counters are what Stats reads.
type counters struct {
	published, received, delivered atomic.Uint64
	lost, unknown, slow            atomic.Uint64
	malformed, versions, forged    atomic.Uint64
}

// Stats are figures of one node. Counts are since Connect.
type Stats struct {
	Published uint64 // envelopes handed over to the server
	Received  uint64 // messages of any kind
	Delivered uint64 // handler calls with an envelope

	Lost    uint64 // deliveries known to be missing
	Unknown uint64 // notices that others may be missing
	Slow    uint64 // times that the queue for handlers was found full

	Malformed uint64 // messages dropped: not readable, or over a limit
	Versions  uint64 // messages dropped: of a version that is not known here
	Forged    uint64 // messages dropped: for another address than they claim
	Untallied uint64 // addresses left out of a digest since there were too many

	Reconnects    uint64 // of both connections
	Waiting       int    // messages that wait for the handlers
	WaitingBytes  int    // bytes of them
	Subscriptions int    // on the wire, lingering ones included
	Lingering     int
	Shards        int // of rooms, subscribed as a whole
	Counters      int // addresses whose publications are numbered
	Peers         int // other nodes that were heard in the last minutes
	Calls         int // requests and barriers that wait
	Connected     bool
}

// Stats returns a snapshot.
func (b *Backplane) Stats() Stats {
	c := &b.stats
	s := Stats{
		Published:    c.published.Load(),
		Received:     c.received.Load(),
		Delivered:    c.delivered.Load(),
		Lost:         c.lost.Load(),
		Unknown:      c.unknown.Load(),
		Slow:         c.slow.Load(),
		Malformed:    c.malformed.Load(),
		Versions:     c.versions.Load(),
		Forged:       c.forged.Load(),
		Reconnects:   b.live.reconnects.Load() + b.log.reconnects.Load(),
		Waiting:      int(b.inflow.count.Load()),
		WaitingBytes: int(b.inflow.bytes.Load()),
		Connected:    b.live.up.Load() && b.log.up.Load(),
	}
	b.reg.mu.RLock()
	s.Subscriptions, s.Lingering = len(b.reg.of)-b.reg.stale, len(b.reg.queue)
	for _, sh := range b.reg.shards {
		if sh.wide != nil {
			s.Shards++
		}
	}
	b.reg.mu.RUnlock()
	b.out.mu.Lock()
	s.Counters, s.Untallied = len(b.out.places), b.out.dropped
	b.out.mu.Unlock()
	b.peers.mu.RLock()
	s.Peers = len(b.peers.m)
	b.peers.mu.RUnlock()
	b.calls.mu.Lock()
	s.Calls = len(b.calls.m)
	b.calls.mu.Unlock()
	return s
}
