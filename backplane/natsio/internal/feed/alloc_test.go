//go:build !race

package feed

import (
	"testing"
	"time"
)

// sink takes entries and forgets them.
type sink struct{ n int }

func (s *sink) Apply(Item[*int]) { s.n++ }
func (s *sink) Reset(Reset)      {}

// started returns a sequencer at the start of an empty log, with its ring grown.
func started(tb testing.TB) (*Sequencer[*int], *sink, time.Time) {
	tb.Helper()
	out := &sink{}
	s := New(Config{Remember: 1 << 12}, out)
	now := time.Unix(1000, 0)
	a, ok := s.Next(now)
	if !ok || a.Kind != Ask {
		tb.Fatal("nothing is asked")
	}
	s.Info(now, a, Info{Created: 1, Leader: true})
	for seq := uint64(1); seq <= 1<<13; seq++ {
		s.Entry(now, Item[*int]{Seq: seq, Stored: int64(seq)})
	}
	return s, out, now
}

// What comes in order costs no allocation.
func TestAllocsEntry(t *testing.T) {
	s, out, now := started(t)
	seq, before := s.Reached(), out.n
	if n := testing.AllocsPerRun(1000, func() {
		seq++
		s.Entry(now, Item[*int]{Seq: seq, Stored: int64(seq), Size: 100})
	}); n != 0 {
		t.Errorf("%v allocations an entry", n)
	}
	if out.n-before < 1000 {
		t.Errorf("%d were applied", out.n-before)
	}
}

// BenchmarkEntry is an entry that comes in order.
func BenchmarkEntry(b *testing.B) {
	s, _, now := started(b)
	seq := s.Reached()
	b.ReportAllocs()
	for b.Loop() {
		seq++
		s.Entry(now, Item[*int]{Seq: seq, Stored: int64(seq), Size: 100})
	}
}

// BenchmarkEntryHeld is an entry that comes early, every other one, and is held.
func BenchmarkEntryHeld(b *testing.B) {
	s, _, now := started(b)
	seq := s.Reached()
	b.ReportAllocs()
	for b.Loop() {
		s.Entry(now, Item[*int]{Seq: seq + 2, Stored: int64(seq + 2), Size: 100})
		s.Entry(now, Item[*int]{Seq: seq + 1, Stored: int64(seq + 1), Size: 100})
		seq += 2
	}
}
