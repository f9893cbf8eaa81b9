//go:build linux

package main

import (
	"encoding/binary"
	"errors"
)

// WebSocket opcodes, RFC 6455 section 5.2.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// maxFrame is the longest frame that the generator takes from a server. It fits
// the read buffer of the epoll loop.
const maxFrame = 128 << 10

var errFrameTooLong = errors.New("the server sent a frame of over 128 KB")

type frame struct {
	op   byte
	data []byte
}

// nextFrame cuts one unfragmented server frame from b. When b holds less than a
// frame, ok is false and rest is b.
func nextFrame(b []byte) (f frame, rest []byte, ok bool, err error) {
	if len(b) < 2 {
		return f, b, false, nil
	}
	n, head := uint64(b[1]&0x7f), 2
	switch n {
	case 126:
		head = 4
		if len(b) < head {
			return f, b, false, nil
		}
		n = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		head = 10
		if len(b) < head {
			return f, b, false, nil
		}
		n = binary.BigEndian.Uint64(b[2:])
	}
	if n > maxFrame {
		return f, b, false, errFrameTooLong
	}
	end := head + int(n)
	if len(b) < end {
		return f, b, false, nil
	}
	return frame{b[0] & 15, b[head:end]}, b[end:], true, nil
}

// maskedFrame builds a client frame. The mask is all zeros, which the
// standard allows and which costs nothing on either side to apply.
func maskedFrame(op byte, p []byte) []byte {
	b := make([]byte, 0, len(p)+14)
	b = append(b, 0x80|op)
	switch {
	case len(p) < 126:
		b = append(b, 0x80|byte(len(p)))
	case len(p) < 65536:
		b = append(b, 0x80|126, byte(len(p)>>8), byte(len(p)))
	default:
		b = append(b, 0x80|127)
		b = binary.BigEndian.AppendUint64(b, uint64(len(p)))
	}
	b = append(b, 0, 0, 0, 0)
	return append(b, p...)
}
