package wheel

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// A step is one thing to do with a wheel.
type step struct {
	kind int // of the constants below
	id   int
	d    time.Duration
}

const (
	doSchedule = iota
	doStop
	doAdvance
)

// model is the plain idea of the wheel: a list sorted by deadline.
type model struct {
	pending []deadline
	faults  []string
}

type deadline struct {
	at time.Time
	id int
}

func (m *model) remove(id int) bool {
	i := slices.IndexFunc(m.pending, func(d deadline) bool { return d.id == id })
	if i < 0 {
		return false
	}
	m.pending = slices.Delete(m.pending, i, i+1)
	return true
}

func (m *model) schedule(id int, at time.Time) {
	m.remove(id)
	i, _ := slices.BinarySearchFunc(m.pending, at, func(d deadline, at time.Time) int {
		return d.at.Compare(at)
	})
	m.pending = slices.Insert(m.pending, i, deadline{at, id})
}

// expired checks one expiry: it is the turn of that timer, give or take those
// of the same tick.
func (m *model) expired(id int, tick time.Duration) {
	now := time.Now()
	i := slices.IndexFunc(m.pending, func(d deadline) bool { return d.id == id })
	if i < 0 {
		m.fault("timer %d expired and was not scheduled", id)
		return
	}
	at := m.pending[i].at
	if late := now.Sub(at); late < 0 || late > tick {
		m.fault("timer %d expired %v late", id, late)
	}
	if first := m.pending[0]; at.Sub(first.at) > tick {
		m.fault("timer %d expired before timer %d, which is due %v earlier", id, first.id, at.Sub(first.at))
	}
	m.remove(id)
}

// settled checks that nothing overdue is left.
func (m *model) settled(tick time.Duration) {
	if len(m.pending) > 0 && time.Since(m.pending[0].at) > tick {
		m.fault("timer %d is %v overdue", m.pending[0].id, time.Since(m.pending[0].at))
	}
}

func (m *model) fault(format string, args ...any) {
	m.faults = append(m.faults, fmt.Sprintf(format, args...))
}

type modelTimer struct {
	Timer
	id    int
	model *model
	tick  time.Duration
}

func (t *modelTimer) Expired(*Timer) { t.model.expired(t.id, t.tick) }

// TestModel does random things and compares with the list.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		tick := rapid.SampledFrom([]time.Duration{time.Millisecond, DefaultTick, 7 * time.Millisecond}).Draw(rt, "tick")
		full := slotCount * tick
		delay := rapid.OneOf(
			rapid.Custom(func(t *rapid.T) time.Duration {
				return time.Duration(rapid.Int64Range(-1, int64(3*full)).Draw(t, "any"))
			}),
			rapid.Custom(func(t *rapid.T) time.Duration {
				return time.Duration(rapid.Int64Range(0, 30).Draw(t, "ticks")) * tick
			}),
			rapid.SampledFrom([]time.Duration{0, 1, tick - 1, tick, tick + 1, full - tick, full - 1, full, full + 1, full + tick}),
		)
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			return step{
				kind: rapid.SampledFrom([]int{doSchedule, doSchedule, doSchedule, doStop, doAdvance, doAdvance}).Draw(t, "kind"),
				id:   rapid.IntRange(0, 19).Draw(t, "id"),
				d:    delay.Draw(t, "delay"),
			}
		}), 1, 120).Draw(rt, "steps")

		m := new(model)
		synctest.Test(t, func(*testing.T) {
			w := New(tick)
			defer w.Close()
			timers := make([]modelTimer, 20)
			for i := range timers {
				timers[i] = modelTimer{id: i, model: m, tick: tick}
				timers[i].Init(&timers[i])
			}
			for _, s := range steps {
				timer := &timers[s.id]
				switch s.kind {
				case doSchedule:
					m.schedule(s.id, time.Now().Add(max(s.d, 0)))
					w.Schedule(&timer.Timer, s.d)
				case doStop:
					if was, is := m.remove(s.id), w.Stop(&timer.Timer); was != is {
						m.fault("Stop of timer %d: %t, want %t", s.id, is, was)
					}
				case doAdvance:
					advance(w, s.d)
				}
				synctest.Wait() // the wheel's goroutine is idle: the model is ours
				m.settled(tick)
				if w.Len() != len(m.pending) {
					m.fault("%d scheduled, want %d", w.Len(), len(m.pending))
				}
			}
			advance(w, 4*full)
			m.settled(tick)
			if w.Len() != 0 {
				m.fault("%d left at the end", w.Len())
			}
		})
		if len(m.faults) > 0 {
			rt.Fatalf("%d faults, first: %s", len(m.faults), m.faults[0])
		}
	})
}
