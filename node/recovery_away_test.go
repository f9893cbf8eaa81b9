package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siod-io/siod/node"
)

// lost is a client whose session waits for it in room news.
func lost(t *testing.T, srv *server, ns *node.Namespace) (*peer, *node.Socket, <-chan *node.Socket) {
	t.Helper()
	conns := sockets(ns)
	p := srv.connect(t, ns.Name(), nil)
	s := wait(t, conns, "a socket")
	must(t, s.Join("news"))
	p.lose(s)
	until(t, func() bool { return srv.Stats().SessionsWaiting == 1 })
	return p, s, conns
}

// Joins and leaves reach clients that are away, and fetches do not show them
// (V20).
func TestRecoveryOperationsWhileAway(t *testing.T) {
	t.Parallel()
	srv := start(t, func(cfg *node.Config) {
		recovering(cfg)
		cfg.MaxRooms = 3
	})
	ns := srv.Of("/")
	p, s, conns := lost(t, srv, ns)
	ctx := t.Context()
	id := s.ID()
	must(t, ns.To("news").Emit(ctx, "1"))
	must(t, ns.In(id).SocketsLeave(ctx, "news"))
	must(t, ns.To("news").Emit(ctx, "not any more"))
	must(t, ns.To(id).SocketsJoin(ctx, "sport", "weather"))
	must(t, ns.To("sport").Emit(ctx, "2"))
	must(t, ns.To("sport").Except("weather").Emit(ctx, "excepted"))
	must(t, ns.Except("sport").SocketsJoin(ctx, "nobody"))
	must(t, ns.To("nobody").Emit(ctx, "for nobody"))
	err := ns.In("sport").SocketsJoin(ctx, "too", "many")
	if p, ok := errors.AsType[*node.PartialError](err); !ok || !slices.Equal(p.Missing, []string{id}) {
		t.Errorf("joined too many rooms: %v", err)
	}
	if n, err := ns.Broadcast().CountSockets(ctx); n != 0 || err != nil {
		t.Errorf("%d sockets: %v", n, err)
	}
	if rooms, err := ns.Rooms(ctx); len(rooms) != 0 || err != nil {
		t.Errorf("rooms %q: %v", rooms, err)
	}
	if err := s.Join("x"); !errors.Is(err, node.ErrDisconnected) {
		t.Errorf("Join on an ended socket: %v", err)
	}
	if err := s.Volatile().Emit(ctx, "lost"); err != nil {
		t.Error(err)
	}
	p.back()
	if !p.Recovered() {
		t.Fatal("not recovered")
	}
	p.sees("1", "2")
	again := wait(t, conns, "a socket")
	if rooms := again.Rooms(); !slices.Equal(rooms, []string{id, "sport", "weather"}) {
		t.Errorf("rooms %q", rooms)
	}
	p.quiet(srv)
}

func TestRecoveryDisconnectWhileAway(t *testing.T) {
	t.Parallel()
	srv := start(t, recovering)
	ns := srv.Of("/")
	p, s, _ := lost(t, srv, ns)
	must(t, ns.In("news").DisconnectSockets(t.Context(), false))
	if err := s.Emit(t.Context(), "x"); !errors.Is(err, node.ErrDisconnected) {
		t.Errorf("emit: %v", err)
	}
	p.back()
	if p.Recovered() || p.ID() == s.ID() {
		t.Error("recovered")
	}
}

func TestRecoveryExpires(t *testing.T) {
	t.Parallel()
	srv := start(t, func(cfg *node.Config) {
		recovering(cfg)
		cfg.Recovery.Window = 50 * time.Millisecond
	})
	conns := sockets(srv.Of("/"))
	p := srv.connect(t, "/", nil)
	s := wait(t, conns, "a socket")
	p.lose(s)
	until(t, func() bool { return srv.Stats().SessionsExpired == 1 })
	if err := s.Emit(t.Context(), "x"); !errors.Is(err, node.ErrDisconnected) {
		t.Errorf("emit: %v", err)
	}
	p.back()
	if p.Recovered() {
		t.Error("recovered")
	}
	if st := srv.Stats(); st.Sessions != 1 || st.SessionsWaiting != 0 || st.NotRecovered["unknown"] != 1 {
		t.Errorf("%d sessions, %d waiting, refused %v", st.Sessions, st.SessionsWaiting, st.NotRecovered)
	}
}

// Sessions that wait are bounded; the oldest go first.
func TestRecoveryMaxWaiting(t *testing.T) {
	t.Parallel()
	srv := start(t, func(cfg *node.Config) {
		recovering(cfg)
		cfg.Recovery.MaxWaiting = 2
	})
	conns := sockets(srv.Of("/"))
	var all []*peer
	for i := range 3 {
		p := srv.connect(t, "/", nil)
		p.lose(wait(t, conns, "a socket"))
		until(t, func() bool { return srv.Stats().Sessions == min(i+1, 2) })
		all = append(all, p)
	}
	for i, p := range all {
		p.back()
		wait(t, conns, "a socket")
		if p.Recovered() != (i > 0) {
			t.Errorf("client %d: recovered %v", i, p.Recovered())
		}
	}
}

// Whatever is not kept any more makes a recovery fail, with its reason.
func TestRecoveryBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reason string
		config func(*node.Recovery)
		missed func(ctx context.Context, s *node.Socket) error
	}{
		{"trimmed", func(r *node.Recovery) { r.MaxBytes = 1 }, func(ctx context.Context, s *node.Socket) error {
			return s.Namespace().Emit(ctx, "durable")
		}},
		{"too_much", func(r *node.Recovery) { r.ReplayEvents = 5 }, func(ctx context.Context, s *node.Socket) error {
			return s.Namespace().Emit(ctx, "durable")
		}},
		{"too_much", func(r *node.Recovery) { r.ReplayBytes = 100 }, func(ctx context.Context, s *node.Socket) error {
			return s.Emit(ctx, "direct", "0123456789")
		}},
		{"overflowed", func(r *node.Recovery) { r.SessionEvents = 5 }, func(ctx context.Context, s *node.Socket) error {
			return s.Emit(ctx, "direct")
		}},
		{"overflowed", func(r *node.Recovery) { r.SessionBytes = 50 }, func(ctx context.Context, s *node.Socket) error {
			return s.Emit(ctx, "direct", "0123456789")
		}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			t.Parallel()
			srv := start(t, func(cfg *node.Config) {
				recovering(cfg)
				c.config(&cfg.Recovery)
			})
			p, s, _ := lost(t, srv, srv.Of("/"))
			for range 6 {
				must(t, c.missed(t.Context(), s))
			}
			p.back()
			if n := srv.Stats().NotRecovered[c.reason]; p.Recovered() || n != 1 {
				t.Errorf("recovered %v, refused %v", p.Recovered(), srv.Stats().NotRecovered)
			}
			if err := s.Emit(t.Context(), "x"); !errors.Is(err, node.ErrDisconnected) {
				t.Errorf("emit to the old session: %v", err)
			}
			p.quiet(srv)
		})
	}
}

// What the judgement promised may be gone when OnConnect is through. Then the
// client is not told that it recovered, but has to come again.
func TestRecoveryTrimmedMeanwhile(t *testing.T) {
	t.Parallel()
	srv := start(t, func(cfg *node.Config) {
		recovering(cfg)
		cfg.Recovery.MaxBytes = 2000
	})
	ns := srv.Of("/")
	var recovered atomic.Int32
	ns.OnConnect(func(ctx context.Context, s *node.Socket) error {
		if !s.Recovered() {
			return nil
		}
		recovered.Add(1)
		for range 10 {
			if err := ns.Emit(ctx, "more"); err != nil {
				return err
			}
		}
		return nil
	})
	p := srv.connect(t, "/", nil)
	s, _ := ns.Socket(p.ID())
	p.lose(s)
	must(t, ns.Emit(t.Context(), "missed"))
	must(t, p.client.Reconnect(t.Context()))
	until(t, func() bool { return srv.Stats().ReplaysLost == 1 })
	until(t, func() bool { return srv.Stats().SessionsWaiting == 1 })
	until(t, func() bool { return p.client.SID() == "" }) // the client knows, too
	p.back()
	if p.Recovered() || recovered.Load() != 1 || srv.Stats().NotRecovered["trimmed"] != 1 {
		t.Errorf("recovered %v, OnConnect was told so %d times, refused %v", p.Recovered(), recovered.Load(), srv.Stats().NotRecovered)
	}
	p.quiet(srv)
}

// What is sent while OnConnect runs keeps its order with what was missed.
func TestRecoveryOrderAroundOnConnect(t *testing.T) {
	t.Parallel()
	srv := start(t, recovering)
	ns := srv.Of("/")
	ns.Use(func(ctx context.Context, s *node.Socket) error { return s.Emit(ctx, "middleware") })
	ns.OnConnect(func(ctx context.Context, s *node.Socket) error {
		for i := range 3 {
			if err := errors.Join(
				ns.Emit(ctx, "durable", i), s.Emit(ctx, "direct", i), ns.Broadcast().Fast().Emit(ctx, "fast", i),
			); err != nil {
				return err
			}
		}
		return nil
	})
	p := srv.connect(t, "/", nil)
	round := func() {
		t.Helper()
		p.sees("middleware")
		for i := range 3 {
			p.sees(fmt.Sprint("durable ", i), fmt.Sprint("direct ", i))
			p.expect(fmt.Sprint("fast ", i))
		}
	}
	round()
	s, _ := ns.Socket(p.ID())
	p.lose(s)
	must(t, s.Emit(t.Context(), "missed 1"))
	must(t, ns.Emit(t.Context(), "missed 2"))
	must(t, s.Emit(t.Context(), "missed 3"))
	p.back()
	if !p.Recovered() {
		t.Fatal("not recovered")
	}
	p.sees("missed 1", "missed 2", "missed 3")
	round()
}
