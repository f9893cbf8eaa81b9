package node

import (
	"maps"
	"slices"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/node/internal/resume"
	"github.com/siod-io/siod/transport"
)

// change is what is about to become of a session.
type change struct {
	join, leave []string
	user        *string
	key         string // of the data: set to value, or deleted
	value       any
	set, unset  bool
	end         bool
}

// journaled has a change of the socket's session stored, if it carries one that
// is recorded already, and returns a function that the caller calls when the
// change is made. err is nil or ErrNotJournaled: the change is to be made in either
// case.
func (s *Socket) journaled(c *change) (made func(), err error) {
	j := s.ns.srv.journal()
	if j == nil {
		return func() {}, nil
	}
	s.mu.Lock()
	ss := s.rec
	s.mu.Unlock()
	if ss == nil || !ss.carrierIs(s) {
		return func() {}, nil // it goes on without this socket, as OnDisconnect finds it
	}
	stored, err := j.change([]*session{ss}, c)
	return func() {
		stored()
		if !ss.carrierIs(s) {
			j.later(ss) // it lost the session meanwhile: the change may not be the session's
		}
	}, err
}

// journal is nil if sessions are not stored.
func (srv *Server) journal() *journal {
	if srv.recovery == nil {
		return nil
	}
	return srv.recovery.journal
}

// change stores a change of several sessions at once.
func (j *journal) change(all []*session, c *change) (made func(), err error) {
	if j == nil || len(all) == 0 {
		return func() {}, nil
	}
	slices.SortFunc(all, byPID)
	all = slices.Compact(all)
	var records []backplane.SessionRecord
	for _, ss := range all {
		ss.pen.Lock()
		if rec, ok := ss.draft(c, false); ok {
			records = append(records, rec)
		}
	}
	if len(records) > 0 {
		err = j.commit(records)
	}
	return func() {
		for _, ss := range all {
			ss.pen.Unlock()
			if err != nil {
				j.later(ss) // the store may have had no room for it
			}
		}
		for _, rec := range records {
			if err != nil && c.end {
				j.ended(rec.PID, rec.Generation)
			}
		}
	}, err
}

// draft is the record of the session as it will be after a change, or as it is.
// It reports false if there is none to be stored: the session is over, or not
// recorded yet and this is not the first time. ss.pen is held.
func (ss *session) draft(c *change, first bool) (backplane.SessionRecord, bool) {
	ss.mu.Lock()
	carrier := ss.carrier
	due := ss.over == nil && ss.known && !ss.ending && (ss.journaled || first)
	ss.mu.Unlock()
	if !due {
		return backplane.SessionRecord{}, false
	}
	var t taken
	var data map[string]any
	if carrier != nil {
		carrier.mu.Lock()
		data = maps.Clone(carrier.data)
		carrier.mu.Unlock()
		t.User = carrier.User()
	}
	ss.mu.Lock()
	if ss.over != nil {
		ss.mu.Unlock()
		return backplane.SessionRecord{}, false
	}
	if c != nil && c.end {
		ss.journaled, ss.ending = false, true
		generation := ss.moves
		ss.mu.Unlock()
		return backplane.SessionRecord{PID: ss.pid, Generation: generation}, true
	}
	ss.journaled = true
	if c != nil {
		ss.large = false // it may have shrunk
	}
	if carrier == nil {
		data, t.User = maps.Clone(ss.data), ss.user
	}
	if ss.owner == nil && !ss.until.IsZero() {
		t.Until = ss.until.UnixMilli()
	}
	state := ss.rec.feed.kept(ss.history)
	t.Session, t.Who, t.Moves = &state, ss.who, ss.moves
	certain := c == nil || ss.project(&t, c)
	ss.mu.Unlock()
	if !certain { // no record costs a recovery, one without the change makes a false one
		return backplane.SessionRecord{PID: ss.pid, Generation: t.Moves}, true
	}
	if c != nil {
		data = c.project(data)
	}
	srv := ss.rec.srv
	t.Data = srv.encodeData(data)
	return encodeRecord(ss.pid, &t), true
}

// project makes the change of rooms and user in a copy, and reports whether it
// could; ss.mu is held.
func (ss *session) project(t *taken, c *change) bool {
	if c.user != nil {
		t.User = *c.user
	}
	if len(c.join)+len(c.leave) == 0 {
		return true
	}
	h, ok := resume.Restore(*t.Session)
	if !ok {
		return false
	}
	at := h.Place(ss.rec.feed.position())
	for _, room := range c.leave {
		h.Leave(room, at, ss.rec.feed.base())
	}
	for _, room := range c.join {
		h.Join(room, at)
	}
	changed := ss.rec.feed.state(h)
	// The change is made behind what is known of the session's entries.
	changed.Own, changed.Settled, changed.Clear = t.Session.Own, t.Session.Settled, t.Session.Clear
	*t.Session = changed
	return true
}

// project makes the change of data, which is a copy.
func (c *change) project(data map[string]any) map[string]any {
	switch {
	case c.set:
		if data == nil {
			data = make(map[string]any)
		}
		data[c.key] = c.value
	case c.unset:
		delete(data, c.key)
	}
	return data
}

// draftWhole is draft with what was emitted to the session alone, for an orderly
// end of this node.
func (ss *session) draftWhole() (backplane.SessionRecord, bool) {
	rec, ok := ss.draft(nil, true)
	if !ok {
		return rec, false
	}
	t, ok := decodeRecord(rec)
	if !ok {
		return rec, false
	}
	ss.mu.Lock()
	ss.history.Reached(ss.rec.feed.position())
	state := ss.rec.feed.state(ss.history)
	t.Session = &state
	ss.mu.Unlock()
	whole := encodeRecord(ss.pid, t)
	return whole, len(whole.State) > 0
}

// owned is the owner record of a session that has moved to this node.
func (ss *session) owned() (backplane.Owner, bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	o := ss.ownerRecord
	return o, ss.over == nil && o.Revision != 0
}

// fence ends the session on this node: another one owns it (V5, V11).
func (ss *session) fence(o backplane.Owner) {
	ss.turn.Lock()
	defer ss.turn.Unlock()
	ss.mu.Lock()
	if ss.over != nil || o.Generation <= ss.moves {
		ss.mu.Unlock()
		return
	}
	old := ss.owner
	ss.owner, ss.over, ss.data = nil, ErrMoved, nil
	ss.journalEnds()
	ss.mu.Unlock()
	ss.rec.srv.stats.fenced.Add(1)
	ss.rec.bury(ss.pid, &grave{node: o.Node, moves: o.Generation})
	ss.rec.forget(ss)
	if old != nil {
		old.conn.session.Abort(transport.ReasonForcedClose)
		old.end(transport.ReasonForcedClose)
	}
}

// drop ends the session if its client is away, and reports whether it did.
func (ss *session) drop() bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.ownerRecord = backplane.Owner{}
	if ss.owner != nil || ss.carrier != nil {
		return false
	}
	ss.finish(ErrDisconnected)
	return true
}

// all lists the sessions of this node.
func (r *recovery) all() []*session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.sessions))
}

// rewrite has the session recorded as it is, after a change that was stored and
// could not be made.
func (s *Socket) rewrite() {
	if j := s.ns.srv.journal(); j != nil {
		s.mu.Lock()
		ss := s.rec
		s.mu.Unlock()
		if ss != nil {
			j.later(ss)
		}
	}
}
