package transport

import (
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/siod-io/siod/internal/wsframe"
	"github.com/siod-io/siod/protocol/engineio"
)

// discardMax is how much is read and thrown away from a client that goes on
// sending after our close frame.
const discardMax = 1 << 20

// readLoop is the goroutine of one WebSocket connection. It starts with a
// small stack of its own, away from the HTTP server's, and ends when the
// connection does.
func (s *Session) readLoop(c *wsConn) {
	defer s.engine.wg.Done()
	ev, over := s.readUntilEnd(c)
	if !over {
		s.engine.wg.Add(1)
		go s.readLoop(c)
		return
	}
	s.mu.Lock()
	switch {
	case s.conn == c:
		s.stepLocked(ev, "")
	case s.probe == c:
		s.stepLocked(evProbeEnd, "")
	}
	c.cut()
	s.mu.Unlock()
	c.frames.Release()
}

// readUntilEnd reads until the connection's end and names it, or until another
// goroutine should go on.
func (s *Session) readUntilEnd(c *wsConn) (ev event, over bool) {
	discarded := 0
	for {
		data, err := c.read()
		if err == errHandOver {
			return 0, false
		}
		if err != nil {
			return endOf(err), true
		}
		if c.closeSent.Load() {
			// Only the client's close frame is still of interest.
			if discarded += len(data); discarded > discardMax || closeFrameIn(c, data) {
				c.done()
				return evEnd, true
			}
			c.done()
			continue
		}
		ok := s.feed(c, data)
		c.done()
		if !ok {
			return evEnd, true
		}
		c.expect(c.frames.Partial(), s.engine.cfg.ReadTimeout)
	}
}

// endOf tells a connection's ordinary end from a failure.
func endOf(err error) event {
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed) {
		return evEnd
	}
	return evFail
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
	for {
		m, n, complete, err := c.frames.Next(data)
		if err != nil {
			s.frameError(c, err)
			return true
		}
		if !complete {
			return true
		}
		data = data[n:]
		switch m.Kind {
		case wsframe.Text:
			p, err := engineio.DecodeText(s.rev, m.Data)
			if err != nil {
				s.badPacket(c)
				continue
			}
			s.received(c, p, len(m.Data))
		case wsframe.Binary:
			p, err := engineio.DecodeBinary(s.rev, m.Data)
			if err != nil {
				s.badPacket(c)
				continue
			}
			s.received(c, p, len(m.Data))
		case wsframe.Ping:
			s.pongWebSocket(c, m.Data)
		case wsframe.Close:
			s.mu.Lock()
			c.writeControl(wsframe.AppendClose(nil, m.Code, ""))
			s.mu.Unlock()
			return false
		}
	}
}

// received handles a packet of the transport, or of a WebSocket that wants to
// become it.
func (s *Session) received(c *wsConn, p engineio.Packet, size int) {
	s.engine.stats.received.Add(1)
	s.engine.stats.bytesReceived.Add(uint64(size))
	s.mu.Lock()
	switch {
	case s.conn == c:
		s.mu.Unlock()
		s.deliver(p)
		return
	case s.probe != c: // given up meanwhile
	case p.Type == engineio.Ping && string(p.Data) == engineio.Probe:
		s.stepLocked(evProbePing, "")
	case p.Type == engineio.Upgrade:
		s.stepLocked(evProbeUpgrade, "")
	default:
		s.stepLocked(evProbeEnd, "")
	}
	s.mu.Unlock()
}

// badPacket ends the session, or only the probing WebSocket.
func (s *Session) badPacket(c *wsConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == c {
		s.stepLocked(evParseError, "")
		return
	}
	s.stepLocked(evProbeEnd, "")
}

// frameError answers a violation of the WebSocket protocol with its close code
// (RFC 6455, 7.4.1).
func (s *Session) frameError(c *wsConn, err error) {
	ce, ok := errors.AsType[*wsframe.CloseError](err)
	if !ok {
		ce = &wsframe.CloseError{Code: 1002}
	}
	s.engine.stats.violation(ce.Violation)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		c.shutCode(ce.Code, ce.Reason, s.engine.cfg.CloseTimeout)
		s.stepLocked(evProbeEnd, "")
		return
	}
	if !s.draining {
		c.shutCode(ce.Code, ce.Reason, s.engine.cfg.CloseTimeout)
	}
	s.stepLocked(evFail, "")
}

// pongWebSocket answers a ping of the WebSocket layer (RFC 6455, 5.5.3). Of
// several that cannot be answered at once only the latest is kept, so that a
// flood of pings from a client that reads nothing costs no memory.
func (s *Session) pongWebSocket(c *wsConn, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		if s.probe == c {
			c.writeControl(wsframe.AppendPong(nil, payload))
		}
		return
	}
	if s.canWrite() {
		s.writeOwn(wsframe.AppendPong(nil, payload))
		return
	}
	if s.broken || s.life.phase != phaseOpen {
		return
	}
	c.pong = append(c.pong[:0], payload...)
	s.kick()
}
