package wire

import (
	"errors"
	"fmt"

	"github.com/siod-io/siod/backplane"
)

// Version is the version of what [Message.Append] writes, and the only one that
// [Decode] reads.
const Version = 1

// MaxUnknown bounds the bytes of fields that are skipped in one message.
const MaxUnknown = 4 << 10

// Message is an envelope on the wire, with what its carriage needs. Zero fields
// are absent.
type Message struct {
	// Envelope is what is carried. Its Kind is zero if there is none, as in a
	// final reply that says nothing else.
	backplane.Envelope

	// Sender is the boot id of the process that sent it, if that is not Origin.
	Sender string

	// Counter is the number of the message among those of its sender on its
	// subject, from 1 (R22). Zero means not counted.
	Counter uint64

	// Baseline: the sender begins to count on this subject, or begins again.
	Baseline bool

	// Final: of a reply, the node's last one.
	Final bool

	// Replies is, of a final reply, how many replies to the request the node
	// sent, this one included, so that lost ones are noticed.
	Replies uint64

	// Name is the name of the address it is published to, where the subject
	// has only a hash of it (subject.Hashed), and may be empty elsewhere.
	Name string
}

// From returns the process that sent the message: Sender, or else Origin. It is
// "" if neither is known.
func (m *Message) From() string {
	if m.Sender != "" {
		return m.Sender
	}
	return m.Origin
}

// ErrMalformed is wrapped by the errors of [Decode] for bytes that are no
// message. They say what is wrong, and where.
var ErrMalformed = errors.New("wire: malformed message")

// VersionError is a message of another version than [Version]. It is what a
// process sees of peers that are much newer, or of something that is no siod.
type VersionError struct {
	Got byte
}

// Error names both versions.
func (e *VersionError) Error() string {
	return fmt.Sprintf("wire: message of version %d, this process reads version %d", e.Got, Version)
}
