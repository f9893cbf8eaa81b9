package natsio

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/siod-io/siod/backplane"
)

// spaces is what the store holds of one journal.
type spaces struct{ messages []storedMessage }

type storedMessage struct {
	space uint64
	data  []byte
	at    time.Time
}

func (s *spaces) store(b *batch, now time.Time) {
	if b.first {
		keep := s.messages[:0:0]
		for _, m := range s.messages {
			if m.space != b.space {
				keep = append(keep, m)
			}
		}
		s.messages = keep
	}
	s.messages = append(s.messages, storedMessage{b.space, b.data, now})
}

// load reads the journal as another node does, counts the records, and returns
// when the oldest of those that count was stored.
func (s *spaces) load(home string) (states map[string]string, stored int, oldest time.Time, err error) {
	states = make(map[string]string)
	at := make(map[string]time.Time)
	var newest uint64
	for _, m := range s.messages {
		err := readJournal(m.data, backplane.Limits{}, func(from string, number uint64) bool {
			ok := from == home && number > newest
			newest = max(newest, number)
			return ok
		}, func(r backplane.SessionRecord) {
			stored++
			delete(at, r.PID)
			delete(states, r.PID)
			if r.State != nil {
				states[r.PID], at[r.PID] = string(r.State), m.at
			}
		})
		if err != nil {
			return nil, 0, oldest, err
		}
	}
	for _, t := range at {
		if oldest.IsZero() || t.Before(oldest) {
			oldest = t
		}
	}
	return states, stored, oldest, nil
}

// TestJournalModel: at every moment the store holds, of each session whose
// record was acknowledged, the newest acknowledged state or a newer one; it
// never holds an ended one; and it stays small.
func TestJournalModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cfg := SessionConfig{Window: time.Minute, BatchBytes: 300}.withDefaults()
		now := time.Unix(1000, 0)
		m := &model{
			t: t, cfg: cfg, now: now,
			j:      newJournal("home", cfg, now),
			states: make(map[string][]string),
			acked:  make(map[string]int),
			done:   make(map[int]int),
		}
		t.Repeat(map[string]func(*rapid.T){
			"record":  m.record,
			"advance": m.advance,
			"send":    m.send,
			"answer":  func(*rapid.T) { m.answer() },
			"lose":    func(*rapid.T) { m.lose() },
			"":        func(*rapid.T) { m.check() },
		})
		m.settle()
	})
}

// ended is the state of a session that ended, or never was.
const ended = ""

type model struct {
	t     *rapid.T
	cfg   SessionConfig
	j     *journal
	store spaces
	now   time.Time

	flying *batch
	taken  bool // the store has it, and the journal does not know

	states map[string][]string // by pid: all that were recorded; first comes ended, as it began
	acked  map[string]int      // the newest of these whose call was done
	acks   []func()            // of each call, when it is done
	done   map[int]int         // how often it was
	wild   bool                // the store lost records, and not all are stored again
}

func (m *model) record(t *rapid.T) {
	n := rapid.IntRange(0, 4).Draw(t, "records")
	var changes []backplane.SessionRecord
	var acks []func()
	for range n {
		pid := fmt.Sprint("home.", rapid.IntRange(0, 9).Draw(t, "pid"))
		state := rapid.SampledFrom([]string{ended, "a", "b", "c", "dddddddddddddddddddddddddddddddddddddddddddddddd"}).Draw(t, "state")
		r := backplane.SessionRecord{PID: pid}
		if state != ended {
			state += fmt.Sprint(len(m.acks)) // another one each time
			r.State = []byte(state)
		}
		changes = append(changes, r)
		if len(m.states[pid]) == 0 {
			m.states[pid] = []string{ended}
		}
		at := len(m.states[pid])
		m.states[pid] = append(m.states[pid], state)
		acks = append(acks, func() { m.acked[pid] = max(m.acked[pid], at) })
	}
	call := len(m.acks)
	m.acks = append(m.acks, func() {
		for _, f := range acks {
			f()
		}
	})
	if err := m.j.record(changes, func(err error) {
		if err != nil {
			m.t.Fatalf("call %d: %v", call, err)
		}
		if m.done[call]++; m.done[call] > 1 {
			m.t.Fatalf("done of call %d is called again", call)
		}
		m.acks[call]()
	}); err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) advance(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.SampledFrom([]int{1, 10, 3_000, 12_000, 25_000}).Draw(t, "ms")) * time.Millisecond)
}

func finish(calls []*recording) {
	for _, c := range calls {
		c.done(nil)
	}
}

// send has the next message stored, or lost on its way.
func (m *model) send(t *rapid.T) {
	if m.flying == nil {
		b, finished, _ := m.j.next(m.now)
		finish(finished)
		m.flying, m.taken = b, false
	}
	if m.flying != nil && !m.taken && rapid.Bool().Draw(t, "arrives") {
		m.store.store(m.flying, m.now)
		m.taken = true
	}
}

// answer says that the message was stored.
func (m *model) answer() {
	if m.flying != nil && m.taken {
		finish(m.j.stored(m.flying))
		m.flying = nil
	}
}

// lose has the store lose its newest message, as one in memory can.
func (m *model) lose() {
	if m.taken && m.flying != nil || len(m.store.messages) == 0 {
		return
	}
	m.store.messages = m.store.messages[:len(m.store.messages)-1]
	m.wild = true
	m.j.lost(m.now)
}

func (m *model) check() {
	got, _, _, err := m.store.load("home")
	if err != nil {
		m.t.Fatal(err)
	}
	if m.wild {
		return
	}
	for pid, states := range m.states {
		if may := states[m.acked[pid]:]; !slices.Contains(may, got[pid]) {
			m.t.Fatalf("%s is loaded as %q, and may be one of %q", pid, got[pid], may)
		}
	}
}

// settle stores all that waits, and lets some cycles pass.
func (m *model) settle() {
	for end := m.now.Add(8 * m.cfg.cycle()); m.now.Before(end); m.check() {
		if m.flying == nil {
			b, finished, wait := m.j.next(m.now)
			finish(finished)
			if m.flying, m.taken = b, false; b == nil {
				m.now = m.now.Add(min(wait, time.Second))
				continue
			}
		}
		if !m.taken {
			m.store.store(m.flying, m.now)
			m.taken = true
		}
		m.answer()
		m.wild = m.wild && (m.j.wipe > 0 || m.j.due.Len() > 0)
	}
	for call := range m.acks {
		if m.done[call] != 1 {
			m.t.Fatalf("done of call %d was called %d times", call, m.done[call])
		}
	}
	want := make(map[string]string)
	for pid, states := range m.states {
		if s := states[len(states)-1]; s != ended {
			want[pid] = s
		}
	}
	got, stored, oldest, err := m.store.load("home")
	if err != nil {
		m.t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Fatalf("in the end (-recorded +stored):\n%s", diff)
	}
	if stored > 2*len(want) && len(want) > 0 {
		m.t.Fatalf("%d records are stored of %d sessions", stored, len(want))
	}
	if age := m.now.Sub(oldest); len(want) > 0 && age > m.cfg.cycle()*3/2+time.Second {
		m.t.Fatalf("a record is %v old, with cycles of %v", age, m.cfg.cycle())
	}
	if m.j.waiting != 0 || m.j.dueBytes != 0 || len(m.j.sessions) != len(want) {
		m.t.Fatalf("%d calls wait, %d bytes are due, %d sessions of %d", m.j.waiting, m.j.dueBytes, len(m.j.sessions), len(want))
	}
}

// TestJournalIdleCycle: a record that cancels an older one goes only after it,
// however long nothing is stored between.
func TestJournalIdleCycle(t *testing.T) {
	t.Parallel()
	cfg := SessionConfig{Window: time.Minute}.withDefaults()
	now := time.Unix(1000, 0)
	j := newJournal("home", cfg, now)
	var store spaces
	step := func(changes ...backplane.SessionRecord) {
		t.Helper()
		if err := j.record(changes, func(error) {}); err != nil {
			t.Fatal(err)
		}
		for range 5 { // cycles
			now = now.Add(cfg.cycle() + time.Second)
			for b, _, _ := j.next(now); b != nil; b, _, _ = j.next(now) {
				store.store(b, now)
				j.stored(b)
				now = now.Add(cfg.Batch)
			}
		}
	}
	step(backplane.SessionRecord{PID: "home.1", State: []byte("x")})
	step(backplane.SessionRecord{PID: "home.1"})
	step(backplane.SessionRecord{PID: "home.2", State: []byte("y")})
	got, _, _, err := store.load("home")
	if diff := cmp.Diff(map[string]string{"home.2": "y"}, got); err != nil || diff != "" {
		t.Errorf("%v, journal (-want +got):\n%s", err, diff)
	}
}

// TestJournalBatches: changes that come together share a message, one that
// comes alone does not wait, and a full message does not either.
func TestJournalBatches(t *testing.T) {
	t.Parallel()
	cfg := SessionConfig{BatchBytes: 4 << 10}.withDefaults()
	now := time.Unix(1000, 0)
	j := newJournal("home", cfg, now)
	record := func(n, size int) {
		t.Helper()
		for i := range n {
			r := backplane.SessionRecord{PID: fmt.Sprint("home.", i), State: make([]byte, size)}
			if err := j.record([]backplane.SessionRecord{r}, func(error) {}); err != nil {
				t.Fatal(err)
			}
		}
	}
	next := func(sessions int, wait time.Duration) {
		t.Helper()
		b, _, w := j.next(now)
		got := 0
		if b != nil {
			got = len(b.sessions)
			j.stored(b)
		}
		if got != sessions || w != wait {
			t.Errorf("a message of %d sessions, %v to wait; want %d and %v", got, w, sessions, wait)
		}
	}
	for range burst + 1 { // each waits for the one before
		record(1, 10)
		next(1, 0)
	}
	now = now.Add(time.Millisecond)
	record(3, 10)
	record(2, 10) // again
	next(0, 4*time.Millisecond)
	now = now.Add(4 * time.Millisecond)
	next(3, 0)
	record(22, 1000)
	for range 5 {
		next(4, 0)
	}
	next(0, 5*time.Millisecond) // 2 are left
	now = now.Add(5 * time.Millisecond)
	next(2, 0)
	record(1, 100_000) // more than a message should have
	next(1, 0)
}

// TestJournalBusy: the calls that wait are bounded.
func TestJournalBusy(t *testing.T) {
	t.Parallel()
	cfg := SessionConfig{Waiting: 3}.withDefaults()
	j := newJournal("home", cfg, time.Now())
	r := []backplane.SessionRecord{{PID: "home.1", State: []byte("x")}}
	for range 3 {
		if err := j.record(r, func(error) {}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.record(r, func(error) { t.Error("done was called") }); !errors.Is(err, backplane.ErrLogBusy) {
		t.Errorf("one more: %v", err)
	}
	b, _, _ := j.next(time.Now())
	if n := len(j.stored(b)); n != 3 {
		t.Errorf("%d calls are finished", n)
	}
	if err := j.record(r, func(error) {}); err != nil {
		t.Error(err)
	}
	if n := len(j.close(nil)); n != 1 {
		t.Errorf("%d calls failed", n)
	}
	if err := j.record(r, func(error) {}); !errors.Is(err, backplane.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
