// Package membership says who is in the cluster: which nodes must answer a
// request, which died, and where the home of a socket id is.
//
// It stands beside package backplane and imports nothing of this module.
// Packages node and transport see the [Membership] interface only.
// Implementations live below: membership/static for a fixed list and for
// groups within one process, others for gossip. They share [Table], which keeps
// the members and feeds the watchers.
//
//	for ev := range m.Watch(ctx) {
//		if ev.Kind == membership.Gone {
//			bp.NodeDown(ev.Member.ID) // running requests stop waiting for it
//		}
//	}
//
// # Goroutines and locks
//
// Each Watch has one goroutine, which ends with its context or with the
// membership. A Table has one lock, which is never held while a channel is
// sent on or a function of somebody else is called.
package membership
