package engineio

import "strconv"

// maxLengthDigits bounds the length in front of a V3 record. The reference
// parser reads up to 310 digits; no body that a server accepts needs ten.
const maxLengthDigits = 10

// form3Text is the Form of errors in V3 text payloads.
const form3Text = "v3 text payload"

// AppendPayload3 appends p to dst, a V3 polling payload in text form:
// "<length>:<packet>" without anything in between, the length counted in UTF-16
// code units, as JavaScript does (Engine.IO protocol, revision 3, "Payload").
// Binary packets become base64.
//
// Clients 1.x and 2.x understand the same text only as long as it is ASCII (see
// Payload3Decoder), which AppendASCII achieves for JSON.
func AppendPayload3(dst []byte, p Packet) []byte {
	dst = strconv.AppendInt(dst, int64(units3(p)), 10)
	dst = append(dst, ':')
	return AppendText(dst, V3, p)
}

// Payload3Size returns the number of bytes that AppendPayload3 adds.
func Payload3Size(p Packet) int { return digits(units3(p)) + 1 + textSize(V3, p) }

// units3 returns the length of the text form of p in UTF-16 code units.
func units3(p Packet) int {
	if p.Binary {
		return textSize(V3, p)
	}
	return 1 + utf16Len(p.Data)
}

// digits returns the number of decimal digits of n, which is not negative.
func digits(n int) int {
	d := 1
	for ; n >= 10; n /= 10 {
		d++
	}
	return d
}

// Payload3Decoder decodes the V3 polling payloads in text form that one session
// receives. The zero value is ready for use; it is not safe for concurrent use.
//
// It exists because the parsers of the clients 1.x encode text as UTF-8 twice:
// they turn each packet into a string of one character per UTF-8 byte, count
// the characters of that, and the HTTP layer encodes it once more. Nothing else
// tells such a client from one of 2.x, which encodes once. So a packet whose
// non-ASCII characters are all at most U+00FF and, taken as bytes, form UTF-8
// is decoded a second time; a packet for which this cannot be proves that the
// client is of 2.x, and the decoder remembers it.
type Payload3Decoder struct {
	// single is true once the session has proved to encode text once.
	single bool
}

// DecodeText calls yield for each packet of body, in order. It stops at the
// first malformed record, after the records before it have been yielded, and
// returns a *SyntaxError; or at the first error of yield, and returns that. A
// body without any record, or with a record of length 0, is malformed.
//
// Text data that was encoded once aliases body; see Packet for how long data is
// valid. Time and memory are linear in the length of body.
func (d *Payload3Decoder) DecodeText(body []byte, yield func(Packet) error) error {
	if len(body) == 0 {
		return &SyntaxError{Form: form3Text, Reason: reasonEmptyBody}
	}
	// Up to here, code units are bytes.
	ascii := asciiPrefix(body)
	if !d.single && beyondLatin1(body[ascii:]) {
		d.single = true
	}
	var mem arena
	for off := 0; off < len(body); {
		start, n, reason := length3Text(body, off)
		if reason != "" {
			return &SyntaxError{Form: form3Text, Offset: off, Reason: reason}
		}
		size := n
		if n > ascii-start {
			if size, reason = utf16Prefix(body[start:], n); reason != "" {
				return &SyntaxError{Form: form3Text, Offset: start, Reason: reason}
			}
		}
		record := body[start : start+size]
		off = start + size
		if size != n && !d.single {
			record = d.undouble(record, n, &mem, len(body)-off)
		}
		p, reason := decodeText(V3, record, &mem, len(body)-off)
		if reason != "" {
			return &SyntaxError{Form: form3Text, Offset: start, Reason: reason}
		}
		if err := yield(p); err != nil {
			return err
		}
	}
	return nil
}

// length3Text reads the length of the record at off. It returns where the
// record starts and a length of 1 to the number of bytes that are left.
func length3Text(body []byte, off int) (start, n int, reason string) {
	var length int64
	for i := off; i < len(body); i++ {
		switch c := body[i]; {
		case c == ':' && i == off:
			return 0, 0, reasonLengthNone
		case c == ':' && length == 0:
			return 0, 0, reasonEmpty
		case c == ':' && length > int64(len(body)-i-1):
			// A code unit takes at least one byte.
			return 0, 0, reasonShort
		case c == ':':
			return i + 1, int(length), ""
		case c < '0' || c > '9':
			return 0, 0, reasonLength
		case i-off == maxLengthDigits:
			return 0, 0, reasonLengthLong
		default:
			length = length*10 + int64(c-'0')
		}
	}
	return 0, 0, reasonLengthNone
}

// undouble decodes record, which has n characters, none beyond U+00FF, a second
// time. If that is impossible it returns record and remembers why.
func (d *Payload3Decoder) undouble(record []byte, n int, mem *arena, rest int) []byte {
	once := narrow(mem.take(n, rest)[:0], record)
	if !repairUTF8(once) {
		d.single = true
		return record
	}
	return once
}
