package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/siod-io/siod/internal/cluster"
	"github.com/siod-io/siod/transport/forward"
)

// join takes this server's place in its cluster and has it made. Nothing is
// left of it after an error. A start that was interrupted is no error.
func (d *Daemon) join(ctx context.Context, internal net.Addr) error {
	c := d.Config
	if c.Clustered() && !strings.HasSuffix(c.Listen, ":0") {
		// An address in use is found before others count on this node.
		ln, err := listen(ctx, "listen", c.Listen)
		if err != nil {
			return err
		}
		_ = ln.Close() // it has taken nothing
	}
	place := c.Place()
	place.Version, place.Logger = d.Build.Version, d.Log
	if internal != nil {
		place.Internal = at(internal, c.InternalListen)
	}
	n, err := cluster.Start(ctx, place)
	if err != nil {
		if ctx.Err() != nil {
			d.Log.Info("stopped before the cluster was there", "err", err)
			return nil
		}
		return err
	}
	d.node, d.Healthy = n, n.Healthy
	if err := d.Make(n); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.ShutdownTimeout)
		defer cancel()
		return errors.Join(err, n.Stop(stop, nil))
	}
	end := d.Shutdown
	d.Shutdown = func(ctx context.Context) error { return n.Stop(ctx, end) }
	if h := n.Forwarded(d.Handler); h != nil {
		d.forwarded.Store(&h)
	}
	n.Join(ctx)
	if ctx.Err() != nil {
		return d.abandon(ctx)
	}
	return nil
}

// at is the address of a listener, with the host as it was configured: a name
// there may be what others know.
func at(bound net.Addr, configured string) string {
	_, port, err := net.SplitHostPort(bound.String())
	if err != nil {
		return configured
	}
	host, _, _ := net.SplitHostPort(configured) // it was listened on
	return net.JoinHostPort(host, port)
}

// forNodes lets other nodes pass requests on to a server: they speak HTTP/2 in
// clear text, add headers of their own, and keep their connections for a while.
func forNodes(hs *http.Server) {
	hs.Protocols = forward.Protocols()
	hs.MaxHeaderBytes += 4 << 10
	hs.IdleTimeout = max(hs.IdleTimeout, 30*time.Second)
}

// forward serves what other nodes pass on.
func (d *Daemon) forward(w http.ResponseWriter, r *http.Request) {
	h := d.forwarded.Load()
	if h == nil {
		http.NotFound(w, r)
		return
	}
	(*h).ServeHTTP(w, r)
}

// nodes lists the members of the cluster, for siod nodes.
func (d *Daemon) nodes(w http.ResponseWriter, r *http.Request) {
	if d.node == nil {
		http.NotFound(w, r)
		return
	}
	text, err := json.Marshal(d.node.Members())
	if err != nil {
		answer(w, http.StatusInternalServerError, err.Error()+"\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(text, '\n'))
}

func (d *Daemon) clusterStats() *cluster.Stats {
	if d.node == nil {
		return nil
	}
	return d.node.Stats()
}

// whenStarted refuses requests for what is not there yet.
func (d *Daemon) whenStarted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !d.started.Load() {
			answer(w, http.StatusServiceUnavailable, "starting\n")
			return
		}
		h.ServeHTTP(w, r)
	})
}
