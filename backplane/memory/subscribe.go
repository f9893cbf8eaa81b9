package memory

import (
	"sync/atomic"

	"github.com/siod-io/siod/backplane"
)

// subscription is one address of one member.
type subscription struct {
	b      *Backplane
	at     backplane.Address
	h      backplane.Handler
	closed atomic.Bool
}

// Subscribe implements backplane.Backplane. It is in effect at once for all
// members, frozen or not.
func (b *Backplane) Subscribe(at backplane.Address, h backplane.Handler) (backplane.Subscription, error) {
	if err := at.CheckSubscribe(b.id); err != nil {
		return nil, err
	}
	if err := b.hub.cfg.Limits.CheckName(at); err != nil {
		return nil, err
	}
	s := &subscription{b: b, at: at, h: h}
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	if b.state.Load() == dead {
		return nil, backplane.ErrClosed
	}
	if b.subs[at] != nil {
		return nil, backplane.ErrSubscribed
	}
	b.subs[at] = s
	if at.Scope == backplane.ScopeNode {
		b.self.Store(s)
	}
	b.hub.roomChanged(at)
	return s, nil
}

// Close implements backplane.Subscription.
func (s *subscription) Close() {
	if s.closed.Swap(true) {
		return
	}
	hub := s.b.hub
	hub.mu.Lock()
	defer hub.mu.Unlock()
	if s.b.state.Load() != dead { // else they are gone already
		delete(s.b.subs, s.at)
		hub.roomChanged(s.at)
	}
}

// wildcard returns the address that, subscribed, matches to as well.
func wildcard(to backplane.Address) (backplane.Address, bool) {
	switch to.Scope {
	case backplane.ScopeSocket:
		if home := to.Home(); home != "" {
			return backplane.Home(home), true
		}
	case backplane.ScopeNamespace, backplane.ScopeRequests, backplane.ScopeGateway:
		to.Namespace = backplane.AnyNamespace
		return to, true
	}
	return backplane.Address{}, false
}

// route gives env to the subscriptions of the other members that match, and
// returns how many members it reached. req is nil unless an answer is wanted.
// The caller holds mu for reading.
func (h *Hub) route(from *Backplane, to backplane.Address, env *backplane.Envelope, req *request) (reached int) {
	wild, hasWild := wildcard(to)
	if to.One() {
		return h.routeOne(from, to, wild, env, req)
	}
	for _, m := range h.members {
		if m == from || len(m.subs) == 0 {
			continue
		}
		n := 0
		if s := m.subs[to]; s != nil {
			n += m.accept(s, from, to, env, req)
		}
		if hasWild {
			if s := m.subs[wild]; s != nil {
				n += m.accept(s, from, to, env, req)
			}
		}
		reached += min(n, 1)
	}
	return reached
}

// routeOne is route for the addresses that reach a single member: of those
// that could take it, the next in turn.
func (h *Hub) routeOne(from *Backplane, to, wild backplane.Address, env *backplane.Envelope, req *request) int {
	turn := int(h.turn.Add(1))
	for i := range h.members {
		m := h.members[(turn+i)%len(h.members)]
		if m == from || m.group != from.group {
			continue
		}
		s := m.subs[to]
		if s == nil {
			s = m.subs[wild]
		}
		if s == nil {
			continue
		}
		if req != nil {
			req.expect(m.id)
		}
		return m.accept(s, from, to, env, req)
	}
	return 0
}

// accept queues a delivery for m, or counts it as lost. The caller holds
// hub.mu.
func (m *Backplane) accept(s *subscription, from *Backplane, to backplane.Address, env *backplane.Envelope, req *request) int {
	it := item{sub: s, to: to, env: env, req: req}
	if from.group != m.group {
		m.queue.lose(lossKey{s, from.id, to})
		return 0
	}
	if !m.queue.push(m, it, lossKey{s, from.id, to}) {
		return 0
	}
	return 1
}
