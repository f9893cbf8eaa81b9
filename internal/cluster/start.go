package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane/embedded"
	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/backplane/natsio"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/gossip"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/transport/forward"
)

// Start makes this process a node of its cluster. It returns when a server can
// be made, which for a store node is when the other store nodes are there as
// well, at most after cfg.StartTimeout or when ctx ends; see Join for the rest.
// Nothing is left running after an error.
//
// Errors: those of [Config.Validate] and of the parts, wrapped, such as
// membership.ErrDuplicate, embedded.ErrStoreDir and embedded.ErrNotReady.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	n := &Node{cfg: cfg, log: cfg.Logger, failed: make(chan error, 1)}
	n.life, n.end = context.WithCancel(context.Background())
	if cfg.alone() {
		return n, n.startAlone()
	}
	if cfg.ID == "" {
		n.cfg.ID = membership.NewID()
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.StartTimeout)
	defer cancel()
	for _, step := range []func(context.Context) error{n.startMembers, n.startServer, n.connect, n.startForward} {
		if err := step(ctx); err != nil {
			_ = n.Stop(context.WithoutCancel(ctx), nil) // the first error is the one to tell
			return nil, err
		}
	}
	n.begin()
	return n, nil
}

func (n *Node) startAlone() error {
	bp := memory.New()
	n.cfg.ID, n.backplane = bp.ID(), bp
	self, err := static.New(membership.Member{ID: bp.ID()})
	n.members = self
	return err
}

func (n *Node) startMembers(ctx context.Context) error {
	self := membership.Member{
		ID: n.cfg.ID, Token: membership.Token(n.cfg.ID), Name: n.cfg.Name, Started: time.Now(), Version: n.cfg.Version,
		Meta: map[string]string{metaWire: wireVersion, metaLimits: limitsText(n.cfg.limits()), membership.MetaStarting: "1"},
	}
	if n.cfg.Gossip == "" {
		members, err := static.New(self)
		n.members = members
		return err
	}
	var err error
	if self.Addr, err = n.cfg.reached(n.cfg.Internal); err != nil {
		return fmt.Errorf("cluster: internal listener: %w", err)
	}
	cfg := gossip.Config{
		Self: self, Cluster: n.cfg.Cluster, Secrets: n.cfg.Secrets,
		Listen: n.cfg.Gossip, Join: n.cfg.Join, Logger: n.log.With("part", "gossip"),
	}
	host, _, err := net.SplitHostPort(n.cfg.Gossip)
	if err == nil {
		host, err = n.cfg.host(host)
	}
	if err != nil {
		return fmt.Errorf("cluster: gossip: %w", err)
	}
	cfg.Advertise = net.JoinHostPort(host, "0") // the port of the listener
	g, err := gossip.Start(ctx, cfg)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	n.gossip, n.members = g, g
	n.log.Info("gossip", "addr", g.Addr(), "internal", self.Addr, "members", len(g.Members()))
	return nil
}

func (n *Node) startServer(ctx context.Context) error {
	if !n.cfg.embedded() {
		return nil
	}
	cfg := embedded.Config{
		Name: n.cfg.ID, Cluster: n.cfg.Cluster, Store: n.cfg.Stores, Listen: n.cfg.NATS.Listen,
		MaxPayload: max(8<<20, min(64<<20, n.cfg.MaxPayload+payloadExtra)), StartTimeout: n.cfg.StartTimeout,
		Logger: n.log.With("part", "nats"),
	}
	if n.cfg.Gossip == "" {
		cfg.IsStore = cfg.Store == 1
	} else {
		cfg.IsStore, cfg.Members = n.cfg.Store, n.members
		if err := n.routes(&cfg.Routes); err != nil {
			return err
		}
	}
	if cfg.IsStore {
		// Its identity among the store nodes; the boot id names all others.
		cfg.Dir, cfg.Keys = n.cfg.StoreDir, n.cfg.StoreKeys
		if n.cfg.Name != "" {
			cfg.Name = n.cfg.Name
		} else if cfg.Dir != "" {
			cfg.Name = "siod" // the only node
		}
	}
	var err error
	if cfg.ListenTLS, err = n.cfg.NATS.TLS.load(); err != nil {
		return err
	}
	if cfg.IsStore && cfg.Store > 1 {
		n.log.Info("waiting for the store nodes", "want", cfg.Store)
	}
	if n.server, err = embedded.Start(ctx, cfg); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	if addr := n.server.ClientAddr(); addr != "" {
		n.log.Info("NATS listens for emitters", "addr", addr)
	}
	return nil
}

// payloadExtra is what an envelope may have beside its payload.
const payloadExtra = 1 << 20

func (n *Node) routes(r *embedded.RouteConfig) error {
	host, _, err := net.SplitHostPort(n.cfg.Routes)
	if err == nil {
		host, err = n.cfg.host(host)
	}
	if err != nil {
		return fmt.Errorf("cluster: routes: %w", err)
	}
	r.Listen, r.Advertise, r.Secrets, r.Insecure = n.cfg.Routes, host, n.cfg.Secrets, n.cfg.InsecureRoutes
	r.TLS, err = n.cfg.RouteTLS.load()
	return err
}

// again is the time between attempts to connect while the streams are not there
// yet.
const again = 250 * time.Millisecond

// connect joins the backplane. Streams are made by the store nodes, which alone
// know how they store; other nodes wait for them.
func (n *Node) connect(ctx context.Context) error {
	cfg := natsio.Config{
		ID: n.cfg.ID, Token: membership.Token(n.cfg.ID), Cluster: n.cfg.Cluster,
		Limits: n.cfg.limits(),
		Logger: n.log.With("part", "backplane"),
	}
	if n.server != nil {
		cfg.InProcess, cfg.Options = n.server, n.server.NodeOptions()
	} else {
		cfg.URL, cfg.Options = n.cfg.NATS.URL, n.cfg.NATS.options()
	}
	waits := false
	if n.cfg.Stores > 0 {
		waits = n.server != nil && n.cfg.Gossip != "" && !n.cfg.Store
		cfg.Log = &natsio.LogConfig{
			Replicas: n.cfg.Stores, Window: n.cfg.Window, Memory: n.server != nil && n.cfg.StoreDir == "",
			Existing: waits || n.cfg.NATS.Existing,
			Nodes:    func() int { return len(n.members.Members()) },
			Reads:    n.reads,
			Largest:  n.largest,
			Waiting:  n.cfg.Queue.Events, WaitingBytes: n.cfg.Queue.Bytes,
			Hold: n.cfg.Hold.Events, HoldBytes: n.cfg.Hold.Bytes,
		}
		cfg.Sessions = &natsio.SessionConfig{
			Window: n.cfg.Window, Replicas: n.cfg.Stores, File: !cfg.Log.Memory, Existing: cfg.Log.Existing,
		}
	}
	for said := false; ; {
		bp, err := n.attempt(ctx, cfg)
		switch {
		case err == nil:
			n.nats, n.backplane = bp, bp
			return nil
		case waits && errors.Is(err, natsio.ErrNoStream):
			if !said {
				n.log.Info("waiting for a store node to make the streams")
				said = true
			}
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			n.log.Warn("the store does not answer; trying again", "err", err)
		case waits && ctx.Err() != nil:
			return fmt.Errorf("cluster: no store node made the streams: %w: %w", context.Cause(ctx), err)
		default:
			return n.unreached(err)
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
		}
	}
}

// attemptTime bounds one attempt to connect: an answer of JetStream that is lost
// while it elects its leaders does not come again.
const attemptTime = 5 * time.Second

func (n *Node) attempt(ctx context.Context, cfg natsio.Config) (*natsio.Backplane, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	return natsio.Connect(ctx, cfg)
}

// unreached names the address that an error is about.
func (n *Node) unreached(err error) error {
	switch {
	case n.server != nil, errors.Is(err, natsio.ErrForeignStream), errors.Is(err, natsio.ErrNoRoom), errors.Is(err, natsio.ErrServerVersion), errors.Is(err, natsio.ErrNoStream):
		return fmt.Errorf("cluster: %w", err)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return fmt.Errorf("cluster: NATS at %s refuses this node: check --nats-creds, --nats-user with --nats-password-file, or --nats-token-file: %w", n.cfg.NATS.URL, err)
	}
	return fmt.Errorf("cluster: NATS at %s: start it, or check --nats-url: %w", n.cfg.NATS.URL, err)
}

// options say how to log in at URL.
func (c NATS) options() []nats.Option {
	var o []nats.Option
	switch {
	case c.Creds != "":
		o = append(o, nats.UserCredentials(c.Creds))
	case c.User != "":
		o = append(o, nats.UserInfo(c.User, c.Password))
	case c.Token != "":
		o = append(o, nats.Token(c.Token))
	}
	if c.TLS.CA != "" {
		o = append(o, nats.RootCAs(c.TLS.CA))
	}
	if c.TLS.Cert != "" {
		o = append(o, nats.ClientCert(c.TLS.Cert, c.TLS.Key))
	}
	return o
}

func (n *Node) startForward(context.Context) error {
	if n.gossip == nil {
		return nil
	}
	f, err := forward.New(forward.Config{
		Membership: n.members, Secrets: n.cfg.Secrets, ReadTimeout: n.cfg.ReadTimeout, WriteTimeout: n.cfg.WriteTimeout,
		DrainTime: n.cfg.DrainTime, Logger: n.log.With("part", "forward"),
	})
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	n.forward = f
	if host, _, _ := net.SplitHostPort(n.members.Self().Addr); !strings.HasPrefix(host, "127.") && host != "::1" && host != "localhost" {
		n.log.Warn("requests between nodes travel without TLS: keep their network to themselves", slog.String("addr", n.members.Self().Addr))
	}
	return nil
}
