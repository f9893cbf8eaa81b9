// Command recovery shows clients that come back after a lost connection with
// the same id, rooms and data, and get what they missed.
//
//	go run ./examples/recovery
//
// In a client, cut the connection with socket.io.engine.close(): "price" goes on
// without a hole, and socket.recovered is true in the next "connect".
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

// subscription is data of the socket: it survives as its rooms do.
var subscription = node.NewKey[string]("subscription")

func newServer() (*node.Server, error) {
	bp := memory.New()
	self, err := static.New(membership.Member{ID: bp.ID()})
	if err != nil {
		return nil, err
	}
	srv, err := node.New(node.Config{
		Backplane: bp, Membership: self,
		Recovery: node.Recovery{Enabled: true, Window: time.Minute}, // broadcasts are durable from here on
	})
	if err != nil {
		return nil, err
	}
	ns := srv.Of("/")
	ns.OnConnect(func(_ context.Context, s *node.Socket) error {
		if s.Recovered() {
			symbol, _ := subscription.Get(s)
			log.Printf("%s is back and goes on with %s", s.ID(), symbol)
		}
		return nil
	})
	node.Handle(ns, "subscribe", func(_ context.Context, s *node.Socket, symbol string) (bool, error) {
		subscription.Set(s, symbol)
		return true, s.Join(symbol)
	})
	return srv, nil
}

// quote tells the subscribers a price. Those who are away get it later.
func quote(ctx context.Context, srv *node.Server, symbol string, price int) error {
	return srv.To(symbol).Emit(ctx, "price", symbol, price)
}

// pointer tells where the mouse is, which is of no use later: Volatile drops it
// for whoever is slow or away.
func pointer(ctx context.Context, srv *node.Server, x, y int) error {
	return srv.Of("/").Volatile().Emit(ctx, "pointer", x, y)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	srv, err := newServer()
	if err != nil {
		log.Fatal(err)
	}
	srv.Go(func(ctx context.Context) error {
		for price := 100; ; price++ {
			if err := quote(ctx, srv, "SIOD", price); err != nil {
				return err
			}
			if err := pointer(ctx, srv, price%640, price%480); err != nil {
				return err
			}
			if err := node.Sleep(ctx, time.Second); err != nil {
				return err
			}
		}
	})
	if err := srv.ListenAndServe(ctx, "127.0.0.1:3000", nil); err != nil {
		log.Fatal(err)
	}
}
