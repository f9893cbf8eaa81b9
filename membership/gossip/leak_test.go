package gossip

import (
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// When Close returns, nothing of a node runs any more, whatever the other nodes
// do. It runs by itself, before the parallel tests.
func TestNothingIsLeft(t *testing.T) {
	log := newRecord()
	slow := func(id string, join ...*Gossip) *Gossip {
		c := config(t, member(id), join...)
		c.Probe, c.tune = time.Second, nil
		c.Logger = log.logger()
		return start(t, c)
	}
	a := slow("a")
	b := slow("b", a)
	sees(t, a, "a", "b")
	var wg sync.WaitGroup
	wg.Go(b.Close)
	log.await(t, "Failed UDP ping") // a waits for an answer of b
	wg.Go(a.Close)
	wg.Wait()
	goleak.VerifyNone(t)
}
