package node

import (
	"context"

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
type ServerEventHandler func(ctx context.Context, e *ServerEvent) (result any, err error)

// OnServerEvent registers the handler of an event between servers.
func (ns *Namespace) OnServerEvent(event string, h ServerEventHandler) {
	ns.change(func(t *handlers) {
		if t.server == nil {
			t.server = make(map[string]ServerEventHandler)
		}
		t.server[event] = h
	})
}

// ServerSideEmit sends an event to all other servers, at most once each.
func (ns *Namespace) ServerSideEmit(ctx context.Context, event string, args ...any) error {
	env, err := ns.serverEnvelope(event, args)
	if err != nil {
		return err
	}
	return ns.srv.cfg.Backplane.Publish(ctx, backplane.Requests(ns.name), env)
}

// ServerAnswer is one server's answer to ServerSideCollect.
type ServerAnswer struct {
	Node   string
	Failed bool // its handler returned an error, or it has none
	Args   protocol.Args
}

// serverReply is the body of the answer to a server event.
type serverReply struct {
	Failed bool `json:"failed,omitzero"`
}

// ServerSideCollect sends an event to all other servers and collects their
// answers. A *PartialError names the servers that did not answer; the answers
// of the others are returned with it.
func (ns *Namespace) ServerSideCollect(ctx context.Context, event string, args ...any) ([]ServerAnswer, error) {
	env, err := ns.serverEnvelope(event, args)
	if err != nil {
		return nil, err
	}
	var all []ServerAnswer
	err = ns.srv.ask(ctx, env, func(r backplane.Reply) {
		a := ServerAnswer{Node: r.Node, Failed: true}
		var body serverReply
		if r.Envelope != nil && protocol.JSON.DecodeValue(r.Envelope.Data, nil, &body) == nil && !body.Failed {
			if args, err := ackArgs(r.Envelope.Frames); err == nil {
				a.Args, a.Failed = args, false
			}
		}
		all = append(all, a)
	})
	return all, err
}

func (ns *Namespace) serverEnvelope(event string, args []any) (*backplane.Envelope, error) {
	f, err := protocol.EncodeEvent(ns.srv.cfg.Codec, ns.name, event, args)
	if err != nil {
		return nil, err
	}
	return &backplane.Envelope{Kind: backplane.KindServerEvent, Origin: ns.srv.id, ID: ns.srv.nextEnvelope(), Namespace: ns.name, Frames: f}, nil
}

// serverEvent handles another server's event, away from the backplane's
// goroutine.
func (srv *Server) serverEvent(d backplane.Delivery) {
	env := d.Envelope
	fail := encodeBody(serverReply{Failed: true})
	ns := srv.known(env.Namespace)
	if ns == nil {
		finish(d, fail)
		return
	}
	e, err := decodeServerEvent(env)
	if err != nil {
		srv.cfg.Logger.Warn("event of another server cannot be read", "node", env.Origin, "err", err)
		finish(d, fail)
		return
	}
	h := ns.handlers.Load().server[e.Name]
	if h == nil {
		finish(d, fail)
		return
	}
	srv.wg.Go(func() {
		res, err := h(srv.ctx, e)
		if err != nil {
			srv.cfg.Logger.Warn("handler of a server event failed", "ns", ns.name, "event", clip(e.Name), "err", err)
			finish(d, fail)
			return
		}
		if d.Reply == nil {
			return
		}
		text, bin, err := srv.cfg.Codec.AppendValue([]byte{'['}, nil, res)
		if err != nil {
			finish(d, fail)
			return
		}
		_ = d.Reply(&backplane.Envelope{
			Kind: backplane.KindReply, Data: encodeBody(serverReply{}), Frames: protocol.Frames{Text: append(text, ']'), Binary: bin},
		}, true)
	})
}

func decodeServerEvent(env *backplane.Envelope) (*ServerEvent, error) {
	d := protocol.NewDecoder(protocol.Limits{MaxAttachments: backplane.MaxAttachments})
	var p protocol.Packet
	done, err := d.Text(env.Frames.Text, &p)
	pkt := &p
	for i := 0; !done && err == nil && i < len(env.Frames.Binary); i++ {
		pkt, done, err = d.Binary(env.Frames.Binary[i])
	}
	if err != nil {
		return nil, err
	}
	return &ServerEvent{Name: string(pkt.Event), Args: pkt.Args, From: env.Origin}, nil
}
