package natsio

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
)

// appender publishes the appends of this node to one log, and tries again what
// was not stored. Its goroutine runs as long as the backplane.
//
// All tries of an append carry one message id, so that the stream stores it
// once (R23). It is sent as soon as the pipeline has room, in the order of the
// calls. While the log does not answer, and before it first did, one append at
// a time is tried, the oldest first, until one is stored. No try is made later than Config.GiveUp
// after the call: that is well inside the time for which the stream remembers
// ids (V16).
type appender struct {
	l      *eventLog
	inbox  string // of answers, with a dot at its end
	acks   chan *nats.Msg
	nudged chan struct{} // capacity 1

	mu      sync.Mutex
	last    uint64
	open    map[uint64]*appending // by number
	queue   []*appending          // to be sent, in the order of the calls
	oldest  []*appending          // all, in that order: for giving up
	flying  int
	flights []flight   // tries in their order, answered ones among them
	alone   *appending // flies, and nothing else may (FlagOrdered)
	bytes   int
	window  int       // how many may fly: begins with 1, and doubles with each that is stored
	down    bool      // the newest answer, or its absence, was bad
	resume  time.Time // no try before, while down
	since   time.Time // when that began
	cause   error     // of the newest failure
	told    bool      // it was logged
	closed  bool
}

// flight is one try.
type flight struct {
	p    *appending
	sent time.Time
}

const (
	tryTimeout = time.Second            // for an answer
	retryAfter = 100 * time.Millisecond // a refusal

	// tellAfter is how long a log takes no writes before that is logged: to
	// change its leader takes less.
	tellAfter = 3 * time.Second
)

func newAppender(l *eventLog) (*appender, error) {
	a := &appender{
		l:      l,
		inbox:  l.b.inbox + "a." + strconv.Itoa(l.index) + ".",
		acks:   make(chan *nats.Msg, 2*l.cfg.Pipeline+64),
		nudged: make(chan struct{}, 1),
		open:   make(map[uint64]*appending),
		window: 1,
	}
	if _, err := l.b.log.nc.ChanSubscribe(a.inbox+"*", a.acks); err != nil {
		return nil, fmt.Errorf("natsio: stream %s: %w", l.stream, err)
	}
	return a, nil
}

// add queues an append, for as long as ctx lasts.
func (a *appender) add(ctx context.Context, p *appending) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
		return backplane.ErrClosed
	case len(a.open) >= a.l.cfg.Waiting || a.bytes+p.size > a.l.cfg.WaitingBytes:
		return backplane.ErrLogBusy
	}
	a.last++
	p.n = a.last
	p.giveUp = time.Now().Add(a.l.cfg.GiveUp)
	a.open[p.n] = p
	a.bytes += p.size
	a.queue = append(a.queue, p)
	a.oldest = append(a.oldest, p)
	if ctx.Done() != nil {
		// With the lock held: cancel finds it queued, and release set.
		p.release = context.AfterFunc(ctx, func() { a.cancel(p, context.Cause(ctx)) })
	}
	a.wake()
	return nil
}

func (a *appender) wake() {
	select {
	case a.nudged <- struct{}{}:
	default:
	}
}

// status returns how many wait, and whether there is hope.
func (a *appender) status() (waiting int, writable bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.open), !a.down
}

// cancel gives up an append whose context ended.
func (a *appender) cancel(p *appending, cause error) {
	a.mu.Lock()
	if p.state == over {
		a.mu.Unlock()
		if p.seq != 0 {
			p.finish(backplane.Position{Seq: p.seq}, p.unapplied(cause))
		}
		return
	}
	err := p.errorAt(cause)
	a.end(p)
	a.mu.Unlock()
	a.wake()
	p.finish(backplane.Position{}, err)
}

// end takes an append out. The caller holds mu.
func (a *appender) end(p *appending) {
	if p.state == flying {
		a.landed(p)
	}
	p.state = over
	if _, ok := a.open[p.n]; ok {
		delete(a.open, p.n)
		a.bytes -= p.size
	}
	p.data = nil
}

// landed notes that a try is over. The caller holds mu.
func (a *appender) landed(p *appending) {
	a.flying--
	if a.alone == p {
		a.alone = nil
	}
}

// again queues an append whose try failed, in its old place.
func (a *appender) again(p *appending) {
	a.landed(p)
	p.state = queued
	i, _ := slices.BinarySearchFunc(a.queue, p.n, func(q *appending, n uint64) int {
		if q.n < n {
			return -1
		}
		return 1
	})
	a.queue = slices.Insert(a.queue, i, p)
}

// interrupt says that the connection broke: what flies is not answered any
// more, whether it arrived or not.
func (a *appender) interrupt() {
	a.mu.Lock()
	for _, p := range a.open {
		if p.state == flying {
			p.unknown = true
			a.again(p)
		}
	}
	a.fail(time.Now(), backplane.ErrDisconnected)
	a.mu.Unlock()
	a.wake()
}

// fail notes a bad answer. The caller holds mu.
func (a *appender) fail(now time.Time, cause error) {
	a.l.stats.failed.Add(1)
	if !a.down {
		a.since = now
	}
	a.down, a.window = true, 1
	a.resume = now.Add(retryAfter)
	a.cause = cause
}

// mended notes that an append was stored. It returns for how long none was, if
// that was logged. The caller holds mu.
func (a *appender) mended(now time.Time) (outage time.Duration) {
	if a.told {
		outage = now.Sub(a.since)
	}
	a.down, a.told = false, false
	return outage
}

// tell returns why appends have waited for so long that it is to be logged, once.
// The caller holds mu.
func (a *appender) tell(now time.Time) error {
	if !a.down || a.told || len(a.open) == 0 || now.Sub(a.since) < tellAfter {
		return nil
	}
	a.told = true
	return a.cause
}

// run is the goroutine.
func (a *appender) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next := a.step(time.Now())
		timer.Reset(next)
		select {
		case m := <-a.acks:
			a.answer(m)
		case <-a.nudged:
		case <-timer.C:
		case <-a.l.b.closed:
			a.close()
			return
		}
	}
}

// step gives up and sends what is due. It returns when to look again.
func (a *appender) step(now time.Time) time.Duration {
	a.mu.Lock()
	failed := a.expire(now)
	a.timeOut(now)
	a.sendDue(now)
	next := a.wakeAt(now)
	waiting, cause := len(a.open), a.tell(now)
	a.mu.Unlock()
	if cause != nil {
		a.l.b.logger.Warn("the log takes no writes: durable events wait", "stream", a.l.stream, "waiting", waiting, "err", cause)
	}
	for _, p := range failed {
		p.finish(backplane.Position{}, p.errorAt(errGaveUp))
	}
	return next
}

// expire takes out what has waited for too long.
func (a *appender) expire(now time.Time) []*appending {
	var failed []*appending
	for len(a.oldest) > 0 {
		p := a.oldest[0]
		if p.state != over {
			if now.Before(p.giveUp) {
				break
			}
			p.unknown = p.unknown || p.state == flying
			a.end(p)
			failed = append(failed, p)
		}
		a.oldest[0] = nil
		a.oldest = a.oldest[1:]
	}
	return failed
}

// timeOut ends tries without an answer.
func (a *appender) timeOut(now time.Time) {
	for len(a.flights) > 0 {
		f := a.flights[0]
		if f.p.state == flying && f.p.sent.Equal(f.sent) {
			if now.Sub(f.sent) < tryTimeout {
				return
			}
			f.p.unknown = true
			a.again(f.p)
			a.fail(now, errUnanswered)
		}
		a.flights[0] = flight{}
		a.flights = a.flights[1:]
	}
}

// wakeAt returns how long nothing is due.
func (a *appender) wakeAt(now time.Time) time.Duration {
	next := time.Hour
	if len(a.oldest) > 0 {
		next = a.oldest[0].giveUp.Sub(now)
	}
	if a.flying > 0 {
		next = min(next, tryTimeout/4)
	}
	if a.down && len(a.queue) > 0 && a.flying == 0 {
		next = min(next, a.resume.Sub(now))
	}
	return max(next, 0)
}

// close fails what waits.
func (a *appender) close() {
	a.mu.Lock()
	a.closed = true
	var failed []*appending
	for _, p := range a.oldest {
		if p.state != over {
			p.unknown = p.unknown || p.state == flying
			a.end(p)
			failed = append(failed, p)
		}
	}
	a.queue, a.oldest = nil, nil
	a.mu.Unlock()
	for _, p := range failed {
		p.finish(backplane.Position{}, backplane.ErrClosed)
	}
}
