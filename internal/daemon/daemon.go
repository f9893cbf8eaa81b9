package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siod-io/siod/internal/cluster"
	"github.com/siod-io/siod/internal/config"
	"github.com/siod-io/siod/internal/metrics"
	"github.com/siod-io/siod/node"
)

// Daemon is a server that runs as a process. Its fields are set before Run and
// not changed after.
type Daemon struct {
	Config *config.Loaded
	Levels *Levels      // of Log; a reload changes them
	Log    *slog.Logger // nil discards
	Build  metrics.Build

	// Make makes the server for its place in the cluster that Config describes,
	// and sets Handler, Stats and Shutdown. It is called once, when that place
	// stands, before clients can connect. Nil means that these fields and Healthy
	// are set already and there is no cluster.
	Make func(*cluster.Node) error

	// Handler serves the clients' listener.
	Handler http.Handler

	// Stats is what /metrics shows.
	Stats func() node.Stats

	// Healthy says whether the server can do its work; /readyz asks it. Nil
	// means always. With Make it is the cluster's.
	Healthy func(context.Context) error

	// Shutdown ends the sessions. It is called once, before the clients'
	// listener closes, so that polls can fetch the end of their sessions.
	Shutdown func(context.Context) error

	// Listening is called once, when clients can connect. internal is nil if
	// that listener is off.
	Listening func(clients, internal net.Addr)

	// Reload delivers requests to read the configuration again, with Read. Nil
	// means never.
	Reload <-chan struct{}
	Read   func() (*config.Loaded, error)

	started, draining       atomic.Bool
	reloadsOK, reloadsWrong atomic.Uint64

	node      *cluster.Node                // nil without Make
	forwarded atomic.Pointer[http.Handler] // of requests for sessions here
}

// Run serves until ctx ends, then shuts down and returns nil, also if clients
// had to be cut off because they took longer than shutdown_timeout. It returns
// early if it cannot listen, with a *ListenError, or can no longer accept.
func (d *Daemon) Run(ctx context.Context) error {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	defer keepHeap()()
	c := d.Config
	failed := make(chan error, 2)
	var wg sync.WaitGroup
	defer wg.Wait()

	var internalAddr net.Addr
	if c.InternalListen != "" {
		ln, err := listen(ctx, "internal_listen", c.InternalListen)
		if err != nil {
			return errors.Join(err, d.abandon(ctx))
		}
		internalAddr = ln.Addr()
		hs := d.server(d.internal())
		forNodes(hs)
		wg.Go(func() { failed <- hs.Serve(ln) })
		defer hs.Close()
	}
	var replaced <-chan error
	if d.Make != nil {
		if err := d.join(ctx, internalAddr); err != nil || ctx.Err() != nil {
			return err
		}
		replaced = d.node.Failed()
	}
	ln, err := listen(ctx, "listen", c.Listen)
	if err != nil {
		return errors.Join(err, d.abandon(ctx))
	}
	hs := d.server(d.Handler)
	wg.Go(func() { failed <- hs.Serve(ln) })
	defer hs.Close()

	d.started.Store(true)
	d.warn()
	d.Log.Info("listening", "clients", ln.Addr().String(), "internal", addrText(internalAddr))
	if d.Listening != nil {
		d.Listening(ln.Addr(), internalAddr)
	}
	for {
		select {
		case err := <-failed:
			return errors.Join(err, d.abandon(ctx))
		case <-d.Reload:
			d.reload()
		case err := <-replaced:
			d.Log.Error("this server ends", "err", err)
			return errors.Join(err, d.stop(ctx, hs))
		case <-ctx.Done():
			return d.stop(ctx, hs)
		}
	}
}

func addrText(a net.Addr) string {
	if a == nil {
		return "off"
	}
	return a.String()
}

// server is an HTTP server with the configured bounds. Go's own are none.
func (d *Daemon) server(h http.Handler) *http.Server {
	c := d.Config
	return &http.Server{
		Handler: bounded(h, c.ReadTimeout, c.WriteTimeout), ReadHeaderTimeout: c.ReadHeaderTimeout, IdleTimeout: c.IdleTimeout, MaxHeaderBytes: int(c.MaxHeader),
		ErrorLog: slog.NewLogLogger(d.Log.Handler(), slog.LevelDebug),
	}
}

// bounded gives every request with a body a deadline for it, and every write of
// an answer one. A handler that reads the body sets its own; where nobody reads
// it, net/http does before it answers, and would wait for ever. The engine sets
// deadlines for its writes itself; who asks for a file and does not read it
// would hold a goroutine for ever.
func bounded(h http.Handler, read, write time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if r.Body != nil && r.Body != http.NoBody {
			_ = rc.SetReadDeadline(time.Now().Add(read))
		}
		p := &pacedWriter{ResponseWriter: w, rc: rc, wait: write}
		p.renew() // for answers without a body
		h.ServeHTTP(p, r)
	})
}

// pacedWriter gives each write a deadline of its own, so that an answer may be
// long and a profile may take its time.
type pacedWriter struct {
	http.ResponseWriter
	rc   *http.ResponseController
	wait time.Duration
}

func (p *pacedWriter) renew() { _ = p.rc.SetWriteDeadline(time.Now().Add(p.wait)) }

// Write implements io.Writer.
func (p *pacedWriter) Write(b []byte) (int, error) {
	p.renew()
	return p.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find the rest of the writer.
func (p *pacedWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// abandon ends a server that never served, or can no longer.
func (d *Daemon) abandon(ctx context.Context) error {
	d.draining.Store(true)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.Config.ShutdownTimeout)
	defer cancel()
	if d.Shutdown == nil {
		return nil // it was never made
	}
	return ignoreDeadline(d.Shutdown(ctx))
}

// stop turns readiness red, waits for balancers to see it, ends the sessions
// and then the requests.
func (d *Daemon) stop(ctx context.Context, hs *http.Server) error {
	d.draining.Store(true)
	c := d.Config
	ctx = context.WithoutCancel(ctx)
	d.Log.Info("shutting down", "delay", c.ShutdownDelay.String(), "timeout", c.ShutdownTimeout.String())
	_ = node.Sleep(ctx, c.ShutdownDelay)
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.ShutdownTimeout)
	defer cancel()
	err := d.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		d.Log.Warn("clients took longer than shutdown_timeout and were cut off")
	}
	// Requests that are being answered may end; most are polls that just got
	// the end of their session.
	rest, cancelRest := context.WithTimeout(context.WithoutCancel(ctx), lastAnswers)
	defer cancelRest()
	_ = hs.Shutdown(rest)
	d.Log.Info("stopped", "after", time.Since(begun).Round(time.Millisecond).String())
	return ignoreDeadline(err)
}

// lastAnswers is how long answers may take when no session is left.
const lastAnswers = time.Second

func ignoreDeadline(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// warn says what is risky about the configuration.
func (d *Daemon) warn() {
	c := d.Config
	if c.InternalListen != "" && c.InternalToken == "" && !isLoopback(c.InternalListen) {
		d.Log.Warn("the internal listener is reachable from other machines and asks for no token: see internal_token", "internal_listen", c.InternalListen)
	}
	for _, o := range c.CORS.Origins {
		if o == "*" {
			d.Log.Warn("pages of every origin may connect: see cors.origins", "credentials", c.CORS.Credentials)
		}
	}
	if c.EventRate == 0 {
		d.Log.Info("clients may send any number of events: see event_rate")
	}
	if !c.HandshakesBounded() {
		d.Log.Info("one address may open any number of connections: handshake_rate needs trusted_proxies, or direct")
	}
	if c.Compat.Seed {
		d.Log.Warn("compat.seed starts from the defaults of python-socketio 1.x, which are open: all origins, messages of 100MB")
	}
}

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
