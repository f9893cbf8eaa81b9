package gossip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/siod-io/siod/membership"
)

// Config configures a Gossip.
type Config struct {
	// Self is this node. ID is required. Token may be left out, State is
	// ignored. Name, Addr and Version may have 224 bytes together. Meta is
	// copied.
	Self membership.Member

	// Cluster is the name of the cluster, at most 64 bytes. Nodes of clusters
	// with different names do not talk to each other. Zero means "siod".
	Cluster string

	// Secrets of the cluster, at least 16 bytes each. The first is used to
	// send, all are used to receive: a new one is added at the end everywhere,
	// then moved to the front everywhere, then the old one is taken out. None
	// means that nothing is encrypted and anybody may join; that is accepted
	// only while Listen and Advertise are loopback addresses.
	Secrets []string

	// Listen is the address to receive at, "host:port", for UDP and for TCP. An
	// empty host means all addresses, port 0 a free one. Zero means
	// "127.0.0.1:7946".
	Listen string

	// Advertise is the address at which the others reach Listen, "host:port";
	// port 0 stands for the port of Listen. Zero means the address of Listen, or
	// the first private address of the machine if Listen is all addresses.
	Advertise string

	// Join lists addresses of other nodes, "host:port". A host may be a name
	// with many addresses; it is resolved again at each attempt. This node's own
	// address does no harm. Empty means that others join this node.
	Join []string

	// Rejoin is the time between attempts to reach members that should be there
	// and are not. A node that is alone with a list to join begins with half a
	// second and doubles it up to this. Zero means 30s.
	Rejoin time.Duration

	// Probe is how often a node asks another one whether it lives, at least
	// 50 ms; an answer may take two fifths of it. Changes are told every fifth
	// of it. A node without an answer is held for dead four to seven probes
	// later. Zero means 500ms.
	Probe time.Duration

	// Logger receives what an operator should know. Nil means none.
	Logger *slog.Logger

	lookup func(ctx context.Context, host string) ([]netip.Addr, error) // of tests
	tune   func(*memberlist.Config)                                     // of tests
}

const (
	minSecret  = 16 // bytes
	maxCluster = 64 // bytes
	minProbe   = 50 * time.Millisecond
)

func (c Config) withDefaults() Config {
	c.Cluster = cmp.Or(c.Cluster, "siod")
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:7946")
	c.Rejoin = cmp.Or(c.Rejoin, 30*time.Second)
	c.Probe = cmp.Or(c.Probe, 500*time.Millisecond)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.lookup == nil {
		c.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	return c
}

// Validate reports all that is wrong with the configuration, as far as that is
// known without the network.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("gossip: "+format, args...)) }

	if err := checkID(c.Self.ID); err != nil {
		bad("Self.ID: %w", err)
	} else if t := c.Self.Token; t != "" && t != membership.Token(c.Self.ID) {
		bad("Self.Token is not that of Self.ID")
	}
	if n := len(c.Self.Name) + len(c.Self.Addr) + len(c.Self.Version); n > maxNames {
		bad("Self.Name, Addr and Version have %d bytes, at most %d", n, maxNames)
	}
	if err := membership.CheckMeta(c.Self.Meta); err != nil {
		bad("Self.Meta: %w", err)
	}
	if n := len(c.Cluster); n > maxCluster {
		bad("Cluster has %d bytes, at most %d", n, maxCluster)
	}
	if err := checkSecrets(c.Secrets); err != nil {
		errs = append(errs, err)
	}
	if _, _, err := splitAddr(c.Listen); err != nil {
		bad("Listen: %w", err)
	}
	if c.Advertise != "" {
		if host, _, err := splitAddr(c.Advertise); err != nil {
			bad("Advertise: %w", err)
		} else if host == "" {
			bad("Advertise: %q has no host", c.Advertise)
		}
	}
	for i, s := range c.Join {
		if host, port, err := splitAddr(s); err != nil {
			bad("Join[%d]: %w", i, err)
		} else if host == "" || port == 0 {
			bad("Join[%d]: %q needs a host and a port", i, s)
		}
	}
	if c.Rejoin < 0 {
		bad("Rejoin is negative")
	}
	if c.Probe < minProbe {
		bad("Probe is %v, at least %v", c.Probe, minProbe)
	}
	return errors.Join(errs...)
}

// profile returns the configuration of memberlist: that for local networks,
// with a faster pace. A dead node is suspected at the next probe and declared
// dead three probes later (more in large clusters); gossip goes on by fifths of
// a probe, and every twenty of them a node compares all it knows with another.
func (c Config) profile() *memberlist.Config {
	mc := memberlist.DefaultLANConfig()
	mc.Name = c.Self.ID
	mc.Label = c.Cluster
	mc.ProbeInterval = c.Probe
	mc.ProbeTimeout = c.Probe * 2 / 5
	mc.GossipInterval = c.Probe / 5
	mc.RetransmitMult = retransmit
	mc.PushPullInterval = 20 * c.Probe // grows with the cluster, from 32 nodes on
	mc.SuspicionMult = 3
	mc.SuspicionMaxTimeoutMult = 3
	mc.AwarenessMaxMultiplier = maxHealth
	mc.TCPTimeout = streamTimeout
	mc.EnableCompression = false // a packet holds a few hundred bytes
	return mc
}

const (
	// retransmit times the decimal digits of the number of members is how often
	// each node passes a change on, to members chosen at random. With n times
	// one member in e^n misses it, until the next exchange of all that is
	// known. Packets about changes are rare and small, so this is twice the
	// usual, and exchanges are more frequent.
	retransmit = 8

	// maxHealth is how many times slower a node probes that finds itself
	// overloaded. It also bounds how long the last probe keeps Close.
	maxHealth = 4

	// streamTimeout bounds a dial, and each exchange over TCP.
	streamTimeout = 5 * time.Second
)
