package msgpack

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/internal/jsonscan"
)

// transcoder turns the data of a packet into JSON and attachments.
type transcoder struct {
	reader
	limits protocol.Limits
	out    []byte
	bin    [][]byte
}

// data reads the value at pos, or nothing at the end of the message, as what
// the packet's type asks for.
func (t *transcoder) data(p *protocol.Packet) error {
	start := t.pos
	var it item // nil
	if t.pos < len(t.msg) {
		var err error
		if it, err = t.next(); err != nil {
			return err
		}
	}
	switch p.Type {
	case protocol.Event:
		return t.event(it, p)
	case protocol.Ack:
		if it.kind != kindArray {
			return t.bad(start, reasonPayload)
		}
		return t.arguments(it.n, p)
	case protocol.Disconnect:
		if it.undefined() {
			return nil
		}
	case protocol.Connect:
		if it.undefined() {
			return nil
		}
		if it.kind == kindMap {
			return t.payload(it, p)
		}
	case protocol.ConnectError:
		if it.kind == kindMap || it.kind == kindString {
			return t.payload(it, p)
		}
	}
	return t.bad(start, reasonPayload)
}

// makeRoom guesses that the JSON is as long as what is left of the message.
func (t *transcoder) makeRoom() {
	t.out = make([]byte, 0, len(t.msg)-t.pos+16)
}

// payload reads a JSON payload, which cannot have attachments.
func (t *transcoder) payload(it item, p *protocol.Packet) error {
	t.makeRoom()
	if err := t.value(it, 0); err != nil {
		return err
	}
	if len(t.bin) > 0 {
		return t.bad(it.at, reasonPayload)
	}
	p.Payload = t.out
	return nil
}

func (t *transcoder) event(it item, p *protocol.Packet) error {
	if it.kind != kindArray || it.n == 0 {
		return t.bad(it.at, reasonEvent)
	}
	name, err := t.next()
	if err != nil {
		return err
	}
	switch name.kind {
	case kindString:
		p.Event = name.body
		if !utf8.Valid(name.body) {
			p.Event = bytes.ToValidUTF8(name.body, []byte("\uFFFD"))
		}
	case kindInt, kindUint:
		p.Event = appendInteger(nil, name)
	default:
		return t.bad(name.at, reasonEvent)
	}
	if n := len(p.Event); n > t.limits.MaxEvent {
		return &protocol.LimitError{Limit: "event name length", Value: n, Max: t.limits.MaxEvent}
	}
	if protocol.IsReserved(string(p.Event)) {
		return t.bad(name.at, reasonReserved)
	}
	return t.arguments(it.n-1, p)
}

// arguments reads n values.
func (t *transcoder) arguments(n uint64, p *protocol.Packet) error {
	if most := t.limits.MaxArguments; n > uint64(most) {
		return &protocol.LimitError{Limit: "arguments", Value: most + 1, Max: most}
	}
	t.makeRoom()
	if err := t.array(n, 1); err != nil {
		return err
	}
	var err error
	p.Args, err = t.limits.ParseArgs(t.out, t.bin)
	return err
}

// nextValue reads the next item and writes it.
func (t *transcoder) nextValue(depth int) error {
	it, err := t.next()
	if err != nil {
		return err
	}
	return t.value(it, depth)
}

// value writes an item, and what is inside it, as JSON. depth is how many
// arrays and maps are open around it.
func (t *transcoder) value(it item, depth int) error {
	switch it.kind {
	case kindNil:
		t.out = append(t.out, "null"...)
	case kindFalse:
		t.out = append(t.out, "false"...)
	case kindTrue:
		t.out = append(t.out, "true"...)
	case kindInt, kindUint:
		t.out = appendInteger(t.out, it)
	case kindFloat:
		t.out = appendFloat(t.out, it.f)
	case kindString:
		t.out = appendString(t.out, it.body)
	case kindBin:
		return t.attach(it.body)
	case kindExt:
		return t.ext(it)
	case kindArray, kindMap:
		if _, err := t.children(&it, depth+1); err != nil {
			return err
		}
		if it.kind == kindMap {
			return t.object(it.n, depth+1)
		}
		return t.array(it.n, depth+1)
	}
	return nil
}

func (t *transcoder) array(n uint64, depth int) error {
	t.out = append(t.out, '[')
	for i := range n {
		if i > 0 {
			t.out = append(t.out, ',')
		}
		if err := t.nextValue(depth); err != nil {
			return err
		}
	}
	t.out = append(t.out, ']')
	return nil
}

func (t *transcoder) object(n uint64, depth int) error {
	t.out = append(t.out, '{')
	for i := range n {
		if i > 0 {
			t.out = append(t.out, ',')
		}
		key, err := t.next()
		if err != nil {
			return err
		}
		switch key.kind {
		case kindString:
			t.out = appendString(t.out, key.body)
		case kindInt, kindUint: // the name of a JavaScript property is text
			t.out = append(t.out, '"')
			t.out = append(appendInteger(t.out, key), '"')
		default:
			return t.bad(key.at, reasonKey)
		}
		t.out = append(t.out, ':')
		if err := t.nextValue(depth); err != nil {
			return err
		}
	}
	t.out = append(t.out, '}')
	return nil
}

func (t *transcoder) attach(b []byte) error {
	if n := len(t.bin) + 1; n > t.limits.MaxAttachments {
		return &protocol.LimitError{Limit: "attachments", Value: n, Max: t.limits.MaxAttachments}
	}
	t.out = jsonscan.AppendRef(t.out, len(t.bin))
	t.bin = append(t.bin, b)
	return nil
}

// appendString writes a JSON string. What is no UTF-8, such as the lone
// surrogates that notepack writes, becomes U+FFFD.
func appendString(dst, s []byte) []byte {
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}

func appendInteger(dst []byte, it item) []byte {
	if it.kind == kindInt {
		return strconv.AppendInt(dst, int64(it.n), 10)
	}
	return strconv.AppendUint(dst, it.n, 10)
}

// appendFloat writes a number as JavaScript would: digits up to 1e21, then an
// exponent; what JSON cannot say is null.
func appendFloat(dst []byte, f float64) []byte {
	switch abs := math.Abs(f); {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return append(dst, "null"...)
	case abs != 0 && abs < 1e-6 || abs >= 1e21:
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	default:
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
}
