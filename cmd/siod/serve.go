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

	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/internal/config"
	"github.com/siod-io/siod/internal/daemon"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

const serveUsage = `Runs the server until SIGTERM or SIGINT, then lets connections end and exits
with 0. SIGHUP reads the configuration again. The log goes to standard error.

Usage: siod serve [FLAG...]

Clients connect to the address of --listen. The one of --internal-listen is for
operators: /livez /readyz /startupz /metrics /debug/pprof.

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
	s, err := newServer(p, c)
	if err != nil {
		return err
	}
	return s.run(ctx, func() (*config.Loaded, error) { return r.Read(p.environ) }, files)
}

// server is a node without handlers and what it is made of.
type server struct {
	*node.Server
	config    *config.Loaded
	levels    *daemon.Levels
	log       *slog.Logger
	backplane *memory.Backplane
	nobody    nobody
	listening func(clients, internal net.Addr) // nil for nothing
}

// newServer makes a node of its own, with the configured namespaces.
func newServer(p *process, c *config.Loaded) (*server, error) {
	s := &server{config: c, levels: daemon.NewLevels(c), backplane: memory.New()}
	self, err := static.New(membership.Member{ID: s.backplane.ID()})
	if err != nil {
		return nil, err
	}
	s.log = daemon.NewLogger(p.stderr, c, s.levels).With("node", self.Self().Token)
	cfg := c.Node()
	cfg.Backplane, cfg.Membership = s.backplane, self
	cfg.Logger = s.log.With("component", "node")
	cfg.Transport.Logger = s.levels.ForTransport(s.log)
	if s.Server, err = node.New(cfg); err != nil {
		return nil, err
	}
	s.nobody.log = s.log
	daemon.Namespaces(s.Server, c.Namespaces, func(ns *node.Namespace) { ns.OnUnhandled(s.nobody.handle) })
	return s, nil
}

// run serves clients, and other beside the endpoint, until ctx ends.
func (s *server) run(ctx context.Context, read func() (*config.Loaded, error), other http.Handler) error {
	reload := make(chan struct{}, 1)
	stop := notify(reload)
	defer stop()
	d := &daemon.Daemon{
		Config: s.config, Levels: s.levels, Log: s.log.With("component", "siod"), Build: thisBuild().labels(),
		Handler: daemon.Bundle(s.config.Path, s.config.ClientBundle, s.Handler(other)),
		Stats:   s.stats, Healthy: s.backplane.Healthy, Shutdown: s.shutdown,
		Listening: s.listening, Reload: reload, Read: read,
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
	st := s.Stats()
	st.Unhandled += s.nobody.count.Load()
	return st
}

func (s *server) shutdown(ctx context.Context) error {
	err := s.Shutdown(ctx)
	if closeErr := s.backplane.Close(ctx); err == nil {
		err = closeErr
	}
	return err
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
