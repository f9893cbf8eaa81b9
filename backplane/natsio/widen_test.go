package natsio_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/natsio"
	"github.com/siod-io/siod/backplane/subject"
)

// sameShard returns rooms of one shard.
func sameShard(n int) []backplane.Address {
	var list []backplane.Address
	shard := subject.ShardOf("room 0")
	for i := 0; len(list) < n; i++ {
		if name := fmt.Sprint("room ", i); subject.ShardOf(name) == shard {
			list = append(list, backplane.Room("/", name))
		}
	}
	return list
}

// TestWiden: while a shard is swapped for its rooms, messages come without end,
// and each comes once.
func TestWiden(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a := c.join(t, "a")
	b := c.join(t, "b", func(cfg *natsio.Config) { cfg.Rooms, cfg.Linger = 8, -1 })
	base := b.Stats().Subscriptions
	rooms := sameShard(12)
	in := make([]*inbox, len(rooms))
	subs := make([]backplane.Subscription, len(rooms))
	for i := range 8 {
		in[i] = newInbox()
		subs[i] = subscribe(t, b, rooms[i], in[i].handle)
	}
	c.meet(t)
	if s := b.Stats(); s.Shards != 0 || s.Subscriptions != base+8 {
		t.Errorf("within the budget: %+v", s)
	}
	var sent atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		env := &backplane.Envelope{Kind: backplane.KindEvent, Namespace: "/"} // without an origin: nobody counts for it
		for i := uint64(1); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			e := *env
			e.ID = i
			for _, to := range rooms[:8] {
				if err := a.Publish(t.Context(), to, &e); err != nil {
					t.Error(err)
					return
				}
			}
			sent.Store(i)
			if i > 100 { // not faster than they are handled
				in[0].until(t, func(got []backplane.Delivery) bool { return uint64(len(got)) >= i-100 })
			}
		}
	}()
	until(t, func() bool { return sent.Load() > 10 })
	for i := 8; i < len(rooms); i++ {
		in[i] = newInbox()
		subs[i] = subscribe(t, b, rooms[i], in[i].handle)
	}
	until(t, func() bool { s := b.Stats(); return s.Shards == 1 && s.Subscriptions == base+1 })
	n := sent.Load()
	until(t, func() bool { return sent.Load() > n+10 })
	close(stop)
	<-stopped
	total := sent.Load()
	for i := range 8 {
		got := in[i].until(t, func(got []backplane.Delivery) bool { return len(got) > 0 && got[len(got)-1].Envelope.ID == total })
		if uint64(len(got)) != total {
			t.Errorf("room %d: %d came of %d; %+v", i, len(got), total, b.Stats())
		}
		for k, d := range got {
			if d.Envelope.ID != uint64(k+1) || !d.Gap.IsZero() || d.To != rooms[i] {
				t.Fatalf("room %d: delivery %d is %d to %s with %+v", i, k, d.Envelope.ID, d.To, d.Gap)
			}
		}
	}
	if s := b.Stats(); s.Lost > 0 || s.Unknown > 0 {
		t.Errorf("losses: %+v", s)
	}

	// Others of the shard pass by.
	publish(t, a, sameShard(13)[12], 1)
	publish(t, a, rooms[11], 2)
	in[11].until(t, func(got []backplane.Delivery) bool { return len(got) == 1 && got[0].Envelope.ID == 2 })

	for _, s := range subs {
		s.Close()
	}
	until(t, func() bool { s := b.Stats(); return s.Shards == 0 && s.Subscriptions == base })
}

// TestWidenCutOff: a shard that was swapped just before the connection broke is
// swapped when it is back.
func TestWidenCutOff(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a := c.join(t, "a")
	b := c.join(t, "b", func(cfg *natsio.Config) {
		cfg.Rooms, cfg.Linger, cfg.Timeout = 4, -1, 200*time.Millisecond
	})
	base := b.Stats().Subscriptions
	b.cable.freeze(true)
	in := newInbox()
	for _, at := range sameShard(5) {
		subscribe(t, b, at, in.handle)
	}
	b.cable.sever()
	b.cable.freeze(false)
	until(t, func() bool { return !b.Stats().Connected })
	c.heal(t)
	until(t, func() bool { s := b.Stats(); return s.Shards == 1 && s.Subscriptions == base+1 })
	publish(t, a, sameShard(5)[4], 1)
	in.until(t, func(got []backplane.Delivery) bool { return len(got) == 1 })
}
