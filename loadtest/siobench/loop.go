//go:build linux

package main

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// loop is the epoll loop over all connections.
type loop struct {
	ep    int
	conns []*conn
	buf   []byte
	evs   []syscall.EpollEvent
	on    func(c *conn, data []byte, now int64)
	lost  int
	reads int64
}

func newLoop(conns []*conn) (*loop, error) {
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	l := &loop{ep: ep, conns: conns, buf: make([]byte, 2*maxFrame), evs: make([]syscall.EpollEvent, 512)}
	for i, c := range conns {
		ev := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)}
		if err := syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, c.fd, &ev); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// poll handles what is ready, waiting up to wait for something to be.
func (l *loop) poll(wait time.Duration) error {
	// A first look without leaving the scheduler's hands, then a proper wait.
	r, _, e := syscall.RawSyscall6(syscall.SYS_EPOLL_WAIT, uintptr(l.ep), uintptr(unsafe.Pointer(&l.evs[0])), uintptr(len(l.evs)), 0, 0, 0)
	n := int(r)
	if e != 0 {
		n = 0
	}
	if n == 0 && wait > 0 {
		ms := int(wait / time.Millisecond)
		if ms == 0 {
			ms = 1
		}
		var err error
		n, err = syscall.EpollWait(l.ep, l.evs, ms)
		if err != nil && err != syscall.EINTR {
			return err
		}
	}
	for i := 0; i < n; i++ {
		c := l.conns[l.evs[i].Fd]
		if !c.dead {
			l.readConn(c)
		}
	}
	return nil
}

func (l *loop) readConn(c *conn) {
	off := copy(l.buf, c.carry)
	r, _, e := syscall.RawSyscall(syscall.SYS_READ, uintptr(c.fd), uintptr(unsafe.Pointer(&l.buf[off])), uintptr(len(l.buf)-off))
	if e == syscall.EAGAIN || e == syscall.EINTR {
		return
	}
	l.reads++
	if e != 0 || r == 0 {
		l.lose(c)
		return
	}
	now := nanotime()
	b := l.buf[:off+int(r)]
	c.carry = c.carry[:0]
	for {
		f, rest, ok, err := nextFrame(b)
		if err != nil {
			l.lose(c)
			return
		}
		if !ok {
			break
		}
		b = rest
		switch {
		case f.op == opClose:
			l.lose(c)
			return
		case cfg.dialect.isPing(f):
			_ = writeAll(c.fd, cfg.dialect.answer(f))
		default:
			l.on(c, f.data, now)
		}
	}
	if len(b) > 0 {
		c.carry = append(c.carry, b...)
	}
}

// close frees the loop; the connections stay with their owner.
func (l *loop) close() { syscall.Close(l.ep) }

func (l *loop) lose(c *conn) {
	c.dead = true
	l.lost++
	syscall.Close(c.fd)
}

// openMany opens n joined connections, cfg.conc at a time, spread over the
// nodes in turn.
func openMany(n int) ([]*conn, time.Duration, error) {
	conns := make([]*conn, n)
	var next, failed atomic.Int64
	var firstErr error
	var once sync.Once
	var wg sync.WaitGroup
	t0 := time.Now()
	for range cfg.conc {
		wg.Go(func() {
			for failed.Load() == 0 {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				c, err := open(i, i%len(cfg.addrs), true)
				if err != nil {
					failed.Add(1)
					once.Do(func() { firstErr = fmt.Errorf("connection %d: %w", i, err) })
					return
				}
				conns[i] = c
			}
		})
	}
	wg.Wait()
	return conns, time.Since(t0), firstErr
}

// closeAll ends what is still open.
func closeAll(conns []*conn) {
	for _, c := range conns {
		if c != nil && !c.dead {
			syscall.Close(c.fd)
		}
	}
}

var epoch = time.Now()

// nanotime is the generator's clock, which payloads carry.
func nanotime() int64 { return int64(time.Since(epoch)) }

func filler(n int) string { return strings.Repeat("x", n) }
