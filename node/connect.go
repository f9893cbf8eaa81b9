package node

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"runtime/debug"
	"slices"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/protocol/engineio"
	"github.com/siod-io/siod/transport"
)

// connect handles a CONNECT packet on the reader's goroutine: it reserves the
// namespace on this connection and hands over to admit, which may block.
func (c *conn) connect(name string, payload []byte) {
	old := c.session.Revision() == engineio.V3
	query := ""
	if old {
		name, query = protocol.SplitQuery(name)
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if i := slices.IndexFunc(c.slots, func(sl slot) bool { return sl.name == name }); i >= 0 {
		s := c.slots[i].socket
		c.mu.Unlock()
		c.connectAgain(name, s, old)
		return
	}
	if len(c.slots) >= c.srv.cfg.MaxNamespaces {
		c.mu.Unlock()
		c.refuse(name, &ConnectError{Message: "Too many namespaces"})
		return
	}
	c.slots = append(c.slots, slot{name: name})
	c.mu.Unlock()
	a := admission{c: c, name: name, query: query, payload: slices.Clone(payload)}
	if ns := c.srv.known(name); ns != nil && ns.quick() {
		a.run()
		return
	}
	c.srv.wg.Go(a.run)
}

// connectAgain: clients before 3.x may repeat a CONNECT, later ones never do.
func (c *conn) connectAgain(name string, s *Socket, old bool) {
	if !old {
		c.malformed(errConnectedTwice)
		return
	}
	if s != nil {
		c.session.SendFrames(protocol.Frames{Text: protocol.AppendConnect(nil, name, nil)})
	}
}

var errConnectedTwice = &protocol.SyntaxError{Reason: "CONNECT for a connected namespace"}

// quick reports whether letting a socket in cannot block, so that it need not
// have a goroutine.
func (ns *Namespace) quick() bool {
	t := ns.handlers.Load()
	return len(t.middleware) == 0 && len(t.connect) == 0 && ns.srv.recovery == nil
}

// admission is one client's way into one namespace.
type admission struct {
	c       *conn
	name    string
	query   string
	payload []byte
}

func (a *admission) run() {
	if err := a.admit(); err != nil {
		a.c.vacate(a.name)
		a.c.refuse(a.name, err)
	}
}

func (a *admission) admit() error {
	ctx, cancel := context.WithTimeout(a.c.srv.ctx, a.c.srv.cfg.ConnectTimeout)
	defer cancel()
	ns, err := a.c.srv.lookup(ctx, a.name, a.payload)
	if err != nil {
		return err
	}
	s, claim := a.socket(ns)
	t := ns.handlers.Load()
	if claim == nil || !ns.srv.cfg.Recovery.SkipMiddleware {
		if err := runConnect(s, t.middleware); err != nil {
			ns.release()
			return err
		}
	}
	if ns.srv.recovery != nil {
		ns.srv.recovery.attach(ctx, s, claim)
	}
	ns.enter(s)
	if err := runConnect(s, t.connect); err != nil {
		ns.abandon(s)
		return err
	}
	ns.accept(s)
	return nil
}

// socket makes the socket that asks to be let in. A recovering client also
// yields its claim.
func (a *admission) socket(ns *Namespace) (*Socket, *claim) {
	s := &Socket{ns: ns, conn: a.c, query: a.query}
	if a.c.parser == parserMsgpack {
		s.form = formMsgpack
	}
	payload := a.payload
	var cl *claim
	switch {
	case a.c.session.Revision() == engineio.V3:
		// The id that clients of 1.x and 2.x compute for themselves.
		s.id = a.c.session.ID()
		if ns.name != protocol.Root {
			s.id = ns.name + "#" + s.id
		}
		payload = queryJSON(a.query)
	default:
		s.id = ns.srv.newID()
		if ns.srv.recovery != nil && payload != nil {
			payload, cl = splitClaim(payload)
		}
	}
	s.auth = payload
	return s, cl
}

// queryJSON is a namespace query as the object that newer clients send.
func queryJSON(query string) []byte {
	values, err := url.ParseQuery(query)
	if err != nil || len(values) == 0 {
		return nil
	}
	m := make(map[string]string, len(values))
	for k, v := range values {
		m[k] = v[len(v)-1]
	}
	b, _, err := protocol.JSON.AppendValue(nil, nil, m)
	if err != nil {
		return nil
	}
	return b
}

// newID returns a public socket id: the node's token, so that any node knows
// where the socket lives, and 120 random bits (R2).
func (srv *Server) newID() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return srv.token + base64.RawURLEncoding.EncodeToString(b[:])
}

// runConnect runs middlewares or OnConnect handlers; a panic refuses.
func runConnect(s *Socket, fs []func(context.Context, *Socket) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.ns.srv.stats.panics.Add(1)
			s.ns.srv.cfg.Logger.Error("panic while connecting", "ns", s.ns.name, "panic", p, "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	for _, f := range fs {
		if err := f(s.Context(), s); err != nil {
			return err
		}
	}
	return nil
}

// refuse tells the client why it is not let in.
func (c *conn) refuse(name string, err error) {
	c.srv.stats.connectErrors.Add(1)
	ce, ok := errors.AsType[*ConnectError](err)
	if !ok {
		c.srv.cfg.Logger.Warn("connection refused by an error that is not a ConnectError", "ns", clip(name), "err", err)
		ce = &ConnectError{Message: "not authorized"}
	}
	f := protocol.Frames{Text: protocol.AppendConnectError(nil, name, c.refusal(ce))}
	if c.parser == parserMsgpack {
		f = parser(f, formMsgpack)
	}
	c.session.SendFrames(f)
}

// refusal is the error's JSON. Old clients get a string, or the data alone
// (R17).
func (c *conn) refusal(ce *ConnectError) []byte {
	codec := c.srv.cfg.Codec
	var v any
	switch {
	case c.session.Revision() == engineio.V4 && ce.Data != nil:
		v = struct {
			Message string `json:"message"`
			Data    any    `json:"data"`
		}{ce.Message, ce.Data}
	case c.session.Revision() == engineio.V4:
		v = struct {
			Message string `json:"message"`
		}{ce.Message}
	case ce.Data != nil:
		v = ce.Data
	default:
		v = ce.Message
	}
	b, bin, err := codec.AppendValue(nil, nil, v)
	if err != nil || len(bin) > 0 {
		c.srv.cfg.Logger.Warn("data of a refusal cannot be sent", "err", fmt.Sprint(err))
		b, _, _ = codec.AppendValue(nil, nil, map[string]string{"message": ce.Message})
	}
	return b
}

// enter makes a socket a pending member of its namespace: broadcasts for it are
// held back until accept.
func (ns *Namespace) enter(s *Socket) {
	x := ns.indexOf(s.conn.session)
	x.mu.Lock()
	defer x.mu.Unlock()
	s.mu.Lock()
	if s.state == socketConnecting {
		s.state = socketPending
	}
	s.mu.Unlock()
	if !s.recovered {
		s.ownRoom = true
	}
	for i := range s.joining {
		if !s.joining[i].kept {
			s.joining[i].since = x.shard.Position()
		}
	}
	s.replayTo = x.shard.Position()
	x.pending = append(x.pending, s)
}

// unpend takes a socket off the pending ones; x.mu is held.
func (x *roomIndex) unpend(s *Socket) {
	if i := slices.Index(x.pending, s); i >= 0 {
		x.pending = slices.Delete(x.pending, i, i+1)
	}
}

// abandon undoes enter for a socket that OnConnect refused.
func (ns *Namespace) abandon(s *Socket) {
	x := ns.indexOf(s.conn.session)
	x.mu.Lock()
	x.unpend(s)
	x.mu.Unlock()
	s.mu.Lock()
	s.state, s.hold = socketEnded, nil
	s.mu.Unlock()
	s.rec.drop()
	ns.release()
}

// accept makes a socket a full member and tells its client: CONNECT, what a
// recovered client missed, what was held back, and then live.
func (ns *Namespace) accept(s *Socket) {
	x := ns.indexOf(s.conn.session)
	x.mu.Lock()
	s.mu.Lock()
	x.unpend(s)
	c := s.conn
	c.mu.Lock()
	i := slices.IndexFunc(c.slots, func(sl slot) bool { return sl.name == ns.name && sl.socket == nil })
	gone := c.closed || i < 0
	if !gone {
		c.slots[i].socket = s
	}
	c.mu.Unlock()
	if gone {
		s.state, s.hold = socketEnded, nil
		s.mu.Unlock()
		s.suspendPending()
		x.mu.Unlock()
		ns.lost(s)
		return
	}
	own := s.ownRoom // OnConnect may have left it
	x.insert(s)
	s.ownRoom = own
	first := s.joinPending(x)
	c.session.SendFrames(parser(protocol.Frames{Text: protocol.AppendConnect(nil, ns.name, s.welcome())}, s.form&formMsgpack))
	s.replay()
	for _, h := range s.hold {
		c.session.SendLatest(h.Message, s.form, h.Volatile, h.Key)
	}
	s.hold = nil
	s.state = socketConnected
	s.mu.Unlock()
	x.mu.Unlock()
	ns.srv.stats.connects.Add(1)
	ns.joined(s, first)
}

// joinPending carries out the joins made before accept; x.mu is held. It
// returns the rooms with whether the shard had no member before.
func (s *Socket) joinPending(x *roomIndex) (changes []roomChange) {
	for _, j := range s.joining {
		if joined, first := x.join(s, j.name, j.since); joined {
			changes = append(changes, roomChange{room: j.name, edge: first})
		}
	}
	s.joining = nil
	return changes
}

// welcome is the CONNECT packet's payload; s.mu is held.
func (s *Socket) welcome() []byte {
	if s.conn.session.Revision() == engineio.V3 {
		return nil
	}
	b := append([]byte(`{"sid":"`), s.id...)
	if s.rec != nil {
		b = append(append(b, `","pid":"`...), s.rec.pid...)
	}
	return append(b, `"}`...)
}

// lost ends a socket whose connection ended while OnConnect ran: OnConnect
// succeeded, so OnDisconnect is due.
func (ns *Namespace) lost(s *Socket) {
	s.reason = transport.ReasonTransportClose
	t := ns.handlers.Load()
	s.runDisconnect(t.disconnect)
	s.runDisconnect(t.disconnected)
	ns.release()
}
