package natsio

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane/wire"
)

// A beat is a node's sign of life. It is numbered: one that is missing says
// that for a moment nothing of its sender arrived here, of which neither client
// nor server need have noticed anything. Its data is the number of digests sent
// so far and that of changes to the node's rooms, as varints. The last beat of a
// node that closes is final.

// peer is another node, as heard through the backplane.
type peer struct {
	heard atomic.Int64 // when, by Backplane.now; 0 if not lately
	gone  atomic.Int64 // when it said bye or was held for dead, by the same clock
	down  atomic.Bool  // the membership held it for dead, and it did not beat since

	// Of the receiver's goroutine alone.
	beats   uint64 // number of the newest beat
	digests uint64 // number of the newest digest
}

// peers are the nodes that beat. What others send makes nobody a peer, so that
// nobody without the permission to beat fills the table.
type peers struct {
	mu sync.RWMutex
	m  map[string]*peer
	n  uint64 // beats sent; guarded by sending
	d  uint64 // digests sent; guarded by sending

	bye bool // the last beat was sent; guarded by sending

	sending sync.Mutex // held while a beat is numbered and sent
}

const (
	maxPeers    = 4096
	forgetAfter = 10 * time.Minute // a peer that is silent
	missedBeats = 3                // until a peer counts as silent
)

func (ps *peers) init() { ps.m = make(map[string]*peer) }

func (ps *peers) get(id string) *peer {
	ps.mu.RLock()
	defer ps.mu.RUnlock()
	return ps.m[id]
}

// add returns the peer with an id and whether it is new. It is nil if there are
// too many.
func (ps *peers) add(id string) (p *peer, isNew bool) {
	if p := ps.get(id); p != nil {
		return p, false
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if len(ps.m) >= maxPeers {
		return nil, false
	}
	p = &peer{}
	ps.m[id] = p
	return p, true
}

// ids returns all of them.
func (ps *peers) ids() []string {
	ps.mu.RLock()
	defer ps.mu.RUnlock()
	return slices.Collect(maps.Keys(ps.m))
}

// prune forgets peers that were not heard for long.
func (ps *peers) prune(now time.Duration) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for id, p := range ps.m {
		if now-p.silence() > forgetAfter {
			delete(ps.m, id)
		}
	}
}

// silence returns since when a peer is silent.
func (p *peer) silence() time.Duration {
	return max(time.Duration(p.heard.Load()), time.Duration(p.gone.Load()))
}

// now is a clock that nobody can set. It is never 0.
func (b *Backplane) now() time.Duration { return time.Since(b.since) + 1 }

// silent is how long it takes until a silent node counts as such.
func (b *Backplane) silent() time.Duration { return missedBeats * b.cfg.Beat }

// tick beats until the backplane closes, and does what is due now and then.
func (b *Backplane) tick() {
	t := time.NewTicker(b.cfg.Beat)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			b.beat()
			b.reg.expire(now)
			b.peers.prune(b.now())
			b.rooms.prune(b)
			b.isAnyoneThere()
		case <-b.closed:
			return
		}
	}
}

// beat publishes the digests that are due, and a beat.
func (b *Backplane) beat() {
	ps := &b.peers
	ps.sending.Lock()
	defer ps.sending.Unlock()
	ps.d = b.digest(ps.d)
	b.sendBeat(false)
}

// answerBeat beats so that a node which appeared knows of this one.
func (b *Backplane) answerBeat() {
	b.peers.sending.Lock()
	defer b.peers.sending.Unlock()
	b.sendBeat(false)
}

// sayBye publishes the last beat.
func (b *Backplane) sayBye() {
	b.peers.sending.Lock()
	defer b.peers.sending.Unlock()
	b.sendBeat(true)
}

// sendBeat publishes a beat. The caller holds peers.sending.
func (b *Backplane) sendBeat(final bool) {
	ps := &b.peers
	if ps.bye {
		return
	}
	ps.bye = final
	ps.n++ // also if it cannot be sent: then it is missing
	m := wire.Message{Sender: b.id, Counter: ps.n, Baseline: ps.n == 1, Final: final}
	m.Data = appendBeat(nil, ps.d, b.rooms.count())
	if err := b.live.publish(b.space.Beat(b.id), "", m.Append(nil)); err != nil {
		b.logger.Debug("beat not sent", "err", err)
	}
}

// takeBeat runs on the receiver.
func (b *Backplane) takeBeat(msg *nats.Msg) {
	m, ok := b.decode(msg)
	if !ok {
		return
	}
	id := m.From()
	if msg.Subject != b.space.Beat(id) {
		b.stats.forged.Add(1)
		return
	}
	p, isNew := b.peers.add(id)
	if p == nil {
		return
	}
	if m.Final {
		p.leave(b.now())
		b.rooms.lost(b, id)
		return
	}
	p.down.Store(false)
	b.hear(id)
	digests, changes, ok := beatData(m.Data)
	if !ok {
		b.stats.malformed.Add(1)
		return
	}
	// One that is new and has beaten for long was forgotten, unless it is this node
	// that is new.
	missed := !isNew && (m.Counter != p.beats+1 || digests != p.digests) || isNew && b.now() > b.silent()
	if missed && !m.Baseline {
		b.doubt()
	}
	p.beats, p.digests = m.Counter, digests
	if isNew {
		b.answerBeat()
	}
	b.rooms.beaten(b, id, changes)
}

func appendBeat(dst []byte, digests, changes uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, digests), changes)
}

func beatData(data []byte) (digests, changes uint64, ok bool) {
	digests, n := binary.Uvarint(data)
	if n <= 0 {
		return 0, 0, false
	}
	changes, m := binary.Uvarint(data[n:])
	return digests, changes, m > 0
}

// hear notes that a process was heard, and returns it if it is a peer. What came
// from a dead one was on its way for long.
func (b *Backplane) hear(id string) *peer {
	now := int64(b.now())
	b.heard.Store(now)
	if b.alone.Load() {
		b.alone.Store(false)
	}
	p := b.peers.get(id)
	if p != nil && !p.down.Load() {
		p.heard.Store(now)
	}
	return p
}

// leave notes that a peer will not be heard any more.
func (p *peer) leave(now time.Duration) {
	p.gone.Store(int64(now))
	p.heard.Store(0)
}

// isAnyoneThere decides whether this node is alone.
func (b *Backplane) isAnyoneThere() {
	silent := func() bool { return b.now()-time.Duration(b.heard.Load()) > b.silent() }
	if silent() {
		b.alone.Store(true)
		if !silent() { // somebody was heard at this moment
			b.alone.Store(false)
		}
	}
}

// Alone implements backplane.Solitary: nobody was heard for three beats.
func (b *Backplane) Alone() bool { return b.alone.Load() }

// Heard implements backplane.Backplane.
func (b *Backplane) Heard(id string) bool {
	p := b.peers.get(id)
	if p == nil {
		return false
	}
	heard := time.Duration(p.heard.Load())
	return heard != 0 && b.now()-heard < b.silent()
}

// HeardNodes returns the ids of the other nodes that Heard is true of, in no
// order.
func (b *Backplane) HeardNodes() []string {
	return slices.DeleteFunc(b.peers.ids(), func(id string) bool { return !b.Heard(id) })
}

// isDown reports whether the membership held a node for dead and it did not beat
// since.
func (b *Backplane) isDown(id string) bool {
	p := b.peers.get(id)
	return p != nil && p.down.Load()
}

// NodeDown implements backplane.Backplane. The node counts as silent until it
// beats again.
func (b *Backplane) NodeDown(id string) {
	if p := b.peers.get(id); p != nil {
		p.down.Store(true)
		p.leave(b.now())
	}
	b.calls.down(id)
	b.rooms.lost(b, id)
}
