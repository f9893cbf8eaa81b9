package wire

import (
	"cmp"
	"math"
	"time"
	"unsafe"

	"github.com/siod-io/siod/backplane"
)

// Decode reads a message. The result keeps data: its strings, frames and data
// are parts of it, so data must never be written to again. Nothing else is
// shared. A message for one room or none, without attachments, takes one
// allocation.
//
// Zero fields are absent: an empty slice or string that was sent comes back
// nil, except for elements of Target and of Frames.Binary. Kinds and operations
// that are not known are left to the reader of the envelope.
//
// Errors: [ErrMalformed], wrapped; *[VersionError]; *[backplane.LimitError] for
// what is over a limit of l, where Sender counts as an id and Name as a room.
// None of them says anything about a peer's intent: whoever gets one counts it
// and drops the message.
func Decode(data []byte, l backplane.Limits) (*Message, error) {
	var v struct {
		Message
		room [1]string // what Target.Rooms mostly needs, in the same allocation
	}
	m := &v
	m.Target.Rooms = m.room[:0]
	if err := m.Message.Decode(data, l); err != nil {
		return nil, err
	}
	if len(m.Target.Rooms) == 0 {
		m.Target.Rooms = nil
	}
	return &m.Message, nil
}

// Decode is like the function, into m, whose slices it uses again: what m held
// before is lost, and an Envelope that was copied out of it changes. It
// allocates nothing once the slices are large enough. Absent Rooms, Except and
// Binary are empty and need not be nil. After an error m holds nothing of use.
func (m *Message) Decode(data []byte, l backplane.Limits) error {
	rooms, except, attachments := m.Target.Rooms[:0], m.Target.Except[:0], m.Frames.Binary[:0]
	*m = Message{}
	m.Target.Rooms, m.Target.Except, m.Frames.Binary = rooms, except, attachments
	r := reader{data: data}
	if len(data) == 0 {
		return r.malformed("empty")
	}
	if data[0] != Version {
		return &VersionError{Got: data[0]}
	}
	r.at = 1
	targets := cmp.Or(l.Targets, backplane.DefaultTargets)
	for r.at < len(data) {
		if err := m.field(&r, targets); err != nil {
			return err
		}
	}
	// Elements over their limit were counted and not kept.
	switch {
	case r.rooms > targets:
		return &backplane.LimitError{Limit: "Targets", Max: targets, Got: r.rooms}
	case r.except > targets:
		return &backplane.LimitError{Limit: "Targets", Max: targets, Got: r.except}
	case r.binary > backplane.MaxAttachments:
		return &backplane.LimitError{Limit: "Attachments", Max: backplane.MaxAttachments, Got: r.binary}
	case len(m.Sender) > backplane.MaxID:
		return &backplane.LimitError{Limit: "ID", Max: backplane.MaxID, Got: len(m.Sender)}
	}
	if err := l.Check(&m.Envelope); err != nil {
		return err
	}
	return l.CheckName(backplane.Address{Scope: backplane.ScopeRoom, Name: m.Name})
}

// field reads one field into m.
func (m *Message) field(r *reader, targets int) error {
	start := r.at
	key, ok := r.uvarint()
	if !ok {
		return r.malformed("unfinished tag")
	}
	field, typ := key>>3, key&7
	switch {
	case field == 0 || field > maxField:
		return r.malformed("field number out of range")
	case field > fieldName:
		return r.skip(start, typ)
	case repeated&(1<<field) == 0 && r.seen&(1<<field) != 0:
		return r.malformed("second value of a field that has one")
	}
	r.seen |= 1 << field
	if numbers&(1<<field) == 0 {
		if typ != typeBytes {
			return r.malformed("number where bytes are due")
		}
		v, err := r.bytes()
		if err != nil {
			return err
		}
		m.setBytes(r, field, v, targets)
		return nil
	}
	if typ != typeVarint {
		return r.malformed("something else where a number is due")
	}
	v, ok := r.uvarint()
	if !ok {
		return r.malformed("unfinished number")
	}
	if !m.setNumber(field, v) {
		return r.malformed("number out of range")
	}
	return nil
}

// setNumber reports whether the field can hold v.
func (m *Message) setNumber(field, v uint64) bool {
	switch field {
	case fieldKind:
		m.Kind = backplane.Kind(v)
		return v <= math.MaxUint8
	case fieldFlags:
		m.Flags = backplane.Flags(v) // others are unknown, and ignored
	case fieldOp:
		m.Op = backplane.Op(v)
		return v <= math.MaxUint8
	case fieldID:
		m.ID = v
	case fieldCounter:
		m.Counter = v
	case fieldBaseline:
		m.Baseline = v != 0
	case fieldTimeout:
		m.Timeout = time.Duration(v)
		return v <= math.MaxInt64
	case fieldFinal:
		m.Final = v != 0
	case fieldReplies:
		m.Replies = v
	}
	return true
}

// setBytes keeps v, except elements beyond a limit, which are only counted.
func (m *Message) setBytes(r *reader, field uint64, v []byte, targets int) {
	switch field {
	case fieldOrigin:
		m.Origin = view(v)
	case fieldNamespace:
		m.Namespace = view(v)
	case fieldRooms:
		if r.rooms++; r.rooms <= targets {
			m.Target.Rooms = append(grow(m.Target.Rooms, r, fieldRooms, targets), view(v))
		}
	case fieldExcept:
		if r.except++; r.except <= targets {
			m.Target.Except = append(grow(m.Target.Except, r, fieldExcept, targets), view(v))
		}
	case fieldText:
		m.Frames.Text = present(v)
	case fieldBinary:
		if r.binary++; r.binary <= backplane.MaxAttachments {
			m.Frames.Binary = append(grow(m.Frames.Binary, r, fieldBinary, backplane.MaxAttachments), v)
		}
	case fieldData:
		m.Data = present(v)
	case fieldKey:
		m.Key = view(v)
	case fieldSender:
		m.Sender = view(v)
	case fieldTraceparent:
		m.Traceparent = view(v)
	case fieldName:
		m.Name = view(v)
	}
}

// grow makes room for one more element, and at once for those that follow
// without another field between them.
func grow[T any](s []T, r *reader, field, limit int) []T {
	if len(s) < cap(s) {
		return s
	}
	left := limit - len(s) - 1
	more := min(max(r.run(field, left), len(s)), left)
	return append(make([]T, 0, len(s)+1+more), s...)
}

// present returns nil for nothing.
func present(v []byte) []byte {
	if len(v) == 0 {
		return nil
	}
	return v
}

// view returns bytes as a string without a copy. They are never written to.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
