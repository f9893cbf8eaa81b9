package node

import (
	"context"
	"encoding/json"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/node/internal/resume"
)

// takeBody asks a node to hand a session over (V11).
type takeBody struct {
	PID   string   `json:"pid,omitzero"`
	NS    string   `json:"ns,omitzero"`
	Who   identity `json:"who,omitzero"`   // the client that claims it
	Moves uint64   `json:"moves,omitzero"` // the session is known to have moved so often
}

// taken is the answer: the session, or who owns it, or nothing.
type taken struct {
	from    string                     // who answers
	Owner   string                     `json:"owner,omitzero"`
	Moves   uint64                     `json:"moves,omitzero"` // this handover, or that to the owner, included
	Session *resume.State              `json:"session,omitzero"`
	Who     identity                   `json:"who,omitzero"`
	User    string                     `json:"user,omitzero"`
	Data    map[string]json.RawMessage `json:"data,omitzero"`

	// Large says that the session is here and fits into no message: it stays.
	Large bool `json:"large,omitzero"`

	// Until is, of a record of a session whose client is away, when the client's
	// time is up, in milliseconds since 1970 by the clock of the node.
	Until int64 `json:"until,omitzero"`
}

// maxHops bounds the chase after a session that moved on (V11).
const maxHops = 3

// take makes s the owner of a session that another node has. It returns nil if
// there is none, or it is another client's. It does not stop when the client
// goes away: what was handed over must arrive.
func (r *recovery) take(s *Socket, c *claim) *session {
	pid := c.pid
	next, moves := homeOf(pid), uint64(0)
	if g := r.graveOf(pid); g != nil {
		next, moves = g.node, g.moves
	}
	if next == "" || next == r.srv.id {
		return nil
	}
	defer r.taking(pid)()
	ctx, cancel := context.WithTimeout(r.srv.ctx, r.searchTimeout())
	defer cancel()
	for range maxHops {
		body := takeBody{PID: pid, NS: s.ns.name, Who: s.asked, Moves: moves}
		t, ok := r.askFor(ctx, backplane.Node(next), body)
		silent := !ok
		if silent && r.journal != nil {
			return r.restore(s, c)
		}
		if silent {
			// The node is dead or cannot be reached, and cannot say where the
			// session went. Whoever has it knows.
			t, ok = r.askFor(ctx, backplane.Requests(s.ns.name), body)
		}
		switch {
		case t.Session != nil:
			return r.receive(ctx, s, pid, &t)
		case t.Large:
			c.large = true
			return nil
		case !ok, t.Owner == "", t.Owner == r.srv.id, t.Moves < moves, silent && t.Owner == next:
			return nil
		}
		next, moves = t.Owner, t.Moves
	}
	return nil
}

// drain waits until what was on its way to this node has been given to its
// sockets. A fast event may have reached the session on its old home already,
// and must not find it here again.
func (r *recovery) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.takeTimeout())
	defer cancel()
	_ = r.srv.cfg.Backplane.Healthy(ctx) // whose canary goes the way of a delivery
}

// inFlight are the requests of this node for a session.
type inFlight struct {
	n    int
	done chan struct{} // closed with the last
}

// taking notes that this node asks for a session, until the function that it
// returns is called.
func (r *recovery) taking(pid string) (end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.asking[pid]
	if f == nil {
		f = &inFlight{done: make(chan struct{})}
		r.asking[pid] = f
	}
	f.n++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if f.n--; f.n == 0 {
			delete(r.asking, pid)
			close(f.done)
		}
	}
}

// awaitTake waits, within the time of one request, for a session that is on its
// way to this node: a client whose first attempt was here, and is stuck, asks
// through another node by now. The node that hands it over has a grave and does
// not wait, so no two nodes wait for each other.
func (r *recovery) awaitTake(pid string) {
	r.mu.Lock()
	f := r.asking[pid]
	r.mu.Unlock()
	if f == nil {
		return
	}
	t := time.NewTimer(r.takeTimeout())
	defer t.Stop()
	select {
	case <-f.done:
	case <-t.C:
	case <-r.srv.ctx.Done():
	}
}

// takeTimeout bounds the wait for another node's answer, of which take waits
// for two that do not come, or for one and, five times as long, for the store
// of sessions. See resume for the rest of ConnectTimeout.
func (r *recovery) takeTimeout() time.Duration { return r.srv.cfg.ConnectTimeout / 8 }

// storeTimeout bounds the wait for the store of sessions, which may have to find
// a leader first: a matter of 4 to 9 s, and twice that if nobody wins the first
// election.
func (r *recovery) storeTimeout() time.Duration { return 5 * r.takeTimeout() }

// searchTimeout bounds take. What was handed over is written down in the store
// before it is used, and nobody else has it any more: that may take as long as
// the store does.
func (r *recovery) searchTimeout() time.Duration {
	if r.journal == nil {
		return 2 * r.takeTimeout()
	}
	return r.storeTimeout()
}

// askFor asks one node, or all, and returns the best answer.
func (r *recovery) askFor(ctx context.Context, to backplane.Address, body takeBody) (best taken, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, r.takeTimeout())
	defer cancel()
	env := r.srv.request(backplane.KindOperation, opTake, body.NS, &operation{Take: body})
	_ = r.srv.ask(ctx, to, env, func(reply backplane.Reply) bool {
		t := taken{from: reply.Node}
		if reply.Envelope == nil || jsonv2.Unmarshal(reply.Envelope.Data, &t, takenJSON) != nil {
			return true
		}
		if !ok || t.Session != nil || t.Large || best.Session == nil && t.Moves > best.Moves {
			best, ok = t, true
		}
		return best.Session == nil && !best.Large // nobody else has it
	})
	return best, ok
}

// adopt makes a session of what another node handed over. If two claims of one
// client were answered alike, the later one gets it.
func (r *recovery) adopt(s *Socket, pid, from string, t *taken, owner backplane.Owner) *session {
	h, ok := resume.Restore(*t.Session)
	if !ok || h.Namespace() != s.ns.name {
		return nil
	}
	ss := &session{
		rec: r, pid: pid, ns: s.ns.name, owner: s, history: h,
		who: t.Who, user: t.User, known: true, moves: t.Moves, ownerRecord: owner,
	}
	if len(t.Data) > 0 {
		ss.data = make(map[string]any, len(t.Data))
		for k, v := range t.Data {
			ss.data[k] = rawData(v)
		}
	}
	r.mu.Lock()
	other, g := r.sessions[pid], r.gone[pid]
	switch {
	case other != nil:
		r.mu.Unlock()
		if !other.claim(s, s.asked) {
			return nil
		}
		return other
	case g != nil && g.moves >= t.Moves:
		// It has been here meanwhile, and ended or went on: the answer is older.
		r.mu.Unlock()
		return nil
	}
	delete(r.gone, pid)
	r.graves.remove(pid)
	r.sessions[pid] = ss
	r.absent[ss] = struct{}{}
	r.mu.Unlock()
	// Where it came from nothing needs to be kept now, and who looks for it at
	// its first home finds it.
	r.tell(from, ownedSession{pid, t.Moves})
	if home := homeOf(pid); home != from && home != r.srv.id {
		r.tell(home, ownedSession{pid, t.Moves})
	}
	return ss
}
