package node

import (
	"context"
	"maps"
	"slices"

	"github.com/siod-io/siod/protocol"
)

// EventHandler handles one event. Events of one socket are handled one at a
// time, in order of arrival; sockets run in parallel. ctx ends when the socket
// does. An error is sent to a client that waits for an acknowledgement if it is
// an *EventError, and logged otherwise. A panic costs one event.
type EventHandler func(ctx context.Context, e *Event) error

// OutgoingHandler sees what is sent; see Namespace.OnAnyOutgoing. It must not
// change f.
type OutgoingHandler func(event string, f protocol.Frames)

type connectHandler = func(ctx context.Context, s *Socket) error

// handlers is an immutable table, replaced as a whole when something is
// registered, so that events are looked up without a lock.
type handlers struct {
	events        map[string]namedHandler
	any           []*EventHandler // pointers, since functions cannot be compared
	outgoing      []*OutgoingHandler
	use           []EventHandler
	unhandled     EventHandler
	middleware    []connectHandler
	connect       []connectHandler
	disconnecting []disconnectHandler
	disconnect    []disconnectHandler
	server        map[string]ServerEventHandler
	rooms         []func(RoomEvent)
}

// namedHandler carries the event's name as a string, so that the bytes on the
// wire need not become one for each event.
type namedHandler struct {
	name string
	h    EventHandler
}

// table is what is registered for the namespace now: its own, or that of the
// Dynamic which made it.
func (ns *Namespace) table() *handlers {
	if t := ns.handlers.Load(); t != nil {
		return t
	}
	return ns.origin.handlers.Load()
}

// register replaces the table by a changed copy. A namespace that was made by a
// Dynamic has its own table from then on.
func (ns *Namespace) register(change func(t *handlers)) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	t := *ns.table()
	change(&t)
	ns.handlers.Store(&t)
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
	ns.register(func(t *handlers) {
		t.events = maps.Clone(t.events)
		if t.events == nil {
			t.events = make(map[string]namedHandler)
		}
		t.events[event] = namedHandler{event, h}
	})
}

// Off removes the handler of an event.
func (ns *Namespace) Off(event string) {
	ns.register(func(t *handlers) {
		t.events = maps.Clone(t.events)
		delete(t.events, event)
	})
}

// Events lists the events that have a handler, sorted.
func (ns *Namespace) Events() []string { return slices.Sorted(maps.Keys(ns.table().events)) }

// OnAny registers a handler that sees every event before its own handler; an
// error ends the event there. remove takes it off again.
func (ns *Namespace) OnAny(h EventHandler) (remove func()) {
	p := &h
	ns.register(func(t *handlers) { t.any = append(slices.Clip(t.any), p) })
	return func() { ns.register(func(t *handlers) { t.any = without(t.any, p) }) }
}

// OnAnyOutgoing registers a handler that sees every event that this server's
// own calls send to clients of the namespace: once for a broadcast, not once
// for each socket. It runs in the caller's goroutine, before anything is sent.
// remove takes it off again.
func (ns *Namespace) OnAnyOutgoing(h OutgoingHandler) (remove func()) {
	p := &h
	ns.register(func(t *handlers) { t.outgoing = append(slices.Clip(t.outgoing), p) })
	return func() { ns.register(func(t *handlers) { t.outgoing = without(t.outgoing, p) }) }
}

func without[T comparable](list []T, v T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(x T) bool { return x == v })
}

// OnUnhandled registers the handler of events that have none of their own.
func (ns *Namespace) OnUnhandled(h EventHandler) {
	ns.register(func(t *handlers) { t.unhandled = h })
}

// UseEvent registers a middleware that runs before the handlers of each event,
// OnAny included; an error ends the event there, and is answered as a handler's
// error is. Middlewares run in order of registration.
func (ns *Namespace) UseEvent(h EventHandler) {
	ns.register(func(t *handlers) { t.use = append(slices.Clip(t.use), h) })
}

// Use registers a middleware that runs before a socket is connected; an error
// refuses it, see ConnectError. Middlewares run in order of registration. ctx
// ends with the connection, with Config.ConnectTimeout, and when Shutdown
// begins.
func (ns *Namespace) Use(f func(ctx context.Context, s *Socket) error) {
	ns.register(func(t *handlers) { t.middleware = append(slices.Clip(t.middleware), f) })
}

// OnConnect registers a handler for each new socket, behind the middlewares.
// It runs before the client is told that it is connected and may still refuse
// with an error; what it sends to the socket follows the acceptance, in order.
// So it cannot wait for an answer of the client itself: leave that to
// Server.Go. A durable Emit makes the client wait for the log; EmitAsync does
// not. Several run in order of registration. ctx is as for Use; what outlives
// the handler uses Socket.Context.
func (ns *Namespace) OnConnect(f func(ctx context.Context, s *Socket) error) {
	ns.register(func(t *handlers) { t.connect = append(slices.Clip(t.connect), f) })
}
