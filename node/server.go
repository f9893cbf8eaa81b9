package node

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/backplane"
	"github.com/siod-io/siod/membership"
	"github.com/siod-io/siod/transport"
)

// Server is one node: an http.Handler that serves Socket.IO clients. All
// methods are safe for concurrent use.
type Server struct {
	cfg    Config
	id     string // boot id
	token  string // begins every id made here
	engine *transport.Engine
	ctx    context.Context // ends when Shutdown has waited long enough
	cancel context.CancelFunc
	wg     sync.WaitGroup // mailboxes, admissions, Go

	mu         sync.RWMutex // guards the fields below
	namespaces map[string]*Namespace
	dynamic    []*Dynamic
	made       int // dynamic namespaces that exist

	closing    atomic.Bool
	envelopes  atomic.Uint64
	collectors collectors
	recovery   *recovery // nil if off
	feed       *feed     // nil without a log
	subs       []backplane.Subscription
	stats      serverStats
}

// New returns a server that is ready to be mounted. Shutdown releases it.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	self := cfg.Membership.Self()
	srv := &Server{cfg: cfg, id: cfg.Backplane.ID(), token: self.Token, namespaces: make(map[string]*Namespace)}
	srv.ctx, srv.cancel = context.WithCancel(context.Background())
	srv.collectors.init(srv)
	cfg.Transport.Token = srv.token
	var err error
	if srv.engine, err = transport.New(cfg.Transport, engineHandler{srv}); err != nil {
		return nil, err
	}
	if err := srv.attach(); err != nil {
		_ = srv.Shutdown(context.Background())
		return nil, err
	}
	srv.wg.Go(srv.watchMembers)
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
func (srv *Server) watchMembers() {
	for ev := range srv.cfg.Membership.Watch(srv.ctx) {
		if ev.Kind == membership.Gone {
			srv.cfg.Backplane.NodeDown(ev.Member.ID)
		}
	}
}

// clustered reports whether anybody else may listen.
func (srv *Server) clustered() bool { return !backplane.Alone(srv.cfg.Backplane) }

func (srv *Server) nextEnvelope() uint64 { return srv.envelopes.Add(1) }

// ID is the node's boot id.
func (srv *Server) ID() string { return srv.id }

// Engine is the transport below.
func (srv *Server) Engine() *transport.Engine { return srv.engine }

// Of returns the namespace with the given name, and creates it. It panics if
// the name is not a namespace, which begins with a slash and has no comma.
func (srv *Server) Of(name string) *Namespace {
	if name == "" {
		name = "/"
	}
	if !strings.HasPrefix(name, "/") || strings.Contains(name, ",") || len(name) > srv.cfg.Limits.MaxNamespace {
		panic("node: Of: " + name + " is not a namespace: it must begin with a slash, have no comma, and be within Limits.MaxNamespace")
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	ns := srv.namespaces[name]
	if ns == nil {
		ns = newNamespace(srv, name)
		srv.namespaces[name] = ns
	} else if ns.parent != nil {
		ns.parent.adopted(ns)
	}
	return ns
}

// static returns the namespace if it exists and counts one socket for it.
func (srv *Server) static(name string) *Namespace {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	ns := srv.namespaces[name]
	if ns != nil {
		ns.count.Add(1)
	}
	return ns
}

// known returns the namespace if it exists.
func (srv *Server) known(name string) *Namespace {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return srv.namespaces[name]
}

// Namespaces lists the namespaces that exist now.
func (srv *Server) Namespaces() []*Namespace {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	all := make([]*Namespace, 0, len(srv.namespaces))
	for _, ns := range srv.namespaces {
		all = append(all, ns)
	}
	return all
}

// Emit, To, In, Except and Send address the default namespace.

// Emit sends an event to all sockets of "/".
func (srv *Server) Emit(ctx context.Context, event string, args ...any) error {
	return srv.Of("/").Emit(ctx, event, args...)
}

// To addresses rooms of "/".
func (srv *Server) To(rooms ...string) Broadcast { return srv.Of("/").To(rooms...) }

// In is To.
func (srv *Server) In(rooms ...string) Broadcast { return srv.Of("/").To(rooms...) }

// Except addresses the sockets of "/" that are in none of the rooms.
func (srv *Server) Except(rooms ...string) Broadcast { return srv.Of("/").Except(rooms...) }

// User addresses the sockets of a user in "/"; see Socket.SetUser.
func (srv *Server) User(id string) Broadcast { return srv.Of("/").User(id) }

// User addresses the sockets of a user; see Socket.SetUser.
func (ns *Namespace) User(id string) Broadcast { return ns.To(userRoom(id)) }

// ServeHTTP serves the clients' requests.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { srv.engine.ServeHTTP(w, r) }

// Timeouts of ListenAndServe. Go's own are none at all.
const (
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 60 * time.Second
)

// ListenAndServe listens on addr and serves clients under the engine's path,
// and other (or 404, if it is nil) elsewhere, until ctx ends; then it shuts the
// server down within 10 seconds and returns nil.
func (srv *Server) ListenAndServe(ctx context.Context, addr string, other http.Handler) error {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return srv.Serve(ctx, ln, other)
}

// Serve is ListenAndServe on a listener of the caller's.
func (srv *Server) Serve(ctx context.Context, ln net.Listener, other http.Handler) error {
	hs := &http.Server{Handler: srv.Handler(other), ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: 32 << 10}
	done := make(chan error, 1)
	go func() { done <- hs.Serve(ln) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := srv.Shutdown(stop)
	_ = hs.Close()
	<-done
	return err
}

const shutdownTimeout = 10 * time.Second

// Handler serves the engine's path from the server and everything else from
// other, or 404 if that is nil.
func (srv *Server) Handler(other http.Handler) http.Handler {
	if other == nil {
		other = http.NotFoundHandler()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, srv.engine.Path()) {
			srv.engine.ServeHTTP(w, r)
			return
		}
		other.ServeHTTP(w, r)
	})
}

// Go runs f in a goroutine that Shutdown waits for. f's context ends when
// Shutdown begins to wait no longer; an error is logged.
func (srv *Server) Go(f func(ctx context.Context) error) {
	srv.wg.Go(func() {
		if err := f(srv.ctx); err != nil && !errors.Is(err, context.Canceled) {
			srv.cfg.Logger.Warn("background task failed", "err", err)
		}
	})
}

// Sleep waits for d, or until ctx ends, whose error it then returns.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Shutdown refuses new clients, closes all sessions, waits for handlers and
// tasks of Go, whose contexts end, and releases everything. It returns ctx's
// error if that ends first; connections are then cut.
func (srv *Server) Shutdown(ctx context.Context) error {
	if srv.closing.Swap(true) {
		return ErrClosed
	}
	err := srv.engine.Shutdown(ctx)
	for _, sub := range srv.subs {
		sub.Close()
	}
	srv.cancel()
	done := make(chan struct{})
	go func() {
		srv.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	srv.recovery.close()
	return err
}
