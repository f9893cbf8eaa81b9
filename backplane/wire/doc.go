// Package wire is the form of envelopes between processes: one byte with the
// version, then the fields in the wire form of protocol buffers, as
// envelope.proto beside this file describes them for other languages.
//
// It stands between package backplane, whose Envelope it carries, and the
// implementations and processes that speak to one another: natsio, emitter and
// worker. It is written by hand: a message of one room is decoded in one
// allocation, its strings and packets are views of the bytes that came.
//
//	m := wire.Message{Envelope: *env, Counter: 7}
//	data := m.Append(nil)
//	…
//	m, err := wire.Decode(data, limits) // data now belongs to m
//
// # Untrusted input
//
// Whoever may publish may send anything. Decode refuses what is malformed, what
// is over a limit and versions it does not know, each with its own error, and
// never allocates in proportion to a length or number that is claimed. A
// message it returns keeps its data in memory, all of it, so there is little in
// there that does not belong to the envelope: a field that may stand once
// stands once, and unknown fields are bounded by [MaxUnknown].
//
// # Versions
//
// Within version 1 fields may be added. A process that does not know one skips
// it, and the same holds for flags, so nodes of neighbouring releases mix. A
// change that an old process must not overlook takes another version byte, which
// the old process refuses with a *[VersionError]. The files below
// testdata/golden are messages of earlier releases; they are decoded for ever.
//
// # Concurrency
//
// The package is pure: no I/O, no goroutine, no lock, no clock. A message may
// be read by many goroutines when nobody writes to it.
package wire
