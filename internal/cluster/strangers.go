package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/siod-io/siod/membership"
)

const (
	lookEvery = 10 * time.Second
	// strangeAfter is long for a node that has just started, or for gossip that
	// lost its way for a moment.
	strangeAfter = 30 * time.Second
)

// strangers are the nodes that are heard over NATS and that gossip does not
// know: those of another cluster which has the same name on the same NATS, or of
// this one where gossip does not get through. Events reach their clients and
// theirs ours; requests ask the members only, and sessions do not move.
type strangers struct {
	mu    sync.Mutex
	since map[string]time.Time // first heard without being a member
	told  map[string]bool
}

// look takes who is heard and who is a member now. It returns those who have
// been strange for long enough and were not returned before.
func (s *strangers) look(now time.Time, heard []string, members []membership.Member) []string {
	known := make(map[string]bool, len(members))
	for _, m := range members {
		known[m.ID] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	since, told := make(map[string]time.Time), make(map[string]bool)
	var tell []string
	for _, id := range heard {
		if known[id] {
			continue
		}
		since[id] = now
		if first, ok := s.since[id]; ok {
			since[id] = first
		}
		told[id] = s.told[id]
		if !told[id] && now.Sub(since[id]) >= strangeAfter {
			told[id] = true
			tell = append(tell, id)
		}
	}
	s.since, s.told = since, told
	return tell
}

// count is the number of those who were told about and are still there.
func (s *strangers) count() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, told := range s.told {
		if told {
			n++
		}
	}
	return n
}

// lookOut tells of strangers until ctx ends.
func (n *Node) lookOut(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			n.look(now)
		case <-ctx.Done():
			return
		}
	}
}

func (n *Node) look(now time.Time) {
	for _, id := range n.strangers.look(now, n.nats.HeardNodes(), n.members.Members()) {
		n.log.Warn("a node on this NATS has the name of this cluster and is no member of it: give one of the two clusters another --cluster-name, or let gossip reach that node (--join)",
			"cluster", n.cfg.Cluster, "node", id)
	}
}
