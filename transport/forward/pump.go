package forward

import (
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// chunkSize is how much is copied at once.
const chunkSize = 32 << 10

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

func getChunk() *[chunkSize]byte  { return chunks.Get().(*[chunkSize]byte) }
func putChunk(b *[chunkSize]byte) { chunks.Put(b) }

// pump is one direction of a tunnel. While nothing comes it holds no buffer,
// if the connection is one whose descriptor can be read.
type pump struct {
	t        *tunnel
	dst, src net.Conn
	wait     time.Duration // bound of one write

	raw      syscall.RawConn // nil: read through src
	readable func(fd uintptr) bool
	buf      *[chunkSize]byte
	n        int
	err      error
}

func newPump(t *tunnel, dst, src net.Conn, wait time.Duration) *pump {
	p := &pump{t: t, dst: dst, src: src, wait: wait}
	if !rawIO {
		return p
	}
	// Only connections that are known to add nothing of their own to the bytes:
	// not TLS, nor whatever else a listener may have wrapped.
	var sc syscall.Conn
	switch nc := src.(type) {
	case *net.TCPConn:
		sc = nc
	case *net.UnixConn:
		sc = nc
	default:
		return p
	}
	if raw, err := sc.SyscallConn(); err == nil {
		p.raw, p.readable = raw, p.tryRead
	}
	return p
}

// run copies until one side ends or fails. first goes ahead.
func (p *pump) run(first []byte) {
	defer p.t.half()
	err := p.write(first)
	for err == nil {
		if err = p.read(); p.n > 0 {
			if e := p.write(p.buf[:p.n]); e != nil {
				err = e
			}
		}
		p.release()
	}
	half, ok := p.dst.(interface{ CloseWrite() error })
	if err != io.EOF || !ok {
		p.t.cut()
		return
	}
	// The other direction may have something to say, a close frame for one, and
	// then ends as well.
	_ = p.dst.SetReadDeadline(time.Now().Add(linger))
	_ = p.dst.SetWriteDeadline(time.Now().Add(p.wait)) // TLS says farewell
	_ = half.CloseWrite()
}

func (p *pump) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_ = p.dst.SetWriteDeadline(time.Now().Add(p.wait))
	_, err := p.dst.Write(b)
	return err
}

// read waits for bytes and leaves them in buf[:n].
func (p *pump) read() error {
	p.n = 0
	if p.raw == nil {
		p.buf = getChunk()
		var err error
		p.n, err = p.src.Read(p.buf[:])
		return err
	}
	if err := p.raw.Read(p.readable); err != nil {
		return err
	}
	return p.err
}

// tryRead is called by the runtime's poller when there may be something to
// read. It takes a buffer only for the attempt.
func (p *pump) tryRead(fd uintptr) bool {
	p.buf = getChunk()
	n, err := readFD(int(fd), p.buf[:])
	if n < 0 {
		p.release()
		return false
	}
	p.n, p.err = n, err
	if n == 0 && err == nil {
		p.err = io.EOF
	}
	return true
}

func (p *pump) release() {
	if p.buf != nil {
		putChunk(p.buf)
		p.buf = nil
	}
}
