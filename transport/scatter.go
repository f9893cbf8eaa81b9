package transport

// scatter writes casts for different sets: first every session's share is
// noted, then each session gets its share in one write. last says that nothing
// more follows in this pass.
func (w *writer) scatter(batch []Cast, last bool) {
	w.links, w.dirty = w.links[:0], w.dirty[:0]
	for i := range batch {
		c := &batch[i]
		if c.To == nil {
			w.note(c.Solo, int32(i))
			continue
		}
		for _, r := range c.To {
			if r.Session != c.Except {
				w.note(r, int32(i))
			}
		}
	}
	w.marked = true
	for i, s := range w.dirty {
		w.share(batch, s)
		w.dirty[i] = nil
		s.passFirst = markServed
		if last && i%yieldEvery == yieldEvery-1 {
			w.yield(nil)
		}
	}
}

func (w *writer) note(r Recipient, cast int32) {
	s := r.Session
	at := int32(len(w.links))
	w.links = append(w.links, link{cast: cast, next: -1, form: r.Form})
	if s.passGen != w.gen {
		s.passGen, s.passFirst = w.gen, at
		w.dirty = append(w.dirty, s)
	} else {
		w.links[s.passLast].next = at
	}
	s.passLast = at
}

// share writes what was noted for one session.
func (w *writer) share(batch []Cast, s *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.scratch, w.parts = w.scratch[:0], w.parts[:0]
	for at := s.passFirst; at >= 0; at = w.links[at].next {
		w.add(s, &batch[w.links[at].cast], w.links[at].form)
	}
	w.flush(s)
}

// add gives one cast to a session: to its queue, or to scratch while nothing
// waits. s.mu is held.
func (w *writer) add(s *Session, c *Cast, f Form) {
	switch {
	case c.Message == nil:
		w.flush(s)
		s.stepLocked(evClose, s.life.reason)
	case s.canWrite():
		w.addPart(c, f, s.conn.wire)
		if len(w.scratch) >= maxJoin {
			w.flush(s)
		}
	default:
		w.enqueue(s, c, f)
	}
}

// flush writes what add has gathered for s.
func (w *writer) flush(s *Session) {
	if len(w.parts) > 0 {
		w.count(s.writeParts(w.scratch, w.parts))
		w.scratch, w.parts = w.scratch[:0], w.parts[:0]
	}
}

// yield lets casts for single sessions through in the middle of a long pass:
// those of sessions that the pass has nothing left for. rest are the sessions
// that it has, if they are not marked yet.
func (w *writer) yield(rest []Recipient) {
	var left bool
	if w.solos, left = w.shard.takeSolos(w.free, w.solos[:0]); left && !w.marked {
		// Marking costs a visit to every session, so only a pass that keeps
		// somebody waiting does it.
		for _, r := range rest {
			r.Session.passGen, r.Session.passFirst = w.gen, markLeft
		}
		w.marked = true
		w.solos, _ = w.shard.takeSolos(w.free, w.solos)
	}
	for i := range w.solos {
		c := &w.solos[i]
		s := c.Solo.Session
		s.mu.Lock()
		w.scratch, w.parts = w.scratch[:0], w.parts[:0]
		w.add(s, c, c.Solo.Form)
		w.flush(s)
		s.mu.Unlock()
	}
	w.shard.flushed.Add(uint64(len(w.solos)))
	clear(w.solos)
}

// free tells whether the pass has nothing left for s.
func (w *writer) free(s *Session) bool {
	if s.passGen != w.gen {
		return w.marked
	}
	return s.passFirst == markServed
}
