package engineio

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// ones has the lowest bit of each byte set.
const ones = 0x0101010101010101

// IsASCII reports whether b has no byte beyond 0x7f.
func IsASCII(b []byte) bool { return asciiPrefix(b) == len(b) }

// asciiPrefix returns the number of bytes before the first one that is not
// ASCII.
func asciiPrefix(b []byte) int {
	i := 0
	for ; len(b)-i >= 8; i += 8 {
		if high := binary.LittleEndian.Uint64(b[i:]) & (ones << 7); high != 0 {
			return i + bits.TrailingZeros64(high)/8
		}
	}
	for ; i < len(b); i++ {
		if b[i] >= utf8.RuneSelf {
			break
		}
	}
	return i
}

// utf16Len returns the number of UTF-16 code units of the UTF-8 text b: one for
// each byte that begins a character and one more for each that begins one of
// four bytes.
func utf16Len(b []byte) int {
	n, i := 0, 0
	for ; len(b)-i >= 8; i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		n += 8 - bits.OnesCount64(w>>7&^(w>>6)&ones)
		n += bits.OnesCount64(w >> 7 & (w >> 6) & (w >> 5) & (w >> 4) & ones)
	}
	for ; i < len(b); i++ {
		if b[i]&0xc0 != 0x80 {
			n++
		}
		if b[i] >= 0xf0 {
			n++
		}
	}
	return n
}

// utf16Prefix returns the number of bytes that the first n UTF-16 code units of
// b take. All of them are checked to be UTF-8.
func utf16Prefix(b []byte, n int) (size int, reason string) {
	for n > 0 {
		if size == len(b) {
			return 0, reasonShort
		}
		if b[size] < utf8.RuneSelf {
			size++
			n--
			continue
		}
		r, width := utf8.DecodeRune(b[size:])
		if r == utf8.RuneError && width == 1 {
			return 0, reasonUTF8
		}
		if n--; width == 4 {
			n--
		}
		if n < 0 {
			return 0, reasonLengthBreak
		}
		size += width
	}
	return size, ""
}

// beyondLatin1 reports whether the UTF-8 text b has a character above U+00FF:
// one that begins with a byte above 0xc3.
func beyondLatin1(b []byte) bool {
	for _, c := range b {
		if c > 0xc3 {
			return true
		}
	}
	return false
}

// narrow appends to dst one byte for each character of the UTF-8 text b, none
// of which is above U+00FF.
func narrow(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c >= utf8.RuneSelf {
			i++
			c = c<<6 | b[i]&0x3f
		}
		dst = append(dst, c)
	}
	return dst
}

// repairUTF8 reports whether b is UTF-8, after it has replaced every encoded
// surrogate in b by U+FFFD, which takes three bytes as well. Some clients 1.x
// encode an unpaired surrogate like any other character, though UTF-8 has no
// encoding for it (RFC 3629, section 3).
func repairUTF8(b []byte) bool {
	if utf8.Valid(b) {
		return true
	}
	for i := 0; i+2 < len(b); i++ {
		if b[i] == 0xed && b[i+1]&0xe0 == 0xa0 && b[i+2]&0xc0 == 0x80 {
			copy(b[i:], "\uFFFD")
		}
	}
	return utf8.Valid(b)
}
