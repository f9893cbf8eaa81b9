package cluster

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/siod-io/siod/internal/testaddr"
	"github.com/siod-io/siod/test/internal/natsserver"
	"github.com/siod-io/siod/test/internal/target"
)

// heartbeat is quick enough for the rows in which a link breaks.
var heartbeat = []string{"--app", "interop", "--ping-interval", "1s", "--ping-timeout", "12s"}

// three starts three nodes that store events, with more arguments each, and
// waits until each hears the others.
func three(t *testing.T, more ...string) []*target.Server {
	t.Helper()
	args := arguments(t, more...)
	dir := t.TempDir()
	for i := range args {
		args[i] = append(args[i], "--store", "--store-expect", "3", "--store-dir", filepath.Join(dir, strconv.Itoa(i)))
	}
	nodes := target.StartAll(t, args...)
	for _, s := range nodes {
		whole(t, s, 2)
	}
	return nodes
}

// threeOn starts three nodes on NATS servers of their own.
func threeOn(t *testing.T, outside []*natsserver.Server, more ...string) []*target.Server {
	t.Helper()
	more = append([]string{"--nats-url", natsserver.URL(outside), "--store-expect", strconv.Itoa(len(outside))}, more...)
	nodes := target.StartAll(t, arguments(t, more...)...)
	for _, s := range nodes {
		whole(t, s, 0)
	}
	return nodes
}

// threeWith starts three nodes on so many NATS servers outside, or with their own
// if there are none.
func threeWith(t *testing.T, servers int, more ...string) []*target.Server {
	t.Helper()
	if servers == 0 {
		return three(t, more...)
	}
	return threeOn(t, natsserver.Start(t, natsserver.Build(t), natsserver.Loopback(t, servers)...), more...)
}

// whole waits until a node hears the others, and its NATS server, if there is
// one within it, has routes to as many.
func whole(t *testing.T, s *target.Server, routes float64) {
	t.Helper()
	s.Eventually(t, "every node hears the others", func(m target.Metrics) bool {
		return m.Sum("siod_cluster_members", "alive") == 3 && m["siod_nats_peers"] == 2 && m["siod_nats_server_peers"] == routes
	})
}

// arguments are those of three nodes that meet.
func arguments(t *testing.T, more ...string) [][]string {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("a-secret-of-the-tests\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var gossip []string // all are named to each, so that any of them can be started again
	for range 3 {
		gossip = append(gossip, testaddr.Free(t))
	}
	var args [][]string
	for i, name := range []string{"a", "b", "c"} {
		a := []string{
			"--gossip-listen", gossip[i], "--join", strings.Join(gossip, ","), "--cluster-secret-file", secret,
			"--node-name", name, "--log-level", "info",
		}
		args = append(args, append(a, more...))
	}
	return args
}

// refusals are figures that say why a client may have failed.
var refusals = regexp.MustCompile(`^siod_(forward_.*_total|handshake_errors_total|connections_closed_total|nats_l|nats_re|backplane_l)`)

// spread checks that requests were handed to each node and that each passed some
// on, without which a test through a balancer shows nothing.
func spread(t *testing.T, nodes []*target.Server) {
	t.Helper()
	for i, s := range nodes {
		s.Alive(t)
		m := s.Metrics(t)
		sent, served := m.Sum("siod_forward_requests_total", `"forwarded"`), m.Sum("siod_forward_served_total", `"forwarded"`)
		opened := m.Sum("siod_connections_opened_total")
		t.Logf("node %d: %v sessions, %v requests passed on, %v taken from others", i, opened, sent, served)
		if opened == 0 || sent == 0 || served == 0 {
			t.Errorf("node %d took no part", i)
		}
		for name, v := range m {
			if t.Failed() && v != 0 && refusals.MatchString(name) {
				t.Logf("node %d: %s %v", i, name, v)
			}
		}
		for _, bad := range []string{"refused_secret", "refused_request", "hop_limit", "full"} {
			if n := m.Sum("siod_forward_requests_total", strconv.Quote(bad)); n != 0 {
				t.Errorf("node %d: %v requests ended as %s", i, n, bad)
			}
		}
	}
}
