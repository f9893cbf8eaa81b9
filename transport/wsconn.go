package transport

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/siod-io/siod/internal/wsframe"
)

// wsConn is one WebSocket connection. Its reader goroutine calls read and feed
// without a lock; everything else is called with the session's mutex held,
// which also guards the life of the descriptor: fd is set to -1 before the
// connection is closed, so a raw write never meets a descriptor that belongs
// to somebody else by now.
type wsConn struct {
	nc      net.Conn
	raw     syscall.RawConn // nil if nc is not plain TCP
	fd      int             // -1: write through nc
	deflate bool
	frames  wsframe.Reader
	pong    []byte // payload of the latest ping that is not answered yet

	closeSent atomic.Bool // our close frame is out: what comes is discarded

	// Set by readReady on the reader's goroutine.
	readReady func(fd uintptr) bool
	in        *buffer
	readErr   error
	early     []byte // bytes that came with the handshake request
	deadline  bool   // a read deadline is set
	pace      pace
}

// buffer is a pooled byte slice. Idle connections hold none.
type buffer struct{ b []byte }

// readSize is the size of a read buffer: several small events, one page.
const readSize = 4096

var buffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, readSize)} }}

func getBuffer() *buffer { return buffers.Get().(*buffer) }

func putBuffer(b *buffer) {
	if cap(b.b) > 256<<10 {
		return // one large message must not stay in the pool
	}
	b.b = b.b[:0]
	buffers.Put(b)
}

func newWSConn(nc net.Conn, early []byte, cfg wsframe.Config) *wsConn {
	c := &wsConn{nc: nc, fd: -1, deflate: cfg.Deflate, early: early}
	c.frames.Init(cfg)
	if tcp, ok := nc.(*net.TCPConn); ok && rawWrites {
		if rc, err := tcp.SyscallConn(); err == nil {
			c.raw = rc
			_ = rc.Control(func(fd uintptr) { c.fd = int(fd) })
			c.readReady = c.readRaw
		}
	}
	return c
}

// read waits for bytes and returns them; they are valid until done is called.
// While it waits on a plain TCP connection no buffer is held.
func (c *wsConn) read() ([]byte, error) {
	if len(c.early) > 0 {
		b := c.early
		c.early = nil
		return b, nil
	}
	if c.raw != nil {
		if err := c.raw.Read(c.readReady); err != nil {
			return nil, err
		}
		if c.in == nil {
			return nil, c.readErr
		}
		return c.in.b, nil
	}
	in := getBuffer()
	n, err := c.nc.Read(in.b[:cap(in.b)])
	if n == 0 {
		putBuffer(in)
		return nil, err
	}
	in.b = in.b[:n]
	c.in = in
	return in.b, nil
}

// readRaw is called by the runtime's poller when the connection may be
// readable. It takes a buffer only for the attempt.
func (c *wsConn) readRaw(fd uintptr) bool {
	in := getBuffer()
	n, err := readFD(int(fd), in.b[:cap(in.b)])
	if n > 0 {
		c.pace.got()
		in.b = in.b[:n]
		c.in = in
		return true
	}
	putBuffer(in)
	if errors.Is(err, syscall.EAGAIN) {
		if c.pace.handOver() {
			c.readErr = errHandOver
			return true
		}
		return false
	}
	if err == nil {
		err = io.EOF
	}
	c.readErr = err
	return true
}

// done gives the bytes of the last read back.
func (c *wsConn) done() {
	if c.in != nil {
		putBuffer(c.in)
		c.in = nil
	}
}

// expect arms a read deadline while a message is incomplete and disarms it
// between messages, where the heartbeat watches.
func (c *wsConn) expect(partial bool, timeout time.Duration) {
	switch {
	case partial:
		_ = c.nc.SetReadDeadline(time.Now().Add(timeout))
		c.deadline = true
	case c.deadline:
		_ = c.nc.SetReadDeadline(time.Time{})
		c.deadline = false
	}
}

// write makes one non-blocking write(2) and returns how much was taken. A full
// connection is n < len(b) without an error.
func (c *wsConn) write(b []byte) (int, error) {
	if c.fd < 0 {
		return 0, net.ErrClosed
	}
	return writeFD(c.fd, b)
}

// writeControl writes a small frame on a connection that nothing else was
// written to yet, or whose end has come, without waiting for it.
func (c *wsConn) writeControl(frame []byte) {
	if c.fd >= 0 {
		_, _ = writeFD(c.fd, frame)
		return
	}
	_ = c.nc.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.nc.Write(frame)
}

// shut sends a close frame without a status and gives the client a time to
// answer; the reader then closes the connection.
func (c *wsConn) shut(wait time.Duration) {
	c.shutCode(0, "", wait)
}

func (c *wsConn) shutCode(code uint16, reason string, wait time.Duration) {
	c.writeControl(wsframe.AppendClose(nil, code, reason))
	c.finish(wait)
}

// finish waits for the client's end of a close handshake (RFC 6455, 5.5.1) for
// a bounded time, in the reader.
func (c *wsConn) finish(wait time.Duration) {
	c.closeSent.Store(true)
	if wait == 0 {
		wait = time.Second
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(wait))
}

// cut ends the connection at once.
func (c *wsConn) cut() {
	c.fd = -1
	_ = c.nc.Close()
}
