package engineio

import "bytes"

// separator stands between the records of a V4 payload (Engine.IO protocol,
// revision 4, "HTTP long-polling"). JSON cannot contain it unescaped; raw text
// that does is split by the receiver, also by the reference implementation.
const separator = '\x1e'

// AppendPayload4 appends p to the V4 polling payload dst, which is empty for
// the first packet. Binary packets become base64; the result is text.
func AppendPayload4(dst []byte, p Packet) []byte {
	if len(dst) > 0 {
		dst = append(dst, separator)
	}
	return AppendText(dst, V4, p)
}

// Payload4Size returns the number of bytes that AppendPayload4 adds to a
// payload which is not empty; the first packet takes one less.
func Payload4Size(p Packet) int { return 1 + textSize(V4, p) }

// DecodePayload4 calls yield for each packet of a V4 polling payload, in order.
// It stops at the first malformed record, after the records before it have been
// yielded, and returns a *SyntaxError; or at the first error of yield, and
// returns that. An empty body holds one empty record, so it is malformed.
//
// Text data aliases body; see Packet for how long data is valid. Time and
// memory are linear in the length of body.
func DecodePayload4(body []byte, yield func(Packet) error) error {
	var mem arena
	for off := 0; ; {
		end := len(body)
		if i := bytes.IndexByte(body[off:], separator); i >= 0 {
			end = off + i
		}
		p, reason := decodeUTF8(V4, body[off:end], &mem, len(body)-end)
		if reason != "" {
			return &SyntaxError{Form: "v4 payload", Offset: off, Reason: reason}
		}
		if err := yield(p); err != nil {
			return err
		}
		if end == len(body) {
			return nil
		}
		off = end + 1
	}
}
