package wsframe

import (
	"math"
	"sync"

	"github.com/gobwas/ws"
)

// A Reader reassembles the messages of one connection. Call Init first. It is
// not for concurrent use.
type Reader struct {
	maxMessage   int64
	failed       *CloseError // what all further calls return
	p            *partial    // frame or message under way, or nil
	maxFragments int32
	hdr          [ws.MaxHeaderSize]byte // header in pieces
	hdrLen       uint8
	server       bool
	deflate      bool
	closed       bool // a Close was delivered
}

// partial is what a Reader needs only while a frame or a message is under way.
type partial struct {
	buf   *chunk // payload received so far, unmasked
	out   *chunk // buffer of the delivered message, freed by the next call
	total int64  // bytes declared by the frames of the message

	// The frame under way.
	frame   ws.Header
	left    int64 // payload bytes still to come
	inFrame bool

	// The message under way.
	op         ws.OpCode // 0 when there is none
	compressed bool
	fragments  int32
	emptyRun   int8

	ctl    [maxControl]byte // payload of a control frame that came in pieces
	ctlLen uint8
}

var partials = sync.Pool{New: func() any { return new(partial) }}

// Init sets r up for a new connection.
func (r *Reader) Init(cfg Config) {
	if cfg.MaxMessage <= 0 {
		cfg.MaxMessage = defaultMaxMessage
	}
	if cfg.MaxFragments <= 0 {
		cfg.MaxFragments = defaultMaxFragments
	}
	r.Release()
	*r = Reader{
		// A quarter of the address space leaves room for the growth of
		// buffers and for deflate overhead without overflow.
		maxMessage:   min(cfg.MaxMessage, math.MaxInt/4),
		maxFragments: int32(min(cfg.MaxFragments, math.MaxInt32-1)),
		server:       cfg.Server,
		deflate:      cfg.Deflate,
	}
}

// Partial reports whether the peer is inside a header, a frame or a fragmented
// message. The caller then keeps a read deadline, since a peer could hold the
// memory for ever. After an error or a Close it is false.
func (r *Reader) Partial() bool {
	return !r.closed && (r.hdrLen > 0 || r.p != nil && (r.p.inFrame || r.p.op != 0))
}

// Release gives all buffers back. Call it when the connection has ended; the
// Data of the last message is not valid any more.
func (r *Reader) Release() {
	if r.p == nil {
		return
	}
	r.p.buf.free()
	r.p.out.free()
	*r.p = partial{}
	partials.Put(r.p)
	r.p = nil
}

// Next consumes bytes from buf, unmasking them in place, up to the end of the
// next message.
//
// With ok, m is complete, n bytes of buf are used and the caller goes on with
// buf[n:], also when that is empty. Data aliases buf where a frame lay whole in
// buf, was not compressed and is the whole message; it is a pooled buffer
// otherwise. Without ok and without err all of buf is used, the caller's
// buffer is free, and between messages the Reader holds none either. An error
// is a *CloseError and final: all later calls return it. After a Close all
// bytes are consumed and ignored (RFC 6455 section 5.5.1).
func (r *Reader) Next(buf []byte) (m Message, n int, ok bool, err error) {
	if p := r.p; p != nil && (r.closed || p.op == 0 && !p.inFrame) {
		r.Release() // all that it holds is the message delivered last
	}
	if r.failed != nil {
		return Message{}, 0, false, r.failed
	}
	if r.closed {
		return Message{}, len(buf), false, nil
	}
	var v Violation
	for n < len(buf) {
		if r.p == nil || !r.p.inFrame {
			var h ws.Header
			var used int
			var done bool
			h, used, done, v = r.header(buf[n:])
			n += used
			if v != 0 {
				break
			}
			if !done {
				return Message{}, n, false, nil
			}
			if v = r.checkLength(h); v != 0 {
				break
			}
			whole := int64(len(buf)-n) >= h.Length
			if whole && (h.OpCode.IsControl() || r.single(h)) {
				data := buf[n : n+int(h.Length) : n+int(h.Length)]
				n += len(data)
				if h.Masked {
					ws.Cipher(data, h.Mask, 0)
				}
				if m, v = r.deliver(h.OpCode, data); v != 0 {
					break
				}
				return m, n, true, nil
			}
			r.begin(h)
		}
		n += r.take(buf[n:])
		if r.p.left > 0 {
			return Message{}, n, false, nil
		}
		m, ok, v = r.endFrame()
		if v != 0 {
			break
		}
		if ok {
			return m, n, true, nil
		}
	}
	if v != 0 {
		r.Release()
		r.hdrLen = 0
		r.failed = &closeErrors[v]
		return Message{}, n, false, r.failed
	}
	return Message{}, n, false, nil
}

// header reads a header from the front of b, keeping it while it is in pieces.
// The first two bytes are checked as soon as they are there.
func (r *Reader) header(b []byte) (h ws.Header, n int, done bool, v Violation) {
	if r.hdrLen == 0 && len(b) >= ws.MinHeaderSize {
		if v := r.checkStart(b[0], b[1]); v != 0 {
			return h, 0, false, v
		}
		if size := headerSize(b[1]); len(b) >= size {
			return parseHeader(b), size, true, 0
		}
	}
	if r.hdrLen < ws.MinHeaderSize {
		n = copy(r.hdr[r.hdrLen:ws.MinHeaderSize], b)
		r.hdrLen += uint8(n)
		if r.hdrLen < ws.MinHeaderSize {
			return h, n, false, 0
		}
		if v := r.checkStart(r.hdr[0], r.hdr[1]); v != 0 {
			return h, n, false, v
		}
	}
	size := headerSize(r.hdr[1])
	k := copy(r.hdr[r.hdrLen:size], b[n:])
	n += k
	r.hdrLen += uint8(k)
	if int(r.hdrLen) < size {
		return h, n, false, 0
	}
	r.hdrLen = 0
	return parseHeader(r.hdr[:size]), n, true, 0
}

// checkLength checks the declared length of a frame against the limits before
// any of its payload is kept.
func (r *Reader) checkLength(h ws.Header) Violation {
	// RFC 6455 section 5.2: the most significant bit must be 0.
	if h.Length < 0 {
		return BadLength
	}
	if h.OpCode.IsControl() {
		return 0
	}
	limit := r.maxMessage
	var total int64
	compressed := h.Rsv&4 != 0
	fragments, emptyRun := int32(0), int8(0)
	if p := r.p; p != nil && p.op != 0 {
		compressed = p.compressed
		total, fragments, emptyRun = p.total, p.fragments, p.emptyRun
	}
	if compressed {
		// Data that does not compress grows by a few bytes per block.
		limit += limit/256 + 64
	}
	// total never passes limit, so this cannot overflow.
	if h.Length > limit-total {
		return TooBig
	}
	if fragments >= r.maxFragments {
		return TooManyFragments
	}
	if h.Length == 0 && !h.Fin && emptyRun >= maxEmptyRun {
		return TooManyEmptyFrames
	}
	return 0
}

// single reports whether h is a message of its own that needs no inflating.
func (r *Reader) single(h ws.Header) bool {
	return h.Fin && h.Rsv == 0 && h.OpCode != ws.OpContinuation
}

// begin starts a frame whose payload is collected.
func (r *Reader) begin(h ws.Header) {
	if r.p == nil {
		r.p = partials.Get().(*partial)
	}
	p := r.p
	p.frame, p.left, p.inFrame, p.ctlLen = h, h.Length, true, 0
	if h.OpCode.IsControl() {
		return
	}
	if h.OpCode != ws.OpContinuation {
		p.op, p.compressed = h.OpCode, h.Rsv&4 != 0
	}
	p.total += h.Length
	p.fragments++
	if h.Length == 0 {
		p.emptyRun++
	} else {
		p.emptyRun = 0
	}
}

// take moves payload of the frame under way from b and returns the bytes used.
func (r *Reader) take(b []byte) int {
	p := r.p
	n := int(min(int64(len(b)), p.left))
	if n == 0 {
		return 0
	}
	var dst []byte
	if p.frame.OpCode.IsControl() {
		dst = p.ctl[p.ctlLen:][:n]
		copy(dst, b)
		p.ctlLen += uint8(n)
	} else {
		p.buf = p.buf.grow(n)
		at := len(p.buf.b)
		p.buf.b = append(p.buf.b, b[:n]...)
		dst = p.buf.b[at:]
	}
	if p.frame.Masked {
		ws.Cipher(dst, p.frame.Mask, int((p.frame.Length-p.left)&3))
	}
	p.left -= int64(n)
	return n
}

// endFrame ends the frame under way and, where it ends a message, delivers it.
func (r *Reader) endFrame() (m Message, ok bool, v Violation) {
	p := r.p
	p.inFrame = false
	if p.frame.OpCode.IsControl() {
		m, v = r.deliver(p.frame.OpCode, p.ctl[:p.ctlLen])
		return m, v == 0, v
	}
	if !p.frame.Fin {
		return m, false, 0
	}
	op, compressed := p.op, p.compressed
	p.out, p.buf = p.buf, nil
	p.op, p.compressed, p.total, p.fragments, p.emptyRun = 0, false, 0, 0, 0
	if compressed {
		if p.out, v = inflate(p.out, r.maxMessage); v != 0 {
			return m, false, v
		}
	}
	var data []byte
	if p.out != nil {
		data = p.out.b
	}
	m, v = r.deliver(op, data)
	return m, v == 0, v
}
