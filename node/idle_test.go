package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"

	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/protocol"
)

// A client that only asks for namespaces that do not exist is in none, however
// often it asks, and however long a function takes to say so.
func TestConnectTimeoutOfUnknown(t *testing.T) {
	t.Parallel()
	timeouts := func(srv *server) {
		t.Helper()
		until(t, func() bool { return srv.Stats().ConnectTimeouts == 1 })
	}
	brief := func(c *node.Config) { c.ConnectTimeout = 500 * time.Millisecond }

	srv := start(t, brief)
	r := srv.raw(t, "4", "")
	begin := time.Now()
	_ = r.conn.SetDeadline(begin.Add(patience))
	for {
		if wsutil.WriteClientText(r.conn, []byte("40/unknown,")) != nil {
			break
		}
		if _, err := wsutil.ReadServerText(r); err != nil {
			break
		}
	}
	if time.Since(begin) >= patience {
		t.Fatalf("connected for %v", patience)
	}
	timeouts(srv)

	srv = start(t, brief)
	asked, answer := make(chan struct{}), make(chan struct{})
	defer close(answer)
	srv.OfFunc(func(context.Context, string, protocol.Args) (bool, error) {
		asked <- struct{}{}
		<-answer
		return false, nil
	})
	r = srv.raw(t, "4", "")
	r.send("40")
	r.expectPrefix("40{")
	r.send("40/slow,")
	wait(t, asked, "the function")
	r.send("41") // now it is only on its way to what may not exist
	timeouts(srv)
	r.closed()
}

// A client that takes its CONNECT back while a function decides is in no
// namespace, also if the function then says that the namespace exists.
func TestConnectTimeoutAfterWithdrawal(t *testing.T) {
	t.Parallel()
	srv := start(t, func(c *node.Config) { c.ConnectTimeout = 500 * time.Millisecond })
	asked, answer := make(chan struct{}), make(chan struct{})
	srv.OfFunc(func(ctx context.Context, _ string, _ protocol.Args) (bool, error) {
		asked <- struct{}{}
		<-ctx.Done()
		close(answer)
		return true, nil
	})
	r := srv.raw(t, "4", "")
	r.send("40/slow,")
	wait(t, asked, "the function")
	r.send("41/slow,")
	closed(t, answer, "the function's end")
	r.closed()
	until(t, func() bool { return srv.Stats().ConnectTimeouts == 1 })
}
