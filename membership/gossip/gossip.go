package gossip

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/siod-io/siod/membership"
)

// startWait bounds the first attempt to join within Start.
const startWait = 10 * time.Second

// Gossip is one node's membership of a cluster. It implements
// membership.Membership. All methods are safe for concurrent use.
type Gossip struct {
	cfg     Config // with defaults
	log     *slog.Logger
	lines   *lineLog
	net     *sockets
	events  *events
	keyring *memberlist.Keyring // nil: not encrypted
	keysMu  sync.Mutex          // serializes SetSecrets
	list    *memberlist.Memberlist
	table   membership.Table

	announce chan struct{}   // capacity 1: this node has something new to tell
	life     context.Context // ends with Leave and Close
	cancel   context.CancelFunc
	loop     sync.WaitGroup // run
	joins    sync.WaitGroup // join, and push
	done     chan struct{}  // closed when nothing is left

	settle     sync.Mutex                   // one reconcile at a time; guards the next two
	duplicates map[string]membership.Member // present peers that the table refuses
	lost       map[netip.AddrPort]time.Time // where dead members gossiped, and since when

	joined, failed, refusals atomic.Uint64

	mu    sync.Mutex
	self  membership.Member
	ended bool
}

var _ membership.Membership = (*Gossip)(nil)

// Start listens and tries to join, and returns as soon as another node was
// reached, each one was tried, or 10 s passed. That nobody was reached is no
// error: the node goes on to try, and others may join it. ctx ends the start,
// not the membership.
//
// Errors: of [Config.Validate] and of the sockets, [ErrSecrets], and
// membership.ErrDuplicate if the cluster has a member with this node's id or
// token, or a later boot of its name; then a new boot id is needed, or the
// clock is wrong.
func Start(ctx context.Context, cfg Config) (*Gossip, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	g := &Gossip{
		cfg: cfg, log: cfg.Logger, lines: &lineLog{log: cfg.Logger, now: time.Now},
		announce:   make(chan struct{}, 1),
		done:       make(chan struct{}),
		duplicates: make(map[string]membership.Member),
		lost:       make(map[netip.AddrPort]time.Time),
		self:       cfg.Self,
	}
	g.self.Token = membership.Token(g.self.ID)
	g.self.State = membership.Alive
	g.self.Started = g.self.Started.Round(0) // as the others see it
	g.self.Meta = maps.Clone(g.self.Meta)
	g.events = newEvents(g.self.ID, g.encode)
	g.life, g.cancel = context.WithCancel(context.Background())
	if err := g.table.Put(g.self); err != nil {
		return nil, err
	}
	if err := g.open(ctx); err != nil {
		g.cancel()
		return nil, err
	}
	g.loop.Go(g.run)
	first := make(chan struct{})
	g.joins.Go(func() { g.join(first) })
	if err := g.begin(ctx, first); err != nil {
		g.Close()
		return nil, fmt.Errorf("gossip: start: %w", err)
	}
	return g, nil
}

// open opens the sockets and starts memberlist.
func (g *Gossip) open(ctx context.Context) (err error) {
	if g.keyring, err = newKeyring(g.cfg.Cluster, g.cfg.Secrets); err != nil {
		return err
	}
	if g.net, err = listen(ctx, g.cfg); err != nil {
		return err
	}
	mc := g.cfg.profile()
	mc.BindPort = int(g.net.bound().Port())
	mc.Transport = g.net
	mc.Keyring = g.keyring
	mc.Logger = g.lines.logger()
	mc.Delegate, mc.Events, mc.Alive, mc.Conflict = g.events, g.events, g.events, g.events
	if g.cfg.tune != nil {
		g.cfg.tune(mc)
	}
	if g.list, err = memberlist.Create(mc); err != nil {
		_ = g.net.Shutdown() // never fails
		return fmt.Errorf("gossip: %w", err)
	}
	return nil
}

// begin waits for the first attempt to join and looks whether this node may
// stay.
func (g *Gossip) begin(ctx context.Context, first <-chan struct{}) error {
	t := time.NewTimer(startWait)
	defer t.Stop()
	select {
	case <-first:
	case <-t.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	g.reconcile()
	if g.events.isContested() || g.tokenTaken() {
		return membership.ErrDuplicate
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended { // by a later boot of its name
		return membership.ErrDuplicate
	}
	return nil
}

// Addr returns where the others reach this node's gossip, for their
// Config.Join.
func (g *Gossip) Addr() string { return g.net.advertise.String() }

// Self implements membership.Membership.
func (g *Gossip) Self() membership.Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.self
}

// Members implements membership.Membership.
func (g *Gossip) Members() []membership.Member { return g.table.Members() }

// Lookup implements membership.Membership.
func (g *Gossip) Lookup(id string) (membership.Member, bool) { return g.table.Lookup(id) }

// ByToken implements membership.Membership.
func (g *Gossip) ByToken(token string) (membership.Member, bool) { return g.table.ByToken(token) }

// Watch implements membership.Membership.
func (g *Gossip) Watch(ctx context.Context) <-chan membership.Event { return g.table.Watch(ctx) }

// SetMeta implements membership.Membership.
func (g *Gossip) SetMeta(meta map[string]string) error {
	if err := membership.CheckMeta(meta); err != nil {
		return err
	}
	meta = maps.Clone(meta)
	return g.update(func(m *membership.Member) { m.Meta = meta })
}

// SetLeaving implements membership.Membership.
func (g *Gossip) SetLeaving() error {
	return g.update(func(m *membership.Member) { m.State = membership.Leaving })
}

// update changes what this node announces.
func (g *Gossip) update(change func(*membership.Member)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return membership.ErrLeft
	}
	next := g.self
	change(&next)
	if err := g.table.Put(next); err != nil {
		return membership.ErrLeft // a later boot of its name has ended it
	}
	g.self = next
	select {
	case g.announce <- struct{}{}:
	default:
	}
	return nil
}

// encode returns what this node announces now.
func (g *Gossip) encode() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	return encodeMember(g.self)
}

// run is the goroutine that keeps the table and the announcement up to date.
func (g *Gossip) run() {
	for {
		select {
		case <-g.events.wake:
			g.reconcile()
		case <-g.announce:
			g.tell()
		case <-g.life.Done():
			return
		}
	}
}

// tell has memberlist announce what is new, without waiting until it is out. At
// the moment when memberlist contradicts what another node said of this one, it
// drops the update; so look and repeat.
func (g *Gossip) tell() {
	const tries = 8
	for range tries {
		if g.events.published(g.encode()) {
			return
		}
		_ = g.list.UpdateNode(1) // says only that the wait was too short
	}
}

// Stats are counters since the start, and gauges of now.
type Stats struct {
	Members  int // others that gossip with this node
	Overload int // 0: this node keeps up; up to 3: it answers late and probes less

	Joined       uint64 // addresses joined by this node
	JoinFailures uint64 // addresses not reached or refused, and names not resolved

	Refused    uint64 // announcements that were malformed or over the bound of members
	Conflicts  uint64 // announcements of a known id from another address
	Duplicates uint64 // members whose token or name another one has, or whose id has ended
	Streams    uint64 // connections refused, over the bound
	Lines      uint64 // lines of the log left out
}

// Stats returns the counters.
func (g *Gossip) Stats() Stats {
	s := Stats{
		Overload: g.list.GetHealthScore(),
		Members:  len(g.events.addrs()),
		Joined:   g.joined.Load(), JoinFailures: g.failed.Load(),
		Duplicates: g.refusals.Load(),
		Streams:    g.net.refused.Load(),
		Lines:      g.lines.suppressed(),
	}
	g.events.mu.Lock()
	s.Refused, s.Conflicts = g.events.refused, g.events.conflicts
	g.events.mu.Unlock()
	return s
}

// node is the attribute that names a member in the log.
func node(m membership.Member) slog.Attr {
	return slog.Group("", "node", m.ID, "name", cmp.Or(m.Name, "-"))
}
