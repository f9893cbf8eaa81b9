package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/siod-io/siod/membership"
)

// startMesh starts a server that stores nothing, with routes to everybody who is
// known.
func (s *Server) startMesh(ctx context.Context) error {
	table := s.newTable()
	routes := table.routes()
	if err := s.run(ctx, routes); err != nil {
		return err
	}
	s.route = s.advertised(s.routePort())
	if err := s.announce(); err != nil {
		return err
	}
	s.follow(table, routes, nil)
	return nil
}

// startStore starts a store node. Its address is known to the others before it
// listens, since none of them starts before it knows all: a port of any number
// is therefore chosen first.
func (s *Server) startStore(ctx context.Context) error {
	for {
		chosen, err := s.chooseRoute()
		if err != nil {
			return err
		}
		table := s.newTable()
		if err := s.announce(); err != nil {
			return err
		}
		routes, err := s.firstRoutes(ctx, table)
		if err != nil {
			return err
		}
		if err := s.run(ctx, routes); err != nil {
			if chosen && s.portTaken(err) {
				continue
			}
			return err
		}
		if err := s.storeReady(ctx); err != nil {
			return err
		}
		stores := without(table.stores(), s.route)
		if err := s.remember(stores); err != nil {
			return err
		}
		s.follow(table, routes, []string{s.route})
		return nil
	}
}

// storeReady waits for the leader of the store nodes, and helps a single one to
// become it.
func (s *Server) storeReady(ctx context.Context) error {
	if s.single() {
		if err := s.hasten(ctx); err != nil {
			s.cfg.Logger.Debug("the store node waits for its election", slog.Any("err", err))
		}
		end, err := s.witness(ctx)
		if err != nil {
			return err
		}
		defer end()
	}
	return s.StoreReady(ctx)
}

// chooseRoute settles the address of the route listener, and reports whether
// its port was chosen rather than configured.
func (s *Server) chooseRoute() (chosen bool, err error) {
	host, port, err := splitListen(s.cfg.Routes.Listen)
	if err != nil {
		return false, err
	}
	if chosen = port == 0; chosen {
		l, err := net.Listen("tcp", s.cfg.Routes.Listen)
		if err != nil {
			return false, err
		}
		port = l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return false, err
		}
	}
	s.routeListen = net.JoinHostPort(host, strconv.Itoa(port))
	s.route = s.advertised(port)
	return chosen, nil
}

// portTaken reports whether a start failed since somebody else took the port
// meanwhile, and makes the server ready for another try.
func (s *Server) portTaken(err error) bool {
	if !strings.Contains(err.Error(), syscall.EADDRINUSE.Error()) {
		return false
	}
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
	s.ns = nil
	s.log = s.newLog()
	return true
}

// firstRoutes returns the routes of the store nodes, this one among them, since
// their number is what nats-server takes for the size of the set, and since
// JetStream in a mesh does not start without any. It waits until all are known,
// unless they came together once before and this one still has what it knew then:
// with an empty store it must not be one of only two that vote.
func (s *Server) firstRoutes(ctx context.Context, table *routeTable) ([]string, error) {
	m, err := readMark(s.dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(s.groupFile()); m != nil && err == nil {
		for _, addr := range m.Routes {
			table.assume(addr, time.Now())
		}
	} else if s.cfg.Store > 1 {
		if err := s.awaitStores(ctx, table); err != nil {
			return nil, err
		}
	}
	return withAll(table.stores(), s.route), nil
}

// awaitStores waits until the members show as many store nodes as there are to
// be.
func (s *Server) awaitStores(ctx context.Context, table *routeTable) error {
	watch, cancel := context.WithCancel(ctx)
	defer cancel()
	events := s.cfg.Members.Watch(watch)
	defer func() { // the watch ends with its channel
		cancel()
		for range events {
		}
	}()
	for {
		found := len(withAll(table.stores(), s.route))
		if found == s.cfg.Store {
			return nil
		}
		select {
		case ev, ok := <-events:
			if !ok {
				return fmt.Errorf("%w: %d of %d store nodes seen: %w", ErrNotReady, found, s.cfg.Store,
					errors.Join(ctx.Err(), s.left()))
			}
			table.observe(ev, time.Now())
		case <-ctx.Done():
			return fmt.Errorf("%w: %d of %d store nodes seen: %w", ErrNotReady, found, s.cfg.Store, ctx.Err())
		}
	}
}

// left returns the reason why a watch ended by itself.
func (s *Server) left() error {
	if s.cfg.Members.Self().State.Present() {
		return nil
	}
	return membership.ErrLeft
}

// newTable returns a table of those present.
func (s *Server) newTable() *routeTable {
	t := newRouteTable(s.cfg.Members.Self().ID)
	now := time.Now()
	for _, m := range s.cfg.Members.Members() {
		t.observe(membership.Event{Kind: membership.Joined, Member: m}, now)
	}
	return t
}

// announce tells the others where the route listener is.
func (s *Server) announce() error {
	if !validRoute(s.route) {
		return fmt.Errorf("%q is no address of routes; see Routes.Advertise", s.route)
	}
	meta := s.metaWithout()
	meta[MetaRoute] = s.route
	if s.keepsStore() {
		meta[MetaStore] = "1"
	}
	return s.cfg.Members.SetMeta(meta)
}

// retract takes that back after a start that failed. If it cannot, this node
// left and nobody looks at its Meta.
func (s *Server) retract() {
	if s.route != "" {
		_ = s.cfg.Members.SetMeta(s.metaWithout())
	}
}

// metaWithout returns this node's Meta without the entries of this package.
func (s *Server) metaWithout() map[string]string {
	meta := make(map[string]string)
	maps.Copy(meta, s.cfg.Members.Self().Meta)
	delete(meta, MetaRoute)
	delete(meta, MetaStore)
	return meta
}

// routePort returns the port that the route listener has.
func (s *Server) routePort() int {
	if a := s.ns.ClusterAddr(); a != nil {
		return a.Port
	}
	return 0
}

// advertisedHost returns what the others are told: "host", or "host:port" if it
// was configured so.
func (s *Server) advertisedHost() (string, error) {
	if a := s.cfg.Routes.Advertise; a != "" {
		return a, nil
	}
	host, _, err := splitListen(s.cfg.Routes.Listen)
	if err != nil {
		return "", err
	}
	if !isUnspecified(host) {
		return host, nil
	}
	host, _, err = net.SplitHostPort(s.cfg.Members.Self().Addr)
	if err != nil || isUnspecified(host) {
		return "", fmt.Errorf("embedded: Routes.Listen is %s: Routes.Advertise is required", s.cfg.Routes.Listen)
	}
	return host, nil
}

// advertised adds the port of the listener to s.advertise, if it has none.
func (s *Server) advertised(port int) string {
	if _, _, err := net.SplitHostPort(s.advertise); err == nil {
		return s.advertise
	}
	return net.JoinHostPort(s.advertise, strconv.Itoa(port))
}
