package node

import (
	"context"
	"errors"
	"sync"

	"github.com/siod-io/siod/backplane"
)

// EmitAsync is Emit that does not wait until a durable event is stored: the
// event is queued, in the order of such calls, and done is called with what
// Emit would have returned. It is for OnConnect, whose client waits for it, and
// for whoever emits more than it can wait for. No order is promised between it
// and events to other addresses, Emit's included, before done was called (V14).
// An event that is not durable is sent as by Emit, before EmitAsync returns.
//
// Of ctx only the values and the deadline count, and no wait is longer than 20 s:
// a handler's context ends with the handler, and the event shall not. Shutdown
// waits for what is queued.
//
// done is called once unless EmitAsync returns an error, on any goroutine and
// possibly before EmitAsync returns; it must not block. With a nil done, a
// failure is logged. On a Dynamic it is told the errors of all namespaces,
// joined.
//
// Errors, of what can be said at once: ErrReserved, *LimitError, an encoding
// error, ErrClosed, ErrNoLog, or that the backplane's queue is full; for an
// event that is not durable, those of Emit.
func (b Broadcast) EmitAsync(ctx context.Context, done func(error), event string, args ...any) error {
	if b.ns.template != nil {
		return b.emitAsyncToChildren(ctx, done, event, args)
	}
	f, err := b.ns.encode(event, args)
	if err != nil {
		return err
	}
	if !b.isDurable() {
		if err := b.emit(ctx, event, f); err != nil {
			return err
		}
		b.ns.srv.emitted(done, nil)
		return nil
	}
	var rooms, except [4]string
	t, err := b.prepare(event, f, rooms[:0], except[:0])
	if err != nil {
		return err
	}
	env := b.envelope(&t, f)
	if log := backplane.LogFor(b.ns.srv.cfg.Backplane, b.ns.name); log != nil && b.ns.srv.goesLive(log) {
		if err := b.emitDegraded(ctx, &t, env); !errors.Is(err, ErrDegraded) {
			return err
		}
		b.ns.srv.emitted(done, ErrDegraded)
		return nil
	}
	return b.ns.srv.appendAsync(ctx, env, done)
}

// appendAsync queues an envelope for the log, as a task that Shutdown waits for.
func (srv *Server) appendAsync(ctx context.Context, env *backplane.Envelope, done func(error)) error {
	log := backplane.LogFor(srv.cfg.Backplane, env.Namespace)
	if log == nil {
		return ErrNoLog
	}
	if !srv.tasks.begin() {
		return ErrClosed
	}
	cancel := func() {}
	deadline, bounded := ctx.Deadline()
	if ctx = context.WithoutCancel(ctx); bounded {
		ctx, cancel = context.WithDeadline(ctx, deadline)
	}
	err := log.AppendAsync(ctx, env, func(_ backplane.Position, err error) {
		cancel()
		srv.emitted(done, err)
		srv.tasks.ended()
	})
	if err != nil {
		cancel()
		srv.tasks.ended()
	}
	return err
}

// emitted tells the outcome of EmitAsync.
func (srv *Server) emitted(done func(error), err error) {
	if done == nil {
		if err != nil {
			srv.cfg.Logger.Warn("a durable event could not be stored", "err", err)
		}
		return
	}
	_ = srv.guard("EmitAsync", func() error { done(err); return nil })
}

// emitAsyncToChildren is EmitAsync for each namespace of a Dynamic.
func (b Broadcast) emitAsyncToChildren(ctx context.Context, done func(error), event string, args []any) error {
	if err := b.ns.checkEvent(event); err != nil {
		return err
	}
	srv, all := b.ns.srv, b.ns.real()
	var mu sync.Mutex
	var errs []error
	left := len(all) + 1
	one := func(err error) {
		mu.Lock()
		errs = append(errs, err)
		left--
		last := left == 0
		mu.Unlock()
		if last {
			srv.emitted(done, errors.Join(errs...))
		}
	}
	for _, ns := range all {
		b.ns = ns
		if err := b.EmitAsync(ctx, one, event, args...); err != nil {
			one(err)
		}
	}
	one(nil)
	return nil
}
