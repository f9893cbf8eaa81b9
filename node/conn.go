package node

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/engineio"
	"github.com/siod-io/siod/protocol/msgpack"
	"github.com/siod-io/siod/transport"
)

// conn is the Socket.IO side of one Engine.IO session: its decoder and its
// sockets, at most one in each namespace. Text and Binary are called by one
// goroutine at a time.
type conn struct {
	srv     *Server
	session *transport.Session

	// Of the goroutine that reads.
	decoder protocol.Decoder
	parser  parserKind

	awaiting atomic.Int32 // acknowledgements expected from this client

	mu      sync.Mutex // guards the fields below
	slots   []slot
	timer   *time.Timer   // closes a connection that uses no namespace
	resumed chan struct{} // closed when awaiting leaves 0
	closed  bool
}

// slot is a namespace that the client named; socket is nil until the
// middleware has let it in.
type slot struct {
	name   string
	socket *Socket
}

type parserKind uint8

const (
	parserUnknown parserKind = iota
	parserJSON
	parserMsgpack
)

// engineHandler implements transport.Handler for a Server.
type engineHandler struct{ srv *Server }

func connOf(s *transport.Session) *conn { return s.Data().(*conn) }

// Open implements transport.Handler.
func (h engineHandler) Open(s *transport.Session) error {
	c := &conn{srv: h.srv, session: s}
	c.decoder.Init(h.srv.cfg.Limits)
	s.SetData(c)
	if s.Revision() == engineio.V3 {
		// Clients of 1.x and 2.x are in the root namespace without asking.
		c.parser = parserJSON
		c.connect(protocol.Root, nil)
		return nil
	}
	c.mu.Lock()
	c.timer = time.AfterFunc(h.srv.cfg.ConnectTimeout, c.connectTimeout)
	c.mu.Unlock()
	return nil
}

// connectTimeout ends a connection that did not enter a namespace in time.
func (c *conn) connectTimeout() {
	c.mu.Lock()
	idle := len(c.slots) == 0
	c.mu.Unlock()
	if idle {
		c.srv.stats.connectTimeouts.Add(1)
		c.session.Abort(transport.ReasonForcedClose)
	}
}

// Text implements transport.Handler.
func (h engineHandler) Text(s *transport.Session, data []byte) {
	c := connOf(s)
	if c.parser == parserUnknown {
		c.parser = parserJSON
	}
	// The packet gets a buffer of its own at once: most packets are events,
	// which outlive this call in a mailbox.
	w := works.Get().(*work)
	w.buf = append(w.buf[:0], data...)
	done, err := c.decoder.Text(w.buf, &w.pkt)
	switch {
	case err != nil:
		w.release()
		c.malformed(err)
	case done:
		c.packet(w)
	default:
		w.release()
	}
}

// Binary implements transport.Handler: an attachment, or a whole packet of the
// msgpack parser. No client can announce its parser, but one that uses msgpack
// sends binary before any text.
func (h engineHandler) Binary(s *transport.Session, data []byte) {
	c := connOf(s)
	if c.parser == parserUnknown {
		c.parser = parserMsgpack
	}
	w := works.Get().(*work)
	if c.parser == parserMsgpack {
		w.buf = append(w.buf[:0], data...)
		if err := msgpack.Decode(w.buf, h.srv.cfg.Limits, &w.pkt); err != nil {
			w.release()
			c.malformed(err)
			return
		}
		if len(w.pkt.Args.Attachments()) > 0 {
			w.buf = nil // the attachments lie in it, and they may be kept: the buffer is theirs
		}
		c.packet(w)
		return
	}
	p, done, err := c.decoder.Binary(append([]byte(nil), data...))
	switch {
	case err != nil:
		w.release()
		c.malformed(err)
	case done:
		w.pkt = *p
		c.packet(w)
	default:
		w.release()
	}
}

// Close implements transport.Handler.
func (h engineHandler) Close(s *transport.Session, r transport.Reason) {
	c, ok := s.Data().(*conn)
	if !ok {
		return
	}
	c.mu.Lock()
	c.closed = true
	slots := c.slots
	c.slots = nil
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	c.mu.Unlock()
	for _, sl := range slots {
		if sl.socket != nil {
			sl.socket.end(r)
		}
	}
}

// malformed ends the connection of a client that broke the protocol.
func (c *conn) malformed(err error) {
	c.srv.stats.malformed.Add(1)
	c.srv.cfg.Logger.Debug("malformed packet", "err", err)
	c.session.Abort(transport.ReasonParseError)
}

// packet handles one packet. It owns w.
func (c *conn) packet(w *work) {
	p := &w.pkt
	name := p.Namespace
	old := c.session.Revision() == engineio.V3
	if old && p.Type != protocol.Connect {
		name, _ = protocol.SplitQuery(name)
	}
	if p.Type == protocol.Connect {
		c.connect(name, p.Payload)
		w.release()
		return
	}
	s := c.socket(name)
	if s == nil {
		w.release()
		if old || p.Type == protocol.Disconnect {
			return // of a namespace that has just ended
		}
		c.malformed(errNotConnected)
		return
	}
	switch p.Type {
	case protocol.Event, protocol.BinaryEvent:
		c.srv.stats.events.Add(1)
		if !s.put(w) {
			c.srv.stats.mailboxOverflows.Add(1)
			c.session.Abort(transport.ReasonRateLimit)
		}
		return
	case protocol.Ack, protocol.BinaryAck:
		s.answered(p.ID, p.Args)
	case protocol.Disconnect:
		s.end(transport.ReasonClientNamespace)
		c.remove(s)
	default:
		c.malformed(errNotConnected)
	}
	w.release()
}

var errNotConnected = &protocol.SyntaxError{Reason: "packet for a namespace that is not connected"}

// socket returns the connected socket of a namespace.
func (c *conn) socket(name string) *Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.slots {
		if c.slots[i].name == name {
			return c.slots[i].socket
		}
	}
	return nil
}

// sockets lists the connection's sockets.
func (c *conn) sockets() []*Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*Socket, 0, len(c.slots))
	for i := range c.slots {
		if s := c.slots[i].socket; s != nil {
			all = append(all, s)
		}
	}
	return all
}

// remove forgets a socket that ended.
func (c *conn) remove(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.slots {
		if c.slots[i].socket == s {
			c.slots = append(c.slots[:i], c.slots[i+1:]...)
			return
		}
	}
}

// vacate forgets a namespace that did not let the client in.
func (c *conn) vacate(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.slots {
		if c.slots[i].name == name {
			c.slots = append(c.slots[:i], c.slots[i+1:]...)
			break
		}
	}
	if len(c.slots) == 0 && !c.closed && c.session.Revision() != engineio.V3 {
		if c.timer != nil {
			c.timer.Stop()
		}
		c.timer = time.AfterFunc(c.srv.cfg.ConnectTimeout, c.connectTimeout)
	}
}

// resume returns a channel that is closed when the connection begins to wait
// for an answer of its client: reading must then go on.
func (c *conn) resume() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resumed == nil {
		c.resumed = make(chan struct{})
	}
	if c.awaiting.Load() > 0 {
		done := make(chan struct{})
		close(done)
		return done
	}
	return c.resumed
}

// await counts one more answer that is expected.
func (c *conn) await() {
	if c.awaiting.Add(1) == 1 {
		c.mu.Lock()
		if c.resumed != nil {
			close(c.resumed)
			c.resumed = nil
		}
		c.mu.Unlock()
	}
}
