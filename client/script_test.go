package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/client"
)

// scripted is a polling server whose answers a test writes: what our server
// never does.
type scripted struct {
	open   string      // answer to a handshake
	polls  chan string // answers to polls, one each
	posted chan string // bodies that came

	mu       sync.Mutex
	requests []*http.Request
	sessions int
	over     chan struct{} // closed with the latest session
}

func newScripted(t *testing.T) (s *scripted, url string) {
	t.Helper()
	s = &scripted{
		open:   `0{"sid":"S","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100}`,
		polls:  make(chan string, 10),
		posted: make(chan string, 10),
		over:   make(chan struct{}),
	}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return s, srv.URL
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	s.mu.Unlock()
	switch {
	case r.Method == http.MethodPost:
		body, err := io.ReadAll(r.Body)
		if err == nil {
			s.posted <- string(body)
		}
		_, _ = io.WriteString(w, "ok")
	case r.URL.Query().Get("sid") == "":
		http.SetCookie(w, &http.Cookie{Name: "node", Value: "7"})
		_, _ = io.WriteString(w, s.handshake())
	default:
		over, ok := s.session(r.URL.Query().Get("sid"))
		if !ok {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		select {
		case body := <-s.polls:
			_, _ = io.WriteString(w, body)
		case <-over:
		case <-r.Context().Done():
		}
	}
}

// handshake begins another session and ends the one before: a poll of that one,
// whose end the server may not have noticed, takes no answer from now on.
func (s *scripted) handshake() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.over)
	s.over = make(chan struct{})
	s.sessions++
	return strings.Replace(s.open, `"S"`, fmt.Sprintf(`"S%d"`, s.sessions), 1)
}

// session returns a channel that is closed when a session is over, and false if
// it is.
func (s *scripted) session(sid string) (over <-chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over, sid == fmt.Sprintf("S%d", s.sessions)
}

// online returns a connected socket of a scripted server.
func online(t *testing.T, s *scripted, url string, cfg client.Config) (*client.Client, *client.Socket) {
	t.Helper()
	c := dial(t, url, cfg)
	sock := of(t, c, "/", nil)
	got, err := s.connect(t, sock, `40{"sid":"I","pid":"P"}`)
	if err != nil {
		t.Fatal(err)
	}
	if got != "40" {
		t.Errorf("CONNECT is %q", got)
	}
	return c, sock
}

// connect connects a socket, gives the answer to its CONNECT, and returns that.
func (s *scripted) connect(t *testing.T, sock *client.Socket, answer string) (packet string, err error) {
	t.Helper()
	connected := make(chan error, 1)
	go func() { connected <- sock.Connect(testContext(t)) }()
	packet = next(t, s.posted, "CONNECT")
	s.polls <- answer
	return packet, next(t, connected, "answer")
}

// What a server may do wrong, and how the socket calls it.
func TestReasonsOfServers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, open string
		poll       string
		want       client.Reason
	}{
		{name: "no ping", open: `0{"sid":"S","upgrades":[],"pingInterval":200,"pingTimeout":200}`, want: client.PingTimeout},
		{name: "close packet", poll: "1", want: client.TransportClose},
		{name: "empty body", poll: "", want: client.ParseError},
		{name: "unknown packet", poll: "9", want: client.ParseError},
		{name: "open again", poll: `0{"sid":"T"}`, want: client.ParseError},
		{name: "bad JSON", poll: `42["a"`, want: client.ParseError},
		{name: "unasked binary", poll: "bAQID", want: client.ParseError},
		{name: "reserved event", poll: `42["connect"]`, want: client.ParseError},
		{name: "server disconnect", poll: "41", want: client.ServerDisconnect},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, url := newScripted(t)
			if tt.open != "" {
				s.open = tt.open
			}
			_, sock := online(t, s, url, client.Config{NoReconnect: true})
			lost := make(chan client.Reason, 1)
			sock.OnDisconnect(func(r client.Reason) { lost <- r })
			if tt.name != "no ping" {
				s.polls <- tt.poll
			}
			if got := next(t, lost, "disconnect"); got != tt.want {
				t.Errorf("reason %q, want %q", got, tt.want)
			}
		})
	}
}

// A ping is answered, what was emitted goes out in order and in bodies of the
// size that the server takes, and Close says goodbye behind it.
func TestPolling(t *testing.T) {
	t.Parallel()
	s, url := newScripted(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c, sock := online(t, s, url, client.Config{
		Header: http.Header{"X-Test": {"yes"}, "Host": {"example.org"}}, Query: map[string][]string{"q": {"1"}}, Jar: jar,
	})
	s.polls <- "2"
	if got := next(t, s.posted, "pong"); got != "3" {
		t.Errorf("pong is %q", got)
	}
	ctx := testContext(t)
	for _, text := range []string{strings.Repeat("a", 40), strings.Repeat("b", 40), "c"} {
		if err := sock.Emit(ctx, "e", text, []byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	<-c.Done()
	close(s.posted)
	var bodies []string
	for b := range s.posted {
		if len(b) > 100 {
			t.Errorf("a body of %d bytes", len(b))
		}
		bodies = append(bodies, b)
	}
	event := func(text string) string {
		return `451-["e","` + text + `",{"_placeholder":true,"num":0}]` + "\x1ebAQ=="
	}
	want := strings.Join([]string{event(strings.Repeat("a", 40)), event(strings.Repeat("b", 40)), event("c"), "41", "1"}, "\x1e")
	if diff := cmp.Diff(want, strings.Join(bodies, "\x1e")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range s.requests {
		q := r.URL.Query()
		if r.Header.Get("X-Test") != "yes" || r.Host != "example.org" || q.Get("q") != "1" || q.Get("EIO") != "4" || q.Get("transport") != "polling" || q.Get("t") == "" {
			t.Errorf("request %d: %s %v", i, r.URL, r.Header)
		}
		if cookie, err := r.Cookie("node"); i > 0 && (err != nil || cookie.Value != "7") {
			t.Errorf("request %d: no cookie", i)
		}
	}
}

// What a client keeps for recovery, packet by packet, and what it presents.
func TestOffsetIsPresented(t *testing.T) {
	t.Parallel()
	s, url := newScripted(t)
	c, sock := online(t, s, url, client.Config{NoReconnect: true})
	got := make(chan string, 10)
	sock.OnAny(func(e *client.Event) { got <- e.Name })
	pid, offset := sock.Recovery()
	if pid != "P" || offset != "" {
		t.Errorf("pid %q, offset %q", pid, offset)
	}
	ctx := testContext(t)
	for _, tt := range []struct{ packet, offset string }{
		{`42["a",1,"o1"]`, "o1"},
		{`42["b","text",null]`, "o1"},
		{`421["c","acked"]`, "o1"},
		{`42["d"]`, "d"},
		{`42["e","o2"]`, "o2"},
	} {
		s.polls <- tt.packet
		next(t, got, "event")
		// The offset is noted behind the event; a packet later it is there.
		s.polls <- "2"
		next(t, s.posted, "pong")
		if _, offset := sock.Recovery(); offset != tt.offset {
			t.Errorf("%s: offset %q, want %q", tt.packet, offset, tt.offset)
		}
	}

	again := func(answer string) string {
		t.Helper()
		lost := make(chan client.Reason, 10)
		sock.OnDisconnect(func(r client.Reason) { lost <- r })
		c.Drop()
		next(t, lost, "disconnect")
		drain(s.polls)
		if err := c.Reconnect(ctx); err != nil {
			t.Fatal(err)
		}
		packet, err := s.connect(t, sock, answer)
		if err != nil {
			t.Fatal(err)
		}
		return packet
	}
	// Servers replay before they answer; the replay is delivered after.
	if got, want := again("42[\"f\",\"o3\"]\x1e"+`40{"sid":"I","pid":"P"}`), `40{"pid":"P","offset":"o2"}`; !sameJSON(t, got, want) {
		t.Errorf("CONNECT is %s, want %s", got, want)
	}
	if name := next(t, got, "replayed event"); name != "f" || !sock.Recovered() {
		t.Errorf("event %q, recovered %v", name, sock.Recovered())
	}
	if got, want := again(`40{"sid":"J","pid":"Q"}`), `40{"pid":"P","offset":"o3"}`; !sameJSON(t, got, want) {
		t.Errorf("CONNECT is %s, want %s", got, want)
	}
	if pid, offset := sock.Recovery(); sock.Recovered() || pid != "Q" || offset != "" || sock.ID() != "J" {
		t.Errorf("recovered %v, pid %q, offset %q, id %q", sock.Recovered(), pid, offset, sock.ID())
	}
	if got, want := again(`40{"sid":"K"}`), `40{"pid":"Q"}`; !sameJSON(t, got, want) {
		t.Errorf("CONNECT is %s, want %s", got, want)
	}
	if pid, _ := sock.Recovery(); pid != "" {
		t.Errorf("pid %q of a server without recovery", pid)
	}
}

func drain(ch chan string) {
	for {
		select {
		case <-ch:
		default:
			return
		}
	}
}

// sameJSON compares two CONNECT packets, whose members have no order.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	return strings.HasPrefix(a, "40{") && len(a) == len(b) && cmp.Equal(members(a), members(b))
}

func members(packet string) map[string]bool {
	m := make(map[string]bool)
	for _, part := range strings.Split(strings.Trim(packet[2:], "{}"), ",") {
		m[part] = true
	}
	return m
}

// A server of revision 4 answers CONNECT without an id.
func TestOldServer(t *testing.T) {
	t.Parallel()
	s, url := newScripted(t)
	c := dial(t, url, client.Config{})
	_, err := s.connect(t, of(t, c, "/", nil), "40")
	if refused, ok := errors.AsType[*client.ConnectError](err); !ok || !strings.Contains(refused.Message, "older") {
		t.Errorf("got %v", err)
	}
}

func TestGivesUp(t *testing.T) {
	t.Parallel()
	s, url := newScripted(t)
	var attempts []int
	c, sock := online(t, s, url, client.Config{
		MaxAttempts: 3,
		Backoff:     func(n int) time.Duration { attempts = append(attempts, n); return 0 },
	})
	s.mu.Lock()
	s.open = `{"code":0}`
	s.mu.Unlock()
	c.Drop()
	select {
	case <-c.Done():
	case <-time.After(patience):
		t.Fatal("it goes on")
	}
	if diff := cmp.Diff([]int{0, 1, 2}, attempts); diff != "" || c.Err() == nil {
		t.Errorf("error %v (-want +got):\n%s", c.Err(), diff)
	}
	if err := sock.Emit(context.Background(), "x"); !errors.Is(err, client.ErrClosed) {
		t.Errorf("emit: %v", err)
	}
}
