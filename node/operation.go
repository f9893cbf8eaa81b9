package node

import (
	"context"
	"errors"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/membership"
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
)

// operation is the body of a request; which fields count depends on the op.
type operation struct {
	Rooms []string  `json:"rooms,omitzero"`
	Close bool      `json:"close,omitzero"`
	Fetch fetchBody `json:"fetch,omitzero"`
	Take  takeBody  `json:"take,omitzero"`
}

// operated is the answer to a join, a leave or a disconnect.
type operated struct {
	Refused []string `json:"refused,omitzero"` // ids of sockets whose limits forbade it
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
	ns := srv.known(env.Namespace)
	switch env.Op {
	case opTake:
		srv.spawn(d, func() { finish(d, srv.recovery.serveTake(op.Take)) })
	case opFetch:
		srv.spawn(d, func() { answerFetch(d, ns, &t, op.Fetch) })
	case opRooms:
		srv.spawn(d, func() { answerRooms(d, ns) })
	case opJoin, opLeave, opDisconnect:
		if ns == nil {
			finish(d, nil)
			return
		}
		res, created := ns.apply(env.Op, &t, &op)
		if !created {
			finish(d, encodeBody(res))
			return
		}
		srv.spawn(d, func() {
			_ = srv.barrier(srv.ctx) // who did not confirm is not heard of by the asking node either
			finish(d, encodeBody(res))
		})
	default:
		srv.stats.unknownEnvelopes.Add(1)
		finish(d, nil)
	}
}

// apply carries an operation out on this server's sockets. It reports whether
// a room is new on this server.
func (ns *Namespace) apply(op backplane.Op, t *target, body *operation) (res operated, created bool) {
	for _, s := range ns.selected(t, true) {
		var err error
		var first bool
		switch op {
		case opJoin:
			first, err = ns.change(s, body.Rooms, nil)
			created = created || first
		case opLeave:
			_, err = ns.change(s, nil, body.Rooms)
		case opDisconnect:
			s.Disconnect(body.Close)
		}
		if err != nil && !errors.Is(err, ErrDisconnected) { // it may end meanwhile
			res.Refused = append(res.Refused, s.id)
		}
	}
	ns.srv.recovery.applyWaiting(ns, op, t, body)
	return res, created
}

// selected lists this server's sockets that a target selects, those whose
// OnConnect is running included if pending is set.
func (ns *Namespace) selected(t *target, pending bool) []*Socket {
	var all []*Socket
	for _, x := range ns.index {
		x.mu.Lock()
		x.each(t, func(s *Socket) { all = append(all, s) })
		if pending {
			for _, s := range x.pending {
				if t.selects(s) {
					all = append(all, s)
				}
			}
		}
		x.mu.Unlock()
	}
	return all
}

// barrier returns when all other servers know of the subscriptions that this
// one has made so far (V13): what they emit afterwards arrives.
func (srv *Server) barrier(ctx context.Context) error {
	if !srv.clustered() {
		return nil
	}
	ctx, cancel := srv.bounded(ctx)
	defer cancel()
	roster, _ := membership.Roster(srv.cfg.Membership, srv.cfg.Backplane.Heard)
	return srv.cfg.Backplane.Barrier(ctx, roster)
}

// SocketsJoin puts all addressed sockets into rooms, on every server.
//
// It returns nil when that is done everywhere, and what any server then emits
// to the rooms reaches them. *PartialError names the servers of which it is not
// known, and the sockets that a limit kept out. ctx bounds the wait; without a
// deadline it is Config.AckTimeout.
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
	res, created := b.ns.apply(op, &t, body)
	partial := PartialError{Missing: res.Refused}
	if b.flags&castLocal != 0 || !srv.clustered() {
		return partial.orNil()
	}
	env := b.envelope(&t, protocol.Frames{})
	env.Kind, env.Op, env.Data = backplane.KindOperation, op, encodeBody(body)
	err = srv.ask(ctx, backplane.Requests(b.ns.name), env, func(r backplane.Reply) bool {
		var res operated
		if decodeBody(r.Envelope, &res) {
			partial.Missing = append(partial.Missing, res.Refused...)
		}
		return true
	})
	if created && err == nil {
		err = srv.barrier(ctx)
	}
	return partial.with(err)
}
