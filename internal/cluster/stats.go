package cluster

import (
	"github.com/siod-io/siod/backplane/embedded"
	"github.com/siod-io/siod/backplane/natsio"
	"github.com/siod-io/siod/membership/gossip"
	"github.com/siod-io/siod/transport/forward"
)

// Stats are the figures of the parts that this node has; those of others are
// zero.
type Stats struct {
	Healthy   bool
	Strangers int            // nodes heard over NATS for long that are no members
	Members   map[string]int // present, by state
	Backplane natsio.Stats
	Logs      []natsio.LogStats
	Sessions  natsio.SessionStats
	Gossip    gossip.Stats
	Forward   forward.Stats
	Server    embedded.Stats
}

// Stats returns a snapshot, or nil for a server on its own.
func (n *Node) Stats() *Stats {
	if n.nats == nil {
		return nil
	}
	s := &Stats{
		Healthy: n.health.state() == nil, Backplane: n.nats.Stats(), Logs: n.nats.LogStats(), Sessions: n.nats.SessionStats(), Strangers: n.strangers.count(),
		Members: map[string]int{"starting": 0, "alive": 0, "leaving": 0},
	}
	for _, m := range n.members.Members() {
		s.Members[state(m)]++
	}
	if n.gossip != nil {
		s.Gossip = n.gossip.Stats()
	}
	if n.forward != nil {
		s.Forward = n.forward.Stats()
	}
	if n.server != nil {
		s.Server = n.server.Stats()
	}
	return s
}
