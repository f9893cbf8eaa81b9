package node

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// collectors are the broadcasts of this server that wait for acknowledgements.
// Their ids are odd, those of single sockets even, so that a client's answer
// says by its id whom it is for (R3).
type collectors struct {
	srv  *Server
	next atomic.Uint64
	told sync.Once  // that a call has no deadline
	mu   sync.Mutex // taken before a collector's
	open map[uint64]*collector
}

func (cs *collectors) init(srv *Server) {
	cs.srv = srv
	cs.next.Store(uint64(rand.Uint32()>>1) | 1)
	cs.open = make(map[uint64]*collector)
}

// advise says once that a call has no deadline of its own: whoever did not think
// of one would find it slow on the day on which a client does not answer (P17).
func (cs *collectors) advise(ctx context.Context, event string) {
	if _, ok := ctx.Deadline(); ok {
		return
	}
	cs.told.Do(func() {
		cs.srv.cfg.Logger.Warn("a broadcast that asks for acknowledgements has no deadline and gets ack_timeout: call it with context.WithTimeout",
			"event", clip(event), "ack_timeout", cs.srv.cfg.AckTimeout)
	})
}

// collector gathers the answers to one broadcast: those of this server's
// sockets, and those of other servers.
type collector struct {
	cs     *collectors
	id     uint64
	signal chan struct{} // one place: there is something to take

	mu       sync.Mutex // taken after a room index's, before a Socket's
	expected map[*Socket]struct{}
	remotes  int // other servers' answers that are still being gathered
	asked    bool
	got      []Answer
	partial  PartialError
}

// start begins a collection; what it is to wait for is added by send and
// remote, up to seal. stop must follow.
func (cs *collectors) start() *collector {
	col := &collector{cs: cs, id: cs.next.Add(2), signal: make(chan struct{}, 1), expected: make(map[*Socket]struct{})}
	cs.mu.Lock()
	cs.open[col.id] = col
	cs.mu.Unlock()
	return col
}

// send gives the event to this server's matching sockets and waits for each.
func (col *collector) send(ns *Namespace, t *target, f protocol.Frames, flags castFlags) {
	c := transport.Cast{Message: flags.message(f.WithID(col.id), acked{}), Volatile: flags&castVolatile != 0}
	defer ns.srv.underway.end(ns.srv.underway.begin())
	for _, x := range ns.index {
		x.mu.Lock()
		c.To = nil
		x.each(t, func(s *Socket) {
			if col.expect(s) {
				c.To = append(c.To, s.recipient())
			}
		})
		if len(c.To) > 0 {
			x.shard.Post(c)
		}
		x.mu.Unlock()
	}
}

// expect waits for a socket's answer, unless it has ended: the end of one that
// is expected is told to gone.
func (col *collector) expect(s *Socket) bool {
	col.mu.Lock()
	defer col.mu.Unlock()
	if !s.Connected() {
		return false
	}
	col.expected[s] = struct{}{}
	s.conn.await()
	return true
}

// seal says that all who are to answer are known.
func (col *collector) seal() {
	col.mu.Lock()
	col.asked = true
	col.notify()
	col.mu.Unlock()
}

// notify wakes the one that takes; col.mu is held.
func (col *collector) notify() {
	select {
	case col.signal <- struct{}{}:
	default:
	}
}

// take returns what has come since the last call, and whether it was the rest.
func (col *collector) take() (got []Answer, done bool) {
	col.mu.Lock()
	defer col.mu.Unlock()
	got, col.got = col.got, nil
	return got, col.asked && len(col.expected) == 0 && col.remotes == 0
}

// stop gives up the sockets that have not answered.
func (col *collector) stop() {
	col.cs.mu.Lock()
	delete(col.cs.open, col.id)
	col.cs.mu.Unlock()
	col.mu.Lock()
	defer col.mu.Unlock()
	for s := range col.expected {
		col.miss(s)
	}
}

// miss notes that a socket will not answer; col.mu is held.
func (col *collector) miss(s *Socket) {
	delete(col.expected, s)
	s.conn.awaiting.Add(-1)
	col.partial.Missing = append(col.partial.Missing, s.id)
	col.notify()
}

// add takes an answer.
func (col *collector) add(a Answer) {
	col.mu.Lock()
	col.got = append(col.got, a)
	col.notify()
	col.mu.Unlock()
}

// answered takes a client's answer. It reports false if nobody waits for it.
func (cs *collectors) answered(s *Socket, id uint64, args protocol.Args) bool {
	cs.mu.Lock()
	col := cs.open[id]
	cs.mu.Unlock()
	if col == nil {
		return false
	}
	col.mu.Lock()
	defer col.mu.Unlock()
	if _, ok := col.expected[s]; !ok {
		return false // never asked, or answered already
	}
	delete(col.expected, s)
	s.conn.awaiting.Add(-1)
	col.got = append(col.got, Answer{Socket: s.id, Node: cs.srv.id, Args: args.Clone(), codec: cs.srv.cfg.Codec})
	col.notify()
	return true
}

// gone notes that a socket has ended: it will not answer.
func (cs *collectors) gone(s *Socket) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, col := range cs.open {
		col.mu.Lock()
		if _, ok := col.expected[s]; ok {
			col.miss(s)
		}
		col.mu.Unlock()
	}
}
