package embedded

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A lead that comes back is kept for longer each time.
func TestStepPace(t *testing.T) {
	t.Parallel()
	var p stepPace
	begin := time.Now()
	var given []time.Duration
	ask := func(own bool, from, to time.Duration) {
		for at := from; at < to; at += 250 * time.Millisecond {
			if p.due(own, begin.Add(at)) {
				given = append(given, at)
			}
		}
	}
	const s = time.Second
	ask(true, 0, s/2)
	ask(false, s/2, 5*s) // an election
	ask(true, 5*s, 6*s+s/2)
	ask(false, 6*s+s/2, 20*s)
	ask(true, 20*s, 40*s) // nobody takes it
	want := []time.Duration{0, 6 * s, 22 * s, 26 * s, 30 * s, 34 * s, 38 * s}
	if diff := cmp.Diff(want, given); diff != "" {
		t.Errorf("given up at (-want +got):\n%s", diff)
	}
}
