// Command minimal is the smallest server that does something: it passes on what
// clients say in "/" and acknowledges it.
//
//	go run ./examples/minimal
package main

import (
	"context"
	"log"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

func newServer() (*node.Server, error) {
	bp := memory.New() // one node; a cluster is another backplane
	self, err := static.New(membership.Member{ID: bp.ID()})
	if err != nil {
		return nil, err
	}
	srv, err := node.New(node.Config{Backplane: bp, Membership: self})
	if err != nil {
		return nil, err
	}
	node.Handle(srv.Of("/"), "say", func(ctx context.Context, s *node.Socket, text string) (bool, error) {
		return true, s.Broadcast().Emit(ctx, "said", s.ID(), text) // true is the acknowledgement
	})
	return srv, nil
}

func main() {
	srv, err := newServer()
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(srv.ListenAndServe(context.Background(), "127.0.0.1:3000", nil))
}
