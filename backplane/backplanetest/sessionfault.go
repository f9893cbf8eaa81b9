package backplanetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/backplane"
)

var sessionFaultTests = []test{
	{"KilledHomeLeavesJournal", sessionsKilled, sessionsKill},
	{"KilledOwnerLeavesRecord", ownerKilled, sessionsKill},
	{"HeldRecordWaits", sessionsHeld, canHoldSessions},
	{"HeldNewestWins", sessionsHeldNewest, canHoldSessions},
	{"HeldThenClosed", sessionsHeldClosed, canHoldSessions},
	{"HeldClaimFails", sessionsHeldClaim, canHoldSessions},
	{"CutOff", sessionsCutOff, sessionsCut},
	{"CutOffIsToldLater", watchCutOff, sessionsCut},
	{"Forgotten", forgotten, canForget},
	{"ForgottenIsWrittenAgain", forgottenRewritten, canForget},
}

// sessionsKilled: the journal of a home that was killed can be read, with all
// that was acknowledged, and its sessions can be claimed.
func sessionsKilled(s *suite) {
	a, b, c := s.three()
	s.record(c, state(c, 1, "x"), state(c, 2, "x"), state(c, 3, "x"))
	s.record(c, state(c, 1, "y"), backplane.SessionRecord{PID: pid("c", 3)})
	ses := s.sessions(c)
	s.Kill(s.T, "c")
	want := map[string]string{pid("c", 1): "y", pid("c", 2): "x"}
	for _, m := range []backplane.Backplane{a, b, s.join("d")} {
		if diff := cmp.Diff(want, states(s.load(m, "c"))); diff != "" {
			s.Errorf("at %s (-want +got):\n%s", m.ID(), diff)
		}
	}
	if o := s.claim(b, pid("c", 1)); o.Generation != 1 {
		s.Errorf("%+v", o)
	}
	s.sessionRefusals(ses)
}

// ownerKilled: the record of a killed owner stays, and can be claimed from it.
func ownerKilled(s *suite) {
	a, b := s.join("a"), s.join("b")
	first := s.claim(b, pid("x", 1))
	s.Kill(s.T, "b")
	if got := s.owner(a, first.PID); got != first {
		s.Errorf("owner %+v, want %+v", got, first)
	}
	if o := s.claim(a, first.PID); o.Generation != 2 {
		s.Errorf("%+v", o)
	}
}

// sessionsHeld: what is recorded while nothing can be stored is stored later,
// and not said to be before.
func sessionsHeld(s *suite) {
	a, b := s.join("a"), s.join("b")
	s.record(a, state(a, 1, "old"))
	s.HoldSessions(s.T)
	stored := make(chan error, 1)
	s.check(s.sessions(a).Record([]backplane.SessionRecord{state(a, 1, "new")}, func(err error) { stored <- err }))
	s.check(a.Healthy(s.ctx)) // sessions delay nothing else
	select {
	case err := <-stored:
		s.Errorf("stored while nothing can be: %v", err)
	default:
	}
	s.ReleaseSessions(s.T)
	s.check(<-stored)
	if diff := cmp.Diff(map[string]string{pid("a", 1): "new"}, states(s.load(b, "a"))); diff != "" {
		s.Errorf("journal (-want +got):\n%s", diff)
	}
}

func sessionsHeldNewest(s *suite) {
	a, b := s.join("a"), s.join("b")
	s.HoldSessions(s.T)
	const n = 100
	var stored sync.WaitGroup
	stored.Add(n)
	want := make(map[string]string)
	for i := range n {
		r := state(a, i%7, fmt.Sprint(i))
		want[r.PID] = string(r.State)
		s.check(s.sessions(a).Record([]backplane.SessionRecord{r}, func(err error) {
			s.check(err)
			stored.Done()
		}))
	}
	s.ReleaseSessions(s.T)
	stored.Wait()
	if diff := cmp.Diff(want, states(s.load(b, "a"))); diff != "" {
		s.Errorf("journal (-want +got):\n%s", diff)
	}
}

func sessionsHeldClosed(s *suite) {
	a := s.join("a")
	s.HoldSessions(s.T)
	const n = 10
	failed := make(chan error, n+1)
	for i := range n {
		s.check(s.sessions(a).Record([]backplane.SessionRecord{state(a, i, "x")}, func(err error) { failed <- err }))
	}
	s.check(a.Close(s.ctx))
	for range n {
		if err := <-failed; !errors.Is(err, backplane.ErrClosed) {
			s.Errorf("%v", err)
		}
	}
	s.ReleaseSessions(s.T)
}

func sessionsHeldClaim(s *suite) {
	a := s.join("a")
	s.HoldSessions(s.T)
	if o, err := s.sessions(a).Claim(s.within(100*time.Millisecond), backplane.Owner{PID: pid("x", 1), Node: "x"}); err == nil {
		s.Errorf("claimed: %+v", o)
	}
	s.ReleaseSessions(s.T)
	if o := s.claim(a, pid("x", 1)); o.Generation > 2 {
		s.Errorf("%+v", o)
	}
}

// sessionsCutOff: a node that is cut off claims nothing, and stores what waited
// when it comes back.
func sessionsCutOff(s *suite) {
	a, b := s.join("a"), s.join("b")
	s.record(b, state(b, 1, "old"))
	s.Partition(s.T, []string{"a"}, []string{"b"})
	stored := make(chan error, 1)
	s.check(s.sessions(b).Record([]backplane.SessionRecord{state(b, 1, "new")}, func(err error) { stored <- err }))
	if _, err := s.sessions(b).Claim(s.ctx, backplane.Owner{PID: pid("x", 1), Node: "x"}); !errors.Is(err, backplane.ErrDisconnected) {
		s.Errorf("claim while cut off: %v", err)
	}
	if got := states(s.load(a, "b")); got[pid("b", 1)] != "old" {
		s.Errorf("the journal is %v", got)
	}
	s.Heal(s.T)
	s.check(<-stored)
	if got := states(s.load(a, "b")); got[pid("b", 1)] != "new" {
		s.Errorf("the journal is %v", got)
	}
	if o := s.claim(a, pid("x", 1)); o.Generation != 1 {
		s.Errorf("what could not be claimed was: %+v", o)
	}
}

// watchCutOff: a node that was cut off is told what it missed.
func watchCutOff(s *suite) {
	a, b := s.join("a"), s.join("b")
	o, _ := s.watchOwners(b)
	o.told(s.claim(a, pid("x", 0)))
	s.Partition(s.T, []string{"a"}, []string{"b"})
	first, second := s.claim(a, pid("x", 0)), s.claim(a, pid("x", 1))
	s.Heal(s.T)
	o.told(first)
	o.told(second)
}

// forgotten: when the store lost its records, those who watch are told, and
// nobody finds what was there.
func forgotten(s *suite) {
	a, b, c := s.three()
	o, _ := s.watchOwners(b)
	old := s.claim(a, pid("x", 1))
	o.told(old)
	s.record(c, state(c, 1, "x"))
	s.Kill(s.T, "c")
	s.ForgetSessions(s.T)
	o.until(func() bool { return o.forgot > 0 })
	if got := s.owner(a, old.PID); got.Generation != 0 {
		s.Errorf("owner %+v", got)
	}
	if got := s.load(b, "c"); len(got) > 0 {
		s.Errorf("journal %v", got)
	}
	lost, err := s.sessions(a).Renew(s.ctx, []backplane.Owner{old})
	if err != nil || len(lost) > 0 {
		s.Errorf("renewal: %v, %v", lost, err)
	}
	o.told(s.owner(a, old.PID))
	o.told(s.claim(b, pid("x", 2)))
}

// forgottenRewritten: a home that lives writes its journal again by itself.
func forgottenRewritten(s *suite) {
	a, b := s.join("a"), s.join("b")
	s.record(a, state(a, 1, "x"), state(a, 2, "y"), state(a, 3, "z"))
	s.record(a, backplane.SessionRecord{PID: pid("a", 2)})
	s.ForgetSessions(s.T)
	want := map[string]string{pid("a", 1): "x", pid("a", 3): "z"}
	for !cmp.Equal(want, states(s.load(b, "a"))) {
		if s.ctx.Err() != nil {
			s.Fatalf("the journal is %v", states(s.load(b, "a")))
		}
		s.check(b.Healthy(s.ctx)) // lets others run
	}
	s.record(a, state(a, 1, "new"))
	if got := states(s.load(b, "a")); got[pid("a", 1)] != "new" {
		s.Errorf("the journal is %v", got)
	}
}
