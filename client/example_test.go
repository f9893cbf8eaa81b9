package client_test

import (
	"context"
	"fmt"
	"net"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

type order struct {
	Item string `json:"item"`
}

type receipt struct {
	Number int    `json:"number"`
	Item   string `json:"item"`
}

func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	url := serveShop(ctx)

	c, err := client.Dial(ctx, url, client.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	shop, err := c.Of("/shop", map[string]any{"token": "secret"})
	if err != nil {
		fmt.Println(err)
		return
	}
	welcome := make(chan string, 1)
	shop.On("welcome", func(e *client.Event) {
		var text string
		if e.Decode(&text) == nil {
			welcome <- text
		}
	})
	if err := shop.Connect(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(<-welcome)
	fmt.Println(client.Call[receipt](ctx, shop, "order", order{Item: "tea"}))
	fmt.Println(c.Close())
	<-c.Done()
	// Output:
	// hello
	// {1 tea} <nil>
	// <nil>
}

// serveShop starts a server and returns its address.
func serveShop(ctx context.Context) string {
	bp := memory.New()
	self, err := static.New(membership.Member{ID: bp.ID(), Token: membership.Token(bp.ID())})
	if err != nil {
		panic(err)
	}
	srv, err := node.New(node.Config{Backplane: bp, Membership: self})
	if err != nil {
		panic(err)
	}
	shop := srv.Of("/shop")
	shop.OnConnect(func(ctx context.Context, s *node.Socket) error { return s.Emit(ctx, "welcome", "hello") })
	node.Handle(shop, "order", func(_ context.Context, _ *node.Socket, o order) (receipt, error) {
		return receipt{Number: 1, Item: o.Item}, nil
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		_ = srv.Serve(ctx, ln, nil)
		_ = bp.Close(context.Background())
	}()
	return "http://" + ln.Addr().String()
}
