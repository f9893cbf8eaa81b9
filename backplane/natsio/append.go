package natsio

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/wire"
)

// appending is one append, from the call to its end.
type appending struct {
	n       uint64 // of this log and node, in the order of the calls
	subject string
	id      string // by which the stream recognises that it has it already
	data    []byte
	size    int // of the envelope, for bounds
	ordered bool

	done    func(backplane.Position, error)
	ended   atomic.Bool // done was, or is being, called
	release func() bool // of its context; nil: that never ends

	// Guarded by the appender's lock.
	state   appendState
	sent    time.Time // the newest try
	unknown bool      // a try ended without an answer, so it may be stored
	last    error     // what the log said to the newest try
	giveUp  time.Time

	seq uint64 // once stored
}

type appendState uint8

const (
	queued appendState = iota // to be sent, again perhaps
	flying                    // sent, and not answered
	over                      // answered for good, or given up
)

// Append implements backplane.Log.
func (l *eventLog) Append(ctx context.Context, env *backplane.Envelope) (backplane.Position, error) {
	type result struct {
		pos backplane.Position
		err error
	}
	c := make(chan result, 1)
	if err := l.AppendAsync(ctx, env, func(pos backplane.Position, err error) { c <- result{pos, err} }); err != nil {
		return backplane.Position{}, err
	}
	r := <-c // the context and Config.GiveUp bound it
	return r.pos, r.err
}

// AppendAsync implements backplane.Log.
func (l *eventLog) AppendAsync(ctx context.Context, env *backplane.Envelope, done func(backplane.Position, error)) error {
	if l.b.isClosed() {
		return backplane.ErrClosed
	}
	if err := l.b.cfg.Limits.Check(env); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", backplane.ErrLogDown, err)
	}
	subj, err := l.ingest(env)
	if err != nil {
		return err
	}
	m := wire.Message{Envelope: *env, Sender: l.b.from(env.Origin)}
	p := &appending{
		subject: subj,
		data:    m.Append(make([]byte, 0, m.Len())),
		size:    env.Size(),
		ordered: env.Flags.Has(backplane.FlagOrdered),
		done:    done,
	}
	if env.Origin != "" {
		p.id = fmt.Sprintf("%s-%s-%d", env.Origin, l.b.nonce, env.ID)
	}
	if most := int(l.b.log.maxPayload.Load()) - headerRoom; len(p.data) > most {
		return &backplane.LimitError{Limit: "Payload", Max: most, Got: len(p.data)}
	}
	return l.send.add(ctx, p)
}

// headerRoom is what the headers of a publication may take of the server's
// limit for a message.
const headerRoom = 512

// ingest is the subject on which an envelope is published to its log. Whom it is
// for is in the envelope; the subject is for permissions.
func (l *eventLog) ingest(env *backplane.Envelope) (string, error) {
	to := backplane.Namespace(env.Namespace)
	switch {
	case env.Kind != backplane.KindEvent:
		return l.b.space.IngestControl(l.index), nil
	case len(env.Target.Rooms) == 1 && len(env.Target.Except) == 0:
		to = backplane.Room(env.Namespace, env.Target.Rooms[0])
	}
	return l.b.space.Ingest(l.index, to)
}

// finish ends an append, once.
func (p *appending) finish(pos backplane.Position, err error) {
	if p.ended.Swap(true) {
		return
	}
	if p.release != nil {
		p.release()
	}
	p.done(pos, err)
}

// errorAt is why an append ends now without having been stored for certain.
func (p *appending) errorAt(cause error) error {
	if p.state == flying || p.unknown {
		return fmt.Errorf("%w: %w", backplane.ErrOutcomeUnknown, cause)
	}
	if p.last != nil {
		cause = fmt.Errorf("%w (last answer: %w)", cause, p.last)
	}
	return fmt.Errorf("%w: %w", backplane.ErrLogDown, cause)
}

// unapplied is the error of an append that is stored, when the node did not reach
// it in time.
func (p *appending) unapplied(cause error) error {
	return fmt.Errorf("%w: stored at %d, and not applied here in time: %w", backplane.ErrOutcomeUnknown, p.seq, cause)
}

var (
	errGaveUp     = errors.New("natsio: no answer in time")
	errUnanswered = fmt.Errorf("natsio: no answer within %v", tryTimeout)
)

// waiters are appends that are stored and not applied here yet, by sequence.
// The goroutine of follow has them.
type waiters struct{ list []*appending }

func (w *waiters) add(p *appending) {
	i := len(w.list)
	for i > 0 && w.list[i-1].seq > p.seq {
		i--
	}
	w.list = append(w.list, nil)
	copy(w.list[i+1:], w.list[i:])
	w.list[i] = p
}

// reached takes out the first one at or below seq, nil if there is none.
func (w *waiters) reached(seq uint64) *appending {
	if len(w.list) == 0 || w.list[0].seq > seq {
		return nil
	}
	p := w.list[0]
	w.list[0] = nil
	w.list = w.list[1:]
	return p
}

// expire gives up waiting for those whose time is over: the node is cut off from
// the log, or far behind.
func (w *waiters) expire(now time.Time) {
	for len(w.list) > 0 && now.After(w.list[0].giveUp) {
		p := w.list[0]
		w.list[0] = nil
		w.list = w.list[1:]
		p.finish(backplane.Position{Seq: p.seq}, p.unapplied(errGaveUp))
	}
}

// lost fails those above seq: the log has lost them again.
func (w *waiters) lost(seq uint64) {
	for i, p := range w.list {
		if p.seq > seq {
			p.finish(backplane.Position{}, fmt.Errorf("%w: the log lost it after it was stored at %d", backplane.ErrOutcomeUnknown, p.seq))
			w.list[i] = nil
		}
	}
	keep := w.list[:0]
	for _, p := range w.list {
		if p != nil {
			keep = append(keep, p)
		}
	}
	w.list = keep
}

func (w *waiters) fail(err error) {
	for _, p := range w.list {
		p.finish(backplane.Position{}, err)
	}
	w.list = nil
}
