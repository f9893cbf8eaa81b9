package node

import (
	"context"
	"maps"
	"math"
	"sync"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// LogDown says what becomes of a durable emit while the log takes no writes.
type LogDown uint8

const (
	// LogDownWait has it wait for the log, in order, up to 20 s.
	LogDownWait LogDown = iota

	// LogDownLive delivers it at once and to those who are connected only; Emit
	// then returns ErrDegraded. No client recovers across such an emit: those who
	// were away are let in anew. What was on its way to the log when that
	// stopped still waits, and may arrive behind.
	LogDownLive
)

// degraded knows who emits past the log (LogDownLive). What is sent so is stored
// nowhere, and nobody can tell who got it. So each server that does it says so to
// all others, and stores a break record behind it as soon as the log lets it;
// until they have that, no server has anybody recover, and from then on the
// record itself is the bound (V10). For a server that dies before, the others
// store it.
type degraded struct {
	srv *Server

	mu      sync.Mutex        // a leaf in the lock order
	mending bool              // the goroutine that stores this server's break runs
	emitted map[string]uint64 // by server: its latest such emit that no break is behind
	broken  map[string]uint64 // by server: its latest break
}

// maxBroken bounds what is remembered of breaks. It takes as many boots of
// servers whose log was down to reach it.
const maxBroken = 4096

// everything is the number of a dead server's break: it is behind all its emits,
// and the same whoever stores it.
const everything = math.MaxUint64

// degradedAgain is how often a server repeats that it emits past the log: the
// word travels the fast way and may be lost.
const degradedAgain = time.Second

func (d *degraded) init(srv *Server) {
	d.srv, d.emitted, d.broken = srv, make(map[string]uint64), make(map[string]uint64)
}

// goesLive reports whether a durable emit is not to wait for the log.
func (srv *Server) goesLive(log backplane.Log) bool {
	return srv.cfg.LogDown == LogDownLive && !log.Status().Writable
}

// emitDegraded sends a durable event to those who are connected.
func (b *Broadcast) emitDegraded(ctx context.Context, t *target, env *backplane.Envelope) error {
	srv := b.ns.srv
	if err := b.ns.waitForRoom(ctx); err != nil {
		return err
	}
	if err := srv.degraded.begin(env); err != nil {
		return err
	}
	defer srv.underway.end(srv.underway.begin())
	b.ns.broadcast(t, transport.Cast{Message: b.flags.message(env.Frames, plain{})})
	srv.stats.degraded.Add(1)
	if srv.clustered() {
		if err := srv.cfg.Backplane.Publish(ctx, b.ns.address(t), env); err != nil {
			return err
		}
	}
	return ErrDegraded
}

// begin notes an emit of this server, and tells the others, before anybody gets
// it: what one server publishes arrives in its order.
func (d *degraded) begin(env *backplane.Envelope) error {
	d.mu.Lock()
	// A break that is numbered later is behind it.
	env.ID, env.Flags = d.srv.nextEnvelope(), env.Flags|backplane.FlagDegraded
	d.emitted[d.srv.id] = env.ID
	mend := !d.mending
	d.mending = true
	d.mu.Unlock()
	d.tell(env.ID)
	if !mend {
		return nil
	}
	d.srv.cfg.Logger.Warn("the durable log takes no writes: events are delivered at once, and nobody recovers across them")
	if !d.srv.tasks.start(d.mend) {
		return ErrClosed
	}
	return nil
}

// tell says to all servers that this one emits past the log.
func (d *degraded) tell(id uint64) {
	env := d.srv.request(backplane.KindOperation, opDegraded, protocol.Root, operation{Emitted: id})
	if err := d.srv.cfg.Backplane.Publish(d.srv.ctx, backplane.Requests(protocol.Root), env); err != nil {
		d.srv.cfg.Logger.Debug("no word of degraded emits to other nodes", "err", err)
	}
}

// mend is the goroutine that stores this server's break, again if there was an
// emit meanwhile, and ends with the server: then others do it.
func (d *degraded) mend() {
	for {
		d.mu.Lock()
		last, id := d.emitted[d.srv.id], d.srv.nextEnvelope()
		d.mu.Unlock()
		stored := d.storeBreak(d.srv.id, id, func() { d.tell(last) })
		d.mu.Lock()
		if stored && d.emitted[d.srv.id] <= id || d.srv.ctx.Err() != nil {
			d.mending = false
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
	}
}

// storeBreak has the log store a break, as soon as it takes writes, and calls
// meanwhile every now and then. It reports false if this try failed.
func (d *degraded) storeBreak(origin string, id uint64, meanwhile func()) bool {
	env := &backplane.Envelope{Kind: backplane.KindBreak, Flags: backplane.FlagOrdered, Origin: origin, ID: id, Namespace: protocol.Root}
	done := make(chan error, 1)
	err := backplane.LogFor(d.srv.cfg.Backplane, protocol.Root).AppendAsync(d.srv.ctx, env, func(_ backplane.Position, err error) { done <- err })
	tick := time.NewTicker(degradedAgain)
	defer tick.Stop()
	if err != nil { // its queue is full
		done <- err
	}
	for {
		select {
		case err := <-done:
			if err == nil {
				return true
			}
			select { // a log that refuses at once is not asked all the time
			case <-tick.C:
			case <-d.srv.ctx.Done():
			}
			return false
		case <-tick.C:
			meanwhile()
		case <-d.srv.ctx.Done():
			return false
		}
	}
}

// heard notes that another server emits past the log.
func (d *degraded) heard(origin string, id uint64) {
	if origin == "" || d.srv.feed == nil {
		return
	}
	d.mu.Lock()
	isNew := d.note(origin, id)
	d.mu.Unlock()
	if _, there := d.srv.cfg.Membership.Lookup(origin); isNew && !there {
		d.left(origin)
	}
}

// note reports whether a server owes a break that it did not owe before. A word
// that comes late, with the break behind it here, changes nothing. d.mu is held.
func (d *degraded) note(origin string, id uint64) bool {
	if id <= d.broken[origin] {
		return false
	}
	_, known := d.emitted[origin]
	d.emitted[origin] = max(d.emitted[origin], id)
	return !known
}

// left stores the break of a server that is gone, if it owes one.
func (d *degraded) left(origin string) {
	if !d.owes(origin) {
		return
	}
	d.srv.tasks.start(func() {
		for d.owes(origin) && d.srv.ctx.Err() == nil {
			d.storeBreak(origin, everything, func() {})
		}
	})
}

func (d *degraded) owes(origin string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.emitted[origin]
	return ok
}

// over takes a break that the log has brought.
func (d *degraded) over(origin string, id uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.broken) >= maxBroken {
		// What is forgotten here is not needed: it is for words that come late.
		maps.DeleteFunc(d.broken, func(o string, _ uint64) bool { return d.emitted[o] == 0 })
	}
	d.broken[origin] = max(d.broken[origin], id)
	if d.emitted[origin] <= id {
		delete(d.emitted, origin)
	}
}

// pending reports whether events were delivered that no log has, and no break is
// behind yet.
func (d *degraded) pending() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.emitted) > 0
}
