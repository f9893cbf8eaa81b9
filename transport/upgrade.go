package transport

import (
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/siod-io/siod/internal/wsframe"
	"github.com/siod-io/siod/protocol/engineio"
)

// handshakePolling opens a session over long polling. What the handler queued
// in Open rides in the same response, the root namespace's CONNECT of old
// clients, for one.
func (e *Engine) handshakePolling(w http.ResponseWriter, r *http.Request, q *query) {
	s := e.newSession(r, q)
	if !e.admit(s, false) {
		e.refuseFull(w, r)
		return
	}
	s.mu.Lock()
	s.wire = s.pollWire(q)
	s.mu.Unlock()
	if err := e.open(s); err != nil {
		s.Abort(ReasonForcedClose)
		e.refuse(w, r, &RequestError{Code: CodeForbidden, Message: err.Error(), Context: "refused by the handler"})
		return
	}
	buf := getBuffer()
	defer putBuffer(buf)
	s.mu.Lock()
	p := payloadWriter{rev: s.rev, wire: s.pollWire(q), dst: buf.b[:0]}
	p.open(engineio.Handshake{
		SID: s.id, Upgrades: e.upgrades(), PingInterval: e.cfg.PingInterval, PingTimeout: e.cfg.PingTimeout, MaxPayload: e.cfg.MaxPayload,
	})
	for s.queue.len() > 0 {
		it, _ := s.queue.pop()
		if it.control == controlNone {
			p.message(it, e.deflateAbove)
		}
	}
	buf.b = p.dst
	contentType := p.finish(buf, q)
	s.mu.Unlock()
	e.cookie(w, r, s)
	if e.cfg.InitialHeaders != nil {
		e.cfg.InitialHeaders(w.Header(), r)
	}
	// Never compressed: the body holds the session id (BREACH).
	if err := e.respond(w, r, s, contentType, buf.b, false); err != nil {
		s.step(evGetAbort)
	}
}

func (p *payloadWriter) open(h engineio.Handshake) {
	data := engineio.AppendOpen(nil, h)[1:]
	pk := engineio.Packet{Type: engineio.Open, Data: data}
	switch p.wire {
	case wirePoll4:
		p.dst = engineio.AppendPayload4(p.dst, pk)
	case wirePoll3:
		p.dst = engineio.AppendPayload3(p.dst, pk)
	default:
		p.dst = engineio.AppendPayload3Binary(p.dst, pk)
	}
}

func (e *Engine) upgrades() []string {
	if e.ws && !e.cfg.DisableUpgrades {
		return []string{WebSocket}
	}
	return nil
}

func (e *Engine) refuseFull(w http.ResponseWriter, r *http.Request) {
	e.refuse(w, r, &RequestError{Code: CodeForbidden, Status: http.StatusServiceUnavailable, Message: "Server is full", Context: "MaxSessions, or shutting down"})
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
	if !e.admit(s, true) {
		e.refuseFull(w, r)
		return
	}
	open := wsframe.AppendText(nil, engineio.AppendOpen(nil, engineio.Handshake{
		SID: s.id, PingInterval: e.cfg.PingInterval, PingTimeout: e.cfg.PingTimeout, MaxPayload: e.cfg.MaxPayload,
	}))
	h := make(http.Header)
	if e.cfg.InitialHeaders != nil {
		e.cfg.InitialHeaders(h, r)
	}
	c, err := e.accept(w, r, h, accept, open)
	s.mu.Lock()
	if err != nil || s.life.phase != phaseOpen {
		s.life.websocket = false // there is none to close
		s.stepLocked(evFail, "")
		if c != nil {
			c.cut()
		}
		s.mu.Unlock()
		return
	}
	s.conn, s.wire = c, e.webSocketWire(s, c)
	s.mu.Unlock()
	e.wg.Add(1)
	go e.openWebSocket(s, c)
}

// openWebSocket is the start of the connection's goroutine.
func (e *Engine) openWebSocket(s *Session, c *wsConn) {
	if err := e.open(s); err != nil {
		s.Close(ReasonForcedClose)
	}
	s.readLoop(c)
}

// upgradeWebSocket attaches a WebSocket to a polling session. A session that
// has one already, or is getting one, keeps it: the new connection is accepted
// and closed, which tells the client more than a refusal.
func (e *Engine) upgradeWebSocket(w http.ResponseWriter, r *http.Request, s *Session) {
	accept, re := webSocketAccept(r)
	if re != nil {
		e.refuse(w, r, re)
		return
	}
	if e.cfg.DisableUpgrades {
		e.refuse(w, r, &RequestError{Code: CodeBadRequest, Context: "upgrades are disabled"})
		return
	}
	c, err := e.accept(w, r, make(http.Header), accept, nil)
	if err != nil {
		return
	}
	s.mu.Lock()
	if s.life.step(evProbeOpen, e.now())&actTryAgain != 0 {
		c.writeControl(wsframe.AppendClose(nil, 0, ""))
		c.cut()
		s.mu.Unlock()
		return
	}
	s.probe = c
	s.apply(actArmUpgrade)
	s.mu.Unlock()
	e.wg.Add(1)
	go s.readLoop(c)
}

// webSocketAccept checks a WebSocket handshake and computes the answer to its
// challenge (RFC 6455, 4.2.1 and 4.2.2).
func webSocketAccept(r *http.Request) (string, *RequestError) {
	bad := func(context string) (string, *RequestError) {
		return "", &RequestError{Code: CodeBadRequest, Context: context}
	}
	if r.Method != http.MethodGet || !r.ProtoAtLeast(1, 1) || r.ProtoMajor != 1 {
		return bad("WebSocket needs GET and HTTP/1.1")
	}
	if v := r.Header["Sec-Websocket-Version"]; len(v) != 1 || v[0] != "13" {
		return bad("Sec-WebSocket-Version is not 13")
	}
	key := r.Header["Sec-Websocket-Key"]
	if len(key) != 1 {
		return bad("Sec-WebSocket-Key missing or repeated")
	}
	if k, err := base64.StdEncoding.DecodeString(key[0]); err != nil || len(k) != 16 {
		return bad("Sec-WebSocket-Key is not 16 bytes in base64")
	}
	sum := sha1.Sum([]byte(key[0] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

// accept takes the connection over from the HTTP server and writes the 101
// with the given frames behind it.
func (e *Engine) accept(w http.ResponseWriter, r *http.Request, h http.Header, accept string, frames []byte) (*wsConn, error) {
	deflate := false
	if e.cfg.PerMessageDeflate.Enabled {
		var ext string
		if ext, deflate = wsframe.NegotiateDeflate(r.Header["Sec-Websocket-Extensions"]); deflate {
			h.Set("Sec-WebSocket-Extensions", ext)
		}
	}
	e.responseHeaders(h, r)
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	_ = nc.SetDeadline(time.Time{})
	// The client may have sent frames behind its request already. The server's
	// buffers are let go: they would cost 8 KB for each idle connection.
	early := takeBuffered(rw.Reader.Buffered(), rw)
	head := getBuffer()
	defer putBuffer(head)
	b := append(head.b[:0], "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = append(append(b, accept...), "\r\n"...)
	for k, vs := range h {
		for _, v := range vs {
			if validHeaderText(v) {
				b = append(append(append(append(b, k...), ": "...), v...), "\r\n"...)
			}
		}
	}
	b = append(append(b, "\r\n"...), frames...)
	head.b = b
	_ = nc.SetWriteDeadline(time.Now().Add(e.cfg.WriteTimeout))
	if _, err := nc.Write(b); err != nil {
		_ = nc.Close()
		return nil, err
	}
	_ = nc.SetWriteDeadline(time.Time{})
	return newWSConn(nc, early, wsframe.Config{MaxMessage: int64(e.cfg.MaxPayload), Deflate: deflate, Server: true}), nil
}

func takeBuffered(n int, r interface{ Read([]byte) (int, error) }) []byte {
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	n, _ = r.Read(b)
	return b[:n]
}

// webSocketWire is the form in which a session's messages go over c.
func (e *Engine) webSocketWire(s *Session, c *wsConn) wire {
	w := wireWS4
	switch {
	case s.rev == engineio.V3 && s.base64:
		w = wireWS3Base64
	case s.rev == engineio.V3:
		w = wireWS3
	}
	if c.deflate {
		w += wireDeflateOffset
	}
	return w
}

// cutConnection ends the session's connection at once, whatever its state.
func (s *Session) cutConnection() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range []*wsConn{s.conn, s.probe} {
		if c != nil {
			c.cut()
		}
	}
}
