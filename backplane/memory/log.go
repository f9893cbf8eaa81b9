package memory

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/siod-io/siod/backplane"
)

// hubLog is one durable log of a hub.
type hubLog struct {
	hub     *Hub
	index   int
	created time.Time

	// mu makes one critical section of giving an entry its sequence and having
	// every member apply it.
	mu    sync.Mutex
	last  backplane.Position
	tails []*memberLog // those with a handler, in the order of Tail
	kept  kept
	held  bool // takes no writes; written with hub.mu held too
}

func newHubLog(h *Hub, index int, now time.Time) *hubLog {
	return &hubLog{
		hub:     h,
		index:   index,
		created: now,
		last:    backplane.Position{Tag: backplane.NewTag(now, 0, time.Time{})},
		kept:    kept{maxBytes: h.cfg.RetainBytes},
	}
}

// store appends env and has it applied. The caller holds mu and is ready.
func (l *hubLog) store(env *backplane.Envelope) backplane.Position {
	e := backplane.Entry{Stored: time.Now(), Envelope: env}
	e.Seq = l.last.Seq + 1
	e.Tag = backplane.NewTag(l.created, e.Seq, e.Stored)
	before := l.last
	l.last = e.Position
	age := l.hub.cfg.Window
	for _, t := range l.tails {
		switch {
		case t.ready():
			t.handler.Apply(e)
			t.at(e.Position, e.Seq)
		case t.b.state.Load() != dead:
			age = max(age, l.hub.cfg.Behind) // it will catch up
		}
	}
	if age > 0 {
		l.kept.add(before, e)
	}
	l.kept.trim(e.Stored.Add(-age))
	return e.Position
}

// memberLog is a hubLog as one member has it.
type memberLog struct {
	b   *Backplane
	log *hubLog

	// Guarded by log.mu.
	handler      backplane.LogHandler
	rewound      bool // the log lost entries that handler applied
	pending      []*pendingAppend
	pendingBytes int
	draining     bool // a goroutine takes care of pending

	gaveUp chan struct{} // capacity 1: pending got shorter

	mu      sync.Mutex // innermost, for Status
	pos     backplane.Position
	known   uint64
	waiting int
}

// ready reports whether the member exchanges with the log now. The caller
// holds log.mu or hub.mu, which keeps it so unless the member dies.
func (m *memberLog) ready() bool { return m.b.state.Load() == running && m.b.group == 0 }

// writable is ready and the log takes writes. The caller
// holds log.mu or hub.mu.
func (m *memberLog) writable() bool { return m.ready() && !m.log.held }

func (m *memberLog) at(pos backplane.Position, known uint64) {
	m.mu.Lock()
	m.pos, m.known = pos, known
	m.mu.Unlock()
}

func (m *memberLog) position() backplane.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pos
}

// Tail implements backplane.Log.
func (m *memberLog) Tail(ctx context.Context, h backplane.LogHandler) error {
	for {
		err := m.b.await(ctx, m.ready)
		if err != nil {
			return err
		}
		m.log.mu.Lock()
		if m.ready() {
			break
		}
		m.log.mu.Unlock()
	}
	defer m.log.mu.Unlock()
	if m.handler != nil {
		return backplane.ErrSubscribed
	}
	m.handler = h
	m.log.tails = append(m.log.tails, m)
	m.at(m.log.last, m.log.last.Seq)
	h.Reset(backplane.Reset{Position: m.log.last, Reason: backplane.ResetStart})
	return nil
}

// catchUp brings the handler to the end of the log. The caller holds log.mu,
// and the member is ready.
func (m *memberLog) catchUp() {
	if m.handler == nil {
		return
	}
	pos, last := m.position(), m.log.last
	if m.rewound {
		m.rewound = false
		m.handler.Reset(backplane.Reset{Position: pos, Reason: backplane.ResetRewind})
	}
	if from := m.log.kept.before(last); pos.Seq < from.Seq {
		m.at(from, last.Seq)
		m.handler.Reset(backplane.Reset{Position: from, Reason: backplane.ResetJump})
		pos = from
	}
	for e := range m.log.kept.after(pos.Seq) {
		m.handler.Apply(e)
		m.at(e.Position, last.Seq)
	}
	m.at(last, last.Seq)
}

// detach ends the feed of a dead member.
func (m *memberLog) detach() {
	m.log.mu.Lock()
	defer m.log.mu.Unlock()
	for i, t := range m.log.tails {
		if t == m {
			m.log.tails = append(m.log.tails[:i:i], m.log.tails[i+1:]...)
			return
		}
	}
}

// Read implements backplane.Log.
func (m *memberLog) Read(ctx context.Context, after, upTo uint64) iter.Seq2[backplane.Entry, error] {
	return func(yield func(backplane.Entry, error) bool) {
		if err := m.b.await(ctx, m.ready); err != nil {
			yield(backplane.Entry{}, err)
			return
		}
		m.log.mu.Lock()
		upTo = min(upTo, m.log.last.Seq)
		first := m.log.kept.before(m.log.last).Seq + 1
		trimmed := after < min(upTo, first-1)
		entries := m.log.kept.slice(after, upTo)
		m.log.mu.Unlock()
		if trimmed {
			yield(backplane.Entry{}, &backplane.TrimmedError{First: first})
			return
		}
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Status implements backplane.Log.
func (m *memberLog) Status() backplane.LogStatus {
	m.b.hub.mu.RLock()
	writable := m.writable()
	m.b.hub.mu.RUnlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	return backplane.LogStatus{
		Index:    m.log.index,
		Created:  m.log.created,
		Position: m.pos,
		Last:     m.known,
		Writable: writable,
		Waiting:  m.waiting,
	}
}
