package node

import (
	"context"
	"errors"
	"math"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// tasks counts the goroutines, and other work, that Shutdown waits for. New ones may start
// while others run; once none is left and Shutdown waits, none starts any
// more. A WaitGroup forbids the first and cannot do the second.
type tasks struct {
	running atomic.Int64 // closedTasks, or a little more, once closed
	waiting atomic.Bool
	idle    chan struct{} // closed with the last task
}

const closedTasks = math.MinInt64 / 2

func (t *tasks) init() { t.idle = make(chan struct{}) }

// start runs f in a goroutine. It reports false, and does not run it, if the
// server has been shut down.
func (t *tasks) start(f func()) bool {
	if !t.begin() {
		return false
	}
	go func() {
		defer t.ended()
		f()
	}()
	return true
}

// begin counts one more task, which ended ends, on whatever goroutine it runs.
// It reports false, and counts none, if the server has been shut down.
func (t *tasks) begin() bool {
	if t.running.Add(1) <= 0 {
		t.running.Add(-1)
		return false
	}
	return true
}

func (t *tasks) ended() {
	if t.running.Add(-1) == 0 && t.waiting.Load() {
		t.close()
	}
}

func (t *tasks) close() {
	if t.running.CompareAndSwap(0, closedTasks) {
		close(t.idle)
	}
}

// wait returns when no task is left, or with ctx's error.
func (t *tasks) wait(ctx context.Context) error {
	t.waiting.Store(true)
	t.close()
	select {
	case <-t.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Go runs f in a goroutine that Shutdown waits for. f's context ends when
// Shutdown begins. An error is logged, unless it is that context's, and so is a
// panic. It returns ErrClosed, and does not run f, after Shutdown.
func (srv *Server) Go(f func(ctx context.Context) error) error {
	ok := srv.tasks.start(func() {
		err := srv.guard("Go", func() error { return f(srv.ctx) })
		if err != nil && !errors.Is(err, errPanicked) && !errors.Is(err, context.Canceled) {
			srv.cfg.Logger.Warn("background task failed", "err", err)
		}
	})
	if !ok {
		return ErrClosed
	}
	return nil
}

// Sleep waits for d, or until ctx ends, whose error it then returns.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errPanicked = errors.New("node: handler panicked")

// guard runs the application's code; a panic in it costs nothing else and is
// returned as errPanicked.
func (srv *Server) guard(handler string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			srv.panicked(handler, p)
			err = errPanicked
		}
	}()
	return f()
}

func (srv *Server) panicked(handler string, p any, attrs ...any) {
	srv.stats.panics.Add(1)
	left, ok := srv.sparse.admit("panic of "+handler, time.Now()) // which hides no other handler's
	if !ok {
		return
	}
	attrs = append(attrs, "handler", handler, "panic", p, "stack", string(debug.Stack()))
	if left > 0 {
		attrs = append(attrs, "left_out", left)
	}
	srv.cfg.Logger.Error("handler panicked", attrs...)
}

// Shutdown refuses new clients, closes all sessions with
// transport.ReasonServerShutdown, ends the contexts of handlers and of tasks
// of Go, waits for them, OnDisconnect included, and releases everything. If ctx
// ends first, connections are cut and ctx's error is returned; handlers that
// are still running then end by themselves. The backplane and the membership
// belong to the caller, who closes them afterwards. A second call waits for
// the first one.
func (srv *Server) Shutdown(ctx context.Context) error {
	if srv.closing.Swap(true) {
		select {
		case <-srv.stopped:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer close(srv.stopped)
	srv.cancel()
	err := srv.engine.Shutdown(ctx)
	if e := srv.tasks.wait(ctx); err == nil {
		err = e
	}
	// Until here others that ask are answered: they do not wait for this node.
	for _, sub := range srv.subs {
		sub.Close()
	}
	srv.workers.close()
	srv.down.Store(true)
	srv.cancelLast()
	srv.recovery.close()
	return err
}
