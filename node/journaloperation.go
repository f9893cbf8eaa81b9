package node

import "github.com/siod-io/siod/backplane"

// journalEnd stores that the session of a socket ends, or those of all sockets
// of its connection.
func (s *Socket) journalEnd(closeConnection bool) {
	j := s.ns.srv.journal()
	if j == nil {
		return
	}
	sockets := []*Socket{s}
	if closeConnection {
		sockets = s.conn.sockets()
	}
	var all []*session
	for _, s := range sockets {
		for _, ss := range sessionsOf([]*Socket{s}) {
			if ss.carrierIs(s) { // else it goes on without this socket
				all = append(all, ss)
			}
		}
	}
	stored, _ := j.change(all, &change{end: true})
	stored()
}

// journalOperation stores what an operation of the cluster changes here, and
// returns a function that the caller calls when it is done. err is nil or
// ErrNotJournaled.
func (srv *Server) journalOperation(sockets []*Socket, absent []*session, op backplane.Op, body *operation) (made func(), err error) {
	j := srv.journal()
	if j == nil {
		return func() {}, nil
	}
	all := append(sessionsOf(sockets), absent...)
	c := &change{}
	switch op {
	case opJoin:
		c.join = body.Rooms
	case opLeave:
		c.leave = body.Rooms
	default:
		stored, err := j.change(all, &change{end: true})
		stored() // nothing is recorded of them from here on
		return func() {}, err
	}
	stored, err := j.change(all, c)
	return func() {
		stored()
		for _, ss := range all {
			j.later(ss) // a limit may have kept some from it
		}
	}, err
}

func sessionsOf(sockets []*Socket) []*session {
	var all []*session
	for _, s := range sockets {
		s.mu.Lock()
		if s.rec != nil {
			all = append(all, s.rec)
		}
		s.mu.Unlock()
	}
	return all
}

// operateStored carries another node's operation out when it has been stored,
// which may take longer than what comes behind it can wait.
func (srv *Server) operateStored(d backplane.Delivery, t *target, op *operation) {
	res, created := srv.apply(d.Envelope.Namespace, d.Envelope.Op, t, op)
	if created {
		res.Unheard = srv.unheard(d.Envelope.Timeout)
	}
	finishOperated(d, res)
}
