package gossip

import (
	"errors"
	"net"
	"sync"
)

var errStreamTooLong = errors.New("gossip: the peer sent too much")

// stream is a TCP connection to or from another node.
type stream struct {
	net.Conn
	of    *sockets
	slots <-chan struct{} // nil if this node dialled
	left  int             // bytes that may still be read; one goroutine reads
	once  sync.Once
}

// Read implements net.Conn. It fails after maxStreamBytes.
func (c *stream) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, errStreamTooLong
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// Write implements net.Conn. The connection is closed on an error: memberlist
// forgets to, where it writes the label.
func (c *stream) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		_ = c.Close() // the error of the write says more
	}
	return n, err
}

// Close implements net.Conn.
func (c *stream) Close() error {
	c.once.Do(func() {
		c.of.mu.Lock()
		delete(c.of.open, c)
		if c.slots != nil {
			<-c.slots
			c.of.wakeIdle()
		}
		c.of.mu.Unlock()
	})
	return c.Conn.Close()
}
