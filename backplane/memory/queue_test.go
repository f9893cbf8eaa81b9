package memory

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/siod-io/siod/backplane"
)

// stuck subscribes with a handler that waits, and collects what it got.
type stuck struct {
	release chan struct{}
	inside  chan struct{} // one value per call

	mu  sync.Mutex
	got []backplane.Delivery
}

func newStuck() *stuck {
	return &stuck{release: make(chan struct{}), inside: make(chan struct{}, 10_000)}
}

func (s *stuck) handle(d backplane.Delivery) {
	s.mu.Lock()
	s.got = append(s.got, d)
	s.mu.Unlock()
	s.inside <- struct{}{}
	<-s.release
}

func (s *stuck) all() []backplane.Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// fill publishes from a to b while b's handler is stuck, and returns what it
// got in the end.
func fill(t *testing.T, cfg Config, n int) ([]backplane.Delivery, Stats) {
	t.Helper()
	_, m := members(t, cfg, "a", "b")
	ctx := deadline(t)
	s := newStuck()
	if _, err := m[1].Subscribe(room, s.handle); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := m[0].Publish(ctx, room, numbered(m[0], i)); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			<-s.inside // the first one is with the handler, not in the queue
		}
	}
	close(s.release)
	if err := m[1].Healthy(ctx); err != nil {
		t.Fatal(err)
	}
	if err := m[0].Publish(ctx, room, numbered(m[0], n)); err != nil {
		t.Fatal(err)
	}
	if err := m[1].Close(ctx); err != nil { // waits for the handler
		t.Fatal(err)
	}
	return s.all(), m[1].Stats()
}

func TestQueueOverflowIsTold(t *testing.T) {
	t.Parallel()
	got, stats := fill(t, Config{Queue: 4}, 20)
	if len(got) < 6 {
		t.Fatalf("%d deliveries", len(got))
	}
	for i, d := range got[:5] { // one at the handler, four in the queue
		if d.Envelope == nil || d.Envelope.ID != uint64(i) || !d.Gap.IsZero() {
			t.Errorf("delivery %d is %+v with gap %+v", i, d.Envelope, d.Gap)
		}
	}
	// 15 are lost, and told without waiting for a later delivery.
	if d := got[5]; d.Gap != (backplane.Gap{Lost: 15}) || d.To != room {
		t.Errorf("then came %+v", d)
	}
	if stats.Lost != 15 {
		t.Errorf("stats %+v", stats)
	}
}

// A delivery that is taken after others were lost says so itself.
func TestGapBeforeDelivery(t *testing.T) {
	t.Parallel()
	_, m := members(t, Config{Queue: 1}, "a", "b")
	ctx := deadline(t)
	s := newStuck()
	if _, err := m[1].Subscribe(room, s.handle); err != nil {
		t.Fatal(err)
	}
	publish := func(i int) {
		if err := m[0].Publish(ctx, room, numbered(m[0], i)); err != nil {
			t.Fatal(err)
		}
	}
	publish(0)
	<-s.inside
	for i := range 3 {
		publish(1 + i) // 1 waits, 2 and 3 are lost
	}
	s.release <- struct{}{}
	<-s.inside // 1 is with the handler
	publish(4)
	s.release <- struct{}{}
	<-s.inside
	close(s.release)
	if err := m[1].Healthy(ctx); err != nil {
		t.Fatal(err)
	}
	got := s.all()
	if len(got) != 3 || got[2].Envelope.ID != 4 || got[2].Gap != (backplane.Gap{Lost: 2}) {
		t.Errorf("%d deliveries, the last is %+v", len(got), got[len(got)-1])
	}
}

// What waits for a member that ends is not delivered any more; a handler that
// runs is waited for.
func TestQueueEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*Hub, *Backplane){
		"kill":  func(h *Hub, b *Backplane) { _ = h.Kill(b.id) },
		"close": func(_ *Hub, b *Backplane) { go func() { _ = b.Close(context.Background()) }(); <-b.closed },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h, m := members(t, Config{}, "a", "b")
				s := newStuck()
				if _, err := m[1].Subscribe(room, s.handle); err != nil {
					t.Fatal(err)
				}
				for i := range 3 {
					if err := m[0].Publish(context.Background(), room, numbered(m[0], i)); err != nil {
						t.Fatal(err)
					}
				}
				<-s.inside
				end(h, m[1])
				synctest.Wait()
				close(s.release)
				if err := m[1].Close(context.Background()); err != nil {
					t.Fatal(err)
				}
				if n := len(s.all()); n != 1 {
					t.Errorf("%d deliveries", n)
				}
			})
		})
	}
}

// A member that freezes while a handler runs handles nothing more.
func TestFreezeBetweenDeliveries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, m := members(t, Config{}, "a", "b")
		ctx := context.Background()
		s := newStuck()
		if _, err := m[1].Subscribe(room, s.handle); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if err := m[0].Publish(ctx, room, numbered(m[0], i)); err != nil {
				t.Fatal(err)
			}
		}
		<-s.inside
		if err := h.Freeze("b"); err != nil {
			t.Fatal(err)
		}
		close(s.release)
		synctest.Wait()
		if n := len(s.all()); n != 1 {
			t.Errorf("%d deliveries while frozen", n)
		}
		if err := h.Thaw("b"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := len(s.all()); n != 3 {
			t.Errorf("%d deliveries in the end", n)
		}
	})
}

// The same for room changes.
func TestFreezeBetweenRoomChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, m := members(t, Config{}, "a", "b")
		release, changes := make(chan struct{}), make(chan backplane.RoomChange, 10)
		_, err := m[1].WatchRooms("/", func(c backplane.RoomChange) {
			changes <- c
			<-release
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if _, err := m[0].Subscribe(backplane.Room("/", strconv.Itoa(i)), func(backplane.Delivery) {}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if err := h.Freeze("b"); err != nil {
			t.Fatal(err)
		}
		close(release)
		synctest.Wait()
		if n := len(changes); n != 1 {
			t.Errorf("%d changes while frozen", n)
		}
		if err := h.Thaw("b"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := len(changes); n != 3 {
			t.Errorf("%d changes in the end", n)
		}
	})
}

func TestQueueBytes(t *testing.T) {
	t.Parallel()
	size := numbered(&Backplane{id: "a"}, 0).Size()
	got, stats := fill(t, Config{QueueBytes: 3*size + size/2}, 10)
	if stats.Lost != 6 || got[4].Gap.Lost != 6 {
		t.Errorf("%d lost, gap %+v", stats.Lost, got[4].Gap)
	}
}

// Losses of more rooms than are counted apart are told once, as unknown.
func TestVagueLoss(t *testing.T) {
	t.Parallel()
	h, m := members(t, Config{Queue: 2 * maxLosses}, "a", "b")
	ctx := deadline(t)
	notices := make(chan backplane.Delivery, 1)
	if _, err := m[1].Subscribe(backplane.Node("b"), func(d backplane.Delivery) { notices <- d }); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var counted uint64
	for i := range maxLosses + 5 {
		at := backplane.Room("/", strconv.Itoa(i))
		_, err := m[1].Subscribe(at, func(d backplane.Delivery) {
			mu.Lock()
			defer mu.Unlock()
			counted += d.Gap.Lost
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	h.Partition([]string{"a"}, []string{"b"})
	for i := range maxLosses + 5 {
		if err := m[0].Publish(ctx, backplane.Room("/", strconv.Itoa(i)), numbered(m[0], i)); err != nil {
			t.Fatal(err)
		}
	}
	h.Heal()
	d := <-notices
	if d.Envelope != nil || !d.Gap.Unknown || d.To != (backplane.Address{}) {
		t.Errorf("notice %+v", d)
	}
	mu.Lock()
	defer mu.Unlock()
	if counted != maxLosses {
		t.Errorf("%d losses counted by room", counted)
	}
}

// TestRing compares a ring with a slice.
func TestRing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var r ring[int]
		var model []int
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 100).Draw(t, "n") {
					r.push(len(model))
					model = append(model, len(model))
				}
			},
			"pop": func(t *rapid.T) {
				for range rapid.IntRange(1, 90).Draw(t, "n") {
					v, ok := r.pop()
					if ok != (len(model) > 0) || ok && v != model[0] {
						t.Fatalf("pop %d, %v; model %v", v, ok, model)
					}
					model = model[min(1, len(model)):]
				}
			},
			"drop": func(t *rapid.T) {
				if len(model) > 0 {
					r.drop()
					model = model[:len(model)-1]
				}
			},
			"": func(t *rapid.T) {
				if r.len() != len(model) {
					t.Fatalf("%d items, want %d", r.len(), len(model))
				}
				for i, want := range model {
					if *r.at(i) != want {
						t.Fatalf("item %d is %d, want %d", i, *r.at(i), want)
					}
				}
			},
		})
	})
}
