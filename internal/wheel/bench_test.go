package wheel

import (
	"math/rand/v2"
	"testing"
	"time"
)

type nop struct{}

func (nop) Expired(*Timer) {}

// fill returns a wheel of n timers spread over 25 to 45 seconds.
func fill(b *testing.B, n int) (*Wheel, []Timer) {
	w := New(0)
	b.Cleanup(w.Close)
	timers := make([]Timer, n)
	for i := range timers {
		timers[i].Init(nop{})
		w.Schedule(&timers[i], 25*time.Second+rand.N(20*time.Second))
	}
	return w, timers
}

const benchTimers = 100_000

func BenchmarkReschedule(b *testing.B) {
	w, timers := fill(b, benchTimers)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		w.Schedule(&timers[i%benchTimers], 25*time.Second)
		i += 7919
	}
}

func BenchmarkStopSchedule(b *testing.B) {
	w, timers := fill(b, benchTimers)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		t := &timers[i%benchTimers]
		w.Stop(t)
		w.Schedule(t, 25*time.Second)
		i += 7919
	}
}

func BenchmarkParallel(b *testing.B) {
	w, _ := fill(b, benchTimers)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		var t Timer
		t.Init(nop{})
		for pb.Next() {
			w.Schedule(&t, 25*time.Second)
		}
		w.Stop(&t)
	})
}

// BenchmarkRuntimeTimer is what the wheel replaces.
func BenchmarkRuntimeTimer(b *testing.B) {
	timers := make([]*time.Timer, benchTimers)
	for i := range timers {
		timers[i] = time.AfterFunc(25*time.Second+rand.N(20*time.Second), func() {})
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		timers[i%benchTimers].Reset(25 * time.Second)
		i += 7919
	}
	for _, t := range timers {
		t.Stop()
	}
}

// BenchmarkExpire runs 100,000 timers of one slot down.
func BenchmarkExpire(b *testing.B) {
	w := New(time.Millisecond)
	b.Cleanup(w.Close)
	timers := make([]Timer, benchTimers)
	done := make(chan struct{})
	h := &countdown{done: done}
	for i := range timers {
		timers[i].Init(h)
	}
	b.ReportAllocs()
	for b.Loop() {
		h.left = benchTimers
		for i := range timers {
			w.Schedule(&timers[i], time.Millisecond)
		}
		<-done
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchTimers, "ns/timer")
}

type countdown struct {
	left int
	done chan struct{}
}

func (c *countdown) Expired(*Timer) {
	if c.left--; c.left == 0 {
		c.done <- struct{}{}
	}
}
