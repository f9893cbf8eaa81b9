package node

import (
	"math"
	"testing"

	"github.com/siod-io/siod/transport"
)

// A mailbox is full of events or of bytes, while the server waits for its client's answer
// at 16 times as much; one event has its place in an empty one.
func TestMailboxFull(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		payload, events, bytes, size int
		full, fullTwice              bool
	}{
		{0, 1, 0, 1, false, false},
		{0, 2, 0, 0, true, false},
		{0, 32, 0, 0, true, true},
		{0, 0, 0, 100_000_000, false, false},
		{0, 1, 0, 100_000_000, false, false}, // behind a function
		{0, 1, 600_000, 400_000, false, false},
		{0, 1, 600_000, 400_001, true, false},
		{0, 1, 15_000_000, 1_000_000, true, false},
		{0, 1, 15_000_000, 1_000_016, true, true},
		{10_000, 1, 600_000, 400_000, false, false},
		{3_000_000, 1, 2_000_000, 1_000_000, false, false},
		{3_000_000, 1, 2_000_000, 1_000_001, true, false},
		{math.MaxInt, 1, 2_000_000, 1_000_001, false, false},
	} {
		m := mailbox{queue: make([]*work, test.events), bytes: test.bytes}
		cfg := &Config{Mailbox: 2, Transport: transport.Config{MaxPayload: test.payload}}
		w := &work{size: test.size}
		if got := m.full(cfg, 1, w); got != test.full {
			t.Errorf("%+v: %v", test, got)
		}
		if got := m.full(cfg, secondBound, w); got != test.fullTwice {
			t.Errorf("%+v: %v at the second bound", test, got)
		}
	}
}
