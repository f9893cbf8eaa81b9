package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/siod-io/siod/backplane"
)

// journal records this node's sessions where other nodes find them when it is
// killed (V5, V6). It is nil where the backplane stores no sessions.
//
// A session is recorded for the first time some moment after its client was let
// in; until then it is not found. From then on a change of it is stored before
// it is made: a record that is missing costs a recovery, and one that is out
// of date would make a false one.
type journal struct {
	rec   *recovery
	store backplane.Sessions

	mu    sync.Mutex // a leaf
	fresh map[*session]struct{}
	over  []backplane.SessionRecord // of sessions that ended
	wake  chan struct{}             // capacity 1

	loads loads
}

const (
	// commitTimeout bounds the wait for a change to be stored. It is made then
	// all the same, and stored when that is possible.
	commitTimeout = 500 * time.Millisecond

	// journalBatch is how many records are made at a time.
	journalBatch = 256

	journalRetry = 20 * time.Millisecond
)

// ErrNotJournaled: the change was made, and could not be stored in time. Until
// it is, which is tried on, a client whose server is killed comes back without
// it (V6).
var ErrNotJournaled = errors.New("node: change of a session is not stored yet")

func newJournal(r *recovery, store backplane.Sessions) *journal {
	j := &journal{rec: r, store: store, fresh: make(map[*session]struct{}), wake: make(chan struct{}, 1)}
	j.loads.init(r.srv.cfg.Recovery.Window)
	return j
}

// start watches who owns sessions, and starts the goroutine that records them.
func (j *journal) start(ctx context.Context) error {
	sub, err := j.store.WatchOwners(ctx, j)
	if err != nil {
		return fmt.Errorf("node: session store: %w", err)
	}
	j.rec.srv.subs = append(j.rec.srv.subs, sub)
	j.rec.srv.tasks.start(j.run)
	return nil
}

// later has a session recorded soon.
func (j *journal) later(ss *session) {
	if j == nil {
		return
	}
	j.mu.Lock()
	j.fresh[ss] = struct{}{}
	j.mu.Unlock()
	j.nudge()
}

// ended has the record of a session dropped.
func (j *journal) ended(pid string, generation uint64) {
	j.mu.Lock()
	j.over = append(j.over, backplane.SessionRecord{PID: pid, Generation: generation})
	j.mu.Unlock()
	j.nudge()
}

func (j *journal) nudge() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// run records what is to be recorded soon, and renews what moved here before
// the store forgets it.
func (j *journal) run() {
	renew := time.NewTicker(max(j.rec.srv.cfg.Recovery.Window/3, time.Millisecond))
	defer renew.Stop()
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-j.wake:
		case <-retry.C:
		case <-renew.C:
			j.renew()
		case <-j.rec.srv.ctx.Done():
			return
		}
		for more := true; more && j.rec.srv.ctx.Err() == nil; {
			var busy bool
			more, busy = j.recordSome()
			if busy {
				retry.Reset(journalRetry)
				break
			}
		}
	}
}

// recordSome makes a batch of records. It reports whether there are more, and
// whether some could not be made since they are changing.
func (j *journal) recordSome() (more, busy bool) {
	j.mu.Lock()
	batch := make([]*session, 0, min(len(j.fresh), journalBatch))
	for ss := range j.fresh {
		if len(batch) == journalBatch {
			more = true
			break
		}
		delete(j.fresh, ss)
		batch = append(batch, ss)
	}
	records := j.over
	j.over = nil
	j.mu.Unlock()
	var held, changing []*session
	for _, ss := range batch {
		if !ss.pen.TryLock() {
			changing, busy = append(changing, ss), true
			continue
		}
		held = append(held, ss)
		if rec, ok := ss.draft(nil, true); ok {
			records = append(records, rec)
		}
	}
	if len(records) > 0 {
		// What comes after this is stored after it: the order is the calls'.
		if err := j.record(records, func(error) {}); err != nil && !errors.Is(err, backplane.ErrClosed) {
			busy = true
			j.again(held, records)
		}
	}
	for _, ss := range held {
		ss.pen.Unlock()
	}
	j.again(changing, nil)
	return more, busy
}

// again has what could not be recorded now recorded at the next try.
func (j *journal) again(sessions []*session, records []backplane.SessionRecord) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, ss := range sessions {
		j.fresh[ss] = struct{}{}
	}
	for _, rec := range records {
		if rec.State == nil {
			j.over = append(j.over, rec)
		}
	}
}

// record hands records to the store. One that is too large is dropped from it,
// since the one that is there would be out of date: its client recovers on this
// node only.
func (j *journal) record(records []backplane.SessionRecord, done func(error)) error {
	err := j.store.Record(records, done)
	if _, large := errors.AsType[*backplane.LimitError](err); !large {
		return err
	}
	if len(records) > 1 {
		half := len(records) / 2
		both := afterTwo(done)
		if err := j.record(records[:half], both); err != nil {
			return err
		}
		return j.record(records[half:], both)
	}
	if records[0].State == nil {
		return err
	}
	j.rec.srv.stats.notJournaled.Add(1)
	if ss := j.rec.session(records[0].PID); ss != nil && ss.grewLarge() {
		j.rec.srv.cfg.Logger.Warn("a session is too large to be stored: its client recovers on this node only", "err", err)
	}
	return j.store.Record([]backplane.SessionRecord{{PID: records[0].PID, Generation: records[0].Generation}}, done)
}

// grewLarge notes that a record of the session was too large, and reports whether
// that is news.
func (ss *session) grewLarge() bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	news := !ss.large
	ss.large = true
	return news
}

func (ss *session) isLarge() bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.large
}

// afterTwo returns a function that calls done when it is called for the second
// time, with the first error.
func afterTwo(done func(error)) func(error) {
	var mu sync.Mutex
	var calls int
	var first error
	return func(err error) {
		mu.Lock()
		calls++
		first = cmp.Or(first, err)
		last := calls == 2
		mu.Unlock()
		if last {
			done(first)
		}
	}
}

// commit has records stored, and returns ErrNotJournaled if that takes too long.
func (j *journal) commit(records []backplane.SessionRecord) error {
	done := make(chan error, 1)
	if err := j.record(records, func(err error) { done <- err }); err != nil {
		j.rec.srv.stats.notJournaled.Add(uint64(len(records)))
		return fmt.Errorf("%w: %w", ErrNotJournaled, err)
	}
	t := time.NewTimer(commitTimeout)
	defer t.Stop()
	select {
	case err := <-done:
		if err == nil {
			return nil
		}
		j.rec.srv.stats.notJournaled.Add(uint64(len(records)))
		return fmt.Errorf("%w: %w", ErrNotJournaled, err)
	case <-t.C:
		j.rec.srv.stats.notJournaled.Add(uint64(len(records)))
		return ErrNotJournaled
	}
}

// renew tells the store that this node still owns what moved here. It keeps
// the records of the sessions themselves.
func (j *journal) renew() {
	var owned []backplane.Owner
	for _, ss := range j.rec.all() {
		if o, ok := ss.owned(); ok {
			owned = append(owned, o)
		}
	}
	j.loads.prune()
	if len(owned) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(j.rec.srv.ctx, j.rec.srv.cfg.Recovery.Window/3)
	defer cancel()
	lost, err := j.store.Renew(ctx, owned)
	if err != nil {
		j.rec.srv.cfg.Logger.Warn("owners of sessions cannot be renewed", "sessions", len(owned), "err", err)
	}
	for _, o := range lost {
		if now, err := j.store.Owner(ctx, o.PID); err == nil { // else the watch tells
			j.Owned(now)
		}
	}
}

// flush stores all sessions as they are at the end of a graceful stop, so that
// their clients find them elsewhere, with what was emitted to them alone.
func (j *journal) flush() {
	if j == nil {
		return
	}
	var records []backplane.SessionRecord
	for _, ss := range j.rec.all() {
		ss.pen.Lock()
		if rec, ok := ss.draftWhole(); ok {
			records = append(records, rec)
		}
		ss.pen.Unlock()
	}
	for part := range slices.Chunk(records, journalBatch) {
		if j.commit(part) != nil {
			return
		}
	}
}

// Owned implements backplane.SessionHandler: another node has a session that
// this one still holds, since it could not be asked for it.
func (j *journal) Owned(o backplane.Owner) {
	if o.Node == j.rec.srv.id {
		return
	}
	if ss := j.rec.session(o.PID); ss != nil {
		ss.fence(o)
	}
}

// Forgotten implements backplane.SessionHandler: sessions whose clients are away
// may be owned by others by now, and nobody can tell (V5).
func (j *journal) Forgotten() {
	for _, ss := range j.rec.all() {
		if !ss.drop() {
			j.later(ss)
		}
	}
}

// recorded is a session as it is stored: what take hands over, and no more.
func encodeRecord(pid string, t *taken) backplane.SessionRecord {
	return backplane.SessionRecord{PID: pid, Generation: t.Moves, State: encodeTaken(t)}
}

func decodeRecord(rec backplane.SessionRecord) (*taken, bool) {
	var t taken
	if len(rec.State) == 0 || jsonv2.Unmarshal(rec.State, &t, takenJSON) != nil || t.Session == nil || t.Moves != rec.Generation {
		return nil, false
	}
	return &t, true
}

// byPID orders sessions, for whoever locks several.
func byPID(a, b *session) int { return strings.Compare(a.pid, b.pid) }

var _ backplane.SessionHandler = (*journal)(nil)
