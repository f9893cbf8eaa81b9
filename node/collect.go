package node

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// Answer is one client's acknowledgement of a broadcast.
type Answer struct {
	Socket string // id
	Node   string // boot id of its server
	Args   protocol.Args
}

// Result is what CollectAcks returns.
type Result struct {
	Answers     []Answer
	Missing     []string // ids of sockets that were asked and did not answer
	FailedNodes []FailedNode
}

// collectors are the broadcasts of this server that wait for acknowledgements.
// Their ids are odd, those of single sockets even, so that a client's answer
// says by its id whom it is for (R3).
type collectors struct {
	srv  *Server
	next atomic.Uint64
	mu   sync.Mutex
	open map[uint64]*collector
}

// collector waits for the answers of a fixed set of sockets.
type collector struct {
	mu       sync.Mutex
	expected map[*Socket]struct{}
	missing  []string
	answers  chan Answer // one place for each socket
	done     bool
}

func (cs *collectors) init(srv *Server) {
	cs.srv = srv
	cs.next.Store(uint64(rand.Uint32()>>1) | 1)
	cs.open = make(map[uint64]*collector)
}

// start sends the event to this server's matching sockets with an ack id.
func (cs *collectors) start(ns *Namespace, t *target, f protocol.Frames, volatile bool) (uint64, *collector) {
	id := cs.next.Add(2)
	col := &collector{expected: make(map[*Socket]struct{})}
	m := transport.NewMessage(f.WithID(id), acked{})
	col.mu.Lock()
	cs.mu.Lock()
	cs.open[id] = col
	cs.mu.Unlock()
	for _, x := range ns.index {
		x.mu.Lock()
		var to []transport.Recipient
		x.each(t, func(s *Socket) {
			to = append(to, s.recipient())
			col.expected[s] = struct{}{}
			s.conn.await()
		})
		if len(to) > 0 {
			x.shard.Post(transport.Cast{Message: m, To: to, Volatile: volatile})
		}
		x.mu.Unlock()
	}
	col.answers = make(chan Answer, len(col.expected))
	col.closeIfDone()
	col.mu.Unlock()
	return id, col
}

// closeIfDone ends the stream of answers when none is outstanding; col.mu is
// held.
func (col *collector) closeIfDone() {
	if len(col.expected) == 0 && !col.done {
		col.done = true
		close(col.answers)
	}
}

// stop forgets a collector and returns the sockets that did not answer.
func (cs *collectors) stop(id uint64, col *collector) (missing []string) {
	cs.mu.Lock()
	delete(cs.open, id)
	cs.mu.Unlock()
	col.mu.Lock()
	defer col.mu.Unlock()
	missing = col.missing
	for s := range col.expected {
		missing = append(missing, s.id)
		s.conn.awaiting.Add(-1)
	}
	clear(col.expected)
	col.closeIfDone()
	return missing
}

func (cs *collectors) answered(s *Socket, id uint64, args protocol.Args) bool {
	cs.mu.Lock()
	col := cs.open[id]
	cs.mu.Unlock()
	if col == nil {
		return false
	}
	col.mu.Lock()
	defer col.mu.Unlock()
	if _, ok := col.expected[s]; !ok {
		return false // never asked, or answered already
	}
	delete(col.expected, s)
	s.conn.awaiting.Add(-1)
	col.answers <- Answer{Socket: s.id, Node: cs.srv.id, Args: args}
	col.closeIfDone()
	return true
}

// gone notes that a socket ended: it will not answer.
func (cs *collectors) gone(s *Socket) {
	cs.mu.Lock()
	if len(cs.open) == 0 {
		cs.mu.Unlock()
		return
	}
	all := make([]*collector, 0, len(cs.open))
	for _, col := range cs.open {
		all = append(all, col)
	}
	cs.mu.Unlock()
	for _, col := range all {
		col.mu.Lock()
		if _, ok := col.expected[s]; ok {
			delete(col.expected, s)
			s.conn.awaiting.Add(-1)
			col.missing = append(col.missing, s.id)
			col.closeIfDone()
		}
		col.mu.Unlock()
	}
}

// EmitWithAck sends the event to all addressed sockets of all servers and
// yields their acknowledgements as they come. It ends when every socket has
// answered or ended, or with ctx (without a deadline, Config.AckTimeout). If
// some did not answer, the last pair carries a *PartialError; any other error
// comes alone and means that nothing was sent. Leaving the loop early gives up
// the rest.
func (b Broadcast) EmitWithAck(ctx context.Context, event string, args ...any) iter.Seq2[Answer, error] {
	return func(yield func(Answer, error) bool) {
		f, err := b.ns.encode(event, args)
		if err != nil {
			yield(Answer{}, err)
			return
		}
		t, err := b.target(nil, nil)
		if err != nil {
			yield(Answer{}, err)
			return
		}
		ctx, cancel := b.ns.srv.bounded(ctx)
		defer cancel()
		b.gather(ctx, &t, f, yield)
	}
}

// CollectAcks is EmitWithAck that waits for the end. The error is that of ctx
// or of the emit; who did not answer is in the result.
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

// gather merges the answers of this server's sockets with those of the others.
func (b *Broadcast) gather(ctx context.Context, t *target, f protocol.Frames, yield func(Answer, error) bool) {
	srv := b.ns.srv
	id, col := srv.collectors.start(b.ns, t, f, b.flags&castVolatile != 0)
	var partial PartialError
	remote := make(chan Answer)
	remoteDone := make(chan PartialError, 1)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if b.flags&castLocal != 0 || !srv.clustered() {
		close(remote)
		remoteDone <- PartialError{}
	} else {
		env := b.envelope(t, f)
		srv.wg.Go(func() { remoteDone <- srv.gatherRemote(ctx, env, remote) })
	}
	local := (<-chan Answer)(col.answers)
	for local != nil || remote != nil {
		var a Answer
		var ok bool
		select {
		case a, ok = <-local:
			if !ok {
				local = nil
				continue
			}
		case a, ok = <-remote:
			if !ok {
				remote = nil
				continue
			}
		case <-ctx.Done():
			partial.Err = context.Cause(ctx)
			local, remote = nil, nil
			continue
		}
		if !yield(a, nil) {
			srv.collectors.stop(id, col)
			return
		}
	}
	partial.Missing = srv.collectors.stop(id, col)
	stop()
	r := <-remoteDone
	partial.Missing = append(partial.Missing, r.Missing...)
	partial.FailedNodes = r.FailedNodes
	if partial.Err == nil {
		partial.Err = r.Err
	}
	if err := partial.orNil(); err != nil {
		yield(Answer{}, err)
	}
}

// remoteAnswer is the body of another node's replies: one for each answer, and
// a last one.
type remoteAnswer struct {
	Socket  string   `json:"socket,omitzero"`
	Missing []string `json:"missing,omitzero"`
}

// gatherRemote asks the other nodes and closes out.
func (srv *Server) gatherRemote(ctx context.Context, env *backplane.Envelope, out chan<- Answer) (partial PartialError) {
	defer close(out)
	asked, silent := membership.Roster(srv.cfg.Membership, srv.cfg.Backplane.Heard)
	for _, id := range silent {
		partial.FailedNodes = append(partial.FailedNodes, FailedNode{id, string(backplane.ReasonUnreachable)})
	}
	if d, ok := ctx.Deadline(); ok {
		env.Timeout = time.Until(d)
	}
	for r, err := range srv.cfg.Backplane.Request(ctx, backplane.Namespace(env.Namespace), env, asked) {
		if err != nil {
			if p, ok := errors.AsType[*backplane.PartialError](err); ok {
				partial.add(p)
			} else {
				partial.Err = err
			}
			break
		}
		var body remoteAnswer
		if r.Envelope == nil || protocol.JSON.DecodeValue(r.Envelope.Data, nil, &body) != nil {
			continue
		}
		partial.Missing = append(partial.Missing, body.Missing...)
		if body.Socket == "" {
			continue
		}
		args, err := ackArgs(r.Envelope.Frames)
		if err != nil {
			continue
		}
		select {
		case out <- Answer{Socket: body.Socket, Node: r.Node, Args: args}:
		case <-ctx.Done():
		}
	}
	if errors.Is(partial.Err, context.Canceled) {
		partial.Err = nil // the loop was left
	}
	return partial
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
	id, col := srv.collectors.start(ns, &t, env.Frames, env.Flags.Has(backplane.FlagVolatile))
	wait := env.Timeout
	if wait <= 0 {
		wait = srv.cfg.AckTimeout
	}
	srv.wg.Go(func() {
		ctx, cancel := context.WithTimeout(srv.ctx, wait)
		defer cancel()
		for open := true; open; {
			select {
			case a, ok := <-col.answers:
				if open = ok; !ok {
					break
				}
				reply := &backplane.Envelope{
					Kind: backplane.KindReply, Data: encodeBody(remoteAnswer{Socket: a.Socket}),
					Frames: argsFrames(a.Args),
				}
				if d.Reply(reply, false) != nil {
					open = false
				}
			case <-ctx.Done():
				open = false
			}
		}
		finish(d, encodeBody(remoteAnswer{Missing: srv.collectors.stop(id, col)}))
	})
}
