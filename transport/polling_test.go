package transport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPollingHandshake(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Token: "node01"})
	a := s.do("GET", "EIO=4&transport=polling&t=abc&x=1&x=2", "")
	sid := sidOf(t, a.body)
	want := `0{"sid":"` + sid + `","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`
	if a.body != want || a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if !strings.HasPrefix(sid, "node01") || len(sid) != 26 {
		t.Errorf("sid %q", sid)
	}
	got := http.Header{}
	for _, k := range []string{"Content-Type", "Cache-Control", "Set-Cookie", "Access-Control-Allow-Origin", "Content-Encoding"} {
		if v := a.header[k]; v != nil {
			got[k] = v
		}
	}
	if d := cmp.Diff(http.Header{"Content-Type": {"text/plain; charset=UTF-8"}, "Cache-Control": {"no-store"}}, got); d != "" {
		t.Error(d)
	}
	x := s.app.session(t)
	if h := x.Handshake(); x.ID() != sid || x.Transport() != Polling || h.Query().Get("x") != "1" || h.Secure || h.Host != s.addr || h.Path != "/engine.io/" {
		t.Errorf("%q %q %+v", x.ID(), x.Transport(), h)
	}
	if s.engine.Session(sid) != x || s.engine.Len() != 1 {
		t.Error("the session is not known")
	}
}

func TestPollingEcho(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	p.posts("4hello")
	p.polls("4hello")
	p.posts("4one\x1e4two\x1ebAQIDBA==")
	p.polls("4one\x1e4two\x1ebAQIDBA==")
	p.posts("bAQID\x1e4€")
	p.polls("bAQID\x1e4€")
	p.posts("4") // an empty message
	p.polls("4")
}

// A poll waits until there is something, and takes all there is.
func TestPollWaits(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	x := p.session()
	c := p.pending(x)
	p.posts("4a")
	if a := recv(t, c, "the poll"); a.body != "4a" {
		t.Errorf("%q", a.body)
	}
	x.Send(NewText([]byte("b")), 0, false)
	x.Send(NewText([]byte("c")), 0, false)
	p.polls("4b\x1e4c")
}

func TestOverlap(t *testing.T) {
	t.Parallel()
	t.Run("polls", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{})
		p := s.openPolling("EIO=4")
		c := p.pending(p.session())
		if a := p.poll(); a.status != 400 {
			t.Errorf("second poll: %d %q", a.status, a.body)
		}
		if a := recv(t, c, "the first poll"); a.status != 200 || a.body != "1" {
			t.Errorf("first poll: %d %q", a.status, a.body)
		}
		s.app.ends(t, ReasonTransportError)
		p.gone()
	})
	t.Run("posts", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{})
		entered, leave := make(chan bool), make(chan bool)
		s.app.onText = func(*Session, []byte) { entered <- true; <-leave }
		p := s.openPolling("EIO=4")
		first := p.later("POST", p.query, "4a")
		recv(t, entered, "the first message")
		if a := p.do("POST", p.query, "4b"); a.status != 400 {
			t.Errorf("second post: %d %q", a.status, a.body)
		}
		s.app.ends(t, ReasonTransportError)
		close(leave)
		if a := recv(t, first, "the first post"); a.status != 200 || a.body != "ok" {
			t.Errorf("first post: %d %q", a.status, a.body)
		}
	})
}

const badRequest = `{"code":3,"message":"Bad request"}`

func TestBadPost(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		header     []string
		status     int
		answer     string
		reason     Reason // empty: the session lives
		echoed     string
	}{
		{"unknown type", "4a\x1eabc\x1e4b", nil, 400, badRequest, ReasonParseError, ""},
		{"empty", "", nil, 400, badRequest, ReasonParseError, ""},
		{"ping of a client", "2", nil, 200, "ok", ReasonTransportError, ""},
		{"close", "1", nil, 200, "ok", ReasonTransportClose, ""},
		{"binary", "\x04\x01", []string{"Content-Type", "application/octet-stream"}, 400, badRequest, ReasonTransportError, ""},
		{"other content types", "4a", []string{"Content-Type", "application/json"}, 200, "ok", "", "4a"},
		{"noop and open", "6\x1e0\x1e5\x1e4a", nil, 200, "ok", "", "4a"},
		{"compressed", "4a", []string{"Content-Encoding", "gzip"}, 415, badRequest, "", ""},
		{"too large", "4" + strings.Repeat("a", 1000), nil, 413, badRequest, "", ""},
		{"as large as may be", "4" + strings.Repeat("a", 999), nil, 200, "ok", "", "4" + strings.Repeat("a", 999)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{MaxPayload: 1000})
			p := s.openPolling("EIO=4")
			if a := p.do("POST", p.query, tt.body, tt.header...); a.status != tt.status || a.body != tt.answer {
				t.Errorf("%d %q", a.status, a.body)
			}
			if tt.reason != "" {
				s.app.ends(t, tt.reason)
				return
			}
			if tt.echoed == "" {
				p.posts("4still here")
				tt.echoed = "4still here"
			}
			p.polls(tt.echoed)
		})
	}
}

// What stands before a bad packet is delivered.
func TestBadPostDeliversWhatIsGood(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	got := make(chan string, 3)
	s.app.onText = func(_ *Session, d []byte) { got <- string(d) }
	p := s.openPolling("EIO=4")
	if a := p.do("POST", p.query, "4a\x1e4b\x1ex\x1e4c"); a.status != 400 || a.body != badRequest {
		t.Errorf("%d %q", a.status, a.body)
	}
	s.app.ends(t, ReasonParseError)
	close(got)
	var all []string
	for m := range got {
		all = append(all, m)
	}
	if d := cmp.Diff([]string{"a", "b"}, all); d != "" {
		t.Error(d)
	}
}

// A body without a length is held to the same bound.
func TestChunkedBody(t *testing.T) {
	t.Parallel()
	s := start(t, Config{MaxPayload: 1000})
	p := s.openPolling("EIO=4")
	post := func(n int) int {
		body := &struct{ *strings.Reader }{strings.NewReader("4" + strings.Repeat("a", n))}
		req, _ := http.NewRequest("POST", s.url(p.query), body)
		resp, err := s.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if got := post(500); got != 200 {
		t.Errorf("500 bytes: %d", got)
	}
	if got := post(5000); got != 413 {
		t.Errorf("5000 bytes: %d", got)
	}
	p.polls("4" + strings.Repeat("a", 500))
	if st := s.engine.Stats(); st.BodiesTooLarge != 1 {
		t.Errorf("BodiesTooLarge = %d", st.BodiesTooLarge)
	}
}

// A client that gives its poll up is gone; what was queued is counted.
func TestPollAborted(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	x := p.session()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := s.try(ctx, "GET", p.query, "")
		done <- err
	}()
	eventually(t, "a pending poll", func() bool { x.mu.Lock(); defer x.mu.Unlock(); return x.life.get })
	cancel()
	if err := recv(t, done, "the poll"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	s.app.ends(t, ReasonTransportError)
	if x.Send(NewText(nil), 0, false) {
		t.Error("a session that has ended takes messages")
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	for _, m := range []string{"PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"} {
		a := p.do(m, p.query, "")
		if a.status != 405 || a.header.Get("Allow") != "GET, POST" {
			t.Errorf("%s on a session: %d %v", m, a.status, a.header)
		}
		if a := s.do(m, "EIO=4&transport=polling", ""); a.status != 400 {
			t.Errorf("%s handshake: %d", m, a.status)
		}
	}
	p.posts("4a")
	p.polls("4a")
}

// flushHook is a ResponseWriter that does something when the answer leaves.
type flushHook struct {
	*httptest.ResponseRecorder
	hook func()
}

func (w flushHook) Flush() { w.hook() }

// A client may send its next POST as soon as it has the answer to the last.
func TestPostRightAfterTheAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	p := s.openPolling("EIO=4")
	serve := func(w http.ResponseWriter) {
		r := httptest.NewRequest("POST", s.engine.Path()+"?"+p.query, strings.NewReader("4a"))
		s.engine.ServeHTTP(w, r)
	}
	next := httptest.NewRecorder()
	serve(flushHook{httptest.NewRecorder(), func() { serve(next) }})
	if next.Code != 200 || next.Body.String() != "ok" {
		t.Errorf("%d %s", next.Code, next.Body)
	}
	p.polls("4a\x1e4a")
}

// A body that comes in drops holds its request no longer than its session.
func TestPostInDrops(t *testing.T) {
	t.Parallel()
	s := start(t, Config{PingInterval: 50 * time.Millisecond, PingTimeout: 50 * time.Millisecond})
	p := s.openPolling("EIO=4")
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST %s?%s HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n4", s.engine.cfg.Path, p.query)
	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		drop := time.NewTicker(5 * time.Millisecond)
		defer drop.Stop()
		for {
			select {
			case <-drop.C:
				if _, err := c.Write([]byte("x")); err != nil {
					return
				}
			case <-ended:
				return
			}
		}
	})
	defer wg.Wait()
	defer close(ended)
	s.app.ends(t, ReasonPingTimeout)
	_ = c.SetReadDeadline(time.Now().Add(patience))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 400 {
		t.Errorf("status %d", resp.StatusCode)
	}
}
