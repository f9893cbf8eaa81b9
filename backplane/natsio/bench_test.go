package natsio_test

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/natsio"
	"github.com/siod-io/siod/protocol"
)

// chat is a packet as chats send them.
var chat = protocol.Frames{Text: []byte(`2/chat,["message",{"from":"somebody","text":"` + string(bytes.Repeat([]byte("word "), 14)) + `"}]`)}

func chatTo(room string, n uint64) *backplane.Envelope {
	return &backplane.Envelope{
		Kind:      backplane.KindEvent,
		Origin:    "a",
		ID:        n,
		Namespace: "/chat",
		Target:    backplane.Target{Rooms: []string{room}},
		Frames:    chat,
	}
}

// direct leaves out the cable.
func direct(c *cluster) func(*natsio.Config) {
	return func(cfg *natsio.Config) { cfg.InProcess = c.server[0] }
}

// BenchmarkPublish publishes to rooms that nobody else is in: what a broadcast
// costs its node.
func BenchmarkPublish(b *testing.B) {
	for _, rooms := range []int{1, 1000, 100_000} {
		b.Run(fmt.Sprint("rooms=", rooms), func(b *testing.B) {
			c := newCluster(b)
			a := c.join(b, "a", direct(c))
			at := make([]backplane.Address, rooms)
			for i := range at {
				at[i] = backplane.Room("/chat", fmt.Sprint("room ", i))
			}
			env := chatTo("room", 1)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := a.Publish(b.Context(), at[i%rooms], env); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// BenchmarkDeliver counts what one envelope costs from Publish on one node to
// the handler on another, both in this process with their server.
func BenchmarkDeliver(b *testing.B) {
	for _, rooms := range []int{1, 1000} {
		b.Run(fmt.Sprint("rooms=", rooms), func(b *testing.B) {
			c := newCluster(b)
			a, to := c.join(b, "a", direct(c)), c.join(b, "b", direct(c))
			const window = 4096
			var got atomic.Int64
			room := make(chan struct{}, window)
			at := make([]backplane.Address, rooms)
			for i := range at {
				at[i] = backplane.Room("/chat", fmt.Sprint("room ", i))
				if _, err := to.Subscribe(at[i], func(backplane.Delivery) {
					got.Add(1)
					<-room
				}); err != nil {
					b.Fatal(err)
				}
			}
			if err := to.Barrier(waiting(b), []string{"a"}); err != nil {
				b.Fatal(err)
			}
			env := chatTo("room", 1)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				room <- struct{}{}
				if err := a.Publish(b.Context(), at[i%rooms], env); err != nil {
					b.Fatal(err)
				}
				i++
			}
			for range window { // all arrived
				room <- struct{}{}
			}
			if n := got.Load(); n != int64(i) {
				b.Errorf("%d of %d arrived", n, i)
			}
		})
	}
}

// BenchmarkLatency waits for each envelope before it publishes the next.
func BenchmarkLatency(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *cluster{"server": newCluster, "mesh": newMesh} {
		b.Run(name, func(b *testing.B) {
			c := open(b)
			a, to := c.join(b, "a"), c.join(b, "b")
			room := backplane.Room("/chat", "room")
			arrived := make(chan struct{})
			if _, err := to.Subscribe(room, func(backplane.Delivery) { arrived <- struct{}{} }); err != nil {
				b.Fatal(err)
			}
			if err := to.Barrier(waiting(b), []string{"a"}); err != nil {
				b.Fatal(err)
			}
			env := chatTo("room", 1)
			for b.Loop() {
				if err := a.Publish(b.Context(), room, env); err != nil {
					b.Fatal(err)
				}
				<-arrived
			}
		})
	}
}

// BenchmarkSubscribe joins rooms, and leaves them for good.
func BenchmarkSubscribe(b *testing.B) {
	c := newCluster(b)
	a := c.join(b, "a", direct(c), func(cfg *natsio.Config) { cfg.Linger = -1 })
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		sub, err := a.Subscribe(backplane.Room("/chat", fmt.Sprint("room ", i%100_000)), func(backplane.Delivery) {})
		if err != nil {
			b.Fatal(err)
		}
		sub.Close()
		i++
	}
}

// BenchmarkBarrier asks one other node.
func BenchmarkBarrier(b *testing.B) {
	c := newCluster(b)
	a := c.join(b, "a", direct(c))
	c.join(b, "b", direct(c))
	ctx := waiting(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := a.Barrier(ctx, []string{"b"}); err != nil {
			b.Fatal(err)
		}
	}
}
