package cluster

import (
	"cmp"
	"slices"
	"time"

	"github.com/siod-io/siod/backplane/embedded"
	"github.com/siod-io/siod/membership"
)

// Members is the cluster as one node sees it.
type Members struct {
	Cluster string   `json:"cluster"`
	Self    string   `json:"self"` // id of the node that says so
	Nodes   []Member `json:"nodes"`
}

// Member is one node.
type Member struct {
	ID      string    `json:"id"`
	Token   string    `json:"token"`
	Name    string    `json:"name,omitempty"`
	State   string    `json:"state"` // "starting", "alive" or "leaving"
	Addr    string    `json:"addr,omitempty"`
	Route   string    `json:"route,omitempty"` // of its NATS server
	Store   bool      `json:"store"`
	Heard   bool      `json:"heard"` // by the backplane, within 3 s
	Version string    `json:"version,omitempty"`
	Started time.Time `json:"started,omitzero"`
}

// Members returns the members by name.
func (n *Node) Members() Members {
	all := Members{Cluster: n.cfg.Cluster, Self: n.cfg.ID, Nodes: []Member{}}
	for _, m := range n.members.Members() {
		all.Nodes = append(all.Nodes, n.member(m))
	}
	slices.SortFunc(all.Nodes, func(a, b Member) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return all
}

// state is what operators call it.
func state(m membership.Member) string {
	if m.Meta[membership.MetaStarting] != "" && m.State == membership.Alive {
		return "starting"
	}
	return m.State.String()
}

func (n *Node) member(m membership.Member) Member {
	own := m.ID == n.cfg.ID
	return Member{
		ID: m.ID, Token: m.Token, Name: m.Name, State: state(m), Addr: m.Addr,
		Route: m.Meta[embedded.MetaRoute], Store: m.Meta[embedded.MetaStore] == "1" || own && n.cfg.Gossip == "" && n.cfg.Stores == 1,
		Heard: own || n.backplane.Heard(m.ID), Version: m.Version, Started: m.Started,
	}
}
