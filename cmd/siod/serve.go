package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/siod-io/siod/internal/cluster"
	"github.com/siod-io/siod/internal/config"
	"github.com/siod-io/siod/internal/daemon"
	"github.com/siod-io/siod/node"
)

const serveUsage = `Runs the server until SIGTERM or SIGINT, then lets connections end and exits
with 0. SIGHUP reads the configuration again. The log goes to standard error.

Usage: siod serve [FLAG...]

Clients connect to the address of --listen. The one of --internal-listen is for
operators and other nodes: /livez /readyz /startupz /metrics /nodes /debug/pprof.

With --gossip-listen it is a node of a cluster, and any node serves any client.

Clients may enter the namespaces of --namespaces. No event has a handler yet:
one that asks for an acknowledgement gets {"error":"no handler"}.
`

func serve(ctx context.Context, p *process, args []string) error {
	r, err := flags(p, "serve", serveUsage, config.Default(), args)
	if err != nil {
		return err
	}
	c, err := r.Read(p.environ)
	if err != nil {
		return err
	}
	files, err := daemon.Files(c)
	if err != nil {
		return err
	}
	s := newServer(p, c)
	return s.run(ctx, func() (*config.Loaded, error) { return r.Read(p.environ) }, files)
}

// server is a node and what it is made of.
type server struct {
	config    *config.Loaded
	levels    *daemon.Levels
	log       *slog.Logger
	node      *node.Server // after make
	nobody    nobody
	register  func(*node.Server)               // nil for no handlers
	listening func(clients, internal net.Addr) // nil for nothing
}

func newServer(p *process, c *config.Loaded) *server {
	levels := daemon.NewLevels(c)
	return &server{config: c, levels: levels, log: daemon.NewLogger(p.stderr, c, levels)}
}

// make makes the node for its place in the cluster, with the configured
// namespaces.
func (s *server) make(n *cluster.Node) (err error) {
	log := s.log.With("node", n.Token())
	cfg := s.config.Node()
	n.Configure(&cfg)
	cfg.Logger = log.With("component", "node")
	cfg.Transport.Logger = s.levels.ForTransport(log)
	if s.node, err = node.New(cfg); err != nil {
		return err
	}
	s.nobody.log = log
	daemon.Namespaces(s.node, s.config.Namespaces, func(ns *node.Namespace) { ns.OnUnhandled(s.nobody.handle) })
	if s.register != nil {
		s.register(s.node)
	}
	return nil
}

// run serves clients, and other beside the endpoint, until ctx ends.
func (s *server) run(ctx context.Context, read func() (*config.Loaded, error), other http.Handler) error {
	reload := make(chan struct{}, 1)
	stop := notify(reload)
	defer stop()
	d := &daemon.Daemon{
		Config: s.config, Levels: s.levels, Log: s.log.With("component", "siod"), Build: thisBuild().labels(),
		Stats: s.stats, Listening: s.listening, Reload: reload, Read: read,
	}
	d.Make = func(n *cluster.Node) error {
		if err := s.make(n); err != nil {
			return err
		}
		d.Handler = daemon.Bundle(s.config.Path, s.config.ClientBundle, s.node.Handler(other))
		d.Shutdown = s.node.Shutdown
		return nil
	}
	return d.Run(ctx)
}

// notify asks for a reload at each SIGHUP until it is stopped.
func notify(reload chan<- struct{}) (stop func()) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-hup:
				select {
				case reload <- struct{}{}:
				default: // one is due already
				}
			case <-done:
				return
			}
		}
	})
	return func() {
		signal.Stop(hup)
		close(done)
		wg.Wait()
	}
}

// stats are the node's, with the events that nobody handled. The node counts
// none of these itself: it did call a handler for them.
func (s *server) stats() node.Stats {
	st := s.node.Stats()
	st.Unhandled += s.nobody.count.Load()
	return st
}

// nobody answers events that have no handler.
type nobody struct {
	log    *slog.Logger
	count  atomic.Uint64
	warned sync.Once
}

func (n *nobody) handle(_ context.Context, e *node.Event) error {
	n.count.Add(1)
	n.warned.Do(func() {
		n.log.Warn("an event has no handler; siod_events_unhandled_total counts further ones",
			"ns", e.Socket.Namespace().Name(), "event", clip(e.Name))
	})
	if e.WantsAck() {
		_ = e.Ack(noHandler) // fails only if the client is gone
	}
	return nil
}

var noHandler = map[string]string{"error": "no handler"}

// clip shortens what a client chose for a line of the log.
func clip(s string) string {
	const most = 128
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
