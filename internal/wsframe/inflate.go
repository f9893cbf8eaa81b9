package wsframe

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

const (
	// maxRatio is how many times its compressed size a message may inflate
	// to, once it passes ratioFloor bytes. Deflate reaches 1,032.
	maxRatio   = 100
	ratioFloor = 16 << 10
)

// inflateTail ends the data of a message. The sender cut 00 00 ff ff off (RFC
// 7692 section 7.2.1), which the receiver puts back (section 7.2.2); an empty
// final block behind it makes the end of the stream visible to the reader.
const inflateTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// inflater is a pooled decompressor. It needs about 40 KiB, which no idle
// connection holds.
type inflater struct {
	src bytes.Reader
	fr  io.ReadCloser
}

var inflaters = sync.Pool{New: func() any {
	z := new(inflater)
	z.fr = flate.NewReader(&z.src)
	return z
}}

// inflate replaces in, which it frees, by its inflated bytes. They number at
// most limit, and at most maxRatio times the compressed bytes above
// ratioFloor; the output buffer grows as bytes come out.
func inflate(in *chunk, limit int64) (*chunk, Violation) {
	// An empty message should be one zero byte (RFC 7692 section 7.2.3.6).
	// None at all can mean nothing else, and the reference server reads it so.
	if in == nil || len(in.b) == 0 {
		return in, 0
	}
	packed := len(in.b)
	in = in.grow(len(inflateTail))
	in.b = append(in.b, inflateTail...)
	defer func() { in.free() }()

	over := TooBig
	if byRatio := max(ratioFloor, maxRatio*int64(packed)); byRatio < limit {
		limit, over = byRatio, TooHighRatio
	}

	z := inflaters.Get().(*inflater)
	defer func() {
		z.src.Reset(nil)
		inflaters.Put(z)
	}()
	z.src.Reset(in.b)
	// The method comes with every reader of the package and returns nil.
	if err := z.fr.(flate.Resetter).Reset(&z.src, nil); err != nil {
		return nil, BadDeflate
	}
	out := newChunk(min(4*packed, int(limit)))
	for {
		out = out.grow(1)
		n, err := z.fr.Read(out.b[len(out.b):cap(out.b)])
		out.b = out.b[:len(out.b)+n]
		if int64(len(out.b)) > limit {
			out.free()
			return nil, over
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			out.free()
			return nil, BadDeflate
		}
	}
	if !endsClean(&z.src) {
		out.free()
		return nil, BadDeflate
	}
	return out, 0
}

// endsClean reports whether a stream that has ended left nothing that it
// should not. A sender may end a message with a final block of its own,
// followed by one zero byte that makes an empty block with the tail (RFC 7692
// section 7.2.3.4); our tail is then still unread.
func endsClean(src *bytes.Reader) bool {
	switch src.Len() {
	case 0, len(inflateTail):
		return true
	case len(inflateTail) + 1:
		b, _ := src.ReadByte()
		return b == 0
	default:
		return false
	}
}
