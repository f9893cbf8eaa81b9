package cluster

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/siod-io/siod/node"
)

// BenchmarkRooms has sockets join rooms that nobody else is in, on two nodes
// with their NATS servers inside, one of them here. It reports what a room takes
// of memory, in the node and in both servers, and how many are joined in a
// second.
//
//	go test ./internal/cluster -run '^$' -bench Rooms -benchtime 1x
func BenchmarkRooms(b *testing.B) {
	const sockets, each = 100, 1000
	c := Config{Secrets: testSecrets, Gossip: "127.0.0.1:0"}
	one, err := run(b, c)
	if err != nil {
		b.Fatal(err)
	}
	c.Join = []string{one.gossip.Addr()}
	if _, err := run(b, c); err != nil {
		b.Fatal(err)
	}
	crowd := make(chan *node.Socket, sockets)
	one.srv.Of("/").OnConnect(func(_ context.Context, s *node.Socket) error { crowd <- s; return nil })
	for range sockets {
		poll(b, one.url)
	}
	before := heap()
	for b.Loop() {
		for i := range sockets {
			s := <-crowd
			for k := range each {
				if err := s.Join(fmt.Sprintf("chat:%d:%d", i, k)); err != nil {
					b.Fatal(err)
				}
			}
			crowd <- s
		}
		b.StopTimer()
	}
	b.ReportMetric(float64(heap()-before)/(sockets*each), "B/room")
	b.ReportMetric(sockets*each/b.Elapsed().Seconds(), "rooms/s")
}

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
