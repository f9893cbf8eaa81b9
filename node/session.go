package node

import (
	"maps"
	"sync"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/node/internal/resume"
	"github.com/siod-io/siod/transport"
)

// session is what survives a connection: all that a recovery needs to know of
// one client in one namespace. What the client should have received is in its
// history; the rest is about whose the session is.
//
// It changes hands like this. A socket that claims the session becomes its
// owner at once, which throws the owner before it off its connection; so of two
// claims the later one wins, whether they meet on this node or, by take, on
// two. When the socket enters the namespace it carries the session: what is
// emitted to the session goes to it. When its connection breaks the session is
// nobody's until the next claim, or until its time is up.
//
//	owner  carrier
//	nil    nil      the client is away
//	s      nil      s has claimed it and is on its way in
//	s      s        s is connected, or its OnConnect is running
//	t      s        t has claimed it, and s is being thrown off
type session struct {
	rec *recovery
	pid string
	ns  string

	// turn is held while the session changes hands: a claim waits until the one
	// before it has thrown the old socket off. It is taken before all other
	// locks.
	turn sync.Mutex

	// pen is held from the moment at which a change is drafted for the journal
	// until it is made. It is taken after turn and before all other locks, and
	// several in the order of their pids.
	pen sync.Mutex

	mu      sync.Mutex // guards the fields below
	history *resume.History
	owner   *Socket
	carrier *Socket
	who     identity       // whom the latest carrier proved to be
	user    string         // and whose it was at its end
	data    map[string]any // what the application had stored with it
	known   bool           // the client has been told the pid
	moves   uint64         // how often it was handed over (V5: the generation)
	until   time.Time      // when the client's time is up
	over    error          // why it cannot be continued here; nil while it can

	journaled   bool            // its first record was sent: changes are stored first (V6)
	ending      bool            // its end is stored, and it may not be recorded again
	large       bool            // a record of it was too large to be stored
	ownerRecord backplane.Owner // as stored when it moved here
}

// identity is who a client proves to be before OnConnect.
type identity struct {
	Principal string `json:"principal,omitzero"` // see transport.Config.Principal
	User      string `json:"user,omitzero"`      // see Socket.SetUser; as middleware left it
	Unasked   bool   `json:"unasked,omitzero"`   // middleware was skipped
}

// allows reports whether a client may continue the session: only the one whose
// it is (R5). One for which middleware names no user may continue what was
// begun in the same way; whoever OnConnect made of it comes back with the
// session. ss.mu is held.
func (ss *session) allows(c identity) bool {
	user := ss.user
	if ss.carrier != nil {
		user = ss.carrier.User()
	}
	return c.Principal == ss.who.Principal && (c.Unasked || c.User == user || c.User == "" && ss.who.User == "")
}

// claim makes s the owner, if its client may be, and throws the owner before
// it off.
func (ss *session) claim(s *Socket, c identity) bool {
	ss.turn.Lock()
	defer ss.turn.Unlock()
	ss.mu.Lock()
	if ss.over != nil || !ss.allows(c) {
		ss.mu.Unlock()
		return false
	}
	old := ss.owner
	ss.owner = s
	ss.rec.waiting.remove(ss)
	ss.mu.Unlock()
	if old != nil {
		old.evict()
	}
	ss.rec.srv.underway.settle(ss.rec.srv.ctx)
	return true
}

// judge decides about what the client of s, the owner, presents (V10).
func (ss *session) judge(s *Socket, c resume.Claim) resume.Verdict {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	f := ss.rec.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	from, v := ss.history.Judge(&f.ring, c, ss.rec.limits)
	if v == resume.Resumable {
		s.recovered, s.claimed, s.life = true, from, f.life
	}
	return v
}

// high is a position that this node must have reached before s is judged.
func (ss *session) high() uint64 {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.history.High()
}

// enter makes s the carrier from its shard's position on, and gives it what the
// session kept of the carrier before. It reports false if s is not the owner any
// more. s.mu and the index's lock are held.
func (ss *session) enter(s *Socket, at uint64) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.owner != s || ss.over != nil {
		return false
	}
	s.rec, ss.carrier = ss, s
	ss.rec.present(ss)
	if !s.asked.Unasked {
		ss.who = s.asked
	}
	from := s.claimed
	if s.recovered {
		ss.restore(s)
	} else {
		ss.history.Begin(at)
		from = ss.history.Birth()
	}
	for _, room := range s.joining {
		ss.history.Join(room, ss.history.Place(at))
	}
	s.due = ss.history.Span(from)
	for i, h := range s.hold { // emitted in middleware
		if u, ok := h.Message.Former().(unstamped); ok {
			s.hold[i].Message = ss.stamped(at, h.Message.Frames(formJSON), u.flags)
		}
		s.hold[i].Position = at
	}
	return true
}

// restore gives s what the session kept of the carrier before.
func (ss *session) restore(s *Socket) {
	s.id = ss.history.SID()
	s.ownRoom = ss.history.In(s.id)
	ss.history.Rooms(func(room string) {
		if room != s.id && !s.in(room) {
			s.joining = append(s.joining, room)
		}
	})
	user := ss.user
	s.user.CompareAndSwap(nil, &user)
	if len(ss.data) > 0 {
		data := maps.Clone(ss.data)
		maps.Copy(data, s.data) // what middleware set is newer
		s.data = data
	}
}

// carries reports whether s carries the session, and nobody has claimed it
// since.
func (ss *session) carries(s *Socket) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.owner == s && ss.carrier == s && ss.over == nil
}

// withdraw takes the session off a carrier that has ended, with what it leaves
// behind. If it was the owner and only its connection is lost, the session now
// waits for its client; else it is over. The index's lock is held, so not a
// single broadcast falls between the two; at is the shard's position.
func (ss *session) withdraw(s *Socket, at uint64, data map[string]any, lost bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.carrier != s {
		return
	}
	ss.carrier = nil
	if ss.over != nil {
		return
	}
	ss.history.Reached(at)
	ss.user, ss.data = s.User(), data
	ss.rec.away(ss)
	if ss.owner != s {
		return // it is claimed already
	}
	ss.owner = nil
	if !lost || !ss.known {
		ss.finish(ErrDisconnected)
		return
	}
	ss.wait()
}

// wait begins the time in which the client may come back, here or, if this server
// is killed meanwhile, elsewhere. ss.mu is held.
func (ss *session) wait() {
	ss.until = ss.rec.waiting.add(ss)
	ss.rec.journal.later(ss)
}

// release lets the session wait on after a claim whose client is gone again.
func (ss *session) release(s *Socket) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.owner == s && ss.over == nil {
		ss.owner = nil
		ss.wait()
	}
}

// giveUp ends the session of a claim that failed, unless somebody else has
// claimed it.
func (ss *session) giveUp(s *Socket) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.owner == s {
		ss.finish(ErrDisconnected)
	}
}

// expire ends the session if its client has been away until due.
func (ss *session) expire(due time.Time) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.owner == nil && ss.until.Equal(due) {
		ss.rec.srv.stats.sessionsExpired.Add(1)
		ss.finish(ErrDisconnected)
	}
}

// end ends the session for good.
func (ss *session) end() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.finish(ErrDisconnected)
}

// finish takes the session out of the tables; ss.mu is held.
func (ss *session) finish(why error) {
	if ss.over != nil {
		return
	}
	ss.over, ss.data = why, nil
	ss.journalEnds()
	if ss.moves > 0 {
		// Answers from before may still be under way to this node.
		ss.rec.bury(ss.pid, &grave{moves: ss.moves})
	}
	ss.rec.forget(ss)
}

// journalEnds drops the session's record from this node's journal. A server that
// stops leaves it, for those who go on elsewhere. ss.mu is held.
func (ss *session) journalEnds() {
	if ss.journaled && !ss.rec.srv.closing.Load() {
		ss.rec.journal.ended(ss.pid, ss.moves)
	}
}

// changed notes the rooms that s left and joined when its shard stood at a
// position. The index's lock is held.
func (ss *session) changed(at uint64, left, joined []string) {
	if ss == nil || len(left)+len(joined) == 0 {
		return
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.over == nil {
		ss.changeRooms(at, left, joined)
	}
}

func (ss *session) changeRooms(at uint64, left, joined []string) {
	at = ss.history.Place(at)
	for _, room := range left {
		ss.history.Leave(room, at, ss.rec.feed.base())
	}
	for _, room := range joined {
		ss.history.Join(room, at)
	}
}

// recoverable are the ends of a connection after which its client may continue
// the session: all that the application did not ask for and that are not the
// client's fault.
func recoverable(r Reason) bool {
	switch r {
	case transport.ReasonTransportClose, transport.ReasonTransportError, transport.ReasonPingTimeout,
		transport.ReasonForcedClose, transport.ReasonServerShutdown, transport.ReasonSlowConsumer:
		return true
	}
	return false
}

// evict throws a socket off, wherever it is, since its client is back on
// another connection: one that changed networks, say, while the old connection
// still looked alive. Nothing is written to that any more, and when evict
// returns the socket does not carry its session.
func (s *Socket) evict() {
	s.conn.session.Abort(transport.ReasonForcedClose)
	s.end(transport.ReasonForcedClose)
	s.ns.withdraw(s) // somebody else may just have begun to end it
	s.ns.expel(s, true)
}
