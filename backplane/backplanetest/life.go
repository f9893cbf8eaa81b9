package backplanetest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/backplane"
)

var lifeTests = []test{
	{"Barrier", barrier, nil},
	{"BarrierWithoutDeadline", barrierNoDeadline, nil},
	{"Healthy", healthy, nil},
	{"HealthyTellsStuckHandler", healthyStuck, nil},
	{"Heard", heard, nil},
	{"ClosedRefuses", closedRefuses, nil},
	{"CloseEndsWaits", closeEndsWaits, nil},
	{"CloseWaitsForHandler", closeWaits, nil},
	{"NoCallAfterClose", closeQuiet, nil},
}

// barrier: what others publish after it reaches subscriptions made before it,
// each time.
func barrier(s *suite) {
	a, b, c := s.three()
	room := backplane.Room("/", "r")
	for i := range uint64(100) {
		in := s.subscribe(c, room)
		s.barrier(c, a, b, c)
		s.publish(a, room, event(a, i, "/"))
		s.publish(b, room, event(b, i, "/"))
		in.take(2)
		in.sub.Close()
	}
	if err := c.Barrier(s.ctx, nil); err != nil {
		s.Errorf("with nobody: %v", err)
	}
}

func barrierNoDeadline(s *suite) {
	a := s.join("a")
	if err := a.Barrier(context.Background(), nil); !errors.Is(err, backplane.ErrNoDeadline) {
		s.Error(err)
	}
}

func healthy(s *suite) {
	a := s.join("a")
	s.join("b")
	if err := a.Healthy(s.ctx); err != nil {
		s.Error(err)
	}
	if err := a.Healthy(context.Background()); !errors.Is(err, backplane.ErrNoDeadline) {
		s.Errorf("without deadline: %v", err)
	}
}

// healthyStuck: the canary takes the way of deliveries, so it shows a handler
// that does not return.
func healthyStuck(s *suite) {
	a, b := s.join("a"), s.join("b")
	release, inside := make(chan struct{}), make(chan struct{})
	s.answer(b, backplane.Room("/", "r"), func(backplane.Delivery) {
		close(inside)
		<-release
	})
	s.barrier(b, a)
	s.publish(a, backplane.Room("/", "r"), event(a, 1, "/"))
	<-inside
	if err := b.Healthy(s.within(100 * time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		s.Errorf("stuck: %v", err)
	}
	close(release)
	if err := b.Healthy(s.ctx); err != nil {
		s.Errorf("not stuck: %v", err)
	}
}

func heard(s *suite) {
	a := s.join("a")
	s.join("b")
	if !a.Heard("b") {
		s.Error("b is not heard")
	}
	if a.Heard("nobody") {
		s.Error("nobody is heard")
	}
}

// refusals checks that every method of a dead backplane says ErrClosed.
func (s *suite) refusals(b backplane.Backplane) {
	s.Helper()
	errs := map[string]error{
		"Publish": b.Publish(s.ctx, backplane.Room("/", "r"), event(b, 1, "/")),
		"Barrier": b.Barrier(s.ctx, nil),
		"Healthy": b.Healthy(s.ctx),
		"Request": s.ask(s.ctx, b, backplane.Requests("/"), "x").err,
	}
	_, errs["Subscribe"] = b.Subscribe(backplane.Room("/", "after"), func(backplane.Delivery) {})
	if o, ok := backplane.AsOccupancy(b); ok {
		_, errs["WatchRooms"] = o.WatchRooms("/", func(backplane.RoomChange) {})
	}
	for _, l := range backplane.Logs(b) {
		_, errs["Append"] = l.Append(s.ctx, event(b, 1, "/"))
		errs["AppendAsync"] = l.AppendAsync(s.ctx, event(b, 1, "/"), func(backplane.Position, error) { s.Error("done was called") })
		errs["Tail"] = l.Tail(s.ctx, &feed{s: s})
		for _, err := range l.Read(s.ctx, 0, 1) {
			errs["Read"] = err
		}
	}
	for name, err := range errs {
		if !errors.Is(err, backplane.ErrClosed) {
			s.Errorf("%s: %v", name, err)
		}
	}
}

func closedRefuses(s *suite) {
	a, b := s.join("a"), s.join("b")
	sub := s.subscribe(a, backplane.Room("/", "r")).sub
	for range 2 {
		if err := a.Close(s.ctx); err != nil {
			s.Errorf("close: %v", err)
		}
	}
	s.refusals(a)
	sub.Close()
	a.NodeDown("b")
	s.publish(b, backplane.Room("/", "r"), event(b, 1, "/"))
}

func closeEndsWaits(s *suite) {
	a, b := s.join("a"), s.join("b")
	asked := make(chan struct{})
	s.answer(b, everyone, func(backplane.Delivery) { close(asked) })
	s.barrier(b, a)
	ended := make(chan error, 1)
	go func() { ended <- s.ask(s.ctx, a, backplane.Requests("/"), "b").err }()
	<-asked
	s.check(a.Close(s.ctx))
	if err := <-ended; !errors.Is(err, backplane.ErrClosed) {
		s.Errorf("the request ended with %v", err)
	}
}

func closeWaits(s *suite) {
	a, b := s.join("a"), s.join("b")
	release, inside := make(chan struct{}), make(chan struct{})
	var returned atomic.Bool
	s.answer(b, backplane.Room("/", "r"), func(backplane.Delivery) {
		close(inside)
		<-release
		returned.Store(true)
	})
	s.barrier(b, a)
	s.publish(a, backplane.Room("/", "r"), event(a, 1, "/"))
	<-inside
	if err := b.Close(s.within(50 * time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		s.Errorf("close with a running handler: %v", err)
	}
	close(release)
	s.check(b.Close(s.ctx))
	if !returned.Load() {
		s.Error("Close returned before the handler")
	}
}

func closeQuiet(s *suite) {
	a, b := s.join("a"), s.join("b")
	room := backplane.Room("/", "r")
	var closed atomic.Bool
	s.answer(b, room, func(backplane.Delivery) {
		if closed.Load() {
			s.Error("a handler was called after Close returned")
		}
	})
	s.barrier(b, a)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := uint64(0); ; i++ {
			select {
			case <-stop:
				return
			default:
				s.check(a.Publish(s.ctx, room, event(a, i, "/")))
			}
		}
	}()
	s.check(b.Close(s.ctx))
	closed.Store(true)
	s.publish(a, room, event(a, 0, "/"))
	close(stop)
	<-stopped
}
