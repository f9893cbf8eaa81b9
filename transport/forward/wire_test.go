package forward

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/siod-io/siod/internal/wsframe"
)

// socket is one WebSocket of a client, byte by byte.
type socket struct {
	testing.TB
	conn   net.Conn
	in     *bufio.Reader
	accept *http.Response
	frames wsframe.Reader
	buf    []byte
}

// dial upgrades a polling session at this node and wants the 101.
func (n *testNode) dial(query string, header ...string) *socket {
	n.Helper()
	c := n.knock(nil, query, header...)
	if c.accept.StatusCode != 101 {
		b, _ := io.ReadAll(c.accept.Body)
		n.Fatalf("websocket at %s: %d %s", n.name, c.accept.StatusCode, b)
	}
	return c
}

// knock makes a WebSocket handshake, whatever the answer. early is sent in the
// same segment.
func (n *testNode) knock(early []byte, query string, header ...string) *socket {
	n.Helper()
	conn, err := (&net.Dialer{Timeout: patience}).Dial("tcp", n.addr)
	if err != nil {
		n.Fatal(err)
	}
	if n.tls != nil {
		conn = tls.Client(conn, n.tls)
	}
	n.Cleanup(func() { conn.Close() })
	query = strings.Replace(query, "transport=polling", "transport=websocket", 1)
	req := "GET /engine.io/?" + query + " HTTP/1.1\r\nHost: " + n.addr +
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for i := 0; i+1 < len(header); i += 2 {
		req += header[i] + ": " + header[i+1] + "\r\n"
	}
	c := &socket{TB: n.TB, conn: conn, in: bufio.NewReaderSize(conn, 1<<16)}
	c.write(append([]byte(req+"\r\n"), early...))
	if c.accept, err = http.ReadResponse(c.in, nil); err != nil {
		n.Fatal(err)
	}
	deflate := c.accept.Header.Get("Sec-WebSocket-Extensions") != ""
	c.frames.Init(wsframe.Config{MaxMessage: 1 << 26, MaxFragments: 1 << 20, Deflate: deflate})
	return c
}

func (c *socket) write(b []byte) {
	c.Helper()
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.conn.Write(b); err != nil {
		c.Fatalf("write: %v", err)
	}
}

// frame is a masked frame, as clients send it.
func frame(op ws.OpCode, payload string) []byte {
	return wsframe.AppendMasked(nil, op, []byte(payload), [4]byte{1, 2, 3, 4})
}

func (c *socket) text(payload string) { c.Helper(); c.write(frame(ws.OpText, payload)) }

// next returns the next message; the error is that of the connection.
func (c *socket) next() (wsframe.Message, error) {
	for {
		m, n, ok, err := c.frames.Next(c.buf)
		c.buf = c.buf[n:]
		if ok || err != nil {
			m.Data = append([]byte{}, m.Data...)
			return m, err
		}
		_ = c.conn.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 1<<16)
		k, err := c.in.Read(b)
		if err != nil {
			return m, err
		}
		c.buf = b[:k]
	}
}

// expect wants a text message next.
func (c *socket) expect(want string) {
	c.Helper()
	m, err := c.next()
	if err != nil || m.Kind != wsframe.Text || string(m.Data) != want {
		c.Fatalf("got %v %d %.200q %v, want text %.200q", m.Kind, m.Code, m.Data, err, want)
	}
}

// closes wants a close frame with the code (1005 for none) next, and answers it.
func (c *socket) closes(code uint16) {
	c.Helper()
	m, err := c.next()
	if err != nil || m.Kind != wsframe.Close || m.Code != code {
		c.Fatalf("got %v %d %.200q %v, want close %d", m.Kind, m.Code, m.Data, err, code)
	}
	c.write(frame(ws.OpClose, ""))
}

// over wants the connection to end without anything else.
func (c *socket) over() {
	c.Helper()
	if m, err := c.next(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		c.Fatalf("got %v %.200q %v, want the end", m.Kind, m.Data, err)
	}
}

// upgrade takes the session over to a WebSocket at this node.
func (n *testNode) upgrade(query string) *socket {
	n.Helper()
	c := n.dial(query)
	c.text("2probe")
	c.expect("3probe")
	c.text("5")
	return c
}
