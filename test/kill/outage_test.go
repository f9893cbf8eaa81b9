package kill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/siod-io/siod/client"
)

// TestOutage: without a leader of the log, since two of the three servers that
// store were killed, fast events, acknowledgements, requests and connects go on.
// Who emits durably is told what happened, and when the two are back it is stored
// again.
func TestOutage(t *testing.T) {
	o := newOutage(t)
	o.begin()
	for what, took := range o.measure(2*time.Second, 20) {
		t.Logf("%s: p50 %v, p99 %v of %d", what, percentile(took, 50), percentile(took, 99), len(took))
		// Nobody will lead: what waits for the log waits until that is given up,
		// after 20 s.
		if longest := slices.Max(took); longest > 10*time.Second {
			t.Errorf("%s took up to %v without a leader of the log", what, longest)
		}
	}
	if got := word(o.asker.ask("store"), 1); got != "log down" && got != "outcome unknown" {
		t.Errorf("without a majority of the log, who emits is told %q", got)
	}
	o.end()
}

// BenchmarkOutage measures the same with a leader and without one. It reports the
// 99th percentiles in milliseconds, and their ratio.
//
//	go test ./test/kill -run '^$' -bench Outage -benchtime 1x -rate 200 -v
//
// Events, acknowledgements and connects are those of clients on the two servers
// that live, requests those of one of them.
func BenchmarkOutage(b *testing.B) {
	const long, often = 20 * time.Second, 50
	o := newOutage(b)
	for b.Loop() { // once: there is one outage
		base := o.measure(long, often)
		o.begin()
		outage := o.measure(long, often)
		for what, was := range base {
			is := outage[what]
			b.Logf("%-10s with a leader p50 %v p99 %v of %d, without p50 %v p99 %v of %d", what,
				percentile(was, 50), percentile(was, 99), len(was), percentile(is, 50), percentile(is, 99), len(is))
			b.ReportMetric(percentile(was, 99).Seconds()*1000, what+"-base-p99-ms")
			b.ReportMetric(percentile(is, 99).Seconds()*1000, what+"-p99-ms")
			b.ReportMetric(float64(percentile(is, 99))/float64(percentile(was, 99)), what+"-ratio")
		}
	}
}

// outage is a cluster of four, and how it fares.
type outage struct {
	t        testing.TB
	all      []*process
	near     string
	asker    *process
	from, to *client.Socket
	waiting  sync.Map // by event: a channel that is closed when it comes
}

func newOutage(t testing.TB) *outage {
	t.Helper()
	o := &outage{t: t, all: startServers(t, 4, func(s *settings) { s.Rooms, s.Rate = *roomCount, *rate/4 })}
	o.asker, o.near = o.all[0], *o.all[0].addr.Load()
	await(t, o.asker, o.asker.acked)
	// A server that was never heard yet would be named as unreachable.
	for deadline := time.Now().Add(patience); o.count() != nil; <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the servers do not hear each other: %v", o.count())
		}
	}
	o.from, o.to = o.dial(o.near), o.dial(*o.all[3].addr.Load())
	o.to.OnAny(func(e *client.Event) {
		if got, ok := o.waiting.LoadAndDelete(e.Name); ok {
			close(got.(chan struct{}))
		}
	})
	return o
}

// begin ends two that store, and waits until they are missed: as long as they
// count as alive, requests wait for them.
func (o *outage) begin() {
	o.t.Helper()
	o.all[1].kill()
	o.all[2].kill()
	for deadline := time.Now().Add(patience); number(o.asker.ask("members"), 1) != 2; <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			o.t.Fatal("those that were killed are not missed")
		}
	}
}

// end starts the two again, and waits until events are stored and arrive.
func (o *outage) end() {
	o.t.Helper()
	for _, i := range [...]int{1, 2} {
		s := o.all[i].settings
		s.Join = []string{*o.asker.gossip.Load()}
		p, err := launch(s, "", func(*process, []json.RawMessage) error { return nil })
		if err != nil {
			o.t.Fatal(err)
		}
		o.all[i] = p
	}
	for _, p := range o.all[1:3] {
		await(o.t, p, p.listens)
	}
	arrived := make(chan struct{})
	o.waiting.Store("last:"+o.asker.id, arrived)
	for deadline := time.Now().Add(patience); ; {
		answer := o.asker.ask("store")
		if len(answer) == 2 && word(answer, 1) == "" {
			break
		}
		if time.Now().After(deadline) {
			o.t.Fatalf("the stores are back, and who emits is told %s", answer)
		}
	}
	select {
	case <-arrived:
	case <-time.After(patience):
		o.t.Error("a durable event was stored and did not arrive")
	}
}

// measure does each thing so many times a second for a while, and returns how
// long it took, each time.
func (o *outage) measure(long time.Duration, often int) map[string][]time.Duration {
	var mu sync.Mutex
	took := make(map[string][]time.Duration)
	var busy sync.WaitGroup
	for what, once := range map[string]func(context.Context, int) error{
		"fast":     func(ctx context.Context, n int) error { return o.cast(ctx, "fast", n) },
		"volatile": func(ctx context.Context, n int) error { return o.cast(ctx, "volatile", n) },
		"ack": func(ctx context.Context, _ int) error {
			_, err := o.from.EmitWithAck(ctx, "echo", 1)
			return err
		},
		"request": func(context.Context, int) error { return o.count() },
		"connect": func(ctx context.Context, _ int) error {
			c, s, err := reach(ctx, o.near)
			if err == nil {
				err = s.Connect(ctx)
			}
			if c != nil {
				busy.Go(func() { _ = c.Close(); <-c.Done() })
			}
			return err
		},
	} {
		busy.Go(func() {
			tick := time.NewTicker(time.Second / time.Duration(often))
			defer tick.Stop()
			for n := range int(long.Seconds()) * often {
				<-tick.C
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				begun := time.Now()
				err := once(ctx, n)
				d := time.Since(begun)
				cancel()
				if err != nil {
					o.t.Errorf("%s: %v", what, err)
					return
				}
				mu.Lock()
				took[what] = append(took[what], d)
				mu.Unlock()
			}
		})
	}
	busy.Wait()
	return took
}

// count has the asker count the sockets of all servers.
func (o *outage) count() error {
	switch line := o.asker.ask("count"); {
	case line == nil:
		return errors.New("no answer")
	case word(line, 2) != "":
		return errors.New(word(line, 2))
	}
	return nil
}

// cast has the near server emit to all, and waits until the client of the far
// one has it.
func (o *outage) cast(ctx context.Context, kind string, n int) error {
	got := make(chan struct{})
	event := fmt.Sprintf("%s %d", kind, n)
	o.waiting.Store(event, got)
	if err := o.from.Emit(ctx, "cast", kind, event); err != nil {
		return err
	}
	select {
	case <-got:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (o *outage) dial(addr string) *client.Socket {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, s, err := reach(ctx, addr)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { _ = c.Close(); <-c.Done() })
	if err := s.Connect(ctx); err != nil {
		o.t.Fatal(err)
	}
	return s
}

// reach opens a connection to one server, for a client that stays with it.
func reach(ctx context.Context, addr string) (*client.Client, *client.Socket, error) {
	c, err := client.Dial(ctx, "http://"+addr, client.Config{Transports: []client.Transport{client.WebSocket}, NoReconnect: true})
	if err != nil {
		return nil, nil, err
	}
	s, err := c.Of("/", nil)
	return c, s, err
}

func percentile(list []time.Duration, p int) time.Duration {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	return list[min(len(list)*p/100, len(list)-1)].Round(10 * time.Microsecond)
}
