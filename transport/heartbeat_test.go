package transport

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/siod-io/siod/internal/wsframe"
)

// pipeListener accepts what the test dials: connections in memory, of which
// synctest knows when they wait. They have no descriptor, so they go the way of
// TLS connections: all writing passes through the drain goroutine.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.done); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// bubble runs f in a synctest bubble with an engine behind an HTTP server.
func bubble(t *testing.T, cfg Config, f func(t *testing.T, s *bubbled)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.Shards = 1
		a := newApp()
		e, err := New(cfg, a)
		if err != nil {
			t.Fatal(err)
		}
		l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		hs := &http.Server{Handler: e}
		served := make(chan struct{})
		go func() { defer close(served); _ = hs.Serve(l) }()
		s := &bubbled{T: t, engine: e, app: a, l: l, begin: time.Now()}
		f(t, s)
		for _, c := range s.conns {
			c.Close()
		}
		if err := e.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		hs.Close()
		<-served
	})
}

type bubbled struct {
	*testing.T
	engine *Engine
	app    *app
	l      *pipeListener
	conns  []net.Conn
	begin  time.Time
}

// request writes a request on a connection of its own.
func (s *bubbled) request(head, body string) (net.Conn, *bufio.Reader) {
	client, srv := net.Pipe()
	s.conns = append(s.conns, client)
	s.l.conns <- srv
	if body != "" {
		head += "\r\nContent-Length: " + itoa(len(body))
	}
	if _, err := io.WriteString(client, head+"\r\nHost: h\r\n\r\n"+body); err != nil {
		s.Fatal(err)
	}
	return client, bufio.NewReader(client)
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

func (s *bubbled) get(query string) (int, string) {
	s.Helper()
	_, r := s.request("GET /socket.io/?"+query+" HTTP/1.1", "")
	return s.response(r)
}

func (s *bubbled) post(query, body string) (int, string) {
	s.Helper()
	_, r := s.request("POST /socket.io/?"+query+" HTTP/1.1", body)
	return s.response(r)
}

func (s *bubbled) response(r *bufio.Reader) (int, string) {
	s.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		s.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// dial opens a WebSocket and reads the open packet.
func (s *bubbled) dial(query string) *bubbledWS {
	s.Helper()
	client, r := s.request("GET /socket.io/?transport=websocket&"+query+" HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "")
	if status, _ := s.response(r); status != 101 {
		s.Fatalf("%d", status)
	}
	c := &bubbledWS{bubbled: s, conn: client, in: r}
	c.frames.Init(wsframe.Config{})
	if m := c.next(); !strings.HasPrefix(m, "text 0{") {
		s.Fatal(m)
	}
	return c
}

type bubbledWS struct {
	*bubbled
	conn   net.Conn
	in     *bufio.Reader
	frames wsframe.Reader
	buf    []byte
}

// next is the next message, or how the connection ended.
func (c *bubbledWS) next() string {
	for {
		m, n, ok, err := c.frames.Next(c.buf)
		c.buf = c.buf[n:]
		if ok {
			return m.Kind.String() + " " + string(m.Data)
		}
		if err != nil {
			return err.Error()
		}
		b := make([]byte, 4096)
		k, err := c.in.Read(b)
		if err != nil {
			return "end"
		}
		c.buf = b[:k]
	}
}

func (c *bubbledWS) text(s string) {
	c.Helper()
	if _, err := c.conn.Write(frame(ws.OpText, s)); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		c.Fatal(err)
	}
}

// at wants the time since the beginning to be between want and a tick more.
func (s *bubbled) at(what string, want time.Duration) {
	s.Helper()
	if got := time.Since(s.begin); got < want || got > want+wheelTick {
		s.Errorf("%s after %v, want %v", what, got, want)
	}
}

func TestHeartbeat4(t *testing.T) {
	t.Parallel()
	bubble(t, Config{}, func(t *testing.T, s *bubbled) {
		c := s.dial("EIO=4")
		if m := c.next(); m != "text 2" {
			t.Fatal(m)
		}
		if d := time.Since(s.begin); d < 22500*time.Millisecond || d > 25*time.Second+wheelTick {
			t.Errorf("first ping after %v", d) // spread over the last tenth (R4)
		}
		for range 3 {
			s.begin = time.Now()
			c.text("3")
			if m := c.next(); m != "text 2" {
				t.Fatal(m)
			}
			s.at("ping", 25*time.Second)
		}
		s.begin = time.Now()
		if m := c.next(); m != "close " {
			t.Fatal(m)
		}
		s.at("end", 20*time.Second)
		s.app.ends(t, ReasonPingTimeout)
		if s.engine.Len() != 0 {
			t.Error("the session is not forgotten")
		}
	})
}

func TestHeartbeat3(t *testing.T) {
	t.Parallel()
	bubble(t, Config{}, func(t *testing.T, s *bubbled) {
		c := s.dial("EIO=3")
		for range 3 {
			<-time.After(44 * time.Second)
			c.text("2")
			if m := c.next(); m != "text 3" {
				t.Fatal(m)
			}
			s.begin = time.Now()
		}
		if m := c.next(); m != "close " {
			t.Fatal(m)
		}
		s.at("end", 45*time.Second)
		s.app.ends(t, ReasonPingTimeout)
	})
}

func TestHeartbeatPolling(t *testing.T) {
	t.Parallel()
	bubble(t, Config{}, func(t *testing.T, s *bubbled) {
		_, open := s.get("EIO=4&transport=polling")
		q := "EIO=4&transport=polling&sid=" + sidOf(t, open)
		for range 3 {
			if _, body := s.get(q); body != "2" {
				t.Fatal(body)
			}
			s.begin = time.Now().Add(-5 * time.Second)
			<-time.After(5 * time.Second)
			if _, body := s.post(q, "3"); body != "ok" {
				t.Fatal(body)
			}
			s.begin = time.Now()
		}
		if _, body := s.get(q); body != "2" {
			t.Fatal(body)
		}
		s.at("ping", 25*time.Second)
		if _, body := s.get(q); body != "1" {
			t.Fatal(body)
		}
		s.at("end", 45*time.Second)
		s.app.ends(t, ReasonPingTimeout)
		if status, _ := s.get(q); status != 400 {
			t.Errorf("%d", status)
		}
	})
}

// A session that is opened and never polled does not stay.
func TestAbandonedSessions(t *testing.T) {
	t.Parallel()
	bubble(t, Config{}, func(t *testing.T, s *bubbled) {
		for range 20 {
			s.get("EIO=4&transport=polling")
			s.get("EIO=3&transport=polling")
		}
		for range 40 {
			s.app.session(t)
		}
		if n := s.engine.Len(); n != 40 {
			t.Fatalf("%d sessions", n)
		}
		<-time.After(45*time.Second + wheelTick)
		synctest.Wait()
		if n := s.engine.Len(); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
		for range 40 {
			s.app.ends(t, ReasonPingTimeout)
		}
	})
}

// A handler that does not return is not the client's fault, however long it
// takes; short calls in any number are no excuse for a missing pong.
func TestHeartbeatAndBackPressure(t *testing.T) {
	t.Parallel()
	bubble(t, Config{}, func(t *testing.T, s *bubbled) {
		leave := make(chan struct{})
		s.app.onText = func(_ *Session, d []byte) {
			if string(d) == "block" {
				<-leave
			}
		}
		c := s.dial("EIO=4")
		c.text("4block")
		if m := c.next(); m != "text 2" {
			t.Fatal(m)
		}
		go func() { _, _ = c.conn.Write(frame(ws.OpText, "3")) }() // stays unread
		<-time.After(10 * time.Minute)
		if s.engine.Len() != 1 {
			t.Fatal("the session ended while its handler was running")
		}
		close(leave)
		synctest.Wait()
		pinged := make(chan string)
		go func() { pinged <- c.next() }()
		// The pong is read now, and the next ping is 25 s away.
		s.begin = time.Now()
		if m := <-pinged; m != "text 2" {
			t.Fatal(m)
		}
		s.at("ping", 25*time.Second)
		// From here on the client talks and never pongs.
		for s.engine.Len() == 1 {
			c.text("4a")
			<-time.After(time.Second)
		}
		if d := time.Since(s.begin); d > 25*time.Second+2*20*time.Second+2*time.Second {
			t.Errorf("ended after %v", d)
		}
		s.app.ends(t, ReasonPingTimeout)
	})
}

// A client whose pong was held up by a long call has its time anew after it.
func TestHeartbeatAfterALongCall(t *testing.T) {
	t.Parallel()
	bubble(t, Config{}, func(t *testing.T, s *bubbled) {
		leave := make(chan struct{})
		s.app.onText = func(*Session, []byte) { <-leave }
		c := s.dial("EIO=4")
		c.text("4block")
		if m := c.next(); m != "text 2" {
			t.Fatal(m)
		}
		<-time.After(19 * time.Second)
		close(leave)
		<-time.After(19 * time.Second)
		c.text("3")
		s.begin = time.Now()
		if m := c.next(); m != "text 2" {
			t.Fatal(m)
		}
		s.at("ping", 25*time.Second)
	})
}

func TestUpgradeTimeout(t *testing.T) {
	t.Parallel()
	bubble(t, Config{}, func(t *testing.T, s *bubbled) {
		_, open := s.get("EIO=4&transport=polling")
		sid := sidOf(t, open)
		client, r := s.request("GET /socket.io/?EIO=4&transport=websocket&sid="+sid+" HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "")
		if status, _ := s.response(r); status != 101 {
			t.Fatal(status)
		}
		c := &bubbledWS{bubbled: s, conn: client, in: r}
		c.frames.Init(wsframe.Config{})
		s.begin = time.Now()
		c.text("2probe")
		if m := c.next(); m != "text 3probe" {
			t.Fatal(m)
		}
		if m := c.next(); m != "close " {
			t.Fatal(m)
		}
		s.at("end of the upgrade", 10*time.Second)
		if _, body := s.post("EIO=4&transport=polling&sid="+sid, "4a"); body != "ok" {
			t.Fatal(body)
		}
		if _, body := s.get("EIO=4&transport=polling&sid=" + sid); body != "4a" {
			t.Fatal(body)
		}
	})
}

// A client that reads nothing is given up after WriteTimeout.
func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	bubble(t, Config{WriteTimeout: 3 * time.Second}, func(t *testing.T, s *bubbled) {
		s.dial("EIO=4")
		x := s.app.session(t)
		s.begin = time.Now()
		x.Send(NewText([]byte("nobody reads this")), 0, false)
		s.app.ends(t, ReasonTransportError)
		s.at("end", 3*time.Second)
	})
}

// A closed session waits PollTimeout for the poll that fetches its end.
func TestPollTimeout(t *testing.T) {
	t.Parallel()
	bubble(t, Config{}, func(t *testing.T, s *bubbled) {
		_, open := s.get("EIO=4&transport=polling")
		x := s.app.session(t)
		x.Send(NewText([]byte("bye")), 0, false)
		x.Close("")
		<-time.After(29 * time.Second)
		if s.engine.Len() != 1 {
			t.Fatal("the session is gone")
		}
		<-time.After(time.Second + wheelTick)
		synctest.Wait()
		if s.engine.Len() != 0 || s.engine.Stats().Unsent != 1 {
			t.Errorf("%+v", s.engine.Stats())
		}
		if status, _ := s.get("EIO=4&transport=polling&sid=" + sidOf(t, open)); status != 400 {
			t.Errorf("%d", status)
		}
	})
}
