package client

import "slices"

// handlers are what a socket calls. Slices are replaced, never changed in
// place, so that they can be walked without the lock.
type handlers struct {
	event        map[string][]func(*Event)
	any          []func(*Event)
	connect      []func()
	disconnect   []func(Reason)
	connectError []func(*ConnectError)
}

func with[F any](fns []F, fn F) []F { return append(slices.Clip(fns), fn) }

// On calls fn for each event of that name. A handler that blocks delays all
// that the socket receives after it.
func (s *Socket) On(event string, fn func(*Event)) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.handlers.event == nil {
		s.handlers.event = make(map[string][]func(*Event))
	}
	s.handlers.event[event] = with(s.handlers.event[event], fn)
}

// OnAny calls fn for each event, before the handlers of its name.
func (s *Socket) OnAny(fn func(*Event)) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	s.handlers.any = with(s.handlers.any, fn)
}

// OnConnect calls fn after each connect, also after those that follow a break.
func (s *Socket) OnConnect(fn func()) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	s.handlers.connect = with(s.handlers.connect, fn)
}

// OnDisconnect calls fn when a connected socket is not connected any more.
func (s *Socket) OnDisconnect(fn func(Reason)) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	s.handlers.disconnect = with(s.handlers.disconnect, fn)
}

// OnConnectError calls fn when the server refuses the namespace, also when it
// does so after a break. The socket then does not try again by itself.
func (s *Socket) OnConnectError(fn func(*ConnectError)) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	s.handlers.connectError = with(s.handlers.connectError, fn)
}

// hooks returns the handlers of now, without those by event.
func (s *Socket) hooks() handlers {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	h := s.handlers
	h.event = nil
	return h
}

// notify tells that a connected socket is not any more. The client's mutex is
// held.
func (s *Socket) notify(why Reason) {
	s.box.post(func() {
		for _, fn := range s.hooks().disconnect {
			fn(why)
		}
	})
}

// run calls the handlers of an event.
func (s *Socket) run(e *Event) {
	s.client.mu.Lock()
	all, named := s.handlers.any, s.handlers.event[e.Name]
	s.client.mu.Unlock()
	for _, fn := range all {
		fn(e)
	}
	for _, fn := range named {
		fn(e)
	}
}
