package feed

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestModel lets a log grow, expire, lose its tail and be created anew, behind
// a feed that drops, repeats and delays, and replicas that are behind or do
// not answer. When the faults end, what was applied is what the log holds.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		ops := m.ops(rapid.Bool().Draw(t, "rewinds"))
		for range rapid.IntRange(0, 120).Draw(t, "steps") {
			ops[rapid.IntRange(0, len(ops)-1).Draw(t, "op")]()
			m.pump()
		}
		m.settle()
		m.check()
	})
}

// model is the log, the way to it, and what came of it.
type model struct {
	t   *rapid.T
	s   *Sequencer[int64]
	now time.Time

	created int64
	clock   int64
	first   uint64
	entries []Item[int64] // entries[i] has sequence i+1; Size 0 means deleted
	behind  int           // how many of the newest entries replicas lack
	leader  bool          // there is one

	wire []Item[int64] // on its way
	open []Action

	applied []Item[int64]
	began   uint64
	skipped map[uint64]bool // jumped over, of this life of the log
	went    bool            // the log went back, or was created anew
}

func newModel(t *rapid.T) *model {
	m := &model{t: t, now: time.Unix(1000, 0), created: 1, first: 1, leader: true, skipped: map[uint64]bool{}}
	m.s = New(Config{Hold: rapid.SampledFrom([]int{1, 3, 0}).Draw(t, "hold")}, m)
	for range rapid.IntRange(0, 5).Draw(t, "before") {
		m.append()
	}
	m.wire = nil
	return m
}

func (m *model) Apply(it Item[int64]) {
	if n := len(m.applied); n > 0 && m.applied[n-1].Seq >= it.Seq {
		m.t.Fatalf("%d applied after %d", it.Seq, m.applied[n-1].Seq)
	}
	m.applied = append(m.applied, it)
}

func (m *model) Reset(r Reset) {
	switch r.Reason {
	case Start:
		m.began = r.Seq
	case Jump:
		if r.Seq >= m.first {
			m.t.Fatalf("jump to %d, the log begins at %d", r.Seq, m.first)
		}
		for seq := m.reached() + 1; seq <= r.Seq; seq++ {
			m.skipped[seq] = true
		}
	case Rewind:
		if n := len(m.applied); n > 0 && m.applied[0].Seq <= r.Seq && !m.holds(m.applied[0]) && r.Seq == m.first-1 {
			// Nothing is left, and the log begins later than what is gone.
			m.applied, m.began = nil, r.Seq
		}
		m.began = min(m.began, r.Seq)
		for _, it := range m.applied {
			if it.Seq > r.Seq && m.holds(it) {
				m.t.Fatalf("rewind to %d would apply %d again", r.Seq, it.Seq)
			}
		}
		m.applied = slices.DeleteFunc(m.applied, func(it Item[int64]) bool { return it.Seq > r.Seq })
		for seq := range m.skipped {
			if seq > r.Seq {
				delete(m.skipped, seq)
			}
		}
	}
}

// reached is the newest sequence that was applied, skipped or begun after.
func (m *model) reached() uint64 {
	seq := m.began
	if n := len(m.applied); n > 0 {
		seq = max(seq, m.applied[n-1].Seq)
	}
	return seq
}

func (m *model) last() uint64 { return uint64(len(m.entries)) }

// holds reports whether the log has this very entry.
func (m *model) holds(it Item[int64]) bool {
	return it.Seq >= m.first && it.Seq <= m.last() && m.entries[it.Seq-1] == it
}

func (m *model) draw(what string, n int) int { return rapid.IntRange(0, n-1).Draw(m.t, what) }

func (m *model) ops(rewinds bool) []func() {
	ops := []func(){
		m.append, m.append, m.append, m.append,
		m.deliver, m.deliver, m.deliver, m.deliver,
		m.lose, m.repeat,
		m.answer, m.answer, m.answer, m.fail,
		func() { m.behind = m.draw("behind", 4) },
		func() { m.leader = !m.leader },
		func() { m.now = m.now.Add(time.Duration(m.draw("ms", 400)) * time.Millisecond) },
		m.expire,
		m.s.Check, m.s.Suspect,
		func() {
			if m.last() > 0 {
				m.s.Known(m.now, m.last())
			}
		},
	}
	if rewinds {
		return append(ops, m.rewind, m.recreate)
	}
	return append(ops, m.delete)
}

func (m *model) append() {
	m.clock++
	it := Item[int64]{Seq: m.last() + 1, Stored: m.clock, Size: 1, Value: m.clock}
	m.entries = append(m.entries, it)
	m.wire = append(m.wire, it)
}

// deliver hands over something that is on its way, mostly the oldest.
func (m *model) deliver() {
	if len(m.wire) == 0 {
		return
	}
	i := max(0, m.draw("which", len(m.wire)+6)-6)
	it := m.wire[i]
	m.wire = slices.Delete(m.wire, i, i+1)
	m.s.Entry(m.now, it)
}

func (m *model) lose() {
	if n := len(m.wire); n > 0 {
		i := m.draw("lost", n)
		m.wire = slices.Delete(m.wire, i, i+1)
	}
}

func (m *model) repeat() {
	if n := len(m.wire); n > 0 {
		m.wire = append(m.wire, m.wire[m.draw("repeated", n)])
	}
}

func (m *model) delete() {
	if n := len(m.entries); n > 0 {
		i := m.draw("deleted", n)
		m.entries[i].Size = 0
		m.raise()
	}
}

func (m *model) expire() {
	m.first += uint64(m.draw("expired", 4))
	m.first = min(m.first, m.last()+1)
	m.raise()
}

// raise moves first over what was deleted there.
func (m *model) raise() {
	for m.first <= m.last() && m.entries[m.first-1].Size == 0 {
		m.first++
	}
}

// rewind loses the newest entries, as when a majority of a log in memory dies.
func (m *model) rewind() {
	if m.unknown() {
		return
	}
	n := m.draw("kept", len(m.entries)+1)
	m.went = m.went || n < len(m.entries)
	m.entries = m.entries[:n:n]
	m.first = min(m.first, m.last()+1)
	m.raise()
	// An election takes seconds. What the old leader sent has arrived by then,
	// or never will, and the new one was asked.
	for _, it := range m.wire {
		if rapid.Bool().Draw(m.t, "arrives") {
			m.s.Entry(m.now, it)
		}
	}
	m.wire = nil
	m.elect()
}

// unknown reports whether the position is an entry that was gone when it was
// reached, and has no time to be known by: should the log go back at this very
// moment, nobody could tell.
func (m *model) unknown() bool {
	last, ok := m.s.Last()
	return !ok || last.Seq > 0 && last.Stored == 0
}

// elect lets the sequencer notice that there is another leader.
func (m *model) elect() {
	m.s.Suspect()
	m.leader = true
	for range 2 {
		m.pump()
		for len(m.open) > 0 {
			m.answer()
		}
		m.now = m.now.Add(2 * time.Second)
	}
}

func (m *model) recreate() {
	if m.unknown() {
		return
	}
	m.clock++
	m.created = m.clock
	m.entries, m.first, m.went = nil, 1, true
	m.elect()
}

// pump takes what the sequencer wants done.
func (m *model) pump() {
	for a, ok := m.s.Next(m.now); ok; a, ok = m.s.Next(m.now) {
		m.open = append(m.open, a)
	}
}

func (m *model) take() (Action, bool) {
	if len(m.open) == 0 {
		return Action{}, false
	}
	a := m.open[0]
	m.open = m.open[1:]
	return a, true
}

func (m *model) fail() {
	if a, ok := m.take(); ok {
		m.s.Failed(m.now, a)
	}
}

func (m *model) answer() {
	a, ok := m.take()
	switch {
	case !ok:
	case a.Kind == Ask:
		m.s.Info(m.now, a, m.info(a.Deleted))
	case a.Leader && !m.leader:
		m.s.Failed(m.now, a)
	default:
		m.s.Fetched(m.now, a, m.fetch(a))
	}
}

func (m *model) info(deleted bool) Info {
	in := Info{Created: m.created, First: m.first, Last: m.last(), Leader: m.leader}
	if n := len(m.entries); n > 0 {
		in.LastStored = m.entries[n-1].Stored
	}
	if !m.leader {
		in.Last -= min(in.Last, uint64(m.behind))
		in.First = 1
	}
	for _, it := range m.entries {
		if deleted && it.Size == 0 && it.Seq >= m.first {
			in.Deleted = append(in.Deleted, it.Seq)
		}
	}
	return in
}

func (m *model) fetch(a Action) []Item[int64] {
	there := m.entries
	if !a.Leader {
		there = there[:len(there)-min(len(there), m.behind)]
	}
	var list []Item[int64]
	for _, it := range there {
		if it.Size > 0 && it.Seq >= a.From && it.Seq >= m.first && len(list) < 4 {
			list = append(list, it)
		}
	}
	return list
}

// settle lets everything come right, by the timers of the sequencer alone.
func (m *model) settle() {
	m.leader, m.behind = true, 0
	for end := m.now.Add(2 * time.Minute); m.now.Before(end); {
		for len(m.wire) > 0 {
			it := m.wire[0]
			m.wire = m.wire[1:]
			m.s.Entry(m.now, it)
		}
		m.pump()
		for len(m.open) > 0 {
			m.answer()
			m.pump()
		}
		at := m.s.Wake()
		if !at.After(m.now) {
			m.t.Fatalf("wake at %v, it is %v", at, m.now)
		}
		m.now = at
	}
}

func (m *model) check() {
	if r := m.s.Reached(); r != m.last() {
		m.t.Fatalf("reached %d, the log ends at %d", r, m.last())
	}
	if !m.went && m.s.Stats().Rewinds > 0 {
		m.t.Fatal("a rewind, and the log never went back")
	}
	at := map[uint64]Item[int64]{}
	for _, it := range m.applied {
		at[it.Seq] = it
		// One that was deleted cannot be compared any more.
		if there := m.entries[it.Seq-1]; there.Value != it.Value && there.Size > 0 && it.Seq >= m.first {
			m.t.Fatalf("at %d %d was applied, the log has %d", it.Seq, it.Value, there.Value)
		}
	}
	for _, it := range m.entries {
		if _, ok := at[it.Seq]; !ok && it.Seq > m.began && it.Seq >= m.first && it.Size > 0 && !m.skipped[it.Seq] {
			m.t.Fatalf("%d was not applied: began at %d", it.Seq, m.began)
		}
	}
}
