package node

import (
	"slices"
	"time"

	"github.com/siod-io/siod/backplane"
)

// grave is what is known of a session that is gone from this node: where it
// went, or that it ended.
type grave struct {
	node string // its owner's boot id, "" if it ended

	// answer is what the owner was sent, as long as it is not certain to have
	// it: if it asks again, it gets the same (V11).
	answer []byte
	due    time.Time
}

// bury keeps a grave for the window, in place of an older one.
func (r *recovery) bury(pid string, g *grave) {
	r.mu.Lock()
	defer r.mu.Unlock()
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

// ownedBody tells the first home of sessions who owns them, so that it finds
// them for whoever asks (V11).
type ownedBody struct {
	PIDs []string `json:"pids,omitzero"`
}

// maxOwned is how many pids go into one message.
const maxOwned = 2000

// tellHomes tells the first homes of this node's sessions that it owns them. It
// is due every third of the window, after which homes forget.
func (r *recovery) tellHomes() {
	r.mu.Lock()
	byHome := make(map[string][]string)
	for pid := range r.sessions {
		if home := homeOf(pid); home != r.srv.id {
			byHome[home] = append(byHome[home], pid)
		}
	}
	r.mu.Unlock()
	for home, pids := range byHome {
		for part := range slices.Chunk(pids, maxOwned) {
			r.tellHome(home, part...)
		}
	}
}

func (r *recovery) tellHome(home string, pids ...string) {
	env := r.srv.request(backplane.KindOperation, opOwned, "", &operation{Owned: ownedBody{PIDs: pids}})
	// If the home is gone nobody will ask it either.
	_ = r.srv.cfg.Backplane.Publish(r.srv.ctx, backplane.Node(home), env)
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

// owned notes that another node owns sessions that began here.
func (r *recovery) owned(node string, pids []string) {
	if r == nil || len(pids) > maxOwned {
		return
	}
	for _, pid := range pids {
		if homeOf(pid) == r.srv.id && r.session(pid) == nil {
			r.bury(pid, &grave{node: node})
		}
	}
}
