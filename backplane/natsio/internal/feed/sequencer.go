package feed

import (
	"slices"
	"time"
)

// Sequencer puts entries in order. Make one with [New]; it is used by one
// goroutine.
type Sequencer[T any] struct {
	cfg   Config
	out   Handler[T]
	stats Stats

	started bool
	created int64
	last    Mark   // newest entry applied, or where the feed began
	cursor  uint64 // up to here everything was applied, or passed since there is nothing; at least last.Seq
	known   uint64 // how far the log was seen to reach
	marks   marks
	hold    hold[T]

	// What is asked. Actions and events are numbered by count, so that an
	// answer can be told from one to a question of before.
	count    uint64
	epoch    uint64 // answers to questions before it are void
	asking   bool
	fetching bool
	askAt    time.Time // the next tail check
	fetchAt  time.Time // no fetch before
	leader   bool      // the next fetch goes to the leader
	flowed   bool      // entries came since the last tail check
	progress time.Time // when the last entry was applied, or known went beyond cursor

	doubts   []uint64  // applied entries to compare with the leader's
	doubtAt  time.Time // not before
	unsure   bool      // what comes next is not applied before the leader was asked for the last entry: it is new, or has nothing from there on
	reaches  bool      // the leader says that it reaches the last applied entry: if it has nothing from there on, that was deleted
	gap      gap       // behind cursor
	below    time.Time // since when the leader claims to end below what is known
	shortest uint64    // the lowest end that it claimed since
	search   *search   // for where a log that went back agrees with what was applied
}

// gap is what a fetch found missing behind the cursor. An Info asked for after
// that judges it.
type gap struct {
	open  bool
	next  uint64 // the entry that a replica has instead; 0: the leader had none
	since uint64 // count
}

// grace is how long an entry that is known to exist may take to come by
// itself: acknowledgements often overtake entries.
const grace = 25 * time.Millisecond

// New returns a Sequencer that hands entries to out.
func New[T any](cfg Config, out Handler[T]) *Sequencer[T] {
	cfg = cfg.withDefaults()
	return &Sequencer[T]{
		cfg:   cfg,
		out:   out,
		marks: newMarks(cfg.Remember),
		hold:  hold[T]{maxCount: cfg.Hold, maxSize: cfg.HoldSize},
	}
}

// Last returns the newest applied entry, or where the feed began; false before
// the start.
func (s *Sequencer[T]) Last() (Mark, bool) { return s.last, s.started }

// Created returns when the log was created.
func (s *Sequencer[T]) Created() int64 { return s.created }

// Reached returns up to where everything was applied or holds nothing.
func (s *Sequencer[T]) Reached() uint64 { return s.cursor }

// Ahead returns how far the log is known to reach.
func (s *Sequencer[T]) Ahead() uint64 { return max(s.known, s.cursor) }

// Held returns the number of entries held back.
func (s *Sequencer[T]) Held() int { return len(s.hold.heap) }

// Mark returns the time of an applied entry, if it is remembered.
func (s *Sequencer[T]) Mark(seq uint64) (Mark, bool) { return s.marks.at(seq) }

// Stats returns the counters.
func (s *Sequencer[T]) Stats() Stats { return s.stats }

// Pace sets Config.Busy, which depends on how many nodes ask the same leader.
func (s *Sequencer[T]) Pace(busy time.Duration) { s.cfg.Busy = busy }

// Entry takes an entry from the feed.
func (s *Sequencer[T]) Entry(now time.Time, it Item[T]) {
	s.flowed = true
	s.unpass(it.Seq)
	switch {
	case s.started && it.Stored < s.created:
		s.stats.Repeated++ // late, from a log that is no more
	case s.started && s.search == nil && !s.unsure && it.Seq == s.cursor+1:
		s.apply(now, it)
		s.advance(now)
	case s.started && s.search == nil && it.Seq <= s.cursor:
		s.again(it)
	case s.search != nil: // it will be fetched
	default:
		s.keep(it)
		s.Known(now, it.Seq)
	}
}

// Known says that the log reaches a sequence, as an acknowledgement tells.
func (s *Sequencer[T]) Known(now time.Time, seq uint64) {
	if seq <= s.known {
		return
	}
	if s.known <= s.cursor {
		s.progress = now
	}
	s.known = seq
}

// Check asks for a tail check at once: entries may have been lost on the way.
func (s *Sequencer[T]) Check() { s.askAt = time.Time{} }

// Suspect is Check, and compares the last applied entry with the leader's:
// the log has a new leader and may have gone back (V1).
func (s *Sequencer[T]) Suspect() {
	s.Check()
	s.doubt(s.last.Seq)
	s.hold.clear() // may be from before; they are fetched again
	s.unsure, s.reaches = s.last.Seq > 0, false
}

// maxDoubts bounds the comparisons that wait; the lowest tells the most.
const maxDoubts = 4

// doubt has an applied entry compared with the leader's.
func (s *Sequencer[T]) doubt(seq uint64) {
	s.doubtAt = time.Time{}
	if i, ok := slices.BinarySearch(s.doubts, seq); !ok && seq > 0 {
		s.doubts = slices.Insert(s.doubts, i, seq)
		s.doubts = s.doubts[:min(len(s.doubts), maxDoubts)]
	}
}

// apply hands on the entry after the cursor.
func (s *Sequencer[T]) apply(now time.Time, it Item[T]) {
	s.out.Apply(it)
	s.last = Mark{it.Seq, it.Stored}
	s.cursor = it.Seq
	s.marks.add(s.last)
	s.progress = now
	s.gap = gap{}
	s.leader = false
	s.stats.Applied++
}

// again takes an entry at or below the cursor. The one applied there has the
// same time, unless the log went back and grew again.
func (s *Sequencer[T]) again(it Item[T]) {
	if m, ok := s.marks.at(it.Seq); ok && m.Stored != it.Stored {
		s.seek(differs, it.Seq)
		return
	}
	s.stats.Repeated++
}

// unpass takes back that a sequence holds nothing, now that an entry came with
// it: the log went back behind it and grew again.
func (s *Sequencer[T]) unpass(seq uint64) {
	if s.last.Seq < seq && seq <= s.cursor {
		s.cursor, s.gap = s.last.Seq, gap{}
	}
}

// keep holds an entry back.
func (s *Sequencer[T]) keep(it Item[T]) {
	if !s.hold.add(it) {
		s.stats.Overflow++
	}
}

// advance applies what was held until now.
func (s *Sequencer[T]) advance(now time.Time) {
	for s.search == nil && !s.unsure {
		seq, ok := s.hold.lowest()
		switch {
		case !ok || seq > s.cursor+1:
			return
		case seq == s.cursor+1:
			s.apply(now, s.hold.take())
		default:
			s.again(s.hold.take())
		}
	}
}

// reset goes to another position. Whatever was asked before is void, and how
// far the log reaches has to be learned again.
func (s *Sequencer[T]) reset(now time.Time, m Mark, why Reason) {
	s.marks.truncate(m.Seq)
	if _, ok := s.marks.at(m.Seq); !ok && m.Seq > 0 && m.Stored != 0 {
		s.marks.add(m)
	}
	if why == Rewind {
		s.stats.Rewinds++
	}
	s.last, s.cursor, s.known = m, m.Seq, m.Seq
	s.gap, s.search, s.below, s.doubts, s.leader, s.unsure = gap{}, nil, time.Time{}, nil, false, false
	s.count++
	s.epoch = s.count
	s.progress = now
	s.askAt, s.fetchAt = now, now
	s.out.Reset(Reset{Mark: m, Created: s.created, Reason: why})
}
