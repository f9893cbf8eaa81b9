package kill

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestKill(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, dir, nil)
	stop := make(chan struct{})
	var busy sync.WaitGroup
	busy.Go(func() { w.changeRooms(stop) })
	busy.Go(func() { w.sendAway(stop) })
	for _, p := range w.controls() {
		busy.Go(func() { w.sendFarAway(stop, p) })
	}
	end := sync.OnceFunc(func() {
		close(stop)
		busy.Wait()
	})
	t.Cleanup(end) // before clients end
	for range *kills {
		w.killOne(dir)
	}
	w.until("a client to come back after its session ended", func() bool {
		w.model.mu.Lock()
		defer w.model.mu.Unlock()
		return w.model.controls > 0
	})
	took := time.Since(w.begun)
	end()
	w.settle()
	w.check()
	w.report(took)
	m := w.model
	if rate := m.rate(); m.recovered == 0 || rate < 95 {
		t.Errorf("seed %d: only %.2f %% of those that came back in time recovered", w.seed, rate)
	}
	if w.leaders == 0 && *outside == 0 {
		t.Errorf("seed %d: the log's leader was not among those killed", w.seed)
	}
	if m.toldFalse != m.controls || m.controls == 0 {
		t.Errorf("seed %d: %d of %d clients that came too late were told so", w.seed, m.toldFalse, m.controls)
	}
}

// controls are clients, one of each kind, that go away for too long.
func (w *world) controls() []*peer {
	byKind := make(map[string]*peer)
	for _, p := range w.peers {
		byKind[p.kind] = p
	}
	return slices.Collect(maps.Values(byKind))
}

// settle ends all emits, and waits until every client has all that there is.
func (w *world) settle() {
	w.t.Helper()
	w.until("all clients to be there, and answered", func() bool {
		return !slices.ContainsFunc(w.peers, func(p *peer) bool { return !p.idle() })
	})
	living := w.living()
	var boots []string
	for _, command := range []string{"stop", "last"} {
		for _, p := range living {
			if p.ask(command) == nil {
				w.complain()
				w.t.Fatalf("seed %d: %s did not %s", w.seed, p.name, command)
			}
		}
	}
	for _, p := range living {
		boots = append(boots, p.id)
		w.note(p)
	}
	w.until("the last events", func() bool {
		return !slices.ContainsFunc(w.peers, func(p *peer) bool { return !p.heard(boots) })
	})
	if living[0].ask("log") == nil {
		w.complain()
		w.t.Fatalf("seed %d: the log cannot be read", w.seed)
	}
}

// check holds all that came against the log.
func (w *world) check() {
	w.t.Helper()
	w.mu.Lock()
	byRoom := w.model.checkLog(w.log)
	w.mu.Unlock()
	for _, p := range w.peers {
		p.mu.Lock()
		p.cur.complete = true
		for _, ss := range p.all {
			w.model.check(ss, byRoom)
		}
		p.mu.Unlock()
	}
}

// report prints the figures, and fails the test if an event is not where it must
// be.
func (w *world) report(took time.Duration) {
	w.t.Helper()
	for _, s := range w.stats {
		w.t.Log(s)
	}
	var events, drops, sessions, apart, recoveries, moves int
	longest := make(map[string]time.Duration)
	for _, p := range w.peers {
		drops += p.drops
		for _, ss := range p.all {
			sessions++
			events += len(ss.got)
			recoveries += len(ss.returns)
			moves += len(ss.changes)
			if ss.apart {
				apart++
			}
		}
		for what, d := range p.reconnect {
			longest[what] = max(longest[what], d)
		}
	}
	m := w.model
	m.mu.Lock()
	defer m.mu.Unlock()
	w.t.Logf("seed %d: %d kills in %v, %d of the log's leader; at most %v from one to the end of its mending, at most %v without an acknowledgement",
		w.seed, w.kills, took.Round(time.Second), w.leaders, w.mended.Round(time.Millisecond), m.pause.Round(time.Millisecond))
	w.t.Logf("%d servers, %d clients of 4.8.4 and %d of package client, %d rooms; %d durable events acknowledged (%.0f a second), %d of unknown outcome, %d refused; %d joins and leaves (%.1f a second)",
		*servers, *clients, *goClients, *roomCount, len(m.acked), float64(len(m.acked))/took.Seconds(), m.unknown, m.refused, moves, float64(moves)/took.Seconds())
	w.t.Logf("%d entries in the log, %d events received in %d sessions; %d connections lost, %d recoveries; longest away %v",
		len(w.log), events, sessions, drops, recoveries, longest)
	w.t.Logf("recovered %d of %d that came back in time: %.2f %%; controls told false %d of %d; false recovered %d", m.recovered, m.claims, m.rate(), m.toldFalse, m.controls, m.count[falsely])
	w.t.Logf("acknowledged and not in the log %d, gaps %d, doubled or out of order %d, not due %d, other faults %d",
		m.count[lost], m.count[gap], m.count[double], m.count[phantom], m.count[other])
	w.t.Logf("apart: %d answers of ErrNotJournaled, %d sessions of a killed server under it, deviations %v", m.notJournaled, apart, m.excuse)
	for _, text := range m.apart {
		w.t.Logf("apart: %s", text)
	}
	for _, text := range m.refusals {
		w.t.Logf("not acknowledged: %s", text)
	}
	for _, f := range m.faults {
		w.t.Errorf("seed %d: %s", w.seed, f)
	}
	if len(m.acked) == 0 || events == 0 {
		w.t.Errorf("seed %d: nothing was acknowledged, or nothing received", w.seed)
	}
	if w.t.Failed() {
		w.complain()
	}
}
