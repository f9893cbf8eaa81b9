package node_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/siod-io/siod/node"
)

type benchMessage struct {
	Name string `json:"name"`
	Text string `json:"text"`
	Room string `json:"room"`
	At   int64  `json:"at"`
	Seq  int    `json:"seq"`
}

// BenchmarkDispatch is an event in, its handler, and its acknowledgement out,
// one at a time.
func BenchmarkDispatch(b *testing.B) {
	srv := start(b, nil)
	ns := srv.Of("/")
	ns.OnEvent("raw", func(_ context.Context, e *node.Event) error { return e.AckRaw(e.Args) })
	node.Handle(ns, "typed", func(_ context.Context, _ *node.Socket, m benchMessage) (int, error) { return m.Seq, nil })
	l := srv.lean(b)
	for _, kind := range []string{"raw", "typed"} {
		message := fmt.Sprintf(`421[%q,{"name":"ada","text":"hello, everybody","room":"lobby","at":1790000000000,"seq":42}]`, kind)
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.send(message)
				l.next()
			}
		})
	}
}

// BenchmarkBroadcast is one event to a room, until the shards have written it to
// all members, who live in another process. One more in each shard, the last
// in line, shows when that is.
func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{1, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			srv := start(b, nil)
			ns := srv.Of("/")
			ns.OnConnect(func(_ context.Context, s *node.Socket) error { return s.Join("room") })
			last := make([]*lean, 1)
			if n > 1 {
				srv.audience(b, n-3)
				last = make([]*lean, 3)
			}
			for i := range last {
				last[i] = srv.lean(b)
			}
			message := benchMessage{"ada", "hello, everybody", "lobby", 1790000000000, 42}
			b.ReportAllocs()
			for b.Loop() {
				if err := ns.To("room").Emit(b.Context(), "message", message); err != nil {
					b.Fatal(err)
				}
				for _, l := range last {
					l.next()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/delivery")
		})
	}
}

// audience connects n clients in a process of its own.
func (s *server) audience(b *testing.B, n int) {
	b.Helper()
	cmd := exec.CommandContext(context.Background(), os.Args[0], "-test.run=^TestAudience$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", audienceEnv, n, s.url))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(b, err)
	out, err := cmd.StdoutPipe()
	must(b, err)
	must(b, cmd.Start())
	b.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "ready" {
			return
		}
	}
	b.Fatal("the audience did not come")
}

// BenchmarkJoinLeave moves sockets in and out of one room, from all processors
// at once.
func BenchmarkJoinLeave(b *testing.B) {
	srv := start(b, nil)
	ns := srv.Of("/")
	var mu sync.Mutex
	var sockets []*node.Socket
	ns.OnConnect(func(_ context.Context, s *node.Socket) error {
		mu.Lock()
		defer mu.Unlock()
		sockets = append(sockets, s)
		return nil
	})
	for range 64 {
		srv.lean(b).discard()
	}
	for _, rooms := range []string{"one room", "room each"} {
		b.Run(rooms, func(b *testing.B) {
			b.ReportAllocs()
			next := 0
			b.RunParallel(func(pb *testing.PB) {
				mu.Lock()
				s := sockets[next%len(sockets)]
				room := "room"
				if rooms == "room each" {
					room = fmt.Sprint("room ", next)
				}
				next++
				mu.Unlock()
				for pb.Next() {
					if s.Join(room) != nil || s.Leave(room) != nil {
						b.Error("join or leave failed")
						return
					}
				}
			})
		})
	}
}

// BenchmarkConnect is a TCP connection, its WebSocket handshake, the CONNECT to
// "/" with its answer, and the end; the client's share is in the figure.
func BenchmarkConnect(b *testing.B) {
	srv := start(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		l := srv.lean(b)
		_ = l.conn.Close()
	}
}
