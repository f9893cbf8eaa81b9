package cluster

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/siod-io/siod/test/internal/nodejs"
	"github.com/siod-io/siod/test/internal/target"
)

// external are NATS servers of their own, of the version that siod is built
// with, which store on disk.
type external struct {
	url     string // of all of them
	program string
	servers [][]string // their arguments
	running []*exec.Cmd
	said    []*bytes.Buffer
}

// buildNATS builds the server from the module that siod needs.
func buildNATS(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "nats-server")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Fatalf("go build nats-server: %v\n%s", err, out)
	}
	return program
}

// startNATS starts n servers, which store together if there are several. The
// test ends them.
func startNATS(t *testing.T, program string, n int) *external {
	t.Helper()
	e := &external{program: program, running: make([]*exec.Cmd, n)}
	var urls, routes []string
	var clients []string
	for range n {
		addr, route := target.FreeAddr(t), target.FreeAddr(t)
		clients = append(clients, addr)
		urls = append(urls, "nats://"+addr)
		routes = append(routes, "nats://"+route)
	}
	dir := t.TempDir()
	for i := range n {
		host, port, _ := net.SplitHostPort(clients[i])
		name := fmt.Sprint("nats", i)
		args := []string{"-a", host, "-p", port, "-n", name, "-js", "-sd", filepath.Join(dir, name)}
		if n > 1 {
			args = append(args, "--cluster_name", "outside", "--cluster", routes[i], "--routes", strings.Join(routes, ","))
		}
		e.servers = append(e.servers, args)
		e.said = append(e.said, &bytes.Buffer{})
	}
	e.url = strings.Join(urls, ",")
	t.Cleanup(func() { e.stop(t) })
	e.start(t)
	return e
}

// start starts all that do not run.
func (e *external) start(t *testing.T) {
	t.Helper()
	for i, args := range e.servers {
		cmd := exec.Command(e.program, args...)
		cmd.Stderr = e.said[i]
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		e.running[i] = cmd
	}
}

// stop ends all that run.
func (e *external) stop(t *testing.T) {
	t.Helper()
	for i, cmd := range e.running {
		if cmd == nil {
			continue
		}
		e.running[i] = nil
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // it says 1 after a signal
		if !kill.Stop() {
			t.Errorf("NATS server %d did not end", i)
		}
		if t.Failed() {
			t.Logf("NATS server %d said:\n%s", i, tail(e.said[i].String()))
		}
	}
}

// TestExternalStops stops all NATS servers for a while. Nodes say that they are
// not ready, clients stay or come back, and what was acknowledged comes.
func TestExternalStops(t *testing.T) {
	t.Parallel()
	nodejs.Setup(t, "balancers")
	program := buildNATS(t)
	for _, servers := range []int{1, 3} {
		t.Run(strconv.Itoa(servers), func(t *testing.T) {
			t.Parallel()
			e := startNATS(t, program, servers)
			nodes := threeOn(t, e, "--app", "interop", "--recovery")
			c := gather(t, balancers[0].start(t, nodes), 9, 20*time.Millisecond)
			c.hears(t, 20, "at first")
			e.stop(t)
			stopped := time.Now()
			for _, s := range nodes {
				becomes(t, s, http.StatusServiceUnavailable)
			}
			red := time.Since(stopped)
			<-time.After(outage - red)
			e.start(t)
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
