package msgpack

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/internal/jsonscan"
)

// ErrFrames is returned by Append for frames that hold no packet.
var ErrFrames = errors.New("msgpack: not a packet")

// Append appends the packet that f encodes to dst, as one MessagePack map. Keys
// come in the order type, nsp, id, data; numbers and lengths take the shortest
// form. Frames are checked in full, so that whatever they hold, the result is
// either a packet or an error.
func Append(dst []byte, f protocol.Frames) ([]byte, error) {
	h, err := parseHead(f)
	if err != nil {
		return dst, err
	}
	w := writer{dst: dst, scan: jsonscan.Scanner{Data: f.Text, MaxDepth: maxDepth, Attachments: -1}}
	if h.binary {
		w.scan.Attachments = len(f.Binary)
		w.bin = f.Binary
	}
	hasData := h.json < len(f.Text)
	if !suits(h.kind, f.Text[h.json:]) {
		return dst, fmt.Errorf("%w: payload does not suit %v", ErrFrames, h.kind)
	}
	if hasData {
		if end := w.scan.Value(h.json, 0); end != len(f.Text) {
			return dst, fmt.Errorf("%w: bad JSON", ErrFrames)
		}
	}
	fields := byte(2)
	if h.hasID {
		fields++
	}
	if hasData {
		fields++
	}
	w.dst = append(w.dst, 0x80|fields, 0xa4, 't', 'y', 'p', 'e', byte(h.kind), 0xa3, 'n', 's', 'p')
	w.text(h.namespace)
	if h.hasID {
		w.dst = append(w.dst, 0xa2, 'i', 'd')
		w.uint(h.id)
	}
	if hasData {
		w.dst = append(w.dst, 0xa4, 'd', 'a', 't', 'a')
		w.value(h.json)
	}
	return w.dst, nil
}

// maxDepth bounds recursion over frames from outside the process.
const maxDepth = 1000

// head is what stands before the JSON of a packet.
type head struct {
	kind      protocol.Type
	binary    bool
	namespace []byte
	id        uint64
	hasID     bool
	json      int // where it begins; the end of the text if there is none
}

var root = []byte(protocol.Root)

func parseHead(f protocol.Frames) (h head, err error) {
	text := f.Text
	if len(text) == 0 || text[0] < '0' || text[0] > '6' {
		return h, fmt.Errorf("%w: no type", ErrFrames)
	}
	h.kind = protocol.Type(text[0] - '0')
	i, announced := 1, uint64(0)
	if h.kind >= protocol.BinaryEvent {
		h.kind -= protocol.BinaryEvent - protocol.Event
		h.binary = true
		var end int
		if announced, end = number(text, i); end <= i || end == len(text) || text[end] != '-' {
			return h, fmt.Errorf("%w: bad attachment count", ErrFrames)
		}
		i = end + 1
	}
	if announced != uint64(len(f.Binary)) {
		return h, fmt.Errorf("%w: %d attachments, not %d", ErrFrames, len(f.Binary), announced)
	}
	h.namespace = root
	if i < len(text) && text[i] == '/' {
		end := bytes.IndexByte(text[i:], ',')
		if end < 0 {
			h.namespace, i = text[i:], len(text)
		} else {
			h.namespace, i = text[i:i+end], i+end+1
		}
	}
	id, end := number(text, i)
	if end < 0 {
		return h, fmt.Errorf("%w: bad ack id", ErrFrames)
	}
	h.id, h.hasID = id, end > i
	h.json = end
	return h, nil
}

// number reads digits from i on, perhaps none. The end is -1 if they do not fit
// 64 bits.
func number(text []byte, i int) (n uint64, end int) {
	for ; i < len(text) && '0' <= text[i] && text[i] <= '9'; i++ {
		d := uint64(text[i] - '0')
		if n > (math.MaxUint64-d)/10 {
			return 0, -1
		}
		n = n*10 + d
	}
	return n, i
}

// suits reports whether a packet of type t may have such a payload.
func suits(t protocol.Type, json []byte) bool {
	var first byte
	if len(json) > 0 {
		first = json[0]
	}
	switch t {
	case protocol.Event, protocol.Ack:
		return first == '['
	case protocol.Connect:
		return first == 0 || first == '{'
	case protocol.ConnectError:
		return first == '{' || first == '"'
	default:
		return first == 0
	}
}
