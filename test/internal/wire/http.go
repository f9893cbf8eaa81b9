package wire

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Patience is how long a client waits for anything. It is far beyond every
// limit under test, so that only a server that hangs meets it.
const Patience = 20 * time.Second

// maxBody bounds what a test reads of an answer.
const maxBody = 64 << 20

// Request is one HTTP/1.1 request, written as given.
type Request struct {
	Method string   // GET when there is no Body, else POST
	Target string   // path and query
	Header []string // whole lines without the line end; Host is added unless one is given
	Body   string   // with a Content-Length, unless Header has one or a Transfer-Encoding
}

func (r Request) bytes(addr string) string {
	method := r.Method
	if method == "" {
		method = "GET"
		if r.Body != "" {
			method = "POST"
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, r.Target)
	if !r.has("host") {
		fmt.Fprintf(&b, "Host: %s\r\n", addr)
	}
	for _, line := range r.Header {
		b.WriteString(line + "\r\n")
	}
	if (r.Body != "" || method == "POST" || method == "PUT") && !r.has("content-length") && !r.has("transfer-encoding") {
		b.WriteString("Content-Length: " + strconv.Itoa(len(r.Body)) + "\r\n")
	}
	b.WriteString("\r\n")
	b.WriteString(r.Body)
	return b.String()
}

func (r Request) has(name string) bool {
	for _, line := range r.Header {
		k, _, _ := strings.Cut(line, ":")
		if strings.EqualFold(strings.TrimSpace(k), name) {
			return true
		}
	}
	return false
}

// Response is a complete answer.
type Response struct {
	Status int
	Header http.Header
	Body   string
}

// Exchange is a request that was sent and whose answer has not been read.
type Exchange struct {
	t    testing.TB
	what string
	conn net.Conn
	br   *bufio.Reader
}

// Connect opens a TCP connection on which nothing has been said.
func Connect(t testing.TB, addr string) *Exchange {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, Patience)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	return &Exchange{t: t, what: "connection", conn: conn, br: bufio.NewReader(conn)}
}

// Start sends a request on a connection of its own and returns.
func Start(t testing.TB, addr string, r Request) *Exchange {
	t.Helper()
	x := Connect(t, addr)
	x.Send(r)
	return x
}

// Do sends a request and reads the answer.
func Do(t testing.TB, addr string, r Request) Response {
	t.Helper()
	x := Start(t, addr, r)
	defer x.Close()
	return x.Response()
}

// Get is Do of a GET.
func Get(t testing.TB, addr, target string) Response {
	t.Helper()
	return Do(t, addr, Request{Target: target})
}

// Post is Do of a POST of plain text.
func Post(t testing.TB, addr, target, body string) Response {
	t.Helper()
	return Do(t, addr, Request{Method: "POST", Target: target, Header: []string{"Content-Type: text/plain;charset=UTF-8"}, Body: body})
}

// Send writes one more request.
func (x *Exchange) Send(r Request) {
	x.t.Helper()
	x.what = r.Target
	x.Raw(r.bytes(x.conn.RemoteAddr().String()))
}

// Raw writes bytes as they are.
func (x *Exchange) Raw(s string) {
	x.t.Helper()
	if err := x.TryRaw(s); err != nil {
		x.t.Fatalf("%s: write: %v", x.what, err)
	}
}

// TryRaw is Raw for writes that the server may refuse to take.
func (x *Exchange) TryRaw(s string) error {
	_ = x.conn.SetWriteDeadline(time.Now().Add(Patience))
	_, err := io.WriteString(x.conn, s)
	return err
}

// Response reads the next answer.
func (x *Exchange) Response() Response {
	x.t.Helper()
	r, err := x.TryResponse()
	if err != nil {
		x.t.Fatalf("%s: %v", x.what, err)
	}
	return r
}

// TryResponse is Response for connections that may end without one.
func (x *Exchange) TryResponse() (Response, error) {
	_ = x.conn.SetReadDeadline(time.Now().Add(Patience))
	h, err := http.ReadResponse(x.br, nil)
	if err != nil {
		return Response{}, fmt.Errorf("no answer: %w", err)
	}
	defer h.Body.Close()
	if h.StatusCode == http.StatusSwitchingProtocols {
		return Response{Status: h.StatusCode, Header: h.Header}, nil
	}
	body, err := io.ReadAll(io.LimitReader(h.Body, maxBody))
	if err != nil {
		return Response{}, fmt.Errorf("answer %d cut short: %w", h.StatusCode, err)
	}
	return Response{Status: h.StatusCode, Header: h.Header, Body: string(body)}, nil
}

// End reads until the server ends the connection and returns what came. A
// server that keeps it open fails the test.
func (x *Exchange) End() string {
	x.t.Helper()
	_ = x.conn.SetReadDeadline(time.Now().Add(Patience))
	b, err := io.ReadAll(io.LimitReader(x.br, maxBody))
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		x.t.Fatalf("%s: the server kept the connection open for %v; it had sent %.200q", x.what, Patience, b)
	}
	return string(b)
}

// Close ends the connection.
func (x *Exchange) Close() { x.conn.Close() }

// Conn is the connection itself.
func (x *Exchange) Conn() net.Conn { return x.conn }
