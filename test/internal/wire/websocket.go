package wire

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// handshakeKey and its answer are the example of RFC 6455 section 1.3.
const handshakeKey = "dGhlIHNhbXBsZSBub25jZQ=="

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// UpgradeHeader is what a client sends to become a WebSocket.
func UpgradeHeader() []string {
	return []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + handshakeKey}
}

// WS is a WebSocket whose frames the test writes and reads itself.
type WS struct {
	t testing.TB
	x *Exchange

	// Pong, when set, answers each text message "2" of Engine.IO 4 with "3" and
	// hides it from Next and Expect. Dial sets it.
	Pong bool
}

// Dial upgrades a connection of its own. Header lines are added to the usual
// ones.
func Dial(t testing.TB, addr, target string, header ...string) *WS {
	t.Helper()
	ws, r := TryDial(t, addr, target, header...)
	if ws == nil {
		t.Fatalf("%s: upgrade answered %d %q", target, r.Status, r.Body)
	}
	return ws
}

// TryDial is Dial for upgrades that may be refused; then there is only an
// answer.
func TryDial(t testing.TB, addr, target string, header ...string) (*WS, Response) {
	t.Helper()
	x := Start(t, addr, Request{Target: target, Header: append(UpgradeHeader(), header...)})
	r := x.Response()
	if r.Status != 101 {
		return nil, r
	}
	if got := r.Header.Get("Sec-WebSocket-Accept"); got != acceptKey(handshakeKey) {
		t.Fatalf("%s: Sec-WebSocket-Accept is %q", target, got)
	}
	return &WS{t: t, x: x, Pong: true}, r
}

// Text sends a text message.
func (ws *WS) Text(s string) { ws.t.Helper(); ws.Frame(Frame{Op: OpText, Payload: []byte(s)}) }

// Binary sends a binary message.
func (ws *WS) Binary(b ...byte) { ws.t.Helper(); ws.Frame(Frame{Op: OpBinary, Payload: b}) }

// Frame sends frames in one write.
func (ws *WS) Frame(frames ...Frame) {
	ws.t.Helper()
	if err := ws.TryFrame(frames...); err != nil {
		ws.t.Fatalf("%s: write: %v", ws.x.what, err)
	}
}

// TryFrame is Frame for writes that the server may refuse to take.
func (ws *WS) TryFrame(frames ...Frame) error {
	var b []byte
	for _, f := range frames {
		b = f.Append(b)
	}
	return ws.x.TryRaw(string(b))
}

// Read reads the next frame as it is.
func (ws *WS) Read() (Frame, error) {
	_ = ws.x.conn.SetReadDeadline(time.Now().Add(Patience))
	return readFrame(ws.x.br)
}

// Next is the next data frame. Engine.IO pings are answered on the way if Pong
// is set; a close or an end fails the test.
func (ws *WS) Next() Frame {
	ws.t.Helper()
	for {
		f, err := ws.Read()
		if err != nil {
			ws.t.Fatalf("%s: waiting for a message: %v", ws.x.what, err)
		}
		switch {
		case f.Op == OpClose:
			ws.t.Fatalf("%s: closed with % x while waiting for a message", ws.x.what, f.Payload)
		case ws.Pong && f.Op == OpText && string(f.Payload) == "2":
			ws.Text("3")
		case f.Op == OpText, f.Op == OpBinary:
			if f.NotFin || f.RSV != 0 {
				ws.t.Fatalf("%s: a frame with fin %v, rsv %d", ws.x.what, !f.NotFin, f.RSV)
			}
			return f
		}
	}
}

// Expect waits for a text message and compares it.
func (ws *WS) Expect(want string) {
	ws.t.Helper()
	if f := ws.Next(); f.Op != OpText || string(f.Payload) != want {
		ws.t.Fatalf("%s: got opcode %d %q, want text %q", ws.x.what, f.Op, f.Payload, want)
	}
}

// ExpectPrefix waits for a text message and returns what follows the prefix.
func (ws *WS) ExpectPrefix(prefix string) string {
	ws.t.Helper()
	f := ws.Next()
	rest, ok := strings.CutPrefix(string(f.Payload), prefix)
	if f.Op != OpText || !ok {
		ws.t.Fatalf("%s: got opcode %d %q, want text that begins with %q", ws.x.what, f.Op, f.Payload, prefix)
	}
	return rest
}

// ExpectBinary waits for a binary message and compares it.
func (ws *WS) ExpectBinary(want ...byte) {
	ws.t.Helper()
	if f := ws.Next(); f.Op != OpBinary || !slices.Equal(f.Payload, want) {
		ws.t.Fatalf("%s: got opcode %d % x, want binary % x", ws.x.what, f.Op, f.Payload, want)
	}
}

// Codes that no close frame carries, RFC 6455 section 7.4.1.
const (
	NoStatus = 1005 // a close frame without a code
	Abnormal = 1006 // the connection ended without a close frame
)

// Ending is how a server ended a WebSocket.
type Ending struct {
	Code   int
	Reason string
	Before []Frame // what came before, pings of both kinds left out
}

// Closed reads until the server ends the connection. A close frame is not
// answered before the TCP connection ends or Patience is over: the server must
// end it by itself.
func (ws *WS) Closed() Ending {
	ws.t.Helper()
	e := Ending{Code: Abnormal}
	for {
		f, err := ws.Read()
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), isReset(err):
			return e
		default:
			ws.t.Fatalf("%s: waiting for the end: %v", ws.x.what, err)
		}
		switch {
		case f.Op == OpClose && len(f.Payload) >= 2:
			e.Code, e.Reason = int(binary.BigEndian.Uint16(f.Payload)), string(f.Payload[2:])
			return e
		case f.Op == OpClose:
			e.Code = NoStatus
			return e
		case f.Op == OpPing, f.Op == OpPong, f.Op == OpText && string(f.Payload) == "2":
		default:
			e.Before = append(e.Before, f)
		}
	}
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

// CloseFrame is a close frame with a code and a reason.
func CloseFrame(code int, reason string) Frame {
	return Frame{Op: OpClose, Payload: append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)}
}

// End reads until the TCP connection ends.
func (ws *WS) End() { ws.t.Helper(); ws.x.End() }

// Raw writes bytes as they are.
func (ws *WS) Raw(b []byte) { ws.t.Helper(); ws.x.Raw(string(b)) }

// Close ends the TCP connection without a word.
func (ws *WS) Close() { ws.x.Close() }

// Conn is the connection itself.
func (ws *WS) Conn() net.Conn { return ws.x.conn }
