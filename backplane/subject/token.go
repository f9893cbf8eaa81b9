package subject

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"unsafe"
)

// Lengths of names, in bytes, up to which a token holds the name itself.
const (
	maxPlain  = 128 // of one that is written as it is
	maxBase64 = 96  // of one that is written as base64url, which makes 128 characters
)

// MaxToken is the length of the longest [Token].
const MaxToken = 1 + maxPlain

// Token is a name as one token of a subject: never empty, of the characters
// A-Z a-z 0-9 - _ only, at most [MaxToken] long, and another one for each name.
// Its first character says how the rest is to be read:
//
//	p   the name, of at most 128 of those characters, the empty one too
//	n   the same behind a "/": names of namespaces, so "/" is "n"
//	b   base64url without padding of any other name of at most 96 bytes
//	h   base64url without padding of the SHA-256 of any other name
//
// A name has exactly one token. The reserved words of subjects, such as "all",
// "s" and the two characters of a shard, begin with other letters or stand at
// other places. The form is fixed for ever: emitters in other languages compute
// it too.
type Token string

// Encode returns the token of a name, which may be any bytes.
func Encode(name string) Token {
	return Token(appendToken(make([]byte, 0, tokenLen(name)), name))
}

// Is reports whether t is the token of name. It allocates nothing.
func (t Token) Is(name string) bool {
	var buf [MaxToken]byte
	return string(appendToken(buf[:0], name)) == string(t)
}

// Hashed reports whether t holds a hash of its name only. Where the name is
// needed, it then has to travel beside the subject, and [Token.Is] says
// whether it is the right one.
func (t Token) Hashed() bool { return len(t) == hashLen && t[0] == 'h' }

// Hashed reports whether the token of name holds a hash of it only, without
// making the token.
func Hashed(name string) bool { return form(name) == 'h' }

// Decode returns the name, or false if t is hashed or is no token of any name.
func (t Token) Decode() (name string, ok bool) {
	var buf [MaxToken]byte
	raw, ok := t.appendName(buf[:0])
	if !ok {
		return "", false
	}
	return string(raw), true
}

// valid reports whether t is the token of some name.
func (t Token) valid() bool {
	var buf [MaxToken]byte
	if t.Hashed() {
		_, ok := decode64(buf[:0], string(t[1:]))
		return ok
	}
	_, ok := t.appendName(buf[:0])
	return ok
}

// appendName appends the name of a token that holds it.
func (t Token) appendName(dst []byte) ([]byte, bool) {
	if t == "" || len(t) > MaxToken {
		return dst, false
	}
	rest, at := string(t[1:]), len(dst)
	switch t[0] {
	case 'p':
		return append(dst, rest...), isPlain(rest)
	case 'n':
		return append(append(dst, '/'), rest...), isPlain(rest)
	case 'b':
		dst, ok := decode64(dst, rest)
		// A name that has a shorter form has no second one in this.
		return dst, ok && form(dst[at:]) == 'b'
	}
	return dst, false
}

// decode64 appends what a text of base64url stands for, which has one spelling.
func decode64(dst []byte, text string) ([]byte, bool) {
	var raw [maxPlain]byte
	// The decoder passes over line ends.
	if len(text) > maxPlain || !isPlain(text) {
		return dst, false
	}
	dst, err := base64.RawURLEncoding.Strict().AppendDecode(dst, raw[:copy(raw[:], text)])
	return dst, err == nil
}

// hashLen is the length of a token with a hash.
const hashLen = 1 + (sha256.Size*8+5)/6

// form returns the first character of the token of name.
func form[S string | []byte](name S) byte {
	switch {
	case len(name) <= maxPlain && isPlain(name):
		return 'p'
	case name[0] == '/' && len(name) <= 1+maxPlain && isPlain(name[1:]):
		return 'n'
	case len(name) <= maxBase64:
		return 'b'
	}
	return 'h'
}

func isPlain[S string | []byte](s S) bool {
	for i := range len(s) {
		if c := s[i]; !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

func tokenLen(name string) int {
	switch form(name) {
	case 'p':
		return 1 + len(name)
	case 'n':
		return len(name)
	case 'b':
		return 1 + base64.RawURLEncoding.EncodedLen(len(name))
	}
	return hashLen
}

// appendToken appends the token of name to dst.
func appendToken(dst []byte, name string) []byte {
	f := form(name)
	dst = append(dst, f)
	switch f {
	case 'p':
		return append(dst, name...)
	case 'n':
		return append(dst, name[1:]...)
	case 'b':
		var raw [maxBase64]byte
		return base64.RawURLEncoding.AppendEncode(dst, raw[:copy(raw[:], name)])
	}
	// The bytes of the name itself: a conversion would copy them to the heap.
	sum := sha256.Sum256(unsafe.Slice(unsafe.StringData(name), len(name)))
	return base64.RawURLEncoding.AppendEncode(dst, sum[:])
}

// wild returns the token of a namespace, or the wildcard for all.
func wild(namespace string) string {
	if namespace == "" {
		return "*"
	}
	return string(Encode(namespace))
}

// join puts the tokens of a subject together.
func join(tokens ...string) string { return strings.Join(tokens, ".") }
