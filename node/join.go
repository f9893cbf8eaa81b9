package node

import "slices"

// join puts a socket into rooms.
func (ns *Namespace) join(s *Socket, rooms []string) error {
	_, err := ns.change(s, rooms, nil)
	return err
}

// leave takes a socket out of rooms.
func (ns *Namespace) leave(s *Socket, rooms []string) error {
	_, err := ns.change(s, nil, rooms)
	return err
}

// change leaves rooms and joins others in one step. It reports whether one of
// the joined rooms is new on this server.
func (ns *Namespace) change(s *Socket, join, leave []string) (created bool, err error) {
	made, late := s.journaled(&change{join: join, leave: leave})
	created, err = ns.changeNow(s, join, leave)
	made()
	if err != nil {
		s.rewrite()
		return created, err
	}
	ns.tell()
	return created, late
}

// changeNow is change when it has been stored. The caller calls tell.
func (ns *Namespace) changeNow(s *Socket, join, leave []string) (created bool, err error) {
	x := ns.indexOf(s.conn.session)
	x.mu.Lock()
	if x.sockets[s.id] != s {
		defer x.mu.Unlock()
		return false, s.changeEarly(x, join, leave)
	}
	if err := s.roomFor(join, leave); err != nil {
		x.mu.Unlock()
		return false, err
	}
	for _, r := range leave {
		x.leave(s, r)
	}
	for _, r := range join {
		created = x.join(s, r) || created
	}
	s.rec.changed(x.shard.Position(), leave, join)
	x.mu.Unlock()
	return created, nil
}

// changeEarly is change for a socket that is not accepted yet, or has ended;
// the index's lock is held.
func (s *Socket) changeEarly(x *roomIndex, join, leave []string) error {
	s.mu.Lock()
	ended := s.state == socketEnded
	s.mu.Unlock()
	switch {
	case ended && len(join) > 0:
		return ErrDisconnected
	case ended:
		return nil
	}
	if err := s.roomFor(join, leave); err != nil {
		return err
	}
	if slices.Contains(leave, s.id) {
		s.ownRoom = false
	}
	s.joining = slices.DeleteFunc(s.joining, func(j string) bool { return slices.Contains(leave, j) })
	for _, r := range join {
		switch {
		case r == s.id:
			s.ownRoom = true
		case !s.in(r):
			s.joining = append(s.joining, r)
		}
	}
	s.rec.changed(x.shard.Position(), leave, join)
	return nil
}

// roomFor checks the number of rooms that a change would leave the socket in;
// the index's lock is held.
func (s *Socket) roomFor(join, leave []string) error {
	most := s.ns.srv.cfg.MaxRooms
	now := len(s.places) + len(s.joining)
	if now+len(join) <= most { // nearly always; the rest counts exactly
		return nil
	}
	for i, r := range join {
		if r != s.id && !slices.Contains(join[:i], r) && (!s.in(r) || slices.Contains(leave, r)) {
			now++
		}
	}
	for i, r := range leave {
		if r != s.id && !slices.Contains(leave[:i], r) && s.in(r) {
			now--
		}
	}
	if now > most {
		return &LimitError{Limit: "number of rooms of a socket", Value: now, Max: most}
	}
	return nil
}

// joinPending carries out the joins made before accept; the index's lock is
// held.
func (s *Socket) joinPending(x *roomIndex) {
	early := s.joining
	s.joining = nil
	for _, r := range early {
		x.join(s, r)
	}
}

// withdraw takes a socket that has ended out of the namespace, once: nothing
// reaches it from here on. It keeps the names of its rooms until forgetRooms,
// for OnDisconnecting.
func (ns *Namespace) withdraw(s *Socket) {
	x := ns.indexOf(s.conn.session)
	x.mu.Lock()
	if x.sockets[s.id] != s {
		x.mu.Unlock()
		return
	}
	s.suspend(x, recoverable(s.Reason()))
	own := s.ownRoom
	for len(s.places) > 0 {
		i := len(s.places) - 1
		s.joining = append(s.joining, s.places[i].room.name)
		x.leaveAt(s, i)
	}
	x.erase(s)
	s.ownRoom = own
	x.mu.Unlock()
	ns.tell()
}

// forgetRooms is the end of OnDisconnecting.
func (s *Socket) forgetRooms() {
	x := s.ns.indexOf(s.conn.session)
	x.mu.Lock()
	s.joining, s.ownRoom = nil, false
	x.mu.Unlock()
}
