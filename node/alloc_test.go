//go:build !race

package node_test

import (
	"context"
	"testing"

	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/protocol"
)

// Budgets of ARCHITECTURE: at most 10 allocations for a broadcast, none for a
// delivery, at most 12 for a round trip with an acknowledgement. Everything in
// the process counts, the clients of these tests allocate nothing.

// perRun is testing.AllocsPerRun after pools and buffers have filled.
func perRun(t *testing.T, f func()) float64 {
	t.Helper()
	for range 30 {
		f()
	}
	return testing.AllocsPerRun(100, f)
}

func TestAllocsBroadcast(t *testing.T) {
	srv := start(t, nil)
	ns := srv.Of("/")
	ns.OnConnect(func(_ context.Context, s *node.Socket) error { return s.Join("room") })
	var all []*lean
	grow := func(n int) {
		for len(all) < n {
			all = append(all, srv.lean(t))
		}
	}
	type message struct {
		Name string `json:"name"`
		Text string `json:"text"`
		N    int    `json:"n"`
	}
	payload := &message{"ada", "hello, everybody", 42}
	args, err := protocol.ParseArgs([]byte(`[{"name":"ada"}]`), nil)
	must(t, err)
	ctx := context.Background()
	emits := map[string]func() error{
		"value to a room":      func() error { return ns.To("room").Emit(ctx, "message", payload) },
		"relay to a room":      func() error { return ns.To("room").EmitArgs(ctx, "message", args) },
		"to all, volatile":     func() error { return ns.Volatile().Emit(ctx, "message", "text") },
		"to a room except one": func() error { return ns.To("room").Except("nobody").Emit(ctx, "message", 1) },
	}
	measure := func(emit func() error) float64 {
		return perRun(t, func() {
			must(t, emit())
			for _, l := range all {
				l.next()
			}
		})
	}
	costs := make(map[string]float64)
	grow(3)
	for name, emit := range emits {
		costs[name] = measure(emit)
		t.Logf("%s: %.1f allocations", name, costs[name])
		if costs[name] > 10 {
			t.Errorf("%s: %.1f allocations, want at most 10", name, costs[name])
		}
	}
	grow(203)
	for name, emit := range emits {
		if each := (measure(emit) - costs[name]) / 200; each > 0.01 {
			t.Errorf("%s: %.3f allocations for each delivery, want none", name, each)
		}
	}
}

func TestAllocsAckRoundTrip(t *testing.T) {
	srv := start(t, nil)
	ns := srv.Of("/")
	ns.OnEvent("echo", func(_ context.Context, e *node.Event) error { return e.AckRaw(e.Args) })
	node.Handle(ns, "typed", func(_ context.Context, _ *node.Socket, n int) (int, error) { return n, nil })
	l := srv.lean(t)
	for message, most := range map[string]float64{
		`421["echo",{"a":1,"b":[1,2,3]}]`: 12,
		`421["typed",42]`:                 12,
	} {
		got := perRun(t, func() {
			l.send(message)
			l.next()
		})
		t.Logf("%s: %.1f allocations", message, got)
		if got > most {
			t.Errorf("%s: %.1f allocations, want at most %.0f", message, got, most)
		}
	}
}

func TestAllocsEmitWithAck(t *testing.T) {
	srv := start(t, nil)
	l := srv.lean(t)
	s := only(t, srv.Of("/"))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	asks, answered := make(chan struct{}), make(chan error)
	go func() {
		for range asks {
			_, err := s.EmitWithAck(ctx, "question", 1)
			answered <- err
		}
	}()
	got := perRun(t, func() {
		asks <- struct{}{}
		l.answer()
		must(t, <-answered)
	})
	close(asks)
	t.Logf("%.1f allocations", got)
	if got > 12 {
		t.Errorf("%.1f allocations, want at most 12", got)
	}
}

// Not waiting for a durable event costs little more than waiting for it.
func TestAllocsEmitAsync(t *testing.T) {
	srv := start(t, recovering)
	ns := srv.Of("/")
	ctx := context.Background()
	stored := make(chan error, 1)
	done := func(err error) { stored <- err }
	for name, emit := range map[string]func() error{
		"Emit": func() error { return ns.To("nobody").Emit(ctx, "e", 1) },
		"EmitAsync": func() error {
			if err := ns.To("nobody").EmitAsync(ctx, done, "e", 1); err != nil {
				return err
			}
			return <-stored
		},
	} {
		got := perRun(t, func() { must(t, emit()) })
		t.Logf("%s: %.1f allocations", name, got)
		if got > 10 {
			t.Errorf("%s: %.1f allocations, want at most 10", name, got)
		}
	}
}

// Building a broadcast costs nothing.
func TestAllocsChain(t *testing.T) {
	srv := start(t, nil)
	ns := srv.Of("/")
	var b node.Broadcast
	if got := testing.AllocsPerRun(100, func() { b = ns.To("room").Except("id").Volatile().Compress(false) }); got > 0 {
		t.Errorf("%.1f allocations", got)
	}
	_ = b
}
