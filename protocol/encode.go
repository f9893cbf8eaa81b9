package protocol

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// maxPooled is the largest scratch buffer that is kept for the next packet.
const maxPooled = 64 << 10

// scratch holds the JSON of a packet until it is known whether the packet has
// attachments, which its first byte says.
type scratch struct{ buf []byte }

var scratches = sync.Pool{New: func() any { return &scratch{buf: make([]byte, 0, 512)} }}

func (s *scratch) free(buf []byte) {
	if cap(buf) <= maxPooled {
		s.buf = buf[:0]
	}
	scratches.Put(s)
}

// EncodeEvent encodes an EVENT without ack id: text 2["event",args...], or
// 5N-["event",args...] if the codec found N binary values in the arguments. An
// empty namespace means "/".
//
// Reserved names are not refused here, see [IsReserved]; nor is any size. The
// arguments are encoded before the call returns and not kept.
func EncodeEvent(c Codec, ns, event string, args []any) (Frames, error) {
	s := scratches.Get().(*scratch)
	buf := append(s.buf[:0], '[')
	buf = appendString(buf, event)
	buf, bin, err := appendValues(c, buf, true, args)
	if err != nil {
		s.free(buf)
		return Frames{}, fmt.Errorf("protocol: encode event %q: %w", clip(event), err)
	}
	f, err := finish(Event, ns, nil, buf, bin)
	s.free(buf)
	return f, err
}

// EncodeAck encodes the answer to an event that came with an ack id: text
// 3ID[args...], or 6N-ID[args...].
func EncodeAck(c Codec, ns string, id uint64, args []any) (Frames, error) {
	s := scratches.Get().(*scratch)
	buf := append(s.buf[:0], '[')
	buf, bin, err := appendValues(c, buf, false, args)
	if err != nil {
		s.free(buf)
		return Frames{}, fmt.Errorf("protocol: encode ack: %w", err)
	}
	f, err := finish(Ack, ns, &id, buf, bin)
	s.free(buf)
	return f, err
}

// EncodeEventArgs encodes an EVENT whose arguments are already JSON, as a relay
// holds them. Their text is copied digit for digit, their attachments are
// shared: nobody may write to them afterwards.
func EncodeEventArgs(ns, event string, a Args) (Frames, error) {
	s := scratches.Get().(*scratch)
	buf := append(s.buf[:0], '[')
	buf = appendString(buf, event)
	buf = appendArgs(buf, true, &a)
	f, err := finish(Event, ns, nil, buf, a.bin)
	s.free(buf)
	return f, err
}

// EncodeAckArgs encodes an ACK whose arguments are already JSON; see
// [EncodeEventArgs].
func EncodeAckArgs(ns string, id uint64, a Args) (Frames, error) {
	s := scratches.Get().(*scratch)
	buf := append(s.buf[:0], '[')
	buf = appendArgs(buf, false, &a)
	f, err := finish(Ack, ns, &id, buf, a.bin)
	s.free(buf)
	return f, err
}

// AppendConnect appends a CONNECT for ns to dst: 0/chat,{...}. The payload is a
// raw JSON object, or nil for none. A namespace other than the root always gets
// its comma, which clients since 2.0 write and all accept.
func AppendConnect(dst []byte, ns string, payload []byte) []byte {
	return append(appendNamespace(append(dst, '0'), ns), payload...)
}

// AppendDisconnect appends a DISCONNECT for ns to dst: 1/chat,
func AppendDisconnect(dst []byte, ns string) []byte {
	return appendNamespace(append(dst, '1'), ns)
}

// AppendConnectError appends a CONNECT_ERROR for ns to dst: 4/chat,{...}. The
// payload is raw JSON: an object for revision 5, a string for clients of
// revision 4 (R17).
func AppendConnectError(dst []byte, ns string, payload []byte) []byte {
	return append(appendNamespace(append(dst, '4'), ns), payload...)
}

func appendNamespace(dst []byte, ns string) []byte {
	if ns == Root || ns == "" {
		return dst
	}
	return append(append(dst, ns...), ',')
}

func appendValues(c Codec, buf []byte, comma bool, args []any) ([]byte, [][]byte, error) {
	var bin [][]byte
	for i, v := range args {
		if comma || i > 0 {
			buf = append(buf, ',')
		}
		var err error
		if buf, bin, err = c.AppendValue(buf, bin, v); err != nil {
			return buf, nil, err
		}
	}
	return append(buf, ']'), bin, nil
}

func appendArgs(buf []byte, comma bool, a *Args) []byte {
	for i := range a.count {
		if comma || i > 0 {
			buf = append(buf, ',')
		}
		sp := a.span(i)
		buf = append(buf, a.json[sp.start:sp.end]...)
	}
	return append(buf, ']')
}

// finish puts type, attachment count, namespace and id before the JSON, in one
// buffer of the right size.
func finish(t Type, ns string, id *uint64, json []byte, bin [][]byte) (Frames, error) {
	if ns == "" {
		ns = Root
	}
	if ns[0] != '/' || strings.IndexByte(ns, ',') >= 0 {
		return Frames{}, fmt.Errorf("%w %q", ErrNamespace, clip(ns))
	}
	var head [32]byte
	h := append(head[:0], '0'+byte(t))
	if len(bin) > 0 {
		h[0] += byte(BinaryEvent - Event)
		h = append(strconv.AppendInt(h, int64(len(bin)), 10), '-')
	}
	size := len(h) + len(json)
	if ns != Root {
		size += len(ns) + 1
	}
	var digits [20]byte
	var d []byte
	if id != nil {
		d = strconv.AppendUint(digits[:0], *id, 10)
	}
	text := make([]byte, 0, size+len(d))
	text = append(text, h...)
	text = appendNamespace(text, ns)
	text = append(text, d...)
	text = append(text, json...)
	return Frames{Text: text, Binary: bin}, nil
}

// appendString writes a JSON string. Bytes that are no UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // the error reports such bytes
	return dst
}

// clip shortens a text for an error message.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}
