package node

import (
	"sync/atomic"

	"github.com/siod-io/siod/protocol"
)

// Event is one event from a client, with its arguments still encoded. Args is
// valid until the handler returns; what is needed longer is kept with
// Args.Clone. The rest may be kept.
type Event struct {
	Socket *Socket
	Name   string
	Args   protocol.Args
	id     uint64
	hasAck bool
	acked  atomic.Bool
}

// Decode decodes the first arguments into dst, pointers, in order. Further
// arguments are ignored. If some do not fit or are missing, the error may be
// returned from the handler: the client is then told "bad argument".
func (e *Event) Decode(dst ...any) error {
	if err := e.Args.Decode(e.Socket.ns.srv.cfg.Codec, dst...); err != nil {
		return &badArgument{err}
	}
	return nil
}

// WantsAck reports whether the client waits for an acknowledgement.
func (e *Event) WantsAck() bool { return e.hasAck }

// Ack answers the client's acknowledgement with any number of values. It may be
// called after the handler returned, from any goroutine, and does not block.
//
// Errors: ErrNoAck if the client waits for none, ErrAcked for all calls but the
// first, an encoding error, after which another call may try again,
// ErrDisconnected.
func (e *Event) Ack(args ...any) error {
	return e.ack(func() (protocol.Frames, error) {
		return protocol.EncodeAck(e.Socket.ns.srv.cfg.Codec, e.Socket.ns.name, e.id, args)
	})
}

// AckRaw is Ack with arguments that are encoded already, those of the event
// itself, for instance. Their binary values are shared and must not be changed.
func (e *Event) AckRaw(args protocol.Args) error {
	return e.ack(func() (protocol.Frames, error) {
		return protocol.EncodeAckArgs(e.Socket.ns.name, e.id, args)
	})
}

func (e *Event) ack(encode func() (protocol.Frames, error)) error {
	if !e.hasAck {
		return ErrNoAck
	}
	if e.acked.Swap(true) {
		return ErrAcked
	}
	f, err := encode()
	if err != nil {
		e.acked.Store(false)
		return err
	}
	return e.Socket.sendFrames(f)
}

// Acked reports whether the event has been answered.
func (e *Event) Acked() bool { return e.acked.Load() }
