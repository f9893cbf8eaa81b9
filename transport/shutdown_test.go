package transport

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/siod-io/siod/internal/wsframe"
)

// Shutdown says goodbye to everybody and waits for them.
func TestShutdown(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	c := s.dial("EIO=4&transport=websocket")
	c.opens()
	s.app.session(t) // which may open after the client knows of it
	waits := s.openPolling("EIO=4")
	polled := waits.pending(s.app.session(t))
	away := s.openPolling("EIO=4")
	s.app.session(t)
	probing := away.upgrade()
	for x := range s.engine.All() {
		x.Send(NewText([]byte("bye")), 0, false)
	}
	c.expect("4bye")
	if a := recv(t, polled, "the poll"); a.body != "4bye" {
		t.Errorf("%q", a.body)
	}
	done := make(chan error)
	go func() { done <- s.engine.Shutdown(context.Background()) }()
	c.closes(1012)
	c.over()
	probing.closes(1005)
	for range 3 {
		s.app.ends(t, ReasonServerShutdown)
	}
	waits.polls("1")
	if a := s.do("GET", "EIO=4&transport=polling", ""); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("handshake: %d", a.status)
	}
	away.polls("4bye")
	away.polls("1")
	if err := recv(t, done, "Shutdown"); err != nil {
		t.Error(err)
	}
	if err := s.engine.Shutdown(context.Background()); err != nil {
		t.Errorf("again: %v", err)
	}
}

// When its context ends, Shutdown cuts those who have not gone: a client that
// reads nothing, one that does not poll, one in a close handshake, and one whose
// handler does not return.
func TestShutdownCuts(t *testing.T) {
	t.Parallel()
	s := start(t, Config{CloseTimeout: time.Hour, WriteTimeout: time.Hour, PollTimeout: time.Hour})
	leave := make(chan bool)
	defer close(leave)
	entered := make(chan bool)
	s.app.onText = func(*Session, []byte) { entered <- true; <-leave }
	deaf := s.dial("EIO=4&transport=websocket")
	deaf.opens()
	fillSocket(t, s.app.session(t))
	s.openPolling("EIO=4")
	s.app.session(t)
	lingers := s.dial("EIO=4&transport=websocket")
	lingers.opens()
	s.app.session(t).Abort(ReasonForcedClose)
	s.app.ends(t, ReasonForcedClose)
	blocked := s.dial("EIO=4&transport=websocket")
	blocked.opens()
	blocked.text("4a")
	recv(t, entered, "the handler")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.engine.Shutdown(ctx); err != context.Canceled {
		t.Errorf("%v", err)
	}
	if n := s.engine.Len(); n != 0 {
		t.Errorf("%d sessions", n)
	}
	for range 3 {
		s.app.ends(t, ReasonServerShutdown)
	}
	if m, err := lingers.next(); err != nil || m.Kind != wsframe.Close {
		t.Fatalf("%v %v", m.Kind, err)
	}
	lingers.over()
	blocked.next() // perhaps a close frame
	blocked.over()
}

// fillSocket sends one message that is far more than the connection of a client
// that does not read can hold.
func fillSocket(t *testing.T, x *Session) {
	t.Helper()
	if !x.Send(NewText(make([]byte, 8<<20)), 0, false) {
		t.Fatal("not taken")
	}
}

// Sessions that are about to open while Shutdown runs end, too.
func TestShutdownAndHandshakes(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	opening, open := make(chan bool), make(chan bool)
	s.app.onOpen = func(*Session) error { opening <- true; <-open; return nil }
	p := s.later("GET", "EIO=4&transport=polling", "")
	recv(t, opening, "the handshake")
	c := s.dial("EIO=4&transport=websocket")
	recv(t, opening, "the handshake")
	done := make(chan error)
	go func() { done <- s.engine.Shutdown(context.Background()) }()
	eventually(t, "Shutdown to begin", s.engine.closing.Load)
	close(open)
	c.opens()
	c.closes(1012)
	c.over()
	a := recv(t, p, "the handshake")
	q := "EIO=4&transport=polling&sid=" + sidOf(t, a.body)
	if a := s.do("GET", q, ""); a.body != "1" {
		t.Errorf("%q", a.body)
	}
	s.app.ends(t, ReasonServerShutdown)
	s.app.ends(t, ReasonServerShutdown)
	if err := recv(t, done, "Shutdown"); err != nil {
		t.Error(err)
	}
}

// One that Shutdown did not see, because it was not known yet, ends as well.
func TestHandshakeBehindShutdown(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		e, err := New(Config{Shards: 1}, quiet{})
		if err != nil {
			t.Fatal(err)
		}
		e.held.Add(1) // as ServeHTTP does
		e.closing.Store(true)
		e.cutting.Store(cut)
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/socket.io/?EIO=4&transport=polling", nil)
		q := parseQuery(r.URL.RawQuery)
		e.handshakePolling(w, r, &q)
		e.release()
		x := e.Session(sidOf(t, w.Body.String()))
		if cut != (x == nil) || x != nil && x.life.phase != phaseClosing {
			t.Errorf("cut: %v, session %v", cut, x)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = e.Shutdown(ctx)
	}
}

// A cast that was posted before Shutdown is written before the close.
func TestShutdownFlushes(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	c := s.dial("EIO=4&transport=websocket")
	c.opens()
	x := s.app.session(t)
	for range 100 {
		x.shard.Post(Cast{Message: NewText([]byte("a")), To: []Recipient{{Session: x}}})
	}
	done := make(chan error)
	go func() { done <- s.engine.Shutdown(context.Background()) }()
	for range 100 {
		c.expect("4a")
	}
	m, err := c.next()
	if err != nil || m.Kind != wsframe.Close || m.Code != 1012 {
		t.Fatalf("%v %d %v", m.Kind, m.Code, err)
	}
	c.send(ws.OpClose, "")
	if err := recv(t, done, "Shutdown"); err != nil {
		t.Error(err)
	}
}
