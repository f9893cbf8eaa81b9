package main

import (
	"context"
	"net/http"
	"sync"

	cws "github.com/coder/websocket"
	"github.com/gorilla/websocket"
	"github.com/lxzan/gws"
)

// The same server on complete WebSocket libraries, each used as its own
// documentation advises for broadcasts.

type cconn struct{ c *cws.Conn }

func coder() error {
	h := &hub[cconn]{}
	return http.ListenAndServe(*addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := cws.Accept(w, r, &cws.AcceptOptions{CompressionMode: cws.CompressionDisabled, InsecureSkipVerify: true})
		if err != nil {
			return
		}
		g := &cconn{c}
		defer h.del(g)
		defer c.CloseNow()
		ctx := context.Background()
		for {
			_, p, err := c.Read(ctx)
			if err != nil {
				return
			}
			if len(p) == 0 {
				continue
			}
			switch p[0] {
			case 'j':
				h.add(g)
				_ = c.Write(ctx, cws.MessageText, p)
			case 'e':
				_ = c.Write(ctx, cws.MessageText, p)
			case 'b':
				h.each(func(x *cconn) { _ = x.c.Write(ctx, cws.MessageText, p) })
			}
		}
	}))
}

type rconn struct {
	mu sync.Mutex
	c  *websocket.Conn
}

func gorilla() error {
	h := &hub[rconn]{}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }, WriteBufferPool: &sync.Pool{}}
	return http.ListenAndServe(*addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		g := &rconn{c: c}
		defer h.del(g)
		defer c.Close()
		for {
			_, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			if len(p) == 0 {
				continue
			}
			switch p[0] {
			case 'j':
				h.add(g)
				fallthrough
			case 'e':
				g.mu.Lock()
				_ = c.WriteMessage(websocket.TextMessage, p)
				g.mu.Unlock()
			case 'b':
				pm, _ := websocket.NewPreparedMessage(websocket.TextMessage, p)
				h.each(func(x *rconn) {
					x.mu.Lock()
					_ = x.c.WritePreparedMessage(pm)
					x.mu.Unlock()
				})
			}
		}
	}))
}

type ghandler struct {
	gws.BuiltinEventHandler
	h *hub[gws.Conn]
}

func (g *ghandler) OnClose(c *gws.Conn, err error) { g.h.del(c) }
func (g *ghandler) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	p := m.Bytes()
	if len(p) == 0 {
		return
	}
	switch p[0] {
	case 'j':
		g.h.add(c)
		_ = c.WriteMessage(gws.OpcodeText, p)
	case 'e':
		_ = c.WriteMessage(gws.OpcodeText, p)
	case 'b':
		b := gws.NewBroadcaster(gws.OpcodeText, append([]byte(nil), p...))
		g.h.each(func(x *gws.Conn) { _ = b.Broadcast(x) })
		_ = b.Close()
	}
}

func lxzan() error {
	h := &ghandler{h: &hub[gws.Conn]{}}
	s := gws.NewServer(h, &gws.ServerOption{})
	return s.Run(*addr)
}
