package natsio

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
)

// ownerWatch is one WatchOwners call. The store gives out each record when it
// has it, at most once; what is lost on the way is found by reading all of them
// now and then, and whenever something may have been lost.
type ownerWatch struct {
	s      *sessions
	h      backplane.SessionHandler
	in     chan *nats.Msg
	sub    *nats.Subscription
	again  chan struct{} // capacity 1: read all
	forgot atomic.Bool   // the store lost records, and that was not told

	// Of run alone.
	upTo   uint64      // records up to here were told
	heard  bool        // the mark of the newest scan came by the subscription
	listen *time.Timer // it should have come

	ctx    context.Context // ends when the watch or the backplane closes
	cancel context.CancelFunc
}

// watchQueue is the number of records that may wait for a handler. What is
// beyond it is found by reading all.
const watchQueue = 4096

// WatchOwners implements backplane.Sessions. It returns when h was told of the
// records that exist. Renewed ones are told again.
func (s *sessions) WatchOwners(ctx context.Context, h backplane.SessionHandler) (backplane.Subscription, error) {
	if s.b.isClosed() {
		return nil, backplane.ErrClosed
	}
	w := &ownerWatch{
		s:     s,
		h:     h,
		in:    make(chan *nats.Msg, watchQueue),
		again: make(chan struct{}, 1),
	}
	w.ctx, w.cancel = context.WithCancel(s.b.life)
	nc := s.b.log.nc
	var err error
	if w.sub, err = nc.ChanSubscribe(s.b.space.AllOwned(), w.in); err != nil {
		w.cancel()
		return nil, fmt.Errorf("%w: %w", backplane.ErrDisconnected, err)
	}
	s.mu.Lock()
	s.watches[w] = struct{}{}
	s.mu.Unlock()
	told := make(chan struct{})
	s.b.wg.Go(func() { w.run(told) })
	select {
	case <-told:
		if !s.b.isClosed() {
			return w, nil
		}
		err = backplane.ErrClosed
	case <-s.b.closed:
		err = backplane.ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
	}
	w.Close()
	return nil, err
}

// Close implements backplane.Subscription.
func (w *ownerWatch) Close() {
	w.cancel()
	_ = w.sub.Unsubscribe() // fails if that was done before
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	delete(w.s.watches, w)
}

// run is the goroutine that calls the handler.
func (w *ownerWatch) run(told chan<- struct{}) {
	tick := time.NewTicker(w.s.cfg.cycle())
	defer tick.Stop()
	w.listen = time.NewTimer(time.Hour)
	defer w.listen.Stop()
	w.readAll()
	close(told)
	for w.ctx.Err() == nil {
		select {
		case m := <-w.in:
			w.take(m)
		case <-w.again:
			w.readAll()
		case <-tick.C:
			w.readAll()
		case <-w.listen.C:
			if !w.heard {
				w.readAll()
			}
		case <-w.ctx.Done():
		}
	}
}

// readAll tells of all records, and of their loss before.
func (w *ownerWatch) readAll() {
	s := w.s
	for w.ctx.Err() == nil {
		if w.forgot.Swap(false) {
			w.upTo = 0
			w.h.Forgotten()
			continue
		}
		var list []backplane.Owner
		once, cancel := context.WithTimeout(w.ctx, sessionTimeout)
		upTo, err := s.scan(once, scan{
			of:    s.b.space.Owners(),
			mark:  s.b.space.OwnersMark(),
			begin: func() { list = nil },
			take: func(m *nats.Msg, seq uint64) {
				if o, ok := w.read(m, m.Header.Get("Nats-Subject"), seq); ok {
					list = append(list, o)
				}
			},
		})
		cancel()
		switch {
		case w.forgot.Load():
		case err == nil:
			for _, o := range list {
				w.tell(o)
			}
			w.upTo, w.heard = upTo, false
			w.listen.Reset(tryTimeout)
			return
		case errors.Is(err, context.DeadlineExceeded):
			s.b.logger.Warn("the owners of sessions cannot be read", "stream", s.stream, "err", err)
		}
	}
}

// take tells of a record that the store gave out.
func (w *ownerWatch) take(m *nats.Msg) {
	seq, err := strconv.ParseUint(m.Header.Get(headerSeq), 10, 64)
	if err != nil || seq < w.upTo {
		return // told
	}
	if len(m.Data) == 0 {
		// A mark that was stored when this node had read up to it: whatever was
		// stored since then comes as well. Without it, the subscription may not
		// be in effect yet where the stream is.
		w.heard = w.heard || seq == w.upTo
		return
	}
	if o, ok := w.read(m, m.Subject, seq); ok {
		w.tell(o)
	}
}

func (w *ownerWatch) read(m *nats.Msg, subject string, seq uint64) (backplane.Owner, bool) {
	o, _, err := readOwner(m.Data)
	if err == nil && subject != w.s.b.space.Owner(o.PID) && subject != w.s.b.space.Owned(o.PID) {
		err = fmt.Errorf("%w: of another session than its subject", errSessionMessage)
	}
	if err != nil {
		w.s.malformed(seq, err)
		return o, false
	}
	o.Revision = seq
	return o, true
}

func (w *ownerWatch) tell(o backplane.Owner) {
	if w.ctx.Err() == nil {
		w.h.Owned(o)
	}
}
