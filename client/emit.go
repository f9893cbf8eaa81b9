package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/siod-io/siod/protocol"
)

// Emit sends an event. []byte values in the arguments become binary
// attachments. It returns when the event is queued; events of one goroutine are
// sent in order. Delivery is at most once: what was queued when the connection
// breaks is lost.
//
// Emit waits for room in the queue and, while the client reconnects, for the
// connection; ctx bounds both.
func (s *Socket) Emit(ctx context.Context, event string, args ...any) error {
	f, err := s.encode(event, args)
	if err != nil {
		return err
	}
	u, err := s.client.unit(f)
	if err != nil {
		return err
	}
	ctx, cancel := s.client.deadline(ctx)
	defer cancel()
	for {
		session, err := s.await(ctx)
		if err != nil {
			return err
		}
		if err = session.out.put(ctx, session.ctx.Done(), u); !errors.Is(err, ErrDisconnected) {
			return err
		}
	}
}

// EmitWithAck sends an event and waits for the server's answer. It returns the
// error of ctx if none comes in time, and ErrDisconnected if none can come any
// more; the event may have been handled in both cases.
func (s *Socket) EmitWithAck(ctx context.Context, event string, args ...any) (Args, error) {
	f, err := s.encode(event, args)
	if err != nil {
		return Args{}, err
	}
	ctx, cancel := s.client.deadline(ctx)
	defer cancel()
	for {
		session, err := s.await(ctx)
		if err != nil {
			return Args{}, err
		}
		id, answer, ok := s.expect(session)
		if !ok {
			continue
		}
		u, err := s.client.unit(f.WithID(id))
		if err == nil {
			err = session.out.put(ctx, session.ctx.Done(), u)
		}
		if err != nil {
			s.forget(id)
			if errors.Is(err, ErrDisconnected) {
				continue // it was not queued
			}
			return Args{}, err
		}
		select {
		case a, ok := <-answer:
			if !ok {
				return Args{}, ErrDisconnected
			}
			return a, nil
		case <-ctx.Done():
			s.forget(id)
			return Args{}, ctx.Err()
		}
	}
}

func (s *Socket) encode(event string, args []any) (protocol.Frames, error) {
	if protocol.IsReserved(event) {
		return protocol.Frames{}, fmt.Errorf("%w %q", ErrReserved, event)
	}
	return protocol.EncodeEvent(s.client.cfg.Codec, s.namespace, event, args)
}

// expect takes an ack id for a packet that goes to session, unless that is not
// the current one any more.
func (s *Socket) expect(session *session) (id uint64, answer <-chan Args, ok bool) {
	ch := make(chan Args, 1)
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.session != session || s.state != online {
		return 0, nil, false
	}
	id = s.nextAck
	s.nextAck++
	s.acks[id] = ch
	s.client.expects()
	return id, ch, true
}

func (s *Socket) forget(id uint64) {
	s.client.mu.Lock()
	delete(s.acks, id)
	s.client.mu.Unlock()
}
