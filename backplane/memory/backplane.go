package memory

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/siod-io/siod/backplane"
)

// Backplane is one member of a [Hub]. It implements backplane.Backplane,
// backplane.Logged, backplane.Occupancy and backplane.Journaled.
type Backplane struct {
	hub    *Hub
	id     string
	logs   []*memberLog
	logged []backplane.Log // the same

	sessions *memberSessions // nil: none

	queue queue
	state atomic.Uint32
	wg    sync.WaitGroup // handlers and waiting appends

	self atomic.Pointer[subscription] // newest one of its own Node address

	closed   chan struct{} // closed when the member dies
	released chan struct{} // closed when nothing of it runs any more

	// Guarded by hub.mu. group is written with the locks of all logs and of the
	// session store held as well, so that one of them is enough to read it.
	group    int // the log and group 0 belong together
	subs     map[backplane.Address]*subscription
	requests map[waiter]struct{}
	outbox   []func() // what a frozen member sends when it thaws
}

var (
	_ backplane.Backplane = (*Backplane)(nil)
	_ backplane.Logged    = (*Backplane)(nil)
	_ backplane.Occupancy = (*Backplane)(nil)
	_ backplane.Journaled = (*Backplane)(nil)
)

// The states of a member, which may be read at any time. Between running and
// frozen they change with hub.mu and all log locks held.
const (
	running uint32 = iota
	frozen
	dead
)

// ID implements backplane.Backplane.
func (b *Backplane) ID() string { return b.id }

// Logs implements backplane.Logged.
func (b *Backplane) Logs() []backplane.Log { return b.logged }

// Stats are counters of one member.
type Stats struct {
	Waiting   int    // deliveries in the queue
	Delivered uint64 // handler calls with an envelope
	Lost      uint64 // deliveries dropped: queue full, or cut off
}

// Stats returns a snapshot.
func (b *Backplane) Stats() Stats { return b.queue.stats() }

// gate waits while the member is frozen.
func (b *Backplane) gate(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.state.Load() == running {
		return nil
	}
	return b.await(ctx, func() bool { return b.state.Load() == running })
}

// await waits until ready, which is called with hub.mu held for reading.
func (b *Backplane) await(ctx context.Context, ready func() bool) error {
	for {
		b.hub.mu.RLock()
		ok, changed := ready(), b.hub.changed
		b.hub.mu.RUnlock()
		if b.state.Load() == dead {
			return backplane.ErrClosed
		}
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-b.closed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Publish implements backplane.Backplane.
func (b *Backplane) Publish(ctx context.Context, to backplane.Address, env *backplane.Envelope) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.state.Load() == dead {
		return backplane.ErrClosed
	}
	if err := b.check(to.CheckPublish(), to, env); err != nil {
		return err
	}
	if b.hub.live.Load() == 1 && b.state.Load() == running {
		return nil // nobody else
	}
	if b.state.Load() != running {
		return b.hold(func() { b.route(to, env) })
	}
	b.route(to, env)
	return nil
}

func (b *Backplane) route(to backplane.Address, env *backplane.Envelope) {
	b.hub.mu.RLock()
	defer b.hub.mu.RUnlock()
	b.hub.route(b, to, env, nil)
}

// Limits implements backplane.Limited.
func (b *Backplane) Limits() backplane.Limits { return b.hub.cfg.Limits }

var _ backplane.Limited = (*Backplane)(nil)

func (b *Backplane) check(err error, to backplane.Address, env *backplane.Envelope) error {
	if err != nil {
		return err
	}
	if err := b.hub.cfg.Limits.CheckName(to); err != nil {
		return err
	}
	return b.hub.cfg.Limits.Check(env)
}

// hold keeps what would leave a frozen member until it thaws.
func (b *Backplane) hold(do func()) error {
	b.hub.mu.Lock()
	switch b.state.Load() {
	case dead:
		b.hub.mu.Unlock()
		return backplane.ErrClosed
	case frozen:
		defer b.hub.mu.Unlock()
		if len(b.outbox) >= b.hub.cfg.Queue {
			return backplane.ErrDisconnected
		}
		b.outbox = append(b.outbox, do)
		return nil
	}
	b.hub.mu.Unlock() // it thawed meanwhile
	do()
	return nil
}

// Heard implements backplane.Backplane: a frozen member counts as heard, since
// its silence is not long enough yet.
func (b *Backplane) Heard(id string) bool {
	b.hub.mu.RLock()
	defer b.hub.mu.RUnlock()
	m := b.hub.lookup(id)
	return m != nil && m.group == b.group && b.state.Load() != dead
}

// NodeDown implements backplane.Backplane.
func (b *Backplane) NodeDown(id string) {
	b.hub.mu.RLock()
	defer b.hub.mu.RUnlock()
	for w := range b.requests {
		w.drop(id)
	}
}

// Healthy implements backplane.Backplane. A member that a partition separated
// from the log is disconnected.
func (b *Backplane) Healthy(ctx context.Context) error {
	if _, ok := ctx.Deadline(); !ok {
		return backplane.ErrNoDeadline
	}
	if err := b.gate(ctx); err != nil {
		return err
	}
	arrived := make(chan struct{})
	// The lock for writing ends what is being routed now: the canary follows
	// whatever has reached another member already.
	b.hub.mu.Lock()
	apart := b.group != 0
	if !apart {
		b.queue.control(b, item{canary: arrived})
	}
	b.hub.mu.Unlock()
	if apart {
		return backplane.ErrDisconnected
	}
	select {
	case <-arrived:
		return nil
	case <-b.closed:
		return backplane.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close implements backplane.Backplane.
func (b *Backplane) Close(ctx context.Context) error {
	b.die()
	select {
	case <-b.released:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// die ends the member, once. It is out of the hub when die returns, and
// released when nothing of it runs any more.
func (b *Backplane) die() {
	if b.state.Swap(dead) == dead {
		return
	}
	close(b.closed)
	b.queue.close()
	if b.sessions != nil {
		b.sessions.detach()
	}
	b.hub.remove(b)
	go func() {
		defer close(b.released)
		for _, l := range b.logs {
			l.detach() // waits for an Apply that runs
		}
		b.wg.Wait()
	}()
}
