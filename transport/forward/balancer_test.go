package forward_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/transport"
)

// Behind a balancer without sticky sessions all clients connect and stay
// connected, with every transport.
func TestBalancer(t *testing.T) {
	t.Parallel()
	hub, group := memory.NewHub(memory.Config{}), static.NewGroup()
	var urls []string
	lost := make(chan node.Reason, 1000)
	for _, name := range []string{"one", "two", "three"} {
		srv, url, stop := start(hub, group, name)
		defer stop()
		ns := srv.Of("/")
		node.Handle(ns, "double", func(_ context.Context, _ *node.Socket, n int) (int, error) { return 2 * n, nil })
		ns.OnDisconnect(func(_ context.Context, _ *node.Socket, r node.Reason) {
			if r != transport.ReasonClientNamespace && r != transport.ReasonTransportClose {
				lost <- r
			}
		})
		urls = append(urls, url)
	}
	lb := balancer(urls...)
	defer lb.Close()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for name, transports := range map[string][]client.Transport{
		"polling": {client.Polling}, "upgrade": {client.Polling, client.WebSocket}, "websocket": {client.WebSocket},
	} {
		for i := range 10 {
			wg.Go(func() {
				c, err := client.Dial(ctx, lb.URL, client.Config{Transports: transports, NoReconnect: true})
				if err != nil {
					t.Errorf("%s %d: %v", name, i, err)
					return
				}
				defer func() { _ = c.Close(); <-c.Done() }()
				s, err := c.Connect(ctx, "/", nil)
				if err != nil {
					t.Errorf("%s %d: %v", name, i, err)
					return
				}
				for n := range 20 {
					if got, err := client.Call[int](ctx, s, "double", n); err != nil || got != 2*n {
						t.Errorf("%s %d: %s got %d, %v", name, i, strconv.Itoa(n), got, err)
						return
					}
				}
				if err := c.Err(); err != nil {
					t.Errorf("%s %d: %v", name, i, err)
				}
			})
		}
	}
	wg.Wait()
	select {
	case r := <-lost:
		t.Errorf("a socket was lost: %s", r)
	default:
	}
}
