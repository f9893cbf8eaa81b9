package client

import (
	"context"

	"github.com/siod-io/siod/protocol"
)

// Socket is the client's side of one namespace. Its methods are safe for
// concurrent use. Handlers may be registered at any time and are never removed;
// they run one after the other, in the order in which things happened.
type Socket struct {
	client    *Client
	namespace string
	box       *mailbox

	// Guarded by client.mu.
	auth      any
	state     state
	session   *session      // that our CONNECT went to; nil before
	changed   chan struct{} // closed when state changes
	refused   error         // why it is idle
	id        string
	pid       string
	offset    string
	recovered bool
	early     []*Event // that came before the CONNECT was answered
	nextAck   uint64
	acks      map[uint64]chan<- Args // closed without a value if none will come
	handlers  handlers
}

type state uint8

const (
	idle    state = iota // does not want to be connected
	waiting              // wants to be
	online
)

func newSocket(c *Client, namespace string) *Socket {
	return &Socket{
		client: c, namespace: namespace,
		box:     newMailbox(&c.boxes),
		changed: make(chan struct{}),
		refused: ErrNotConnected,
		acks:    make(map[uint64]chan<- Args),
	}
}

// Namespace returns the name of the namespace.
func (s *Socket) Namespace() string { return s.namespace }

// ID returns the socket's public id, or "" while it is not connected.
func (s *Socket) ID() string {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.id
}

// Connected reports whether the socket is connected now.
func (s *Socket) Connected() bool {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.state == online
}

// Recovered reports whether the last connect continued the session before it:
// same id, rooms and data, and no event missed.
func (s *Socket) Recovered() bool {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.recovered
}

// Recovery returns what will be presented to the server after a break: the
// secret id of the session and the offset of the last event; both empty if the
// server does not offer connection state recovery.
func (s *Socket) Recovery() (pid, offset string) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.pid, s.offset
}

// Connect connects the namespace and waits until that is done; if it is
// connected or about to be, Connect only waits. A refusal is a *ConnectError.
//
// If ctx ends first, its error is returned and the socket goes on trying;
// Disconnect ends that. Once connected, the socket connects again by itself
// after every break of the connection, but not after a disconnect by the server
// or by Disconnect.
func (s *Socket) Connect(ctx context.Context) error {
	c := s.client
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	c.mu.Lock()
	if s.state == idle && !c.closing {
		s.set(waiting, nil)
	}
	session := c.session
	c.mu.Unlock()
	if session != nil {
		s.hello(session)
	} else {
		select {
		case c.poke <- struct{}{}:
		default:
		}
	}
	_, err := s.await(ctx)
	return err
}

// Disconnect leaves the namespace, or stops trying to connect to it. What was
// emitted before goes out first. It does not wait for that.
func (s *Socket) Disconnect() error {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	err := s.sayGoodbye()
	s.leave(ClientDisconnect)
	return err
}

// sayGoodbye queues a DISCONNECT. The client's mutex is held.
func (s *Socket) sayGoodbye() error {
	if s.session == nil {
		return nil
	}
	u, err := s.client.unit(protocol.Frames{Text: protocol.AppendDisconnect(nil, s.namespace)})
	if err == nil {
		s.session.out.putNow(u)
	}
	return err
}

// set changes the state. The client's mutex is held.
func (s *Socket) set(to state, why error) {
	s.state, s.refused = to, why
	close(s.changed)
	s.changed = make(chan struct{})
}

// await waits until the socket is connected, and returns the session.
func (s *Socket) await(ctx context.Context) (*session, error) {
	c := s.client
	for {
		c.mu.Lock()
		state, session, changed, refused := s.state, s.session, s.changed, s.refused
		closing := c.closing
		c.mu.Unlock()
		switch {
		case closing:
			return nil, ErrClosed
		case state == online:
			return session, nil
		case state == idle:
			return nil, refused
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.ctx.Done():
			return nil, ErrClosed
		}
	}
}

// leave makes the socket idle. The client's mutex is held.
func (s *Socket) leave(why Reason) {
	was := s.state
	s.set(idle, ErrNotConnected)
	s.pid, s.offset = "", ""
	s.lose()
	if was == online {
		s.notify(why)
	}
}

// broken is called when the session has ended. The client's mutex is held.
func (s *Socket) broken(why Reason) {
	switch s.state {
	case online:
		s.set(waiting, nil)
		s.lose()
		s.notify(why)
	case waiting:
		s.lose()
	}
}

// ended is called when the client has. The client's mutex is held.
func (s *Socket) ended() {
	s.set(idle, ErrClosed)
	s.lose()
	s.box.seal()
}

// lose forgets what belonged to the session.
func (s *Socket) lose() {
	s.session, s.id, s.early = nil, "", nil
	for id, ch := range s.acks {
		close(ch)
		delete(s.acks, id)
	}
}

// hello sends CONNECT to a session, once.
func (s *Socket) hello(to *session) {
	c := s.client
	c.mu.Lock()
	auth, pid, offset := s.auth, s.pid, s.offset
	c.mu.Unlock()
	payload, err := connectPayload(c.cfg.Codec, auth, pid, offset)
	var u unit
	if err == nil {
		u, err = c.unit(protocol.Frames{Text: protocol.AppendConnect(nil, s.namespace, payload)})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != to || s.state != waiting || s.session == to {
		return
	}
	if err != nil {
		s.set(idle, err)
		return
	}
	s.session = to
	c.expects()
	to.out.putNow(u)
}
