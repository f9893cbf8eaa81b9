package transport

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/internal/wheel"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/engineio"
)

// The transports' names, as they stand in URLs.
const (
	Polling   = "polling"
	WebSocket = "websocket"
)

// Handler receives what happens to sessions. For one session Open comes first,
// Text and Binary never overlap, and Close comes once, after Open has returned.
// At the moment of the end one Text or Binary may be on its way: it may overlap
// Close or come just behind it. Different sessions call concurrently.
//
// Text and Binary may block: the engine then stops reading from this client,
// which is how a full queue above pushes back, and the heartbeat does not
// count that time against the client. data is valid until the call returns.
//
// A panic of Text or Binary ends the session with ReasonTransportError and is
// logged (see Config.Logger); other sessions do not notice.
type Handler interface {
	// Open is called when the handshake is done. An error refuses the session:
	// no other call follows for it, and over polling the client is sent the
	// error's text with code 4, or what a *RequestError says.
	Open(s *Session) error
	Text(s *Session, data []byte)
	Binary(s *Session, data []byte)
	Close(s *Session, r Reason)
}

// Session is one Engine.IO session: one client, over polling, WebSocket, or
// first one and then the other. All methods are safe for concurrent use, and
// none blocks.
//
// Locks: mu guards the life cycle, the connection and the queue, and is held
// for non-blocking writes only. It is taken before a shard's lock, never after
// (V15). dispatch makes Text and Binary exclusive and is taken before mu.
type Session struct {
	engine    *Engine
	shard     *Shard
	id        string
	handshake *Handshake
	data      any // the handler's, set in Open
	limit     *limiter
	timer     wheel.Timer

	// Marks of the shard's writer, which alone touches them.
	passGen             uint64
	passFirst, passLast int32

	rev      engineio.Revision
	base64   bool
	jsonp    bool
	payload3 engineio.Payload3Decoder // of the one POST at a time

	dispatch sync.Mutex
	busy     atomic.Int64 // since when Text or Binary runs (engine time), or 0

	mu         sync.Mutex
	life       lifecycle
	armed      time.Duration // the due that timer is set for
	conn       *wsConn       // nil while polling
	probe      *wsConn       // a WebSocket that has not taken over yet
	upgrade    *time.Timer
	poll       *poll // of polling sessions
	queue      queue
	heartbeats heartbeats
	dropOldest bool // PolicyDropOldest
	opened     bool // Handler.Open returned, so Handler.Close is owed
	closing    bool // Close is on its way through the shard
}

// heartbeats are the Engine.IO packets that go before all that is queued. Of
// several that wait one is enough.
type heartbeats uint8

const (
	duePing heartbeats = 1 << iota
	duePong
)

// ID is the session's secret id: who knows it can act as the client. It must
// not be shown to other clients, nor logged.
func (s *Session) ID() string { return s.id }

// Revision is the Engine.IO revision that the client speaks.
func (s *Session) Revision() engineio.Revision { return s.rev }

// Handshake describes the request that opened the session.
func (s *Session) Handshake() *Handshake { return s.handshake }

// ClientIP is the address of the client at the handshake, seen through
// Config.TrustedProxies. It is not valid if the peer has no IP address.
func (s *Session) ClientIP() netip.Addr {
	return s.engine.clientIP(s.handshake.RemoteAddr, s.handshake.Header()["X-Forwarded-For"])
}

// Shard is the shard that writes to the session; it never changes.
func (s *Session) Shard() *Shard { return s.shard }

// Data returns what SetData stored.
func (s *Session) Data() any { return s.data }

// SetData stores the handler's own state. Call it in Open only.
func (s *Session) SetData(v any) { s.data = v }

// Transport returns "polling" or "websocket"; it changes with an upgrade.
func (s *Session) Transport() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.websocket {
		return WebSocket
	}
	return Polling
}

// SetPolicy changes what happens when the session's queue is full.
func (s *Session) SetPolicy(p Policy) {
	s.mu.Lock()
	s.dropOldest = p == PolicyDropOldest
	s.mu.Unlock()
}

// Send hands one message to the session and returns at once; it reports
// whether the message was taken. It is not when the session has ended, or when
// the message is volatile and would have to wait. Calls of Send and casts of
// the session's shard reach the client in the order in which they were made.
func (s *Session) Send(m *Message, f Form, volatile bool) bool {
	return s.SendLatest(m, f, volatile, "")
}

// SendLatest is like Send; while the message waits for a slow client, a later
// one with the same key (if not empty) replaces it.
func (s *Session) SendLatest(m *Message, f Form, volatile bool, key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.phase != phaseOpen || s.closing {
		return false
	}
	if !s.shard.idle() {
		// Something posted before this call may still be on its way to this
		// session; stay behind it.
		return s.shard.post(Cast{Message: m, Solo: Recipient{Session: s, Form: f}, Volatile: volatile, Key: key})
	}
	return s.sendNow(item{msg: m, form: f, volatile: volatile, key: key})
}

// sendNow writes or queues a message that nothing is before; s.mu is held.
func (s *Session) sendNow(it item) bool {
	if !s.canWrite() {
		ok := s.enqueue(it)
		if ok {
			s.shard.delivered.Add(1)
		}
		return ok
	}
	b := it.msg.bytes(it.form, s.conn.wire, s.engine.deflateAbove)
	taken, n := s.writeParts(b, []part{{item: it, end: len(b)}})
	s.shard.wrote(1, taken, n)
	return taken == 1
}

// SendStamped is Send for a message that states the shard's position. stamp is
// called once, with the position at which the message takes its place among
// the shard's casts: what is posted up to it reaches the client before the
// message, all else after it (V15). stamp is called also when the session has
// ended, and false is returned; or it may return nil, and nothing is sent. It
// must not block nor use the session or its shard.
func (s *Session) SendStamped(f Form, stamp func(position uint64) *Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shard
	sh.mu.Lock()
	m := stamp(sh.pos)
	open := m != nil && s.life.phase == phaseOpen && !s.closing && !sh.closed
	direct := sh.idle()
	if open && !direct {
		sh.append(Cast{Message: m, Solo: Recipient{Session: s, Form: f}})
	}
	sh.mu.Unlock()
	// Casts posted from here on wait for s.mu before they reach this session.
	if !open || !direct {
		return open
	}
	return s.sendNow(item{msg: m, form: f})
}

// SendReplay sends what a client gets when it comes back, in one write if its
// connection takes it. The caller bounds the whole; it is not charged to the
// session's queue, what comes after it is (V7).
func (s *Session) SendReplay(ms []*Message, f Form) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.phase != phaseOpen || s.closing {
		return
	}
	switch {
	case !s.shard.idle():
		for _, m := range ms {
			s.shard.post(Cast{Message: m, Solo: Recipient{Session: s, Form: f}, Replay: true})
		}
	case s.canWrite():
		buf := getBuffer()
		buf.b = buf.b[:0]
		parts := make([]part, len(ms))
		for i, m := range ms {
			buf.b = append(buf.b, m.bytes(f, s.conn.wire, s.engine.deflateAbove)...)
			parts[i] = part{item: item{msg: m, form: f, free: true}, end: len(buf.b)}
		}
		taken, n := s.writeParts(buf.b, parts)
		s.shard.wrote(1, taken, n)
		putBuffer(buf)
	default:
		for _, m := range ms {
			s.queue.push(item{msg: m, form: f, free: true})
		}
		s.shard.delivered.Add(uint64(len(ms)))
		s.kick()
	}
}

// SendFrames is Send for a packet that only this session gets: it is written
// without being kept as a Message if the connection is ready for it. f belongs
// to the transport from then on.
func (s *Session) SendFrames(f protocol.Frames) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.phase != phaseOpen || s.closing {
		return false
	}
	if !s.shard.idle() {
		return s.shard.post(Cast{Message: NewMessage(f, nil), Solo: Recipient{Session: s}})
	}
	if !s.canWrite() {
		return s.sendNow(item{msg: NewMessage(f, nil)})
	}
	w := s.conn.wire
	if f.Size() < s.engine.deflateAbove {
		w = w.plain()
	}
	buf := getBuffer()
	buf.b = appendWebSocket(buf.b[:0], f, w)
	ok := s.writeOwn(buf.b)
	if ok {
		s.shard.wrote(1, 1, 0) // the bytes are counted
	}
	putBuffer(buf)
	return ok
}

// Close ends the session after what was sent to it before; the handler's Close
// is called with reason, or with ReasonForcedClose if that is empty. Later
// messages are not taken.
func (s *Session) Close(reason Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.phase != phaseOpen || s.closing {
		return
	}
	if !s.shard.idle() {
		// The close takes its place behind the casts that are on their way.
		s.closing, s.life.reason = true, reason
		if s.shard.post(Cast{Solo: Recipient{Session: s}}) {
			return
		}
	}
	s.stepLocked(evClose, reason)
}

// Abort ends the session at once, dropping what is queued. Once it has
// returned, no further message is written to the client.
func (s *Session) Abort(reason Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stepLocked(evFail, reason)
}
