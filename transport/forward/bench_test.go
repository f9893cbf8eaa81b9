package forward

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure runs op and reports the processor time of one, of the client and all
// nodes together: what differs between the home and another node is the way
// between the nodes.
func measure(b *testing.B, clients int, op func() error) {
	if err := op(); err != nil { // opens connections
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	b.SetParallelism((clients + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := op(); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// polling is a client that posts a message and polls for its echo.
type polling struct {
	conn      net.Conn
	in        *bufio.Reader
	post, get []byte
}

func newPolling(b *testing.B, home, at *testNode, size int) *polling {
	conn, err := net.Dial("tcp", at.addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	head := " /engine.io/?" + home.open("EIO=4") + " HTTP/1.1\r\nHost: a\r\nUser-Agent: bench\r\nAccept: */*\r\n"
	post := fmt.Appendf(nil, "POST%sContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", head, size)
	return &polling{conn, bufio.NewReaderSize(conn, 1<<17), append(post, bytes.Repeat([]byte("4"), size)...), []byte("GET" + head + "\r\n")}
}

func (p *polling) echo() error {
	for _, req := range [][]byte{p.post, p.get} {
		if _, err := p.conn.Write(req); err != nil {
			return err
		}
		resp, err := http.ReadResponse(p.in, nil)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
			return fmt.Errorf("%s, %w", resp.Status, err)
		}
	}
	return nil
}

// BenchmarkPoll is one POST and the poll that brings its echo, at the session's
// home and at another node: of one client, and of 64 at the same time.
func BenchmarkPoll(b *testing.B) {
	for _, size := range []int{16, 64 << 10} {
		for _, clients := range []int{1, 64} {
			for i, name := range []string{"home", "other"} {
				b.Run(fmt.Sprintf("size=%d/clients=%d/at=%s", size, clients, name), func(b *testing.B) {
					nodes := cluster(b, 2, nil)
					all := make(chan *polling, clients)
					for range clients {
						all <- newPolling(b, nodes[0], nodes[i], size)
					}
					measure(b, clients, func() error {
						p := <-all
						defer func() { all <- p }()
						return p.echo()
					})
				})
			}
		}
	}
}

// BenchmarkTunnel is a message and its echo over WebSocket, at the session's
// home and through a tunnel.
func BenchmarkTunnel(b *testing.B) {
	for i, name := range []string{"home", "other"} {
		b.Run("at="+name, func(b *testing.B) {
			nodes := cluster(b, 2, nil)
			c := nodes[i].upgrade(nodes[0].open("EIO=4"))
			out := frame(ws.OpText, "4sixteen bytes...")
			in := make([]byte, len(out)-4) // a server does not mask
			var one sync.Mutex
			measure(b, 1, func() error {
				one.Lock()
				defer one.Unlock()
				if _, err := c.conn.Write(out); err != nil {
					return err
				}
				_, err := io.ReadFull(c.in, in)
				return err
			})
		})
	}
}

// BenchmarkIdle is the memory of one upgraded session, of client and all nodes
// together; the difference is that of an idle tunnel.
func BenchmarkIdle(b *testing.B) {
	for i, name := range []string{"home", "other"} {
		b.Run("at="+name, func(b *testing.B) {
			const n = 500
			for b.Loop() {
				nodes := cluster(b, 2, nil)
				before := memory()
				for range n {
					c := nodes[i].upgrade(nodes[0].open("EIO=4"))
					c.in, c.accept, c.buf = nil, nil, nil
				}
				nodes[0].client.CloseIdleConnections()
				b.ReportMetric((memory()-before)/n, "B/session")
			}
		})
	}
}

func memory() float64 {
	var m runtime.MemStats
	for range 3 { // pools are emptied over two cycles
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}
