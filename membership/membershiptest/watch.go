package membershiptest

import (
	"context"
	"fmt"
	"strconv"

	"pgregory.net/rapid"

	"github.com/siod-io/siod/membership"
)

func watchBeginsWithPresent(s *suite) {
	a := s.join("a")
	s.join("b")
	s.await(a, "a", "b")
	w := a.Watch(s.ctx)
	for _, id := range []string{"a", "b"} {
		if ev := s.next(w); ev.Kind != membership.Joined || ev.Member.ID != id {
			s.Errorf("%v %v, want joined %s", ev.Kind, ev.Member.ID, id)
		}
	}
	s.join("c")
	s.until(w, is(membership.Joined, "c"))
}

func watchEndsWithContext(s *suite) {
	a := s.join("a")
	ctx, cancel := context.WithCancel(s.ctx)
	w := a.Watch(ctx)
	s.next(w)
	cancel()
	s.closed(w)
}

func watchNeverBlocksOthers(s *suite) {
	a := s.join("a")
	slow := a.Watch(s.ctx) // nobody receives until the end
	fast := a.Watch(s.ctx)
	for i := range 20 {
		b := s.c.Join(s.T, membership.Member{ID: "b" + strconv.Itoa(i)})
		s.until(fast, is(membership.Joined, "b"+strconv.Itoa(i)))
		if err := b.Leave(s.ctx); err != nil {
			s.Fatal(err)
		}
		s.until(fast, is(membership.Gone, "b"+strconv.Itoa(i)))
	}
	s.join("c")
	s.until(fast, is(membership.Joined, "c"))
	seen := make(map[string]bool)
	for !seen["c"] {
		ev := s.next(slow)
		if ev.Kind == membership.Gone && !seen[ev.Member.ID] {
			s.Errorf("%s is gone and never was there", ev.Member.ID)
		}
		seen[ev.Member.ID] = true
	}
}

func watchFoldsChanges(s *suite) {
	a, b := s.join("a"), s.join("b")
	s.await(a, "a", "b")
	w := a.Watch(s.ctx)
	s.until(w, is(membership.Joined, "b"))
	other := a.Watch(s.ctx)
	const last = 100
	for i := range last + 1 {
		if err := b.SetMeta(map[string]string{"n": strconv.Itoa(i)}); err != nil {
			s.Fatal(err)
		}
	}
	s.until(other, func(ev membership.Event) bool { return ev.Member.Meta["n"] == strconv.Itoa(last) })
	// w did not receive meanwhile: it may hold one old event, not a hundred.
	events := 0
	before := -1
	for before != last {
		ev := s.next(w)
		if ev.Member.ID != "b" || ev.Kind != membership.Updated {
			s.Fatalf("%v %v", ev.Kind, ev.Member.ID)
		}
		n, err := strconv.Atoi(ev.Member.Meta["n"])
		if err != nil || n <= before {
			s.Fatalf("%d after %d (%v)", n, before, err)
		}
		before = n
		events++
	}
	if events > 2 {
		s.Errorf("%d events for changes that nobody waited for", events)
	}
}

func leaveEndsOwnWatches(s *suite) {
	a := s.join("a")
	s.join("b")
	s.await(a, "a", "b")
	w := a.Watch(s.ctx)
	s.until(w, is(membership.Joined, "b"))
	if err := a.Leave(s.ctx); err != nil {
		s.Fatal(err)
	}
	s.closed(w)
	if len(s.closed(a.Watch(s.ctx))) > 1 { // the others, at most
		s.Error("a watch that began after Leave reports changes")
	}
}

func kill(s *suite) {
	a := s.join("a")
	b := s.join("b")
	s.await(a, "a", "b")
	w := a.Watch(s.ctx)
	s.until(w, is(membership.Joined, "b"))
	token := b.Self().Token
	s.c.Kill(s.T, "b")
	ev := s.until(w, is(membership.Gone, "b"))
	if ev.Member.State != membership.Dead {
		s.Errorf("gone as %v, want dead", ev.Member.State)
	}
	s.await(a, "a")
	if _, ok := a.Lookup("b"); ok {
		s.Error("Lookup finds it still")
	}
	if _, ok := a.ByToken(token); ok {
		s.Error("ByToken finds it still")
	}
}

// watchedModel compares a watcher's running view with Members after random
// histories: each event must fit the view before it.
func watchedModel(s *suite) {
	run := 0
	rapid.Check(s.T, func(t *rapid.T) {
		run++
		name := func(i int) string { return fmt.Sprintf("r%d-%d", run, i) }
		prefix := fmt.Sprintf("r%d-", run)
		a := s.c.Join(s.T, membership.Member{ID: prefix + "a"})
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		w := a.Watch(ctx)
		s.until(w, is(membership.Joined, prefix+"a"))

		type live struct {
			id string
			m  membership.Membership
		}
		var present []live
		next := 0
		for range rapid.IntRange(0, 12).Draw(t, "steps") {
			switch op := rapid.SampledFrom([]string{"join", "leave", "kill", "meta"}).Draw(t, "op"); {
			case op == "join" || len(present) == 0:
				id := name(next)
				next++
				present = append(present, live{id, s.c.Join(s.T, membership.Member{ID: id})})
			default:
				i := rapid.IntRange(0, len(present)-1).Draw(t, "member")
				p := present[i]
				switch op {
				case "meta":
					if err := p.m.SetMeta(map[string]string{"n": strconv.Itoa(next)}); err != nil {
						t.Fatal(err)
					}
					continue
				case "leave":
					if err := p.m.Leave(s.ctx); err != nil {
						t.Fatal(err)
					}
				case "kill":
					s.c.Kill(s.T, p.id)
				}
				present = append(present[:i:i], present[i+1:]...)
			}
		}
		want := map[string]bool{prefix + "a": true}
		for _, p := range present {
			want[p.id] = true
		}
		view := map[string]bool{prefix + "a": true}
		for !fits(view, want) {
			ev := s.next(w)
			id := ev.Member.ID
			if view[id] != (ev.Kind != membership.Joined) {
				t.Fatalf("%v %s, and it was there: %v", ev.Kind, id, view[id])
			}
			if ev.Kind == membership.Gone {
				delete(view, id)
			} else {
				view[id] = true
			}
		}
		for _, p := range present {
			if err := p.m.Leave(s.ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Leave(s.ctx); err != nil {
			t.Fatal(err)
		}
		s.closed(w)
	})
}

func fits(view, want map[string]bool) bool {
	if len(view) != len(want) {
		return false
	}
	for id := range want {
		if !view[id] {
			return false
		}
	}
	return true
}
