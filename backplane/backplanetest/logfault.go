package backplanetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/backplane"
)

var logFaultTests = []test{
	{"FrozenCatchesUp", logFrozen, logFreeze},
	{"FrozenAppendsLater", logFrozenAppend, logFreeze},
	{"CutOffCatchesUp", logCutOff, logCut},
	{"CutOffAppendFails", logCutAppend, logCut},
	{"CutOffAppendWaits", logCutAppendWaits, logCut},
	{"KilledIsForgotten", logKilled, logKill},
	{"HeldAppendWaits", logHeld, canHold},
	{"HeldAppendFails", logHeldFails, canHold},
	{"HeldKeepsOrder", logHeldOrder, canHold},
	{"HeldThenClosed", logHeldClosed, canHold},
	{"HeldDelaysNothingElse", logHeldFast, canHold},
	{"Rewind", logRewind, canRewind},
	{"RewindWhileFrozen", logRewindFrozen, func(f Features, c *Cluster) bool { return canRewind(f, c) && canFreeze(f, c) }},
}

func logFrozen(s *suite) {
	a, b, c := s.three()
	fa, fb, fc := s.tail(a), s.tail(b), s.tail(c)
	s.append(c, 0)
	s.Freeze(s.T, "c")
	for i := range uint64(40) {
		s.append(a, i)
		s.append(b, i)
	}
	want := keys(fa.until(81))
	if n := len(fc.all()); n != 1 {
		s.Errorf("a frozen node applied %d entries", n)
	}
	s.Thaw(s.T, "c")
	last := s.append(c, 1)
	want = append(want, key{last, "c", 1})
	for _, f := range []*feed{fa, fb, fc} {
		if diff := cmp.Diff(want, keys(f.until(last.Seq)), cmp.AllowUnexported(key{})); diff != "" {
			s.Errorf("feeds differ:\n%s", diff)
		}
	}
}

func logFrozenAppend(s *suite) {
	a, b := s.join("a"), s.join("b")
	f := s.tail(a)
	s.Freeze(s.T, "b")
	returned := make(chan backplane.Position, 1)
	go func() {
		pos, err := s.log(b).Append(s.ctx, event(b, 1, "/"))
		s.check(err)
		returned <- pos
	}()
	if pos := s.append(a, 1); pos.Seq != 1 {
		s.Errorf("a frozen node appended: %d", pos.Seq)
	}
	s.Thaw(s.T, "b")
	if got := keys(f.until((<-returned).Seq)); len(got) != 2 || got[1].origin != "b" {
		s.Errorf("%v", got)
	}
}

func logCutOff(s *suite) {
	a, _, c := s.three()
	fa, fc := s.tail(a), s.tail(c)
	s.Partition(s.T, []string{"a", "b"}, []string{"c"})
	for i := range uint64(30) {
		s.append(a, i)
	}
	if n := len(fc.all()); n != 0 {
		s.Errorf("a node that is cut off applied %d entries", n)
	}
	s.Heal(s.T)
	if diff := cmp.Diff(keys(fa.all()), keys(fc.until(30)), cmp.AllowUnexported(key{})); diff != "" {
		s.Errorf("feeds differ:\n%s", diff)
	}
}

func logCutAppend(s *suite) {
	a, b := s.join("a"), s.join("b")
	f := s.tail(a)
	s.Partition(s.T, []string{"a"}, []string{"b"})
	_, err := s.log(b).Append(s.within(100*time.Millisecond), event(b, 1, "/"))
	if !errors.Is(err, backplane.ErrLogDown) && !errors.Is(err, backplane.ErrOutcomeUnknown) {
		s.Errorf("append while cut off: %v", err)
	}
	certain := errors.Is(err, backplane.ErrLogDown)
	s.Heal(s.T)
	last := s.append(b, 2)
	if got := f.until(last.Seq); certain && (len(got) != 1 || got[0].Envelope.ID != 2) {
		s.Errorf("certainly not stored, and the log is %v", keys(got))
	}
}

// logCutAppendWaits: an append of a node that is cut off waits for the log, once.
func logCutAppendWaits(s *suite) {
	a, b := s.join("a"), s.join("b")
	f := s.tail(a)
	s.Partition(s.T, []string{"a"}, []string{"b"})
	stored := make(chan error, 1)
	s.check(s.log(b).AppendAsync(s.ctx, event(b, 1, "/"), func(_ backplane.Position, err error) { stored <- err }))
	f.until(s.append(a, 2).Seq)
	select {
	case err := <-stored:
		s.Errorf("append while cut off: %v", err)
	default:
	}
	s.Heal(s.T)
	s.check(<-stored)
	last := s.append(b, 3)
	var ids []uint64
	for _, e := range f.until(last.Seq) {
		ids = append(ids, e.Envelope.ID)
	}
	if !slices.Equal(ids, []uint64{2, 1, 3}) {
		s.Errorf("the log is %v", ids)
	}
}

func logKilled(s *suite) {
	a, b := s.join("a"), s.join("b")
	fa, fb := s.tail(a), s.tail(b)
	s.append(b, 1)
	s.Kill(s.T, "b")
	last := s.append(a, 2)
	fa.until(last.Seq)
	s.check(b.Close(s.ctx))
	if n := len(fb.all()); n != 1 {
		s.Errorf("the dead node applied %d entries", n)
	}
}

func logHeld(s *suite) {
	a, b := s.join("a"), s.join("b")
	f := s.tail(b)
	s.HoldLogs(s.T)
	returned := make(chan error, 1)
	go func() {
		_, err := s.log(a).Append(s.ctx, event(a, 1, "/"))
		returned <- err
	}()
	s.waiting(a, 1)
	for s.log(a).Status().Writable {
		s.check(a.Healthy(s.ctx)) // it learns that by an answer, or by none
	}
	s.ReleaseLogs(s.T)
	s.check(<-returned)
	f.until(1)
	if st := s.log(a).Status(); !st.Writable || st.Waiting != 0 {
		s.Errorf("status %+v", st)
	}
}

// waiting waits until n appends of b wait.
func (s *suite) waiting(b backplane.Backplane, n int) {
	s.Helper()
	for s.log(b).Status().Waiting != n {
		if s.ctx.Err() != nil {
			s.Fatalf("%d appends wait, not %d", s.log(b).Status().Waiting, n)
		}
		s.check(b.Healthy(s.ctx)) // lets others run
	}
}

func logHeldFails(s *suite) {
	a := s.join("a")
	f := s.tail(a)
	s.HoldLogs(s.T)
	_, err := s.log(a).Append(s.within(50*time.Millisecond), event(a, 1, "/"))
	for id := uint64(10); errors.Is(err, backplane.ErrOutcomeUnknown) && s.ctx.Err() == nil; id++ {
		// A try was on its way at that moment, and nobody knows of it.
		_, err = s.log(a).Append(s.within(50*time.Millisecond), event(a, id, "/"))
	}
	if !errors.Is(err, backplane.ErrLogDown) || !errors.Is(err, context.DeadlineExceeded) {
		s.Errorf("append: %v", err)
	}
	failed := make(chan error, 1)
	ctx, cancel := context.WithCancel(s.ctx)
	s.check(s.log(a).AppendAsync(ctx, event(a, 2, "/"), func(_ backplane.Position, err error) { failed <- err }))
	cancel()
	if err := <-failed; !errors.Is(err, backplane.ErrLogDown) && !errors.Is(err, backplane.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) {
		s.Errorf("asynchronous append: %v", err)
	}
	s.ReleaseLogs(s.T)
	if pos := s.append(a, 3); pos.Seq != 1 {
		s.Errorf("what certainly was not stored took a sequence: %v", keys(f.all()))
	}
}

func logHeldOrder(s *suite) {
	a := s.join("a")
	f := s.tail(a)
	s.HoldLogs(s.T)
	const n = 50
	var want []uint64
	var stored sync.WaitGroup
	stored.Add(n)
	for i := range uint64(n) {
		s.check(s.log(a).AppendAsync(s.ctx, event(a, i, "/"), func(_ backplane.Position, err error) {
			s.check(err)
			stored.Done()
		}))
		want = append(want, i)
	}
	s.ReleaseLogs(s.T)
	stored.Wait()
	var got []uint64
	for _, e := range f.until(n) {
		got = append(got, e.Envelope.ID)
	}
	if !slices.Equal(got, want) {
		s.Errorf("stored as %v", got)
	}
}

func logHeldClosed(s *suite) {
	a := s.join("a")
	s.HoldLogs(s.T)
	failed := make(chan error, 1)
	s.check(s.log(a).AppendAsync(s.ctx, event(a, 1, "/"), func(_ backplane.Position, err error) { failed <- err }))
	s.check(a.Close(s.ctx))
	if err := <-failed; !errors.Is(err, backplane.ErrClosed) {
		s.Errorf("%v", err)
	}
}

// logHeldFast: a log without writes delays no fast publication, request or
// barrier.
func logHeldFast(s *suite) {
	a, b := s.join("a"), s.join("b")
	in := s.subscribe(b, backplane.Room("/", "r"))
	s.echo(b, everyone, 1)
	s.HoldLogs(s.T)
	s.check(s.log(a).AppendAsync(s.ctx, event(a, 1, "/"), func(backplane.Position, error) {}))
	s.barrier(b, a)
	s.publish(a, backplane.Room("/", "r"), event(a, 2, "/"))
	in.take(1)
	if got := s.ask(s.ctx, a, backplane.Requests("/"), "b"); got.err != nil {
		s.Error(got.err)
	}
	s.ReleaseLogs(s.T)
}

func logRewind(s *suite) {
	a, b := s.join("a"), s.join("b")
	fa, fb := s.tail(a), s.tail(b)
	var old []backplane.Position
	for i := range uint64(10) {
		old = append(old, s.append(a, i))
	}
	s.Rewind(s.T, s.log(a).Status().Index, 6)
	last := s.append(b, 99)
	if last.Seq != 7 || last.Tag == old[6].Tag {
		s.Errorf("after the rewind to 6 the next is %v, and was %v", last, old[6])
	}
	for _, f := range []*feed{fa, fb} {
		f.until(7)
		resets := f.allResets()
		if len(resets) != 2 || resets[1] != (backplane.Reset{Position: old[5], Reason: backplane.ResetRewind}) {
			s.Errorf("resets %v, want a rewind to %v", resets, old[5])
		}
	}
}

func logRewindFrozen(s *suite) {
	a, b := s.join("a"), s.join("b")
	s.tail(a)
	f := s.tail(b)
	for i := range uint64(10) {
		s.append(a, i)
	}
	s.Freeze(s.T, "b")
	s.Rewind(s.T, s.log(a).Status().Index, 6)
	for i := range uint64(8) {
		s.append(a, 20+i)
	}
	s.Thaw(s.T, "b")
	got := f.until(14)
	if n := len(got); n != 18 || got[10].Envelope.ID != 20 || got[10].Seq != 7 {
		s.Errorf("%d entries applied: %v", n, keys(got))
	}
	if resets := f.allResets(); len(resets) != 2 || resets[1].Reason != backplane.ResetRewind || resets[1].Position.Seq != 6 {
		s.Errorf("resets %v", resets)
	}
}
