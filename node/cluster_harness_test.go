package node_test

import (
	"testing"

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

// member is one of several servers on one hub.
type member struct {
	*server
	hub   *memory.Hub
	group *static.Group
}

// cluster starts n servers that see each other through one hub.
func cluster(t testing.TB, n int, change func(*node.Config)) []*member {
	t.Helper()
	hub, group := memory.NewHub(memory.Config{}), static.NewGroup()
	var all []*member
	for range n {
		bp, err := hub.Join(membership.NewID())
		must(t, err)
		self, err := group.Join(membership.Member{ID: bp.ID()})
		must(t, err)
		all = append(all, &member{server: startOn(t, bp, self, change), hub: hub, group: group})
	}
	return all
}

// freeze makes the server look like a stopped process until the test is over.
func (m *member) freeze(t testing.TB) {
	t.Helper()
	must(t, m.hub.Freeze(m.ID()))
	t.Cleanup(func() { _ = m.hub.Thaw(m.ID()) })
}

// kill ends the server's part in the cluster without a word.
func (m *member) kill(t testing.TB) {
	t.Helper()
	must(t, m.hub.Kill(m.ID()))
	m.group.Kill(m.ID())
}
