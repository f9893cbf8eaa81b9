package node

import (
	"context"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// Emit sends an event to this client. What the client cannot take yet waits in
// its bounded queue; Emit itself waits only while this server has more to write
// than its inboxes hold.
//
// Errors: ErrReserved, *LimitError, an encoding error, ErrDisconnected, ctx's
// error if it had to wait.
func (s *Socket) Emit(ctx context.Context, event string, args ...any) error {
	return Direct{s: s}.Emit(ctx, event, args...)
}

// EmitArgs is Emit for a relay that holds encoded arguments; their binary
// values are shared and must not be changed.
func (s *Socket) EmitArgs(ctx context.Context, event string, args protocol.Args) error {
	return Direct{s: s}.EmitArgs(ctx, event, args)
}

// Send is Emit of the event "message".
func (s *Socket) Send(ctx context.Context, args ...any) error {
	return s.Emit(ctx, "message", args...)
}

// Volatile: see Direct.Volatile.
func (s *Socket) Volatile() Direct { return Direct{s: s}.Volatile() }

// Latest: see Direct.Latest.
func (s *Socket) Latest(key string) Direct { return Direct{s: s}.Latest(key) }

// Compress: see Direct.Compress.
func (s *Socket) Compress(on bool) Direct { return Direct{s: s}.Compress(on) }

// Direct says how events for one client are sent: a small immutable value that
// each method copies and changes.
type Direct struct {
	s     *Socket
	flags castFlags
	key   string
}

// Volatile lets an event be dropped if it would have to wait, or if the socket
// has ended; neither is an error. It is not repeated to a client that recovers.
func (d Direct) Volatile() Direct { d.flags |= castVolatile; return d }

// Latest says that an event is the newest value of key: while it waits for a
// slow client, a later one of this namespace with the same key replaces it. It is
// not repeated to a client that recovers.
func (d Direct) Latest(key string) Direct { d.key = key; return d }

// Compress(false) marks an event as not worth compressing.
func (d Direct) Compress(on bool) Direct { d.flags = d.flags.compress(on); return d }

// Emit sends an event; see Socket.Emit.
func (d Direct) Emit(ctx context.Context, event string, args ...any) error {
	if err := d.waitForRoom(ctx); err != nil {
		return err
	}
	f, err := d.s.ns.encode(event, args)
	if err != nil {
		return err
	}
	return d.emit(event, f)
}

// EmitArgs sends an event with encoded arguments; see Socket.EmitArgs.
func (d Direct) EmitArgs(ctx context.Context, event string, args protocol.Args) error {
	if err := d.waitForRoom(ctx); err != nil {
		return err
	}
	f, err := d.s.ns.encodeArgs(event, args)
	if err != nil {
		return err
	}
	return d.emit(event, f)
}

// Send is Emit of the event "message".
func (d Direct) Send(ctx context.Context, args ...any) error {
	return d.Emit(ctx, "message", args...)
}

// waitForRoom waits until the client's shard takes more work (V22); a volatile
// event is dropped there instead.
func (d Direct) waitForRoom(ctx context.Context) error {
	if d.flags&castVolatile != 0 {
		return nil
	}
	return d.s.conn.session.Shard().Wait(ctx)
}

func (d Direct) emit(event string, f protocol.Frames) error {
	s := d.s
	s.ns.outgoing(event, f)
	lasting := d.flags&castVolatile == 0 && d.key == ""
	switch {
	case lasting && s.form&formJSONRecovery != 0:
		return s.sendRecoverable(f, d.flags)
	case lasting && d.flags == 0 && s.form == formJSON:
		return s.sendFrames(f) // without a message, which would be for sharing
	}
	c := transport.Cast{Message: d.flags.message(f, plain{}), Volatile: d.flags&castVolatile != 0, Key: s.ns.queueKey(d.key)}
	if err := s.send(c); err != nil && !c.Volatile {
		return err
	}
	return nil
}

// sendFrames sends a packet that needs no other form than the parser's.
func (s *Socket) sendFrames(f protocol.Frames) error {
	f = parser(f, s.form&formMsgpack)
	s.mu.Lock()
	switch s.state {
	case socketConnected:
		s.mu.Unlock()
		if !s.conn.session.SendFrames(f) {
			return ErrDisconnected
		}
		return nil
	case socketEnded:
		s.mu.Unlock()
		return ErrDisconnected
	}
	defer s.mu.Unlock()
	// The frames are in the client's parser already, whatever the form.
	return s.holdOwn(transport.Cast{Message: transport.NewMessage(f, asIs{})})
}

// asIs is the Former of a message that is the same in every form.
type asIs struct{}

// Form implements transport.Former.
func (asIs) Form(m *transport.Message, _ transport.Form) protocol.Frames { return m.Frames(formJSON) }

// send sends a message to this socket alone.
func (s *Socket) send(c transport.Cast) error {
	s.mu.Lock()
	switch s.state {
	case socketConnected:
		s.mu.Unlock()
		if !s.conn.session.SendLatest(c.Message, s.form, c.Volatile, c.Key) {
			return ErrDisconnected // or dropped, if it is volatile
		}
		return nil
	case socketEnded:
		s.mu.Unlock()
		return ErrDisconnected
	}
	defer s.mu.Unlock()
	return s.holdOwn(c)
}

// holdMax bounds what waits for the end of OnConnect.
const holdMax = 4096

// holdOwn keeps what OnConnect sends until its client has been told that it is
// connected, with the place in the log at which it was sent; s.mu is held.
func (s *Socket) holdOwn(c transport.Cast) error {
	if err := s.holdFull(); err != nil {
		return err
	}
	c.Position = s.conn.session.Shard().Position()
	s.hold = append(s.hold, c)
	return nil
}

func (s *Socket) holdFull() error {
	return checkLimit("number of events before the end of OnConnect", len(s.hold)+1, holdMax)
}

// holdBack keeps a broadcast for a socket whose OnConnect is running. The room
// index's lock is held, so broadcasts keep their order.
func (s *Socket) holdBack(c transport.Cast) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != socketPending {
		return
	}
	if len(s.hold) >= holdMax {
		s.conn.session.Abort(transport.ReasonSlowConsumer)
		return
	}
	c.Position = s.conn.session.Shard().Position()
	s.hold = append(s.hold, c)
}
