package backplane

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrClosed: the backplane was closed, or its node was declared dead.
	ErrClosed = errors.New("backplane: closed")

	// ErrDisconnected: this process is cut off; nothing was sent.
	ErrDisconnected = errors.New("backplane: disconnected")

	// ErrAddress: the address cannot be used in this way.
	ErrAddress = errors.New("backplane: unusable address")

	// ErrSubscribed: the address is subscribed already, or a log is tailed
	// already.
	ErrSubscribed = errors.New("backplane: already subscribed")

	// ErrNoDeadline: a wait for others needs a context with a deadline.
	ErrNoDeadline = errors.New("backplane: context without deadline")

	// ErrLogDown: the log takes no writes; the entry is certainly not stored.
	ErrLogDown = errors.New("backplane: log takes no writes")

	// ErrLogBusy: too many appends of this node wait already; not stored.
	ErrLogBusy = errors.New("backplane: too many appends waiting")

	// ErrOutcomeUnknown: whether the entry is stored could not be found out in
	// time, and it is not tried again (V16).
	ErrOutcomeUnknown = errors.New("backplane: outcome of append unknown")

	// ErrTrimmed: the log no longer has entries that were asked for.
	ErrTrimmed = errors.New("backplane: log begins later")

	// ErrOwned: another owner claimed the session first.
	ErrOwned = errors.New("backplane: session has another owner")
)

// TrimmedError is [ErrTrimmed] with what is left.
type TrimmedError struct {
	First uint64 // the first entry that the log may still have
}

// Error names the first entry.
func (e *TrimmedError) Error() string { return fmt.Sprintf("%v, at %d", ErrTrimmed, e.First) }

// Unwrap returns ErrTrimmed.
func (e *TrimmedError) Unwrap() error { return ErrTrimmed }

// Reason says why a node did not answer.
type Reason string

// The reasons a [Failure] can have.
const (
	ReasonDead        Reason = "dead"        // the node is no member any more
	ReasonUnreachable Reason = "unreachable" // it is a member, and nothing at the address took the request
	ReasonLost        Reason = "lost"        // it answered, and some of its answers were lost
)

// Failure is a node whose answers are not complete and will not be.
type Failure struct {
	Node   string // boot id; "" if the address names none
	Reason Reason
}

// PartialError is the end of a request or barrier that not everybody finished.
// What was yielded before it is valid.
type PartialError struct {
	Missing []string  // nodes that had not finished when the context ended, sorted
	Failed  []Failure // nodes that failed before, in that order
	Err     error     // cause of the context's end; nil if nobody is missing
}

// Error lists the nodes.
func (e *PartialError) Error() string {
	var b strings.Builder
	b.WriteString("backplane: incomplete answer")
	sep := ": "
	for _, f := range e.Failed {
		fmt.Fprintf(&b, "%s%s %s", sep, cmp.Or(f.Node, "anyone"), f.Reason)
		sep = ", "
	}
	for _, id := range e.Missing {
		fmt.Fprintf(&b, "%s%s missing", sep, id)
		sep = ", "
	}
	if e.Err != nil {
		fmt.Fprintf(&b, " (%v)", e.Err)
	}
	return b.String()
}

// Unwrap returns Err.
func (e *PartialError) Unwrap() error { return e.Err }

// LimitError is an envelope over one of its [Limits].
type LimitError struct {
	Limit string // name of the field of Limits, such as "Room"
	Max   int
	Got   int
}

// Error names the limit and the value.
func (e *LimitError) Error() string {
	return fmt.Sprintf("backplane: %s of %d is over the limit of %d", limitNouns[e.Limit], e.Got, e.Max)
}
