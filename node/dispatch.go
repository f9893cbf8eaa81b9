package node

import (
	"context"
	"errors"
	"log/slog"
)

// handle runs one event through the namespace's handlers.
func (s *Socket) handle(w *work) {
	t := s.ns.table()
	named, known := t.events[string(w.pkt.Event)] // compiled without a copy
	if !known {
		named.name = string(w.pkt.Event)
	}
	e := &Event{Socket: s, Name: named.name, Args: w.pkt.Args, id: w.pkt.ID, hasAck: w.pkt.HasID}
	if err := s.runHandlers(t, named.h, e); err != nil {
		s.eventFailed(e, err)
	}
}

func (s *Socket) runHandlers(t *handlers, h EventHandler, e *Event) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.ns.srv.panicked("event", p, "ns", clip(s.ns.name), "event", clip(e.Name), "sid", s.id)
			err = errPanicked
		}
	}()
	ctx := s.Context()
	for _, u := range t.use {
		if err := u(ctx, e); err != nil {
			return err
		}
	}
	for _, a := range t.any {
		if err := (*a)(ctx, e); err != nil {
			return err
		}
	}
	switch {
	case h != nil:
		return h(ctx, e)
	case t.unhandled != nil:
		return t.unhandled(ctx, e)
	}
	s.ns.srv.stats.unhandled.Add(1)
	return nil
}

// eventFailed tells the client what it may know.
func (s *Socket) eventFailed(e *Event, err error) {
	srv := s.ns.srv
	srv.stats.handlerErrors.Add(1)
	answer := eventFailure{Error: "internal error"}
	if ee, ok := errors.AsType[*EventError](err); ok {
		answer = eventFailure{ee.Message, ee.Data}
	} else if !errors.Is(err, errPanicked) {
		srv.say(slog.LevelWarn, "event handler failed", "ns", clip(s.ns.name), "event", clip(e.Name), "sid", s.id, "err", err)
	}
	if !e.hasAck || e.Acked() {
		return
	}
	if err := e.Ack(answer); err != nil && !errors.Is(err, ErrDisconnected) {
		srv.say(slog.LevelWarn, "data of an EventError cannot be sent", "ns", clip(s.ns.name), "event", clip(e.Name), "err", err)
		_ = e.Ack(eventFailure{Error: answer.Error})
	}
}

// eventFailure is what a client gets instead of an answer.
type eventFailure struct {
	Error string `json:"error"`
	Data  any    `json:"data,omitzero"`
}

// Concurrent returns a handler that runs h in a goroutine of its own, so that
// later events of the same socket do not wait for it, nor come in order with
// it. At most n calls run at a time on this server, over all sockets; others
// wait in their sockets' mailboxes. OnDisconnect does not wait for h. It panics
// if n is not positive.
func Concurrent(n int, h EventHandler) EventHandler {
	if n <= 0 {
		panic("node: Concurrent: n must be positive")
	}
	places := make(chan struct{}, n)
	return func(ctx context.Context, e *Event) error {
		select {
		case places <- struct{}{}:
		default:
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				return nil // the client is gone, and nobody else wants it
			}
		}
		e.Args = e.Args.Clone()
		s := e.Socket
		ok := s.ns.srv.tasks.start(func() {
			defer func() { <-places }()
			if err := s.runHandlers(&handlers{}, h, e); err != nil {
				s.eventFailed(e, err)
			}
		})
		if !ok {
			<-places
		}
		return nil
	}
}

// clip shortens what a client chose for a log line.
func clip(s string) string {
	const most = 128
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
