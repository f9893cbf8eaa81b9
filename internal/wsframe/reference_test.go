package wsframe

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"unicode/utf8"
)

// reference reads a whole stream at once, one rule after the other, with the
// standard library's inflater. It is slow, keeps everything, and is here to be
// compared with.
func reference(cfg Config, in []byte) (out outcome) {
	limit, maxFragments := cfg.MaxMessage, cfg.MaxFragments
	if limit == 0 {
		limit = 1_000_000
	}
	if maxFragments == 0 {
		maxFragments = 1024
	}
	fail := func(v Violation) outcome {
		out.Violation = v
		return out
	}
	var (
		open, compressed bool
		op               byte
		message          []byte
		fragments, empty int
	)
	for len(in) > 0 {
		if len(in) < 2 {
			out.Partial = true
			return out
		}
		fin, rsv, opcode := in[0]>>7 == 1, in[0]>>4&7, in[0]&15
		masked, short := in[1]>>7 == 1, in[1]&127
		control := opcode >= 8
		first := opcode == 1 || opcode == 2
		switch {
		case rsv != 0 && (rsv != 4 || !cfg.Deflate || !first):
			return fail(BadReservedBits)
		case !first && opcode != 0 && opcode != 8 && opcode != 9 && opcode != 10:
			return fail(BadOpcode)
		case masked != cfg.Server:
			return fail(BadMask)
		case control && (!fin || short > 125):
			return fail(BadControl)
		case opcode == 0 && !open:
			return fail(BadContinuation)
		case first && open:
			return fail(BadInterleave)
		}
		head := 2 + map[byte]int{126: 2, 127: 8}[short]
		if masked {
			head += 4
		}
		if len(in) < head {
			out.Partial = true
			return out
		}
		length := uint64(short)
		switch short {
		case 126:
			length = uint64(binary.BigEndian.Uint16(in[2:]))
		case 127:
			length = binary.BigEndian.Uint64(in[2:])
		}
		key := []byte{0, 0, 0, 0}
		if masked {
			key = in[head-4 : head]
		}
		if length>>63 == 1 {
			return fail(BadLength)
		}
		if first {
			compressed = rsv == 4
		}
		if !control {
			allowed := uint64(limit)
			if compressed {
				allowed += uint64(limit)/256 + 64
			}
			switch {
			case length > allowed-uint64(len(message)):
				return fail(TooBig)
			case fragments == maxFragments:
				return fail(TooManyFragments)
			case length == 0 && !fin && empty == 16:
				return fail(TooManyEmptyFrames)
			}
		}
		have := min(length, uint64(len(in)-head))
		payload := bytes.Clone(in[head : head+int(have)])
		for i := range payload {
			payload[i] ^= key[i%4]
		}
		if have < length {
			out.Partial = true
			return out
		}
		in = in[head+int(have):]

		switch opcode {
		case 9:
			out.Messages = append(out.Messages, Message{Kind: Ping, Data: payload})
		case 10:
			out.Messages = append(out.Messages, Message{Kind: Pong, Data: payload})
		case 8:
			m := Message{Kind: Close, Code: 1005, Data: []byte{}}
			if len(payload) == 1 {
				return fail(BadClosePayload)
			}
			if len(payload) >= 2 {
				m.Code, m.Data = uint16(payload[0])<<8|uint16(payload[1]), payload[2:]
				if !referenceCloseCode(int(m.Code)) {
					return fail(BadCloseCode)
				}
				if !referenceUTF8(m.Data) {
					return fail(BadCloseReason)
				}
			}
			out.Messages = append(out.Messages, m)
			return out // nothing counts after a close
		default:
			if first {
				open, op = true, opcode
			}
			message = append(message, payload...)
			fragments++
			if len(payload) == 0 {
				empty++
			} else {
				empty = 0
			}
			if !fin {
				continue
			}
			m := Message{Kind: Text, Data: message}
			if op == 2 {
				m.Kind = Binary
			}
			if compressed {
				inflated, v := referenceInflate(message, limit)
				if v != 0 {
					return fail(v)
				}
				m.Data = inflated
			}
			if op == 1 && !referenceUTF8(m.Data) {
				return fail(BadText)
			}
			if m.Data == nil {
				m.Data = []byte{}
			}
			out.Messages = append(out.Messages, m)
			open, message, fragments, empty = false, nil, 0, 0
		}
	}
	out.Partial = open
	return out
}

func referenceInflate(packed []byte, limit int64) ([]byte, Violation) {
	if len(packed) == 0 {
		return []byte{}, 0
	}
	over := TooBig
	if byRatio := max(16384, 100*int64(len(packed))); byRatio < limit {
		limit, over = byRatio, TooHighRatio
	}
	tail := []byte{0, 0, 255, 255, 1, 0, 0, 255, 255}
	src := bytes.NewReader(append(bytes.Clone(packed), tail...))
	out, err := io.ReadAll(io.LimitReader(flate.NewReader(src), limit+1))
	if int64(len(out)) > limit {
		return nil, over
	}
	if err != nil {
		return nil, BadDeflate
	}
	switch rest, _ := io.ReadAll(src); {
	case len(rest) == 0, bytes.Equal(rest, tail), bytes.Equal(rest, append([]byte{0}, tail...)):
		return out, 0
	}
	return nil, BadDeflate
}

func referenceUTF8(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return false
		}
		b = b[n:]
	}
	return true
}

// referenceCloseCode lists the codes of the IANA registry that may be sent.
func referenceCloseCode(code int) bool {
	switch code {
	case 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014:
		return true
	}
	return code/1000 == 3 || code/1000 == 4
}
