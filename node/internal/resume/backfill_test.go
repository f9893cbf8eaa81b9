package resume

import (
	"testing"
	"time"

	"github.com/siod-io/siod/backplane"
)

func filler(seq uint64, kind backplane.Kind) *Entry {
	return NewEntry(backplane.Entry{
		Position: simPosition(seq), Stored: time.Unix(int64(seq), 0),
		Envelope: &backplane.Envelope{Kind: kind, Namespace: "/", Target: backplane.Target{Rooms: []string{"r"}}},
	})
}

func TestBackfill(t *testing.T) {
	t.Parallel()
	event, broken := backplane.KindEvent, backplane.KindBreak
	for _, tt := range []struct {
		name       string
		since      []*Entry // applied after the start at 10
		jumped     uint64
		older      []*Entry
		ok         bool
		complete   uint64 // the lowest position after which the ring is complete
		found      uint64 // an entry it has then
		newest     uint64
		roomEvents int
	}{
		{"nothing since", nil, 0, []*Entry{filler(9, event), filler(10, event)}, true, 8, 9, 10, 2},
		{"entries since", []*Entry{filler(11, event)}, 0, []*Entry{filler(9, event), filler(10, event)}, true, 8, 10, 11, 3},
		{"a hole", []*Entry{filler(12, event)}, 0, []*Entry{filler(10, event)}, true, 8, 10, 12, 2},
		{"a break before", nil, 0, []*Entry{filler(9, broken), filler(10, event)}, true, 9, 10, 10, 1},
		{"a break since", []*Entry{filler(11, broken), filler(12, event)}, 0, []*Entry{filler(10, event)}, true, 11, 12, 12, 2},
		{"moved on", nil, 20, []*Entry{filler(10, event)}, false, 20, 20, 20, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var r Ring
			r.Jump(simPosition(10))
			for _, e := range tt.since {
				r.Add(e)
			}
			if tt.jumped > 0 {
				r.Jump(simPosition(tt.jumped))
			}
			if ok := r.Backfill(simPosition(10), simPosition(8), tt.older); ok != tt.ok {
				t.Fatalf("Backfill: %v", ok)
			}
			if !r.Complete(tt.complete) || r.Complete(tt.complete-1) {
				t.Errorf("complete after %d: %v, after %d: %v", tt.complete, r.Complete(tt.complete), tt.complete-1, r.Complete(tt.complete-1))
			}
			if p, ok := r.At(tt.found); !ok || p != simPosition(tt.found) {
				t.Errorf("at %d: %v, %v", tt.found, p, ok)
			}
			if r.Newest().Seq != tt.newest {
				t.Errorf("it ends at %d", r.Newest().Seq)
			}
			if n := len(r.rooms[roomKey{namespace: "/", room: "r"}]); n != tt.roomEvents {
				t.Errorf("%d events of the room", n)
			}
		})
	}
}
