package natsio_test

import (
	"errors"
	"net"
	"sync"

	"github.com/nats-io/nats.go"
)

// cable is what the connections of one node run through: it can be frozen, as
// the process behind it would be, or cut.
type cable struct {
	server nats.InProcessConnProvider

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when one of the next two changes
	frozen  bool
	cut     bool
	dialled chan struct{} // closed when somebody waits for slow
	slow    chan struct{} // new connections wait until it is closed; nil: they do not
	conns   map[net.Conn]struct{}
	pumps   sync.WaitGroup
}

func newCable(server nats.InProcessConnProvider) *cable {
	return &cable{server: server, changed: make(chan struct{}), conns: make(map[net.Conn]struct{})}
}

var errCut = errors.New("the cable is cut")

// InProcessConn implements nats.InProcessConnProvider.
func (c *cable) InProcessConn() (net.Conn, error) {
	c.mu.Lock()
	if slow := c.slow; slow != nil {
		select {
		case <-c.dialled:
		default:
			close(c.dialled)
		}
		c.mu.Unlock()
		<-slow
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	if c.cut {
		return nil, errCut
	}
	far, err := c.server.InProcessConn()
	if err != nil {
		return nil, err
	}
	near, client := net.Pipe()
	c.conns[far], c.conns[near] = struct{}{}, struct{}{}
	c.pumps.Go(func() { c.pump(near, far) })
	c.pumps.Go(func() { c.pump(far, near) })
	return client, nil
}

// pump copies what src gives to dst. Like the buffers of a system it takes what
// comes while it is frozen.
func (c *cable) pump(src, dst net.Conn) {
	chunks := make(chan []byte, 4096)
	c.pumps.Go(func() {
		defer func() { _ = src.Close() }()
		for chunk := range chunks {
			c.thawed()
			if _, err := dst.Write(chunk); err != nil {
				break
			}
		}
		_ = dst.Close()
		_ = src.Close() // ends the reader below
		for range chunks {
		}
	})
	defer close(chunks)
	for {
		buf := make([]byte, 32<<10)
		n, err := src.Read(buf)
		if n > 0 {
			chunks <- buf[:n]
		}
		if err != nil {
			c.mu.Lock()
			delete(c.conns, src)
			c.mu.Unlock()
			return
		}
	}
}

// thawed returns when the cable is not frozen, or is cut.
func (c *cable) thawed() {
	for {
		c.mu.Lock()
		stop, changed := c.frozen && !c.cut, c.changed
		c.mu.Unlock()
		if !stop {
			return
		}
		<-changed
	}
}

func (c *cable) freeze(frozen bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozen = frozen
	c.notify()
}

// sever cuts the cable: connections break, what was in it is gone, and no new
// ones are made until it is mended.
func (c *cable) sever() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	for conn := range c.conns {
		_ = conn.Close()
	}
	c.notify()
}

func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = false
	c.notify()
}

// slowDown has new connections wait. It returns a channel that is closed when
// one does, and what ends it.
func (c *cable) slowDown() (dialled <-chan struct{}, end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dialled, c.slow = make(chan struct{}), make(chan struct{})
	slow := c.slow
	return c.dialled, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.slow = nil
		close(slow)
	}
}

func (c *cable) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *cable) isFrozen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frozen
}
