package backplane_test

import (
	"context"
	"fmt"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/protocol"
)

// pair returns two nodes on one hub.
func pair() (a, b *memory.Backplane) {
	hub := memory.NewHub(memory.Config{})
	a, errA := hub.Join("a")
	b, errB := hub.Join("b")
	if errA != nil || errB != nil {
		fmt.Println(errA, errB)
	}
	return a, b
}

// A broadcast to one room goes to the nodes that have members of it.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	a, b := pair()
	defer func() { _, _ = a.Close(ctx), b.Close(ctx) }()

	lobby := backplane.Room("/chat", "lobby")
	delivered := make(chan struct{})
	sub, err := b.Subscribe(lobby, func(d backplane.Delivery) {
		fmt.Printf("%s: %s\n", d.To, d.Envelope.Frames.Text)
		close(delivered)
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sub.Close()

	err = a.Publish(ctx, lobby, &backplane.Envelope{
		Kind:      backplane.KindEvent,
		Origin:    a.ID(),
		ID:        1,
		Namespace: "/chat",
		Target:    backplane.Target{Rooms: []string{"lobby"}},
		Frames:    protocol.Frames{Text: []byte(`2/chat,["message","hello"]`)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	<-delivered
	// Output: room("/chat", "lobby"): 2/chat,["message","hello"]
}

// A request ends when every node of the roster gave its final reply.
func ExampleBackplane_request() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	a, b := pair()
	defer func() { _, _ = a.Close(ctx), b.Close(ctx) }()

	_, err := b.Subscribe(backplane.Requests(backplane.AnyNamespace), func(d backplane.Delivery) {
		_ = d.Reply(&backplane.Envelope{Kind: backplane.KindReply, Origin: b.ID(), Data: []byte("12 sockets")}, true)
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	count := &backplane.Envelope{Kind: backplane.KindOperation, Origin: a.ID(), ID: 1, Namespace: "/chat"}
	for reply, err := range a.Request(ctx, backplane.Requests("/chat"), count, []string{"b", "c"}) {
		if err != nil {
			fmt.Println(err) // nobody has heard of c
			break
		}
		fmt.Printf("%s: %s\n", reply.Node, reply.Envelope.Data)
	}
	// Output:
	// b: 12 sockets
	// backplane: incomplete answer: c dead
}

// A durable event is stored first, and delivered from the feed that every node
// gets in the same order.
func ExampleLog() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	a, b := pair()
	defer func() { _, _ = a.Close(ctx), b.Close(ctx) }()

	if err := backplane.LogFor(b, "/chat").Tail(ctx, printer{}); err != nil {
		fmt.Println(err)
		return
	}
	pos, err := backplane.LogFor(a, "/chat").Append(ctx, &backplane.Envelope{
		Kind:      backplane.KindEvent,
		Origin:    a.ID(),
		ID:        1,
		Namespace: "/chat",
		Frames:    protocol.Frames{Text: []byte(`2/chat,["order",17]`)},
	})
	fmt.Println("stored at", pos.Seq, err)
	// Output:
	// start at 0
	// 1: 2/chat,["order",17]
	// stored at 1 <nil>
}

type printer struct{}

func (printer) Apply(e backplane.Entry) {
	fmt.Printf("%d: %s\n", e.Seq, e.Envelope.Frames.Text)
}

func (printer) Reset(r backplane.Reset) {
	fmt.Println(r.Reason, "at", r.Position.Seq)
}

// The offset that a client keeps names a place in the log.
func ExampleParseOffset() {
	o, ok := backplane.ParseOffset("3f.aZ-_+1a")
	fmt.Println(o.Seq, o.Tag, o.K, ok)
	_, ok = backplane.ParseOffset("Q84jh0q") // of another server
	fmt.Println(ok)
	// Output:
	// 123 aZ-_ 46 true
	// false
}
