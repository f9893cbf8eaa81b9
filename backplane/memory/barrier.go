package memory

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/siod-io/siod/backplane"
)

// barrier is one running Barrier call.
type barrier struct {
	mu      sync.Mutex
	due     map[string]struct{}
	failed  []backplane.Failure
	dropped chan struct{} // capacity 1
}

// Barrier implements backplane.Backplane. Subscriptions are in effect at once
// here, so it waits for frozen and separated nodes only: like a real exchange
// with them, which they do not answer.
func (b *Backplane) Barrier(ctx context.Context, roster []string) error {
	if _, ok := ctx.Deadline(); !ok {
		return backplane.ErrNoDeadline
	}
	if err := b.gate(ctx); err != nil {
		return err
	}
	w := &barrier{due: make(map[string]struct{}, len(roster)), dropped: make(chan struct{}, 1)}
	for _, id := range roster {
		if id != b.id {
			w.due[id] = struct{}{}
		}
	}
	b.hub.mu.Lock()
	b.requests[w] = struct{}{}
	b.hub.mu.Unlock()
	defer func() {
		b.hub.mu.Lock()
		delete(b.requests, w)
		b.hub.mu.Unlock()
	}()
	for {
		changed := w.ask(b)
		if w.done() {
			return w.partial(nil)
		}
		select {
		case <-changed:
		case <-w.dropped:
		case <-b.closed:
			return backplane.ErrClosed
		case <-ctx.Done():
			return w.partial(ctx.Err())
		}
	}
}

// ask takes the answers of those that can give one, and returns what says that
// it is worth asking again.
func (w *barrier) ask(b *Backplane) <-chan struct{} {
	b.hub.mu.RLock()
	defer b.hub.mu.RUnlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(w.due)) {
		m := b.hub.lookup(id)
		switch {
		case m == nil:
			w.fail(id)
		case m.group == b.group && m.state.Load() == running && b.state.Load() == running:
			delete(w.due, id)
		}
	}
	return b.hub.changed
}

func (w *barrier) done() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.due) == 0
}

func (w *barrier) partial(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.due) == 0 && len(w.failed) == 0 {
		return nil
	}
	return &backplane.PartialError{Missing: slices.Sorted(maps.Keys(w.due)), Failed: w.failed, Err: err}
}

// drop implements waiter.
func (w *barrier) drop(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail(id)
}

// fail records a dead node. The caller holds mu.
func (w *barrier) fail(id string) {
	if _, ok := w.due[id]; !ok {
		return
	}
	delete(w.due, id)
	w.failed = append(w.failed, backplane.Failure{Node: id, Reason: backplane.ReasonDead})
	select {
	case w.dropped <- struct{}{}:
	default:
	}
}
