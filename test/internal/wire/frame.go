package wire

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Opcodes of RFC 6455 section 5.2.
const (
	OpContinuation = 0x0
	OpText         = 0x1
	OpBinary       = 0x2
	OpClose        = 0x8
	OpPing         = 0x9
	OpPong         = 0xa
)

// Frame is one WebSocket frame, right or wrong.
type Frame struct {
	NotFin   bool
	RSV      byte // the three reserved bits, 0 to 7
	Op       byte
	Unmasked bool
	Payload  []byte

	// Length is put into the header instead of len(Payload) when ClaimLength is
	// set, in the form of 8 bytes.
	ClaimLength bool
	Length      uint64

	// WideLength writes the length in 8 bytes although fewer would do.
	WideLength bool
}

// Append adds the bytes of the frame as a client sends them.
func (f Frame) Append(b []byte) []byte {
	head := f.RSV<<4 | f.Op
	if !f.NotFin {
		head |= 0x80
	}
	mask := byte(0x80)
	if f.Unmasked {
		mask = 0
	}
	n := uint64(len(f.Payload))
	if f.ClaimLength {
		n = f.Length
	}
	b = append(b, head)
	switch {
	case f.ClaimLength || f.WideLength || n > 0xffff:
		b = append(b, mask|127)
		b = binary.BigEndian.AppendUint64(b, n)
	case n > 125:
		b = append(b, mask|126, byte(n>>8), byte(n))
	default:
		b = append(b, mask|byte(n))
	}
	if f.Unmasked {
		return append(b, f.Payload...)
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, key[:]...)
	for i, c := range f.Payload {
		b = append(b, c^key[i&3])
	}
	return b
}

// maxFrame bounds what a test takes from a server.
const maxFrame = 32 << 20

// readFrame reads one server frame.
func readFrame(r io.Reader) (Frame, error) {
	var head [10]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return Frame{}, err
	}
	f := Frame{NotFin: head[0]&0x80 == 0, RSV: head[0] >> 4 & 7, Op: head[0] & 15, Unmasked: head[1]&0x80 == 0}
	if !f.Unmasked {
		return f, fmt.Errorf("the server masked a frame: % x", head[:2])
	}
	n := uint64(head[1] & 0x7f)
	switch n {
	case 126:
		if _, err := io.ReadFull(r, head[2:4]); err != nil {
			return f, err
		}
		n = uint64(binary.BigEndian.Uint16(head[2:]))
		if n < 126 {
			return f, fmt.Errorf("length %d in the 16-bit form", n)
		}
	case 127:
		if _, err := io.ReadFull(r, head[2:10]); err != nil {
			return f, err
		}
		n = binary.BigEndian.Uint64(head[2:])
		if n < 1<<16 {
			return f, fmt.Errorf("length %d in the 64-bit form", n)
		}
	}
	if n > maxFrame {
		return f, fmt.Errorf("a frame of %d bytes", n)
	}
	f.Payload = make([]byte, n)
	_, err := io.ReadFull(r, f.Payload)
	return f, err
}
