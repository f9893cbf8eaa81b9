package engineio

// A record of a V3 payload in binary form begins with one of these bytes, then
// the digits of its length in bytes, each as a byte of the value 0 to 9, then
// lengthEnd (Engine.IO protocol, revision 3, "Payload", XHR2).
const (
	kindText   = 0x00
	kindBinary = 0x01
	lengthEnd  = 0xff
)

// form3Binary is the Form of errors in V3 binary payloads.
const form3Binary = "v3 binary payload"

// AppendPayload3Binary appends p to dst, a V3 polling payload in the binary form
// that is for clients whose XMLHttpRequest can receive bytes. Text is encoded
// once by the clients of every version.
func AppendPayload3Binary(dst []byte, p Packet) []byte {
	if p.Binary {
		dst = appendLength3(append(dst, kindBinary), 1+len(p.Data))
		return AppendBinary(dst, V3, p)
	}
	dst = appendLength3(append(dst, kindText), 1+len(p.Data))
	return AppendText(dst, V3, p)
}

// Payload3BinarySize returns the number of bytes that AppendPayload3Binary adds.
func Payload3BinarySize(p Packet) int {
	n := 1 + len(p.Data)
	return 1 + digits(n) + 1 + n
}

func appendLength3(dst []byte, n int) []byte {
	i := len(dst)
	for range digits(n) {
		dst = append(dst, 0)
	}
	for j := len(dst) - 1; j >= i; j-- {
		dst[j] = byte(n % 10)
		n /= 10
	}
	return append(dst, lengthEnd)
}

// DecodePayload3Binary calls yield for each packet of a V3 polling payload in
// binary form, in order. It stops at the first malformed record, after the
// records before it have been yielded, and returns a *SyntaxError; or at the
// first error of yield, and returns that. An empty body is malformed.
//
// Data aliases body, except for base64, which a text record may hold. Time and
// memory are linear in the length of body.
func DecodePayload3Binary(body []byte, yield func(Packet) error) error {
	if len(body) == 0 {
		return &SyntaxError{Form: form3Binary, Reason: reasonEmptyBody}
	}
	var mem arena
	for off := 0; off < len(body); {
		kind := body[off]
		if kind > kindBinary {
			return &SyntaxError{Form: form3Binary, Offset: off, Reason: "unknown kind of record"}
		}
		start, n, reason := length3Binary(body, off+1)
		if reason != "" {
			return &SyntaxError{Form: form3Binary, Offset: off, Reason: reason}
		}
		record := body[start : start+n]
		off = start + n
		var p Packet
		if kind == kindText {
			p, reason = decodeUTF8(V3, record, &mem, len(body)-off)
		} else {
			p, reason = decodeBinary3(record)
		}
		if reason != "" {
			return &SyntaxError{Form: form3Binary, Offset: start, Reason: reason}
		}
		if err := yield(p); err != nil {
			return err
		}
	}
	return nil
}

// length3Binary reads the length at off. It returns where the record starts and
// its length, at most what is left.
func length3Binary(body []byte, off int) (start, n int, reason string) {
	var length int64
	for i := off; i < len(body); i++ {
		switch c := body[i]; {
		case c == lengthEnd && i == off:
			return 0, 0, reasonLengthNone
		case c == lengthEnd && length > int64(len(body)-i-1):
			return 0, 0, reasonShort
		case c == lengthEnd:
			return i + 1, int(length), ""
		case c > 9:
			return 0, 0, reasonLength
		case i-off == maxLengthDigits:
			return 0, 0, reasonLengthLong
		default:
			length = length*10 + int64(c)
		}
	}
	return 0, 0, reasonLengthNone
}
