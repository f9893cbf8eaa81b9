package gossip

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	firstDelay    = 500 * time.Millisecond // of a node that is alone
	lookupTimeout = 5 * time.Second
	joiners       = 4   // addresses tried at a time
	maxAddrs      = 512 // addresses tried in one attempt
	lostATime     = 8   // of those, addresses of members that died
)

// join is the goroutine that reaches for members that should be there: memberlist
// does not by itself once it gave them up. It closes first when one was
// reached, or after the first attempt.
func (g *Gossip) join(first chan<- struct{}) {
	var once sync.Once
	reached := func() { once.Do(func() { close(first) }) }
	delay := firstDelay
	for {
		tried := g.attempt(reached)
		reached()
		wait := g.cfg.Rejoin
		if len(g.events.addrs()) > 0 {
			delay = firstDelay
		} else if len(g.cfg.Join) > 0 {
			wait = min(delay, wait)
			delay = min(2*delay, g.cfg.Rejoin)
			if tried { // else the list has this node alone
				g.log.Warn("no other node was reached", "join", g.cfg.Join, "again", wait)
			}
		}
		// Nodes that lost each other at the same moment do not all try at once.
		t := time.NewTimer(wait*4/5 + rand.N(wait*2/5+1))
		select {
		case <-t.C:
		case <-g.life.Done():
			t.Stop()
			return
		}
	}
}

// attempt tries every address that no present member has, a few at a time. One
// that was reached tells of its members, so in a healthy cluster one is enough.
// It returns false if there was nothing to try.
func (g *Gossip) attempt(reached func()) bool {
	failed := g.failed.Load()
	todo := g.candidates(g.life)
	next := make(chan netip.AddrPort)
	var wg sync.WaitGroup
	for range min(joiners, len(todo)) {
		wg.Go(func() {
			for a := range next {
				if g.contact(a) {
					reached()
				}
			}
		})
	}
	for _, a := range todo {
		select {
		case next <- a:
			continue
		case <-g.life.Done():
		}
		break
	}
	close(next)
	wg.Wait()
	return len(todo) > 0 || g.failed.Load() > failed
}

// contact exchanges what both nodes know with the node at an address, unless
// that is a member. It returns true if it was reached.
func (g *Gossip) contact(a netip.AddrPort) bool {
	if _, ok := g.events.addrs()[a]; ok || g.life.Err() != nil {
		return false
	}
	if _, err := g.list.Join([]string{a.String()}); err != nil {
		g.failed.Add(1)
		g.log.Debug("join", "addr", a.String(), "err", err)
		return false
	}
	g.joined.Add(1)
	return true
}

// candidates returns the addresses to try in random order: those configured, and
// some of members that died.
func (g *Gossip) candidates(ctx context.Context) []netip.AddrPort {
	found := make(map[netip.AddrPort]struct{})
	for _, s := range g.cfg.Join {
		ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
		list, err := resolve(ctx, g.cfg.lookup, s)
		cancel()
		if err != nil {
			g.failed.Add(1)
			g.log.Debug("join", "addr", s, "err", err)
			continue
		}
		for _, a := range list {
			found[a] = struct{}{}
		}
	}
	for _, a := range g.someLost() {
		found[a] = struct{}{}
	}
	delete(found, g.net.advertise)
	delete(found, g.net.bound())
	all := slices.Collect(maps.Keys(found))
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(len(all), maxAddrs)]
}

// someLost returns addresses of members that died, a few each time.
func (g *Gossip) someLost() []netip.AddrPort {
	g.settle.Lock()
	defer g.settle.Unlock()
	all := slices.Collect(maps.Keys(g.lost))
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(len(all), lostATime)]
}
