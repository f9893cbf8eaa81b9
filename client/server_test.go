package client_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/protocol"
)

type photo struct {
	Title string   `json:"title"`
	Data  []byte   `json:"data"`
	Parts [][]byte `json:"parts,omitempty"`
}

// echoServer answers what it is sent, and asks back.
func echoServer(srv *node.Server) {
	for _, name := range []string{"/", "/chat"} {
		ns := srv.Of(name)
		ns.OnEvent("echo", func(ctx context.Context, e *node.Event) error {
			if e.WantsAck() {
				return e.AckRaw(e.Args)
			}
			return e.Socket.EmitArgs(ctx, "echo", e.Args)
		})
		node.Handle(ns, "auth", func(_ context.Context, s *node.Socket, _ node.None) (v map[string]any, err error) {
			return v, s.Auth(&v)
		})
		node.Handle(ns, "ask", func(ctx context.Context, s *node.Socket, x photo) (photo, error) {
			return node.Call[photo](ctx, s, "question", x)
		})
	}
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	_, url := startServer(t, node.Config{}, echoServer)
	variants(t, func(t *testing.T, cfg client.Config) {
		c := dial(t, url, cfg)
		ctx := testContext(t)
		s := of(t, c, "/chat", map[string]any{"token": "x"})
		echo := make(chan *client.Event, 1)
		s.On("echo", func(e *client.Event) { echo <- e })
		client.Handle(s, "question", func(_ context.Context, p photo) (photo, error) {
			p.Title = "re: " + p.Title
			return p, nil
		})
		if err := s.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		if s.ID() == "" || s.ID() == c.SID() || !s.Connected() || s.Recovered() {
			t.Errorf("id %q, session %q, connected %v, recovered %v", s.ID(), c.SID(), s.Connected(), s.Recovered())
		}

		auth, err := client.Call[map[string]any](ctx, s, "auth")
		if diff := cmp.Diff(map[string]any{"token": "x"}, auth); diff != "" || err != nil {
			t.Errorf("auth: %v (-want +got):\n%s", err, diff)
		}

		in := photo{Title: "é€😀\n\u2028", Data: []byte{0, 1, 255}, Parts: [][]byte{{}, []byte("part")}}
		out, err := client.Call[photo](ctx, s, "echo", in)
		if diff := cmp.Diff(in, out); diff != "" || err != nil {
			t.Errorf("call: %v (-want +got):\n%s", err, diff)
		}

		if err := s.Emit(ctx, "echo", "text", []byte("blob"), 1.5, nil, true, []any{}); err != nil {
			t.Fatal(err)
		}
		e := next(t, echo, "event")
		var got [6]any
		err = e.Decode(&got[0], &got[1], &got[2], &got[3], &got[4], &got[5])
		if diff := cmp.Diff([6]any{"text", []byte("blob"), 1.5, nil, true, []any{}}, got); diff != "" || err != nil {
			t.Errorf("event: %v (-want +got):\n%s", err, diff)
		}
		if e.WantsAck() || !errors.Is(e.Ack(ctx), client.ErrNoAck) {
			t.Error("an event without ack takes an answer")
		}

		in.Title = "x"
		out, err = client.Call[photo](ctx, s, "ask", in)
		in.Title = "re: x"
		if diff := cmp.Diff(in, out); diff != "" || err != nil {
			t.Errorf("asked back: %v (-want +got):\n%s", err, diff)
		}

		long := strings.Repeat("0123456789é", 60_000)
		if got, err := client.Call[string](ctx, s, "echo", long); err != nil || got != long {
			t.Errorf("%d bytes came back as %d, %v", len(long), len(got), err)
		}

		root := connect(t, c, "/", nil)
		if n, err := client.Call[int](ctx, root, "echo", 7); n != 7 || err != nil {
			t.Errorf("root: %d, %v", n, err)
		}
		if v, err := client.Call[string](ctx, root, "echo"); v != "" || err != nil {
			t.Errorf("empty answer: %q, %v", v, err)
		}
	})
}

// The upgrade happens under load in both directions: nothing is lost, doubled
// or out of order.
func TestUpgradeKeepsOrder(t *testing.T) {
	t.Parallel()
	const events = 300
	_, url := startServer(t, node.Config{}, func(srv *node.Server) {
		srv.Of("/").OnEvent("n", func(ctx context.Context, e *node.Event) error {
			return e.Socket.EmitArgs(ctx, "n", e.Args)
		})
	})
	for range 8 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			c := dial(t, url, client.Config{})
			s := of(t, c, "/", nil)
			got := make(chan int, events)
			s.On("n", func(e *client.Event) {
				n := -1
				if err := e.Decode(&n); err != nil {
					t.Error(err)
				}
				got <- n
			})
			ctx := testContext(t)
			if err := s.Connect(ctx); err != nil {
				t.Fatal(err)
			}
			upgraded := false
			for i := 0; i < events || !upgraded; i++ {
				if err := s.Emit(ctx, "n", i, []byte{1}); err != nil {
					t.Fatal(err)
				}
				if n := next(t, got, "event"); n != i {
					t.Fatalf("got %d after %d", n, i-1)
				}
				upgraded = c.Transport() == client.WebSocket
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	var allow atomic.Bool
	_, url := startServer(t, node.Config{}, func(srv *node.Server) {
		srv.Of("/").Use(func(context.Context, *node.Socket) error { return nil })
		srv.Of("/no").Use(func(context.Context, *node.Socket) error {
			if allow.Load() {
				return nil
			}
			return node.Refuse("nope", map[string]any{"code": 7})
		})
	})
	variants(t, func(t *testing.T, cfg client.Config) {
		c := dial(t, url, cfg)
		ctx := testContext(t)
		s := of(t, c, "/no", nil)
		told := make(chan *client.ConnectError, 1)
		s.OnConnectError(func(e *client.ConnectError) { told <- e })
		err := s.Connect(ctx)
		refused, ok := errors.AsType[*client.ConnectError](err)
		want := &client.ConnectError{Namespace: "/no", Message: "nope", Data: []byte(`{"code":7}`)}
		if diff := cmp.Diff(want, refused); !ok || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if diff := cmp.Diff(want, next(t, told, "notice")); diff != "" {
			t.Errorf("notice (-want +got):\n%s", diff)
		}
		if err := s.Emit(ctx, "x"); !errors.As(err, &refused) {
			t.Errorf("emit on a refused socket: %v", err)
		}
		_, err = c.Connect(ctx, "/unknown", nil)
		if refused, ok = errors.AsType[*client.ConnectError](err); !ok || refused.Message != "Invalid namespace" || refused.Data != nil {
			t.Errorf("unknown namespace: %v", err)
		}
	})
}

// Who was refused may try again, and so may who was disconnected by the server.
func TestConnectAgain(t *testing.T) {
	t.Parallel()
	_, url := startServer(t, node.Config{}, func(srv *node.Server) {
		ns := srv.Of("/")
		ns.Use(func(_ context.Context, s *node.Socket) error {
			var auth struct{ Try int }
			if err := s.Auth(&auth); err != nil || auth.Try != 2 {
				return node.Refuse("again", nil)
			}
			return nil
		})
		node.On(ns, "leave", func(_ context.Context, s *node.Socket, _ node.None) error {
			s.Disconnect(false)
			return nil
		})
	})
	c := dial(t, url, client.Config{})
	ctx := testContext(t)
	try := 0
	s := of(t, c, "/", func() (any, error) { try++; return map[string]int{"Try": try}, nil })
	lost := make(chan client.Reason, 1)
	s.OnDisconnect(func(r client.Reason) { lost <- r })
	if err := s.Connect(ctx); err == nil {
		t.Fatal("not refused")
	}
	if err := s.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Emit(ctx, "leave"); err != nil {
		t.Fatal(err)
	}
	if r := next(t, lost, "disconnect"); r != client.ServerDisconnect {
		t.Errorf("reason %q", r)
	}
	if err := s.Emit(ctx, "x"); !errors.Is(err, client.ErrNotConnected) {
		t.Errorf("emit: %v", err)
	}
	try = 1
	if err := s.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Disconnect(); err != nil {
		t.Fatal(err)
	}
	if r := next(t, lost, "disconnect"); r != client.ClientDisconnect {
		t.Errorf("reason %q", r)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	ended := make(chan node.Reason, 10)
	_, url := startServer(t, node.Config{}, func(srv *node.Server) {
		ns := srv.Of("/")
		ns.OnDisconnect(func(_ context.Context, _ *node.Socket, r node.Reason) { ended <- r })
	})
	for _, transport := range []client.Transport{client.Polling, client.WebSocket} {
		c := dial(t, url, client.Config{Transports: []client.Transport{transport}})
		s := connect(t, c, "/", nil)
		lost := make(chan client.Reason, 1)
		s.OnDisconnect(func(r client.Reason) { lost <- r })
		ctx := testContext(t)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		<-c.Done()
		if r := next(t, ended, "disconnect on the server"); r != "client namespace disconnect" {
			t.Errorf("%s: the server says %q", transport, r)
		}
		if r := next(t, lost, "disconnect"); r != client.ClientDisconnect {
			t.Errorf("%s: reason %q", transport, r)
		}
		if c.Err() != nil || c.SID() != "" || c.Transport() != "" || s.ID() != "" {
			t.Errorf("%s: left over: %v, %q, %q, %q", transport, c.Err(), c.SID(), c.Transport(), s.ID())
		}
		_, errOf := c.Of("/x", nil)
		_, errAck := s.EmitWithAck(ctx, "x")
		for what, err := range map[string]error{
			"Of": errOf, "EmitWithAck": errAck, "Emit": s.Emit(ctx, "x"), "Connect": s.Connect(ctx), "Reconnect": c.Reconnect(ctx),
		} {
			if !errors.Is(err, client.ErrClosed) {
				t.Errorf("%s: %s after Close: %v", transport, what, err)
			}
		}
		if err := c.Close(); err != nil {
			t.Errorf("%s: Close again: %v", transport, err)
		}
	}
}

// A handler may close its own client and may wait for its own server.
func TestCloseInHandler(t *testing.T) {
	t.Parallel()
	_, url := startServer(t, node.Config{}, echoServer)
	c := dial(t, url, client.Config{})
	s := of(t, c, "/", nil)
	called := make(chan error, 1)
	s.On("echo", func(*client.Event) {
		_, err := client.Call[int](context.Background(), s, "echo", 1)
		called <- errors.Join(err, c.Close())
	})
	ctx := testContext(t)
	if err := s.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Emit(ctx, "echo"); err != nil {
		t.Fatal(err)
	}
	if err := next(t, called, "end of the handler"); err != nil {
		t.Error(err)
	}
	<-c.Done()
}

func TestDialErrors(t *testing.T) {
	t.Parallel()
	_, url := startServer(t, node.Config{}, func(*node.Server) {})
	ctx := testContext(t)
	tests := []struct {
		name, url string
		cfg       client.Config
		status    int // of the HTTPError, if it is one
	}{
		{name: "scheme", url: "ftp://127.0.0.1"},
		{name: "no URL", url: "http://[::1"},
		{name: "nobody there", url: "http://127.0.0.1:1"},
		{name: "path", url: url + "/other/", status: 404},
		{name: "path over WebSocket", url: url + "/other/", cfg: client.Config{Transports: []client.Transport{client.WebSocket}}, status: 404},
		{name: "transport", url: url, cfg: client.Config{Transports: []client.Transport{"pigeon"}}},
		{name: "transport twice", url: url, cfg: client.Config{Transports: []client.Transport{client.Polling, client.Polling}}},
		{name: "parser", url: url, cfg: client.Config{Parser: 9}},
		{name: "path without slash", url: url, cfg: client.Config{Path: "x"}},
		{name: "negative", url: url, cfg: client.Config{AckTimeout: -time.Second}},
	}
	for _, tt := range tests {
		c, err := client.Dial(ctx, tt.url, tt.cfg)
		if err == nil {
			_ = c.Close()
			t.Errorf("%s: connected", tt.name)
			continue
		}
		if refused, ok := errors.AsType[*client.HTTPError](err); ok != (tt.status != 0) || ok && refused.Status != tt.status {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	c := dial(t, url, client.Config{})
	for _, ns := range []string{"chat", "/a,b"} {
		if _, err := c.Of(ns, nil); !errors.Is(err, protocol.ErrNamespace) {
			t.Errorf("namespace %q: %v", ns, err)
		}
	}
	s := of(t, c, "/", []int{1})
	if err := s.Connect(ctx); err == nil || !strings.Contains(err.Error(), "auth") {
		t.Errorf("auth that is no object: %v", err)
	}
	if err := s.Emit(ctx, "disconnect"); !errors.Is(err, client.ErrReserved) {
		t.Errorf("reserved name: %v", err)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := client.Dial(canceled, url, client.Config{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
