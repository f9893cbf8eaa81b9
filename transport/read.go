package transport

import (
	"errors"
	"time"

	"github.com/siod-io/siod/internal/wsframe"
	"github.com/siod-io/siod/protocol/engineio"
)

// discardMax is how much is read and thrown away from a client that goes on
// sending after our close frame.
const discardMax = 1 << 20

// readLoop is the goroutine of one WebSocket connection. It starts with a
// small stack of its own, away from the HTTP server's, and ends when the
// connection does, or when another goroutine takes its place (see pace). early
// is what came together with the handshake request. The caller has added it to
// the engine's wait group.
func (s *Session) readLoop(c *wsConn, early []byte) {
	defer s.engine.wg.Done()
	ev, over := s.readUntilEnd(c, early)
	if !over {
		s.engine.wg.Add(1)
		go s.readLoop(c, nil)
		return
	}
	s.mu.Lock()
	c.gone()
	s.connEnded(c, ev)
	s.mu.Unlock()
	s.engine.unlinger(c)
	// Without the mutex: a TLS connection says farewell here, which may take
	// as long as its buffer is full.
	_ = c.nc.Close()
	c.frames.Release()
}

// readUntilEnd reads until the connection's end and names it, or until another
// goroutine should go on.
func (s *Session) readUntilEnd(c *wsConn, early []byte) (ev event, over bool) {
	if len(early) > 0 && !s.feed(c, early) {
		return evEnd, true
	}
	for {
		if c.deadline || c.frames.Partial() {
			s.expect(c)
		}
		data, err := c.read()
		if err == errHandOver {
			return 0, false
		}
		if err != nil {
			return endOf(err), true
		}
		more := true
		if c.shut.Load() {
			// Only the client's close frame is still of interest.
			c.excess += int32(len(data))
			more = c.excess <= discardMax && !closeFrameIn(c, data)
		} else {
			more = s.feed(c, data)
		}
		c.done()
		if !more {
			return evEnd, true
		}
	}
}

// expect arms a read deadline while a message is incomplete and disarms it
// between messages, where the heartbeat watches. The deadline of a close
// handshake is left alone.
func (s *Session) expect(c *wsConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.state >= connShut {
		return
	}
	c.deadline = c.frames.Partial()
	var t time.Time
	if c.deadline {
		t = time.Now().Add(s.engine.cfg.ReadTimeout)
	}
	_ = c.nc.SetReadDeadline(t)
}

func closeFrameIn(c *wsConn, data []byte) bool {
	for {
		m, n, ok, err := c.frames.Next(data)
		if err != nil || !ok {
			return false
		}
		if m.Kind == wsframe.Close {
			return true
		}
		data = data[n:]
	}
}

// feed processes the bytes of one read. It reports false when the client
// closed the connection.
func (s *Session) feed(c *wsConn, data []byte) bool {
	pinged := false
	for {
		m, n, complete, err := c.frames.Next(data)
		if err != nil {
			s.frameError(c, err)
			return true
		}
		if pinged && (!complete || m.Kind != wsframe.Ping) {
			// Of several pings in a row only the latest needs an answer (RFC
			// 6455, 5.5.3): a flood of them costs one write for each read.
			pinged = false
			s.pong(c)
		}
		if !complete {
			return true
		}
		data = data[n:]
		switch m.Kind {
		case wsframe.Text:
			p, err := engineio.DecodeText(s.rev, m.Data)
			s.received(c, p, err, len(m.Data))
		case wsframe.Binary:
			p, err := engineio.DecodeBinary(s.rev, m.Data)
			s.received(c, p, err, len(m.Data))
		case wsframe.Ping:
			pinged = true
			s.mu.Lock()
			c.pong = append(c.pong[:0], m.Data...)
			s.mu.Unlock()
		case wsframe.Close:
			s.closedByClient(c, m.Code)
			return false
		}
	}
}

// pong answers the latest ping of RFC 6455, 5.5.3.
func (s *Session) pong(c *wsConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.state == connOpen {
		c.owed |= owePong
		s.settle(c)
	}
}

// received handles a packet of the transport, or of a WebSocket that wants to
// become it. bad is why it could not be decoded.
func (s *Session) received(c *wsConn, p engineio.Packet, bad error, size int) {
	s.engine.stats.received.Add(1)
	s.engine.stats.bytesReceived.Add(uint64(size))
	message := false
	s.mu.Lock()
	switch {
	case s.conn == c:
		if bad != nil {
			s.stepLocked(evParseError, "")
		} else {
			message = s.receive(p)
		}
	case s.probe != c: // given up meanwhile
	case bad == nil && p.Type == engineio.Ping && string(p.Data) == engineio.Probe:
		s.stepLocked(evProbePing, "")
	case bad == nil && p.Type == engineio.Upgrade:
		s.stepLocked(evProbeUpgrade, "")
	default:
		s.stepLocked(evProbeEnd, "")
	}
	since := s.life.seen
	s.mu.Unlock()
	if message {
		s.deliver(p, since)
	}
}

// frameError answers a violation of the WebSocket protocol with its close code
// (RFC 6455, 7.4.1).
func (s *Session) frameError(c *wsConn, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.state != connOpen {
		return
	}
	c.failed, c.closeCode = true, 1002
	if ce, ok := errors.AsType[*wsframe.CloseError](err); ok {
		c.closeCode = ce.Code
		s.engine.stats.violation(ce.Violation)
	}
	s.connEnded(c, evFail)
}

// closedByClient returns the client's close frame, unless something is being
// written; the connection ends in any case.
func (s *Session) closedByClient(c *wsConn, code uint16) {
	frame := wsframe.AppendClose(nil, code, "")
	s.mu.Lock()
	if c.ready() {
		_, _ = c.write(frame)
	}
	mine := c.fd < 0 && c.state == connOpen && !c.draining
	c.draining = c.draining || mine
	s.mu.Unlock()
	if mine {
		_ = c.nc.SetWriteDeadline(time.Now().Add(s.engine.cfg.CloseTimeout))
		_, _ = c.nc.Write(frame)
	}
}
