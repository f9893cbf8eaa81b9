package msgpack

import (
	"encoding/binary"
	"math"

	"github.com/siod-io/siod/protocol"
)

// Reasons of a SyntaxError.
const (
	reasonShort     = "MessagePack ends early"
	reasonByte      = "unknown MessagePack type"
	reasonExt       = "unknown MessagePack extension"
	reasonKey       = "key of a MessagePack map is neither text nor integer"
	reasonTrailing  = "bytes after the MessagePack value"
	reasonMap       = "packet is not a map"
	reasonType      = "unknown packet type"
	reasonNamespace = "bad namespace"
	reasonAckID     = "bad ack id"
	reasonPayload   = "payload does not suit the packet type"
	reasonEvent     = "payload of an event is not an array with a name"
	reasonReserved  = "reserved event name"
)

type kind uint8

const (
	kindNil kind = iota
	kindFalse
	kindTrue
	kindInt  // item.n is the two's complement of a negative number
	kindUint // item.n
	kindFloat
	kindString // item.body
	kindBin    // item.body
	kindExt    // item.ext, item.body
	kindArray  // item.n elements follow
	kindMap    // item.n keys and values follow
)

// item is one MessagePack value, or the head of an array or map.
type item struct {
	kind kind
	ext  int8
	n    uint64
	f    float64
	body []byte
	at   int // where it began
}

// undefined reports whether it is what notepack writes for JavaScript's
// undefined, or nil.
func (it *item) undefined() bool {
	return it.kind == kindNil || it.kind == kindExt && it.ext == 0 && len(it.body) == 1
}

// reader reads MessagePack values one after the other.
type reader struct {
	msg      []byte
	pos      int
	maxDepth int
}

func (r *reader) bad(at int, reason string) error {
	return &protocol.SyntaxError{Offset: at, Reason: reason}
}

// uint reads a big-endian number of size bytes.
func (r *reader) uint(size int) (uint64, error) {
	if len(r.msg)-r.pos < size {
		return 0, r.bad(r.pos, reasonShort)
	}
	var b [8]byte
	copy(b[8-size:], r.msg[r.pos:])
	r.pos += size
	return binary.BigEndian.Uint64(b[:]), nil
}

func (r *reader) bytes(n uint64) ([]byte, error) {
	if uint64(len(r.msg)-r.pos) < n {
		return nil, r.bad(r.pos, reasonShort)
	}
	end := r.pos + int(n)
	b := r.msg[r.pos:end:end]
	r.pos = end
	return b, nil
}

// next reads one item (MessagePack specification, "Formats").
func (r *reader) next() (it item, err error) {
	it.at = r.pos
	if r.pos >= len(r.msg) {
		return it, r.bad(r.pos, reasonShort)
	}
	c := r.msg[r.pos]
	r.pos++
	switch {
	case c <= 0x7f: // positive fixint
		it.kind, it.n = kindUint, uint64(c)
	case c <= 0x8f: // fixmap
		it.kind, it.n = kindMap, uint64(c&0x0f)
	case c <= 0x9f: // fixarray
		it.kind, it.n = kindArray, uint64(c&0x0f)
	case c <= 0xbf: // fixstr
		it.kind = kindString
		it.body, err = r.bytes(uint64(c & 0x1f))
	case c >= 0xe0: // negative fixint
		it.kind, it.n = kindInt, uint64(int64(int8(c)))
	default:
		err = r.long(c, &it)
	}
	return it, err
}

// long reads an item whose first byte says only its format.
func (r *reader) long(c byte, it *item) (err error) {
	switch c {
	case 0xc0:
		it.kind = kindNil
	case 0xc2:
		it.kind = kindFalse
	case 0xc3:
		it.kind = kindTrue
	case 0xc4, 0xc5, 0xc6: // bin 8, 16, 32
		it.kind = kindBin
		return r.sized(c-0xc4, it)
	case 0xc7, 0xc8, 0xc9: // ext 8, 16, 32
		if it.n, err = r.uint(1 << (c - 0xc7)); err != nil {
			return err
		}
		return r.extension(it.n, it)
	case 0xca:
		it.n, err = r.uint(4)
		it.kind, it.f = kindFloat, float64(math.Float32frombits(uint32(it.n)))
	case 0xcb:
		it.n, err = r.uint(8)
		it.kind, it.f = kindFloat, math.Float64frombits(it.n)
	case 0xcc, 0xcd, 0xce, 0xcf: // uint 8, 16, 32, 64
		it.kind = kindUint
		it.n, err = r.uint(1 << (c - 0xcc))
	case 0xd0, 0xd1, 0xd2, 0xd3: // int 8, 16, 32, 64
		size := 1 << (c - 0xd0)
		it.n, err = r.uint(size)
		shift := 64 - 8*size
		it.n = uint64(int64(it.n<<shift) >> shift)
		it.kind = kindUint
		if int64(it.n) < 0 {
			it.kind = kindInt
		}
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8: // fixext 1, 2, 4, 8, 16
		return r.extension(1<<(c-0xd4), it)
	case 0xd9, 0xda, 0xdb: // str 8, 16, 32
		it.kind = kindString
		return r.sized(c-0xd9, it)
	case 0xdc, 0xdd: // array 16, 32
		it.kind = kindArray
		it.n, err = r.uint(2 << (c - 0xdc))
	case 0xde, 0xdf: // map 16, 32
		it.kind = kindMap
		it.n, err = r.uint(2 << (c - 0xde))
	default: // 0xc1
		return r.bad(it.at, reasonByte)
	}
	return err
}

// sized reads a length of 1<<log bytes and as many bytes as it says.
func (r *reader) sized(log byte, it *item) error {
	n, err := r.uint(1 << log)
	if err != nil {
		return err
	}
	it.body, err = r.bytes(n)
	return err
}

func (r *reader) extension(size uint64, it *item) error {
	it.kind = kindExt
	t, err := r.uint(1)
	if err != nil {
		return err
	}
	it.ext = int8(t)
	it.body, err = r.bytes(size)
	return err
}

// children returns how many items follow inside it, having checked that it is
// not too deep. A number that the message cannot hold is refused at once.
func (r *reader) children(it *item, depth int) (uint64, error) {
	n := it.n
	switch it.kind {
	case kindArray:
	case kindMap:
		n *= 2
	default:
		return 0, nil
	}
	if depth > r.maxDepth {
		return 0, &protocol.LimitError{Limit: "depth", Value: depth, Max: r.maxDepth}
	}
	if n > uint64(len(r.msg)-r.pos) {
		return 0, r.bad(it.at, reasonShort)
	}
	return n, nil
}

// skip reads one value, depth arrays and maps around it.
func (r *reader) skip(depth int) error {
	it, err := r.next()
	if err != nil {
		return err
	}
	n, err := r.children(&it, depth+1)
	for ; n > 0 && err == nil; n-- {
		err = r.skip(depth + 1)
	}
	return err
}
