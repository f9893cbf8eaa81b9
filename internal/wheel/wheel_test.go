package wheel

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A probe is a timer that notes when it expired.
type probe struct {
	Timer
	fired []time.Time
	then  func() // called on expiry
}

func newProbe(then func()) *probe {
	p := &probe{then: then}
	p.Init(p)
	return p
}

func (p *probe) Expired(*Timer) {
	p.fired = append(p.fired, time.Now())
	if p.then != nil {
		p.then()
	}
}

// advance lets fake time pass and waits until the wheel has acted on it. Taking
// the wheel's lock first orders what the test has read before what handlers
// write then; the passing of time alone does not, for the race detector.
func advance(w *Wheel, d time.Duration) {
	w.Len()
	<-time.After(d)
	synctest.Wait()
}

const turn = slotCount * DefaultTick

// TestExpiry schedules delays around all borders, one after the other and off
// the tick's grid.
func TestExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New(0)
		defer w.Close()
		delays := []time.Duration{
			-time.Hour, 0, 1, time.Millisecond, DefaultTick - 1, DefaultTick, DefaultTick + 1,
			25 * time.Second, turn - 1, turn, turn + 1, turn + DefaultTick, 2*turn - 1, 2 * turn, 3*turn + 7, time.Hour,
		}
		rng := rand.New(rand.NewPCG(1, 1))
		for range 300 {
			delays = append(delays, time.Duration(rng.Int64N(int64(3*turn))))
		}
		type planned struct {
			*probe
			at time.Time
		}
		var plan []planned
		for _, d := range delays {
			p := planned{newProbe(nil), time.Now().Add(max(d, 0))}
			w.Schedule(&p.Timer, d)
			plan = append(plan, p)
			advance(w, time.Duration(rng.Int64N(int64(3*DefaultTick))))
		}
		advance(w, 2*time.Hour)
		for i, p := range plan {
			if len(p.fired) != 1 {
				t.Errorf("delay %v: expired %d times", delays[i], len(p.fired))
				continue
			}
			if late := p.fired[0].Sub(p.at); late < 0 || late > DefaultTick {
				t.Errorf("delay %v: %v late", delays[i], late)
			}
		}
		if n := w.Len(); n != 0 {
			t.Errorf("%d timers left", n)
		}
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New(0)
		defer w.Close()
		p := newProbe(nil)
		if w.Stop(&p.Timer) {
			t.Error("Stop of a new timer says it was scheduled")
		}
		w.Schedule(&p.Timer, time.Second)
		advance(w, 990*time.Millisecond)
		if !w.Stop(&p.Timer) || w.Len() != 0 {
			t.Error("Stop of a scheduled timer says it was not")
		}
		advance(w, time.Hour)
		if len(p.fired) != 0 {
			t.Error("a stopped timer expired")
		}
		w.Schedule(&p.Timer, time.Second)
		advance(w, 2*time.Second)
		if len(p.fired) != 1 || w.Stop(&p.Timer) {
			t.Errorf("after it was stopped and scheduled a timer expired %d times", len(p.fired))
		}
	})
}

func TestReschedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New(0)
		defer w.Close()
		p := newProbe(nil)
		begin := time.Now()
		// Put off again and again, as a heartbeat is, then brought forward.
		for range 100 {
			w.Schedule(&p.Timer, 25*time.Second)
			advance(w, 20*time.Second)
		}
		if len(p.fired) != 0 || w.Len() != 1 {
			t.Fatalf("expired %d times although put off; %d scheduled", len(p.fired), w.Len())
		}
		w.Schedule(&p.Timer, time.Second)
		advance(w, time.Hour)
		want := begin.Add(100*20*time.Second + time.Second)
		if len(p.fired) != 1 || p.fired[0] != want {
			t.Errorf("expired at %v, want %v", p.fired, want)
		}
	})
}

// TestPeriodic schedules a timer from its own handler.
func TestPeriodic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New(0)
		defer w.Close()
		var p *probe
		p = newProbe(func() { w.Schedule(&p.Timer, 25*time.Second) })
		w.Schedule(&p.Timer, 25*time.Second)
		advance(w, time.Hour)
		if n := len(p.fired); n != 144 {
			t.Errorf("expired %d times in an hour, want 144", n)
		}
		w.Stop(&p.Timer)
	})
}

// TestHandlerStopsOthers lets the first of many timers of one tick stop or put
// off all others: none of them may be called.
func TestHandlerStopsOthers(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(*Wheel, *Timer){
		"stop":    func(w *Wheel, t *Timer) { w.Stop(t) },
		"put off": func(w *Wheel, t *Timer) { w.Schedule(t, time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := New(0)
				defer w.Close()
				probes := make([]*probe, 1000)
				fired := 0
				for i := range probes {
					probes[i] = newProbe(func() {
						fired++
						for j, other := range probes {
							if j != i {
								act(w, &other.Timer)
							}
						}
					})
					w.Schedule(&probes[i].Timer, time.Second)
				}
				advance(w, 30*time.Second)
				if fired != 1 {
					t.Errorf("%d timers expired, want the first only", fired)
				}
			})
		})
	}
}

// TestLaterTurns keeps thousands of timers of later turns in the slot of one
// that is due.
func TestLaterTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New(0)
		defer w.Close()
		late := make([]*probe, 3*relinkBatch)
		for i := range late {
			late[i] = newProbe(nil)
			w.Schedule(&late[i].Timer, time.Second+2*turn)
		}
		soon := newProbe(nil)
		w.Schedule(&soon.Timer, time.Second)
		advance(w, time.Second)
		if len(soon.fired) != 1 || w.Len() != len(late) {
			t.Fatalf("the one due expired %d times, %d left", len(soon.fired), w.Len())
		}
		advance(w, 2*turn-1)
		if w.Len() != len(late) {
			t.Fatalf("%d left just before they are due", w.Len())
		}
		advance(w, 1)
		if w.Len() != 0 {
			t.Errorf("%d left", w.Len())
		}
	})
}

// TestSlowHandler blocks the wheel, which a handler must not do, for more than
// a turn. What was due meanwhile expires afterwards, all of it.
func TestSlowHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New(0)
		defer w.Close()
		slow := newProbe(func() { <-time.After(5*turn/2 + 3) })
		w.Schedule(&slow.Timer, time.Second)
		var others []*probe
		for d := 2 * time.Second; d < 4*turn; d += 777 * time.Millisecond {
			p := newProbe(nil)
			w.Schedule(&p.Timer, d)
			others = append(others, p)
		}
		begin := time.Now()
		advance(w, time.Second+5*turn/2+3)
		for i, p := range others {
			due := 2*time.Second + time.Duration(i)*777*time.Millisecond
			if past := due <= time.Since(begin)-DefaultTick; past != (len(p.fired) == 1) {
				t.Fatalf("timer of %v: expired %d times after %v", due, len(p.fired), time.Since(begin))
			}
		}
		advance(w, 2*turn)
		if w.Len() != 0 {
			t.Errorf("%d left", w.Len())
		}
	})
}

// TestSleeps counts how often the goroutine looks at the slots.
func TestSleeps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New(0)
		defer w.Close()
		passes := func() uint64 {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.passes
		}
		advance(w, time.Second)
		idle := passes()
		advance(w, 24*time.Hour)
		if n := passes() - idle; n != 0 {
			t.Errorf("%d looks in a day without timers", n)
		}

		// One timer 40 s away: a wake-up to note it, one when it is due, and one
		// for its first wake-up being empty after it was put off.
		p := newProbe(nil)
		before := passes()
		for range 30 {
			w.Schedule(&p.Timer, 40*time.Second)
			advance(w, time.Second)
		}
		advance(w, time.Hour)
		if n := passes() - before; n > 4 {
			t.Errorf("%d looks for one timer, put off 30 times", n)
		}
		if len(p.fired) != 1 {
			t.Errorf("expired %d times", len(p.fired))
		}
	})
}

func TestFarAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New(0)
		defer w.Close()
		p := newProbe(nil)
		for _, d := range []time.Duration{math.MaxInt64, math.MaxInt64 - 1, 100 * 365 * 24 * time.Hour} {
			w.Schedule(&p.Timer, d)
			advance(w, 10*time.Minute)
			if len(p.fired) != 0 || !w.Stop(&p.Timer) {
				t.Errorf("delay %v: expired %d times in ten minutes", d, len(p.fired))
			}
		}
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New(0)
		entered, leave := make(chan struct{}), make(chan struct{})
		var probes []*probe
		for range 3 {
			p := newProbe(func() { close(entered); <-leave })
			w.Schedule(&p.Timer, time.Second)
			probes = append(probes, p)
		}
		<-entered
		closed := make(chan struct{})
		go func() {
			w.Close()
			close(closed)
		}()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close did not wait for the handler")
		default:
		}
		close(leave)
		<-closed
		w.Close() // again
		fired := 0
		for _, p := range probes {
			w.Schedule(&p.Timer, 0)
			fired += len(p.fired)
		}
		if n := w.Len(); n != 2 {
			t.Errorf("%d timers scheduled, want the two that were before Close", n)
		}
		advance(w, time.Hour)
		if fired != 1 {
			t.Errorf("%d handlers called, want the one before Close only", fired)
		}
		for _, p := range probes {
			w.Stop(&p.Timer)
		}
		if w.Len() != 0 {
			t.Errorf("%d timers left after they were stopped", w.Len())
		}
	})
}

func TestTimerWithoutHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New(time.Millisecond)
		defer w.Close()
		var bare Timer
		w.Schedule(&bare, time.Second)
		advance(w, time.Second)
		if w.Len() != 0 {
			t.Error("still scheduled")
		}
	})
}

// TestNeverEarly runs on the real clock.
func TestNeverEarly(t *testing.T) {
	t.Parallel()
	w := New(time.Millisecond)
	defer w.Close()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range 100 {
		wg.Add(1)
		d := time.Duration(i) * 333 * time.Microsecond
		begin := time.Now()
		p := newProbe(func() {
			mu.Lock()
			defer mu.Unlock()
			if took := time.Since(begin); took < d {
				t.Errorf("delay %v: expired after %v", d, took)
			}
			wg.Done()
		})
		w.Schedule(&p.Timer, d)
	}
	wg.Wait()
}
