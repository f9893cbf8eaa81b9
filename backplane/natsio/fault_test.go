package natsio_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/natsio"
)

// inbox collects deliveries.
type inbox struct {
	mu      sync.Mutex
	got     []backplane.Delivery
	changed chan struct{}
}

func newInbox() *inbox { return &inbox{changed: make(chan struct{})} }

func (in *inbox) handle(d backplane.Delivery) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.got = append(in.got, d)
	close(in.changed)
	in.changed = make(chan struct{})
}

// until waits for deliveries that satisfy ok.
func (in *inbox) until(t *testing.T, ok func([]backplane.Delivery) bool) []backplane.Delivery {
	t.Helper()
	ctx := waiting(t)
	for {
		in.mu.Lock()
		got, changed := slices.Clone(in.got), in.changed
		in.mu.Unlock()
		if ok(got) {
			return got
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("what was waited for did not come; %d deliveries did", len(got))
		}
	}
}

// tallied adds up what came and what was told to be missing.
func tallied(got []backplane.Delivery) (came, lost uint64, unknown bool) {
	for _, d := range got {
		if d.Envelope != nil {
			came++
		}
		lost += d.Gap.Lost
		unknown = unknown || d.Gap.Unknown
	}
	return came, lost, unknown
}

func subscribe(t *testing.T, m *member, at backplane.Address, h backplane.Handler) backplane.Subscription {
	t.Helper()
	sub, err := m.Subscribe(at, h)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

func publish(t *testing.T, m *member, to backplane.Address, id uint64) {
	t.Helper()
	env := &backplane.Envelope{Kind: backplane.KindEvent, Origin: m.ID(), ID: id, Namespace: to.Namespace}
	if err := m.Publish(waiting(t), to, env); err != nil {
		t.Fatal(err)
	}
}

// TestFullQueue: what does not fit is lost, counted to the last message by
// the sender's digests, and noticed at once.
func TestFullQueue(t *testing.T) {
	t.Parallel()
	for name, bound := range map[string]func(*natsio.Config){
		"Messages": func(cfg *natsio.Config) { cfg.Queue = 64 },
		"Bytes":    func(cfg *natsio.Config) { cfg.QueueBytes = 32 << 10 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fullQueue(t, bound)
		})
	}
}

func fullQueue(t *testing.T, bound func(*natsio.Config)) {
	c := newCluster(t)
	a := c.join(t, "a")
	b := c.join(t, "b", bound)
	room := backplane.Room("/", "r")
	in, self := newInbox(), newInbox()
	inside, release := make(chan struct{}), make(chan struct{})
	subscribe(t, b, room, func(d backplane.Delivery) {
		if d.Envelope != nil && d.Envelope.ID == 0 {
			close(inside)
			<-release
		}
		in.handle(d)
	})
	subscribe(t, b, backplane.Node("b"), self.handle)
	c.meet(t)
	const n = 1000
	publish(t, a, room, 0)
	<-inside
	for i := range uint64(n) {
		publish(t, a, room, 1+i)
	}
	until(t, func() bool { return b.Stats().Slow > 0 })
	if s := b.Stats(); s.Waiting > 64 && s.WaitingBytes > 32<<10 {
		t.Errorf("more waits than may: %+v", s)
	}
	close(release)
	self.until(t, func(got []backplane.Delivery) bool { _, _, unknown := tallied(got); return unknown })
	got := in.until(t, func(got []backplane.Delivery) bool {
		came, lost, _ := tallied(got)
		return came+lost >= n+1
	})
	came, lost, _ := tallied(got)
	if came+lost != n+1 || lost == 0 {
		t.Errorf("%d came and %d are told to be lost, of %d", came, lost, n+1)
	}
	if s := b.Stats(); s.Lost != lost {
		t.Errorf("the figures say %d lost, the deliveries %d", s.Lost, lost)
	}
	ids := make([]uint64, 0, came)
	for _, d := range got {
		if d.Envelope != nil {
			ids = append(ids, d.Envelope.ID)
		}
		if d.To != room {
			t.Errorf("delivery to %s", d.To)
		}
	}
	if !slices.IsSorted(ids) {
		t.Error("order was lost as well")
	}
}

// TestCutOff: a node without connection says so at once, and its subscriptions
// and counts go on when it is back.
func TestCutOff(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a, b := c.join(t, "a"), c.join(t, "b")
	room, before := backplane.Room("/", "r"), newInbox()
	subscribe(t, b, room, before.handle)
	anywhere := subscribe(t, b, backplane.Namespace(backplane.AnyNamespace), before.handle)
	c.meet(t)
	publish(t, a, room, 1)
	before.until(t, func(got []backplane.Delivery) bool { return len(got) == 1 })

	c.partition(t, []string{"a"}, []string{"b"})
	ctx := waiting(t)
	env := &backplane.Envelope{Kind: backplane.KindEvent, Origin: "b", Namespace: "/"}
	errs := map[string]error{
		"publish": b.Publish(ctx, room, env),
		"healthy": b.Healthy(ctx),
		"barrier": b.Barrier(ctx, []string{"a"}),
	}
	for _, err := range b.Request(ctx, backplane.Requests("/"), env, []string{"a"}) {
		errs["request"] = err
	}
	for name, err := range errs {
		if !errors.Is(err, backplane.ErrDisconnected) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, ok := errors.AsType[*backplane.PartialError](errs["barrier"]); !ok || !slices.Equal(p.Missing, []string{"a"}) {
		t.Errorf("barrier: %v", errs["barrier"])
	}
	during := newInbox()
	base := b.Stats().Subscriptions
	subscribe(t, b, backplane.Room("/", "during"), during.handle)
	subscribe(t, b, backplane.Namespace("/"), during.handle).Close() // ends before it was told
	anywhere.Close()
	publish(t, a, room, 2)
	if s := b.Stats(); s.Connected {
		t.Error("the figures say that it is connected")
	}

	c.heal(t)
	publish(t, a, backplane.Room("/", "during"), 3)
	publish(t, a, room, 4)
	during.until(t, func(got []backplane.Delivery) bool { return len(got) == 1 })
	got := before.until(t, func(got []backplane.Delivery) bool { came, _, _ := tallied(got); return came == 2 })
	if _, lost, _ := tallied(got); lost != 1 {
		t.Errorf("%d lost, want 1", lost)
	}
	if s := b.Stats(); s.Reconnects < 2 || !s.Connected || s.Subscriptions != base {
		t.Errorf("figures %+v, want %d subscriptions", s, base)
	}
}

// TestSlowDial: while a new connection takes its time, nobody waits for it.
func TestSlowDial(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a, b := c.join(t, "a"), c.join(t, "b")
	dialled, end := b.cable.slowDown()
	end = sync.OnceFunc(end)
	defer end()
	c.partition(t, []string{"a"}, []string{"b"})
	<-dialled
	in := newInbox()
	done := make(chan struct{})
	go func() {
		defer close(done)
		subscribe(t, b, backplane.Room("/", "r"), in.handle)
		subscribe(t, b, backplane.Namespace("/"), in.handle).Close()
		env := &backplane.Envelope{Kind: backplane.KindEvent, Origin: "b", Namespace: "/"}
		if err := b.Publish(t.Context(), backplane.Namespace("/"), env); !errors.Is(err, backplane.ErrDisconnected) {
			t.Errorf("publish: %v", err)
		}
		if err := b.Healthy(waiting(t)); !errors.Is(err, backplane.ErrDisconnected) {
			t.Errorf("healthy: %v", err)
		}
		_ = b.Stats()
	}()
	select {
	case <-done:
	case <-waiting(t).Done():
		t.Error("somebody waits for the connection")
	}
	end()
	<-done
	c.heal(t)
	publish(t, a, backplane.Room("/", "r"), 1)
	in.until(t, func(got []backplane.Delivery) bool { return len(got) == 1 })
}

// TestAlone: a node knows when nobody else is there.
func TestAlone(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	short := func(cfg *natsio.Config) { cfg.Beat = 400 * time.Millisecond }
	a := c.join(t, "a", short)
	if backplane.Alone(a) {
		t.Error("alone before it can know")
	}
	until(t, func() bool { return backplane.Alone(a) })
	b := c.join(t, "b", short)
	if backplane.Alone(a) || backplane.Alone(b) {
		t.Error("alone though they met")
	}
	if err := b.Close(waiting(t)); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return !a.Heard("b") }) // it said bye
	until(t, func() bool { return backplane.Alone(a) })
}

// TestLinger: a room stays subscribed on the wire for a while, and its losses
// go on being counted.
func TestLinger(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a := c.join(t, "a")
	b := c.join(t, "b", func(cfg *natsio.Config) { cfg.Linger, cfg.Lingering = time.Hour, 3 })
	base := b.Stats().Subscriptions
	room := backplane.Room("/", "r")
	in := newInbox()
	sub := subscribe(t, b, room, in.handle)
	c.meet(t)
	publish(t, a, room, 1)
	in.until(t, func(got []backplane.Delivery) bool { return len(got) == 1 })
	sub.Close()
	publish(t, a, room, 2) // dropped: it was not wanted, so it is not missing either
	c.meet(t)
	again := newInbox()
	subscribe(t, b, room, again.handle)
	publish(t, a, room, 3)
	got := again.until(t, func(got []backplane.Delivery) bool { return len(got) == 1 })
	if !got[0].Gap.IsZero() || got[0].Envelope.ID != 3 {
		t.Errorf("after it came back: %+v", got[0])
	}
	if s := b.Stats(); s.Subscriptions != base+1 {
		t.Errorf("%d subscriptions, want one more than %d", s.Subscriptions, base)
	}
	for i := range 10 {
		subscribe(t, b, backplane.Room("/", fmt.Sprint(i)), in.handle).Close()
	}
	if s := b.Stats(); s.Lingering > 3 || s.Subscriptions > base+1+3 {
		t.Errorf("more linger than may: %+v", s)
	}
	subscribe(t, b, backplane.Namespace("/"), in.handle).Close()
	if s := b.Stats(); s.Subscriptions > base+1+3 {
		t.Errorf("a namespace lingers: %+v", s)
	}
}

// TestLingerEnds: and then it is not subscribed any more.
func TestLingerEnds(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	a := c.join(t, "a", func(cfg *natsio.Config) { cfg.Beat, cfg.Linger = 20*time.Millisecond, 50*time.Millisecond })
	base := a.Stats().Subscriptions
	left, kept := backplane.Room("/", "left"), backplane.Socket("/", "tokenBkept")
	h := func(backplane.Delivery) {}
	subscribe(t, a, left, h).Close()
	subscribe(t, a, kept, h).Close()
	subscribe(t, a, kept, h)
	until(t, func() bool { s := a.Stats(); return s.Subscriptions == base+1 && s.Lingering == 0 })
	if _, err := a.Subscribe(kept, h); !errors.Is(err, backplane.ErrSubscribed) {
		t.Errorf("what came back was ended: %v", err)
	}
}
