package forward_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/transport"
	"github.com/siod-io/siod/transport/forward"
)

// start is what each of the three nodes does. In a program of its own, hub and
// group would be connections to the cluster.
func start(hub *memory.Hub, group *static.Group, name string) (srv *node.Server, url string, stop func()) {
	// The listener for other nodes, of which they learn from the membership.
	internal, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	id := membership.NewID()
	self, err := group.Join(membership.Member{ID: id, Name: name, Addr: internal.Addr().String()})
	if err != nil {
		log.Fatal(err)
	}
	bp, err := hub.Join(id)
	if err != nil {
		log.Fatal(err)
	}

	fwd, err := forward.New(forward.Config{Membership: self, Secrets: []string{"from the configuration"}})
	if err != nil {
		log.Fatal(err)
	}
	srv, err = node.New(node.Config{Transport: transport.Config{Foreign: fwd}, Backplane: bp, Membership: self})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(forward.Path, fwd.Handler(srv))
	private := &http.Server{Handler: mux, Protocols: forward.Protocols(), ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = private.Serve(internal) }()
	public := httptest.NewServer(srv)

	return srv, public.URL, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = srv.Shutdown(ctx) // sessions that live here
		_ = fwd.Shutdown(ctx) // requests for those that live elsewhere
		public.Close()
		_ = private.Close()
		<-done
		_ = self.Leave(ctx)
		_ = bp.Close(ctx)
	}
}

// balancer sends one request after the other to the next node, whatever session
// it is of.
func balancer(nodes ...string) *httptest.Server {
	var next atomic.Uint32
	return httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			to, err := url.Parse(nodes[int(next.Add(1))%len(nodes)])
			if err != nil {
				log.Fatal(err)
			}
			r.SetURL(to)
		},
		ErrorLog: log.New(io.Discard, "", 0), // of polls that a client gives up when it closes
	})
}

// Three nodes behind a balancer that knows nothing of sessions: a client polls,
// and upgrades, over all of them.
func Example() {
	hub, group := memory.NewHub(memory.Config{}), static.NewGroup()
	var urls []string
	for _, name := range []string{"one", "two", "three"} {
		srv, url, stop := start(hub, group, name)
		defer stop()
		node.Handle(srv.Of("/"), "greet", func(_ context.Context, _ *node.Socket, who string) (string, error) {
			return "hello, " + who, nil
		})
		urls = append(urls, url)
	}
	lb := balancer(urls...)
	defer lb.Close()

	ctx := context.Background()
	for _, transports := range [][]client.Transport{{client.Polling}, {client.Polling, client.WebSocket}} {
		c, err := client.Dial(ctx, lb.URL, client.Config{Transports: transports})
		if err != nil {
			log.Fatal(err)
		}
		s, err := c.Connect(ctx, "/", nil)
		if err != nil {
			log.Fatal(err)
		}
		answer, err := client.Call[string](ctx, s, "greet", "world")
		fmt.Println(answer, err)
		_ = c.Close()
		<-c.Done()
	}
	// Output:
	// hello, world <nil>
	// hello, world <nil>
}
