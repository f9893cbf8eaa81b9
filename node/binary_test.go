package node_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/node"
)

// speaking connects a client with a parser.
func (s *server) speaking(t testing.TB, parser client.Parser) *peer {
	t.Helper()
	p := newPeer(t, s.dial(t, func(c *client.Config) { c.Parser = parser }), "/", nil)
	must(t, p.Connect(t.Context()))
	return p
}

// Binary arguments that a handler keeps do not change when the client's next
// packets come, whether they lie in a packet of their own or, with msgpack, in
// the middle of one.
func TestKeptBinaryStays(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	type kept struct {
		n        int
		decoded  []byte
		attached [][]byte
	}
	const n = 100
	all := make(chan kept, n)
	srv.Of("/").OnEvent("keep", func(_ context.Context, e *node.Event) error {
		var k kept
		if err := e.Decode(&k.n, &k.decoded); err != nil {
			return err
		}
		k.attached = e.Args.Attachments()
		all <- k
		return e.Ack()
	})
	for _, parser := range []client.Parser{client.JSON, client.MessagePack} {
		p := srv.speaking(t, parser)
		for i := range n {
			ask[any](p, "keep", i, bytesOf(i)) // each before the next is sent
		}
		for range n {
			k := wait(t, all, "what was kept")
			if len(k.attached) != 1 || !bytes.Equal(k.decoded, bytesOf(k.n)) || !bytes.Equal(k.attached[0], bytesOf(k.n)) {
				t.Fatalf("event %d: decoded %x…, attached %x…", k.n, k.decoded[:8], k.attached[0][:8])
			}
		}
	}
}

// The same for what recovery keeps: an event that a client of msgpack had
// relayed is repeated as it was.
func TestReplayOfBinaryStays(t *testing.T) {
	t.Parallel()
	srv := start(t, recovering)
	ns := srv.Of("/")
	ns.OnEvent("relay", func(ctx context.Context, e *node.Event) error {
		if err := ns.Broadcast().EmitArgs(ctx, "relayed", e.Args); err != nil {
			return err
		}
		return e.Ack()
	})
	away := srv.connect(t, "/", nil)
	s, _ := ns.Socket(away.ID())
	sender := srv.speaking(t, client.MessagePack)
	away.lose(s)
	const n = 50
	for i := range n {
		ask[any](sender, "relay", i, bytesOf(i))
	}
	away.back()
	if !away.Recovered() {
		t.Fatal("not recovered")
	}
	for i := range n {
		e := wait(t, away.events, "the replay")
		var k int
		var b []byte
		must(t, e.Decode(&k, &b))
		if k != i || !bytes.Equal(b, bytesOf(i)) {
			t.Fatalf("event %d: %d %x…", i, k, b[:8])
		}
	}
}
