package client

import (
	"context"
	"net"
	"sync"
)

// dialer opens TCP connections and remembers them, so that they can be cut.
type dialer struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu    sync.Mutex
	conns map[*trackedConn]struct{}
}

type trackedConn struct {
	net.Conn
	dialer *dialer
}

func (d *dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &trackedConn{Conn: conn, dialer: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns == nil {
		d.conns = make(map[*trackedConn]struct{})
	}
	d.conns[c] = struct{}{}
	return c, nil
}

func (c *trackedConn) Close() error {
	c.dialer.mu.Lock()
	delete(c.dialer.conns, c)
	c.dialer.mu.Unlock()
	return c.Conn.Close()
}

// cut calls end and resets all connections: nothing that waits is sent, and the
// peer gets an RST where the operating system can make one.
func (d *dialer) cut(end func()) {
	d.mu.Lock()
	conns := d.conns
	d.conns = nil
	d.mu.Unlock()
	for c := range conns {
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // without it the close is only less abrupt
		}
	}
	end() // first, so that nobody takes the loss for something to try again
	for c := range conns {
		_ = c.Conn.Close()
	}
}
