package badinput

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siod-io/siod/test/internal/target"
	"github.com/siod-io/siod/test/internal/wire"
)

// Rows 10, 11, 14, 15: peers that keep a session half alive. Pings are 300 ms
// apart here, and 1.5 s may pass to the answer: the honest client must keep to
// that, too, whatever else the machine does.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	g := serve(t, pingInterval, "300ms", pingTimeout, "1500ms")

	g.row("row 10 events but never a pong", func(t *testing.T, s *target.Server) {
		start := time.Now()
		ws := connect(t, s.Addr)
		quit := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for ws.TryFrame(text(`42["x"]`)) == nil {
				select {
				case <-quit:
					return
				case <-tick.C:
				}
			}
		})
		wantEnd(t, ws, wire.NoStatus)
		// One more time-out than usual, for the one extension.
		if took := time.Since(start); took < 1760*time.Millisecond || took > 5*time.Second {
			t.Errorf("the session lived for %v, want at most 3.3s", took)
		}
		close(quit)
		wg.Wait()
	})
	g.row("row 11 a flood of pongs", func(t *testing.T, s *target.Server) {
		before := s.Metrics(t).Goroutines()
		ws := open(t, s.Addr)
		flood := make([]wire.Frame, 1000)
		for i := range flood {
			flood[i] = text("3")
		}
		for range 20 {
			ws.Frame(flood...) // before CONNECT
		}
		ws.Text("40")
		ws.ExpectPrefix("40{")
		for range 20 {
			ws.Frame(flood...)
		}
		answers(t, ws)
		if now := s.Metrics(t).Goroutines(); now > before+8 {
			t.Errorf("goroutines went from %d to %d", before, now)
		}
		p := openPolling(t, s.Addr).join()
		p.taken(strings.TrimSuffix(strings.Repeat("3\x1e", 10000), "\x1e"))
		p.answers()
	})
	g.row("row 11 heartbeats of the wrong direction", func(t *testing.T, s *target.Server) {
		ends(t, s.Addr, ended, text("2"))
		p := openPolling(t, s.Addr).join()
		wantStatus(t, p.post("2"), 200, 400)
		p.gone()
	})
	g.row("row 14 handshakes and no poll", func(t *testing.T, s *target.Server) {
		before := s.Metrics(t).Sum(sessionsMetric)
		grows(t, s, 24<<20, func() {
			for range 1000 {
				if r := wire.Get(t, s.Addr, polling); r.Status != 200 {
					t.Fatalf("handshake answered %d %q", r.Status, r.Body)
				}
			}
		})
		s.Eventually(t, "abandoned sessions have ended", func(m target.Metrics) bool {
			return m.Sum(sessionsMetric) <= before
		})
	})
	g.row("row 15 a connection that goes silent", func(t *testing.T, s *target.Server) {
		start := time.Now()
		ws := connect(t, s.Addr)
		ws.End()                                             // reads and says nothing
		if took := time.Since(start); took > 8*time.Second { // the heartbeat, and 5 s for the client's close frame
			t.Errorf("the connection was kept for %v", took)
		}
	})
}
