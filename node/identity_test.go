package node_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/internal/testlog"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/node"
)

// Ids name their server, and the secret id of the session is not the public one
// (R2).
func TestIDs(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	srv.Of("/b")
	c := srv.dial(t)
	a, b := newPeer(t, c, "/", nil), newPeer(t, c, "/b", nil)
	must(t, a.Connect(t.Context()))
	must(t, b.Connect(t.Context()))
	seen := make(map[string]bool)
	for _, id := range []string{a.ID(), b.ID(), c.SID()} {
		if seen[id] {
			t.Errorf("%q twice", id)
		}
		seen[id] = true
		if backplane.HomeOf(id) != membership.Token(srv.ID()) || len(id) < 6+20 {
			t.Errorf("id %q of a server with the token %q", id, membership.Token(srv.ID()))
		}
	}
}

// Handlers and rooms of one namespace are none of another's, whatever their
// names.
func TestNamespacesAreSeparate(t *testing.T) {
	t.Parallel()
	srv := start(t, nil)
	c := srv.dial(t)
	var peers []*peer
	for _, name := range []string{"/a", "/b"} {
		ns := srv.Of(name)
		ns.OnConnect(func(_ context.Context, s *node.Socket) error { return s.Join("room") })
		node.Handle(ns, "who", func(_ context.Context, s *node.Socket, _ node.None) (string, error) {
			return fmt.Sprint(name, len(s.Rooms())), nil
		})
		p := newPeer(t, c, name, nil)
		must(t, p.Connect(t.Context()))
		peers = append(peers, p)
	}
	srv.Of("/a").OnEvent("only a", func(_ context.Context, e *node.Event) error { return e.Ack("a") })
	srv.Of("/b").OnUnhandled(func(_ context.Context, e *node.Event) error { return e.Ack("nobody") })
	ctx := t.Context()
	for i, name := range []string{"/a", "/b"} {
		if got := ask[string](peers[i], "who"); got != name+"2" {
			t.Errorf("%s: %s", name, got)
		}
		must(t, srv.Of(name).To("room").Emit(ctx, "in", name))
	}
	for i, want := range []string{"a", "nobody"} {
		if got := ask[string](peers[i], "only a"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	must(t, srv.Of("/a").CloseRoom(ctx, "room"))
	must(t, srv.Of("/b").To("room").Emit(ctx, "still in"))
	peers[0].expect(`in "/a"`)
	peers[1].expect(`in "/b"`, "still in")
	peers[0].none(srv, "end")
}

// Config.Logger is told what operators should know, of the transport too unless
// that has a logger of its own.
func TestLogger(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{false, true} {
		var log, transportLog testlog.Buffer
		srv := start(t, func(c *node.Config) {
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			if own {
				c.Transport.Logger = slog.New(slog.NewTextHandler(&transportLog, nil))
			}
		})
		srv.Of("/").OnEvent("boom", func(context.Context, *node.Event) error { panic("as planned") })
		srv.Of("/").OnEvent("fail", func(context.Context, *node.Event) error { return fmt.Errorf("no %s", "luck") })
		p := srv.connect(t, "/", nil)
		ask[any](p, "boom")
		ask[any](p, "fail")
		for _, want := range []string{"level=ERROR", "as planned", "event=boom", "sid=" + p.ID(), "no luck"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%q is not in the log:\n%s", want, &log)
			}
		}
		if strings.Contains(log.String(), p.client.SID()) {
			t.Error("the session's secret id is in the log")
		}
		node.TransportLogger(srv.Server).Error("from below")
		if got := strings.Contains(log.String(), "from below"); got == own {
			t.Errorf("with a logger of its own (%t) the transport wrote to the server's: %t", own, got)
		}
	}
}
