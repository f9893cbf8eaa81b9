package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/siod-io/siod/backplane"
)

// Bounds of what waits for a log that takes no writes (V22, V16).
const (
	maxPending      = 10_000
	maxPendingBytes = 64 << 20
	appendTimeout   = 20 * time.Second
)

// pendingAppend is an append that waits. The log's lock guards it.
type pendingAppend struct {
	env     *backplane.Envelope
	done    func(backplane.Position, error) // called by whoever takes it out of pending
	release func()                          // frees its context
}

// Append implements backplane.Log.
func (m *memberLog) Append(ctx context.Context, env *backplane.Envelope) (backplane.Position, error) {
	if pos, ok, err := m.storeNow(ctx, env); ok || err != nil {
		return pos, err
	}
	type result struct {
		pos backplane.Position
		err error
	}
	c := make(chan result, 1)
	if err := m.wait(ctx, env, func(pos backplane.Position, err error) { c <- result{pos, err} }); err != nil {
		return backplane.Position{}, err
	}
	r := <-c // the context bounds it, see wait
	return r.pos, r.err
}

// AppendAsync implements backplane.Log.
func (m *memberLog) AppendAsync(ctx context.Context, env *backplane.Envelope, done func(backplane.Position, error)) error {
	pos, ok, err := m.storeNow(ctx, env)
	switch {
	case ok:
		done(pos, nil)
		return nil
	case err != nil:
		return err
	}
	return m.wait(ctx, env, done)
}

// storeNow stores env if nothing keeps it waiting.
func (m *memberLog) storeNow(ctx context.Context, env *backplane.Envelope) (backplane.Position, bool, error) {
	if err := m.b.hub.cfg.Limits.Check(env); err != nil {
		return backplane.Position{}, false, err
	}
	if err := ctx.Err(); err != nil {
		return backplane.Position{}, false, fmt.Errorf("%w: %w", backplane.ErrLogDown, err)
	}
	m.log.mu.Lock()
	defer m.log.mu.Unlock()
	if m.b.state.Load() == dead {
		return backplane.Position{}, false, backplane.ErrClosed
	}
	if !m.writable() || len(m.pending) > 0 {
		return backplane.Position{}, false, nil
	}
	return m.log.store(env), true, nil
}

// wait queues env. done is called when it is stored, or its context or the
// member ends.
func (m *memberLog) wait(ctx context.Context, env *backplane.Envelope, done func(backplane.Position, error)) error {
	m.log.mu.Lock()
	defer m.log.mu.Unlock()
	if m.b.state.Load() == dead {
		return backplane.ErrClosed
	}
	if len(m.pending) >= maxPending || m.pendingBytes+env.Size() > maxPendingBytes {
		return backplane.ErrLogBusy
	}
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	p := &pendingAppend{env: env, done: done}
	stop := context.AfterFunc(ctx, func() { m.giveUp(p, ctx.Err()) })
	p.release = func() { stop(); cancel() }
	m.pending = append(m.pending, p)
	m.count(p, +1)
	if !m.draining {
		m.draining = true
		m.b.wg.Go(m.drain)
	}
	return nil
}

// count notes that p was added to pending, or taken from it. The caller holds
// log.mu.
func (m *memberLog) count(p *pendingAppend, sign int) {
	m.pendingBytes += sign * p.env.Size()
	m.mu.Lock()
	m.waiting += sign
	m.mu.Unlock()
}

// giveUp fails an append whose context ended.
func (m *memberLog) giveUp(p *pendingAppend, err error) {
	m.log.mu.Lock()
	i := slices.Index(m.pending, p)
	if i < 0 { // it was stored at the same time
		m.log.mu.Unlock()
		return
	}
	m.pending = slices.Delete(m.pending, i, i+1)
	m.count(p, -1)
	m.log.mu.Unlock()
	select {
	case m.gaveUp <- struct{}{}:
	default:
	}
	p.release()
	p.done(backplane.Position{}, fmt.Errorf("%w: %w", backplane.ErrLogDown, err))
}

// drain stores what waits, in order, until nothing does.
func (m *memberLog) drain() {
	for {
		m.b.hub.mu.RLock()
		changed := m.b.hub.changed
		m.b.hub.mu.RUnlock()
		p, pos, err := m.take()
		switch {
		case p != nil:
			p.release()
			p.done(pos, err)
		case errors.Is(err, errIdle):
			return
		default:
			select {
			case <-changed:
			case <-m.gaveUp:
			case <-m.b.closed:
			}
		}
	}
}

var errIdle = errors.New("memory: no append waits")

// take stores the first append that waits, or fails it if the member is dead.
// Without one, err is errIdle if there is none and nil if it cannot be stored
// yet.
func (m *memberLog) take() (p *pendingAppend, pos backplane.Position, err error) {
	m.log.mu.Lock()
	defer m.log.mu.Unlock()
	if len(m.pending) == 0 {
		m.draining = false
		return nil, pos, errIdle
	}
	if m.b.state.Load() == dead {
		err = backplane.ErrClosed
	} else if !m.writable() {
		return nil, pos, nil
	}
	p, m.pending[0] = m.pending[0], nil
	m.pending = m.pending[1:]
	m.count(p, -1)
	if err == nil {
		pos = m.log.store(p.env)
	}
	return p, pos, err
}
