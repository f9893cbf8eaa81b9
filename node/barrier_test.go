package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

// A server that joins its sockets to a new room names those that may emit past
// it, also to a server that knows nothing of them.
func TestJoinNamesWhomOthersDidNotHear(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]memory.Config{"plain": {}, "journal": {Sessions: time.Minute, Window: time.Minute}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var change func(*node.Config)
			if cfg.Sessions > 0 {
				change = recovering
			}
			hub, wide, near := memory.NewHub(cfg), static.NewGroup(), static.NewGroup()
			has := add(t, hub, wide, change)
			_, err := near.Join(membership.Member{ID: has.ID()})
			must(t, err)
			asks := add(t, hub, near, change)
			silent := add(t, hub, wide, change)
			away := add(t, memory.NewHub(cfg), wide, change)
			conns := sockets(has.Of("/"))
			p := has.connect(t, "/", nil)
			wait(t, conns, "a socket")
			silent.freeze(t)

			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			got := make(map[string]string)
			for _, f := range partial(t, asks.To(p.ID()).SocketsJoin(ctx, "room")).FailedNodes {
				got[f.Node] = f.Reason
			}
			if diff := cmp.Diff(map[string]string{silent.ID(): "timeout", away.ID(): "unreachable"}, got); diff != "" {
				t.Errorf("named (-want +got)\n%s", diff)
			}
			must(t, asks.To(p.ID()).SocketsJoin(t.Context(), "room")) // not new: nobody is waited for
		})
	}
}
