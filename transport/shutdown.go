package transport

import "context"

// Shutdown closes all sessions with ReasonServerShutdown, after what was sent
// to them, and waits for them, for their goroutines and for the writers to
// end. When ctx ends first, connections are cut and its error is returned; a
// call of the handler that is still running then is not waited for. New
// handshakes are refused with 503 from the first moment.
//
// Shutdown closes all at once. To spread a drain over time, close the sessions
// of All one by one before.
func (e *Engine) Shutdown(ctx context.Context) error {
	e.closing.Store(true)
	for s := range e.All() {
		s.Close(ReasonServerShutdown)
	}
	if e.held.Load() == 0 {
		e.goneOne.Do(func() { close(e.allGone) })
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-e.allGone
		e.wg.Wait()
	}()
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		err = ctx.Err()
		e.cutAll()
	}
	for _, sh := range e.shards {
		sh.close()
		<-sh.done
	}
	e.wheel.Close()
	return err
}

// cutAll ends all sessions and connections without waiting for the clients.
func (e *Engine) cutAll() {
	e.cutting.Store(true)
	for s := range e.All() {
		s.mu.Lock()
		s.cutLocked()
		s.mu.Unlock()
	}
	e.lingerMu.Lock()
	left := make(map[*wsConn]*Session, len(e.lingering))
	for c, s := range e.lingering {
		left[c] = s
	}
	e.lingerMu.Unlock()
	for c, s := range left {
		s.mu.Lock()
		c.cut()
		s.mu.Unlock()
	}
}

// cutLocked ends the session without waiting for the client.
func (s *Session) cutLocked() {
	for _, c := range []*wsConn{s.conn, s.probe} {
		if c != nil {
			c.cut()
		}
	}
	s.stepLocked(evFail, ReasonServerShutdown)
}

// hold keeps Shutdown waiting until release, or reports false because it has
// been called. Whatever starts goroutines holds, so that none starts behind
// Shutdown's back.
func (e *Engine) hold() bool {
	e.held.Add(1)
	if e.closing.Load() {
		e.release()
		return false
	}
	return true
}

func (e *Engine) release() {
	if e.held.Add(-1) == 0 && e.closing.Load() {
		e.goneOne.Do(func() { close(e.allGone) })
	}
}

// linger notes a connection that is about to end, for cutAll: its session may
// be forgotten already.
func (e *Engine) linger(s *Session, c *wsConn) {
	e.lingerMu.Lock()
	e.lingering[c] = s
	e.lingerMu.Unlock()
}

func (e *Engine) unlinger(c *wsConn) {
	e.lingerMu.Lock()
	delete(e.lingering, c)
	e.lingerMu.Unlock()
}
