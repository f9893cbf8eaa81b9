package main

import (
	"sync"
	"syscall"
	"unsafe"
)

// Inbox-drain coalescing. Each shard owns a slice of the connections and one
// writer goroutine. A broadcast is one append to each shard's inbox. The
// writer takes everything in the inbox at once, joins the frames (they are the
// same bytes for every member of the room) and does one write(2) for each
// connection: one message under light load, many under heavy load.
type shard struct {
	mu    sync.Mutex
	inbox [][]byte
	spare [][]byte
	wake  chan struct{}
	cmu   sync.Mutex
	conns []*fconn
	batch []byte
}

type fconn struct {
	mu     sync.Mutex
	fd     int
	closed bool
	tail   []byte
	slow   func(b []byte) // called with the unsent rest
}

func newShard() *shard {
	s := &shard{wake: make(chan struct{}, 1)}
	go s.run()
	return s
}

func (s *shard) post(f []byte) {
	s.mu.Lock()
	s.inbox = append(s.inbox, f)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *shard) add(c *fconn) { s.cmu.Lock(); s.conns = append(s.conns, c); s.cmu.Unlock() }
func (s *shard) del(c *fconn) {
	s.cmu.Lock()
	for i, x := range s.conns {
		if x == c {
			s.conns[i] = s.conns[len(s.conns)-1]
			s.conns = s.conns[:len(s.conns)-1]
			break
		}
	}
	s.cmu.Unlock()
}

func (s *shard) run() {
	for range s.wake {
		for {
			s.mu.Lock()
			in := s.inbox
			s.inbox, s.spare = s.spare[:0], in
			s.mu.Unlock()
			if len(in) == 0 {
				break
			}
			out := in[0]
			if len(in) > 1 {
				s.batch = s.batch[:0]
				for _, f := range in {
					s.batch = append(s.batch, f...)
				}
				out = s.batch
			}
			s.cmu.Lock()
			l := s.conns
			s.cmu.Unlock()
			for _, c := range l {
				c.write(out)
			}
		}
	}
}

func (c *fconn) write(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	if len(c.tail) > 0 {
		if len(c.tail) < 1<<20 {
			c.tail = append(c.tail, b...)
		}
		return
	}
	n, _, e := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(c.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if e != 0 {
		n = 0
	}
	if int(n) < len(b) && (e == 0 || e == syscall.EAGAIN) {
		c.tail = append(c.tail, b[n:]...)
		go c.drain()
	}
}

func (c *fconn) drain() { // slow consumer: blocks in Go's own poller
	for {
		c.mu.Lock()
		b := append([]byte(nil), c.tail...)
		c.mu.Unlock()
		c.slow(b)
		c.mu.Lock()
		c.tail = c.tail[len(b):]
		if len(c.tail) == 0 || c.closed {
			c.tail = nil
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
	}
}
