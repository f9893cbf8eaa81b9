package backplanetest

import (
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/siod-io/siod/backplane"
)

var faultTests = []test{
	{"FrozenGetsAllInOrder", frozenReceives, canFreeze},
	{"FrozenSendsLater", frozenSends, canFreeze},
	{"FrozenWaits", frozenWaits, canFreeze},
	{"BarrierMissesFrozen", barrierFrozen, canFreeze},
	{"BarrierForgetsKilled", barrierKilled, thawAndKill},
	{"BarrierForgetsNodeDown", barrierDown, canFreeze},
	{"KilledRefuses", killedRefuses, canKill},
	{"KilledGetsNothing", killedGetsNothing, canKill},
	{"KilledWhileFrozen", killedFrozen, thawAndKill},
	{"LossIsTold", lossTold, canCut},
	{"LostTailIsTold", lostTail, canCut},
	{"CutOffIsNotHeard", cutOff, canCut},
}

func frozenReceives(s *suite) {
	a, b, c := s.three()
	room := backplane.Room("/", "r")
	atB, atC := s.subscribe(b, room), s.subscribe(c, room)
	s.barrier(b, a)
	s.barrier(c, a)
	s.Freeze(s.T, "c")
	var want []uint64
	for i := range uint64(50) {
		want = append(want, i)
		s.publish(a, room, event(a, i, "/"))
	}
	atB.take(50) // the others go on
	if n := len(atC.all()); n > 0 {
		s.Errorf("a frozen node handled %d deliveries", n)
	}
	s.Thaw(s.T, "c")
	if got := numbers(atC.take(50), "a"); !slices.Equal(got, want) {
		s.Errorf("after the thaw: %v", got)
	}
}

func frozenSends(s *suite) {
	a, b := s.join("a"), s.join("b")
	room := backplane.Room("/", "r")
	in := s.subscribe(b, room)
	s.barrier(b, a)
	s.Freeze(s.T, "a")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range uint64(20) {
			s.check(a.Publish(s.ctx, room, event(a, i, "/")))
		}
	}()
	s.check(b.Healthy(s.ctx))
	if n := len(in.all()); n > 0 {
		s.Errorf("a frozen node sent %d", n)
	}
	s.Thaw(s.T, "a")
	<-done
	s.publish(a, room, event(a, 20, "/"))
	got := numbers(in.take(21), "a")
	if !slices.IsSorted(got) || len(got) != 21 {
		s.Errorf("after the thaw: %v", got)
	}
}

// frozenWaits: calls of a frozen node wait, and their contexts bound that.
func frozenWaits(s *suite) {
	a := s.join("a")
	s.join("b")
	s.Freeze(s.T, "a")
	short := s.within(50 * time.Millisecond)
	for name, err := range map[string]error{
		"Healthy": a.Healthy(short),
		"Barrier": a.Barrier(short, []string{"b"}),
		"Request": s.ask(short, a, backplane.Requests("/"), "b").err,
	} {
		if err == nil {
			s.Errorf("%s of a frozen node succeeded", name)
		}
	}
	s.Thaw(s.T, "a")
	s.check(a.Healthy(s.ctx))
	s.check(a.Barrier(s.ctx, []string{"b"}))
}

func barrierFrozen(s *suite) {
	a, _, _ := s.three()
	s.Freeze(s.T, "c")
	err := a.Barrier(s.within(2*time.Second), []string{"b", "c"})
	if p, ok := errors.AsType[*backplane.PartialError](err); !ok || !slices.Equal(p.Missing, []string{"c"}) || len(p.Failed) > 0 {
		s.Errorf("%v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Barrier(s.ctx, []string{"b", "c"}) }()
	s.Thaw(s.T, "c")
	s.check(<-ended)
}

// barrierKilled: nobody waits for a node that dies.
func barrierKilled(s *suite) {
	a := s.join("a")
	s.join("b")
	s.Freeze(s.T, "b")
	ended := make(chan error, 1)
	go func() { ended <- a.Barrier(s.ctx, []string{"b"}) }()
	s.Kill(s.T, "b")
	if err := <-ended; !failedDead(err, "b") {
		s.Errorf("%v", err)
	}
}

// barrierDown: nor for one that the membership holds for dead.
func barrierDown(s *suite) {
	a := s.join("a")
	s.join("b")
	s.Freeze(s.T, "b")
	ended := make(chan error, 1)
	go func() { ended <- a.Barrier(s.ctx, []string{"b"}) }()
	for {
		select {
		case err := <-ended:
			if !failedDead(err, "b") {
				s.Errorf("%v", err)
			}
			s.Thaw(s.T, "b")
			return
		default:
			a.NodeDown("b") // concerns only what runs, and it may not run yet
			runtime.Gosched()
		}
	}
}

func failedDead(err error, id string) bool {
	p, ok := errors.AsType[*backplane.PartialError](err)
	return ok && len(p.Missing) == 0 && slices.Equal(p.Failed, []backplane.Failure{{Node: id, Reason: backplane.ReasonDead}})
}

func killedRefuses(s *suite) {
	a, b := s.join("a"), s.join("b")
	s.Kill(s.T, "b")
	s.refusals(b)
	if a.Heard("b") {
		s.Error("a dead node is heard")
	}
	p := s.ask(s.ctx, a, backplane.Node("b")).partial(s)
	if len(p.Failed) != 1 || p.Failed[0].Node != "b" {
		s.Errorf("%+v", p)
	}
}

func killedGetsNothing(s *suite) {
	a, b, c := s.three()
	room := backplane.Room("/", "r")
	atB, atC := s.subscribe(b, room), s.subscribe(c, room)
	s.barrier(b, a)
	s.barrier(c, a)
	s.Kill(s.T, "b")
	s.publish(a, room, event(a, 1, "/"))
	atC.take(1)
	s.check(b.Close(s.ctx)) // waits for its handlers
	if n := len(atB.all()); n > 0 {
		s.Errorf("a dead node handled %d deliveries", n)
	}
}

func killedFrozen(s *suite) {
	a, b := s.join("a"), s.join("b")
	in := s.subscribe(b, backplane.Room("/", "r"))
	s.barrier(b, a)
	s.Freeze(s.T, "b")
	s.publish(a, backplane.Room("/", "r"), event(a, 1, "/"))
	waiting := make(chan error, 1)
	go func() { waiting <- b.Healthy(s.ctx) }()
	s.Kill(s.T, "b")
	if err := <-waiting; !errors.Is(err, backplane.ErrClosed) && !errors.Is(err, backplane.ErrDisconnected) {
		s.Errorf("a wait of the frozen node ended with %v", err)
	}
	s.check(b.Close(s.ctx))
	if n := len(in.all()); n > 0 {
		s.Errorf("%d deliveries after the kill", n)
	}
}

// lossTold: the next delivery after a loss says how many are missing, by
// publisher and address.
func lossTold(s *suite) {
	a, b, c := s.three()
	room, other := backplane.Room("/", "r"), backplane.Room("/", "other")
	in, inOther := s.subscribe(c, room), s.subscribe(c, other)
	s.barrier(c, a, b)
	s.publish(a, room, event(a, 1, "/"))
	s.publish(b, room, event(b, 1, "/"))
	in.take(2)
	s.Partition(s.T, []string{"a", "b"}, []string{"c"})
	for i := range uint64(5) {
		s.publish(a, room, event(a, 2+i, "/"))
	}
	s.publish(b, room, event(b, 2, "/"))
	s.barrier(a, b) // they have left, and do not meet c when it is back
	s.barrier(b, a)
	s.Heal(s.T)
	s.publish(a, room, event(a, 7, "/"))
	s.publish(b, room, event(b, 3, "/"))
	s.publish(a, other, event(a, 8, "/"))
	inOther.take(1)
	got := in.until(func(got []backplane.Delivery) bool {
		return lost(got).Unknown || lost(got).Lost == 6 && len(numbers(got, "a")) == 2 && len(numbers(got, "b")) == 2
	})
	if g := lost(inOther.all()); g.Lost > 0 {
		s.Errorf("losses in another room: %+v", g)
	}
	for _, d := range got {
		if d.Envelope != nil && d.Envelope.Origin == "b" && d.Gap.Lost > 1 {
			s.Errorf("losses of a were told with %s", d.Envelope.Origin)
		}
	}
}

// lost adds up gaps.
func lost(got []backplane.Delivery) (g backplane.Gap) {
	for _, d := range got {
		g.Lost += d.Gap.Lost
		g.Unknown = g.Unknown || d.Gap.Unknown
	}
	return g
}

// lostTail: losses that no later delivery tells are told by themselves.
func lostTail(s *suite) {
	a, b := s.join("a"), s.join("b")
	room := backplane.Room("/", "r")
	in, self := s.subscribe(b, room), s.subscribe(b, backplane.Node("b"))
	s.barrier(b, a)
	s.publish(a, room, event(a, 1, "/"))
	in.take(1)
	s.Partition(s.T, []string{"a"}, []string{"b"})
	s.publish(a, room, event(a, 2, "/"))
	s.publish(a, room, event(a, 3, "/"))
	s.barrier(a) // they have left, and do not meet b when it is back
	s.Heal(s.T)
	seen := func() bool {
		g := lost(in.all())
		return g.Lost == 2 || g.Unknown || lost(self.all()).Unknown
	}
	for !seen() {
		in.mu.Lock()
		changed := in.changed
		in.mu.Unlock()
		self.mu.Lock()
		changedSelf := self.changed
		self.mu.Unlock()
		if seen() {
			break
		}
		select {
		case <-changed:
		case <-changedSelf:
		case <-s.ctx.Done():
			s.Fatal("the loss was not told")
		}
	}
	for _, d := range in.all()[1:] {
		if d.Envelope != nil {
			s.Errorf("%d came after all", d.Envelope.ID)
		}
	}
}

// cutOff: a node that cannot be reached is not heard, and is not ready.
func cutOff(s *suite) {
	a, b := s.join("a"), s.join("b")
	s.Partition(s.T, []string{"a"}, []string{"b"})
	if a.Heard("b") || b.Heard("a") {
		s.Error("they hear each other")
	}
	if err := b.Healthy(s.within(2 * time.Second)); err == nil {
		s.Error("the node that is cut off is healthy")
	}
	s.check(a.Healthy(s.ctx))
	s.Heal(s.T)
	if !a.Heard("b") {
		s.Error("they do not hear each other after the heal")
	}
	s.check(b.Healthy(s.ctx))
}
