package node

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/node/internal/resume"
	"github.com/siod-io/siod/transport"
)

// recovery holds the sessions that clients may continue on this node, and
// knows where those have gone that were continued on others.
type recovery struct {
	srv    *Server
	feed   *feed
	limits resume.Limits

	journal *journal // nil if sessions are not stored

	waiting lapses[*session] // whose clients are away
	graves  lapses[string]   // pids of sessions that are gone, and how long that is known

	mu       sync.Mutex // guards the maps; taken after a session's
	sessions map[string]*session
	absent   map[*session]struct{} // those that no socket carries
	gone     map[string]*grave
	asking   map[string]*inFlight // pids that other nodes are asked for
}

func newRecovery(srv *Server, f *feed) *recovery {
	cfg := &srv.cfg.Recovery
	r := &recovery{
		srv: srv, feed: f,
		limits: resume.Limits{
			SessionEvents: cfg.SessionEvents, SessionBytes: cfg.SessionBytes,
			ReplayEvents: cfg.ReplayEvents, ReplayBytes: cfg.ReplayBytes,
		},
		sessions: make(map[string]*session), absent: make(map[*session]struct{}),
		gone: make(map[string]*grave), asking: make(map[string]*inFlight),
	}
	r.waiting.init(cfg.Window, cfg.MaxWaiting, (*session).expire)
	r.graves.init(cfg.Window, cfg.MaxWaiting, r.exhume)
	return r
}

// errSuperseded ends the admission of a client that is back on another
// connection already.
var errSuperseded = errors.Join(errors.New("node: the client is back on another connection"), context.Canceled)

// attach finds the session of a client that may come in: the one that it
// continues, or a new one. It returns nil for a client that shall have none.
func (r *recovery) attach(ctx context.Context, s *Socket, c *claim) (*session, error) {
	if s.form&formJSONRecovery == 0 {
		return nil, nil
	}
	s.conn.session.SetPolicy(transport.PolicyDisconnect) // V8
	ss, err := r.resume(ctx, s, c)
	if ss != nil || err != nil {
		return ss, err
	}
	var stale backplane.Offset
	if c.offset.Given {
		stale = c.offset.Offset
	}
	ss = &session{
		rec: r, pid: newPID(r.srv.id), ns: s.ns.name, owner: s,
		// A random number to begin with: the number of another session's event
		// names none of this one.
		history: resume.New(s.ns.name, s.id, uint64(rand.Uint32()>>1), stale),
	}
	r.mu.Lock()
	r.sessions[ss.pid] = ss
	r.mu.Unlock()
	return ss, nil
}

// resume makes s the owner of the session that its client claims, and marks it
// as recovered, if every event in between can be replayed, for certain.
func (r *recovery) resume(ctx context.Context, s *Socket, c *claim) (*session, error) {
	if c.pid == "" || c.tried {
		return nil, nil
	}
	c.tried = true
	deadline := time.Now().Add(r.srv.cfg.ConnectTimeout * 3 / 4)
	ss := r.find(s, c)
	if err := ctx.Err(); err != nil {
		if ss != nil {
			ss.release(s)
		}
		return nil, err // the client is gone
	}
	if ss == nil {
		why := reasonUnknown
		if c.large {
			why = reasonLarge
		}
		r.srv.stats.notRecovered[why].Add(1)
		return nil, nil
	}
	// The last quarter of what the client's way in may take is the application's:
	// a client that waited in vain is let in anew, never refused (V10).
	reach, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	if r.feed.reach(reach, ss.high()) != nil || r.feed.complete(reach) != nil {
		if err := ctx.Err(); err != nil {
			ss.release(s)
			return nil, err
		}
		r.srv.stats.notRecovered[reasonBehind].Add(1)
		ss.giveUp(s)
		return nil, nil
	}
	if r.srv.degraded.pending() {
		r.srv.stats.notRecovered[reasonDegraded].Add(1)
		ss.giveUp(s)
		return nil, nil
	}
	if v := ss.judge(s, c.offset); v != resume.Resumable {
		r.srv.stats.notRecovered[v].Add(1)
		ss.giveUp(s)
		return nil, nil
	}
	r.srv.stats.recovered.Add(1)
	return ss, nil
}

// Reasons of notRecovered beside the verdicts.
const (
	reasonUnknown  = resume.Verdicts + iota // no such session, or not this client's
	reasonBehind                            // this node did not reach its position in time
	reasonDegraded                          // servers emit past the log
	reasonLarge                             // its node cannot hand it over, since it fits into no message
	notRecoveredBy                          // how many there are
)

func notRecoveredReason(i int) string {
	switch i {
	case reasonUnknown:
		return "unknown"
	case reasonBehind:
		return "behind"
	case reasonDegraded:
		return "degraded"
	case reasonLarge:
		return "large"
	}
	return resume.Verdict(i).String()
}

// stats adds what concerns recovery.
func (r *recovery) stats(st *Stats) {
	st.NotRecovered = make(map[string]uint64)
	if r == nil {
		return
	}
	for i := range r.srv.stats.notRecovered {
		if resume.Verdict(i) != resume.Resumable {
			st.NotRecovered[notRecoveredReason(i)] = r.srv.stats.notRecovered[i].Load()
		}
	}
	r.mu.Lock()
	st.Sessions = len(r.sessions)
	r.mu.Unlock()
	st.SessionsWaiting = r.waiting.len()
	st.RingEntries, st.RingBytes = r.feed.size()
}

// find makes s the owner of a session, wherever that is.
func (r *recovery) find(s *Socket, c *claim) *session {
	if ss := r.session(c.pid); ss != nil && ss.ns == s.ns.name && ss.claim(s, s.asked) {
		return ss
	}
	return r.take(s, c)
}

func (r *recovery) session(pid string) *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sessions[pid]
}

// present notes that a socket carries the session.
func (r *recovery) present(ss *session) {
	r.mu.Lock()
	delete(r.absent, ss)
	r.mu.Unlock()
}

// away notes that none does.
func (r *recovery) away(ss *session) {
	r.mu.Lock()
	r.absent[ss] = struct{}{}
	r.mu.Unlock()
}

// forget drops a session that is over.
func (r *recovery) forget(ss *session) {
	r.waiting.remove(ss)
	r.mu.Lock()
	delete(r.sessions, ss.pid)
	delete(r.absent, ss)
	r.mu.Unlock()
}

// reset follows a log that lost entries. All index locks are held.
func (r *recovery) reset(rs backplane.Reset) {
	if r == nil || rs.Reason == backplane.ResetStart {
		return
	}
	for _, ss := range r.all() {
		ss.mu.Lock()
		carrier := ss.carrier
		if rs.Reason == backplane.ResetRewind {
			if carrier = nil; ss.over == nil {
				ss.history.Rewind(rs.Position.Seq)
				r.journal.later(ss) // another node must not go by what was
			}
		}
		ss.mu.Unlock()
		if carrier != nil {
			// It missed entries, and cannot be told which.
			carrier.conn.session.Abort(transport.ReasonForcedClose)
		}
	}
}

// close ends all sessions.
func (r *recovery) close() {
	if r == nil {
		return
	}
	r.journal.flush()
	r.waiting.close()
	r.graves.close()
	for _, ss := range r.all() {
		ss.end()
	}
}
