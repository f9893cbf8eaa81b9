package transport

import (
	"time"

	"github.com/siod-io/siod/protocol/engineio"
)

// lifecycle is the state of one Engine.IO session as a pure machine: events and
// the time go in, actions come out, and nothing here touches a connection, a
// timer or a lock. Session holds it under its mutex and carries the actions
// out. Scenarios in testdata/lifecycle read as scripts.
//
// Sources: Engine.IO protocol, revisions 3 and 4, sections "Transports",
// "Upgrade" and "Heartbeat".
type lifecycle struct {
	timing *timing
	seen   time.Duration // when something last arrived
	due    time.Duration // when evTimer is wanted; 0 = no timer
	reason Reason        // of the end, once there is one

	rev       engineio.Revision
	phase     phase
	probe     probe
	websocket bool // the current transport
	queued    bool // messages wait; the session sets it before each step
	get, post bool // a request of that method is pending
	lateGet   bool // the pending poll came during an upgrade
	noopDue   bool // evNoop is on its way
	byClient  bool // phaseClosing: the client closed, a poll of its may be on its way
	awaitPong bool // revision 4: a ping is out
	traffic   bool // something arrived while awaitPong
	extended  bool // traffic extended this pong's deadline once already
}

// timing is what all sessions of an engine have in common.
type timing struct {
	interval, timeout time.Duration // of the heartbeat
	linger            time.Duration // how long a closed session waits for its last poll
}

type phase uint8

const (
	phaseOpen phase = iota
	// phaseClosing: the application has been told of the end; what is queued
	// and the close itself are still on their way to the client.
	phaseClosing
	phaseClosed
)

// probe is how far an upgrade has come.
type probe uint8

const (
	probeNone      probe = iota
	probeAttached        // a WebSocket names this session
	probeConfirmed       // "2probe" was answered with "3probe"
)

type event uint8

const (
	evGet            event = iota // a poll arrived
	evGetEnd                      // the pending poll is being answered
	evGetAbort                    // the client gave the pending poll up
	evPost                        // a POST arrived
	evPostEnd                     // its packets are dispatched
	evData                        // a message packet arrived
	evPing                        // a ping packet
	evPong                        // a pong packet
	evPacketClose                 // the client's close packet
	evParseError                  // what arrived cannot be decoded
	evProbeOpen                   // a WebSocket for this session was accepted
	evProbePing                   // "2probe" on it
	evProbeUpgrade                // "5" on it
	evProbeEnd                    // it closed, or sent anything else
	evUpgradeTimeout              // the upgrade took too long
	evEnd                         // the WebSocket transport ended by itself
	evFail                        // the transport failed, or is cut
	evClose                       // the server closes the session
	evTimer                       // due has come
	evTimerBusy                   // the same, while this server does not read from the client
	evResume                      // this server reads again after a long pause
	evNoop                        // a late poll has waited long enough
	eventCount
)

// actions is a set; the session carries out its members in the order of the
// constants, which is the order that the protocol needs.
type actions uint32

const (
	actReject       actions = 1 << iota // answer this request 400
	actTryAgain                         // WebSocket for a session that has one: close it
	actProbePong                        // "3probe" on the probing WebSocket
	actSwitch                           // the probing WebSocket becomes the transport
	actDropProbe                        // close the probing WebSocket only
	actPing                             // send a ping before everything else
	actPong                             // answer a ping
	actAnswerNoop                       // end the pending poll: what is queued, else a noop
	actAnswerClose                      // end the pending poll: what is queued and a close packet
	actAnswerReject                     // end the pending poll: 400
	actHoldGet                          // keep this poll until there is something to send
	actNoopSoon                         // evNoop in a moment
	actArmUpgrade                       // start the upgrade's time-out
	actNotify                           // tell the handler that the session ended
	actFinishSocket                     // close the WebSocket after what is queued
	actCloseSocket                      // close the WebSocket now, dropping what is queued
	actRemove                           // forget the session
)

func (l *lifecycle) start(rev engineio.Revision, websocket bool, t *timing, now time.Duration, jitter float64) {
	l.rev, l.websocket, l.timing, l.seen = rev, websocket, t, now
	if rev == engineio.V3 {
		l.due = now + t.interval + t.timeout
		return
	}
	// Only the first ping is spread, so that sessions that began together (a
	// deploy, a reconnect storm) do not stay in step (R4).
	l.due = now + time.Duration(float64(t.interval)*jitter)
}

// step takes one event at time now and returns what to do. why, if not empty,
// is the reason of an end that the event brings.
func (l *lifecycle) step(ev event, now time.Duration, why Reason) actions {
	switch l.phase {
	case phaseClosed:
		return l.stepClosed(ev)
	case phaseClosing:
		return l.stepClosing(ev, now)
	}
	if (ev == evGet || ev == evPost) && now >= l.due {
		// The timer is late by up to a tick; a request must not outrun it.
		if act := l.onTimer(evTimer, now); l.phase != phaseOpen {
			return act | actReject
		} else if act != 0 {
			return act | l.step(ev, now, why)
		}
	}
	switch ev {
	case evGet:
		return l.onGet(now)
	case evGetEnd:
		l.get, l.lateGet = false, false
	case evNoop:
		l.noopDue = false
		if l.lateGet && l.probe == probeConfirmed {
			return actAnswerNoop
		}
	case evGetAbort:
		l.get, l.lateGet = false, false
		return l.end(ReasonTransportError, why)
	case evPost:
		switch {
		case l.websocket:
			return actReject
		case l.post: // two POSTs at once: their order would be lost
			return actReject | l.end(ReasonTransportError, why)
		}
		l.post = true
		l.seen = now
	case evPostEnd:
		l.post = false
	case evData:
		l.arrived(now)
	case evPing, evPong:
		return l.onHeartbeat(ev, now)
	case evTimer, evTimerBusy:
		return l.onTimer(ev, now)
	case evResume:
		if l.rev == engineio.V3 || l.awaitPong {
			l.due = max(l.due, now+l.timing.timeout)
		}
	case evPacketClose:
		if !l.get && !l.websocket {
			return l.overtaken(now, why)
		}
		// The pending poll is released by a noop: the client closed, it does
		// not need to be told.
		act := l.end(ReasonTransportClose, why)
		if act&actAnswerClose != 0 {
			act = act&^actAnswerClose | actAnswerNoop
		}
		return act
	case evParseError:
		return l.end(ReasonParseError, why)
	case evProbeOpen, evProbePing, evProbeUpgrade, evProbeEnd, evUpgradeTimeout:
		return l.onProbe(ev, now)
	case evEnd:
		return l.end(ReasonTransportClose, why)
	case evFail:
		return l.end(ReasonTransportError, why)
	case evClose:
		return l.close(now, why)
	}
	return 0
}

func (l *lifecycle) onGet(now time.Duration) actions {
	switch {
	case l.websocket:
		return actReject
	case l.get: // two polls at once: the answers' order would be lost
		return actReject | l.end(ReasonTransportError, "")
	}
	l.get = true
	l.seen = now
	// During an upgrade the client is about to switch and waits for its last
	// poll to end; or it has switched, and this request overtook its "5" on the
	// other connection. A moment tells the two apart.
	l.lateGet = l.probe != probeNone
	if l.probe == probeConfirmed {
		return actHoldGet | l.noopSoon()
	}
	return actHoldGet
}

// noopSoon has evNoop come, once however often a client asks for it.
func (l *lifecycle) noopSoon() actions {
	if l.noopDue {
		return 0
	}
	l.noopDue = true
	return actNoopSoon
}

// arrived notes a packet that is not a pong. A request without one is a sign of
// life, too, but no reason to wait longer for the pong.
func (l *lifecycle) arrived(now time.Duration) {
	l.seen = now
	l.traffic = true
}

func (l *lifecycle) onHeartbeat(ev event, now time.Duration) actions {
	l.arrived(now)
	switch {
	case ev == evPing && l.rev == engineio.V3:
		return actPong
	case ev == evPing: // revision 4: only the server pings
		return l.end(ReasonTransportError, "")
	case l.rev == engineio.V3: // a stray pong says nothing
		return 0
	}
	if l.awaitPong {
		l.awaitPong, l.extended = false, false
		l.due = now + l.timing.interval
	}
	return 0
}

func (l *lifecycle) onTimer(ev event, now time.Duration) actions {
	if now < l.due {
		return 0
	}
	if l.rev == engineio.V3 {
		// Anything that arrives is a sign of life.
		if alive := l.seen + l.timing.interval + l.timing.timeout; alive > now {
			l.due = alive
			return 0
		}
	} else if !l.awaitPong {
		l.awaitPong, l.traffic, l.extended = true, false, false
		// From when the ping was due: a tick's lateness must not add up. A
		// machine that slept is another matter.
		if l.due += l.timing.timeout; l.due < now+l.timing.timeout/2 {
			l.due = now + l.timing.timeout
		}
		return actPing
	}
	switch {
	case ev == evTimerBusy:
		// It is this server that does not read, because a handler pushes back.
		// What is missing may well be in the connection's buffer.
	case l.rev == engineio.V4 && l.traffic && !l.extended:
		// A client busy with a long upload answers late. Once only: events
		// without pongs must not keep a session for ever.
		l.extended = true
	default:
		return l.end(ReasonPingTimeout, "")
	}
	l.due = now + l.timing.timeout
	return 0
}

func (l *lifecycle) onProbe(ev event, now time.Duration) actions {
	switch ev {
	case evProbeOpen:
		if l.websocket || l.probe != probeNone {
			return actTryAgain
		}
		l.probe = probeAttached
		return actArmUpgrade
	case evProbePing:
		if l.probe == probeNone {
			return 0
		}
		l.probe = probeConfirmed
		l.arrived(now)
		switch {
		case l.lateGet:
			return actProbePong | l.noopSoon()
		case l.get:
			return actProbePong | actAnswerNoop
		}
		return actProbePong
	case evProbeUpgrade:
		if l.probe != probeConfirmed {
			return l.dropProbe()
		}
		l.probe, l.websocket = probeNone, true
		l.arrived(now)
		switch {
		case l.lateGet:
			return actSwitch | actAnswerReject
		case l.get:
			return actSwitch | actAnswerNoop
		}
		return actSwitch
	default: // evProbeEnd, evUpgradeTimeout
		return l.dropProbe()
	}
}

// dropProbe gives the upgrade up; the polling session lives on.
func (l *lifecycle) dropProbe() actions {
	if l.probe == probeNone {
		return 0
	}
	l.probe = probeNone
	return actDropProbe
}

// overtakenWait is how long a session that its client closed waits for a poll
// that was sent before the close, on another connection, and arrives after it.
const overtakenWait = 50 * time.Millisecond

// overtaken ends a polling session that its client closed while no poll is
// pending.
func (l *lifecycle) overtaken(now time.Duration, why Reason) actions {
	if why == "" {
		why = ReasonTransportClose
	}
	l.phase, l.reason, l.byClient, l.due = phaseClosing, why, true, now+overtakenWait
	return actNotify | l.dropProbe()
}

// end is the abrupt end: the transport is gone or not to be trusted.
func (l *lifecycle) end(r, why Reason) actions {
	if why != "" {
		r = why
	}
	l.phase, l.reason, l.due = phaseClosed, r, 0
	act := actNotify | actRemove | l.dropProbe()
	if l.get {
		act |= actAnswerClose
	}
	if l.websocket {
		act |= actCloseSocket
	}
	return act
}

// shutdownLinger is how long a shutdown waits for the last poll of a session.
const shutdownLinger = 2 * time.Second

// close is the graceful end: what is queued goes out first.
func (l *lifecycle) close(now time.Duration, why Reason) actions {
	if why == "" {
		why = ReasonForcedClose
	}
	linger := l.timing.linger
	if why == ReasonServerShutdown {
		// A client that is there polls again within a round trip; one that is
		// not must not hold the shutdown up.
		linger = min(linger, shutdownLinger)
	}
	l.phase, l.reason, l.due = phaseClosing, why, now+linger
	act := actNotify | l.dropProbe()
	switch {
	case l.websocket:
		act |= actFinishSocket
		if l.get {
			// The poll from before the upgrade is still being answered.
			act |= actAnswerNoop
		}
	case l.get && l.queued:
		// Not in one payload with the close packet: clients of the 4.x line act
		// on that at once and on a message in the next turn of their loop, so
		// they would lose it.
		act |= actAnswerNoop
	case l.get:
		l.phase, l.due = phaseClosed, 0
		act |= actAnswerClose | actRemove
	}
	return act
}

// stepClosing: the handler knows; a poll may still come for what is queued.
func (l *lifecycle) stepClosing(ev event, now time.Duration) actions {
	switch ev {
	case evGet:
		if l.websocket || l.get {
			return actReject
		}
		l.get = true
		if l.queued && !l.byClient {
			return actAnswerNoop
		}
		l.phase, l.due = phaseClosed, 0
		if l.byClient {
			return actAnswerNoop | actRemove
		}
		return actAnswerClose | actRemove
	case evPost:
		if l.websocket || l.post {
			return actReject
		}
		l.post = true
	case evPostEnd:
		l.post = false
	case evGetEnd, evGetAbort:
		l.get, l.lateGet = false, false
	case evProbeOpen:
		return actTryAgain
	case evTimer, evTimerBusy:
		if now < l.due {
			return 0
		}
		return l.over()
	case evEnd, evFail, evPacketClose, evParseError:
		return l.over()
	}
	return 0
}

// over ends the closing phase.
func (l *lifecycle) over() actions {
	l.phase, l.due = phaseClosed, 0
	act := actRemove
	if l.get {
		act |= actAnswerClose
	}
	if l.websocket {
		act |= actCloseSocket
	}
	return act
}

func (l *lifecycle) stepClosed(ev event) actions {
	switch ev {
	case evGet, evPost:
		return actReject
	case evProbeOpen:
		return actTryAgain
	case evGetEnd, evGetAbort:
		l.get, l.lateGet = false, false
	case evPostEnd:
		l.post = false
	}
	return 0
}
