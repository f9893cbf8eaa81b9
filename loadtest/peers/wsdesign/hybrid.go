package main

import (
	"net"

	"github.com/gobwas/ws"
)

// hybrid: goroutine per connection for reading (net.Conn), raw write(2) for
// writing, with or without shard writers.
func hybrid(coalesce bool) error {
	ln, err := net.Listen("tcp4", *addr)
	if err != nil {
		return err
	}
	h := &hub[fconn]{}
	var shs []*shard
	if coalesce {
		for i := 0; i < max(*shards, 1); i++ {
			shs = append(shs, newShard())
		}
	}
	k := 0
	for {
		nc, err := ln.Accept()
		if err != nil {
			return err
		}
		k++
		id := k
		go func() {
			if _, err := ws.Upgrade(nc); err != nil {
				nc.Close()
				return
			}
			go serveHybrid(h, shs, nc, id)
		}()
	}
}

func serveHybrid(h *hub[fconn], shs []*shard, nc net.Conn, id int) {
	c := &fconn{slow: func(b []byte) { _, _ = nc.Write(b) }}
	rc, _ := nc.(*net.TCPConn).SyscallConn()
	_ = rc.Control(func(f uintptr) { c.fd = int(f) })
	joined := false
	defer func() {
		if shs != nil {
			shs[id%len(shs)].del(c)
		} else if joined {
			h.del(c)
		}
		c.mu.Lock()
		c.closed = true
		nc.Close()
		c.mu.Unlock()
	}()
	for {
		hd, err := ws.ReadHeader(nc)
		if err != nil {
			return
		}
		p := make([]byte, hd.Length)
		if _, err := readFull(nc, p); err != nil {
			return
		}
		ws.Cipher(p, hd.Mask, 0)
		if hd.OpCode == ws.OpClose || len(p) == 0 {
			return
		}
		f := compile(p)
		switch p[0] {
		case 'j':
			joined = true
			c.write(f)
			if shs != nil {
				shs[id%len(shs)].add(c)
			} else {
				h.add(c)
			}
		case 'e':
			c.write(f)
		case 'b':
			if shs != nil {
				for _, s := range shs {
					s.post(f)
				}
			} else {
				h.each(func(x *fconn) { x.write(f) })
			}
		}
	}
}
