package node

import (
	"context"
	"runtime/debug"
)

// end ends a connected socket, once, and reports whether it did. Its context
// and waiting calls end at once; events that arrived before are handled, then
// OnDisconnecting and OnDisconnect run.
func (s *Socket) end(r Reason) bool {
	s.mu.Lock()
	if s.state != socketConnected {
		s.mu.Unlock()
		return false
	}
	s.state, s.reason = socketEnded, r
	acks := s.acks
	s.acks = nil
	if s.done != nil {
		close(s.done)
	}
	fns := s.doneFns
	s.doneFns = nil
	s.mu.Unlock()
	for _, a := range acks {
		a.finish(s.conn, ackResult{err: ErrDisconnected})
	}
	for _, f := range fns {
		go f()
	}
	s.ns.srv.stats.disconnects.Add(1)
	s.ns.srv.collectors.gone(s)
	s.closeMailbox()
	if t := s.ns.handlers.Load(); len(t.disconnect)+len(t.disconnected) == 0 {
		s.ns.withdraw(s)
		return true
	}
	s.after(func() {
		t := s.ns.handlers.Load()
		s.runDisconnect(t.disconnect)
		s.ns.withdraw(s)
		s.runDisconnect(t.disconnected)
	})
	return true
}

func (s *Socket) runDisconnect(fs []func(context.Context, *Socket, Reason)) {
	for _, f := range fs {
		s.guard(func() { f(s.ns.srv.ctx, s, s.reason) })
	}
}

// guard runs a handler whose panic must cost nothing else.
func (s *Socket) guard(f func()) {
	defer func() {
		if p := recover(); p != nil {
			s.ns.srv.stats.panics.Add(1)
			s.ns.srv.cfg.Logger.Error("panic in handler", "ns", s.ns.name, "sid", s.id, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	f()
}

// Reason is why the socket ended, "" while it has not.
func (s *Socket) Reason() Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}
