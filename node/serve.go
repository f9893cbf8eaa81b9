package node

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"
)

// ServeHTTP serves the requests of clients; other paths get 404.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { srv.engine.ServeHTTP(w, r) }

// Handler serves the engine's path from the server and everything else from
// other, or 404 if that is nil.
func (srv *Server) Handler(other http.Handler) http.Handler {
	if other == nil {
		return srv
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, srv.engine.Path()) {
			srv.engine.ServeHTTP(w, r)
			return
		}
		other.ServeHTTP(w, r)
	})
}

// Bounds of the HTTP server of Serve. Go's own are none at all.
const (
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 32 << 10
	shutdownTimeout   = 10 * time.Second
)

// ListenAndServe listens on addr and serves clients under the engine's path,
// and other (or 404, if it is nil) elsewhere, until ctx ends; then it shuts the
// server down within 10 seconds and returns what Shutdown returned. It returns
// earlier, and shuts down as well, if the listener fails.
func (srv *Server) ListenAndServe(ctx context.Context, addr string, other http.Handler) error {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return srv.Serve(ctx, ln, other)
}

// Serve is ListenAndServe on a listener of the caller's, which it closes.
func (srv *Server) Serve(ctx context.Context, ln net.Listener, other http.Handler) error {
	hs := &http.Server{
		Handler: srv.Handler(other), ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
	}
	failed := make(chan error, 1)
	go func() { failed <- hs.Serve(ln) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	down := srv.Shutdown(stop)
	if hs.Shutdown(stop) != nil { // requests of other that are still running
		_ = hs.Close()
	}
	if err != nil {
		return err
	}
	<-failed
	return down
}
