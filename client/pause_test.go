package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/node"
)

// events returns a polling body of n events that carry their number and offset.
func events(first, n int) string {
	var packets []string
	for i := range n {
		packets = append(packets, fmt.Sprintf(`42["n",%d,"o%d"]`, first+i, first+i))
	}
	return strings.Join(packets, "\x1e")
}

// sessionEnds is a log handler that tells when a session has ended.
type sessionEnds struct {
	slog.Handler
	ended chan struct{}
}

func (h sessionEnds) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "session ended" {
		h.ended <- struct{}{}
	}
	return nil
}

func (sessionEnds) Enabled(context.Context, slog.Level) bool { return true }

func newSessionEnds() sessionEnds {
	return sessionEnds{slog.DiscardHandler, make(chan struct{}, 10)}
}

// A handler whose socket's queue is full gets the answer that it waits for,
// which comes behind what is queued, be it of an event or of a connect, and
// whether it begins to wait before reading has stopped or after.
func TestAnswerPassesFullQueue(t *testing.T) {
	t.Parallel()
	const flood = 12 // of a queue of 2, so that reading stops in the middle
	_, url := startServer(t, node.Config{}, func(srv *node.Server) {
		srv.Of("/other")
		ns := srv.Of("/")
		node.On(ns, "flood", func(ctx context.Context, s *node.Socket, n int) error {
			for i := range n {
				if err := s.Emit(ctx, "n", i); err != nil {
					return err
				}
			}
			return nil
		})
		node.Handle(ns, "ask", func(_ context.Context, _ *node.Socket, n int) (int, error) { return n, nil })
	})
	for _, transport := range []client.Transport{client.Polling, client.WebSocket} {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			c := dial(t, url, client.Config{Transports: []client.Transport{transport}, EventQueue: 2})
			s := of(t, c, "/", nil)
			ctx := testContext(t)
			handled := make(chan error, flood)
			s.On("n", func(e *client.Event) {
				var n int
				err := e.Decode(&n)
				if n == 0 {
					_, errOther := c.Connect(ctx, "/other", nil)
					err = errors.Join(err, errOther)
				}
				got, errCall := client.Call[int](ctx, s, "ask", n)
				if got != n {
					err = errors.Join(err, fmt.Errorf("answer %d to %d", got, n))
				}
				handled <- errors.Join(err, errCall)
			})
			if err := s.Connect(ctx); err != nil {
				t.Fatal(err)
			}
			if err := s.Emit(ctx, "flood", flood); err != nil {
				t.Fatal(err)
			}
			for range flood {
				if err := next(t, handled, "event"); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A server that sends more events than may wait, instead of the answer, loses
// the connection; those that were queued are handled, and the offset is theirs.
func TestEventOverflow(t *testing.T) {
	t.Parallel()
	s, url := newScripted(t)
	ends := newSessionEnds()
	c, sock := online(t, s, url, client.Config{NoReconnect: true, EventQueue: 1, Logger: slog.New(ends)})
	const bound = 16
	got, lost, failed := make(chan int, 100), make(chan client.Reason, 1), make(chan error, 1)
	ctx := testContext(t)
	sock.On("n", func(e *client.Event) {
		var n int
		if err := e.Decode(&n); err != nil {
			t.Error(err)
		}
		if got <- n; n == 0 {
			_, err := sock.EmitWithAck(ctx, "ask")
			failed <- err
		}
	})
	sock.OnDisconnect(func(r client.Reason) { lost <- r })
	s.polls <- events(0, 1)
	next(t, s.posted, "question")
	s.polls <- events(1, bound+1)
	if err := next(t, failed, "error"); !errors.Is(err, client.ErrDisconnected) {
		t.Errorf("a call without answer: %v", err)
	}
	if r := next(t, lost, "disconnect"); r != client.EventOverflow {
		t.Errorf("reason %q", r)
	}
	for want := range bound + 1 { // the first one does not wait
		if n := next(t, got, "event"); n != want {
			t.Errorf("event %d, want %d", n, want)
		}
	}
	if _, offset := sock.Recovery(); offset != fmt.Sprint("o", bound) || len(got) > 0 {
		t.Errorf("offset %q, %d events more", offset, len(got))
	}

	// What a server replays before it answers the connect is bounded as well; a
	// session that misses more is given up.
	next(t, ends.ended, "end of the session")
	drain(s.polls)
	if err := c.Reconnect(ctx); err != nil {
		t.Fatal(err)
	}
	next(t, s.posted, "CONNECT")
	s.polls <- events(0, bound+1)
	next(t, ends.ended, "end of the session")
	if pid, offset := sock.Recovery(); pid != "" || offset != "" {
		t.Errorf("pid %q and offset %q of a session that cannot be recovered", pid, offset)
	}
}

// Nobody waits longer for room than the server waits for a pong.
func TestPauseEnds(t *testing.T) {
	t.Parallel()
	s, url := newScripted(t)
	s.open = `0{"sid":"S","upgrades":[],"pingInterval":200,"pingTimeout":200}`
	ends := newSessionEnds()
	_, sock := online(t, s, url, client.Config{NoReconnect: true, EventQueue: 1, Logger: slog.New(ends)})
	open, lost := make(chan struct{}), make(chan client.Reason, 1)
	sock.On("n", func(*client.Event) { <-open })
	sock.OnDisconnect(func(r client.Reason) { lost <- r })
	s.polls <- events(0, 3)
	select {
	case <-ends.ended:
	case <-testContext(t).Done():
		t.Error("the reader waits on")
	}
	close(open)
	if r := next(t, lost, "disconnect"); r != client.PingTimeout {
		t.Errorf("reason %q", r)
	}
}
