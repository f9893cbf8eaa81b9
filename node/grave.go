package node

import (
	"slices"
	"time"

	"github.com/siod-io/siod/backplane"
)

// grave is what is known of a session that is gone from this node: where it
// went, or that it ended.
type grave struct {
	node  string // its owner's boot id, "" if it ended
	moves uint64 // how often it had moved then

	// answer is what the owner was sent, as long as it is not certain to have
	// it: if it asks again, it gets the same (V11).
	answer []byte
	due    time.Time
}

// bury keeps a grave for the window, in place of an older one.
func (r *recovery) bury(pid string, g *grave) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.gone[pid]; old != nil && old.moves > g.moves {
		return
	}
	g.due = r.graves.add(pid)
	r.gone[pid] = g
}

// exhume forgets a grave when its time is up.
func (r *recovery) exhume(pid string, due time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g := r.gone[pid]; g != nil && g.due.Equal(due) {
		delete(r.gone, pid)
	}
}

// graveOf returns the grave of a session, nil if there is none.
func (r *recovery) graveOf(pid string) *grave {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.gone[pid]
	if g == nil || !time.Now().Before(g.due) {
		return nil
	}
	return g
}

// ownedSession tells another node that the sender owns a session. The first
// home must know, to find it for whoever asks (V11).
type ownedSession struct {
	PID   string `json:"pid"`
	Moves uint64 `json:"moves"`
}

// maxOwned is how many of them go into one message.
const maxOwned = 2000

// tellHomes tells the first homes of this node's sessions that it owns them. It
// is due every third of the window, after which homes forget.
func (r *recovery) tellHomes() {
	r.mu.Lock()
	byHome := make(map[string][]ownedSession)
	for pid, ss := range r.sessions {
		if home := homeOf(pid); home != r.srv.id {
			byHome[home] = append(byHome[home], ownedSession{pid, ss.moves})
		}
	}
	r.mu.Unlock()
	for home, owned := range byHome {
		for part := range slices.Chunk(owned, maxOwned) {
			r.tell(home, part...)
		}
	}
}

func (r *recovery) tell(node string, owned ...ownedSession) {
	env := r.srv.request(backplane.KindOperation, opOwned, "", &operation{Owned: owned})
	// If the node is gone nobody will ask it either.
	_ = r.srv.cfg.Backplane.Publish(r.srv.ctx, backplane.Node(node), env)
}

// runTellHomes calls tellHomes until the server shuts down.
func (r *recovery) runTellHomes() {
	t := time.NewTicker(max(r.srv.cfg.Recovery.Window/3, time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-t.C:
			r.tellHomes()
		case <-r.srv.ctx.Done():
			return
		}
	}
}

// owned notes that another node owns sessions that began here, or were here
// last.
func (r *recovery) owned(node string, owned []ownedSession) {
	if r == nil || len(owned) > maxOwned {
		return
	}
	for _, o := range owned {
		if r.session(o.PID) == nil && (homeOf(o.PID) == r.srv.id || r.graveOf(o.PID) != nil) {
			r.bury(o.PID, &grave{node: node, moves: o.Moves})
		}
	}
}
