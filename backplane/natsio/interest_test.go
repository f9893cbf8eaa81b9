package natsio_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/natsio"
)

// TestInterest: what is for a room goes to the nodes with members of it and to
// no others, so of n nodes a part of 1-(1-1/n)^m gets it if m members are
// anywhere.
func TestInterest(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 3, 5} {
		for _, m := range []int{2, 10} {
			t.Run(fmt.Sprintf("%d members on %d nodes", m, n), func(t *testing.T) {
				t.Parallel()
				interest(t, n, m)
			})
		}
	}
}

func interest(t *testing.T, n, m int) {
	const rooms = 2000
	c := newCluster(t)
	dice := rand.New(rand.NewPCG(1, 2))
	nodes, heard := make([]*member, n), make([]atomic.Int64, n)
	for i := range nodes {
		nodes[i] = c.join(t, fmt.Sprint("node", i), func(cfg *natsio.Config) { cfg.Beat = time.Minute }) // beats are counted too
	}
	from, due := make([]int, rooms), make([]int64, n) // due to each: what others publish to its rooms
	for r := range rooms {
		from[r] = dice.IntN(n)
		at := make(map[int]bool)
		for range m {
			at[dice.IntN(n)] = true
		}
		for i := range at {
			subscribe(t, nodes[i], backplane.Room("/", fmt.Sprint("room ", r)), func(backplane.Delivery) { heard[i].Add(1) })
			if i != from[r] {
				due[i]++
			}
		}
	}
	c.meet(t)
	before := make([]uint64, n)
	for i, b := range nodes {
		before[i] = b.Stats().Received
	}
	for r, i := range from {
		publish(t, nodes[i], backplane.Room("/", fmt.Sprint("room ", r)), uint64(r))
	}
	for i, want := range due {
		until(t, func() bool { return heard[i].Load() >= want })
	}
	c.meet(t) // what comes later would be before its answers
	sum := 0.0
	for i, b := range nodes {
		sum += float64(b.Stats().Received - before[i])
		if got := heard[i].Load(); got != due[i] {
			t.Errorf("%s got %d events, want %d", b.ID(), got, due[i])
		}
	}
	// The publisher does not hear itself.
	share := sum / rooms / float64(n-1)
	want := 1 - math.Pow(1-1/float64(n), float64(m))
	if math.Abs(share-want) > want/10 {
		t.Errorf("another node gets %.3f of what is published, want %.3f", share, want)
	}
}
