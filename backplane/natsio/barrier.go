package natsio

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/subject"
	"github.com/siod-io/siod/backplane/wire"
)

// A subscription is in effect at another node when that node's server knows of
// it. A question to the node, sent on the connection that subscribed, arrives
// behind the subscription on the whole way, so its answer says so (V13).

// syncSubject is where a node answers barriers.
func syncSubject(id string) string { return subject.Inbox(id) + ".sync" }

// syncs are the questions to other nodes. Callers share one that was not sent
// yet: while the answer to an earlier one is due, new callers gather behind it.
type syncs struct {
	b     *Backplane
	mu    sync.Mutex
	nodes map[string]*syncNode
}

type syncNode struct {
	sent *sync1 // its answer is due, and others wait for it
	next *sync1 // not sent yet
}

const (
	// gather is how long callers wait behind a question whose answer is due,
	// before they send their own: the node may not answer at all.
	gather = 5 * time.Millisecond

	// again is how long they wait for an answer before they ask again: the
	// question may have been on a route that broke.
	again = 500 * time.Millisecond
)

// sync1 is one question to one node.
type sync1 struct {
	s       *syncs
	node    string
	n       uint64        // of the call, 0 before it is sent; guarded by syncs.mu
	asked   time.Time     // for the last time; guarded by syncs.mu
	waiting int           // callers; guarded by syncs.mu
	done    chan struct{} // closed when it ended

	once   sync.Once
	reason backplane.Reason // why there is no answer; read after done
	err    error            // the same, if the question could not be sent
}

func (s *syncs) init(b *Backplane) {
	s.b = b
	s.nodes = make(map[string]*syncNode)
}

// Barrier implements backplane.Backplane. With nobody to ask, the subscriptions
// are in effect at this node's own server when it returns, as for processes that
// are no nodes. While this node is cut off, everybody is missing at once.
func (b *Backplane) Barrier(ctx context.Context, roster []string) error {
	if _, ok := ctx.Deadline(); !ok {
		return backplane.ErrNoDeadline
	}
	if b.isClosed() {
		return backplane.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	due := make(map[string]*sync1, len(roster))
	for _, id := range roster {
		if id != b.id && due[id] == nil {
			due[id] = b.syncs.ask(id)
		}
	}
	if len(due) == 0 {
		return b.flush(ctx)
	}
	timer := time.NewTimer(gather)
	defer timer.Stop()
	var failed []backplane.Failure
	var missing []string
	var cause error
	for _, id := range slices.Sorted(maps.Keys(due)) {
		q := due[id]
		if !b.syncs.await(ctx, q, timer, due) {
			missing = append(missing, id)
			cause = ctx.Err()
		} else if q.err != nil {
			missing = append(missing, id)
			cause = q.err
		} else if q.reason != "" {
			failed = append(failed, backplane.Failure{Node: id, Reason: q.reason})
		}
		b.syncs.leave(q)
	}
	switch {
	case b.isClosed():
		return backplane.ErrClosed
	case len(missing) > 0 || len(failed) > 0:
		return &backplane.PartialError{Missing: missing, Failed: failed, Err: cause}
	}
	return nil
}

// flush returns when the server handled what was sent on the live connection, or
// there is none.
func (b *Backplane) flush(ctx context.Context) error {
	err := b.live.flush(ctx)
	switch {
	case b.isClosed():
		return backplane.ErrClosed
	case err != nil && ctx.Err() != nil:
		return &backplane.PartialError{Err: ctx.Err()}
	}
	return nil
}

// await waits until a question ended, and reports false if ctx did before. What
// waits unsent when the timer fires is sent, and what was not answered is sent
// again.
func (s *syncs) await(ctx context.Context, q *sync1, timer *time.Timer, all map[string]*sync1) bool {
	for {
		select {
		case <-q.done:
			return true
		default:
		}
		select {
		case <-q.done:
		case <-timer.C:
			for _, q := range all {
				s.force(q)
			}
			timer.Reset(again)
		case <-ctx.Done():
			select {
			case <-q.done:
				return true
			default:
				return false
			}
		}
	}
}

// ask returns a question to a node that leaves after this moment.
func (s *syncs) ask(id string) *sync1 {
	s.mu.Lock()
	defer s.mu.Unlock()
	node := s.nodes[id]
	if node == nil {
		node = &syncNode{}
		s.nodes[id] = node
	}
	q := node.next
	if q == nil {
		q = &sync1{s: s, node: id, done: make(chan struct{})}
		node.next = q
	}
	q.waiting++
	if node.sent == nil {
		s.sendNext(node)
	}
	return q
}

// force sends a question that still waits, or sends it again after a while.
func (s *syncs) force(q *sync1) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch node := s.nodes[q.node]; {
	case node != nil && node.next == q:
		s.sendNext(node)
	case q.n != 0 && time.Since(q.asked) >= again/2 && !q.isDone():
		s.send(q)
	}
}

// sendNext sends what waits. The caller holds mu.
func (s *syncs) sendNext(node *syncNode) {
	q := node.next
	node.sent, node.next = q, nil
	if q == nil {
		return
	}
	if q.n = s.b.calls.add(q); q.n == 0 {
		q.finish("", backplane.ErrClosed)
		return
	}
	s.send(q)
}

// send sends a question. The caller holds mu.
func (s *syncs) send(q *sync1) {
	q.asked = time.Now()
	m := wire.Message{Sender: s.b.id}
	if err := s.b.live.publish(syncSubject(q.node), s.b.replySubject(q.n), m.Append(nil)); err != nil {
		q.finish("", err)
	}
}

// leave ends a caller's interest in a question.
func (s *syncs) leave(q *sync1) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.waiting--; q.waiting > 0 {
		return
	}
	s.b.calls.remove(q.n)
	node := s.nodes[q.node]
	if node == nil {
		return
	}
	if node.next == q {
		node.next = nil
	}
	if node.sent == q {
		s.sendNext(node)
	}
	if node.sent == nil && node.next == nil {
		delete(s.nodes, q.node)
	}
}

func (q *sync1) isDone() bool {
	select {
	case <-q.done:
		return true
	default:
		return false
	}
}

// finish ends a question; others behind it may go.
func (q *sync1) finish(why backplane.Reason, err error) {
	q.once.Do(func() {
		q.reason, q.err = why, err
		close(q.done)
	})
}

// answered is finish, called without syncs.mu.
func (q *sync1) answered(why backplane.Reason, err error) {
	q.finish(why, err)
	q.s.mu.Lock()
	defer q.s.mu.Unlock()
	if node := q.s.nodes[q.node]; node != nil && node.sent == q {
		q.s.sendNext(node)
	}
}

// reply implements call.
func (q *sync1) reply(m *wire.Message) {
	if m.From() == q.node {
		q.answered("", nil)
	}
}

// refused implements call.
func (q *sync1) refused(down func(id string) bool) {
	if down(q.node) {
		q.answered(backplane.ReasonDead, nil)
	} else {
		q.answered(backplane.ReasonUnreachable, nil)
	}
}

// dead implements call.
func (q *sync1) dead(id string) {
	if id == q.node {
		q.answered(backplane.ReasonDead, nil)
	}
}

// end implements call.
func (q *sync1) end() { q.answered("", backplane.ErrClosed) }

// takeSync answers the barrier of another node. It runs on the receiver.
func (b *Backplane) takeSync(msg *nats.Msg) {
	m, ok := b.decode(msg)
	if !ok {
		return
	}
	b.hear(m.From())
	if err := b.replier(msg.Reply)(nil, true); err != nil {
		b.logger.Debug("barrier not answered", "node", m.From(), "err", err)
	}
}
