package cluster

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/embedded"
	"github.com/siod-io/siod/backplane/natsio"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/gossip"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/transport/forward"
)

// Node is this process as a part of its cluster. All methods are safe for
// concurrent use. Stop releases it.
type Node struct {
	cfg Config // with defaults
	log *slog.Logger

	members   membership.Membership
	backplane backplane.Backplane

	// nil where there is none
	gossip  *gossip.Gossip
	server  *embedded.Server
	nats    *natsio.Backplane
	forward *forward.Forwarder

	health    health
	strangers strangers
	failed    chan error // capacity 1

	life  context.Context // ends when Stop has ended the sessions
	end   context.CancelFunc
	tasks sync.WaitGroup
}

// ID is the boot id.
func (n *Node) ID() string { return n.cfg.ID }

// Token is what begins the ids of sessions that live here.
func (n *Node) Token() string { return n.members.Self().Token }

// Clustered reports whether there may be other nodes.
func (n *Node) Clustered() bool { return n.gossip != nil }

// Configure sets what a server needs to be part of the cluster.
func (n *Node) Configure(c *node.Config) {
	c.Backplane, c.Membership = n.backplane, n.members
	if n.forward != nil {
		c.Transport.Foreign = n.forward
	}
}

// Join makes this node one that the others ask. It is called once, when the
// server is made and before it has clients. First it waits until the others are
// heard over NATS, since requests would name those that are not as unreachable;
// one that is really cut off, or that died a moment ago, makes it 3 s.
func (n *Node) Join(ctx context.Context) {
	if n.gossip == nil {
		return
	}
	meet, cancel := context.WithTimeout(ctx, meetTime)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); meet.Err() == nil && !n.met(time.Since(begun)); {
		select {
		case <-tick.C:
		case <-meet.Done():
		}
	}
	meta := maps.Clone(n.gossip.Self().Meta)
	delete(meta, membership.MetaStarting)
	n.note("tell that this node serves", n.gossip.SetMeta(meta)) // else it has left, and Failed says so
	select {
	case <-time.After(announceTime):
	case <-ctx.Done():
	}
}

const (
	meetTime     = 3 * time.Second         // when who is not heard counts as silent (V17)
	startingTime = 1200 * time.Millisecond // when who has come so far was heard: nodes beat every second
	announceTime = 300 * time.Millisecond  // when the word has come around: three rounds of gossip, to three members each
)

// met reports whether the others are heard. Those that are starting, too, need
// not have come so far.
func (n *Node) met(since time.Duration) bool {
	for _, m := range n.gossip.Members() {
		if m.ID != n.cfg.ID && !n.backplane.Heard(m.ID) && (m.Meta[membership.MetaStarting] == "" || since < startingTime) {
			return false
		}
	}
	return true
}

// Forwarded is what the internal listener serves at forward.Path: the requests
// that other nodes pass on to srv. It is nil for a server on its own.
func (n *Node) Forwarded(srv http.Handler) http.Handler {
	if n.forward == nil {
		return nil
	}
	return n.forward.Handler(srv)
}

// Failed delivers why this node can no longer be part of its cluster, once, if
// that happens; see [ErrReplaced].
func (n *Node) Failed() <-chan error { return n.failed }

// Healthy is nil while the backplane carries messages, or did until less than
// 10 s ago. It does not block for longer than ctx.
func (n *Node) Healthy(ctx context.Context) error {
	if n.nats == nil {
		return n.backplane.Healthy(ctx)
	}
	return n.health.state()
}

// watch looks at who joins, and notices that the membership ended by itself.
func (n *Node) watch() {
	for ev := range n.gossip.Watch(n.life) {
		if ev.Kind == membership.Joined {
			n.compare(ev.Member)
		}
	}
	if n.life.Err() == nil {
		n.failed <- ErrReplaced
	}
}

// begin starts what runs beside the parts.
func (n *Node) begin() {
	if n.nats != nil {
		n.health.check = n.nats.Healthy
		n.health.good = time.Now() // Connect has spoken with the server
		n.tasks.Go(func() { n.health.run(n.life) })
	}
	if n.gossip != nil {
		n.tasks.Go(n.watch)
		n.tasks.Go(func() { n.lookOut(n.life) })
	}
}
