package transport

import (
	"bytes"
	"sync/atomic"

	"github.com/gobwas/ws"

	"github.com/siod-io/siod/internal/wsframe"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/engineio"
)

// Form selects one of the encodings that a message has above Engine.IO: which
// parser the client speaks, and what the last argument is. transport does not
// know what the forms mean; it keeps and shares their bytes apart.
type Form uint8

// FormCount is how many forms a message can have. Form 0 is the one that
// NewMessage is given.
const FormCount = 4

// Former makes the other forms of a message from its first, each at most a few
// times (two writers may race for the same form; one result is kept). It is
// called by shard writers, so it must not block.
type Former interface {
	Form(m *Message, f Form) protocol.Frames
}

// Message is one packet on its way to any number of sessions. It is encoded
// once; what differs between sessions (the form, Engine.IO 3 or 4, WebSocket
// frame or polling record, compressed or not) is made when the first session
// needs it and then shared by all (R13). A Message is immutable after
// NewMessage and safe for concurrent use.
type Message struct {
	first  formRow
	others [FormCount - 1]atomic.Pointer[formRow]
	former Former
	flags  messageFlags
}

type messageFlags uint8

const (
	// flagRaw: bare Engine.IO data, not Socket.IO JSON, so that it must not be
	// escaped into ASCII for old polling clients.
	flagRaw messageFlags = 1 << iota
	// flagPlain: the application asked not to compress.
	flagPlain
)

type formRow struct {
	frames protocol.Frames
	wires  [wireCount]atomic.Pointer[[]byte]
}

// NewMessage takes ownership of f. former may be nil if only form 0 is used.
func NewMessage(f protocol.Frames, former Former) *Message {
	m := &Message{former: former}
	m.first.frames = f
	return m
}

// NewText and NewBinary make a bare Engine.IO message; the message owns data.
func NewText(data []byte) *Message {
	m := &Message{flags: flagRaw}
	m.first.frames.Text = data
	return m
}

// NewBinary is like NewText for binary data.
func NewBinary(data []byte) *Message {
	m := &Message{flags: flagRaw}
	m.first.frames.Binary = [][]byte{data}
	return m
}

// DisableCompression marks the message as not worth compressing. Call it
// before the first send.
func (m *Message) DisableCompression() { m.flags |= flagPlain }

// Former returns what NewMessage was given.
func (m *Message) Former() Former { return m.former }

// Frames returns the packet in form f.
func (m *Message) Frames(f Form) protocol.Frames { return m.row(f).frames }

func (m *Message) row(f Form) *formRow {
	if f == 0 {
		return &m.first
	}
	p := &m.others[f-1]
	if r := p.Load(); r != nil {
		return r
	}
	r := &formRow{frames: m.former.Form(m, f)}
	if !p.CompareAndSwap(nil, r) {
		return p.Load()
	}
	return r
}

// size is what the message counts for in a queue's byte bound. Shared bytes
// are charged to every session that waits for them.
func (m *Message) size(f Form) int {
	if m.first.frames.Text == nil && len(m.first.frames.Binary) == 0 {
		return m.row(f).frames.Size() + itemOverhead
	}
	return m.first.frames.Size() + itemOverhead
}

// itemOverhead is the queue's own cost of an entry.
const itemOverhead = 64

// wire is how a message looks on one kind of connection.
type wire uint8

const (
	wireWS4 wire = iota // revision 4 over WebSocket
	wireWS3             // revision 3: binary frames begin with the packet type
	wireWS3Base64
	wireWS4Deflate
	wireWS3Deflate
	wireWS3Base64Deflate
	wirePoll4 // a record of a polling payload
	wirePoll3
	wirePoll3Binary
	wireCount
)

const wireDeflateOffset = wireWS4Deflate - wireWS4

// isDeflate tells whether frames of this kind may be compressed.
func (w wire) isDeflate() bool { return w >= wireWS4Deflate && w <= wireWS3Base64Deflate }

// bytes returns the finished bytes of the message in form f for w, shared and
// not to be changed.
func (m *Message) bytes(f Form, w wire, deflateAbove int) []byte {
	r := m.row(f)
	if w.isDeflate() && (m.flags&flagPlain != 0 || r.frames.Size() < deflateAbove) {
		w -= wireDeflateOffset
	}
	if len(r.frames.Binary) == 0 && w < wirePoll4 {
		// Revisions and base64 differ in binary packets only.
		if w.isDeflate() {
			w = wireWS4Deflate
		} else {
			w = wireWS4
		}
	}
	p := &r.wires[w]
	if b := p.Load(); b != nil {
		return *b
	}
	b := m.build(r.frames, w)
	if !p.CompareAndSwap(nil, &b) {
		return *p.Load()
	}
	return b
}

func (m *Message) build(f protocol.Frames, w wire) []byte {
	n := 16
	if f.Text != nil {
		n += len(f.Text) + 16
	}
	for _, b := range f.Binary {
		n += len(b)*3/2 + 24
	}
	dst := make([]byte, 0, n)
	if w < wirePoll4 {
		return m.appendWebSocket(dst, f, w)
	}
	return m.appendPolling(dst, f, w)
}

func (m *Message) appendWebSocket(dst []byte, f protocol.Frames, w wire) []byte {
	z := w.isDeflate()
	if z {
		w -= wireDeflateOffset
	}
	if f.Text != nil {
		dst = appendFrame(dst, ws.OpText, '4', f.Text, z)
	}
	for _, b := range f.Binary {
		switch w {
		case wireWS3:
			dst = appendFrame(dst, ws.OpBinary, 4, b, z)
		case wireWS3Base64:
			p := engineio.Packet{Type: engineio.Message, Binary: true, Data: b}
			dst = appendFrame(dst, ws.OpText, -1, engineio.AppendText(nil, engineio.V3, p), z)
		default:
			dst = appendFrame(dst, ws.OpBinary, -1, b, z)
		}
	}
	return dst
}

// appendFrame appends one unmasked frame whose payload is the byte prefix (if
// not negative) and data.
func appendFrame(dst []byte, op ws.OpCode, prefix int, data []byte, deflate bool) []byte {
	n := len(data)
	if prefix >= 0 {
		n++
	}
	if deflate {
		plain := make([]byte, 0, n)
		if prefix >= 0 {
			plain = append(plain, byte(prefix))
		}
		plain = append(plain, data...)
		if z, err := wsframe.Deflate(nil, plain); err == nil && len(z) < n {
			dst = wsframe.AppendHeader(dst, op, true, len(z))
			return append(dst, z...)
		}
	}
	dst = wsframe.AppendHeader(dst, op, false, n)
	if prefix >= 0 {
		dst = append(dst, byte(prefix))
	}
	return append(dst, data...)
}

func (m *Message) appendPolling(dst []byte, f protocol.Frames, w wire) []byte {
	add := func(p engineio.Packet) {
		switch w {
		case wirePoll4:
			dst = engineio.AppendPayload4(dst, p)
		case wirePoll3:
			dst = engineio.AppendPayload3(dst, p)
		default:
			dst = engineio.AppendPayload3Binary(dst, p)
		}
	}
	if f.Text != nil {
		text := f.Text
		if w == wirePoll3 && m.flags&flagRaw == 0 {
			text = asciiPacket(text)
		}
		add(engineio.Packet{Type: engineio.Message, Data: text})
	}
	for _, b := range f.Binary {
		add(engineio.Packet{Type: engineio.Message, Binary: true, Data: b})
	}
	return dst
}

// asciiPacket escapes the JSON of a Socket.IO packet into pure ASCII. Clients
// of the 1.x line encode polling payloads as UTF-8 twice, those of the 2.x
// line once, and nothing tells them apart; ASCII reads the same either way.
func asciiPacket(text []byte) []byte {
	if engineio.IsASCII(text) {
		return text
	}
	// In front of the JSON stands the namespace, where an escape would be
	// other text; a namespace beyond ASCII goes out as it is.
	i := bytes.IndexAny(text, "[{\"")
	if i < 0 {
		return text
	}
	return engineio.AppendASCII(text[:i:i], text[i:])
}
