package natsio

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/siod-io/siod/backplane"
)

// owners are the owner records that this node wrote: where they are, so that
// most renewals take one exchange.
type owners struct {
	mu     sync.Mutex
	m      map[string]ownWritten // by pid
	claims atomic.Uint64
}

type ownWritten struct {
	revision uint64
	at       time.Time
}

// renewals is the number of records that are renewed at once.
const renewals = 64

func (o *owners) init() { o.m = make(map[string]ownWritten) }

func (o *owners) wrote(pid string, revision uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.m[pid] = ownWritten{revision, time.Now()}
}

func (o *owners) revision(of backplane.Owner) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if w, ok := o.m[of.PID]; ok && w.revision > of.Revision {
		return w.revision
	}
	return of.Revision
}

// expire drops what was not written for the time a record lives.
func (o *owners) expire(age time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for pid, w := range o.m {
		if time.Since(w.at) > age {
			delete(o.m, pid)
		}
	}
}

// Owner implements backplane.Sessions.
func (s *sessions) Owner(ctx context.Context, pid string) (backplane.Owner, error) {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	o, _, err := s.owner(ctx, pid)
	return o, err
}

// owner asks the leader. The claim is the one that the record comes from.
func (s *sessions) owner(ctx context.Context, pid string) (o backplane.Owner, claim string, err error) {
	none := backplane.Owner{PID: pid, Node: backplane.FirstHome(pid)}
	m, err := s.newest(ctx, s.b.space.Owner(pid))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return none, "", nil
	}
	if err != nil {
		return backplane.Owner{}, "", err
	}
	o, claim, err = readOwner(m.Data)
	if err == nil && o.PID != pid {
		err = fmt.Errorf("%w: of another session", errSessionMessage)
	}
	if err != nil {
		s.malformed(m.Seq, err)
		return backplane.Owner{}, "", err
	}
	o.Revision = m.Seq
	return o, claim, nil
}

func sameOwner(a, b backplane.Owner) bool { return a.Node == b.Node && a.Generation == b.Generation }

// writeOwner publishes an owner record that replaces the one at a revision.
func (s *sessions) writeOwner(ctx context.Context, o backplane.Owner, claim string, revision uint64) (seq uint64, maybe bool, err error) {
	m := &nats.Msg{
		Subject: s.b.space.Owner(o.PID),
		Header: nats.Header{
			headerExpected: {strconv.FormatUint(revision, 10)},
			headerRollup:   rollupSubject,
		},
		Data: appendOwner(nil, o, claim),
	}
	seq, _, maybe, err = s.put(ctx, m)
	if err == nil {
		s.owners.wrote(o.PID, seq)
	}
	return seq, maybe, err
}

// replaced reports whether a write was refused since the record is not the
// expected one.
func replaced(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}

// Claim implements backplane.Sessions.
func (s *sessions) Claim(ctx context.Context, current backplane.Owner) (backplane.Owner, error) {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	o := backplane.Owner{PID: current.PID, Node: s.b.id, Generation: current.Generation + 1}
	if len(o.PID) > backplane.MaxKey {
		return backplane.Owner{}, &backplane.LimitError{Limit: "Key", Max: backplane.MaxKey, Got: len(o.PID)}
	}
	claim := fmt.Sprintf("%s-%d", s.b.id, s.owners.claims.Add(1))
	revision, unknown := current.Revision, false
	for {
		if err := s.ended(ctx, nil); err != nil {
			return backplane.Owner{}, claimFailed(err, unknown)
		}
		seq, maybe, err := s.writeOwner(ctx, o, claim, revision)
		unknown = unknown || maybe && err != nil
		switch {
		case err == nil:
			o.Revision = seq
			return o, nil
		case errors.Is(err, backplane.ErrDisconnected) && !unknown:
			return backplane.Owner{}, err
		case replaced(err):
			found, by, err := s.owner(ctx, o.PID)
			switch {
			case err != nil:
				return backplane.Owner{}, claimFailed(err, unknown)
			case by == claim: // a try of which no answer came
				s.owners.wrote(o.PID, found.Revision)
				return found, nil
			case !sameOwner(found, current):
				return backplane.Owner{}, backplane.ErrOwned
			case found.Revision != revision: // it was renewed
				revision = found.Revision
				continue
			} // another write is under way
		case absent(err):
			nudge(s.look)
		}
		if err := s.pause(ctx, err); err != nil {
			return backplane.Owner{}, claimFailed(err, unknown)
		}
	}
}

// claimFailed makes the error of a claim that ends without an answer.
func claimFailed(err error, unknown bool) error {
	if unknown && !errors.Is(err, backplane.ErrClosed) {
		return fmt.Errorf("%w: %w", backplane.ErrOutcomeUnknown, err)
	}
	return err
}

// Renew implements backplane.Sessions.
func (s *sessions) Renew(ctx context.Context, owned []backplane.Owner) (lost []backplane.Owner, err error) {
	if s.b.isClosed() {
		return nil, backplane.ErrClosed
	}
	ctx, cancel := s.bound(ctx)
	defer cancel()
	s.owners.expire(s.cfg.maxAge())
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var mu sync.Mutex
	var all sync.WaitGroup
	room := make(chan struct{}, renewals)
	for _, o := range owned {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			switch held, err := s.renew(ctx, o); {
			case err != nil:
				stop(err) // the first one
			case !held:
				mu.Lock()
				defer mu.Unlock()
				lost = append(lost, o)
			}
		})
	}
	all.Wait()
	if s.b.isClosed() {
		return lost, backplane.ErrClosed
	}
	return lost, context.Cause(ctx)
}

// renew writes a record again, and reports whether it is still this node's.
func (s *sessions) renew(ctx context.Context, o backplane.Owner) (held bool, err error) {
	revision := s.owners.revision(o)
	for {
		if err := s.ended(ctx, nil); err != nil {
			return false, err
		}
		_, _, err := s.writeOwner(ctx, o, "", revision)
		switch {
		case err == nil:
			return true, nil
		case replaced(err):
			found, _, err := s.owner(ctx, o.PID)
			switch {
			case err != nil:
				return false, err
			case found.Revision != 0 && !sameOwner(found, o):
				return false, nil
			case found.Revision != revision: // a try of which no answer came, or it expired
				revision = found.Revision
				continue
			}
		case absent(err):
			nudge(s.look)
		}
		if err := s.pause(ctx, err); err != nil {
			return false, err
		}
	}
}
