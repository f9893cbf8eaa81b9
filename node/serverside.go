package node

import (
	"context"
	"maps"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
)

// ServerEvent is an event from another server.
type ServerEvent struct {
	Name string
	Args protocol.Args
	From string // boot id of the server that emitted it
}

// ServerEventHandler handles an event of another server. Its result is the
// answer, if one was asked for; an error is logged and answered as a failure.
// ctx ends when Shutdown begins.
//
// Events that want no answer are handled in the order in which one server
// emitted them, one at a time in a namespace; those that want one are handled
// at once, side by side, so that servers may ask each other.
type ServerEventHandler func(ctx context.Context, e *ServerEvent) (result any, err error)

// OnServerEvent registers the handler of an event between servers; a later one
// replaces it.
func (ns *Namespace) OnServerEvent(event string, h ServerEventHandler) {
	if h == nil {
		panic("node: OnServerEvent: nil handler for " + event)
	}
	ns.register(func(t *handlers) {
		t.server = maps.Clone(t.server)
		if t.server == nil {
			t.server = make(map[string]ServerEventHandler)
		}
		t.server[event] = h
	})
}

// ServerSideEmit sends an event to all other servers, at most once each. On the
// Namespace of a Dynamic it returns ErrTemplate, as its siblings do.
func (ns *Namespace) ServerSideEmit(ctx context.Context, event string, args ...any) error {
	env, err := ns.serverEnvelope(event, args)
	if err != nil {
		return err
	}
	return ns.srv.cfg.Backplane.Publish(ctx, backplane.Requests(ns.name), env)
}

// ServerAnswer is one server's answer to ServerSideCollect.
type ServerAnswer struct {
	Node   string        // boot id
	Failed bool          // its handler returned an error, or it has none
	Args   protocol.Args // one value, unless Failed
}

// ServerSideCollect sends an event to all other servers and collects their
// answers. A *PartialError names the servers that did not answer; the answers
// of the others are returned with it. Nobody waits for a server that died; for
// one that is silent, until ctx ends, without a deadline Config.AckTimeout.
func (ns *Namespace) ServerSideCollect(ctx context.Context, event string, args ...any) ([]ServerAnswer, error) {
	env, err := ns.serverEnvelope(event, args)
	if err != nil {
		return nil, err
	}
	var all []ServerAnswer
	err = ns.srv.ask(ctx, backplane.Requests(ns.name), env, func(r backplane.Reply) bool {
		all = append(all, serverAnswer(r))
		return true
	})
	return all, err
}

// ServerSideCall is ServerSideCollect that asks one server, by its boot id.
func (ns *Namespace) ServerSideCall(ctx context.Context, node, event string, args ...any) (ServerAnswer, error) {
	env, err := ns.serverEnvelope(event, args)
	if err != nil {
		return ServerAnswer{}, err
	}
	answer := ServerAnswer{Node: node, Failed: true}
	err = ns.srv.ask(ctx, backplane.Node(node), env, func(r backplane.Reply) bool {
		answer = serverAnswer(r)
		return true
	})
	return answer, err
}

// serverReply is the body of the answer to a server event.
type serverReply struct {
	Failed bool `json:"failed,omitzero"`
}

func serverAnswer(r backplane.Reply) ServerAnswer {
	a := ServerAnswer{Node: r.Node, Failed: true}
	var body serverReply
	if !decodeBody(r.Envelope, &body) || body.Failed {
		return a
	}
	if args, err := ackArgs(r.Envelope.Frames); err == nil {
		a.Args, a.Failed = args, false
	}
	return a
}

func (ns *Namespace) serverEnvelope(event string, args []any) (*backplane.Envelope, error) {
	if ns.template != nil {
		return nil, ErrTemplate
	}
	if err := checkLimit("event name", len(event), ns.srv.cfg.Limits.MaxEvent); err != nil {
		return nil, err
	}
	f, err := protocol.EncodeEvent(ns.srv.cfg.Codec, ns.name, event, args)
	if err != nil {
		return nil, err
	}
	env := ns.srv.request(backplane.KindServerEvent, 0, ns.name, nil)
	env.Data, env.Frames = nil, f
	return env, nil
}
