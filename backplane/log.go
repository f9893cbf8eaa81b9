package backplane

import (
	"context"
	"iter"
	"time"
)

// Logged is an optional interface of a [Backplane] with durable logs. Use
// [Logs] and [LogFor] to find them.
type Logged interface {
	// Logs returns the logs, always the same ones in the same order. Their
	// number is fixed when the cluster is created.
	Logs() []Log
}

// Logs returns the durable logs of b, nil if it has none.
func Logs(b Backplane) []Log {
	if l, ok := b.(Logged); ok {
		return l.Logs()
	}
	return nil
}

// LogFor returns the log that holds the durable events of a namespace, nil if
// b has none.
func LogFor(b Backplane, namespace string) Log {
	logs := Logs(b)
	if len(logs) == 0 {
		return nil
	}
	return logs[LogIndex(namespace, len(logs))]
}

// LogIndex spreads namespaces over n logs by FNV-1a of 64 bits, modulo n. It is
// fixed for ever: emitters in other languages compute it too.
func LogIndex(namespace string, n int) int {
	if n <= 1 {
		return 0
	}
	h := newFNV()
	h.string(namespace)
	return int(uint64(h) % uint64(n))
}

// Log is one durable, totally ordered sequence of envelopes. Every node gets
// the whole of it, in sequence, and delivers to its sockets from there: a
// durable event never travels the fast way as well. The log can delay nothing
// else.
//
// Entries are numbered from 1, each by one more than the last, and the number
// of an entry is its place in the order of all nodes. One that was deleted or
// aged out leaves a hole, which is passed over.
//
// Promises checked by backplanetest, where P is the last position up to which
// this node applied every entry:
//
//   - The handler gets entries in increasing sequence, none twice, and none is
//     left out unless a Reset said so (V1, V2).
//   - All nodes get the same entry at the same sequence, with the same tag.
//   - Append returns when the entry is stored and P is at or beyond it: the
//     caller reads its own writes (V14).
//   - An entry whose append began after another's ended comes later in
//     the log (R23).
//
// All methods are safe for concurrent use.
type Log interface {
	// Tail starts the feed to h, once in the life of a Log: from the log's end
	// at this moment, which the first call of h, a [Reset] with [ResetStart],
	// names. It returns once that call returned, so P is known (V1), and the
	// feed runs until the backplane closes. A node tails every log at boot, and
	// offers recovery only after that.
	//
	// Errors: [ErrSubscribed], [ErrClosed], [ErrLogDown], that of ctx.
	Tail(ctx context.Context, h LogHandler) error

	// Append stores env at the end and returns its position when it is stored
	// and, on a node that tails, applied there: h.Apply for it has returned.
	// While the log takes no writes it waits, in order, until ctx ends or a
	// bound of 20 s from the first try passes. No lock that Apply takes may be
	// held.
	//
	// Errors: [ErrClosed], *[LimitError], [ErrLogBusy], [ErrLogDown] (certainly
	// not stored; wraps the error of ctx where that ended the wait) and
	// [ErrOutcomeUnknown].
	Append(ctx context.Context, env *Envelope) (Position, error)

	// AppendAsync is Append that does not wait: it queues env and returns, and
	// calls done once with what Append would have returned, on any goroutine,
	// possibly before AppendAsync returns. Entries of one caller are tried in
	// the order of its calls; only those with FlagOrdered are certain to
	// be stored in it. done must not block.
	//
	// Errors, in which case done is not called: [ErrClosed], *[LimitError],
	// [ErrLogBusy].
	AppendAsync(ctx context.Context, env *Envelope, done func(Position, error)) error

	// Read yields stored entries with after < Seq <= upTo in sequence. It serves
	// a node that is younger than the recovery window; one scan should be
	// shared by all sessions that need it (V10). A pair with an error is the
	// last one.
	//
	// Errors: *[TrimmedError] if the log no longer has all of them, [ErrClosed],
	// [ErrLogDown], that of ctx.
	Read(ctx context.Context, after, upTo uint64) iter.Seq2[Entry, error]

	// Status returns a snapshot without waiting.
	Status() LogStatus
}

// LogHandler takes the feed of one [Log]. Calls never overlap.
//
// A call may block while the node's own queues are full, which delays the feed
// and everybody who waits for a position here, and nothing else. It must not
// call methods of the Log other than Status.
type LogHandler interface {
	// Apply takes the next entry. When it returns, P is e.Seq.
	Apply(e Entry)

	// Reset sets P without applying what lies between.
	Reset(r Reset)
}

// Position is a place in a log: just after the entry with this sequence. The
// empty log is at 0, with a tag of its own.
type Position struct {
	Seq uint64
	Tag Tag
}

// Entry is one stored envelope.
type Entry struct {
	Position
	Stored   time.Time // by the log's clock; with Seq and the log's creation it makes Tag
	Envelope *Envelope
}

// Reset says that the feed goes on from another position.
type Reset struct {
	Position Position
	Reason   ResetReason
}

// ResetReason says why a feed was reset.
type ResetReason uint8

// The reasons of a [Reset].
const (
	_ ResetReason = iota

	// ResetStart is the first call: Position is the end of the log.
	ResetStart

	// ResetJump: entries up to Position were gone before this node got them.
	// Every connected recovery session of this log missed some: its floor goes
	// up to Position and its connection ends (V2).
	ResetJump

	// ResetRewind: the log lost its newest entries, and Position is the newest
	// one that it and this node agree on. Floors become Position, open room
	// intervals begin again there and closed ones go. It deserves an alarm
	// (V1, V3).
	ResetRewind
)

// String returns the lower-case name of the reason.
func (r ResetReason) String() string {
	switch r {
	case ResetStart:
		return "start"
	case ResetJump:
		return "jump"
	case ResetRewind:
		return "rewind"
	}
	return "none"
}

// LogStatus is a snapshot of a [Log] as this node sees it.
type LogStatus struct {
	Index    int       // which log of the cluster it is
	Created  time.Time // of the log; part of each tag
	Position Position  // P: everything up to it is applied here. Zero before Tail
	Last     uint64    // highest sequence known to exist; beyond Position.Seq while this node is behind
	Writable bool      // the last answer of the log, or its absence, lets appends hope
	Waiting  int       // appends of this node that wait
}
