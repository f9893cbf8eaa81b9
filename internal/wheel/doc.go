// Package wheel keeps very many coarse timers, such as the heartbeats of all
// sessions of a node, at a constant price: scheduling and stopping take a few
// pointer writes under one mutex and allocate nothing, and all timers together
// need one goroutine and one timer of the runtime. It stands at the bottom,
// used by the transport, and knows nothing of sessions.
//
// A Timer is a field of what it belongs to. It expires never early and at most
// one tick late, plus what the machine takes to wake a goroutine:
//
//	type session struct {
//		ping wheel.Timer
//		…
//	}
//
//	func (s *session) Expired(*wheel.Timer) { s.pingTimeout() }
//
//	w := wheel.New(10 * time.Millisecond)
//	defer w.Close()
//	s.ping.Init(s)
//	w.Schedule(&s.ping, 25*time.Second)
//
// Time is cut into ticks, and a timer hangs in the slot that its tick maps to,
// with those that are a multiple of the wheel's turn later. The goroutine sleeps
// until the next slot that holds something, or for good when none does; it does
// not tick. It then takes the slot's list as a whole and calls the handlers one
// by one, without the lock. A timer that is stopped or scheduled anew before its
// turn in that list has come is not called.
//
// Locks: Wheel.mu guards the wheel and the links of its timers. It is held for a
// bounded number of steps, never during a call of a handler, and no other lock
// is taken under it, so any method may be called with other locks held; a
// handler may take these locks, too.
package wheel
