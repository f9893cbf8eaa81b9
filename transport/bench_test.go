package transport

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gobwas/ws"

	"github.com/siod-io/siod/internal/wsframe"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/engineio"
)

// idleEngine is an engine whose shard's writer has nothing to do, so that a test
// may do its work. Its sessions' bytes go nowhere.
func idleEngine(tb testing.TB, h Handler) (*Engine, *writer, func() *Session) {
	tb.Helper()
	e, err := New(Config{Shards: 1}, h)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = e.Shutdown(tb.Context()) })
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { null.Close() })
	return e, newWriter(e.shards[0]), func() *Session { return sink(e, e.shards[0], int(null.Fd())) }
}

func sinks(n int, one func() *Session) []Recipient {
	to := make([]Recipient, n)
	for i := range to {
		to[i].Session = one()
	}
	return to
}

// quiet is a Handler that does nothing.
type quiet struct{}

func (quiet) Open(*Session) error     { return nil }
func (quiet) Text(*Session, []byte)   {}
func (quiet) Binary(*Session, []byte) {}
func (quiet) Close(*Session, Reason)  {}

// receiver feeds a session one message and one ping.
func receiver(one func() *Session) func() {
	s := one()
	s.rev, s.life.rev, s.life.timing = engineio.V4, engineio.V4, &s.engine.timing
	s.conn.frames.Init(wsframe.Config{Server: true})
	master := append(frame(ws.OpText, "42[\"event\",{\"a\":1}]"), frame(ws.OpPing, "x")...)
	b := make([]byte, len(master))
	return func() {
		copy(b, master) // the reader unmasks in place
		s.feed(s.conn, b)
	}
}

// BenchmarkBroadcast is the shard's own work for a broadcast: what a delivery
// costs beside the kernel. A write to /dev/null is the least a system call costs.
func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{1, 1000, 10_000} {
		for _, joined := range []int{1, 16} {
			b.Run(fmt.Sprintf("to=%d/joined=%d", n, joined), func(b *testing.B) {
				_, w, one := idleEngine(b, quiet{})
				to := sinks(n, one)
				batch := make([]Cast, joined)
				text := make([]byte, 128)
				b.ReportAllocs()
				for b.Loop() {
					for i := range batch {
						batch[i] = Cast{Message: NewText(text), To: to}
					}
					w.pass(batch)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n*joined), "ns/delivery")
			})
		}
	}
}

// BenchmarkScatter is a pass with two sets that overlap.
func BenchmarkScatter(b *testing.B) {
	_, w, one := idleEngine(b, quiet{})
	to := sinks(1000, one)
	text := make([]byte, 128)
	b.ReportAllocs()
	for b.Loop() {
		w.pass([]Cast{{Message: NewText(text), To: to}, {Message: NewText(text), To: to[:500]}})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1500), "ns/delivery")
}

func BenchmarkSend(b *testing.B) {
	_, _, one := idleEngine(b, quiet{})
	s := one()
	m := NewText(make([]byte, 128))
	f := protocol.Frames{Text: make([]byte, 128)}
	b.Run("message", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Send(m, 0, false)
		}
	})
	b.Run("frames", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.SendFrames(f)
		}
	})
}

// BenchmarkReceive is what one message and one ping cost behind the read.
func BenchmarkReceive(b *testing.B) {
	_, _, one := idleEngine(b, quiet{})
	feed := receiver(one)
	b.ReportAllocs()
	for b.Loop() {
		feed()
	}
}

// listen serves an engine for a benchmark, on loopback.
func listen(b *testing.B, cfg Config, h Handler) (*Engine, string) {
	b.Helper()
	e, err := New(cfg, h)
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	hs := &http.Server{Handler: e}
	var wg sync.WaitGroup
	wg.Go(func() { _ = hs.Serve(l) })
	b.Cleanup(func() {
		e.cutAll()
		_ = e.Shutdown(b.Context())
		hs.Close()
		wg.Wait()
	})
	return e, l.Addr().String()
}

// BenchmarkPolling is a POST of one message and the poll that brings its echo,
// on two connections that are kept, client included.
func BenchmarkPolling(b *testing.B) {
	e, addr := listen(b, Config{}, newApp())
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: tr}
	do := func(method, query, body string) string {
		req, err := http.NewRequest(method, "http://"+addr+e.Path()+query, strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		if body == "" {
			req.Body, req.ContentLength = nil, 0
		}
		resp, err := c.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		defer resp.Body.Close()
		t, _ := io.ReadAll(resp.Body)
		return string(t)
	}
	q := "?EIO=4&transport=polling"
	q += "&sid=" + sidOf(b, do("GET", q, ""))
	b.ReportAllocs()
	for b.Loop() {
		if do("POST", q, "4hello") != "ok" || do("GET", q, "") != "4hello" {
			b.Fatal("no echo")
		}
	}
}

// BenchmarkIdle reports the memory of an idle WebSocket session without what
// the handler keeps: heap and stacks of this process, in which the clients are
// bare descriptors.
func BenchmarkIdle(b *testing.B) {
	idle(b) // what is allocated once
	for b.Loop() {
		b.ReportMetric(idle(b), "B/session")
	}
}

func idle(b *testing.B) float64 {
	const n = 2000
	before := memory()
	e, addr := listen(b, Config{}, quiet{})
	fds := make([]int, n)
	for i := range fds {
		fds[i] = knockRaw(b, addr, e.Path())
	}
	for e.Len() < n {
		runtime.Gosched()
	}
	after := memory()
	for _, fd := range fds {
		_ = syscall.Close(fd)
	}
	for e.Len() > 0 {
		runtime.Gosched()
	}
	return float64(after-before) / n
}

func memory() uint64 {
	var m runtime.MemStats
	for range 3 { // pools are emptied over two cycles
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// knockRaw opens a WebSocket by system calls and reads up to the open packet.
func knockRaw(b *testing.B, addr, path string) int {
	b.Helper()
	ap, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: ap.Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		b.Fatal(err)
	}
	req := "GET " + path + "?EIO=4&transport=websocket HTTP/1.1\r\nHost: " + addr +
		"\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36" +
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := syscall.Write(fd, []byte(req)); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 1024)
	for got := ""; !strings.HasSuffix(got, "}"); {
		k, err := syscall.Read(fd, buf)
		if err != nil || k == 0 {
			b.Fatal(err)
		}
		got += string(buf[:k])
	}
	return fd
}
