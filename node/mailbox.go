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

// secondBound is how many times its size a mailbox takes while the connection
// waits for an answer of its own client: reading must go on for the answer to
// arrive, but not for ever.
const secondBound = 16

// put hands an event to the socket's handlers. It blocks while the mailbox is
// full, which pauses reading from the connection; it reports false if the
// mailbox overflowed although reading could not be paused.
func (s *Socket) put(w *work) (ok bool) {
	m := &s.mailbox
	size := s.ns.srv.cfg.Mailbox
	m.mu.Lock()
	for len(m.queue) >= size && !m.closed {
		if m.space == nil {
			m.space = make(chan struct{})
		}
		space := m.space
		m.mu.Unlock()
		wake, _ := s.conn.paused()
		waits := s.conn.awaiting.Load() > 0
		if !waits {
			s.ns.srv.stats.pauses.Add(1)
			select {
			case <-space:
			case <-wake:
			}
		}
		m.mu.Lock()
		if waits {
			if len(m.queue) >= size*secondBound && !m.closed {
				m.mu.Unlock()
				w.release()
				return false
			}
			break
		}
	}
	if m.closed { // the socket has ended; so have its events
		m.mu.Unlock()
		w.release()
		return true
	}
	start := m.push(w)
	m.mu.Unlock()
	if start {
		s.startWork()
	}
	return true
}

// after runs f in turn, behind all events that wait. It never blocks.
func (s *Socket) after(f func()) {
	w := works.Get().(*work)
	w.run = f
	s.mailbox.mu.Lock()
	start := s.mailbox.push(w)
	s.mailbox.mu.Unlock()
	if start {
		s.startWork()
	}
}

// behind is after, unless there is nothing to wait for: then it reports false and
// leaves f alone.
func (s *Socket) behind(f func()) bool {
	m := &s.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.running {
		return false
	}
	w := works.Get().(*work)
	w.run = f
	m.push(w)
	return true
}

// push queues w and reports whether a goroutine must be started; m.mu is held.
func (m *mailbox) push(w *work) (start bool) {
	m.queue = append(m.queue, w)
	start, m.running = !m.running, true
	return start
}

// startWork gives the mailbox a goroutine. After Shutdown, which has waited
// for all handlers, only the last rites of a socket can be due, of an end that
// raced it: these the caller does itself.
func (s *Socket) startWork() {
	srv := s.ns.srv
	if !srv.tasks.begin() {
		s.work()
		return
	}
	if !srv.workers.hand(s) {
		go srv.workers.run(s)
	}
}

// workAsTask is work where startWork has counted a task.
func (s *Socket) workAsTask() {
	defer s.ns.srv.tasks.ended() // also if a handler ends its goroutine
	s.work()
}

// work empties the mailbox.
func (s *Socket) work() {
	for {
		w := s.mailbox.next()
		if w == nil {
			return
		}
		if w.run != nil {
			w.run()
		} else {
			s.handle(w)
		}
		w.release()
	}
}

// next takes the first in the queue, or nil, and then the goroutine is over.
func (m *mailbox) next() *work {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.queue) == 0 {
		m.running = false
		if cap(m.queue) > keepQueue {
			m.queue = nil
		}
		return nil
	}
	w := m.queue[0]
	n := copy(m.queue, m.queue[1:])
	m.queue[n] = nil
	m.queue = m.queue[:n]
	m.wake()
	return w
}

// keepQueue is how many places an idle mailbox keeps.
const keepQueue = 8

func (m *mailbox) wake() {
	if m.space != nil {
		close(m.space)
		m.space = nil
	}
}

// closeMailbox takes no more events. Those that wait are still handled unless
// drop is set: they arrived before the end, and a client that emits and then
// leaves expects its event to count.
func (s *Socket) closeMailbox(drop bool) {
	m := &s.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.wake()
	if !drop {
		return
	}
	kept := m.queue[:0]
	for _, w := range m.queue {
		if w.run != nil {
			kept = append(kept, w)
		} else {
			w.release()
		}
	}
	clear(m.queue[len(kept):])
	m.queue = kept
}
