package natsio

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

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

// add queues an append.
func (a *appender) add(p *appending) error {
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
			p.finish(backplane.Position{Seq: p.seq}, fmt.Errorf("natsio: stored at %d, and not applied here in time: %w", p.seq, cause))
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
	a.fail(time.Now())
	a.mu.Unlock()
	a.wake()
}

// fail notes a bad answer. The caller holds mu.
func (a *appender) fail(now time.Time) {
	a.l.stats.failed.Add(1)
	a.down, a.window = true, 1
	a.resume = now.Add(retryAfter)
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
	a.mu.Unlock()
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
			a.fail(now)
		}
		a.flights[0] = flight{}
		a.flights = a.flights[1:]
	}
}

// sendDue sends what may be sent.
func (a *appender) sendDue(now time.Time) {
	for len(a.queue) > 0 {
		p := a.queue[0]
		switch {
		case p.state == over:
		case !a.room(p, now):
			return
		case !a.try(p, now):
			return
		}
		a.queue[0] = nil
		a.queue = a.queue[1:]
	}
}

// room reports whether an append may be sent now.
func (a *appender) room(p *appending, now time.Time) bool {
	switch {
	case a.alone != nil, p.ordered && a.flying > 0:
		return false
	case a.down && now.Before(a.resume):
		return false
	}
	return a.flying < a.window
}

// try publishes an append. It returns false if that was not possible.
func (a *appender) try(p *appending, now time.Time) bool {
	m := &nats.Msg{
		Subject: p.subject,
		Reply:   a.inbox + strconv.FormatUint(p.n, 36),
		Header:  nats.Header{"Nats-Expected-Stream": {a.l.stream}},
		Data:    p.data,
	}
	if p.id != "" {
		m.Header["Nats-Msg-Id"] = []string{p.id}
	}
	a.l.stats.tries.Add(1)
	if !a.l.b.log.up.Load() {
		p.last = backplane.ErrDisconnected
	} else if p.last = a.l.b.log.nc.PublishMsg(m); p.last == nil {
		p.state, p.sent = flying, now
		a.flying++
		a.flights = append(a.flights, flight{p, now})
		if p.ordered {
			a.alone = p
		}
		return true
	}
	a.fail(now)
	return false
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

// answer takes what the log says to a try, of now or of before.
func (a *appender) answer(m *nats.Msg) {
	n, err := strconv.ParseUint(strings.TrimPrefix(m.Subject, a.inbox), 36, 64)
	if err != nil {
		return
	}
	seq, duplicate, err := readAck(m)
	now := time.Now()
	a.mu.Lock()
	p := a.open[n]
	if p == nil {
		a.mu.Unlock()
		return // given up
	}
	if err != nil && !final(err) {
		p.last = err
		if p.state == flying {
			a.again(p)
		}
		a.fail(now)
		a.mu.Unlock()
		return
	}
	a.end(p)
	p.seq = seq
	a.down = false
	a.window = min(2*a.window, a.l.cfg.Pipeline)
	a.mu.Unlock()
	if err != nil {
		p.finish(backplane.Position{}, err)
		return
	}
	a.l.confirmed(p, duplicate)
}

// confirmed takes an append that is stored.
func (l *eventLog) confirmed(p *appending, duplicate bool) {
	if duplicate {
		l.stats.duplicates.Add(1) // and it may not have been given out (V2)
	}
	l.mu.Lock()
	tailed := l.tailed
	if tailed && !l.ended {
		l.hints.acked = append(l.hints.acked, p)
		l.hints.check = l.hints.check || duplicate
	}
	ended := l.ended
	l.mu.Unlock()
	switch {
	case ended:
		p.finish(backplane.Position{}, backplane.ErrClosed)
		return
	case tailed:
		l.wake()
		return
	}
	l.b.wg.Go(func() {
		ctx, cancel := l.b.within(askTimeout)
		defer cancel()
		p.finish(l.stat(ctx, p.seq), nil)
	})
}

// readAck reads the answer to a publication.
func readAck(m *nats.Msg) (seq uint64, duplicate bool, err error) {
	if status := m.Header.Get("Status"); status != "" {
		return 0, false, nats.ErrNoResponders
	}
	var ack struct {
		Seq       uint64              `json:"seq"`
		Duplicate bool                `json:"duplicate"`
		Error     *jetstream.APIError `json:"error"`
	}
	switch err := json.Unmarshal(m.Data, &ack); {
	case err != nil:
		return 0, false, err
	case ack.Error != nil:
		return 0, false, ack.Error
	case ack.Seq == 0:
		return 0, false, errNoAnswer
	}
	return ack.Seq, ack.Duplicate, nil
}

// final reports whether another try would be refused as well.
func final(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && api.Code == 400 && api.ErrorCode != jetstream.JSErrCodeStreamNotFound
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
