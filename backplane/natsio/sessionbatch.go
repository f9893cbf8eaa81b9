package natsio

import (
	"container/list"
	"time"
)

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

// burst is the number of small messages in a row that do not wait for each
// other: a handler that joins some rooms waits for each of them.
const burst = 8

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
	// Those that come together share a message; one that comes alone does not
	// wait, nor do some in a row.
	if wait := j.pace.Sub(now); wait > 0 && j.due.Len() > 0 && j.dueBytes < j.cfg.BatchBytes {
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
		return nil, finished, j.cfg.Batch
	}
	j.number = b.number
	if earliest := now.Add(-burst * j.cfg.Batch); j.pace.Before(earliest) {
		j.pace = earliest
	}
	if j.pace = j.pace.Add(j.cfg.Batch); j.pace.After(now.Add(j.cfg.Batch)) {
		j.pace = now.Add(j.cfg.Batch)
	}
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
	switch {
	case j.behind > 0:
		return j.cfg.cycle() / 64
	case j.fresh:
		return time.Hour // nothing is stored, and nothing ends
	}
	return max(j.began.Add(j.cfg.cycle()).Sub(now), time.Millisecond)
}
