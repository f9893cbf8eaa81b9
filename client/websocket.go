package client

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/siod-io/siod/protocol/engineio"
)

// webSocket carries a session over one connection (RFC 6455). No extension is
// offered.
type webSocket struct {
	conn net.Conn
	in   *bufio.Reader
	max  int                    // largest message
	due  time.Time              // read deadline that is set
	stop func() bool            // forgets the session's context
	wait time.Duration          // for a write that answers a control frame
	head [ws.MaxHeaderSize]byte // of the frame that is read

	mu  sync.Mutex // held while a frame is written
	buf []byte
}

// dialWebSocket connects; the connection is closed when the session's context
// ends. sid is empty to open a session.
func dialWebSocket(ctx context.Context, s *session, sid string) (*webSocket, error) {
	c := s.client
	d := ws.Dialer{
		NetDial:   c.dialer.DialContext,
		TLSConfig: c.cfg.TLS,
		Header:    ws.HandshakeHeaderHTTP(c.handshakeHeader()),
		Host:      c.cfg.Header.Get("Host"),
	}
	conn, in, _, err := d.Dial(ctx, c.requestURL(WebSocket, sid))
	if status, ok := errors.AsType[ws.StatusError](err); ok {
		return nil, &HTTPError{Status: int(status), Code: -1}
	}
	if err != nil {
		return nil, err
	}
	if in == nil {
		in = bufio.NewReaderSize(conn, 2048)
	}
	stop := context.AfterFunc(s.ctx, func() { _ = conn.Close() })
	return &webSocket{conn: conn, in: in, max: c.cfg.MaxMessage, stop: stop, wait: c.cfg.ConnectTimeout}, nil
}

// handshakeHeader returns the configured header with the cookies.
func (c *Client) handshakeHeader() http.Header {
	h := c.cfg.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Del("Host")
	if c.cfg.Jar != nil {
		var pairs []string
		for _, cookie := range c.cfg.Jar.Cookies(c.url) {
			pairs = append(pairs, cookie.Name+"="+cookie.Value)
		}
		if len(pairs) > 0 {
			h.Set("Cookie", strings.Join(pairs, "; "))
		}
	}
	return h
}

// openWebSocket makes the handshake of a new session.
func openWebSocket(ctx context.Context, s *session) (*webSocket, error) {
	w, err := dialWebSocket(ctx, s, "")
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = w.conn.Close() })
	p, err := w.first(ctx)
	if !stop() && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err == nil && p.Type != engineio.Open {
		err = errParse
	}
	if err == nil {
		s.hs, err = engineio.ParseOpen(p.Data)
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// probe asks whether the server answers on this connection.
func (w *webSocket) probe(ctx context.Context) error {
	err := w.write(ctx, []engineio.Packet{{Type: engineio.Ping, Data: []byte(engineio.Probe)}})
	if err != nil {
		return err
	}
	p, err := w.first(ctx)
	if err != nil {
		return err
	}
	if p.Type != engineio.Pong || string(p.Data) != engineio.Probe {
		return fmt.Errorf("%w: a %v packet answers the probe", errParse, p.Type)
	}
	return nil
}

// first reads one packet before the loops run.
func (w *webSocket) first(ctx context.Context) (engineio.Packet, error) {
	deadline, _ := ctx.Deadline()
	if err := w.conn.SetReadDeadline(deadline); err != nil {
		return engineio.Packet{}, err
	}
	op, data, err := w.message()
	if err != nil {
		return engineio.Packet{}, err
	}
	return decodeFrame(op, data)
}

func decodeFrame(op ws.OpCode, data []byte) (engineio.Packet, error) {
	var p engineio.Packet
	var err error
	if op == ws.OpText {
		p, err = engineio.DecodeText(engineio.V4, data)
	} else {
		p, err = engineio.DecodeBinary(engineio.V4, data)
	}
	if err != nil {
		return p, errors.Join(errParse, err)
	}
	return p, nil
}

func (w *webSocket) name() Transport { return WebSocket }

// close ends the connection without a word.
func (w *webSocket) close() {
	w.stop()
	_ = w.conn.Close()
}

// read takes one message.
func (w *webSocket) read(s *session) error {
	if due := s.deadline(); due != w.due {
		w.due = due
		if err := w.conn.SetReadDeadline(due); err != nil {
			return err
		}
	}
	op, data, err := w.message()
	if err != nil {
		return err
	}
	p, err := decodeFrame(op, data)
	if err != nil {
		return err
	}
	return s.handle(p)
}

var errUTF8 = errors.New("client: text message is not UTF-8")

// message reads frames up to the end of a message, answering control frames on
// the way. The bytes are new ones.
func (w *webSocket) message() (op ws.OpCode, data []byte, err error) {
	state := ws.StateClientSide
	for {
		h, err := ws.ReadHeaderBuffer(w.in, w.head[:])
		if err != nil {
			return 0, nil, closed(err)
		}
		if err := ws.CheckHeader(h, state); err != nil || h.Masked {
			return 0, nil, errors.Join(errParse, err)
		}
		if h.Length > int64(w.max-len(data)) {
			return 0, nil, errors.Join(errParse, errTooLarge)
		}
		if h.OpCode.IsControl() {
			if err := w.controlFrame(h); err != nil {
				return 0, nil, err
			}
			continue
		}
		if h.OpCode != ws.OpContinuation {
			op = h.OpCode
		}
		if data, err = readInto(data, w.in, int(h.Length)); err != nil {
			return 0, nil, closed(err)
		}
		if !h.Fin {
			state = state.Set(ws.StateFragmented)
			continue
		}
		if op == ws.OpText && !utf8.Valid(data) {
			return 0, nil, errors.Join(errParse, errUTF8)
		}
		return op, data, nil
	}
}

// closed makes an end of every kind, also without a close frame, one.
func closed(err error) error {
	if errors.Is(err, io.EOF) {
		return err
	}
	return errors.Join(io.EOF, err)
}

// readInto appends n bytes to data. Memory grows with what arrives, not with
// what was announced.
func readInto(data []byte, r io.Reader, n int) ([]byte, error) {
	const step = 64 << 10
	for n > 0 {
		part := min(n, step)
		have := len(data)
		if cap(data)-have < part {
			grown := make([]byte, have, max(have+part, min(2*have, have+n)))
			copy(grown, data)
			data = grown
		}
		data = data[:have+part]
		if _, err := io.ReadFull(r, data[have:]); err != nil {
			return nil, err
		}
		n -= part
	}
	return data, nil
}

func (w *webSocket) controlFrame(h ws.Header) error {
	payload := make([]byte, h.Length) // at most 125
	if _, err := io.ReadFull(w.in, payload); err != nil {
		return closed(err)
	}
	switch h.OpCode {
	case ws.OpPing:
		// It may have to wait for a large message that is under way.
		return w.frames(time.Now().Add(w.wait), func(buf []byte) []byte {
			return appendFrame(buf, ws.OpPong, nil, payload)
		})
	case ws.OpClose:
		_ = w.frames(time.Now().Add(time.Second), func(buf []byte) []byte {
			return appendFrame(buf, ws.OpClose, nil, payload)
		})
		return io.EOF
	}
	return nil
}

func (w *webSocket) write(ctx context.Context, packets []engineio.Packet) error {
	deadline, _ := ctx.Deadline()
	return w.frames(deadline, func(buf []byte) []byte {
		for _, p := range packets {
			if p.Binary {
				buf = appendFrame(buf, ws.OpBinary, nil, p.Data)
			} else {
				buf = appendFrame(buf, ws.OpText, []byte{byte(p.Type)}, p.Data)
			}
		}
		return buf
	})
}

// bye sends an empty close frame, which the server answers.
func (w *webSocket) bye(ctx context.Context) bool {
	deadline, _ := ctx.Deadline()
	err := w.frames(deadline, func(buf []byte) []byte { return appendFrame(buf, ws.OpClose, nil, nil) })
	return err == nil
}

// maxKept is the largest write buffer that is kept.
const maxKept = 64 << 10

// frames writes what add appends to an empty buffer.
func (w *webSocket) frames(deadline time.Time, add func([]byte) []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	buf := add(w.buf[:0])
	if w.buf = buf; cap(buf) > maxKept {
		w.buf = nil
	}
	if err := w.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	_, err := w.conn.Write(buf)
	if err != nil {
		return errors.Join(errTransport, err)
	}
	return nil
}

// appendFrame appends a whole message in one masked frame (RFC 6455, 5.2), its
// payload being head and body.
func appendFrame(dst []byte, op ws.OpCode, head, body []byte) []byte {
	const fin, masked = 0x80, 0x80
	dst = append(dst, fin|byte(op))
	switch n := len(head) + len(body); {
	case n < 126:
		dst = append(dst, masked|byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, masked|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, masked|127), uint64(n))
	}
	mask := ws.NewMask()
	dst = append(dst, mask[:]...)
	start := len(dst)
	dst = append(append(dst, head...), body...)
	ws.Cipher(dst[start:], mask, 0)
	return dst
}
