package protocol

import (
	"bytes"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// placeholder collects, member by member, whether an object stands for an
// attachment: {"_placeholder":true,"num":0}. As in JavaScript, other members
// do not matter and the last of a repeated name counts.
type placeholder struct {
	is  bool
	num int // -1 if it is no integer
	set bool
}

var (
	namePlaceholder = []byte(`"_placeholder"`)
	nameNum         = []byte(`"num"`)
)

// member notes one member; name is the quoted string as written.
func (p *placeholder) member(name, value []byte) {
	if !p.set {
		p.num, p.set = -1, true
	}
	switch {
	case nameIs(name, namePlaceholder):
		p.is = string(value) == "true"
	case nameIs(name, nameNum):
		p.num = integer(value)
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

// integer reads a JSON number that is a small non-negative integer however it
// is spelled (1, 1.0, 1e0, -0 are integers to JavaScript); else -1.
func integer(raw []byte) int {
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return -1
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || f != math.Trunc(f) || f < 0 || f > math.MaxInt32 {
		return -1
	}
	return int(f)
}

// parsePlaceholder reports which attachment a valid JSON value stands for.
func parsePlaceholder(raw []byte) (num int, ok bool) {
	if len(raw) == 0 || raw[0] != '{' {
		return 0, false
	}
	s := scanner{data: raw, maxDepth: hardMaxDepth, attachments: -1}
	var ph placeholder
	for i := s.space(1); i < len(raw) && raw[i] != '}'; {
		name := i
		if i = s.str(i); i < 0 {
			return 0, false
		}
		nameEnd := i
		val := s.space(s.space(i) + 1)
		if i = s.value(val, 1); i < 0 {
			return 0, false
		}
		ph.member(raw[name:nameEnd], raw[val:i])
		i = s.space(i)
		if i < len(raw) && raw[i] == ',' {
			i = s.space(i + 1)
		}
	}
	return ph.num, ph.is
}

// appendPlaceholder writes the object that stands for attachment num.
func appendPlaceholder(dst []byte, num int) []byte {
	dst = append(dst, `{"_placeholder":true,"num":`...)
	dst = strconv.AppendInt(dst, int64(num), 10)
	return append(dst, '}')
}
