package gossip

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/siod-io/siod/membership"
)

const (
	// farewell bounds the wait for exchanges under way, and for those that tell
	// that this node left.
	farewell = time.Second

	// told is how many others are told over TCP that this node leaves. They
	// tell the rest.
	told = 3
)

// Leave implements membership.Membership. It takes about three probes, 1.3 s by
// default, and at most 5 s, and ends everything that Start began. If ctx ends first, the rest happens in the background.
//
// Errors: that of ctx.
func (g *Gossip) Leave(ctx context.Context) error {
	first := g.end(membership.Left, false)
	select {
	case <-g.done:
		return nil
	case <-ctx.Done():
	}
	g.table.Close()
	if !first {
		return nil
	}
	return fmt.Errorf("gossip: leave: %w", context.Cause(ctx))
}

// Close ends the membership without a word: the others will find out that this
// node is dead. After Leave it only waits for its end.
func (g *Gossip) Close() {
	g.end(membership.Dead, false)
	<-g.done
}

// end begins to end the membership, once. A node that was replaced by a later
// boot tells nobody that it left, since the others count it as dead.
func (g *Gossip) end(state membership.State, replaced bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return false
	}
	g.ended = true
	g.self.State = state
	g.table.Remove(g.self.ID, state)
	go g.finish(state == membership.Left, replaced)
	return true
}

// finish is the goroutine that ends everything, in the order in which it was
// started.
func (g *Gossip) finish(leave, replaced bool) {
	defer close(g.done)
	g.cancel()
	g.loop.Wait()
	if leave {
		g.sayGoodbye()
	}
	if leave || replaced {
		_ = g.list.Leave(g.rounds()) // says only that the wait was too short
	}
	overload := g.list.GetHealthScore()
	_ = g.list.Shutdown() // never fails
	g.joins.Wait()
	if g.events.met() {
		// memberlist does not wait for the probe under way, which ends by its
		// own timer when nobody answers.
		<-time.After(g.cfg.Probe * time.Duration(1+overload))
	}
	g.table.Close()
}

// rounds is a time in which gossip tells about ten others, who tell the rest.
func (g *Gossip) rounds() time.Duration { return g.cfg.Probe * 4 / 5 }

// sayGoodbye tells the others that this node left. memberlist's own message does
// not show them whether a node left or died, so the state is announced
// before: by gossip to all and, since packets get lost, by an exchange over TCP
// with a few, who pass it on.
func (g *Gossip) sayGoodbye() {
	g.net.quiet(farewell) // whoever just joined by this node shall know, too
	g.tell()
	addrs := slices.Collect(maps.Keys(g.events.addrs()))
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	few := addrs[:min(len(addrs), told)]
	answers := make(chan struct{}, len(few))
	for _, a := range few {
		g.joins.Go(func() {
			_, _ = g.list.Join([]string{a.String()}) // gossip may have reached it
			answers <- struct{}{}
		})
	}
	if len(addrs) > len(few) {
		_ = g.list.UpdateNode(g.rounds()) // says only that the wait was too short
	}
	t := time.NewTimer(farewell)
	defer t.Stop()
	for range few {
		select {
		case <-answers:
		case <-t.C: // one that does not answer is not waited for
			return
		}
	}
}
