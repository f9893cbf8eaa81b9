// Package feed puts the entries of a durable log in order.
//
// A log's server republishes each entry it stores, once, to whoever listens.
// What a node hears of that may come twice, late, out of order, or not at all:
// a leader that dies takes along what it had stored and not sent yet, and a
// broken route drops without a word. The [Sequencer] makes of it what the rest
// of the program relies on: each entry once, in sequence, none left out. It
// holds back what came early, has missing entries fetched from the log itself,
// compares with the leader's last sequence, and notices a log that lost its
// newest entries and grew again, by their stored times (V1 to V3).
//
// It is a pure state machine: no goroutine, no lock, no clock, no I/O. Inputs
// are calls, each with the time; what it wants done comes out of
// [Sequencer.Next], and the entries of [Handler.Apply]. One goroutine drives
// it. The log of package natsio is that goroutine, and the scripts in testdata
// are the manual of its decisions.
//
//	for {
//		for a, ok := s.Next(now()); ok; a, ok = s.Next(now()) {
//			start(a) // asks the log; the answer comes back as Fetched or Info
//		}
//		select {
//		case e := <-entries:
//			s.Entry(e)
//		…
//		case <-time.After(s.Wake().Sub(now())):
//		}
//	}
package feed
