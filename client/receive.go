package client

import (
	"errors"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/engineio"
	"github.com/siod-io/siod/protocol/msgpack"
)

// unit makes a packet ready for any transport.
func (c *Client) unit(f protocol.Frames) (unit, error) {
	if c.cfg.Parser == MessagePack {
		b, err := msgpack.Append(nil, f)
		return unit{head: engineio.Packet{Type: engineio.Message, Binary: true, Data: b}}, err
	}
	return unit{head: engineio.Packet{Type: engineio.Message, Data: f.Text}, attachments: f.Binary}, nil
}

// receive takes one message on the reader of its session. It owns the bytes.
func (c *Client) receive(from *session, m engineio.Packet) error {
	var p protocol.Packet
	done, err := c.decode(m, &p)
	if err != nil {
		return errors.Join(errParse, err)
	}
	if !done {
		return nil
	}
	c.mu.Lock()
	s := c.sockets[p.Namespace]
	c.mu.Unlock()
	if s == nil {
		return nil // left meanwhile
	}
	switch p.Type {
	case protocol.Connect:
		return s.connected(from, p.Payload)
	case protocol.ConnectError:
		s.refusedBy(from, p.Payload)
	case protocol.Disconnect:
		s.disconnected(from)
	case protocol.Event:
		return s.event(from, &p)
	case protocol.Ack:
		s.answer(&p)
	}
	return nil
}

func (c *Client) decode(m engineio.Packet, p *protocol.Packet) (done bool, err error) {
	switch {
	case c.cfg.Parser == MessagePack && m.Binary:
		return true, msgpack.Decode(m.Data, c.cfg.Limits, p)
	case c.cfg.Parser == MessagePack:
		return false, errors.New("client: text from a server of the msgpack parser")
	case m.Binary:
		full, done, err := c.decoder.Binary(m.Data)
		if done {
			*p = *full
		}
		return done, err
	default:
		return c.decoder.Text(m.Data, p)
	}
}

// disconnected takes the server's DISCONNECT.
func (s *Socket) disconnected(from *session) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.session == from {
		s.leave(ServerDisconnect)
	}
}

// event queues an event for the handlers.
func (s *Socket) event(from *session, p *protocol.Packet) error {
	c := s.client
	e := &Event{
		Args: Args{raw: p.Args, codec: c.cfg.Codec},
		Name: string(p.Event), socket: s, id: p.ID, received: from,
	}
	e.unacked.Store(p.HasID)
	c.mu.Lock()
	current, state := s.session == from, s.state
	if current && state == waiting {
		if len(s.early) >= c.cfg.EventQueue*secondBound {
			s.pid, s.offset = "", "" // or the next attempt would end in the same way
			c.mu.Unlock()
			return errOverflow
		}
		s.early = append(s.early, e)
	}
	c.mu.Unlock()
	if current && state == online {
		return s.deliver(from, e)
	}
	return nil
}

// deliver queues an event for the handlers. After an error no later event of the
// session may be queued: there must be no gap before the last one.
func (s *Socket) deliver(from *session, e *Event) error {
	return s.queue(from, func(limit int) (full <-chan struct{}) { return s.take(from, limit, e) })
}

// take queues an event, if fewer than limit wait, and remembers its offset, as it
// cannot be lost any more: before a handler can see it and ask for Recovery.
func (s *Socket) take(from *session, limit int, e *Event) (full <-chan struct{}) {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	full = s.box.postEvent(limit, func() { s.run(e) })
	if full == nil && !e.WantsAck() && s.session == from && s.pid != "" {
		if offset, ok := e.offset(); ok {
			s.offset = offset
		}
	}
	return full
}

// offset returns what a server with connection state recovery added: the last
// element of the packet, the name included, if that is a text (Socket.IO
// documentation, "Connection state recovery").
func (e *Event) offset() (string, bool) {
	n := e.Len()
	if n == 0 {
		return e.Name, true
	}
	raw := e.Raw(n - 1)
	if raw[0] != '"' {
		return "", false
	}
	var s string
	err := protocol.JSON.DecodeValue(raw, nil, &s)
	return s, err == nil
}

// answer takes an ACK. One that nobody waits for any more is late.
func (s *Socket) answer(p *protocol.Packet) {
	if !p.HasID {
		return
	}
	s.client.mu.Lock()
	ch := s.acks[p.ID]
	delete(s.acks, p.ID)
	s.client.mu.Unlock()
	if ch != nil {
		ch <- Args{raw: p.Args, codec: s.client.cfg.Codec}
	}
}
