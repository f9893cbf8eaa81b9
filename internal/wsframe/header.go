package wsframe

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// Bits of the first two header bytes (RFC 6455 section 5.2).
const (
	bitFin  = 0x80
	bitRsv1 = 0x40
	bitRsv2 = 0x20
	bitRsv3 = 0x10
	bitMask = 0x80

	len16bit = 126 // the length stands in the next two bytes
	len64bit = 127 // the length stands in the next eight bytes

	maxControl = ws.MaxControlFramePayloadSize
)

// headerSize returns the size of a header whose second byte is b1.
func headerSize(b1 byte) int {
	n := ws.MinHeaderSize
	switch b1 &^ bitMask {
	case len16bit:
		n += 2
	case len64bit:
		n += 8
	}
	if b1&bitMask != 0 {
		n += 4
	}
	return n
}

// parseHeader decodes a whole header. A length with the top bit set, which is
// not a length at all, comes out negative.
//
// A length may be longer than it needs to be: RFC 6455 section 5.2 binds the
// sender to the shortest form, reading the others does no harm, and the
// reference server reads them.
func parseHeader(b []byte) (h ws.Header) {
	h.Fin = b[0]&bitFin != 0
	h.Rsv = b[0] >> 4 & 7
	h.OpCode = ws.OpCode(b[0] & 0x0f)
	n := ws.MinHeaderSize
	switch l := b[1] &^ bitMask; l {
	case len16bit:
		h.Length = int64(binary.BigEndian.Uint16(b[2:]))
		n += 2
	case len64bit:
		h.Length = int64(binary.BigEndian.Uint64(b[2:]))
		n += 8
	default:
		h.Length = int64(l)
	}
	if b[1]&bitMask != 0 {
		h.Masked = true
		h.Mask = [4]byte(b[n : n+4])
	}
	return h
}

// checkStart checks what the first two bytes of a header tell. It changes
// nothing, so that a header in pieces may be checked more than once.
func (r *Reader) checkStart(b0, b1 byte) Violation {
	op := ws.OpCode(b0 & 0x0f)

	// RFC 6455 section 5.2: RSV1–3 must be 0 unless an extension gives them a
	// meaning. RFC 7692 section 6: RSV1 marks the first frame of a compressed
	// message and is not set on its other frames nor on control frames.
	if b0&(bitRsv2|bitRsv3) != 0 {
		return BadReservedBits
	}
	if b0&bitRsv1 != 0 && (!r.deflate || (op != ws.OpText && op != ws.OpBinary)) {
		return BadReservedBits
	}
	// RFC 6455 section 5.2: an unknown opcode fails the connection.
	if op.IsReserved() {
		return BadOpcode
	}
	// RFC 6455 section 5.1: a client masks all frames, a server none; the
	// other side must close the connection otherwise.
	if (b1&bitMask != 0) != r.server {
		return BadMask
	}
	if op.IsControl() {
		// RFC 6455 section 5.5: at most 125 bytes and not fragmented.
		if b0&bitFin == 0 || b1&^bitMask > maxControl {
			return BadControl
		}
		return 0
	}
	// RFC 6455 section 5.4: a fragmented message is one data frame, then
	// continuations; only control frames may come between.
	open := r.p != nil && r.p.op != 0
	if op == ws.OpContinuation && !open {
		return BadContinuation
	}
	if op != ws.OpContinuation && open {
		return BadInterleave
	}
	return 0
}

// ValidCloseCode reports whether code may stand in a close frame (RFC 6455
// sections 7.4.1 and 7.4.2, and the IANA registry for 1012–1014). 1005, 1006
// and 1015 are for local use only, 1004 has no meaning, 1016–2999 are reserved.
func ValidCloseCode(code uint16) bool {
	return code >= 1000 && code <= 1003 ||
		code >= 1007 && code <= 1014 ||
		code >= 3000 && code <= 4999
}
