package natsio

import (
	"container/list"
	"sync"
	"time"

	"github.com/siod-io/siod/backplane"
)

// journal is the newest state of each session of this node, and what of it has
// to be stored next. It does no input or output.
//
// It is stored in two spaces, a subject each, of which one is current. What is
// recorded goes to the current one. In the course of a cycle so does, little by
// little, every session that did not change; when the last one is there, the
// other space holds nothing of use. It becomes the current one, and the first
// message of the new cycle removes what was in it. So the store holds each
// session twice at most, beside the changes of two cycles; records of ended
// sessions go by themselves, never before the older ones they cancel; and no
// record that counts is older than one and a half cycles.
type journal struct {
	home string
	cfg  SessionConfig

	mu       sync.Mutex
	sessions map[string]*journaled // by pid
	due      list.List             // of *journaled: changed, in the order of the changes
	dueBytes int                   // of these
	kept     list.List             // of *journaled: stored as they are, in the order of storing
	idle     []*recording          // calls that wait for nothing
	waiting  int                   // calls that are not finished
	closed   bool

	number uint64    // of the newest message
	cycle  uint64    // from 1
	fresh  bool      // nothing of this cycle was stored yet
	began  time.Time // the cycle
	behind int       // sessions stored in an earlier cycle and not in this one
	toMove int       // behind, when the cycle began
	sent   time.Time // the newest message
	life   uint64    // of the store: goes up when it lost its records
	wipe   uint64    // spaces to be emptied before anything is stored
}

// journaled is one session.
type journaled struct {
	backplane.SessionRecord
	at      *list.Element // in due or kept; nil while a message holds it
	changed bool          // it is in due
	sent    bool          // a message held it, so that the store may
	cycle   uint64        // in which it was stored last; 0 for not at all
	calls   []*recording  // that wait for the next message
}

// recording is one Record call.
type recording struct {
	done func(error)
	left int // records not stored yet
}

// batch is one message.
type batch struct {
	number uint64
	space  uint64 // 0 or 1
	first  bool   // it removes what was in the space
	wipes  bool   // it does nothing else
	data   []byte

	cycle, life uint64
	sessions    []*journaled
	ended       []bool // of each, as it is in the message
	moved       int    // of them did not change
	calls       []*recording
}

// moveBytes is the most of one message that unchanged sessions take.
const moveBytes = 64 << 10

func newJournal(home string, cfg SessionConfig, now time.Time) *journal {
	return &journal{home: home, cfg: cfg, sessions: make(map[string]*journaled), cycle: 1, fresh: true, began: now}
}

// record takes one call.
func (j *journal) record(changes []backplane.SessionRecord, done func(error)) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		return backplane.ErrClosed
	case j.waiting >= j.cfg.Waiting:
		return backplane.ErrLogBusy
	}
	j.waiting++
	rec := &recording{done: done}
	for _, r := range changes {
		e := j.sessions[r.PID]
		if e == nil {
			if r.State == nil {
				continue // the store has nothing of it
			}
			e = &journaled{}
			j.sessions[r.PID] = e
		}
		if e.changed {
			j.dueBytes += len(r.State) - len(e.State)
		}
		e.SessionRecord = r
		rec.left++
		e.calls = append(e.calls, rec)
		j.change(e)
	}
	if rec.left == 0 {
		j.idle = append(j.idle, rec)
	}
	return nil
}

// change has a session stored. The caller holds mu.
func (j *journal) change(e *journaled) {
	if e.changed {
		return
	}
	if e.at != nil {
		j.kept.Remove(e.at)
	}
	e.changed = true
	e.at = j.due.PushBack(e)
	j.dueBytes += size(e)
}

// next returns the next message, if one is due, or how long none is. Until
// stored was called, it must not be called again. finished are calls that end
// with nil now.
func (j *journal) next(now time.Time) (b *batch, finished []*recording, wait time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	finished, j.idle = j.idle, nil
	j.waiting -= len(finished)
	if j.wipe > 0 {
		j.number++
		b = &batch{number: j.number, space: j.wipe % 2, first: true, wipes: true, life: j.life}
		b.data = appendJournal(nil, j.home, b.number)
		return b, finished, 0
	}
	j.turn(now)
	move := j.quota(now)
	if j.due.Len() == 0 && move == 0 {
		return nil, finished, j.untilMove(now)
	}
	// Those that come at the same time share a message; one that comes alone
	// does not wait.
	if wait := j.cfg.Batch - now.Sub(j.sent); wait > 0 && j.due.Len() > 0 && j.dueBytes < j.cfg.BatchBytes {
		return nil, finished, wait
	}
	b = &batch{number: j.number + 1, space: j.cycle % 2, first: j.fresh, cycle: j.cycle, life: j.life}
	b.data = appendJournal(make([]byte, 0, 1<<10), j.home, b.number)
	for e := j.due.Front(); e != nil && j.fits(b, e, j.cfg.BatchBytes); e = j.due.Front() {
		finished = append(finished, j.put(b, &j.due)...)
	}
	for most := min(len(b.data)+moveBytes, j.cfg.BatchBytes); move > 0; move-- {
		e := j.kept.Front()
		if e == nil || e.Value.(*journaled).cycle == j.cycle || !j.fits(b, e, most) {
			break
		}
		j.put(b, &j.kept)
		b.moved++
	}
	if len(b.sessions) == 0 { // all had ended before they were ever stored
		return nil, finished, 0
	}
	j.number, j.sent = b.number, now
	return b, finished, 0
}

func size(e *journaled) int { return len(e.PID) + len(e.State) + recordOverhead }

// fits reports whether a session fits in a message; the first one always does.
func (j *journal) fits(b *batch, e *list.Element, most int) bool {
	return len(b.sessions) == 0 || len(b.data)+size(e.Value.(*journaled)) <= most
}

// put moves the first session of a list to a message. It returns calls that are
// finished since the session ended before anything of it was sent.
func (j *journal) put(b *batch, from *list.List) (finished []*recording) {
	e := from.Remove(from.Front()).(*journaled)
	if e.changed {
		j.dueBytes -= size(e)
	}
	e.at, e.changed = nil, false
	calls := e.calls
	e.calls = nil
	if e.State == nil && !e.sent {
		delete(j.sessions, e.PID)
		return j.settle(calls)
	}
	e.sent = true
	b.data = appendRecord(b.data, j.home, e.SessionRecord)
	b.sessions = append(b.sessions, e)
	b.ended = append(b.ended, e.State == nil)
	b.calls = append(b.calls, calls...)
	return nil
}

// settle notes that a record was stored for each of calls, and returns those
// for which it was the last one.
func (j *journal) settle(calls []*recording) (finished []*recording) {
	for _, c := range calls {
		if c.left--; c.left == 0 {
			finished = append(finished, c)
			j.waiting--
		}
	}
	return finished
}

// stored notes that a message is stored, and returns the calls that are
// finished.
func (j *journal) stored(b *batch) (finished []*recording) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case b.life != j.life: // all of them are due again
	case b.wipes:
		j.wipe--
	default:
		j.fresh = false
		for i, e := range b.sessions {
			if e.cycle != 0 && e.cycle < j.cycle {
				j.behind--
			}
			e.cycle = b.cycle
			switch {
			case e.changed: // again, while the message was under way
			case b.ended[i]:
				delete(j.sessions, e.PID)
			default:
				e.at = j.kept.PushBack(e)
			}
		}
	}
	return j.settle(b.calls)
}

// turn begins a new cycle when this one is over. No message is under way. A
// cycle of which nothing was stored goes on: it did not remove what was in its
// space before, and the records that cancel this are in the other one.
func (j *journal) turn(now time.Time) {
	if now.Sub(j.began) < j.cfg.cycle() || j.behind > 0 || j.fresh {
		return
	}
	j.cycle++
	j.began, j.fresh = now, true
	j.behind = 0
	for _, e := range j.sessions {
		if e.cycle != 0 {
			j.behind++
		}
	}
	j.toMove = j.behind
}

// quota returns how many unchanged sessions should be stored again now, so that
// all are in the first half of the cycle.
func (j *journal) quota(now time.Time) int {
	if j.behind == 0 {
		return 0
	}
	part := float64(now.Sub(j.began)) / float64(j.cfg.cycle()/2)
	return max(0, j.behind-int(float64(j.toMove)*(1-min(part, 1))))
}

// untilMove returns when to look again, if nothing else happens.
func (j *journal) untilMove(now time.Time) time.Duration {
	if j.behind > 0 {
		return j.cfg.cycle() / 64
	}
	return max(j.began.Add(j.cfg.cycle()).Sub(now), j.cfg.cycle()/64)
}

// lost has everything stored again, since the store lost it, or a part: what is
// left of it is removed before.
func (j *journal) lost(now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.life++
	j.wipe = 2
	j.began, j.fresh, j.behind, j.toMove = now, true, 0, 0
	for _, e := range j.sessions {
		e.cycle = 0
		j.change(e)
	}
}

// close returns all calls that wait. No more are taken.
func (j *journal) close(flying *batch) (failed []*recording) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	seen := make(map[*recording]bool)
	add := func(calls []*recording) {
		for _, c := range calls {
			if !seen[c] {
				seen[c] = true
				failed = append(failed, c)
			}
		}
	}
	add(j.idle)
	if flying != nil {
		add(flying.calls)
	}
	for e := j.due.Front(); e != nil; e = e.Next() {
		add(e.Value.(*journaled).calls)
	}
	clear(j.sessions)
	j.due.Init()
	j.kept.Init()
	j.idle, j.waiting, j.dueBytes = nil, 0, 0
	return failed
}
