package transport

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/siod-io/siod/protocol/engineio"
)

// pollEnd is with what a pending poll is answered; a later value outranks an
// earlier one.
type pollEnd uint8

const (
	pollWait  pollEnd = iota
	pollData          // what is queued
	pollNoop          // what is queued, else a noop
	pollClose         // what is queued, and a close packet
)

// answerPoll wakes the pending poll; s.mu is held.
func (s *Session) answerPoll(end pollEnd) {
	if s.pollEnd = max(s.pollEnd, end); s.poll == nil {
		s.poll = make(chan struct{}, 1)
	}
	select {
	case s.poll <- struct{}{}:
	default:
	}
}

// servePoll answers a GET: at once if something is queued, else when there is.
func (e *Engine) servePoll(w http.ResponseWriter, r *http.Request, s *Session, q *query) {
	s.mu.Lock()
	act := s.stepLocked(evGet, "")
	if act&actReject != 0 {
		s.mu.Unlock()
		e.refuse(w, r, &RequestError{Code: CodeBadRequest, Context: "overlapping poll, or the session left polling"})
		return
	}
	if s.poll == nil {
		s.poll = make(chan struct{}, 1)
	}
	if s.queue.len() > 0 {
		s.answerPoll(pollData)
	}
	wake := s.poll
	s.mu.Unlock()
	select {
	case <-wake:
	case <-r.Context().Done():
		s.step(evGetAbort)
		return
	}
	buf := getBuffer()
	defer putBuffer(buf)
	s.mu.Lock()
	contentType := s.payload(buf, q)
	s.stepLocked(evGetEnd, "")
	s.mu.Unlock()
	if err := e.respond(w, r, s, contentType, buf.b, true); err != nil {
		s.step(evGetAbort)
	}
}

// payload moves what is queued into buf as one polling payload and returns its
// content type; s.mu is held.
func (s *Session) payload(buf *buffer, q *query) (contentType string) {
	end := s.pollEnd
	s.pollEnd = pollWait
	select {
	case <-s.poll: // woken twice for what is taken now
	default:
	}
	p := payloadWriter{rev: s.rev, wire: s.pollWire(q), dst: buf.b[:0]}
	empty := s.queue.len() == 0
	for {
		it, ok := s.queue.pop()
		if !ok {
			break
		}
		switch it.control {
		case controlNone:
			p.message(it, s.engine.deflateAbove)
		case controlPing:
			p.packet(engineio.Ping)
		case controlPong:
			p.packet(engineio.Pong)
		}
	}
	switch {
	case end == pollClose:
		p.packet(engineio.Close)
	case end == pollNoop && empty:
		p.packet(engineio.Noop)
	}
	buf.b = p.dst
	return p.finish(buf, q)
}

// pollWire is the record form of this response. The binary form of revision 3
// is only used when a queued packet is binary, as the reference server does.
func (s *Session) pollWire(q *query) wire {
	if s.rev == engineio.V4 {
		return wirePoll4
	}
	if !s.base64 && q.jsonp == "" {
		for i := s.queue.head; i < len(s.queue.items); i++ {
			if m := s.queue.items[i].msg; m != nil && len(m.Frames(s.queue.items[i].form).Binary) > 0 {
				return wirePoll3Binary
			}
		}
	}
	return wirePoll3
}

// payloadWriter joins records into one payload.
type payloadWriter struct {
	rev  engineio.Revision
	wire wire
	dst  []byte
}

const recordSeparator = 0x1e // of revision 4

func (p *payloadWriter) message(it item, deflateAbove int) {
	if p.wire == wirePoll4 && len(p.dst) > 0 {
		p.dst = append(p.dst, recordSeparator)
	}
	p.dst = append(p.dst, it.msg.bytes(it.form, p.wire, deflateAbove)...)
}

func (p *payloadWriter) packet(t engineio.Type) {
	pk := engineio.Packet{Type: t}
	switch p.wire {
	case wirePoll4:
		p.dst = engineio.AppendPayload4(p.dst, pk)
	case wirePoll3:
		p.dst = engineio.AppendPayload3(p.dst, pk)
	default:
		p.dst = engineio.AppendPayload3Binary(p.dst, pk)
	}
}

const (
	typeText   = "text/plain; charset=UTF-8"
	typeBinary = "application/octet-stream"
	typeScript = "text/javascript; charset=UTF-8"
)

func (p *payloadWriter) finish(buf *buffer, q *query) string {
	if p.wire == wirePoll3Binary {
		return typeBinary
	}
	if q.jsonp != "" {
		buf.b = engineio.AppendJSONP(nil, q.jsonp, buf.b)
		return typeScript
	}
	return typeText
}

// servePost takes a client's packets.
func (e *Engine) servePost(w http.ResponseWriter, r *http.Request, s *Session, q *query) {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		http.Error(w, "request bodies must not be compressed", http.StatusUnsupportedMediaType)
		return
	}
	if r.ContentLength > int64(e.cfg.MaxPayload) {
		e.tooLarge(w)
		return
	}
	if s.step(evPost)&actReject != 0 {
		e.refuse(w, r, &RequestError{Code: CodeBadRequest, Context: "overlapping POST, or the session left polling"})
		return
	}
	defer s.step(evPostEnd)
	binary := strings.HasPrefix(r.Header.Get("Content-Type"), typeBinary)
	if binary && s.rev == engineio.V4 {
		// Revision 4 has no binary payload.
		s.step(evFail)
		e.refuse(w, r, &RequestError{Code: CodeBadRequest, Context: "binary body in revision 4"})
		return
	}
	buf := getBuffer()
	defer putBuffer(buf)
	if err := e.readBody(w, r, buf); err != nil {
		if errors.Is(err, errTooLarge) {
			e.tooLarge(w)
			return
		}
		s.step(evFail)
		e.refuse(w, r, &RequestError{Code: CodeBadRequest, Context: "body: " + err.Error()})
		return
	}
	e.stats.bytesReceived.Add(uint64(len(buf.b)))
	if err := s.receivePayload(buf.b, binary, q); err != nil {
		s.step(evParseError)
	}
	// The answer is the same for a bad packet: the session's end says it.
	h := w.Header()
	h.Set("Content-Type", "text/html")
	h.Set("Content-Length", "2")
	e.commonHeaders(w, r)
	_, _ = w.Write(okBody)
}

var okBody = []byte("ok")

func (s *Session) receivePayload(body []byte, binary bool, q *query) error {
	if q.jsonp != "" {
		d, err := engineio.FormData(body)
		if err != nil {
			return err
		}
		body = engineio.DecodeJSONPBody(d)
	}
	yield := func(p engineio.Packet) error {
		s.engine.stats.received.Add(1)
		s.deliver(p)
		if !s.isOpen() {
			return errSessionOver
		}
		return nil
	}
	var err error
	switch {
	case s.rev == engineio.V4:
		err = engineio.DecodePayload4(body, yield)
	case binary:
		err = engineio.DecodePayload3Binary(body, yield)
	default:
		err = s.payload3.DecodeText(body, yield)
	}
	if errors.Is(err, errSessionOver) {
		return nil
	}
	return err
}

var (
	errSessionOver = errors.New("transport: the session is over")
	errTooLarge    = errors.New("transport: body larger than MaxPayload")
)

// readBody reads a POST's body into buf, which grows with the bytes received
// and never with the length announced.
func (e *Engine) readBody(w http.ResponseWriter, r *http.Request, buf *buffer) error {
	rc := http.NewResponseController(w)
	buf.b = buf.b[:0]
	for {
		if len(buf.b) == cap(buf.b) {
			buf.b = append(buf.b, 0)[:len(buf.b)]
		}
		// The server sets the deadline anew for the next request.
		_ = rc.SetReadDeadline(time.Now().Add(e.cfg.ReadTimeout))
		n, err := r.Body.Read(buf.b[len(buf.b):cap(buf.b)])
		buf.b = buf.b[:len(buf.b)+n]
		if len(buf.b) > e.cfg.MaxPayload {
			return errTooLarge
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (e *Engine) tooLarge(w http.ResponseWriter) {
	e.stats.tooLarge.Add(1)
	w.Header().Set("Connection", "close")
	http.Error(w, "payload larger than "+strconv.Itoa(e.cfg.MaxPayload)+" bytes", http.StatusRequestEntityTooLarge)
}

// respond writes a payload with the headers of a polling response.
func (e *Engine) respond(w http.ResponseWriter, r *http.Request, s *Session, contentType string, body []byte, compress bool) error {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	if contentType == typeScript {
		h.Set("X-Content-Type-Options", "nosniff")
	}
	e.commonHeaders(w, r)
	if compress && e.compressible(r, body) {
		z := getBuffer()
		defer putBuffer(z)
		if enc, ok := compressBody(z, r.Header.Get("Accept-Encoding"), body); ok {
			h.Set("Content-Encoding", enc)
			h.Add("Vary", "Accept-Encoding")
			body = z.b
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if len(body) <= smallBody {
		_, err := w.Write(body)
		return err
	}
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Now().Add(e.cfg.WriteTimeout))
	if _, err := w.Write(body); err != nil {
		return err
	}
	if err := rc.Flush(); err != nil {
		return err
	}
	// The connection may serve other handlers next, so the deadline must not stay.
	_ = rc.SetWriteDeadline(time.Time{})
	return nil
}

// smallBody is what the kernel's send buffer takes without waiting for the
// client, so that no write deadline is needed.
const smallBody = 2048
