package engineio

// Revision is the number of the Engine.IO protocol that a session speaks. It
// is chosen once, by the EIO parameter of the handshake, and never changes.
type Revision uint8

const (
	// V3 is spoken by the JavaScript clients 1.x and 2.x.
	V3 Revision = 3
	// V4 is spoken by the JavaScript clients 3.x and 4.x.
	V4 Revision = 4
)

// RevisionOf returns the revision that the value of the EIO query parameter
// asks for. Only "4" means V4: old clients send "3" or, before the parameter
// existed, nothing, so every other value means V3, as in the reference server.
func RevisionOf(eio string) Revision {
	if eio == "4" {
		return V4
	}
	return V3
}

// Type is the kind of a packet: the ASCII digit that stands in front of it in
// every text form (Engine.IO protocol, "Packet types").
type Type byte

// The packet types, the same in both revisions.
const (
	Open    Type = '0' // first packet of a session, carries the Handshake
	Close   Type = '1' // asks the other side to end the session
	Ping    Type = '2' // heartbeat request: by the client in V3, by the server in V4
	Pong    Type = '3' // heartbeat answer
	Message Type = '4' // application data
	Upgrade Type = '5' // the client commits to the transport it has probed
	Noop    Type = '6' // completes a pending poll, carries nothing
)

// Probe is the data of the ping and the pong by which a client tries a new
// transport before it upgrades to it.
const Probe = "probe"

// Valid reports whether t is one of the seven packet types.
func (t Type) Valid() bool { return t >= Open && t <= Noop }

// String returns the name of the type in lower case, or "invalid".
func (t Type) String() string {
	switch t {
	case Open:
		return "open"
	case Close:
		return "close"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	case Message:
		return "message"
	case Upgrade:
		return "upgrade"
	case Noop:
		return "noop"
	default:
		return "invalid"
	}
}

// Packet is one Engine.IO packet.
//
// The data of a text packet is UTF-8. The encoders take that for granted: they
// neither check nor repair it. A V4 binary packet is always a Message, for its
// forms have no place for a type.
type Packet struct {
	Type   Type
	Binary bool

	// Data is what follows the type, possibly empty. In a decoded packet it
	// aliases the input, or memory that the decoder allocated and does not use
	// again; so it is valid for as long as the caller leaves the input
	// unchanged, and its capacity ends with it.
	Data []byte
}
