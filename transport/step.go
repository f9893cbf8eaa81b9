package transport

import (
	"runtime/debug"
	"time"

	"github.com/siod-io/siod/internal/wheel"
	"github.com/siod-io/siod/internal/wsframe"
	"github.com/siod-io/siod/protocol/engineio"
)

// Between the life cycle, which decides, and the rest of the session, which
// does. Functions ending in Locked, and those that say so, want s.mu held.

func (s *Session) step(ev event) actions {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stepLocked(ev, "")
}

// stepLocked feeds one event to the life cycle and carries the actions out,
// but for those that concern the request at hand: they are the caller's.
func (s *Session) stepLocked(ev event, why Reason) actions {
	s.life.queued = s.queue.len() > 0
	act := s.life.step(ev, s.engine.now(), why)
	if act != 0 {
		s.apply(act)
	}
	if s.life.due != s.armed {
		s.arm()
	}
	return act
}

// arm sets the timer for what the life cycle waits for.
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
		s.probe.owed |= oweProbe
		s.settle(s.probe)
	}
	if act&actSwitch != 0 {
		s.switchTransport()
	}
	if act&actDropProbe != 0 && s.probe != nil {
		s.stopUpgradeTimer()
		s.shut(s.probe)
		s.probe = nil
	}
	if act&actPing != 0 {
		s.heartbeat(duePing)
	}
	if act&actPong != 0 {
		s.heartbeat(duePong)
	}
	if act&actAnswerClose != 0 {
		s.poll.answer(pollClose)
	} else if act&actAnswerReject != 0 {
		s.poll.answer(pollReject)
	} else if act&actAnswerNoop != 0 {
		s.poll.answer(pollNoop)
	}
	if act&actNoopSoon != 0 {
		time.AfterFunc(noopDelay, func() { s.step(evNoop) })
	}
	if act&actNotify != 0 {
		s.ended()
	}
	if act&actFinishSocket != 0 {
		s.conn.closeCode = s.life.reason.closeCode()
		s.shut(s.conn)
	}
	if act&actCloseSocket != 0 {
		s.closeNow()
	}
	if act&actRemove != 0 {
		s.engine.forget(s)
		if !s.life.get {
			s.discardQueue()
		}
	}
}

// noopDelay is how long a poll that came during an upgrade waits for its end:
// the interval at which the reference server looks after each poll.
const noopDelay = 100 * time.Millisecond

// ended accounts for the session's end and tells the handler, from another
// goroutine since s.mu is held.
func (s *Session) ended() {
	reason := s.life.reason
	s.engine.stats.closed[reason.index()].Add(1)
	s.limit.end()
	if s.opened {
		s.engine.sessionEnded(s, reason)
	}
}

// openDone notes that the handler knows the session, and tells it of an end
// that came meanwhile.
func (s *Session) openDone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = true
	if s.life.phase != phaseOpen {
		s.engine.sessionEnded(s, s.life.reason)
	}
}

// discardQueue counts and drops what cannot be sent any more.
func (s *Session) discardQueue() {
	s.engine.stats.unsent.Add(uint64(s.queue.len()))
	s.queue = queue{}
}

// startProbe makes c the WebSocket that tries to become the transport.
func (s *Session) startProbe(c *wsConn) {
	s.probe = c
	s.upgrade = time.AfterFunc(s.engine.cfg.UpgradeTimeout, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.probe == c {
			s.stepLocked(evUpgradeTimeout, "")
		}
	})
}

func (s *Session) stopUpgradeTimer() {
	if s.upgrade != nil {
		s.upgrade.Stop()
		s.upgrade = nil
	}
}

// switchTransport makes the probing WebSocket the session's transport.
func (s *Session) switchTransport() {
	s.stopUpgradeTimer()
	s.conn, s.probe = s.probe, nil
	s.engine.stats.upgrades.Add(1)
	s.poll.retry.release()
	if s.queue.len() > 0 || s.heartbeats != 0 {
		s.kick()
	}
}

// closeNow ends a WebSocket whose session is over. It is cut if it is full:
// there is no room for politeness.
func (s *Session) closeNow() {
	s.discardQueue()
	s.heartbeats = 0
	if s.conn.draining {
		s.conn.cut()
		return
	}
	if s.conn.closeCode == 0 {
		s.conn.closeCode = s.life.reason.closeCode()
	}
	s.shut(s.conn)
}

// shut begins the close handshake of c, after what waits, with c.closeCode.
func (s *Session) shut(c *wsConn) {
	if c.state != connOpen {
		return
	}
	s.engine.linger(s, c)
	if s.engine.cutting.Load() {
		c.cut() // Shutdown has been through the lingering ones
		return
	}
	if !c.ready() || c == s.conn && s.queue.len() > 0 {
		c.state = connClosing
		s.drainConn(c)
		return
	}
	frame := wsframe.AppendClose(nil, c.closeCode, "")
	if n, _ := c.write(frame); n < len(frame) {
		c.cut()
		return
	}
	if c.failed {
		c.halfClose() // of a raw connection: it does not wait
	}
	c.finish(s.engine.cfg.CloseTimeout)
}

// heartbeatTimer is the session as the owner of its timer.
type heartbeatTimer Session

// Expired implements wheel.Handler: it is called on the wheel's goroutine.
func (h *heartbeatTimer) Expired(*wheel.Timer) {
	s := (*Session)(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = -1 // whatever comes of it, the timer is not set any more
	ev := evTimer
	if since := s.busy.Load(); since != 0 && s.engine.now()-time.Duration(since) >= s.engine.longCall() {
		ev = evTimerBusy
	}
	s.stepLocked(ev, "")
}

// receive takes one decoded packet of the session's transport. It reports
// whether it is a message, for dispatch; s.mu is held.
func (s *Session) receive(p engineio.Packet) bool {
	switch p.Type {
	case engineio.Message:
		s.stepLocked(evData, "")
		return s.life.phase == phaseOpen
	case engineio.Ping:
		s.stepLocked(evPing, "")
	case engineio.Pong:
		s.stepLocked(evPong, "")
	case engineio.Close:
		s.stepLocked(evPacketClose, "")
	case engineio.Noop, engineio.Upgrade, engineio.Open:
		// An upgrade packet counts on a probing WebSocket only; a noop and an
		// open packet mean nothing from a client.
		s.stepLocked(evData, "")
	}
	return false
}

// deliver hands a message that came at the time since to the handler, one at a
// time. Called without s.mu.
func (s *Session) deliver(p engineio.Packet, since time.Duration) {
	first := s.dispatch.TryLock()
	if !first {
		// The last packets by POST and the first by WebSocket may meet here.
		s.dispatch.Lock()
	}
	defer s.dispatch.Unlock()
	s.busy.Store(max(1, int64(since))) // 0 is not busy
	defer s.idle(since)
	if s.limit != nil {
		if !s.limit.wait(s) {
			return
		}
		first = false
	}
	if !first && !s.isOpen() {
		return // it ended during the wait
	}
	defer s.survive()
	if p.Binary {
		s.engine.handler.Binary(s, p.Data)
	} else {
		s.engine.handler.Text(s, p.Data)
	}
}

// idle notes that the handler has returned. After a long call the client gets
// the time anew: what it sent meanwhile is only read now.
func (s *Session) idle(since time.Duration) {
	if s.engine.now()-since >= s.engine.longCall() {
		s.step(evResume)
	}
	s.busy.Store(0)
}

// longCall is how long a call of the handler must run to be why nothing was
// heard of a client. Short calls in any number are no excuse.
func (e *Engine) longCall() time.Duration { return e.cfg.PingTimeout / 4 }

func (s *Session) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.life.phase == phaseOpen
}

// survive, deferred, turns a panic of the handler into the session's end: one
// event of one client must not take the process with it.
func (s *Session) survive() {
	if r := recover(); r != nil {
		s.engine.panicked(r)
		s.step(evFail)
	}
}

// panicLogEvery is the time between two panics that are logged: a client that
// knows which event panics can send it again and again.
const panicLogEvery = 10 * time.Second

func (e *Engine) panicked(r any) {
	e.stats.panics.Add(1)
	now := int64(e.now())
	if next := e.panicLog.Load(); now < next || !e.panicLog.CompareAndSwap(next, now+int64(panicLogEvery)) {
		return
	}
	e.cfg.Logger.Error("handler panicked", "panic", r, "stack", string(debug.Stack()))
}
