package recovery

import (
	"maps"
	"slices"
	"time"
)

// report prints the figures and fails the test if one is not as it must be.
func (w *world) report(steps int, took time.Duration) {
	w.t.Helper()
	m := w.model
	due := 0
	for _, ss := range m.known() {
		due += ss.sequenced()
	}
	over := 0 // claims of clients that missed more changes of rooms than are kept
	for i, s := range w.servers {
		st := s.Stats()
		over += int(st.NotRecovered["overflowed"])
		maps.DeleteFunc(st.NotRecovered, func(_ string, n uint64) bool { return n == 0 })
		w.t.Logf("server %d: not recovered %v, replays lost %d", i, st.NotRecovered, st.ReplaysLost)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	w.t.Logf("seed %d: %d connections lost, %d links broken, %d steps, %d sequenced events received in %v",
		w.seed, w.lost(), w.net.broken.Load(), steps, due, took.Round(time.Millisecond))
	var sum tally
	for _, kind := range slices.Sorted(maps.Keys(m.tally)) {
		t := *m.tally[kind]
		sum.claims += t.claims
		sum.recovered += t.recovered
		sum.excused += t.excused
		var lost, got, sent int
		for _, p := range w.peers {
			if p.kind == kind {
				lost += int(p.lost.Load())
				got += int(p.unsure.Load())
				sent += w.unsure
			}
		}
		w.t.Logf("%s: %d drops; %d claims, %d of a server that was gone, %d recovered, %d refused; %d of %d fast and volatile events not received, as they may be",
			kind, lost, t.claims, t.excused, t.recovered, t.refused, sent-got, sent)
	}
	if m.givenUp > 0 {
		w.t.Logf("%d sessions were lost between servers while they left a room", m.givenUp)
	}
	allowed := sum.claims - sum.excused - over
	rate := 100 * float64(sum.recovered) / float64(max(allowed, 1))
	w.t.Logf("recovered %d of %d that the rules allow: %.2f %%; gaps %d, doubles %d, false recovered %d, other faults %d",
		sum.recovered, allowed, rate, m.count[gap], m.count[double], m.count[falsely], m.count[other])
	for _, f := range m.faults {
		w.t.Errorf("seed %d: %s", w.seed, f)
	}
	if sum.recovered == 0 || rate < 99 {
		w.t.Errorf("seed %d: only %.2f %% of the claims that the rules allow were recovered", w.seed, rate)
	}
}
