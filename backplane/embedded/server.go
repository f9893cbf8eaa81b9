package embedded

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Server is a NATS server in this process. All methods are safe for concurrent
// use. It implements nats.InProcessConnProvider.
type Server struct {
	cfg Config
	log *serverLog

	// What the configuration is written from, fixed before the server starts.
	pass           Passwords
	systemPassword string
	routePasswords []string
	permissions    map[Role]Permissions
	routeTLS       *tls.Config
	gate           *routeGate
	dir            string // of the store; "" without one
	routeListen    string
	advertise      string // "host" or "host:port"; "" without routes
	lock           *os.File

	ns    *natsd.Server
	route string // RouteAddr

	life  context.Context // ends when Shutdown begins
	stop  context.CancelFunc
	tasks sync.WaitGroup // follow

	mu   sync.Mutex
	down chan struct{} // made by the first Shutdown, closed when all is over
}

var _ nats.InProcessConnProvider = (*Server)(nil)

// Start starts a server and returns when it takes connections and, if it keeps
// a store, when that can be used. It blocks until then at most for
// cfg.StartTimeout or until ctx ends; the time that a large store takes to load
// comes on top. In a mesh it adds to the Meta of cfg.Members.
//
// Errors: those of [Config.Validate], [ErrStoreDir], [ErrNotReady], wrapped, and
// what nats-server says, such as an address in use. Nothing is left running then.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("embedded: start %s: %w", cfg.Name, err)
	}
	s, err := prepare(cfg.withDefaults())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.StartTimeout)
	defer cancel()
	switch {
	case !s.cfg.mesh():
		err = s.startAlone(ctx)
	case s.keepsStore():
		err = s.startStore(ctx)
	default:
		err = s.startMesh(ctx)
	}
	if err != nil {
		s.retract()
		<-s.shutdown()
		return nil, fmt.Errorf("embedded: start %s: %w", s.cfg.Name, err)
	}
	if a := s.ClientAddr(); a != "" && cfg.ListenTLS == nil && !isLoopback(hostOf(a)) {
		s.cfg.Logger.Warn("clients of NATS connect without TLS", slog.String("addr", a))
	}
	return s, nil
}

// prepare makes a server of everything that needs no network.
func prepare(cfg Config) (*Server, error) {
	s := &Server{
		cfg:            cfg,
		pass:           cfg.passwords(),
		systemPassword: rand.Text(),
		routePasswords: cfg.routePasswords(),
		permissions:    make(map[Role]Permissions),
		routeListen:    cfg.Routes.Listen,
	}
	s.gate = &routeGate{s.routePasswords}
	s.routeTLS = mutual(cfg.Routes.TLS)
	s.log = s.newLog()
	s.life, s.stop = context.WithCancel(context.Background())
	for _, role := range s.roles() {
		p, err := PermissionsOf(cfg.Cluster, role)
		if err != nil {
			return nil, err
		}
		s.permissions[role] = p
	}
	if cfg.mesh() {
		host, err := s.advertisedHost()
		if err != nil {
			return nil, err
		}
		s.advertise = host
	}
	if s.keepsStore() {
		if err := s.openDir(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Server) keepsStore() bool { return s.cfg.Store > 0 && s.cfg.IsStore }

// single reports whether this is the only store node of a mesh.
func (s *Server) single() bool { return s.keepsStore() && s.cfg.mesh() && s.cfg.Store == 1 }

// startAlone starts a server without routes.
func (s *Server) startAlone(ctx context.Context) error {
	if err := s.run(ctx, nil); err != nil {
		return err
	}
	if !s.keepsStore() {
		return nil
	}
	if err := s.StoreReady(ctx); err != nil {
		return err
	}
	return s.remember(nil)
}

// run starts nats-server and waits for its listeners.
func (s *Server) run(ctx context.Context, routes []string) error {
	o, err := s.options(routes)
	if err != nil {
		return err
	}
	ns, err := natsd.NewServer(o)
	if err != nil {
		return err
	}
	s.ns = ns
	ns.SetLoggerV2(s.log, false, false, false)
	if s.single() {
		if err := s.seed(ns); err != nil {
			return err
		}
	}
	ns.Start()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !s.listening() {
		select {
		case <-s.log.failed:
			return s.log.err()
		case <-ctx.Done():
			return fmt.Errorf("its listeners: %w", ctx.Err())
		case <-tick.C:
		}
	}
	return s.log.err()
}

// listening reports whether nats-server has all its listeners. Without any it
// is ready when its Start returns.
func (s *Server) listening() bool {
	if s.cfg.mesh() && s.ns.ClusterAddr() == nil {
		return false
	}
	return s.ns.Addr() != nil || !s.cfg.mesh() && s.cfg.Listen == ""
}

// InProcessConn implements nats.InProcessConnProvider.
func (s *Server) InProcessConn() (net.Conn, error) {
	if s.life.Err() != nil {
		return nil, ErrClosed
	}
	return s.ns.InProcessConn()
}

// NodeOptions returns what a connection needs to be this node: user and
// password. With nats.InProcessServer(s) it connects within the process.
func (s *Server) NodeOptions() []nats.Option {
	return []nats.Option{nats.UserInfo(s.Credentials(Node))}
}

// Credentials returns user and password of a role. Emitters and workers exist
// only where Config.Listen is set.
func (s *Server) Credentials(role Role) (user, password string) {
	return string(role), s.password(role)
}

func (s *Server) password(role Role) string {
	switch role {
	case Node:
		return s.pass.Node
	case Emitter:
		return s.pass.Emitter
	}
	return s.pass.Worker
}

// roles are the users that exist.
func (s *Server) roles() []Role {
	if s.cfg.Listen == "" {
		return []Role{Node}
	}
	return []Role{Node, Emitter, Worker}
}

func (s *Server) newLog() *serverLog {
	no := unwanted
	if s.single() {
		no = slices.Concat(no, unwantedOfSingle)
	}
	l := newServerLog(s.cfg.Logger, s.secrets(), no)
	l.dir = s.cfg.Dir
	return l
}

// secrets are the texts that no log may show.
func (s *Server) secrets() []string {
	return slices.Concat([]string{s.pass.Node, s.pass.Emitter, s.pass.Worker, s.systemPassword}, s.routePasswords, s.cfg.Keys)
}

// RouteAddr returns "host:port" of the route listener as the others are told,
// or "" without one.
func (s *Server) RouteAddr() string { return s.route }

// ClientAddr returns "host:port" of the client listener, or "" without one.
func (s *Server) ClientAddr() string {
	if s.cfg.Listen == "" {
		return ""
	}
	if a := s.ns.Addr(); a != nil {
		return a.String()
	}
	return ""
}

// Name returns Config.Name.
func (s *Server) Name() string { return s.cfg.Name }

// Shutdown stops the server and waits until that is done or ctx ends; it goes on
// in the background then. Connections are closed without further notice, so
// those that still have to say something come first, and a store node should
// give up what it leads, by [Server.StepDown]. Later calls wait for the first.
//
// Errors: that of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	select {
	case <-s.shutdown():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("embedded: shut down %s: %w", s.cfg.Name, ctx.Err())
	}
}

// shutdown begins to stop the server, once, and returns what is closed when it
// did.
func (s *Server) shutdown() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return s.down
	}
	s.down = make(chan struct{})
	s.stop()
	go func() {
		defer close(s.down)
		s.tasks.Wait()
		if s.ns != nil {
			s.ns.Shutdown()
			s.ns.WaitForShutdown()
		}
		s.closeDir()
	}()
	return s.down
}
