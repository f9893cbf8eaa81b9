package cluster

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/siod-io/siod/test/internal/natsserver"
	"github.com/siod-io/siod/test/internal/nodejs"
	"github.com/siod-io/siod/test/internal/target"
)

// TestExternalStops stops all NATS servers for a while. Nodes say that they are
// not ready, clients stay or come back, and what was acknowledged comes.
func TestExternalStops(t *testing.T) {
	t.Parallel()
	nodejs.Setup(t, "balancers")
	program := natsserver.Build(t)
	for _, servers := range []int{1, 3} {
		t.Run(strconv.Itoa(servers), func(t *testing.T) {
			t.Parallel()
			outside := natsserver.Start(t, program, natsserver.Loopback(t, servers)...)
			nodes := threeOn(t, outside, "--app", "interop", "--recovery")
			c := gather(t, balancers[0].start(t, nodes), 9, 20*time.Millisecond)
			c.hears(t, 20, "at first")
			for _, s := range outside {
				s.Stop()
			}
			stopped := time.Now()
			for _, s := range nodes {
				becomes(t, s, http.StatusServiceUnavailable)
			}
			red := time.Since(stopped)
			<-time.After(outage - red)
			for _, s := range outside {
				s.Again()
			}
			for _, s := range nodes {
				becomes(t, s, http.StatusOK)
			}
			green := time.Since(stopped) - max(outage, red)
			c.hears(t, 20, "after all")
			c.check(t)
			spread(t, nodes)
			t.Logf("not ready %v after the stop, ready %v after the start", red.Round(time.Millisecond), green.Round(time.Millisecond))
		})
	}
}

// TestTwoClustersOnOneNATS: clusters of different names on one NATS server hear
// nothing of each other.
func TestTwoClustersOnOneNATS(t *testing.T) {
	t.Parallel()
	nodejs.Setup(t, "balancers")
	outside := natsserver.Start(t, natsserver.Build(t), natsserver.Loopback(t, 1)...)
	var crowds []*crowd
	for _, name := range []string{"red", "blue"} {
		nodes := threeOn(t, outside, "--app", "interop", "--recovery", "--cluster-name", name)
		crowds = append(crowds, gather(t, balancers[0].start(t, nodes), 3, 20*time.Millisecond))
	}
	for range 2 { // each while the other one speaks
		for _, c := range crowds {
			c.hears(t, 20, "beside another cluster")
		}
	}
	for _, c := range crowds {
		c.check(t) // a number of the others would be one too many
	}
}

// outage is how long NATS is away.
const outage = 15 * time.Second

// becomes waits until /readyz answers so.
func becomes(t *testing.T, s *target.Server, status int) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(2 * patience)
	for {
		resp, err := http.Get("http://" + s.Internal + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == status {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: /readyz answers %s, and not %d", s.Addr, resp.Status, status)
		}
	}
}
