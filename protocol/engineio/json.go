package engineio

import "unicode/utf8"

const hexDigits = "0123456789abcdef"

// AppendASCII appends the JSON text json to dst, every character beyond ASCII
// escaped as \uXXXX, those beyond U+FFFF as a pair. What JSON.parse makes of it
// is the same. Bytes that are not UTF-8 become \ufffd.
//
// Only within a JSON string is an escape the same as the character, so json
// must not have such characters anywhere else; a Socket.IO namespace, which
// stands in front of the JSON, is not to be passed.
//
// It is for V3 text payloads, which clients 1.x and 2.x read alike only if they
// are ASCII; see Payload3Decoder.
func AppendASCII(dst, json []byte) []byte {
	for {
		n := asciiPrefix(json)
		dst = append(dst, json[:n]...)
		if json = json[n:]; len(json) == 0 {
			return dst
		}
		r, size := utf8.DecodeRune(json)
		json = json[size:]
		if r > 0xffff {
			r -= 0x10000
			dst = appendUnicodeEscape(dst, 0xd800+r>>10)
			r = 0xdc00 + r&0x3ff
		}
		dst = appendUnicodeEscape(dst, r)
	}
}

// appendUnicodeEscape appends \uXXXX for r, which is at most U+FFFF.
func appendUnicodeEscape(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// appendString appends s as a string literal that is both JSON and JavaScript:
// what JSON.stringify returns, with U+2028 and U+2029 escaped as well, because
// before ECMAScript 2019 they ended a line within a literal.
func appendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	done := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c != 0xe2 {
			continue
		}
		if c == 0xe2 {
			// U+2028 and U+2029 are e2 80 a8 and e2 80 a9.
			if i+2 < len(s) && s[i+1] == 0x80 && s[i+2]&^1 == 0xa8 {
				dst = append(dst, s[done:i]...)
				dst = appendUnicodeEscape(dst, 0x2028+rune(s[i+2]&1))
				i += 2
				done = i + 1
			}
			continue
		}
		dst = append(dst, s[done:i]...)
		dst = appendControl(dst, c)
		done = i + 1
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}

// appendControl appends the escape of a quote, a backslash or a control
// character.
func appendControl(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	default:
		return appendUnicodeEscape(dst, rune(c))
	}
}
