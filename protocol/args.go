package protocol

import (
	"bytes"
	"fmt"
	"math"
)

// inlineArgs is how many arguments need no allocation of their own.
const inlineArgs = 8

type span struct{ start, end uint32 }

const spanSize = 8 // bytes

// Args are the arguments of a packet as they were on the wire: raw JSON, in
// which binary values are placeholders, and the attachments they refer to. The
// JSON was validated as a whole, so each argument may be relayed as it is.
//
// Args alias the packet they came from; use Clone to keep them longer. They
// are read-only and safe for concurrent use.
type Args struct {
	json  []byte
	bin   [][]byte
	count int
	few   [inlineArgs]span
	more  []span // from the ninth on
}

func (a *Args) add(start, end int) {
	sp := span{uint32(start), uint32(end)}
	if a.count < inlineArgs {
		a.few[a.count] = sp
	} else {
		a.more = append(a.more, sp)
	}
	a.count++
}

// ParseArgs scans a JSON array whose elements become the arguments. A
// placeholder in it must refer to one of bin; if bin is empty, placeholders are
// ordinary objects. Neither slice is copied. JSON may be 64 deep; see
// [Limits.ParseArgs] for another limit.
func ParseArgs(json []byte, bin [][]byte) (Args, error) {
	return Limits{}.ParseArgs(json, bin)
}

// ParseArgs is the function of that name with l.MaxDepth; the numbers of
// arguments and of attachments are not limited.
func (l Limits) ParseArgs(json []byte, bin [][]byte) (Args, error) {
	s := newScanner(json, l.WithDefaults().MaxDepth, len(bin))
	var a Args
	end, err := s.arguments(0, &a, nil, math.MaxInt)
	if err != nil {
		return Args{}, err
	}
	if end = s.Space(end); end != len(json) {
		return Args{}, &SyntaxError{Offset: end, Reason: reasonTrailing}
	}
	a.bin = bin
	return a, nil
}

// Len returns the number of arguments.
func (a Args) Len() int { return a.count }

// Raw returns the JSON of argument i as it was written, without surrounding
// white space. It panics if there is no such argument, as indexing does.
func (a Args) Raw(i int) []byte {
	if uint(i) >= uint(a.count) {
		panic(fmt.Sprintf("protocol: argument %d of %d", i, a.count))
	}
	sp := a.span(i)
	return a.json[sp.start:sp.end:sp.end]
}

func (a *Args) span(i int) span {
	if i < inlineArgs {
		return a.few[i]
	}
	return a.more[i-inlineArgs]
}

// Attachments returns the binary values that placeholders refer to by index;
// nil if there are none.
func (a Args) Attachments() [][]byte { return a.bin }

// Size returns the number of bytes, JSON and attachments, that a copy holds.
func (a Args) Size() int {
	n := 0
	for i := range a.count {
		sp := a.span(i)
		n += int(sp.end-sp.start) + 1
	}
	for _, b := range a.bin {
		n += len(b)
	}
	return n
}

// Held returns the number of bytes that are kept for a: the whole text of the
// packet that it came from, attachments, and the borders of arguments. It takes no
// longer for many arguments than for few.
func (a Args) Held() int {
	n := len(a.json) + cap(a.more)*spanSize
	for _, b := range a.bin {
		n += len(b)
	}
	return n
}

// DecodeArg decodes argument i into dst, a non-nil pointer, by c.
func (a Args) DecodeArg(c Codec, i int, dst any) error {
	if uint(i) >= uint(a.count) {
		return fmt.Errorf("%w: %d of %d", ErrArguments, i+1, a.count)
	}
	if err := c.DecodeValue(a.Raw(i), a.bin, dst); err != nil {
		return fmt.Errorf("protocol: decode argument %d: %w", i+1, err)
	}
	return nil
}

// Decode decodes the first arguments into dst, in order. More arguments than
// destinations are ignored, as JavaScript does; fewer give [ErrArguments]
// after those that exist were decoded.
func (a Args) Decode(c Codec, dst ...any) error {
	for i, d := range dst {
		if err := a.DecodeArg(c, i, d); err != nil {
			return err
		}
	}
	return nil
}

// Clone returns a copy that shares no text with the packet. Attachments are
// shared: each was handed over on its own and nobody writes to it.
func (a Args) Clone() Args {
	if a.count == 0 {
		return Args{bin: a.bin}
	}
	first, last := a.span(0).start, a.span(a.count-1).end
	c := a
	c.json = bytes.Clone(a.json[first:last])
	if len(a.more) > 0 {
		c.more = append([]span(nil), a.more...)
	}
	for i := range c.count {
		sp := &c.few[i%inlineArgs]
		if i >= inlineArgs {
			sp = &c.more[i-inlineArgs]
		}
		sp.start -= first
		sp.end -= first
	}
	return c
}
