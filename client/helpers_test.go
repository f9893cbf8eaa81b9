package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

// patience bounds every wait of a test; nothing takes that long that works.
const patience = 20 * time.Second

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// startServer serves cfg on a port of its own until the test ends. set
// registers handlers.
func startServer(t testing.TB, cfg node.Config, set func(*node.Server)) (srv *node.Server, url string) {
	t.Helper()
	bp := memory.New()
	if cfg.Recovery.Enabled {
		var err error
		hub := memory.NewHub(memory.Config{Window: time.Minute})
		if bp, err = hub.Join("boot-of-the-test"); err != nil {
			t.Fatal(err)
		}
	}
	self, err := static.New(membership.Member{ID: bp.ID(), Token: membership.Token(bp.ID())})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Backplane, cfg.Membership = bp, self
	// A client that was cut off may leave a session that nobody polls any more;
	// the server must not wait long for it when the test ends.
	cfg.Transport.PollTimeout = 100 * time.Millisecond
	if srv, err = node.New(cfg); err != nil {
		t.Fatal(err)
	}
	set(srv)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, ln, http.NotFoundHandler()) }()
	t.Cleanup(func() {
		cancel()
		err := <-served
		if err = errors.Join(err, bp.Close(context.Background())); err != nil {
			t.Errorf("server: %v", err)
		}
	})
	return srv, "http://" + ln.Addr().String()
}

// dial connects and closes the client when the test ends.
func dial(t testing.TB, url string, cfg client.Config) *client.Client {
	t.Helper()
	if cfg.Backoff == nil {
		cfg.Backoff = func(int) time.Duration { return time.Millisecond }
	}
	c, err := client.Dial(testContext(t), url, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		<-c.Done()
	})
	return c
}

// of returns a socket that is not connected yet.
func of(t testing.TB, c *client.Client, namespace string, auth any) *client.Socket {
	t.Helper()
	s, err := c.Of(namespace, auth)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// connect returns a connected socket.
func connect(t testing.TB, c *client.Client, namespace string, auth any) *client.Socket {
	t.Helper()
	s, err := c.Connect(testContext(t), namespace, auth)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// next waits for a value.
func next[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// variants are the ways to carry and write packets.
func variants(t *testing.T, run func(t *testing.T, cfg client.Config)) {
	t.Helper()
	for _, transports := range [][]client.Transport{{client.Polling}, {client.WebSocket}, {client.Polling, client.WebSocket}} {
		for parser, name := range map[client.Parser]string{client.JSON: "json", client.MessagePack: "msgpack"} {
			t.Run(fmt.Sprint(transports, " ", name), func(t *testing.T) {
				t.Parallel()
				run(t, client.Config{Transports: transports, Parser: parser})
			})
		}
	}
}
