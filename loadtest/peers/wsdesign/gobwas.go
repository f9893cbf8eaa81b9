package main

import (
	"net"
	"net/http"

	"github.com/gobwas/ws"
)

// gconn is a connection of the plain design: one goroutine reads, and writes go
// straight to net.Conn, or with a queue through a goroutine of the connection.
type gconn struct {
	c net.Conn
	q chan []byte
}

func (g *gconn) write(b []byte) {
	if g.q != nil {
		select {
		case g.q <- b:
		default:
		}
		return
	}
	_, _ = g.c.Write(b)
}

func (g *gconn) pump() {
	var iov net.Buffers
	for b := range g.q {
		iov = append(iov[:0], b)
	drain:
		for len(iov) < 32 {
			select {
			case b, ok := <-g.q:
				if !ok {
					break drain
				}
				iov = append(iov, b)
			default:
				break drain
			}
		}
		if len(iov) == 1 {
			_, _ = g.c.Write(iov[0])
		} else {
			v := iov
			_, _ = v.WriteTo(g.c)
		}
	}
}

func serveGobwas(h *hub[gconn], g *gconn) {
	defer g.c.Close()
	defer h.del(g)
	for {
		hd, err := ws.ReadHeader(g.c)
		if err != nil {
			return
		}
		p := make([]byte, hd.Length)
		if _, err := readFull(g.c, p); err != nil {
			return
		}
		if hd.Masked {
			ws.Cipher(p, hd.Mask, 0)
		}
		if hd.OpCode == ws.OpClose {
			return
		}
		if len(p) == 0 {
			continue
		}
		switch p[0] {
		case 'j':
			h.add(g)
			f, _ := ws.CompileFrame(ws.NewTextFrame(p))
			g.write(f)
		case 'e':
			f, _ := ws.CompileFrame(ws.NewTextFrame(p))
			g.write(f)
		case 'b':
			f, _ := ws.CompileFrame(ws.NewTextFrame(p))
			h.each(func(c *gconn) { c.write(f) })
		}
	}
}

func readFull(r net.Conn, p []byte) (int, error) {
	n := 0
	for n < len(p) {
		k, err := r.Read(p[n:])
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func gobwas(queue bool) error {
	ln, err := net.Listen("tcp4", *addr)
	if err != nil {
		return err
	}
	h := &hub[gconn]{}
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			if _, err := ws.Upgrade(c); err != nil {
				c.Close()
				return
			}
			g := &gconn{c: c}
			if queue {
				g.q = make(chan []byte, *bufq)
				go g.pump()
			}
			serveGobwas(h, g)
		}()
	}
}

// gobwashttp is the same behind net/http, by hijacking the connection.
func gobwashttp() error {
	h := &hub[gconn]{}
	return http.ListenAndServe(*addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return
		}
		go serveGobwas(h, &gconn{c: c}) // new goroutine: the handler's stack and buffers are let go
	}))
}
