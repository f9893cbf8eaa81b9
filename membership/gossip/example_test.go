package gossip_test

import (
	"context"
	"fmt"
	"time"

	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/gossip"
)

// Two nodes find each other by one address.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	secrets := []string{"0123456789abcdef0123456789abcdef"}
	a, err := gossip.Start(ctx, gossip.Config{
		Self:    membership.Member{ID: "a", Started: time.Now()},
		Cluster: "example", Secrets: secrets, Listen: "127.0.0.1:0",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.Close()
	events := a.Watch(ctx)
	fmt.Println((<-events).Member.ID)

	b, err := gossip.Start(ctx, gossip.Config{
		Self:    membership.Member{ID: "b", Started: time.Now(), Addr: "10.0.0.2:8081"},
		Cluster: "example", Secrets: secrets, Listen: "127.0.0.1:0",
		Join: []string{a.Addr()},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ev := <-events
	fmt.Println(ev.Kind, ev.Member.ID, ev.Member.Addr)
	if err := b.Leave(ctx); err != nil {
		fmt.Println(err)
	}
	ev = <-events
	fmt.Println(ev.Kind, ev.Member.ID, ev.Member.State)
	// Output:
	// a
	// joined b 10.0.0.2:8081
	// gone b left
}
