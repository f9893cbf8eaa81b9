package backplanetest

import (
	"slices"
	"sync"
	"sync/atomic"

	"pgregory.net/rapid"

	"github.com/siod-io/siod/backplane"
)

var orderTests = []test{
	{"PerPublisherAndNamespace", ordered, nil},
	{"HandlerCallsDoNotOverlap", noOverlap, nil},
}

// ordered publishes random programs from several members at once and compares
// what each subscriber got: everything once, and what one publisher sent in one
// namespace in its order, over all addresses that the subscriber has.
func ordered(s *suite) {
	const members = 3
	addresses := func(ns string) []backplane.Address {
		return []backplane.Address{
			backplane.Room(ns, "r1"), backplane.Room(ns, "r2"), backplane.Namespace(ns),
			backplane.Socket(ns, "homeOfA1"), backplane.Requests(ns),
		}
	}
	namespaces := []string{"/", "/chat"}
	nodes := make([]backplane.Backplane, members)
	logs := make([]*arrivals, members)
	for i := range nodes {
		nodes[i] = s.join(string(rune('a' + i)))
		logs[i] = &arrivals{}
		for _, at := range []backplane.Address{
			backplane.Room("/", "r1"), backplane.Room("/chat", "r1"), backplane.Room("/chat", "r2"),
			backplane.Namespace(backplane.AnyNamespace), backplane.Home("homeOf"), backplane.Requests(backplane.AnyNamespace),
		} {
			s.answer(nodes[i], at, logs[i].handle)
		}
	}
	for _, n := range nodes {
		s.barrier(n, nodes...)
	}
	wanted := func(at backplane.Address) bool { return at != backplane.Room("/", "r2") }

	rapid.Check(s.T, func(t *rapid.T) {
		programs := make([][]backplane.Address, members)
		for i := range programs {
			all := append(addresses(namespaces[0]), addresses(namespaces[1])...)
			programs[i] = rapid.SliceOfN(rapid.SampledFrom(all), 0, 30).Draw(t, "program")
		}
		var wg sync.WaitGroup
		for i, program := range programs {
			wg.Go(func() {
				for k, to := range program {
					if err := nodes[i].Publish(s.ctx, to, event(nodes[i], uint64(k), to.Namespace)); err != nil {
						s.Errorf("publish: %v", err)
					}
				}
			})
		}
		wg.Wait()
		for from := range nodes {
			for to := range nodes {
				for _, ns := range namespaces {
					if from != to {
						s.fence(nodes[from], nodes[to], ns)
					}
				}
			}
		}
		for to := range nodes {
			got := logs[to].take()
			for from, program := range programs {
				for _, ns := range namespaces {
					var want []uint64
					for k, at := range program {
						if from != to && at.Namespace == ns && wanted(at) {
							want = append(want, uint64(k))
						}
					}
					if have := got.of(nodes[from].ID(), ns); !slices.Equal(have, want) {
						t.Fatalf("%s got from %s in %s %v, want %v", nodes[to].ID(), nodes[from].ID(), ns, have, want)
					}
				}
			}
		}
	})
}

// arrivals are envelopes in the order of their handler calls, over several
// subscriptions.
type arrivals struct {
	mu   sync.Mutex
	list envelopes
}

type envelopes []*backplane.Envelope

func (a *arrivals) handle(d backplane.Delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, d.Envelope)
}

// take returns what came, and forgets it.
func (a *arrivals) take() envelopes {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := a.list
	a.list = nil
	return list
}

func (l envelopes) of(origin, namespace string) []uint64 {
	var ids []uint64
	for _, e := range l {
		if e.Origin == origin && e.Namespace == namespace {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// noOverlap: calls of one subscription's handler never overlap, whoever
// publishes.
func noOverlap(s *suite) {
	a, b, c := s.three()
	room := backplane.Room("/", "r")
	var inside, overlaps atomic.Int32
	in := &inbox{s: s, changed: make(chan struct{})}
	s.answer(c, room, func(d backplane.Delivery) {
		if inside.Add(1) != 1 {
			overlaps.Add(1)
		}
		in.handle(d)
		inside.Add(-1)
	})
	s.barrier(c, a, b)
	const n = 300
	var wg sync.WaitGroup
	for _, from := range []backplane.Backplane{a, b, a, b} {
		wg.Go(func() {
			for i := range n {
				if err := from.Publish(s.ctx, room, event(from, uint64(i), "/")); err != nil {
					s.Errorf("publish: %v", err)
				}
			}
		})
	}
	wg.Wait()
	in.take(4 * n)
	if k := overlaps.Load(); k > 0 {
		s.Errorf("%d calls overlapped", k)
	}
}
