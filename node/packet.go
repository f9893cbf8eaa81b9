package node

import (
	"bytes"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/msgpack"
	"github.com/siod-io/siod/transport"
)

// engineHandler implements transport.Handler for a Server: what sessions bring
// becomes packets of their connections.
type engineHandler struct{ srv *Server }

// Open implements transport.Handler.
func (h engineHandler) Open(s *transport.Session) error {
	c := &conn{srv: h.srv, session: s}
	c.decoder.Init(h.srv.cfg.Limits)
	s.SetData(c)
	if c.old() {
		// Clients of 1.x and 2.x are in the root namespace without asking.
		c.parser = parserJSON
		return c.connectRoot()
	}
	c.mu.Lock()
	c.startTimer()
	c.mu.Unlock()
	return nil
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
		// Its own buffer, not the pool's: attachments lie in it, and they may
		// be kept.
		if err := msgpack.Decode(bytes.Clone(data), h.srv.cfg.Limits, &w.pkt); err != nil {
			w.release()
			c.malformed(err)
			return
		}
		w.size = len(data) // beside the JSON made of it; attachments are part of both
		for _, b := range w.pkt.Args.Attachments() {
			w.size -= len(b)
		}
		c.packet(w)
		return
	}
	p, done, err := c.decoder.Binary(bytes.Clone(data))
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
	if c, ok := s.Data().(*conn); ok {
		c.close(r)
	}
}

// packet handles one packet. It owns w.
func (c *conn) packet(w *work) {
	p := &w.pkt
	if p.Type == protocol.Event || p.Type == protocol.BinaryEvent {
		c.event(w)
		return
	}
	defer w.release()
	name := c.target(p)
	switch p.Type {
	case protocol.Connect:
		c.connect(p.Namespace, p.Payload)
	case protocol.Disconnect:
		c.left(name)
	case protocol.Ack, protocol.BinaryAck:
		if s := c.socket(name); s != nil {
			s.answered(p.ID, p.Args)
		} else {
			c.stray(name)
		}
	default: // CONNECT_ERROR is the server's
		c.malformed(errWrongSide)
	}
}

// target is the namespace that a packet is for. Old clients may repeat the
// query that they connected with.
func (c *conn) target(p *protocol.Packet) string {
	if !c.old() {
		return p.Namespace
	}
	name, _ := protocol.SplitQuery(p.Namespace)
	return name
}

// event puts an event into its socket's mailbox. It owns w.
func (c *conn) event(w *work) {
	name := c.target(&w.pkt)
	s := c.socket(name)
	if s == nil {
		w.release()
		c.stray(name)
		return
	}
	c.srv.stats.events.Add(1)
	if !s.put(w) {
		c.srv.stats.mailboxOverflows.Add(1)
		c.session.Abort(transport.ReasonRateLimit)
	}
}

// stray handles a packet for a namespace that is not connected. Old servers
// ignored it; newer ones close, and so do we, unless the server itself has just
// ended the namespace: the client cannot know that yet.
func (c *conn) stray(name string) {
	if c.old() || c.justKicked(name) {
		return
	}
	c.malformed(errNotConnected)
}

// left ends the namespace that the client disconnects from.
func (c *conn) left(name string) {
	c.mu.Lock()
	i := c.find(name)
	if i < 0 {
		c.mu.Unlock()
		return // it has just ended here
	}
	sl := c.slots[i]
	c.removeAt(i)
	if sl.way != nil {
		sl.way.left = true
		c.lingers++
	}
	c.mu.Unlock()
	if sl.way != nil {
		sl.way.cancel() // accept will not find its slot
		return
	}
	sl.socket.end(transport.ReasonClientNamespace)
	c.leftBusy(sl.socket)
	c.rootEnded(sl.socket)
}

// rootEnded: with python-socketio 1.x the root namespace stands for the
// connection, and the others end with it.
func (c *conn) rootEnded(s *Socket) {
	if c.srv.cfg.CompatSeed && c.old() && s.ns.name == protocol.Root {
		c.disconnect()
	}
}

var (
	errNotConnected = &protocol.SyntaxError{Reason: "packet for a namespace that is not connected"}
	errWrongSide    = &protocol.SyntaxError{Reason: "packet type that only servers send"}
)
