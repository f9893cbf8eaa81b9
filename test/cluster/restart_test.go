package cluster

import (
	"context"
	"fmt"
	"strings"
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
	transports []client.Transport

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
	l := &listener{transports: transports, more: make(chan struct{}, 1)}
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
				// As an application does that is told so.
				go func() { _ = l.Emit(t.Context(), "join", "news") }()
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

// answers says in which rooms the server has it.
func (l *listener) answers(t *testing.T) string {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	rooms, err := client.Call[[]string](ctx, l.Socket, "rooms")
	return fmt.Sprint(rooms, err)
}

// reaches waits until the listener has seen number n.
func (l *listener) reaches(t *testing.T, n int64, what string) {
	t.Helper()
	late := time.After(2 * patience)
	for l.last() < n {
		select {
		case <-l.more:
		case <-late:
			t.Fatalf("%s: saw %d of %d; connected %v as %s by %v, recovered %v, back %d times; it answers %q",
				what, l.last(), n, l.Connected(), l.ID(), l.transports, l.Recovered(), l.back.Load(), l.answers(t))
		}
	}
}

// crowd is some listeners, and one that says numbers to all of them.
type crowd struct {
	all   []*listener
	said  atomic.Int64 // the newest that was acknowledged
	acked []int64      // all of them, after end

	stop context.CancelFunc
	wg   sync.WaitGroup
}

// gather connects a crowd of n, which says a number every now and then.
func gather(t *testing.T, url string, n int, every time.Duration) *crowd {
	t.Helper()
	c := &crowd{}
	for i := range n {
		transports := [][]client.Transport{{client.Polling}, {client.WebSocket}, {client.Polling, client.WebSocket}}[i%3]
		c.all = append(c.all, listen(t, url, transports...))
	}
	speaker := listen(t, url, client.WebSocket)
	var ctx context.Context
	ctx, c.stop = context.WithCancel(t.Context())
	t.Cleanup(c.end)
	c.wg.Go(func() {
		for n := int64(1); ctx.Err() == nil; n++ { // a number is said once, whatever becomes of it
			one, cancel := context.WithTimeout(ctx, 5*time.Second)
			if _, err := speaker.EmitWithAck(one, "broadcast", "news", "news", n); err == nil {
				c.acked = append(c.acked, n)
				c.said.Store(n)
			}
			cancel()
			select {
			case <-time.After(every):
			case <-ctx.Done():
			}
		}
	})
	return c
}

// hears waits until the crowd heard so many more.
func (c *crowd) hears(t *testing.T, more int64, when string) {
	t.Helper()
	c.all[0].reaches(t, c.said.Load()+more, when)
}

func (c *crowd) end() {
	c.stop()
	c.wg.Wait()
}

// check ends the crowd: everybody has everything that was acknowledged, and the
// session that it began with. It returns how often the clients came back.
func (c *crowd) check(t *testing.T) (back int64) {
	t.Helper()
	return c.checkBut(t, 0)
}

// checkBut is check that lets a share of those who came back be let in anew: who
// is told so may have missed something.
func (c *crowd) checkBut(t *testing.T, share float64) (back int64) {
	t.Helper()
	c.end()
	lost := int64(0)
	for i, l := range c.all {
		l.reaches(t, c.said.Load(), fmt.Sprintf("client %d at the end", i))
		lost, back = lost+l.lost.Load(), back+l.back.Load()
		l.mu.Lock()
		got := map[int64]bool{}
		for _, n := range l.got {
			got[n] = true
		}
		l.mu.Unlock()
		for _, n := range c.acked {
			if !got[n] && l.lost.Load() == 0 {
				t.Errorf("client %d never got %d, which was acknowledged", i, n)
				break
			}
		}
	}
	t.Logf("%d events acknowledged to %d clients, which came back %d times, %d of them let in anew", len(c.acked), len(c.all), back, lost)
	if float64(lost) > share*float64(back) {
		t.Errorf("sessions were lost %d times", lost)
	}
	return back
}

// TestRollingRestart ends and starts one node after the other while one client
// speaks and others listen. Everybody gets everything once, in order, and goes on
// with its session.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	nodejs.Setup(t, "balancers")
	// The balancer has some time to see that a node is about to end.
	nodes := three(t, "--app", "interop", "--recovery", "--shutdown-delay", "2s")
	c := gather(t, balancers[0].start(t, nodes), 12, 0)
	for i := range nodes {
		c.hears(t, 20, fmt.Sprintf("before node %d ends", i))
		nodes[i].Stop()
		nodes[i] = nodes[i].Again(t)
		whole(t, nodes[i], 2)
	}
	c.hears(t, 20, "after all")
	c.check(t)
	for i, l := range c.all {
		if l.back.Load() == 0 {
			t.Errorf("client %d never lost its node", i)
		}
	}
}

// TestKilled kills one node after the other, without a word, while one client
// speaks and others listen through a balancer, and starts it again. Everybody
// gets everything that was acknowledged once, in order, and goes on with its
// session, or is told that it does not, as who had come just before.
func TestKilled(t *testing.T) {
	t.Parallel()
	nodejs.Setup(t, "balancers")
	nodes := three(t, "--app", "interop", "--recovery")
	c := gather(t, balancers[0].start(t, nodes), 12, 20*time.Millisecond)
	for i := range nodes {
		c.hears(t, 20, fmt.Sprintf("before node %d is killed", i))
		nodes[i].Kill()
		nodes[i] = nodes[i].Again(t)
		whole(t, nodes[i], 2)
	}
	c.hears(t, 20, "after all")
	for i, s := range nodes {
		for result, n := range s.Metrics(t) {
			if strings.HasPrefix(result, "siod_recovery_total") && n > 0 {
				t.Logf("node %d: %s %v", i, result, n)
			}
		}
	}
	if c.checkBut(t, 0.2) == 0 {
		t.Error("nobody lost a node")
	}
}
