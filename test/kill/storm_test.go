package kill

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siod-io/siod/client"
)

// TestStorm kills the server that all clients are on, and has the others emit
// events at once: each client comes back to one of them with its session, and
// gets what it missed, once. How long that takes is told; CI has a small one.
//
//	go test ./test/kill -run Storm -v -storm 5000
func TestStorm(t *testing.T) {
	for name, leader := range map[string]bool{"server": false, "leader": true} {
		t.Run(name, func(t *testing.T) {
			all := startServers(t, 4, func(s *settings) { s.Window = time.Minute })
			victim := 3 // it stores nothing
			if leader {
				victim = leaderOf(t, all)
			}
			newStorm(t, all, victim).run(t)
		})
	}
}

// stormRooms is in how many rooms a client is. There are a fifth as many rooms as
// clients, so that 25 clients are in each.
const stormRooms = 5

// leaderOf is the number of the server that leads the log.
func leaderOf(t *testing.T, all []*process) (i int) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		for _, p := range all {
			if name := word(p.ask("leader"), 1); name != "" {
				if _, err := fmt.Sscanf(name, "server-%d", &i); err != nil {
					t.Fatal(err)
				}
				return i
			}
		}
	}
	t.Fatal("nobody leads the log")
	return 0
}

// storm is a crowd of clients that lose their server at once.
type storm struct {
	all    []*process
	victim int
	rooms  int // in all
	crowd  []*stormClient
}

// stormClient is one of them.
type stormClient struct {
	sock *client.Socket

	mu      sync.Mutex
	rooms   map[int]int // how many events of each came
	seen    map[string]bool
	doubled int
	missing int           // events that have not come
	whole   chan struct{} // closed when none is missing
	back    time.Time     // when it was connected again
	anew    bool          // without its session
	at      time.Time     // of the last event
}

func newStorm(t *testing.T, all []*process, victim int) *storm {
	t.Helper()
	s := &storm{all: all, victim: victim, rooms: max(1, *stormClients/stormRooms)}
	var others []string
	for i, p := range all {
		if i != victim {
			others = append(others, *p.addr.Load())
		}
	}
	places := make(chan struct{}, 64)
	var wg sync.WaitGroup
	s.crowd = make([]*stormClient, *stormClients)
	for i := range s.crowd {
		c := &stormClient{rooms: make(map[int]int), seen: make(map[string]bool), whole: make(chan struct{})}
		for k := range stormRooms {
			c.rooms[(i*stormRooms+k)%s.rooms] = 0
		}
		s.crowd[i] = c
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			c.connect(t, *all[victim].addr.Load(), others)
		})
	}
	wg.Wait()
	s.settle(t)
	return s
}

// settle waits until the sessions of all clients are stored: who comes back
// without a record is let in anew, rightly (V6).
func (s *storm) settle(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		line := s.all[s.victim].ask("stats")
		var stats struct {
			Sessions struct{ Sessions, Waiting int } `json:"sessions"`
		}
		if len(line) > 1 && json.Unmarshal(line[1], &stats) == nil && stats.Sessions.Sessions == len(s.crowd) && stats.Sessions.Waiting == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not all of %d sessions are stored: %s\n%s", len(s.crowd), line, s.all[s.victim].complaints(20))
		}
		<-time.After(20 * time.Millisecond)
	}
}

// connect opens a connection to one server. When it breaks, the others are
// tried.
func (c *stormClient) connect(t *testing.T, first string, others []string) {
	var gone atomic.Bool
	conn, err := client.Dial(t.Context(), "http://"+first, client.Config{
		Transports: []client.Transport{client.WebSocket},
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			addr := first
			if gone.Swap(true) {
				addr = others[rand.IntN(len(others))]
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	})
	if err != nil {
		t.Error(err)
		return
	}
	t.Cleanup(func() { _ = conn.Close(); <-conn.Done() })
	if c.sock, err = conn.Of("/", nil); err != nil {
		t.Error(err)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c.sock.OnAny(c.take)
	if err := c.sock.Connect(ctx); err != nil {
		t.Error(err)
		return
	}
	c.sock.OnConnect(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.back, c.anew = time.Now(), !c.sock.Recovered()
	})
	rooms := make([]int, 0, len(c.rooms))
	for r := range c.rooms {
		rooms = append(rooms, r)
	}
	for {
		why, err := client.Call[string](ctx, c.sock, "enter", rooms)
		if err != nil {
			t.Error(err)
		}
		if why == "" || err != nil {
			return
		}
	}
}

// take counts an event of the burst.
func (c *stormClient) take(e *client.Event) {
	_, text, ok := strings.Cut(e.Name, "burst:")
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[e.Name] {
		c.doubled++
		return
	}
	c.seen[e.Name] = true
	var room int
	_, _ = fmt.Sscan(text, &room)
	if left, in := c.rooms[room]; in {
		c.rooms[room], c.at = left+1, time.Now()
		if c.missing--; c.missing == 0 {
			close(c.whole)
		}
	}
}

// run kills the server and waits until all is as it should be.
func (s *storm) run(t *testing.T) {
	t.Helper()
	const perRoom = 5
	for _, c := range s.crowd {
		c.mu.Lock()
		c.missing = perRoom * len(c.rooms)
		c.mu.Unlock()
	}
	begun := time.Now()
	s.all[s.victim].kill()
	from := s.all[(s.victim+1)%3] // one that stores
	if line := from.ask(fmt.Sprintf("burst %d %d", s.rooms, perRoom)); len(line) < 2 || string(line[1]) != "0" {
		t.Fatalf("of the burst were not acknowledged: %s\n%s", line, from.complaints(20))
	}
	stored := time.Since(begun)
	late := time.After(patience)
	for i, c := range s.crowd {
		select {
		case <-c.whole:
		case <-late:
			c.mu.Lock()
			defer c.mu.Unlock()
			t.Fatalf("client %d: connected %v, recovered %v, %d events are missing\n%s", i, c.sock.Connected(), !c.anew, c.missing, s.account())
		}
	}
	var back, done []time.Duration
	anew, doubled := 0, 0
	for _, c := range s.crowd {
		c.mu.Lock()
		back, done = append(back, c.back.Sub(begun)), append(done, c.at.Sub(begun))
		doubled += c.doubled
		if c.anew {
			anew++
		}
		c.mu.Unlock()
	}
	if anew > 0 || doubled > 0 {
		t.Errorf("%d of %d clients came back without their sessions, %d events came twice\n%s", anew, len(s.crowd), doubled, s.account())
	}
	t.Logf("%d clients, %d rooms, %d of them each, %d events: stored after %v; back p50 %v, the last after %v; each had all after %v, the last after %v",
		len(s.crowd), s.rooms, stormRooms, s.rooms*perRoom, stored.Round(time.Millisecond),
		percentile(back, 50), slices.Max(back).Round(time.Millisecond), percentile(done, 50), slices.Max(done).Round(time.Millisecond))
}

// account is what the servers say of those who came back to them.
func (s *storm) account() string {
	var b strings.Builder
	for i, p := range s.all {
		if i != s.victim {
			fmt.Fprintf(&b, "server %d: %s\n%s\n", i, p.ask("stats"), p.complaints(20))
		}
	}
	return b.String()
}
