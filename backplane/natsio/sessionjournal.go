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
	pace   time.Time // no small message before
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
