package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/node"
)

// The owner of a session does not answer, and its first home still names it. The
// client is let in anew: looking for the session must not use up the time for
// its way in, since a client that is refused does not come back by itself.
func TestRecoveryWithSilentOwner(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3, func(cfg *node.Config) {
		recovering(cfg)
		cfg.ConnectTimeout = time.Second
	})
	r := roam(t, all[0], "/")
	s, _ := all[0].Of("/").Socket(r.ID())
	r.lose(s)
	r.goTo(all[1])
	r.back()
	if !r.Recovered() {
		t.Fatalf("not recovered: %v", all[1].Stats().NotRecovered)
	}
	s, _ = all[1].Of("/").Socket(r.ID())
	r.lose(s)
	all[1].freeze(t)
	r.goTo(all[2])
	r.back()
	if r.Recovered() {
		t.Fatal("recovered a session whose server does not answer")
	}
	must(t, all[0].Emit(t.Context(), "a"))
	r.sees("a")
}

// A client got a fast event on one server and went to another, to which the
// event is still on its way. It must not get it again.
func TestRecoveryOvertakesFastEvent(t *testing.T) {
	t.Parallel()
	all := cluster(t, 2, recovering)
	r := roam(t, all[0], "/")
	s, _ := all[0].Of("/").Socket(r.ID())
	busy, release := make(chan struct{}), make(chan struct{})
	sub, err := all[1].bp.Subscribe(backplane.Room("/", "slow"), func(backplane.Delivery) {
		close(busy)
		<-release
	})
	must(t, err)
	t.Cleanup(sub.Close)
	must(t, all[0].To("slow").Fast().Emit(t.Context(), "x"))
	closed(t, busy, "the second server to be busy")
	must(t, all[0].Of("/").Broadcast().Fast().Emit(t.Context(), "fast"))
	if got := wait(t, r.events, "the fast event"); got.Name != "fast" {
		t.Fatalf("got %s", got.Name)
	}
	r.lose(s)
	r.goTo(all[1])
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.back()
	}()
	until(t, func() bool { return all[0].Stats().Sessions == 0 }) // it is handed over
	early := time.NewTimer(50 * time.Millisecond)
	defer early.Stop()
	select {
	case <-done:
	case <-early.C:
	}
	close(release)
	closed(t, done, "the client")
	if !r.Recovered() {
		t.Fatalf("not recovered: %v", all[1].Stats().NotRecovered)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, all[1].bp.Healthy(ctx)) // behind the event
	must(t, all[0].Emit(ctx, "end"))
	r.sees("end")
}
