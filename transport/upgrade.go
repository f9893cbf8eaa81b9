package transport

import (
	"net/http"

	"github.com/siod-io/siod/internal/wsframe"
	"github.com/siod-io/siod/protocol/engineio"
)

// handshakePolling opens a session over long polling. What the handler sent in
// Open rides in the same response, the root namespace's CONNECT of old
// clients, for one.
func (e *Engine) handshakePolling(w http.ResponseWriter, r *http.Request, q *query) {
	s := e.newSession(r, q)
	s.poll = newPoll()
	if !e.reserve() {
		e.refuse(w, r, errFull("MaxSessions"))
		return
	}
	e.register(s)
	if err := e.open(s); err != nil {
		e.refuse(w, r, refusedByHandler(err))
		return
	}
	buf := getBuffer()
	defer putBuffer(buf)
	s.mu.Lock()
	p := s.payload(s.openRecord(buf.b[:0], q, e.upgrades()), q, pollWait)
	s.mu.Unlock()
	contentType := p.finish(q)
	buf.b = p.dst
	h := w.Header()
	e.cookie(h, s)
	if e.cfg.InitialHeaders != nil {
		e.cfg.InitialHeaders(h, r)
	}
	// Never compressed: the body holds the session id (BREACH).
	if err := e.respond(w, r, contentType, buf.b, false); err != nil {
		s.step(evFail)
	}
}

// openRecord appends the open packet to a polling payload.
func (s *Session) openRecord(dst []byte, q *query, upgrades []string) []byte {
	open := engineio.AppendOpen(nil, s.engine.openPacket(s, upgrades))
	return appendRecord(dst, s.pollWire(q), engineio.Packet{Type: engineio.Open, Data: open[1:]})
}

func (e *Engine) openPacket(s *Session, upgrades []string) engineio.Handshake {
	return engineio.Handshake{
		SID: s.id, Upgrades: upgrades,
		PingInterval: e.cfg.PingInterval, PingTimeout: e.cfg.PingTimeout, MaxPayload: e.cfg.MaxPayload,
	}
}

func (e *Engine) upgrades() []string {
	if e.ws && !e.cfg.DisableUpgrades {
		return []string{WebSocket}
	}
	return nil
}

// handshakeWebSocket opens a session on a WebSocket. The 101 and the open
// packet leave in one write.
func (e *Engine) handshakeWebSocket(w http.ResponseWriter, r *http.Request, q *query) {
	accept, re := webSocketAccept(r)
	if re != nil {
		e.refuse(w, r, re)
		return
	}
	s := e.newSession(r, q)
	if !e.reserve() {
		e.refuse(w, r, errFull("MaxSessions"))
		return
	}
	var c *wsConn
	defer func() {
		if c == nil { // not only for err: a function of the configuration may panic
			e.count.Add(-1)
		}
	}()
	h := make(http.Header)
	if e.cfg.InitialHeaders != nil {
		e.cfg.InitialHeaders(h, r)
	}
	open := engineio.AppendOpen(nil, e.openPacket(s, nil))
	var early []byte
	var err error
	if c, early, err = e.accept(w, r, accepting{header: h, key: accept, rev: s.rev, base64: q.base64, first: wsframe.AppendText(nil, open)}); err != nil {
		return
	}
	s.conn = c
	e.register(s)
	e.wg.Add(1)
	go s.openWebSocket(c, early)
}

// openWebSocket is the start of the connection's goroutine.
func (s *Session) openWebSocket(c *wsConn, early []byte) {
	_ = s.engine.open(s) // one that is refused is closing; readLoop sees it end
	s.readLoop(c, early)
}

// open announces a session to the handler. A session that is refused is over
// when it returns.
func (e *Engine) open(s *Session) (err error) {
	defer func() {
		if r := recover(); r != nil {
			e.panicked(r)
			err = errPanicked
		}
		if err != nil {
			s.Abort(ReasonForcedClose)
			return
		}
		s.openDone()
	}()
	return e.handler.Open(s)
}

// upgradeWebSocket attaches a WebSocket to a polling session. A session that
// has one already, or is getting one, keeps it: the new connection is accepted
// and closed, which tells the client more than a refusal.
func (e *Engine) upgradeWebSocket(w http.ResponseWriter, r *http.Request, s *Session, q *query) {
	accept, re := webSocketAccept(r)
	if re != nil {
		e.refuse(w, r, re)
		return
	}
	if e.cfg.DisableUpgrades {
		e.refuse(w, r, &RequestError{Code: CodeBadRequest, Context: "upgrades are disabled"})
		return
	}
	// Before the 101: of two connections the one that the client saw accepted
	// first must be the one that probes.
	again := s.step(evProbeOpen)&actTryAgain != 0
	c, early, err := e.accept(w, r, accepting{header: make(http.Header), key: accept, rev: s.rev, base64: q.base64})
	s.mu.Lock()
	switch {
	case err != nil:
		if !again {
			s.stepLocked(evProbeEnd, "")
		}
		s.mu.Unlock()
		return
	case again || s.life.probe == probeNone: // the session has one, or ended meanwhile
		s.shut(c)
	default:
		s.startProbe(c)
	}
	s.mu.Unlock()
	e.wg.Add(1)
	go s.readLoop(c, early)
}
