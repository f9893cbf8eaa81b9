// Package gossip is a membership over the network: nodes find each other by a
// few addresses and tell each other by gossip who is there (SWIM, with the
// library hashicorp/memberlist). It needs no service beside the nodes. It
// implements membership.Membership.
//
//	m, err := gossip.Start(ctx, gossip.Config{
//		Self:    membership.Member{ID: membership.NewID(), Started: time.Now(), Addr: "10.0.0.7:8081"},
//		Secrets: []string{secret},
//		Listen:  ":7946",
//		Join:    []string{"siod-nodes.default.svc:7946"}, // resolved again at each attempt
//	})
//	if err != nil {
//		return err
//	}
//	defer m.Leave(ctx)
//	for ev := range m.Watch(ctx) {
//		// membership.Joined, Updated, Gone
//	}
//
// # What it tells, and when
//
// With the default [Config.Probe] and ten nodes, a change of one member is known
// to all within about 0.2 s, one that left within 0.1 s, and one that ended
// without a word within about 3 s (TestTenNodes). A node that was cut off comes back by itself: every
// [Config.Rejoin] each node asks the configured addresses, and those of members
// that it lost, if they are not present.
//
// A member is named by its boot id, from which its token follows. So nobody can
// announce a token that is not that of its id, and of two processes with one id
// the one that was there first stays. Of two boots with one stable name the
// later is real; the earlier one ends its own membership (V17).
//
// # Who may take part
//
// Packets and streams are encrypted and authenticated by AES-256-GCM with keys
// that come from the cluster's secrets. Whoever has a secret is trusted: it can
// announce and end members. Recorded packets can be sent again, so what is said
// here is a hint and never decides on delivery. The name of the cluster is part
// of every packet and of the keys, so two clusters never merge by mistake.
// Without secrets only loopback addresses are accepted. What members announce
// must hold no secrets.
//
// What comes from the network is bounded: the connections at a time, the bytes
// of each, the members, what a member announces (512 bytes), and the lines
// logged about all this.
//
// # Goroutines and locks
//
// Beside those of memberlist there are four: two that read the sockets, one
// that brings the table up to date and announces changes of this node, and one
// that joins. While it joins it has up to four more. They end with Leave and
// Close, which also wait for those of memberlist.
//
// Callbacks of memberlist come under its lock; they note what changed and
// nothing else. Gossip.settle comes before Gossip.mu, and that before the lock
// of membership.Table. The locks of events, sockets and the log are leaves. No
// lock is held while memberlist is called.
package gossip
