package node

import (
	"context"
	"errors"
	"iter"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/protocol"
)

// Answer is one client's acknowledgement of a broadcast.
type Answer struct {
	Socket string // id
	Node   string // boot id of its server
	Args   protocol.Args
	codec  protocol.Codec
}

// Decode decodes the first values of the answer into dst, pointers, in order.
// Further values are ignored; missing ones give protocol.ErrArguments.
func (a Answer) Decode(dst ...any) error { return a.Args.Decode(a.codec, dst...) }

// Result is what CollectAcks returns.
type Result struct {
	Answers     []Answer
	Missing     []string // ids of sockets that were asked and did not answer
	FailedNodes []FailedNode
}

// EmitWithAck sends the event to all addressed sockets of all servers and
// yields their acknowledgements as they come. Nothing is sent before the
// sequence is ranged over. It ends when every socket has answered or ended, or
// with ctx; nobody waits for a server that died. Without a deadline it is
// Config.AckTimeout, which the log says once: a single client that is asleep
// makes the caller wait that long. If some did not answer, the last pair carries
// a *PartialError; any other error comes alone and means that nothing was sent.
// Leaving the loop early gives up the rest. Sockets whose OnConnect is running
// are not asked.
func (b Broadcast) EmitWithAck(ctx context.Context, event string, args ...any) iter.Seq2[Answer, error] {
	return func(yield func(Answer, error) bool) {
		b.ns.srv.collectors.advise(ctx, event)
		ctx, cancel := b.ns.srv.bounded(ctx)
		defer cancel()
		col, err := b.ask(ctx, event, args)
		if err != nil {
			yield(Answer{}, err)
			return
		}
		defer col.stop()
		if !col.yield(ctx, yield) {
			return
		}
		cancel()
		if err := col.partial.orNil(); err != nil {
			yield(Answer{}, err)
		}
	}
}

// CollectAcks is EmitWithAck that waits for the end. Who did not answer is in
// the result; the error is that of ctx or of the emit.
func (b Broadcast) CollectAcks(ctx context.Context, event string, args ...any) (Result, error) {
	var res Result
	for a, err := range b.EmitWithAck(ctx, event, args...) {
		if err == nil {
			res.Answers = append(res.Answers, a)
			continue
		}
		p, ok := errors.AsType[*PartialError](err)
		if !ok {
			return res, err
		}
		res.Missing, res.FailedNodes = p.Missing, p.FailedNodes
		return res, p.Err
	}
	return res, nil
}

// ask sends the event everywhere.
func (b *Broadcast) ask(ctx context.Context, event string, args []any) (*collector, error) {
	srv := b.ns.srv
	t, err := b.target(nil, nil)
	if err != nil {
		return nil, err
	}
	if srv.down.Load() {
		return nil, ErrClosed
	}
	all := b.ns.real()
	frames := make([]protocol.Frames, len(all))
	for i, ns := range all {
		if frames[i], err = ns.encode(event, args); err != nil {
			return nil, err
		}
	}
	if err := srv.root.waitForRoom(ctx); err != nil {
		return nil, err
	}
	col := srv.collectors.start()
	for i, ns := range all {
		ns.outgoing(event, frames[i])
		col.send(ns, &t, frames[i], b.flags)
		if b.flags&castLocal == 0 && srv.clustered() {
			of := *b
			of.ns = ns
			col.remote(ctx, of.envelope(&t, frames[i]))
		}
	}
	col.seal()
	return col, nil
}

// yield hands on what comes, until all have answered or ctx ends. It returns
// false if the loop was left.
func (col *collector) yield(ctx context.Context, yield func(Answer, error) bool) bool {
	end := ctx.Done()
	for {
		got, done := col.take()
		for _, a := range got {
			if !yield(a, nil) {
				return false
			}
		}
		if done {
			return true
		}
		select {
		case <-col.signal:
		case <-end:
			// Requests to other servers end with ctx too, and say who is
			// missing there; what has come until then still counts.
			end = nil
			col.fail(context.Cause(ctx))
			col.stop()
		}
	}
}

// fail notes why the wait ended.
func (col *collector) fail(err error) {
	col.mu.Lock()
	defer col.mu.Unlock()
	if col.partial.Err == nil {
		col.partial.Err = err
	}
}

// remoteAnswer is the body of another node's replies: one for each answer, and
// a last one.
type remoteAnswer struct {
	Socket  string   `json:"socket,omitzero"`
	Missing []string `json:"missing,omitzero"`
}

// remote asks the other servers.
func (col *collector) remote(ctx context.Context, env *backplane.Envelope) {
	srv := col.cs.srv
	col.mu.Lock()
	col.remotes++
	col.mu.Unlock()
	ok := srv.tasks.start(func() {
		err := srv.ask(ctx, backplane.Requests(env.Namespace), env, col.fromNode)
		col.mu.Lock()
		defer col.mu.Unlock()
		col.remotes--
		col.notify()
		if p, ok := errors.AsType[*PartialError](err); ok {
			col.partial.FailedNodes = append(col.partial.FailedNodes, p.FailedNodes...)
			err = p.Err
		}
		if col.partial.Err == nil {
			col.partial.Err = err
		}
	})
	if !ok {
		col.mu.Lock()
		col.remotes--
		col.mu.Unlock()
	}
}

// fromNode takes one reply of another server.
func (col *collector) fromNode(r backplane.Reply) bool {
	var body remoteAnswer
	if !decodeBody(r.Envelope, &body) {
		return true
	}
	if len(body.Missing) > 0 {
		col.mu.Lock()
		col.partial.Missing = append(col.partial.Missing, body.Missing...)
		col.mu.Unlock()
	}
	if body.Socket == "" {
		return true
	}
	if args, err := ackArgs(r.Envelope.Frames); err == nil {
		col.add(Answer{Socket: body.Socket, Node: r.Node, Args: args, codec: col.cs.srv.cfg.Codec})
	}
	return true
}

// argsFrames puts values between servers: a JSON array, without a packet
// around it.
func argsFrames(a protocol.Args) protocol.Frames {
	text := []byte{'['}
	for i := range a.Len() {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, a.Raw(i)...)
	}
	return protocol.Frames{Text: append(text, ']'), Binary: a.Attachments()}
}

// ackArgs is the inverse of argsFrames.
func ackArgs(f protocol.Frames) (protocol.Args, error) {
	return protocol.ParseArgs(f.Text, f.Binary)
}

// answerBroadcast runs another node's broadcast with acknowledgements here.
func (srv *Server) answerBroadcast(ns *Namespace, d backplane.Delivery) {
	if ns == nil {
		finish(d, nil)
		return
	}
	env := d.Envelope
	t := target{rooms: env.Target.Rooms, except: env.Target.Except}
	// Sent here, on the backplane's goroutine, so that it keeps its place among
	// the same node's broadcasts.
	col := srv.collectors.start()
	col.send(ns, &t, env.Frames, flagsOf(env))
	col.seal()
	srv.spawn(d, func() {
		wait := env.Timeout
		if wait <= 0 {
			wait = srv.cfg.AckTimeout
		}
		ctx, cancel := context.WithTimeout(srv.ctx, wait)
		defer cancel()
		defer col.stop()
		var unsent []string // answers that are too large for a message
		col.yield(ctx, func(a Answer, _ error) bool {
			env := &backplane.Envelope{
				Kind: backplane.KindReply, Data: encodeBody(remoteAnswer{Socket: a.Socket}), Frames: argsFrames(a.Args),
			}
			if d.Reply(env, false) != nil {
				unsent = append(unsent, a.Socket)
			}
			return true
		})
		col.stop()
		replyList(d, append(unsent, col.partial.Missing...), func(ids []string) any { return remoteAnswer{Missing: ids} })
		finish(d, nil)
	})
}
