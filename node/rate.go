package node

import "time"

// bucket is the token bucket of one connection's events (R9). It belongs to
// the goroutine that reads.
type bucket struct {
	tokens float64
	filled time.Time
}

// take takes one token at a time and returns how long the next one is away.
func (b *bucket) take(now time.Time, rate, burst int) (wait time.Duration) {
	if b.filled.IsZero() {
		b.tokens = float64(burst)
	} else {
		b.tokens = min(float64(burst), b.tokens+now.Sub(b.filled).Seconds()*float64(rate))
	}
	b.filled = now
	b.tokens--
	if b.tokens >= 0 {
		return 0
	}
	return time.Duration(-b.tokens / float64(rate) * float64(time.Second))
}

// throttle delays the reading of a client that sends more events than it may,
// which makes TCP push back. It reports false if the connection ended.
func (c *conn) throttle() bool {
	cfg := &c.srv.cfg
	if cfg.EventRate == 0 {
		return true
	}
	wait := c.rate.take(time.Now(), cfg.EventRate, cfg.EventBurst)
	if wait == 0 {
		return true
	}
	c.srv.stats.throttled.Add(1)
	t := time.NewTimer(wait)
	defer t.Stop()
	for {
		wake, closed := c.paused()
		if closed {
			return false
		}
		select {
		case <-t.C:
			return true
		case <-wake:
		}
	}
}
