package memory

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/siod-io/siod/backplane"
)

// waiter is a request or a barrier: it waits for other members.
type waiter interface {
	// drop stops waiting for a member that died. The hub's lock is held.
	drop(id string)
}

// maxReplies bounds the replies that wait for the loop over a request. A node
// that answers beyond it fails with ReasonLost.
const maxReplies = 1 << 16

// request is the requester's side of one request.
type request struct {
	from *Backplane
	wake chan struct{} // capacity 1: something below changed

	mu      sync.Mutex
	due     map[string]struct{} // who must still give a final reply
	lossy   map[string]struct{} // who lost a reply
	failed  []backplane.Failure
	replies ring[backplane.Reply]
	over    bool // nobody ranges over it any more
}

// Request implements backplane.Backplane.
func (b *Backplane) Request(ctx context.Context, to backplane.Address, env *backplane.Envelope, roster []string) iter.Seq2[backplane.Reply, error] {
	return func(yield func(backplane.Reply, error) bool) {
		r, err := b.startRequest(ctx, to, env, roster)
		if err != nil {
			yield(backplane.Reply{}, err)
			return
		}
		defer r.end()
		for {
			reply, ok, err := r.next(ctx)
			if !ok {
				if err != nil {
					yield(backplane.Reply{}, err)
				}
				return
			}
			if !yield(reply, nil) {
				return
			}
		}
	}
}

func (b *Backplane) startRequest(ctx context.Context, to backplane.Address, env *backplane.Envelope, roster []string) (*request, error) {
	if _, ok := ctx.Deadline(); !ok {
		return nil, backplane.ErrNoDeadline
	}
	if err := b.check(to.CheckRequest(), to, env); err != nil {
		return nil, err
	}
	if err := b.gate(ctx); err != nil {
		return nil, err
	}
	r := &request{
		from:  b,
		wake:  make(chan struct{}, 1),
		due:   make(map[string]struct{}, len(roster)),
		lossy: make(map[string]struct{}),
	}
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	if b.state.Load() == dead {
		return nil, backplane.ErrClosed
	}
	b.requests[r] = struct{}{}
	if to.One() {
		if b.hub.route(b, to, env, r) == 0 {
			r.refused(to)
		}
		return r, nil
	}
	for _, id := range roster {
		switch {
		case id == b.id:
		case b.hub.lookup(id) == nil:
			r.failed = append(r.failed, backplane.Failure{Node: id, Reason: backplane.ReasonDead})
		default:
			r.due[id] = struct{}{}
		}
	}
	b.hub.route(b, to, env, r)
	return r, nil
}

// refused records that nobody took a request to one of several, or to one
// node. The hub's lock is held.
func (r *request) refused(to backplane.Address) {
	f := backplane.Failure{Reason: backplane.ReasonUnreachable}
	if to.Scope == backplane.ScopeNode {
		f.Node = to.Name
		if r.from.hub.lookup(to.Name) == nil {
			f.Reason = backplane.ReasonDead
		}
	}
	clear(r.due)
	r.failed = append(r.failed, f)
}

// expect adds a node that must answer.
func (r *request) expect(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.due[id] = struct{}{}
}

// next waits for a reply. Without one, err says how the request ended. What
// was answered in time is yielded even if the loop comes for it late.
func (r *request) next(ctx context.Context) (reply backplane.Reply, ok bool, err error) {
	for {
		if r.from.state.Load() == frozen {
			err = r.from.gate(ctx)
		} else {
			err = ctx.Err()
		}
		r.mu.Lock()
		reply, ok = r.replies.pop()
		due := len(r.due)
		r.mu.Unlock()
		switch {
		case ok:
			return reply, true, nil
		case due == 0:
			return reply, false, r.partial(nil)
		case r.from.state.Load() == dead:
			return reply, false, r.partial(backplane.ErrClosed)
		case err != nil:
			return reply, false, r.partial(err)
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
		case <-r.from.closed:
		}
	}
}

// partial returns how the request ended: err is why it did not wait for the
// rest.
func (r *request) partial(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.due) == 0 {
		err = nil
	}
	if err == nil && len(r.failed) == 0 {
		return nil
	}
	return &backplane.PartialError{Missing: slices.Sorted(maps.Keys(r.due)), Failed: r.failed, Err: err}
}

// end gives up what is still due.
func (r *request) end() {
	r.mu.Lock()
	r.over = true
	r.replies = ring[backplane.Reply]{}
	r.mu.Unlock()
	hub := r.from.hub
	hub.mu.Lock()
	delete(r.from.requests, r)
	hub.mu.Unlock()
}

// drop implements waiter.
func (r *request) drop(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail(id, backplane.ReasonDead)
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

// replier returns the Reply function of the delivery at b.
func (r *request) replier(b *Backplane) func(*backplane.Envelope, bool) error {
	var ended atomic.Bool
	return func(env *backplane.Envelope, final bool) error {
		if ended.Load() {
			return nil
		}
		if env != nil {
			if err := b.hub.cfg.Limits.Check(env); err != nil {
				return err
			}
		}
		if final && ended.Swap(true) {
			return nil
		}
		reply := backplane.Reply{Node: b.id, Envelope: env, Final: final}
		if b.state.Load() != running {
			return b.hold(func() { r.answer(b, reply) })
		}
		r.answer(b, reply)
		return nil
	}
}

// answer brings a reply to the requester.
func (r *request) answer(b *Backplane, reply backplane.Reply) {
	b.hub.mu.RLock()
	defer b.hub.mu.RUnlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return
	}
	if r.replies.len() >= maxReplies {
		r.fail(b.id, backplane.ReasonLost)
		return
	}
	if b.group != r.from.group {
		r.lossy[b.id] = struct{}{} // found when its final reply arrives, if it does
		return
	}
	r.replies.push(reply)
	if reply.Final {
		if _, lossy := r.lossy[b.id]; lossy {
			r.fail(b.id, backplane.ReasonLost)
		}
		delete(r.due, b.id)
	}
	r.poke()
}
