package node

import (
	"context"

	"github.com/siod-io/siod/protocol"
)

// None is the type of an event without arguments, or of an acknowledgement
// without values.
type None struct{}

// Args2 and Args3 take or send several positional arguments.
type (
	Args2[A, B any] struct {
		A A
		B B
	}
	Args3[A, B, C any] struct {
		A A
		B B
		C C
	}
)

// ArgsDecoder is implemented by types that decode an event's arguments
// themselves, all of them at once.
type ArgsDecoder interface {
	DecodeArgs(c protocol.Codec, a protocol.Args) error
}

// ArgsEncoder is implemented by types that stand for several arguments.
type ArgsEncoder interface {
	EncodeArgs() []any
}

// DecodeArgs implements ArgsDecoder.
func (*None) DecodeArgs(protocol.Codec, protocol.Args) error { return nil }

// EncodeArgs implements ArgsEncoder.
func (None) EncodeArgs() []any { return nil }

// DecodeArgs implements ArgsDecoder.
func (v *Args2[A, B]) DecodeArgs(c protocol.Codec, a protocol.Args) error {
	return a.Decode(c, &v.A, &v.B)
}

// EncodeArgs implements ArgsEncoder.
func (v Args2[A, B]) EncodeArgs() []any { return []any{v.A, v.B} }

// DecodeArgs implements ArgsDecoder.
func (v *Args3[A, B, C]) DecodeArgs(c protocol.Codec, a protocol.Args) error {
	return a.Decode(c, &v.A, &v.B, &v.C)
}

// EncodeArgs implements ArgsEncoder.
func (v Args3[A, B, C]) EncodeArgs() []any { return []any{v.A, v.B, v.C} }

// On registers a typed handler for an event that has no answer: T is the type
// of its first argument, or *T implements ArgsDecoder. Arguments that do not
// fit end the event with an *EventError. A client that asks for an
// acknowledgement all the same gets an empty one when h is done.
func On[T any](ns *Namespace, event string, h func(ctx context.Context, s *Socket, arg T) error) {
	ns.OnEvent(event, func(ctx context.Context, e *Event) error {
		arg, err := Decode[T](e)
		if err != nil {
			return err
		}
		if err := h(ctx, e.Socket, arg); err != nil || !e.hasAck {
			return err
		}
		return e.Ack()
	})
}

// Handle registers a typed handler whose result is the acknowledgement: one
// value, or several if R implements ArgsEncoder, None for none. If the client
// asked for none the result is dropped. For the rest it is as On.
func Handle[T, R any](ns *Namespace, event string, h func(ctx context.Context, s *Socket, arg T) (R, error)) {
	ns.OnEvent(event, func(ctx context.Context, e *Event) error {
		arg, err := Decode[T](e)
		if err != nil {
			return err
		}
		res, err := h(ctx, e.Socket, arg)
		if err != nil || !e.hasAck {
			return err
		}
		return e.Ack(spread(res)...)
	})
}

// Decode decodes an event's arguments as On does, for handlers of OnEvent.
func Decode[T any](e *Event) (T, error) {
	v, err := decode[T](e.Socket.ns.srv.cfg.Codec, e.Args)
	if err != nil {
		return v, &badArgument{err}
	}
	return v, nil
}

// Call emits an event to one socket, waits for the acknowledgement, and decodes
// it: its first value, or all if R implements ArgsDecoder. ctx bounds the wait;
// without a deadline it is Config.AckTimeout.
func Call[R any](ctx context.Context, s *Socket, event string, args ...any) (R, error) {
	a, err := s.EmitWithAck(ctx, event, args...)
	if err != nil {
		var zero R
		return zero, err
	}
	return decode[R](s.ns.srv.cfg.Codec, a)
}

func decode[T any](c protocol.Codec, a protocol.Args) (T, error) {
	var v T
	switch d := any(&v).(type) {
	case ArgsDecoder:
		return v, d.DecodeArgs(c, a)
	case *protocol.Args:
		*d = a
		return v, nil
	}
	if a.Len() == 0 {
		return v, protocol.ErrArguments
	}
	return v, a.DecodeArg(c, 0, &v)
}

func spread(v any) []any {
	if e, ok := v.(ArgsEncoder); ok {
		return e.EncodeArgs()
	}
	return []any{v}
}

// badArgument is an error of decoding what a client sent. The client is told
// so, and the program gets the cause.
type badArgument struct{ err error }

func (e *badArgument) Error() string   { return "node: bad argument: " + e.err.Error() }
func (e *badArgument) Unwrap() []error { return []error{&EventError{Message: "bad argument"}, e.err} }
