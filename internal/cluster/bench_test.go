package cluster

import (
	"context"
	"fmt"
	"regexp"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/internal/testclient"
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
	for b.Loop() { // once: rooms are joined only once
		begun := time.Now()
		for i := range sockets {
			s := <-crowd
			for k := range each {
				if err := s.Join(fmt.Sprintf("chat:%d:%d", i, k)); err != nil {
					b.Fatal(err)
				}
			}
			crowd <- s
		}
		b.ReportMetric(sockets*each/time.Since(begun).Seconds(), "rooms/s")
	}
	b.ReportMetric(float64(heap()-before)/(sockets*each), "B/room")
}

// BenchmarkNamespaces has clients enter dynamic namespaces that nobody else is
// in, on one of two nodes, and leave them again (P15). It reports what a namespace
// with its one socket takes of memory, in the clients, the node and both servers,
// how many are entered and left in a second, and what is left of them: namespaces,
// and subscriptions after the time for which these linger.
//
//	go test ./internal/cluster -run '^$' -bench Namespaces -benchtime 1x
func BenchmarkNamespaces(b *testing.B) {
	const connections, each = 40, 500
	c := Config{Secrets: testSecrets, Gossip: "127.0.0.1:0"}
	one, err := run(b, c, func(cfg *node.Config) { cfg.MaxDynamic, cfg.MaxNamespaces = connections*each, each+1 })
	if err != nil {
		b.Fatal(err)
	}
	c.Join = []string{one.gossip.Addr()}
	if _, err := run(b, c); err != nil {
		b.Fatal(err)
	}
	one.srv.OfPattern(regexp.MustCompile(`/of/.*`))
	clients := make([]*client.Client, connections)
	for i := range clients {
		clients[i] = testclient.Dial(b, one.url)
	}
	// all has each client do something in each of its namespaces, one after the
	// other, and returns how many of that happen in a second.
	all := func(do func(c *client.Client, namespace string) error) float64 {
		begun := time.Now()
		var busy sync.WaitGroup
		for i, c := range clients {
			busy.Go(func() {
				for k := range each {
					if err := do(c, fmt.Sprintf("/of/%d/%d", i, k)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		busy.Wait()
		return connections * each / time.Since(begun).Seconds()
	}
	var sockets sync.Map
	before, subscribed, empty := heap(), one.nats.Stats().Subscriptions, len(one.srv.Namespaces())
	for b.Loop() {
		entered := all(func(c *client.Client, name string) error {
			s, err := c.Connect(b.Context(), name, nil)
			if err == nil {
				sockets.Store(name, s)
			}
			return err
		})
		b.ReportMetric(entered, "enter/s")
		b.ReportMetric(float64(heap()-before)/(connections*each), "B/namespace")
		b.ReportMetric(float64(one.nats.Stats().Subscriptions-subscribed)/(connections*each), "subs/namespace")
		left := all(func(_ *client.Client, name string) error {
			s, ok := sockets.LoadAndDelete(name)
			if !ok {
				return nil // it did not enter
			}
			return s.(*client.Socket).Disconnect()
		})
		b.ReportMetric(left, "leave/s")
		// What lingers ends after 10 s.
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(100 * time.Millisecond) {
			if len(one.srv.Namespaces()) == empty && one.nats.Stats().Subscriptions <= subscribed {
				break
			}
		}
		b.ReportMetric(float64(len(one.srv.Namespaces())-empty), "namespaces-left")
		b.ReportMetric(float64(one.nats.Stats().Subscriptions-subscribed), "subs-left")
		b.ReportMetric(float64(int64(heap())-int64(before))/(connections*each), "B-left/namespace")
	}
}

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
