package forward

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/siod-io/siod/transport"
)

// flood makes a node's sessions send more than all sockets on the way hold.
func flood(t *testing.T, n *testNode) {
	t.Helper()
	s := recv(t, n.app.opened, "the session")
	for range 40 {
		s.Send(transport.NewText(make([]byte, 1<<20)), 0, false)
	}
}

func patientHome(i int, o *options) {
	o.transport.Queue = transport.Queue{MaxBytes: 64 << 20}
	if i == 0 {
		o.transport.WriteTimeout = patience
	} else {
		o.forward.WriteTimeout = 500 * time.Millisecond
	}
}

// A client that does not take its answer is cut, and its home told.
func TestSlowPoll(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, patientHome)
	home, other := nodes[0], nodes[1]
	query := home.open("EIO=4")
	flood(t, home)
	conn, err := net.Dial("tcp", other.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /engine.io/?"+query+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	home.ends(transport.ReasonTransportError)
	eventually(t, "the request to end", func() bool { return other.fwd.Stats().Pending == 0 })
	// Nothing of the answer is held for it, beyond what sockets hold.
	_ = conn.SetDeadline(time.Now().Add(patience))
	if n, err := io.Copy(io.Discard, conn); n > 30<<20 {
		t.Errorf("the client got %d bytes, %v", n, err)
	}
}

// So is one that does not take what comes through its tunnel.
func TestSlowTunnel(t *testing.T) {
	t.Parallel()
	nodes := cluster(t, 2, patientHome)
	home, other := nodes[0], nodes[1]
	c := other.upgrade(home.open("EIO=4"))
	c.text("4x")
	c.expect("4x")
	flood(t, home)
	eventually(t, "the tunnel to end", func() bool { return tunnels(other) == 0 })
	if r := recv(t, home.app.closed, "the session to end"); r != transport.ReasonTransportError && r != transport.ReasonTransportClose {
		t.Errorf("the session ended for %q", r)
	}
}

// A home that holds a client down stops reading. The tunnel waits, and nothing
// is lost.
func TestHomePauses(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	nodes := cluster(t, 2, func(i int, o *options) {
		o.forward.WriteTimeout = 2 * time.Second // not for this direction; for the other one longer than a busy machine stands still
		o.hold = hold
		o.transport.Queue = transport.Queue{MaxBytes: 64 << 20}
	})
	c := nodes[1].upgrade(nodes[0].open("EIO=4"))
	message := frame(ws.OpText, "4"+string(make([]byte, 500_000)))
	const n = 60
	sent := make(chan error, 1)
	go func() {
		for range n {
			if _, err := c.conn.Write(message); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	select {
	case err := <-sent:
		t.Fatalf("the sockets on the way hold everything: %v", err)
	case <-time.After(4 * time.Second): // two of those time-outs
	}
	close(hold)
	for range n {
		if m, err := c.next(); err != nil || len(m.Data) != 500_001 {
			t.Fatalf("%d bytes, %v", len(m.Data), err)
		}
	}
	if err := recv(t, sent, "the last message to leave"); err != nil {
		t.Error(err)
	}
}
