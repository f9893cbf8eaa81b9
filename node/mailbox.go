package node

import (
	"sync"

	"github.com/siod-io/siod/protocol"
)

// work is one thing for a socket's handlers: an event, or a function that must
// take its turn among the events.
type work struct {
	buf []byte // holds the packet's text
	pkt protocol.Packet
	run func() // instead of an event, if not nil
}

var works = sync.Pool{New: func() any { return new(work) }}

func (w *work) release() {
	if cap(w.buf) > 64<<10 {
		w.buf = nil // one large event must not stay in the pool
	}
	w.pkt, w.run = protocol.Packet{}, nil
	works.Put(w)
}

// mailbox runs the handlers of one socket one at a time and in order of
// arrival (R1). A goroutine exists only while there is work.
type mailbox struct {
	mu      sync.Mutex
	queue   []*work
	running bool
	closed  bool
	space   chan struct{} // the reader waits here while the queue is full
}

// secondBound is how far beyond its size a mailbox fills while the connection
// waits for an answer of its own client: reading must go on for the answer to
// arrive, but not for ever.
const secondBound = 16

// put hands work to the socket's handlers. It blocks while the mailbox is
// full, which pauses reading from the connection; it reports false if the
// mailbox overflowed although reading could not be paused.
func (s *Socket) put(w *work) (ok bool) {
	m := &s.mailbox
	size := s.ns.srv.cfg.Mailbox
	m.mu.Lock()
	for len(m.queue) >= size && !m.closed {
		if s.conn.awaiting.Load() > 0 {
			if len(m.queue) >= size*secondBound {
				m.mu.Unlock()
				return false
			}
			break
		}
		space := s.spaceLocked()
		m.mu.Unlock()
		select {
		case <-space:
		case <-s.conn.resume():
		}
		m.mu.Lock()
	}
	if m.closed {
		m.mu.Unlock()
		w.release()
		return true
	}
	s.pushLocked(w)
	m.mu.Unlock()
	return true
}

// after runs f in turn, behind all events that wait. It never blocks.
func (s *Socket) after(f func()) {
	w := works.Get().(*work)
	w.run = f
	s.mailbox.mu.Lock()
	s.pushLocked(w)
	s.mailbox.mu.Unlock()
}

func (s *Socket) pushLocked(w *work) {
	m := &s.mailbox
	m.queue = append(m.queue, w)
	if !m.running {
		m.running = true
		s.ns.srv.wg.Go(s.work)
	}
}

func (s *Socket) spaceLocked() chan struct{} {
	if s.mailbox.space == nil {
		s.mailbox.space = make(chan struct{})
	}
	return s.mailbox.space
}

// work is the mailbox's goroutine.
func (s *Socket) work() {
	m := &s.mailbox
	for {
		m.mu.Lock()
		if len(m.queue) == 0 {
			m.running = false
			m.mu.Unlock()
			return
		}
		w := m.queue[0]
		n := copy(m.queue, m.queue[1:])
		m.queue[n] = nil
		m.queue = m.queue[:n]
		if m.space != nil {
			close(m.space)
			m.space = nil
		}
		m.mu.Unlock()
		if w.run != nil {
			w.run()
		} else {
			s.handle(w)
		}
		w.release()
	}
}

// closeMailbox takes no more events. Those that wait are still handled: they
// arrived before the end, and a client that emits and then disconnects expects
// its event to count.
func (s *Socket) closeMailbox() {
	m := &s.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if m.space != nil {
		close(m.space)
		m.space = nil
	}
}
