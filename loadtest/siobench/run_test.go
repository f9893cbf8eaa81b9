//go:build linux

package main

import (
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// rawServer speaks the raw dialect. Each drop-th delivery of a broadcast is
// lost when drop is positive.
func rawServer(t *testing.T, drop int) string {
	t.Helper()
	var mu sync.Mutex
	var members []func([]byte)
	var wg sync.WaitGroup
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return
		}
		wg.Go(func() {
			defer c.Close()
			var wmu sync.Mutex
			write := func(p []byte) {
				wmu.Lock()
				defer wmu.Unlock()
				_ = wsutil.WriteServerText(c, p)
			}
			for {
				p, err := wsutil.ReadClientText(c)
				if err != nil {
					return
				}
				mu.Lock()
				switch p[0] {
				case 'j':
					members = append(members, write)
					write(p)
				case 'e':
					write(p)
				case 'b':
					for _, m := range members {
						if n++; drop == 0 || n%drop != 0 {
							m(p)
						}
					}
				}
				mu.Unlock()
			}
		})
	}))
	t.Cleanup(func() {
		s.Close()
		wg.Wait()
	})
	return strings.TrimPrefix(s.URL, "http://")
}

// run sets the generator up as main does. The generator's settings are of the
// process, so these tests do not run side by side.
func run(t *testing.T, mode func(map[string]any) error, c config) (map[string]any, error) {
	t.Helper()
	was := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(was) })
	c.dialect, c.path, c.conc, c.room, c.perSrc = raw, raw.path, 4, "r", 20000
	cfg = c
	res := map[string]any{}
	err := mode(res)
	return res, err
}

func TestFanoutCountsEveryDelivery(t *testing.T) {
	for _, c := range []config{{window: 1}, {window: 8}, {window: 4, rate: 500}} {
		c.addrs, c.conns, c.count, c.warm, c.size, c.maxTime = []string{rawServer(t, 0)}, 7, 30, 3, 64, 20*time.Second
		res, err := run(t, runFanout, c)
		if err != nil {
			t.Fatal(err)
		}
		if res["deliveries"] != 7*30 || res["lost_conns"] != 0 {
			t.Errorf("window %d, rate %v: %v", c.window, c.rate, res)
		}
	}
}

func TestFanoutReportsLosses(t *testing.T) {
	c := config{addrs: []string{rawServer(t, 100)}, conns: 7, count: 30, window: 60, maxTime: 300 * time.Millisecond}
	if res, err := run(t, runFanout, c); err == nil || !strings.Contains(err.Error(), "208 of 210 deliveries") {
		t.Errorf("every hundredth delivery was lost: error %v, result %v", err, res)
	}
}

func TestEchoMakesEveryRoundTrip(t *testing.T) {
	c := config{addrs: []string{rawServer(t, 0)}, conns: 3, count: 100, depth: 2, size: 10, maxTime: 20 * time.Second}
	res, err := run(t, runEcho, c)
	if err != nil {
		t.Fatal(err)
	}
	if res["round_trips"] != 100 {
		t.Errorf("%v", res)
	}
}

func TestOpenRefusesOtherMachines(t *testing.T) {
	c := config{addrs: []string{"192.0.2.1:80"}, conns: 1, maxTime: time.Second}
	if _, err := run(t, runIdle, c); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("error %v, want one about loopback", err)
	}
}
