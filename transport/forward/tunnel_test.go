package forward

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/siod-io/siod/internal/wsframe"
	"github.com/siod-io/siod/transport"
)

func tunnels(n *testNode) int { return n.fwd.Stats().Tunnels }

// A session may upgrade at any node, while its poll waits at another.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 3, nil)
	for _, rev := range []string{"3", "4"} {
		for i, home := range nodes {
			query := home.open("EIO=" + rev)
			x := recv(t, home.app.opened, "the session")
			poll := nodes[(i+1)%3].later(t.Context(), "GET", query, "")
			eventually(t, "the poll to arrive", func() bool { return nodes[(i+1)%3].fwd.Stats().Pending == 1 })
			other := nodes[(i+2)%3]
			c := other.dial(query)
			c.text("2probe")
			c.expect("3probe")
			if a := recv(t, poll, "the poll"); a.body != record(rev, "6") {
				t.Errorf("the poll that waited got %q", a.body)
			}
			x.Send(transport.NewText([]byte("before")), 0, false)
			c.text("5")
			c.expect("4before")
			for _, text := range []string{"4hello", "4" + strings.Repeat("large ", 100_000), "4bye"} {
				c.text(text)
				c.expect(text)
			}
			if a := other.do("GET", query, ""); a.status != 400 || a.body != `{"code":3,"message":"Bad request"}` {
				t.Errorf("a poll after the upgrade: %d %s", a.status, a.body)
			}
			if i == 0 { // the home ends it
				x.Close(transport.ReasonForcedClose)
				c.closes(1005)
				c.over()
				home.ends(transport.ReasonForcedClose)
			} else {
				c.write(frame(ws.OpClose, "\x03\xe8"))
				if m, err := c.next(); err != nil || m.Kind != wsframe.Close || m.Code != 1000 {
					t.Errorf("the close frame was answered with %v %d %v", m.Kind, m.Code, err)
				}
				c.over()
				home.ends(transport.ReasonTransportClose)
			}
			_ = c.conn.Close()
			eventually(t, "the tunnel to end", func() bool { return tunnels(other) == 0 })
		}
	}
}

// What comes together with the handshake goes through first.
func TestEarlyFrames(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, nil)
	query := nodes[0].open("EIO=4")
	early := append(append(frame(ws.OpText, "2probe"), frame(ws.OpText, "5")...), frame(ws.OpText, "4early")...)
	c := nodes[1].knock(early, query)
	c.expect("3probe")
	c.expect("4early")
}

// Extensions and subprotocols are agreed upon with the home.
func TestTunnelNegotiates(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, func(_ int, o *options) {
		o.transport.PerMessageDeflate.Enabled = true
		o.transport.Subprotocols = []string{"chat"}
	})
	query := nodes[0].open("EIO=4")
	c := nodes[1].dial(query, "Sec-WebSocket-Extensions", "permessage-deflate; client_no_context_takeover", "Sec-WebSocket-Protocol", "talk, chat")
	h := c.accept.Header
	if !strings.HasPrefix(h.Get("Sec-WebSocket-Extensions"), "permessage-deflate") || h.Get("Sec-WebSocket-Protocol") != "chat" {
		t.Errorf("%v", h)
	}
	for k := range h {
		if ours(k) {
			t.Errorf("the client was told %s", k)
		}
	}
	c.text("2probe")
	c.expect("3probe")
	c.text("5")
	c.text("4" + strings.Repeat("deflated ", 1000))
	c.expect("4" + strings.Repeat("deflated ", 1000))
}

// A second WebSocket is accepted and closed, as at the home.
func TestSecondUpgrade(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 3, nil)
	query := nodes[0].open("EIO=4")
	c := nodes[1].upgrade(query)
	again := nodes[2].dial(query)
	again.closes(1005)
	again.over()
	c.text("4unharmed")
	c.expect("4unharmed")
}

// An upgrade that is refused is refused in the home's words, and its session
// lives on.
func TestUpgradeRefused(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, func(_ int, o *options) { o.transport.DisableUpgrades = true })
	query := nodes[0].open("EIO=4")
	for _, n := range nodes {
		c := n.knock(nil, query)
		var b bytes.Buffer
		_, _ = b.ReadFrom(c.accept.Body)
		if c.accept.StatusCode != 400 || b.String() != `{"code":3,"message":"Bad request"}` || !c.accept.Close {
			t.Errorf("at %s: %s %s %v", n.name, c.accept.Status, &b, c.accept.Header)
		}
		c.over()
	}
	nodes[1].posts(query, "4alive")
	nodes[1].polls(query, "4alive")
	if n := tunnels(nodes[1]); n != 0 {
		t.Errorf("%d tunnels", n)
	}
}

func TestMaxTunnels(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, func(_ int, o *options) { o.forward.MaxTunnels = 1 })
	first, second := nodes[0].open("EIO=4"), nodes[0].open("EIO=4")
	c := nodes[1].upgrade(first)
	k := nodes[1].knock(nil, second)
	if k.accept.StatusCode != http.StatusServiceUnavailable || k.accept.Header.Get("Retry-After") == "" {
		t.Errorf("the second: %s %v", k.accept.Status, k.accept.Header)
	}
	nodes[1].sent(Full, 1)
	nodes[1].posts(second, "4polls on")
	nodes[1].polls(second, "4polls on")
	_ = c.conn.Close()
	eventually(t, "the first to end", func() bool { return tunnels(nodes[1]) == 0 })
	nodes[1].upgrade(second)
}

// Either end's connection ends the other's.
func TestTunnelEnds(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, nil)
	home, other := nodes[0], nodes[1]
	c := other.upgrade(home.open("EIO=4"))
	_ = c.conn.Close()
	home.ends(transport.ReasonTransportClose)
	eventually(t, "the tunnel to end", func() bool { return tunnels(other) == 0 })

	query := home.open("EIO=4")
	c = other.upgrade(query)
	c.text("4here")
	c.expect("4here")
	home.engine.Session(sidOfQuery(query)).Abort(transport.ReasonForcedClose)
	home.ends(transport.ReasonForcedClose)
	c.closes(1005)
	c.over()
	// The client leaves its side open; the tunnel ends all the same.
	eventually(t, "the tunnel to end", func() bool { return tunnels(other) == 0 })
}

// A client that breaks the framing is told so, and the connection closed.
func TestTunnelViolation(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, nil)
	c := nodes[1].upgrade(nodes[0].open("EIO=4"))
	c.write([]byte{0xff, 0xff, 0xff})
	c.closes(1002)
	_ = c.conn.Close()
	eventually(t, "the tunnel to end", func() bool { return tunnels(nodes[1]) == 0 })
}

func sidOfQuery(query string) string {
	_, sid, _ := strings.Cut(query, "sid=")
	return sid
}
