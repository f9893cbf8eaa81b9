package memory

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/siod-io/siod/backplane"
)

// hubSessions is the store of journals and owners of a hub.
type hubSessions struct {
	hub  *Hub
	keep time.Duration

	mu       sync.Mutex
	held     bool // takes no writes
	revision uint64
	journals map[string]*journal // by home
	owners   map[string]ownerRecord
	watches  []*ownerWatch
}

// journal is what one home recorded.
type journal struct {
	records map[string]backplane.SessionRecord // by pid
	died    time.Time                          // of the home; zero while it lives
}

type ownerRecord struct {
	backplane.Owner
	renewed time.Time
}

func newHubSessions(h *Hub) *hubSessions {
	return &hubSessions{
		hub:      h,
		keep:     h.cfg.Sessions,
		journals: make(map[string]*journal),
		owners:   make(map[string]ownerRecord),
	}
}

// owner returns the owner of a session. The caller holds mu.
func (s *hubSessions) owner(pid string) backplane.Owner {
	if o, ok := s.owners[pid]; ok && time.Since(o.renewed) <= s.keep {
		return o.Owner
	}
	return backplane.Owner{PID: pid, Node: backplane.FirstHome(pid)}
}

// put stores an owner record and returns it. The caller holds mu.
func (s *hubSessions) put(o backplane.Owner) backplane.Owner {
	s.revision++
	o.Revision = s.revision
	s.owners[o.PID] = ownerRecord{o, time.Now()}
	return o
}

// tell has the record of a session reported. The caller holds mu.
func (s *hubSessions) tell(pid string) {
	for _, w := range s.watches {
		w.mark(pid)
	}
}

// expire drops what nobody renewed. The caller holds mu.
func (s *hubSessions) expire() {
	now := time.Now()
	for home, j := range s.journals {
		if !j.died.IsZero() && now.Sub(j.died) > s.keep {
			delete(s.journals, home)
		}
	}
	for pid, o := range s.owners {
		if now.Sub(o.renewed) > s.keep {
			delete(s.owners, pid)
		}
	}
}

// ForgetSessions has the store of journals and owners lose everything, as when
// it was created anew. Homes that live write their journals again.
func (h *Hub) ForgetSessions() {
	s := h.sessions
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.owners)
	for home, j := range s.journals {
		if !j.died.IsZero() {
			delete(s.journals, home)
		}
	}
	for _, w := range s.watches {
		w.forget()
	}
}

// memberSessions is the store as one member has it. It implements
// backplane.Sessions.
type memberSessions struct {
	b     *Backplane
	store *hubSessions

	// Guarded by store.mu.
	pending  []pendingRecord
	draining bool // a goroutine takes care of pending
}

// pendingRecord is one Record call that waits.
type pendingRecord struct {
	changes []backplane.SessionRecord
	done    func(error)
}

// Sessions implements backplane.Journaled.
func (b *Backplane) Sessions() backplane.Sessions {
	if b.sessions == nil {
		return nil
	}
	return b.sessions
}

// Record implements backplane.Sessions.
func (m *memberSessions) Record(changes []backplane.SessionRecord, done func(error)) error {
	for _, r := range changes {
		if err := m.b.hub.cfg.Limits.CheckSession(r); err != nil {
			return err
		}
	}
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	switch {
	case m.b.state.Load() == dead:
		return backplane.ErrClosed
	case len(m.pending) >= maxPending:
		return backplane.ErrLogBusy
	}
	m.pending = append(m.pending, pendingRecord{slices.Clone(changes), done})
	if !m.draining {
		m.draining = true
		m.b.wg.Go(m.drain)
	}
	return nil
}

// drain stores what waits, in order, until nothing does.
func (m *memberSessions) drain() {
	for {
		changed := m.b.hub.whenChanged()
		calls, wait, err := m.take()
		for _, c := range calls {
			c.done(err)
		}
		switch {
		case wait:
			select {
			case <-changed:
			case <-m.b.closed:
			}
		case len(calls) == 0:
			return
		}
	}
}

// take stores all that waits, or fails it if the member is dead. wait says that
// neither can be done now.
func (m *memberSessions) take() (calls []pendingRecord, wait bool, err error) {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	switch {
	case len(m.pending) == 0:
		m.draining = false
		return nil, false, nil
	case m.b.state.Load() == dead:
		err = backplane.ErrClosed
	case !m.ready() || m.store.held:
		return nil, true, nil
	}
	calls, m.pending = m.pending, nil
	if err != nil {
		return calls, false, err
	}
	for _, c := range calls {
		for _, r := range c.changes {
			m.keep(r)
		}
	}
	return calls, false, nil
}

// keep stores a record. The caller holds store.mu.
func (m *memberSessions) keep(r backplane.SessionRecord) {
	j := m.store.journals[m.b.id]
	if j == nil || !j.died.IsZero() {
		j = &journal{records: make(map[string]backplane.SessionRecord)}
		m.store.journals[m.b.id] = j
	}
	if r.State == nil {
		delete(j.records, r.PID)
		return
	}
	j.records[r.PID] = r
}

// detach begins the time for which the journal of a dead member is kept.
func (m *memberSessions) detach() {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	if j := m.store.journals[m.b.id]; j != nil && j.died.IsZero() {
		j.died = time.Now()
	}
	m.store.watches = slices.DeleteFunc(m.store.watches, func(w *ownerWatch) bool { return w.m == m })
	m.store.expire()
}

// ready reports whether the member reaches the store now. The caller holds
// store.mu.
func (m *memberSessions) ready() bool { return m.b.state.Load() == running && m.b.group == 0 }

// lock takes store.mu when the member reaches the store, and the store takes
// writes if it should.
func (m *memberSessions) lock(ctx context.Context, write bool) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		changed := m.b.hub.whenChanged()
		m.store.mu.Lock()
		var err error
		switch state := m.b.state.Load(); {
		case state == dead:
			err = backplane.ErrClosed
		case state == running && m.b.group != 0:
			err = backplane.ErrDisconnected
		case state == running && !(write && m.store.held):
			return nil
		}
		m.store.mu.Unlock()
		if err != nil {
			return err
		}
		select {
		case <-changed:
		case <-m.b.closed:
		case <-ctx.Done():
		}
	}
}

// Load implements backplane.Sessions.
func (m *memberSessions) Load(ctx context.Context, home string) iter.Seq2[backplane.SessionRecord, error] {
	return func(yield func(backplane.SessionRecord, error) bool) {
		if err := m.lock(ctx, false); err != nil {
			yield(backplane.SessionRecord{}, err)
			return
		}
		m.store.expire()
		var records []backplane.SessionRecord
		if j := m.store.journals[home]; j != nil {
			for _, r := range j.records {
				records = append(records, r)
			}
		}
		m.store.mu.Unlock()
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Owner implements backplane.Sessions.
func (m *memberSessions) Owner(ctx context.Context, pid string) (backplane.Owner, error) {
	if err := m.lock(ctx, false); err != nil {
		return backplane.Owner{}, err
	}
	defer m.store.mu.Unlock()
	return m.store.owner(pid), nil
}

// Claim implements backplane.Sessions.
func (m *memberSessions) Claim(ctx context.Context, current backplane.Owner) (backplane.Owner, error) {
	if err := m.lock(ctx, true); err != nil {
		return backplane.Owner{}, err
	}
	defer m.store.mu.Unlock()
	if !sameOwner(m.store.owner(current.PID), current) {
		return backplane.Owner{}, backplane.ErrOwned
	}
	o := m.store.put(backplane.Owner{PID: current.PID, Node: m.b.id, Generation: current.Generation + 1})
	m.store.tell(o.PID)
	return o, nil
}

// sameOwner ignores the revision, which goes up when a record is renewed.
func sameOwner(a, b backplane.Owner) bool { return a.Node == b.Node && a.Generation == b.Generation }

// Renew implements backplane.Sessions.
func (m *memberSessions) Renew(ctx context.Context, owned []backplane.Owner) (lost []backplane.Owner, err error) {
	if err := m.lock(ctx, true); err != nil {
		return nil, err
	}
	defer m.store.mu.Unlock()
	m.store.expire()
	for _, o := range owned {
		stored, ok := m.store.owners[o.PID]
		if ok && !sameOwner(stored.Owner, o) {
			lost = append(lost, o)
			continue
		}
		m.store.put(o)
		if !ok { // it expired, and nobody has it since
			m.store.tell(o.PID)
		}
	}
	return lost, nil
}
