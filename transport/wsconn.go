package transport

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/siod-io/siod/internal/wsframe"
)

// wsConn is one WebSocket connection: of a session, or of one that probes to
// become a session's. Its reader goroutine alone calls read and done. All else
// is used with the session's mutex held, which so guards the life of the
// descriptor, too: fd becomes -1 before the connection is closed, and a raw
// write never meets a descriptor that belongs to somebody else by now.
type wsConn struct {
	nc     net.Conn
	frames wsframe.Reader

	// Of the reader's goroutine.
	raw      syscall.RawConn       // nil: read through nc
	readable func(fd uintptr) bool // readRaw; a method value is an allocation
	in       *buffer               // what was read last
	readErr  error
	pace     pace
	excess   int32 // bytes discarded after our close frame
	deadline bool  // a read deadline is set

	// Of the session's mutex.
	out       []byte // the rest of a frame: goes before all else
	pong      []byte // payload of the latest ping of RFC 6455
	fd        int    // -1: write through nc
	closeCode uint16 // 0: no status in the close frame, as Engine.IO servers do
	wire      wire
	state     connState
	owed      owed
	draining  bool // a drain goroutine is writing
	failed    bool // the client broke the framing: its close frame cannot be told

	// shut is state >= connShut, for the reader: what comes is discarded.
	shut atomic.Bool
}

type connState uint8

const (
	connOpen    connState = iota
	connClosing           // a close frame goes out after what waits
	connShut              // it is out; the client's is awaited
	connCut               // the connection is closed
)

// owed are control frames that could not be written at once. Of each kind one
// is enough, so however many a client asks for, no memory is needed.
type owed uint8

const (
	owePong  owed = 1 << iota // of RFC 6455
	oweProbe                  // "3probe" of Engine.IO
)

// Frames of Engine.IO packets without content of their own.
var (
	pingFrame      = wsframe.AppendText(nil, []byte("2"))
	pongFrame      = wsframe.AppendText(nil, []byte("3"))
	probePongFrame = wsframe.AppendText(nil, []byte("3probe"))
)

func newWSConn(nc net.Conn, w wire, maxMessage int) *wsConn {
	c := &wsConn{nc: nc, fd: -1, wire: w}
	c.frames.Init(wsframe.Config{MaxMessage: int64(maxMessage), Deflate: w.isDeflate(), Server: true})
	if !rawIO {
		return c
	}
	// Only connections that are known to add nothing of their own to the
	// bytes: not TLS, nor whatever else a listener may have wrapped.
	var sc syscall.Conn
	switch nc := nc.(type) {
	case *net.TCPConn:
		sc = nc
	case *net.UnixConn:
		sc = nc
	default:
		return c
	}
	if rc, err := sc.SyscallConn(); err == nil {
		c.raw = rc
		_ = rc.Control(func(fd uintptr) { c.fd = int(fd) })
		c.readable = c.readRaw
	}
	return c
}

// read waits for bytes and returns them; they are valid until done is called.
// While it waits on a raw connection no buffer is held.
func (c *wsConn) read() ([]byte, error) {
	if c.raw != nil {
		if err := c.raw.Read(c.readable); err != nil {
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
		if err == nil {
			err = io.ErrNoProgress
		}
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
	if n < 0 {
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

// ready reports whether bytes may go straight to the descriptor.
func (c *wsConn) ready() bool {
	return c.fd >= 0 && c.state == connOpen && !c.draining && len(c.out) == 0
}

// write makes one non-blocking write(2) and returns how much was taken.
func (c *wsConn) write(b []byte) (int, error) { return writeFD(c.fd, b) }

// appendOwed appends the control frames that are owed.
func (c *wsConn) appendOwed(dst []byte) []byte {
	if c.owed&owePong != 0 {
		dst = wsframe.AppendPong(dst, c.pong)
	}
	if c.owed&oweProbe != 0 {
		dst = append(dst, probePongFrame...)
	}
	c.owed = 0
	return dst
}

// cut ends the connection at once. It does not wait, not even for the farewell
// of TLS.
func (c *wsConn) cut() {
	if c.state == connCut {
		return
	}
	c.gone()
	under := c.nc
	for {
		t, ok := under.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		under = t.NetConn()
	}
	_ = under.Close()
}

// gone notes that nothing more may be written.
func (c *wsConn) gone() {
	c.state, c.fd = connCut, -1
	c.shut.Store(true)
	c.out, c.pong, c.owed = nil, nil, 0
}

// halfClose tells a client that broke the framing that nothing more comes, upon
// which it closes the connection: its close frame could not be recognised.
func (c *wsConn) halfClose() {
	if h, ok := c.nc.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite()
	}
}

// finish waits for the client's half of the close handshake (RFC 6455, 5.5.1)
// for a bounded time, in the reader.
func (c *wsConn) finish(wait time.Duration) {
	c.state = connShut
	c.shut.Store(true)
	_ = c.nc.SetReadDeadline(time.Now().Add(wait))
}

// endOf tells a connection's ordinary end from a failure.
func endOf(err error) event {
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return evEnd
	}
	return evFail
}
