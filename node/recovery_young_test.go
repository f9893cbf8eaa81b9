package node_test

import (
	"errors"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

// add starts one more server on the hub.
func add(t testing.TB, hub *memory.Hub, group *static.Group, change func(*node.Config)) *member {
	t.Helper()
	bp, err := hub.Join(membership.NewID())
	must(t, err)
	self, err := group.Join(membership.Member{ID: bp.ID()})
	must(t, err)
	return &member{server: startOn(t, bp, self, change), hub: hub, group: group}
}

// A server that came after a client missed its events reads them from the log,
// and one that came too late for that says so.
func TestRecoveryOnYoungServer(t *testing.T) {
	t.Parallel()
	for name, kept := range map[string]time.Duration{"kept": time.Minute, "gone": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub, group := memory.NewHub(memory.Config{Window: kept}), static.NewGroup()
			old := add(t, hub, group, recovering)
			ctx := t.Context()
			conns := sockets(old.Of("/"))
			r := roam(t, old, "/")
			first := wait(t, conns, "a socket")
			must(t, errors.Join(first.Join("news"), old.To("news").Emit(ctx, "a")))
			r.sees("a")
			r.lose(first)
			must(t, errors.Join(
				old.To("news").Emit(ctx, "b"), old.To("others").Emit(ctx, "x"), old.Emit(ctx, "c"),
			))
			young := add(t, hub, group, recovering)
			must(t, old.To("news").Emit(ctx, "d"))
			r.goTo(young)
			r.back()
			if got := r.Recovered(); got != (kept > 0) {
				t.Fatalf("recovered: %v; refused: %v", got, young.Stats().NotRecovered)
			}
			if kept > 0 {
				r.sees("b", "c", "d")
			}
			must(t, young.Emit(ctx, "e"))
			r.sees("e")
		})
	}
}
