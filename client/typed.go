package client

import (
	"context"
	"log/slog"
)

// Call emits an event and decodes the first argument of the answer. An answer
// without arguments is the zero R. It waits as [Socket.EmitWithAck] does.
func Call[R any](ctx context.Context, s *Socket, event string, args ...any) (R, error) {
	var r R
	answer, err := s.EmitWithAck(ctx, event, args...)
	if err != nil || answer.Len() == 0 {
		return r, err
	}
	err = answer.DecodeArg(0, &r)
	return r, err
}

// Handle registers a handler that gets the first argument decoded, or the zero
// T if there is none, and whose result is the answer if the server asks for
// one. An argument that does not decode, an error of fn, and an answer that
// cannot be sent are logged; the server then gets no answer.
//
// The context ends with the client.
func Handle[T, R any](s *Socket, event string, fn func(ctx context.Context, v T) (R, error)) {
	s.On(event, func(e *Event) {
		if err := handle(s.client.ctx, e, fn); err != nil {
			s.client.cfg.Logger.LogAttrs(s.client.ctx, slog.LevelWarn, "event not handled",
				slog.String("ns", s.namespace), slog.String("event", event), slog.Any("err", err))
		}
	})
}

func handle[T, R any](ctx context.Context, e *Event, fn func(context.Context, T) (R, error)) error {
	var v T
	if e.Len() > 0 {
		if err := e.DecodeArg(0, &v); err != nil {
			return err
		}
	}
	r, err := fn(ctx, v)
	if err != nil || !e.WantsAck() {
		return err
	}
	return e.Ack(ctx, r)
}
