package node

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/transport"
)

// feed follows the durable log: each entry is kept for clients that recover
// and given to this server's sockets, in the log's order (V1, V9). Its methods
// Apply and Reset are called one at a time.
type feed struct {
	srv  *Server
	log  backplane.Log
	keep bool // recovery is on

	mu     sync.Mutex // guards the fields below; a leaf in the lock order
	ring   []kept
	head   int
	bytes  int
	base   backplane.Position // of the newest entry that is not in the ring any more
	newest backplane.Position // P
	floor  uint64             // no offset below it can be recovered
	waiter chan struct{}      // closed when newest moves
}

// kept is one entry of the ring.
type kept struct {
	backplane.Position
	stored time.Time
	env    *backplane.Envelope
	tail   []byte // the offset as a JSON string
	size   int
}

// follow starts the feed.
func (srv *Server) follow() error {
	f := &feed{srv: srv, log: backplane.Logs(srv.cfg.Backplane)[0], keep: srv.cfg.Recovery.Enabled}
	srv.feed = f
	if f.keep {
		srv.recovery = newRecovery(srv, f)
	}
	ctx, cancel := context.WithTimeout(srv.ctx, tailTimeout)
	defer cancel()
	return f.log.Tail(ctx, f)
}

// tailTimeout bounds the wait for the log at the start of a server.
const tailTimeout = 20 * time.Second

// Apply implements backplane.LogHandler.
func (f *feed) Apply(e backplane.Entry) {
	k := kept{Position: e.Position, stored: e.Stored, env: e.Envelope, size: e.Envelope.Size()}
	k.tail = append(backplane.Offset{Position: e.Position}.Append([]byte{'"'}), '"')
	if e.Envelope.Kind == backplane.KindBreak {
		f.broke(e.Seq)
	}
	// The ring first: whoever sees the shard's position finds the entry in it.
	f.push(k)
	f.deliver(k)
	f.moved(e.Position)
}

func (f *feed) deliver(k kept) {
	ns := f.srv.known(k.env.Namespace)
	if ns == nil || k.env.Kind != backplane.KindEvent {
		for _, sh := range f.srv.engine.Shards() {
			sh.Advance(k.Seq)
		}
		return
	}
	_ = ns.waitForRoom(f.srv.ctx) // the node's queues are full: the feed waits, and only it
	m := transport.NewMessage(k.env.Frames, &stamped{k.tail})
	if k.env.Flags.Has(backplane.FlagUncompressed) {
		m.DisableCompression()
	}
	t := target{rooms: k.env.Target.Rooms, except: k.env.Target.Except}
	ns.broadcast(&t, transport.Cast{Message: m, Position: k.Seq})
}

// Reset implements backplane.LogHandler.
func (f *feed) Reset(r backplane.Reset) {
	if r.Reason != backplane.ResetStart {
		f.srv.cfg.Logger.Error("the durable log lost entries: clients cannot recover from before it", "reason", r.Reason, "seq", r.Position.Seq)
	}
	f.mu.Lock()
	if r.Reason == backplane.ResetRewind {
		f.truncate(r.Position.Seq)
	} else {
		f.ring, f.head, f.bytes, f.base = nil, 0, 0, r.Position
	}
	f.floor = r.Position.Seq
	f.mu.Unlock()
	for _, sh := range f.srv.engine.Shards() {
		sh.Advance(r.Position.Seq)
	}
	f.moved(r.Position)
	if r.Reason != backplane.ResetStart && f.srv.recovery != nil {
		f.srv.recovery.reset(r)
	}
}

// truncate drops the ring's entries above seq; f.mu is held.
func (f *feed) truncate(seq uint64) {
	n := len(f.ring)
	for n > f.head && f.ring[n-1].Seq > seq {
		n--
		f.bytes -= f.ring[n].size
		f.ring[n] = kept{}
	}
	f.ring = f.ring[:n]
}

// broke notes that emits were delivered without being stored before seq.
func (f *feed) broke(seq uint64) {
	f.mu.Lock()
	f.floor = max(f.floor, seq)
	f.mu.Unlock()
}

// push adds an entry to the ring and drops what is too old or too much.
func (f *feed) push(k kept) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.keep {
		f.base = k.Position
		return
	}
	f.ring = append(f.ring, k)
	f.bytes += k.size
	oldest := k.stored.Add(-f.srv.cfg.Recovery.Window)
	for len(f.ring)-f.head > 1 {
		o := &f.ring[f.head]
		if f.bytes <= f.srv.cfg.Recovery.MaxBytes && o.stored.After(oldest) {
			break
		}
		f.base, f.bytes = o.Position, f.bytes-o.size
		*o = kept{}
		f.head++
	}
	if f.head > 1024 && f.head > len(f.ring)/2 {
		n := copy(f.ring, f.ring[f.head:])
		clear(f.ring[n:])
		f.ring, f.head = f.ring[:n], 0
	}
}

// moved publishes the new position.
func (f *feed) moved(p backplane.Position) {
	f.mu.Lock()
	f.newest = p
	if f.waiter != nil {
		close(f.waiter)
		f.waiter = nil
	}
	f.mu.Unlock()
}

// position is P: everything up to it is with the shards.
func (f *feed) position() backplane.Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.newest
}

// reach waits until P is at least seq.
func (f *feed) reach(ctx context.Context, seq uint64) error {
	for {
		f.mu.Lock()
		if f.newest.Seq >= seq {
			f.mu.Unlock()
			return nil
		}
		if f.waiter == nil {
			f.waiter = make(chan struct{})
		}
		w := f.waiter
		f.mu.Unlock()
		select {
		case <-w:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tag returns the tag of a position, if it is still known.
func (f *feed) tag(seq uint64) (backplane.Tag, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tagLocked(seq)
}

func (f *feed) tagLocked(seq uint64) (backplane.Tag, bool) {
	switch {
	case seq == f.newest.Seq:
		return f.newest.Tag, true
	case seq == f.base.Seq:
		return f.base.Tag, true
	}
	if i, ok := f.find(seq); ok {
		return f.ring[i].Tag, true
	}
	return backplane.Tag{}, false
}

// find returns the index of the first entry at or above seq, and whether it is
// that entry; f.mu is held.
func (f *feed) find(seq uint64) (int, bool) {
	lo, hi := f.head, len(f.ring)
	for lo < hi {
		if m := (lo + hi) / 2; f.ring[m].Seq < seq {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo, lo < len(f.ring) && f.ring[lo].Seq == seq
}

// since returns the entries in (after, upTo]; they are shared and immutable.
// It reports false if some of them are gone.
func (f *feed) since(after, upTo uint64) ([]kept, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if after < f.base.Seq || after < f.floor {
		return nil, false
	}
	from, _ := f.find(after + 1)
	to, exact := f.find(upTo)
	if exact {
		to++
	}
	return append([]kept(nil), f.ring[from:max(from, to)]...), true
}

// current decides about a position that a client presents: it must be of this
// log as it is now, and not below what was lost.
func (f *feed) current(p backplane.Position) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	tag, ok := f.tagLocked(p.Seq)
	return ok && tag == p.Tag && p.Seq >= f.floor
}

var _ backplane.LogHandler = (*feed)(nil)

// raw is JSON that is already encoded.
type raw = json.RawMessage
