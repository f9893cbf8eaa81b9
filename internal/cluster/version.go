package cluster

import (
	"strconv"

	"github.com/siod-io/siod/backplane/wire"
	"github.com/siod-io/siod/membership"
)

// metaWire is the key under which a node says up to which version of the wire
// form it reads. A version that is written has to be one that every node reads:
// a release that adds one writes the one before until the next release.
const metaWire = "wire"

var wireVersion = strconv.Itoa(wire.Version)

// reads is the latest version that any member reads.
func (n *Node) reads() int {
	latest := wire.Version
	for _, m := range n.members.Members() {
		if v, err := strconv.Atoi(m.Meta[metaWire]); err == nil {
			latest = max(latest, v)
		}
	}
	return latest
}

// compare tells of a member that reads another version.
func (n *Node) compare(m membership.Member) {
	if v := m.Meta[metaWire]; v != wireVersion && m.ID != n.cfg.ID {
		n.log.Warn("a node reads another version of what nodes tell each other: bring all nodes to one release",
			"node", m.ID, "name", m.Name, "release", m.Version, "reads", v, "this_node_reads", wireVersion)
	}
}
