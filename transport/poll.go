package transport

import (
	"math"
	"net/http"
	"time"

	"github.com/siod-io/siod/protocol/engineio"
)

// poll is what a session needs for its long polls. It is guarded by the
// session's mutex.
type poll struct {
	wake  chan struct{} // wakes the pending poll; another one after a retry
	end   pollEnd       // with what it is to be answered
	retry retry
}

// pollEnd is with what a pending poll is answered; a later value outranks an
// earlier one.
type pollEnd uint8

const (
	pollWait   pollEnd = iota
	pollData           // what is queued
	pollNoop           // what is queued, else a noop
	pollClose          // what is queued, and a close packet
	pollReject         // 400: the session has left polling
)

func newPoll() *poll { return &poll{wake: make(chan struct{}, 1)} }

// answer wakes the pending poll.
func (p *poll) answer(end pollEnd) {
	p.end = max(p.end, end)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// take returns with what the pending poll is answered, and makes p ready for
// the next.
func (p *poll) take() pollEnd {
	end := p.end
	p.end = pollWait
	select {
	case <-p.wake: // woken twice for what is taken now
	default:
	}
	return end
}

// servePoll answers a GET: at once if something is queued, else when there is.
func (e *Engine) servePoll(w http.ResponseWriter, r *http.Request, s *Session, q *query) {
	s.mu.Lock()
	if s.poll == nil { // it began on a WebSocket
		s.mu.Unlock()
		e.refuse(w, r, &RequestError{Code: CodeBadRequest, Context: "poll of a session on WebSocket"})
		return
	}
	switch s.poll.retry.get(q.stamp, s.life.get) {
	case retryResend:
		body, contentType := append([]byte(nil), s.poll.retry.sent.b...), s.poll.retry.contentType
		number := s.poll.retry.answer()
		s.mu.Unlock()
		err := e.respond(w, r, contentType, body, true)
		s.mu.Lock()
		if s.poll.retry.lost(number, q.stamp, err) {
			s.stepLocked(evFail, "")
		}
		s.mu.Unlock()
		return
	case retryReplace:
		s.poll.replace()
	case retryLate:
		s.mu.Unlock()
		e.refuse(w, r, &RequestError{Code: CodeBadRequest, Context: "a poll that came after its retry and the next one"})
		return
	default:
		if s.stepLocked(evGet, "")&actReject != 0 {
			s.mu.Unlock()
			e.refuse(w, r, &RequestError{Code: CodeBadRequest, Context: "overlapping poll, or the session left polling"})
			return
		}
	}
	if s.queue.len() > 0 || s.heartbeats != 0 {
		s.poll.answer(pollData)
	}
	wake := s.poll.wake
	s.mu.Unlock()

	if !waitPoll(w, r, wake) {
		s.mu.Lock()
		if s.poll.wake == wake {
			s.stepLocked(evGetAbort, "")
			s.pollOver()
		}
		s.mu.Unlock()
		return
	}
	buf := getBuffer()
	s.mu.Lock()
	mine, end := s.poll.wake == wake, pollReject
	if mine {
		end = s.poll.take()
		s.stepLocked(evGetEnd, "")
	}
	if end == pollReject {
		s.mu.Unlock()
		putBuffer(buf)
		e.refuse(w, r, &RequestError{Code: CodeBadRequest, Context: "the session left polling, or a retry took the poll's place"})
		return
	}
	p := s.payload(buf.b[:0], q, end)
	s.pollOver()
	contentType := p.finish(q)
	buf.b = p.dst
	s.poll.retry.keep(q.stamp, buf, contentType)
	number := s.poll.retry.answer()
	s.mu.Unlock()
	err := e.respond(w, r, contentType, buf.b, !p.plain)
	s.mu.Lock()
	if s.poll.retry.lost(number, q.stamp, err) {
		s.stepLocked(evFail, "")
	}
	s.poll.retry.written(buf)
	s.mu.Unlock()
}

// pollOver counts what the last poll of a session that has ended leaves behind;
// s.mu is held.
func (s *Session) pollOver() {
	if s.life.phase == phaseClosed {
		s.discardQueue()
	}
}

// waitPoll waits until the poll is to be answered; false means that the client
// gave it up.
func waitPoll(w http.ResponseWriter, r *http.Request, wake <-chan struct{}) bool {
	select {
	case <-wake:
	default:
		// The time-outs of the HTTP server are for requests that are answered
		// at once. This one watches its client by heartbeats.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		select {
		case <-wake:
		case <-r.Context().Done():
			return false
		}
	}
	// With both at once, what is queued stays queued: nobody would get it.
	return r.Context().Err() == nil
}

// fewPackets is how many packets an answer holds at most that may be for a
// client of Python: of more, its decoder refuses the whole answer and the
// client gives up (Payload.max_decode_packets of python-engineio, which clients
// and servers share). What is left is answered to the next poll at once, so
// others are not held down to it: it would cost them a round trip for each 16.
const fewPackets = 16

// payload moves what waits for the session behind dst as one polling payload,
// as much as the client takes at once; s.mu is held. A message is never split,
// so one with more attachments than that goes alone.
func (s *Session) payload(dst []byte, q *query, end pollEnd) payloadWriter {
	p := payloadWriter{wire: s.pollWire(q), dst: dst}
	if len(dst) > 0 {
		p.packets = 1 // the open packet
	}
	most := fewPackets
	if q.many {
		most = math.MaxInt
	}
	if end == pollClose {
		most--
	}
	if s.conn == nil {
		if s.heartbeats&duePing != 0 {
			p.packet(engineio.Ping, nil)
		}
		if s.heartbeats&duePong != 0 {
			p.packet(engineio.Pong, nil)
		}
		s.heartbeats = 0
		for s.queue.len() > 0 {
			if next := &s.queue.waiting()[0]; p.packets > 0 && p.packets+next.packets() > most {
				break
			}
			it, _ := s.queue.pop()
			p.message(it)
		}
	} // else an upgrade came in between, and what waits goes over the WebSocket
	switch {
	case end == pollClose:
		p.packet(engineio.Close, nil)
	case len(p.dst) == 0:
		p.packet(engineio.Noop, nil)
	}
	return p
}

// pollWire is the record form of this response. The binary form of revision 3
// is only used when a queued packet is binary, as the reference server does.
func (s *Session) pollWire(q *query) wire {
	if s.rev == engineio.V4 {
		return wirePoll4
	}
	if !s.base64 && q.jsonp == "" {
		for _, it := range s.queue.waiting() {
			if len(it.msg.Frames(it.form).Binary) > 0 {
				return wirePoll3Binary
			}
		}
	}
	return wirePoll3
}

// payloadWriter joins records into one payload.
type payloadWriter struct {
	wire    wire
	dst     []byte
	packets int
	plain   bool // a message in it asks not to be compressed
}

const recordSeparator = 0x1e // of revision 4

func (p *payloadWriter) message(it item) {
	if p.wire == wirePoll4 && len(p.dst) > 0 {
		p.dst = append(p.dst, recordSeparator)
	}
	p.dst = append(p.dst, it.msg.bytes(it.form, p.wire, 0)...)
	p.packets += it.packets()
	p.plain = p.plain || it.msg.flags&flagPlain != 0
}

func (p *payloadWriter) packet(t engineio.Type, data []byte) {
	p.dst = appendRecord(p.dst, p.wire, engineio.Packet{Type: t, Data: data})
	p.packets++
}

const (
	typeText   = "text/plain; charset=UTF-8"
	typeBinary = "application/octet-stream"
	typeScript = "text/javascript; charset=UTF-8"
)

// finish puts the payload into its envelope, if the client wants one, and
// returns its content type.
func (p *payloadWriter) finish(q *query) (contentType string) {
	switch {
	case p.wire == wirePoll3Binary:
		return typeBinary
	case q.jsonp != "":
		p.dst = engineio.AppendJSONP(nil, q.jsonp, p.dst)
		return typeScript
	}
	return typeText
}
