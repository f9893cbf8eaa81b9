package transport

import (
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
// Text and Binary never overlap, and Close comes once, after which no further
// Text or Binary begins (one may still be running). Different sessions call
// concurrently.
//
// Text and Binary may block: the engine then stops reading from this client,
// which is how a full queue above pushes back, and the heartbeat does not
// count that time against the client. data is valid until the call returns.
type Handler interface {
	// Open is called when the handshake is done. An error refuses the session.
	Open(s *Session) error
	Text(s *Session, data []byte)
	Binary(s *Session, data []byte)
	Close(s *Session, r Reason)
}

// Session is one Engine.IO session: one client, over polling, WebSocket, or
// first one and then the other. All methods are safe for concurrent use.
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
	base64    bool
	jsonp     bool
	rev       engineio.Revision

	// Marks of the shard's writer, which alone touches them.
	passGen             uint32
	passFirst, passLast int32

	timer    wheel.Timer
	dispatch sync.Mutex
	reading  atomic.Int32 // how many calls of Text or Binary are running
	payload3 engineio.Payload3Decoder

	mu         sync.Mutex
	life       lifecycle
	armed      time.Duration // the due that timer is set for
	conn       *wsConn       // nil while polling
	probe      *wsConn       // a WebSocket that has not taken over yet
	upgrade    *time.Timer
	wire       wire
	policy     Policy
	draining   bool // a drain goroutine is writing
	broken     bool // the connection failed; its reader ends the session
	queue      queue
	rest       []byte        // unsent bytes of frames that have begun
	poll       chan struct{} // wakes the pending poll
	pollEnd    pollEnd       // what it is to be answered with
	overflowed Reason
}

// ID is the session's secret id: who knows it can act as the client. It must
// not be shown to other clients, nor logged.
func (s *Session) ID() string { return s.id }

// Revision is the Engine.IO revision that the client speaks.
func (s *Session) Revision() engineio.Revision { return s.rev }

// Handshake describes the request that opened the session.
func (s *Session) Handshake() *Handshake { return s.handshake }

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
	s.policy = p
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
	if s.life.phase != phaseOpen {
		return false
	}
	if !s.shard.idle() {
		// Something posted before this call may still be on its way to this
		// session; stay behind it.
		s.shard.Post(Cast{Message: m, Solo: Recipient{Session: s, Form: f}, Volatile: volatile, Key: key})
		return true
	}
	it := item{msg: m, form: f, volatile: volatile, key: key}
	if !s.canWrite() {
		return s.enqueue(it)
	}
	b := m.bytes(f, s.wire, s.engine.deflateAbove)
	s.writeParts(b, []part{{item: it, end: len(b)}})
	s.shard.writes.Add(1)
	return true
}

// SendStamped is Send for a message that states the shard's position. stamp is
// called with the position at which the message takes its place among the
// shard's casts: what is posted up to it reaches the client before the
// message, all else after it (V15). stamp must not block nor use the session
// or its shard.
func (s *Session) SendStamped(f Form, stamp func(position uint64) *Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shard
	sh.mu.Lock()
	m := stamp(sh.pos)
	if s.life.phase != phaseOpen || sh.closed {
		sh.mu.Unlock()
		return false
	}
	if !sh.idle() {
		first := sh.append(Cast{Message: m, Solo: Recipient{Session: s, Form: f}}, m.size(0))
		sh.mu.Unlock()
		if first {
			sh.wakeWriter()
		}
		return true
	}
	sh.mu.Unlock()
	// Casts posted from here on wait for s.mu before they reach this session.
	it := item{msg: m, form: f}
	if !s.canWrite() {
		return s.enqueue(it)
	}
	b := m.bytes(f, s.wire, s.engine.deflateAbove)
	s.writeParts(b, []part{{item: it, end: len(b)}})
	s.shard.writes.Add(1)
	return true
}

// SendReplay sends what a client missed, in one write if its connection takes
// it. The caller bounds the whole; it is not charged to the session's queue,
// what comes after it is (V7).
func (s *Session) SendReplay(ms []*Message, f Form) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.phase != phaseOpen || len(ms) == 0 {
		return
	}
	if !s.shard.idle() {
		for _, m := range ms {
			s.shard.Post(Cast{Message: m, Solo: Recipient{Session: s, Form: f}, Replay: true})
		}
		return
	}
	for _, m := range ms {
		s.queue.push(item{msg: m, form: f, free: true})
	}
	s.kick()
}

// SendFrames is Send for a packet that only this session gets: it is written
// without being kept as a Message if the connection is ready for it.
func (s *Session) SendFrames(f protocol.Frames) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.phase != phaseOpen {
		return false
	}
	if !s.shard.idle() {
		s.shard.Post(Cast{Message: NewMessage(f, nil), Solo: Recipient{Session: s}})
		return true
	}
	if !s.canWrite() || s.wire.isDeflate() {
		return s.enqueue(item{msg: NewMessage(f, nil)})
	}
	buf := getBuffer()
	m := Message{}
	buf.b = m.appendWebSocket(buf.b[:0], f, s.wire)
	s.writeOwn(buf.b)
	putBuffer(buf)
	s.shard.writes.Add(1)
	return true
}

// Close ends the session after what is queued for it; the handler's Close is
// called with reason. It does not block.
func (s *Session) Close(reason Reason) {
	s.stepReason(evClose, reason)
}

// Abort ends the session at once, dropping what is queued.
func (s *Session) Abort(reason Reason) {
	s.stepReason(evFail, reason)
}

// step feeds one event to the life cycle and carries the actions out. Actions
// that concern the request or connection at hand are left to the caller.
func (s *Session) step(ev event) actions {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stepLocked(ev, "")
}

func (s *Session) stepReason(ev event, reason Reason) actions {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stepLocked(ev, reason)
}

func (s *Session) stepLocked(ev event, reason Reason) actions {
	if ev == evClose && s.life.phase == phaseOpen {
		s.life.reason = reason
	}
	act := s.life.step(ev, s.engine.now())
	if act&actNotify != 0 {
		switch {
		case s.overflowed != "":
			s.life.reason = s.overflowed
		case reason != "":
			s.life.reason = reason
		}
	}
	s.apply(act)
	if s.life.due != s.armed {
		s.arm()
	}
	return act
}

func (s *Session) arm() {
	s.armed = s.life.due
	if s.armed == 0 {
		s.engine.wheel.Stop(&s.timer)
		return
	}
	s.engine.wheel.Schedule(&s.timer, s.armed-s.engine.now())
}

// apply carries actions out, in the order of their constants; s.mu is held.
func (s *Session) apply(act actions) {
	if act&actProbePong != 0 {
		s.probe.writeControl(probePongFrame)
	}
	if act&actSwitch != 0 {
		s.switchTransport()
	}
	if act&actDropProbe != 0 && s.probe != nil {
		s.probe.shut(0)
		s.probe = nil
		s.stopUpgradeTimer()
	}
	if act&actPing != 0 {
		s.sendControl(controlPing)
	}
	if act&actPong != 0 {
		s.sendControl(controlPong)
	}
	if act&actAnswerClose != 0 {
		s.answerPoll(pollClose)
	} else if act&actAnswerNoop != 0 {
		s.answerPoll(pollNoop)
	}
	if act&actArmUpgrade != 0 {
		s.upgrade = time.AfterFunc(s.engine.cfg.UpgradeTimeout, func() { s.step(evUpgradeTimeout) })
	}
	if act&actCloseSocket != 0 {
		s.closeSocket()
	}
	if act&actNotify != 0 {
		s.stopUpgradeTimer()
		s.engine.sessionEnded(s, s.life.reason)
	}
	if act&actRemove != 0 {
		s.engine.forget(s)
		if s.life.phase == phaseClosed && !s.life.get {
			s.queue = queue{}
		}
	}
}

func (s *Session) stopUpgradeTimer() {
	if s.upgrade != nil {
		s.upgrade.Stop()
		s.upgrade = nil
	}
}

// switchTransport makes the probing WebSocket the session's transport.
func (s *Session) switchTransport() {
	s.conn, s.probe = s.probe, nil
	s.stopUpgradeTimer()
	s.wire = s.engine.webSocketWire(s, s.conn)
	s.engine.stats.upgrades.Add(1)
	if s.queue.len() > 0 {
		s.kick()
	}
}

// Expire implements wheel.Owner: it is called on the wheel's goroutine.
func (s *Session) Expired(*wheel.Timer) {
	if s.reading.Load() > 0 && s.pausedExpiry() {
		return
	}
	s.step(evTimer)
}

// pausedExpiry puts the verdict on a missing pong off while it is this server
// that does not read: a handler pushes back, so the pong may well be in the
// connection's buffer.
func (s *Session) pausedExpiry() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.phase != phaseOpen || s.rev == engineio.V4 && !s.life.awaitPong {
		return false
	}
	s.life.due = s.engine.now() + s.life.timeout
	s.arm()
	return true
}

// deliver hands one decoded packet to the life cycle or the handler.
func (s *Session) deliver(p engineio.Packet) {
	switch p.Type {
	case engineio.Message:
		s.step(evData)
		s.message(p)
	case engineio.Ping:
		s.step(evPing)
	case engineio.Pong:
		s.step(evPong)
	case engineio.Close:
		s.step(evPacketClose)
	case engineio.Noop, engineio.Upgrade, engineio.Open:
		// An upgrade packet counts on a probing WebSocket only; a noop and an
		// open packet mean nothing from a client.
		s.step(evData)
	}
}

func (s *Session) message(p engineio.Packet) {
	s.reading.Add(1)
	s.dispatch.Lock()
	if s.isOpen() {
		if p.Binary {
			s.engine.handler.Binary(s, p.Data)
		} else {
			s.engine.handler.Text(s, p.Data)
		}
	}
	s.dispatch.Unlock()
	s.reading.Add(-1)
}

func (s *Session) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.life.phase == phaseOpen
}
