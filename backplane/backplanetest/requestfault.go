package backplanetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/siod-io/siod/backplane"
)

// The tests of this file are in requestTests: what ends a request that not
// everybody answers.

// requestMissing: the context bounds the wait, and the error names who is
// missing. What came before is yielded.
func requestMissing(s *suite) {
	a, b, c := s.three()
	s.echo(b, everyone, 1)
	s.answer(c, everyone, func(d backplane.Delivery) { s.check(d.Reply(reply(c, "not all"), false)) })
	s.barrier(b, a)
	s.barrier(c, a)
	got := s.ask(s.within(2*time.Second), a, backplane.Requests("/"), "b", "c")
	p := got.partial(s)
	if !slices.Equal(p.Missing, []string{"c"}) || len(p.Failed) > 0 || !errors.Is(p, context.DeadlineExceeded) {
		s.Errorf("%+v", p)
	}
	if fmt.Sprint(got.data) != "map[b:[b0] c:[not all]]" {
		s.Errorf("replies %v", got.data)
	}
}

// check reports an error that must not be.
func (s *suite) check(err error) {
	s.Helper()
	if err != nil {
		s.Error(err)
	}
}

// requestNodeDown: what the membership says ends the wait at once.
func requestNodeDown(s *suite) {
	a, b := s.join("a"), s.join("b")
	s.answer(b, everyone, func(backplane.Delivery) { a.NodeDown("b") })
	s.barrier(b, a)
	got := s.ask(s.ctx, a, backplane.Requests("/"), "b")
	if p := got.partial(s); len(p.Failed) != 1 || p.Failed[0] != (backplane.Failure{Node: "b", Reason: backplane.ReasonDead}) || p.Err != nil {
		s.Errorf("%+v", p)
	}
	// It was a hint about that time only.
	in := s.subscribe(b, backplane.Room("/", "r"))
	s.barrier(b, a)
	s.publish(a, backplane.Room("/", "r"), event(a, 1, "/"))
	in.take(1)
}

// requestKilled: nobody waits for a node that died while it was asked.
func requestKilled(s *suite) {
	a, b, c := s.three()
	s.echo(b, everyone, 1)
	s.answer(c, everyone, func(backplane.Delivery) { go s.Kill(s.T, "c") })
	s.barrier(b, a)
	s.barrier(c, a)
	got := s.ask(s.ctx, a, backplane.Requests("/"), "b", "c")
	p := got.partial(s)
	if len(p.Missing) > 0 || len(p.Failed) != 1 || p.Failed[0] != (backplane.Failure{Node: "c", Reason: backplane.ReasonDead}) {
		s.Errorf("%+v", p)
	}
	if fmt.Sprint(got.data) != "map[b:[b0]]" {
		s.Errorf("replies %v", got.data)
	}
}

// requestKilledBetween: what a node said before it died counts.
func requestKilledBetween(s *suite) {
	a, b := s.join("a"), s.join("b")
	s.answer(b, everyone, func(d backplane.Delivery) { s.check(d.Reply(reply(b, "first"), false)) })
	s.barrier(b, a)
	var got []string
	var last error
	for r, err := range a.Request(s.ctx, backplane.Requests("/"), event(a, 1, "/"), []string{"b"}) {
		if last = err; err == nil {
			got = append(got, string(r.Envelope.Data))
			s.Kill(s.T, "b")
		}
	}
	if p, ok := errors.AsType[*backplane.PartialError](last); !ok || len(p.Failed) != 1 || !slices.Equal(got, []string{"first"}) {
		s.Errorf("%v, %v", got, last)
	}
}

func requestFrozen(s *suite) {
	a, b, c := s.three()
	s.echo(b, everyone, 1)
	s.echo(c, everyone, 1)
	s.barrier(b, a)
	s.barrier(c, a)
	s.Freeze(s.T, "c")
	p := s.ask(s.within(2*time.Second), a, backplane.Requests("/"), "b", "c").partial(s)
	if !slices.Equal(p.Missing, []string{"c"}) {
		s.Errorf("%+v", p)
	}
	s.Thaw(s.T, "c")
	if got := s.ask(s.ctx, a, backplane.Requests("/"), "b", "c"); got.err != nil {
		s.Errorf("after the thaw: %+v", got)
	}
}

// requestFrozenReply: what a frozen node replies arrives when it thaws.
func requestFrozenReply(s *suite) {
	a, b := s.join("a"), s.join("b")
	asked := make(chan backplane.Delivery, 2)
	s.answer(b, everyone, func(d backplane.Delivery) { asked <- d })
	s.barrier(b, a)
	first := make(chan answers, 1)
	go func() { first <- s.ask(s.within(2*time.Second), a, backplane.Requests("/"), "b") }()
	d := <-asked
	second := make(chan answers, 1)
	go func() { second <- s.ask(s.ctx, a, backplane.Requests("/"), "b") }()
	d2 := <-asked
	s.Freeze(s.T, "b")
	replied := make(chan struct{})
	go func() {
		defer close(replied)
		s.check(d.Reply(reply(b, "1"), true))
		s.check(d2.Reply(reply(b, "2"), true))
	}()
	if p := (<-first).partial(s); !slices.Equal(p.Missing, []string{"b"}) {
		s.Errorf("%+v", p)
	}
	s.Thaw(s.T, "b")
	<-replied
	if got := <-second; got.err != nil || fmt.Sprint(got.data["b"]) != "[2]" {
		s.Errorf("%+v", got)
	}
}
