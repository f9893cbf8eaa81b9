package transport

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/siod-io/siod/protocol/engineio"
)

// servePost takes a client's packets.
func (e *Engine) servePost(w http.ResponseWriter, r *http.Request, s *Session, q *query) {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		e.refuse(w, r, &RequestError{Code: CodeBadRequest, Status: http.StatusUnsupportedMediaType, Context: "Content-Encoding " + clip(enc)})
		return
	}
	if r.ContentLength > int64(e.cfg.MaxPayload) {
		e.tooLarge(w, r)
		return
	}
	switch act, again := s.beginPost(q.stamp); {
	case again:
		e.answerPost(w, r, e.repeatPost(w, r, s, q.stamp))
		return
	case act&actReject != 0:
		e.refuse(w, r, &RequestError{Code: CodeBadRequest, Context: "overlapping POST, or the session left polling"})
		return
	}
	err := e.receivePost(w, r, s, q)
	// Before the answer, upon which the client may send the next one.
	s.endPost(err)
	e.answerPost(w, r, err)
}

// answerPost tells the client whether its packets were taken.
func (e *Engine) answerPost(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case err == nil:
		e.accepted(w, r)
	case errors.Is(err, errTooLarge):
		e.tooLarge(w, r)
	case errors.Is(err, errPostLasts):
		e.refuse(w, r, &RequestError{Code: CodeBadRequest, Status: http.StatusGatewayTimeout, Context: err.Error()})
	default:
		e.refuse(w, r, &RequestError{Code: CodeBadRequest, Context: err.Error()})
	}
}

// beginPost tells the life cycle of a POST, unless it is one that was taken
// already.
func (s *Session) beginPost(stamp uint64) (act actions, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.poll != nil && s.life.phase != phaseClosed && !s.life.websocket && s.poll.retry.posted(stamp) {
		return 0, true
	}
	if act = s.stepLocked(evPost, ""); act&actReject == 0 {
		s.poll.retry.lastPost = stamp
	}
	return act, false
}

// endPost notes what became of a POST: its retry is answered in the same way.
func (s *Session) endPost(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stepLocked(evPostEnd, "")
	if err != nil && !errors.Is(err, errTooLarge) {
		s.stepLocked(evFail, "")
	}
	s.poll.retry.postEnd(err)
}

// repeatPost returns what became of the POST that this one is a retry of. It
// waits while that is at work, so that the client is not told that packets have
// arrived of which some may not, but not for longer than a poll may wait. The
// body is read, so that the HTTP server notices when the client gives up.
func (e *Engine) repeatPost(w http.ResponseWriter, r *http.Request, s *Session, stamp uint64) error {
	buf := getBuffer()
	err := e.readBody(w, r, s, buf)
	putBuffer(buf)
	if err != nil {
		return err
	}
	s.mu.Lock()
	retry := &s.poll.retry
	switch {
	case stamp != retry.lastPost:
		err = errPostPast
	case s.life.post:
		result := retry.awaitPost()
		s.mu.Unlock()
		timer := time.NewTimer(e.timing.interval + e.timing.timeout)
		defer timer.Stop()
		select {
		case err = <-result:
			return err
		case <-timer.C:
			return errPostLasts
		case <-r.Context().Done():
			return r.Context().Err()
		}
	default:
		err = retry.postErr
	}
	s.mu.Unlock()
	return err
}

// guardBody bounds the wait for a request's body, also where nobody reads it:
// the HTTP server does so before it answers. A chunked body is answered and
// then the connection closed, because a proxy in front may have read its
// length differently (RFC 9112, 6.3 and 11.2).
func (e *Engine) guardBody(w http.ResponseWriter, r *http.Request) {
	if !hasBody(r) {
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(e.cfg.ReadTimeout))
	if len(r.TransferEncoding) > 0 {
		w.Header().Set("Connection", "close")
	}
}

// hasBody reports whether a request has a body. In HTTP/2 one without has a Body
// that is not http.NoBody.
func hasBody(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}

// receivePost reads and dispatches the packets. A body that cannot be decoded
// ends the session and is answered 400; what is wrong inside a message is the
// handler's affair, and the answer "ok".
func (e *Engine) receivePost(w http.ResponseWriter, r *http.Request, s *Session, q *query) error {
	binary := strings.HasPrefix(r.Header.Get("Content-Type"), typeBinary)
	if binary && s.rev == engineio.V4 {
		return errBinaryBody
	}
	buf := getBuffer()
	defer putBuffer(buf)
	if err := e.readBody(w, r, s, buf); err != nil {
		return err
	}
	e.stats.bytesReceived.Add(uint64(len(buf.b)))
	if err := s.receivePayload(buf.b, binary, q); err != nil {
		s.step(evParseError)
		return err
	}
	return nil
}

func (s *Session) receivePayload(body []byte, binary bool, q *query) error {
	if q.jsonp != "" {
		d, err := engineio.FormData(body)
		if err != nil {
			return err
		}
		body = engineio.DecodeJSONPBody(d)
	}
	var err error
	switch {
	case s.rev == engineio.V4:
		err = engineio.DecodePayload4(body, s.receivePolled)
	case binary:
		err = engineio.DecodePayload3Binary(body, s.receivePolled)
	default:
		err = s.payload3.DecodeText(body, s.receivePolled)
	}
	if errors.Is(err, errSessionOver) {
		return nil
	}
	return err
}

// receivePolled takes one packet of a POST.
func (s *Session) receivePolled(p engineio.Packet) error {
	s.engine.stats.received.Add(1)
	s.mu.Lock()
	message, over, since := s.receive(p), s.life.phase != phaseOpen, s.life.seen
	s.mu.Unlock()
	if message {
		s.deliver(p, since)
	}
	if over {
		return errSessionOver
	}
	return nil
}

var (
	errSessionOver = errors.New("transport: the session is over")
	errTooLarge    = errors.New("transport: body larger than MaxPayload")
	errBinaryBody  = errors.New("transport: binary body in revision 4")
	errPostPast    = errors.New("transport: a later request took the place of this retry")
	errPostLasts   = errors.New("transport: the POST that this one repeats is still at work")
)

// readBody reads a POST's body into buf, which grows with the bytes received
// and never with the length announced. A body that comes in drops is read for
// as long as the session lives, which is not long without a heartbeat. After an
// error the read deadline stays: the HTTP server reads on in a body that is not
// at its end.
func (e *Engine) readBody(w http.ResponseWriter, r *http.Request, s *Session, buf *buffer) error {
	rc := http.NewResponseController(w)
	buf.b = buf.b[:0]
	for {
		if len(buf.b) == cap(buf.b) {
			buf.b = append(buf.b, 0)[:len(buf.b)]
		}
		_ = rc.SetReadDeadline(time.Now().Add(e.cfg.ReadTimeout))
		n, err := r.Body.Read(buf.b[len(buf.b):cap(buf.b)])
		buf.b = buf.b[:len(buf.b)+n]
		if len(buf.b) > e.cfg.MaxPayload {
			return errTooLarge
		}
		if err == io.EOF {
			// However long the handler takes now, the connection is to be kept.
			_ = rc.SetReadDeadline(time.Time{})
			return nil
		}
		if err != nil {
			return err
		}
		if s.isOver() {
			return errSessionOver
		}
	}
}

func (s *Session) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.life.phase == phaseClosed
}

// accepted is the answer to a POST.
func (e *Engine) accepted(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html")
	e.responseHeaders(h, r)
	_ = e.write(w, http.StatusOK, okBody)
}

var okBody = []byte("ok")

func (e *Engine) tooLarge(w http.ResponseWriter, r *http.Request) {
	// The rest of the body is not worth reading.
	w.Header().Set("Connection", "close")
	e.refuse(w, r, &RequestError{Code: CodeBadRequest, Status: http.StatusRequestEntityTooLarge, Context: "body above MaxPayload"})
}
