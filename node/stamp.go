package node

import (
	"errors"

	"github.com/siod-io/siod/node/internal/resume"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// errElsewhere means that a socket does not carry its session any more.
var errElsewhere = errors.New("node: session elsewhere")

// unstamped is the Former of an event that middleware emitted: it gets its
// offset once the socket has its session.
type unstamped struct {
	plain
	flags castFlags
}

// sendRecoverable sends an event that a recovery can repeat: with its offset,
// and kept in the session. While the client is away it is only kept, and once
// it is back, what is emitted on an old socket goes to the new one (V20).
func (s *Socket) sendRecoverable(f protocol.Frames, flags castFlags) error {
	err := s.sendStamped(f, flags)
	for err == errElsewhere {
		var carrier *Socket
		if carrier, err = s.rec.keepAway(f, flags); carrier != nil {
			err = carrier.sendStamped(f, flags)
		}
	}
	return err
}

// sendStamped is sendRecoverable on the socket that carries the session.
func (s *Socket) sendStamped(f protocol.Frames, flags castFlags) (err error) {
	s.mu.Lock()
	switch s.state {
	case socketConnecting:
		defer s.mu.Unlock()
		return s.holdOwn(transport.Cast{Message: flags.message(f, unstamped{flags: flags})})
	case socketPending:
		defer s.mu.Unlock()
		if err := s.holdFull(); err != nil {
			return err
		}
		at := s.conn.session.Shard().Position()
		m, err := s.rec.stamp(s, at, f, flags)
		if err == nil {
			s.hold = append(s.hold, transport.Cast{Message: m, Position: at})
		}
		return err
	}
	ss := s.rec
	s.mu.Unlock()
	if ss == nil {
		return ErrDisconnected // it ended before it had a session
	}
	// Whether the connection takes it or not: it is kept. If the connection has
	// ended, OnDisconnect is on its way.
	s.conn.session.SendStamped(s.form, func(at uint64) (m *transport.Message) {
		m, err = ss.stamp(s, at, f, flags)
		return m
	})
	return err
}

// stamp keeps an event that is emitted on s while its shard stands at a
// position, and returns the message with its offset. It is called under the
// shard's lock: what the shard has been given up to the position precedes the
// message on the connection, all else follows it (V15).
func (ss *session) stamp(s *Socket, at uint64, f protocol.Frames, flags castFlags) (*transport.Message, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	switch {
	case ss.over != nil:
		return nil, ss.over
	case ss.carrier != s:
		return nil, errElsewhere
	}
	return ss.stamped(at, f, flags), nil
}

// keepAway keeps an event for a client that is away. If it is not, keepAway
// returns the socket that carries the session.
func (ss *session) keepAway(f protocol.Frames, flags castFlags) (*Socket, error) {
	if ss == nil {
		return nil, ErrDisconnected
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.over != nil || ss.carrier != nil {
		return ss.carrier, ss.over
	}
	ss.stamped(ss.rec.feed.position(), f, flags)
	return nil, nil
}

// stamped keeps a direct emit at a position and returns the message with its
// offset; ss.mu is held.
func (ss *session) stamped(at uint64, f protocol.Frames, flags castFlags) *transport.Message {
	at = ss.history.Place(at)
	p, ok := ss.rec.feed.at(at)
	if !ok {
		// The log has just been reset, and the session will be told. The client
		// must not take a place of before for one of now.
		ss.history.Skip(at)
		return flags.message(f, plain{})
	}
	d := resume.Direct{At: p, Frames: f, Plain: flags&castUncompressed != 0}
	return flags.message(f, &stamped{ss.history.Emit(d, ss.rec.limits)})
}

// replay lists what a socket that is let in gets after CONNECT: what its client
// missed, up to the shard's position, and what was held back meanwhile, merged.
// It reports false if the promise of OnConnect cannot be kept any more. s.mu and
// the index's lock are held.
func (s *Socket) replay(at uint64) ([]*transport.Message, bool) {
	held := make([]uint64, len(s.hold))
	for i := range s.hold {
		held[i] = s.hold[i].Position
	}
	ss := s.rec
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s.recovered && s.User() != ss.user {
		// OnConnect found another user than the session's (R5). The client
		// begins anew.
		ss.finish(ErrDisconnected)
		return nil, false
	}
	f := ss.rec.feed
	f.mu.Lock()
	steps, v := ss.history.Replay(&f.ring, s.due, at, held, ss.rec.limits)
	// Since s was judged the log may have gone back, or somebody may have emitted
	// past it to rooms that s is in only from now on.
	void := s.recovered && (f.life != s.life || ss.rec.srv.degraded.pending())
	f.mu.Unlock()
	if v != resume.Resumable || void {
		ss.rec.srv.stats.replaysLost.Add(1)
		return nil, false
	}
	ss.known = true
	ms := make([]*transport.Message, len(steps))
	for i, st := range steps {
		switch {
		case st.Entry != nil:
			ms[i] = replayMessage(st.Entry)
		case st.Direct != nil:
			ms[i] = directFlags(st.Direct).message(st.Direct.Frames, &stamped{st.Direct.Tail()})
		default:
			ms[i] = s.hold[st.Held].Message
		}
	}
	return ms, true
}

// directFlags is how a direct emit that was kept is sent.
func directFlags(d *resume.Direct) castFlags { return castFlags(0).compress(!d.Plain) }
