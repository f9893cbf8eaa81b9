package backplanetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/siod-io/siod/backplane"
)

// owners is a SessionHandler that keeps what it is told.
type owners struct {
	s *suite

	inside  atomic.Int32
	mu      sync.Mutex
	newest  map[string]backplane.Owner
	calls   int
	forgot  int
	changed chan struct{}
}

// watchOwners watches the owners at b.
func (s *suite) watchOwners(b backplane.Backplane) (*owners, backplane.Subscription) {
	s.Helper()
	o := &owners{s: s, newest: make(map[string]backplane.Owner), changed: make(chan struct{})}
	sub, err := s.sessions(b).WatchOwners(s.ctx, o)
	if err != nil {
		s.Fatalf("watch owners: %v", err)
	}
	return o, sub
}

// Owned implements backplane.SessionHandler.
func (o *owners) Owned(owner backplane.Owner) {
	o.call(func() {
		o.calls++
		if was := o.newest[owner.PID]; was.Generation > owner.Generation {
			o.s.Errorf("%+v is told after %+v", owner, was)
		}
		o.newest[owner.PID] = owner
	})
}

// Forgotten implements backplane.SessionHandler.
func (o *owners) Forgotten() {
	o.call(func() {
		o.forgot++
		clear(o.newest)
	})
}

func (o *owners) call(f func()) {
	if o.inside.Add(1) != 1 {
		o.s.Error("calls of a session handler overlap")
	}
	defer o.inside.Add(-1)
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
	close(o.changed)
	o.changed = make(chan struct{})
}

// until waits until what was told satisfies ok, which is called with the lock
// held.
func (o *owners) until(ok func() bool) {
	o.s.Helper()
	for {
		o.mu.Lock()
		done, changed := ok(), o.changed
		o.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-o.s.ctx.Done():
			o.s.Fatalf("what was waited for was not told; of %d sessions, %d times forgotten", len(o.newest), o.forgot)
		}
	}
}

// told waits until an owner was told, whatever its revision is by now.
func (o *owners) told(want backplane.Owner) {
	o.s.Helper()
	o.until(func() bool { return same(o.newest[want.PID], want) })
}

func same(a, b backplane.Owner) bool {
	return a.PID == b.PID && a.Node == b.Node && a.Generation == b.Generation
}

func ownerAtHome(s *suite) {
	a := s.join("a")
	for _, home := range []string{"a", "gone", "x.y"} {
		want := backplane.Owner{PID: home + ".random", Node: home}
		if got := s.owner(a, want.PID); got != want {
			s.Errorf("owner %+v, want %+v", got, want)
		}
	}
}

func claim(s *suite) {
	a, b, c := s.three()
	id := pid("a", 1)
	first := s.claim(b, id)
	if !same(first, backplane.Owner{PID: id, Node: "b", Generation: 1}) || first.Revision == 0 {
		s.Errorf("claimed by b: %+v", first)
	}
	for _, m := range []backplane.Backplane{a, b, c} {
		if got := s.owner(m, id); got != first {
			s.Errorf("at %s: %+v, want %+v", m.ID(), got, first)
		}
	}
	back := s.claim(a, id)
	if !same(back, backplane.Owner{PID: id, Node: "a", Generation: 2}) || back.Revision == first.Revision {
		s.Errorf("claimed by a: %+v", back)
	}
	if got := s.owner(c, pid("a", 2)); got.Generation != 0 {
		s.Errorf("another session: %+v", got)
	}
}

// claimRace: of several that claim at once, exactly one succeeds, each time.
func claimRace(s *suite) {
	nodes := []backplane.Backplane{s.join("a"), s.join("b"), s.join("c")}
	id := pid("gone", 1)
	for round := range uint64(30) {
		current := s.owner(nodes[round%3], id)
		won := make(chan backplane.Owner, 6)
		var all sync.WaitGroup
		for i := range 6 {
			n := nodes[i%3]
			all.Go(func() {
				o, err := s.sessions(n).Claim(s.ctx, current)
				switch {
				case err == nil:
					won <- o
				case !errors.Is(err, backplane.ErrOwned):
					s.Errorf("claim: %v", err)
				}
			})
		}
		all.Wait()
		if len(won) != 1 {
			s.Fatalf("in round %d, %d claims succeeded", round, len(won))
		}
		o := <-won
		if got := s.owner(nodes[0], id); got != o || o.Generation != round+1 {
			s.Fatalf("in round %d the owner is %+v, and %+v won", round, got, o)
		}
	}
}

func claimLate(s *suite) {
	a, b := s.join("a"), s.join("b")
	never := s.owner(b, pid("a", 1))
	first := s.claim(a, pid("a", 1))
	s.claim(b, pid("a", 1))
	for _, current := range []backplane.Owner{never, first, {PID: pid("a", 1), Node: "c", Generation: 2}} {
		if o, err := s.sessions(a).Claim(s.ctx, current); !errors.Is(err, backplane.ErrOwned) {
			s.Errorf("claim of %+v: %+v, %v", current, o, err)
		}
	}
	if o, err := s.sessions(a).Claim(s.ctx, backplane.Owner{PID: pid("a", 2), Node: "a", Generation: 5, Revision: 77}); !errors.Is(err, backplane.ErrOwned) {
		s.Errorf("claim of what never moved: %+v, %v", o, err)
	}
}

// renew: records that are still held stay, and those that are not are returned.
func renew(s *suite) {
	a, b := s.join("a"), s.join("b")
	const n = 20
	var held []backplane.Owner
	taken := make(map[backplane.Owner]bool)
	for i := range n {
		o := s.claim(a, pid("x", i))
		held = append(held, o)
		if i%3 == 0 {
			s.claim(b, o.PID)
			taken[o] = true
		}
	}
	for range 3 {
		lost, err := s.sessions(a).Renew(s.ctx, held)
		if err != nil {
			s.Fatal(err)
		}
		for _, o := range lost {
			if !taken[o] {
				s.Errorf("lost %+v", o)
			}
		}
		if len(lost) != len(taken) {
			s.Errorf("%d lost, want %d", len(lost), len(taken))
		}
	}
	for _, o := range held {
		got := s.owner(b, o.PID)
		if want := (backplane.Owner{PID: o.PID, Node: "b", Generation: 2}); taken[o] && !same(got, want) || !taken[o] && !same(got, o) {
			s.Errorf("owner %+v after the renewal of %+v", got, o)
		}
	}
	if lost, err := s.sessions(a).Renew(s.ctx, nil); err != nil || len(lost) != 0 {
		s.Errorf("renewal of nothing: %v, %v", lost, err)
	}
}

// claimRenewed: a renewal between Owner and Claim is no other owner.
func claimRenewed(s *suite) {
	a, b := s.join("a"), s.join("b")
	held := s.claim(a, pid("x", 1))
	current := s.owner(b, held.PID)
	_, err := s.sessions(a).Renew(s.ctx, []backplane.Owner{held})
	s.check(err)
	if o, err := s.sessions(b).Claim(s.ctx, current); err != nil || o.Generation != 2 {
		s.Errorf("%+v, %v", o, err)
	}
}

// watchOwners: everybody who watches is told what exists and what comes.
func watchOwners(s *suite) {
	a, b, c := s.three()
	var want []backplane.Owner
	for i := range 20 {
		want = append(want, s.claim(a, pid("x", i)))
	}
	early, _ := s.watchOwners(b)
	late, _ := s.watchOwners(c)
	for i := range 20 {
		if i%2 == 0 {
			want[i] = s.claim(b, want[i].PID)
		}
		want = append(want, s.claim(c, pid("y", i)))
	}
	for _, o := range []*owners{early, late} {
		for _, w := range want {
			o.told(w)
		}
	}
	if early.forgot+late.forgot > 0 {
		s.Error("records were said to be forgotten")
	}
}

// watchEnds: closing is quiet, and concerns that watch only.
func watchEnds(s *suite) {
	a, b := s.join("a"), s.join("b")
	ends, sub := s.watchOwners(b)
	stays, _ := s.watchOwners(b)
	first := s.claim(a, pid("x", 0))
	ends.told(first)
	sub.Close()
	sub.Close()
	stays.told(first)
	ends.mu.Lock()
	calls := ends.calls
	ends.mu.Unlock()
	for i := range 10 {
		stays.told(s.claim(a, fmt.Sprint("x.", i)))
	}
	again, _ := s.watchOwners(b)
	again.told(first)
	ends.mu.Lock()
	defer ends.mu.Unlock()
	if ends.calls != calls {
		s.Errorf("%d calls after Close", ends.calls-calls)
	}
}
