package node_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/backplane/memory"
	"github.com/siod-io/siod/internal/testlog"
	"github.com/siod-io/siod/membership/static"
	"github.com/siod-io/siod/node"
)

// A session that fits into no message stays where it is: who claims it elsewhere
// is let in anew, which is counted there and told here, and who comes back here
// goes on.
func TestSessionTooLargeToMove(t *testing.T) {
	t.Parallel()
	for name, stored := range map[string]time.Duration{"plain": 0, "journal": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := memory.Config{Limits: backplane.Limits{Payload: 8 << 10}, Window: time.Minute, Sessions: stored}
			hub, group := memory.NewHub(cfg), static.NewGroup()
			var log testlog.Buffer
			home := add(t, hub, group, func(cfg *node.Config) {
				recovering(cfg)
				cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			})
			other := add(t, hub, group, recovering)
			conns := sockets(home.Of("/"))
			p := home.connect(t, "/", nil)
			s, id := wait(t, conns, "a socket"), p.ID()
			must(t, nameKey.Set(s, strings.Repeat("x", 16<<10)))
			p.lose(s)
			must(t, s.Emit(t.Context(), "kept"))

			for range 2 {
				q := p.twin(other.server, nil)
				must(t, q.Connect(t.Context()))
				if q.ID() == id {
					t.Fatal("recovered what cannot be handed over")
				}
			}
			if n := other.Stats().NotRecovered["large"]; n != 2 {
				t.Errorf("%d counted: %v", n, other.Stats().NotRecovered)
			}
			if n := strings.Count(log.String(), "too large to be handed"); n != 1 {
				t.Errorf("told %d times:\n%s", n, log.String())
			}
			if st := home.Stats(); st.Sessions != 1 || st.SessionsWaiting != 1 {
				t.Errorf("%d sessions, %d waiting", st.Sessions, st.SessionsWaiting)
			}
			p.back()
			if !p.Recovered() {
				t.Fatalf("not recovered at home: %v", home.Stats().NotRecovered)
			}
			p.sees("kept")
			// What has shrunk may go.
			s = wait(t, conns, "a socket")
			must(t, nameKey.Set(s, "Ada"))
			p.lose(s)
			q := p.twin(other.server, nil)
			must(t, q.Connect(t.Context()))
			if q.ID() != id {
				t.Errorf("not recovered: %v", other.Stats().NotRecovered)
			}
		})
	}
}
