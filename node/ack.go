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
// Config.AckTimeout.
//
// Errors: those of Emit, ErrDisconnected if the socket ends meanwhile, and
// ctx's error.
func (s *Socket) EmitWithAck(ctx context.Context, event string, args ...any) (protocol.Args, error) {
	f, err := s.ns.encode(event, args)
	if err != nil {
		return protocol.Args{}, err
	}
	p := &pendingAck{result: make(chan ackResult, 1)}
	s.mu.Lock()
	if s.state == socketEnded {
		s.mu.Unlock()
		return protocol.Args{}, ErrDisconnected
	}
	if s.acks == nil {
		s.acks = make(map[uint64]*pendingAck)
		s.nextAck = firstAckID()
	}
	s.nextAck += 2 // even: odd ids belong to broadcasts
	id := s.nextAck
	s.acks[id] = p
	s.mu.Unlock()
	s.conn.await()
	if err := s.sendFrames(f.WithID(id)); err != nil {
		s.forget(id)
		return protocol.Args{}, err
	}
	return s.wait(ctx, id, p)
}

func (s *Socket) wait(ctx context.Context, id uint64, p *pendingAck) (protocol.Args, error) {
	var timeout <-chan time.Time
	if _, ok := ctx.Deadline(); !ok {
		t := time.NewTimer(s.ns.srv.cfg.AckTimeout)
		defer t.Stop()
		timeout = t.C
	}
	select {
	case r := <-p.result:
		return r.args, r.err
	case <-timeout:
		s.forget(id)
		return protocol.Args{}, context.DeadlineExceeded
	case <-ctx.Done():
		s.forget(id)
		return protocol.Args{}, ctx.Err()
	}
}

// forget gives an acknowledgement up; a late answer is then unknown.
func (s *Socket) forget(id uint64) {
	s.mu.Lock()
	_, waiting := s.acks[id]
	delete(s.acks, id)
	s.mu.Unlock()
	if waiting {
		s.conn.awaiting.Add(-1)
	}
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

var _ transport.Former = acked{}
