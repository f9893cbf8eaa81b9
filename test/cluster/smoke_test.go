package cluster

import (
	"testing"

	"github.com/siod-io/siod/test/internal/nodejs"
)

// rows of smoke.mjs, written down apart from it so that none goes missing.
const smokeRows = 5 * 3

// TestSmoke is the newest client on every transport: what one says on one node
// comes to all on the others, with NATS inside the nodes and outside.
func TestSmoke(t *testing.T) {
	t.Parallel()
	nodejs.Setup(t, "interop")
	nodejs.Setup(t, "balancers")
	for name, servers := range map[string]int{"inside": 0, "outside": 1} {
		t.Run(name, func(t *testing.T) {
			nodes := threeWith(t, servers, append(heartbeat, "--recovery")...)
			for _, b := range balancers {
				t.Run(b.name, func(t *testing.T) {
					counts := nodejs.Run(t, "smoke.mjs", b.start(t, nodes))
					if counts.Cells != smokeRows || counts.Skipped != 0 {
						t.Errorf("rows run = %d, skipped = %d; want %d and 0", counts.Cells, counts.Skipped, smokeRows)
					}
				})
			}
			spread(t, nodes)
		})
	}
}
