package node

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed: the server has been shut down.
	ErrClosed = errors.New("node: server closed")

	// ErrDisconnected: the socket is not connected, or ended while the call
	// waited.
	ErrDisconnected = errors.New("node: socket disconnected")

	// ErrReserved: the event's name belongs to the protocol.
	ErrReserved = errors.New("node: reserved event name")

	// ErrNoLog: a durable emit needs a backplane with a log.
	ErrNoLog = errors.New("node: the backplane has no log for durable events")

	// ErrDegraded: the log takes no writes, so the event was delivered at once
	// and is not stored (LogDownLive).
	ErrDegraded = errors.New("node: log takes no writes: the event was delivered to who is connected, and not stored")

	// ErrRoomName: a room's name is not UTF-8, so other servers would have it
	// under another name.
	ErrRoomName = errors.New("node: name of a room is not UTF-8")

	// ErrNoAck: the client did not ask for an acknowledgement.
	ErrNoAck = errors.New("node: the event asks for no acknowledgement")

	// ErrAcked: the event was acknowledged already.
	ErrAcked = errors.New("node: the event is acknowledged already")

	// ErrTemplate: the call needs one namespace, and a Dynamic stands for many.
	ErrTemplate = errors.New("node: not possible on a pattern of namespaces")

	// ErrMoved: the session lives on another node by now.
	ErrMoved = errors.New("node: session moved to another node")
)

// ConnectError refuses a connection to a namespace. Returned from a middleware
// or from OnConnect it is what the client gets: clients of 3.x and later see
// it as "connect_error" with message and data, older ones as "error".
type ConnectError struct {
	Message string
	Data    any // JSON; nil sends none
}

// Error implements error.
func (e *ConnectError) Error() string { return e.Message }

// Refuse returns a ConnectError.
func Refuse(message string, data any) error { return &ConnectError{Message: message, Data: data} }

// EventError is an error that a handler wants the client to see: the event is
// acknowledged with {"error": Message}, and "data" if Data is not nil. Any
// other error of a handler is logged, and the client is told "internal error"
// only.
type EventError struct {
	Message string
	Data    any
}

// Error implements error.
func (e *EventError) Error() string { return e.Message }

// LimitError says that a name or a list is over its limit (R8).
type LimitError struct {
	Limit string // what is limited, such as "room name"
	Value int
	Max   int
}

// Error names the limit and the value.
func (e *LimitError) Error() string {
	return fmt.Sprintf("node: %s of %d is over the limit of %d", e.Limit, e.Value, e.Max)
}

// checkLimit returns a *LimitError if value is over most.
func checkLimit(what string, value, most int) error {
	if value > most {
		return &LimitError{Limit: what, Value: value, Max: most}
	}
	return nil
}

// reservedError names the event of an ErrReserved.
type reservedError struct{ event string }

func (e *reservedError) Error() string { return ErrReserved.Error() + ": " + e.event }
func (e *reservedError) Unwrap() error { return ErrReserved }

// FailedNode is a node that did not answer a cluster request, and why.
type FailedNode struct {
	Node   string // boot id
	Reason string // "dead", "unreachable", "lost" (some of its answers were), "timeout"
}

// PartialError says that not all sockets or nodes that a request concerned
// took part in it. What was answered is valid.
type PartialError struct {
	// Missing lists the ids of sockets that were asked and did not answer, or
	// to which an operation could not be applied.
	Missing []string
	// FailedNodes lists nodes that could not be asked, died meanwhile, or had
	// not finished when the wait ended.
	FailedNodes []FailedNode
	// Err is why the wait ended, context.DeadlineExceeded for one; nil if it
	// ended because nobody was left to answer.
	Err error
}

// Error counts the parts.
func (e *PartialError) Error() string {
	s := fmt.Sprintf("node: partial result: %d missing, %d nodes failed", len(e.Missing), len(e.FailedNodes))
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns Err.
func (e *PartialError) Unwrap() error { return e.Err }
