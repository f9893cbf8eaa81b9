package kill

import (
	"fmt"
	"slices"
	"strings"
)

// check holds what the session received against the log.
func (m *model) check(ss *session, log map[string][]entry) {
	got := make(map[uint64]int, len(ss.got)) // index by position
	for i, e := range ss.got {
		got[e.seq] = i
	}
	end := ss.last
	if ss.complete {
		end = ^uint64(0)
	}
	known := 0
	for room, entries := range log {
		spans := ss.spans(room)
		var run []bool // received, of the entries within a change
		flush := func() {
			m.checkChange(ss, spans[0], run)
			run = nil
		}
		for _, e := range entries {
			i, received := got[e.seq]
			if received {
				known++
				if ss.got[i].name != e.name {
					m.tell(ss, other, false, "at %d is %s in the log, and came as %s", e.seq, e.name, ss.got[i].name)
				}
			}
			if e.seq > end {
				continue
			}
			for e.seq > spans[0].upTo {
				flush()
				spans = spans[1:]
			}
			switch spans[0].state {
			case in:
				if !received {
					m.missed(ss, e)
				}
			case out:
				if received {
					m.tell(ss, phantom, false, "%s at %d for %s, in which it is not", e.name, e.seq, room)
				}
			default:
				run = append(run, received)
			}
		}
		flush()
	}
	if known != len(ss.got) {
		m.tell(ss, other, false, "%d of the %d events that came are not in the log", len(ss.got)-known, len(ss.got))
	}
}

// checkChange checks the entries of a room within a join, of which the last ones
// have to be received, or within a leave, of which the first ones have to be.
func (m *model) checkChange(ss *session, s span, run []bool) {
	if len(run) == 0 {
		return
	}
	if s.state == entering {
		slices.Reverse(run)
	}
	n := 0
	for n < len(run) && run[n] {
		n++
	}
	if slices.Contains(run[n:], true) {
		m.tell(ss, gap, s.change.cut, "of %d events behind %d, while %s was joined or left, some between others are missing", len(run), s.change.after, s.change.room)
	}
}

// missed tells of an entry that was due and did not come.
func (m *model) missed(ss *session, e entry) {
	c := gap
	i, _ := slices.BinarySearchFunc(ss.got, e.seq, func(g entry, seq uint64) int {
		if g.seq < seq {
			return -1
		}
		return 1
	})
	if slices.Contains(ss.returns, i) {
		c = falsely
	}
	m.tell(ss, c, false, "%s at %d for %s did not come; around it came %s; recoveries at %v", e.name, e.seq, e.room, around(ss.got, i), ss.returns)
}

func around(got []entry, i int) string {
	var s []string
	for _, e := range got[max(0, i-2):min(len(got), i+2)] {
		s = append(s, fmt.Sprint(e.seq))
	}
	return strings.Join(s, ", ")
}

// tell notes what is wrong with a session, apart if that is excused.
func (m *model) tell(ss *session, c class, excused bool, format string, args ...any) {
	text := fmt.Sprintf("client %d, session %s: ", ss.client, ss.sid) + fmt.Sprintf(format, args...)
	if ss.apart || excused {
		m.setApart(c, "%s", text)
		return
	}
	m.fault(c, "%s", text)
}

// checkLog checks the log itself: what was acknowledged is there, nothing twice,
// and what was emitted one after the other is in that order.
func (m *model) checkLog(log []entry) (byRoom map[string][]entry) {
	byRoom = make(map[string][]entry)
	at := make(map[string]uint64)
	newest := make(map[string]int)
	for _, e := range log {
		if e.room == "" {
			continue // for all
		}
		byRoom[e.room] = append(byRoom[e.room], e)
		if was := at[e.name]; was > 0 {
			m.fault(double, "%s is in the log at %d and at %d", e.name, was, e.seq)
		}
		at[e.name] = e.seq
		var n int
		kind, origin, _ := strings.Cut(e.name, ":")
		origin, text, _ := strings.Cut(origin, ":")
		_, _ = fmt.Sscan(text, &n)
		if kind == "o" {
			if was, ok := newest[origin]; ok && n < was {
				m.fault(double, "event %d of %s is behind its event %d, which waited for it", n, origin, was)
			}
			newest[origin] = n
		}
	}
	m.mu.Lock()
	var missing []string
	for name := range m.acked {
		if at[name] == 0 {
			missing = append(missing, name)
		}
	}
	m.mu.Unlock()
	slices.Sort(missing)
	for _, name := range missing {
		m.fault(lost, "%s", name)
	}
	return byRoom
}
