package node

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/node/internal/resume"
	"github.com/siod-io/siod/transport"
)

// feed follows the durable log: each entry is kept for clients that recover
// and given to this server's sockets, in the log's order (V1, V9). The log
// calls Apply and Reset one at a time.
type feed struct {
	srv  *Server
	keep bool // recovery is on

	filled  chan struct{} // closed when the past was read
	crowded chan struct{} // capacity 1: the ring is over its bound

	// last is the newest entry of the ring, or where the ring begins: most
	// direct emits stand there.
	last atomic.Pointer[backplane.Position]

	mu   sync.Mutex // guards the fields below; a leaf in the lock order
	ring resume.Ring
	life uint64             // grows with each reset
	p    backplane.Position // everything up to it is with the shards
	wait chan struct{}      // closed when p moves

	start backplane.Position // where the feed began
}

// follow starts the feed.
func (srv *Server) follow() error {
	srv.feed = &feed{srv: srv, keep: srv.cfg.Recovery.Enabled, filled: make(chan struct{}), crowded: make(chan struct{}, 1)}
	if srv.feed.keep {
		srv.recovery = newRecovery(srv, srv.feed)
		if store, ok := backplane.AsSessions(srv.cfg.Backplane); ok {
			srv.recovery.journal = newJournal(srv.recovery, store)
		}
	}
	ctx, cancel := context.WithTimeout(srv.ctx, tailTimeout)
	defer cancel()
	if err := backplane.Logs(srv.cfg.Backplane)[0].Tail(ctx, srv.feed); err != nil || !srv.feed.keep {
		return err
	}
	start := srv.feed.start
	srv.tasks.start(func() { srv.feed.fill(start) })
	if srv.recovery.journal != nil {
		return srv.recovery.journal.start(ctx)
	}
	return nil
}

// tailTimeout bounds the wait for the log at the start of a server.
const tailTimeout = 20 * time.Second

// Apply implements backplane.LogHandler.
func (f *feed) Apply(entry backplane.Entry) {
	e := f.entry(entry)
	// The ring first: whoever sees the position of a shard finds the entry.
	f.push(e)
	if e.Envelope.Kind == backplane.KindBreak {
		f.srv.degraded.over(e.Envelope.Origin, e.Envelope.ID)
	}
	f.deliver(e)
	f.moved(e.Position)
}

// entry makes the ring's form of an entry. One that no client may get keeps its
// place in the order.
func (f *feed) entry(e backplane.Entry) *resume.Entry {
	if e.Envelope.Kind == backplane.KindEvent && f.srv.stray(e.Envelope) {
		e.Envelope = &backplane.Envelope{Origin: e.Envelope.Origin, ID: e.Envelope.ID, Namespace: e.Envelope.Namespace}
	}
	return resume.NewEntry(e)
}

// push puts an entry into the ring.
func (f *feed) push(e *resume.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keep {
		e.Shared = new(replayed)
		f.ring.Add(e)
		f.bound()
	} else {
		f.ring.Jump(e.Position)
	}
	f.last.Store(&e.Position)
}

// bound keeps the ring near its bound in bytes; for what is old see settle. f.mu
// is held.
func (f *feed) bound() {
	most := f.srv.cfg.Recovery.MaxBytes
	if f.ring.Bytes() <= most {
		return
	}
	f.ring.Trim(time.Time{}, most+most/refreshParts)
	select {
	case f.crowded <- struct{}{}:
	default:
	}
}

// deliver posts an entry to the shards, which stand at its position then.
func (f *feed) deliver(e *resume.Entry) {
	if ns := f.srv.known(e.Envelope.Namespace); ns != nil {
		_ = ns.waitForRoom(f.srv.ctx) // the node's queues are full: the feed waits, and only it
	}
	// Under the lock no namespace comes or goes: a client that enters one finds
	// its shard before this entry or behind it, never in between.
	f.srv.mu.RLock()
	defer f.srv.mu.RUnlock()
	ns := f.srv.namespaces[e.Envelope.Namespace]
	if ns == nil || e.Envelope.Kind != backplane.KindEvent {
		for _, sh := range f.srv.engine.Shards() {
			sh.Advance(e.Seq)
		}
		return
	}
	t := target{rooms: e.Envelope.Target.Rooms, except: e.Envelope.Target.Except}
	ns.broadcast(&t, transport.Cast{Message: entryMessage(e), Position: e.Seq})
}

// entryMessage is an entry of the log as sockets get it.
func entryMessage(e *resume.Entry) *transport.Message {
	return flagsOf(e.Envelope).message(e.Envelope.Frames, &stamped{e.Tail})
}

// replayed is the message that all replays of an entry share. It is not that of
// the live delivery, whose finished frames would then live as long as the ring.
type replayed struct {
	m atomic.Pointer[transport.Message]
}

func replayMessage(e *resume.Entry) *transport.Message {
	r := e.Shared.(*replayed)
	if m := r.m.Load(); m != nil {
		return m
	}
	r.m.CompareAndSwap(nil, entryMessage(e))
	return r.m.Load()
}

// Reset implements backplane.LogHandler.
func (f *feed) Reset(r backplane.Reset) {
	if r.Reason != backplane.ResetStart {
		f.srv.cfg.Logger.Error("the durable log lost entries: clients cannot recover from before it", "reason", r.Reason, "seq", r.Position.Seq)
	}
	// Nobody enters, joins or leaves meanwhile, so no session mixes positions
	// of before and after.
	unlock := f.srv.lockRooms()
	f.mu.Lock()
	f.life++
	if r.Reason == backplane.ResetRewind {
		f.ring.Rewind(r.Position)
	} else {
		f.ring.Jump(r.Position)
	}
	f.last.Store(&r.Position)
	if r.Reason == backplane.ResetStart {
		f.start = r.Position
	}
	f.mu.Unlock()
	for _, sh := range f.srv.engine.Shards() {
		sh.Advance(r.Position.Seq)
	}
	f.moved(r.Position)
	f.srv.recovery.reset(r)
	unlock()
}

// lockRooms locks all room indexes of all namespaces.
func (srv *Server) lockRooms() (unlock func()) {
	srv.mu.RLock()
	for _, ns := range srv.namespaces {
		ns.lock()
	}
	return func() {
		for _, ns := range srv.namespaces {
			ns.unlock()
		}
		srv.mu.RUnlock()
	}
}

// moved publishes the new position.
func (f *feed) moved(p backplane.Position) {
	f.mu.Lock()
	f.p = p
	if f.wait != nil {
		close(f.wait)
		f.wait = nil
	}
	f.mu.Unlock()
}

// position is P: everything up to it is with the shards.
func (f *feed) position() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.p.Seq
}

// base is the position that the ring begins after.
func (f *feed) base() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ring.Base().Seq
}

// reach waits until P is at least seq.
func (f *feed) reach(ctx context.Context, seq uint64) error {
	for {
		f.mu.Lock()
		if f.p.Seq >= seq {
			f.mu.Unlock()
			return nil
		}
		if f.wait == nil {
			f.wait = make(chan struct{})
		}
		w := f.wait
		f.mu.Unlock()
		select {
		case <-w:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// at returns the position with the given sequence, complete with its tag, if
// it is still known.
func (f *feed) at(seq uint64) (backplane.Position, bool) {
	if p := f.last.Load(); p.Seq == seq {
		return *p, true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ring.At(seq)
}

// size is the number of entries in the ring, and what they count for.
func (f *feed) size() (entries, bytes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ring.Len(), f.ring.Bytes()
}

var _ backplane.LogHandler = (*feed)(nil)
