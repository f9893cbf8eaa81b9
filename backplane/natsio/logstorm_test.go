package natsio_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/embedded"
	"github.com/siod-io/siod/backplane/natsio"
	"github.com/siod-io/siod/backplane/subject"
	"github.com/siod-io/siod/internal/testaddr"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/membership/static"
)

var (
	stormFor  = flag.Duration("storm", 4*time.Second, "how long TestLogStorm injects each kind of fault")
	stormRate = flag.Int("storm.rate", 300, "appends a second in TestLogStorm")
)

// longStorm is a storm in which some entries do not come by themselves for
// certain.
const longStorm = 30 * time.Second

// TestLogStorm appends from three nodes to a log of three stores, and has four
// nodes follow it, one of which stores nothing, while the log's leader steps
// down all the time, or the routes between the servers break. What was
// acknowledged is applied everywhere, once and in one order.
func TestLogStorm(t *testing.T) {
	for _, fault := range []struct {
		name  string
		every time.Duration
		make  func(*storm)
	}{
		{"stepdowns", 600 * time.Millisecond, (*storm).stepDown},
		{"route resets", 700 * time.Millisecond, (*storm).resetRoutes},
	} {
		t.Run(fault.name, func(t *testing.T) {
			s := newStorm(t)
			ctx, cancel := context.WithTimeout(context.Background(), *stormFor)
			defer cancel()
			var wg sync.WaitGroup
			for _, m := range s.members[:3] {
				wg.Go(func() { s.append(ctx, m) })
			}
			tick := time.NewTicker(fault.every)
			defer tick.Stop()
			for ctx.Err() == nil {
				select {
				case <-tick.C:
					fault.make(s)
				case <-ctx.Done():
				}
			}
			wg.Wait()
			s.settle()
			s.report(fault.name)
		})
	}
}

// storm is a cluster of three store nodes and one without a store.
type storm struct {
	t       *testing.T
	servers []*embedded.Server
	proxies []*proxy
	members []*natsio.Backplane
	tails   []*tail
	nc      *nats.Conn

	ids    atomic.Uint64
	faults int

	mu      sync.Mutex
	acked   map[uint64]backplane.Position
	unknown map[uint64]bool // may have been stored
	failed  int
}

// tail is what one node applied.
type tail struct {
	mu   sync.Mutex
	got  []backplane.Entry
	bad  []string
	more chan struct{} // capacity 1
}

func (l *tail) Apply(e backplane.Entry) {
	l.mu.Lock()
	if n := len(l.got); n > 0 && l.got[n-1].Seq >= e.Seq {
		l.bad = append(l.bad, fmt.Sprintf("%d applied after %d", e.Seq, l.got[n-1].Seq))
	}
	l.got = append(l.got, e)
	l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
}

func (l *tail) Reset(r backplane.Reset) {
	if r.Reason != backplane.ResetStart {
		l.mu.Lock()
		l.bad = append(l.bad, fmt.Sprintf("reset %s to %d", r.Reason, r.Position.Seq))
		l.mu.Unlock()
	}
}

func newStorm(t *testing.T) *storm {
	t.Helper()
	s := &storm{t: t, acked: map[uint64]backplane.Position{}, unknown: map[uint64]bool{}}
	group := static.NewGroup()
	var wg sync.WaitGroup
	var configs []embedded.Config
	for i := range 4 {
		listen := testaddr.Free(t)
		p := newProxy(t, listen)
		members, err := group.Join(membership.Member{ID: fmt.Sprint("n", i), Name: fmt.Sprint("server-", i)})
		if err != nil {
			t.Fatal(err)
		}
		s.proxies = append(s.proxies, p)
		configs = append(configs, embedded.Config{
			Name: fmt.Sprint("server-", i), Store: 3, IsStore: i < 3, Members: members,
			Routes: embedded.RouteConfig{Listen: listen, Advertise: p.addr()},
		})
	}
	s.servers = make([]*embedded.Server, len(configs))
	for i, cfg := range configs {
		wg.Go(func() {
			var err error
			if s.servers[i], err = embedded.Start(patient(t), cfg); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() {
		for _, srv := range s.servers {
			if err := srv.Shutdown(waiting(t)); err != nil {
				t.Error(err)
			}
		}
	})
	for i, srv := range s.servers {
		b, err := natsio.Connect(patient(t), natsio.Config{
			ID: fmt.Sprint("n", i), InProcess: srv, Options: srv.NodeOptions(), Logger: slog.New(slog.DiscardHandler),
			Log: &natsio.LogConfig{Replicas: 3, Memory: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		l := &tail{more: make(chan struct{}, 1)}
		if err := b.Logs()[0].Tail(patient(t), l); err != nil {
			t.Fatal(err)
		}
		s.members, s.tails = append(s.members, b), append(s.tails, l)
	}
	t.Cleanup(func() {
		for _, b := range s.members {
			if err := b.Close(waiting(t)); err != nil {
				t.Error(err)
			}
		}
	})
	var err error
	s.nc, err = nats.Connect("", append(s.servers[3].NodeOptions(), nats.CustomInboxPrefix(subject.Inbox("operator")), nats.InProcessServer(s.servers[3]))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.nc.Close)
	return s
}

// patient is for what takes elections.
func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// append appends at its share of the rate until ctx ends. What it began it
// finishes.
func (s *storm) append(ctx context.Context, b *natsio.Backplane) {
	var open sync.WaitGroup
	tick := time.NewTicker(time.Second * 3 / time.Duration(*stormRate))
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			continue
		}
		id := s.ids.Add(1)
		env := &backplane.Envelope{
			Kind: backplane.KindEvent, Origin: b.ID(), ID: id, Namespace: "/",
			Target: backplane.Target{Rooms: []string{fmt.Sprint("room ", id%50)}}, Data: []byte("0123456789"),
		}
		open.Add(1)
		err := b.Logs()[0].AppendAsync(context.Background(), env, func(pos backplane.Position, err error) {
			defer open.Done()
			s.appended(id, pos, err)
		})
		if err != nil {
			s.appended(id, backplane.Position{}, err)
			open.Done()
		}
	}
	open.Wait()
}

func (s *storm) appended(id uint64, pos backplane.Position, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.acked[id] = pos
	case errors.Is(err, backplane.ErrOutcomeUnknown):
		s.unknown[id] = true
	default:
		s.failed++
	}
}

// stepDown has the log's leader give up its place.
func (s *storm) stepDown() {
	stream := "sio_siod_log0"
	if _, err := s.nc.Request("$JS.API.STREAM.LEADER.STEPDOWN."+stream, nil, time.Second); err == nil {
		s.faults++
	}
}

// resetRoutes breaks the connections of the node without a store, and those of
// one that has one.
func (s *storm) resetRoutes() {
	s.proxies[3].sever(false)
	s.proxies[rand.IntN(3)].sever(false)
	s.faults++
}

// settle waits until all applied what was acknowledged.
func (s *storm) settle() {
	var last uint64
	for _, pos := range s.acked {
		last = max(last, pos.Seq)
	}
	ctx := patient(s.t)
	for i, l := range s.tails {
		for {
			l.mu.Lock()
			n := len(l.got)
			done := n > 0 && l.got[n-1].Seq >= last
			l.mu.Unlock()
			if done {
				break
			}
			select {
			case <-l.more:
			case <-ctx.Done():
				s.t.Fatalf("node %d did not reach %d: %+v", i, last, s.members[i].Logs()[0].Status())
			}
		}
	}
}

func (s *storm) report(fault string) {
	var undelivered, doubled, phantom, disorder int
	order := map[uint64]uint64{} // id by sequence, as the first node has it
	for i, l := range s.tails {
		l.mu.Lock()
		seen := map[uint64]bool{}
		for _, e := range l.got {
			id := e.Envelope.ID
			if seen[id] {
				doubled++
			}
			seen[id] = true
			if pos, ok := s.acked[id]; ok && pos != e.Position || !ok && !s.unknown[id] {
				phantom++
			}
			if i == 0 {
				order[e.Seq] = id
			} else if first, ok := order[e.Seq]; ok && first != id {
				disorder++
			}
		}
		for id := range s.acked {
			if !seen[id] {
				undelivered++
			}
		}
		disorder += len(l.bad)
		for _, text := range l.bad {
			s.t.Errorf("node %d: %s", i, text)
		}
		l.mu.Unlock()
	}
	var filled, duplicates, failed uint64
	for _, b := range s.members {
		st := b.LogStats()[0]
		filled, duplicates, failed = filled+st.Filled, duplicates+st.Duplicates, failed+st.Failed
	}
	s.t.Logf("%s: faults=%d acknowledged=%d unknown=%d refused=%d; undelivered=%d doubled=%d out of order=%d phantom=%d; holes filled=%d tries failed=%d duplicate acks=%d",
		fault, s.faults, len(s.acked), len(s.unknown), s.failed, undelivered, doubled, disorder, phantom, filled, failed, duplicates)
	if undelivered+doubled+disorder+phantom > 0 {
		s.t.Error("the log is not what was applied")
	}
	if s.faults == 0 || len(s.acked) == 0 || filled == 0 && *stormFor >= longStorm {
		s.t.Errorf("%d faults, %d acknowledged, %d holes: nothing was tested", s.faults, len(s.acked), filled)
	}
}
