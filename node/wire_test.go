package node_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// lean is a WebSocket client that allocates nothing after it has connected, so
// that what is measured is the server's. It masks with zeros.
type lean struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	buf  []byte
	out  []byte
}

// lean connects to "/" and counts as one socket.
func (s *server) lean(t testing.TB) *lean {
	t.Helper()
	u, err := url.Parse(s.url)
	must(t, err)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", u.Host)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: "+u.Host+
		"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	must(t, err)
	l := &lean{t: t, conn: conn, r: bufio.NewReaderSize(conn, 4096), buf: make([]byte, 8<<10)}
	res, err := http.ReadResponse(l.r, nil)
	must(t, err)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %d", res.StatusCode)
	}
	l.next() // the open packet
	l.send("40")
	if got := string(l.next()); !strings.HasPrefix(got, "40{") {
		t.Fatalf("got %q", got)
	}
	return l
}

// next is the next message, valid until the next call. Pings are answered.
func (l *lean) next() []byte {
	for {
		b := l.frame()
		if len(b) != 1 || b[0] != '2' {
			return b
		}
		l.send("3")
	}
}

func (l *lean) frame() []byte {
	head := l.buf[:10]
	if _, err := io.ReadFull(l.r, head[:2]); err != nil {
		l.t.Fatalf("read: %v", err)
	}
	n := int(head[1] & 0x7f)
	switch n {
	case 126:
		_, _ = io.ReadFull(l.r, head[:2])
		n = int(binary.BigEndian.Uint16(head))
	case 127:
		_, _ = io.ReadFull(l.r, head[:8])
		n = int(binary.BigEndian.Uint64(head))
	}
	b := l.buf[:n]
	if _, err := io.ReadFull(l.r, b); err != nil {
		l.t.Fatalf("read: %v", err)
	}
	return b
}

// send writes one text message of less than 64 KiB.
func (l *lean) send(message string) {
	l.out = append(l.out[:0], 0x81)
	if n := len(message); n < 126 {
		l.out = append(l.out, 0x80|byte(n))
	} else {
		l.out = append(l.out, 0xfe, byte(n>>8), byte(n))
	}
	l.out = append(append(l.out, 0, 0, 0, 0), message...)
	if _, err := l.conn.Write(l.out); err != nil {
		l.t.Fatalf("write: %v", err)
	}
}

// answer acknowledges the next message, an event with an id, with nothing.
func (l *lean) answer() {
	m := l.next() // 42<id>["…"]
	end := 2
	for end < len(m) && m[end] != '[' {
		end++
	}
	l.out = append(l.out[:0], 0x81, 0x80|byte(end+2), 0, 0, 0, 0, '4', '3')
	l.out = append(append(l.out, m[2:end]...), "[]"...)
	if _, err := l.conn.Write(l.out); err != nil {
		l.t.Fatalf("write: %v", err)
	}
}

// discard reads on until the connection ends.
func (l *lean) discard() {
	go func() { _, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{l.conn}, l.buf) }()
}
