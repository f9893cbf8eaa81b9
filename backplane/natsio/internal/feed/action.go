package feed

import "time"

// Next returns something to do now, false if there is nothing. The driver
// calls it after each input and at [Sequencer.Wake], until it returns false.
func (s *Sequencer[T]) Next(now time.Time) (Action, bool) {
	if !s.asking && !now.Before(s.askDue()) {
		s.asking = true
		return s.action(Action{Kind: Ask, Deleted: s.gap.open && s.gap.next == 0}), true
	}
	if due, ok := s.fetchDue(); ok && !now.Before(due) {
		s.fetching = true
		return s.action(s.wanted(now)), true
	}
	return Action{}, false
}

// Wake returns when Next has something to do without a further input, the
// zero Time if never.
func (s *Sequencer[T]) Wake() time.Time {
	var at time.Time
	if !s.asking {
		at = s.askDue()
	}
	if due, ok := s.fetchDue(); ok && (s.asking || due.Before(at)) {
		at = due
	}
	return at
}

func (s *Sequencer[T]) action(a Action) Action {
	s.count++
	s.stats.Questions++
	a.serial, a.cursor, a.known = s.count, s.cursor, s.Ahead()
	return a
}

func (s *Sequencer[T]) askDue() time.Time { return s.askAt }

// fetchDue returns when a fetch is due, false if none is wanted.
func (s *Sequencer[T]) fetchDue() (time.Time, bool) {
	switch {
	case !s.started || s.fetching || s.gap.open:
		return time.Time{}, false
	case s.search != nil:
		return s.fetchAt, !s.search.over()
	case len(s.hold.heap) > 0:
		return s.fetchAt, true
	case s.known > s.cursor:
		return later(s.fetchAt, s.progress.Add(grace)), true
	case len(s.doubts) > 0:
		return later(s.fetchAt, s.doubtAt), true
	}
	return time.Time{}, false
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// wanted is the fetch that is due.
func (s *Sequencer[T]) wanted(now time.Time) Action {
	if s.search != nil {
		seq := s.search.probe()
		return Action{Kind: Fetch, From: seq, UpTo: seq, Leader: true}
	}
	if len(s.doubts) > 0 && !now.Before(s.doubtAt) {
		seq := s.doubts[0]
		return Action{Kind: Fetch, From: seq, UpTo: seq, Leader: true}
	}
	// Beginning with the last applied entry itself, so that the answer shows
	// whether the log still is the one it was (V1).
	a := Action{Kind: Fetch, From: s.last.Seq, UpTo: s.known, Leader: s.leader || s.unsure}
	if a.From == 0 {
		a.From = 1
	}
	if seq, ok := s.hold.lowest(); ok {
		a.UpTo = seq - 1
	}
	return a
}

// Failed takes the news that an action got no answer: nothing follows from it,
// and it is tried again, entries from the leader and any replica in turn.
func (s *Sequencer[T]) Failed(now time.Time, a Action) {
	if a.Kind == Ask {
		s.asking = false
		s.askAt = now.Add(s.cfg.Retry)
		return
	}
	s.fetching = false
	s.fetchAt = now.Add(s.cfg.Retry)
	s.leader = !a.Leader
	if len(s.doubts) > 0 {
		// There is no leader to compare with. Replicas may have what is missing.
		s.doubtAt = now.Add(s.cfg.Idle)
	}
}
