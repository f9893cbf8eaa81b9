package backplanetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/google/go-cmp/cmp"

	"github.com/siod-io/siod/backplane"
)

var sessionTests = []test{
	{"RecordAndLoad", recordAndLoad, hasSessions},
	{"UnknownHome", unknownHome, hasSessions},
	{"NewestStateWins", newestState, hasSessions},
	{"EndedVanish", endedVanish, hasSessions},
	{"NeverGoesBack", neverGoesBack, hasSessions},
	{"DoneOnce", doneOnce, hasSessions},
	{"ManySessions", manySessions, hasSessions},
	{"AnyBytes", anyBytes, hasSessions},
	{"Limits", recordLimits, hasSessions},
	{"OwnerWithoutMove", ownerAtHome, hasSessions},
	{"Claim", claim, hasSessions},
	{"ClaimOfSeveral", claimRace, hasSessions},
	{"ClaimTooLate", claimLate, hasSessions},
	{"Renew", renew, hasSessions},
	{"ClaimAfterRenewal", claimRenewed, hasSessions},
	{"WatchOwners", watchOwners, hasSessions},
	{"WatchEnds", watchEnds, hasSessions},
	{"ClosedRefuses", sessionsClosed, hasSessions},
}

// sessions returns the Sessions of a member.
func (s *suite) sessions(b backplane.Backplane) backplane.Sessions {
	s.Helper()
	ses, ok := backplane.AsSessions(b)
	if !ok {
		s.Fatalf("%s has no sessions", b.ID())
	}
	return ses
}

// pid makes a private id of a home.
func pid(home string, n int) string { return fmt.Sprintf("%s.session%d", home, n) }

// state makes a record of a session of b.
func state(b backplane.Backplane, n int, state string) backplane.SessionRecord {
	return backplane.SessionRecord{PID: pid(b.ID(), n), State: []byte(state)}
}

// record records and waits until it is stored.
func (s *suite) record(b backplane.Backplane, changes ...backplane.SessionRecord) {
	s.Helper()
	stored := make(chan error, 1)
	s.check(s.sessions(b).Record(changes, func(err error) { stored <- err }))
	select {
	case err := <-stored:
		if err != nil {
			s.Fatalf("record: %v", err)
		}
	case <-s.ctx.Done():
		s.Fatal("a record was not stored")
	}
}

// load returns the journal of a home.
func (s *suite) load(b backplane.Backplane, home string) map[string]backplane.SessionRecord {
	s.Helper()
	found := make(map[string]backplane.SessionRecord)
	for r, err := range s.sessions(b).Load(s.ctx, home) {
		if err != nil {
			s.Fatalf("load of %s at %s: %v", home, b.ID(), err)
		}
		if _, twice := found[r.PID]; twice {
			s.Errorf("%s came twice", r.PID)
		}
		found[r.PID] = r
	}
	return found
}

// states returns what a journal holds, by the number of the session.
func states(records map[string]backplane.SessionRecord) map[string]string {
	m := make(map[string]string, len(records))
	for id, r := range records {
		m[id] = string(r.State)
	}
	return m
}

func (s *suite) owner(b backplane.Backplane, pid string) backplane.Owner {
	s.Helper()
	o, err := s.sessions(b).Owner(s.ctx, pid)
	if err != nil {
		s.Fatalf("owner of %s: %v", pid, err)
	}
	return o
}

func (s *suite) claim(b backplane.Backplane, pid string) backplane.Owner {
	s.Helper()
	o, err := s.sessions(b).Claim(s.ctx, s.owner(b, pid))
	if err != nil {
		s.Fatalf("claim of %s by %s: %v", pid, b.ID(), err)
	}
	return o
}

// recordAndLoad: every member reads what one recorded, and of each home only
// what is its own.
func recordAndLoad(s *suite) {
	a, b := s.join("a"), s.join("b")
	one, two := state(a, 1, "x"), state(a, 2, "y")
	moved := backplane.SessionRecord{PID: pid("elsewhere", 3), Generation: 7, State: []byte("z")}
	s.record(a, one, two, moved)
	s.record(b, state(b, 1, "of b"))
	want := map[string]backplane.SessionRecord{one.PID: one, two.PID: two, moved.PID: moved}
	for _, m := range []backplane.Backplane{a, b, s.join("c")} {
		if diff := cmp.Diff(want, s.load(m, "a")); diff != "" {
			s.Errorf("at %s (-recorded +loaded):\n%s", m.ID(), diff)
		}
	}
	for r, err := range s.sessions(b).Load(s.ctx, "a") {
		if s.check(err); want[r.PID].PID == "" {
			s.Errorf("%+v", r)
		}
		break
	}
}

func unknownHome(s *suite) {
	a := s.join("a")
	s.record(a, state(a, 1, "x"))
	for _, home := range []string{"nobody", "", "a.b", "a.*", ">"} {
		if got := s.load(a, home); len(got) != 0 {
			s.Errorf("home %q has %v", home, got)
		}
	}
}

// newestState: whether the states are recorded one after the other or all at
// once, in one call or several, the last one counts.
func newestState(s *suite) {
	a, b := s.join("a"), s.join("b")
	for i := range 3 {
		s.record(a, state(a, 1, fmt.Sprint("slow ", i)))
	}
	s.record(a, state(a, 2, "first"), state(a, 2, "second"))
	var stored sync.WaitGroup
	stored.Add(200)
	for i := range 200 {
		s.check(s.sessions(a).Record([]backplane.SessionRecord{state(a, 3+i%2, fmt.Sprint("quick ", i))}, func(err error) {
			s.check(err)
			stored.Done()
		}))
	}
	stored.Wait()
	want := map[string]string{pid("a", 1): "slow 2", pid("a", 2): "second", pid("a", 3): "quick 198", pid("a", 4): "quick 199"}
	if diff := cmp.Diff(want, states(s.load(b, "a"))); diff != "" {
		s.Errorf("journal (-want +got):\n%s", diff)
	}
}

func endedVanish(s *suite) {
	a, b := s.join("a"), s.join("b")
	ended := func(n int) backplane.SessionRecord { return backplane.SessionRecord{PID: pid("a", n)} }
	s.record(a, state(a, 1, "x"), state(a, 2, "x"), state(a, 3, "x"), state(a, 4, ""))
	s.record(a, ended(1), ended(99))
	s.record(a, ended(2))
	s.record(a, state(a, 2, "again"))
	want := map[string]string{pid("a", 2): "again", pid("a", 3): "x"}
	got := states(s.load(b, "a"))
	delete(got, pid("a", 4)) // an empty state need not be told from none
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("journal (-want +got):\n%s", diff)
	}
}

// neverGoesBack: whoever loads sees at least what was stored before he began,
// and never an older state than he saw before.
func neverGoesBack(s *suite) {
	a, b := s.join("a"), s.join("b")
	var stored atomic.Int64
	const last = 300
	go func() {
		for i := range last + 1 {
			err := s.sessions(a).Record([]backplane.SessionRecord{state(a, 1, strconv.Itoa(i))}, func(err error) {
				s.check(err)
				for {
					if was := stored.Load(); was >= int64(i) || stored.CompareAndSwap(was, int64(i)) {
						return
					}
				}
			})
			s.check(err)
		}
	}()
	for seen := int64(0); seen < last; {
		least := max(stored.Load(), seen)
		r, ok := s.load(b, "a")[pid("a", 1)]
		if !ok {
			if least > 0 {
				s.Fatalf("nothing is loaded after %d", least)
			}
			continue
		}
		n, err := strconv.ParseInt(string(r.State), 10, 64)
		if s.check(err); n < least {
			s.Fatalf("%d is loaded after %d", n, least)
		}
		seen = n
	}
}

// doneOnce: done is called once for each call, not by the call itself, and what
// it tells of is stored.
func doneOnce(s *suite) {
	a, b := s.join("a"), s.join("b")
	const n = 200
	var calls [n]atomic.Int32
	var all sync.WaitGroup
	all.Add(n)
	var mu sync.Mutex // taken by done, and held while Record runs
	for i := range n {
		changes := []backplane.SessionRecord{state(a, i, "x")}
		if i == n/2 {
			changes = nil // nothing to store, and done all the same
		}
		mu.Lock()
		s.check(s.sessions(a).Record(changes, func(err error) {
			s.check(err)
			mu.Lock()
			defer mu.Unlock()
			calls[i].Add(1)
			all.Done()
		}))
		mu.Unlock()
		if len(changes) == 1 {
			changes[0] = backplane.SessionRecord{PID: "reused by the caller"}
		}
	}
	all.Wait()
	if got := s.load(b, "a"); len(got) != n-1 {
		s.Errorf("%d of %d are stored", len(got), n-1)
	}
	s.record(a, state(a, 0, "y")) // what would come a second time came by now
	for i := range calls {
		if c := calls[i].Load(); c != 1 {
			s.Errorf("done of %d was called %d times", i, c)
		}
	}
}

// manySessions are more than one message holds.
func manySessions(s *suite) {
	a, b := s.join("a"), s.join("b")
	const n = 5_000
	var all []backplane.SessionRecord
	want := make(map[string]string)
	for i := range n {
		r := state(a, i, fmt.Sprintf("%0300d", i))
		all = append(all, r)
		want[r.PID] = string(r.State)
	}
	s.record(a, all...)
	if diff := cmp.Diff(want, states(s.load(b, "a"))); diff != "" {
		s.Errorf("journal (-want +got):\n%.2000s", diff)
	}
}

func anyBytes(s *suite) {
	a, b := s.join("a"), s.join("b")
	want := make(map[string]string)
	for i, id := range []string{"a.", "a.x.y", ".", "", "a", "a.\x00\xff>*. \r\n", "a." + string(make([]byte, 200))} {
		r := backplane.SessionRecord{PID: id, Generation: 1<<64 - 1, State: []byte{0, 0xff, byte(i)}}
		want[id] = string(r.State)
		s.record(a, r)
	}
	got := s.load(b, "a")
	if diff := cmp.Diff(want, states(got)); diff != "" {
		s.Errorf("journal (-want +got):\n%s", diff)
	}
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if o := s.claim(b, id); o.PID != id || o != s.owner(a, id) || got[id].Generation != 1<<64-1 {
			s.Errorf("%q: %+v", id, o)
		}
	}
}

func recordLimits(s *suite) {
	a := s.join("a")
	never := func(error) { s.Error("done was called") }
	for name, r := range map[string]backplane.SessionRecord{
		"Payload": {PID: pid("a", 1), State: make([]byte, max(s.f.Limits.Payload, backplane.DefaultPayload)+1)},
		"Key":     {PID: "a." + string(make([]byte, backplane.MaxKey)), State: []byte("x")},
	} {
		err := s.sessions(a).Record([]backplane.SessionRecord{state(a, 2, "x"), r}, never)
		if limit, ok := errors.AsType[*backplane.LimitError](err); !ok || limit.Limit != name {
			s.Errorf("%s: %v", name, err)
		}
	}
	s.record(a, state(a, 3, "y"))
	if diff := cmp.Diff(map[string]string{pid("a", 3): "y"}, states(s.load(a, "a"))); diff != "" {
		s.Errorf("journal (-want +got):\n%s", diff)
	}
}

func sessionsClosed(s *suite) {
	a := s.join("a")
	s.record(a, state(a, 1, "x"))
	ses := s.sessions(a)
	s.check(a.Close(s.ctx))
	s.sessionRefusals(ses)
}

// sessionRefusals checks that every method says ErrClosed.
func (s *suite) sessionRefusals(ses backplane.Sessions) {
	s.Helper()
	errs := map[string]error{
		"Record": ses.Record([]backplane.SessionRecord{{PID: "a.1", State: []byte("x")}}, func(error) { s.Error("done was called") }),
	}
	_, errs["Owner"] = ses.Owner(s.ctx, "a.1")
	_, errs["Claim"] = ses.Claim(s.ctx, backplane.Owner{PID: "a.1", Node: "a"})
	_, errs["Renew"] = ses.Renew(s.ctx, []backplane.Owner{{PID: "a.1", Node: "a", Generation: 1}})
	_, errs["WatchOwners"] = ses.WatchOwners(s.ctx, &owners{s: s})
	errs["Load"] = errors.New("it yields nothing")
	for _, err := range ses.Load(s.ctx, "a") {
		errs["Load"] = err
	}
	for name, err := range errs {
		if !errors.Is(err, backplane.ErrClosed) {
			s.Errorf("%s: %v", name, err)
		}
	}
}
