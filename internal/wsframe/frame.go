package wsframe

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// HeaderLen returns the size of the header of an unmasked frame with a payload
// of length bytes: 2, 4 or 10.
func HeaderLen(length int) int {
	switch {
	case length < len16bit:
		return 2
	case length <= 1<<16-1:
		return 4
	default:
		return 10
	}
}

// AppendHeader appends the header of an unmasked final frame, which a server
// sends (RFC 6455 section 5.1), for a payload of length bytes. With rsv1 the
// payload is one made by Deflate.
func AppendHeader(dst []byte, op ws.OpCode, rsv1 bool, length int) []byte {
	b0 := bitFin | byte(op)
	if rsv1 {
		b0 |= bitRsv1
	}
	return appendHeader(dst, b0, 0, length)
}

func appendHeader(dst []byte, b0, mask byte, length int) []byte {
	switch {
	case length < len16bit:
		return append(dst, b0, mask|byte(length))
	case length <= 1<<16-1:
		return binary.BigEndian.AppendUint16(append(dst, b0, mask|len16bit), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(dst, b0, mask|len64bit), uint64(length))
	}
}

// AppendText appends a text frame. The payload must be UTF-8, which is not
// checked here.
func AppendText(dst, payload []byte) []byte {
	return append(AppendHeader(dst, ws.OpText, false, len(payload)), payload...)
}

// AppendBinary appends a binary frame.
func AppendBinary(dst, payload []byte) []byte {
	return append(AppendHeader(dst, ws.OpBinary, false, len(payload)), payload...)
}

// AppendPing appends a ping frame with the first 125 bytes of payload.
func AppendPing(dst, payload []byte) []byte {
	return appendControl(dst, ws.OpPing, payload)
}

// AppendPong appends a pong frame with the first 125 bytes of payload, which
// is all that a ping can have (RFC 6455 section 5.5.3).
func AppendPong(dst, payload []byte) []byte {
	return appendControl(dst, ws.OpPong, payload)
}

func appendControl(dst []byte, op ws.OpCode, payload []byte) []byte {
	payload = payload[:min(len(payload), maxControl)]
	return append(AppendHeader(dst, op, false, len(payload)), payload...)
}

// AppendClose appends a close frame. Codes 0 and 1005 mean no status and give
// an empty payload without the reason; other codes should be such as
// ValidCloseCode accepts. A reason over 123 bytes is cut before the character
// that does not fit; it must be UTF-8 (RFC 6455 section 5.5.1).
func AppendClose(dst []byte, code uint16, reason string) []byte {
	if code == 0 || code == codeNoStatus {
		return AppendHeader(dst, ws.OpClose, false, 0)
	}
	reason = clipReason(reason)
	dst = AppendHeader(dst, ws.OpClose, false, 2+len(reason))
	return append(binary.BigEndian.AppendUint16(dst, code), reason...)
}

func clipReason(s string) string {
	if len(s) <= maxReasonSize {
		return s
	}
	n := maxReasonSize
	for n > maxReasonSize-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// AppendMasked appends a final frame as a client sends it, masked with key
// (RFC 6455 section 5.3). The payload is copied and left as it was. The key
// must not be foreseeable by whoever chose the payload.
func AppendMasked(dst []byte, op ws.OpCode, payload []byte, key [4]byte) []byte {
	dst = appendHeader(dst, bitFin|byte(op), bitMask, len(payload))
	dst = append(dst, key[:]...)
	at := len(dst)
	dst = append(dst, payload...)
	ws.Cipher(dst[at:], key, 0)
	return dst
}
