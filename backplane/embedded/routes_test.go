package embedded

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/siod-io/siod/membership"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func joined(id, name, route string) membership.Event {
	return membership.Event{Kind: membership.Joined, Member: membership.Member{
		ID: id, Name: name, Meta: map[string]string{MetaRoute: route},
	}}
}

func gone(id, name string, why membership.State) membership.Event {
	return membership.Event{Kind: membership.Gone, Member: membership.Member{ID: id, Name: name, State: why}}
}

func TestRouteTable(t *testing.T) {
	t.Parallel()
	updated := joined("b", "b", "10.0.0.9:1")
	updated.Kind = membership.Updated
	leaving := joined("b", "b", "10.0.0.2:1")
	leaving.Member.State = membership.Leaving
	silent := joined("b", "b", "")
	for _, tt := range []struct {
		name   string
		events []membership.Event // at t0
		after  time.Duration
		want   []string
	}{
		{"nobody", nil, 0, nil},
		{"itself", []membership.Event{joined("self", "s", "10.0.0.1:1")}, 0, nil},
		{"two", []membership.Event{joined("c", "c", "10.0.0.3:1"), joined("b", "b", "10.0.0.2:1")}, 0, []string{"10.0.0.2:1", "10.0.0.3:1"}},
		{"one that drains", []membership.Event{leaving}, 0, []string{"10.0.0.2:1"}},
		{"one without a listener", []membership.Event{silent}, 0, nil},
		{"one that closed its listener", []membership.Event{joined("b", "b", "10.0.0.2:1"), silent}, 0, nil},
		{"one that moved", []membership.Event{joined("b", "b", "10.0.0.2:1"), updated}, 0, []string{"10.0.0.9:1"}},
		{"one that lies", []membership.Event{joined("b", "b", "10.0.0.2:1\" }")}, 0, nil},
		{"one that left", []membership.Event{joined("b", "b", "10.0.0.2:1"), gone("b", "b", membership.Left)}, 0, nil},
		{"one that died", []membership.Event{joined("b", "b", "10.0.0.2:1"), gone("b", "b", membership.Dead)}, keepDead - 1, []string{"10.0.0.2:1"}},
		{"one that died long ago", []membership.Event{joined("b", "b", "10.0.0.2:1"), gone("b", "b", membership.Dead)}, keepDead, nil},
		{"one that lives after all", []membership.Event{joined("b", "b", "10.0.0.2:1"), gone("b", "b", membership.Dead), joined("b", "b", "10.0.0.2:1")}, keepDead, []string{"10.0.0.2:1"}},
		{"a stranger that died", []membership.Event{gone("b", "b", membership.Dead)}, 0, nil},
		{"back under its name", []membership.Event{joined("b", "b", "10.0.0.2:1"), gone("b", "b", membership.Dead), joined("b2", "b", "10.0.0.9:1")}, 0, []string{"10.0.0.9:1"}},
		{"back before it was missed", []membership.Event{joined("b", "b", "10.0.0.2:1"), joined("b2", "b", "10.0.0.9:1"), gone("b", "b", membership.Dead)}, 0, []string{"10.0.0.9:1"}},
		{"back at its address", []membership.Event{joined("b", "", "10.0.0.2:1"), gone("b", "", membership.Dead), joined("b2", "", "10.0.0.2:1")}, keepDead, []string{"10.0.0.2:1"}},
		{"without names both are tried", []membership.Event{joined("b", "", "10.0.0.2:1"), gone("b", "", membership.Dead), joined("b2", "", "10.0.0.9:1")}, 0, []string{"10.0.0.2:1", "10.0.0.9:1"}},
		{"two at one address", []membership.Event{joined("b", "b", "10.0.0.2:1"), joined("c", "c", "10.0.0.2:1")}, 0, []string{"10.0.0.2:1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			table := newRouteTable("self")
			for _, ev := range tt.events {
				table.observe(ev, t0)
			}
			table.expire(t0.Add(tt.after))
			if diff := cmp.Diff(tt.want, table.routes()); diff != "" {
				t.Errorf("routes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRouteTableExpires(t *testing.T) {
	t.Parallel()
	table := newRouteTable("self")
	table.assume("10.0.0.5:1", t0)
	table.assume("nonsense", t0)
	table.observe(joined("b", "b", "10.0.0.2:1"), t0)
	table.observe(gone("b", "b", membership.Dead), t0.Add(time.Minute))
	if got := table.expire(t0); !got.Equal(t0.Add(keepDead)) {
		t.Errorf("the first is over at %v", got)
	}
	if got := table.stores(); !slices.Equal(got, []string{"10.0.0.5:1"}) {
		t.Errorf("store nodes of an earlier run: %q", got)
	}
	if got := table.expire(t0.Add(keepDead)); !got.Equal(t0.Add(keepDead + time.Minute)) {
		t.Errorf("the second is over at %v", got)
	}
	if got := table.expire(t0.Add(keepDead + time.Minute)); !got.IsZero() || len(table.members) != 0 {
		t.Errorf("%d are left until %v", len(table.members), got)
	}
}

// Who was gone before anybody watched counts as dead.
func TestRouteTableSync(t *testing.T) {
	t.Parallel()
	table := newRouteTable("self")
	table.observe(joined("b", "b", "10.0.0.2:1"), t0)
	table.observe(joined("c", "c", "10.0.0.3:1"), t0)
	table.assume("10.0.0.2:1", t0)
	table.sync([]membership.Member{{ID: "c"}}, t0)
	table.sync([]membership.Member{{ID: "c"}}, t0.Add(keepDead-1))
	if got := table.expire(t0.Add(keepDead - 1)); !got.Equal(t0.Add(keepDead)) {
		t.Errorf("it is forgotten at %v", got)
	}
	table.expire(t0.Add(keepDead))
	if got := table.routes(); !slices.Equal(got, []string{"10.0.0.3:1"}) {
		t.Errorf("routes go to %q", got)
	}
}

// Who went and came between two looks is present, and stays.
func TestRouteTableSyncPresent(t *testing.T) {
	t.Parallel()
	table := newRouteTable("self")
	table.observe(joined("b", "b", "10.0.0.2:1"), t0)
	table.sync(nil, t0)
	table.sync([]membership.Member{{ID: "b"}}, t0.Add(time.Second))
	table.expire(t0.Add(2 * keepDead))
	if got := table.routes(); !slices.Equal(got, []string{"10.0.0.2:1"}) {
		t.Errorf("routes go to %q", got)
	}
}

func TestRouteTableIsBounded(t *testing.T) {
	t.Parallel()
	table := newRouteTable("self")
	for i := range 3 * maxDead {
		id, now := fmt.Sprint(i), t0.Add(time.Duration(i)*time.Millisecond)
		table.observe(joined(id, id, fmt.Sprintf("10.0.0.1:%d", i+1)), now)
		table.observe(gone(id, id, membership.Dead), now)
	}
	if n := len(table.members); n != maxDead {
		t.Errorf("%d dead members are kept", n)
	}
	if _, ok := table.members[fmt.Sprint(3*maxDead-1)]; !ok {
		t.Error("the newest of them was dropped")
	}
}

// Whatever happens, everybody who is present and said where it listens has a
// route, and nobody who left.
func TestRouteTableProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		table, now := newRouteTable("self"), t0
		present := map[string]string{}
		for range rapid.IntRange(0, 60).Draw(t, "events") {
			n := rapid.IntRange(0, 9).Draw(t, "member")
			id, name := fmt.Sprint("id", n), fmt.Sprint("name", n/2)
			now = now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "seconds")) * time.Second)
			if rapid.Bool().Draw(t, "joins") {
				present[id] = fmt.Sprintf("10.0.0.%d:1", rapid.IntRange(1, 9).Draw(t, "address"))
				table.observe(joined(id, name, present[id]), now)
			} else {
				delete(present, id)
				why := rapid.SampledFrom([]membership.State{membership.Left, membership.Dead}).Draw(t, "why")
				table.observe(gone(id, name, why), now)
			}
			next := table.expire(now)
			if !next.IsZero() && !next.After(now) {
				t.Fatalf("at %v the next is over at %v", now, next)
			}
			routes := table.routes()
			for id, addr := range present {
				if !slices.Contains(routes, addr) {
					t.Fatalf("%s is at %s, and routes go to %q", id, addr, routes)
				}
			}
			table.expire(now.Add(keepDead))
			if got := table.routes(); len(got) > len(present) {
				t.Fatalf("after a long time routes go to %q, present are %v", got, present)
			}
		}
	})
}
