package node_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/siod-io/siod/node"
)

// A client has a window from when it was lost, also if its server is killed
// meanwhile, and not another one from then.
func TestAwayBeforeTheKill(t *testing.T) {
	t.Parallel()
	const window = 4 * time.Second
	all := journaling(t, 2, func(cfg *node.Config) { cfg.Recovery.Window = window })
	conns := sockets(all[0].Of("/"))
	r := roam(t, all[0], "/")
	s := wait(t, conns, "a socket")
	recorded(t, s)
	id := r.ID()
	r.lose(s)
	lost := time.Now()
	<-time.After(window / 2)
	all[0].kill(t)
	<-time.After(time.Until(lost.Add(window + window/8)))
	r.goTo(all[1])
	r.back()
	if r.Recovered() || r.ID() == id {
		t.Errorf("it was away for %v of %v, and recovered", time.Since(lost), window)
	}
	if n := all[1].Stats().NotRecovered["unknown"]; n != 1 {
		t.Errorf("not recovered: %v", all[1].Stats().NotRecovered)
	}
}

// A client that got nothing for longer than events are kept, while others did,
// comes back like any other: to its server, to another one, and when its server
// was killed.
func TestRecoveryAfterSilence(t *testing.T) {
	t.Parallel()
	const window = 4 * time.Second
	for name, leave := range map[string]func(t *testing.T, home *member, p *roaming, next *member){
		"the same": func(*testing.T, *member, *roaming, *member) {},
		"another":  func(_ *testing.T, _ *member, p *roaming, next *member) { p.goTo(next) },
		"killed":   func(t *testing.T, home *member, p *roaming, next *member) { home.kill(t); p.goTo(next) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := journaling(t, 2, func(cfg *node.Config) { cfg.Recovery.Window = window })
			conns := sockets(all[0].Of("/"))
			sockets(all[1].Of("/"))
			r := roam(t, all[0], "/")
			s := wait(t, conns, "a socket")
			recorded(t, s)
			must(t, s.Join("mine"))
			must(t, all[1].To("mine").Emit(t.Context(), "a"))
			r.sees("a")
			emitted := 0
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for begun := time.Now(); time.Since(begun) < 2*window; <-tick.C {
				must(t, all[1].To("theirs").Emit(t.Context(), "x"))
				emitted++
			}
			if kept := all[1].Stats().RingEntries; kept >= emitted {
				t.Errorf("%d events are kept of %d: nothing was tried", kept, emitted)
			}
			id := r.ID()
			leave(t, all[0], r, all[1])
			r.client.Drop()
			must(t, all[1].To("mine").Emit(t.Context(), "b"))
			r.back()
			if !r.Recovered() || r.ID() != id {
				t.Fatal(fmt.Sprint("not recovered: ", all[0].Stats().NotRecovered, all[1].Stats().NotRecovered))
			}
			r.sees("b")
		})
	}
}
