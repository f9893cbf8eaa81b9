// Command server serves the chat of package chat and its page:
//
//	go run ./examples/chat/server
package main

import (
	"context"
	"log"
	"os"
	"os/signal"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/examples/chat"
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
	srv, err := node.New(node.Config{Backplane: bp, Membership: self, Recovery: node.Recovery{Enabled: true}})
	if err != nil {
		return nil, err
	}
	chat.Register(srv.Of("/"))
	return srv, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	srv, err := newServer()
	if err != nil {
		log.Fatal(err)
	}
	log.Print("open http://127.0.0.1:3000/")
	if err := srv.ListenAndServe(ctx, "127.0.0.1:3000", chat.Page(chat.PageConfig{})); err != nil {
		log.Fatal(err)
	}
}
