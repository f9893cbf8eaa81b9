package wire

import (
	"encoding/binary"
	"math/bits"
)

// Numbers of the fields, as in envelope.proto.
const (
	fieldKind = iota + 1
	fieldFlags
	fieldOp
	fieldOrigin
	fieldID
	fieldNamespace
	fieldRooms
	fieldExcept
	fieldText
	fieldBinary
	fieldData
	fieldKey
	fieldCounter
	fieldBaseline
	fieldSender
	fieldTimeout
	fieldTraceparent
	fieldFinal
	fieldReplies
	fieldName
)

// Wire types of protocol buffers.
const (
	typeVarint  = 0
	typeFixed64 = 1
	typeBytes   = 2
	typeFixed32 = 5
)

// Append appends the encoded message to dst and returns it. It grows dst at most
// once. A message is written in one way only, field by field in the order of
// their numbers. A negative Timeout is left out.
//
// Limits are not looked at: a process that sends checks its envelopes with
// [backplane.Limits], or its peers refuse them.
func (m *Message) Append(dst []byte) []byte {
	if n := m.Len(); cap(dst)-len(dst) < n {
		dst = append(make([]byte, 0, len(dst)+n), dst...)
	}
	dst = append(dst, Version)
	dst = appendUint(dst, fieldKind, uint64(m.Kind))
	dst = appendUint(dst, fieldFlags, uint64(m.Flags))
	dst = appendUint(dst, fieldOp, uint64(m.Op))
	dst = appendBytes(dst, fieldOrigin, m.Origin)
	dst = appendUint(dst, fieldID, m.ID)
	dst = appendBytes(dst, fieldNamespace, m.Namespace)
	for _, r := range m.Target.Rooms {
		dst = appendElement(dst, fieldRooms, r)
	}
	for _, r := range m.Target.Except {
		dst = appendElement(dst, fieldExcept, r)
	}
	dst = appendBytes(dst, fieldText, m.Frames.Text)
	for _, b := range m.Frames.Binary {
		dst = appendElement(dst, fieldBinary, b)
	}
	dst = appendBytes(dst, fieldData, m.Data)
	dst = appendBytes(dst, fieldKey, m.Key)
	dst = appendUint(dst, fieldCounter, m.Counter)
	dst = appendBool(dst, fieldBaseline, m.Baseline)
	dst = appendBytes(dst, fieldSender, m.Sender)
	dst = appendUint(dst, fieldTimeout, uint64(max(m.Timeout, 0)))
	dst = appendBytes(dst, fieldTraceparent, m.Traceparent)
	dst = appendBool(dst, fieldFinal, m.Final)
	dst = appendUint(dst, fieldReplies, m.Replies)
	return appendBytes(dst, fieldName, m.Name)
}

// Len returns the exact number of bytes that Append adds.
func (m *Message) Len() int {
	n := 1 + lenUint(fieldKind, uint64(m.Kind)) + lenUint(fieldFlags, uint64(m.Flags)) +
		lenUint(fieldOp, uint64(m.Op)) + lenBytes(fieldOrigin, len(m.Origin)) +
		lenUint(fieldID, m.ID) + lenBytes(fieldNamespace, len(m.Namespace)) +
		lenBytes(fieldText, len(m.Frames.Text)) + lenBytes(fieldData, len(m.Data)) +
		lenBytes(fieldKey, len(m.Key)) + lenUint(fieldCounter, m.Counter) +
		lenBool(fieldBaseline, m.Baseline) + lenBytes(fieldSender, len(m.Sender)) +
		lenUint(fieldTimeout, uint64(max(m.Timeout, 0))) + lenBytes(fieldTraceparent, len(m.Traceparent)) +
		lenBool(fieldFinal, m.Final) + lenUint(fieldReplies, m.Replies) + lenBytes(fieldName, len(m.Name))
	for _, r := range m.Target.Rooms {
		n += lenElement(fieldRooms, len(r))
	}
	for _, r := range m.Target.Except {
		n += lenElement(fieldExcept, len(r))
	}
	for _, b := range m.Frames.Binary {
		n += lenElement(fieldBinary, len(b))
	}
	return n
}

func tag(field, typ int) uint64 { return uint64(field<<3 | typ) }

func appendUint(dst []byte, field int, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return binary.AppendUvarint(binary.AppendUvarint(dst, tag(field, typeVarint)), v)
}

func appendBool(dst []byte, field int, v bool) []byte {
	if !v {
		return dst
	}
	return append(binary.AppendUvarint(dst, tag(field, typeVarint)), 1)
}

// appendBytes leaves an empty value out; appendElement must not.
func appendBytes[S string | []byte](dst []byte, field int, v S) []byte {
	if len(v) == 0 {
		return dst
	}
	return appendElement(dst, field, v)
}

func appendElement[S string | []byte](dst []byte, field int, v S) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, tag(field, typeBytes)), uint64(len(v)))
	return append(dst, v...)
}

func lenUvarint(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

func lenUint(field int, v uint64) int {
	if v == 0 {
		return 0
	}
	return lenUvarint(tag(field, typeVarint)) + lenUvarint(v)
}

func lenBool(field int, v bool) int {
	if !v {
		return 0
	}
	return lenUvarint(tag(field, typeVarint)) + 1
}

func lenBytes(field, n int) int {
	if n == 0 {
		return 0
	}
	return lenElement(field, n)
}

func lenElement(field, n int) int {
	return lenUvarint(tag(field, typeBytes)) + lenUvarint(uint64(n)) + n
}
