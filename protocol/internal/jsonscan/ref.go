package jsonscan

import (
	"bytes"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Ref finds out, member by member, whether an object is a placeholder, that is
// a reference to an attachment: {"_placeholder":true,"num":0} (Socket.IO
// protocol, "Binary packets"). As in JavaScript, other members do not matter
// and the last of a repeated name counts. The zero Ref has seen no member.
type Ref struct {
	is  bool
	num int // one more than the index; 0 if there is none or it is no index
}

// Is reports whether the object is a placeholder.
func (r Ref) Is() bool { return r.is }

// Index returns the number of the attachment, or -1 if it has no usable one.
func (r Ref) Index() int { return r.num - 1 }

// Valid reports whether the placeholder refers to one of count attachments.
func (r Ref) Valid(count int) bool { return r.num > 0 && r.num <= count }

var (
	namePlaceholder = []byte(`"_placeholder"`)
	nameNum         = []byte(`"num"`)
)

// Member notes one member of the object: its name with quotes, and its value,
// both as written.
func (r *Ref) Member(name, value []byte) {
	switch {
	case nameIs(name, namePlaceholder):
		r.is = string(value) == "true"
	case nameIs(name, nameNum):
		r.num = index(value) + 1
	}
}

// nameIs compares a quoted name as written with one that has no escapes.
func nameIs(name, want []byte) bool {
	if bytes.IndexByte(name, '\\') < 0 {
		return bytes.Equal(name, want)
	}
	if len(name) > 6*len(want) { // no spelling of want is longer
		return false
	}
	var buf [96]byte
	plain, _ := jsontext.AppendUnquote(buf[:0], name)
	return string(plain) == string(want[1:len(want)-1])
}

// index reads a JSON number that is a non-negative integer, however it is
// spelled: 1, 1.0, 1e0 and -0 are integers to JavaScript. Else it returns -1.
func index(raw []byte) int {
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return -1
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || f != math.Trunc(f) || f < 0 || f > math.MaxInt32 {
		return -1
	}
	return int(f)
}

// ParseRef returns the Ref of raw, a valid JSON value.
func ParseRef(raw []byte) (r Ref) {
	s := Scanner{Data: raw, MaxDepth: HardMaxDepth, Attachments: -1}
	i := s.Space(0)
	if i >= len(raw) || raw[i] != '{' {
		return Ref{}
	}
	for i = s.Space(i + 1); i < len(raw) && raw[i] != '}'; {
		nameEnd := s.String(i)
		if nameEnd < 0 {
			return Ref{}
		}
		name := raw[i:nameEnd]
		val := s.Space(s.Space(nameEnd) + 1)
		if i = s.Value(val, 1); i < 0 {
			return Ref{}
		}
		r.Member(name, raw[val:i])
		if i = s.Space(i); i < len(raw) && raw[i] == ',' {
			i = s.Space(i + 1)
		}
	}
	return r
}

// AppendRef writes the placeholder of attachment num.
func AppendRef(dst []byte, num int) []byte {
	dst = append(dst, `{"_placeholder":true,"num":`...)
	dst = strconv.AppendInt(dst, int64(num), 10)
	return append(dst, '}')
}
