package cluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siod-io/siod/client"
	"github.com/siod-io/siod/internal/testclient"
	"github.com/siod-io/siod/test/internal/nodejs"
)

// listener is a client that keeps what it gets: numbers that grow.
type listener struct {
	*client.Socket
	mu   sync.Mutex
	got  []int64
	back atomic.Int64 // times that it came back
	lost atomic.Int64 // of these, those that it was let in anew
	more chan struct{}
}

func (l *listener) last() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.got) == 0 {
		return 0
	}
	return l.got[len(l.got)-1]
}

func listen(t *testing.T, url string, transports ...client.Transport) *listener {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, url, client.Config{Transports: transports, Backoff: client.Exponential(50*time.Millisecond, time.Second, 0.5, nil)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(); <-c.Done() })
	l := &listener{more: make(chan struct{}, 1)}
	if l.Socket, err = c.Of("/", nil); err != nil {
		t.Fatal(err)
	}
	l.On("news", func(e *client.Event) {
		var n int64
		if err := e.Args.DecodeArg(0, &n); err != nil || n <= l.last() {
			t.Errorf("news %d (%v) after %d", n, err, l.last())
		}
		l.mu.Lock()
		l.got = append(l.got, n)
		l.mu.Unlock()
		select {
		case l.more <- struct{}{}:
		default:
		}
	})
	first := true
	l.OnConnect(func() {
		if !first {
			l.back.Add(1)
			if !l.Recovered() {
				l.lost.Add(1)
			}
		}
		first = false
	})
	if err := l.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	testclient.Call[string](t, l.Socket, "join", "news")
	return l
}

// reaches waits until the listener has seen number n.
func (l *listener) reaches(t *testing.T, n int64, what string) {
	t.Helper()
	late := time.After(2 * patience)
	for l.last() < n {
		select {
		case <-l.more:
		case <-late:
			t.Fatalf("%s: saw %d of %d", what, l.last(), n)
		}
	}
}

// TestRollingRestart ends and starts one node after the other while one client
// speaks and others listen. Everybody gets everything once, in order, and goes on
// with its session.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	nodejs.Setup(t, "balancers")
	// The balancer has some time to see that a node is about to end.
	nodes := three(t, "--app", "interop", "--recovery", "--shutdown-delay", "2s")
	url := balancers[0].start(t, nodes)
	var all []*listener
	for i := range 12 {
		transports := [][]client.Transport{{client.Polling}, {client.WebSocket}, {client.Polling, client.WebSocket}}[i%3]
		all = append(all, listen(t, url, transports...))
	}
	speaker := listen(t, url, client.WebSocket)
	var said atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var acked []int64
	wg.Go(func() {
		for n := int64(1); ctx.Err() == nil; n++ { // a number is said once, whatever becomes of it
			one, cancel := context.WithTimeout(ctx, 5*time.Second)
			if _, err := speaker.EmitWithAck(one, "broadcast", "news", "news", n); err == nil {
				acked = append(acked, n)
				said.Store(n)
			}
			cancel()
		}
	})
	for i := range nodes {
		all[0].reaches(t, said.Load()+20, fmt.Sprintf("before node %d ends", i))
		nodes[i].Stop()
		nodes[i] = nodes[i].Again(t)
		whole(t, nodes[i])
	}
	all[0].reaches(t, said.Load()+20, "after all")
	stop()
	wg.Wait()
	lost, back := int64(0), int64(0)
	for i, l := range all {
		l.reaches(t, said.Load(), fmt.Sprintf("client %d at the end", i))
		lost, back = lost+l.lost.Load(), back+l.back.Load()
		if l.back.Load() == 0 {
			t.Errorf("client %d never lost its node", i)
		}
		got := map[int64]bool{}
		for _, n := range l.got {
			got[n] = true
		}
		for _, n := range acked {
			if !got[n] {
				t.Errorf("client %d never got %d, which was acknowledged", i, n)
				break
			}
		}
	}
	t.Logf("%d events acknowledged to %d clients, which came back %d times, %d of them let in anew", len(acked), len(all), back, lost)
	if lost > 0 {
		t.Errorf("sessions were lost %d times", lost)
	}
}
