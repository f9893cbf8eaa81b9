package node_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

// stepped is a backplane whose log's clock stood elsewhere when some entries were
// stored.
type stepped struct {
	*memory.Backplane
	by map[uint64]time.Duration // by sequence
}

func (b stepped) Logs() []backplane.Log {
	return []backplane.Log{steppedLog{b.Backplane.Logs()[0], b.by}}
}

type steppedLog struct {
	backplane.Log
	by map[uint64]time.Duration
}

func (l steppedLog) Read(ctx context.Context, after, to uint64) iter.Seq2[backplane.Entry, error] {
	return func(yield func(backplane.Entry, error) bool) {
		for e, err := range l.Log.Read(ctx, after, to) {
			e.Stored = e.Stored.Add(l.by[e.Seq])
			if !yield(e, err) {
				return
			}
		}
	}
}

// The log's clock stepped back and forth while a client was away, so an entry
// looks too old to be kept and the one before it does not. A server that reads
// them from the log keeps none of what came before, rather than all but that one.
func TestRecoveryAcrossClockSteps(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		by        map[uint64]time.Duration
		recovered bool
	}{
		"steady":             {nil, true},
		"back for one entry": {map[uint64]time.Duration{2: -time.Hour}, false},
		"back, a little":     {map[uint64]time.Duration{2: -time.Second, 3: -2 * time.Second}, true},
		"forth for one":      {map[uint64]time.Duration{2: time.Hour}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub, group := memory.NewHub(memory.Config{Window: time.Minute}), static.NewGroup()
			old := add(t, hub, group, recovering)
			ctx := t.Context()
			conns := sockets(old.Of("/"))
			r := roam(t, old, "/")
			must(t, old.Emit(ctx, "a"))
			r.sees("a")
			r.lose(wait(t, conns, "a socket"))
			must(t, errors.Join(old.Emit(ctx, "b"), old.Emit(ctx, "c")))

			bp, err := hub.Join(membership.NewID())
			must(t, err)
			self, err := group.Join(membership.Member{ID: bp.ID()})
			must(t, err)
			young := &member{hub: hub, group: group, server: startOn(t, bp, self, func(cfg *node.Config) {
				recovering(cfg)
				cfg.Backplane = stepped{bp, tt.by}
			})}
			r.goTo(young)
			r.back()
			if r.Recovered() != tt.recovered {
				t.Errorf("recovered %v: %v", r.Recovered(), young.Stats().NotRecovered)
			}
			must(t, young.Emit(ctx, "end"))
			if tt.recovered {
				r.sees("b", "c")
			}
			r.sees("end")
		})
	}
}
