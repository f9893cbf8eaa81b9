package node

import (
	"context"
	"errors"
	"time"

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
	Rooms []string `json:"rooms,omitzero"`
	Close bool     `json:"close,omitzero"`
	Fetch Fetch    `json:"fetch,omitzero"`
	Take  takeBody `json:"take,omitzero"`
}

// receive takes what other nodes send. It runs on the backplane's goroutine
// and must not wait for anybody.
func (srv *Server) receive(d backplane.Delivery) {
	if !d.Gap.IsZero() {
		srv.stats.lost.Add(d.Gap.Lost)
		if d.Gap.Unknown {
			srv.stats.unknownLoss.Add(1)
		}
	}
	env := d.Envelope
	if env == nil {
		return
	}
	switch env.Kind {
	case backplane.KindEvent:
		ns := srv.known(env.Namespace)
		switch {
		case d.Reply != nil:
			srv.answerBroadcast(ns, d)
		case ns != nil:
			ns.deliverEnvelope(env)
		}
	case backplane.KindOperation:
		srv.operate(d)
	case backplane.KindServerEvent:
		srv.serverEvent(d)
	}
}

// operate carries another node's operation out. Joins and leaves are done at
// once, so that they keep their order among the same node's broadcasts.
func (srv *Server) operate(d backplane.Delivery) {
	env := d.Envelope
	var op operation
	if err := protocol.JSON.DecodeValue(env.Data, nil, &op); err != nil {
		srv.cfg.Logger.Warn("operation of another node cannot be read", "node", env.Origin, "op", int(env.Op), "err", err)
		finish(d, nil)
		return
	}
	t := target{rooms: env.Target.Rooms, except: env.Target.Except}
	ns := srv.known(env.Namespace)
	switch env.Op {
	case opTake:
		srv.wg.Go(func() { finish(d, srv.recovery.serveTake(op.Take)) })
	case opFetch:
		srv.wg.Go(func() { finish(d, encodeBody(fetchLocal(ns, &t, op.Fetch))) })
	case opRooms:
		if ns != nil {
			finish(d, encodeBody(ns.interest.names()))
			return
		}
		finish(d, nil)
	default:
		if ns != nil {
			ns.apply(env.Op, &t, &op)
		}
		finish(d, nil)
	}
}

// finish answers a request with body as its final reply.
func finish(d backplane.Delivery, body []byte) {
	if d.Reply == nil {
		return
	}
	env := &backplane.Envelope{Kind: backplane.KindReply, Data: body}
	_ = d.Reply(env, true) // if it cannot be sent, the other side's roster or deadline ends the wait
}

func encodeBody(v any) []byte {
	b, _, err := protocol.JSON.AppendValue(nil, nil, v)
	if err != nil {
		return nil
	}
	return b
}

// apply carries an operation out on this server's sockets.
func (ns *Namespace) apply(op backplane.Op, t *target, body *operation) {
	for _, s := range ns.selected(t) {
		switch op {
		case opJoin:
			_ = s.Join(body.Rooms...) // it may end meanwhile
		case opLeave:
			_ = s.Leave(body.Rooms...)
		case opDisconnect:
			s.Disconnect(body.Close)
		}
	}
	ns.srv.recovery.applyWaiting(ns, op, t, body)
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

// SocketsJoin puts all addressed sockets into rooms, on every server.
//
// It returns nil when that is done everywhere, and *PartialError naming the
// servers of which it is not known. ctx bounds the wait; without a deadline it
// is Config.AckTimeout.
func (b Broadcast) SocketsJoin(ctx context.Context, rooms ...string) error {
	return b.operation(ctx, opJoin, &operation{Rooms: rooms})
}

// SocketsLeave takes all addressed sockets out of rooms; see SocketsJoin.
func (b Broadcast) SocketsLeave(ctx context.Context, rooms ...string) error {
	return b.operation(ctx, opLeave, &operation{Rooms: rooms})
}

// DisconnectSockets ends all addressed sockets; see Socket.Disconnect and
// SocketsJoin.
func (b Broadcast) DisconnectSockets(ctx context.Context, closeConnection bool) error {
	return b.operation(ctx, opDisconnect, &operation{Close: closeConnection})
}

func (b Broadcast) operation(ctx context.Context, op backplane.Op, body *operation) error {
	if b.ns.template() {
		return b.forChildren(func(b Broadcast) error { return b.operation(ctx, op, body) })
	}
	t, err := b.target(nil, nil)
	if err != nil {
		return err
	}
	for _, r := range body.Rooms {
		if most := b.ns.srv.cfg.MaxRoom; len(r) > most {
			return &LimitError{Limit: "room name", Value: len(r), Max: most}
		}
	}
	b.ns.apply(op, &t, body)
	if b.flags&castLocal != 0 || !b.ns.srv.clustered() {
		return nil
	}
	env := b.envelope(&t, protocol.Frames{})
	env.Kind, env.Op, env.Data = backplane.KindOperation, op, encodeBody(body)
	return b.ns.srv.ask(ctx, env, func(backplane.Reply) {})
}

// ask sends an envelope to every other node and hands its answers to f.
func (srv *Server) ask(ctx context.Context, env *backplane.Envelope, f func(backplane.Reply)) error {
	ctx, cancel := srv.bounded(ctx)
	defer cancel()
	asked, silent := membership.Roster(srv.cfg.Membership, srv.cfg.Backplane.Heard)
	var partial PartialError
	for _, id := range silent {
		partial.FailedNodes = append(partial.FailedNodes, FailedNode{id, string(backplane.ReasonUnreachable)})
	}
	e := *env
	if d, ok := ctx.Deadline(); ok {
		e.Timeout = time.Until(d)
	}
	for r, err := range srv.cfg.Backplane.Request(ctx, backplane.Requests(env.Namespace), &e, asked) {
		if err != nil {
			if p, ok := errors.AsType[*backplane.PartialError](err); ok {
				partial.add(p)
				break
			}
			return err
		}
		f(r)
	}
	return partial.orNil()
}

// add takes a backplane's partial error over.
func (e *PartialError) add(p *backplane.PartialError) {
	for _, id := range p.Missing {
		e.FailedNodes = append(e.FailedNodes, FailedNode{id, "timeout"})
	}
	for _, f := range p.Failed {
		e.FailedNodes = append(e.FailedNodes, FailedNode{f.Node, string(f.Reason)})
	}
	e.Err = p.Err
}

func (e *PartialError) orNil() error {
	if len(e.Missing) == 0 && len(e.FailedNodes) == 0 && e.Err == nil {
		return nil
	}
	return e
}

// bounded gives a context without a deadline the configured one.
func (srv *Server) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, srv.cfg.AckTimeout)
}
