package feed

import (
	"cmp"
	"slices"
	"time"
)

// search looks for the newest applied entry that the log still has, after it
// went back: entries up to there are the same in both, those above are not.
type search struct {
	list   []Mark // applied entries, ascending
	lo, hi int    // list[:lo] agrees, list[hi:] does not
	doubt  int    // the entry in doubt, the first to compare; -1 after that
	why    cause
}

func (m Mark) compare(seq uint64) int { return cmp.Compare(m.Seq, seq) }

// cause says why a search is made.
type cause uint8

const (
	differs cause = iota // an entry came that is not the one applied
	short                // the log ends below what was applied
	anew                 // the log was created anew
)

// over reports whether the search ended; with lo = 0 nothing agrees.
func (f *search) over() bool { return f.lo == f.hi }

// probe returns the sequence to compare next.
func (f *search) probe() uint64 { return f.list[f.mid()].Seq }

func (f *search) mid() int {
	if f.doubt >= 0 {
		return f.doubt
	}
	return (f.lo + f.hi) / 2
}

// answer takes the first entry that the leader has at or above the probe.
func (f *search) answer(there Mark, ok bool) {
	mid := f.mid()
	doubted := f.doubt >= 0
	f.doubt = -1
	if ok {
		// One that is gone from the middle of the log is judged by the next
		// that is left.
		for i := mid; i < f.hi && f.list[i].Seq <= there.Seq; i++ {
			if f.list[i] == there {
				f.lo = i + 1
				if doubted {
					f.lo = f.hi // the one that came was a stale one
				}
				return
			}
		}
	}
	f.hi = mid
}

// seek begins a search. If an entry differs, the leader has to say which of the
// two is its own, and it has to be asked for that very one: later ones may be
// right again. Below it, those that agree come before those that do not.
func (s *Sequencer[T]) seek(why cause, seq uint64) {
	if s.search != nil {
		return
	}
	list := s.marks.all()
	s.search = &search{list: list, hi: len(list), doubt: -1, why: why}
	if i, ok := slices.BinarySearchFunc(list, seq, Mark.compare); ok {
		s.search.doubt = i
	}
	s.hold.clear()
	s.gap = gap{}
	s.count++
	s.epoch = s.count
	s.fetchAt, s.askAt = time.Time{}, time.Time{}
}

// probed takes the answer to a probe.
func (s *Sequencer[T]) probed(now time.Time, items []Item[T]) {
	var there Mark
	if len(items) > 0 {
		there = Mark{items[0].Seq, items[0].Stored}
	}
	s.search.answer(there, len(items) > 0)
	if !s.search.over() {
		return
	}
	list, lo := s.search.list, s.search.lo
	switch {
	case lo == 0:
		s.askAt = now // for where the log begins, see Info
	case lo < len(list) || s.search.why == anew || s.search.why == short && list[lo-1] != s.last:
		s.reset(now, list[lo-1], Rewind)
	default:
		// The log is what it was: the other entry came late, from a leader
		// whose newest entries did not survive it.
		s.search = nil
		s.cursor = s.last.Seq
	}
}
