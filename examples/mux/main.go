// Command mux mounts a server in an HTTP program that has routes of its own,
// and lets one of them speak to the clients.
//
//	go run ./examples/mux
//	curl -X POST -d 'coffee for table 3' http://127.0.0.1:3000/orders
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

func newServer() (*node.Server, error) {
	bp := memory.New()
	self, err := static.New(membership.Member{ID: bp.ID()})
	if err != nil {
		return nil, err
	}
	srv, err := node.New(node.Config{Backplane: bp, Membership: self})
	if err != nil {
		return nil, err
	}
	srv.Of("/kitchen").OnConnect(func(context.Context, *node.Socket) error { return nil })
	return srv, nil
}

// routes are the program's own; the server is one of them.
func routes(srv *node.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "POST an order to /orders; cooks connect to the namespace /kitchen.\n")
	})
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		order, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<10))
		if err != nil {
			http.Error(w, "an order has at most 1,024 bytes", http.StatusRequestEntityTooLarge)
			return
		}
		if err := srv.Of("/kitchen").Emit(r.Context(), "order", string(order)); err != nil {
			http.Error(w, "the kitchen is closed", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	return mux
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	srv, err := newServer()
	if err != nil {
		log.Fatal(err)
	}
	hs := &http.Server{Addr: "127.0.0.1:3000", Handler: routes(srv), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = srv.Shutdown(stop) // first the sessions, so that polls can fetch their end
		_ = hs.Shutdown(stop)
	}()
	if err := hs.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
