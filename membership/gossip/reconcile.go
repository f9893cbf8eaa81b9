package gossip

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/siod-io/siod/membership"
)

const (
	maxLost  = 256       // dead members whose addresses are remembered
	lostTime = time.Hour // and for how long
)

// reconcile brings what memberlist told into the table. It looks at what is true
// now, so it does not matter how often it runs or how much came together.
func (g *Gossip) reconcile() {
	g.settle.Lock()
	changed := g.events.take()
	for _, id := range slices.Sorted(maps.Keys(changed)) {
		g.apply(id, changed[id])
	}
	if len(changed) > 0 {
		g.retry()
	}
	g.settle.Unlock()

	self := g.Self()
	if _, ok := g.table.Lookup(self.ID); !ok && g.end(membership.Dead, true) {
		g.log.Error("a later boot of this node's name is in the cluster; this one ends", node(self))
	}
}

// apply brings one peer into the table. The caller holds settle.
func (g *Gossip) apply(id string, p peer) {
	m, err := decodeMember(id, p.meta)
	if err != nil {
		return // NotifyAlive lets none of these through
	}
	switch {
	case m.State == membership.Left:
		g.remove(m, membership.Left)
	case !p.present:
		g.remove(m, membership.Dead)
		g.remember(p.addr)
	default:
		delete(g.lost, p.addr)
		g.put(m)
	}
}

func (g *Gossip) remove(m membership.Member, why membership.State) {
	delete(g.duplicates, m.ID)
	if _, ok := g.table.Lookup(m.ID); ok {
		g.log.Info("member gone", node(m), "reason", why.String())
	}
	g.table.Remove(m.ID, why) // also of one that was never seen: it must not come back
}

func (g *Gossip) put(m membership.Member) {
	_, known := g.table.Lookup(m.ID)
	if err := g.table.Put(m); err != nil {
		if _, ok := g.duplicates[m.ID]; !ok {
			g.refusals.Add(1)
			g.log.Warn("member refused", node(m), "err", err)
		}
		g.duplicates[m.ID] = m
		return
	}
	delete(g.duplicates, m.ID)
	if !known {
		g.log.Info("member joined", node(m))
	}
}

// retry offers the table again what it refused, since what stood in the way may
// be gone. The caller holds settle.
func (g *Gossip) retry() {
	for _, id := range slices.Sorted(maps.Keys(g.duplicates)) {
		g.put(g.duplicates[id])
	}
}

// remember keeps the address of a member that died: it may only have been cut
// off. The caller holds settle.
func (g *Gossip) remember(a netip.AddrPort) {
	now := time.Now()
	maps.DeleteFunc(g.lost, func(_ netip.AddrPort, since time.Time) bool { return now.Sub(since) > lostTime })
	if len(g.lost) < maxLost {
		g.lost[a] = now
	}
}

// tokenTaken reports whether a present peer has this node's token.
func (g *Gossip) tokenTaken() bool {
	token := membership.Token(g.cfg.Self.ID)
	g.settle.Lock()
	defer g.settle.Unlock()
	for _, m := range g.duplicates {
		if m.Token == token {
			return true
		}
	}
	return false
}
