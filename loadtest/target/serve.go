package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/siod-io/siod/internal/daemon"
)

// serve runs the app's handler until ctx ends, and says on out when it is
// ready.
func serve(ctx context.Context, o *options, levels *daemon.Levels, log *slog.Logger, h http.Handler, shutdown func(context.Context) error, out io.Writer) error {
	files, err := daemon.Files(o.Loaded)
	if err != nil {
		return err
	}
	d := &daemon.Daemon{
		Config: o.Loaded, Levels: levels, Log: log,
		Handler:  daemon.Bundle(o.Path, o.ClientBundle, beside(o.Path, h, files)),
		Stats:    o.stats,
		Healthy:  o.healthy,
		Shutdown: shutdown,
		Listening: func(clients, _ net.Addr) {
			fmt.Fprintln(out, "listening", clients)
		},
	}
	return d.Run(ctx)
}

// beside serves the endpoints from h and everything else from files.
func beside(path string, h, files http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; strings.HasPrefix(p, path) || strings.HasPrefix(p, enginePath) {
			h.ServeHTTP(w, r)
			return
		}
		files.ServeHTTP(w, r)
	})
}

// enginePath is where the app engine serves.
const enginePath = "/engine.io/"
