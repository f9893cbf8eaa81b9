package recovery

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// network makes links that break. It is shared by all clients of a test.
type network struct {
	broken atomic.Int64 // links
	whole  atomic.Bool  // from now on none breaks

	mu      sync.Mutex
	rand    *rand.Rand
	zombies []net.Conn // whose server has not been told
}

// maxZombies bounds the connections that the servers believe in.
const maxZombies = 64

// link is a TCP connection that breaks after a number of bytes in either
// direction, or when its client cuts it.
type link struct {
	net.Conn
	net   *network
	left  atomic.Int64 // bytes until it breaks
	dark  bool         // the server is not told
	ended sync.Once
	gone  chan struct{}
}

// dial opens a link to addr.
func (n *network) dial(ctx context.Context, addr string) (*link, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	l := &link{Conn: c, net: n, gone: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	l.dark = n.rand.IntN(4) == 0
	switch n.rand.IntN(4) {
	case 0: // within the handshake, or about CONNECT and the replay
		l.left.Store(int64(100 + n.rand.IntN(1500)))
	case 1: // enough for a client that has missed much
		l.left.Store(int64(20_000 + n.rand.IntN(200_000)))
	default:
		l.left.Store(int64(1000 + n.rand.IntN(20_000)))
	}
	return l, nil
}

// spend takes bytes off what the link may still carry, and returns how many it
// may.
func (l *link) spend(want int) int {
	if l.net.whole.Load() {
		return want
	}
	if left := l.left.Add(-int64(want)); left < 0 {
		return max(0, want+int(left))
	}
	return want
}

func (l *link) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if may := l.spend(n); may < n {
		l.cut()
		return may, net.ErrClosed
	}
	return n, err
}

func (l *link) Write(b []byte) (int, error) {
	select {
	case <-l.gone:
		return 0, net.ErrClosed
	default:
	}
	may := l.spend(len(b))
	n, err := l.Conn.Write(b[:may])
	if may < len(b) {
		l.cut()
		return n, net.ErrClosed
	}
	return n, err
}

// cut breaks the link: nothing more passes. In the dark the server still
// believes in it.
func (l *link) cut() { l.end(true) }

// Close is what the client does when it is through with the link.
func (l *link) Close() error {
	l.end(false)
	return nil
}

func (l *link) end(broken bool) {
	l.ended.Do(func() {
		close(l.gone)
		if broken {
			l.net.broken.Add(1)
		}
		if broken && l.dark {
			l.net.keep(l.Conn)
			_ = l.SetReadDeadline(time.Unix(1, 0)) // whoever reads gives up
			return
		}
		if tcp, ok := l.Conn.(*net.TCPConn); ok && broken {
			_ = tcp.SetLinger(0)
		}
		_ = l.Conn.Close()
	})
}

// keep holds a connection open that nobody uses any more.
func (n *network) keep(c net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.zombies = append(n.zombies, c)
	if len(n.zombies) > maxZombies {
		_ = n.zombies[0].Close()
		n.zombies = n.zombies[1:]
	}
}

// mend lets links live, and ends those that nobody uses.
func (n *network) mend() {
	n.whole.Store(true)
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.zombies {
		_ = c.Close()
	}
	n.zombies = nil
}
