package natsio_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxy is what the routes to a server run through: it can break them.
type proxy struct {
	l      net.Listener
	target string
	wg     sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l, target: target, conns: make(map[net.Conn]struct{})}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.sever(true)
		p.wg.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.l.Addr().String() }

// sever breaks all connections, and refuses others, or allows them again.
func (p *proxy) sever(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *proxy) accept() {
	for {
		near, err := p.l.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.connect(near) })
	}
}

func (p *proxy) connect(near net.Conn) {
	defer func() { _ = near.Close() }()
	p.mu.Lock()
	cut := p.cut
	p.mu.Unlock()
	if cut {
		return
	}
	far, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	p.mu.Lock()
	p.conns[near], p.conns[far] = struct{}{}, struct{}{}
	cut = p.cut
	p.mu.Unlock()
	if !cut {
		p.wg.Go(func() {
			_, _ = io.Copy(far, near)
			_ = far.Close()
			_ = near.Close()
		})
		_, _ = io.Copy(near, far)
	}
	p.mu.Lock()
	delete(p.conns, near)
	delete(p.conns, far)
	p.mu.Unlock()
}
