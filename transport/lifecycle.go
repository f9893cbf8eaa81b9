package transport

import (
	"time"

	"github.com/siod-io/siod/protocol/engineio"
)

// lifecycle is the state of one Engine.IO session as a pure machine: events and
// the time go in, actions come out, and nothing here touches a connection, a
// timer or a lock. session.go holds it under the session's mutex and carries
// the actions out. Scenarios in testdata/lifecycle read as scripts.
//
// Sources: Engine.IO protocol revisions 3 and 4, sections "Transports",
// "Upgrade" and "Heartbeat".
type lifecycle struct {
	rev          engineio.Revision
	phase        phase
	probe        probe
	websocket    bool // the current transport
	get, post    bool // a request of that method is pending
	awaitPong    bool // revision 4: a ping is out
	traffic      bool // something arrived while awaitPong
	extended     bool // traffic extended this pong's deadline once already
	reason       Reason
	interval     time.Duration
	timeout      time.Duration
	seen         time.Duration // when something last arrived
	due          time.Duration // when evTimer is wanted; 0 = no timer
	lingerExpiry time.Duration
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
	evGetEnd                      // the pending poll has been answered
	evGetAbort                    // the client gave the pending poll up
	evPost                        // a POST arrived
	evPostEnd                     // its packets are dispatched
	evData                        // a message packet arrived
	evPing                        // a ping packet without "probe"
	evPong                        // a pong packet
	evPacketClose                 // the client's close packet
	evParseError                  // what arrived cannot be decoded
	evProbeOpen                   // a WebSocket for this session was accepted
	evProbePing                   // "2probe" on it
	evProbeUpgrade                // "5" on it
	evProbeEnd                    // it closed, or sent anything else
	evUpgradeTimeout              // the upgrade took too long
	evEnd                         // the WebSocket transport ended by itself
	evFail                        // the transport failed
	evClose                       // the server closes the session
	evTimer                       // due has come
	evDrained                     // phaseClosing: all is with the client
)

// actions is a set; the session carries out its members in the order of the
// constants, which is the order that the protocol needs.
type actions uint32

const (
	actReject      actions = 1 << iota // answer this request 400
	actTryAgain                        // WebSocket for a session that has one: close it
	actProbePong                       // "3probe" on the probing WebSocket
	actSwitch                          // the probing WebSocket becomes the transport
	actDropProbe                       // close the probing WebSocket only
	actPing                            // queue a ping before everything else
	actPong                            // answer a ping
	actAnswerNoop                      // end the pending poll: what is queued, else a noop
	actAnswerClose                     // end the pending poll: what is queued and a close packet
	actHoldGet                         // keep this poll until there is something to send
	actArmUpgrade                      // start the upgrade's time-out
	actNotify                          // tell the handler that the session ended
	actCloseSocket                     // close the WebSocket gracefully, after what is queued
	actRemove                          // forget the session
)

const maxDuration = time.Duration(1<<63 - 1)

func (l *lifecycle) start(rev engineio.Revision, websocket bool, interval, timeout, now time.Duration, jitter float64) {
	l.rev, l.websocket, l.interval, l.timeout, l.seen = rev, websocket, interval, timeout, now
	if rev == engineio.V3 {
		l.due = now + interval + timeout
		return
	}
	// Only the first ping is spread, so that sessions that began together (a
	// deploy, a reconnect storm) do not stay in step (R4).
	l.due = now + time.Duration(float64(interval)*jitter)
}

// step takes one event at time now and returns what to do.
func (l *lifecycle) step(ev event, now time.Duration) actions {
	switch l.phase {
	case phaseClosed:
		return l.stepClosed(ev)
	case phaseClosing:
		return l.stepClosing(ev, now)
	}
	switch ev {
	case evGet:
		return l.onGet(now)
	case evGetEnd:
		l.get = false
	case evGetAbort:
		l.get = false
		return l.end(ReasonTransportError)
	case evPost:
		switch {
		case l.websocket:
			return actReject
		case l.post: // two POSTs at once: their order would be lost
			return actReject | l.end(ReasonTransportError)
		}
		l.post = true
		l.arrived(now)
	case evPostEnd:
		l.post = false
	case evData:
		l.arrived(now)
	case evPing, evPong:
		return l.onHeartbeat(ev, now)
	case evTimer:
		return l.onTimer(now)
	case evPacketClose:
		// The pending poll is released by a noop: the client closed, it does
		// not need to be told.
		act := l.end(ReasonTransportClose)
		if act&actAnswerClose != 0 {
			act = act&^actAnswerClose | actAnswerNoop
		}
		return act
	case evParseError:
		return l.end(ReasonParseError)
	case evProbeOpen, evProbePing, evProbeUpgrade, evProbeEnd, evUpgradeTimeout:
		return l.onProbe(ev, now)
	case evEnd:
		return l.end(ReasonTransportClose)
	case evFail:
		return l.end(ReasonTransportError)
	case evClose:
		return l.close(now)
	}
	return 0
}

func (l *lifecycle) onGet(now time.Duration) actions {
	switch {
	case l.websocket:
		return actReject
	case l.get: // two polls at once: the answers' order would be lost
		return actReject | l.end(ReasonTransportError)
	}
	l.get = true
	l.arrived(now)
	if l.probe == probeConfirmed {
		// The client is about to switch and waits for its last poll to end.
		return actAnswerNoop
	}
	return actHoldGet
}

// arrived notes a sign of life that is not a pong.
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
		return l.end(ReasonTransportError)
	case l.rev == engineio.V3: // a stray pong says nothing
		return 0
	}
	if l.awaitPong {
		l.awaitPong, l.extended = false, false
		l.due = now + l.interval
	}
	return 0
}

func (l *lifecycle) onTimer(now time.Duration) actions {
	if now < l.due {
		return 0
	}
	if l.rev == engineio.V3 {
		// Anything that arrives is a sign of life.
		if alive := l.seen + l.interval + l.timeout; alive > now {
			l.due = alive
			return 0
		}
		return l.end(ReasonPingTimeout)
	}
	if !l.awaitPong {
		l.awaitPong, l.traffic, l.extended = true, false, false
		l.due = now + l.timeout
		return actPing
	}
	if l.traffic && !l.extended {
		// A client busy with a long upload answers late. Once only: events
		// without pongs must not keep a session for ever.
		l.extended = true
		l.due = now + l.timeout
		return 0
	}
	return l.end(ReasonPingTimeout)
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
		if l.probe != probeAttached {
			return l.dropProbe()
		}
		l.probe = probeConfirmed
		l.arrived(now)
		if l.get {
			return actProbePong | actAnswerNoop
		}
		return actProbePong
	case evProbeUpgrade:
		if l.probe != probeConfirmed {
			return l.dropProbe()
		}
		l.probe, l.websocket = probeNone, true
		l.arrived(now)
		if l.get {
			return actSwitch | actAnswerNoop
		}
		return actSwitch
	default: // evProbeEnd, evUpgradeTimeout
		if l.probe == probeNone {
			return 0
		}
		return l.dropProbe()
	}
}

// dropProbe gives the upgrade up; the polling session lives on.
func (l *lifecycle) dropProbe() actions {
	l.probe = probeNone
	return actDropProbe
}

// end is the abrupt end: the transport is gone or not to be trusted.
func (l *lifecycle) end(r Reason) actions {
	l.phase, l.reason, l.due = phaseClosed, r, 0
	act := actNotify | actRemove
	if l.probe != probeNone {
		l.probe = probeNone
		act |= actDropProbe
	}
	if l.get {
		act |= actAnswerClose
	}
	if l.websocket {
		act |= actCloseSocket
	}
	return act
}

// close is the graceful end: what is queued goes out first. The reason has
// been set by the caller.
func (l *lifecycle) close(now time.Duration) actions {
	if l.reason == "" {
		l.reason = ReasonForcedClose
	}
	l.phase, l.due = phaseClosing, now+l.lingerExpiry
	act := actNotify
	if l.probe != probeNone {
		l.probe = probeNone
		act |= actDropProbe
	}
	switch {
	case l.websocket:
		act |= actCloseSocket
	case l.get:
		l.phase, l.due = phaseClosed, 0
		act |= actAnswerClose | actRemove
	}
	return act
}

// stepClosing: the handler knows; a poll may still come for what is queued.
func (l *lifecycle) stepClosing(ev event, _ time.Duration) actions {
	switch ev {
	case evGet:
		if l.websocket {
			return actReject
		}
		l.get, l.phase, l.due = true, phaseClosed, 0
		return actAnswerClose | actRemove
	case evPost:
		if l.websocket {
			return actReject
		}
	case evProbeOpen:
		return actTryAgain
	case evTimer, evEnd, evFail, evDrained, evPacketClose, evParseError, evGetAbort:
		l.phase, l.due = phaseClosed, 0
		if l.websocket {
			return actCloseSocket | actRemove
		}
		return actRemove
	}
	return 0
}

func (l *lifecycle) stepClosed(ev event) actions {
	switch ev {
	case evGet, evPost:
		return actReject
	case evProbeOpen:
		return actTryAgain
	}
	return 0
}
