package daemon

import (
	"context"
	"crypto/subtle"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/siod-io/siod/internal/metrics"
	"github.com/siod-io/siod/node"
	"github.com/siod-io/siod/transport/forward"
)

// internal is what the internal listener serves. Nothing of it is reachable on
// the clients' listener.
func (d *Daemon) internal() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		metrics.New(func() node.Stats { return d.Stats() }, metrics.Options{
			Namespaces: d.Config.StaticNamespaces(), Build: d.Build, Draining: d.draining.Load,
			Reloads: func() (uint64, uint64) { return d.reloadsOK.Load(), d.reloadsWrong.Load() },
			Cluster: d.clusterStats,
		}),
	)
	scrape := promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		Registry: reg, EnableOpenMetrics: true, MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(d.Log.Handler(), slog.LevelWarn),
	})
	profiles := http.NewServeMux()
	profiles.HandleFunc("/debug/pprof/", pprof.Index)
	profiles.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	profiles.HandleFunc("/debug/pprof/profile", pprof.Profile)
	profiles.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	profiles.HandleFunc("/debug/pprof/trace", pprof.Trace)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", d.livez)
	mux.HandleFunc("GET /readyz", d.readyz)
	mux.HandleFunc("GET /startupz", d.startupz)
	mux.Handle("GET /metrics", d.private(d.whenStarted(scrape)))
	mux.Handle("GET /nodes", d.private(d.whenStarted(http.HandlerFunc(d.nodes))))
	mux.HandleFunc(forward.Path, d.forward)
	mux.Handle("/debug/pprof/", d.private(profiles))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "/livez\n/readyz\n/startupz\n/metrics\n/nodes\n/debug/pprof/\n")
	})
	return mux
}

// private asks for the bearer token, if one is configured.
func (d *Daemon) private(h http.Handler) http.Handler {
	if d.Config.InternalToken == "" {
		return h
	}
	want := []byte("Bearer " + d.Config.InternalToken.Reveal())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			answer(w, http.StatusUnauthorized, "unauthorized\n")
			return
		}
		h.ServeHTTP(w, r)
	})
}

// livez says that the process answers. It depends on nothing else: restarting
// a server does not heal what it depends on.
func (d *Daemon) livez(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok\n") }

// startupz says that the server has begun to serve.
func (d *Daemon) startupz(w http.ResponseWriter, _ *http.Request) {
	if !d.started.Load() {
		answer(w, http.StatusServiceUnavailable, "starting\n")
		return
	}
	answer(w, http.StatusOK, "ok\n")
}

// readyz says whether new clients should be sent here.
func (d *Daemon) readyz(w http.ResponseWriter, r *http.Request) {
	switch {
	case d.draining.Load():
		answer(w, http.StatusServiceUnavailable, "draining\n")
		return
	case !d.started.Load():
		answer(w, http.StatusServiceUnavailable, "starting\n")
		return
	}
	if d.Healthy != nil {
		ctx, cancel := context.WithTimeout(r.Context(), d.Config.ReadyTimeout)
		defer cancel()
		if err := d.Healthy(ctx); err != nil {
			answer(w, http.StatusServiceUnavailable, "backplane: "+err.Error()+"\n")
			return
		}
	}
	answer(w, http.StatusOK, "ok\n")
}

func answer(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
