package node

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/protocol"
	"github.com/siod-io/siod/transport"
)

// Server is one node: an http.Handler that serves Socket.IO clients. All
// methods are safe for concurrent use.
type Server struct {
	cfg    Config
	id     string // boot id
	token  string // begins every id made here
	engine *transport.Engine
	root   *Namespace

	tasks      tasks
	workers    workers
	ctx        context.Context // ends when Shutdown begins
	cancel     context.CancelFunc
	last       context.Context // ends when Shutdown does
	cancelLast context.CancelFunc
	closing    atomic.Bool  // Shutdown has begun
	others     atomic.Int64 // members beside this node
	down       atomic.Bool  // Shutdown is over
	stopped    chan struct{}

	mu         sync.RWMutex // guards the fields below
	namespaces map[string]*Namespace
	dynamic    []*Dynamic // replaced, never changed
	made       int        // namespaces that dynamic ones made and that may go again

	envelopes    atomic.Uint64
	underway     underway
	collectors   collectors
	serverEvents serverEvents
	degraded     degraded
	recovery     *recovery // nil if off
	feed         *feed     // nil without a log
	subs         []backplane.Subscription
	stats        serverStats
	sparse       sparse
}

// New returns a server that is ready to be mounted, with the namespace "/".
// Shutdown releases it.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	srv := &Server{
		cfg: cfg, id: cfg.Backplane.ID(), token: cfg.Membership.Self().Token,
		namespaces: make(map[string]*Namespace), stopped: make(chan struct{}),
	}
	srv.ctx, srv.cancel = context.WithCancel(context.Background())
	srv.last, srv.cancelLast = context.WithCancel(context.Background())
	srv.tasks.init()
	srv.workers.init()
	srv.underway.init()
	srv.collectors.init(srv)
	srv.serverEvents.init(srv)
	srv.degraded.init(srv)
	cfg.Transport.Token = srv.token
	var err error
	if srv.engine, err = transport.New(cfg.Transport, engineHandler{srv}); err != nil {
		return nil, err
	}
	srv.root = srv.Of(protocol.Root)
	members := srv.cfg.Membership.Watch(srv.ctx) // from now on: of who went before nothing is told
	srv.countOthers()
	if err := srv.attach(); err != nil {
		_ = srv.Shutdown(context.Background())
		return nil, err
	}
	srv.tasks.start(func() { srv.watchMembers(members) })
	if srv.recovery != nil {
		srv.tasks.start(srv.recovery.runTellHomes)
		srv.tasks.start(srv.recovery.runSettle)
		if srv.recovery.journal != nil {
			srv.tasks.start(srv.recovery.runRefresh)
		}
	}
	return srv, nil
}

// attach subscribes to what concerns this node whatever its clients do, and
// follows the log.
func (srv *Server) attach() error {
	if len(backplane.Logs(srv.cfg.Backplane)) > 0 {
		if err := srv.follow(); err != nil {
			return err
		}
	}
	for _, at := range []backplane.Address{
		backplane.Home(srv.token), backplane.Namespace(backplane.AnyNamespace),
		backplane.Requests(backplane.AnyNamespace), backplane.Node(srv.id),
	} {
		sub, err := srv.cfg.Backplane.Subscribe(at, srv.receive)
		if err != nil {
			return err
		}
		srv.subs = append(srv.subs, sub)
	}
	return nil
}

// watchMembers passes deaths on, so that nobody waits for the dead.
func (srv *Server) watchMembers(members <-chan membership.Event) {
	for ev := range members {
		srv.countOthers()
		switch ev.Kind {
		case membership.Joined:
			srv.journal().joined(ev.Member.ID)
		case membership.Gone:
			srv.cfg.Backplane.NodeDown(ev.Member.ID)
			srv.journal().left(ev.Member.ID)
			srv.degraded.left(ev.Member.ID)
		}
	}
}

// clustered reports whether anybody else may listen: somebody is heard, or is a
// member, and has to be named if it cannot be reached (V17).
func (srv *Server) clustered() bool {
	return srv.others.Load() > 0 || !backplane.Alone(srv.cfg.Backplane)
}

// countOthers counts the members beside this node.
func (srv *Server) countOthers() {
	n := 0
	for _, m := range srv.cfg.Membership.Members() {
		if m.ID != srv.id {
			n++
		}
	}
	srv.others.Store(int64(n))
}

func (srv *Server) nextEnvelope() uint64 { return srv.envelopes.Add(1) }

// ID is the node's boot id.
func (srv *Server) ID() string { return srv.id }

// Engine is the transport below.
func (srv *Server) Engine() *transport.Engine { return srv.engine }

// Of returns the namespace with the given name, "/" if it is empty, and makes
// it if need be, with the handlers of the first pattern that matches (see
// OfPattern). From then on it exists whether or not it has clients. Of panics
// if the name is not a namespace, which begins with a slash, has no comma, and
// is within Limits.MaxNamespace; for names from outside see Namespace.
func (srv *Server) Of(name string) *Namespace {
	if name == "" {
		name = protocol.Root
	}
	if !strings.HasPrefix(name, "/") || strings.Contains(name, ",") || len(name) > srv.cfg.Limits.MaxNamespace {
		panic("node: Of: " + clip(name) + " is no namespace: it must begin with a slash, have no comma, and be within Limits.MaxNamespace")
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	ns := srv.namespaces[name]
	switch {
	case ns == nil:
		if d := srv.pattern(name); d != nil {
			ns = d.child(name)
		} else {
			ns = newNamespace(srv, name)
			ns.handlers.Store(&handlers{})
		}
		srv.namespaces[name] = ns
	case !ns.permanent:
		srv.made--
	}
	ns.permanent = true
	return ns
}

// Namespace returns the namespace with the given name if it exists on this
// server.
func (srv *Server) Namespace(name string) (*Namespace, bool) {
	ns := srv.known(name)
	return ns, ns != nil
}

func (srv *Server) known(name string) *Namespace {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return srv.namespaces[name]
}

// Namespaces lists the namespaces that exist on this server, by name.
func (srv *Server) Namespaces() []*Namespace {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	all := make([]*Namespace, 0, len(srv.namespaces))
	for _, ns := range srv.namespaces {
		all = append(all, ns)
	}
	slices.SortFunc(all, func(a, b *Namespace) int { return strings.Compare(a.name, b.name) })
	return all
}

// Emit sends an event to all sockets of "/".
func (srv *Server) Emit(ctx context.Context, event string, args ...any) error {
	return srv.root.Emit(ctx, event, args...)
}

// Send is Emit of the event "message".
func (srv *Server) Send(ctx context.Context, args ...any) error { return srv.root.Send(ctx, args...) }

// To addresses rooms of "/".
func (srv *Server) To(rooms ...string) Broadcast { return srv.root.To(rooms...) }

// In is To.
func (srv *Server) In(rooms ...string) Broadcast { return srv.root.To(rooms...) }

// Except addresses the sockets of "/" that are in none of the rooms.
func (srv *Server) Except(rooms ...string) Broadcast { return srv.root.Except(rooms...) }

// User addresses the sockets of a user in "/"; see Socket.SetUser.
func (srv *Server) User(id string) Broadcast { return srv.root.User(id) }
