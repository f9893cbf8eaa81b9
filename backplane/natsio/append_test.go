package natsio

import (
	"errors"
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
)

// Who waits for an entry to be applied does not wait for ever: a node that is cut
// off behind the log's answer does not get it.
func TestStoredAndNotApplied(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var w waiters
	ended := map[uint64]error{}
	for seq := range uint64(3) {
		w.add(&appending{seq: seq + 1, giveUp: now.Add(time.Duration(seq) * time.Second), done: func(pos backplane.Position, err error) {
			if pos.Seq != seq+1 {
				t.Errorf("stored at %d, and told %d", seq+1, pos.Seq)
			}
			ended[seq+1] = err
		}})
	}
	w.expire(now.Add(1500 * time.Millisecond))
	if len(ended) != 2 || !errors.Is(ended[1], backplane.ErrOutcomeUnknown) || !errors.Is(ended[2], backplane.ErrOutcomeUnknown) {
		t.Errorf("%v", ended)
	}
	if p := w.reached(3); p == nil || p.seq != 3 {
		t.Errorf("who has time left waits no longer: %+v", p)
	}
}
