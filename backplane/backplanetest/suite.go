package backplanetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
)

// suite is one running test.
type suite struct {
	*testing.T
	*Cluster
	f   Features
	ctx context.Context // ends when the test waited too long

	markers atomic.Uint64
}

// join adds a member that is closed at the end.
func (s *suite) join(id string) backplane.Backplane {
	s.Helper()
	b := s.Join(s.T, id)
	if b.ID() != id {
		s.Fatalf("ID() = %q, want %q", b.ID(), id)
	}
	s.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), s.f.Wait)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			s.Errorf("Close of %s: %v", id, err)
		}
	})
	return b
}

func (s *suite) three() (a, b, c backplane.Backplane) {
	s.Helper()
	return s.join("a"), s.join("b"), s.join("c")
}

// within returns a context that ends after d; it is for waits that must fail.
func (s *suite) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(s.ctx, d)
	s.Cleanup(cancel)
	return ctx
}

func (s *suite) publish(from backplane.Backplane, to backplane.Address, env *backplane.Envelope) {
	s.Helper()
	if err := from.Publish(s.ctx, to, env); err != nil {
		s.Fatalf("publish to %s: %v", to, err)
	}
}

// barrier waits until b's subscriptions are in effect at the others.
func (s *suite) barrier(b backplane.Backplane, others ...backplane.Backplane) {
	s.Helper()
	if err := b.Barrier(s.ctx, ids(others...)); err != nil {
		s.Fatalf("barrier: %v", err)
	}
}

// fence returns when b has handled what a published in a namespace before.
func (s *suite) fence(a, b backplane.Backplane, namespace string) {
	s.Helper()
	at := backplane.Room(namespace, fmt.Sprintf("fence %d", s.markers.Add(1)))
	in := s.subscribe(b, at)
	defer in.sub.Close()
	s.barrier(b, a)
	s.publish(a, at, event(a, 0, namespace))
	in.take(1)
}

// subscribe collects the deliveries at an address.
func (s *suite) subscribe(b backplane.Backplane, at backplane.Address) *inbox {
	s.Helper()
	in := &inbox{s: s, changed: make(chan struct{})}
	sub, err := b.Subscribe(at, in.handle)
	if err != nil {
		s.Fatalf("subscribe %s at %s: %v", at, b.ID(), err)
	}
	in.sub = sub
	return in
}

// answer subscribes with a handler for requests.
func (s *suite) answer(b backplane.Backplane, at backplane.Address, h func(backplane.Delivery)) {
	s.Helper()
	if _, err := b.Subscribe(at, h); err != nil {
		s.Fatalf("subscribe %s at %s: %v", at, b.ID(), err)
	}
}

// inbox collects deliveries.
type inbox struct {
	s   *suite
	sub backplane.Subscription

	mu      sync.Mutex
	got     []backplane.Delivery
	changed chan struct{} // closed and replaced with each delivery
}

func (in *inbox) handle(d backplane.Delivery) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.got = append(in.got, d)
	close(in.changed)
	in.changed = make(chan struct{})
}

// all returns the deliveries so far.
func (in *inbox) all() []backplane.Delivery {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.got[:len(in.got):len(in.got)]
}

// take waits for n deliveries and returns all.
func (in *inbox) take(n int) []backplane.Delivery {
	in.s.Helper()
	return in.until(func(got []backplane.Delivery) bool { return len(got) >= n })
}

// until waits for deliveries that satisfy ok and returns all.
func (in *inbox) until(ok func([]backplane.Delivery) bool) []backplane.Delivery {
	in.s.Helper()
	for {
		in.mu.Lock()
		got, changed := in.got[:len(in.got):len(in.got)], in.changed
		in.mu.Unlock()
		if ok(got) {
			return got
		}
		select {
		case <-changed:
		case <-in.s.ctx.Done():
			in.s.Fatalf("%d deliveries came, and not those waited for", len(got))
		}
	}
}

// numbers returns the ids of the envelopes that one origin made.
func numbers(got []backplane.Delivery, origin string) []uint64 {
	var n []uint64
	for _, d := range got {
		if d.Envelope != nil && d.Envelope.Origin == origin {
			n = append(n, d.Envelope.ID)
		}
	}
	return n
}

// event makes a small envelope.
func event(from backplane.Backplane, id uint64, namespace string) *backplane.Envelope {
	return &backplane.Envelope{
		Kind:      backplane.KindEvent,
		Origin:    from.ID(),
		ID:        id,
		Namespace: namespace,
		Frames:    protocol.Frames{Text: fmt.Appendf(nil, `2["m",%d]`, id)},
	}
}

// reply makes a small answer.
func reply(from backplane.Backplane, data string) *backplane.Envelope {
	return &backplane.Envelope{Kind: backplane.KindReply, Origin: from.ID(), Data: []byte(data)}
}

func ids(members ...backplane.Backplane) []string {
	var list []string
	for _, m := range members {
		list = append(list, m.ID())
	}
	return list
}
