package kill

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestFaults: what was acknowledged comes to every client that it was for, once
// and in the log's order, while the log's leader gives up its place or is
// killed all the time, routes between servers break, and servers are cut off.
func TestFaults(t *testing.T) {
	if ownNetwork(t) {
		return
	}
	dir := t.TempDir()
	h := newHosts(t, *servers+*outside)
	w := newWorld(t, dir, &h)
	stop := make(chan struct{})
	var busy sync.WaitGroup
	busy.Go(func() { w.changeRooms(stop) })
	busy.Go(func() { w.sendAway(stop) })
	end := sync.OnceFunc(func() {
		close(stop)
		busy.Wait()
	})
	t.Cleanup(end) // before clients end
	var made []string
	for _, f := range []struct {
		name string
		make func() bool
	}{
		{"stepdowns", w.stepDown},
		{"resets of routes", w.resetRoutes},
		{"kills of the leader", func() bool { w.killLeader(dir); return true }},
		{"partitions", w.partition},
	} {
		n := 0
		for begun := time.Now(); time.Since(begun) < *faultsFor; {
			if f.make() {
				n++
			}
		}
		made = append(made, fmt.Sprintf("%d %s", n, f.name))
		if n == 0 {
			t.Errorf("no %s", f.name)
		}
		w.until("all clients to be back after "+f.name, w.allBack)
	}
	took := time.Since(w.begun)
	end()
	w.settle()
	w.check()
	w.report(took)
	t.Logf("faults: %s; holes filled %d, duplicate acknowledgements %d", strings.Join(made, ", "), w.filled, w.twice)
	if *faultsFor >= longFaults && (w.filled == 0 || w.twice == 0) {
		t.Error("no hole was filled, or no acknowledgement was a duplicate: nothing was tested")
	}
}

// longFaults is for how long there have to be faults of each kind for holes to be
// certain.
const longFaults = 30 * time.Second

// stepDown has the log's leader give up its place.
func (w *world) stepDown() bool {
	pause(nil, 600*time.Millisecond)
	line := w.boots[w.rand.IntN(len(w.boots))].ask("stepdown")
	return len(line) > 1 && string(line[1]) == "true"
}

// resetRoutes breaks the routes of a server that stores, and of one that does
// not, if there is one.
func (w *world) resetRoutes() bool {
	pause(nil, 700*time.Millisecond)
	stores, all := 3, len(w.boots)
	if len(w.outside) > 0 {
		w.hosts.reset(all + w.rand.IntN(len(w.outside)))
		return true
	}
	if all > stores {
		w.hosts.reset(all - 1)
	}
	w.hosts.reset(w.rand.IntN(stores))
	return true
}

// hostOfLeader is the number of the host whose NATS server leads the log.
func (w *world) hostOfLeader() int {
	w.t.Helper()
	var i int
	leader := w.leader()
	if _, err := fmt.Sscanf(leader, "server-%d", &i); err == nil {
		return i
	}
	if _, err := fmt.Sscanf(leader, "nats%d", &i); err != nil {
		w.t.Fatalf("seed %d: nobody leads the log, but %q", w.seed, leader)
	}
	return len(w.boots) + i
}

// killLeader ends the log's leader without a word, and starts it again.
func (w *world) killLeader(dir string) {
	w.t.Helper()
	w.leaders++
	i := w.hostOfLeader()
	if i < len(w.boots) {
		w.replace(i, dir, true)
		return
	}
	s := w.outside[i-len(w.boots)]
	s.Kill()
	pause(nil, time.Duration(w.rand.Int64N(int64(2*time.Second))))
	s.Again()
	w.hostOfLeader()
	pause(nil, 2*time.Second)
}

// partition cuts a server off from the others, the log's leader every other
// time, for less than its emits may wait.
func (w *world) partition() bool {
	i := w.rand.IntN(len(w.boots) + len(w.outside))
	if w.rand.IntN(2) == 0 {
		i = w.hostOfLeader()
	}
	w.hosts.cut(i)
	pause(nil, 2*time.Second+time.Duration(w.rand.Int64N(int64(6*time.Second))))
	w.hosts.heal(i)
	pause(nil, 2*time.Second+time.Duration(w.rand.Int64N(int64(4*time.Second))))
	return true
}
