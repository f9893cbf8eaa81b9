package node_test

import (
	"bufio"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// raw is a WebSocket that speaks Engine.IO byte by byte, for what no client of
// ours does: old revisions, and mistakes.
type raw struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

// raw opens a session of an Engine.IO revision, "3" or "4". What follows the
// open packet is left to the test.
func (s *server) raw(t testing.TB, eio, query string) *raw {
	t.Helper()
	url := "ws" + strings.TrimPrefix(s.url, "http") + "/socket.io/?transport=websocket&EIO=" + eio + query
	conn, buffered, _, err := ws.Dial(t.Context(), url)
	if err != nil {
		t.Fatalf("dial %s: %v", url, err)
	}
	r := &raw{t: t, conn: conn, r: buffered}
	if r.r == nil {
		r.r = bufio.NewReader(conn)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if open := r.next(); !strings.HasPrefix(open, "0{") {
		t.Fatalf("first message is %q", open)
	}
	return r
}

// Read and Write make it an io.ReadWriter for package wsutil.
func (r *raw) Read(b []byte) (int, error)  { return r.r.Read(b) }
func (r *raw) Write(b []byte) (int, error) { return r.conn.Write(b) }

// next is the next text message; the server's pings are answered and left out.
func (r *raw) next() string {
	r.t.Helper()
	for {
		data, op := r.message()
		if op != ws.OpText {
			r.t.Fatalf("got a message of kind %v: %x", op, data)
		}
		if string(data) != "2" {
			return string(data)
		}
		r.send("3")
	}
}

func (r *raw) message() ([]byte, ws.OpCode) {
	r.t.Helper()
	_ = r.conn.SetReadDeadline(time.Now().Add(patience))
	data, op, err := wsutil.ReadServerData(r)
	if err != nil {
		r.t.Fatalf("read: %v", err)
	}
	return data, op
}

// expect checks the next messages.
func (r *raw) expect(want ...string) {
	r.t.Helper()
	for _, w := range want {
		if got := r.next(); got != w {
			r.t.Fatalf("got %q, want %q", got, w)
		}
	}
}

// expectPrefix checks how the next message begins, and returns the rest.
func (r *raw) expectPrefix(want string) string {
	r.t.Helper()
	got := r.next()
	rest, ok := strings.CutPrefix(got, want)
	if !ok {
		r.t.Fatalf("got %q, want it to begin with %q", got, want)
	}
	return rest
}

// closed checks that the server ends the connection, with nothing before it but
// the given messages.
func (r *raw) closed(before ...string) {
	r.t.Helper()
	r.expect(before...)
	_ = r.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		data, _, err := wsutil.ReadServerData(r)
		if err != nil {
			return
		}
		if string(data) != "2" {
			r.t.Fatalf("got %q, want the end of the connection", data)
		}
	}
}

// send writes text messages.
func (r *raw) send(messages ...string) {
	r.t.Helper()
	for _, m := range messages {
		if err := wsutil.WriteClientText(r.conn, []byte(m)); err != nil {
			r.t.Fatalf("write: %v", err)
		}
	}
}
