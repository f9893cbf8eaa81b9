package node

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/protocol"
)

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
	// Emitters may publish where events for rooms, sockets and namespaces come
	// from, and nowhere else (R20): there an envelope delivers and does nothing
	// more, whatever it says it is.
	ofNode := d.To.Scope == backplane.ScopeRequests || d.To.Scope == backplane.ScopeNode
	switch env.Kind {
	case backplane.KindEvent:
		ns := srv.known(env.Namespace)
		switch {
		case srv.stray(env):
			finish(d, nil)
		case d.Reply != nil && ofNode:
			srv.answerBroadcast(ns, d)
		case ns != nil:
			ns.deliverEnvelope(env)
		}
	case backplane.KindOperation, backplane.KindServerEvent:
		switch {
		case !ofNode:
			srv.forged("an operation came where only events belong", env, d.To.String())
		case env.Kind == backplane.KindOperation:
			srv.operate(d)
		default:
			srv.serverEvent(d)
		}
	default:
		srv.stats.unknownEnvelopes.Add(1)
		finish(d, nil) // of a newer version: whoever asks must not wait
	}
}

// foreign are the limits of frames that another process made: those of what
// clients send are not theirs.
var foreign = protocol.Limits{MaxAttachments: backplane.MaxAttachments, MaxArguments: math.MaxInt, MaxDepth: math.MaxInt, MaxEvent: math.MaxInt, MaxNamespace: math.MaxInt}

// stray reports that an event is none of the namespace that it was published for.
// Emitters encode events themselves, and may have a right to one namespace alone:
// what is written to connections must not speak for another one, nor say anything
// else (R20).
func (srv *Server) stray(env *backplane.Envelope) bool {
	err := env.Frames.CheckEvent(env.Namespace, foreign)
	if err != nil {
		srv.forged("an event is none of its namespace", env, err.Error())
	}
	return err != nil
}

// forged counts what was dropped since nobody may send it.
func (srv *Server) forged(what string, env *backplane.Envelope, detail string) {
	if srv.stats.forgedEnvelopes.Add(1) == 1 {
		srv.cfg.Logger.Warn(what+", and was dropped; further ones are counted",
			"kind", env.Kind, "ns", clip(env.Namespace), "origin", clip(env.Origin), "detail", clip(detail))
	}
}

// spawn runs f, which is to give d's final reply, in a goroutine of its own.
func (srv *Server) spawn(d backplane.Delivery, f func()) {
	if !srv.tasks.start(f) {
		finish(d, nil)
	}
}

// reply gives one answer of several.
func reply(d backplane.Delivery, body any) error {
	return d.Reply(&backplane.Envelope{Kind: backplane.KindReply, Data: encodeBody(body)}, false)
}

// replyList gives a list as answers that each fit into a message, and returns what
// fits into none by itself.
func replyList[T any](d backplane.Delivery, list []T, body func([]T) any) (large []T) {
	if len(list) == 0 {
		return nil
	}
	if _, ok := errors.AsType[*backplane.LimitError](reply(d, body(list))); !ok {
		return nil // sent, or nothing can be: the other side's roster or deadline ends the wait
	}
	if len(list) == 1 {
		return list
	}
	half := len(list) / 2
	return append(replyList(d, list[:half], body), replyList(d, list[half:], body)...)
}

// finish answers a request with body as its final reply. If that is too large for
// a message, the answer is empty: nobody is to wait for it.
func finish(d backplane.Delivery, body []byte) {
	if d.Reply == nil {
		return
	}
	err := d.Reply(&backplane.Envelope{Kind: backplane.KindReply, Data: body}, true)
	if _, ok := errors.AsType[*backplane.LimitError](err); ok {
		_ = d.Reply(&backplane.Envelope{Kind: backplane.KindReply}, true)
	}
	// After any other error the other side's roster or deadline ends the wait.
}

func encodeBody(v any) []byte {
	b, _, err := protocol.JSON.AppendValue(nil, nil, v)
	if err != nil {
		return nil
	}
	return b
}

func decodeBody(env *backplane.Envelope, v any) bool {
	return env != nil && len(env.Data) > 0 && protocol.JSON.DecodeValue(env.Data, nil, v) == nil
}

// request is an envelope of this node's own with a body.
func (srv *Server) request(kind backplane.Kind, op backplane.Op, namespace string, body any) *backplane.Envelope {
	return &backplane.Envelope{Kind: kind, Op: op, Origin: srv.id, ID: srv.nextEnvelope(), Namespace: namespace, Data: encodeBody(body)}
}

// ask sends an envelope, to every other node unless the address names one, and
// hands the answers to f, until f returns false. The error is a *PartialError,
// or means that nothing was sent.
func (srv *Server) ask(ctx context.Context, to backplane.Address, env *backplane.Envelope, f func(backplane.Reply) bool) error {
	ctx, cancel := srv.bounded(ctx)
	defer cancel()
	var asked, silent []string
	if !to.One() {
		asked, silent = membership.Roster(srv.cfg.Membership, srv.cfg.Backplane.Heard)
	}
	var partial PartialError
	for _, id := range silent {
		partial.FailedNodes = append(partial.FailedNodes, FailedNode{id, string(backplane.ReasonUnreachable)})
	}
	if d, ok := ctx.Deadline(); ok {
		env.Timeout = time.Until(d)
	}
	for r, err := range srv.cfg.Backplane.Request(ctx, to, env, asked) {
		switch p, ok := errors.AsType[*backplane.PartialError](err); {
		case err == nil:
			if !f(r) {
				return nil
			}
		case ok:
			partial.add(p)
		default:
			return err
		}
	}
	return partial.orNil()
}

// add takes a backplane's partial error over.
func (e *PartialError) add(p *backplane.PartialError) {
	for _, id := range p.Missing {
		e.name(id, "timeout")
	}
	for _, f := range p.Failed {
		e.name(f.Node, string(f.Reason))
	}
	e.Err = cmp.Or(e.Err, p.Err)
}

// name adds a node, once.
func (e *PartialError) name(id, reason string) {
	if !slices.ContainsFunc(e.FailedNodes, func(f FailedNode) bool { return f.Node == id }) {
		e.FailedNodes = append(e.FailedNodes, FailedNode{id, reason})
	}
}

func (e *PartialError) orNil() error {
	if len(e.Missing) == 0 && len(e.FailedNodes) == 0 && e.Err == nil {
		return nil
	}
	return e
}

// with joins the parts of a partial result; other errors stand alone.
func (e *PartialError) with(err error) error {
	if p, ok := errors.AsType[*backplane.PartialError](err); ok {
		e.add(p)
		return e.orNil()
	}
	if p, ok := errors.AsType[*PartialError](err); ok {
		e.Missing = append(e.Missing, p.Missing...)
		e.FailedNodes, e.Err = append(e.FailedNodes, p.FailedNodes...), p.Err
		return e.orNil()
	}
	if err != nil {
		return err
	}
	return e.orNil()
}

// bounded gives a context without a deadline the configured one.
func (srv *Server) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, srv.cfg.AckTimeout)
}
