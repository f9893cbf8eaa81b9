package node

import (
	"context"
	"errors"
	"maps"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"github.com/siod-io/siod/protocol"
)

// Event is one event from a client, with its arguments still encoded. It is
// valid until its handler returns, or until Ack if that comes later; what is
// to be kept longer is kept with Args.Clone.
type Event struct {
	Socket *Socket
	Name   string
	Args   protocol.Args
	id     uint64
	hasAck bool
	acked  atomic.Bool
}

// WantsAck reports whether the client waits for an acknowledgement.
func (e *Event) WantsAck() bool { return e.hasAck }

// Ack answers the client's acknowledgement with any number of values. The
// first call counts; further ones return ErrAcked. It may be called after the
// handler returned, from any goroutine, and does not block.
func (e *Event) Ack(args ...any) error {
	if !e.hasAck {
		return ErrNoAck
	}
	if e.acked.Swap(true) {
		return ErrAcked
	}
	s := e.Socket
	f, err := protocol.EncodeAck(s.ns.srv.cfg.Codec, s.ns.name, e.id, args)
	if err != nil {
		e.acked.Store(false)
		return err
	}
	return s.sendFrames(f)
}

// AckRaw is Ack with arguments that are encoded already, those of the event
// itself, for instance.
func (e *Event) AckRaw(args protocol.Args) error {
	if !e.hasAck {
		return ErrNoAck
	}
	if e.acked.Swap(true) {
		return ErrAcked
	}
	f, err := protocol.EncodeAckArgs(e.Socket.ns.name, e.id, args)
	if err != nil {
		return err
	}
	return e.Socket.sendFrames(f)
}

// EventHandler handles one event. Events of one socket are handled one at a
// time, in order of arrival; sockets run in parallel. ctx ends when the socket
// disconnects. An error is sent to a client that waits for an acknowledgement
// if it is an *EventError, and logged otherwise. A panic costs one event.
type EventHandler func(ctx context.Context, e *Event) error

// handlers is an immutable table, replaced as a whole when something is
// registered, so that events are looked up without a lock.
type handlers struct {
	events       map[string]namedHandler
	any          []EventHandler
	outgoing     []OutgoingHandler
	use          []EventHandler
	unhandled    EventHandler
	connect      []func(context.Context, *Socket) error
	middleware   []func(context.Context, *Socket) error
	disconnect   []func(context.Context, *Socket, Reason)
	disconnected []func(context.Context, *Socket, Reason)
	server       map[string]ServerEventHandler
	rooms        []func(RoomEvent)
}

// namedHandler carries the event's name as a string, so that the bytes on the
// wire need not become one for each event.
type namedHandler struct {
	name string
	h    EventHandler
}

// OutgoingHandler sees what is sent: see Namespace.OnAnyOutgoing.
type OutgoingHandler func(event string, f protocol.Frames)

func (ns *Namespace) change(f func(h *handlers)) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	h := *ns.handlers.Load()
	h.events = maps.Clone(h.events)
	if h.events == nil {
		h.events = make(map[string]namedHandler)
	}
	h.server = maps.Clone(h.server)
	f(&h)
	ns.handlers.Store(&h)
}

// OnEvent registers the handler of an event; a later one replaces it. The
// typed forms On and Handle are made of it. It panics if the name is reserved
// or the handler nil, since that is a mistake in the program.
func (ns *Namespace) OnEvent(event string, h EventHandler) {
	if protocol.IsReserved(event) {
		panic("node: OnEvent: " + event + " is reserved; see OnConnect and OnDisconnect")
	}
	if h == nil {
		panic("node: OnEvent: nil handler for " + event)
	}
	ns.change(func(t *handlers) { t.events[event] = namedHandler{event, h} })
}

// Off removes the handler of an event.
func (ns *Namespace) Off(event string) {
	ns.change(func(t *handlers) { delete(t.events, event) })
}

// OnAny registers a handler that sees every event before its own handler.
func (ns *Namespace) OnAny(h EventHandler) {
	ns.change(func(t *handlers) { t.any = append(slices.Clip(t.any), h) })
}

// OnAnyOutgoing registers a handler that sees every event that is sent to
// clients of the namespace by this server's own calls: once for a broadcast,
// not once for each socket. It runs in the caller's goroutine.
func (ns *Namespace) OnAnyOutgoing(h OutgoingHandler) {
	ns.change(func(t *handlers) { t.outgoing = append(slices.Clip(t.outgoing), h) })
}

// OnUnhandled registers the handler of events that have none.
func (ns *Namespace) OnUnhandled(h EventHandler) {
	ns.change(func(t *handlers) { t.unhandled = h })
}

// UseEvent registers a middleware that runs before the handlers of each event;
// an error ends the event there, and is answered as a handler's error is.
func (ns *Namespace) UseEvent(h EventHandler) {
	ns.change(func(t *handlers) { t.use = append(slices.Clip(t.use), h) })
}

// Use registers a middleware that runs before a socket is connected; an error
// refuses it, see ConnectError. Middlewares run in order of registration.
func (ns *Namespace) Use(f func(ctx context.Context, s *Socket) error) {
	ns.change(func(t *handlers) { t.middleware = append(slices.Clip(t.middleware), f) })
}

// OnConnect registers a handler for each new socket. It runs before the client
// is told that it is connected and may still refuse; what it sends to the
// socket follows. Several run in order of registration.
func (ns *Namespace) OnConnect(f func(ctx context.Context, s *Socket) error) {
	ns.change(func(t *handlers) { t.connect = append(slices.Clip(t.connect), f) })
}

// OnDisconnecting registers a handler that runs when a socket has ended and is
// still in its rooms.
func (ns *Namespace) OnDisconnecting(f func(ctx context.Context, s *Socket, r Reason)) {
	ns.change(func(t *handlers) { t.disconnect = append(slices.Clip(t.disconnect), f) })
}

// OnDisconnect registers a handler that runs after a socket has ended and left
// its rooms, behind the events that were being handled. ctx is not cancelled.
func (ns *Namespace) OnDisconnect(f func(ctx context.Context, s *Socket, r Reason)) {
	ns.change(func(t *handlers) { t.disconnected = append(slices.Clip(t.disconnected), f) })
}

// handle runs one event through the namespace's handlers.
func (s *Socket) handle(w *work) {
	t := s.ns.handlers.Load()
	named, known := t.events[string(w.pkt.Event)]
	name := named.name
	if !known {
		name = string(w.pkt.Event)
	}
	e := &Event{Socket: s, Name: name, Args: w.pkt.Args, id: w.pkt.ID, hasAck: w.pkt.HasID}
	err := s.runHandlers(t, named.h, e)
	if err != nil {
		s.eventFailed(e, err)
	}
}

func (s *Socket) runHandlers(t *handlers, h EventHandler, e *Event) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.ns.srv.stats.panics.Add(1)
			s.ns.srv.cfg.Logger.Error("panic in event handler", "ns", s.ns.name, "event", clip(e.Name), "sid", s.id, "panic", p, "stack", string(debug.Stack()))
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
		if err := a(ctx, e); err != nil {
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

var errPanicked = errors.New("node: handler panicked")

// eventFailed tells the client what it may know.
func (s *Socket) eventFailed(e *Event, err error) {
	s.ns.srv.stats.handlerErrors.Add(1)
	answer := map[string]any{"error": "internal error"}
	if ee, ok := errors.AsType[*EventError](err); ok {
		answer["error"] = ee.Message
		if ee.Data != nil {
			answer["data"] = ee.Data
		}
	} else if !errors.Is(err, errPanicked) {
		s.ns.srv.cfg.Logger.Warn("event handler failed", "ns", s.ns.name, "event", clip(e.Name), "sid", s.id, "err", err)
	}
	if e.hasAck && !e.acked.Load() {
		_ = e.Ack(answer)
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
