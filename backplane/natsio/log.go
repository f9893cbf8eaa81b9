package natsio

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/natsio/internal/feed"
)

// eventLog is one durable log: a stream that gives out again what it stores.
// It implements backplane.Log.
type eventLog struct {
	b      *Backplane
	index  int
	cfg    LogConfig
	stream string
	js     jetstream.JetStream
	send   *appender

	// Of the goroutine of follow alone, once Tail began.
	seq     *feed.Sequencer[raw]
	handler backplane.LogHandler
	stored  waiters // appends whose entry was not applied here yet

	entries   chan *nats.Msg // the feed
	elections chan *nats.Msg
	answers   chan answer
	nudge     chan struct{} // capacity 1: there are hints
	started   chan struct{} // closed after the first Reset

	mu      sync.Mutex
	tailed  bool
	ended   bool // follow is over
	hints   hints
	created time.Time
	pos     backplane.Position
	ahead   uint64
	held    int

	stats logCounters
}

// hints are what others tell the goroutine of follow.
type hints struct {
	known   uint64       // the log reaches this sequence
	check   bool         // something may have been lost
	suspect bool         // the log may have gone back
	acked   []*appending // stored
}

var errNoAnswer = errors.New("natsio: no answer that can be used")

// newLogs makes the durable logs, and has their streams be there.
func newLogs(ctx context.Context, b *Backplane, cfg *LogConfig) ([]*eventLog, error) {
	if cfg == nil {
		return nil, nil
	}
	c := cfg.withDefaults()
	if c.Largest == nil {
		c.Largest = func() backplane.Limits { return b.cfg.Limits }
	}
	js, err := jetstream.New(b.log.nc)
	if err != nil {
		return nil, fmt.Errorf("natsio: JetStream: %w", err)
	}
	if err := checkServer(ctx, js); err != nil {
		return nil, err
	}
	var logs []*eventLog
	for i := range c.Count {
		if err := provision(ctx, js, LogStream(b.space, i, c), c.Existing); err != nil {
			return nil, err
		}
		l := &eventLog{
			b:         b,
			index:     i,
			cfg:       c,
			stream:    b.space.LogStream(i),
			js:        js,
			entries:   make(chan *nats.Msg, c.Feed),
			elections: make(chan *nats.Msg, 16),
			answers:   make(chan answer, 2),
			nudge:     make(chan struct{}, 1),
			started:   make(chan struct{}),
		}
		l.seq = feed.New(feed.Config{Hold: c.Hold, HoldSize: c.HoldBytes}, l)
		if l.send, err = newAppender(l); err != nil {
			return nil, err
		}
		logs = append(logs, l)
	}
	return logs, nil
}

// run starts the goroutine that appends.
func (l *eventLog) run() { l.b.wg.Go(l.send.run) }

// Tail implements backplane.Log.
func (l *eventLog) Tail(ctx context.Context, h backplane.LogHandler) error {
	if l.b.isClosed() {
		return backplane.ErrClosed
	}
	l.mu.Lock()
	again := l.tailed
	l.tailed = true
	l.mu.Unlock()
	if again {
		return fmt.Errorf("%w: log %d is tailed already", backplane.ErrSubscribed, l.index)
	}
	l.handler = h
	if err := l.subscribe(ctx); err != nil {
		return err
	}
	l.b.wg.Go(l.follow)
	select {
	case <-l.started:
		return nil
	case <-l.b.closed:
		return backplane.ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", backplane.ErrLogDown, ctx.Err())
	}
}

// subscribe has the feed come, before its position is asked for (V1).
func (l *eventLog) subscribe(ctx context.Context) error {
	nc := l.b.log.nc
	_, err := nc.ChanSubscribe(l.b.space.Feed(l.index), l.entries)
	if err == nil {
		_, err = nc.ChanSubscribe("$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED."+l.stream, l.elections)
	}
	if err == nil {
		err = nc.FlushWithContext(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", backplane.ErrLogDown, err)
	}
	return nil
}

// Status implements backplane.Log.
func (l *eventLog) Status() backplane.LogStatus {
	waiting, writable := l.send.status()
	l.mu.Lock()
	defer l.mu.Unlock()
	return backplane.LogStatus{
		Index:    l.index,
		Created:  l.created,
		Position: l.pos,
		Last:     l.ahead,
		Writable: writable && l.b.log.up.Load(),
		Waiting:  waiting,
	}
}

// hint changes what follow is told, and wakes it.
func (l *eventLog) hint(change func(*hints)) {
	l.mu.Lock()
	change(&l.hints)
	l.mu.Unlock()
	l.wake()
}

func (l *eventLog) wake() {
	select {
	case l.nudge <- struct{}{}:
	default:
	}
}

// doubt says that entries may have been lost on the way.
func (l *eventLog) doubt() { l.hint(func(h *hints) { h.check = true }) }

// logCounters are what LogStats reads.
type logCounters struct {
	malformed, unreadable     atomic.Uint64
	tries, failed, duplicates atomic.Uint64
	feed                      atomic.Pointer[feed.Stats]
}

// LogStats are figures of one log on this node, since Connect.
type LogStats struct {
	Applied    uint64 // entries
	Repeated   uint64 // entries that came again, and were dropped
	Filled     uint64 // entries that did not come by themselves and were fetched
	Passed     uint64 // sequences that held no entry any more
	Skipped    uint64 // entries that expired before they came: sessions missed them
	Overflow   uint64 // entries not held, and fetched later
	Malformed  uint64 // entries that could not be read: nobody gets them
	Unreadable uint64 // entries of a later version or over this node's limits, which others read: sessions were told that they missed them
	Rewinds    uint64 // the log lost entries that were applied
	Tries      uint64 // publications, retries included
	Failed     uint64 // publications refused or unanswered
	Duplicates uint64 // publications that had been stored already

	Waiting int    // appends of this node that are not stored yet, now
	Held    int    // entries that came before those in front of them, now
	Behind  uint64 // entries that the log is known to have and that were not applied yet, now
}

// LogStats returns a snapshot for each log.
func (b *Backplane) LogStats() []LogStats {
	var list []LogStats
	for _, l := range b.logs {
		s := LogStats{
			Malformed:  l.stats.malformed.Load(),
			Unreadable: l.stats.unreadable.Load(),
			Tries:      l.stats.tries.Load(),
			Failed:     l.stats.failed.Load(),
			Duplicates: l.stats.duplicates.Load(),
		}
		if f := l.stats.feed.Load(); f != nil {
			s.Applied, s.Repeated, s.Filled, s.Passed = f.Applied, f.Repeated, f.Filled, f.Passed
			s.Skipped, s.Overflow, s.Rewinds = f.Skipped, f.Overflow, f.Rewinds
		}
		s.Waiting, _ = l.send.status()
		l.mu.Lock()
		s.Held = l.held
		if l.ahead > l.pos.Seq {
			s.Behind = l.ahead - l.pos.Seq
		}
		l.mu.Unlock()
		list = append(list, s)
	}
	return list
}

// Logs implements backplane.Logged.
func (b *Backplane) Logs() []backplane.Log { return b.logged }

// startLogs makes the logs and starts what they need.
func (b *Backplane) startLogs(ctx context.Context) error {
	logs, err := newLogs(ctx, b, b.cfg.Log)
	if err != nil {
		return err
	}
	b.logs = logs
	for _, l := range logs {
		b.logged = append(b.logged, l)
		l.run()
	}
	b.started.Store(true)
	return nil
}

// eachLog calls f for each log, if they have been made: the connection may
// break before.
func (b *Backplane) eachLog(f func(*eventLog)) {
	if !b.started.Load() {
		return
	}
	for _, l := range b.logs {
		f(l)
	}
}

// logsDown runs when the connection of the logs broke: what was under way may
// have been stored or not.
func (b *Backplane) logsDown() { b.eachLog(func(l *eventLog) { l.send.interrupt() }) }

// logsBack runs when it stands again.
func (b *Backplane) logsBack() {
	b.eachLog(func(l *eventLog) {
		l.send.wake()
		l.doubt()
	})
	b.sessionsBack()
}

// logsSlow runs when a channel was full and entries were dropped.
func (b *Backplane) logsSlow(*nats.Subscription) {
	b.eachLog((*eventLog).doubt)
	b.sessionsSlow()
}
