package static_test

import (
	"context"
	"fmt"

	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
)

// Whoever waits for other nodes learns from a watch whom to stop waiting for.
func Example() {
	group := static.NewGroup()
	a, errA := group.Join(membership.Member{ID: "a"})
	_, errB := group.Join(membership.Member{ID: "b", Addr: "10.0.0.2:8081"})
	if errA != nil || errB != nil {
		fmt.Println(errA, errB)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	events := a.Watch(ctx)
	for range 2 {
		ev := <-events
		fmt.Println(ev.Kind, ev.Member.ID)
	}
	group.Kill("b")
	ev := <-events
	fmt.Println(ev.Kind, ev.Member.ID, ev.Member.State)
	cancel()
	for range events { // until it is closed
	}
	// Output:
	// joined a
	// joined b
	// gone b dead
}
