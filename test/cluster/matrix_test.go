package cluster

import (
	"testing"

	"github.com/siod-io/siod/test/internal/nodejs"
)

// cells of the matrix: nine clients on three transports with the rows of all,
// and two of the clients with five more (test/interop TestMatrix lists them).
const cells = 9*3*12 + 2*3*5

// TestMatrix is the whole matrix of test/interop, with a balancer where a server
// was. That its rows can fail is shown there. With -nats 1 or 3 it runs on NATS
// servers outside.
func TestMatrix(t *testing.T) {
	t.Parallel()
	nodejs.Setup(t, "interop")
	nodejs.Setup(t, "balancers")
	plain := threeWith(t, *outside, append(heartbeat, "--recovery=false")...)
	recovering := threeWith(t, *outside, append(heartbeat, "--recovery")...)
	t.Run("behind", func(t *testing.T) { // all at once: clients mostly wait
		for _, b := range balancers {
			t.Run(b.name, func(t *testing.T) {
				t.Parallel()
				counts := nodejs.Run(t, "../interop/run.mjs", "--jobs", "4", "--out", "../../artifacts/cluster-"+b.name+".json",
					"--server", "plain="+b.start(t, plain), "--server", "recovery="+b.start(t, recovering))
				if counts.Cells != cells || counts.Skipped != 0 {
					t.Errorf("cells run = %d, skipped = %d; want %d and 0", counts.Cells, counts.Skipped, cells)
				}
			})
		}
	})
	spread(t, plain)
	spread(t, recovering)
}
