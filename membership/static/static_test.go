package static_test

import (
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/membershiptest"
	"github.com/siod-io/siod/membership/static"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type cluster struct{ g *static.Group }

func (c cluster) Join(t *testing.T, m membership.Member) membership.Membership {
	t.Helper()
	s, err := c.g.Join(m)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (c cluster) Kill(_ *testing.T, id string) { c.g.Kill(id) }

func TestConformance(t *testing.T) {
	t.Parallel()
	membershiptest.Run(t, membershiptest.Features{Kill: true, Names: true}, func(*testing.T) membershiptest.Cluster {
		return cluster{static.NewGroup()}
	})
}

func TestNew(t *testing.T) {
	t.Parallel()
	m, err := static.New(membership.Member{}, membership.Member{ID: "other", Addr: "10.0.0.2:81"})
	if err != nil {
		t.Fatal(err)
	}
	self := m.Self()
	if self.ID == "" || self.Token != membership.Token(self.ID) {
		t.Errorf("id %q and token %q were not made", self.ID, self.Token)
	}
	if o, ok := m.ByToken(membership.Token("other")); !ok || o.Addr != "10.0.0.2:81" {
		t.Errorf("the configured member is %+v, %v", o, ok)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	big := map[string]string{"k": string(make([]byte, membership.MaxMeta))}
	for _, tt := range []struct {
		name    string
		members []membership.Member
		want    error
	}{
		{"same id", []membership.Member{{ID: "a"}, {ID: "a"}}, membership.ErrDuplicate},
		{"same token", []membership.Member{{ID: "a", Token: "tttttt"}, {ID: "b", Token: "tttttt"}}, membership.ErrDuplicate},
		{"meta", []membership.Member{{ID: "a", Meta: big}}, membership.ErrMetaTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := static.New(tt.members[0], tt.members[1:]...); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestKilledHandle(t *testing.T) {
	t.Parallel()
	g := static.NewGroup()
	m, err := g.Join(membership.Member{ID: "a"})
	if err != nil {
		t.Fatal(err)
	}
	g.Kill("a")
	if err := m.SetMeta(nil); !errors.Is(err, membership.ErrLeft) {
		t.Errorf("SetMeta of a dead member: %v", err)
	}
	if got := m.Self().State; got != membership.Dead {
		t.Errorf("it sees itself as %v", got)
	}
	for range m.Watch(t.Context()) {
		t.Error("a watch of a dead member reports something")
	}
	if _, err := g.Join(membership.Member{ID: "a"}); !errors.Is(err, membership.ErrDuplicate) {
		t.Errorf("a boot id came back: %v", err)
	}
}
