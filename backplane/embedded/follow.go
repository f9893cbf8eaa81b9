package embedded

import (
	"log/slog"
	"slices"
	"time"

	"github.com/siod-io/siod/membership"
)

const (
	// settle is how long changes of the membership are collected before the
	// routes follow them.
	settle = 250 * time.Millisecond

	// retryReload is when routes that the server refused are tried again.
	retryReload = 5 * time.Second
)

// follow has the routes follow the membership until Shutdown or until this node
// left. current are those the server started with, fixed those it always has.
func (s *Server) follow(table *routeTable, current, fixed []string) {
	events := s.cfg.Members.Watch(s.life)
	f := &follower{s: s, table: table, current: current, fixed: fixed, stores: table.stores()}
	s.tasks.Go(func() { f.run(events) })
}

// follower is the goroutine of follow.
type follower struct {
	s       *Server
	table   *routeTable
	current []string // what the server has
	fixed   []string
	stores  []string // what the directory remembers
}

func (f *follower) run(events <-chan membership.Event) {
	timer := time.NewTimer(settle)
	defer timer.Stop()
	armed := true // events come at once: those present
	for {
		select {
		case ev, ok := <-events:
			if !ok {
				return
			}
			f.table.observe(ev, time.Now())
			if !armed {
				timer.Reset(settle)
				armed = true
			}
		case now := <-timer.C:
			armed = false
			if next, ok := f.apply(now); ok {
				timer.Reset(next)
			}
		}
	}
}

// apply gives the server the routes of now. It returns when to do so again at
// the latest.
func (f *follower) apply(now time.Time) (next time.Duration, ok bool) {
	f.table.sync(f.s.cfg.Members.Members(), now)
	if at := f.table.expire(now); !at.IsZero() {
		next, ok = at.Sub(now), true
	}
	routes := withAll(f.table.routes(), f.fixed...)
	if slices.Equal(routes, f.current) {
		return next, ok
	}
	if err := f.s.reload(routes); err != nil {
		f.s.cfg.Logger.Error("nats server refused its routes", slog.Any("err", err))
		return retryReload, true
	}
	f.current = routes
	f.remember()
	return next, ok
}

// remember notes where the store nodes are, for the next start.
func (f *follower) remember() {
	stores := without(f.table.stores(), f.s.route)
	if !f.s.keepsStore() || slices.Equal(stores, f.stores) {
		return
	}
	if err := f.s.remember(stores); err != nil {
		f.s.cfg.Logger.Error("routes of the store nodes were not written", slog.Any("err", err))
		return
	}
	f.stores = stores
}

// reload gives the running server other routes.
func (s *Server) reload(routes []string) error {
	o, err := s.options(routes)
	if err != nil {
		return err
	}
	return s.ns.ReloadOptions(o)
}
