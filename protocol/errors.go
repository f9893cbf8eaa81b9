package protocol

import (
	"errors"
	"strconv"
)

// Errors of encoding. They are wrapped with the value that caused them.
var (
	// ErrNamespace is returned for a namespace that cannot be written: one
	// that does not start with a slash or that contains a comma.
	ErrNamespace = errors.New("protocol: bad namespace")

	// ErrAttachment is returned when a placeholder in raw arguments refers to
	// an attachment that is not there.
	ErrAttachment = errors.New("protocol: no such attachment")

	// ErrArguments is returned by Args.Decode when there are fewer arguments
	// than destinations.
	ErrArguments = errors.New("protocol: missing argument")
)

// SyntaxError says why bytes are not a packet. Every one of them is a reason
// to close the connection, as the JavaScript server does.
type SyntaxError struct {
	Offset int    // byte at which the problem was seen
	Reason string // one of a fixed set of texts, fit for a metric label
}

func (e *SyntaxError) Error() string {
	return "protocol: " + e.Reason + " at byte " + strconv.Itoa(e.Offset)
}

// LimitError says that a packet is larger than [Limits] allow.
type LimitError struct {
	Limit string // what is limited, such as "attachments"; one of a fixed set
	Value int    // what was asked for, or the least it could have been
	Max   int    // what is allowed
}

func (e *LimitError) Error() string {
	return "protocol: " + e.Limit + " " + strconv.Itoa(e.Value) + " over the limit of " + strconv.Itoa(e.Max)
}

// Reasons of a SyntaxError.
const (
	reasonType        = "unknown packet type"
	reasonAttachments = "bad attachment count"
	reasonAckID       = "ack id longer than 19 digits"
	reasonJSON        = "invalid JSON"
	reasonTrailing    = "bytes after the JSON"
	reasonEvent       = "payload of an event is not an array with a name"
	reasonReserved    = "reserved event name"
	reasonAck         = "payload of an ack is not an array"
	reasonConnect     = "payload of a connect is not an object"
	reasonError       = "payload of a connect error is neither object nor string"
	reasonDisconnect  = "disconnect with a payload"
	reasonPlaceholder = "placeholder without attachment"
	reasonPending     = "text while attachments are outstanding"
	reasonOther       = "no event of this namespace"
	reasonUnasked     = "binary message that no packet announced"
	reasonArray       = "not a JSON array"
)
