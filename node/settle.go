package node

import (
	"time"

	"github.com/siod-io/siod/node/internal/resume"
)

// The ring is trimmed now and then and not with every entry: before something
// leaves it, each session notes what of it was its own. So a session that gets
// nothing for longer than the ring reaches back can be continued all the same.
const (
	settleParts  = 8  // of the recovery window, between two looks
	refreshParts = 4  // of it, between two records of a session that does not change
	refreshSlots = 16 // parts of all sessions that are recorded one after the other

	trimSteps = 4096 // entries that the ring drops while the log waits
)

// age is how far back the ring reaches: a session that another node takes from
// the journal is known up to its latest record.
func (f *feed) age() time.Duration {
	w := f.srv.cfg.Recovery.Window
	return w + w/refreshParts
}

// runSettle trims the ring until the server ends.
func (r *recovery) runSettle() {
	tick := time.NewTicker(max(r.srv.cfg.Recovery.Window/settleParts, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.settle(r.srv.cfg.Recovery.MaxBytes)
		case <-r.feed.crowded:
			// Somewhat below the bound, so that it is not reached at once again.
			r.settle(r.srv.cfg.Recovery.MaxBytes / 8 * 7)
		case <-r.srv.ctx.Done():
			return
		}
	}
}

// settle trims the ring to its age and to a number of bytes.
func (r *recovery) settle(maxBytes int) {
	f := r.feed
	f.mu.Lock()
	to := f.ring.Due(f.ring.Stored().Add(-f.age()), maxBytes)
	due, life := to > f.ring.Base().Seq, f.life
	f.mu.Unlock()
	if !due {
		return
	}
	// Who begins or comes from another node meanwhile does not need it: what it
	// knows is newer, or it says so.
	for _, ss := range r.all() {
		ss.settle(to, life)
	}
	for more := true; more; {
		f.mu.Lock()
		more = f.life == life && f.ring.TrimTo(to, trimSteps)
		f.mu.Unlock()
	}
}

// settle has the history look at what is about to leave the ring, unless
// positions have got another meaning since.
func (ss *session) settle(to, life uint64) {
	f := ss.rec.feed
	ss.mu.Lock()
	defer ss.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.life == life {
		ss.history.Settle(&f.ring, to)
	}
}

// runRefresh has sessions recorded anew, some at a time, until the server ends:
// how far a session is known must not be much older than the ring of the node
// that takes it from the journal.
func (r *recovery) runRefresh() {
	tick := time.NewTicker(max(r.srv.cfg.Recovery.Window/refreshParts/refreshSlots, time.Millisecond))
	defer tick.Stop()
	for slot := 0; ; slot = (slot + 1) % refreshSlots {
		select {
		case <-tick.C:
		case <-r.srv.ctx.Done():
			return
		}
		for _, ss := range r.all() {
			if int(ss.pid[len(ss.pid)-1])%refreshSlots == slot && !ss.isLarge() {
				r.journal.later(ss)
			}
		}
	}
}

// state is a history for another node, and kept that part of it which survives
// this one.
func (f *feed) state(h *resume.History) resume.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return h.State(&f.ring, f.p)
}

func (f *feed) kept(h *resume.History) resume.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return h.Kept(&f.ring, f.p)
}
