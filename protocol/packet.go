package protocol

import "bytes"

// Type is the type of a Socket.IO packet, the first digit of its text form
// (Socket.IO protocol, revision 5, "Packet encoding").
type Type uint8

// The packet types. BinaryEvent and BinaryAck exist on the wire only: a
// [Decoder] reports them as Event and Ack once their attachments are there.
const (
	Connect Type = iota
	Disconnect
	Event
	Ack
	ConnectError // called ERROR up to revision 4
	BinaryEvent
	BinaryAck
)

var typeNames = [...]string{"CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK"}

// String returns the name the protocol documents use, such as "EVENT".
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "UNKNOWN"
}

// Root is the namespace that every connection has and that is never written
// on the wire.
const Root = "/"

// Packet is a decoded packet whose arguments are still encoded.
//
// Its byte slices alias the bytes it was decoded from; see [Decoder.Text] and
// [Decoder.Binary] for how long they are valid. A Packet is plain data and may
// be copied and reused.
type Packet struct {
	Type      Type
	Namespace string // "/" if the packet names none; with its query, if any (see SplitQuery)
	ID        uint64 // ack id, if HasID
	HasID     bool

	// Event is the unquoted name of an EVENT. A name written as a number,
	// which JavaScript servers accept, keeps its digits.
	Event []byte

	// Args are the arguments of an EVENT without its name, or all those of
	// an ACK.
	Args Args

	// Payload is the raw JSON of a CONNECT (an object) or a CONNECT_ERROR (an
	// object in revision 5, any string or object before). Nil if absent.
	Payload []byte
}

// IsReserved reports whether event is a name that both sides keep for their
// own life cycle: it is never sent and never accepted as an event
// (Socket.IO protocol, revision 5; "newListener" and "removeListener" belong
// to the JavaScript event emitter).
func IsReserved(event string) bool {
	switch event {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

func isReserved(event []byte) bool {
	switch string(event) { // compiled without a copy
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

// SplitQuery separates the query string that clients of revision 4 and older
// add to a namespace, as in "/chat?token=abc", without the question mark. The
// query is empty if there is none.
func SplitQuery(namespace string) (name, query string) {
	for i := range len(namespace) {
		if namespace[i] == '?' {
			return namespace[:i], namespace[i+1:]
		}
	}
	return namespace, ""
}

// nameLen is the length of a namespace without its query.
func nameLen(namespace []byte) int {
	if i := bytes.IndexByte(namespace, '?'); i >= 0 {
		return i
	}
	return len(namespace)
}
