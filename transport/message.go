package transport

import (
	"sync/atomic"

	"github.com/siod-io/siod/protocol"
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
// called by shard writers, so it must not block or panic.
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
	if data == nil {
		data = []byte{} // an empty message is one, too
	}
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

// row is the message in form f. A form that nobody can make is the first one:
// a mistake of the caller, but none to end a shard's writer for.
func (m *Message) row(f Form) *formRow {
	if f == 0 || f >= FormCount || m.former == nil {
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

// bytes returns the finished bytes of the message in form f for w, shared and
// not to be changed.
func (m *Message) bytes(f Form, w wire, deflateAbove int) []byte {
	r := m.row(f)
	if w.isDeflate() && (m.flags&flagPlain != 0 || r.frames.Size() < deflateAbove) {
		w = w.plain()
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
	b := build(r.frames, w, m.flags&flagRaw != 0)
	if !p.CompareAndSwap(nil, &b) {
		return *p.Load()
	}
	return b
}
