package recovery

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
)

// relay listens for a client of another process, carries its bytes on links,
// and returns its URL. A connection that opens a session of the transport goes
// to any server, those that belong to the session follow it.
func (w *world) relay(p *peer) string {
	w.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	r := &relay{w: w, p: p, open: make(map[net.Conn]struct{})}
	r.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if r.note(c) {
				r.wg.Go(func() { r.carry(c) })
			}
		}
	})
	w.t.Cleanup(func() {
		_ = ln.Close()
		r.close()
		r.wg.Wait()
	})
	return "http://" + ln.Addr().String()
}

type relay struct {
	w  *world
	p  *peer
	wg sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]struct{} // nil when it is closed
}

// note keeps a connection for close. It reports false, and closes it, if that
// has been called.
func (r *relay) note(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		_ = c.Close()
		return false
	}
	r.open[c] = struct{}{}
	return true
}

func (r *relay) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		_ = c.Close()
	}
	r.open = nil
}

// carry takes one connection of the client.
func (r *relay) carry(c net.Conn) {
	defer func() {
		_ = c.Close()
		r.mu.Lock()
		delete(r.open, c)
		r.mu.Unlock()
	}()
	request, opens, err := requestLine(c)
	if err != nil {
		return
	}
	if opens {
		r.p.wander(r.w)
	}
	l, err := r.w.net.dial(r.w.t.Context(), *r.p.addr.Load())
	if err != nil || !r.note(l) {
		return
	}
	r.p.on(l)
	var back sync.WaitGroup
	back.Go(func() {
		_, err := io.Copy(c, l)
		if errors.Is(err, net.ErrClosed) {
			hangUp(c)
		}
		_ = c.Close()
	})
	if _, err := l.Write(request); err == nil {
		_, err = io.Copy(l, c)
		if errors.Is(err, net.ErrClosed) {
			hangUp(c)
		}
	}
	_ = l.Close()
	_ = c.Close()
	back.Wait()
	r.mu.Lock()
	delete(r.open, l)
	r.mu.Unlock()
}

// hangUp lets the client see an error when c is closed, not an end.
func hangUp(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// requestLine reads the beginning of an HTTP request, and reports whether it
// opens a session.
func requestLine(c net.Conn) (read []byte, opens bool, err error) {
	buf := make([]byte, 4096)
	n := 0
	for !bytes.Contains(buf[:n], []byte("\r\n")) {
		if n == len(buf) {
			return nil, false, errors.New("long request line")
		}
		m, err := c.Read(buf[n:])
		if n += m; err != nil {
			return nil, false, err
		}
	}
	line, _, _ := strings.Cut(string(buf[:n]), "\r\n")
	return buf[:n], !strings.Contains(line, "sid="), nil
}
