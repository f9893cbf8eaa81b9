package node

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"

	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// admission is one client's way into one namespace: lookup, middleware,
// OnConnect, accept.
type admission struct {
	c       *conn
	name    string
	query   string
	payload []byte
	quick   bool            // nothing of it can block
	found   bool            // the namespace exists; guarded by c.mu
	ctx     context.Context // ends with the connection, and with ConnectTimeout
	cancel  context.CancelFunc
	left    bool // the client left meanwhile, and conn.lingers counts it; conn.mu guards it
}

// connect handles a CONNECT packet on the reader's goroutine. What may block is
// left to a goroutine of its own.
func (c *conn) connect(name string, payload []byte) {
	a := c.admission(name, payload)
	switch {
	case a == nil:
	case a.quick:
		a.run()
	case !c.srv.tasks.start(a.run):
		a.give()
	}
}

// connectRoot lets a client of 1.x or 2.x into the root namespace, in which it
// is without asking. With CompatSeed the handshake waits for the decision.
func (c *conn) connectRoot() error {
	if !c.srv.cfg.CompatSeed {
		c.connect(protocol.Root, nil)
		return nil
	}
	a := c.admission(protocol.Root, nil)
	if a == nil {
		return &transport.RequestError{Code: transport.CodeForbidden, Status: http.StatusServiceUnavailable, Context: "closed"}
	}
	if _, err := a.decide(); err != nil {
		ce := c.connectError(protocol.Root, err)
		return &transport.RequestError{Code: transport.CodeForbidden, Status: http.StatusUnauthorized, Message: ce.Message, Context: "refused by the root namespace"}
	}
	return nil
}

// admission reserves a namespace on the connection. It returns nil if the
// packet has been dealt with.
func (c *conn) admission(name string, payload []byte) *admission {
	a := &admission{c: c, name: name}
	if c.old() {
		a.name, a.query = protocol.SplitQuery(name)
	} else {
		a.payload = slices.Clone(payload)
	}
	if a.quick = c.srv.quick(a.name); a.quick {
		a.ctx, a.cancel = c.srv.ctx, func() {}
	} else {
		a.ctx, a.cancel = context.WithTimeout(c.srv.ctx, c.srv.cfg.ConnectTimeout)
	}
	c.mu.Lock()
	if i := c.find(a.name); i >= 0 && c.closed == "" {
		s := c.slots[i].socket
		c.mu.Unlock()
		a.cancel()
		c.connectAgain(a.name, s)
		return nil
	}
	full := c.full()
	if full || c.closed != "" {
		c.mu.Unlock()
		a.cancel()
		if full {
			c.refuse(a.name, &ConnectError{Message: "Too many namespaces"})
		}
		return nil
	}
	c.slots = append(c.slots, slot{name: a.name, way: a})
	c.kicked = slices.DeleteFunc(c.kicked, func(n string) bool { return n == a.name })
	c.mu.Unlock()
	return a
}

// connectAgain: clients before 3.x may repeat a CONNECT, later ones never do.
func (c *conn) connectAgain(name string, s *Socket) {
	switch {
	case !c.old():
		c.malformed(errConnectedTwice)
	case s != nil:
		c.session.SendFrames(protocol.Frames{Text: protocol.AppendConnect(nil, name, nil)})
	}
}

var errConnectedTwice = &protocol.SyntaxError{Reason: "CONNECT for a connected namespace"}

// quick reports whether deciding about a client cannot block, so that it need
// not have a goroutine.
func (srv *Server) quick(name string) bool {
	ns := srv.known(name)
	if ns == nil {
		return !srv.hasDynamic()
	}
	if ns.origin != nil && ns.origin.decide != nil {
		return false
	}
	t := ns.table()
	return len(t.middleware) == 0 && len(t.connect) == 0 && srv.recovery == nil
}

// run decides, and tells the client if it is refused: not if it has left, since it
// may have come again and would take the refusal for that one's.
func (a *admission) run() {
	if waits, err := a.decide(); err != nil && waits {
		a.c.refuse(a.name, err)
	}
}

// decide lets the client in, or frees its slot and says why not, and whether the
// client still waits for an answer.
func (a *admission) decide() (waits bool, err error) {
	defer a.over()
	if err = a.admit(); err != nil {
		waits = a.give()
	}
	return waits, err
}

// over ends what decide began.
func (a *admission) over() {
	a.cancel()
	a.c.mu.Lock()
	if a.left {
		a.c.lingers--
	}
	a.c.mu.Unlock()
}

// give frees the slot. It reports false if it was not there any more, because the
// client or the connection gave it up.
func (a *admission) give() bool {
	c := a.c
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.slots, func(sl slot) bool { return sl.way == a })
	if i >= 0 {
		c.removeAt(i)
	}
	return i >= 0
}

// find notes that the namespace exists, which ends the wait for one as in
// Socket.IO 4, whatever middleware says then. If the client gave the slot up, it
// waits on.
func (a *admission) find() {
	c := a.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.ContainsFunc(c.slots, func(sl slot) bool { return sl.way == a }) {
		a.found = true
		c.stopTimer()
	}
}

// take makes the slot the socket's. If it is gone, because the connection or
// the client's interest ended, it returns why.
func (a *admission) take(s *Socket) (gone Reason) {
	c := a.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != "" {
		return c.closed
	}
	i := slices.IndexFunc(c.slots, func(sl slot) bool { return sl.way == a })
	if i < 0 {
		return transport.ReasonClientNamespace
	}
	c.slots[i].way, c.slots[i].socket = nil, s
	return ""
}

func (a *admission) admit() error {
	srv := a.c.srv
	var cl claim
	if srv.recovery != nil && !a.c.old() {
		a.payload, cl = splitClaim(a.payload)
	}
	ns, err := srv.lookup(a.ctx, a.name, a.payload)
	if err != nil {
		return err
	}
	a.find()
	s := a.socket(ns, &cl)
	if err := a.letIn(s, &cl); err != nil {
		ns.abandon(s)
		return err
	}
	ns.accept(s, a)
	return nil
}

// letIn asks the application: middleware, then, with the session that the
// socket continues or begins, OnConnect.
func (a *admission) letIn(s *Socket, cl *claim) error {
	ss, err := a.session(s, cl)
	if err != nil {
		return err
	}
	if err := s.ns.enter(s, ss); err != nil {
		return err
	}
	return a.ask("OnConnect", s.ns.table().connect, s)
}

// session finds the session of a client that middleware lets in. If middleware
// may be skipped for a client that recovers, it runs only if the client does
// not.
func (a *admission) session(s *Socket, cl *claim) (ss *session, err error) {
	t, rec := s.ns.table(), s.ns.srv.recovery
	s.asked.Principal = s.Handshake().Principal
	if rec != nil && rec.srv.cfg.Recovery.SkipMiddleware {
		s.asked.Unasked = true
		if ss, err = rec.resume(a.ctx, s, cl); ss != nil || err != nil {
			return ss, err
		}
		s.asked.Unasked = false
	}
	if err := a.ask("middleware", t.middleware, s); err != nil || rec == nil {
		return nil, err
	}
	s.asked.User = s.User()
	return rec.attach(a.ctx, s, cl)
}

// ask runs middlewares or OnConnect handlers; a panic refuses.
func (a *admission) ask(what string, fs []connectHandler, s *Socket) error {
	if len(fs) == 0 {
		return nil
	}
	return a.c.srv.guard(what, func() error {
		for _, f := range fs {
			if err := f(a.ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// socket makes the socket that asks to be let in.
func (a *admission) socket(ns *Namespace, cl *claim) *Socket {
	s := &Socket{ns: ns, conn: a.c, query: a.query}
	if a.c.parser == parserMsgpack {
		s.form = formMsgpack
	}
	if a.c.old() {
		// The id that clients of 1.x and 2.x compute for themselves. They take
		// an offset for an argument, so they are sent none (V4).
		s.id = a.c.session.ID()
		if ns.name != protocol.Root {
			s.id = ns.name + "#" + s.id
		}
		s.auth = queryJSON(a.query)
		return s
	}
	s.id, s.auth = ns.srv.newID(), a.payload
	if ns.srv.recovery != nil && !cl.never {
		s.form |= formJSONRecovery
	}
	return s
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
