package transport

import (
	"fmt"
	"time"
)

// RateLimit bounds how often something may happen: on average PerSecond times,
// and up to Burst times at once. The zero value is no limit.
type RateLimit struct {
	PerSecond float64
	// Burst: zero means one second's worth, at least 1.
	Burst int
}

// EventLimit bounds the messages of one session (R9). The zero value is no
// limit.
type EventLimit struct {
	// PerSecond and Burst are as in RateLimit.
	PerSecond float64
	Burst     int
	// MaxPause is for how long the engine holds a session down to the rate, by
	// not reading from it, before it ends it with ReasonRateLimit. Zero means
	// 5s.
	MaxPause time.Duration
}

func (l RateLimit) validate(field string) error {
	if l.PerSecond < 0 || l.Burst < 0 {
		return fmt.Errorf("transport: %s: must not be negative", field)
	}
	if l.Burst > 0 && l.PerSecond == 0 {
		return fmt.Errorf("transport: %s: a burst without a rate limits nothing", field)
	}
	return nil
}

// bucketRate is a RateLimit in the form in which it is applied: a bucket is a time,
// the one at which it will be full again (generic cell rate algorithm).
type bucketRate struct {
	every time.Duration // between two events at the rate
	depth time.Duration // how far ahead of now a bucket's time may be
}

func (l RateLimit) bucket() bucketRate {
	if l.PerSecond <= 0 {
		return bucketRate{}
	}
	every := time.Duration(float64(time.Second) / l.PerSecond)
	burst := l.Burst
	if burst == 0 {
		burst = max(1, int(l.PerSecond))
	}
	return bucketRate{every: every, depth: every * time.Duration(burst)}
}

// take takes one event from the bucket full at *full, and returns how long to
// wait until it may happen.
func (p bucketRate) take(full *time.Duration, now time.Duration) time.Duration {
	*full = max(*full, now) + p.every
	return max(0, *full-now-p.depth)
}

// limiter is the EventLimit of one session. A nil one limits nothing. It is
// used under the session's dispatch lock, but for end.
type limiter struct {
	rate     bucketRate
	maxPause time.Duration
	full     time.Duration
	since    time.Duration // when the session was first held down, without a pause since
	over     chan struct{} // closed when the session has ended
}

func (l EventLimit) limit() RateLimit { return RateLimit{PerSecond: l.PerSecond, Burst: l.Burst} }

func newLimiter(l EventLimit) *limiter {
	if l.PerSecond <= 0 {
		return nil
	}
	return &limiter{rate: l.limit().bucket(), maxPause: l.MaxPause, over: make(chan struct{})}
}

// wait holds the session down to its rate: TCP pushes back on the client. It
// reports false when the session is over, of which it may be the cause.
func (l *limiter) wait(s *Session) bool {
	now := s.engine.now()
	pause := l.rate.take(&l.full, now)
	if pause == 0 {
		l.since = 0
		return true
	}
	s.engine.stats.throttled.Add(1)
	if l.since == 0 {
		l.since = now
	}
	if now+pause-l.since > l.maxPause {
		s.Abort(ReasonRateLimit)
		return false
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.over:
		return false
	}
}

// end wakes a wait of a session that is over.
func (l *limiter) end() {
	if l != nil {
		close(l.over)
	}
}
