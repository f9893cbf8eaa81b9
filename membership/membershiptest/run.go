package membershiptest

import (
	"context"
	"testing"
	"time"

	"github.com/siod-io/siod/membership"
)

// Features says which parts of the suite apply.
type Features struct {
	Kill  bool // Cluster.Kill works
	Names bool // a later boot of a stable name ends the earlier one

	// Wait bounds each wait for what must happen. Zero means 10 s.
	Wait time.Duration
}

// Cluster makes the members of one test. Cleanup is its own business, after
// the end of the test it was made for.
type Cluster interface {
	// Join starts a member, with the ID, Name, Started, Addr, Version and Meta
	// given and a Token of its own, and returns when it is present in its own
	// view.
	Join(t *testing.T, m membership.Member) membership.Membership

	// Kill ends a member without a word.
	Kill(t *testing.T, id string)
}

// Run runs the suite. open is called once for each test.
func Run(t *testing.T, f Features, open func(t *testing.T) Cluster) {
	if f.Wait == 0 {
		f.Wait = 10 * time.Second
	}
	tests := []struct {
		name string
		run  func(*suite)
		skip bool
	}{
		{"Alone", alone, false},
		{"SeeEachOther", seeEachOther, false},
		{"MembersAreSorted", membersAreSorted, false},
		{"ByToken", byToken, false},
		{"WatchBeginsWithPresent", watchBeginsWithPresent, false},
		{"WatchEndsWithContext", watchEndsWithContext, false},
		{"WatchNeverBlocksOthers", watchNeverBlocksOthers, false},
		{"WatchFoldsChanges", watchFoldsChanges, false},
		{"SetMeta", setMeta, false},
		{"SetMetaCopies", setMetaCopies, false},
		{"SetMetaTooLarge", setMetaTooLarge, false},
		{"SetLeaving", setLeaving, false},
		{"Leave", leave, false},
		{"LeaveEndsOwnWatches", leaveEndsOwnWatches, false},
		{"Kill", kill, !f.Kill},
		{"WatchedModel", watchedModel, !f.Kill},
		{"LaterBootOfName", laterBoot, !f.Names},
		{"RosterLeavesOutSilent", rosterLeavesOutSilent, false},
		{"RosterLeavesOutStarting", rosterLeavesOutStarting, false},
	}
	for _, tt := range tests {
		if tt.skip {
			continue // not promised by this implementation
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), f.Wait)
			t.Cleanup(cancel)
			tt.run(&suite{T: t, c: open(t), ctx: ctx})
		})
	}
}

// suite is one test.
type suite struct {
	*testing.T
	c   Cluster
	ctx context.Context // ends when the test waited too long
}

func (s *suite) join(id string) membership.Membership {
	s.Helper()
	return s.c.Join(s.T, membership.Member{ID: id, Addr: id + ":1", Version: "v1"})
}

// next receives one event.
func (s *suite) next(w <-chan membership.Event) membership.Event {
	s.Helper()
	select {
	case ev, ok := <-w:
		if !ok {
			s.Fatal("watch ended early")
		}
		return ev
	case <-s.ctx.Done():
		s.Fatal("no event came")
	}
	return membership.Event{}
}

// until receives events until one satisfies ok, and returns it.
func (s *suite) until(w <-chan membership.Event, ok func(membership.Event) bool) membership.Event {
	s.Helper()
	for {
		if ev := s.next(w); ok(ev) {
			return ev
		}
	}
}

// closed waits until a watch ends and returns the events before.
func (s *suite) closed(w <-chan membership.Event) []membership.Event {
	s.Helper()
	var events []membership.Event
	for {
		select {
		case ev, ok := <-w:
			if !ok {
				return events
			}
			events = append(events, ev)
		case <-s.ctx.Done():
			s.Fatal("watch did not end")
		}
	}
}

// await waits until m sees exactly the members named.
func (s *suite) await(m membership.Membership, ids ...string) {
	s.Helper()
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	w := m.Watch(ctx)
	for {
		if same(m.Members(), ids) {
			return
		}
		s.next(w)
	}
}

func same(members []membership.Member, ids []string) bool {
	if len(members) != len(ids) {
		return false
	}
	for i, m := range members {
		if m.ID != ids[i] {
			return false
		}
	}
	return true
}

func is(kind membership.EventKind, id string) func(membership.Event) bool {
	return func(ev membership.Event) bool { return ev.Kind == kind && ev.Member.ID == id }
}
