package natsio

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/wire"
)

// call waits for what comes to one reply subject.
type call interface {
	reply(m *wire.Message)
	refused(down func(id string) bool) // nobody is subscribed where it was sent
	dead(id string)                    // the membership holds a node for dead
	end()                              // the backplane closes
}

// calls are the running calls, by the number in their reply subjects.
type calls struct {
	mu     sync.Mutex
	m      map[uint64]call
	last   uint64
	closed bool
}

func (cs *calls) init() { cs.m = make(map[uint64]call) }

// add gives a call a number. It is 0 after close.
func (cs *calls) add(c call) uint64 {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.closed {
		return 0
	}
	cs.last++
	cs.m[cs.last] = c
	return cs.last
}

func (cs *calls) remove(n uint64) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.m, n)
}

func (cs *calls) get(n uint64) call {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.m[n]
}

func (cs *calls) all() []call {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return slices.Collect(maps.Values(cs.m))
}

func (cs *calls) down(id string) {
	for _, c := range cs.all() {
		c.dead(id)
	}
}

func (cs *calls) close() {
	cs.mu.Lock()
	cs.closed = true
	cs.mu.Unlock()
	for _, c := range cs.all() {
		c.end()
	}
}

// replySubject is where the replies to call n come.
func (b *Backplane) replySubject(n uint64) string { return b.inbox + "r." + strconv.FormatUint(n, 36) }

// anyone stands in due for the one that took a request to one of several.
const anyone = ""

// request is the requester's side of one request.
type request struct {
	most, mostBytes int           // replies that may wait
	wake            chan struct{} // capacity 1: something below changed

	mu      sync.Mutex
	due     map[string]struct{} // who must still give a final reply
	got     map[string]uint64   // replies that came, by node
	done    map[string]struct{} // who gave a final reply
	failed  []backplane.Failure
	replies []backplane.Reply // that wait for the loop
	bytes   int               // of them
	closed  bool              // the backplane closed
}

// Request implements backplane.Backplane. With nobody to wait for, the
// deliveries have no Reply.
func (b *Backplane) Request(ctx context.Context, to backplane.Address, env *backplane.Envelope, roster []string) iter.Seq2[backplane.Reply, error] {
	return func(yield func(backplane.Reply, error) bool) {
		r, n, err := b.startRequest(ctx, to, env, roster)
		if err != nil {
			yield(backplane.Reply{}, err)
			return
		}
		if n == 0 {
			return
		}
		defer b.calls.remove(n)
		for {
			replies, over := r.next(ctx)
			for _, reply := range replies {
				if !yield(reply, nil) {
					return
				}
			}
			if over {
				if err := r.partial(ctx.Err()); err != nil {
					yield(backplane.Reply{}, err)
				}
				return
			}
		}
	}
}

// startRequest sends a request. The number is 0 if there is nobody to wait for.
func (b *Backplane) startRequest(ctx context.Context, to backplane.Address, env *backplane.Envelope, roster []string) (*request, uint64, error) {
	if _, ok := ctx.Deadline(); !ok {
		return nil, 0, backplane.ErrNoDeadline
	}
	if b.isClosed() {
		return nil, 0, backplane.ErrClosed
	}
	if err := b.check(to.CheckRequest(), to, env); err != nil {
		return nil, 0, err
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	r := &request{
		most:      b.cfg.Replies,
		mostBytes: b.cfg.QueueBytes,
		wake:      make(chan struct{}, 1),
		due:       make(map[string]struct{}, len(roster)),
		got:       make(map[string]uint64),
		done:      make(map[string]struct{}),
	}
	switch {
	case to.Scope == backplane.ScopeNode:
		r.due[to.Name] = struct{}{}
	case to.One():
		r.due[anyone] = struct{}{}
	default:
		for _, id := range roster {
			if id != b.id {
				r.due[id] = struct{}{}
			}
		}
	}
	if len(r.due) == 0 {
		return nil, 0, b.send(to, env, "")
	}
	n := b.calls.add(r)
	if n == 0 {
		return nil, 0, backplane.ErrClosed
	}
	if !to.One() {
		for _, id := range roster { // who died since it was made is not told of any more
			if b.isDown(id) {
				r.dead(id)
			}
		}
	}
	if err := b.send(to, env, b.replySubject(n)); err != nil {
		b.calls.remove(n)
		return nil, 0, err
	}
	return r, n, nil
}

// next waits for replies. What was answered in time is returned even if the
// loop comes for it late. over says that there is nothing to wait for.
func (r *request) next(ctx context.Context) (replies []backplane.Reply, over bool) {
	for {
		ended := ctx.Err() != nil
		r.mu.Lock()
		replies, r.replies, r.bytes = r.replies, nil, 0
		over = len(r.due) == 0 || r.closed || ended
		r.mu.Unlock()
		if over || len(replies) > 0 {
			return replies, over
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
		}
	}
}

// partial returns how the request ended; err is that of its context.
func (r *request) partial(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case len(r.due) == 0 && len(r.failed) == 0:
		return nil
	case len(r.due) == 0:
		err = nil
	case r.closed:
		err = backplane.ErrClosed
	}
	return &backplane.PartialError{Missing: slices.Sorted(maps.Keys(r.due)), Failed: r.failed, Err: err}
}

// reply implements call.
func (r *request) reply(m *wire.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	node := m.From()
	if _, over := r.done[node]; over {
		return
	}
	if _, ok := r.due[anyone]; ok && node != anyone {
		delete(r.due, anyone)
		r.due[node] = struct{}{}
	}
	size := m.Envelope.Size()
	if len(r.replies) >= r.most || r.bytes+size > r.mostBytes {
		r.fail(node, backplane.ReasonLost)
		return
	}
	r.got[node]++
	reply := backplane.Reply{Node: node, Final: m.Final}
	if m.Kind != 0 {
		reply.Envelope = &m.Envelope
	}
	r.replies = append(r.replies, reply)
	r.bytes += size
	if m.Final {
		r.done[node] = struct{}{}
		if m.Replies > r.got[node] {
			r.fail(node, backplane.ReasonLost)
		}
		delete(r.due, node)
	}
	r.poke()
}

// refused implements call. An address of all nodes that nobody subscribed means
// that none of them can be reached.
func (r *request) refused(down func(id string) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(r.due)) {
		why := backplane.ReasonUnreachable
		if down(id) {
			why = backplane.ReasonDead
		}
		r.fail(id, why)
	}
}

// dead implements call.
func (r *request) dead(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail(id, backplane.ReasonDead)
}

// end implements call.
func (r *request) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.poke()
}

// fail records that a node's answers are not complete, if they are due. The
// caller holds mu.
func (r *request) fail(id string, why backplane.Reason) {
	if _, ok := r.due[id]; !ok {
		return
	}
	delete(r.due, id)
	r.failed = append(r.failed, backplane.Failure{Node: id, Reason: why})
	r.poke()
}

func (r *request) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
