package memory

import (
	"context"

	"github.com/siod-io/siod/backplane"
)

// ownerWatch is one WatchOwners call. Its fields but m and h are guarded by the
// store's lock.
type ownerWatch struct {
	m *memberSessions
	h backplane.SessionHandler

	dirty    map[string]struct{} // pids to report
	order    []string            // the same
	forgot   bool                // report that first
	running  bool                // a goroutine reports
	isClosed bool
}

// WatchOwners implements backplane.Sessions. Of changes that come quicker than
// they are taken, the newest of a session is told.
func (m *memberSessions) WatchOwners(ctx context.Context, h backplane.SessionHandler) (backplane.Subscription, error) {
	if err := m.lock(ctx, false); err != nil {
		return nil, err
	}
	defer m.store.mu.Unlock()
	w := &ownerWatch{m: m, h: h, dirty: make(map[string]struct{})}
	m.store.watches = append(m.store.watches, w)
	for pid := range m.store.owners {
		w.mark(pid)
	}
	return w, nil
}

// Close implements backplane.Subscription.
func (w *ownerWatch) Close() {
	s := w.m.store
	s.mu.Lock()
	defer s.mu.Unlock()
	w.isClosed = true
	for i, o := range s.watches {
		if o == w {
			s.watches = append(s.watches[:i:i], s.watches[i+1:]...)
			return
		}
	}
}

// mark has the record of a session reported. The caller holds the store's lock.
func (w *ownerWatch) mark(pid string) {
	if _, ok := w.dirty[pid]; !ok {
		w.dirty[pid] = struct{}{}
		w.order = append(w.order, pid)
	}
	w.start()
}

// forget has the loss of all records reported. The caller holds the store's
// lock.
func (w *ownerWatch) forget() {
	w.forgot = true
	w.start()
}

func (w *ownerWatch) start() {
	if !w.running && w.m.b.state.Load() != dead {
		w.running = true
		w.m.b.wg.Go(w.report)
	}
}

// report calls the handler while there is something to tell.
func (w *ownerWatch) report() {
	for {
		changed := w.m.b.hub.whenChanged()
		tell, wait := w.next()
		switch {
		case tell != nil:
			tell()
		case wait:
			select {
			case <-changed:
			case <-w.m.b.closed:
			}
		default:
			return
		}
	}
}

// next returns the next call of the handler, or whether it must wait.
func (w *ownerWatch) next() (tell func(), wait bool) {
	s := w.m.store
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case w.isClosed || w.m.b.state.Load() == dead:
		w.running = false
		return nil, false
	case w.forgot || len(w.order) > 0:
		if !w.m.ready() {
			return nil, true
		}
	}
	if w.forgot {
		w.forgot = false
		return w.h.Forgotten, false
	}
	for len(w.order) > 0 {
		pid := w.order[0]
		w.order = w.order[1:]
		delete(w.dirty, pid)
		if o := s.owner(pid); o.Revision != 0 {
			return func() { w.h.Owned(o) }, false
		}
	}
	w.running = false
	return nil, false
}
