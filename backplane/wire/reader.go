package wire

import (
	"encoding/binary"
	"fmt"
)

// maxField is the highest number that a field can have.
const maxField = 1<<29 - 1

// Sets of fields, a bit for each.
const (
	repeated = 1<<fieldRooms | 1<<fieldExcept | 1<<fieldBinary
	numbers  = 1<<fieldKind | 1<<fieldFlags | 1<<fieldOp | 1<<fieldID | 1<<fieldCounter |
		1<<fieldBaseline | 1<<fieldTimeout | 1<<fieldFinal | 1<<fieldReplies
)

// reader is a place in a message, and what was seen before it.
type reader struct {
	data    []byte
	at      int
	seen    uint32 // fields
	skipped int    // bytes of unknown fields

	rooms, except, binary int // elements
}

// malformed says what is wrong before the place.
func (r *reader) malformed(what string) error {
	return fmt.Errorf("%w: %s at byte %d of %d", ErrMalformed, what, r.at, len(r.data))
}

// uvarint returns false if there is none, or one of more than 64 bits.
func (r *reader) uvarint() (uint64, bool) {
	if r.at < len(r.data) && r.data[r.at] < 0x80 {
		r.at++
		return uint64(r.data[r.at-1]), true
	}
	return r.longUvarint()
}

func (r *reader) longUvarint() (uint64, bool) {
	v, n := binary.Uvarint(r.data[r.at:])
	if n <= 0 {
		return 0, false
	}
	r.at += n
	return v, true
}

// bytes returns a part of the data that ends where its capacity does.
func (r *reader) bytes() ([]byte, error) {
	n, ok := r.uvarint()
	if !ok {
		return nil, r.malformed("unfinished length")
	}
	if n > uint64(len(r.data)-r.at) {
		return nil, r.malformed("length beyond the end")
	}
	from := r.at
	r.at += int(n)
	return r.data[from:r.at:r.at], nil
}

// skip passes over the value of an unknown field that began at start.
func (r *reader) skip(start int, typ uint64) error {
	n := 0
	switch typ {
	case typeVarint:
		if _, ok := r.uvarint(); !ok {
			return r.malformed("unfinished number")
		}
	case typeBytes:
		if _, err := r.bytes(); err != nil {
			return err
		}
	case typeFixed64:
		n = 8
	case typeFixed32:
		n = 4
	default: // a group, which would nest, or nothing at all
		return r.malformed("refused wire type")
	}
	if n > len(r.data)-r.at {
		return r.malformed("unfinished number")
	}
	r.at += n
	if r.skipped += r.at - start; r.skipped > MaxUnknown {
		return r.malformed(fmt.Sprintf("more than %d bytes of unknown fields", MaxUnknown))
	}
	return nil
}

// run counts the elements of a repeated field that follow here, up to a limit,
// without moving.
func (r *reader) run(field, limit int) int {
	ahead := reader{data: r.data, at: r.at}
	for n := range limit {
		if key, ok := ahead.uvarint(); !ok || key != tag(field, typeBytes) {
			return n
		}
		if size, ok := ahead.uvarint(); !ok || size > uint64(len(ahead.data)-ahead.at) {
			return n
		} else {
			ahead.at += int(size)
		}
	}
	return max(limit, 0)
}
