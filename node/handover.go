package node

import (
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/siod-io/siod/backplane"
)

// serveTake hands a session of this node over to another, with the socket that
// has it thrown off.
func (r *recovery) serveTake(node string, body takeBody) []byte {
	if r == nil {
		return encodeTaken(&taken{})
	}
	if r.session(body.PID) == nil && r.graveFrom(body) == nil {
		r.awaitTake(body.PID)
	}
	if ss := r.session(body.PID); ss != nil && ss.ns == body.NS {
		if answer := ss.handOver(node, body.Who); answer != nil {
			return answer
		}
	}
	switch g := r.graveFrom(body); {
	case g == nil || g.node == "":
		return encodeTaken(&taken{})
	case g.node == node && g.answer != nil:
		return g.answer // it was lost on the way
	default:
		return encodeTaken(&taken{Owner: g.node, Moves: g.moves})
	}
}

// graveFrom is the session's grave, unless it is older than what the asking
// node knows.
func (r *recovery) graveFrom(body takeBody) *grave {
	if g := r.graveOf(body.PID); g != nil && g.moves >= body.Moves {
		return g
	}
	return nil
}

// handOver ends the session on this node and returns it as an answer for
// another, or nil if the client may not have it. A session that fits into no
// message waits on here, and the answer says so.
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
	srv := ss.rec.srv
	ss.mu.Lock()
	data := ss.data // which nobody changes without a carrier
	ss.mu.Unlock()
	t := taken{Data: srv.encodeData(data)}
	srv.underway.settle(srv.ctx) // what arrives there later has not been seen here
	answer, err := ss.leave(&t)
	if err != nil {
		if srv.stats.heldBack.Add(1) == 1 {
			srv.cfg.Logger.Warn("a session is too large to be handed to another node: its client is let in anew there; further ones are counted there",
				"ns", clip(ss.ns), "err", err)
		}
		return encodeTaken(&taken{Large: true})
	}
	if answer == nil {
		return nil
	}
	ss.rec.bury(ss.pid, &grave{node: node, moves: t.Moves, answer: answer}) // before it is forgotten: who asks finds one or the other
	ss.rec.forget(ss)
	return answer
}

// leave ends the session on this node and completes the answer with it, or, with
// a *backplane.LimitError, has it wait for its client again. Both are decided
// under one lock, so that no change falls in between. It returns nil if the
// session has ended.
func (ss *session) leave(t *taken) ([]byte, error) {
	most := backplane.MaxPayload(ss.rec.srv.cfg.Backplane)
	size := 0
	for k, raw := range t.Data {
		size += len(k) + len(raw)
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.over != nil {
		return nil, nil
	}
	var answer []byte
	if size <= most { // so that the encoding takes no time to speak of
		// The new home must not be behind this one: what was emitted here behind an
		// entry of the log must not overtake it there.
		ss.history.Reached(ss.rec.feed.position())
		state := ss.rec.feed.state(ss.history)
		t.Session, t.Moves, t.Who, t.User = &state, ss.moves+1, ss.who, ss.user
		answer = encodeTaken(t)
		size = len(answer)
	}
	if size > most {
		ss.wait()
		return nil, &backplane.LimitError{Limit: "Payload", Max: most, Got: size}
	}
	ss.over, ss.data = ErrMoved, nil // from here on nobody changes the history
	if ss.journaled {
		ss.rec.journal.ended(ss.pid, ss.moves)
	}
	return answer, nil
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
