package embedded_test

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane/embedded"
)

// A server of its own, which nothing outside the process can reach.
func Example() {
	ctx := context.Background()
	s, err := embedded.Start(ctx, embedded.Config{Name: "example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	nc, err := nats.Connect("", append(s.NodeOptions(), nats.InProcessServer(s))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(nc.ConnectedServerName(), nc.MaxPayload())
	nc.Close()
	fmt.Println(s.Shutdown(ctx))
	// Output:
	// example 8388608
	// <nil>
}
