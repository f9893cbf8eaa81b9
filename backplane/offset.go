package backplane

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"time"
)

// TagLen is the length of a [Tag].
const TagLen = 4

// Tag tells apart two entries that have the same sequence in two lives of a
// log: one that was created again, or that lost its newest entries and grew
// again. It is 4 characters of base64url.
type Tag [TagLen]byte

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// NewTag makes the tag of the entry at seq, stored at the given time, of a log
// created at the given time; for an empty log seq is 0 and stored is the zero
// Time. Times count in nanoseconds since 1970, so every node computes the same
// tag.
//
// The tag is the low 24 bits, six per character and lowest first, of a hash:
// FNV-1a of 64 bits over created, seq and stored (8 bytes each, little-endian,
// 0 for the zero Time), then the finalizer of MurmurHash3.
func NewTag(created time.Time, seq uint64, stored time.Time) Tag {
	h := newFNV()
	h.uint64(nanos(created))
	h.uint64(seq)
	h.uint64(nanos(stored))
	x := uint64(h)
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	var t Tag
	for i := range t {
		t[i] = base64url[x&63]
		x >>= 6
	}
	return t
}

// String returns the 4 characters.
func (t Tag) String() string { return string(t[:]) }

func nanos(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixNano())
}

// Offset is what a client keeps with each event and shows when it comes back:
// it got everything for it in the log up to Seq and, if Direct, among the
// direct emits made at that position, those up to K (V3).
type Offset struct {
	Position
	K      uint64 // number of a direct emit, per session and home
	Direct bool   // K is given
}

// MaxOffset is the length of the longest offset string.
const MaxOffset = maxBase36 + 1 + TagLen + 1 + maxBase36

const maxBase36 = 13 // digits of 1<<64 - 1

// Append appends the string form of o to dst: "<seq>.<tag>", and "+<k>" if o is
// direct, with both numbers in base 36.
func (o Offset) Append(dst []byte) []byte {
	dst = strconv.AppendUint(dst, o.Seq, 36)
	dst = append(dst, '.')
	dst = append(dst, o.Tag[:]...)
	if o.Direct {
		dst = append(dst, '+')
		dst = strconv.AppendUint(dst, o.K, 36)
	}
	return dst
}

// String returns the form of [Offset.Append].
func (o Offset) String() string {
	var buf [MaxOffset]byte
	return string(o.Append(buf[:0]))
}

// Compare orders offsets by (Seq, K), one that is not direct before the direct
// ones of its position: the entry was applied before anything was emitted
// there. Tags are not compared.
func (o Offset) Compare(p Offset) int {
	switch {
	case o.Seq != p.Seq:
		return less(o.Seq < p.Seq)
	case o.Direct != p.Direct:
		return less(p.Direct)
	case !o.Direct || o.K == p.K:
		return 0
	}
	return less(o.K < p.K)
}

func less(b bool) int {
	if b {
		return -1
	}
	return 1
}

// ParseOffset reads the form of [Offset.Append] and nothing else: digits are
// lower case without leading zeros, so each offset has one form. It allocates
// nothing. A client may send anything here; false means it is no offset of
// ours, which is no reason to refuse the client.
func ParseOffset[T ~string | ~[]byte](s T) (Offset, bool) {
	var o Offset
	seq, n := parseBase36(s)
	if n == 0 || len(s) < n+1+TagLen || s[n] != '.' {
		return Offset{}, false
	}
	o.Seq = seq
	for i := range o.Tag {
		c := s[n+1+i]
		if !isBase64url(c) {
			return Offset{}, false
		}
		o.Tag[i] = c
	}
	s = s[n+1+TagLen:]
	if len(s) == 0 {
		return o, true
	}
	if s[0] != '+' {
		return Offset{}, false
	}
	s = s[1:]
	if o.K, n = parseBase36(s); n == 0 || n != len(s) {
		return Offset{}, false
	}
	o.Direct = true
	return o, true
}

// parseBase36 reads the number at the start of s and returns the count of its
// digits, 0 if there is none in canonical form.
func parseBase36[T ~string | ~[]byte](s T) (v uint64, n int) {
	for ; n < len(s); n++ {
		var d uint64
		switch c := s[n]; {
		case '0' <= c && c <= '9':
			d = uint64(c - '0')
		case 'a' <= c && c <= 'z':
			d = uint64(c-'a') + 10
		default:
			return v, n
		}
		if n == 1 && v == 0 {
			return 0, 0 // leading zero
		}
		hi, lo := bits.Mul64(v, 36)
		sum, carry := bits.Add64(lo, d, 0)
		if hi != 0 || carry != 0 {
			return 0, 0
		}
		v = sum
	}
	return v, n
}

func isBase64url(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// fnv is FNV-1a of 64 bits without the allocation of hash/fnv.
type fnv uint64

func newFNV() fnv { return 14695981039346656037 }

func (h *fnv) byte(c byte) { *h = (*h ^ fnv(c)) * 1099511628211 }

func (h *fnv) string(s string) {
	for i := range len(s) {
		h.byte(s[i])
	}
}

func (h *fnv) uint64(v uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	for _, c := range b {
		h.byte(c)
	}
}
