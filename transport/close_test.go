package transport

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/siod-io/siod/internal/testlog"
)

func contains(s, sub string) bool { return strings.Contains(s, sub) }

func split(payload string) []string { return strings.Split(payload, "\x1e") }

func TestClientCloses(t *testing.T) {
	t.Parallel()
	t.Run("polling", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{})
		p := s.openPolling("EIO=4")
		c := p.pending(p.session())
		p.posts("1")
		if a := recv(t, c, "the poll"); a.body != "6" {
			t.Errorf("pending poll: %q", a.body)
		}
		s.app.ends(t, ReasonTransportClose)
		p.gone()
	})
	t.Run("polling, the poll comes late", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{})
		p := s.openPolling("EIO=4")
		p.posts("1")
		s.app.ends(t, ReasonTransportClose)
		p.polls("6")
		p.gone()
	})
	t.Run("revision 3", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{})
		p := s.openPolling("EIO=3")
		c := p.pending(p.session())
		p.posts("1:1")
		if a := recv(t, c, "the poll"); a.body != "1:6" {
			t.Errorf("pending poll: %q", a.body)
		}
		s.app.ends(t, ReasonTransportClose)
	})
	t.Run("websocket, a packet", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{})
		c := s.dial("EIO=4&transport=websocket")
		c.opens()
		c.text("1")
		c.closes(1005)
		c.over()
		s.app.ends(t, ReasonTransportClose)
	})
	t.Run("websocket, a frame", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{})
		c := s.dial("EIO=4&transport=websocket")
		c.opens()
		c.send(ws.OpClose, "\x03\xe9going away")
		c.closes(1001)
		c.over()
		s.app.ends(t, ReasonTransportClose)
	})
	t.Run("websocket, a cut", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{})
		c := s.dial("EIO=4&transport=websocket")
		c.opens()
		c.conn.Close()
		s.app.ends(t, ReasonTransportClose)
	})
}

func TestServerCloses(t *testing.T) {
	t.Parallel()
	bye := func(x *Session, r Reason) {
		x.Send(NewText([]byte("bye")), 0, false)
		x.shard.Post(Cast{Message: NewText([]byte("all")), To: []Recipient{{Session: x}}})
		x.Close(r)
		if x.Send(NewText([]byte("late")), 0, false) {
			panic("a session that is closing takes a message")
		}
	}
	t.Run("polling, a poll is pending", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{})
		p := s.openPolling("EIO=4")
		x := p.session()
		c := p.pending(x)
		x.Close("")
		if a := recv(t, c, "the poll"); a.body != "1" {
			t.Errorf("%q", a.body)
		}
		s.app.ends(t, ReasonForcedClose)
		p.gone()
	})
	t.Run("polling, no poll is pending", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{})
		p := s.openPolling("EIO=4")
		bye(p.session(), "application's own")
		s.app.ends(t, "application's own")
		p.posts("4ignored")
		p.polls("4bye\x1e4all")
		p.polls("1")
		p.gone()
		if st := s.engine.Stats(); st.Closed[ReasonForcedClose] != 1 || st.Sessions != 0 {
			t.Errorf("%+v", st)
		}
	})
	t.Run("revision 3", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{})
		p := s.openPolling("EIO=3")
		bye(p.session(), "")
		s.app.ends(t, ReasonForcedClose)
		p.polls("4:4bye4:4all")
		p.polls("1:1")
	})
	for reason, code := range map[Reason]uint16{"": 1005, ReasonServerShutdown: 1012, ReasonForcedClose: 1005} {
		t.Run("websocket, "+string(reason), func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{})
			c := s.dial("EIO=4&transport=websocket")
			c.opens()
			bye(s.app.session(t), reason)
			c.expect("4bye")
			c.expect("4all")
			c.closes(code)
			c.over()
			if reason == "" {
				reason = ReasonForcedClose
			}
			s.app.ends(t, reason)
			eventually(t, "the session to be forgotten", func() bool { return s.engine.Len() == 0 })
		})
	}
	t.Run("abort", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{})
		c := s.dial("EIO=4&transport=websocket")
		c.opens()
		x := s.app.session(t)
		x.Abort(ReasonParseError)
		if s.engine.Len() != 0 {
			t.Error("an aborted session is still counted")
		}
		c.closes(1005)
		c.over()
		s.app.ends(t, ReasonParseError)
	})
}

// An abort does not wait for a client that reads nothing.
func TestAbortOfADeafClient(t *testing.T) {
	t.Parallel()
	s := start(t, Config{WriteTimeout: time.Hour, CloseTimeout: time.Hour})
	c := s.dial("EIO=4&transport=websocket")
	c.opens()
	x := s.app.session(t)
	fillSocket(t, x)
	x.Send(NewText([]byte("unsent")), 0, false)
	x.Abort("")
	s.app.ends(t, ReasonTransportError)
	c.over()
	if st := s.engine.Stats(); st.Unsent != 1 {
		t.Errorf("%d unsent", st.Unsent)
	}
}

// The handler hears of a session's end only if it let the session in, and after
// it did.
func TestOpenAndClose(t *testing.T) {
	t.Parallel()
	refuse := errors.New(`say "no"`)
	t.Run("polling, refused", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{})
		s.app.onOpen = func(*Session) error { return refuse }
		a := s.do("GET", "EIO=4&transport=polling", "")
		if a.status != 403 || a.body != `{"code":4,"message":"say \"no\""}` {
			t.Errorf("%d %s", a.status, a.body)
		}
		if len(s.app.closed) != 0 || s.engine.Len() != 0 {
			t.Errorf("%d ends, %d sessions", len(s.app.closed), s.engine.Len())
		}
	})
	t.Run("polling, refused in its own way", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{})
		own := &RequestError{Code: 77, Status: 401, Message: "who?"}
		s.app.onOpen = func(*Session) error { return fmt.Errorf("wrapped: %w", own) }
		for range 2 {
			if a := s.do("GET", "EIO=4&transport=polling", ""); a.status != 401 || a.body != `{"code":77,"message":"who?"}` {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
		if own.Request != nil {
			t.Error("the handler's error was changed")
		}
	})
	t.Run("websocket, refused", func(t *testing.T) {
		t.Parallel()
		s := start(t, Config{})
		s.app.onOpen = func(*Session) error { return refuse }
		c := s.dial("EIO=4&transport=websocket")
		c.opens()
		c.closes(1005)
		c.over()
		if len(s.app.closed) != 0 || s.engine.Len() != 0 {
			t.Errorf("%d ends, %d sessions", len(s.app.closed), s.engine.Len())
		}
	})
	for _, transport := range []string{Polling, WebSocket} {
		t.Run(transport+", closed while it opens", func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{})
			early := false
			s.app.onOpen = func(x *Session) error {
				x.Send(NewText([]byte("hello")), 0, false)
				x.Close("no reason")
				early = len(s.app.closed) > 0
				return nil
			}
			if transport == Polling {
				p := s.openPolling("EIO=4")
				if m := split(p.open); len(m) != 2 || m[1] != "4hello" {
					t.Errorf("%q", m)
				}
				p.polls("1")
			} else {
				c := s.dial("EIO=4&transport=websocket")
				c.opens()
				c.expect("4hello")
				c.closes(1005)
			}
			s.app.ends(t, "no reason")
			if early {
				t.Error("Close came before Open had returned")
			}
		})
		t.Run(transport+", panics", func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{})
			s.app.onOpen = func(*Session) error { panic("open") }
			if transport == Polling {
				if a := s.do("GET", "EIO=4&transport=polling", ""); a.status != 500 || a.body != `{"code":4,"message":"Internal error"}` {
					t.Errorf("%d %s", a.status, a.body)
				}
			} else {
				c := s.dial("EIO=4&transport=websocket")
				c.opens()
				c.closes(1005)
			}
			if st := s.engine.Stats(); st.HandlerPanics != 1 {
				t.Errorf("%d panics", st.HandlerPanics)
			}
		})
	}
}

// A panic of the handler costs its session, not the process, nor can a client fill
// the log with them.
func TestHandlerPanics(t *testing.T) {
	t.Parallel()
	var log testlog.Buffer
	s := start(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	s.app.onText = func(*Session, []byte) { panic("text") }
	c := s.dial("EIO=4&transport=websocket")
	c.opens()
	c.text("4a")
	c.closes(1005)
	s.app.ends(t, ReasonTransportError)
	p := s.openPolling("EIO=4")
	p.posts("4a")
	s.app.ends(t, ReasonTransportError)
	p.gone()
	if st := s.engine.Stats(); st.HandlerPanics != 2 {
		t.Errorf("%d panics", st.HandlerPanics)
	}
	if n := log.Count("handler panicked"); n != 1 {
		t.Errorf("%d panics logged at once", n)
	}
	s.engine.panicLog.Store(0) // as if the time had passed
	s.engine.panicked("later")
	if n := log.Count("handler panicked"); n != 2 {
		t.Errorf("%d panics logged in all", n)
	}
}
