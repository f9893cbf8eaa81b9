package node

import (
	"slices"

	"github.com/siod-io/siod/backplane"
)

// Operations of the cluster on sessions whose clients are away (V20).

// absentIn lists the sessions of a namespace that a target selects and no
// socket carries. All index locks of the namespace are held, so that none comes
// or goes.
func (r *recovery) absentIn(namespace string, t *target) (selected []*session) {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	all := make([]*session, 0, len(r.absent))
	for ss := range r.absent {
		if ss.ns == namespace {
			all = append(all, ss)
		}
	}
	r.mu.Unlock()
	for _, ss := range all {
		if ss.selectedBy(t) {
			selected = append(selected, ss)
		}
	}
	return selected
}

// selectedBy is the predicate of a target for a session that no socket carries.
func (ss *session) selectedBy(t *target) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.over != nil || ss.carrier != nil || len(t.rooms) > 0 && !slices.ContainsFunc(t.rooms, ss.history.In) {
		return false
	}
	return !slices.ContainsFunc(t.except, func(n string) bool { return n == ss.history.SID() || ss.history.In(n) })
}

// operate carries an operation out on the session, wherever it is by now. It
// reports whether a room is new on this server.
func (ss *session) operate(op backplane.Op, body *operation) (created bool, err error) {
	for {
		carrier, err := ss.operateAway(op, body)
		if carrier == nil {
			return created, err
		}
		first, err := carrier.operate(op, body)
		created = created || first
		if ss.carrierIs(carrier) || err != nil && err != ErrDisconnected {
			return created, err
		}
	}
}

func (ss *session) carrierIs(s *Socket) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.carrier == s
}

// operateAway is operate for a session that no socket carries; if one does, it
// is returned.
func (ss *session) operateAway(op backplane.Op, body *operation) (*Socket, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.over != nil || ss.carrier != nil {
		return ss.carrier, nil
	}
	at := ss.rec.feed.position()
	switch op {
	case opLeave:
		ss.changeRooms(at, body.Rooms, nil)
	case opDisconnect:
		ss.finish(ErrDisconnected)
	case opJoin:
		more := slices.DeleteFunc(slices.Clone(body.Rooms), ss.history.In)
		slices.Sort(more)
		more = slices.Compact(more)
		if most := ss.rec.srv.cfg.MaxRooms + 1; ss.history.Len()+len(more) > most { // its own room does not count
			return nil, &LimitError{Limit: "number of rooms of a socket", Value: ss.history.Len() + len(more) - 1, Max: most - 1}
		}
		ss.changeRooms(at, nil, more)
	}
	return nil, nil
}
