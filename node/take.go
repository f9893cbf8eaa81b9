package node

import (
	"context"
	"encoding/json"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/node/internal/resume"
)

// takeBody asks a node to hand a session over (V11).
type takeBody struct {
	PID string   `json:"pid,omitzero"`
	NS  string   `json:"ns,omitzero"`
	Who identity `json:"who,omitzero"` // the client that claims it
}

// taken is the answer: the session, or who owns it, or nothing.
type taken struct {
	Owner   string                     `json:"owner,omitzero"`
	Session *resume.State              `json:"session,omitzero"`
	Who     identity                   `json:"who,omitzero"`
	User    string                     `json:"user,omitzero"`
	Data    map[string]json.RawMessage `json:"data,omitzero"`
}

// maxHops bounds the chase after a session that moved on (V11).
const maxHops = 3

// take makes s the owner of a session that another node has. It returns nil if
// there is none, or it is another client's.
func (r *recovery) take(ctx context.Context, s *Socket, pid string) *session {
	next := homeOf(pid)
	if g := r.graveOf(pid); g != nil {
		next = g.node
	}
	for range maxHops {
		if next == "" || next == r.srv.id {
			return nil
		}
		t, ok := r.askFor(ctx, next, pid, s)
		if !ok {
			return nil // the node is dead, or cannot be reached
		}
		if t.Session != nil {
			return r.adopt(s, pid, next, &t)
		}
		next = t.Owner
	}
	return nil
}

func (r *recovery) askFor(ctx context.Context, node, pid string, s *Socket) (t taken, ok bool) {
	// A client waits meanwhile, and there may be maxHops of them.
	ctx, cancel := context.WithTimeout(ctx, r.srv.cfg.ConnectTimeout/(maxHops+1))
	defer cancel()
	env := r.srv.request(backplane.KindOperation, opTake, s.ns.name, &operation{Take: takeBody{PID: pid, NS: s.ns.name, Who: s.asked}})
	err := r.srv.ask(ctx, backplane.Node(node), env, func(reply backplane.Reply) bool {
		ok = reply.Envelope != nil && jsonv2.Unmarshal(reply.Envelope.Data, &t, takenJSON) == nil
		return true
	})
	return t, ok && err == nil
}

// adopt makes a session of what another node handed over. If two claims of one
// client were answered alike, the later one gets it.
func (r *recovery) adopt(s *Socket, pid, from string, t *taken) *session {
	h, ok := resume.Restore(*t.Session)
	if !ok || h.Namespace() != s.ns.name {
		return nil
	}
	ss := &session{
		rec: r, pid: pid, ns: s.ns.name, owner: s, history: h,
		who: t.Who, user: t.User, known: true, moved: true,
	}
	if len(t.Data) > 0 {
		ss.data = make(map[string]any, len(t.Data))
		for k, v := range t.Data {
			ss.data[k] = rawData(v)
		}
	}
	r.mu.Lock()
	if other := r.sessions[pid]; other != nil {
		r.mu.Unlock()
		if other.claim(s, s.asked) {
			return other
		}
		return nil
	}
	if g := r.gone[pid]; g != nil && g.node != from {
		// It has been here meanwhile, and ended or went on: this answer is of
		// before.
		r.mu.Unlock()
		return nil
	}
	delete(r.gone, pid)
	r.graves.remove(pid)
	r.sessions[pid] = ss
	r.absent[ss] = struct{}{}
	r.mu.Unlock()
	if home := homeOf(pid); home != from && home != r.srv.id {
		r.tellHome(home, pid)
	}
	return ss
}

// serveTake hands a session of this node over to another, with the socket that
// has it thrown off.
func (r *recovery) serveTake(node string, body takeBody) []byte {
	if r == nil {
		return encodeTaken(&taken{})
	}
	if ss := r.session(body.PID); ss != nil && ss.ns == body.NS {
		if answer := ss.handOver(node, body.Who); answer != nil {
			return answer
		}
	}
	switch g := r.graveOf(body.PID); {
	case g == nil || g.node == "":
		return encodeTaken(&taken{})
	case g.node == node && g.answer != nil:
		return g.answer // it was lost on the way
	default:
		return encodeTaken(&taken{Owner: g.node})
	}
}

// handOver ends the session on this node and returns it as an answer for
// another, or nil if the client may not have it.
func (ss *session) handOver(node string, who identity) []byte {
	ss.turn.Lock()
	defer ss.turn.Unlock()
	ss.mu.Lock()
	if ss.over != nil || !ss.allows(who) {
		ss.mu.Unlock()
		return nil
	}
	old := ss.owner
	ss.owner = nil
	ss.rec.waiting.remove(ss)
	ss.mu.Unlock()
	if old != nil {
		old.evict()
	}
	ss.mu.Lock()
	// The new home must not be behind this one: what was emitted here behind an
	// entry of the log must not overtake it there.
	ss.history.Reached(ss.rec.feed.position())
	state, data := ss.history.State(), ss.data
	t := taken{Session: &state, Who: ss.who, User: ss.user}
	ss.over, ss.data = ErrMoved, nil // from here on nobody changes the history
	ss.mu.Unlock()
	srv := ss.rec.srv
	_ = srv.guard("MarshalJSON", func() error {
		t.Data = encodeData(srv.cfg.Codec, data)
		return nil
	})
	answer := encodeTaken(&t)
	ss.rec.bury(ss.pid, &grave{node: node, answer: answer}) // before it is forgotten: who asks finds one or the other
	ss.rec.forget(ss)
	return answer
}

// takenJSON keeps what applications stored as it is.
var takenJSON = jsonv2.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

func encodeTaken(t *taken) []byte {
	b, err := jsonv2.Marshal(t, takenJSON)
	if err != nil {
		return nil
	}
	return b
}
