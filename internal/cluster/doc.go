// Package cluster makes a process a node of a cluster: it puts together gossip,
// a NATS server within the process or a connection to one outside, the backplane
// on it, and the forwarding of requests, from one plain Config, and takes them
// apart again in order.
//
// It stands between the commands and the packages it composes: package node
// gets them by their interfaces and knows nothing of it. Libraries do not use
// it.
//
//	n, err := cluster.Start(ctx, cluster.Config{
//		Gossip: "10.0.0.7:7946", Join: []string{"siod-nodes:7946"}, Secrets: []string{secret},
//		Internal: internal.Addr().String(), Stores: 3,
//	})
//	…
//	cfg := node.Config{…}
//	n.Configure(&cfg)
//	srv, err := node.New(cfg)
//	internalMux.Handle(forward.Path, n.Forwarded(srv))
//	n.Join(ctx)
//	…
//	err = n.Stop(ctx, srv.Shutdown)
//
// A Config that names no gossip, no NATS and no store is a server on its own:
// the backplane is in memory, and nothing listens.
//
// # Start and end
//
// Gossip comes first, since the store nodes find each other by it; then the NATS
// server, whose Start waits for the store; then the backplane, which has its
// streams be there; then forwarding. All that time the others know this node as
// one that is starting, and ask it nothing: that ends with Join, when the server
// is made and hears them. The end is the other way round with the
// clients in the middle: others learn that this node leaves, the lead of the
// store is given up, sessions and tunnels end, and only when nothing more is to
// be said the backplane, the membership and the server go. Each step has a
// deadline of its own, so that one that hangs does not take the time of the
// others.
//
// # A name is taken
//
// Of two boots with one Name the later is real. The earlier one finds that its
// membership ended, and Failed says so: its process shuts down.
//
// # Health
//
// A goroutine sends a message through the backplane every second. Healthy is an
// error from the moment when none came back for 10 s until the next one does: a
// short outage of NATS must not take all nodes out of their balancer at once.
//
// # Strangers
//
// Two clusters of one name on one NATS get each other's events and know nothing
// of each other. A node that hears another for 30 s which gossip does not know
// says so, once for each, and counts them.
//
// # Goroutines and locks
//
// A Node has three of its own, the one that sends messages, one that watches its
// membership, and one that looks for strangers; all end with Stop. The locks of
// the health and of the strangers are leaves.
package cluster
