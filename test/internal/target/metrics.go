package target

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/test/internal/wire"
)

// Metrics is one reading of /metrics: the value of each line, by its name with
// labels as printed.
type Metrics map[string]float64

// Metrics reads the internal listener.
func (s *Server) Metrics(t testing.TB) Metrics {
	t.Helper()
	r := wire.Get(t, s.Internal, "/metrics")
	if r.Status != 200 {
		t.Fatalf("/metrics answered %d", r.Status)
	}
	m := Metrics{}
	for line := range strings.Lines(r.Body) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		if i < 0 {
			continue
		}
		v, err := strconv.ParseFloat(line[i+1:], 64)
		if err != nil {
			t.Fatalf("/metrics: %q: %v", line, err)
		}
		m[line[:i]] = v
	}
	return m
}

// Sum adds the lines of one name whose labels contain all the given texts.
func (m Metrics) Sum(name string, labels ...string) float64 {
	sum := 0.0
next:
	for line, v := range m {
		bare, rest, _ := strings.Cut(line, "{")
		if bare != name {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(rest, l) {
				continue next
			}
		}
		sum += v
	}
	return sum
}

// Goroutines of the server now.
func (m Metrics) Goroutines() int { return int(m["go_goroutines"]) }

// Descriptors that the server has open now.
func (m Metrics) Descriptors() int { return int(m["process_open_fds"]) }

// RSS is the resident memory of the process in bytes.
func (s *Server) RSS(t testing.TB) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb * 1024
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

// Eventually reads the metrics until ok says so, or fails with what.
func (s *Server) Eventually(t testing.TB, what string, ok func(Metrics) bool) {
	t.Helper()
	EventuallyTrue(t, what, func() bool { return ok(s.Metrics(t)) })
}

// EventuallyTrue asks again and again, for things that a server shows but does
// not announce.
func EventuallyTrue(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(wire.Patience); ; <-tick.C {
		if ok() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not in %v: %s", wire.Patience, what)
		}
	}
}
