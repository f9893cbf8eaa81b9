package recovery

import (
	"testing"
	"time"

	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/transport"
)

func TestDropsOnOneServer(t *testing.T) {
	t.Parallel()
	newWorld(t, 1, nil).run(*drops)
}

func TestDropsOnThreeServers(t *testing.T) {
	t.Parallel()
	newWorld(t, 3, nil).run(*drops)
}

// One server stops for a while and another one dies: the sessions that they had
// cannot be continued meanwhile, and that is all.
func TestDropsWithServersFrozenAndKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, func(cfg *node.Config) {
		cfg.ConnectTimeout = 4 * time.Second // two eighths are what a client waits for a server that is stopped
	})
	w.run(*drops,
		event{0.2, func() { w.freeze(1) }},
		event{0.4, func() { w.thaw(1) }},
		event{0.7, func() { w.kill(2) }},
	)
}

// freeze makes a server look like a stopped process to the others.
func (w *world) freeze(i int) {
	w.upset.Store(time.Now().UnixNano())
	w.servers[i].up.Store(false)
	w.must("freeze", w.hub.Freeze(w.servers[i].ID()))
}

func (w *world) thaw(i int) {
	w.must("thaw", w.hub.Thaw(w.servers[i].ID()))
	w.upset.Store(time.Now().UnixNano())
	w.servers[i].up.Store(true)
}

// kill ends a server as far as others, and its clients, can see.
func (w *world) kill(i int) {
	s := w.servers[i]
	w.upset.Store(time.Now().UnixNano())
	s.up.Store(false)
	w.must("kill", w.hub.Kill(s.ID()))
	w.group.Kill(s.ID())
	_ = s.http.Listener.Close()
	for session := range s.Engine().All() {
		session.Abort(transport.ReasonTransportError)
	}
}
