package transport

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

// polling is a client of one session over long polling.
type polling struct {
	*server
	query string // with the sid
	open  string // the first payload
}

// openPolling makes a handshake; query is "EIO=4", say, and what comes with it.
func (s *server) openPolling(query string) *polling {
	s.Helper()
	q := query + "&transport=polling"
	a := s.do("GET", q, "")
	if a.status != 200 {
		s.Fatalf("handshake: %d %s", a.status, a.body)
	}
	return &polling{server: s, query: q + "&sid=" + sidOf(s, a.body), open: a.body}
}

func sidOf(t testing.TB, open string) string {
	t.Helper()
	_, rest, _ := strings.Cut(strings.ReplaceAll(open, `\"`, `"`), `"sid":"`)
	sid, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("no sid in %q", open)
	}
	return sid
}

// session is the server's side of the client; it is the only one to open.
func (p *polling) session() *Session {
	p.Helper()
	return p.app.session(p)
}

func (p *polling) poll() answer { p.Helper(); return p.do("GET", p.query, "") }

// polls wants the next poll to bring a payload.
func (p *polling) polls(want string) {
	p.Helper()
	if a := p.poll(); a.status != 200 || a.body != want {
		p.Fatalf("poll: %d %.200q, want %.200q", a.status, a.body, want)
	}
}

// posts sends a payload and wants it to be accepted.
func (p *polling) posts(body string, header ...string) {
	p.Helper()
	if len(header) == 0 {
		header = []string{"Content-Type", "text/plain;charset=UTF-8"}
	}
	if a := p.do("POST", p.query, body, header...); a.status != 200 || a.body != "ok" {
		p.Fatalf("post: %d %q", a.status, a.body)
	}
}

// pending sends a poll and returns when the server waits with it.
func (p *polling) pending(s *Session) <-chan answer {
	p.Helper()
	c := p.later("GET", p.query, "")
	eventually(p, "a pending poll", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.life.get
	})
	return c
}

// gone wants the session to be unknown.
func (p *polling) gone() {
	p.Helper()
	if a := p.poll(); a.status != 400 || a.body != `{"code":1,"message":"Session ID unknown"}` {
		p.Fatalf("poll: %d %q, want an unknown session", a.status, a.body)
	}
}

// wsClient is one WebSocket, byte by byte.
type wsClient struct {
	*testing.T
	conn net.Conn
	in   *bufio.Reader
	// accept is the answer to the handshake.
	accept *http.Response
	frames wsframe.Reader
	buf    []byte
}

// dial opens a WebSocket and wants the 101.
func (s *server) dial(query string, header ...string) *wsClient {
	s.Helper()
	c := s.knock(query, header...)
	if c.accept.StatusCode != 101 {
		b, _ := io.ReadAll(c.accept.Body)
		s.Fatalf("websocket: %d %s", c.accept.StatusCode, b)
	}
	return c
}

// knock makes a WebSocket handshake, whatever the answer.
func (s *server) knock(query string, header ...string) *wsClient {
	s.Helper()
	return s.knockAndSend(nil, query, header...)
}

// knockAndSend has frames in the same segment as the handshake.
func (s *server) knockAndSend(early []byte, query string, header ...string) *wsClient {
	s.Helper()
	d := net.Dialer{Timeout: patience}
	conn, err := d.Dial("tcp", s.addr)
	if err != nil {
		s.Fatal(err)
	}
	if s.tls != nil {
		conn = tls.Client(conn, s.tls)
	}
	s.Cleanup(func() { conn.Close() })
	req := "GET " + s.engine.cfg.Path + "?" + query + " HTTP/1.1\r\nHost: " + s.addr +
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for i := 0; i+1 < len(header); i += 2 {
		req += header[i] + ": " + header[i+1] + "\r\n"
	}
	c := &wsClient{T: s.T, conn: conn, in: bufio.NewReaderSize(conn, 1<<16)}
	c.write(append([]byte(req+"\r\n"), early...))
	if c.accept, err = http.ReadResponse(c.in, nil); err != nil {
		s.Fatal(err)
	}
	deflate := c.accept.Header.Get("Sec-WebSocket-Extensions") != ""
	c.frames.Init(wsframe.Config{MaxMessage: 1 << 26, MaxFragments: 1 << 20, Deflate: deflate})
	return c
}

// upgrade opens a WebSocket for a polling session.
func (p *polling) upgrade() *wsClient {
	p.Helper()
	return p.dial(strings.Replace(p.query, "transport=polling", "transport=websocket", 1))
}

// raw sends the bytes of a request on a connection of its own and returns the
// answer's head.
func (s *server) raw(request string) *http.Response {
	s.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write([]byte(request)); err != nil {
		s.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.Fatalf("%v after %q", err, request)
	}
	return resp
}

func (c *wsClient) write(b []byte) {
	c.Helper()
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.conn.Write(b); err != nil {
		c.Fatalf("write: %v", err)
	}
}

func (c *wsClient) send(op ws.OpCode, payload string) {
	c.Helper()
	c.write(frame(op, payload))
}

// frame is a masked frame, as clients send it.
func frame(op ws.OpCode, payload string) []byte {
	return wsframe.AppendMasked(nil, op, []byte(payload), [4]byte{1, 2, 3, 4})
}

func (c *wsClient) text(payload string) { c.Helper(); c.send(ws.OpText, payload) }

// next returns the next message; the error is that of the connection.
func (c *wsClient) next() (wsframe.Message, error) {
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
func (c *wsClient) expect(want string) {
	c.Helper()
	m, err := c.next()
	if err != nil || m.Kind != wsframe.Text || string(m.Data) != want {
		c.Fatalf("got %v %d %.200q %v, want text %.200q", m.Kind, m.Code, m.Data, err, want)
	}
}

// opens wants an open packet, and returns the session's id.
func (c *wsClient) opens() string {
	c.Helper()
	m, err := c.next()
	if err != nil || m.Kind != wsframe.Text || !strings.HasPrefix(string(m.Data), "0{") {
		c.Fatalf("got %v %.200q %v, want an open packet", m.Kind, m.Data, err)
	}
	return sidOf(c, string(m.Data))
}

// closes wants a close frame with the code (1005 for none) next, and answers it.
func (c *wsClient) closes(code uint16) {
	c.Helper()
	m, err := c.next()
	if err != nil || m.Kind != wsframe.Close || m.Code != code {
		c.Fatalf("got %v %d %.200q %v, want close %d", m.Kind, m.Code, m.Data, err, code)
	}
	c.write(wsframe.AppendMasked(nil, ws.OpClose, nil, [4]byte{1, 2, 3, 4}))
}

// over wants the connection to end without anything else.
func (c *wsClient) over() {
	c.Helper()
	if m, err := c.next(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		c.Fatalf("got %v %.200q %v, want the end", m.Kind, m.Data, err)
	}
}
