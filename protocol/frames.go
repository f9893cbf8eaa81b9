package protocol

import (
	"slices"
	"strconv"
)

// Frames is one encoded packet in the form of the default (JSON) parser: the
// text, without Engine.IO's leading "4", and the attachments that follow it as
// binary messages. It is encoded once where an event is born, and never decoded
// and encoded again on its way (R13).
//
// Frames are immutable once made and may be shared between goroutines. Methods
// that return Frames leave the receiver alone and share its attachments.
type Frames struct {
	Text   []byte
	Binary [][]byte
}

// Size returns the number of bytes of text and attachments.
func (f Frames) Size() int {
	n := len(f.Text)
	for _, b := range f.Binary {
		n += len(b)
	}
	return n
}

// body returns the index at which the ack id or the JSON begins. The text must
// be one that this package encoded: anything else yields some index within it.
func (f Frames) body() int {
	text := f.Text
	if len(text) == 0 {
		return 0
	}
	i := 1
	if Type(text[0]-'0') >= BinaryEvent {
		for i < len(text) && text[i] != '-' {
			i++
		}
		i++
	}
	if i < len(text) && text[i] == '/' {
		for i < len(text) && text[i] != ',' {
			i++
		}
		i++
	}
	return min(i, len(text))
}

// WithID returns the same packet with an ack id. The receiver must be an event
// or an ack without one.
func (f Frames) WithID(id uint64) Frames {
	at := f.body()
	text := make([]byte, 0, len(f.Text)+20)
	text = append(text, f.Text[:at]...)
	text = strconv.AppendUint(text, id, 10)
	text = append(text, f.Text[at:]...)
	return Frames{Text: text, Binary: f.Binary}
}

// WithTail returns the same packet with one more argument, raw JSON, at the
// end; for example the offset of connection state recovery. The receiver must
// be an event or an ack.
func (f Frames) WithTail(arg []byte) Frames {
	last := len(f.Text) - 1 // the closing bracket
	if last < 1 || f.Text[last] != ']' {
		return f
	}
	text := make([]byte, 0, len(f.Text)+1+len(arg))
	text = append(text, f.Text[:last]...)
	if text[last-1] != '[' {
		text = append(text, ',')
	}
	text = append(text, arg...)
	text = append(text, ']')
	return Frames{Text: text, Binary: f.Binary}
}

// EndsInString reports whether the last element of the argument array is a
// string; that is the name of an event without arguments. A client that holds a
// recovery pid takes such a string for the offset, whatever it is (V4).
func (f Frames) EndsInString() bool {
	n := len(f.Text)
	return n >= 2 && f.Text[n-1] == ']' && f.Text[n-2] == '"'
}

// Clone returns a copy that shares nothing with f.
func (f Frames) Clone() Frames {
	c := Frames{Text: slices.Clone(f.Text)}
	for _, b := range f.Binary {
		c.Binary = append(c.Binary, append(make([]byte, 0, len(b)), b...))
	}
	return c
}
