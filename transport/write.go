package transport

import (
	"time"

	"github.com/siod-io/siod/internal/wsframe"
)

// Writing to one session. All functions here want s.mu held unless they say
// otherwise, and none of them blocks but drain.

// canWrite reports whether bytes may go straight to the connection: a raw
// WebSocket with nothing waiting before them. While something is queued for
// one, it is draining.
func (s *Session) canWrite() bool { return s.conn != nil && s.conn.ready() }

// writeParts writes buf, the joined messages of parts, in one write(2). What
// the kernel does not take is kept: the rest of a frame that has begun as
// bytes, whole messages as entries of the queue, volatile ones not at all. It
// returns how many messages were written or queued, and how many bytes were
// written.
func (s *Session) writeParts(buf []byte, parts []part) (taken, n int) {
	c := s.conn
	n, err := c.write(buf)
	if n == len(buf) {
		return len(parts), n
	}
	if err != nil {
		s.lose(c, err)
		return 0, 0
	}
	begin := 0
	for _, p := range parts {
		switch {
		case p.end <= n:
			taken++
		case begin < n: // begun, so it must be finished, volatile or not
			c.out = append(c.out, buf[n:p.end]...)
			taken++
		case s.enqueue(p.item):
			taken++
		}
		begin = p.end
	}
	s.kick()
	return taken, n
}

// writeOwn writes the bytes of one packet of this session alone, and reports
// whether the connection is alive.
func (s *Session) writeOwn(b []byte) bool {
	c := s.conn
	n, err := c.write(b)
	s.shard.sent.Add(uint64(n))
	switch {
	case n == len(b):
		return true
	case err != nil:
		s.lose(c, err)
		return false
	}
	c.out = append(c.out, b[n:]...)
	s.kick()
	return true
}

// enqueue puts a message behind what waits, within the session's bounds, and
// reports whether it was taken.
func (s *Session) enqueue(it item) bool {
	if s.life.phase != phaseOpen {
		return false
	}
	if it.volatile && !s.prompt() {
		s.engine.stats.volatileDropped.Add(1)
		return false
	}
	if it.key != "" && s.queue.conflate(it.key) {
		s.engine.stats.conflated.Add(1)
	}
	// An empty queue takes a message above the whole bound: it could never be
	// sent otherwise.
	size := it.size()
	for !it.free && s.queue.charged() > 0 && s.overBounds(size) {
		if !s.dropOldest {
			s.overflow()
			s.engine.stats.unsent.Add(1)
			return false
		}
		s.queue.drop()
		s.engine.stats.oldestDropped.Add(1)
	}
	s.queue.push(it)
	s.kick()
	return true
}

func (s *Session) overBounds(more int) bool {
	limit := &s.engine.cfg.Queue
	bytes := s.queue.bytes + more
	if s.conn != nil {
		bytes += len(s.conn.out)
	}
	return s.queue.charged() >= limit.MaxMessages || bytes > limit.MaxBytes
}

// prompt reports whether a volatile message that is queued now would go out
// without waiting for the client.
func (s *Session) prompt() bool {
	if s.conn == nil {
		return s.life.get && s.queue.len() == 0
	}
	// Without raw writes everything passes through the drain goroutine. One
	// chunk of it is what the kernel's buffer takes anyway.
	return s.conn.fd < 0 && s.queue.bytes < drainChunk
}

// overflow ends a session that reads too slowly. The connection is cut and not
// closed politely: it is full.
func (s *Session) overflow() {
	s.engine.stats.slowConsumers.Add(1)
	if s.conn != nil {
		s.conn.cut()
	}
	s.stepLocked(evFail, ReasonSlowConsumer)
}

// lose gives up a connection that failed while writing.
func (s *Session) lose(c *wsConn, err error) {
	c.cut()
	s.connEnded(c, endOf(err))
}

// connEnded tells the life cycle what the end of a connection means to it.
func (s *Session) connEnded(c *wsConn, ev event) {
	switch c {
	case s.conn:
		s.stepLocked(ev, "")
	case s.probe:
		s.stepLocked(evProbeEnd, "")
	}
}

// heartbeat sends an Engine.IO heartbeat packet, before all that waits.
func (s *Session) heartbeat(h heartbeats) {
	if s.canWrite() {
		if h == duePing {
			s.writeOwn(pingFrame)
		} else {
			s.writeOwn(pongFrame)
		}
		return
	}
	s.heartbeats |= h
	s.kick()
}

// settle sends the control frames that c owes, behind at most the rest of a
// frame.
func (s *Session) settle(c *wsConn) {
	if !c.ready() {
		s.drainConn(c)
		return
	}
	buf := getBuffer()
	defer putBuffer(buf)
	buf.b = c.appendOwed(buf.b[:0])
	n, err := c.write(buf.b)
	switch {
	case err != nil:
		s.lose(c, err)
	case n < len(buf.b):
		c.out = append(c.out, buf.b[n:]...)
		s.drainConn(c)
	}
}

// kick sees to it that what waits will be written.
func (s *Session) kick() {
	switch {
	case s.conn != nil:
		s.drainConn(s.conn)
	case s.life.get:
		s.poll.answer(pollData)
	}
}

// drainConn starts the goroutine that writes what waits for c.
func (s *Session) drainConn(c *wsConn) {
	if !c.draining && c.state != connCut {
		c.draining = true
		s.engine.wg.Go(func() { s.drain(c) })
	}
}

// drainChunk is about how much drain writes in one call.
const drainChunk = 64 << 10

// drain is the goroutine that serves a connection that could not be written to
// at once: one with a remainder, or one that has no raw descriptor. It ends
// when nothing waits (R12). Called without s.mu.
func (s *Session) drain(c *wsConn) {
	buf := getBuffer()
	defer putBuffer(buf)
	for {
		s.mu.Lock()
		last, failed := s.fill(c, buf), c.failed
		if c.state == connCut || len(buf.b) == 0 {
			c.draining = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		_ = c.nc.SetWriteDeadline(time.Now().Add(s.engine.cfg.WriteTimeout))
		n, err := c.nc.Write(buf.b)
		s.shard.sent.Add(uint64(n))
		if err == nil && !last {
			continue
		}
		if err == nil && failed {
			c.halfClose()
		}
		s.mu.Lock()
		c.draining = false
		if err != nil {
			s.lose(c, err)
		} else if c.state != connCut {
			c.finish(s.engine.cfg.CloseTimeout)
		}
		s.mu.Unlock()
		return
	}
}

// fill moves what waits for c into buf, about one chunk of it, and reports
// whether the close frame is in it.
func (s *Session) fill(c *wsConn, buf *buffer) (last bool) {
	buf.b = append(buf.b[:0], c.out...)
	c.out = nil
	buf.b = c.appendOwed(buf.b)
	if c == s.conn {
		s.fillMessages(buf)
	}
	if c.state == connClosing && (c != s.conn || s.queue.len() == 0) {
		buf.b = wsframe.AppendClose(buf.b, c.closeCode, "")
		return true
	}
	return false
}

func (s *Session) fillMessages(buf *buffer) {
	if s.heartbeats&duePing != 0 {
		buf.b = append(buf.b, pingFrame...)
	}
	if s.heartbeats&duePong != 0 {
		buf.b = append(buf.b, pongFrame...)
	}
	s.heartbeats = 0
	for len(buf.b) < drainChunk {
		it, ok := s.queue.pop()
		if !ok {
			return
		}
		buf.b = append(buf.b, it.msg.bytes(it.form, s.conn.wire, s.engine.deflateAbove)...)
	}
}
