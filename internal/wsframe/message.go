package wsframe

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Config holds what a Reader needs to know of its connection.
type Config struct {
	// MaxMessage is the largest message in bytes, over all its fragments and
	// after inflating. Zero means 1,000,000.
	MaxMessage int64
	// MaxFragments is the largest number of frames of one message. Zero means
	// 1,024.
	MaxFragments int
	// Deflate says that permessage-deflate was agreed, without context
	// takeover in both directions (RFC 7692 section 7.1.1).
	Deflate bool
	// Server says that the Reader stands on the server's side and expects
	// masked frames. False is the client's side, which refuses masked frames.
	Server bool
}

// Defaults and fixed limits.
const (
	defaultMaxMessage   = 1_000_000
	defaultMaxFragments = 1024
	// maxEmptyRun is how many empty frames in a row a message may hold before
	// its last one. Each costs the sender a few bytes and us a pass.
	maxEmptyRun = 16
)

// Kind is what a message is.
type Kind uint8

// The kinds of messages.
const (
	Text Kind = iota + 1
	Binary
	Ping
	Pong
	Close
)

// String returns the name of k.
func (k Kind) String() string {
	switch k {
	case Text:
		return "text"
	case Binary:
		return "binary"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	case Close:
		return "close"
	default:
		return "unknown"
	}
}

// Message is one complete message or control frame.
type Message struct {
	Kind Kind
	// Code is the status of a Close: one that ValidCloseCode accepts, or 1005
	// when the frame has none (RFC 6455 section 7.1.5).
	Code uint16
	// Data is the unmasked, inflated payload; of a Close the reason, which is
	// UTF-8 as a Text is. It is valid until the next call of Next or Release
	// and belongs to the Reader or aliases the bytes given to Next.
	Data []byte
}

// deliver makes the message of a complete payload and checks its content.
func (r *Reader) deliver(op ws.OpCode, data []byte) (Message, Violation) {
	switch op {
	case ws.OpText:
		// RFC 6455 section 8.1: text that is not UTF-8 fails the connection.
		if !utf8.Valid(data) {
			return Message{}, BadText
		}
		return Message{Kind: Text, Data: data}, 0
	case ws.OpBinary:
		return Message{Kind: Binary, Data: data}, 0
	case ws.OpPing:
		return Message{Kind: Ping, Data: data}, 0
	case ws.OpPong:
		return Message{Kind: Pong, Data: data}, 0
	default:
		return r.deliverClose(data)
	}
}

func (r *Reader) deliverClose(data []byte) (Message, Violation) {
	m := Message{Kind: Close, Code: codeNoStatus}
	// RFC 6455 section 5.5.1: a body, where there is one, starts with a
	// two-byte code, and the rest is UTF-8.
	switch {
	case len(data) == 1:
		return Message{}, BadClosePayload
	case len(data) >= 2:
		m.Code, m.Data = binary.BigEndian.Uint16(data), data[2:]
		if !ValidCloseCode(m.Code) {
			return Message{}, BadCloseCode
		}
		if !utf8.Valid(m.Data) {
			return Message{}, BadCloseReason
		}
	}
	r.closed = true
	return m, 0
}
