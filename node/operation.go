package node

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
)

// Operations that servers ask of one another.
const (
	opJoin backplane.Op = iota + 1
	opLeave
	opDisconnect
	opFetch
	opRooms
	opTake
	opOwned
	opDegraded
)

// operation is the body of a request; which fields count depends on the op.
type operation struct {
	Rooms []string       `json:"rooms,omitzero"`
	Close bool           `json:"close,omitzero"`
	Fetch fetchBody      `json:"fetch,omitzero"`
	Take  takeBody       `json:"take,omitzero"`
	Owned []ownedSession `json:"owned,omitzero"`

	Emitted uint64 `json:"emitted,omitzero"` // the latest emit past the log
}

// operated is the answer to a join, a leave or a disconnect.
type operated struct {
	Refused   []string `json:"refused,omitzero"`    // ids of sockets whose limits forbade it
	NotStored bool     `json:"not_stored,omitzero"` // of some sessions, yet

	// Unheard are nodes, with why, of which it is not known whether what they emit
	// reaches the rooms that are new at the one that answers.
	Unheard map[string]string `json:"unheard,omitzero"`
}

// operate carries another node's operation out. Joins and leaves are done at
// once, so that they keep their order among the same node's broadcasts.
func (srv *Server) operate(d backplane.Delivery) {
	env := d.Envelope
	var op operation
	if !decodeBody(env, &op) {
		srv.cfg.Logger.Warn("operation of another node cannot be read", "node", clip(env.Origin), "op", int(env.Op))
		finish(d, nil)
		return
	}
	t := target{rooms: env.Target.Rooms, except: env.Target.Except}
	switch ns := srv.known(env.Namespace); env.Op {
	case opTake:
		srv.spawn(d, func() { finish(d, srv.recovery.serveTake(env.Origin, op.Take)) })
	case opOwned:
		srv.recovery.owned(env.Origin, op.Owned)
		finish(d, nil)
	case opDegraded:
		srv.degraded.heard(env.Origin, op.Emitted)
		finish(d, nil)
	case opFetch:
		srv.spawn(d, func() { answerFetch(d, ns, &t, op.Fetch) })
	case opRooms:
		srv.spawn(d, func() { answerRooms(d, ns) })
	case opJoin, opLeave, opDisconnect:
		if srv.journal() != nil {
			srv.spawn(d, func() { srv.operateStored(d, &t, &op) })
			return
		}
		res, created := srv.apply(env.Namespace, env.Op, &t, &op)
		if !created {
			finishOperated(d, res)
			return
		}
		srv.spawn(d, func() {
			res.Unheard = srv.unheard(env.Timeout)
			finishOperated(d, res)
		})
	default:
		srv.stats.unknownEnvelopes.Add(1)
		finish(d, nil)
	}
}

// finishOperated answers with what became of an operation.
func finishOperated(d backplane.Delivery, res operated) {
	if d.Reply != nil {
		replyList(d, res.Refused, func(ids []string) any { return operated{Refused: ids} })
	}
	res.Refused = nil
	finish(d, encodeBody(res))
}

// apply carries an operation out on this server's sockets, those whose
// OnConnect is running included, and on sessions whose clients are away (V20).
// It reports whether a room is new on this server.
func (srv *Server) apply(namespace string, op backplane.Op, t *target, body *operation) (res operated, created bool) {
	sockets, absent := srv.concerned(namespace, t)
	made, err := srv.journalOperation(sockets, absent, op, body)
	res.NotStored = err != nil
	defer func() {
		made()
		if ns := srv.known(namespace); ns != nil {
			ns.tell()
		}
	}()
	done := func(id string, first bool, err error) {
		created = created || first
		if err != nil && !errors.Is(err, ErrDisconnected) { // it may end meanwhile
			res.Refused = append(res.Refused, id)
		}
	}
	for _, s := range sockets {
		if s.rec != nil {
			first, err := s.rec.operate(op, body)
			done(s.id, first, err)
			continue
		}
		first, err := s.operate(op, body)
		done(s.id, first, err)
	}
	for _, ss := range absent {
		first, err := ss.operate(op, body)
		done(ss.history.SID(), first, err)
	}
	return res, created
}

// operate carries an operation out on a socket.
func (s *Socket) operate(op backplane.Op, body *operation) (created bool, err error) {
	switch op {
	case opJoin:
		return s.ns.changeNow(s, body.Rooms, nil)
	case opLeave:
		return s.ns.changeNow(s, nil, body.Rooms)
	default:
		s.endBy(body.Close)
		return false, nil
	}
}

// concerned lists what a target selects at one moment: a session that changes
// hands meanwhile is either still with its socket, or already without one.
func (srv *Server) concerned(namespace string, t *target) (sockets []*Socket, absent []*session) {
	if ns := srv.known(namespace); ns != nil {
		ns.lock()
		defer ns.unlock()
		for _, x := range ns.index {
			x.each(t, func(s *Socket) { sockets = append(sockets, s) })
			for _, s := range x.pending {
				if t.selects(s) {
					sockets = append(sockets, s)
				}
			}
		}
	}
	return sockets, srv.recovery.absentIn(namespace, t)
}

// selected lists this server's sockets that a target selects.
func (ns *Namespace) selected(t *target) []*Socket {
	var all []*Socket
	for _, x := range ns.index {
		x.mu.Lock()
		x.each(t, func(s *Socket) { all = append(all, s) })
		x.mu.Unlock()
	}
	return all
}

// lock locks the index of every shard, in their order.
func (ns *Namespace) lock() {
	for _, x := range ns.index {
		x.mu.Lock()
	}
}

func (ns *Namespace) unlock() {
	for _, x := range ns.index {
		x.mu.Unlock()
	}
}

// SocketsJoin puts all addressed sockets into rooms, on every server.
//
// It returns nil when that is done everywhere, and what any server then emits
// to the rooms reaches them. *PartialError names the servers of which it is not
// known, those among them that another server did not hear of, and the sockets
// that a limit kept out. With ErrNotJournaled, alone or
// joined to that, it is done, and is lost for sessions whose server dies before
// it has stored it. ctx bounds the wait; without a deadline it is
// Config.AckTimeout.
func (b Broadcast) SocketsJoin(ctx context.Context, rooms ...string) error {
	return b.operate(ctx, opJoin, &operation{Rooms: rooms})
}

// SocketsLeave takes all addressed sockets out of rooms; see SocketsJoin.
func (b Broadcast) SocketsLeave(ctx context.Context, rooms ...string) error {
	return b.operate(ctx, opLeave, &operation{Rooms: rooms})
}

// DisconnectSockets ends all addressed sockets; see Socket.Disconnect and
// SocketsJoin.
func (b Broadcast) DisconnectSockets(ctx context.Context, closeConnection bool) error {
	return b.operate(ctx, opDisconnect, &operation{Close: closeConnection})
}

func (b Broadcast) operate(ctx context.Context, op backplane.Op, body *operation) error {
	srv := b.ns.srv
	ctx, cancel := srv.bounded(ctx)
	defer cancel()
	if b.ns.template != nil {
		return b.forChildren(func(b Broadcast) error { return b.operate(ctx, op, body) })
	}
	t, err := b.target(nil, nil)
	if err != nil {
		return err
	}
	if err := b.ns.checkRooms(body.Rooms); err != nil {
		return err
	}
	res, created := srv.apply(b.ns.name, op, &t, body)
	partial, notStored := PartialError{Missing: res.Refused}, res.NotStored
	if b.flags&castLocal != 0 || !srv.clustered() {
		return unlessStored(partial.orNil(), !notStored)
	}
	env := b.envelope(&t, protocol.Frames{})
	env.Kind, env.Op, env.Data = backplane.KindOperation, op, encodeBody(body)
	unheard := make(map[string]string)
	err = srv.ask(ctx, backplane.Requests(b.ns.name), env, func(r backplane.Reply) bool {
		var res operated
		if decodeBody(r.Envelope, &res) {
			partial.Missing = append(partial.Missing, res.Refused...)
			notStored = notStored || res.NotStored
			maps.Copy(unheard, res.Unheard)
		}
		return true
	})
	err = partial.with(err)
	if created { // also if some did not answer: the others are to know of the rooms
		late := srv.barrier(ctx)
		if _, ok := errors.AsType[*backplane.PartialError](late); ok && err == error(&partial) || err == nil {
			err = partial.with(late)
		}
	}
	if err == nil || err == error(&partial) {
		for _, id := range slices.Sorted(maps.Keys(unheard)) {
			partial.name(id, unheard[id])
		}
		err = partial.orNil()
	}
	return unlessStored(err, !notStored)
}

// unlessStored adds ErrNotJournaled to an error, unless all is stored.
func unlessStored(err error, all bool) error {
	switch {
	case all:
		return err
	case err == nil:
		return ErrNotJournaled
	}
	return errors.Join(err, ErrNotJournaled)
}
