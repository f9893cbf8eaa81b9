package node

import (
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/msgpack"
	"github.com/siod-io/siod/transport"
)

// The forms of a message: which parser the client speaks, and whether its
// socket holds a recovery pid, which changes the last argument (V4).
const (
	formJSON transport.Form = iota
	formJSONRecovery
	formMsgpack
	formMsgpackRecovery
)

// plain makes the forms of a message without an offset. A client that holds a
// pid takes any string at the end of an event for an offset; a trailing null
// keeps it from doing so.
type plain struct{}

var nullTail = []byte("null")

// Form implements transport.Former.
func (plain) Form(m *transport.Message, f transport.Form) protocol.Frames {
	frames := m.Frames(formJSON)
	if (f == formJSONRecovery || f == formMsgpackRecovery) && frames.EndsInString() {
		frames = frames.WithTail(nullTail)
	}
	return parser(frames, f)
}

// acked makes the forms of packets that carry an ack id: they never have an
// offset, and the client does not look for one.
type acked struct{}

// Form implements transport.Former.
func (acked) Form(m *transport.Message, f transport.Form) protocol.Frames {
	return parser(m.Frames(formJSON), f)
}

// stamped makes the forms of a message with an offset.
type stamped struct{ tail []byte }

// Form implements transport.Former.
func (p *stamped) Form(m *transport.Message, f transport.Form) protocol.Frames {
	frames := m.Frames(formJSON)
	if f == formJSONRecovery || f == formMsgpackRecovery {
		frames = frames.WithTail(p.tail)
	}
	return parser(frames, f)
}

// parser turns a packet into the form of the client's parser.
func parser(frames protocol.Frames, f transport.Form) protocol.Frames {
	if f == formJSON || f == formJSONRecovery {
		return frames
	}
	b, err := msgpack.Append(nil, frames)
	if err != nil {
		// Frames are made by the encoder or checked by the decoder, both of
		// which leave nothing that msgpack could not express; an empty message
		// would end the client's session.
		return frames
	}
	return protocol.Frames{Binary: [][]byte{b}}
}
