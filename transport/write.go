package transport

import (
	"time"

	"github.com/siod-io/siod/internal/wsframe"
)

// Writing to one session. All functions here want s.mu held unless they say
// otherwise, and none of them blocks but drain.

// canWrite reports whether bytes may go straight to the connection: a plain
// TCP WebSocket with nothing waiting before them.
func (s *Session) canWrite() bool {
	return s.conn != nil && s.conn.fd >= 0 && !s.draining && !s.broken &&
		len(s.rest) == 0 && s.queue.len() == 0 && s.life.phase == phaseOpen
}

// writeParts writes buf, the joined messages of parts, in one write(2). What
// the kernel does not take is kept: the rest of a frame that has begun as
// bytes, whole messages as entries of the queue, where volatile ones are
// dropped. It returns how many messages were written or queued.
func (s *Session) writeParts(buf []byte, parts []part) int {
	n, err := s.conn.write(buf)
	if n == len(buf) {
		return len(parts)
	}
	if err != nil {
		s.fail()
		return 0
	}
	taken, begin := 0, 0
	for _, p := range parts {
		switch {
		case p.end <= n:
			taken++
		case begin < n: // begun, so it must be finished, volatile or not
			s.rest = append(s.rest[:0], buf[n:p.end]...)
			taken++
		default:
			if s.enqueue(p.item) {
				taken++
			}
		}
		begin = p.end
	}
	s.kick()
	return taken
}

// writeOwn writes bytes that are one message of this session alone.
func (s *Session) writeOwn(b []byte) {
	n, err := s.conn.write(b)
	switch {
	case n == len(b):
	case err != nil:
		s.fail()
	default:
		s.rest = append(s.rest[:0], b[n:]...)
		s.kick()
	}
}

// enqueue puts a message behind what waits, within the session's bounds, and
// reports whether it was taken.
func (s *Session) enqueue(it item) bool {
	if s.life.phase != phaseOpen || s.broken {
		return false
	}
	if it.volatile && !s.writable() {
		s.engine.stats.volatileDropped.Add(1)
		return false
	}
	if it.key != "" && s.queue.conflate(it.key) {
		s.engine.stats.conflated.Add(1)
	}
	limit := &s.engine.cfg.Queue
	for !it.free && (s.queue.charged() >= limit.MaxMessages || s.queue.bytes+len(s.rest)+it.size() > limit.MaxBytes) {
		if s.queue.charged() == 0 {
			// One message above the whole bound: an empty queue takes it, or
			// it could never be sent.
			break
		}
		if s.policy == PolicyDropOldest && s.queue.dropOldest() {
			s.engine.stats.oldestDropped.Add(1)
			continue
		}
		s.overflow()
		return false
	}
	s.queue.push(it)
	s.kick()
	return true
}

// writable reports whether a volatile message would go out at once.
func (s *Session) writable() bool {
	if s.queue.len() > 0 || len(s.rest) > 0 || s.draining {
		return false
	}
	return s.conn != nil || s.life.get
}

// overflow ends a session that reads too slowly. The connection is cut and not
// closed politely: it is full.
func (s *Session) overflow() {
	if s.overflowed != "" {
		return
	}
	s.overflowed = ReasonSlowConsumer
	s.engine.stats.slowConsumers.Add(1)
	if s.conn != nil {
		s.fail()
		return
	}
	s.engine.wg.Go(func() { s.step(evFail) })
}

// fail gives the connection up; its reader notices and ends the session.
func (s *Session) fail() {
	if s.broken {
		return
	}
	s.broken = true
	s.queue, s.rest = queue{}, nil
	s.conn.cut()
}

// kick sees to it that what waits will be written.
func (s *Session) kick() {
	if s.conn == nil {
		if s.life.get {
			s.answerPoll(pollData)
		}
		return
	}
	if !s.draining && !s.broken {
		s.draining = true
		s.engine.wg.Go(s.drain)
	}
}

// drainChunk is how much drain writes in one call.
const drainChunk = 64 << 10

// drain is the goroutine that serves a connection that could not be written to
// at once: one with a remainder, or one under TLS. It ends when nothing waits
// (R12). Called without s.mu.
func (s *Session) drain() {
	buf := getBuffer()
	defer putBuffer(buf)
	for {
		s.mu.Lock()
		conn := s.conn
		closing := s.fill(buf)
		if s.broken || len(buf.b) == 0 {
			s.draining = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		_ = conn.nc.SetWriteDeadline(time.Now().Add(s.engine.cfg.WriteTimeout))
		if _, err := conn.nc.Write(buf.b); err != nil {
			s.mu.Lock()
			s.draining = false
			s.fail()
			s.mu.Unlock()
			return
		}
		if closing {
			s.mu.Lock()
			s.draining = false
			s.mu.Unlock()
			conn.finish(s.engine.cfg.CloseTimeout)
			return
		}
	}
}

// fill moves what waits into buf, about one chunk of it, and reports whether
// the close frame is in it.
func (s *Session) fill(buf *buffer) (closing bool) {
	buf.b = append(buf.b[:0], s.rest...)
	s.rest = s.rest[:0]
	if cap(s.rest) > 4096 {
		s.rest = nil
	}
	if s.conn.pong != nil {
		buf.b = wsframe.AppendPong(buf.b, s.conn.pong)
		s.conn.pong = nil
	}
	for len(buf.b) < drainChunk {
		it, ok := s.queue.pop()
		if !ok {
			break
		}
		switch it.control {
		case controlNone:
			buf.b = append(buf.b, it.msg.bytes(it.form, s.wire, s.engine.deflateAbove)...)
		case controlPing:
			buf.b = append(buf.b, pingFrame...)
		case controlPong:
			buf.b = append(buf.b, pongFrame...)
		case controlClose:
			buf.b = wsframe.AppendClose(buf.b, 0, "")
			return true
		}
	}
	return false
}

// Frames of Engine.IO packets that have no content.
var (
	pingFrame      = wsframe.AppendText(nil, []byte("2"))
	pongFrame      = wsframe.AppendText(nil, []byte("3"))
	probePongFrame = wsframe.AppendText(nil, []byte("3probe"))
)

// sendControl sends a heartbeat packet, before all that waits.
func (s *Session) sendControl(c engineControl) {
	if s.canWrite() {
		if c == controlPing {
			s.writeOwn(pingFrame)
		} else {
			s.writeOwn(pongFrame)
		}
		return
	}
	s.queue.pushFront(item{control: c})
	s.kick()
}

// closeSocket ends the WebSocket: at once if the session is closed already,
// else after what is queued.
func (s *Session) closeSocket() {
	if s.conn.closeSent.Load() {
		return
	}
	if s.life.phase == phaseClosed {
		if s.broken || s.draining {
			s.fail() // full: there is no room for politeness
			return
		}
		s.broken = true
		s.conn.shut(s.engine.cfg.CloseTimeout)
		return
	}
	s.queue.push(item{control: controlClose})
	s.kick()
}
