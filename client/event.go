package client

import (
	"context"
	"sync/atomic"

	"github.com/siod-io/siod/protocol"
)

// Args are the arguments of an event or of an answer, still encoded. They are
// the receiver's to keep, and safe for concurrent use.
type Args struct {
	raw   protocol.Args
	codec protocol.Codec
}

// Len returns the number of arguments. While connection state recovery is on,
// that includes the offset, which servers add to events as a last text.
func (a Args) Len() int { return a.raw.Len() }

// Raw returns the JSON of argument i. It panics if there is none.
func (a Args) Raw(i int) []byte { return a.raw.Raw(i) }

// Attachments returns the binary values that placeholders in the JSON refer to.
func (a Args) Attachments() [][]byte { return a.raw.Attachments() }

// Decode decodes the first arguments into dst, pointers, in order. Further
// arguments are ignored; missing ones give protocol.ErrArguments.
func (a Args) Decode(dst ...any) error { return a.raw.Decode(a.codec, dst...) }

// DecodeArg decodes argument i into dst, a pointer.
func (a Args) DecodeArg(i int, dst any) error { return a.raw.DecodeArg(a.codec, i, dst) }

// Event is an event from the server.
type Event struct {
	Args
	Name string

	socket   *Socket
	id       uint64
	unacked  atomic.Bool // an answer is asked for and not given yet
	received *session    // where the answer has to go
}

// WantsAck reports whether the server waits for an answer that was not given
// yet.
func (e *Event) WantsAck() bool { return e.unacked.Load() }

// Ack answers the event. It may be called once, from any goroutine, also after
// the handler returned; a further call, or one that nobody waits for, returns
// ErrNoAck. If the connection that brought the event has ended, the answer is
// of no use and ErrDisconnected is returned.
func (e *Event) Ack(ctx context.Context, args ...any) error {
	if !e.unacked.CompareAndSwap(true, false) {
		return ErrNoAck
	}
	f, err := protocol.EncodeAck(e.codec, e.socket.namespace, e.id, args)
	if err != nil {
		return err
	}
	u, err := e.socket.client.unit(f)
	if err != nil {
		return err
	}
	ctx, cancel := e.socket.client.deadline(ctx)
	defer cancel()
	return e.received.out.put(ctx, e.received.ctx.Done(), u)
}
