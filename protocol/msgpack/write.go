package msgpack

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/siod-io/siod/protocol/internal/jsonscan"
)

// writer turns JSON that was validated into MessagePack.
type writer struct {
	dst  []byte
	scan jsonscan.Scanner
	bin  [][]byte
}

// value writes the JSON value at i and returns the index after it.
func (w *writer) value(i int) (end int) {
	data := w.scan.Data
	switch data[i] {
	case '[':
		return w.array(i)
	case '{':
		return w.object(i)
	}
	end = w.scan.Value(i, 0)
	switch raw := data[i:end]; raw[0] {
	case 'n':
		w.dst = append(w.dst, 0xc0)
	case 'f':
		w.dst = append(w.dst, 0xc2)
	case 't':
		w.dst = append(w.dst, 0xc3)
	case '"':
		w.quoted(raw)
	default:
		w.number(raw)
	}
	return end
}

func (w *writer) array(i int) (end int) {
	at, count := w.open()
	for i = w.scan.Space(i + 1); w.scan.Data[i] != ']'; count++ {
		i = w.after(w.value(i))
	}
	w.close(at, count, 0x90, 0xdc)
	return i + 1
}

// object writes a map or, if it turns out to be a placeholder, what that
// stands for.
func (w *writer) object(i int) (end int) {
	data := w.scan.Data
	var ref jsonscan.Ref
	at, count := w.open()
	for i = w.scan.Space(i + 1); data[i] != '}'; count++ {
		nameEnd := w.scan.String(i)
		name := data[i:nameEnd]
		w.quoted(name)
		val := w.scan.Space(w.scan.Space(nameEnd) + 1)
		end := w.value(val)
		if w.bin != nil {
			ref.Member(name, data[val:end])
		}
		i = w.after(end)
	}
	if ref.Is() { // its number was checked when the whole text was
		w.dst = w.dst[:at]
		w.binary(w.bin[ref.Index()])
		return i + 1
	}
	w.close(at, count, 0x80, 0xde)
	return i + 1
}

// after skips what follows an element or member.
func (w *writer) after(i int) int {
	if i = w.scan.Space(i); w.scan.Data[i] == ',' {
		i = w.scan.Space(i + 1)
	}
	return i
}

// open leaves room for the shortest head of an array or map, whose size is not
// known yet.
func (w *writer) open() (at, count int) {
	w.dst = append(w.dst, 0)
	return len(w.dst) - 1, 0
}

// close writes the head, moving the contents if it is a longer one.
func (w *writer) close(at, count int, short, long byte) {
	switch {
	case count < 16:
		w.dst[at] = short | byte(count)
	case count <= math.MaxUint16:
		w.dst = append(w.dst, 0, 0)
		copy(w.dst[at+3:], w.dst[at+1:])
		w.dst[at] = long
		binary.BigEndian.PutUint16(w.dst[at+1:], uint16(count))
	default:
		w.dst = append(w.dst, 0, 0, 0, 0)
		copy(w.dst[at+5:], w.dst[at+1:])
		w.dst[at] = long + 1
		binary.BigEndian.PutUint32(w.dst[at+1:], uint32(count))
	}
}

func (w *writer) quoted(raw []byte) {
	if bytes.IndexByte(raw, '\\') < 0 {
		w.text(raw[1 : len(raw)-1])
		return
	}
	s, _ := jsontext.AppendUnquote(nil, raw) // a lone surrogate is U+FFFD
	w.text(s)
}

func (w *writer) text(s []byte) {
	if len(s) < 32 {
		w.dst = append(w.dst, 0xa0|byte(len(s)))
	} else {
		w.length(len(s), 0xd9)
	}
	w.dst = append(w.dst, s...)
}

func (w *writer) binary(b []byte) {
	w.length(len(b), 0xc4)
	w.dst = append(w.dst, b...)
}

// length writes one of three formats that begin at first: of 8, 16 and 32 bits.
func (w *writer) length(n int, first byte) {
	switch {
	case n <= math.MaxUint8:
		w.dst = append(w.dst, first, byte(n))
	case n <= math.MaxUint16:
		w.dst = binary.BigEndian.AppendUint16(append(w.dst, first+1), uint16(n))
	default:
		w.dst = binary.BigEndian.AppendUint32(append(w.dst, first+2), uint32(n))
	}
}

func (w *writer) number(raw []byte) {
	if !bytes.ContainsAny(raw, ".eE") {
		if n, err := strconv.ParseUint(string(raw), 10, 64); err == nil {
			w.uint(n)
			return
		}
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			w.int(n)
			return
		}
	}
	f, _ := strconv.ParseFloat(string(raw), 64) // out of range is Inf, as in JavaScript
	w.dst = binary.BigEndian.AppendUint64(append(w.dst, 0xcb), math.Float64bits(f))
}

func (w *writer) uint(n uint64) {
	switch {
	case n < 0x80:
		w.dst = append(w.dst, byte(n))
	case n <= math.MaxUint8:
		w.dst = append(w.dst, 0xcc, byte(n))
	case n <= math.MaxUint16:
		w.dst = binary.BigEndian.AppendUint16(append(w.dst, 0xcd), uint16(n))
	case n <= math.MaxUint32:
		w.dst = binary.BigEndian.AppendUint32(append(w.dst, 0xce), uint32(n))
	default:
		w.dst = binary.BigEndian.AppendUint64(append(w.dst, 0xcf), n)
	}
}

// int writes a number that is negative, or -0.
func (w *writer) int(n int64) {
	switch {
	case n >= -32:
		w.dst = append(w.dst, byte(n))
	case n >= math.MinInt8:
		w.dst = append(w.dst, 0xd0, byte(n))
	case n >= math.MinInt16:
		w.dst = binary.BigEndian.AppendUint16(append(w.dst, 0xd1), uint16(n))
	case n >= math.MinInt32:
		w.dst = binary.BigEndian.AppendUint32(append(w.dst, 0xd2), uint32(n))
	default:
		w.dst = binary.BigEndian.AppendUint64(append(w.dst, 0xd3), uint64(n))
	}
}
