package node

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// pendingAck is one acknowledgement that a client owes.
type pendingAck struct {
	result chan ackResult // 1 place: the first result is taken, others are dropped
}

type ackResult struct {
	args protocol.Args
	err  error
}

func (a *pendingAck) finish(c *conn, r ackResult) {
	c.awaiting.Add(-1)
	a.result <- r
}

// firstAckID is where a counter of ack ids begins: at random, so that an answer
// to a socket's predecessor does not fit (R3).
func firstAckID() uint64 { return uint64(rand.Uint32()>>1) &^ 1 }

// EmitWithAck sends an event and waits for this client's acknowledgement: its
// values, still encoded. ctx bounds the wait; without a deadline it is
// Config.AckTimeout. A handler may wait for its own client: answers do not
// queue behind events. OnConnect may not, since its client is not connected
// yet.
//
// Errors: those of Emit, ErrDisconnected if the socket ends meanwhile, and
// ctx's error.
func (s *Socket) EmitWithAck(ctx context.Context, event string, args ...any) (protocol.Args, error) {
	return Direct{s: s}.EmitWithAck(ctx, event, args...)
}

// EmitWithAck sends an event and waits for the acknowledgement; see
// Socket.EmitWithAck. What is waited for is not dropped: Volatile and Latest
// change nothing here.
func (d Direct) EmitWithAck(ctx context.Context, event string, args ...any) (protocol.Args, error) {
	s := d.s
	if err := d.waitForRoom(ctx); err != nil {
		return protocol.Args{}, err
	}
	f, err := s.ns.encode(event, args)
	if err != nil {
		return protocol.Args{}, err
	}
	s.ns.outgoing(event, f)
	p := &pendingAck{result: make(chan ackResult, 1)}
	id, err := s.expect(p)
	if err != nil {
		return protocol.Args{}, err
	}
	if f = f.WithID(id); d.flags&castUncompressed == 0 {
		err = s.sendFrames(f)
	} else {
		err = s.send(transport.Cast{Message: d.flags.message(f, acked{})})
	}
	if err != nil {
		s.forget(id)
		return protocol.Args{}, err
	}
	return s.wait(ctx, id, p)
}

// expect draws an id for an answer.
func (s *Socket) expect(p *pendingAck) (id uint64, err error) {
	s.mu.Lock()
	if s.state == socketEnded {
		s.mu.Unlock()
		return 0, ErrDisconnected
	}
	if s.acks == nil {
		s.acks = make(map[uint64]*pendingAck)
		s.nextAck = firstAckID()
	}
	s.nextAck += 2 // even: odd ids belong to broadcasts
	id = s.nextAck
	s.acks[id] = p
	s.mu.Unlock()
	s.conn.await()
	return id, nil
}

func (s *Socket) wait(ctx context.Context, id uint64, p *pendingAck) (protocol.Args, error) {
	var timeout <-chan time.Time
	if _, ok := ctx.Deadline(); !ok {
		t := time.NewTimer(s.ns.srv.cfg.AckTimeout)
		defer t.Stop()
		timeout = t.C
	}
	err := context.DeadlineExceeded
	select {
	case r := <-p.result:
		return r.args, r.err
	case <-timeout:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if !s.forget(id) { // it has just been answered, so it counts
		r := <-p.result
		return r.args, r.err
	}
	return protocol.Args{}, err
}

// forget gives an acknowledgement up; a late answer is then unknown. It reports
// false if there is a result.
func (s *Socket) forget(id uint64) bool {
	s.mu.Lock()
	_, waiting := s.acks[id]
	delete(s.acks, id)
	s.mu.Unlock()
	if waiting {
		s.conn.awaiting.Add(-1)
	}
	return waiting
}

// answered takes a client's acknowledgement. Unknown ids are counted and
// otherwise ignored: the wait may just have ended.
func (s *Socket) answered(id uint64, args protocol.Args) {
	if id&1 == 1 {
		if !s.ns.srv.collectors.answered(s, id, args.Clone()) {
			s.ns.srv.stats.unknownAcks.Add(1)
		}
		return
	}
	s.mu.Lock()
	p := s.acks[id]
	delete(s.acks, id)
	s.mu.Unlock()
	if p == nil {
		s.ns.srv.stats.unknownAcks.Add(1)
		return
	}
	p.finish(s.conn, ackResult{args: args.Clone()})
}
