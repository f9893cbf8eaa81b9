package engineio

import (
	"encoding/base64"
	"unicode/utf8"
)

// base64Mark stands in front of a binary packet in a text form.
const base64Mark = 'b'

// The reasons that several decoders give.
const (
	reasonEmpty       = "empty packet"
	reasonType        = "unknown packet type"
	reasonBase64      = "invalid base64"
	reasonUTF8        = "invalid UTF-8"
	reasonEmptyBody   = "empty payload"
	reasonShort       = "length exceeds what is left"
	reasonLength      = "length is not a decimal number"
	reasonLengthLong  = "length has too many digits"
	reasonLengthNone  = "length is missing"
	reasonLengthBreak = "length ends within a character"
)

// DecodeText decodes a WebSocket text frame: a type digit and the data, or a
// binary packet in base64, which is "b" and the base64 in V4, "b", a type digit
// and the base64 in V3. V3 clients use the latter when they asked for b64=1,
// and the oldest of them whenever they like.
//
// That frame is UTF-8 is left to the WebSocket layer, which has to check it
// anyway (RFC 6455, 8.1). Text data aliases frame; binary data is allocated.
// Errors are of the type *SyntaxError.
func DecodeText(rev Revision, frame []byte) (Packet, error) {
	p, reason := decodeText(rev, frame, nil, 0)
	if reason != "" {
		return Packet{}, &SyntaxError{Form: "text packet", Reason: reason}
	}
	return p, nil
}

// DecodeBinary decodes a WebSocket binary frame: in V4 the frame is the data of
// a message, in V3 its first byte is the number of the type, 4 for a message.
// Data aliases frame. Errors are of the type *SyntaxError; V4 has none.
func DecodeBinary(rev Revision, frame []byte) (Packet, error) {
	if rev != V3 {
		return Packet{Type: Message, Binary: true, Data: clip(frame)}, nil
	}
	p, reason := decodeBinary3(frame)
	if reason != "" {
		return Packet{}, &SyntaxError{Form: "binary packet", Reason: reason}
	}
	return p, nil
}

// AppendText appends the text form of p to dst: the payload of a WebSocket text
// frame. A binary packet comes out in base64.
func AppendText(dst []byte, rev Revision, p Packet) []byte {
	if !p.Binary {
		dst = append(dst, byte(p.Type))
		return append(dst, p.Data...)
	}
	dst = append(dst, base64Mark)
	if rev == V3 {
		dst = append(dst, byte(p.Type))
	}
	return base64.StdEncoding.AppendEncode(dst, p.Data)
}

// AppendBinary appends the binary form of p to dst: the payload of a WebSocket
// binary frame. In V4 that is p.Data alone, so there a caller may as well send
// p.Data itself.
func AppendBinary(dst []byte, rev Revision, p Packet) []byte {
	if rev == V3 {
		dst = append(dst, byte(p.Type-'0'))
	}
	return append(dst, p.Data...)
}

// textSize returns the number of bytes that AppendText adds.
func textSize(rev Revision, p Packet) int {
	switch {
	case !p.Binary:
		return 1 + len(p.Data)
	case rev == V3:
		return 2 + base64.StdEncoding.EncodedLen(len(p.Data))
	default:
		return 1 + base64.StdEncoding.EncodedLen(len(p.Data))
	}
}

// decodeText decodes the text form of one packet. Memory for base64 is taken
// from mem if there is one; rest is the size of the input that follows b. The
// reason is empty if b is well formed.
func decodeText(rev Revision, b []byte, mem *arena, rest int) (p Packet, reason string) {
	if len(b) == 0 {
		return Packet{}, reasonEmpty
	}
	if b[0] != base64Mark {
		if t := Type(b[0]); t.Valid() {
			return Packet{Type: t, Data: clip(b[1:])}, ""
		}
		return Packet{}, reasonType
	}
	p, b = Packet{Type: Message, Binary: true}, b[1:]
	if rev == V3 {
		if len(b) == 0 || !Type(b[0]).Valid() {
			return Packet{}, reasonType
		}
		p.Type, b = Type(b[0]), b[1:]
	}
	if p.Data, reason = decodeBase64(b, mem, rest); reason != "" {
		return Packet{}, reason
	}
	return p, ""
}

// decodeUTF8 is decodeText with a check of the encoding, for bodies of HTTP
// requests, which nobody has checked yet.
func decodeUTF8(rev Revision, b []byte, mem *arena, rest int) (p Packet, reason string) {
	if !utf8.Valid(b) {
		return Packet{}, reasonUTF8
	}
	return decodeText(rev, b, mem, rest)
}

// decodeBinary3 decodes the V3 binary form of one packet.
func decodeBinary3(b []byte) (p Packet, reason string) {
	if len(b) == 0 {
		return Packet{}, reasonEmpty
	}
	if b[0] > byte(Noop-'0') {
		return Packet{}, reasonType
	}
	return Packet{Type: Type('0' + b[0]), Binary: true, Data: clip(b[1:])}, ""
}

// clip cuts the capacity of b to its length, so that appending to the data of
// one packet cannot overwrite the next one.
func clip(b []byte) []byte { return b[:len(b):len(b)] }
