package natsio

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/natsio/internal/feed"
	"github.com/siod-io/siod/backplane/wire"
)

const (
	// askTimeout bounds a question to the log. It is asked again then.
	askTimeout = time.Second

	// feedBatch is how many entries are taken before anything else is looked at.
	feedBatch = 512

	headerSeq     = "Nats-Sequence"
	headerStored  = "Nats-Time-Stamp"
	headerSubject = "Nats-Subject"
)

// follow is the goroutine of a log that is tailed: it drives the sequencer.
func (l *eventLog) follow() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		for a, ok := l.seq.Next(now); ok; a, ok = l.seq.Next(now) {
			l.ask(a)
		}
		l.publish()
		if at := l.seq.Wake(); at.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(at.Sub(now))
		}
		select {
		case m := <-l.entries:
			l.take(m)
		case a := <-l.answers:
			a.give(l.seq, time.Now())
		case <-l.elections:
			l.seq.Suspect()
		case <-l.nudge:
			l.heed()
		case <-timer.C:
			l.seq.Pace(l.pace())
		case <-l.b.closed:
			l.end()
			return
		}
	}
}

// end fails what still waits.
func (l *eventLog) end() {
	l.mu.Lock()
	l.ended = true
	acked := l.hints.acked
	l.hints = hints{}
	l.mu.Unlock()
	for _, p := range acked {
		l.stored.add(p)
	}
	l.publish() // some may have been applied by now
	l.stored.fail(backplane.ErrClosed)
}

// pace is the time between tail checks: all nodes ask one leader (V2).
func (l *eventLog) pace() time.Duration {
	return max(250*time.Millisecond, time.Duration(l.cfg.Nodes()*l.cfg.Count)*5*time.Millisecond)
}

// take hands over an entry of the feed and those that came with it.
func (l *eventLog) take(m *nats.Msg) {
	now := time.Now()
	for range feedBatch {
		if it, ok := item(m); ok {
			l.seq.Entry(now, it)
		} else {
			l.stats.malformed.Add(1) // nobody but the log's server may publish here
		}
		select {
		case m = <-l.entries:
		default:
			return
		}
	}
}

// raw is an entry as the log has it.
type raw struct {
	subject string // of subject.Ingest or subject.Delivery
	data    []byte
}

// errForged: an entry that was published for another address than it claims.
var errForged = errors.New("natsio: an entry claims another namespace or kind than it was published for")

// open reads an entry. Who may publish for one namespace only may claim any in
// the envelope, and only nodes publish records about the log (R20).
func (l *eventLog) open(r raw, limits backplane.Limits) (*backplane.Envelope, error) {
	m, err := wire.Decode(r.data, limits)
	if err != nil {
		return nil, err
	}
	namespace, control, ok := l.b.space.LogNamespace(r.subject)
	switch {
	case !ok:
	case control && m.Kind == backplane.KindBreak, !control && m.Kind == backplane.KindEvent && namespace.Is(m.Namespace):
		return &m.Envelope, nil
	}
	return nil, errForged
}

// ofServer is what the log's server wrote into the header of an entry, behind
// whatever its publisher may have put there under the same name.
func ofServer(m *nats.Msg, key string) string {
	values := m.Header[key]
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// item reads an entry by what the log's server wrote into its header.
func item(m *nats.Msg) (feed.Item[raw], bool) {
	seq, err := strconv.ParseUint(ofServer(m, headerSeq), 10, 64)
	if err != nil || seq == 0 {
		return feed.Item[raw]{}, false
	}
	stored, err := time.Parse(time.RFC3339Nano, ofServer(m, headerStored))
	if err != nil {
		return feed.Item[raw]{}, false
	}
	at := m.Subject
	if original := ofServer(m, headerSubject); original != "" { // it was fetched
		at = original
	}
	return feed.Item[raw]{Seq: seq, Stored: stored.UnixNano(), Size: len(m.Data), Value: raw{at, m.Data}}, true
}

// heed takes the hints.
func (l *eventLog) heed() {
	l.mu.Lock()
	h := l.hints
	l.hints = hints{}
	l.mu.Unlock()
	now := time.Now()
	for _, p := range h.acked {
		h.known = max(h.known, p.seq)
		l.stored.add(p)
	}
	if h.known > 0 {
		l.seq.Known(now, h.known)
	}
	switch {
	case h.suspect:
		l.seq.Suspect()
	case h.check:
		l.seq.Check()
	}
}

// publish makes the position known, and ends the appends that it reached.
func (l *eventLog) publish() {
	last, ok := l.seq.Last()
	if !ok {
		return
	}
	stats := l.seq.Stats()
	l.stats.feed.Store(&stats)
	l.mu.Lock()
	l.pos = l.position(last)
	l.ahead = l.seq.Ahead()
	l.held = l.seq.Held()
	l.created = when(l.seq.Created())
	l.mu.Unlock()
	for p := l.stored.reached(l.seq.Reached()); p != nil; p = l.stored.reached(l.seq.Reached()) {
		m, ok := l.seq.Mark(p.seq)
		if !ok {
			m = feed.Mark{Seq: p.seq} // applied long ago, or jumped over
		}
		p.finish(l.position(m), nil)
	}
	l.stored.expire(time.Now())
}

// position makes the position of an entry.
func (l *eventLog) position(m feed.Mark) backplane.Position {
	return backplane.Position{Seq: m.Seq, Tag: backplane.NewTag(when(l.seq.Created()), m.Seq, when(m.Stored))}
}

// when is the time of a number of nanoseconds, the zero Time for 0.
func when(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos)
}

// Apply implements feed.Handler. An entry that cannot be read has its place in
// the order all the same.
func (l *eventLog) Apply(it feed.Item[raw]) {
	env, err := l.open(it.Value, l.b.cfg.Limits)
	switch {
	case err == nil:
		l.handler.Apply(backplane.Entry{
			Position: l.position(feed.Mark{Seq: it.Seq, Stored: it.Stored}),
			Stored:   when(it.Stored),
			Envelope: env,
		})
	case l.othersRead(it.Value, err):
		l.stats.unreadable.Add(1)
		l.b.logger.Error("a log holds an event that this node cannot read and others can: clients of this node missed it and are told; upgrade nodes before who emits, and give all the same limits",
			"stream", l.stream, "seq", it.Seq, "err", err)
		l.handler.Reset(backplane.Reset{
			Position: l.position(feed.Mark{Seq: it.Seq, Stored: it.Stored}), Reason: backplane.ResetJump,
		})
	case errors.Is(err, errForged):
		l.b.stats.forged.Add(1)
	default:
		if l.stats.malformed.Add(1) == 1 {
			l.b.logger.Warn("a log holds entries that nobody can read; further ones are counted", "stream", l.stream, "seq", it.Seq, "err", err)
		}
	}
}

// othersRead reports whether a node of a later version, or with larger limits,
// reads what this one cannot for a reason.
func (l *eventLog) othersRead(r raw, reason error) bool {
	if v, ok := errors.AsType[*wire.VersionError](reason); ok {
		return int(v.Got) > wire.Version && int(v.Got) <= l.cfg.Reads()
	}
	if _, ok := errors.AsType[*backplane.LimitError](reason); !ok {
		return false
	}
	_, err := l.open(r, l.cfg.Largest())
	return err == nil
}

// Reset implements feed.Handler.
func (l *eventLog) Reset(r feed.Reset) {
	reset := backplane.Reset{Position: l.position(r.Mark)}
	switch r.Reason {
	case feed.Start:
		reset.Reason = backplane.ResetStart
	case feed.Jump:
		reset.Reason = backplane.ResetJump
		l.b.logger.Warn("entries of a log expired before this node got them", "stream", l.stream, "seq", r.Seq)
	case feed.Rewind:
		reset.Reason = backplane.ResetRewind
		l.b.logger.Error("a log lost its newest entries, or was created anew", "stream", l.stream, "seq", r.Seq)
		l.stored.lost(r.Seq)
	}
	l.handler.Reset(reset)
	if r.Reason == feed.Start {
		l.publish()
		close(l.started)
	}
}

// answer is what became of an action.
type answer struct {
	action feed.Action
	err    error
	info   feed.Info
	items  []feed.Item[raw]
}

func (a answer) give(s *feed.Sequencer[raw], now time.Time) {
	switch {
	case a.err != nil:
		s.Failed(now, a.action)
	case a.action.Kind == feed.Ask:
		s.Info(now, a.action, a.info)
	default:
		s.Fetched(now, a.action, a.items)
	}
}

// ask has an action done. Its answer comes to follow, unless the backplane
// closes: answers has room for one of each kind.
func (l *eventLog) ask(a feed.Action) {
	l.b.wg.Go(func() {
		ctx, cancel := l.b.within(askTimeout)
		defer cancel()
		ans := answer{action: a}
		switch {
		case a.Kind == feed.Ask:
			ans.info, ans.err = l.info(ctx, a.Deleted)
		case a.Leader:
			ans.items, ans.err = l.fetchLeader(ctx, a.From, a.UpTo)
		default:
			ans.items, ans.err = l.fetchAny(ctx, a.From, a.UpTo)
		}
		l.answers <- ans
	})
}

// within returns a context that ends after d or when the backplane closes.
func (b *Backplane) within(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.life, d)
}
