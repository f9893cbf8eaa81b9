package client_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/node"
)

// After a break calls fail, emits wait for the new connection, and handlers are
// told.
func TestReconnect(t *testing.T) {
	t.Parallel()
	_, url := startServer(t, node.Config{}, func(srv *node.Server) {
		echoServer(srv)
		srv.Of("/").OnEvent("silence", func(ctx context.Context, e *node.Event) error {
			return e.Socket.Emit(ctx, "heard")
		})
	})
	variants(t, func(t *testing.T, cfg client.Config) {
		attempts := make(chan int, 100)
		cfg.Backoff = func(n int) time.Duration { attempts <- n; return time.Millisecond }
		c := dial(t, url, cfg)
		s := of(t, c, "/", nil)
		lost, up, heard := make(chan client.Reason, 1), make(chan string, 1), make(chan bool, 1)
		s.OnDisconnect(func(r client.Reason) { lost <- r })
		s.OnConnect(func() { up <- s.ID() })
		s.On("heard", func(*client.Event) { heard <- true })
		ctx := testContext(t)
		if err := s.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		first := next(t, up, "connect")
		for range 3 {
			failed := make(chan error, 1)
			go func() {
				_, err := s.EmitWithAck(ctx, "silence")
				failed <- err
			}()
			next(t, heard, "answer")
			c.Drop()
			if r := next(t, lost, "disconnect"); r != client.TransportClose {
				t.Errorf("reason %q", r)
			}
			if err := next(t, failed, "error"); !errors.Is(err, client.ErrDisconnected) {
				t.Errorf("a call whose connection broke: %v", err)
			}
			if n, err := client.Call[int](ctx, s, "echo", 5); n != 5 || err != nil {
				t.Errorf("a call during the break: %d, %v", n, err)
			}
			if id := next(t, up, "connect"); id == first || s.Recovered() {
				t.Errorf("id %s again, recovered %v", id, s.Recovered())
			}
			if n := next(t, attempts, "attempt"); n != 0 {
				t.Errorf("attempt %d", n)
			}
		}
	})
}

// Without reconnection the program says when.
func TestManualReconnect(t *testing.T) {
	t.Parallel()
	_, url := startServer(t, node.Config{}, echoServer)
	c := dial(t, url, client.Config{NoReconnect: true})
	s := connect(t, c, "/", nil)
	lost := make(chan client.Reason, 100)
	s.OnDisconnect(func(r client.Reason) { lost <- r })
	c.Drop()
	next(t, lost, "disconnect")
	if c.SID() != "" || s.Connected() {
		t.Error("still connected")
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Emit(short, "echo"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("emit without a connection: %v", err)
	}
	ctx := testContext(t)
	if err := c.Reconnect(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	if n, err := client.Call[int](ctx, s, "echo", 1); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	// With a session there is nothing to do, with one that has just ended there is.
	sid := c.SID()
	if err := c.Reconnect(ctx); err != nil || c.SID() != sid {
		t.Errorf("with a session: %v, session anew %v", err, c.SID() != sid)
	}
	for range 20 {
		c.Drop()
		if err := c.Reconnect(ctx); err != nil || c.SID() == sid {
			t.Fatalf("after a break: %v, session anew %v", err, c.SID() != sid)
		}
		sid = c.SID()
	}
}

// recoveryServer broadcasts to whoever asked to be in the room.
func recoveryServer(srv *node.Server) {
	ns := srv.Of("/")
	ns.OnConnect(func(_ context.Context, s *node.Socket) error { return s.Join("room") })
	node.On(ns, "news", func(ctx context.Context, _ *node.Socket, n int) error {
		return ns.To("room").Emit(ctx, "news", n, []byte{byte(n)})
	})
}

// What is broadcast while a client is away reaches it once it is back, once and
// in order, and it is the same socket.
func TestRecovery(t *testing.T) {
	t.Parallel()
	variants(t, func(t *testing.T, cfg client.Config) {
		_, url := startServer(t, node.Config{Recovery: node.Recovery{Enabled: true}}, recoveryServer)
		cfg.NoReconnect = true
		away, here := dial(t, url, cfg), dial(t, url, client.Config{Parser: cfg.Parser})
		s, speaker := of(t, away, "/", nil), of(t, here, "/", nil)
		got, said := make(chan int, 100), make(chan int, 100)
		collect := func(ch chan int) func(*client.Event) {
			return func(e *client.Event) {
				var n int
				var b []byte
				if err := e.Decode(&n, &b); err != nil || len(b) != 1 || int(b[0]) != n {
					t.Errorf("%d, %v, %v", n, b, err)
				}
				ch <- n
			}
		}
		var newest string // offset
		collected := collect(got)
		s.On("news", func(e *client.Event) {
			if err := e.Args.DecodeArg(e.Args.Len()-1, &newest); err != nil {
				t.Error(err)
			}
			collected(e)
		})
		speaker.On("news", collect(said))
		lost := make(chan client.Reason, 1)
		s.OnDisconnect(func(r client.Reason) { lost <- r })
		ctx := testContext(t)
		if err := errors.Join(s.Connect(ctx), speaker.Connect(ctx)); err != nil {
			t.Fatal(err)
		}
		say := func(n int) {
			t.Helper()
			if err := speaker.Emit(ctx, "news", n); err != nil {
				t.Fatal(err)
			}
			next(t, said, "broadcast")
		}
		id := s.ID()
		pid, _ := s.Recovery()
		want, all := []int{}, []int{}
		n := 0
		for round := range 3 {
			say(n)
			all, want, n = append(all, next(t, got, "event")), append(want, n), n+1
			if _, offset := s.Recovery(); offset != newest {
				t.Errorf("offset %s behind the handler of %s", offset, newest)
			}
			away.Drop()
			next(t, lost, "disconnect")
			for range round {
				say(n)
				want, n = append(want, n), n+1
			}
			if err := away.Reconnect(ctx); err != nil {
				t.Fatal(err)
			}
			if err := s.Connect(ctx); err != nil {
				t.Fatal(err)
			}
			now, offset := s.Recovery()
			if !s.Recovered() || s.ID() != id || now != pid || offset == "" {
				t.Fatalf("recovered %v, id %s for %s, pid %q for %q, offset %q", s.Recovered(), s.ID(), id, now, pid, offset)
			}
			say(n)
			want, n = append(want, n), n+1
			for len(all) < len(want) {
				all = append(all, next(t, got, "event"))
			}
		}
		if diff := cmp.Diff(want, all); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A server that does not know the session says so.
func TestNotRecovered(t *testing.T) {
	t.Parallel()
	_, url := startServer(t, node.Config{Recovery: node.Recovery{Enabled: true}}, recoveryServer)
	c := dial(t, url, client.Config{NoReconnect: true})
	s := of(t, c, "/", map[string]any{"pid": "made up", "offset": "0.AAAA"})
	ctx := testContext(t)
	if err := s.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	if pid, offset := s.Recovery(); s.Recovered() || pid == "made up" || offset != "" {
		t.Errorf("recovered %v, pid %q, offset %q", s.Recovered(), pid, offset)
	}
	// A disconnect that was meant ends what could be recovered.
	id := s.ID()
	if err := s.Disconnect(); err != nil {
		t.Fatal(err)
	}
	if pid, _ := s.Recovery(); pid != "" {
		t.Errorf("pid %q after Disconnect", pid)
	}
	of(t, c, "/", nil)
	if err := s.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	if s.Recovered() || s.ID() == id {
		t.Errorf("recovered %v, id %s again", s.Recovered(), id)
	}
}

// Handlers that are slower than the server stop the reading; nothing is lost,
// and memory stays within the queue.
func TestSlowHandlers(t *testing.T) {
	t.Parallel()
	const events = 2000
	_, url := startServer(t, node.Config{}, func(srv *node.Server) {
		node.Handle(srv.Of("/"), "flood", func(ctx context.Context, s *node.Socket, n int) (int, error) {
			for i := range n {
				if err := s.Emit(ctx, "n", i); err != nil {
					return i, err
				}
			}
			return n, nil
		})
	})
	for _, transport := range []client.Transport{client.Polling, client.WebSocket} {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			c := dial(t, url, client.Config{Transports: []client.Transport{transport}, EventQueue: 8})
			s := of(t, c, "/", nil)
			open := make(chan struct{})
			got := make(chan int, events)
			s.On("n", func(e *client.Event) {
				<-open
				var n int
				if err := e.Decode(&n); err != nil {
					t.Error(err)
				}
				got <- n
			})
			ctx := testContext(t)
			if err := s.Connect(ctx); err != nil {
				t.Fatal(err)
			}
			const batch = 500 // what the server's queue takes at once
			for first := 0; first < events; first += batch {
				if err := s.Emit(ctx, "flood", batch); err != nil {
					t.Fatal(err)
				}
				if first == 0 {
					close(open)
				}
				for i := range batch {
					if n := next(t, got, fmt.Sprint("event ", first+i)); n != i {
						t.Fatalf("got %d, want %d", n, i)
					}
				}
			}
		})
	}
}
