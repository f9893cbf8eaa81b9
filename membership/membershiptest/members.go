package membershiptest

import (
	"slices"
	"strings"
	"time"

	"github.com/siod-io/siod/membership"
)

func alone(s *suite) {
	m := s.join("a")
	self := m.Self()
	if self.ID != "a" || self.Addr != "a:1" || self.Version != "v1" || self.State != membership.Alive {
		s.Errorf("Self() = %+v", self)
	}
	if len(self.Token) != membership.TokenLen {
		s.Errorf("token %q has not %d characters", self.Token, membership.TokenLen)
	}
	if got := m.Members(); len(got) != 1 || got[0].ID != "a" {
		s.Errorf("Members() = %v, want a alone", got)
	}
	if _, ok := m.Lookup("a"); !ok {
		s.Error("Lookup does not find the node itself")
	}
	if got, ok := m.Lookup("b"); ok {
		s.Errorf("Lookup(b) = %v", got)
	}
}

func seeEachOther(s *suite) {
	a, b, c := s.join("a"), s.join("b"), s.join("c")
	for _, m := range []membership.Membership{a, b, c} {
		s.await(m, "a", "b", "c")
		for _, o := range []membership.Membership{a, b, c} {
			want := o.Self()
			got, ok := m.Lookup(want.ID)
			if !ok || got.Token != want.Token || got.Addr != want.Addr || got.Version != want.Version {
				s.Errorf("%s sees %+v, want %+v", m.Self().ID, got, want)
			}
		}
	}
}

func membersAreSorted(s *suite) {
	a := s.join("m")
	for _, id := range []string{"z", "b", "x", "c"} {
		s.join(id)
	}
	s.await(a, "b", "c", "m", "x", "z")
}

func byToken(s *suite) {
	a, b := s.join("a"), s.join("b")
	s.await(a, "a", "b")
	for _, m := range []membership.Membership{a, b} {
		got, ok := a.ByToken(m.Self().Token)
		if !ok || got.ID != m.Self().ID {
			s.Errorf("ByToken of %s = %v, %v", m.Self().ID, got.ID, ok)
		}
	}
	for _, token := range []string{"", "nobody", a.Self().Token[:5]} {
		if got, ok := a.ByToken(token); ok {
			s.Errorf("ByToken(%q) = %v", token, got.ID)
		}
	}
}

func setMeta(s *suite) {
	a, b := s.join("a"), s.join("b")
	s.await(b, "a", "b")
	w := b.Watch(s.ctx)
	meta := map[string]string{"zone": "1", "empty": ""}
	if err := a.SetMeta(meta); err != nil {
		s.Fatal(err)
	}
	if got := a.Self().Meta["zone"]; got != "1" {
		s.Errorf("own zone is %q", got)
	}
	s.until(w, func(ev membership.Event) bool { return ev.Member.ID == "a" && ev.Member.Meta["zone"] == "1" })
	if m, _ := b.Lookup("a"); m.Meta["zone"] != "1" {
		s.Errorf("Lookup after the event shows %v", m.Meta)
	}
	if err := a.SetMeta(nil); err != nil {
		s.Fatal(err)
	}
	s.until(w, func(ev membership.Event) bool { return ev.Member.ID == "a" && len(ev.Member.Meta) == 0 })
}

func setMetaCopies(s *suite) {
	a, b := s.join("a"), s.join("b")
	s.await(b, "a", "b")
	meta := map[string]string{"k": "before"}
	if err := a.SetMeta(meta); err != nil {
		s.Fatal(err)
	}
	meta["k"] = "after"
	if got := a.Self().Meta["k"]; got != "before" {
		s.Errorf("the caller's map is shared: %q", got)
	}
	w := b.Watch(s.ctx)
	ev := s.until(w, func(ev membership.Event) bool { return ev.Member.ID == "a" && ev.Member.Meta["k"] != "" })
	if got := ev.Member.Meta["k"]; got != "before" {
		s.Errorf("others see %q", got)
	}
}

func setMetaTooLarge(s *suite) {
	a := s.join("a")
	for _, tt := range []struct {
		name string
		meta map[string]string
		ok   bool
	}{
		{"value at the limit", map[string]string{"k": strings.Repeat("v", membership.MaxMeta-3)}, true},
		{"value over it", map[string]string{"k": strings.Repeat("v", membership.MaxMeta-2)}, false},
		{"key over it", map[string]string{strings.Repeat("k", membership.MaxMeta): ""}, false},
	} {
		err := a.SetMeta(tt.meta)
		if ok := err == nil; ok != tt.ok {
			s.Errorf("%s: %v", tt.name, err)
		}
	}
	if got := a.Self().Meta; len(got["k"]) != membership.MaxMeta-3 {
		s.Errorf("a refused meta changed the old one: %d", len(got["k"]))
	}
}

func setLeaving(s *suite) {
	a, b := s.join("a"), s.join("b")
	s.await(b, "a", "b")
	w := b.Watch(s.ctx)
	if err := a.SetLeaving(); err != nil {
		s.Fatal(err)
	}
	s.until(w, func(ev membership.Event) bool { return ev.Member.ID == "a" && ev.Member.State == membership.Leaving })
	if ask, _ := membership.Roster(b, nil); !slices.Equal(ask, []string{"a"}) {
		s.Errorf("a node that drains must still be asked: roster %v", ask)
	}
}

func leave(s *suite) {
	a, b := s.join("a"), s.join("b")
	s.await(b, "a", "b")
	w := b.Watch(s.ctx)
	s.until(w, is(membership.Joined, "a"))
	if err := a.Leave(s.ctx); err != nil {
		s.Fatal(err)
	}
	ev := s.until(w, is(membership.Gone, "a"))
	if ev.Member.State != membership.Left || ev.Member.Addr != "a:1" {
		s.Errorf("gone as %+v, want left with its last fields", ev.Member)
	}
	s.await(b, "b")
	if _, ok := b.ByToken(ev.Member.Token); ok {
		s.Error("its token still leads somewhere")
	}
	if err := a.Leave(s.ctx); err != nil {
		s.Errorf("second Leave: %v", err)
	}
	if err := a.SetMeta(nil); err == nil {
		s.Error("SetMeta after Leave is not refused")
	}
}

func laterBoot(s *suite) {
	a := s.join("a")
	now := time.Now()
	s.c.Join(s.T, membership.Member{ID: "x1", Name: "x", Started: now})
	s.await(a, "a", "x1")
	w := a.Watch(s.ctx)
	s.until(w, is(membership.Joined, "x1"))
	s.c.Join(s.T, membership.Member{ID: "x2", Name: "x", Started: now.Add(time.Minute)})
	ev := s.until(w, is(membership.Gone, "x1"))
	if ev.Member.State != membership.Dead {
		s.Errorf("the earlier boot is %v, want dead", ev.Member.State)
	}
	s.await(a, "a", "x2")
}

func rosterLeavesOutSilent(s *suite) {
	a := s.join("a")
	for _, id := range []string{"b", "c", "d"} {
		s.join(id)
	}
	s.await(a, "a", "b", "c", "d")
	ask, silent := membership.Roster(a, func(id string) bool { return id != "c" })
	if !slices.Equal(ask, []string{"b", "d"}) || !slices.Equal(silent, []string{"c"}) {
		s.Errorf("ask %v, silent %v", ask, silent)
	}
	if ask, silent = membership.Roster(a, nil); !slices.Equal(ask, []string{"b", "c", "d"}) || silent != nil {
		s.Errorf("all heard: ask %v, silent %v", ask, silent)
	}
}

// Who is starting is a member, and asked nothing until it says that it serves.
func rosterLeavesOutStarting(s *suite) {
	a := s.join("a")
	s.join("b")
	c := s.c.Join(s.T, membership.Member{ID: "c", Meta: map[string]string{membership.MetaStarting: "1", "other": "x"}})
	s.await(a, "a", "b", "c")
	for _, heard := range []func(string) bool{nil, func(id string) bool { return id == "b" }} {
		if ask, silent := membership.Roster(a, heard); !slices.Equal(ask, []string{"b"}) || silent != nil {
			s.Errorf("while it starts: ask %v, silent %v", ask, silent)
		}
	}
	if err := c.SetMeta(map[string]string{"other": "x"}); err != nil {
		s.Fatal(err)
	}
	w := a.Watch(s.ctx)
	s.until(w, func(ev membership.Event) bool {
		return ev.Member.ID == "c" && ev.Member.Meta[membership.MetaStarting] == ""
	})
	if ask, _ := membership.Roster(a, nil); !slices.Equal(ask, []string{"b", "c"}) {
		s.Errorf("when it serves: ask %v", ask)
	}
}
