package resume

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/siod-io/siod/backplane"
)

// Whatever the log's clock does between entries, what the ring has is all that
// came after its base, nothing is dropped that is not old, and what may be
// missing is not called complete.
func TestRingWhileTheClockSteps(t *testing.T) {
	t.Parallel()
	const age = 60 * time.Second
	rapid.Check(t, func(t *rapid.T) {
		r, now := new(Ring), time.Unix(1_000_000, 0)
		r.Jump(backplane.Position{})
		var stored []time.Time // of entry n at n-1
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			base := r.Base().Seq
			if rapid.IntRange(0, 3).Draw(t, "what") > 0 {
				now = now.Add(time.Duration(rapid.IntRange(-90, 90).Draw(t, "seconds")) * time.Second)
				stored = append(stored, now)
				seq := uint64(len(stored))
				r.Add(NewEntry(backplane.Entry{
					Position: backplane.Position{Seq: seq, Tag: backplane.NewTag(time.Time{}, seq, now)},
					Stored:   now, Envelope: &backplane.Envelope{Kind: backplane.KindEvent, Namespace: "/"},
				}))
			} else {
				oldest := r.Stored().Add(-age)
				for to := r.Due(oldest, 1<<40); r.TrimTo(to, rapid.IntRange(1, 5).Draw(t, "most")); {
				}
				for seq := base + 1; seq <= r.Base().Seq; seq++ {
					if !stored[seq-1].Before(oldest) {
						t.Fatalf("%d of %v was dropped, and %v is not old", seq, stored, stored[seq-1])
					}
				}
			}
			base = r.Base().Seq
			if newest := r.Newest().Seq; newest != uint64(len(stored)) || r.Len() != int(newest-base) {
				t.Fatalf("%d entries behind %d, the newest is %d of %d", r.Len(), base, newest, len(stored))
			}
			for seq := uint64(0); seq <= uint64(len(stored)); seq++ {
				if r.Complete(seq) != (seq >= base) {
					t.Fatalf("complete behind %d: %v, and the ring begins at %d", seq, r.Complete(seq), base)
				}
				if p, ok := r.At(seq); seq > base && (!ok || p.Seq != seq) {
					t.Fatalf("%d is not in the ring, which begins at %d", seq, base)
				}
			}
		}
	})
}
