package feed

import (
	"slices"
	"time"
)

// Fetched takes the answer to a Fetch: entries at or above From, ascending,
// without any left out between them that the asked server has. If it has any
// at or above From there is at least one, be it beyond UpTo.
func (s *Sequencer[T]) Fetched(now time.Time, a Action, items []Item[T]) {
	s.fetching = false
	if a.serial < s.epoch {
		return
	}
	if s.search != nil {
		s.probed(now, items)
		return
	}
	if a.Leader && len(s.doubts) > 0 && a.From == s.doubts[0] {
		s.doubts = s.doubts[1:]
	}
	if a.Leader && a.From == s.last.Seq {
		s.unsure = len(items) == 0 && !s.reaches
	}
	for i, it := range items {
		s.unpass(it.Seq)
		switch {
		case it.Seq <= s.cursor:
			if m, ok := s.marks.at(it.Seq); ok && m.Stored != it.Stored {
				s.seek(differs, it.Seq)
				return
			}
		case it.Seq == s.cursor+1:
			s.stats.Filled++
			s.apply(now, it)
		default:
			// A server that has this one had all before it. They expired or
			// were deleted, and only the leader knows which (V2).
			s.open(now, it.Seq)
			for _, later := range items[i:] {
				s.keep(later)
			}
			return
		}
	}
	s.advance(now)
	if s.unsure {
		s.fetchAt = now.Add(s.cfg.Retry)
	}
	if s.cursor > a.cursor || a.UpTo <= s.cursor {
		return
	}
	// It has nothing for us. A replica may be behind.
	if !a.Leader {
		s.leader = true
		return
	}
	s.open(now, 0)
}

// open notes a gap after the cursor.
func (s *Sequencer[T]) open(now time.Time, next uint64) {
	s.count++
	s.gap = gap{open: true, next: next, since: s.count}
	s.askAt = now
}

// Info takes the answer to an Ask.
func (s *Sequencer[T]) Info(now time.Time, a Action, info Info) {
	s.asking = false
	if a.serial < s.epoch {
		s.askAt = now
		return
	}
	if !info.Leader {
		// Who answers may be cut off from the others: it can tell what there
		// is, and not what there is not (V3).
		if s.started && info.Created == s.created {
			s.Known(now, info.Last)
		}
		s.askAt = now.Add(s.cfg.Retry)
		return
	}
	s.askAt = now.Add(s.cfg.Idle)
	if s.flowed {
		s.askAt = now.Add(s.cfg.Busy)
	}
	s.flowed = false
	switch {
	case !s.started:
		s.start(now, info)
	case info.Created != s.created:
		// Its first entries may have been applied already, taken for those of
		// the log before.
		s.created, s.search = info.Created, nil
		s.seek(anew, 0)
	case s.search != nil:
		if s.search.over() { // nothing that was applied is left in the log
			s.marks.truncate(0)
			s.reset(now, info.bottom(), Rewind)
			s.Known(now, info.Last)
		}
	default:
		s.Known(now, info.Last)
		s.reaches = info.Last >= s.last.Seq
		if s.unsure && info.First > s.last.Seq {
			s.unsure = false // it expired, and cannot be compared
			s.advance(now)
		}
		s.judge(now, a, info)
		s.believe(now, a, info)
	}
}

// bottom is the position before the first entry that the log has.
func (i Info) bottom() Mark {
	if i.First > i.Last && i.Last > 0 {
		return Mark{i.Last, i.LastStored} // it is empty, and was not
	}
	if i.First == 0 {
		return Mark{}
	}
	return Mark{Seq: i.First - 1}
}

// start begins after the newest entry there is.
func (s *Sequencer[T]) start(now time.Time, info Info) {
	s.started, s.created = true, info.Created
	known := s.known // by entries that came meanwhile
	s.reset(now, Mark{info.Last, info.LastStored}, Start)
	s.Known(now, known)
	s.askAt = now // closes the race between the answer and the subscription
	s.advance(now)
}

// judge decides about the gap.
func (s *Sequencer[T]) judge(now time.Time, a Action, info Info) {
	g := s.gap
	if !g.open {
		return
	}
	if a.serial < g.since || g.next == 0 && !a.Deleted {
		s.askAt = now
		return
	}
	want := s.cursor + 1
	switch {
	case info.First > want:
		s.jump(now, info, g.next)
	case g.next > want && info.Last >= g.next:
		s.pass(g.next - 1)
	case g.next == 0 && info.Last >= want && contains(info.Deleted, want):
		for want < info.Last && contains(info.Deleted, want+1) {
			want++
		}
		s.pass(want)
	default:
		// The log does not reach so far, whatever was known or fetched. See
		// believe.
		s.gap = gap{}
		s.fetchAt = now.Add(s.cfg.Idle)
	}
	s.advance(now)
}

func contains(sorted []uint64, seq uint64) bool {
	_, ok := slices.BinarySearch(sorted, seq)
	return ok
}

// pass moves the cursor over sequences that hold nothing.
func (s *Sequencer[T]) pass(upTo uint64) {
	s.stats.Passed += upTo - s.cursor
	s.cursor = upTo
	s.gap = gap{}
}

// jump moves the position over entries that expired before they came.
func (s *Sequencer[T]) jump(now time.Time, info Info, next uint64) {
	to := info.bottom()
	if next != 0 && next <= to.Seq {
		to = Mark{Seq: next - 1} // that one was fetched in time
	}
	s.stats.Skipped += to.Seq - s.cursor
	known := max(s.known, info.Last)
	s.reset(now, to, Jump)
	s.Known(now, known)
}

// believe takes the leader's word that the log ends below what is known here,
// if it stands long enough: until then it may be an answer of before, or of a
// leader that is none any more (V3).
func (s *Sequencer[T]) believe(now time.Time, a Action, info Info) {
	if m, ok := s.marks.at(info.Last); ok && info.Last <= s.cursor && m.Stored != info.LastStored {
		s.doubt(info.Last) // proof, or not, is the entry itself
	}
	if s.search != nil || info.Last >= a.known {
		if !s.below.IsZero() {
			// Either it was stale, or the log grew again since.
			s.below = time.Time{}
			s.doubt(min(s.shortest+1, s.last.Seq))
		}
		return
	}
	if s.below.IsZero() {
		s.below, s.shortest = now, info.Last
	}
	s.shortest = min(s.shortest, info.Last)
	if now.Sub(s.below) < s.cfg.Patience {
		return
	}
	s.below = time.Time{}
	s.known = s.cursor
	if info.Last < s.cursor {
		s.seek(short, 0)
	}
}
