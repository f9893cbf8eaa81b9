package wheel

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// counter counts expiries of a timer that many goroutines schedule and stop.
type counter struct {
	Timer
	fired atomic.Int64
}

func (c *counter) Expired(*Timer) { c.fired.Add(1) }

// TestConcurrent lets goroutines schedule and stop the same timers on the real
// clock, then checks that a last scheduling of each expires exactly once.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	w := New(time.Millisecond)
	defer w.Close()
	timers := make([]counter, 64)
	for i := range timers {
		timers[i].Init(&timers[i])
	}
	var scheduled atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 5))
			for range 5000 {
				c := &timers[rng.IntN(len(timers))]
				if rng.IntN(4) == 0 {
					w.Stop(&c.Timer)
				} else {
					scheduled.Add(1)
					w.Schedule(&c.Timer, time.Duration(rng.IntN(3_000_000)))
				}
			}
		})
	}
	wg.Wait()
	var fired int64
	for i := range timers {
		w.Stop(&timers[i].Timer)
	}
	// A call that has begun is over when a later one is done: calls come one at
	// a time.
	last := make(chan struct{})
	end := newProbe(func() { close(last) })
	w.Schedule(&end.Timer, 0)
	<-last
	for i := range timers {
		fired += timers[i].fired.Load()
	}
	if fired > scheduled.Load() {
		t.Errorf("%d expiries of %d schedulings", fired, scheduled.Load())
	}
	if n := w.Len(); n != 0 {
		t.Errorf("%d timers left", n)
	}
}

// TestConcurrentExact does the same on a fake clock, each goroutine with timers
// of its own, and counts.
func TestConcurrentExact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New(0)
		defer w.Close()
		var wg sync.WaitGroup
		for g := range 16 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(g), 6))
				for range 200 {
					var c counter
					c.Init(&c)
					d := time.Duration(rng.Int64N(int64(time.Second)))
					w.Schedule(&c.Timer, d)
					if rng.IntN(2) == 0 {
						<-time.After(d / 2)
						if !w.Stop(&c.Timer) || c.fired.Load() != 0 {
							t.Errorf("stopped at half of %v: expired %d times", d, c.fired.Load())
						}
						continue
					}
					<-time.After(d + 2*DefaultTick)
					if w.Stop(&c.Timer) || c.fired.Load() != 1 {
						t.Errorf("after %v: expired %d times", d, c.fired.Load())
					}
				}
			})
		}
		wg.Wait()
	})
}
