package soak

import (
	"net"
	"regexp"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/siod-io/siod/node"
)

// TestLeaksAreSeen plants leaks in a handler and wants each of them to be
// named, and to be gone when what was planted is.
func TestLeaksAreSeen(t *testing.T) {
	for _, c := range []struct {
		name  string
		plant func(g *garden, s *node.Socket)
		want  string
	}{
		{"goroutine", func(g *garden, s *node.Socket) {
			for range 2 * runtime.GOMAXPROCS(0) { // more than the servers keep
				g.wg.Go(func() { <-g.uproot })
			}
		}, `^\d+ goroutines, \d+ before$`},
		{"descriptor", func(g *garden, s *node.Socket) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Error(err)
				return
			}
			g.keep(func() { ln.Close() })
		}, `^\d+ descriptors, \d+ before$`},
		{"heap", func(g *garden, s *node.Socket) {
			held := make([]byte, 64<<10)
			g.keep(func() { clear(held) })
		}, `^\d+ bytes of heap, \d+ before$`},
		{"nothing", func(*garden, *node.Socket) {}, `^$`},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &garden{uproot: make(chan struct{})}
			planted := c.plant
			s := start(t, node.Recovery{}, func(s *node.Socket) {
				if g.open() {
					planted(g, s)
				}
			})
			run(t, len(gentle), gentle, s)
			quiet(t, s)
			before := measure()
			g.sow()
			run(t, 2*len(gentle), gentle, s)
			quiet(t, s)
			// What ends a moment later must not be taken for what was planted.
			wait := 300 * time.Millisecond
			if c.want == `^$` {
				wait = patience
			}
			if _, what := settle(before, wait); !regexp.MustCompile(c.want).MatchString(what) {
				t.Errorf("planted %s: %q, want %s", c.name, what, c.want)
			}
			g.clear()
			if _, what := settle(before, patience); what != "" {
				t.Errorf("cleared of %s: %s\n%s", c.name, what, stacks())
			}
		})
	}
}

// garden holds what was planted.
type garden struct {
	uproot chan struct{}
	wg     sync.WaitGroup

	mu    sync.Mutex
	sown  bool
	roots []func()
}

func (g *garden) sow() { g.mu.Lock(); g.sown = true; g.mu.Unlock() }

func (g *garden) open() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.sown
}

func (g *garden) keep(end func()) {
	g.mu.Lock()
	g.roots = append(g.roots, end)
	g.mu.Unlock()
}

func (g *garden) clear() {
	close(g.uproot)
	g.wg.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, end := range g.roots {
		end()
	}
	g.roots = nil
}
