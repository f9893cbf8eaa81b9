package node

import (
	"sync"

	"github.com/siod-io/siod/protocol"
)

// work is one thing for a socket's handlers: an event, or a function that must
// take its turn among the events.
type work struct {
	buf  []byte // holds the packet's text
	pkt  protocol.Packet
	size int    // bytes that the packet keeps
	run  func() // instead of an event, if not nil
}

var works = sync.Pool{New: func() any { return new(work) }}

// keepBuffer is the largest buffer that stays in the pool, in bytes. A small event
// that gets it counts for what it says, so a mailbox may hold that much unseen for
// each event.
const keepBuffer = 16 << 10

func (w *work) release() {
	if cap(w.buf) > keepBuffer {
		w.buf = nil
	}
	w.pkt, w.size, w.run = protocol.Packet{}, 0, nil
	works.Put(w)
}

// mailbox runs the handlers of one socket one at a time and in order of
// arrival (R1). A goroutine exists only while there is work.
type mailbox struct {
	mu      sync.Mutex
	queue   []*work
	bytes   int // of the events in it
	running bool
	closed  bool
	space   chan struct{} // the reader waits here while the queue is full
}

// secondBound is how many times its size, in events and in bytes, a mailbox takes
// while the connection waits for an answer of its own client: reading must go on
// for the answer to arrive, but not for ever.
const secondBound = 16

// minMailboxBytes is what a mailbox holds where MaxPayload is less.
const minMailboxBytes = 1_000_000

// full reports whether a mailbox of times the configured bounds has no place for w.
// One event has its place in an empty mailbox, however large. m.mu is held.
func (m *mailbox) full(cfg *Config, times int, w *work) bool {
	most := max(cfg.Transport.MaxPayload, minMailboxBytes)
	return len(m.queue) >= cfg.Mailbox*times || m.bytes > 0 && (m.bytes+w.size)/times > most
}

// put hands an event to the socket's handlers. It blocks while the mailbox is
// full, which pauses reading from the connection; it reports false if the
// mailbox overflowed although reading could not be paused.
func (s *Socket) put(w *work) (ok bool) {
	m := &s.mailbox
	cfg := &s.ns.srv.cfg
	w.size += w.pkt.Args.Held()
	counted := false // a large event may have to wait until several have gone
	m.mu.Lock()
	for m.full(cfg, 1, w) && !m.closed {
		if m.space == nil {
			m.space = make(chan struct{})
		}
		space := m.space
		m.mu.Unlock()
		wake, _ := s.conn.paused()
		waits := s.conn.awaiting.Load() > 0
		if !waits {
			if !counted {
				s.ns.srv.stats.pauses.Add(1)
				counted = true
			}
			select {
			case <-space:
			case <-wake:
			}
		}
		m.mu.Lock()
		if waits {
			if m.full(cfg, secondBound, w) && !m.closed {
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
	m.bytes += w.size
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
	m.bytes -= w.size
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
			m.bytes -= w.size
			w.release()
		}
	}
	clear(m.queue[len(kept):])
	m.queue = kept
}
