package cluster

import (
	"fmt"
	"strconv"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/wire"
	"github.com/siod-io/siod/membership"
)

// Keys under which a node says what it reads. An event that other nodes read and
// this one does not is missed by its clients, who have to be told; one that nobody
// reads is nonsense.
const (
	// metaWire is the latest version of the wire form. A version that is written
	// has to be one that every node reads: a release that adds one writes the one
	// before until the next release.
	metaWire = "wire"

	// metaLimits are the limits of events, which should be the same everywhere.
	metaLimits = "limits"
)

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

func (c *Config) limits() backplane.Limits {
	return backplane.Limits{Payload: c.MaxPayload, Namespace: c.MaxNamespace, Event: c.MaxEvent, Room: c.MaxRoom}
}

// largest are the largest limits of any member.
func (n *Node) largest() backplane.Limits {
	largest := n.cfg.limits()
	for _, m := range n.members.Members() {
		if l, ok := parseLimits(m.Meta[metaLimits]); ok {
			largest = largest.Max(l)
		}
	}
	return largest
}

const limitsForm = "%d %d %d %d"

func limitsText(l backplane.Limits) string {
	l = l.Max(l) // with defaults
	return fmt.Sprintf(limitsForm, l.Payload, l.Namespace, l.Event, l.Room)
}

func parseLimits(text string) (l backplane.Limits, ok bool) {
	_, err := fmt.Sscanf(text, limitsForm, &l.Payload, &l.Namespace, &l.Event, &l.Room)
	return l, err == nil
}

// compare tells of a member that reads something else than this node.
func (n *Node) compare(m membership.Member) {
	if m.ID == n.cfg.ID {
		return
	}
	if v := m.Meta[metaWire]; v != wireVersion {
		n.log.Warn("a node reads another version of what nodes tell each other: bring all nodes to one release",
			"node", m.ID, "name", m.Name, "release", m.Version, "reads", v, "this_node_reads", wireVersion)
	}
	own := limitsText(n.cfg.limits())
	if theirs := m.Meta[metaLimits]; theirs != "" && theirs != own {
		n.log.Warn("a node has other limits: give all the same max_payload, max_namespace, max_event and max_room",
			"node", m.ID, "name", m.Name, "limits", theirs, "limits_of_this_node", own)
	}
}
