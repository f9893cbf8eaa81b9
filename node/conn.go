package node

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/engineio"
	"github.com/siod-io/siod/transport"
)

// conn is the Socket.IO side of one Engine.IO session: its decoder and its
// sockets, at most one in each namespace.
type conn struct {
	srv     *Server
	session *transport.Session

	// Of the goroutine that reads.
	decoder protocol.Decoder
	parser  parserKind

	awaiting atomic.Int32 // acknowledgements expected from this client

	mu      sync.Mutex // guards the fields below
	slots   []slot
	lingers int              // namespaces that the client left and for which handlers still run
	timer   *time.Timer      // closes a connection that uses no namespace
	wake    chan struct{}    // closed when a paused reader has to look again
	closed  transport.Reason // why the session ended; "" while it has not
	kicked  []string         // namespaces that the server ended, see stray
}

// slot is a namespace that the client named: on its way in, or a socket.
type slot struct {
	name   string
	way    *admission
	socket *Socket
}

type parserKind uint8

const (
	parserUnknown parserKind = iota
	parserJSON
	parserMsgpack
)

func connOf(s *transport.Session) *conn { return s.Data().(*conn) }

// old reports whether the client is of the 1.x or 2.x line.
func (c *conn) old() bool { return c.session.Revision() == engineio.V3 }

// find returns the index of a namespace's slot, or -1; c.mu is held.
func (c *conn) find(name string) int {
	return slices.IndexFunc(c.slots, func(sl slot) bool { return sl.name == name })
}

// socket returns the connected socket of a namespace.
func (c *conn) socket(name string) *Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.find(name); i >= 0 {
		return c.slots[i].socket
	}
	return nil
}

// forget frees the slot of a socket that ended; c.mu is held.
func (c *conn) forget(s *Socket) {
	if i := slices.IndexFunc(c.slots, func(sl slot) bool { return sl.socket == s }); i >= 0 {
		c.removeAt(i)
	}
}

// kick forgets a socket that the server ended, and notes that in the same step: what
// the client sends until it knows is no packet for a namespace that never was.
func (c *conn) kick(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(s)
	if len(c.kicked) >= c.srv.cfg.MaxNamespaces {
		c.kicked = c.kicked[1:]
	}
	c.kicked = append(c.kicked, s.ns.name)
}

// justKicked reports whether the server ended a namespace, and the client has
// not connected to it again.
func (c *conn) justKicked(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed != "" || slices.Contains(c.kicked, name)
}

// removeAt frees a slot; c.mu is held.
func (c *conn) removeAt(i int) {
	c.slots = slices.Delete(c.slots, i, i+1)
	if c.idle() {
		c.startTimer()
	}
}

// idle reports whether the connection is in no namespace, nor on its way into one
// that exists: asking for others keeps no connection alive. c.mu is held.
func (c *conn) idle() bool {
	return !slices.ContainsFunc(c.slots, func(sl slot) bool { return sl.socket != nil || sl.way.found })
}

// full reports whether the client may enter no further namespace; c.mu is held.
// What still runs for those that it left counts against twice the number: it may
// leave and come back before a handler has ended, but not without end.
func (c *conn) full() bool {
	most := c.srv.cfg.MaxNamespaces
	return len(c.slots) >= most || len(c.slots)+c.lingers >= 2*most
}

// leftBusy counts a socket that the client left as long as its handlers run.
func (c *conn) leftBusy(s *Socket) {
	c.mu.Lock()
	c.lingers++
	c.mu.Unlock()
	over := func() {
		c.mu.Lock()
		c.lingers--
		c.mu.Unlock()
	}
	if !s.behind(over) {
		over()
	}
}

// startTimer bounds the time without a namespace, unless it is bounded already;
// c.mu is held.
func (c *conn) startTimer() {
	if c.closed != "" || c.timer != nil {
		return
	}
	c.timer = time.AfterFunc(c.srv.cfg.ConnectTimeout, c.idleTooLong)
}

// stopTimer ends it; c.mu is held. The timer is not kept: most connections
// need it once.
func (c *conn) stopTimer() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// idleTooLong ends a connection that is still idle.
func (c *conn) idleTooLong() {
	c.mu.Lock()
	idle := c.idle() && c.closed == ""
	c.mu.Unlock()
	if idle {
		c.srv.stats.connectTimeouts.Add(1)
		c.session.Abort(transport.ReasonForcedClose)
	}
}

// close ends all sockets of a session that has ended.
func (c *conn) close(r transport.Reason) {
	c.mu.Lock()
	c.closed = r
	slots := c.slots
	c.slots = nil
	c.stopTimer()
	c.wakeReader()
	c.mu.Unlock()
	for _, sl := range slots {
		if sl.socket != nil {
			sl.socket.end(r)
		} else {
			sl.way.cancel()
		}
	}
}

// disconnect ends the sockets of all namespaces, tells the client so, and
// closes the connection.
func (c *conn) disconnect() {
	for _, s := range c.sockets() {
		s.kick()
	}
	c.session.Close(transport.ReasonForcedClose)
}

// sockets lists the connected sockets of the connection.
func (c *conn) sockets() []*Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*Socket
	for _, sl := range c.slots {
		if sl.socket != nil {
			all = append(all, sl.socket)
		}
	}
	return all
}

// ended is why the connection ended, "" while it has not.
func (c *conn) ended() transport.Reason {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// malformed ends the connection of a client that broke the protocol.
func (c *conn) malformed(err error) {
	c.srv.stats.malformed.Add(1)
	c.srv.say(slog.LevelDebug, "malformed packet", "err", err)
	c.session.Abort(transport.ReasonParseError)
}

// await counts one more answer that is expected. A reader that is paused by a
// full mailbox goes on then, since the answer arrives behind what it holds.
func (c *conn) await() {
	if c.awaiting.Add(1) == 1 {
		c.mu.Lock()
		c.wakeReader()
		c.mu.Unlock()
	}
}

func (c *conn) wakeReader() {
	if c.wake != nil {
		close(c.wake)
		c.wake = nil
	}
}

// paused returns a channel that is closed when the connection ends or begins
// to expect an answer. The caller looks at both after the call, not before.
func (c *conn) paused() (wake <-chan struct{}, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wake == nil {
		c.wake = make(chan struct{})
	}
	return c.wake, c.closed != ""
}
