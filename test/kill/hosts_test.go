package kill

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/siod-io/siod/test/internal/nodejs"
)

// insideEnv says that the test runs on a network of its own.
const insideEnv = "SIOD_KILL_INSIDE"

// ownNetwork runs a test of this binary once more, with the same flags, where it
// may do what it likes with networks: in a network and a mount namespace of its
// own, and in a user namespace, so that nobody has to be root. All of it is gone
// when the process ends, however it ends. It reports false in that process.
func ownNetwork(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideEnv) != "" {
		return false
	}
	nodejs.Setup(t, "network")
	nodejs.Setup(t, "interop") // there is no other network inside
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	args := append([]string{"--net", "--mount", "--map-root-user", "--kill-child", "--fork", self}, os.Args[1:]...)
	args = append(args, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd := exec.CommandContext(ctx, "unshare", args...)
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("on a network of its own: %v", err)
	}
	if !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Error("it did not say that it passed")
	}
	return true
}

// The two networks, of the range for tests of network devices (RFC 2544 C.2.2):
// the servers speak to each other on one, clients to them on the other.
const (
	clusterNet = "198.18.0."
	clientNet  = "198.19.0."
)

// Ports are those of the documents; each server has an address of its own.
const (
	gossipPort = 7946
	routesPort = 6222
	natsPort   = 4222
	clientPort = 3000
)

// hosts are machines on two networks, one for each server and each NATS server
// outside.
type hosts struct {
	t     *testing.T
	disks bool // each store is on a disk of its own
}

// newHosts lays the networks. The process has to be in namespaces of its own.
func newHosts(t *testing.T, n int) hosts {
	t.Helper()
	h := hosts{t: t}
	h.run("mount", "-t", "tmpfs", "tmpfs", "/run") // where named namespaces are
	h.ip("link set lo up")
	for _, bridge := range []string{"cluster", "clients"} {
		h.ip("link add %s type bridge", bridge)
		h.ip("link set %s up", bridge)
	}
	h.ip("addr add %s1/24 dev clients", clientNet)
	for i := range n {
		name := hostName(i)
		h.ip("netns add %s", name)
		h.ip("-n %s link set lo up", name)
		for bridge, network := range map[string]string{"cluster": clusterNet, "clients": clientNet} {
			h.ip("link add %s type veth peer name %s netns %s", port(bridge, i), bridge, name)
			h.ip("link set %s master %s up", port(bridge, i), bridge)
			h.ip("-n %s addr add %s%d/24 dev %s", name, network, 10+i, bridge)
			h.ip("-n %s link set %s up", name, bridge)
		}
	}
	return h
}

func hostName(i int) string { return fmt.Sprintf("host%d", i) }

// port is the end of a host's link at the bridge.
func port(bridge string, i int) string { return fmt.Sprintf("%s%d", bridge, i) }

// address is where a server listens on a network.
func address(network string, i, port int) string { return fmt.Sprintf("%s%d:%d", network, 10+i, port) }

// cut has nothing of the cluster's network reach a host any more, and nothing
// from it the others; no end of a connection is told.
func (h hosts) cut(i int) { h.ip("link set %s nomaster", port("cluster", i)) }

func (h hosts) heal(i int) { h.ip("link set %s master cluster", port("cluster", i)) }

// reset ends the connections of a host's NATS server to others, and to clients
// elsewhere; what was on its way is lost.
func (h hosts) reset(i int) {
	filter := fmt.Sprintf("sport = :%d or dport = :%d or sport = :%d", routesPort, routesPort, natsPort)
	h.run("ip", "netns", "exec", hostName(i), "ss", "-t", "-K", filter)
}

func (h hosts) ip(format string, args ...any) {
	h.t.Helper()
	h.run("ip", strings.Fields(fmt.Sprintf(format, args...))...)
}

func (h hosts) run(name string, args ...string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		h.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
